//! A bundle to send along when asking for help: versions, figures, health, settings, log lines. It holds only what is on a
//! list: no database, no free text of anybody's, no names, addresses or numbers of people, no secret.

use std::io::{self, Write};
use std::path::Path;

use serde_json::{Map, Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::config::Config;
use crate::logging;

/// Bytes of log lines that go into the bundle, the newest.
const MOST_LOGS: usize = 2_000_000;
/// Fields of a log line that are codes, numbers or names of our own.
const FIELDS: &[&str] = &[
    "timestamp",
    "level",
    "target",
    "message",
    "code",
    "kind",
    "stage",
    "class",
    "attempt",
    "task_id",
    "sepay_id",
    "amount_vnd",
    "order_code",
    "outcome",
    "last",
    "place",
    "route",
    "status",
    "requests",
    "reasons",
    "lane",
    "service",
    "epoch",
    "took_ms",
    "silent_ms",
    "ledger_rows",
    "secrets",
    "demo",
    "reason",
    "public",
    "private",
    "drain_s",
    "seconds",
    "until",
    "version",
    "bytes",
    "orders",
];
/// Settings whose value is a text and still says nothing about anybody.
const TEXTS: &[&str] = &[
    "language",
    "transport",
    "tls",
    "level",
    "desktop_about",
    "telegram_about",
    "webhook_about",
    "mail_about",
    "quiet_from",
    "quiet_to",
    "at",
];

/// A file of the bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: &'static str,
    /// Its bytes.
    pub body: Vec<u8>,
}

/// The files that need no running shop: versions, settings, log lines.
///
/// # Errors
/// When the log cannot be read.
pub fn files(data_dir: &Path, config: &Config) -> io::Result<Vec<File>> {
    let versions = json!({
        "version": env!("CARGO_PKG_VERSION"), "os": std::env::consts::OS, "arch": std::env::consts::ARCH,
        "sqlite": chotdon_store::MINIMUM_SQLITE,
    });
    Ok(vec![
        File { name: "versions.json", body: pretty(&versions) },
        File { name: "settings.json", body: pretty(&settings(config)) },
        File { name: "log.jsonl", body: log(&data_dir.join(logging::FOLDER))? },
    ])
}

/// A file of JSON.
pub(crate) fn json_file(name: &'static str, value: &Value) -> File {
    File { name, body: pretty(value) }
}

/// The bundle as a ZIP file.
///
/// # Errors
/// Never, as long as there is memory.
pub fn bundle(files: &[File]) -> io::Result<Vec<u8>> {
    let mut zip = ZipWriter::new(io::Cursor::new(Vec::new()));
    for file in files {
        zip.start_file(file.name, SimpleFileOptions::default()).map_err(io::Error::other)?;
        zip.write_all(&file.body)?;
    }
    Ok(zip.finish().map_err(io::Error::other)?.into_inner())
}

fn pretty(value: &Value) -> Vec<u8> {
    serde_json::to_vec_pretty(value).unwrap_or_default()
}

/// Numbers, switches and words of ours; of other texts only whether they are set.
fn settings(config: &Config) -> Value {
    let shown = |key: &str, value: Value| match value {
        Value::String(text) if TEXTS.contains(&key) => Value::String(text),
        Value::String(text) => json!(if text.is_empty() { "not set" } else { "set" }),
        Value::Array(rows) => json!(format!("{} set", rows.len())),
        other => other,
    };
    let Value::Object(sections) = json!(config) else { return Value::Null };
    let section = |(name, values): (String, Value)| {
        let Value::Object(values) = values else { return (name, Value::Null) };
        let values: Map<String, Value> =
            values.into_iter().map(|(key, value)| (key.clone(), shown(&key, value))).collect();
        (name, Value::Object(values))
    };
    Value::Object(sections.into_iter().map(section).collect())
}

/// The newest log lines, oldest first.
fn log(folder: &Path) -> io::Result<Vec<u8>> {
    let (mut pieces, mut total) = (Vec::new(), 0);
    for path in logging::paths(folder) {
        let text = String::from_utf8_lossy(&std::fs::read(path)?).into_owned();
        let mut lines: Vec<String> = Vec::new();
        for line in text.lines().rev() {
            let Some(line) = cleaned(line) else { continue };
            total += line.len() + 1;
            if total > MOST_LOGS {
                break;
            }
            lines.push(line);
        }
        pieces.push(lines);
        if total > MOST_LOGS {
            break;
        }
    }
    let lines: Vec<String> = pieces.into_iter().flatten().collect();
    Ok(lines.into_iter().rev().map(|line| line + "\n").collect::<String>().into_bytes())
}

/// A log line with only the fields of the list, and in these nothing that looks like an address or a number of somebody.
fn cleaned(line: &str) -> Option<String> {
    let Value::Object(fields) = serde_json::from_str(line).ok()? else { return None };
    let kept =
        fields.into_iter().filter(|(name, _)| FIELDS.contains(&name.as_str())).map(
            |(name, value)| match value {
                Value::String(text) if name != "timestamp" && name != "order_code" => {
                    (name, Value::String(scrubbed(&text)))
                }
                other => (name, other),
            },
        );
    Some(logging::masked(&Value::Object(kept.collect()).to_string()))
}

/// Words with an `@`, and runs of eight digits or more, are covered.
fn scrubbed(text: &str) -> String {
    let digits = |word: &str| word.chars().filter(char::is_ascii_digit).count();
    let covered =
        text.split(' ').map(|word| if word.contains('@') || digits(word) >= 8 { "…" } else { word });
    covered.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_in_the_bundle() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join(logging::FOLDER);
        std::fs::create_dir(&folder).unwrap();
        let lines = [
            r#"{"timestamp":"2026-11-22T05:00:00Z","level":"WARN","target":"chotdon_core::workers","message":"a stage failed","task_id":7,"code":"mail_refused","detail":"550 lan@example.com Trần Thị Lan 0912345678"}"#,
            r#"{"timestamp":"2026-11-22T05:00:01Z","level":"INFO","message":"transfer of lan@example.com from 0912345678","order_code":"DH123456","sepay_id":93}"#,
            "not json: Trần Thị Lan",
        ];
        std::fs::write(folder.join("chotdon.2026-11-22.jsonl"), lines.join("\n")).unwrap();
        let mut config = Config::default();
        config.shop.name = "Khoá học Lan".to_owned();
        config.mail.from = "lan@example.com".to_owned();
        config.notifications.telegram_chat = "912345678".to_owned();
        let files = files(dir.path(), &config).unwrap();
        let text: String =
            files.iter().map(|file| String::from_utf8_lossy(&file.body).into_owned()).collect();
        for planted in ["Lan", "lan@example.com", "0912345678", "912345678"] {
            assert!(!text.contains(planted), "{planted} in {text}");
        }
        for kept in ["mail_refused", "a stage failed", "\"task_id\":7", "DH123456", "retry_max", "\"set\""] {
            assert!(text.contains(kept), "{kept} in {text}");
        }
        let zip = bundle(&files).unwrap();
        let mut read = zip::ZipArchive::new(io::Cursor::new(&zip)).unwrap();
        assert_eq!(read.len(), 3);
        let mut log = String::new();
        io::Read::read_to_string(&mut read.by_name("log.jsonl").unwrap(), &mut log).unwrap();
        assert_eq!(log.lines().count(), 2);
    }
}
