//! What each stage of each kind of task does. One file per kind.

mod access;
mod deliver_order;
mod enrol;
mod mail_customer;
mod notify_owner;
mod place;
mod prepare_course;
mod revoke_access;
mod test_delivery;
mod unenrol;

use futures::future::BoxFuture;

use chotdon_domain::task::TaskKind;
use chotdon_store::Claimed;

use crate::delivery::mail::Message;
use crate::shop::Floor;
use crate::workers::{StageContext, StageError, StageOutcome, Stages, Until};

pub(crate) use prepare_course::secret as source_secret;

/// The shop's own tasks.
pub(crate) struct ShopStages(pub(crate) Floor);

impl Stages for ShopStages {
    fn run<'a>(
        &'a self,
        task: &'a Claimed,
        cx: &'a StageContext,
    ) -> BoxFuture<'a, Result<StageOutcome, StageError>> {
        Box::pin(async move {
            let ran = match task.kind {
                TaskKind::PrepareCourse => prepare_course::run(&self.0, task, cx).await,
                TaskKind::DeliverOrder => deliver_order::run(&self.0, task, cx).await,
                TaskKind::NotifyOwner => notify_owner::run(&self.0, task, cx).await,
                TaskKind::MailCustomer => mail_customer::run(&self.0, task, cx).await,
                TaskKind::SendWebhook => crate::outgoing::run(&self.0, task, cx).await,
                TaskKind::RevokeAccess => match unenrol::order_of(task) {
                    Some(order) => unenrol::run(&self.0, task, order, cx).await,
                    None => revoke_access::run(&self.0, task, cx).await,
                },
                TaskKind::TestDelivery => test_delivery::run(&self.0, task, cx).await,
            };
            self.0.services.judge(cx, ran).await
        })
    }
}

/// Sends a mail as the settings say; answers the other side's words of acceptance. A login that is refused is no
/// mail's own fault: all mail waits until the settings change.
async fn send(floor: &Floor, cx: &StageContext, message: &Message) -> Result<String, StageError> {
    let sending = async {
        let sent = floor.transport().await?.send(floor.clock.now_ms(), message).await;
        sent.map_err(|error| match error.code {
            "mail_auth" => StageError::parks("smtp", error.code, error.detail, Until::Change),
            _ => error,
        })
    };
    floor.services.through("smtp", cx, sending).await
}

/// A database that cannot be read now is a reason to try again.
fn unreadable(error: chotdon_store::Error) -> StageError {
    match error {
        chotdon_store::Error::NotFound(what) => StageError::permanent("not_found", what),
        other => StageError::transient("internal", other.to_string()),
    }
}

/// JSON that we wrote and cannot read any more.
fn damaged(what: &str, error: &serde_json::Error) -> StageError {
    StageError::permanent("internal", format!("the stored {what} cannot be read: {error}"))
}

/// A task row without the id that its kind needs.
fn incomplete(what: &str) -> StageError {
    StageError::permanent("internal", format!("the task names no {what}"))
}
