//! What is true about orders, money and tasks. No I/O, no clock, no async, no serialisation.

pub mod order;
pub mod task;
