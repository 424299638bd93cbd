//! The running shop, minus windows: listeners, intake, workers, delivery and the admin API.

pub mod backup;
pub mod config;
pub mod core_dumps;
pub mod delivery;
mod demo;
pub mod diagnostics;
pub mod enrolment;
mod events;
pub mod external;
pub mod http;
mod intake;
mod lock;
pub mod logging;
mod metrics;
mod ordering;
pub mod outgoing;
pub(crate) mod panics;
pub mod ports;
pub(crate) mod present;
pub mod private_file;
pub mod programs;
pub mod reconcile;
pub mod secrets;
pub(crate) mod services;
mod shop;
pub mod signed;
mod tasks;
mod tell;
pub mod tunnel;
pub mod views;
mod wake;
pub mod workers;

pub use shop::{Options, Shop, StartError, accept_record, kept_head};

/// The store, for the command line, which works on a shop's files beside a running process.
pub use chotdon_store as store;
/// For the command line and the desktop, which depend on nothing below the core.
pub use {chotdon_domain as domain, sepay, vietqr};
