//! Pages a buyer sees at a link: the files of a course, or why there are none. No scripts, Vietnamese first.

use axum::Json;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use minijinja::{Value, context};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::super::mail::render::render;
use super::super::mail::template::vietnam_time;
use super::Shared;
use crate::views::Problem;

/// Characters that stay as they are in a path component.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Why a link gives nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No such link, or no such file in it.
    Unknown,
    /// Its time is over.
    Expired,
    /// The shop took it back.
    Revoked,
    /// Every download it had was used.
    UsedUp,
    /// The link is right, the file is not there.
    Broken,
}

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Self::Unknown => StatusCode::NOT_FOUND,
            Self::Expired | Self::Revoked | Self::UsedUp => StatusCode::GONE,
            Self::Broken => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Unknown => "not_found",
            Self::Expired => "link_expired",
            Self::Revoked => "link_revoked",
            Self::UsedUp => "link_used_up",
            Self::Broken => "link_broken",
        }
    }

    fn words(self, lang: &str) -> (&'static str, &'static str) {
        match (self, lang) {
            (Self::Unknown, "en") => (
                "This link leads nowhere",
                "Please copy the whole link from the mail, to its last character. If it still does not open, reply to \
                 that mail and the shop will send you a new one.",
            ),
            (Self::Expired, "en") => (
                "This link has expired",
                "Reply to the mail it came in, with your order code, and ask the shop for a new one.",
            ),
            (Self::Revoked, "en") => (
                "This link was withdrawn",
                "The shop replaced or withdrew it. Look for a newer mail from the shop, or reply to this one.",
            ),
            (Self::UsedUp, "en") => (
                "This link has no downloads left",
                "Reply to the mail it came in, with your order code, and ask the shop for more.",
            ),
            (Self::Broken, "en") => (
                "This file cannot be downloaded right now",
                "Your link is fine. Please try again in a few minutes; if it still fails, reply to the mail it came in.",
            ),
            (Self::Unknown, _) => (
                "Đường dẫn này không đúng",
                "Bạn chép lại cả đường dẫn trong thư, đến ký tự cuối cùng nhé. Nếu vẫn không mở được, bạn trả lời thư đó, \
                 shop sẽ gửi đường dẫn mới cho bạn.",
            ),
            (Self::Expired, _) => (
                "Đường dẫn này đã hết hạn",
                "Bạn trả lời thư đã nhận kèm mã đơn, shop sẽ gửi đường dẫn mới cho bạn.",
            ),
            (Self::Revoked, _) => (
                "Đường dẫn này đã được thu hồi",
                "Shop đã đổi hoặc thu hồi đường dẫn này. Bạn xem thư mới hơn của shop, hoặc trả lời thư đã nhận để hỏi nhé.",
            ),
            (Self::UsedUp, _) => (
                "Đường dẫn này đã hết lượt tải",
                "Bạn trả lời thư đã nhận kèm mã đơn để shop mở thêm lượt tải cho bạn.",
            ),
            (Self::Broken, _) => (
                "Tệp này tạm thời chưa tải được",
                "Đường dẫn của bạn vẫn đúng. Bạn thử lại sau vài phút nhé; nếu vẫn chưa được, bạn trả lời thư đã nhận để báo shop.",
            ),
        }
    }
}

/// The page (or, for a client that accepts `application/json`, the problem document) of a link that gives
/// nothing: 404 unknown, 410 over, 503 broken.
#[must_use]
pub fn refuse(refusal: Refusal, shop_name: &str, headers: &HeaderMap) -> Response {
    let status = refusal.status();
    if wants_json(headers) {
        let (title, detail) = refusal.words("en");
        let problem = Problem {
            kind: "about:blank".to_owned(),
            title: title.to_owned(),
            status: status.as_u16(),
            code: refusal.code().to_owned(),
            detail: detail.to_owned(),
            cause: None,
        };
        let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))];
        return (status, guarded(), kind, Json(problem)).into_response();
    }
    let lang = language(headers);
    let (title, advice) = refusal.words(lang);
    html(
        status,
        "refusal.html",
        include_str!("pages/refusal.html"),
        &context! { lang, title, advice, shop_name },
    )
}

/// The files of a course.
pub(super) fn listing(shared: &Shared<'_>, headers: &HeaderMap) -> Response {
    let url = |path: &str| {
        let segments = path.split('/').map(|part| utf8_percent_encode(part, SEGMENT).to_string());
        format!("/d/{}/{}", shared.token, segments.collect::<Vec<_>>().join("/"))
    };
    if wants_json(headers) {
        let files = shared.manifest.files.iter();
        let files: Vec<_> = files
            .map(|f| json!({ "path": f.path, "size": f.size, "sha256": f.sha256, "url": url(&f.path) }))
            .collect();
        return (guarded(), Json(json!({ "course": shared.course_title, "files": files }))).into_response();
    }
    let lang = language(headers);
    let files = shared.manifest.files.iter();
    let files: Vec<_> = files
        .map(|f| {
            let (folder, name) = f.path.rsplit_once('/').unwrap_or(("", &f.path));
            context! { folder, name, size => size_text(f.size, lang), url => url(&f.path) }
        })
        .collect();
    let context = context! {
        lang, files,
        title => shared.course_title,
        shop_name => shared.shop_name,
        total => size_text(shared.manifest.bytes(), lang),
        expires => shared.expires_at.map(vietnam_time),
    };
    html(StatusCode::OK, "listing.html", include_str!("pages/listing.html"), &context)
}

fn html(status: StatusCode, name: &str, source: &str, context: &Value) -> Response {
    match render(name, source, context) {
        Ok(page) => {
            let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))];
            (status, guarded(), kind, page).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a built-in page does not render");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Headers of everything under `/d/`: nothing runs, nothing is guessed, the token in the URL goes nowhere else.
pub(super) fn guarded() -> HeaderMap {
    let pairs: [(HeaderName, &str); 6] = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "private, no-store"),
        (header::VARY, "accept, accept-language"),
        (HeaderName::from_static("x-robots-tag"), "noindex"),
    ];
    pairs.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect()
}

/// Weight of each entry in a list such as `vi,en;q=0.8`, in thousandths.
fn weighted(headers: &HeaderMap, name: HeaderName) -> Vec<(String, u32)> {
    let text = headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let entries = text.split(',').map(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let value = parts.next().unwrap_or_default().to_ascii_lowercase();
        let quality = parts.find_map(|p| p.strip_prefix("q=")).map_or(1000, thousandths);
        (value, quality)
    });
    entries.filter(|(value, _)| !value.is_empty()).collect()
}

/// RFC 9110 §12.4.2 without a float: `0.8` is 800; anything else than a weight is 0.
fn thousandths(text: &str) -> u32 {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{rest:0<3}");
    if rest.len() > 3 { 0 } else { digits.parse().map_or(0, |q: u32| q.min(1000)) }
}

/// `vi` unless the browser prefers English.
fn language(headers: &HeaderMap) -> &'static str {
    let wishes = weighted(headers, header::ACCEPT_LANGUAGE);
    let best = |lang: &str| {
        let of = |(value, _): &&(String, u32)| value == lang || value.starts_with(&format!("{lang}-"));
        wishes.iter().filter(of).map(|(_, q)| *q).max().unwrap_or(0)
    };
    if best("en") > best("vi") { "en" } else { "vi" }
}

/// Whether JSON is asked for by name, and HTML is not preferred to it.
fn wants_json(headers: &HeaderMap) -> bool {
    let wishes = weighted(headers, header::ACCEPT);
    let best = |kind: &str| wishes.iter().find(|(value, _)| value == kind).map_or(0, |(_, q)| *q);
    best("application/json").max(best("application/problem+json")) > best("text/html")
}

/// Bytes as people read them: `512 B`, `1,4 GB` (with a point in English). Decimal units, cut after one digit.
pub(super) fn size_text(bytes: u64, lang: &str) -> String {
    let (unit, name) = match bytes {
        0..1_000 => return format!("{bytes} B"),
        1_000..1_000_000 => (1_000, "KB"),
        1_000_000..1_000_000_000 => (1_000_000, "MB"),
        _ => (1_000_000_000, "GB"),
    };
    let point = if lang == "en" { '.' } else { ',' };
    match (bytes / unit, bytes % unit / (unit / 10)) {
        (whole, 0) => format!("{whole} {name}"),
        (whole, _) if whole >= 100 => format!("{whole} {name}"),
        (whole, tenth) => format!("{whole}{point}{tenth} {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn vietnamese_unless_english_is_preferred() {
        for (value, lang) in [
            ("", "vi"),
            ("vi", "vi"),
            ("en-US,en;q=0.9", "en"),
            ("vi-VN,vi;q=0.9,en;q=0.8", "vi"),
            ("en;q=0.9,vi;q=0.3", "en"),
            ("fr", "vi"),
            ("en;q=0", "vi"),
            ("*", "vi"),
        ] {
            assert_eq!(language(&with(header::ACCEPT_LANGUAGE, value)), lang, "{value}");
        }
    }

    #[test]
    fn json_only_when_asked_for() {
        for (value, json) in [
            ("application/json", true),
            ("*/*", false),
            ("text/html,application/xhtml+xml,*/*;q=0.8", false),
            ("text/html;q=0.5, application/json", true),
            ("", false),
        ] {
            assert_eq!(wants_json(&with(header::ACCEPT, value)), json, "{value}");
        }
    }

    #[test]
    fn sizes_read_like_sizes() {
        for (bytes, vi) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1 KB"),
            (1_450, "1,4 KB"),
            (41_943_040, "41,9 MB"),
            (734_003_200, "734 MB"),
            (5_497_558_138, "5,4 GB"),
        ] {
            assert_eq!(size_text(bytes, "vi"), vi);
        }
        assert_eq!(size_text(1_450, "en"), "1.4 KB");
    }
}
