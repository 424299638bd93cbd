//! Finds a secret in whatever spelling it was written.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Every spelling of the secrets that are looked for.
pub(crate) struct Scanner {
    spellings: Vec<(String, String)>,
}

/// Every spelling of one value: as it is, hex, URL-encoded, in JSON, and Base64 wherever in a longer text it stands.
pub(crate) fn spellings(value: &str) -> Vec<String> {
    let quoted = serde_json::Value::from(value).to_string();
    let mut all = vec![
        value.to_owned(),
        quoted[1..quoted.len() - 1].to_owned(),
        hex::encode(value),
        hex::encode_upper(value),
        utf8_percent_encode(value, NON_ALPHANUMERIC).to_string(),
        utf8_percent_encode(value, NON_ALPHANUMERIC).to_string().to_lowercase(),
    ];
    for before in 0..3 {
        let bytes = [vec![0; before], value.as_bytes().to_vec()].concat();
        // Characters that depend on the value alone.
        let (start, end) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            all.push(engine.encode(&bytes)[start..end].to_owned());
        }
    }
    all.sort();
    all.dedup();
    all
}

impl Scanner {
    /// A scanner for values by name.
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let all = secrets.into_iter().flat_map(|(name, value)| {
            spellings(value).into_iter().map(move |spelling| (name.to_owned(), spelling))
        });
        Self { spellings: all.collect() }
    }

    /// Names of the secrets that `bytes` hold.
    pub(crate) fn found(&self, bytes: &[u8]) -> Vec<String> {
        let text = String::from_utf8_lossy(bytes);
        let mut names: Vec<String> = self
            .spellings
            .iter()
            .filter(|(_, spelling)| text.contains(spelling))
            .map(|(name, _)| name.clone())
            .collect();
        names.dedup();
        names
    }

    /// `FILE: NAME` of every secret in a file below `folder`; files named in `left_out` are not looked at.
    pub(crate) fn found_below(&self, folder: &Path, left_out: &[&str]) -> Vec<String> {
        let mut hits = Vec::new();
        for path in files(folder) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !left_out.contains(&name.as_str()) {
                // A file may go while it is looked for: the write-ahead log at a stop.
                let bytes = std::fs::read(&path).unwrap_or_default();
                hits.extend(
                    self.found(&bytes).into_iter().map(|secret| format!("{}: {secret}", path.display())),
                );
            }
        }
        hits
    }
}

/// Every file below `folder`.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}
