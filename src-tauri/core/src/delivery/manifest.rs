//! What a course consists of: relative paths, sizes and SHA-256 sums, and which paths are taken at all.
//!
//! Paths come from outside (a server's listing, a folder), so every one passes [`check_path`] before a file
//! of that name is made.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::workers::StageError;

/// Most files a course may have.
pub(crate) const MAX_FILES: usize = 10_000;
/// Longest path component in bytes, the limit of the usual file systems.
const MAX_COMPONENT: usize = 255;
/// Longest path in bytes; leaves room for the directory it is put in.
const MAX_PATH: usize = 2_048;
/// Names that Windows gives to devices, whatever follows after a dot.
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];

/// One file of a prepared course.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestFile {
    /// Relative, `/` between components, never normalised.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Lower-case hex.
    pub sha256: String,
}

/// A prepared course: its files in a fixed order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Sorted by path. None of a course without files, at least one of every other.
    pub files: Vec<ManifestFile>,
}

impl Manifest {
    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.size))
    }

    /// The file with exactly this path.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&ManifestFile> {
        self.files.iter().find(|file| file.path == path)
    }
}

/// Whether `path` may name a file of a course: relative, inside, and possible on every desktop.
///
/// # Errors
/// What is wrong with it, as English text for an error's detail.
pub fn check_path(path: &str) -> Result<(), &'static str> {
    if path.is_empty() {
        return Err("the path is empty");
    }
    if path.len() > MAX_PATH {
        return Err("the path is longer than 2048 bytes");
    }
    if path.starts_with('/') || drive_letter(path) {
        return Err("the path is absolute");
    }
    path.split('/').try_for_each(check_component)
}

fn drive_letter(path: &str) -> bool {
    let bytes = path.as_bytes();
    bytes.len() >= 2
        && bytes[0].is_ascii_alphabetic()
        && bytes[1] == b':'
        && bytes.get(2).is_none_or(|b| *b == b'/')
}

fn check_component(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("the path has an empty component");
    }
    if name.len() > MAX_COMPONENT {
        return Err("a name is longer than 255 bytes");
    }
    if name.contains('\\') {
        return Err("a name contains a backslash");
    }
    if name.chars().any(char::is_control) {
        return Err("a name contains a control character");
    }
    // Windows drops dots and blanks at the end, so ".. " would climb there.
    if name.trim_end_matches(['.', ' ']).is_empty() {
        return Err("a name consists of dots");
    }
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_uppercase();
    let numbered = ["COM", "LPT"].iter().any(|port| {
        let rest = stem.strip_prefix(port).unwrap_or_default();
        rest.chars().count() == 1 && rest.chars().all(|c| c.is_ascii_digit() || matches!(c, '¹' | '²' | '³'))
    });
    if numbered || DEVICES.contains(&stem.as_str()) {
        return Err("a name is reserved by Windows");
    }
    Ok(())
}

/// Refuses a set of paths that cannot lie in one directory tree, or that is empty or too large.
pub(crate) fn check_paths<'a>(paths: impl Iterator<Item = &'a str> + Clone) -> Result<(), StageError> {
    let invalid = |detail: String| Err(StageError::permanent("source_invalid", detail));
    let count = paths.clone().take(MAX_FILES + 1).count();
    if count == 0 {
        return invalid("the course has no files".to_owned());
    }
    if count > MAX_FILES {
        return invalid(format!("the course has more than {MAX_FILES} files"));
    }
    let mut files = HashSet::with_capacity(count);
    for path in paths.clone() {
        if let Err(why) = check_path(path) {
            return invalid(format!("{why}: {path:?}"));
        }
        if !files.insert(path) {
            return invalid(format!("the path is listed twice: {path:?}"));
        }
    }
    for path in paths {
        let mut rest = path;
        while let Some((parent, _)) = rest.rsplit_once('/') {
            if files.contains(parent) {
                return invalid(format!("the path is both a file and a folder: {parent:?}"));
            }
            rest = parent;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_vietnamese_names_are_taken() {
        for path in [
            "Bài 1: Giới thiệu.mp4",
            "Chương 1/Bài 2 (hết).pdf",
            ".hidden",
            "a..b",
            "comma,.txt",
            "console.log",
        ] {
            assert_eq!(check_path(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn hostile_names_are_refused() {
        let long = "a".repeat(256);
        for path in [
            "",
            "/etc/passwd",
            "../x",
            "a/../b",
            "a/..",
            "./a",
            "a//b",
            "a/",
            "..",
            "...",
            ".. /x",
            "a\\b",
            "a\0b",
            "a\nb",
            "a\u{7f}b",
            "C:",
            "C:/x",
            "NUL",
            "nul.txt",
            "a/Con.mp4",
            "COM1",
            "lpt9.x",
            "COM¹",
            "aux .txt",
            long.as_str(),
        ] {
            assert!(check_path(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn a_set_of_paths_has_to_fit_into_one_tree() {
        let check = |paths: &[&'static str]| check_paths(paths.iter().copied());
        assert!(check(&["a/b", "a/c", "A/b"]).is_ok());
        assert!(check(&[]).is_err(), "empty");
        assert!(check(&["a", "a"]).is_err(), "twice");
        assert!(check(&["a/b/c", "a/b"]).is_err(), "file and folder");
        let many: Vec<String> = (0..=MAX_FILES).map(|n| n.to_string()).collect();
        assert!(check_paths(many.iter().map(String::as_str)).is_err(), "too many");
    }
}
