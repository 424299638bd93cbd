//! The two doors: the public listener and the private one.

pub mod private;
