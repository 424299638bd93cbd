//! What the tests of a whole shop share.

#[cfg(target_os = "linux")]
pub mod machine;
