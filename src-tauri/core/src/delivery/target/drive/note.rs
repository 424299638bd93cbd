//! What is written down of a course on its way to Drive, so that a later try goes on where this one ended.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::future::BoxFuture;
use md5::Md5;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::digest::common::hazmat::SerializableState;
use sha2::{Digest, Sha256};

use super::super::super::source::Stamp;
use crate::workers::StageError;

/// Where notes of one version of a course are kept. It outlives the program.
pub(crate) trait Notebook: Send + Sync {
    /// Every note.
    fn read(&self) -> BoxFuture<'_, Result<Vec<Note>, StageError>>;
    /// Writes notes, all or none, in place of those with the same keys. When it answers they are durable.
    fn write(&self, notes: Vec<Note>) -> BoxFuture<'_, Result<(), StageError>>;
}

/// One note.
#[derive(Debug, Clone)]
pub(crate) struct Note {
    /// What it is about, unique in the notebook.
    pub(crate) key: String,
    /// Whether it is done, or only about to be.
    pub(crate) done: bool,
    /// JSON; empty for something that was forgotten. May hold the address of an upload: not to be shown.
    pub(crate) text: String,
}

impl Note {
    pub(super) fn intent(key: &str, what: &impl Serialize) -> Result<Self, StageError> {
        let text =
            serde_json::to_string(what).map_err(|e| StageError::permanent("internal", e.to_string()))?;
        Ok(Self { key: key.to_owned(), done: false, text })
    }

    pub(super) fn done(key: &str, what: &impl Serialize) -> Result<Self, StageError> {
        Ok(Self { done: true, ..Self::intent(key, what)? })
    }

    pub(super) fn none(key: &str) -> Self {
        Self { key: key.to_owned(), done: false, text: String::new() }
    }

    pub(super) fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(&self.text).ok()
    }
}

/// A folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct FolderNote {
    pub(super) id: String,
}

/// A file, under way or complete.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct FileNote {
    pub(super) id: String,
    /// What the source's file was like when it was opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stamp: Option<Stamp>,
    /// Read from the staging directory, not from the source itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) staged: bool,
    /// The address of the upload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) session: Option<String>,
    /// Sums of the bytes that Drive had confirmed when this was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sums: Option<Sums>,
    /// Set once the file is complete and compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) complete: Option<Complete>,
}

/// A complete file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Complete {
    pub(super) size: u64,
    pub(super) sha256: String,
    pub(super) md5: String,
}

impl FileNote {
    pub(super) fn begin(id: String) -> Self {
        Self { id, stamp: None, staged: false, session: None, sums: None, complete: None }
    }
}

/// SHA-256 and MD5 of the first bytes of a file; can be put down and taken up again.
#[derive(Clone, Default)]
pub(super) struct Sums {
    /// Bytes so far.
    pub(super) at: u64,
    sha256: Sha256,
    md5: Md5,
}

impl Sums {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.md5.update(bytes);
        self.at += bytes.len() as u64;
    }

    pub(super) fn complete(self) -> Complete {
        let (sha256, md5) = (hex::encode(self.sha256.finalize()), hex::encode(self.md5.finalize()));
        Complete { size: self.at, sha256, md5 }
    }
}

#[derive(Serialize, Deserialize)]
struct SumsText {
    at: u64,
    sha256: String,
    md5: String,
}

impl Serialize for Sums {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let sha256 = STANDARD.encode(SerializableState::serialize(&self.sha256));
        let md5 = STANDARD.encode(SerializableState::serialize(&self.md5));
        SumsText { at: self.at, sha256, md5 }.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Sums {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        fn state<T: SerializableState>(text: &str) -> Option<T> {
            let bytes = STANDARD.decode(text).ok()?;
            SerializableState::deserialize(bytes.as_slice().try_into().ok()?).ok()
        }
        let text: SumsText = Deserialize::deserialize(from)?;
        let read = || Some(Self { at: text.at, sha256: state(&text.sha256)?, md5: state(&text.md5)? });
        read().ok_or_else(|| serde::de::Error::custom("the sums cannot be taken up"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_taken_up_where_they_were_put_down() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let mut whole = Sums::default();
        whole.update(&bytes);
        let mut half = Sums::default();
        half.update(&bytes[..33_333]);
        let text = serde_json::to_string(&half).unwrap();
        let mut again: Sums = serde_json::from_str(&text).unwrap();
        again.update(&bytes[33_333..]);
        let (whole, again) = (whole.complete(), again.complete());
        assert_eq!((whole.size, &whole.sha256, &whole.md5), (again.size, &again.sha256, &again.md5));
        assert_eq!(again.sha256, hex::encode(Sha256::digest(&bytes)));
        assert!(serde_json::from_str::<Sums>(r#"{"at":1,"sha256":"AA==","md5":""}"#).is_err());
    }
}
