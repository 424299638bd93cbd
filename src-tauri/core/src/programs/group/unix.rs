//! Process groups. On Linux, processes that left theirs are found by the mark in their environment.

use std::io;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Command;

use super::super::child::Limits;

/// The launcher reads one line before it becomes the program.
pub(in super::super) const WAITS_FOR_A_LINE: bool = true;

/// Becomes the program after one line of input; ends when there is none, because we died before it.
const LAUNCHER: &str = r#"read -r _ || exit 125; exec "$@""#;

/// Arguments: group, mark. A pipe that closes without a word means that we are dead.
const GUARD: &str = r#"trap '' INT TERM HUP
read -r word
[ "$word" = done ] && exit 0
kill -TERM -"$1" 2>/dev/null && sleep 2
kill -KILL -"$1" 2>/dev/null
for found in $(grep -lsaF "$2" /proc/[0-9]*/environ 2>/dev/null); do
  found=${found#/proc/}
  kill -KILL "${found%/environ}" 2>/dev/null
done"#;

/// The command that starts `program` in a group of its own once it is told to.
pub(in super::super) fn launcher(program: &Path) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", LAUNCHER, "launch"]).arg(program).process_group(0);
    command
}

/// The group that a child leads.
#[derive(Debug, Clone)]
pub(in super::super) struct Group {
    leader: Option<Pid>,
    mark: String,
}

impl Group {
    pub(in super::super) fn of(child: &tokio::process::Child, mark: String) -> Self {
        let leader = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Self { leader, mark }
    }

    /// The process that ends this group when we cannot any more.
    pub(in super::super) fn guard(&self) -> Option<Command> {
        let leader = self.leader?.as_raw_nonzero().to_string();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", GUARD, "guard", &leader, &self.mark]).process_group(0);
        Some(command)
    }

    pub(in super::super) fn ask_to_end(&self) {
        self.signal(Signal::TERM);
    }

    pub(in super::super) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        // A group that is gone already is what we want.
        if let Some(leader) = self.leader {
            let _ = kill_process_group(leader, signal);
        }
    }

    #[cfg(target_os = "linux")]
    pub(in super::super) fn limit(&self, limits: &Limits) -> io::Result<()> {
        match self.leader {
            Some(leader) => super::proc::limit(leader, limits),
            None => Ok(()),
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(in super::super) fn limit(&self, _: &Limits) -> io::Result<()> {
        Ok(())
    }

    #[cfg(target_os = "linux")]
    pub(in super::super) fn count(&self) -> Option<usize> {
        super::proc::members(self.leader?)
    }

    #[cfg(not(target_os = "linux"))]
    pub(in super::super) fn count(&self) -> Option<usize> {
        None
    }

    /// Kills what left the group. A process that also wiped its environment is not found.
    #[cfg(target_os = "linux")]
    pub(in super::super) fn sweep(&self) {
        super::proc::sweep(&self.mark);
    }

    #[cfg(not(target_os = "linux"))]
    pub(in super::super) fn sweep(&self) {}
}
