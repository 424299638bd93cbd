//! What is true about orders, money and tasks: types and rules without I/O, clock or serde.
//!
//! `store` and `core` ask it what a transfer pays for; it never asks them anything.

pub mod access;
pub mod channel;
pub mod code;
pub mod fold;
pub mod matching;
pub mod money;
pub mod order;
pub mod service;
pub mod shares;
pub mod suggest;
pub mod task;
