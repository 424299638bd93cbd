//! Learning platforms: recipes against stand-ins, and whole orders that make students.

#![allow(clippy::unwrap_used)]

mod ends;
mod no_files;
mod orders;
mod recipes;
