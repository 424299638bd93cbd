//! Delivery against real parts: folders, nginx, a server that misbehaves on purpose, SMTP.

#![allow(clippy::unwrap_used, missing_docs)]

mod download;
mod faults;
mod folder;
mod http;
mod smtp;
mod stage;
mod validators;
