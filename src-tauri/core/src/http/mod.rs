//! The two doors: the public listener and the private one, and the admin API behind the latter.

pub mod admin;
pub(crate) mod boundary;
pub(crate) mod hosted;
pub(crate) mod limits;
pub(crate) mod listen;
pub mod private;
pub(crate) mod problem;
pub(crate) mod public;
pub(crate) mod sign_ins;
pub mod storefront;
mod told;
mod worker;

pub(crate) use worker::signed_text as worker_signed_text;
