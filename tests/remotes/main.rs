//! Courses on remotes, by a real rclone: folders, WebDAV, encrypted; with rclone killed in between.

#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs)]

mod bench;
mod download;
mod secrets;
mod source;
mod target;
