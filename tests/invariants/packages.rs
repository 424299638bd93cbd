//! Which package may depend on which.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{cargo, none, refused};

/// Package name → names it depends on, dev-dependencies left out.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// Who may depend on whom among ours. Arrows only point down.
const ARROWS: &[(&str, &[&str])] = &[
    // The server's library part is the keyring, which the desktop shares.
    ("chotdon", &["chotdon-core", "chotdon-server"]),
    ("chotdon-server", &["chotdon-core"]),
    ("chotdon-core", &["chotdon-store", "chotdon-domain", "gdrive", "lms", "rclone", "sepay", "vietqr"]),
    ("chotdon-store", &["chotdon-domain"]),
    ("chotdon-domain", &[]),
    ("gdrive", &[]),
    ("lms", &[]),
    ("rclone", &[]),
    ("sepay", &[]),
    ("vietqr", &[]),
    ("xtask", &[]),
    (
        "chotdon-tests",
        &[
            "chotdon-server",
            "chotdon-core",
            "chotdon-store",
            "chotdon-domain",
            "gdrive",
            "lms",
            "rclone",
            "sepay",
            "vietqr",
        ],
    ),
];

/// A dependency that only one package may name.
const ONLY: &[(&str, &[&str])] = &[
    ("tauri", &["chotdon"]),
    ("sqlx", &["chotdon-store"]),
    ("rusqlite", &[]),
    ("keyring", &["chotdon-server"]),
    ("keyring-core", &["chotdon-server"]),
    ("notify-rust", &["chotdon"]),
    ("reqwest", &["chotdon-core", "chotdon-tests", "chotdon-server", "gdrive", "lms", "rclone"]),
];

fn graph() -> Graph {
    let metadata: Value =
        serde_json::from_str(&cargo(&["metadata", "--no-deps", "--offline", "--format-version", "1"]))
            .unwrap();
    let names = |package: &Value| {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        dependencies.filter(|d| d["kind"] != "dev").map(|d| d["name"].as_str().unwrap().to_owned()).collect()
    };
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages.map(|package| (package["name"].as_str().unwrap().to_owned(), names(package))).collect()
}

fn sample(edges: &[(&str, &[&str])]) -> Graph {
    edges.iter().map(|(from, to)| ((*from).to_owned(), to.iter().map(|&n| n.to_owned()).collect())).collect()
}

fn arrows_that_point_up(graph: &Graph) -> Vec<String> {
    let mut wrong = Vec::new();
    for (package, dependencies) in graph {
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| name == package) else {
            wrong.push(format!("{package} has no place in the house"));
            continue;
        };
        for ours in dependencies.iter().filter(|name| graph.contains_key(*name)) {
            if !allowed.contains(&ours.as_str()) {
                wrong.push(format!("{package} depends on {ours}"));
            }
        }
    }
    wrong
}

fn named_by_others(graph: &Graph) -> Vec<String> {
    let mut wrong = Vec::new();
    for (package, dependencies) in graph {
        for (dependency, allowed) in ONLY {
            let family = |name: &String| name == dependency || name.starts_with(&format!("{dependency}-"));
            let exact = |name: &String| name == dependency;
            let named = match *dependency {
                "tauri" => dependencies.iter().any(family),
                _ => dependencies.iter().any(exact),
            };
            if named && !allowed.contains(&package.as_str()) {
                wrong.push(format!("{package} names {dependency}"));
            }
        }
    }
    wrong
}

fn more_than_the_domain_needs(graph: &Graph) -> Vec<String> {
    let domain = &graph["chotdon-domain"];
    domain
        .iter()
        .filter(|name| *name != "thiserror")
        .map(|name| format!("chotdon-domain depends on {name}"))
        .collect()
}

/// What opens sockets or starts programs has no business in the crate that holds transactions open.
fn outside_world_in_the_store(graph: &Graph) -> Vec<String> {
    let outside = ["reqwest", "hyper", "axum", "lettre", "tower-http"];
    let store = &graph["chotdon-store"];
    store
        .iter()
        .filter(|name| outside.contains(&name.as_str()))
        .map(|n| format!("chotdon-store depends on {n}"))
        .collect()
}

fn windows_in(tree: &str) -> Vec<String> {
    let names: BTreeSet<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let is_window = |name: &str| {
        ["tauri", "wry", "tao", "gtk", "gdk", "webkit2gtk", "soup3", "x11"].iter().any(|window| {
            name == *window || name.strip_prefix(window).is_some_and(|rest| rest.starts_with('-'))
        })
    };
    names
        .into_iter()
        .filter(|name| is_window(name))
        .map(|name| format!("chotdon-server links {name}"))
        .collect()
}

#[test]
fn arrows_only_point_down() {
    none(arrows_that_point_up(&graph()));
    refused(&arrows_that_point_up(&sample(&[
        ("chotdon-domain", &["chotdon-store"]),
        ("chotdon-store", &[]),
    ])));
    refused(&arrows_that_point_up(&sample(&[("shop-utils", &[])])));
}

#[test]
fn tauri_sqlx_and_the_keyring_are_named_where_they_belong() {
    none(named_by_others(&graph()));
    refused(&named_by_others(&sample(&[("chotdon-core", &["tauri"])])));
    refused(&named_by_others(&sample(&[("chotdon-server", &["tauri-plugin-opener"])])));
    refused(&named_by_others(&sample(&[("chotdon-core", &["sqlx"])])));
    refused(&named_by_others(&sample(&[("chotdon-core", &["keyring-core"])])));
}

#[test]
fn the_domain_does_nothing_but_think() {
    none(more_than_the_domain_needs(&graph()));
    refused(&more_than_the_domain_needs(&sample(&[("chotdon-domain", &["thiserror", "serde"])])));
}

#[test]
fn the_store_cannot_reach_the_outside_world() {
    none(outside_world_in_the_store(&graph()));
    refused(&outside_world_in_the_store(&sample(&[("chotdon-store", &["sqlx", "reqwest"])])));
}

#[test]
fn the_headless_server_links_no_window() {
    let tree = |package| {
        cargo(&["tree", "--offline", "--package", package, "--edges", "normal", "--prefix", "none"])
    };
    none(windows_in(&tree("chotdon-server")));
    // The desktop does link them, so the same question has to find them there.
    assert!(windows_in(&tree("chotdon")).len() > 3);
}
