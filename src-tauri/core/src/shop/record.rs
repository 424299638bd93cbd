//! Keeps the end of the record of human actions where the database's file is not: in the secret store. Rows that are
//! taken off the end, or a record that was written anew, show against it.
//!
//! What is younger than the last look (a minute) is protected by the chain alone.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chotdon_store::{AuditBreak, AuditFindings, AuditHead, Raise, STOPPED, Store};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::Floor;
use crate::ports::{SecretError, SecretStore};

/// Name of the entry; not one that [`SecretName`](crate::secrets::SecretName) accepts.
const ENTRY: &str = "audit.head";
/// Between two looks.
const LOOK: Duration = Duration::from_secs(60);
/// Kind and merge key of the notice.
const BROKEN: &str = "audit_broken";

/// The head that is kept, and what is wrong with the record.
#[derive(Clone)]
pub(crate) struct Record {
    store: Store,
    secrets: Arc<dyn SecretStore>,
    broken: Arc<Mutex<Option<(i64, AuditBreak)>>>,
}

/// The head of the record that is kept in `secrets`; `None` before the first, or when it is not one.
///
/// # Errors
/// The store's.
pub async fn kept_head(secrets: &dyn SecretStore) -> Result<Option<AuditHead>, SecretError> {
    let text = secrets.get(ENTRY).await?;
    Ok(text.as_ref().and_then(|text| {
        let (id, hash) = text.expose_secret().split_once(':')?;
        Some(AuditHead { id: id.parse().ok()?, hash: hash.to_owned() })
    }))
}

/// Takes the record as it is now for whole, after a restore by `actor` at `now` (ms); what was wrong is written into it.
///
/// # Errors
/// The database's or the secret store's word.
pub async fn accept_record(
    store: &Store,
    secrets: Arc<dyn SecretStore>,
    actor: &str,
    now: i64,
) -> Result<(), crate::secrets::ChangeError> {
    Record::new(store.clone(), secrets).accept(actor, now).await
}

impl Record {
    pub(super) fn new(store: Store, secrets: Arc<dyn SecretStore>) -> Self {
        Self { store, secrets, broken: Arc::default() }
    }

    /// Since when (ms) it is known that the record is not whole, and where; `None` while it is.
    pub(crate) fn broken(&self) -> Option<(i64, AuditBreak)> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Walks the whole record against the kept head.
    ///
    /// # Errors
    /// When the database cannot be read. A secret store that cannot be read only leaves the head out.
    pub(crate) async fn check(
        &self,
        now: i64,
    ) -> Result<(AuditFindings, Option<AuditHead>), chotdon_store::Error> {
        let kept = kept_head(&*self.secrets).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the kept end of the record cannot be read");
            None
        });
        let findings = self.store.verify_audit(kept.as_ref()).await?;
        self.note(findings.broken.clone(), now);
        Ok((findings, kept))
    }

    /// Takes the record as it is now for whole: after a restore, when the owner says so. Writes down what was wrong.
    ///
    /// # Errors
    /// The database's or the secret store's word.
    pub(crate) async fn accept(&self, actor: &str, now: i64) -> Result<(), crate::secrets::ChangeError> {
        let (findings, kept) = self.check(now).await?;
        let data = json!({
            "rows": findings.rows,
            "kept": kept.map(|kept| kept.id),
            "broken": findings.broken.map(|broken| json!({ "id": broken.id, "what": broken.what })),
        });
        let entry = chotdon_store::AuditEntry {
            actor: actor.to_owned(),
            action: "audit.accept".to_owned(),
            subject: "audit".to_owned(),
            data,
        };
        self.store.record_audit(entry, now).await?;
        if let Some(head) = self.store.audit_head().await? {
            self.keep(&head).await?;
        }
        self.note(None, now);
        Ok(())
    }

    async fn keep(&self, head: &AuditHead) -> Result<(), SecretError> {
        self.secrets.set(ENTRY, SecretString::from(format!("{}:{}", head.id, head.hash))).await
    }

    fn note(&self, broken: Option<AuditBreak>, now: i64) {
        let mut known = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        let since = known.as_ref().map_or(now, |(since, _)| *since);
        *known = broken.map(|broken| (since, broken));
    }

    /// Looks whether the row of the kept head is still the same, and keeps the newest head.
    async fn look(&self, kept: &mut Option<AuditHead>) -> Result<bool, chotdon_store::Error> {
        if let Some(kept) = kept
            && !self.store.has_audit_head(kept).await?
        {
            return Ok(false);
        }
        let head = self.store.audit_head().await?;
        if let Some(new) = head.filter(|head| kept.as_ref() != Some(head)) {
            match self.keep(&new).await {
                Ok(()) => *kept = Some(new),
                Err(error) => tracing::warn!(%error, "the end of the record cannot be kept"),
            }
        }
        Ok(true)
    }
}

/// Walks the whole record at the start, then looks once a minute and at the end. While it is broken nothing new is kept,
/// so that what is wrong stays to be seen.
pub(super) async fn watch(floor: Floor, record: Record, stop: CancellationToken) {
    let mut kept = None;
    match record.check(floor.clock.now_ms()).await {
        Ok((findings, head)) => {
            kept = head;
            tracing::info!(rows = findings.rows, "the record of actions was walked");
        }
        Err(error) => tracing::error!(%error, "the record of actions could not be walked"),
    }
    let mut told = false;
    loop {
        let ending = stop.is_cancelled();
        if record.broken().is_none() {
            told = false;
            match record.look(&mut kept).await {
                Ok(true) => {}
                // It may have been accepted meanwhile: what is kept is read again.
                Ok(false) => match record.check(floor.clock.now_ms()).await {
                    Ok((_, head)) => kept = head,
                    Err(error) => tracing::error!(%error, "the record of actions could not be walked"),
                },
                Err(error) => tracing::error!(%error, "the record of actions could not be looked at"),
            }
        }
        if let Some((_, broken)) = record.broken().filter(|_| !told) {
            tracing::error!(%broken, "the record of actions is not what was written");
            told = tell(&floor, &broken).await;
        }
        if ending {
            return;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = floor.clock.sleep(LOOK) => {}
        }
    }
}

async fn tell(floor: &Floor, broken: &AuditBreak) -> bool {
    let notice = Raise {
        class: STOPPED,
        merge_key: Some(BROKEN.to_owned()),
        kind: BROKEN,
        data: json!({ "id": broken.id, "what": broken.what }),
        task: None,
    };
    let raised = floor.store.raise_notice(notice, floor.clock.now_ms()).await;
    raised.inspect_err(|error| tracing::error!(%error, "the owner could not be told")).is_ok()
}
