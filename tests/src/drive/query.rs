//! The two small languages of Drive's query string: `q`, which finds files, and `fields`, which picks what is said.

use serde_json::{Map, Value};

use super::world::Item;

/// Whether `item` is found by `q`; an expression that is not understood is said so.
pub(super) fn finds(q: &str, item: &Item) -> Result<bool, String> {
    let words = words(q)?;
    let mut reading = Reading { words: &words, at: 0, item };
    let found = reading.either()?;
    if reading.at == words.len() { Ok(found) } else { Err(format!("more than one expression: {q}")) }
}

#[derive(Debug, PartialEq)]
enum Word {
    Text(String),
    Name(String),
}

fn words(q: &str) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut chars = q.chars().peekable();
    while let Some(&c) = chars.peek() {
        match c {
            ' ' => drop(chars.next()),
            '\'' => {
                chars.next();
                let mut text = String::new();
                loop {
                    match chars.next() {
                        Some('\\') => text.extend(chars.next()),
                        Some('\'') => break,
                        Some(c) => text.push(c),
                        None => return Err(format!("a text has no end: {q}")),
                    }
                }
                words.push(Word::Text(text));
            }
            '(' | ')' | '=' => {
                chars.next();
                words.push(Word::Name(c.to_string()));
            }
            '!' => {
                chars.next();
                chars.next();
                words.push(Word::Name("!=".to_owned()));
            }
            _ => {
                let mut name = String::new();
                while let Some(&c) = chars.peek().filter(|c| c.is_alphanumeric()) {
                    name.push(c);
                    chars.next();
                }
                if name.is_empty() {
                    return Err(format!("{c:?} in {q}"));
                }
                words.push(Word::Name(name));
            }
        }
    }
    Ok(words)
}

struct Reading<'a> {
    words: &'a [Word],
    at: usize,
    item: &'a Item,
}

impl Reading<'_> {
    fn takes(&mut self, name: &str) -> bool {
        let fits = matches!(self.words.get(self.at), Some(Word::Name(word)) if word == name);
        self.at += usize::from(fits);
        fits
    }

    fn either(&mut self) -> Result<bool, String> {
        let mut found = self.both()?;
        while self.takes("or") {
            found |= self.both()?;
        }
        Ok(found)
    }

    fn both(&mut self) -> Result<bool, String> {
        let mut found = self.one()?;
        while self.takes("and") {
            found &= self.one()?;
        }
        Ok(found)
    }

    fn one(&mut self) -> Result<bool, String> {
        if self.takes("not") {
            return Ok(!self.one()?);
        }
        if self.takes("(") {
            let found = self.either()?;
            return if self.takes(")") { Ok(found) } else { Err("a bracket is not closed".to_owned()) };
        }
        let words = self.words.get(self.at..self.at + 3).ok_or("the expression has no end")?;
        self.at += 3;
        match words {
            [Word::Text(id), Word::Name(verb), Word::Name(what)] if verb == "in" && what == "parents" => {
                let id = if id == "root" { super::world::ROOT } else { id };
                Ok(self.item.parent.as_deref() == Some(id))
            }
            [Word::Name(field), Word::Name(sign), value] if sign == "=" || sign == "!=" => {
                let same = match (field.as_str(), value) {
                    ("name", Word::Text(text)) => self.item.name == *text,
                    ("mimeType", Word::Text(text)) => self.item.mime == *text,
                    ("trashed", Word::Name(word)) => self.item.trashed.to_string() == *word,
                    _ => return Err(format!("{field} is not known")),
                };
                Ok(same == (sign == "="))
            }
            words => Err(format!("{words:?} is not understood")),
        }
    }
}

/// What Drive says when nothing is asked for.
const USUAL: &str = "kind,id,name,mimeType";

/// Keeps of `value` what `fields` names: `id,name,files(id,size)`; `*` is everything. Without it a file is described
/// shortly, as Drive does.
pub(super) fn mask(value: Value, fields: Option<&str>) -> Value {
    let usual = if value["kind"] == "drive#file" { USUAL } else { "*" };
    keep(value, fields.unwrap_or(usual))
}

fn keep(value: Value, fields: &str) -> Value {
    match value {
        Value::Array(values) => values.into_iter().map(|value| keep(value, fields)).collect(),
        Value::Object(mut object) if fields != "*" => {
            let mut kept = Map::new();
            for field in split(fields) {
                let (name, inner) = match field.split_once('(') {
                    Some((name, inner)) => (name, inner.trim_end_matches(')')),
                    None => field.split_once('/').unwrap_or((field, "*")),
                };
                if let Some(value) = object.remove(name.trim()) {
                    kept.insert(name.trim().to_owned(), keep(value, inner));
                }
            }
            Value::Object(kept)
        }
        value => value,
    }
}

/// Splits at commas outside of brackets.
fn split(fields: &str) -> Vec<&str> {
    let (mut parts, mut from, mut depth) = (Vec::new(), 0, 0_u32);
    for (at, c) in fields.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&fields[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&fields[from..]);
    parts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::world::FOLDER;
    use super::*;

    #[test]
    fn a_query_finds_what_it_says() {
        let item =
            Item { name: "it's".into(), mime: FOLDER.into(), parent: Some("p".into()), ..Item::default() };
        for (q, found) in [
            ("'p' in parents and trashed=false", true),
            ("'q' in parents or name = 'it\\'s'", true),
            ("trashed=false and ('q' in parents)", false),
            ("not trashed=true and mimeType!='x'", true),
        ] {
            assert_eq!(finds(q, &item), Ok(found), "{q}");
        }
        for wrong in ["", "name", "owner='a'", "('p' in parents", "'p' in parents 'q' in parents"] {
            assert!(finds(wrong, &item).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_what_is_asked_for_is_said() {
        let file = json!({ "kind": "drive#file", "id": "1", "name": "n", "mimeType": "m", "size": "5" });
        assert_eq!(
            mask(file.clone(), None),
            json!({ "kind": "drive#file", "id": "1", "name": "n", "mimeType": "m" })
        );
        assert_eq!(mask(file.clone(), Some("size,id")), json!({ "size": "5", "id": "1" }));
        let list = json!({ "kind": "drive#fileList", "files": [file], "nextPageToken": "t" });
        assert_eq!(
            mask(list, Some("nextPageToken,files(id)")),
            json!({ "nextPageToken": "t", "files": [{ "id": "1" }] })
        );
    }
}
