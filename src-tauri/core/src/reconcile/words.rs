//! What the owner's desktop says about reconciliation. The app's own catalogue has the same in more words.

use serde_json::Value;

/// The page that explains it.
pub(crate) const ROUTE: &str = "/webhooks";

const KINDS: [&str; 6] = [
    "caught_up",
    "reconcile_failed",
    "sepay_difference",
    "sepay_balance_gap",
    "soft_duplicate",
    "sepay_row_unreadable",
];

/// Whether a notice of this kind is about reconciliation.
pub(crate) fn is_ours(kind: &str) -> bool {
    KINDS.contains(&kind)
}

/// Title and body of a notice, in Vietnamese or English; `None` for kinds that are not ours.
pub(crate) fn words(kind: &str, data: &Value, vi: bool) -> Option<(String, String)> {
    let number = |key: &str| data.get(key).and_then(Value::as_i64).unwrap_or_default();
    let (title, body) = match (kind, vi) {
        ("caught_up", true) => (
            format!("Đã bù {} giao dịch", number("count")),
            match number("minutes") {
                0 => "Webhook không báo những giao dịch này; app đã tìm thấy ở SePay.".to_owned(),
                minutes => format!("Máy đã ngủ {minutes} phút; app đã tìm thấy các giao dịch này ở SePay."),
            },
        ),
        ("caught_up", false) => (
            format!("Caught up on {} transactions", number("count")),
            match number("minutes") {
                0 => "No webhook reported them; they were found at SePay.".to_owned(),
                minutes => format!("The machine slept for {minutes} minutes; they were found at SePay."),
            },
        ),
        ("reconcile_failed", true) => (
            "Không đối soát được với SePay".to_owned(),
            "Giao dịch mà webhook bỏ lỡ sẽ chưa được bù. Mở ứng dụng để xem nguyên nhân.".to_owned(),
        ),
        ("reconcile_failed", false) => (
            "Reconciliation with SePay fails".to_owned(),
            "Missed webhooks are not made up for. Open the app to see the cause.".to_owned(),
        ),
        ("sepay_difference", true) => (
            "Sổ lệch với SePay".to_owned(),
            format!("Chênh lệch {} ₫. Mở ứng dụng để xem giao dịch nào.", number("amount_vnd")),
        ),
        ("sepay_difference", false) => (
            "The books differ from SePay".to_owned(),
            format!("By {} ₫. Open the app to see which transaction.", number("amount_vnd")),
        ),
        ("sepay_balance_gap", true) => (
            "Số dư ở SePay thay đổi không rõ lý do".to_owned(),
            format!(
                "{} ₫ không có giao dịch nào giải thích. Hãy kiểm tra ở ngân hàng.",
                number("amount_vnd")
            ),
        ),
        ("sepay_balance_gap", false) => (
            "A balance at SePay changed without a transaction".to_owned(),
            format!("No transaction explains {} ₫. Please check with the bank.", number("amount_vnd")),
        ),
        ("soft_duplicate", true) => (
            "Một giao dịch có hai mã SePay".to_owned(),
            "Có thể tiền đã được ghi hai lần. Hãy kiểm tra hai giao dịch này.".to_owned(),
        ),
        ("soft_duplicate", false) => (
            "One transaction under two SePay ids".to_owned(),
            "It may have been counted twice. Please check both.".to_owned(),
        ),
        ("sepay_row_unreadable", true) => (
            "Không đọc được một giao dịch của SePay".to_owned(),
            "Giao dịch này chưa được ghi. Hãy kiểm tra ở SePay.".to_owned(),
        ),
        ("sepay_row_unreadable", false) => (
            "A transaction of SePay's cannot be read".to_owned(),
            "It is not in the books. Please check it at SePay.".to_owned(),
        ),
        _ => return None,
    };
    Some((title, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_words_in_both_languages() {
        for kind in KINDS {
            for vi in [true, false] {
                let (title, body) =
                    words(kind, &serde_json::json!({ "count": 4, "minutes": 192 }), vi).unwrap();
                assert!(!title.is_empty() && !body.is_empty());
            }
        }
        assert_eq!(words("task_failed", &Value::Null, true), None);
    }
}
