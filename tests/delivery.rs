//! Delivery against real parts: folders, nginx, a server that misbehaves on purpose, SMTP.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "delivery/folder.rs"]
mod folder;
#[path = "delivery/stage.rs"]
mod stage;
