//! The few things the desk remembers about itself, in `desktop.json` beside the shop's data.

use std::path::{Path, PathBuf};

use chotdon_core::private_file;
use serde::{Deserialize, Serialize};

/// What is remembered; a missing or unreadable file means nothing is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Remembered {
    /// The owner was told that closing the window does not end the app.
    pub(crate) told_about_tray: bool,
    /// File that holds the passphrase of the encrypted secret file, when the owner chose one.
    pub(crate) passphrase_file: Option<PathBuf>,
    /// The machine is to be kept awake while the shop is open.
    pub(crate) keep_awake: bool,
}

impl Remembered {
    pub(crate) fn read(data_dir: &Path) -> Self {
        let text = std::fs::read_to_string(file(data_dir)).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Forgetting costs the owner one repeated question, so a failure is only logged.
    pub(crate) fn write(&self, data_dir: &Path) {
        let written = serde_json::to_vec_pretty(self)
            .map_err(std::io::Error::other)
            .and_then(|text| private_file::replace(&file(data_dir), &text));
        if let Err(error) = written {
            tracing::warn!(%error, "desktop.json cannot be written");
        }
    }
}

fn file(data_dir: &Path) -> PathBuf {
    data_dir.join("desktop.json")
}
