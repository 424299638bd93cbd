//! Shows a notice on the owner's desktop, within the caps and outside of the quiet hours.
//! The in-app inbox has every notice whatever becomes of this.

use chotdon_store::{Aftermath, Claimed, NoticeRecord, STOPPED};
use serde_json::Value;

use super::unreadable;
use crate::config::{Config, Language, minute_of_day};
use crate::ports::Toast;
use crate::services;
use crate::shop::Floor;
use crate::workers::{Next, StageContext, StageError, StageOutcome};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Vietnam keeps one offset all year.
const VIETNAM_MS: i64 = 7 * HOUR_MS;
const MOST_A_MINUTE: usize = 3;
const MOST_AN_HOUR: usize = 20;

pub(super) async fn run(floor: &Floor, task: &Claimed, _: &StageContext) -> Result<StageOutcome, StageError> {
    let id = serde_json::from_str::<Value>(&task.payload)
        .ok()
        .and_then(|payload| payload.get("notice").and_then(Value::as_i64))
        .ok_or_else(|| super::incomplete("notice"))?;
    let Some(notice) = floor.store.notice(id).await.map_err(unreadable)? else {
        return Ok(StageOutcome::done());
    };
    let config = floor.config();
    // What the owner has seen in the app needs no toast.
    if notice.state != "new" || !config.notifications.desktop {
        return Ok(StageOutcome::done());
    }
    let now = floor.clock.now_ms();
    if notice.class > STOPPED
        && let Some(end) = quiet_until(&config, now)
    {
        return Ok(StageOutcome { next: Next::Later(end), ..StageOutcome::done() });
    }
    if let Some(later) = capped_until(floor, now) {
        return Ok(StageOutcome { next: Next::Later(later), ..StageOutcome::done() });
    }
    match floor.notifier.show(toast(&notice, config.shop.language)).await {
        Ok(()) => floor.shown_at().push_back(now),
        Err(why) => tracing::info!(notice = id, %why, "not shown on the desktop"),
    }
    Ok(StageOutcome { aftermath: Aftermath::NoticeShown { notice: id }, ..StageOutcome::done() })
}

/// When the quiet hours end that `now` lies in, ms.
fn quiet_until(config: &Config, now: i64) -> Option<i64> {
    let from = i64::from(minute_of_day(&config.notifications.quiet_from));
    let to = i64::from(minute_of_day(&config.notifications.quiet_to));
    let day = (now + VIETNAM_MS).div_euclid(24 * HOUR_MS) * 24 * HOUR_MS - VIETNAM_MS;
    let minute = (now - day) / MINUTE_MS;
    let quiet = if from <= to { (from..to).contains(&minute) } else { minute >= from || minute < to };
    let end = day + to * MINUTE_MS;
    quiet.then(|| if end > now { end } else { end + 24 * HOUR_MS })
}

/// When the next message may be shown, while the caps are reached, ms.
fn capped_until(floor: &Floor, now: i64) -> Option<i64> {
    let mut shown = floor.shown_at();
    while shown.front().is_some_and(|at| now - at >= HOUR_MS) {
        shown.pop_front();
    }
    let last_minute: Vec<i64> = shown.iter().copied().filter(|at| now - at < MINUTE_MS).collect();
    if last_minute.len() >= MOST_A_MINUTE {
        return last_minute.first().map(|at| at + MINUTE_MS);
    }
    (shown.len() >= MOST_AN_HOUR).then(|| shown.front().map_or(now + HOUR_MS, |at| at + HOUR_MS))
}

/// The words on the desktop; the app has more.
fn toast(notice: &NoticeRecord, language: Language) -> Toast {
    let data: Value = serde_json::from_str(&notice.data).unwrap_or_default();
    let word = |key: &str| data.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let vi = language == Language::Vi;
    if let Some((title, body)) = crate::reconcile::words(&notice.kind, &data, vi) {
        let route = crate::reconcile::ROUTE.to_owned();
        return Toast { title, body, route, urgent: notice.class == STOPPED };
    }
    if notice.kind == "service_parked" {
        let (title, body) = services::words(&data, vi);
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
            (title, body, "/failures")
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
        ("worker_hung", true) => "tác vụ nhiều lần không phản hồi.",
        ("worker_hung", false) => "the task hung again and again.",
        (_, true) => "mở ứng dụng để xem nguyên nhân và cách sửa.",
        (_, false) => "open the app to see the cause and the fix.",
    }
}
