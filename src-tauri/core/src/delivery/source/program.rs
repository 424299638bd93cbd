//! A program of the owner's as source: it is told what is wanted, runs in an empty directory, and what it leaves
//! there is taken for hostile. Its contract is `docs/downloader.md`.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::super::files::{Slot, blocking, discard_staging, write_error};
use super::super::leftovers::{Left, Tree, Unsafe, inspect, remove};
use super::super::manifest::{MAX_FILES, Manifest};
use super::{CourseAsked, SourceSpec, listed};
use crate::config::DownloaderConfig;
use crate::programs::{self, Bounds, Ended, Exit, Launch, Limits, Stopped};
use crate::workers::{StageContext, StageError};

/// Ends with this code: try again later (`EX_TEMPFAIL`).
const TEMPORARY: i32 = 75;
/// The shell's codes for a program that cannot be executed, and one that is not there.
const NOT_EXECUTED: [i32; 2] = [126, 127];
/// What a program may not use up of the disk.
const KEEP_FREE: u64 = 256 << 20;
/// Characters of a program's own words that are kept.
const WORDS: usize = 1_000;

/// Runs downloaders within bounds.
#[derive(Debug, Clone)]
pub struct Downloader {
    bounds: Arc<std::sync::RwLock<DownloaderConfig>>,
}

/// What a course's source says of its program.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// Absolute path of the program.
    pub command: &'a Path,
    args: &'a [String],
    env: &'a BTreeMap<String, String>,
    timeout_s: Option<u32>,
}

impl<'a> Order<'a> {
    /// The program of this source; `None` for sources of other kinds.
    #[must_use]
    pub fn of(source: &'a SourceSpec) -> Option<Self> {
        match source {
            SourceSpec::Program { command, args, env, timeout_s, .. } => {
                Some(Self { command, args, env, timeout_s: *timeout_s })
            }
            _ => None,
        }
    }
}

/// Refuses what cannot be started, or would change how it is started.
pub(super) fn validate(
    command: &Path,
    args: &[String],
    env: &BTreeMap<String, String>,
    timeout_s: Option<u32>,
) -> Result<(), String> {
    if !command.is_absolute() {
        return Err("the downloader's path is not absolute".to_owned());
    }
    let has_nul = |text: &String| text.contains('\0');
    if args.iter().any(has_nul) || env.values().any(has_nul) {
        return Err("the downloader's arguments contain a null character".to_owned());
    }
    let odd = |name: &&String| {
        name.is_empty()
            || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            || name.starts_with("CHOTDON_")
            || name.starts_with("LD_")
    };
    if let Some(name) = env.keys().find(odd) {
        return Err(format!("the downloader's environment may not have the variable {name:?}"));
    }
    match timeout_s {
        Some(0) => Err("the downloader's time is 0 s".to_owned()),
        _ => Ok(()),
    }
}

/// A line of the program's output. Lines that are something else are passed over.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line {
    done: Option<u64>,
    total: Option<u64>,
    item: Option<String>,
    error: Option<String>,
    file: Option<Announced>,
}

/// A file that the program says it leaves.
#[derive(Debug, Deserialize)]
struct Announced {
    path: String,
    size: Option<u64>,
    sha256: Option<String>,
}

/// What the program said.
#[derive(Debug, Default)]
struct Said {
    done: u64,
    total: u64,
    error: Option<String>,
    files: HashMap<String, Announced>,
    too_many: bool,
}

impl Downloader {
    /// Runs programs within these bounds, until they are set anew.
    #[must_use]
    pub fn new(config: DownloaderConfig) -> Self {
        Self { bounds: Arc::new(std::sync::RwLock::new(config)) }
    }

    /// Bounds for programs started from now on.
    pub fn set(&self, config: DownloaderConfig) {
        *self.bounds.write().unwrap_or_else(std::sync::PoisonError::into_inner) = config;
    }

    fn config(&self) -> DownloaderConfig {
        self.bounds.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Runs the program in an empty directory below `staging` and takes over what it left.
    ///
    /// # Errors
    /// Permanent: `downloader_missing`, `downloader_failed`, `downloader_unsafe`, `downloader_too_much`,
    /// `downloader_empty`. Transient: `downloader_temporary`, `downloader_timeout`, `checksum_mismatch` (not what
    /// it announced), `disk_full`, `target_unwritable`, `cancelled`.
    pub async fn fetch(
        &self,
        cx: &StageContext,
        order: Order<'_>,
        asked: CourseAsked<'_>,
        staging: &Path,
        secret: Option<SecretString>,
    ) -> Result<Manifest, StageError> {
        let config = self.config();
        executable(order.command).await?;
        let room = Room::prepare(cx, staging).await?;
        let said = self.run(cx, &config, order, asked, &room, secret).await;
        let taken = match said {
            Ok(said) => room.take_over(cx, &config, said, staging).await,
            Err(error) => Err(error),
        };
        let cleared = room.clear(cx).await;
        let manifest = taken?;
        cleared?;
        Ok(manifest)
    }

    async fn run(
        &self,
        cx: &StageContext,
        config: &DownloaderConfig,
        order: Order<'_>,
        asked: CourseAsked<'_>,
        room: &Room,
        secret: Option<SecretString>,
    ) -> Result<Said, StageError> {
        let most_bytes = u64::from(config.max_gb) << 30;
        let launch = Launch {
            program: order.command.to_owned(),
            args: order.args.iter().map(OsString::from).collect(),
            env: room.environment(order.env),
            dir: room.files(),
            limits: Limits { file_bytes: most_bytes, processes: u32::from(config.max_processes) },
        };
        let bounds = Bounds {
            timeout: Duration::from_secs(u64::from(order.timeout_s.unwrap_or(config.timeout_s))),
            grace: Duration::from_secs(u64::from(config.grace_s)),
            output: u64::from(config.max_output_mb) << 20,
            processes: usize::from(config.max_processes),
            dir: room.dir.clone(),
            // Folders, and what the program keeps for itself.
            entries: usize::from(config.max_files) * 3 + 100,
            bytes: most_bytes,
            free: KEEP_FREE,
        };
        let request = json!({
            "course": asked.slug,
            "version": asked.version,
            "secret": secret.as_ref().map(ExposeSecret::expose_secret),
        });
        let mut said = Said::default();
        let (meter, most_files) = (cx.clone(), usize::from(config.max_files));
        let ended = programs::run(cx, &launch, &bounds, format!("{request}\n").into_bytes(), |line| {
            said.hear(&meter, line, most_files);
        })
        .await;
        judge(ended, &said)?;
        if said.too_many {
            let detail = format!("it announced more than {most_files} files");
            return Err(StageError::permanent("downloader_too_much", detail));
        }
        Ok(said)
    }
}

impl Said {
    fn hear(&mut self, cx: &StageContext, line: &str, most_files: usize) {
        let Ok(line) = serde_json::from_str::<Line>(line) else { return };
        if let Some(item) = line.item {
            cx.item(&item.chars().filter(|c| !c.is_control()).take(200).collect::<String>());
        }
        if line.done.is_some() || line.total.is_some() {
            self.done = line.done.unwrap_or(self.done);
            self.total = line.total.unwrap_or(self.total);
            cx.progress(self.done, self.total);
        }
        if let Some(error) = line.error {
            self.error = Some(error.chars().take(WORDS).collect());
        }
        if let Some(file) = line.file {
            self.too_many |= self.files.len() >= most_files;
            if !self.too_many {
                self.files.insert(file.path.clone(), file);
            }
        }
    }

    /// The program's own words for what went wrong, masked.
    fn words(&self, ended: &Ended) -> String {
        match &self.error {
            Some(error) => crate::logging::masked(error),
            None => {
                let skip = ended.messages.chars().count().saturating_sub(WORDS);
                ended.messages.chars().skip(skip).collect()
            }
        }
    }
}

/// What its end means.
fn judge(ended: Result<Ended, Stopped>, said: &Said) -> Result<(), StageError> {
    let ended = ended.map_err(stopped)?;
    let words = said.words(&ended);
    match ended.exit {
        Exit::Code(0) => Ok(()),
        Exit::Code(TEMPORARY) => Err(StageError::transient("downloader_temporary", words)),
        Exit::Code(code) if NOT_EXECUTED.contains(&code) => {
            Err(StageError::permanent("downloader_missing", format!("it cannot be executed: {words}")))
        }
        Exit::Code(code) => {
            Err(StageError::permanent("downloader_failed", format!("exit code {code}: {words}")))
        }
        #[cfg(unix)]
        Exit::Signal(signal) if signal == rustix::process::Signal::XFSZ.as_raw() => {
            Err(StageError::permanent("downloader_too_much", "a file became too large"))
        }
        // Out of memory, or somebody else's kill: it may go better the next time.
        Exit::Signal(signal) => {
            Err(StageError::transient("downloader_temporary", format!("ended by signal {signal}: {words}")))
        }
    }
}

fn stopped(why: Stopped) -> StageError {
    let detail = why.to_string();
    match why {
        Stopped::Cancelled => StageError::transient("cancelled", detail),
        Stopped::NotStarted(_) => StageError::transient("downloader_temporary", detail),
        Stopped::TimedOut { .. } => StageError::transient("downloader_timeout", detail),
        Stopped::DiskFull(_) => StageError::transient("disk_full", detail),
        Stopped::TooMuchOutput(_)
        | Stopped::TooManyProcesses(_)
        | Stopped::TooManyFiles(_)
        | Stopped::TooManyBytes(_) => StageError::permanent("downloader_too_much", detail),
    }
}

/// Whether the owner's program is there and may be executed.
///
/// # Errors
/// Permanent `downloader_missing` when not.
pub async fn executable(command: &Path) -> Result<(), StageError> {
    let missing =
        |why: String| StageError::permanent("downloader_missing", format!("{}: {why}", command.display()));
    let meta = tokio::fs::metadata(command).await.map_err(|e| missing(e.to_string()))?;
    if !meta.is_file() {
        return Err(missing("it is not a file".to_owned()));
    }
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o111 == 0 {
        return Err(missing("it may not be executed".to_owned()));
    }
    Ok(())
}

/// The directories of one run: `files` is where it works and leaves the course, `keep` stays for the next run.
#[derive(Debug)]
struct Room {
    dir: PathBuf,
    tree: Arc<Tree>,
}

impl Room {
    async fn prepare(cx: &StageContext, staging: &Path) -> Result<Self, StageError> {
        let (dir, alive, staging) = (staging.join("program"), cx.clone(), staging.to_owned());
        blocking(move || {
            crate::private_file::create_folder(&staging).map_err(|e| write_error(&e, &staging))?;
            for name in ["files", "home", "tmp"] {
                let stale = dir.join(name);
                remove(&stale, &|| alive.alive()).map_err(|e| write_error(&e, &stale))?;
            }
            let make = || -> std::io::Result<Tree> {
                for name in ["keep", "home", "tmp"] {
                    crate::private_file::create_folder(&dir.join(name))?;
                }
                Tree::create(&dir.join("files"))
            };
            let tree = make().map_err(|e| write_error(&e, &dir))?;
            Ok(Self { dir, tree: Arc::new(tree) })
        })
        .await
    }

    fn files(&self) -> PathBuf {
        self.dir.join("files")
    }

    fn environment(&self, own: &BTreeMap<String, String>) -> Vec<(OsString, OsString)> {
        let ours = [("HOME", "home"), ("TMPDIR", "tmp"), ("CHOTDON_KEEP", "keep"), ("CHOTDON_DIR", "files")];
        let ours = ours.into_iter().map(|(name, dir)| (name.into(), self.dir.join(dir).into_os_string()));
        ours.chain(own.iter().map(|(name, value)| (name.into(), value.into()))).collect()
    }

    /// Moves what the program left to the staging directory's own places.
    async fn take_over(
        &self,
        cx: &StageContext,
        config: &DownloaderConfig,
        said: Said,
        staging: &Path,
    ) -> Result<Manifest, StageError> {
        let (tree, most_files, most_bytes) = (
            Arc::clone(&self.tree),
            usize::from(config.max_files).min(MAX_FILES),
            u64::from(config.max_gb) << 30,
        );
        cx.alive();
        let left =
            blocking(move || inspect(&tree, most_files, most_bytes).map_err(|why| refused(&why))).await?;
        announced(&left, &said.files)?;
        discard_staging(&staging.join("files")).await?;
        let (total, mut done) = (left.iter().map(|one| one.size).sum::<u64>(), 0);
        let mut manifest = Manifest::default();
        for one in left {
            cx.check()?;
            cx.item(&one.path);
            let (tree, path) = (Arc::clone(&self.tree), one.path.clone());
            let open = tree.open(&path);
            let file = open.map_err(|e| refused(&Unsafe::Unreadable(path.clone(), e.to_string())))?;
            let meter = cx.clone();
            let slot = Slot::new(staging, &one.path);
            let taken = slot
                .adopt(
                    cx,
                    file,
                    move |file, to| tree.take(&path, file, to),
                    move |read| meter.progress(done + read, total),
                )
                .await?;
            if taken.size != one.size {
                let detail = format!("{:?} had {} bytes and has {}", one.path, one.size, taken.size);
                return Err(StageError::permanent("downloader_unsafe", detail));
            }
            if let Some(sum) = said.files.get(&one.path).and_then(|file| file.sha256.as_ref())
                && !sum.eq_ignore_ascii_case(&taken.sha256)
            {
                let detail = format!("{:?}: sha256 {} instead of {sum:.64}", one.path, taken.sha256);
                return Err(StageError::transient("checksum_mismatch", detail));
            }
            done += taken.size;
            manifest.files.push(listed(&one.path, taken));
        }
        Ok(manifest)
    }

    /// Removes what is left of the run, except what the program keeps.
    async fn clear(self, cx: &StageContext) -> Result<(), StageError> {
        let cx = cx.clone();
        blocking(move || {
            for name in ["files", "home", "tmp"] {
                let dir = self.dir.join(name);
                remove(&dir, &|| cx.alive()).map_err(|e| write_error(&e, &dir))?;
            }
            Ok(())
        })
        .await
    }
}

/// Compares what was left with what the program said it leaves, when it said anything.
fn announced(left: &[Left], files: &HashMap<String, Announced>) -> Result<(), StageError> {
    if files.is_empty() {
        return Ok(());
    }
    let differ = |detail: String| Err(StageError::transient("checksum_mismatch", detail));
    for one in left {
        match files.get(&one.path) {
            None => return differ(format!("{:?} was left and not announced", one.path)),
            Some(file) if file.size.is_some_and(|size| size != one.size) => {
                return differ(format!("{:?} has {} bytes, not what was announced", one.path, one.size));
            }
            Some(_) => {}
        }
    }
    if files.len() != left.len() {
        let missing = files.keys().find(|path| !left.iter().any(|one| one.path == **path));
        return differ(format!(
            "{:?} was announced and not left",
            missing.map(String::as_str).unwrap_or_default()
        ));
    }
    Ok(())
}

fn refused(why: &Unsafe) -> StageError {
    // A hostile program may name a file after what it was given.
    let detail = crate::logging::masked(&why.to_string());
    match why {
        Unsafe::Trick(..) | Unsafe::Unreadable(..) => StageError::permanent("downloader_unsafe", detail),
        Unsafe::TooMuch(_) => StageError::permanent("downloader_too_much", detail),
        Unsafe::Nothing => StageError::permanent("downloader_empty", detail),
    }
}
