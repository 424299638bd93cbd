//! What each stage of each kind of task does. One file per kind.

mod deliver_order;
mod mail_customer;
mod notify_owner;
mod place;
mod prepare_course;
mod test_delivery;

use futures::future::BoxFuture;

use chotdon_domain::task::TaskKind;
use chotdon_store::Claimed;

use crate::shop::Floor;
use crate::workers::{StageContext, StageError, StageOutcome, Stages};

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
            match task.kind {
                TaskKind::PrepareCourse => prepare_course::run(&self.0, task, cx).await,
                TaskKind::DeliverOrder => deliver_order::run(&self.0, task, cx).await,
                TaskKind::NotifyOwner => notify_owner::run(&self.0, task, cx).await,
                TaskKind::MailCustomer => mail_customer::run(&self.0, task).await,
                TaskKind::SendWebhook => crate::outgoing::run(&self.0, task, cx).await,
                TaskKind::RevokeAccess => Err(incomplete("course")),
                TaskKind::TestDelivery => test_delivery::run(&self.0, task, cx).await,
            }
        })
    }
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
