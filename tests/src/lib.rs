//! What the tests of a whole shop share.

#[cfg(target_os = "linux")]
pub mod machine;
#[cfg(unix)]
pub mod nginx;
pub mod proxy;
mod shop;
pub mod smtp;

pub use shop::{ADMIN_TOKEN, API_KEY, HMAC_SECRET, HeldNotifier, MarkedClock, Payment, Setup, TestShop};
