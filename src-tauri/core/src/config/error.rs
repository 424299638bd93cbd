//! What can be wrong with settings, said so that the owner can mend it.

use std::path::{Path, PathBuf};

use super::{ROWS, Row, SECTIONS};

/// Why settings could not be read or saved.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not TOML.
    #[error("{}:{line}: not valid TOML: {detail}", file.display())]
    #[allow(missing_docs)]
    Syntax { file: PathBuf, line: usize, detail: String },
    /// A key or section that does not exist.
    #[error("{place}: unknown setting `{key}`{hint}")]
    #[allow(missing_docs)]
    Unknown { place: String, key: String, hint: String },
    /// A value of the wrong type or out of its limits. The value itself is not repeated.
    #[error("{place}: `{key}` must be {expected}")]
    #[allow(missing_docs)]
    Value { place: String, key: String, expected: String },
    /// What was given to save is not a section.
    #[error("these settings cannot be saved: {0}")]
    Shape(String),
    /// The file cannot be read or written.
    #[error("{}: {error}", file.display())]
    #[allow(missing_docs)]
    Io { file: PathBuf, error: std::io::Error },
}

impl ConfigError {
    pub(super) fn io(file: &Path, error: std::io::Error) -> Self {
        Self::Io { file: file.to_owned(), error }
    }

    pub(super) fn unknown(place: String, section: &str, key: Option<&str>) -> Self {
        let (name, hint) = match key {
            Some(key) => {
                let name = format!("{section}.{key}");
                (name.clone(), nearest(&name, ROWS.iter().map(|row| format!("{}.{}", row.section, row.key))))
            }
            None => {
                (section.to_owned(), nearest(section, SECTIONS.iter().map(|(name, _)| (*name).to_owned())))
            }
        };
        let hint = hint.map(|known| format!("; did you mean `{known}`?")).unwrap_or_default();
        Self::Unknown { place, key: name, hint }
    }

    pub(super) fn unknown_variable(name: &str, section: &str, key: &str) -> Self {
        Self::unknown(format!("environment variable {name}"), section, Some(key))
    }

    pub(super) fn bad_value(place: String, row: &Row) -> Self {
        Self::Value { place, key: format!("{}.{}", row.section, row.key), expected: row.expectation() }
    }

    pub(super) fn bad_variable(name: String, row: &Row) -> Self {
        Self::bad_value(format!("environment variable {name}"), row)
    }
}

impl Row {
    /// `a whole number of seconds, 5 to 3600`.
    pub(super) fn expectation(&self) -> String {
        let mut text = (self.expected)();
        if text == "a whole number" {
            text.push_str(&format!(" ({})", self.unit));
        }
        let limits = self.check.to_string();
        if !limits.is_empty() {
            text.push_str(&format!(", {limits}"));
        }
        text
    }
}

/// The known name that `name` was probably meant to be. A key in the wrong section counts as near.
fn nearest(name: &str, known: impl Iterator<Item = String>) -> Option<String> {
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    known
        .map(|other| {
            let likeness = if last(&other) == last(name) { 1.0 } else { strsim::jaro_winkler(name, &other) };
            (likeness, other)
        })
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, other)| other)
}
