//! VietQR: the EMVCo payload that Vietnamese banking apps scan, built and read locally, and its picture.
//!
//! [`payload`] builds and writes, [`read`](read::read) decodes, [`banks`] knows the BINs, [`svg`] and
//! [`png`](png::png) draw. No I/O.

pub mod banks;
pub mod payload;
pub mod png;
pub mod read;
pub mod svg;

pub use banks::Bank;
pub use payload::{AdditionalData, BuildError, Payload, Request, Service, build};
pub use png::png;
pub use read::{ReadError, read};
pub use svg::{DrawError, svg};
