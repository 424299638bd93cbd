//! The process's environment, read once in `main` and handed on, so that tests and reviews see who uses what.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;

/// The variables as they were at the start.
#[derive(Clone)]
pub(crate) struct Environment(HashMap<OsString, OsString>);

impl Environment {
    pub(crate) fn of_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// The variable's value; an empty one counts as not set.
    pub(crate) fn get(&self, name: &str) -> Option<OsString> {
        self.0.get(&OsString::from(name)).filter(|value| !value.is_empty()).cloned()
    }

    /// The variables that are settings, `CHOTDON_SECTION__KEY`; what else the environment holds stays here.
    pub(crate) fn settings(&self) -> Vec<(String, String)> {
        let text = |(name, value): (&OsString, &OsString)| {
            Some((name.to_str()?.to_owned(), value.to_str()?.to_owned()))
        };
        let mut settings: Vec<_> = self.0.iter().filter_map(text).collect();
        settings.retain(|(name, _)| name.starts_with("CHOTDON_") && name.contains("__"));
        settings
    }

    /// Where a shop is when nobody says: systemd's state directory, else the user's data directory.
    pub(crate) fn data_dir(&self) -> Option<PathBuf> {
        let folder = |name: &str| self.get(name).map(PathBuf::from);
        if let Some(state) = self.get("STATE_DIRECTORY") {
            // Several are separated by colons; the first is ours.
            let first = state.to_str()?.split(':').next()?;
            return Some(PathBuf::from(first));
        }
        let base = if cfg!(target_os = "windows") {
            folder("APPDATA")
        } else if cfg!(target_os = "macos") {
            folder("HOME").map(|home| home.join("Library/Application Support"))
        } else {
            folder("XDG_DATA_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/share")))
        };
        base.map(|base| base.join("ChotDon")) // the same as the desktop app
    }
}
