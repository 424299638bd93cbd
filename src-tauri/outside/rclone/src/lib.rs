//! rclone's remote-control API (`rclone rcd`), as of version 1.75: a dozen calls, their answers and errors.
//!
//! Owns what goes over the socket. Starting rclone, watching it, and what its remotes mean are the caller's.
//! rclone repeats its whole input, passwords included, in every error; nothing but the `error` text is kept here.

mod call;
mod config;
mod error;
mod types;

pub use call::{Ends, Rclone, sums};
pub use config::{ConfigError, Section, is_name, sections};
pub use error::{Class, Error};
pub use types::{Checked, Features, Hashes, Item, Job, JobState, Place, Stats, Version};

/// The first version without the known holes in authentication of 2026.
pub const OLDEST: Version = Version { major: 1, minor: 75, patch: 0 };
