//! Other people's code: where it comes from, under which licence, and in how many versions.
//! The same rules stand in deny.toml for those who have cargo-deny.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{cargo, none, output, refused, root};

/// Licences that an Apache-2.0 program may be shipped with.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Never in the tree: TLS is rustls everywhere.
const BANNED: &[&str] = &["openssl", "openssl-sys", "native-tls"];

/// Two versions of these would mean two buses, two databases or two runtimes.
const SINGLE: &[&str] =
    &["zbus", "libsqlite3-sys", "sqlx", "tokio", "rustls", "keyring-core", "tauri", "hyper"];

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// One `[[package]]` of Cargo.lock.
#[derive(Debug)]
struct Locked {
    name: String,
    version: String,
    source: Option<String>,
}

fn locked(text: &str) -> Vec<Locked> {
    let value = |block: &str, key: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(&format!("{key} = \"")))?;
        Some(line.trim_end_matches('"').to_owned())
    };
    let blocks = text.split("[[package]]").skip(1);
    blocks
        .map(|block| Locked {
            name: value(block, "name").unwrap(),
            version: value(block, "version").unwrap(),
            source: value(block, "source"),
        })
        .collect()
}

fn lock_file() -> Vec<Locked> {
    let packages = locked(&std::fs::read_to_string(root().join("Cargo.lock")).unwrap());
    assert!(packages.len() > 300, "Cargo.lock was not understood");
    packages
}

fn sample(name: &str, version: &str, source: Option<&str>) -> Locked {
    Locked { name: name.to_owned(), version: version.to_owned(), source: source.map(str::to_owned) }
}

fn from_elsewhere(packages: &[Locked]) -> Vec<String> {
    let foreign = |source: &&Locked| source.source.as_deref().is_some_and(|source| source != CRATES_IO);
    packages.iter().filter(foreign).map(|p| format!("{} comes from {:?}", p.name, p.source)).collect()
}

fn banned(packages: &[Locked]) -> Vec<String> {
    packages
        .iter()
        .filter(|p| BANNED.contains(&p.name.as_str()))
        .map(|p| format!("{} is banned", p.name))
        .collect()
}

fn in_two_versions(packages: &[Locked]) -> Vec<String> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in packages.iter().filter(|p| SINGLE.contains(&p.name.as_str())) {
        versions.entry(&package.name).or_default().push(&package.version);
    }
    versions
        .iter()
        .filter(|(_, v)| v.len() > 1)
        .map(|(name, v)| format!("{name} in versions {v:?}"))
        .collect()
}

/// Bundled SQLite below 3.51.3 can lose a checkpoint; libsqlite3-sys 0.37 is the first that bundles it.
fn old_sqlite(packages: &[Locked]) -> Vec<String> {
    let minor = |version: &str| version.split('.').nth(1).and_then(|m| m.parse::<u32>().ok()).unwrap_or(0);
    let old = |p: &&Locked| p.name == "libsqlite3-sys" && minor(&p.version) < 37;
    packages.iter().filter(old).map(|p| format!("{} {}", p.name, p.version)).collect()
}

/// (package, licence expression) of everything that is linked on this platform.
fn licences() -> Vec<(String, String)> {
    let version = output("rustc", &["--version", "--verbose"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned();
    let metadata = cargo(&["metadata", "--offline", "--format-version", "1", "--filter-platform", &host]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or("none given").to_owned();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages.map(|package| (text(&package["name"]), text(&package["license"]))).collect()
}

fn not_allowed(packages: &[(String, String)]) -> Vec<String> {
    packages.iter().filter(|(_, l)| !allows(l)).map(|(name, l)| format!("{name} is under {l}")).collect()
}

/// True when the SPDX expression can be met with [`LICENCES`] alone. `/` is the old way to write OR.
fn allows(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let met = either(&mut rest);
    met && rest.is_empty()
}

fn either(words: &mut &[&str]) -> bool {
    let mut met = both(words);
    while let ["OR", rest @ ..] = *words {
        *words = rest;
        met |= both(words);
    }
    met
}

fn both(words: &mut &[&str]) -> bool {
    let mut met = one(words);
    while let ["AND", rest @ ..] = *words {
        *words = rest;
        met &= one(words);
    }
    met
}

fn one(words: &mut &[&str]) -> bool {
    match *words {
        ["(", rest @ ..] => {
            *words = rest;
            let met = either(words);
            if let [")", rest @ ..] = *words {
                *words = rest;
            }
            met
        }
        [licence, "WITH", exception, rest @ ..] => {
            *words = rest;
            LICENCES.contains(&format!("{licence} WITH {exception}").as_str())
        }
        [licence, rest @ ..] => {
            *words = rest;
            LICENCES.contains(licence)
        }
        [] => false,
    }
}

#[test]
fn every_crate_comes_from_the_public_registry() {
    none(from_elsewhere(&lock_file()));
    refused(&from_elsewhere(&[sample("x", "1.0.0", Some("git+https://example.org/x"))]));
}

#[test]
fn banned_crates_are_not_in_the_tree() {
    none(banned(&lock_file()));
    refused(&banned(&[sample("openssl", "0.10.0", Some(CRATES_IO)), sample("openssl-probe", "0.2.0", None)]));
}

#[test]
fn one_bus_one_database_one_runtime() {
    let packages = lock_file();
    none(in_two_versions(&packages));
    for name in SINGLE {
        assert!(packages.iter().any(|p| p.name == *name), "{name} is not in Cargo.lock; is the list stale?");
    }
    refused(&in_two_versions(&[sample("zbus", "5.0.0", None), sample("zbus", "6.0.0", None)]));
}

#[test]
fn the_bundled_database_is_new_enough() {
    none(old_sqlite(&lock_file()));
    refused(&old_sqlite(&[sample("libsqlite3-sys", "0.35.0", None)]));
}

#[test]
fn licences_allow_what_we_do() {
    none(not_allowed(&licences()));
    refused(&not_allowed(&[("x".to_owned(), "GPL-3.0-only".to_owned())]));
}

#[test]
fn licence_expressions_are_read_as_spdx_means_them() {
    for good in ["MIT", "MIT/Apache-2.0", "GPL-3.0 OR MIT", "(MIT OR GPL-2.0) AND Unicode-3.0"] {
        assert!(allows(good), "{good}");
    }
    for bad in
        ["GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND GPL-2.0", "none given", "", "Apache-2.0 WITH X"]
    {
        assert!(!allows(bad), "{bad}");
    }
}

#[test]
fn deny_toml_says_the_same() {
    let deny = std::fs::read_to_string(root().join("deny.toml")).unwrap();
    for name in LICENCES.iter().chain(BANNED) {
        assert!(deny.contains(&format!("\"{name}\"")), "deny.toml does not name {name}");
    }
}
