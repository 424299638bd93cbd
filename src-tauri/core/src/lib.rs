//! The running shop, minus windows: listeners, intake, workers, delivery and the admin API.

pub mod config;
pub mod http;
pub mod logging;
pub mod ports;
pub mod private_file;
pub mod secrets;
pub mod views;
pub mod workers;
