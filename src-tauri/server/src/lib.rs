//! What the desktop app shares with the headless shop: the operating system's keyring.

pub mod keychain;
