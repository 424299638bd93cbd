//! What the tests of a whole shop share.

mod browser;
mod chance;
pub mod drive;
mod listener;
#[cfg(target_os = "linux")]
pub mod listening;
pub mod lms;
#[cfg(target_os = "linux")]
pub mod machine;
#[cfg(unix)]
pub mod nginx;
pub mod proxy;
pub mod sepay;
#[cfg(unix)]
pub mod served;
mod shop;
pub mod smtp;
mod storefront;
pub mod telegram;
mod wire;
pub mod worker;
#[cfg(unix)]
pub mod worker_program;

pub use browser::browse;
pub use chance::{chance, quick_or_full};
pub use listener::{Listener, Told};
pub use shop::{
    ADMIN_TOKEN, API_KEY, Ground, HMAC_SECRET, HeldNotifier, MarkedClock, Payment, Setup, TestShop,
};
pub use storefront::{Said, Storefront};
pub use wire::{Answered, Wire};
