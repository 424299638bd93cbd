//! Which words may stand in which files.

use crate::{Source, has_word, none, refused, sources, without_texts};

/// A word of code, where it is looked for, and the only places it may stand in.
struct Place {
    word: &'static str,
    under: &'static [&'static str],
    endings: &'static [&'static str],
    only: &'static [&'static str],
}

const RUST: &[&str] = &["src-tauri/"];

const PLACES: &[Place] = &[
    Place { word: "tauri", under: RUST, endings: &[".rs"], only: &["src-tauri/desktop/"] },
    Place { word: "tauri_build", under: RUST, endings: &[".rs"], only: &["src-tauri/desktop/build.rs"] },
    Place { word: "sqlx", under: RUST, endings: &[".rs"], only: &["src-tauri/store/"] },
    Place { word: "keyring", under: RUST, endings: &[".rs"], only: KEYRING },
    Place { word: "keyring_core", under: RUST, endings: &[".rs"], only: KEYRING },
    Place { word: "zbus_secret_service_keyring_store", under: RUST, endings: &[".rs"], only: KEYRING },
    Place {
        word: "notify_rust",
        under: RUST,
        endings: &[".rs"],
        only: &["src-tauri/desktop/notifications.rs"],
    },
];

const KEYRING: &[&str] = &["src-tauri/server/src/keychain.rs"];

/// The only files that may switch the lint against reading the clock and the environment off.
const READS_THE_MACHINE: &[&str] = &[
    "src-tauri/core/src/ports.rs",
    "src-tauri/core/src/config/",
    "src-tauri/core/src/config.rs",
    "src-tauri/desktop/",
    "src-tauri/server/",
    YARDSTICK,
    "src-tauri/xtask/",
    "tests/",
];

/// Measures rates, and holds nobody's money.
const YARDSTICK: &str = "src-tauri/store/src/bench.rs";

/// Money code: whole đồng, never a float.
const MONEY: &[&str] =
    &["src-tauri/domain/", "src-tauri/store/", "src-tauri/core/src/intake", "src-tauri/outside/"];

fn out_of_place(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for place in PLACES {
        // A path (`word::…`) or an import: the word alone may be a setting's value.
        let (path, import) = (format!("{}::", place.word), format!("use {};", place.word));
        for source in sources.iter().filter(|s| place.under.iter().any(|under| s.is(under, place.endings))) {
            if place.only.iter().any(|only| source.path.starts_with(only)) || is_this_check(source) {
                continue;
            }
            for (line, code) in source.code() {
                let code = without_texts(code);
                if code.contains(&import) || has_path(&code, &path) {
                    wrong.push(format!("{}:{line} says {}", source.path, place.word));
                }
            }
        }
    }
    wrong
}

/// True when `path` starts there, rather than inside a longer one (`crate::keyring::`).
fn has_path(code: &str, path: &str) -> bool {
    let before = |at: usize| code[..at].chars().next_back();
    code.match_indices(path)
        .any(|(at, _)| !before(at).is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':'))
}

fn is_this_check(source: &Source) -> bool {
    source.path.starts_with("tests/invariants/")
}

fn tauri_imports(sources: &[Source]) -> Vec<String> {
    let ui = sources
        .iter()
        .filter(|s| s.is("ui/src/", &[".ts", ".svelte"]) && s.path != "ui/src/lib/api/tauri.ts");
    ui.filter(|s| s.text.contains("@tauri-apps/"))
        .map(|s| format!("{} imports @tauri-apps", s.path))
        .collect()
}

fn lint_switched_off(sources: &[Source]) -> Vec<String> {
    let rust = sources.iter().filter(|s| s.is("", &[".rs"]));
    let elsewhere = rust.filter(|s| !READS_THE_MACHINE.iter().any(|place| s.path.starts_with(place)));
    elsewhere
        .filter(|s| s.code().any(|(_, code)| code.contains("disallowed_methods")))
        .map(|s| format!("{} reads the clock or the environment", s.path))
        .collect()
}

fn floats_near_money(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    let money = |s: &&Source| MONEY.iter().any(|dir| s.path.starts_with(dir)) && s.path != YARDSTICK;
    for source in sources.iter().filter(|s| s.is("", &[".rs"])).filter(money) {
        for (line, code) in source.code() {
            if has_word(code, "f32") || has_word(code, "f64") {
                wrong.push(format!("{}:{line} uses a float", source.path));
            }
        }
    }
    wrong
}

/// Nothing outside a `sqlx` transaction's crate holds one, and that crate starts no program and opens no socket.
fn outside_world_in_the_store(sources: &[Source]) -> Vec<String> {
    let words = ["std::process", "tokio::process", "std::net", "tokio::net"];
    let mut wrong = Vec::new();
    for source in sources.iter().filter(|s| s.is("src-tauri/store/src/", &[".rs"])) {
        for (line, code) in source.code() {
            if words.iter().any(|word| code.contains(word)) {
                wrong.push(format!("{}:{line} reaches outside", source.path));
            }
        }
    }
    wrong
}

fn unsafe_code(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources.iter().filter(|s| s.is("", &[".rs"]) && !is_this_check(s)) {
        for (line, code) in source.code() {
            if has_word(code, "unsafe") && (code.contains("unsafe {") || code.contains("unsafe fn")) {
                wrong.push(format!("{}:{line} is unsafe", source.path));
            }
        }
    }
    wrong
}

fn without_the_workspace_lints(sources: &[Source]) -> Vec<String> {
    let manifests = sources.iter().filter(|s| s.path.ends_with("Cargo.toml"));
    manifests
        .filter(|s| !s.text.contains("[lints]\nworkspace = true"))
        .map(|s| format!("{} does not take the workspace's lints", s.path))
        .collect()
}

#[test]
fn each_library_is_spoken_to_from_one_place() {
    none(out_of_place(&sources()));
    let bad = |path, code| out_of_place(&[Source::new(path, code)]);
    refused(&bad("src-tauri/core/src/shop.rs", "let pool = sqlx::SqlitePool::connect(url);"));
    refused(&bad("src-tauri/core/src/http/public.rs", "use tauri::Manager;"));
    refused(&bad("src-tauri/desktop/tray.rs", "use keyring_core::Entry;"));
    refused(&bad("src-tauri/desktop/tray.rs", "notify_rust::Notification::new();"));
    assert!(bad("src-tauri/server/src/keychain.rs", "use keyring_core::Entry;").is_empty());
    assert!(bad("src-tauri/core/src/a.rs", "let kind = \"keyring\"; // keyring::x").is_empty());
    assert!(bad("src-tauri/core/src/a.rs", "filter(\"warn,sqlx::query=debug\")").is_empty());
}

#[test]
fn the_window_is_known_to_one_file_of_the_ui() {
    none(tauri_imports(&sources()));
    let import = "import { invoke } from '@tauri-apps/api/core';";
    refused(&tauri_imports(&[Source::new("ui/src/lib/Orders.svelte", import)]));
    assert!(tauri_imports(&[Source::new("ui/src/lib/api/tauri.ts", import)]).is_empty());
}

#[test]
fn the_clock_is_read_in_one_place() {
    let sources = sources();
    none(lint_switched_off(&sources));
    refused(&lint_switched_off(&[Source::new(
        "src-tauri/core/src/a.rs",
        "#[allow(clippy::disallowed_methods)]",
    )]));
    // The lint itself does the rest; it must name what reads the clock.
    let lints = &sources.iter().find(|s| s.path == "clippy.toml").unwrap().text;
    for method in ["SystemTime::now", "std::time::Instant::now", "jiff::Timestamp::now", "std::env::var"] {
        assert!(lints.contains(method), "clippy.toml does not name {method}");
    }
}

#[test]
fn money_is_never_a_float() {
    none(floats_near_money(&sources()));
    refused(&floats_near_money(&[Source::new("src-tauri/domain/src/money.rs", "fn a(x: f64) {}")]));
    assert!(floats_near_money(&[Source::new("src-tauri/domain/src/money.rs", "// never an f64")]).is_empty());
}

#[test]
fn no_transaction_waits_for_the_outside_world() {
    none(outside_world_in_the_store(&sources()));
    refused(&outside_world_in_the_store(&[Source::new(
        "src-tauri/store/src/a.rs",
        "tokio::process::Command",
    )]));
}

#[test]
fn nothing_of_ours_is_unsafe() {
    let sources = sources();
    none(unsafe_code(&sources));
    none(without_the_workspace_lints(&sources));
    refused(&unsafe_code(&[Source::new("src-tauri/core/src/a.rs", "unsafe { x() }")]));
    refused(&without_the_workspace_lints(&[Source::new("a/Cargo.toml", "[package]\nname = \"a\"")]));
    let workspace = &sources.iter().find(|s| s.path == "Cargo.toml").unwrap().text;
    assert!(workspace.contains("unsafe_code = \"forbid\""));
}
