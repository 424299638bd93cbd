//! The shop seen from outside: figures, alerts, channels to the owner, logs, copies of everything.
#![allow(clippy::unwrap_used)] // a test that cannot go on has failed

mod backup;
mod channels;
mod metrics;
mod page;
mod prometheus;
#[cfg(target_os = "linux")]
mod systemd;
