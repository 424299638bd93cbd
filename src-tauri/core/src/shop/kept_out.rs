//! Webhooks with the right key that a setting of the owner's keeps out: money may be waiting behind them, so the owner
//! is told. `door` counts them in memory and raises the notice with its counters, at most once a minute.

use std::collections::BTreeMap;

use chotdon_store::{Raise, STOPPED};
use serde_json::{Value, json};

use super::{Floor, Rejection};

/// Where the settings are that keep webhooks out.
pub(crate) const ROUTE: &str = "/settings?section=access";

const ADDRESS: &str = "webhook_not_allowed_ip";
const HOST: &str = "webhook_wrong_host";
/// Longest name or address that is repeated to the owner.
const LONGEST: usize = 120;

/// The notice of a reason; `None` for reasons that say nothing of the key.
fn kind(reason: Rejection) -> Option<(&'static str, &'static str)> {
    match reason {
        Rejection::NotAllowedIp => Some((ADDRESS, "address")),
        Rejection::WrongHost => Some((HOST, "host")),
        _ => None,
    }
}

/// Whether a notice of this kind is one of these.
pub(crate) fn is_ours(notice: &str) -> bool {
    matches!(notice, ADDRESS | HOST)
}

/// What was kept out since the app runs.
#[derive(Debug, Default)]
pub(super) struct KeptOut {
    /// How many, and the last one's address or host name.
    seen: BTreeMap<Rejection, (i64, String)>,
    /// Reasons with something that the owner was not told of.
    untold: Vec<Rejection>,
}

impl KeptOut {
    /// One more, from or for `what`.
    pub(super) fn one(&mut self, reason: Rejection, what: &str) {
        let (n, last) = self.seen.entry(reason).or_default();
        *n += 1;
        *last = what.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
        self.untold_again(&[reason]);
    }

    /// The reasons that the owner is to be told of now.
    pub(super) fn take_untold(&mut self) -> Vec<Rejection> {
        std::mem::take(&mut self.untold)
    }

    /// They could not be told.
    pub(super) fn untold_again(&mut self, reasons: &[Rejection]) {
        for reason in reasons {
            if !self.untold.contains(reason) {
                self.untold.push(*reason);
            }
        }
    }

    /// The cause is gone; what comes next is counted anew.
    fn forget(&mut self, reason: Rejection) {
        self.seen.remove(&reason);
        self.untold.retain(|untold| *untold != reason);
    }

    /// One notice a reason.
    pub(super) fn notices(&self, reasons: &[Rejection]) -> Vec<Raise> {
        let notice = |reason: &Rejection| {
            let ((kind, field), (n, last)) = (kind(*reason)?, self.seen.get(reason)?);
            let mut data = json!({ "count": n });
            data[field] = json!(last);
            Some(Raise { class: STOPPED, merge_key: Some(kind.to_owned()), kind, data, task: None })
        };
        reasons.iter().filter_map(notice).collect()
    }
}

/// The owner has changed what kept them out.
///
/// # Errors
/// When the database cannot be written.
pub(super) async fn mended(floor: &Floor, reason: Rejection) -> Result<(), chotdon_store::Error> {
    floor.intake.kept_out().forget(reason);
    match kind(reason) {
        Some((kind, _)) => floor.store.resolve_notice(kind, floor.clock.now_ms()).await,
        None => Ok(()),
    }
}

/// Title and text of a notice of ours; `None` for others.
pub(crate) fn words(kind: &str, data: &Value, vi: bool) -> Option<(String, String)> {
    let word = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default();
    let (title, body) = match (kind, vi) {
        (ADDRESS, true) => (
            "Webhook đúng khóa bị chặn theo địa chỉ IP",
            format!(
                "Địa chỉ {} không có trong danh sách IP của SePay, có thể có tiền đang chờ. Mở Cài đặt › Kết nối › Nâng cao.",
                word("address")
            ),
        ),
        (ADDRESS, false) => (
            "Webhooks with the right key are kept out by their address",
            format!(
                "{} is not in the list of SePay's addresses; money may be waiting. Open Settings › Connection › Advanced.",
                word("address")
            ),
        ),
        (HOST, true) => (
            "Webhook đúng khóa gửi đến tên miền lạ",
            format!(
                "{} không phải tên của cửa hàng nên webhook bị từ chối, có thể có tiền đang chờ. Mở Cài đặt › Kết nối › Nâng cao.",
                word("host")
            ),
        ),
        (HOST, false) => (
            "Webhooks with the right key come under another name",
            format!(
                "{} is not a name of the shop, so they are refused; money may be waiting. Open Settings › Connection › Advanced.",
                word("host")
            ),
        ),
        _ => return None,
    };
    Some((title.to_owned(), body))
}
