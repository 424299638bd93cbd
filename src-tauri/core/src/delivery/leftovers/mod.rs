//! What a program left in its directory, taken for hostile: nothing is followed, opened or believed unseen.
//!
//! The directory is held open from before the program runs, so that nothing put in its place is looked at.
//! Refuses links, devices, names that mean something else on another desktop, and sets that do not fit in one.

mod tree;

use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization;

use super::manifest::check_path;

pub(super) use tree::{Tree, remove};

/// Deepest directory of a course.
const MAX_DEPTH: usize = 32;

/// One file that may be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Left {
    /// Relative, `/` between components.
    pub(super) path: String,
    /// Bytes.
    pub(super) size: u64,
}

/// Why nothing of it is taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsafe {
    /// Something that is no plain file of its own, or a name that is no plain name.
    #[error("{0}: {1:?}")]
    Trick(&'static str, String),
    /// More than is allowed.
    #[error("{0}")]
    TooMuch(String),
    /// No file at all.
    #[error("nothing was left")]
    Nothing,
    /// The disk says no.
    #[error("{0}: {1}")]
    Unreadable(String, String),
}

/// What kind of thing an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File { size: u64, single: bool },
    Folder,
    Link,
    Special,
    OtherDisk,
}

/// The files below `tree`, by path. Names that begin with a dot are the program's own and are left alone.
pub(super) fn inspect(tree: &Tree, most_files: usize, most_bytes: u64) -> Result<Vec<Left>, Unsafe> {
    let (mut left, mut bytes, mut seen) = (Vec::new(), 0_u64, 0_usize);
    let mut open = vec![(String::new(), 0)];
    while let Some((prefix, depth)) = open.pop() {
        for (name, kind) in tree.list(&prefix)? {
            seen += 1;
            // Folders count too: a million of them is as bad.
            if seen > most_files.saturating_mul(2) || left.len() > most_files {
                return Err(Unsafe::TooMuch(format!("more than {most_files} files")));
            }
            let Some(name) = name.to_str() else {
                return Err(Unsafe::Trick("a name is not UTF-8", name.to_string_lossy().into_owned()));
            };
            if name.starts_with('.') {
                continue;
            }
            let path = format!("{prefix}{name}");
            let trick = |why| Err(Unsafe::Trick(why, path.clone()));
            if let Err(why) = check_path(&path) {
                return trick(why);
            }
            if name.chars().any(is_invisible) {
                return trick("a name contains an invisible character");
            }
            match kind {
                Kind::Folder if depth >= MAX_DEPTH => return trick("it is nested too deep"),
                Kind::Folder => open.push((format!("{path}/"), depth + 1)),
                Kind::File { single: true, size } => {
                    bytes = bytes.saturating_add(size);
                    left.push(Left { path, size });
                }
                Kind::File { .. } => return trick("it is a hard link: the file has another name"),
                Kind::Link => return trick("it is a symbolic link"),
                Kind::Special => return trick("it is a device, pipe or socket"),
                Kind::OtherDisk => return trick("it lies on another disk"),
            }
        }
    }
    if bytes > most_bytes {
        return Err(Unsafe::TooMuch(format!("{bytes} bytes; {most_bytes} are allowed")));
    }
    if left.is_empty() {
        return Err(Unsafe::Nothing);
    }
    left.sort_by(|a, b| a.path.cmp(&b.path));
    no_collisions(&left)?;
    Ok(left)
}

/// Writes text backwards, or is not seen at all.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{ad}')
}

/// Refuses paths that are the same file on a desktop that ignores case or composes accents.
fn no_collisions(left: &[Left]) -> Result<(), Unsafe> {
    let fold = |path: &str| path.nfc().flat_map(char::to_lowercase).collect::<String>();
    let mut files = HashSet::with_capacity(left.len());
    for one in left {
        if !files.insert(fold(&one.path)) {
            return Err(Unsafe::Trick("another name differs only in case or accents", one.path.clone()));
        }
    }
    for one in left {
        let folded = fold(&one.path);
        let mut rest = folded.as_str();
        while let Some((parent, _)) = rest.rsplit_once('/') {
            if files.contains(parent) {
                return Err(Unsafe::Trick("a file has the name of its folder", one.path.clone()));
            }
            rest = parent;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collide(paths: &[&str]) -> bool {
        let left: Vec<Left> = paths.iter().map(|p| Left { path: (*p).to_owned(), size: 1 }).collect();
        no_collisions(&left).is_err()
    }

    #[test]
    fn names_that_are_one_file_elsewhere_collide() {
        assert!(collide(&["Bài.mp4", "bài.mp4"]), "case");
        assert!(collide(&["B\u{e0}i.mp4", "Ba\u{300}i.mp4"]), "composed and decomposed");
        assert!(collide(&["a/b", "A"]), "file and folder");
        assert!(!collide(&["a/b", "A/c", "ab", "a.b"]));
    }
}
