//! Enumerations stand in Rust and in the schema's CHECK lists; the two are the same.

use std::collections::BTreeMap;

use chotdon_domain::access::GrantState;
use chotdon_domain::order::{Delivery, Outcome, Stage};
use chotdon_domain::service::ServiceState;
use chotdon_domain::task::{Lane, TaskKind, TaskState};

use crate::{Source, none, refused, sources};

/// Lists whose values are written by one statement each and have no type of their own.
const WITHOUT_A_TYPE: &[(&str, &[&str])] = &[
    ("timeline.actor", &["system", "owner", "storefront"]),
    ("sepay_event.source", &["webhook", "reconcile", "manual"]),
    ("transfer.direction", &["in", "out"]),
    ("transfer.state", &["order", "wallet", "unmatched", "set_aside", "ignored"]),
    ("bucket.name", &["in", "orders", "wallets", "unmatched", "set_aside", "refunded", "shop"]),
    ("mail.state", &["intent", "sent"]),
    ("enrolment.state", &["intent", "enrolled", "revoking", "revoked"]),
    ("notice.state", &["new", "seen", "resolved"]),
    ("reconcile_run.cause", &["start", "wake", "timer", "demand", "tunnel"]),
    ("reconcile_run.state", &["running", "done", "failed", "stopped"]),
    ("course_check.state", &["same", "changed", "unknown", "failed"]),
    ("access_grant.kind", &["drive"]),
    ("notice_channel.channel", &["desktop", "telegram", "webhook", "mail"]),
    ("backup_run.cause", &["first", "timer", "owner", "command"]),
];

/// `table.column` → the values of the Rust enum that is stored there.
fn enums() -> BTreeMap<String, Vec<String>> {
    fn names<T: Copy>(all: &[T], name: fn(T) -> &'static str) -> Vec<&'static str> {
        all.iter().map(|&value| name(value)).collect()
    }
    let lanes = names(&Lane::ALL, Lane::as_str);
    // A duplicate is an answer, never a row.
    let outcomes =
        names(&Outcome::ALL, Outcome::as_str).into_iter().filter(|name| *name != "duplicate").collect();
    let typed = [
        ("orders.stage", names(&Stage::ALL, Stage::as_str)),
        ("order_item.delivery", names(&Delivery::ALL, Delivery::as_str)),
        ("sepay_event.outcome", outcomes),
        ("task.kind", names(&TaskKind::ALL, TaskKind::as_str)),
        ("task.lane", lanes.clone()),
        ("task.state", names(&TaskState::ALL, TaskState::as_str)),
        ("lane.name", lanes),
        ("service.state", names(&ServiceState::ALL, ServiceState::as_str)),
        ("access_grant.state", names(&GrantState::ALL, GrantState::as_str)),
        ("outgoing_event.type", chotdon_core::store::OUTGOING_EVENTS.to_vec()),
    ];
    let untyped = WITHOUT_A_TYPE.iter().map(|(column, values)| (*column, values.to_vec()));
    typed
        .into_iter()
        .chain(untyped)
        .map(|(column, values)| (column.to_owned(), values.into_iter().map(str::to_owned).collect()))
        .collect()
}

fn differences(schema: &BTreeMap<String, Vec<String>>, enums: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let columns: std::collections::BTreeSet<&String> = schema.keys().chain(enums.keys()).collect();
    let sorted = |values: Option<&Vec<String>>| {
        let mut values = values.cloned().unwrap_or_default();
        values.sort();
        values
    };
    columns
        .into_iter()
        .map(|column| (column, sorted(schema.get(column)), sorted(enums.get(column))))
        .filter(|(_, in_schema, in_rust)| in_schema != in_rust)
        .map(|(column, in_schema, in_rust)| format!("{column}: schema {in_schema:?}, Rust {in_rust:?}"))
        .collect()
}

/// `table.column` → the values its CHECK list allows, in the schema's order, after all migrations.
fn check_lists(migrations: &[Source]) -> BTreeMap<String, Vec<String>> {
    let mut lists = BTreeMap::new();
    let mut table = String::new();
    for line in migrations.iter().flat_map(|source| source.text.lines()) {
        let line = line.split("--").next().unwrap_or_default().trim();
        if let Some(rest) = line.strip_prefix("UPDATE sqlite_schema SET sql = replace(sql, ") {
            // Other changes of the stored text leave the lists alone.
            if rest.contains(" IN (") {
                widen(&mut lists, rest);
            }
            continue;
        }
        if let Some(rest) = line.strip_prefix("CREATE TABLE ") {
            table = rest.split([' ', '(']).next().unwrap_or_default().to_owned();
        }
        let Some(start) = line.find("CHECK (").map(|at| at + "CHECK (".len()) else { continue };
        let Some((column, values)) = list(&line[start..]) else { continue };
        lists.insert(format!("{table}.{column}"), values);
    }
    lists
}

/// `column IN ('a','b')…` as its column and values.
fn list(text: &str) -> Option<(&str, Vec<String>)> {
    let (column, values) = text.split_once(" IN (")?;
    let values = values.split(')').next()?.split(',').map(|value| value.trim().trim_matches('\'').to_owned());
    Some((column, values.collect()))
}

/// `'column IN (…)', 'column IN (…)') WHERE name = 'table'`: the first list, which must be there, becomes the second.
fn widen(lists: &mut BTreeMap<String, Vec<String>>, rest: &str) {
    let plain = rest.replace("''", "\"");
    let parts: Vec<&str> = plain.split('\'').collect();
    let [_, before, _, after, _, table, _] = parts[..] else {
        panic!("a change of the schema in another form: {rest}")
    };
    let read = |text: &str| {
        let (column, values) = list(text).unwrap_or_else(|| panic!("no list: {text}"));
        (column.to_owned(), values.iter().map(|value| value.trim_matches('"').to_owned()).collect::<Vec<_>>())
    };
    let ((column, before), (_, after)) = (read(before), read(after));
    let key = format!("{table}.{column}");
    assert_eq!(lists.get(&key), Some(&before), "{key} is not what the migration changes");
    lists.insert(key, after);
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

    let wider = "UPDATE sqlite_schema SET sql = replace(sql, 'b IN (''x'',''y'')', 'b IN (''x'',''y'',''z'')') WHERE name = 'a';";
    let lists =
        check_lists(&[Source::new("migrations/1.sql", sample), Source::new("migrations/2.sql", wider)]);
    assert_eq!(lists["a.b"], ["x", "y", "z"]);
}

#[test]
fn enums_and_check_lists_are_the_same() {
    let enums = enums();
    none(differences(&check_lists(&migrations()), &enums));

    let mut other = enums.clone();
    other.get_mut("task.state").unwrap().push("paused".to_owned());
    refused(&differences(&other, &enums));
    other = enums.clone();
    other.insert("orders.mood".to_owned(), vec!["good".to_owned()]);
    refused(&differences(&other, &enums));
}
