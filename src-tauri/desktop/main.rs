//! The desktop app: one shop in this process, a window onto it, a tray icon, notifications.
//!
//! Read on from here: `args` what it was started with, `locale` an environment that web pages work in,
//! `start` from nothing to a running shop, `window` and `commands` what the page may do, `tray`,
//! `notifications`, `quit`. Everything the shop does is in `chotdon-core`; here is only the desk around it.

#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod app;
mod args;
mod awake;
mod clipboard;
mod commands;
mod desk;
mod links;
mod locale;
mod notifications;
mod quit;
mod remembered;
mod secrets;
mod start;
#[cfg(debug_assertions)]
mod strangers;
mod tray;
mod unlock;
mod window;
mod words;

use clap::Parser;

fn main() -> anyhow::Result<()> {
    let forbidden = chotdon_core::core_dumps::forbid();
    let args = args::Args::parse();
    if let Err(why) = forbidden {
        eprintln!("chotdon: core dumps cannot be forbidden: {why}");
    }
    locale::settle()?;
    app::run(args)
}
