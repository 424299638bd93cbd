//! One rclone for the shop: started with an environment of its own and a login that nobody else knows, replaced
//! when it dies, ended with us.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use rand::Rng;
use rclone::{Ends, OLDEST, Place, Rclone, Section};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use super::cache::Cache;
use super::{End, RemoteSpec, stage_error};
use crate::config::RcloneConfig;
use crate::ports::Clock;
use crate::programs::{Child, Launch, Limits};
use crate::secrets::Credentials;
use crate::workers::StageError;

/// How often a starting rclone is asked whether it is there, and how many times.
const KNOCK: Duration = Duration::from_millis(50);
const KNOCKS: usize = 400;
/// How long it may take to end.
const GRACE: Duration = Duration::from_secs(5);
/// How long words of a dead child may stay in the pipe.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Longest path of a socket that every Unix takes.
const LONGEST_SOCKET: usize = 100;
/// Longest line of its messages that is kept, bytes.
const LONGEST_LINE: u64 = 8 * 1024;
const USER: &str = "chotdon";
/// Options whose values are never logged, by a part of their names.
const SECRET_OPTIONS: &[&str] =
    &["pass", "secret", "token", "key", "credential", "auth", "cookie", "sas", "client_id", "user"];

/// The remotes of the shop. Cheap to clone; clones share one rclone.
#[derive(Clone)]
pub struct Remotes {
    inner: Arc<Inner>,
}

struct Inner {
    /// Private; holds the socket.
    dir: PathBuf,
    program: RwLock<PathBuf>,
    clock: Arc<dyn Clock>,
    credentials: Credentials,
    running: tokio::sync::Mutex<Option<Running>>,
    cache: Arc<Cache>,
}

struct Running {
    child: Child,
    talk: Rclone,
    /// Remote → digest of the configuration it has.
    known: HashMap<String, [u8; 32]>,
    /// Removed with it when the socket had to lie elsewhere.
    elsewhere: Option<PathBuf>,
}

impl std::fmt::Debug for Remotes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remotes").field("dir", &self.inner.dir).finish_non_exhaustive()
    }
}

impl Remotes {
    /// Remotes by the rclone that `config` names. Its socket and what buyers download lie in `dir`. Nothing is started
    /// yet.
    #[must_use]
    pub fn new(dir: PathBuf, config: &RcloneConfig, clock: Arc<dyn Clock>, credentials: Credentials) -> Self {
        let running = tokio::sync::Mutex::default();
        let program = RwLock::new(PathBuf::from(&config.path));
        let cache = Arc::new(Cache::new(dir.join("downloads"), u64::from(config.cache_mb) << 20));
        Self { inner: Arc::new(Inner { dir, program, clock, credentials, running, cache }) }
    }

    /// Other settings: the program from its next start on, the rest at once.
    pub fn set(&self, config: &RcloneConfig) {
        let program = PathBuf::from(&config.path);
        *self.inner.program.write().unwrap_or_else(PoisonError::into_inner) = program;
        self.inner.cache.set_most(u64::from(config.cache_mb) << 20);
    }

    pub(super) fn cache(&self) -> &Arc<Cache> {
        &self.inner.cache
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// Ends rclone, when it runs.
    pub async fn quit(&self) {
        if let Some(running) = self.inner.running.lock().await.take() {
            running.end().await;
        }
    }

    /// Process id of the running rclone, for tests that kill it.
    pub async fn process(&self) -> Option<u32> {
        self.inner.running.lock().await.as_ref().and_then(|running| running.child.id())
    }

    /// A connection to an rclone that knows this remote, and the remote's directory as a place.
    ///
    /// # Errors
    /// Permanent `rclone_missing`, `rclone_too_old`, `rclone_remote_unknown` (no such secret),
    /// `rclone_remote_invalid`; transient `rclone_stopped`, `rclone_failed`, `secret_store_unavailable`.
    pub(in super::super) async fn open(
        &self,
        spec: RemoteSpec<'_>,
        end: End,
    ) -> Result<(Rclone, Place), StageError> {
        super::check_remote(spec).map_err(|why| StageError::permanent("rclone_remote_invalid", why))?;
        let sections = self.configuration(spec).await?;
        let mut slot = self.inner.running.lock().await;
        if slot.as_mut().is_some_and(|running| running.child.has_ended())
            && let Some(dead) = slot.take()
        {
            tracing::warn!("rclone has ended; it is started again");
            dead.end().await;
        }
        let running = match &mut *slot {
            Some(running) => running,
            empty => empty.insert(self.inner.start().await?),
        };
        running.learn(&sections).await.map_err(|error| stage_error(&error, end))?;
        Ok((running.talk.clone(), Place::remote(spec.remote, spec.path)))
    }

    async fn configuration(&self, spec: RemoteSpec<'_>) -> Result<Vec<Section>, StageError> {
        let name = spec.secret_name()?;
        let value = self.inner.credentials.get(&name, self.inner.clock.now_ms()).await;
        let value =
            value.map_err(|error| StageError::transient("secret_store_unavailable", error.to_string()))?;
        let Some(value) = value else {
            let detail = format!("the secret {name} with the remote's configuration is not set");
            return Err(StageError::permanent("rclone_remote_unknown", detail));
        };
        let sections = rclone::sections(spec.remote, value.expose_secret())
            .map_err(|why| StageError::permanent("rclone_remote_invalid", format!("{name}: {why}")))?;
        for (option, value) in sections.iter().flat_map(|section| &section.options) {
            if SECRET_OPTIONS.iter().any(|part| option.contains(part)) {
                crate::logging::hide(value);
            } else if option.contains("headers") {
                // `NAME,VALUE,NAME,VALUE`; what a server wants to see is often a key.
                for value in value.expose_secret().split(',').skip(1).step_by(2) {
                    crate::logging::hide(&value.trim().to_owned().into());
                }
            }
        }
        Ok(sections)
    }
}

impl Running {
    /// Configures what is new or has changed.
    async fn learn(&mut self, sections: &[Section]) -> Result<(), rclone::Error> {
        let mut changed = false;
        for section in sections {
            let digest = digest(section);
            if self.known.get(&section.name) == Some(&digest) {
                continue;
            }
            changed |= self.known.remove(&section.name).is_some();
            self.talk.create_remote(section).await?;
            self.known.insert(section.name.clone(), digest);
        }
        if changed { self.talk.forget_open_remotes().await } else { Ok(()) }
    }

    async fn end(mut self) {
        if !self.child.has_ended() {
            self.talk.quit().await;
        }
        self.child.end(GRACE).await;
        if let Some(dir) = self.elsewhere {
            let _ = tokio::fs::remove_dir_all(dir).await;
        }
    }
}

impl Inner {
    async fn start(&self) -> Result<Running, StageError> {
        let failed = |what: &str, error: std::io::Error| {
            StageError::transient("rclone_failed", format!("{what}: {error}"))
        };
        let (dir, elsewhere) =
            self.socket_dir().map_err(|e| failed("no directory for rclone's socket", e))?;
        let socket = dir.join("rc.sock");
        // A killed rclone leaves its socket, and the next one would not start.
        if let Err(error) = std::fs::remove_file(&socket)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(failed("a stale socket", error));
        }
        let password = login();
        let program = self.program.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut address = std::ffi::OsString::from("unix://");
        address.push(&socket);
        let launch = Launch {
            program: program.clone(),
            // Without a file, remotes are kept in memory only.
            args: ["rcd", "--config=", "--rc-job-expire-duration=24h", "--rc-addr"]
                .into_iter()
                .map(Into::into)
                .chain([address])
                .collect(),
            env: vec![
                ("HOME".into(), dir.clone().into()),
                ("RCLONE_CACHE_DIR".into(), dir.join("cache").into()),
                ("RCLONE_RC_USER".into(), USER.into()),
                ("RCLONE_RC_PASS".into(), password.expose_secret().into()),
            ],
            dir: dir.clone(),
            limits: Limits::default(),
        };
        let mut child = Child::start(&launch, self.clock.clone())
            .await
            .map_err(|e| failed("rclone is not started", e))?;
        child.stdin.take();
        let mut words = Words::of(&mut child);
        let talk = Rclone::new(&ends(&socket), USER, password).map_err(|e| stage_error(&e, End::Source))?;
        match ready(&mut child, &talk, &program, &mut words).await {
            Ok(()) => Ok(Running { child, talk, known: HashMap::new(), elsewhere }),
            Err(error) => {
                child.end(Duration::ZERO).await;
                Err(error)
            }
        }
    }

    /// A private directory in which the socket's path is short enough, and whether it is to be removed later.
    fn socket_dir(&self) -> std::io::Result<(PathBuf, Option<PathBuf>)> {
        if self.dir.join("rc.sock").as_os_str().len() <= LONGEST_SOCKET {
            crate::private_file::create_folder(&self.dir)?;
            return Ok((self.dir.clone(), None));
        }
        let dir = std::env::temp_dir().join(format!("chotdon-{:016x}", rand::random::<u64>()));
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&dir)?;
        Ok((dir.clone(), Some(dir)))
    }
}

#[cfg(unix)]
fn ends(socket: &Path) -> Ends {
    Ends::Socket(socket.to_owned())
}

/// Without sockets in the file system rclone cannot be reached; it does not start with such an address either.
#[cfg(not(unix))]
fn ends(_: &Path) -> Ends {
    Ends::Port(0)
}

/// Waits until it answers, and looks whether it is new enough.
async fn ready(
    child: &mut Child,
    talk: &Rclone,
    program: &Path,
    words: &mut Words,
) -> Result<(), StageError> {
    let mut knock = tokio::time::interval(KNOCK);
    for _ in 0..KNOCKS {
        knock.tick().await;
        match talk.version().await {
            Ok(version) if version < OLDEST => {
                let detail = format!("rclone {version}; {OLDEST} or newer is needed");
                return Err(StageError::permanent("rclone_too_old", detail));
            }
            Ok(version) => {
                tracing::info!(%version, "rclone runs");
                return Ok(());
            }
            Err(rclone::Error::Unreachable(_)) if !child.has_ended() => {}
            Err(rclone::Error::Unreachable(_)) => return Err(not_started(child, program, words).await),
            Err(error) => return Err(stage_error(&error, End::Source)),
        }
    }
    Err(StageError::transient("rclone_failed", "rclone was started and does not answer"))
}

async fn not_started(child: &mut Child, program: &Path, words: &mut Words) -> StageError {
    let code = child.wait().await.ok().and_then(|status| status.code());
    let said = words.complete().await;
    match code {
        Some(126 | 127) => StageError::permanent(
            "rclone_missing",
            format!("{} cannot be executed: {said}", program.display()),
        ),
        // Before 1.61 a socket is no address that it understands.
        _ if said.contains("unknown port") || said.contains("unknown flag") => {
            StageError::permanent("rclone_too_old", format!("{OLDEST} or newer is needed: {said}"))
        }
        _ => StageError::transient("rclone_failed", format!("rclone ended at its start: {said}")),
    }
}

/// What rclone says: kept out of the way of its pipes, masked, the last line remembered.
struct Words {
    last: Arc<Mutex<String>>,
    listening: Option<tokio::task::JoinHandle<()>>,
}

impl Words {
    fn of(child: &mut Child) -> Self {
        if let Some(mut stdout) = child.stdout.take() {
            tokio::spawn(async move { tokio::io::copy(&mut stdout, &mut tokio::io::sink()).await });
        }
        let last = Arc::default();
        let listening = child.stderr.take().map(|stderr| tokio::spawn(keep_last(stderr, Arc::clone(&last))));
        Self { last, listening }
    }

    /// The last line of a child that has ended. What it wrote may still be on its way through the pipe, which
    /// ends with the child, unless something that it started holds the other end.
    async fn complete(&mut self) -> String {
        if let Some(listening) = self.listening.take() {
            let _ = tokio::time::timeout(LAST_WORDS, listening).await;
        }
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn keep_last(stderr: tokio::process::ChildStderr, last: Arc<Mutex<String>>) {
    let mut reader = BufReader::new(stderr);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut reader).take(LONGEST_LINE).read_until(b'\n', &mut line).await {
            Ok(read) if read > 0 => {
                let text = crate::logging::masked(String::from_utf8_lossy(&line).trim());
                tracing::debug!(%text, "rclone says");
                *last.lock().unwrap_or_else(PoisonError::into_inner) = text;
            }
            _ => return,
        }
    }
}

/// A password for one run of rclone: 32 bytes, in hex.
fn login() -> SecretString {
    let mut bytes = [0_u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    let password = SecretString::from(hex::encode(bytes));
    crate::logging::hide(&password);
    password
}

fn digest(section: &Section) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    add(&section.kind);
    for (option, value) in &section.options {
        add(option);
        add(value.expose_secret());
    }
    hash.finalize().into()
}
