//! SePay as it is on the wire: who sent a webhook, what it says, and rows of the transaction API.
//!
//! [`auth::verify`] comes first; only what it returns can be read by [`webhook::parse`]. The crate knows nothing
//! of orders or of the shop, and does no I/O.

pub mod auth;
mod fields;
mod form;
mod notification;
pub mod transactions;
pub mod webhook;

pub use auth::{Authentic, Keys, Method, Rejected, sign, verify};
pub use fields::ParseError;
pub use notification::{Direction, Notification};
pub use webhook::parse;
