//! From what SePay says to what the store takes in. Webhooks, reconciliation and manual entry meet here.

use chotdon_domain::matching::Direction;
use chotdon_domain::money::Vnd;
use chotdon_store::{Incoming, Source};
use sepay::Notification;

/// The transfer that a notification reports.
///
/// # Errors
/// When the amount is outside of whole đồng, which `sepay` has ruled out already.
pub(crate) fn incoming(
    notification: Notification,
    source: Source,
    body: String,
    now: i64,
) -> Result<Incoming, chotdon_domain::money::AmountError> {
    Ok(Incoming {
        sepay_id: notification.sepay_id,
        source,
        received_at: now,
        body,
        direction: match notification.direction {
            sepay::Direction::In => Direction::In,
            sepay::Direction::Out => Direction::Out,
        },
        amount: Vnd::new(notification.amount_vnd)?,
        gateway: notification.gateway,
        account: notification.account,
        sub_account: notification.sub_account,
        code: notification.code,
        content: notification.content,
        description: notification.description,
        reference: notification.reference,
        booked_at: notification.booked_at,
        accumulated: notification.accumulated,
    })
}
