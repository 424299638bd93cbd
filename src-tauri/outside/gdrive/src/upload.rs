//! Resumable uploads: a session is opened once, takes the file piece by piece, and says at any time how far it is.
//!
//! What counts is what Drive confirms, never what was sent. A session lives about a week.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use crate::drive::{Drive, read_body, success};
use crate::files::FIELDS;
use crate::{Class, Error, File};

/// Every piece but the last is a multiple of this, bytes.
pub const UNIT: u64 = 256 << 10;
/// Longest silence while bytes are sent or an answer is owed.
const SILENCE: Duration = Duration::from_secs(60);
/// How often the silence is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Bytes handed to the connection at a time.
const FRAME: usize = 64 << 10;

/// The address of an upload under way. Who has it can write to the file, so that it is shown nowhere.
#[derive(Clone)]
pub struct SessionUri(SecretString);

impl SessionUri {
    /// One that was kept.
    #[must_use]
    pub fn kept(text: String) -> Self {
        Self(text.into())
    }

    /// To be kept where nobody else reads.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for SessionUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionUri")
    }
}

/// A file about to be uploaded.
#[derive(Debug, Clone, Copy)]
pub struct NewUpload<'a> {
    /// Made beforehand by [`Drive::generate_ids`].
    pub id: &'a str,
    /// As buyers see it.
    pub name: &'a str,
    /// The folder it goes to; `None` = the account's root.
    pub parent: Option<&'a str>,
    /// Set by us, so that Drive converts nothing.
    pub mime: &'a str,
    /// Bytes.
    pub size: u64,
    /// Marks that only this app sees.
    pub app_properties: &'a [(&'a str, &'a str)],
}

/// Some bytes of a file.
#[derive(Debug, Clone)]
pub struct Piece {
    /// Where they begin in the file.
    pub first: u64,
    /// Of the whole file.
    pub total: u64,
    /// A multiple of [`UNIT`] of them, or all that is left.
    pub bytes: Bytes,
}

/// How far an upload is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Drive wants the bytes from this one on.
    More(u64),
    /// The file is complete.
    Done(Box<File>),
}

impl Drive {
    /// Opens a session. Nothing is visible until the last byte has come.
    ///
    /// # Errors
    /// As every call; `AlreadyThere` when a file with this id is complete.
    pub async fn start_upload(&self, file: &NewUpload<'_>) -> Result<SessionUri, Error> {
        const WHAT: &str = "start upload";
        let query = [("uploadType", "resumable"), ("supportsAllDrives", "true"), ("fields", FIELDS)];
        let url = self.ends.upload("/files", &query)?;
        let mut body = self.metadata(file.id, file.name, file.parent, file.app_properties)?;
        body.insert("mimeType".to_owned(), file.mime.into());
        let body = Value::from(body).to_string();
        let response = self
            .authorized(WHAT, || {
                self.http
                    .post(url.clone())
                    .timeout(SILENCE)
                    .header(header::CONTENT_TYPE, "application/json; charset=UTF-8")
                    .header("X-Upload-Content-Type", file.mime)
                    .header("X-Upload-Content-Length", file.size)
                    .body(body.clone())
            })
            .await?;
        let location = response.headers().get(header::LOCATION).cloned();
        success(WHAT, response).await?;
        let location = location.and_then(|value| value.to_str().ok().map(str::to_owned));
        location.map(SessionUri::kept).ok_or_else(|| Error::unreadable(WHAT))
    }

    /// Sends a piece; `sent` hears of every few bytes that left. An empty piece of an empty file completes it.
    ///
    /// # Errors
    /// As every call; `SessionLost` when the session is gone. After any other error [`ask`](Self::ask) how far it is.
    pub async fn send(
        &self,
        session: &SessionUri,
        piece: Piece,
        sent: Arc<dyn Fn(u64) + Send + Sync>,
    ) -> Result<Progress, Error> {
        let range = match piece.bytes.len() as u64 {
            0 => format!("bytes */{}", piece.total),
            n => format!("bytes {}-{}/{}", piece.first, piece.first + n - 1, piece.total),
        };
        self.put(session, &range, piece.bytes, sent).await
    }

    /// Asks how far an upload of `total` bytes is.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn ask(&self, session: &SessionUri, total: u64) -> Result<Progress, Error> {
        self.put(session, &format!("bytes */{total}"), Bytes::new(), Arc::new(|_| ())).await
    }

    async fn put(
        &self,
        session: &SessionUri,
        range: &str,
        bytes: Bytes,
        sent: Arc<dyn Fn(u64) + Send + Sync>,
    ) -> Result<Progress, Error> {
        const WHAT: &str = "upload";
        let url = Url::parse(session.expose())
            .map_err(|_| Error::new(Class::SessionLost, "the address of the upload cannot be read"))?;
        let life = Arc::new(AtomicU64::new(0));
        let build = || self.build(&url, range, &bytes, &sent, &life);
        // The token goes only where uploads are at home; a session elsewhere is its own permission.
        let home = Url::parse(&self.ends.upload_base).is_ok_and(|base| base.origin() == url.origin());
        let exchange = async {
            let response = if home {
                self.authorized(WHAT, build).await?
            } else {
                build().send().await.map_err(|error| Error::unreachable(WHAT, error))?
            };
            progress(WHAT, response).await
        };
        tokio::select! {
            answer = exchange => answer.map_err(Error::in_session),
            () = silence(&life) => Err(Error::new(Class::Unreachable, "upload: no byte moved for a minute")),
        }
    }

    fn build(
        &self,
        url: &Url,
        range: &str,
        bytes: &Bytes,
        sent: &Arc<dyn Fn(u64) + Send + Sync>,
        life: &Arc<AtomicU64>,
    ) -> RequestBuilder {
        let range = HeaderValue::from_str(range).unwrap_or(HeaderValue::from_static("bytes */*"));
        let request = self.http.put(url.clone()).header(header::CONTENT_RANGE, range);
        if bytes.is_empty() {
            return request.header(header::CONTENT_LENGTH, 0).body(Bytes::new());
        }
        let body = Counted { bytes: bytes.clone(), sent: Arc::clone(sent), life: Arc::clone(life) };
        request.body(reqwest::Body::wrap(body))
    }
}

/// Completes once nothing has moved for a while.
async fn silence(life: &AtomicU64) {
    let mut seen = (life.load(Ordering::Relaxed), Duration::ZERO);
    while seen.1 < SILENCE {
        tokio::time::sleep(LOOK).await;
        let now = life.load(Ordering::Relaxed);
        seen = if now == seen.0 { (now, seen.1 + LOOK) } else { (now, Duration::ZERO) };
    }
}

async fn progress(what: &str, response: Response) -> Result<Progress, Error> {
    if response.status() == StatusCode::PERMANENT_REDIRECT {
        let next = confirmed(response.headers());
        // The connection is only used again once the answer is read.
        read_body(what, response).await?;
        return next.map(Progress::More);
    }
    let body = success(what, response).await?;
    let file = serde_json::from_slice(&body).map_err(|_| Error::unreadable(what))?;
    Ok(Progress::Done(Box::new(file)))
}

/// The byte after the last that Drive holds: `Range: bytes=0-N`, or no such header for none.
fn confirmed(headers: &HeaderMap) -> Result<u64, Error> {
    let Some(range) = headers.get(header::RANGE) else { return Ok(0) };
    let text = range.to_str().unwrap_or_default();
    let last = text.trim().strip_prefix("bytes=0-").and_then(|last| last.parse::<u64>().ok());
    last.and_then(|last| last.checked_add(1)).ok_or_else(|| Error::unreadable("upload"))
}

/// A body that tells how much of it has left.
struct Counted {
    bytes: Bytes,
    sent: Arc<dyn Fn(u64) + Send + Sync>,
    life: Arc<AtomicU64>,
}

impl Body for Counted {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.bytes.is_empty() {
            return Poll::Ready(None);
        }
        let n = self.bytes.len().min(FRAME);
        let frame = self.bytes.split_to(n);
        self.life.fetch_add(n as u64, Ordering::Relaxed);
        (self.sent)(n as u64);
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_confirmed_is_read_strictly() {
        let next = |value: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert(header::RANGE, value.parse().unwrap());
            }
            confirmed(&headers).ok()
        };
        assert_eq!(next(None), Some(0));
        assert_eq!(next(Some("bytes=0-262143")), Some(262_144));
        for wrong in ["bytes=5-9", "0-9", "bytes=0-", "bytes=0-18446744073709551615"] {
            assert_eq!(next(Some(wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn a_session_is_shown_nowhere() {
        let session = SessionUri::kept("https://host/upload?upload_id=SECRET".to_owned());
        assert!(!format!("{session:?}").contains("SECRET"));
    }
}
