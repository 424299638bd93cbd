//! What must never be: the rules of ARCHITECTURE.md about absences, each with a sample that breaks it and
//! is refused. A rule is a function from what it reads to the list of its violations.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod compares;
mod dependencies;
mod files;
mod packages;
mod places;
mod schema;

use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the checkout.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A file of the repository, by its path under the root.
#[derive(Debug, Clone)]
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// True when the path lies under `dir` and ends with one of `endings`.
    fn is(&self, dir: &str, endings: &[&str]) -> bool {
        self.path.starts_with(dir) && endings.iter().any(|ending| self.path.ends_with(ending))
    }

    /// Lines with their number, without what follows `//`.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(n, line)| (n + 1, without_comment(line)))
    }
}

fn without_comment(line: &str) -> &str {
    let end = line
        .match_indices("//")
        .map(|(at, _)| at)
        .find(|&at| !line[..at].ends_with(':') && !line[..at].ends_with('"'))
        .unwrap_or(line.len());
    &line[..end]
}

/// The line without what stands between double quotes; a raw string's inner quotes count as ends.
fn without_texts(line: &str) -> String {
    line.split('"').step_by(2).collect::<Vec<_>>().join("\"\"")
}

/// Text files of the repository, new ones that are not ignored included.
fn sources() -> Vec<Source> {
    tracked()
        .into_iter()
        .filter_map(|path| std::fs::read_to_string(root().join(&path)).ok().map(|text| Source { path, text }))
        .collect()
}

/// Paths of the repository's files that exist, under the root.
fn tracked() -> Vec<String> {
    let list = output("git", &["ls-files", "--cached", "--others", "--exclude-standard"]);
    let mut paths: Vec<String> =
        list.lines().map(str::to_owned).filter(|path| root().join(path).is_file()).collect();
    paths.sort();
    paths.dedup();
    assert!(paths.len() > 20, "the list of files is too short to be true: {paths:?}");
    paths
}

/// Standard output of a program started at the root.
fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Cargo, the one that runs these tests.
fn cargo(arguments: &[&str]) -> String {
    output(option_env!("CARGO").unwrap_or("cargo"), arguments)
}

/// Fails with the list when there is one.
#[track_caller]
fn none(violations: Vec<String>) {
    assert!(violations.is_empty(), "\n  {}\n", violations.join("\n  "));
}

/// Fails unless the rule refused the bad sample, once.
#[track_caller]
fn refused(violations: &[String]) {
    assert_eq!(violations.len(), 1, "the bad sample should be refused once: {violations:?}");
}

/// True when `word` occurs in `text` and is not part of a longer name.
fn has_word(text: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].chars().next_back().is_some_and(is_name)
            && !text[at + word.len()..].chars().next().is_some_and(is_name)
    })
}
