//! `secrets.bin`: all secrets of a shop in one encrypted file, for machines without a keyring.
//!
//! Argon2id turns the passphrase into a key, XChaCha20-Poly1305 seals the whole map as JSON with the header as
//! associated data. Every change is a whole new file under a new nonce, replaced atomically under a lock
//! that all processes of the shop share.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use zeroize::{Zeroize, Zeroizing};

use crate::ports::{SecretError, SecretStore};
use crate::private_file;

/// Name of the file in the data directory.
const FILE_NAME: &str = "secrets.bin";
const LOCK_NAME: &str = "secrets.lock";

/// Names the format and its version; version 1 fixes the costs below.
const MAGIC: &[u8; 16] = b"ChotDon secret\0\x01";
const SALT: usize = 16;
const NONCE: usize = 24;
const HEADER: usize = MAGIC.len() + SALT + NONCE;
/// Memory for one guess at the passphrase, KiB.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

type Values = BTreeMap<String, SecretString>;

/// The encrypted file of one data directory.
pub struct FileSecrets {
    inner: Arc<Mutex<Opened>>,
}

struct Opened {
    path: PathBuf,
    lock: PathBuf,
    passphrase: SecretString,
    /// The key for the salt that it was derived with: deriving costs tens of milliseconds.
    key: Option<([u8; SALT], Zeroizing<[u8; 32]>)>,
    values: Values,
    seen: Option<Stamp>,
}

/// Changes whenever another process replaces the file.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    modified: Option<std::time::SystemTime>,
    length: u64,
}

impl FileSecrets {
    /// Whether `data_dir` has such a file.
    #[must_use]
    pub fn exists_in(data_dir: &Path) -> bool {
        data_dir.join(FILE_NAME).exists()
    }

    /// Removes the file of `data_dir`, after its secrets were moved elsewhere.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn remove_from(data_dir: &Path) -> io::Result<()> {
        fs::remove_file(data_dir.join(FILE_NAME))
    }

    /// Opens the file of `data_dir` and proves the passphrase on it; a missing file is made with the first secret.
    ///
    /// # Errors
    /// [`SecretError::Unreadable`] when the passphrase is wrong or the file damaged; it is never overwritten then.
    pub async fn open(data_dir: &Path, passphrase: SecretString) -> Result<Self, SecretError> {
        let opened = Opened {
            path: data_dir.join(FILE_NAME),
            lock: data_dir.join(LOCK_NAME),
            passphrase,
            key: None,
            values: Values::new(),
            seen: None,
        };
        let store = Self { inner: Arc::new(Mutex::new(opened)) };
        store.run(Opened::refresh).await?;
        Ok(store)
    }

    async fn run<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Opened) -> Result<T, SecretError> + Send + 'static,
    ) -> Result<T, SecretError> {
        let inner = Arc::clone(&self.inner);
        tokio::task::spawn_blocking(move || act(&mut inner.lock().unwrap_or_else(PoisonError::into_inner)))
            .await
            .map_err(|_| SecretError::Unavailable("reading the secret file was interrupted".to_owned()))?
    }
}

impl SecretStore for FileSecrets {
    fn kind(&self) -> &'static str {
        "file"
    }

    fn get(&self, name: &str) -> BoxFuture<'_, Result<Option<SecretString>, SecretError>> {
        let name = name.to_owned();
        Box::pin(self.run(move |opened| {
            opened.refresh()?;
            Ok(opened.values.get(&name).cloned())
        }))
    }

    fn set(&self, name: &str, value: SecretString) -> BoxFuture<'_, Result<(), SecretError>> {
        let name = name.to_owned();
        Box::pin(self.run(move |opened| {
            opened.change(|values| {
                values.insert(name, value);
                true
            })
        }))
    }

    fn delete(&self, name: &str) -> BoxFuture<'_, Result<(), SecretError>> {
        let name = name.to_owned();
        Box::pin(self.run(move |opened| opened.change(|values| values.remove(&name).is_some())))
    }
}

impl Opened {
    /// Reads the file when it is not the one that was read last.
    fn refresh(&mut self) -> Result<(), SecretError> {
        let stamp = match fs::metadata(&self.path) {
            Ok(metadata) => Stamp::of(&metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.values.clear();
                self.seen = None;
                return Ok(());
            }
            Err(error) => return Err(self.trouble(&error)),
        };
        if self.seen == Some(stamp) {
            return Ok(());
        }
        let bytes = fs::read(&self.path).map_err(|error| self.trouble(&error))?;
        self.values = self.unseal(&bytes)?;
        self.seen = Some(stamp);
        Ok(())
    }

    /// Applies `edit` to the newest values and writes them when it says that something changed.
    fn change(&mut self, edit: impl FnOnce(&mut Values) -> bool) -> Result<(), SecretError> {
        if let Some(folder) = self.path.parent() {
            private_file::create_folder(folder).map_err(|error| self.trouble(&error))?;
        }
        let lock = private_file::open_lock(&self.lock).map_err(|error| self.trouble(&error))?;
        lock.lock().map_err(|error| self.trouble(&error))?; // released when closed
        self.refresh()?;
        let mut values = self.values.clone();
        if !edit(&mut values) {
            return Ok(());
        }
        let sealed = self.seal(&values)?;
        private_file::replace(&self.path, &sealed).map_err(|error| self.trouble(&error))?;
        let metadata = fs::metadata(&self.path).map_err(|error| self.trouble(&error))?;
        self.seen = Some(Stamp::of(&metadata));
        self.values = values;
        Ok(())
    }

    fn unseal(&mut self, bytes: &[u8]) -> Result<Values, SecretError> {
        let damaged = || SecretError::Unreadable("it is not a secret file of this version".to_owned());
        let (header, sealed) = bytes.split_at_checked(HEADER).ok_or_else(damaged)?;
        let rest = header.strip_prefix(MAGIC).ok_or_else(damaged)?;
        let (salt, nonce) = rest.split_first_chunk::<SALT>().ok_or_else(damaged)?;
        let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| damaged())?;
        let plain = self
            .cipher(*salt)?
            .decrypt(&XNonce::from(nonce), Payload { msg: sealed, aad: header })
            .map(Zeroizing::new)
            .map_err(|_| {
                SecretError::Unreadable("the passphrase is wrong or the file is damaged".to_owned())
            })?;
        let values: BTreeMap<String, String> = serde_json::from_slice(&plain).map_err(|_| damaged())?;
        let wiped = |(name, mut value): (String, String)| {
            let secret = SecretString::from(value.as_str());
            value.zeroize();
            (name, secret)
        };
        Ok(values.into_iter().map(wiped).collect())
    }

    fn seal(&mut self, values: &Values) -> Result<Vec<u8>, SecretError> {
        let salt = self.key.as_ref().map_or_else(rand::random, |(salt, _)| *salt);
        let nonce: [u8; NONCE] = rand::random();
        let mut file = Vec::with_capacity(HEADER + 1024);
        file.extend_from_slice(MAGIC);
        file.extend_from_slice(&salt);
        file.extend_from_slice(&nonce);
        let exposed: BTreeMap<&str, &str> =
            values.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
        let failed = || SecretError::Unavailable("the secrets could not be encrypted".to_owned());
        let plain = Zeroizing::new(serde_json::to_vec(&exposed).map_err(|_| failed())?);
        let sealed = self
            .cipher(salt)?
            .encrypt(&XNonce::from(nonce), Payload { msg: &plain, aad: &file })
            .map_err(|_| failed())?;
        file.extend_from_slice(&sealed);
        Ok(file)
    }

    fn cipher(&mut self, salt: [u8; SALT]) -> Result<XChaCha20Poly1305, SecretError> {
        if self.key.as_ref().is_none_or(|(known, _)| *known != salt) {
            let failed = |_| SecretError::Unavailable("the key could not be derived".to_owned());
            let mut key = Zeroizing::new([0; 32]);
            let params = Params::new(MEMORY_KIB, PASSES, 1, Some(key.len())).map_err(failed)?;
            Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                .hash_password_into(self.passphrase.expose_secret().as_bytes(), &salt, key.as_mut())
                .map_err(failed)?;
            self.key = Some((salt, key));
        }
        let (_, key) = self.key.as_ref().expect("derived above");
        Ok(XChaCha20Poly1305::new((&**key).into()))
    }

    fn trouble(&self, error: &io::Error) -> SecretError {
        SecretError::Unavailable(format!("{}: {error}", self.path.display()))
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(metadata);
        #[cfg(not(unix))]
        let inode = 0;
        Self { inode, modified: metadata.modified().ok(), length: metadata.len() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: &str = "canary-4f1d-Mật-khẩu";

    async fn open(dir: &Path, passphrase: &str) -> Result<FileSecrets, SecretError> {
        FileSecrets::open(dir, SecretString::from(passphrase)).await
    }

    async fn value(store: &FileSecrets, name: &str) -> Option<String> {
        store.get(name).await.unwrap().map(|value| value.expose_secret().to_owned())
    }

    #[tokio::test]
    async fn values_survive_reopening_and_the_file_is_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), "passphrase").await.unwrap();
        assert!(!FileSecrets::exists_in(dir.path()));
        store.set("smtp.password", SecretString::from(CANARY)).await.unwrap();
        store.set("tunnel.token", SecretString::from("t")).await.unwrap();
        store.delete("tunnel.token").await.unwrap();
        let again = open(dir.path(), "passphrase").await.unwrap();
        assert_eq!(value(&again, "smtp.password").await.as_deref(), Some(CANARY));
        assert_eq!(value(&again, "tunnel.token").await, None);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            for name in [FILE_NAME, LOCK_NAME] {
                assert_eq!(fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o777, 0o600);
            }
        }
    }

    #[tokio::test]
    async fn no_file_beside_the_secrets_holds_a_value_or_a_name_in_the_clear() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), "passphrase").await.unwrap();
        store.set("smtp.password", SecretString::from(CANARY)).await.unwrap();
        let hits = |needle: &str| {
            fs::read_dir(dir.path())
                .unwrap()
                .filter(|entry| {
                    let bytes = fs::read(entry.as_ref().unwrap().path()).unwrap();
                    bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
                })
                .count()
        };
        assert_eq!(hits("canary-4"), 0);
        assert_eq!(hits("smtp.password"), 0);
        // The search itself works: the format's name is found.
        assert_eq!(hits("ChotDon secret"), 1);
    }

    #[tokio::test]
    async fn a_wrong_passphrase_opens_nothing_and_leaves_the_file_alone() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), "passphrase").await.unwrap();
        store.set("smtp.password", SecretString::from(CANARY)).await.unwrap();
        let before = fs::read(dir.path().join(FILE_NAME)).unwrap();
        let error = open(dir.path(), "Passphrase").await.err().unwrap();
        assert!(matches!(error, SecretError::Unreadable(_)), "{error}");
        assert!(!error.to_string().contains("canary"));
        assert_eq!(fs::read(dir.path().join(FILE_NAME)).unwrap(), before);
    }

    #[tokio::test]
    async fn a_change_of_any_byte_or_length_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path(), "passphrase").await.unwrap();
        store.set("smtp.password", SecretString::from(CANARY)).await.unwrap();
        let good = fs::read(dir.path().join(FILE_NAME)).unwrap();
        let mut opened = store.inner.lock().unwrap();
        assert!(opened.unseal(&good).is_ok(), "the untouched file opens");
        for position in 0..good.len() {
            let mut bad = good.clone();
            bad[position] ^= 1;
            assert!(matches!(opened.unseal(&bad), Err(SecretError::Unreadable(_))), "byte {position}");
        }
        for length in 0..good.len() {
            assert!(opened.unseal(&good[..length]).is_err(), "length {length}");
        }
        let mut longer = good;
        longer.push(0);
        assert!(opened.unseal(&longer).is_err());
    }

    #[tokio::test]
    async fn a_second_process_sees_changes_and_loses_none_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        // Two stores share only the files, as two processes do.
        let one = Arc::new(open(dir.path(), "passphrase").await.unwrap());
        let two = Arc::new(open(dir.path(), "passphrase").await.unwrap());
        let writers = [("one", Arc::clone(&one)), ("two", Arc::clone(&two))].map(|(who, store)| {
            tokio::spawn(async move {
                for n in 0..20 {
                    store.set(&format!("lms.{who}-{n}"), SecretString::from("v")).await.unwrap();
                }
            })
        });
        for writer in writers {
            writer.await.unwrap();
        }
        for store in [one, two] {
            for n in 0..20 {
                assert!(value(&store, &format!("lms.one-{n}")).await.is_some());
                assert!(value(&store, &format!("lms.two-{n}")).await.is_some());
            }
        }
    }
}
