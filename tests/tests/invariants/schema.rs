//! Enumerations stand in Rust and in the schema's CHECK lists; the two are the same.

use std::collections::BTreeMap;

use crate::{Source, sources};

/// `table.column` → the values its CHECK list allows, in the schema's order.
fn check_lists(migrations: &[Source]) -> BTreeMap<String, Vec<String>> {
    let mut lists = BTreeMap::new();
    let mut table = String::new();
    for line in migrations.iter().flat_map(|source| source.text.lines()) {
        let line = line.split("--").next().unwrap_or_default().trim();
        if let Some(rest) = line.strip_prefix("CREATE TABLE ") {
            table = rest.split([' ', '(']).next().unwrap_or_default().to_owned();
        }
        let Some(start) = line.find("CHECK (").map(|at| at + "CHECK (".len()) else { continue };
        let Some((column, values)) = line[start..].split_once(" IN (") else { continue };
        let values = values.split(')').next().unwrap_or_default();
        let values = values.split(',').map(|value| value.trim().trim_matches('\'').to_owned()).collect();
        lists.insert(format!("{table}.{column}"), values);
    }
    lists
}

fn migrations() -> Vec<Source> {
    sources().into_iter().filter(|s| s.is("migrations/", &[".sql"])).collect()
}

#[test]
fn the_lists_of_the_schema_are_found() {
    let lists = check_lists(&migrations());
    assert_eq!(lists["transfer.direction"], ["in", "out"]);
    assert!(lists.contains_key("orders.stage") && lists.contains_key("task.state"), "{lists:?}");

    let sample =
        "CREATE TABLE a (\n  b TEXT NOT NULL CHECK (b IN ('x','y')), -- CHECK (c IN ('z'))\n) STRICT;";
    let lists = check_lists(&[Source::new("migrations/1.sql", sample)]);
    assert_eq!(lists, BTreeMap::from([("a.b".to_owned(), vec!["x".to_owned(), "y".to_owned()])]));
}
