//! Answers with a file's bytes: validators and single ranges (RFC 9110 §13 and §14), memory of one small chunk.

use std::io::SeekFrom;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::super::manifest::ManifestFile;
use super::super::rclone::RemoteSpec;
use super::super::target::Location;
use super::page::{Refusal, refuse};
use super::{Shared, page};

/// Bytes in memory per download.
const CHUNK: usize = 64 * 1024;
/// RFC 8187 attr-char besides letters and digits.
const ATTR: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// What a request's conditions and range come to.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    NotModified,
    Whole,
    /// First and last byte.
    Range(u64, u64),
    Unsatisfiable,
}

fn etag(file: &ManifestFile) -> String {
    format!("\"{}\"", file.sha256)
}

fn plan(file: &ManifestFile, headers: &HeaderMap) -> Plan {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let etag = etag(file);
    if let Some(known) = text(header::IF_NONE_MATCH) {
        let same = |tag: &str| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag;
        if known.split(',').any(|tag| same(tag.trim())) {
            return Plan::NotModified;
        }
    }
    // A date in If-Range never matches: the sum is the only validator.
    if text(header::IF_RANGE).is_some_and(|given| given != etag) {
        return Plan::Whole;
    }
    text(header::RANGE).map_or(Plan::Whole, |range| plan_range(range, file.size))
}

/// A single range is honoured; several at once, other units and nonsense get the whole file, as the RFC allows.
fn plan_range(text: &str, size: u64) -> Plan {
    let Some((first, last)) = text.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Plan::Whole;
    };
    let number = |text: &str| -> Option<u64> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // More digits than fit only mean "beyond the end".
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    match (number(first.trim()), number(last.trim())) {
        (Some(first), None) if last.trim().is_empty() => within(first, u64::MAX, size),
        (Some(first), Some(last)) if first <= last => within(first, last, size),
        (None, Some(0)) if first.trim().is_empty() => Plan::Unsatisfiable,
        (None, Some(suffix)) if first.trim().is_empty() => {
            within(size.saturating_sub(suffix), u64::MAX, size)
        }
        _ => Plan::Whole,
    }
}

fn within(first: u64, last: u64, size: u64) -> Plan {
    if first >= size { Plan::Unsatisfiable } else { Plan::Range(first, last.min(size - 1)) }
}

/// Whether the answer to these headers begins with the file's first byte.
pub(super) fn from_the_start(file: &ManifestFile, headers: &HeaderMap) -> bool {
    matches!(plan(file, headers), Plan::Whole | Plan::Range(0, _))
}

pub(super) async fn respond(
    shared: &Shared<'_>,
    file: &ManifestFile,
    method: &Method,
    headers: &HeaderMap,
) -> Response {
    let plan = plan(file, headers);
    let mut answer = page::guarded();
    set(&mut answer, header::ETAG, &etag(file));
    set(&mut answer, header::ACCEPT_RANGES, "bytes");
    set(&mut answer, header::CACHE_CONTROL, "private, no-cache");
    let (status, first, len) = match plan {
        Plan::NotModified => return (StatusCode::NOT_MODIFIED, answer).into_response(),
        Plan::Unsatisfiable => {
            set(&mut answer, header::CONTENT_RANGE, &format!("bytes */{}", file.size));
            return (StatusCode::RANGE_NOT_SATISFIABLE, answer).into_response();
        }
        Plan::Whole => (StatusCode::OK, 0, file.size),
        Plan::Range(first, last) => {
            set(&mut answer, header::CONTENT_RANGE, &format!("bytes {first}-{last}/{}", file.size));
            (StatusCode::PARTIAL_CONTENT, first, last - first + 1)
        }
    };
    let body = match body(shared, file, method, first, len).await {
        Ok(body) => body,
        Err(why) => {
            // What a remote does not give was written down by whoever fetches for all that wait for it.
            let Some(why) = why else { return refuse(Refusal::Broken, shared.shop_name, headers) };
            tracing::error!(code = "link_broken", path = %file.path, why, "a delivered file cannot be read");
            return refuse(Refusal::Broken, shared.shop_name, headers);
        }
    };
    set(&mut answer, header::CONTENT_TYPE, &content_type(&file.path));
    set(&mut answer, header::CONTENT_DISPOSITION, &disposition(&file.path));
    set(&mut answer, header::CONTENT_LENGTH, &len.to_string());
    (status, answer, body).into_response()
}

/// `len` bytes from `first` on, from wherever the course lies; nothing for `HEAD`. The error is what is to be written
/// down, if anything is.
async fn body(
    shared: &Shared<'_>,
    file: &ManifestFile,
    method: &Method,
    first: u64,
    len: u64,
) -> Result<Body, Option<String>> {
    let Location::Rclone { remote, path, secret } = shared.location else {
        let opened = open(shared, file, first).await?;
        return Ok(match *method == Method::HEAD {
            true => Body::empty(),
            false => Body::from_stream(ReaderStream::with_capacity(opened.take(len), CHUNK)),
        });
    };
    let remotes =
        shared.remotes.ok_or_else(|| Some("the course lies on a remote, and there is none".to_owned()))?;
    if *method == Method::HEAD {
        return Ok(Body::empty());
    }
    let place = RemoteSpec { remote, path, secret: secret.as_deref() };
    let bytes = remotes.read(place, file, first, len).await;
    let bytes = bytes.map_err(|error| (error.code == "link_broken").then(|| error.to_string()))?;
    Ok(Body::from_stream(bytes))
}

async fn open(shared: &Shared<'_>, file: &ManifestFile, first: u64) -> Result<File, String> {
    let dir = shared.location.dir(shared.library).map_err(|e| e.to_string())?;
    let mut opened = File::open(dir.join(&file.path)).await.map_err(|e| e.to_string())?;
    let meta = opened.metadata().await.map_err(|e| e.to_string())?;
    if !meta.is_file() || meta.len() != file.size {
        return Err(format!("it has {} bytes instead of {}", meta.len(), file.size));
    }
    opened.seek(SeekFrom::Start(first)).await.map_err(|e| e.to_string())?;
    Ok(opened)
}

fn content_type(path: &str) -> String {
    let mime = mime_guess::from_path(path).first_or_octet_stream();
    match mime.type_() {
        mime_guess::mime::TEXT => format!("{}; charset=utf-8", mime.essence_str()),
        _ => mime.essence_str().to_owned(),
    }
}

/// `attachment` with the file's own name (RFC 6266), and a plain one for old programs.
fn disposition(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_graphic() && !"\"\\%".contains(c) || c == ' ' { c } else { '_' })
        .collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", utf8_percent_encode(name, ATTR))
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        for (text, expected) in [
            ("bytes=0-", Plan::Range(0, 9)),
            ("bytes=0-0", Plan::Range(0, 0)),
            ("bytes=3-5", Plan::Range(3, 5)),
            ("bytes=3-99999999999999999999999", Plan::Range(3, 9)),
            ("bytes=-4", Plan::Range(6, 9)),
            ("bytes=-99", Plan::Range(0, 9)),
            ("bytes=-0", Plan::Unsatisfiable),
            ("bytes=10-", Plan::Unsatisfiable),
            ("bytes=10-12", Plan::Unsatisfiable),
            ("bytes=5-3", Plan::Whole),
            ("bytes=0-1,3-4", Plan::Whole),
            ("bytes=a-b", Plan::Whole),
            ("bytes=-", Plan::Whole),
            ("bytes=+1-2", Plan::Whole),
            ("lines=1-2", Plan::Whole),
            ("", Plan::Whole),
        ] {
            assert_eq!(plan_range(text, 10), expected, "{text}");
        }
        assert_eq!(plan_range("bytes=0-", 0), Plan::Unsatisfiable);
    }

    #[test]
    fn names_survive_in_the_disposition() {
        let text = disposition("Chương 1/Bài 1 \"mở đầu\".mp4");
        assert_eq!(
            text,
            "attachment; filename=\"B_i 1 _m_ __u_.mp4\"; filename*=UTF-8''B%C3%A0i%201%20%22m%E1%BB%9F%20%C4%91%E1%BA%A7u%22.mp4"
        );
        assert_eq!(content_type("a.mp4"), "video/mp4");
        assert_eq!(content_type("a.html"), "text/html; charset=utf-8");
        assert_eq!(content_type("a.unknown-kind"), "application/octet-stream");
    }
}
