//! The two doors from outside: who is answered what, how much is too much, what listens where.
#![allow(clippy::unwrap_used)]

mod abuse;
mod flood;
mod fuzz;
mod kept_out;
mod listening;
mod matrix;
mod raw;
mod rebinding;
mod table;
