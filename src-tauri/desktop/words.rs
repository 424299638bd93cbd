//! What the desk itself says, in Vietnamese and English. The page has its own catalogue.

use chotdon_core::config::Language;
use chotdon_core::views::QueueCounts;

/// A text in both languages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words {
    vi: &'static str,
    en: &'static str,
}

impl Words {
    const fn new(vi: &'static str, en: &'static str) -> Self {
        Self { vi, en }
    }

    /// The text in `language`.
    pub(crate) fn say(self, language: Language) -> &'static str {
        match language {
            Language::Vi => self.vi,
            Language::En => self.en,
        }
    }
}

macro_rules! words {
    ($($name:ident: $vi:literal, $en:literal;)+) => {
        $(pub(crate) const $name: Words = Words::new($vi, $en);)+
    };
}

words! {
    OPEN: "Mở cửa sổ", "Open window";
    FAILURES: "Thất bại", "Failures";
    RETRY_ALL: "Thử lại tất cả lỗi", "Retry all failures";
    PAUSE: "Tạm dừng", "Pause";
    PAUSE_30: "30 phút", "30 minutes";
    PAUSE_60: "1 giờ", "1 hour";
    PAUSE_OPEN: "Đến khi bật lại", "Until resumed";
    RESUME: "Tiếp tục", "Resume";
    COPY_WEBHOOK_URL: "Sao chép URL webhook", "Copy webhook URL";
    SETTINGS: "Cài đặt…", "Settings…";
    QUIT: "Thoát…", "Quit…";
    PAUSED_FROM_TRAY: "Tạm dừng từ khay hệ thống", "Paused from the tray";

    NO_ANSWER: "✕ Shop không trả lời", "✕ The shop does not answer";

    QUIT_TITLE: "Thoát ChotDon?", "Quit ChotDon?";
    QUIT_COST:
        "Khi thoát, shop không nhận webhook. SePay thử lại trong khoảng 33 phút; sau đó các giao dịch phải được đối soát khi mở lại.",
        "While it is closed, the shop receives no webhooks. SePay tries again for about 33 minutes; after that, transfers must be reconciled when the app is opened again.";
    QUIT_DRAIN: "Xong việc rồi thoát", "Finish, then quit";
    QUIT_NOW: "Thoát ngay", "Quit now";
    QUIT_STAY: "Ở lại", "Stay";
    FINISHING: "Đang làm nốt việc rồi thoát…", "Finishing, then quitting…";

    RESTARTING: "Đang làm nốt việc rồi khởi động lại…", "Finishing, then starting again…";

    TRAY_TITLE: "ChotDon vẫn đang chạy", "ChotDon is still running";
    TRAY_BODY:
        "Shop vẫn nhận thanh toán ở khay hệ thống. Mở lại ứng dụng để xem cửa sổ; chọn Thoát để tắt hẳn.",
        "The shop goes on receiving payments from the tray. Start the app again to see its window; choose Quit to end it.";
    TRAY_QUIT: "Thoát hẳn", "Quit";
    TRAY_KEEP: "Đã hiểu", "Got it";
    SHOW: "Xem", "Show";

    ASLEEP_TITLE: "Máy vẫn có thể ngủ", "The machine may fall asleep";
    ASLEEP_BODY:
        "Hệ điều hành không nhận yêu cầu giữ máy thức. Khi máy ngủ, shop không nhận được tiền.",
        "The system refused to keep it awake. While it sleeps, the shop receives no payments.";

    CANNOT_START: "ChotDon không khởi động được", "ChotDon cannot start";
    CLOSE: "Đóng", "Close";

    UNLOCK_TITLE: "ChotDon · Khóa và mật khẩu", "ChotDon · Keys and passwords";
    KEYRING_PICK: "Chọn tệp chứa cụm mật khẩu", "Choose the file with the passphrase";
    DEMO_DATA:
        "Thư mục này thuộc về một shop mẫu, bí mật của nó không được bảo vệ. Hãy mở với --demo hoặc chọn thư mục dữ liệu khác.",
        "This folder belongs to a sample shop, whose secrets are not protected. Open it with --demo, or choose another data folder.";
}

/// The first line of the tray menu, e.g. `● Đang chạy · Chờ 3 · Lỗi 2`.
pub(crate) fn status(language: Language, counts: &QueueCounts) -> String {
    let waiting = counts.queued + counts.retrying;
    let (state, wait, failed) = match (language, counts.paused) {
        (Language::Vi, true) => ("❚❚ Đang tạm dừng", "Chờ", "Lỗi"),
        (Language::Vi, false) => ("● Đang chạy", "Chờ", "Lỗi"),
        (Language::En, true) => ("❚❚ Paused", "Waiting", "Failed"),
        (Language::En, false) => ("● Running", "Waiting", "Failed"),
    };
    format!("{state} · {wait} {waiting} · {failed} {}", counts.failed)
}

/// What a start error means to the owner; the English detail stands below it.
pub(crate) fn not_started(code: &str) -> Words {
    match code {
        "already_running" => Words::new(
            "Một ChotDon khác đang mở thư mục dữ liệu này. Hãy đóng nó trước.",
            "Another ChotDon has this data folder open. Close it first.",
        ),
        "directory_unusable" => Words::new(
            "Không dùng được thư mục dữ liệu. Kiểm tra quyền ghi và dung lượng đĩa.",
            "The data folder cannot be used. Check that it may be written and the disk is not full.",
        ),
        "config_invalid" => Words::new(
            "Tệp config.toml có chỗ sai. Sửa lại rồi mở lại ứng dụng.",
            "Something in config.toml is wrong. Correct it and start again.",
        ),
        "database_unusable" => Words::new(
            "Không mở được cơ sở dữ liệu. Chưa có gì bị thay đổi.",
            "The database cannot be opened. Nothing was changed.",
        ),
        "secret_store_unavailable" => Words::new(
            "Không mở được nơi giữ khóa và mật khẩu.",
            "The store of keys and passwords cannot be opened.",
        ),
        "address_in_use" => Words::new(
            "Cổng nhận webhook đang bị chương trình khác dùng. Đóng chương trình đó rồi mở lại.",
            "Another program uses the port that receives webhooks. Close it and start again.",
        ),
        "demo_data" => Words::new("Đây là dữ liệu của shop mẫu.", "This is a sample shop's data."),
        _ => Words::new(
            "Có lỗi bên trong chương trình. Dữ liệu của shop vẫn an toàn.",
            "Something went wrong inside the program. The shop's data is safe.",
        ),
    }
}
