//! A shop's rclone, remotes for it, and a stage.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chotdon_core::config::{DownloaderConfig, RcloneConfig};
use chotdon_core::delivery::{
    CourseAsked, Downloader, HttpSource, Manifest, ManifestFile, RemoteSpec, Remotes, SourceSpec, Ways,
};
use chotdon_core::ports::Clock;
use chotdon_core::secrets::{Credentials, MemorySecrets};
use chotdon_core::workers::{Meter, StageContext, StageError};
use futures::future::BoxFuture;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// The machine's time.
struct Wall;

impl Clock for Wall {
    #[allow(clippy::disallowed_methods)] // the test's own clock
    fn now_ms(&self) -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        i64::try_from(since.as_millis()).unwrap()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let _ = tokio::time::timeout(duration, std::future::pending::<()>()).await;
        })
    }
}

/// A program of `CHOTDON_FOREIGN`.
#[allow(clippy::disallowed_methods)] // how the tests are told where it is
pub(crate) fn foreign(name: &str) -> PathBuf {
    let dir = std::env::var_os("CHOTDON_FOREIGN").expect("CHOTDON_FOREIGN names the directory of rclone");
    PathBuf::from(dir).join(name)
}

/// One stage with the remotes of one shop.
pub(crate) struct Bench {
    pub(crate) cx: StageContext,
    pub(crate) meter: Arc<Meter>,
    pub(crate) ways: Ways,
    dir: Arc<TempDir>,
}

impl Bench {
    /// A shop whose secrets are these.
    pub(crate) fn with(secrets: &[(&str, &str)]) -> Self {
        Self::by(foreign("rclone").to_str().unwrap(), secrets)
    }

    pub(crate) fn by(program: &str, secrets: &[(&str, &str)]) -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let credentials = Credentials::new(Arc::new(MemorySecrets::with(secrets.iter().copied())));
        let config = RcloneConfig { path: program.to_owned(), ..RcloneConfig::default() };
        let remotes = Remotes::new(dir.path().join("rclone"), &config, Arc::new(Wall), credentials);
        let ways = Ways {
            http: Arc::new(HttpSource::new().unwrap()),
            downloader: Downloader::new(DownloaderConfig::default()),
            remotes,
        };
        let meter = Arc::new(Meter::default());
        let cx = StageContext::new(CancellationToken::new(), Arc::clone(&meter), Arc::new(Wall));
        Self { cx, meter, ways, dir }
    }

    /// The next attempt: same directories, same rclone, not cancelled.
    pub(crate) fn next(&self) -> Self {
        let meter = Arc::new(Meter::default());
        let cx = StageContext::new(CancellationToken::new(), Arc::clone(&meter), Arc::new(Wall));
        Self { cx, meter, ways: self.ways.clone(), dir: Arc::clone(&self.dir) }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn staging(&self) -> PathBuf {
        self.path("staging")
    }

    pub(crate) async fn fetch(&self, remote: &str, path: &str) -> Result<Manifest, StageError> {
        let spec = SourceSpec::Rclone { remote: remote.to_owned(), path: path.to_owned(), secret: None };
        let asked = CourseAsked { slug: "rust-101", version: 1 };
        self.ways.fetch(&self.cx, &spec, asked, &self.staging(), None).await
    }

    /// Bytes that the running stage has brought so far.
    pub(crate) fn done(&self) -> u64 {
        self.meter.done.load(Ordering::Relaxed)
    }

    /// Kills rclone as a crash would.
    pub(crate) async fn kill_rclone(&self) {
        let id = self.ways.remotes.process().await.unwrap().to_string();
        assert!(Command::new("kill").args(["-9", &id]).status().unwrap().success());
    }
}

/// A directory of a remote by its default secret.
pub(crate) fn place<'a>(remote: &'a str, path: &'a str) -> RemoteSpec<'a> {
    RemoteSpec { remote, path, secret: None }
}

/// Looks again and again until `condition` holds.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    let mut look = tokio::time::interval(Duration::from_millis(20));
    while !condition() {
        look.tick().await;
    }
}

/// Writes `files` below `root` and answers their manifest.
pub(crate) fn course(root: &Path, files: &[(&str, &[u8])]) -> Manifest {
    let mut manifest = Manifest::default();
    for (path, bytes) in files {
        let to = root.join(path);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::write(&to, bytes).unwrap();
        let (size, sha256) = (bytes.len() as u64, hex::encode(Sha256::digest(bytes)));
        manifest.files.push(ManifestFile { path: (*path).to_owned(), size, sha256 });
    }
    manifest.files.sort_by(|a, b| a.path.cmp(&b.path));
    manifest
}

/// Bytes that are never the same twice.
pub(crate) fn pattern(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

pub(crate) const PASSWORD: &str = "canary-password-of-the-webdav";

/// A WebDAV server over a directory, by a second rclone: no hashes, partial files under their final names.
pub(crate) struct WebDav {
    child: Child,
    pub(crate) url: String,
}

impl WebDav {
    /// Serves `root`, with at most `limit` bytes a second (`off`, `4M`, …).
    pub(crate) fn serve(root: &Path, limit: &str) -> Self {
        let mut child = Command::new(foreign("rclone"))
            .args(["serve", "webdav", "--config=", "--addr", "127.0.0.1:0", "--bwlimit", limit, "-v"])
            .arg(root)
            .env_clear()
            .envs([("RCLONE_USER", "shop"), ("RCLONE_PASS", PASSWORD), ("HOME", "/nonexistent")])
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let url = loop {
            line.clear();
            assert!(said.read_line(&mut line).unwrap() > 0, "rclone serves nothing");
            if let Some(at) = line.find("http://127.0.0.1:") {
                break line[at..].split(['/', ']', ' ']).take(3).collect::<Vec<_>>().join("/");
            }
        };
        // Somebody has to read on.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Self { child, url: url.trim().to_owned() }
    }

    /// Its configuration as a remote, as JSON.
    pub(crate) fn options(&self) -> String {
        serde_json::json!({
            "type": "webdav", "url": self.url, "vendor": "other", "user": "shop", "pass": obscured(PASSWORD),
        })
        .to_string()
    }

    /// The same as a section of `rclone.conf`.
    pub(crate) fn section(&self, name: &str) -> String {
        format!(
            "[{name}]\ntype = webdav\nurl = {}\nvendor = other\nuser = shop\npass = {}\n",
            self.url,
            obscured(PASSWORD)
        )
    }
}

impl Drop for WebDav {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A password as rclone keeps it.
pub(crate) fn obscured(password: &str) -> String {
    let mut child = Command::new(foreign("rclone"))
        .args(["obscure", "-", "--config="])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), password.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap().trim().to_owned()
}
