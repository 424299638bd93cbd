//! What the owner is told outside the app, in the language of the shop.

use chotdon_store::{NoticeRecord, STOPPED};
use serde_json::Value;

use crate::config::Language;
use crate::ports::Toast;

/// A notice in a title, a sentence and the page that it is about; the app has more.
pub(crate) fn toast(notice: &NoticeRecord, language: Language) -> Toast {
    let data: Value = serde_json::from_str(&notice.data).unwrap_or_default();
    let word = |key: &str| data.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let vi = language == Language::Vi;
    if let Some((title, body)) = crate::reconcile::words(&notice.kind, &data, vi) {
        let route = crate::reconcile::ROUTE.to_owned();
        return Toast { title, body, route, urgent: notice.class == STOPPED };
    }
    if let Some((title, body)) = crate::shop::kept_out_words(&notice.kind, &data, vi) {
        let route = crate::shop::ACCESS_ROUTE.to_owned();
        return Toast { title, body, route, urgent: notice.class == STOPPED };
    }
    if notice.kind == "service_parked" {
        let (title, body) = crate::services::words(&data, vi);
        let route = "/queue".to_owned();
        return Toast { title, body, route, urgent: notice.class == STOPPED };
    }
    if let Some((title, body)) = crate::external::words(&notice.kind, &data, vi) {
        return Toast { title, body, route: "/queue".to_owned(), urgent: notice.class == STOPPED };
    }
    if let Some((title, body)) = crate::tunnel::words(&notice.kind, &data, vi) {
        let route = crate::tunnel::ROUTE.to_owned();
        return Toast { title, body, route, urgent: notice.class == STOPPED };
    }
    let (title, body, route) = match notice.kind.as_str() {
        "worker_crashed" | "worker_hung" => (
            if vi {
                "Một tác vụ bị treo hoặc dừng đột ngột"
            } else {
                "A worker hung or crashed"
            }
            .to_owned(),
            if vi {
                "Đã thay worker và tự chạy lại tác vụ. Mở Hàng đợi để xem."
            } else {
                "It was replaced and its task is run again. Open the queue to see."
            }
            .to_owned(),
            "/queue",
        ),
        "mail_stopped" => (
            if vi {
                "Không gửi được e-mail: máy chủ từ chối đăng nhập"
            } else {
                "Mail stopped: the server refuses our login"
            }
            .to_owned(),
            if vi {
                "Giao hàng đang tạm dừng. Kiểm tra mật khẩu SMTP trong Cài đặt rồi bấm Tiếp tục."
            } else {
                "Deliveries are paused. Check the SMTP password in Settings, then resume."
            }
            .to_owned(),
            "/settings",
        ),
        "backup_failed" => (
            if vi { "Hai ngày chưa sao lưu được" } else { "No backup for two days" }.to_owned(),
            if vi {
                "Mở Cài đặt › Sao lưu & dữ liệu để xem nguyên nhân."
            } else {
                "Open Settings › Backups to see the cause."
            }
            .to_owned(),
            "/settings?section=backup",
        ),
        "restored" => (
            if vi { "Đã khôi phục từ bản sao lưu" } else { "Restored from a backup" }.to_owned(),
            if vi {
                "Giao hàng đang tạm dừng: những việc sau bản sao lưu có thể đã làm rồi. Xem Hàng đợi rồi bấm Tiếp tục."
            } else {
                "Deliveries are paused: what came after the backup may have been done already. Look at the queue, then resume."
            }
            .to_owned(),
            "/queue",
        ),
        "different_body" => (
            if vi {
                "SePay gửi lại một giao dịch với nội dung khác"
            } else {
                "SePay repeated a transfer with other contents"
            }
            .to_owned(),
            if vi {
                "Tiền không bị cộng hai lần. Hãy kiểm tra giao dịch này."
            } else {
                "Nothing was counted twice. Please check this transfer."
            }
            .to_owned(),
            "/overview",
        ),
        _ => {
            let title = match (vi, notice.count) {
                (true, 1) => "Một tác vụ thất bại".to_owned(),
                (false, 1) => "A task failed".to_owned(),
                (true, count) => format!("{count} tác vụ thất bại vì cùng một lỗi"),
                (false, count) => format!("{count} tasks failed for one cause"),
            };
            let subject =
                [word("order"), word("course")].into_iter().find(|word| !word.is_empty()).unwrap_or_default();
            let cause = cause(&word("code"), vi);
            let body = if subject.is_empty() { cause.to_owned() } else { format!("{subject}: {cause}") };
            let route =
                if word("code") == "mail_template" { "/settings/mail-templates" } else { "/failures" };
            (title, body, route)
        }
    };
    Toast { title, body, route: route.to_owned(), urgent: notice.class == STOPPED }
}

fn cause(code: &str, vi: bool) -> &'static str {
    match (code, vi) {
        ("source_not_found", true) => "không tìm thấy nguồn khoá học. Sửa nguồn rồi bấm Thử lại.",
        ("source_not_found", false) => "the course's source was not found. Mend it, then retry.",
        ("source_unauthorized", true) => {
            "nguồn khoá học từ chối quyền truy cập. Kiểm tra khóa rồi bấm Thử lại."
        }
        ("source_unauthorized", false) => "the course's source refused access. Check its key, then retry.",
        ("source_invalid", true) => "nguồn khoá học có nội dung không hợp lệ.",
        ("source_invalid", false) => "the course's source has invalid contents.",
        ("disk_full", true) => "ổ đĩa đầy. Giải phóng dung lượng rồi bấm Thử lại.",
        ("disk_full", false) => "the disk is full. Free some space, then retry.",
        ("mail_refused", true) => "địa chỉ e-mail của khách bị từ chối. Sửa địa chỉ rồi giao lại.",
        ("mail_refused", false) => "the buyer's address was refused. Correct it, then deliver again.",
        ("mail_not_set_up", true) => "chưa thiết lập e-mail. Mở Cài đặt › E-mail.",
        ("mail_not_set_up", false) => "mail is not set up. Open Settings › Mail.",
        ("mail_template", true) => "mẫu thư có chỗ viết sai. Sửa ở Cài đặt › Mẫu thư rồi bấm Thử lại.",
        ("mail_template", false) => {
            "a mail template has a mistake. Correct it in Settings › Mail templates, then retry."
        }
        ("worker_hung", true) => "tác vụ nhiều lần không phản hồi.",
        ("worker_hung", false) => "the task hung again and again.",
        (_, true) => "mở ứng dụng để xem nguyên nhân và cách sửa.",
        (_, false) => "open the app to see the cause and the fix.",
    }
}
