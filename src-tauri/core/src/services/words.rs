//! What the owner's desktop says when a service is left alone.

use serde_json::Value;

/// Vietnam keeps one offset all year.
const VIETNAM_MS: i64 = 7 * 3_600_000;

/// Title and body of a `service_parked` notice with this data.
pub(crate) fn words(data: &Value, vi: bool) -> (String, String) {
    let word = |key: &str| data.get(key).and_then(Value::as_str).unwrap_or_default();
    let name = name(word("service"), vi);
    let cause = cause(word("code"), vi);
    let title = if vi { format!("{name}: tạm ngừng dùng") } else { format!("{name}: on hold") };
    let body = match (data.get("until").and_then(Value::as_i64), vi) {
        (Some(until), true) => format!("{cause} Tự chạy tiếp lúc {}.", clock(until)),
        (Some(until), false) => format!("{cause} Goes on by itself at {}.", clock(until)),
        (None, true) => format!("{cause} Mọi việc đang chờ, không mất gì."),
        (None, false) => format!("{cause} Everything waits and nothing is lost."),
    };
    (title, body)
}

fn clock(at: i64) -> String {
    let minute = (at + VIETNAM_MS).div_euclid(60_000).rem_euclid(24 * 60);
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

fn name(service: &str, vi: bool) -> String {
    match (service, vi) {
        ("drive", _) => "Google Drive".to_owned(),
        ("drive_upload", true) => "Google Drive (tải lên)".to_owned(),
        ("drive_upload", false) => "Google Drive (uploads)".to_owned(),
        ("drive_sharing", true) => "Google Drive (chia sẻ)".to_owned(),
        ("drive_sharing", false) => "Google Drive (sharing)".to_owned(),
        ("smtp", _) => "E-mail".to_owned(),
        ("telegram", _) => "Telegram".to_owned(),
        ("owner_mail", true) => "E-mail báo cho chủ shop".to_owned(),
        ("owner_mail", false) => "Mail to the owner".to_owned(),
        ("alert_webhook", true) => "Webhook báo cho chủ shop".to_owned(),
        ("alert_webhook", false) => "Webhook to the owner".to_owned(),
        (other, _) => other.split_once(':').map_or(other, |(_, name)| name).to_owned(),
    }
}

fn cause(code: &str, vi: bool) -> &'static str {
    match (code, vi) {
        ("mail_auth", true) => "Máy chủ e-mail từ chối đăng nhập. Kiểm tra mật khẩu SMTP trong Cài đặt.",
        ("mail_auth", false) => "The mail server refuses our login. Check the SMTP password in Settings.",
        ("drive_reconnect", true) => "Google không còn chấp nhận kết nối. Mở Cài đặt và kết nối lại Google.",
        ("drive_reconnect", false) => {
            "Google no longer accepts the connection. Open Settings and reconnect Google."
        }
        ("drive_sharing_quota", true) => "Google giới hạn số lượt chia sẻ. Khách đã được báo.",
        ("drive_sharing_quota", false) => "Google limits how much is shared. Buyers have been told.",
        ("drive_full", true) => "Google Drive đã hết dung lượng. Hãy giải phóng dung lượng.",
        ("drive_full", false) => "Google Drive is full. Free some space.",
        ("lms_unauthorized", true) => "Nền tảng học từ chối khóa của shop. Kiểm tra khóa trong Cài đặt.",
        ("lms_unauthorized", false) => "The learning platform refuses our key. Check the key in Settings.",
        ("drive_busy", true) => "Google tạm giới hạn lượng tải lên.",
        ("drive_busy", false) => "Google limits uploads for a while.",
        ("telegram_unauthorized", true) => {
            "Telegram từ chối token của bot. Kiểm tra trong Cài đặt › Thông báo."
        }
        ("telegram_unauthorized", false) => {
            "Telegram refuses the bot's token. Check it in Settings › Notifications."
        }
        ("telegram_chat_wrong", true) => {
            "Bot không nhắn được vào cuộc trò chuyện này. Kiểm tra mã trong Cài đặt › Thông báo."
        }
        ("telegram_chat_wrong", false) => {
            "The bot cannot write to that chat. Check it in Settings › Notifications."
        }
        ("daily_cap", true) => "Đã đạt giới hạn trong ngày của cài đặt.",
        ("daily_cap", false) => "The daily cap of the settings is reached.",
        (_, true) => "Dịch vụ lỗi nhiều lần liên tiếp.",
        (_, false) => "It failed several times in a row.",
    }
}
