//! Runs a program to its end, or ends it: cancelled, out of time, or beyond its bounds.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::MissedTickBehavior;

use super::child::{Child, Launch};
use super::lines::{Lines, Tail};
use crate::workers::StageContext;

/// How often a running program is looked at.
const BEAT: Duration = Duration::from_millis(500);
/// How long the rest of an output is read after everything was killed.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Deepest directory that is looked into while it runs.
const MAX_DEPTH: usize = 64;

/// What a program may use. Sizes in bytes.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// How long it may run.
    pub timeout: Duration,
    /// How long it may take to end after it was asked to.
    pub grace: Duration,
    /// What it may say on both outputs together.
    pub output: u64,
    /// Processes at once.
    pub processes: usize,
    /// Where it may write; looked at while it runs.
    pub dir: PathBuf,
    /// Files and directories below `dir`.
    pub entries: usize,
    /// Of all files below `dir`.
    pub bytes: u64,
    /// What has to stay free on the disk of `dir`.
    pub free: u64,
}

/// How a program ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// With this code.
    Code(i32),
    /// By a signal that was not ours.
    Signal(i32),
}

/// A program that ended by itself.
#[derive(Debug)]
pub struct Ended {
    /// How.
    pub exit: Exit,
    /// The end of what it said on its error output, masked.
    pub messages: String,
}

/// Why a program did not end by itself. Its group is dead in each case.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// It was not started.
    #[error("it cannot be started: {0}")]
    NotStarted(#[from] io::Error),
    /// The stage is to stop.
    #[error("stopped before it was finished")]
    Cancelled,
    /// It ran too long.
    #[error("it ran longer than {after:?}; its last words: {messages}")]
    TimedOut {
        /// How long it was allowed to run.
        after: Duration,
        /// The end of what it said on its error output, masked.
        messages: String,
    },
    /// It said too much.
    #[error("it wrote more than {0} bytes of output")]
    TooMuchOutput(u64),
    /// It started too many processes.
    #[error("it started more than {0} processes")]
    TooManyProcesses(usize),
    /// It made too many files.
    #[error("it made more than {0} files and folders")]
    TooManyFiles(usize),
    /// It wrote too much.
    #[error("it left more than {0} bytes")]
    TooManyBytes(u64),
    /// The disk has less room than has to stay free.
    #[error("less than {0} bytes are free")]
    DiskFull(u64),
}

/// Runs `launch` to its end, with `input` on its standard input, each line of its output given to `line`.
///
/// The stage is shown alive while the program runs: a program that says nothing is ended by `bounds.timeout`,
/// not by the pool.
///
/// # Errors
/// [`Stopped`], after everything it started was ended.
pub async fn run(
    cx: &StageContext,
    launch: &Launch,
    bounds: &Bounds,
    input: Vec<u8>,
    mut line: impl FnMut(&str),
) -> Result<Ended, Stopped> {
    let mut child = Child::start(launch, cx.clock().clone()).await?;
    let mut stdin = child.stdin.take();
    let mut stdout = Lines::of(child.stdout.take());
    let mut stderr = Tail::of(child.stderr.take());
    // A program that reads nothing must not hold us up.
    let writing = tokio::spawn(async move {
        if let Some(stdin) = &mut stdin {
            let _ = stdin.write_all(&input).await;
        }
    });
    let until =
        cx.clock().now_ms().saturating_add(i64::try_from(bounds.timeout.as_millis()).unwrap_or(i64::MAX));
    let mut beat = tokio::time::interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut out, mut err) = (true, true);
    let ended: Result<ExitStatus, Stopped> = loop {
        let left = Duration::from_millis(u64::try_from(until - cx.clock().now_ms()).unwrap_or(0));
        if left.is_zero() {
            break Err(Stopped::TimedOut { after: bounds.timeout, messages: String::new() });
        }
        if stdout.bytes.saturating_add(stderr.bytes) > bounds.output {
            break Err(Stopped::TooMuchOutput(bounds.output));
        }
        tokio::select! {
            biased;
            () = cx.cancel.cancelled() => break Err(Stopped::Cancelled),
            status = child.wait() => break status.map_err(Stopped::NotStarted),
            _ = beat.tick() => {
                cx.alive();
                if let Err(why) = look(&child, bounds).await {
                    break Err(why);
                }
            }
            more = stdout.read(&mut line), if out => out = more,
            more = stderr.read(), if err => err = more,
            () = cx.clock().sleep(left) => {}
        }
    };
    let grace = match &ended {
        Err(Stopped::Cancelled | Stopped::TimedOut { .. }) => bounds.grace,
        _ => Duration::ZERO,
    };
    child.end(grace).await;
    writing.abort();
    let rest = async {
        while out && stdout.bytes <= bounds.output {
            out = stdout.read(&mut line).await;
        }
        while err && stderr.bytes <= bounds.output {
            err = stderr.read().await;
        }
    };
    // Something that got away may still hold the pipes.
    let _ = tokio::time::timeout(LAST_WORDS, rest).await;
    let messages = crate::logging::masked(&stderr.text());
    match ended {
        Ok(status) if stdout.bytes.saturating_add(stderr.bytes) > bounds.output => {
            tracing::warn!(%status, "a program said too much");
            Err(Stopped::TooMuchOutput(bounds.output))
        }
        Ok(status) => Ok(Ended { exit: exit(status), messages }),
        Err(Stopped::TimedOut { after, .. }) => Err(Stopped::TimedOut { after, messages }),
        Err(why) => Err(why),
    }
}

#[cfg(unix)]
fn exit(status: ExitStatus) -> Exit {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, signal) => Exit::Signal(signal.unwrap_or(0)),
    }
}

#[cfg(not(unix))]
fn exit(status: ExitStatus) -> Exit {
    Exit::Code(status.code().unwrap_or(-1))
}

async fn look(child: &Child, bounds: &Bounds) -> Result<(), Stopped> {
    if child.processes().is_some_and(|n| n > bounds.processes) {
        return Err(Stopped::TooManyProcesses(bounds.processes));
    }
    let (dir, entries, bytes, free) = (bounds.dir.clone(), bounds.entries, bounds.bytes, bounds.free);
    let found = tokio::task::spawn_blocking(move || {
        if fs4::available_space(&dir).is_ok_and(|left| left < free) {
            return Err(Stopped::DiskFull(free));
        }
        measure(&dir, entries, bytes)
    });
    found.await.unwrap_or(Ok(()))
}

/// Looks at what lies below `dir` without following anything, and stops as soon as it is too much.
fn measure(dir: &Path, most_entries: usize, most_bytes: u64) -> Result<(), Stopped> {
    let (mut entries, mut bytes) = (0, 0_u64);
    let mut open = vec![(dir.to_owned(), 0)];
    while let Some((dir, depth)) = open.pop() {
        // What cannot be read now is judged when the program has ended.
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            entries += 1;
            if entries > most_entries {
                return Err(Stopped::TooManyFiles(most_entries));
            }
            match entry.metadata() {
                Ok(meta) if meta.is_dir() && depth < MAX_DEPTH => open.push((entry.path(), depth + 1)),
                Ok(meta) if meta.is_file() => bytes = bytes.saturating_add(meta.len()),
                _ => {}
            }
            if bytes > most_bytes {
                return Err(Stopped::TooManyBytes(most_bytes));
            }
        }
    }
    Ok(())
}
