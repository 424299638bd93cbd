//! One process per data directory, by a lock on a file that the system lets go of with the process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

/// Holds the directory until it is dropped.
#[derive(Debug)]
pub(crate) struct DirectoryLock(#[allow(dead_code)] File); // kept open for its lock

/// Why the directory is not ours.
#[derive(Debug)]
pub(crate) enum NotLocked {
    /// Another process has it.
    Taken,
    /// The lock file cannot be used.
    Io(io::Error),
}

impl DirectoryLock {
    pub(crate) fn take(directory: &Path) -> Result<Self, NotLocked> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(directory.join("shop.lock"))
            .map_err(NotLocked::Io)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(NotLocked::Taken),
            Err(TryLockError::Error(error)) => Err(NotLocked::Io(error)),
        }
    }
}
