//! A stage with a clock that only the test moves, and programs written on the spot.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chotdon_core::config::{DownloaderConfig, RcloneConfig};
use chotdon_core::delivery::{CourseAsked, Downloader, HttpSource, Manifest, Remotes, SourceSpec, Ways};
use chotdon_core::ports::Clock;
use chotdon_core::secrets::{Credentials, MemorySecrets};
use chotdon_core::workers::{Meter, StageContext, StageError};
use futures::future::BoxFuture;
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Stands still until it is moved.
#[derive(Clone)]
pub(crate) struct Hand(Arc<watch::Sender<i64>>);

impl Hand {
    /// Moves the time on by `by`.
    pub(crate) fn moves(&self, by: Duration) {
        self.0.send_modify(|now| *now += i64::try_from(by.as_millis()).unwrap());
    }
}

impl Clock for Hand {
    fn now_ms(&self) -> i64 {
        *self.0.borrow()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let until = self.now_ms() + i64::try_from(duration.as_millis()).unwrap();
        let mut time = self.0.subscribe();
        Box::pin(async move {
            let _ = time.wait_for(|now| *now >= until).await;
        })
    }
}

/// A stage, its directories, and bounds for its program.
pub(crate) struct Bench {
    pub(crate) cx: StageContext,
    pub(crate) meter: Arc<Meter>,
    pub(crate) clock: Hand,
    pub(crate) bounds: DownloaderConfig,
    pub(crate) env: BTreeMap<String, String>,
    dir: Arc<TempDir>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let (meter, clock) =
            (Arc::new(Meter::default()), Hand(Arc::new(watch::Sender::new(1_700_000_000_000))));
        let cx = StageContext::new(CancellationToken::new(), Arc::clone(&meter), Arc::new(clock.clone()));
        let dir = Arc::new(tempfile::tempdir().unwrap());
        Self { cx, meter, clock, bounds: DownloaderConfig::default(), env: BTreeMap::new(), dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn staging(&self) -> PathBuf {
        self.path("staging")
    }

    /// What was taken over, as text.
    pub(crate) fn taken(&self, path: &str) -> String {
        fs::read_to_string(self.staging().join("files").join(path)).unwrap()
    }

    /// Writes a shell script and answers the source that runs it.
    pub(crate) fn script(&self, text: &str) -> SourceSpec {
        let path = self.path("downloader");
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        self.program(&path, &[])
    }

    pub(crate) fn program(&self, command: &Path, args: &[&str]) -> SourceSpec {
        SourceSpec::Program {
            command: command.to_owned(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            env: self.env.clone(),
            secret: None,
            timeout_s: None,
            worker: None,
            share_secret: false,
        }
    }

    pub(crate) async fn fetch(
        &self,
        spec: &SourceSpec,
        secret: Option<&str>,
    ) -> Result<Manifest, StageError> {
        let secret = secret.map(SecretString::from);
        if let Some(secret) = &secret {
            chotdon_core::logging::hide(secret);
        }
        let ways = Ways {
            http: Arc::new(HttpSource::new().unwrap()),
            downloader: Downloader::new(self.bounds.clone()),
            remotes: Remotes::new(
                self.path("rclone"),
                &RcloneConfig::default(),
                Arc::new(self.clock.clone()),
                Credentials::new(Arc::new(MemorySecrets::default())),
            ),
        };
        let asked = CourseAsked { slug: "rust-101", version: 3 };
        ways.fetch(&self.cx, spec, asked, &self.staging(), secret).await
    }

    /// Makes a pipe; a program that opened it for writing is alive until [`all_gone`] answers.
    pub(crate) fn pipe(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }
}

/// Waits until somebody has opened `pipe` for writing, and until everybody who has is dead. Answers what they
/// wrote there.
pub(crate) async fn all_gone(pipe: &Path) -> String {
    let pipe = pipe.to_owned();
    tokio::task::spawn_blocking(move || fs::read_to_string(pipe).unwrap()).await.unwrap()
}

/// Looks again and again until `condition` holds.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    let mut look = tokio::time::interval(Duration::from_millis(20));
    while !condition() {
        look.tick().await;
    }
}

/// Processes that were given `dir` in their environment.
pub(crate) fn strays(dir: &Path) -> Vec<String> {
    let dir = dir.to_str().unwrap().as_bytes().to_owned();
    let holds = |path: &Path| {
        fs::read(path.join("environ")).is_ok_and(|text| text.windows(dir.len()).any(|part| part == dir))
    };
    let entries = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    entries
        .filter(|path| holds(path))
        .map(|path| fs::read_to_string(path.join("cmdline")).unwrap_or_default().replace('\0', " "))
        .collect()
}
