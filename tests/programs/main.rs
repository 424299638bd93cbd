//! Programs of the owner's: what they are given, what they may leave, and that they never outlive their task.

#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs)]

mod bench;
mod contract;
mod death;
mod hostile;
