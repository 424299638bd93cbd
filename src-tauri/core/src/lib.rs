//! The running shop, minus windows: listeners, intake, workers, delivery and the admin API.

pub mod delivery;
pub mod ports;
pub mod views;
pub mod workers;
