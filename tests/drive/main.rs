//! Google Drive: the wire against the stand-in, and whole courses brought there.
#![allow(clippy::unwrap_used)] // a test that cannot go on has failed

mod wire;
