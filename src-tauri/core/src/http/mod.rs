//! The two doors: the public listener and the private one, and the admin API behind the latter.

pub mod admin;
pub mod private;
pub(crate) mod problem;
