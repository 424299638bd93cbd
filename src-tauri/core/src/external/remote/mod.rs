//! A worker on another machine: asks a shop for work, fetches courses as the shop's own workers do, sends the files, and
//! says how it went. It has no database; whatever it holds can be deleted at any time.
//!
//! [`work`] is its life, the command line calls it. `calls` talks to the shop, `task` does one piece of work, `fetcher`
//! knows what this machine fetches and by which ways.

mod calls;
mod fetcher;
mod task;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use url::Url;

use self::calls::{Calls, Refusal};
use self::fetcher::Fetcher;
use self::task::Ended;
use crate::lock::{DirectoryLock, NotLocked};
use crate::ports::Clock;

/// How long the shop may hold the question for work, seconds.
const WAIT_S: u64 = 25;
/// Wait after the first failed question; doubles with each further one.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest wait between two questions.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A shop that answers at once that there is nothing is not asked again at once.
const IDLE_PAUSE: Duration = Duration::from_secs(5);

/// How a worker is started.
#[derive(Clone)]
pub struct Remote {
    /// The shop's public address, without a path.
    pub url: Url,
    /// The worker's name at the shop.
    pub name: String,
    /// Its key, `whsec_…`.
    pub key: SecretString,
    /// Where it keeps what it fetches.
    pub work_dir: PathBuf,
    /// Ends after one question and at most one task.
    pub once: bool,
    /// Allows plain `http` to other machines.
    pub insecure: bool,
    /// Programs of this machine that a shop may have run, absolute. Empty: it fetches from servers only.
    pub programs: Vec<PathBuf>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Takes a line for whoever watches it.
    pub say: Arc<dyn Fn(&str) + Send + Sync>,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote")
            .field("url", &self.url.as_str())
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// How a worker's life went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It was asked to stop, or did the one task it was for.
    Done,
    /// There was nothing to do.
    Nothing,
    /// The one task failed; the shop knows.
    TaskFailed,
}

/// Why a worker cannot work.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The command line makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The shop will not have it: `worker_revoked`, `signature_invalid`, …
    #[error("the shop refuses this worker: {code}: {detail}")]
    Refused {
        /// Stable code.
        code: String,
        /// The shop's words.
        detail: String,
    },
    /// The shop cannot be reached now.
    #[error("the shop cannot be reached: {0}")]
    Unreachable(String),
    /// Another worker uses the directory.
    #[error("{0} is in use by another worker")]
    Taken(PathBuf),
    /// This machine's word.
    #[error("{0}")]
    Machine(String),
}

/// Works for a shop until `stop`. What is under way then is given back to the shop.
///
/// # Errors
/// [`RemoteError`]; a shop that cannot be reached is one only with `once`.
pub async fn work(remote: Remote, stop: CancellationToken) -> Result<Life, RemoteError> {
    check_url(&remote.url, remote.insecure)?;
    crate::private_file::create_folder(&remote.work_dir)
        .map_err(|error| RemoteError::Machine(format!("{}: {error}", remote.work_dir.display())))?;
    let _lock = DirectoryLock::take(&remote.work_dir).map_err(|not| match not {
        NotLocked::Taken => RemoteError::Taken(remote.work_dir.clone()),
        NotLocked::Io(error) => RemoteError::Machine(error.to_string()),
    })?;
    let calls = Calls::new(&remote).map_err(RemoteError::Machine)?;
    let fetcher = Fetcher::new(&remote.programs)?;
    let mut pause = PAUSE;
    // The same id until there is an answer: the shop gives the same tasks again when its answer was lost.
    let mut id = calls::new_id();
    loop {
        let asked_at = remote.clock.now_ms();
        let answer = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(Life::Done),
            answer = calls.claim(&id, WAIT_S, fetcher.sources()) => answer,
        };
        match answer {
            Ok(tasks) => {
                id = calls::new_id();
                pause = PAUSE;
                let nothing = tasks.is_empty();
                for given in tasks {
                    let ended = task::run(&remote, &calls, &fetcher, given, &stop).await?;
                    if remote.once {
                        return Ok(if ended == Ended::Failed { Life::TaskFailed } else { Life::Done });
                    }
                }
                if nothing && remote.once {
                    return Ok(Life::Nothing);
                }
                if nothing && remote.clock.now_ms() - asked_at < 1_000 {
                    rest(&remote, IDLE_PAUSE, &stop).await;
                }
            }
            Err(Refusal::Unclear(why)) => {
                if remote.once {
                    return Err(RemoteError::Unreachable(why));
                }
                (remote.say)(&format!(
                    "the shop cannot be reached, next try in {} s: {why}",
                    pause.as_secs()
                ));
                rest(&remote, pause, &stop).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(Refusal::Said { code, detail, .. }) => return Err(RemoteError::Refused { code, detail }),
        }
    }
}

async fn rest(remote: &Remote, pause: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = remote.clock.sleep(pause) => {}
    }
}

/// Names of courses and addresses of sources travel over it, and sometimes a source's key.
fn check_url(url: &Url, insecure: bool) -> Result<(), RemoteError> {
    let usage = |text: &str| Err(RemoteError::Usage(text.to_owned()));
    if !matches!(url.path(), "" | "/")
        || url.query().is_some()
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return usage("--url is the shop's public address, https://HOST, without a path");
    }
    let local = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => return usage("--url names no host"),
    };
    match url.scheme() {
        "https" => Ok(()),
        "http" if local || insecure => Ok(()),
        "http" => {
            usage("plain http to another machine: use https, or --insecure inside a network that you trust")
        }
        _ => usage("--url begins with https://"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_leaves_the_machine_only_when_it_is_asked_for() {
        let check = |url: &str, insecure| check_url(&url.parse().unwrap(), insecure).is_ok();
        assert!(check("https://shop.example.com", false) && check("http://127.0.0.1:8686", false));
        assert!(check("http://[::1]:8686/", false) && check("http://localhost:8686", false));
        assert!(!check("http://shop.example.com", false) && !check("http://192.168.1.9", false));
        assert!(check("http://192.168.1.9", true));
        for odd in ["ftp://shop.example.com", "https://u:p@shop.example.com", "https://shop.example.com/shop"]
        {
            assert!(!check(odd, true), "{odd}");
        }
    }
}
