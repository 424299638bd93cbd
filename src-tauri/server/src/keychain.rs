//! Secrets in the operating system's keyring: Secret Service, Keychain, Credential Manager.
//!
//! All calls run on one thread of their own: they block, and inside async code they would panic and poison
//! the client for the life of the process. Used by the desktop app and by `chotdon-server`.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use chotdon_core::ports::{SecretError, SecretStore};
use chotdon_core::secrets::same;
use futures::future::BoxFuture;
use keyring_core::{CredentialStore, Entry, Error};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;
use zeroize::Zeroize;

/// Under this name the owner finds the entries in the keyring's own program.
const SERVICE: &str = "ChotDon";
/// An entry that is always there. A locked keyring answers "no such entry" for everything, this one too.
const LANDMARK: &str = "landmark";
/// How long opening may take: the keyring may first ask the owner to unlock it.
const OPEN_PATIENCE: Duration = Duration::from_secs(60);
/// How long one call may take.
const CALL_PATIENCE: Duration = Duration::from_secs(20);

type Outcome<T> = Result<T, SecretError>;
type Job = Box<dyn FnOnce(&mut Ring) + Send>;

/// The keyring's entries of one shop.
pub struct Keychain {
    jobs: mpsc::Sender<Job>,
}

/// Opens the keyring for the shop in `data_dir`, and proves by writing, reading and deleting an entry that it keeps
/// what it is given. Entries are named `<secret>@<hash of the data directory>`, so that two shops do not meet.
/// Blocks for milliseconds, or until the owner has unlocked the keyring (at most a minute).
///
/// # Errors
/// [`SecretError::Unavailable`] when there is no keyring, or it stays locked.
pub fn open(data_dir: &Path) -> Outcome<Keychain> {
    let shop = shop_id(data_dir);
    let (jobs, queue) = mpsc::channel::<Job>();
    let (ready, opened) = mpsc::channel();
    std::thread::Builder::new()
        .name("keychain".to_owned())
        .spawn(move || {
            let mut ring = Ring { shop, store: None };
            let _ = ready.send(ring.prove());
            for job in queue {
                job(&mut ring);
            }
        })
        .map_err(|error| SecretError::Unavailable(error.to_string()))?;
    opened.recv_timeout(OPEN_PATIENCE).unwrap_or_else(|_| Err(no_answer()))?;
    Ok(Keychain { jobs })
}

impl Keychain {
    fn call<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Ring) -> Outcome<T> + Send + 'static,
    ) -> BoxFuture<'static, Outcome<T>> {
        let (reply, answer) = oneshot::channel();
        let sent = self.jobs.send(Box::new(move |ring| drop(reply.send(act(ring)))));
        Box::pin(async move {
            sent.map_err(|_| no_answer())?;
            match tokio::time::timeout(CALL_PATIENCE, answer).await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(_)) | Err(_) => Err(no_answer()),
            }
        })
    }
}

impl SecretStore for Keychain {
    fn kind(&self) -> &'static str {
        "keyring"
    }

    fn get(&self, name: &str) -> BoxFuture<'_, Outcome<Option<SecretString>>> {
        let name = name.to_owned();
        self.call(move |ring| match ring.read(&name)? {
            Some(value) => Ok(Some(value)),
            None if ring.read(LANDMARK)?.is_some() => Ok(None),
            None => Err(SecretError::Unavailable("the keyring is locked".to_owned())),
        })
    }

    fn set(&self, name: &str, value: SecretString) -> BoxFuture<'_, Outcome<()>> {
        let name = name.to_owned();
        self.call(move |ring| ring.write(&name, &value))
    }

    fn delete(&self, name: &str) -> BoxFuture<'_, Outcome<()>> {
        let name = name.to_owned();
        self.call(move |ring| ring.remove(&name))
    }
}

/// Lives on the keychain's thread.
struct Ring {
    shop: String,
    store: Option<Arc<CredentialStore>>,
}

impl Ring {
    fn prove(&mut self) -> Outcome<()> {
        let probe = format!("probe-{:016x}", rand::random::<u64>());
        let written = SecretString::from(format!("{:032x}", rand::random::<u128>()));
        self.write(&probe, &written)?;
        let read = self.read(&probe)?;
        self.remove(&probe)?;
        if !read.is_some_and(|read| same(read.expose_secret(), written.expose_secret())) {
            return Err(SecretError::Unavailable("the keyring does not keep what it is given".to_owned()));
        }
        if self.read(LANDMARK)?.is_none() {
            self.write(LANDMARK, &SecretString::from("ChotDon keeps this shop's secrets here"))?;
        }
        Ok(())
    }

    fn read(&mut self, name: &str) -> Outcome<Option<SecretString>> {
        match self.entry(name)?.get_password() {
            Ok(mut value) => {
                let secret = SecretString::from(value.as_str());
                value.zeroize();
                Ok(Some(secret))
            }
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn write(&mut self, name: &str, value: &SecretString) -> Outcome<()> {
        self.entry(name)?.set_password(value.expose_secret()).map_err(|error| self.failed(&error))
    }

    fn remove(&mut self, name: &str) -> Outcome<()> {
        match self.entry(name)?.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn entry(&mut self, name: &str) -> Outcome<Entry> {
        let store = match &self.store {
            Some(store) => Arc::clone(store),
            None => {
                let store = native_store().map_err(|error| unavailable(&error))?;
                Arc::clone(self.store.insert(store))
            }
        };
        let account = format!("{name}@{}", self.shop);
        store.build(SERVICE, &account, None).map_err(|error| self.failed(&error))
    }

    /// The next call connects anew: the session bus or the keyring may have been restarted.
    fn failed(&mut self, error: &Error) -> SecretError {
        self.store = None;
        unavailable(error)
    }
}

/// By name, so that no feature of a dependency can put another store (kernel keyring, memory) in its place.
#[cfg(target_os = "linux")]
fn native_store() -> keyring_core::Result<Arc<CredentialStore>> {
    let store = zbus_secret_service_keyring_store::Store::new()?;
    Ok(store)
}

/// Keychain on macOS, Credential Manager on Windows.
#[cfg(not(target_os = "linux"))]
fn native_store() -> keyring_core::Result<Arc<CredentialStore>> {
    if keyring::Entry::store_status().is_err() {
        return Err(Error::NoDefaultStore);
    }
    keyring_core::get_default_store().ok_or(Error::NoDefaultStore)
}

/// First half of the SHA-256 of the canonical path, so that `.` and a link name the same shop.
fn shop_id(data_dir: &Path) -> String {
    let path =
        data_dir.canonicalize().or_else(|_| std::path::absolute(data_dir)).unwrap_or(data_dir.to_owned());
    hex::encode(&Sha256::digest(path.as_os_str().as_encoded_bytes())[..16])
}

/// The client's errors can carry bytes of what was stored; only their kind is repeated.
fn unavailable(error: &Error) -> SecretError {
    SecretError::Unavailable(match error {
        Error::NoStorageAccess(_) => "the keyring is locked, or has no default collection".to_owned(),
        Error::PlatformFailure(cause) => {
            format!("there is no keyring to talk to ({})", shortened(&cause.to_string()))
        }
        Error::NoDefaultStore => "this system has no keyring".to_owned(),
        Error::TooLong(..) => "the value is too long for the keyring".to_owned(),
        _ => "the keyring refused".to_owned(),
    })
}

fn shortened(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(160).collect()
}

fn no_answer() -> SecretError {
    SecretError::Unavailable("the keyring does not answer".to_owned())
}
