//! What the tests of a whole shop share.

#[cfg(target_os = "linux")]
pub mod machine;
mod shop;

pub use shop::{API_KEY, HMAC_SECRET, HeldNotifier, MarkedClock, Payment, Setup, TestShop};
