//! What the files of the repository look like from outside.

use sha2::{Digest, Sha256};

use crate::{Source, none, refused, root, sources, tracked};

/// Longer files do not fit in the head.
const MOST_LINES: usize = 600;

/// Bytes; pictures and fixtures stay below it too.
const LARGEST: u64 = 1_500_000;

fn too_long(sources: &[Source]) -> Vec<String> {
    let ours =
        sources.iter().filter(|s| s.is("", &[".rs", ".ts", ".svelte"]) && !s.path.contains("generated"));
    let long = ours.map(|s| (&s.path, s.text.lines().count())).filter(|(_, lines)| *lines >= MOST_LINES);
    long.map(|(path, lines)| format!("{path} has {lines} lines")).collect()
}

/// Built from halves, so that this file does not hold what it looks for.
fn machine_words() -> Vec<String> {
    let halves = [("/wor", "k/"), ("/far", "m/"), ("/home/", "runner"), ("/Use", "rs/"), ("/ro", "ot/")];
    halves.iter().map(|(a, b)| format!("{a}{b}")).collect()
}

fn machine_paths(sources: &[Source]) -> Vec<String> {
    let words = machine_words();
    let mut wrong = Vec::new();
    for source in sources {
        for (n, line) in source.text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word.as_str())) {
                wrong.push(format!("{}:{} names a path of one machine", source.path, n + 1));
            }
        }
    }
    wrong
}

fn other_registries(sources: &[Source]) -> Vec<String> {
    let locks =
        sources.iter().filter(|s| s.path.ends_with("package-lock.json") || s.path.ends_with(".npmrc"));
    let mut wrong = Vec::new();
    for source in locks {
        let foreign = source.text.lines().filter(|line| {
            (line.contains("\"resolved\"") || line.contains("registry="))
                && line.contains("http")
                && !line.contains("https://registry.npmjs.org/")
        });
        wrong.extend(foreign.take(1).map(|line| format!("{}: {}", source.path, line.trim())));
    }
    wrong
}

/// Halves again: what is unfinished or switched off, in code.
fn unfinished(sources: &[Source]) -> Vec<String> {
    let halves = [
        ("tod", "o!("),
        ("unimplemen", "ted!("),
        ("db", "g!("),
        ("#[igno", "re"),
        ("test.fix", "me"),
        ("FIX", "ME"),
        ("TO", "DO"),
        ("describe.sk", "ip("),
        ("it.sk", "ip("),
        ("test.sk", "ip("),
        ("it.on", "ly("),
    ];
    let words: Vec<String> = halves.iter().map(|(a, b)| format!("{a}{b}")).collect();
    let mut wrong = Vec::new();
    for source in sources.iter().filter(|s| s.is("", &[".rs", ".ts", ".svelte", ".mjs", ".sql"])) {
        for (n, line) in source.text.lines().enumerate() {
            if let Some(word) = words.iter().find(|word| line.contains(word.as_str())) {
                wrong.push(format!("{}:{} has {word}", source.path, n + 1));
            }
        }
    }
    wrong
}

/// A test waits for a signal or a condition, never for the clock. The bench is no test: it spaces what it measures.
fn sleeping_tests(sources: &[Source]) -> Vec<String> {
    let halves =
        [("thread::sle", "ep("), ("time::sle", "ep("), ("waitForTime", "out("), ("setTimeout(", "r")];
    let words: Vec<String> = halves.iter().map(|(a, b)| format!("{a}{b}")).collect();
    let is_test = |s: &&Source| {
        (s.path.starts_with("tests/") && !s.path.starts_with("tests/bench/"))
            || (s.path.starts_with("src-tauri/") && s.path.contains("/tests"))
            || s.is("ui/", &[".test.ts"])
            || s.path.starts_with("ui/tests/")
            || s.path.starts_with("ui/e2e/")
    };
    let mut wrong = Vec::new();
    for source in sources.iter().filter(is_test) {
        for (n, line) in source.text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word.as_str())) {
                wrong.push(format!("{}:{} sleeps", source.path, n + 1));
            }
        }
    }
    wrong
}

/// `(name, text)` of each migration against `migrations/pinned.sha256`, lines of `HASH  NAME`.
fn changed_migrations(pins: &str, migrations: &[(String, String)]) -> Vec<String> {
    let pin = |name: &str| pins.lines().find_map(|line| line.strip_suffix(name)).map(str::trim);
    let mut wrong = Vec::new();
    for (name, text) in migrations {
        let hash = hex::encode(Sha256::digest(text));
        match pin(name) {
            None => {
                wrong.push(format!("{name} is not pinned: add `{hash}  {name}` to migrations/pinned.sha256"))
            }
            Some(pinned) if pinned != hash => wrong.push(format!(
                "{name} was changed: write a new migration, or, if it was never released, pin {hash}"
            )),
            Some(_) => {}
        }
    }
    let known = |line: &&str| migrations.iter().any(|(name, _)| line.ends_with(name.as_str()));
    wrong.extend(pins.lines().filter(|line| !known(line)).map(|line| format!("pinned and gone: {line}")));
    wrong
}

#[test]
fn files_fit_in_the_head() {
    none(too_long(&sources()));
    refused(&too_long(&[Source::new("src-tauri/core/src/a.rs", &"\n".repeat(MOST_LINES))]));
    assert!(too_long(&[Source::new("ui/src/lib/api/generated.ts", &"\n".repeat(MOST_LINES))]).is_empty());
}

#[test]
fn no_file_speaks_of_one_machine() {
    let sources = sources();
    none(machine_paths(&sources));
    none(other_registries(&sources));
    refused(&machine_paths(&[Source::new("README.md", &format!("see {}x", machine_words()[0]))]));
    let lock = "\"resolved\": \"https://npm.example.org/a.tgz\",";
    refused(&other_registries(&[Source::new("ui/package-lock.json", lock)]));
}

#[test]
fn nothing_is_unfinished_or_switched_off() {
    none(unfinished(&sources()));
    refused(&unfinished(&[Source::new("src-tauri/core/src/a.rs", &format!("{}{}", "tod", "o!()"))]));
    refused(&unfinished(&[Source::new("tests/tests/a.rs", &format!("{}{}]", "#[igno", "re"))]));
}

#[test]
fn no_test_sleeps() {
    none(sleeping_tests(&sources()));
    let sleep = format!("std::thread::sle{}", "ep(second);");
    refused(&sleeping_tests(&[Source::new("tests/tests/a.rs", &sleep)]));
}

#[test]
fn no_file_is_large() {
    let size = |path: &String| std::fs::metadata(root().join(path)).map_or(0, |meta| meta.len());
    let large = |path: &String| size(path) > LARGEST && !path.ends_with(".lock");
    none(tracked().into_iter().filter(large).collect());
}

#[test]
fn a_migration_that_was_shipped_does_not_change() {
    let pins = std::fs::read_to_string(root().join("migrations/pinned.sha256")).unwrap();
    let files = sources().into_iter().filter(|s| s.is("migrations/", &[".sql"]));
    let migrations: Vec<(String, String)> =
        files.map(|s| (s.path.trim_start_matches("migrations/").to_owned(), s.text)).collect();
    assert!(!migrations.is_empty());
    none(changed_migrations(&pins, &migrations));

    let sample = [("0001_a.sql".to_owned(), "SELECT 1;".to_owned())];
    let hash = hex::encode(Sha256::digest("SELECT 1;"));
    none(changed_migrations(&format!("{hash}  0001_a.sql"), &sample));
    refused(&changed_migrations(&format!("{}  0001_a.sql", "0".repeat(64)), &sample));
    refused(&changed_migrations("", &sample));
    refused(&changed_migrations(&format!("{hash}  0001_a.sql\n{hash}  0002_b.sql"), &sample));
}
