//! The real window: the desktop app under a virtual display, clicked through WebDriver, with a real keyring,
//! a real session bus and a real notification daemon. `CHOTDON_DESKTOP_BIN` names the app; `cargo xtask test`
//! builds it and sets that.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod app;
mod awake;
mod page;
mod restart;
mod strangers;
mod tray;
mod unlock;
mod window;
mod work;
