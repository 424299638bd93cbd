//! Tells a customer about their money: compose → mail. Whatever becomes of it, the money has moved already.

use chotdon_store::{Aftermath, Claimed, MailCase, MailIntent};

use super::{incomplete, unreadable};
use crate::config::MailTransport;
use crate::delivery::mail::{Message, MoneyMoved, Parts, money_message_id};
use crate::shop::Floor;
use crate::workers::{StageContext, StageError, StageOutcome};

pub(super) async fn run(
    floor: &Floor,
    task: &Claimed,
    cx: &StageContext,
) -> Result<StageOutcome, StageError> {
    let case = floor.store.mail_case(task.id).await.map_err(unreadable)?;
    let case = case.ok_or_else(|| incomplete("customer"))?;
    match task.stage.as_str() {
        "compose" => compose(floor, &case).await,
        _ => mail(floor, &case, cx).await,
    }
}

/// Writes the mail down as an intent, under an id that stays the same across retries.
async fn compose(floor: &Floor, case: &MailCase) -> Result<StageOutcome, StageError> {
    let parts = words(floor, case).await?;
    let message_id =
        case.message_id.clone().unwrap_or_else(|| money_message_id(&case.key, &floor.config().mail.from));
    let mail = MailIntent { message_id, recipient: case.email.clone(), subject: parts.subject };
    let aftermath = Aftermath::MailWritten { order: case.order_id, mail };
    Ok(StageOutcome { aftermath, ..StageOutcome::done() })
}

/// Sends it. A crash after the server took it and before we wrote that down sends it again under the same id.
async fn mail(floor: &Floor, case: &MailCase, cx: &StageContext) -> Result<StageOutcome, StageError> {
    let message_id = case.message_id.clone().ok_or_else(|| {
        StageError::permanent("internal", "the mail was never written down; retry from compose".to_owned())
    })?;
    let reference = if floor.config().mail.transport == MailTransport::None {
        "no mail, by the settings".to_owned()
    } else {
        let parts = words(floor, case).await?;
        let message = Message::new(message_id.clone(), case.email.clone(), case.name.clone(), parts);
        super::send(floor, cx, &message).await?
    };
    let aftermath = Aftermath::MailSent { message_id, reference };
    Ok(StageOutcome { aftermath, ..StageOutcome::done() })
}

async fn words(floor: &Floor, case: &MailCase) -> Result<Parts, StageError> {
    let config = floor.config();
    let moved = MoneyMoved {
        shop_name: config.shop.name.clone(),
        customer_name: case.name.clone(),
        amount_vnd: case.amount_vnd,
        wallet_vnd: case.wallet_vnd,
        at: case.at,
        order_code: case.order.clone().unwrap_or_default(),
        summary: case.summary.clone().unwrap_or_default(),
    };
    floor.templates.money(&case.what, config.shop.language.as_str(), &moved).await
}
