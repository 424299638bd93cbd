//! `config.toml` itself: read with line numbers, edited in place.

use std::path::Path;

use serde_json::{Map, Value as Json};
use toml_edit::{Document, DocumentMut, Item, Table, TableLike};

use super::{Config, ConfigError, Given, SECTIONS, row, setting};
use crate::private_file;

/// The text of the file; `None` when there is none.
pub(super) fn read(path: &Path) -> Result<Option<String>, ConfigError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ConfigError::io(path, error)),
    }
}

/// Sets in `config` whatever `text` says.
pub(super) fn apply(config: &mut Config, path: &Path, text: &str) -> Result<(), ConfigError> {
    let document = Document::parse(text).map_err(|error| syntax(path, text, &error))?;
    let place = |span: Option<std::ops::Range<usize>>| match span {
        Some(span) => format!("{}:{}", path.display(), line_of(text, span.start)),
        None => path.display().to_string(),
    };
    for (section, item) in document.iter() {
        let key = document.as_table().key(section);
        let here = || place(key.and_then(toml_edit::Key::span));
        if !SECTIONS.iter().any(|(name, _)| *name == section) {
            return Err(ConfigError::unknown(here(), section, None));
        }
        let Some(table) = item.as_table_like() else {
            return Err(ConfigError::Value {
                place: here(),
                key: section.to_owned(),
                expected: format!("a section, [{section}]"),
            });
        };
        for (key, item) in table.iter() {
            let here = || place(table.key(key).and_then(toml_edit::Key::span));
            let row = row(section, key).ok_or_else(|| ConfigError::unknown(here(), section, Some(key)))?;
            if !item.as_value().is_some_and(|value| (row.set)(config, Given::Toml(value))) {
                return Err(ConfigError::bad_value(here(), row));
            }
        }
    }
    Ok(())
}

/// Writes `values` into `section` of the file at `path`.
pub(super) fn save(path: &Path, section: &str, values: &Map<String, Json>) -> Result<(), ConfigError> {
    let text = read(path)?.unwrap_or_default();
    apply(&mut Config::default(), path, &text)?;
    let mut document: DocumentMut = text.parse().map_err(|error| syntax(path, &text, &error))?;
    if !SECTIONS.iter().any(|(name, _)| *name == section) {
        return Err(ConfigError::unknown(path.display().to_string(), section, None));
    }
    let table = document
        .entry(section)
        .or_insert_with(|| Item::Table(Table::new()))
        .as_table_like_mut()
        .ok_or_else(|| ConfigError::Shape(format!("`{section}` is not a section")))?;
    let mut checked = Config::default();
    for (key, value) in values {
        let place = || path.display().to_string();
        let row = row(section, key).ok_or_else(|| ConfigError::unknown(place(), section, Some(key)))?;
        if value.is_null() {
            table.remove(key);
            continue;
        }
        let value = setting::toml_of(value).ok_or_else(|| ConfigError::bad_value(place(), row))?;
        if !(row.set)(&mut checked, Given::Toml(&value)) {
            return Err(ConfigError::bad_value(place(), row));
        }
        put(table, key, value);
    }
    private_file::replace(path, document.to_string().as_bytes()).map_err(|error| ConfigError::io(path, error))
}

/// Replaces a value but keeps what stands before and after it, the comment at the line's end above all.
fn put(table: &mut dyn TableLike, key: &str, mut value: toml_edit::Value) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        None => {
            table.insert(key, Item::Value(value));
        }
    }
}

fn syntax(path: &Path, text: &str, error: &toml_edit::TomlError) -> ConfigError {
    let line = line_of(text, error.span().map_or(0, |span| span.start));
    ConfigError::Syntax { file: path.to_owned(), line, detail: error.message().trim().replace('\n', ", ") }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
