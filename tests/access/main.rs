//! Buyers' access at other systems, and the services through which it is given.
#![allow(clippy::unwrap_used)] // a test that cannot go on has failed

mod address;
mod quotas;
mod service_account;
mod services;
mod sharing;
mod stage;
