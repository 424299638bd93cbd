//! What the owner's desktop says of workers on other machines.

use serde_json::Value;

/// Title and body of a notice about them; `None` for other kinds.
pub(crate) fn words(kind: &str, data: &Value, vi: bool) -> Option<(String, String)> {
    let word = |key: &str| data.get(key).and_then(Value::as_str).unwrap_or_default();
    match (kind, vi) {
        ("worker_lost", true) => Some((
            format!("Worker \"{}\" ở máy khác mất liên lạc", word("worker")),
            "Tác vụ của nó tự chạy lại. Kiểm tra máy đó và mạng nếu lặp lại.".to_owned(),
        )),
        ("worker_lost", false) => Some((
            format!("The worker \"{}\" on another machine was lost", word("worker")),
            "Its task is run again. Check that machine and its network if it repeats.".to_owned(),
        )),
        ("worker_missing", true) => Some((
            format!("{}: chờ worker ở máy khác", word("course")),
            "Chỉ máy khác mới tải được khoá học này, nhưng không máy nào đang chạy.".to_owned(),
        )),
        ("worker_missing", false) => Some((
            format!("{}: waits for a worker on another machine", word("course")),
            "Only other machines may fetch this course, and none is running.".to_owned(),
        )),
        _ => None,
    }
}
