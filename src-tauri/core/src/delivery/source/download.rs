//! Brings the files of an HTTP source, each resumed at the byte where an earlier try stopped.
//!
//! RFC 9110 §13.1.5 and §14: a range is asked for only with a strong `ETag` in `If-Range`, or when the manifest
//! has a checksum that tells in the end; anything unexpected in the answer starts the file again.

use std::path::Path;

use futures::StreamExt;
use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Response, StatusCode};

use super::super::files::{CHUNK, Done, FileState, Part, SYNC_EVERY, Slot};
use super::super::manifest::Manifest;
use super::http::{Session, invalid, shown, text, unreachable_error};
use super::listing::Entry;
use super::{Tally, check_room, listed};
use crate::workers::StageError;

/// Fresh starts of one file before the source counts as changing under us.
const MAX_RESTARTS: u32 = 2;
/// A connection that brought this much before it broke is replaced at once; one that brought less waits for
/// the queue's backoff.
pub(super) const WORTH_RECONNECTING: u64 = 1 << 20;

pub(super) async fn fetch(
    session: &Session,
    entries: &[Entry],
    staging: &Path,
) -> Result<Manifest, StageError> {
    check_room(staging, entries.iter().map(|e| (e.path.as_str(), e.size))).await?;
    let total = entries.iter().try_fold(0_u64, |sum, e| sum.checked_add(e.size?)).unwrap_or(0);
    let mut tally = Tally { done: 0, total };
    let mut manifest = Manifest::default();
    for entry in entries {
        session.cx.check()?;
        session.cx.item(&entry.path);
        let file = FileFetch { session, entry, slot: Slot::new(staging, &entry.path), tally };
        let done = file.run().await?;
        tally.done += done.size;
        session.cx.progress(tally.done, tally.total);
        manifest.files.push(listed(&entry.path, done));
    }
    Ok(manifest)
}

/// What one request brought.
enum Brought {
    /// The rest of the file.
    Everything(Part),
    /// Some of it, up to this byte; why there is not more.
    Some(u64, StageError),
    /// Nothing that can be used together with what is there.
    Misfit(String),
}

/// What a server says a range is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ContentRange {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) total: Option<u64>,
}

struct FileFetch<'a> {
    session: &'a Session,
    entry: &'a Entry,
    slot: Slot,
    tally: Tally,
}

impl FileFetch<'_> {
    async fn run(&self) -> Result<Done, StageError> {
        let mut state = self.slot.read_state().await;
        let mut usable = state.origin == self.entry.url.as_str();
        if usable && let Some(done) = self.slot.done(&state).await {
            if self.unchanged(&state, &done).await? {
                return Ok(done);
            }
            usable = false;
        }
        if !usable || state.done.is_some() {
            state = self.start_over().await?;
        }
        let (mut restarts, mut reached) = (0, 0);
        loop {
            match self.request(&mut state).await? {
                Brought::Everything(part) => return self.finish(part, state).await,
                // A server that ignores ranges starts at 0 each time: getting no further is no progress.
                Brought::Some(at, why) if at <= reached => return Err(why),
                Brought::Some(at, _) => reached = at,
                Brought::Misfit(why) if restarts == MAX_RESTARTS => {
                    self.start_over().await?;
                    return Err(StageError::transient(
                        "source_changed",
                        format!("{}: {why}", shown(&self.entry.url)),
                    ));
                }
                Brought::Misfit(_) => {
                    restarts += 1;
                    state = self.start_over().await?;
                }
            }
        }
    }

    async fn start_over(&self) -> Result<FileState, StageError> {
        self.slot.forget().await?;
        Ok(FileState { origin: self.entry.url.as_str().to_owned(), ..FileState::default() })
    }

    /// Whether a complete file is still what the source has: by checksum, else by asking.
    async fn unchanged(&self, state: &FileState, done: &Done) -> Result<bool, StageError> {
        if let Some(sum) = &self.entry.sha256 {
            return Ok(*sum == done.sha256);
        }
        if self.entry.size.is_some_and(|size| size != done.size) {
            return Ok(false);
        }
        let (name, value) = match (&state.etag, &state.last_modified) {
            (Some(etag), _) => (header::IF_NONE_MATCH, etag),
            (None, Some(date)) => (header::IF_MODIFIED_SINCE, date),
            (None, None) => return Ok(false),
        };
        let mut headers = HeaderMap::new();
        headers.insert(name, header_value(value)?);
        let response = self.session.get(&self.entry.url, &headers).await?;
        Ok(response.status() == StatusCode::NOT_MODIFIED)
    }

    /// The byte to go on at; 0 for the whole file.
    async fn resume_at(&self, state: &FileState) -> u64 {
        let have = match (&self.entry.sha256, &state.etag) {
            (Some(_), _) => self.slot.part_len().await,
            (None, Some(etag)) if is_strong(etag) => self.slot.part_len().await.min(state.synced),
            (None, _) => 0,
        };
        match state.length.or(self.entry.size) {
            Some(length) if have > length => 0,
            // The last byte is asked for again: a range that begins at the end cannot be satisfied.
            Some(length) => have.min(length.saturating_sub(1)),
            None => have,
        }
    }

    async fn request(&self, state: &mut FileState) -> Result<Brought, StageError> {
        let mut from = self.resume_at(state).await;
        let mut headers = HeaderMap::new();
        if from > 0 {
            headers.insert(header::RANGE, header_value(&format!("bytes={from}-"))?);
            if let Some(etag) = state.etag.as_deref().filter(|etag| is_strong(etag)) {
                headers.insert(header::IF_RANGE, header_value(etag)?);
            }
        }
        let response = self.session.get(&self.entry.url, &headers).await?;
        let end = match response.status() {
            StatusCode::PARTIAL_CONTENT if from > 0 => match self.accept_range(&response, state, from) {
                Ok(end) => Some(end),
                Err(why) => return Ok(Brought::Misfit(why)),
            },
            StatusCode::OK => {
                from = 0;
                *state = self.start_over().await?;
                state.etag = text(response.headers(), header::ETAG).map(str::to_owned);
                state.last_modified = text(response.headers(), header::LAST_MODIFIED).map(str::to_owned);
                state.length = response.content_length();
                self.check_length(state.length)?;
                state.length
            }
            status => {
                return Ok(Brought::Misfit(format!("a request from byte {from} was answered {status}")));
            }
        };
        let part = self.slot.open_part(&self.session.cx, from).await?;
        self.slot.write_state(state).await?;
        self.read(response, part, state, end).await
    }

    /// Checks that a 206 goes on where the part ends; answers the byte after its last.
    fn accept_range(&self, response: &Response, state: &mut FileState, from: u64) -> Result<u64, String> {
        let given = text(response.headers(), header::CONTENT_RANGE).unwrap_or_default();
        let Some(range) = content_range(given) else { return Err(format!("Content-Range {given:?}")) };
        if range.first != from {
            return Err(format!("asked for bytes from {from}, got {given:?}"));
        }
        if let (Some(known), Some(total)) = (state.length.or(self.entry.size), range.total)
            && known != total
        {
            return Err(format!("its size was {known} and is {total}"));
        }
        let etag = text(response.headers(), header::ETAG);
        if let (Some(before), Some(now)) = (state.etag.as_deref(), etag)
            && before != now
            && is_strong(before)
        {
            return Err("it changed in between".to_owned());
        }
        state.length = state.length.or(range.total);
        Ok(range.last + 1)
    }

    fn check_length(&self, length: Option<u64>) -> Result<(), StageError> {
        match (self.entry.size, length) {
            (Some(listed), Some(sent)) if listed != sent => Err(StageError::transient(
                "source_changed",
                format!("{} has {sent} bytes, the manifest says {listed}", shown(&self.entry.url)),
            )),
            _ => Ok(()),
        }
    }

    /// Appends the body to `part`, which keeps what came whatever happens.
    async fn read(
        &self,
        response: Response,
        mut part: Part,
        state: &mut FileState,
        end: Option<u64>,
    ) -> Result<Brought, StageError> {
        let cx = &self.session.cx;
        let from = part.len();
        let mut body = response.bytes_stream();
        let mut buffer = Vec::with_capacity(CHUNK);
        let ended = loop {
            match self.session.wait(body.next()).await {
                Err(stopped) => break Err(stopped),
                Ok(None) => break Ok(()),
                Ok(Some(Err(error))) => break Err(unreachable_error(error, &self.entry.url)),
                Ok(Some(Ok(bytes))) => buffer.extend_from_slice(&bytes),
            }
            let at = part.len() + buffer.len() as u64;
            cx.progress(self.tally.done + at, self.tally.total);
            if end.or(self.entry.size).is_some_and(|end| at > end) {
                return Ok(Brought::Misfit("more bytes came than were promised".to_owned()));
            }
            if buffer.len() >= CHUNK {
                part = part.write(std::mem::replace(&mut buffer, Vec::with_capacity(CHUNK))).await?;
                if part.len().saturating_sub(state.synced) >= SYNC_EVERY {
                    part = self.slot.sync(part, state).await?;
                }
            }
        };
        part = part.write(buffer).await?;
        let (at, whole) = (part.len(), state.length.or(self.entry.size));
        if ended.is_ok() && whole.is_none_or(|whole| at == whole) {
            return Ok(Brought::Everything(part));
        }
        self.slot.sync(part, state).await?;
        let goes_on = self.resume_at(state).await > from;
        match ended {
            Ok(()) => {
                let why = format!("{} ended after {at} bytes", shown(&self.entry.url));
                let why = StageError::transient("source_unreachable", why);
                if goes_on { Ok(Brought::Some(at, why)) } else { Err(why) }
            }
            Err(why) if why.code != "cancelled" && goes_on && at - from >= WORTH_RECONNECTING => {
                Ok(Brought::Some(at, why))
            }
            Err(why) => Err(why),
        }
    }

    async fn finish(&self, part: Part, mut state: FileState) -> Result<Done, StageError> {
        let url = shown(&self.entry.url);
        if let Some(size) = self.entry.size.filter(|size| *size != part.len()) {
            let detail = format!("{url} has {} bytes, the manifest says {size}", part.len());
            self.start_over().await?;
            return Err(StageError::transient("source_changed", detail));
        }
        let done = self.slot.finish(part, &mut state).await?;
        match &self.entry.sha256 {
            Some(sum) if *sum != done.sha256 => {
                self.start_over().await?;
                let detail = format!("{url}: sha256 {} instead of {sum}", done.sha256);
                Err(StageError::transient("checksum_mismatch", detail))
            }
            _ => Ok(done),
        }
    }
}

pub(super) fn header_value(text: &str) -> Result<HeaderValue, StageError> {
    HeaderValue::from_str(text).map_err(|_| invalid(format!("{text:?} cannot be sent in a header")))
}

/// Whether an `ETag` promises the same bytes; only such may stand in `If-Range`.
pub(super) fn is_strong(etag: &str) -> bool {
    etag.starts_with('"')
}

pub(super) fn content_range(text: &str) -> Option<ContentRange> {
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let total = match total.trim() {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    (first <= last && last < u64::MAX && total.is_none_or(|t| last < t)).then_some(ContentRange {
        first,
        last,
        total,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_range_is_read_strictly() {
        let range = |first, last, total| Some(ContentRange { first, last, total });
        assert_eq!(content_range("bytes 5-9/10"), range(5, 9, Some(10)));
        assert_eq!(content_range("bytes 5-9/*"), range(5, 9, None));
        for wrong in
            ["", "bytes */10", "bytes 9-5/10", "bytes 5-10/10", "items 5-9/10", "bytes 5-9", "bytes -5/10"]
        {
            assert_eq!(content_range(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn weak_validators_do_not_qualify() {
        assert!(is_strong("\"6b023977-2800000\""));
        assert!(!is_strong("W/\"6b023977\""));
        assert!(!is_strong("6b023977"));
    }
}
