//! What the owner's desktop says about the public address. The app's own catalogue has the same in more words.

use serde_json::Value;

/// The page that explains it.
pub(crate) const ROUTE: &str = "/settings?section=connection";

/// Title and body of a notice, in Vietnamese or English; `None` for kinds that are not ours.
pub(crate) fn words(kind: &str, data: &Value, vi: bool) -> Option<(String, String)> {
    let number = |key: &str| data.get(key).and_then(Value::as_i64);
    let text = |key: &str| data.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (minutes, count) = (number("minutes").unwrap_or_default(), number("count"));
    let words = match (kind, vi) {
        ("tunnel_down", true) => (
            "Mất kết nối: SePay không gọi được shop".to_owned(),
            format!(
                "{} Tiền vẫn vào ngân hàng; app tự kết nối lại và đối soát bù.",
                cause(&text("code"), true)
            ),
        ),
        ("tunnel_down", false) => (
            "Disconnected: SePay cannot reach the shop".to_owned(),
            format!(
                "{} Money still reaches the bank; the app reconnects by itself and catches up.",
                cause(&text("code"), false)
            ),
        ),
        ("tunnel_back", true) => (
            format!("Đã kết nối lại sau {minutes} phút"),
            match count {
                None => "SePay gọi được shop trở lại.".to_owned(),
                Some(0) => "SePay gọi được shop trở lại. Không sót giao dịch nào.".to_owned(),
                Some(n) => format!("Đã bù {n} giao dịch mà webhook bỏ lỡ."),
            },
        ),
        ("tunnel_back", false) => (
            format!("Connected again after {minutes} {}", if minutes == 1 { "minute" } else { "minutes" }),
            match count {
                None => "SePay reaches the shop again.".to_owned(),
                Some(0) => "SePay reaches the shop again. No transaction was missed.".to_owned(),
                Some(1) => "Caught up on 1 transaction that no webhook reported.".to_owned(),
                Some(n) => format!("Caught up on {n} transactions that no webhook reported."),
            },
        ),
        ("tunnel_moved", true) => (
            "URL công khai đã đổi".to_owned(),
            "Hãy dán URL webhook mới vào SePay, nếu không webhook sẽ không đến được.".to_owned(),
        ),
        ("tunnel_moved", false) => (
            "The public URL has changed".to_owned(),
            "Paste the new webhook URL at SePay; until then no webhook arrives.".to_owned(),
        ),
        ("tunnel_certificate", true) => (
            "Chứng chỉ HTTPS sắp hết hạn".to_owned(),
            "Còn chưa đến 14 ngày. Khi hết hạn, SePay sẽ không gọi được shop.".to_owned(),
        ),
        ("tunnel_certificate", false) => (
            "The HTTPS certificate is about to expire".to_owned(),
            "Less than 14 days are left. After that SePay cannot reach the shop.".to_owned(),
        ),
        _ => return None,
    };
    Some(words)
}

fn cause(code: &str, vi: bool) -> &'static str {
    match (code, vi) {
        ("tunnel_program_missing", true) => "Không tìm thấy chương trình tunnel.",
        ("tunnel_program_missing", false) => "The tunnel's program was not found.",
        ("tunnel_wrong_token" | "tunnel_token_missing" | "tunnel_ssh_denied", true) => {
            "Khóa của tunnel không đúng."
        }
        ("tunnel_wrong_token" | "tunnel_token_missing" | "tunnel_ssh_denied", false) => {
            "The tunnel's key is wrong."
        }
        ("tunnel_no_network" | "tunnel_dns" | "tunnel_server_unreachable", true) => {
            "Máy không có mạng hoặc không phân giải được tên miền."
        }
        ("tunnel_no_network" | "tunnel_dns" | "tunnel_server_unreachable", false) => {
            "There is no network, or the name cannot be resolved."
        }
        ("tunnel_certificate_expired", true) => "Chứng chỉ HTTPS đã hết hạn.",
        ("tunnel_certificate_expired", false) => "The HTTPS certificate has expired.",
        ("tunnel_nonce_not_seen", true) => "URL công khai đang trỏ tới nơi khác.",
        ("tunnel_nonce_not_seen", false) => "The public URL leads to someone else.",
        (_, true) => "URL công khai không trả lời.",
        (_, false) => "The public URL does not answer.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_words_in_both_languages() {
        for kind in ["tunnel_down", "tunnel_back", "tunnel_moved", "tunnel_certificate"] {
            for vi in [true, false] {
                let (title, body) =
                    words(kind, &serde_json::json!({ "minutes": 6, "count": 4 }), vi).unwrap();
                assert!(!title.is_empty() && !body.is_empty());
            }
        }
        assert_eq!(words("task_failed", &Value::Null, true), None);
    }
}
