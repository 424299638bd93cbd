//! What the rest of the program asks for a credential: current and previous value, rotation, listing.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::SecretName;
use super::marker::Marker;
use crate::ports::{SecretError, SecretStore};

/// How long the value before a rotation stays good.
pub const OVERLAP: Duration = Duration::from_secs(24 * 3600);

/// How long a value read from the store is used before the store is asked again, ms. A change through
/// this process, or a [`Credentials::forget`], is seen at once.
const FRESH_MS: i64 = 30_000;

/// Where the store keeps which names of the open families are set: the keyring cannot be asked for a list.
const INDEX: &str = "names";

/// The credentials of one shop. Cheap to clone; clones share what they remember.
#[derive(Clone)]
pub struct Credentials {
    store: Arc<dyn SecretStore>,
    known: Arc<Mutex<Memory>>,
    marker: Option<Arc<Marker>>,
}

/// What was read, and how often it was forgotten: what a read brings that began before is out of date.
#[derive(Default)]
struct Memory {
    values: HashMap<SecretName, Known>,
    forgotten: u64,
    /// Since when (ms) the store fails, and how.
    trouble: Option<(i64, SecretError)>,
}

#[derive(Clone)]
struct Known {
    read_at: i64,
    current: Option<SecretString>,
    previous: Option<Previous>,
}

#[derive(Clone)]
struct Previous {
    until: i64,
    value: SecretString,
}

/// One row of a list of secrets. Never the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The name.
    pub name: SecretName,
    /// Whether it has a value.
    pub set: bool,
    /// Last four characters of values of at least 12.
    pub hint: Option<String>,
    /// Until when the value before the last rotation is good, ms.
    pub previous_until: Option<i64>,
}

impl Credentials {
    /// The credentials in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn SecretStore>) -> Self {
        Self { store, known: Arc::default(), marker: None }
    }

    /// The same, with other processes of the shop in `data_dir` told of changes, and hearing of theirs at once.
    #[must_use]
    pub fn shared_in(self, data_dir: &Path) -> Self {
        Self { marker: Some(Arc::new(Marker::of(data_dir))), ..self }
    }

    /// Why the store could not be read the last time it was asked; `None` while it can.
    #[must_use]
    pub fn trouble(&self) -> Option<(i64, SecretError)> {
        self.memory().trouble.clone()
    }

    /// What the owner is told is in use: `keyring`, `file` or `memory`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.store.kind()
    }

    /// The current value at `now` (ms), at most 30 s old.
    ///
    /// # Errors
    /// The store's, when nothing is remembered from before.
    pub async fn get(&self, name: &SecretName, now: i64) -> Result<Option<SecretString>, SecretError> {
        Ok(self.read(name, now).await?.current)
    }

    /// Every value that is good at `now` (ms): the current one first, then the one before a rotation while
    /// the overlap lasts. Empty when none was set. Served from memory for 30 s, so it may be asked per request;
    /// a store that fails in between is asked again later and the remembered values stay good.
    ///
    /// # Errors
    /// The store's, when nothing is remembered from before.
    pub async fn live_values(&self, name: &SecretName, now: i64) -> Result<Vec<SecretString>, SecretError> {
        let known = self.read(name, now).await?;
        let previous = known.previous.filter(|previous| previous.until > now).map(|p| p.value);
        Ok(known.current.into_iter().chain(previous).collect())
    }

    /// Sets or replaces the value; the one before is void at once.
    ///
    /// # Errors
    /// The store's.
    pub async fn set(&self, name: &SecretName, value: SecretString) -> Result<(), SecretError> {
        crate::logging::hide(&value);
        self.store.delete(&name.previous()).await?;
        self.store.set(name.as_str(), value).await?;
        self.note(name, true).await?;
        self.forget_one(name);
        Ok(())
    }

    /// Sets a new value at `now` (ms) and keeps the one before good for `overlap` ([`OVERLAP`] by default).
    ///
    /// # Errors
    /// The store's.
    pub async fn rotate(
        &self,
        name: &SecretName,
        value: SecretString,
        now: i64,
        overlap: Duration,
    ) -> Result<(), SecretError> {
        crate::logging::hide(&value);
        // The old value is put aside before it is replaced: a crash in between leaves both good.
        if let Some(old) = self.store.get(name.as_str()).await? {
            let until = now.saturating_add(i64::try_from(overlap.as_millis()).unwrap_or(i64::MAX));
            let aside = SecretString::from(format!("{until}:{}", old.expose_secret()));
            self.store.set(&name.previous(), aside).await?;
        }
        self.store.set(name.as_str(), value).await?;
        self.note(name, true).await?;
        self.forget_one(name);
        Ok(())
    }

    /// Makes the value before the current one void at once; fine when there is none.
    ///
    /// # Errors
    /// The store's.
    pub async fn revoke_previous(&self, name: &SecretName) -> Result<(), SecretError> {
        self.store.delete(&name.previous()).await?;
        self.forget_one(name);
        Ok(())
    }

    /// Removes the value and the one before it, both void at once.
    ///
    /// # Errors
    /// The store's.
    pub async fn delete(&self, name: &SecretName) -> Result<(), SecretError> {
        self.store.delete(name.as_str()).await?;
        self.store.delete(&name.previous()).await?;
        self.note(name, false).await?;
        self.forget_one(name);
        Ok(())
    }

    /// The value, which is invented and stored when there is none: for `admin.token` and `link.key`.
    ///
    /// # Errors
    /// The store's.
    pub async fn get_or_generate(&self, name: &SecretName) -> Result<SecretString, SecretError> {
        if let Some(value) = self.store.get(name.as_str()).await? {
            return Ok(value);
        }
        self.store.set(name.as_str(), super::generate()).await?;
        // Read back: another process may have been faster, and a store that keeps nothing must not go unnoticed.
        self.store
            .get(name.as_str())
            .await?
            .ok_or_else(|| SecretError::Unavailable("it took a value and does not give it back".to_owned()))
    }

    /// The names that the owner can set, and the set ones of the open families, at `now` (ms).
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&self, now: i64) -> Result<Vec<Listed>, SecretError> {
        let mut names: Vec<_> = SecretName::settable().collect();
        names.extend(self.index().await?);
        let mut rows = Vec::with_capacity(names.len());
        for name in names {
            rows.push(self.look(&name, now).await?);
        }
        Ok(rows)
    }

    /// What may be said about one secret at `now` (ms).
    ///
    /// # Errors
    /// The store's.
    pub async fn look(&self, name: &SecretName, now: i64) -> Result<Listed, SecretError> {
        let known = self.load(name, now).await?;
        Ok(Listed {
            set: known.current.is_some(),
            hint: known.current.as_ref().and_then(hint),
            previous_until: known.previous.map(|p| p.until).filter(|until| *until > now),
            name: name.clone(),
        })
    }

    /// Forgets what was read, so that a change made by another process is seen at once.
    pub fn forget(&self) {
        let mut memory = self.memory();
        memory.values.clear();
        memory.forgotten += 1;
    }

    /// After a change of `name`, which other processes are told of as well.
    fn forget_one(&self, name: &SecretName) {
        {
            let mut memory = self.memory();
            memory.values.remove(name);
            memory.forgotten += 1;
        }
        if let Some(marker) = &self.marker {
            marker.move_on();
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read(&self, name: &SecretName, now: i64) -> Result<Known, SecretError> {
        if self.marker.as_ref().is_some_and(|marker| marker.moved()) {
            self.forget();
        }
        let (remembered, forgotten) = {
            let memory = self.memory();
            (memory.values.get(name).cloned(), memory.forgotten)
        };
        let fresh = |known: &Known| (0..FRESH_MS).contains(&now.saturating_sub(known.read_at));
        match remembered {
            Some(known) if fresh(&known) => Ok(known),
            Some(mut known) => match self.load(name, now).await {
                Ok(known) => Ok(known),
                Err(error) => {
                    tracing::warn!(secret = %name, %error, "the secret store cannot be read; the last known value stays in use");
                    known.read_at = now;
                    self.remember(name, &known, forgotten);
                    Ok(known)
                }
            },
            None => self.load(name, now).await,
        }
    }

    async fn load(&self, name: &SecretName, now: i64) -> Result<Known, SecretError> {
        let forgotten = self.memory().forgotten;
        let asked = async {
            let current = self.store.get(name.as_str()).await?;
            Ok((current, self.store.get(&name.previous()).await?))
        };
        let (current, previous) = match asked.await {
            Ok(values) => {
                self.memory().trouble = None;
                values
            }
            Err(error) => {
                self.memory().trouble.get_or_insert((now, SecretError::clone(&error))).1 = error.clone();
                return Err(error);
            }
        };
        let previous = previous.as_ref().and_then(Previous::parse);
        for value in current.iter().chain(previous.iter().map(|previous| &previous.value)) {
            crate::logging::hide(value);
        }
        let known = Known { read_at: now, current, previous };
        self.remember(name, &known, forgotten);
        Ok(known)
    }

    fn remember(&self, name: &SecretName, known: &Known, forgotten: u64) {
        let mut memory = self.memory();
        if memory.forgotten == forgotten {
            memory.values.insert(name.clone(), known.clone());
        }
    }

    async fn index(&self) -> Result<Vec<SecretName>, SecretError> {
        let text = self.store.get(INDEX).await?;
        let text = text.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default();
        Ok(text.lines().filter_map(|name| SecretName::parse(name).ok()).collect())
    }

    async fn note(&self, name: &SecretName, set: bool) -> Result<(), SecretError> {
        if !name.is_family_member() {
            return Ok(());
        }
        let mut names = self.index().await?;
        if names.contains(name) == set {
            return Ok(());
        }
        names.retain(|other| other != name);
        if set {
            names.push(name.clone());
        }
        names.sort();
        let text = names.iter().map(SecretName::as_str).collect::<Vec<_>>().join("\n");
        self.store.set(INDEX, SecretString::from(text)).await
    }
}

impl Previous {
    fn parse(text: &SecretString) -> Option<Self> {
        let (until, value) = text.expose_secret().split_once(':')?;
        Some(Self { until: until.parse().ok()?, value: SecretString::from(value) })
    }
}

fn hint(value: &SecretString) -> Option<String> {
    let characters: Vec<char> = value.expose_secret().chars().collect();
    (characters.len() >= 12).then(|| characters[characters.len() - 4..].iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::MemorySecrets;

    fn shop() -> (Arc<MemorySecrets>, Credentials) {
        let store = Arc::new(MemorySecrets::default());
        (Arc::clone(&store), Credentials::new(store))
    }

    async fn live(credentials: &Credentials, name: &SecretName, now: i64) -> Vec<String> {
        let values = credentials.live_values(name, now).await.unwrap();
        values.iter().map(|value| value.expose_secret().to_owned()).collect()
    }

    #[tokio::test]
    async fn both_values_are_good_during_the_overlap_and_only_the_new_one_after() {
        let (_, credentials) = shop();
        let name = SecretName::sepay_api_key();
        assert!(live(&credentials, &name, 0).await.is_empty());
        credentials.set(&name, "old".into()).await.unwrap();
        credentials.rotate(&name, "new".into(), 1_000, OVERLAP).await.unwrap();
        let end = 1_000 + 24 * 3_600_000;
        assert_eq!(live(&credentials, &name, 1_000).await, ["new", "old"]);
        assert_eq!(live(&credentials, &name, end - 1).await, ["new", "old"]);
        assert_eq!(live(&credentials, &name, end).await, ["new"]);
    }

    #[tokio::test]
    async fn setting_or_deleting_voids_the_previous_value_at_once() {
        let (_, credentials) = shop();
        let name = SecretName::sepay_api_key();
        credentials.set(&name, "old".into()).await.unwrap();
        credentials.rotate(&name, "leaked".into(), 0, OVERLAP).await.unwrap();
        credentials.set(&name, "fresh".into()).await.unwrap();
        assert_eq!(live(&credentials, &name, 0).await, ["fresh"]);
        credentials.delete(&name).await.unwrap();
        assert!(live(&credentials, &name, 0).await.is_empty());
    }

    #[tokio::test]
    async fn a_change_by_another_process_is_seen_after_forgetting_or_thirty_seconds() {
        let (store, credentials) = shop();
        let name = SecretName::sepay_api_key();
        credentials.set(&name, "old".into()).await.unwrap();
        assert_eq!(live(&credentials, &name, 0).await, ["old"]);
        store.set("sepay.api_key", "new".into()).await.unwrap();
        assert_eq!(live(&credentials, &name, FRESH_MS - 1).await, ["old"]);
        assert_eq!(live(&credentials, &name, FRESH_MS).await, ["new"]);
        store.set("sepay.api_key", "newer".into()).await.unwrap();
        credentials.forget();
        assert_eq!(live(&credentials, &name, FRESH_MS).await, ["newer"]);
    }

    #[tokio::test]
    async fn a_store_that_fails_later_does_not_stop_payments() {
        let (store, credentials) = shop();
        let name = SecretName::sepay_api_key();
        store.break_with(Some(SecretError::Unavailable("locked".to_owned())));
        assert!(credentials.live_values(&name, 0).await.is_err());
        store.break_with(None);
        credentials.set(&name, "key".into()).await.unwrap();
        assert_eq!(live(&credentials, &name, 0).await, ["key"]);
        store.break_with(Some(SecretError::Unavailable("locked".to_owned())));
        assert_eq!(live(&credentials, &name, 10 * FRESH_MS).await, ["key"]);
    }

    #[tokio::test]
    async fn a_generated_value_stays_the_same() {
        let (_, credentials) = shop();
        let first = credentials.get_or_generate(&SecretName::admin_token()).await.unwrap();
        let second = credentials.get_or_generate(&SecretName::admin_token()).await.unwrap();
        assert_eq!(first.expose_secret(), second.expose_secret());
        assert!(
            first.expose_secret().len() >= 43
                && first.expose_secret().bytes().all(|b| b.is_ascii_alphanumeric())
        );
    }

    #[tokio::test]
    async fn the_list_shows_what_is_set_and_never_more_than_four_characters() {
        let (_, credentials) = shop();
        credentials.set(&SecretName::parse("lms.moodle").unwrap(), "0123456789abcdef".into()).await.unwrap();
        credentials.set(&SecretName::smtp_password(), "short".into()).await.unwrap();
        let rows = credentials.list(0).await.unwrap();
        let row = |name: &str| rows.iter().find(|row| row.name.as_str() == name).unwrap().clone();
        assert_eq!(row("lms.moodle").hint.as_deref(), Some("cdef"));
        assert_eq!((row("smtp.password").set, row("smtp.password").hint), (true, None));
        assert!(!row("tunnel.token").set);
        assert!(!rows.iter().any(|row| row.name.is_internal()));
        credentials.delete(&SecretName::parse("lms.moodle").unwrap()).await.unwrap();
        assert!(!credentials.list(0).await.unwrap().iter().any(|row| row.name.as_str() == "lms.moodle"));
    }

    /// A store in which the first read stands still between taking the value and giving it.
    struct Slow {
        inner: MemorySecrets,
        reached: tokio::sync::Notify,
        go_on: tokio::sync::Notify,
        first: std::sync::atomic::AtomicBool,
    }

    impl SecretStore for Slow {
        fn kind(&self) -> &'static str {
            "memory"
        }
        fn get(
            &self,
            name: &str,
        ) -> futures::future::BoxFuture<'_, Result<Option<SecretString>, SecretError>> {
            let name = name.to_owned();
            Box::pin(async move {
                let value = self.inner.get(&name).await;
                if self.first.swap(false, std::sync::atomic::Ordering::SeqCst) {
                    self.reached.notify_one();
                    self.go_on.notified().await;
                }
                value
            })
        }
        fn set(
            &self,
            name: &str,
            value: SecretString,
        ) -> futures::future::BoxFuture<'_, Result<(), SecretError>> {
            self.inner.set(name, value)
        }
        fn delete(&self, name: &str) -> futures::future::BoxFuture<'_, Result<(), SecretError>> {
            self.inner.delete(name)
        }
    }

    #[tokio::test]
    async fn a_read_that_began_before_a_rotation_is_not_remembered_after_it() {
        let store = Arc::new(Slow {
            inner: MemorySecrets::with([("sepay.api_key", "the old key of SePay")]),
            reached: tokio::sync::Notify::new(),
            go_on: tokio::sync::Notify::new(),
            first: true.into(),
        });
        let credentials = Credentials::new(store.clone());
        let name = SecretName::sepay_api_key();
        let reading = tokio::spawn({
            let credentials = credentials.clone();
            async move { credentials.live_values(&SecretName::sepay_api_key(), 0).await }
        });
        store.reached.notified().await;
        credentials.rotate(&name, "the new key of SePay".into(), 0, OVERLAP).await.unwrap();
        store.go_on.notify_one();
        reading.await.unwrap().unwrap();
        let live = credentials.live_values(&name, 1).await.unwrap();
        let live: Vec<&str> = live.iter().map(ExposeSecret::expose_secret).collect();
        assert_eq!(live, ["the new key of SePay", "the old key of SePay"]);
    }
}
