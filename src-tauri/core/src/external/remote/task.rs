//! One task on another machine: fetched, sent, handed over, while the lease is kept.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::sync::CancellationToken;

use super::calls::{Calls, Given, Refusal};
use super::fetcher::Fetcher;
use super::{Remote, RemoteError};
use crate::delivery::{self, Manifest, check_path};
use crate::workers::{ErrorClass, Meter, StageContext, StageError};

/// Tries of one piece of a file, with growing pauses between them.
const TRIES: u32 = 8;

/// How a task ended on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// Handed over.
    Done,
    /// It failed, and the shop knows.
    Failed,
    /// It is not ours any more, or was given back.
    Dropped,
}

/// Why work ended before it was handed over.
enum Broken {
    Stage(StageError),
    Shop(Refusal),
}

impl From<StageError> for Broken {
    fn from(error: StageError) -> Self {
        Self::Stage(error)
    }
}

impl From<Refusal> for Broken {
    fn from(refusal: Refusal) -> Self {
        Self::Shop(refusal)
    }
}

pub(super) async fn run(
    remote: &Remote,
    calls: &Calls,
    fetcher: &Fetcher,
    given: Given,
    stop: &CancellationToken,
) -> Result<Ended, RemoteError> {
    let say = |what: &str| {
        (remote.say)(&format!(
            "task {} ({} v{}): {what}",
            given.task_id, given.course.slug, given.course.version
        ))
    };
    if given.course.slug.contains('/') || check_path(&given.course.slug).is_err() {
        return Err(RemoteError::Machine("the shop names a course that cannot be a folder".to_owned()));
    }
    say(&format!("fetching \"{}\"", given.course.title));
    let staging = remote.work_dir.join(format!("{}-v{}", given.course.slug, given.course.version));
    let (meter, cancel) = (Arc::new(Meter::default()), CancellationToken::new());
    let cx = StageContext::new(cancel.clone(), meter.clone(), remote.clock.clone());
    let work = work(calls, fetcher, &given, &staging, &cx);
    tokio::pin!(work);
    let ended = tokio::select! {
        ended = &mut work => ended,
        why = keep(remote, calls, &given, &meter) => {
            cancel.cancel();
            // Waits for what is being written; its result counts for nothing.
            let _ = work.await;
            Err(Broken::Shop(why))
        }
        () = stop.cancelled() => {
            cancel.cancel();
            let _ = work.await;
            say("stopped; given back to the shop");
            return Ok(report(calls, &given, "released", "worker_stopped", "the worker was stopped", &say).await);
        }
    };
    match ended {
        Ok(()) => {
            say("handed over");
            if let Err(error) = delivery::discard_staging(&staging).await {
                say(&format!("its files stay: {error}"));
            }
            Ok(Ended::Done)
        }
        Err(Broken::Stage(error)) => {
            say(&format!("failed: {error}"));
            let class = if error.class == ErrorClass::Permanent { "permanent" } else { "transient" };
            Ok(report(calls, &given, class, error.code, &error.detail, &say).await)
        }
        Err(Broken::Shop(Refusal::Said { status: 401 | 403, code, detail })) => {
            Err(RemoteError::Refused { code, detail })
        }
        Err(Broken::Shop(refusal)) if refusal.is("lease_lost") => {
            say("the lease is gone; the shop refused the result, and the task is dropped");
            Ok(Ended::Dropped)
        }
        Err(Broken::Shop(refusal)) if refusal.is("cancelled") => {
            say("called off by the shop");
            Ok(Ended::Dropped)
        }
        Err(Broken::Shop(Refusal::Said { code, detail, .. })) => {
            say(&format!("failed: {code}: {detail}"));
            Ok(report(calls, &given, "transient", "worker_refused", &format!("{code}: {detail}"), &say).await)
        }
        Err(Broken::Shop(Refusal::Unclear(why))) => {
            say(&format!("the shop cannot be reached: {why}"));
            Ok(report(calls, &given, "transient", "shop_unreachable", &why, &say).await)
        }
    }
}

async fn report(
    calls: &Calls,
    given: &Given,
    class: &str,
    code: &str,
    detail: &str,
    say: &impl Fn(&str),
) -> Ended {
    match calls.fail(given, class, code, detail).await {
        Ok(()) if class == "released" => Ended::Dropped,
        Ok(()) => Ended::Failed,
        Err(refusal) => {
            say(&format!("the shop was not told: {refusal:?}"));
            Ended::Dropped
        }
    }
}

/// Keeps the lease for as long as it is kept; answers why it is not any more.
async fn keep(remote: &Remote, calls: &Calls, given: &Given, meter: &Meter) -> Refusal {
    // Three heartbeats fit into a lease, so that one may be late.
    let beat = Duration::from_millis((given.lease_s * 1_000 / 3).max(200));
    loop {
        remote.clock.sleep(beat).await;
        let (done, total) = (meter.done.load(Ordering::Relaxed), meter.total.load(Ordering::Relaxed));
        let item = meter.item.lock().ok().and_then(|item| item.clone());
        match calls.progress(given, done, total, item).await {
            Ok(false) => {}
            Ok(true) => {
                return Refusal::Said { status: 200, code: "cancelled".to_owned(), detail: String::new() };
            }
            // Without an answer the lease may still hold; its end is the shop's to say.
            Err(Refusal::Unclear(_)) => {}
            Err(refusal) => return refusal,
        }
    }
}

async fn work(
    calls: &Calls,
    fetcher: &Fetcher,
    given: &Given,
    staging: &Path,
    cx: &StageContext,
) -> Result<(), Broken> {
    let manifest = fetcher.fetch(cx, given, staging).await?;
    send(calls, given, staging, &manifest, cx).await?;
    let folder = format!("{}-v{}", given.course.slug, given.course.version);
    Ok(calls.finalize(given, &folder, &manifest).await?)
}

/// Sends every file, each from where the shop has it.
async fn send(
    calls: &Calls,
    given: &Given,
    staging: &Path,
    manifest: &Manifest,
    cx: &StageContext,
) -> Result<(), Broken> {
    let (mut before, total) = (0, manifest.bytes());
    for file in &manifest.files {
        cx.item(&file.path);
        let mut there = surely(cx, || calls.size(given, &file.path)).await?;
        // An empty file exists only once a piece of no bytes was sent.
        let mut sent = there > 0;
        while there < file.size || !sent {
            let at = delivery::staged(staging, &file.path);
            let piece = read(&at, there, given.upload.chunk_max.min(file.size - there)).await?;
            let appended = surely(cx, || calls.append(given, &file.path, there, piece.clone())).await;
            there = match appended {
                Ok(size) => size,
                // The answer to an earlier try was lost: the shop says where to go on.
                Err(Broken::Shop(refusal)) if refusal.is("offset_mismatch") => {
                    surely(cx, || calls.size(given, &file.path)).await?
                }
                Err(why) => return Err(why),
            };
            sent = true;
            cx.progress(before + there, total);
        }
        before += file.size;
    }
    Ok(())
}

async fn surely<T, F: Future<Output = Result<T, Refusal>>>(
    cx: &StageContext,
    ask: impl Fn() -> F,
) -> Result<T, Broken> {
    let mut pause = Duration::from_millis(500);
    for tried in 1.. {
        cx.check()?;
        let answer = tokio::select! {
            biased;
            () = cx.cancel.cancelled() => return Err(StageError::transient("cancelled", "stopped").into()),
            answer = ask() => answer,
        };
        match answer {
            Ok(answer) => return Ok(answer),
            Err(Refusal::Unclear(_)) if tried < TRIES => {}
            Err(refusal) => return Err(refusal.into()),
        }
        cx.clock().sleep(pause).await;
        pause *= 2;
    }
    unreachable!("the loop ends with an answer")
}

async fn read(at: &Path, from: u64, length: u64) -> Result<Vec<u8>, StageError> {
    let failed = |error: std::io::Error| {
        StageError::transient("source_unreachable", format!("{}: {error}", at.display()))
    };
    let mut file = tokio::fs::File::open(at).await.map_err(failed)?;
    file.seek(std::io::SeekFrom::Start(from)).await.map_err(failed)?;
    let mut piece = Vec::new();
    file.take(length).read_to_end(&mut piece).await.map_err(failed)?;
    if piece.len() as u64 != length {
        return Err(StageError::transient("source_changed", "a fetched file became shorter"));
    }
    Ok(piece)
}
