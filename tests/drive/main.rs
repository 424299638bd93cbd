//! Google Drive: the wire against the stand-in, and whole courses brought there.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test that cannot go on has failed; figures are printed

mod course;
#[cfg(target_os = "linux")]
mod drill;
mod wire;
