//! Brings one file to Drive: a session opened once, pieces sent while the next is read, Drive's word on how far it is.
//!
//! Small troubles are waited out here, so that the source need not be read again; what lasts goes to the queue. What
//! Drive holds in the end is compared with what was read.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gdrive::{Class, Drive, Error, File, NewUpload, Progress, SessionUri};

use super::super::super::drive_error;
use super::super::super::source::{Offer, Opened, Reader, Reading, Stamp};
use super::ahead::{Ahead, Piece};
use super::key_of_file;
use super::note::{Complete, FileNote, Note, Notebook, Sums};
use super::there::{There, differs};
use crate::workers::{StageContext, StageError, Until};

/// Failures in a row, without a byte confirmed in between, that are waited out here.
const MAX_STRIKES: u32 = 5;
/// First wait after a failure; doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Longest wait here; Drive may ask for more, then the queue waits.
const LONGEST_WAIT: Duration = Duration::from_secs(64);
/// How often a wait shows life.
const BREATH: Duration = Duration::from_secs(5);
/// Sessions that may be lost within one attempt.
const MAX_SESSIONS: u32 = 5;
/// Drive calls its limit on bytes a day by the name of a rate, and repeating does not help.
const DAY_LIMIT_RESTS: &[i64] = &[3_600_000, 24 * 3_600_000];

/// A file on its way.
pub(super) struct Bringing<'a> {
    pub(super) cx: &'a StageContext,
    pub(super) drive: &'a Drive,
    pub(super) notebook: &'a Arc<dyn Notebook>,
    pub(super) reader: &'a Reader,
    /// Its number at the source.
    pub(super) n: usize,
    /// As buyers see it.
    pub(super) name: &'a str,
    /// Id of the folder it goes to.
    pub(super) folder: &'a str,
    pub(super) staging: &'a Path,
    /// Bytes of the files before, for progress.
    pub(super) done: u64,
    /// Bytes of all files; 0 = not known.
    pub(super) total: u64,
}

/// A file that is there.
pub(super) struct Brought {
    pub(super) id: String,
    pub(super) size: u64,
    pub(super) sha256: String,
    pub(super) md5: String,
}

impl Brought {
    fn new(id: String, complete: Complete) -> Self {
        let Complete { size, sha256, md5 } = complete;
        Self { id, size, sha256, md5 }
    }
}

/// How sending ended.
enum Sent {
    /// Drive has the file, and these are the sums of what was read.
    Complete(Box<File>, Complete),
    /// The session is gone: from the first byte again.
    SessionLost,
    /// Drive has less than it had confirmed: read again from there.
    Rewind,
    /// The source vouches for nothing.
    MustStage,
}

impl Bringing<'_> {
    fn offer(&self) -> &Offer {
        &self.reader.offers()[self.n]
    }

    fn key(&self) -> String {
        key_of_file(&self.offer().path)
    }

    /// Brings the file, from wherever an earlier try left it.
    pub(super) async fn run(
        &self,
        known: Option<FileNote>,
        there: &mut There,
    ) -> Result<Brought, StageError> {
        let mut note = match known {
            Some(note) => note,
            // Written down with the others; only one that was forgotten since is missing.
            None => FileNote::begin(self.fresh_id().await?),
        };
        if let Some(complete) = note.complete.clone() {
            if self.still_good(&note, &complete, there).await? {
                return Ok(Brought::new(note.id, complete));
            }
            self.drive.delete(&note.id).await.map_err(drive_error)?;
            note = FileNote::begin(self.fresh_id().await?);
        }
        match self.read_and_send(note).await {
            Err(error) if error.code == "source_changed" => {
                // What is on Drive's side belongs to another file now.
                let note = FileNote::begin(self.fresh_id().await?);
                self.write(Note::intent(&self.key(), &note)?).await?;
                Err(error)
            }
            ended => ended,
        }
    }

    /// Sends the file from the source itself, or over the disk where it has to be.
    async fn read_and_send(&self, mut note: FileNote) -> Result<Brought, StageError> {
        if !note.staged {
            match self.send_until_complete(self.reader, self.n, &mut note).await? {
                Some(brought) => return Ok(brought),
                None => note.staged = true,
            }
        }
        let staged = self.reader.stage(self.n, self.staging).await?;
        let brought = self.send_until_complete(&staged, 0, &mut note).await?;
        brought.ok_or_else(|| StageError::permanent("internal", "a staged file is to be staged again"))
    }

    /// Whether a complete file is still what the source has, and still at Drive.
    async fn still_good(
        &self,
        note: &FileNote,
        complete: &Complete,
        there: &mut There,
    ) -> Result<bool, StageError> {
        let Some(stamp) = &note.stamp else { return Ok(false) };
        if !self.reader.same(self.n, stamp, &complete.sha256).await? {
            return Ok(false);
        }
        let file = there.file(self.drive, &note.id).await?;
        Ok(file.is_some_and(|file| differs(&file, complete).is_none()))
    }

    /// `None` when the file has to be staged first.
    async fn send_until_complete(
        &self,
        reader: &Reader,
        n: usize,
        note: &mut FileNote,
    ) -> Result<Option<Brought>, StageError> {
        for _ in 0..MAX_SESSIONS {
            self.cx.check()?;
            match self.send_in_session(reader, n, note).await? {
                Sent::Complete(file, complete) => return self.compare(note, &file, complete).await.map(Some),
                Sent::MustStage => return Ok(None),
                Sent::Rewind => note.sums = None,
                Sent::SessionLost => {
                    note.session = None;
                    note.sums = None;
                    self.write(Note::intent(&self.key(), note)?).await?;
                }
            }
        }
        Err(StageError::transient(
            "drive_session_lost",
            format!("{}: session after session is lost", self.name),
        ))
    }

    /// Goes on with the session of the note, or opens one, and sends what is missing.
    async fn send_in_session(
        &self,
        reader: &Reader,
        n: usize,
        note: &mut FileNote,
    ) -> Result<Sent, StageError> {
        let kept = note.session.clone().zip(note.stamp.clone());
        let Some((session, stamp)) = kept else { return self.begin(reader, n, note).await };
        let (session, size) = (&SessionUri::kept(session), stamp.size);
        match self.patiently(move || self.drive.ask(session, size)).await? {
            Ok(Progress::Done(file)) => {
                let complete = self.read_to_the_end(reader, n, note.sums.take(), &stamp).await?;
                Ok(Sent::Complete(file, complete))
            }
            Ok(Progress::More(confirmed)) => {
                let sums = note.sums.clone().filter(|sums| sums.at <= confirmed).unwrap_or_default();
                let reading = self.open(reader, n, sums.at, &stamp).await?;
                self.send(session, note, Ahead::start(reading, sums, confirmed), confirmed, size).await
            }
            Err(error) if *error.class() == Class::SessionLost => {
                self.lost_or_complete(reader, n, note).await
            }
            Err(error) => Err(self.lasting(error)),
        }
    }

    /// Opens a session, writes it down and sends the file.
    async fn begin(&self, reader: &Reader, n: usize, note: &mut FileNote) -> Result<Sent, StageError> {
        let Opened::Reading(reading) = reader.read(n, 0, None).await? else { return Ok(Sent::MustStage) };
        let stamp = reading.stamp().clone();
        let mime = mime_guess::from_path(self.name).first_raw().unwrap_or("application/octet-stream");
        let file = NewUpload {
            id: &note.id,
            name: self.name,
            parent: Some(self.folder),
            mime,
            size: stamp.size,
            app_properties: &[],
        };
        let session = match self.patiently(|| self.drive.start_upload(&file)).await? {
            Ok(session) => session,
            Err(error) if *error.class() == Class::AlreadyThere => {
                // A file of an earlier try whose contents nobody vouches for.
                self.drive.delete(&note.id).await.map_err(drive_error)?;
                note.id = self.fresh_id().await?;
                return Ok(Sent::SessionLost);
            }
            Err(error) => return Err(self.lasting(error)),
        };
        note.session = Some(session.expose().to_owned());
        note.stamp = Some(stamp.clone());
        note.sums = None;
        self.write(Note::intent(&self.key(), note)?).await?;
        let ahead = Ahead::start(reading, Sums::default(), 0);
        self.send(&session, note, ahead, 0, stamp.size).await
    }

    /// A session that is gone may have been finished before: then the file is there under its id.
    async fn lost_or_complete(
        &self,
        reader: &Reader,
        n: usize,
        note: &mut FileNote,
    ) -> Result<Sent, StageError> {
        let Some(stamp) = note.stamp.clone() else { return Ok(Sent::SessionLost) };
        match self.drive.file(&note.id).await {
            Ok(file) if !file.trashed && file.size == Some(stamp.size) => {
                let complete = self.read_to_the_end(reader, n, note.sums.take(), &stamp).await?;
                Ok(Sent::Complete(Box::new(file), complete))
            }
            Ok(_) => Ok(Sent::SessionLost),
            Err(error) if *error.class() == Class::NotFound => Ok(Sent::SessionLost),
            Err(error) => Err(drive_error(error)),
        }
    }

    async fn open(
        &self,
        reader: &Reader,
        n: usize,
        at: u64,
        stamp: &Stamp,
    ) -> Result<Box<Reading>, StageError> {
        match reader.read(n, at, Some(stamp)).await? {
            Opened::Reading(reading) => Ok(reading),
            Opened::MustStage => {
                Err(StageError::transient("source_changed", format!("{}: no longer vouched for", self.name)))
            }
        }
    }

    /// The sums of a file that is at Drive already.
    async fn read_to_the_end(
        &self,
        reader: &Reader,
        n: usize,
        sums: Option<Sums>,
        stamp: &Stamp,
    ) -> Result<Complete, StageError> {
        let mut sums = sums.unwrap_or_default();
        if sums.at < stamp.size {
            let reading = self.open(reader, n, sums.at, stamp).await?;
            let mut ahead = Ahead::start(reading, sums.clone(), stamp.size);
            while let Some(piece) = ahead.next().await? {
                self.cx.check()?;
                self.cx.alive();
                sums = piece.sums;
            }
        }
        Ok(sums.complete())
    }

    /// Sends everything from `confirmed` on.
    async fn send(
        &self,
        session: &SessionUri,
        note: &mut FileNote,
        mut ahead: Ahead,
        confirmed: u64,
        size: u64,
    ) -> Result<Sent, StageError> {
        let mut writing = None;
        let mut last = note.sums.clone().unwrap_or_default();
        if size == 0 {
            let nothing = Piece { first: 0, bytes: bytes::Bytes::new(), sums: Sums::default() };
            return Ok(match self.send_piece(session, &nothing, size).await? {
                Confirmed::File(file) => Sent::Complete(file, Sums::default().complete()),
                _ => Sent::SessionLost,
            });
        }
        while let Some(piece) = ahead.next().await? {
            self.cx.check()?;
            last = piece.sums.clone();
            if last.at <= confirmed {
                continue;
            }
            let sent = self.send_piece(session, &piece, size).await?;
            settle(writing.take()).await?;
            match sent {
                Confirmed::Piece => {
                    note.sums = Some(last.clone());
                    let (notebook, note) = (Arc::clone(self.notebook), Note::intent(&self.key(), note)?);
                    writing = Some(tokio::spawn(async move { notebook.write(vec![note]).await }));
                }
                Confirmed::File(file) => {
                    while let Some(piece) = ahead.next().await? {
                        last = piece.sums;
                    }
                    return Ok(Sent::Complete(file, last.complete()));
                }
                Confirmed::Less => return Ok(Sent::Rewind),
                Confirmed::Nothing => return Ok(Sent::SessionLost),
            }
        }
        settle(writing.take()).await?;
        // Everything is there, and Drive has not said so.
        match self.patiently(move || self.drive.ask(session, size)).await? {
            Ok(Progress::Done(file)) => Ok(Sent::Complete(file, last.complete())),
            Ok(Progress::More(_)) => Ok(Sent::Rewind),
            Err(error) if *error.class() == Class::SessionLost => Ok(Sent::SessionLost),
            Err(error) => Err(self.lasting(error)),
        }
    }

    /// Sends a piece until Drive has confirmed all of it.
    async fn send_piece(
        &self,
        session: &SessionUri,
        piece: &Piece,
        size: u64,
    ) -> Result<Confirmed, StageError> {
        let end = piece.first + piece.bytes.len() as u64;
        let (mut at, mut strikes) = (piece.first, 0);
        let mut asks = false;
        loop {
            self.cx.check()?;
            let answer = if asks {
                self.stoppable(self.drive.ask(session, size)).await?
            } else {
                let from = usize::try_from(at - piece.first).unwrap_or(usize::MAX);
                let bytes = piece.bytes.slice(from..);
                let part = gdrive::Piece { first: at, total: size, bytes };
                self.stoppable(self.drive.send(session, part, self.meter(at))).await?
            };
            asks = false;
            match answer {
                Ok(Progress::Done(file)) => return Ok(Confirmed::File(file)),
                Ok(Progress::More(next)) if next >= end && next < size => return Ok(Confirmed::Piece),
                Ok(Progress::More(next)) if next < piece.first => return Ok(Confirmed::Less),
                Ok(Progress::More(next)) if next > at && next < end => (at, strikes) = (next, 0),
                Ok(Progress::More(next)) => {
                    // No progress, or a complete file that is not called so yet.
                    at = next.clamp(piece.first, end);
                    asks = at == end;
                    strikes += 1;
                    if strikes > MAX_STRIKES {
                        return Ok(Confirmed::Nothing);
                    }
                    self.rest(backoff(strikes)).await?;
                }
                Err(error) if *error.class() == Class::SessionLost => return Ok(Confirmed::Nothing),
                Err(error) => {
                    strikes += 1;
                    self.wait_out(error, strikes).await?;
                    asks = true;
                }
            }
        }
    }

    /// Shows life and progress while bytes leave from `at` on.
    fn meter(&self, at: u64) -> Arc<dyn Fn(u64) + Send + Sync> {
        let (cx, base, total) = (self.cx.clone(), self.done + at, self.total);
        let sent = AtomicU64::new(0);
        Arc::new(move |n| {
            let sent = sent.fetch_add(n, Ordering::Relaxed) + n;
            cx.progress(base + sent, total);
        })
    }

    /// Repeats a call through small troubles.
    async fn patiently<T, F: Future<Output = Result<T, Error>> + Send>(
        &self,
        call: impl Fn() -> F + Send,
    ) -> Result<Result<T, Error>, StageError> {
        let mut strikes = 0;
        loop {
            let answer = self.stoppable(call()).await?;
            let Err(error) = &answer else { return Ok(answer) };
            strikes += 1;
            match short_trouble(error, strikes) {
                Some(wait) if strikes <= MAX_STRIKES => self.rest(wait).await?,
                _ => return Ok(answer),
            }
        }
    }

    /// Waits a trouble out, or gives it to the queue.
    async fn wait_out(&self, error: Error, strikes: u32) -> Result<(), StageError> {
        match short_trouble(&error, strikes) {
            Some(wait) if strikes <= MAX_STRIKES => self.rest(wait).await,
            _ => Err(self.lasting(error)),
        }
    }

    /// Sleeps, and shows life meanwhile.
    async fn rest(&self, mut left: Duration) -> Result<(), StageError> {
        while !left.is_zero() {
            let nap = left.min(BREATH);
            self.stoppable(self.cx.clock().sleep(nap)).await?;
            self.cx.alive();
            left -= nap;
        }
        Ok(())
    }

    async fn stoppable<T>(&self, work: impl Future<Output = T>) -> Result<T, StageError> {
        tokio::select! {
            biased;
            () = self.cx.cancel.cancelled() => {
                Err(StageError::transient("cancelled", "stopped before it was finished"))
            }
            answer = work => Ok(answer),
        }
    }

    /// An error that was not waited out.
    fn lasting(&self, error: Error) -> StageError {
        if error.reason() == "userRateLimitExceeded" {
            let detail = error.to_string();
            return StageError::parks("drive_upload", "drive_busy", detail, Until::Steps(DAY_LIMIT_RESTS));
        }
        drive_error(error)
    }

    /// Compares what Drive holds with what was read, and what was read with what the source promised.
    async fn compare(
        &self,
        note: &mut FileNote,
        file: &File,
        complete: Complete,
    ) -> Result<Brought, StageError> {
        let promised = self.offer().sha256.as_ref().filter(|sum| **sum != complete.sha256);
        let difference = match promised {
            Some(sum) => Some(format!("was read with sha256 {} instead of {sum}", complete.sha256)),
            None => differs(file, &complete),
        };
        if let Some(difference) = difference {
            self.drive.delete(&note.id).await.map_err(drive_error)?;
            let fresh = FileNote::begin(self.fresh_id().await?);
            self.write(Note::intent(&self.key(), &fresh)?).await?;
            return Err(StageError::transient(
                "checksum_mismatch",
                format!("{} {difference}", self.offer().path),
            ));
        }
        note.session = None;
        note.sums = None;
        note.complete = Some(complete.clone());
        self.write(Note::done(&self.key(), note)?).await?;
        Ok(Brought::new(note.id.clone(), complete))
    }

    async fn fresh_id(&self) -> Result<String, StageError> {
        let mut ids = self.drive.generate_ids(1).await.map_err(drive_error)?;
        ids.pop().ok_or_else(|| StageError::transient("drive_unclear", "Drive gave no id"))
    }

    async fn write(&self, note: Note) -> Result<(), StageError> {
        self.notebook.write(vec![note]).await
    }
}

/// What Drive has of a piece.
enum Confirmed {
    Piece,
    File(Box<File>),
    /// Less than before.
    Less,
    /// The session is gone, or leads nowhere.
    Nothing,
}

/// How long to wait before trying again; `None` for what waiting does not cure, or not soon.
fn short_trouble(error: &Error, strikes: u32) -> Option<Duration> {
    match error.class() {
        Class::Busy { retry_after: Some(wish) } => (*wish <= LONGEST_WAIT).then_some(*wish),
        Class::Busy { retry_after: None } | Class::Unreachable | Class::Unclear => Some(backoff(strikes)),
        _ => None,
    }
}

fn backoff(strikes: u32) -> Duration {
    let doubled = FIRST_WAIT * 2_u32.saturating_pow(strikes.saturating_sub(1).min(10));
    let jitter = Duration::from_millis(rand::random_range(0..250));
    doubled.min(LONGEST_WAIT) + jitter
}

/// Waits for a note that is being written.
async fn settle(writing: Option<tokio::task::JoinHandle<Result<(), StageError>>>) -> Result<(), StageError> {
    match writing {
        Some(writing) => writing
            .await
            .unwrap_or_else(|_| Err(StageError::transient("cancelled", "the program is stopping"))),
        None => Ok(()),
    }
}
