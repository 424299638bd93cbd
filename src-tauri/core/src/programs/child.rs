//! Starts one child and ends it with everything that it started.
//!
//! A launcher in front of the program waits for a line on its input, so that the limits and the guard are in
//! place before the program runs. The guard is a process of its own that holds a pipe to us: when the pipe
//! closes without a word, we are dead, and it ends the group in our place.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};

use super::environment::{ALLOWED, MARK};
use super::group::{self, Group};
use crate::ports::Clock;

/// What is to be started.
#[derive(Debug, Clone)]
pub struct Launch {
    /// A path, or a name that is looked for in `PATH`.
    pub program: PathBuf,
    /// Never a secret: everybody on the machine can read them.
    pub args: Vec<OsString>,
    /// Besides `PATH` and the locale; may hold secrets.
    pub env: Vec<(OsString, OsString)>,
    /// Where it runs.
    pub dir: PathBuf,
    /// Limits that the system keeps.
    pub limits: Limits,
}

/// Limits that the system keeps, where it can. 0 = none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// Bytes of the largest file that may be written.
    pub file_bytes: u64,
    /// Processes and threads at once. Not kept for root, whom the kernel exempts.
    pub processes: u32,
}

/// A running child and everything that it started. Dropped, it is killed.
pub struct Child {
    child: tokio::process::Child,
    group: Group,
    guard: Guard,
    clock: Arc<dyn Clock>,
    /// The program's input, after the line that lets it run.
    pub stdin: Option<ChildStdin>,
    /// The program's output.
    pub stdout: Option<ChildStdout>,
    /// The program's messages.
    pub stderr: Option<ChildStderr>,
}

impl Child {
    /// Starts `launch`. Whether the program could be executed is only known from its exit: 126 or 127.
    ///
    /// # Errors
    /// When no process can be made, or the directory is not there.
    pub async fn start(launch: &Launch, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let run = format!("{:032x}", rand::random::<u128>());
        let mut command = group::launcher(&launch.program);
        command
            .args(&launch.args)
            .env_clear()
            .envs(ALLOWED.iter().copied())
            .envs(launch.env.iter().map(|(name, value)| (name, value)))
            .env(MARK, &run)
            .current_dir(&launch.dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let group = Group::of(&child, run);
        let guard = Guard::over(&group)?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let mut started = Self { child, group, guard, clock, stdin, stdout, stderr };
        started.group.limit(&launch.limits)?;
        if group::WAITS_FOR_A_LINE
            && let Some(stdin) = &mut started.stdin
        {
            stdin.write_all(b"\n").await?;
        }
        Ok(started)
    }

    /// Process id of the program; `None` after it was waited for.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// How many processes the group has now; `None` where the system does not say.
    #[must_use]
    pub fn processes(&self) -> Option<usize> {
        self.group.count()
    }

    /// Waits until the program ends by itself. Its children may live on until [`Child::end`].
    ///
    /// # Errors
    /// The system's.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Whether the program has ended.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends the whole group: asked to, then, when the program is still there after `grace`, killed. What it left
    /// running in the background is killed in any case.
    pub async fn end(mut self, grace: Duration) {
        if !self.has_ended() && !grace.is_zero() {
            self.group.ask_to_end();
            let until =
                self.clock.now_ms().saturating_add(i64::try_from(grace.as_millis()).unwrap_or(i64::MAX));
            loop {
                let left = until.saturating_sub(self.clock.now_ms());
                let Ok(left) = u64::try_from(left) else { break };
                if left == 0 {
                    break;
                }
                tokio::select! {
                    _ = self.child.wait() => break,
                    () = self.clock.sleep(Duration::from_millis(left)) => {}
                }
            }
        }
        self.kill().await;
    }

    /// Kills what is left and tells the guard that nothing is.
    async fn kill(&mut self) {
        self.group.kill();
        let _ = self.child.kill().await;
        let group = self.group.clone();
        let _ = tokio::task::spawn_blocking(move || group.sweep()).await;
        self.guard.dismiss().await;
    }
}

impl std::fmt::Debug for Child {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Child").field("id", &self.id()).finish_non_exhaustive()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // The guard loses its pipe now and looks for strays.
        if !self.guard.dismissed {
            self.group.kill();
        }
    }
}

/// Outlives us by a moment when we die, to end the group.
#[derive(Debug)]
struct Guard {
    process: Option<tokio::process::Child>,
    dismissed: bool,
}

impl Guard {
    fn over(group: &Group) -> io::Result<Self> {
        let Some(mut command) = group.guard() else { return Ok(Self { process: None, dismissed: false }) };
        let command: &mut Command = command
            .env_clear()
            .envs(ALLOWED.iter().copied())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Ok(Self { process: Some(command.spawn()?), dismissed: false })
    }

    async fn dismiss(&mut self) {
        self.dismissed = true;
        if let Some(mut process) = self.process.take() {
            if let Some(mut pipe) = process.stdin.take() {
                let _ = pipe.write_all(b"done\n").await;
            }
            let _ = process.wait().await;
        }
    }
}
