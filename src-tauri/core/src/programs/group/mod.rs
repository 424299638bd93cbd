//! A child with everything that it started, as far as the system can name it.
//!
//! Unix has process groups, and a guard that outlives us; elsewhere only the program itself is ended.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(super) use unix::{Group, WAITS_FOR_A_LINE, launcher};

#[cfg(not(unix))]
mod other;
#[cfg(not(unix))]
pub(super) use other::{Group, WAITS_FOR_A_LINE, launcher};

#[cfg(target_os = "linux")]
mod proc;
