//! Where there are no process groups: the program itself is ended, what it started is not.

use std::io;
use std::path::Path;

use tokio::process::Command;

use super::super::child::Limits;

/// The program is started directly.
pub(in super::super) const WAITS_FOR_A_LINE: bool = false;

/// The command that starts `program`.
pub(in super::super) fn launcher(program: &Path) -> Command {
    Command::new(program)
}

/// Nothing that the system knows.
#[derive(Debug, Clone)]
pub(in super::super) struct Group;

impl Group {
    pub(in super::super) fn of(_: &tokio::process::Child, _: String) -> Self {
        Self
    }

    pub(in super::super) fn guard(&self) -> Option<Command> {
        None
    }

    pub(in super::super) fn ask_to_end(&self) {}

    pub(in super::super) fn kill(&self) {}

    pub(in super::super) fn limit(&self, _: &Limits) -> io::Result<()> {
        Ok(())
    }

    pub(in super::super) fn count(&self) -> Option<usize> {
        None
    }

    pub(in super::super) fn sweep(&self) {}
}
