//! Finds a secret in whatever spelling it was written.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// A part of a secret that is long enough to be worth finding.
const PIECE: usize = 8;

/// Every spelling of the secrets that are looked for.
pub(crate) struct Scanner {
    spellings: Vec<(String, String)>,
    /// Every eight characters in a row, by the place of their name in `named`.
    pieces: HashMap<[u8; PIECE], usize>,
    named: Vec<(String, String)>,
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
        let named: Vec<(String, String)> =
            secrets.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let all = named.iter().flat_map(|(name, value)| {
            spellings(value).into_iter().map(move |spelling| (name.clone(), spelling))
        });
        Self { spellings: all.collect(), pieces: HashMap::new(), named }
    }

    /// The same, which also finds eight characters in a row of the random ones: those of 32 characters or more, after a
    /// fixed beginning (`whsec_`, `cd_`).
    pub(crate) fn with_pieces(mut self) -> Self {
        for (place, (_, value)) in self.named.iter().enumerate().filter(|(_, (_, value))| value.len() >= 32) {
            let start = ["whsec_", "cd_"].iter().find_map(|mark| value.strip_prefix(mark)).unwrap_or(value);
            let pieces = start.as_bytes().windows(PIECE).filter_map(|piece| piece.try_into().ok());
            self.pieces.extend(pieces.map(|piece: [u8; PIECE]| (piece, place)));
        }
        self
    }

    fn pieces_in<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = String> + 'a {
        let windows = bytes.windows(if self.pieces.is_empty() { bytes.len() + 1 } else { PIECE });
        let mut places: Vec<usize> = windows.filter_map(|piece| self.pieces.get(piece).copied()).collect();
        places.sort_unstable();
        places.dedup();
        places.into_iter().map(|place| format!("a piece of {}", self.named[place].0))
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
        if names.is_empty() {
            names.extend(self.pieces_in(bytes));
        }
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
