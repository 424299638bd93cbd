//! The shop's Google account: opened with what the settings and the secrets say now, kept while they say the same.

use std::sync::{Mutex, MutexGuard, PoisonError};

use gdrive::{Drive, Ends, OAuthClient, SCOPE_FILE, SCOPE_FULL, ServiceKey, Tokens};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::Floor;
use crate::config::DriveConfig;
use crate::delivery::drive_error;
use crate::secrets::SecretName;
use crate::workers::{StageError, Until};

/// The account as it was opened last.
#[derive(Default)]
pub(crate) struct DriveDoor(Mutex<Option<Opened>>);

struct Opened {
    settings: DriveConfig,
    /// Digest of the secrets, so that a new consent opens the account anew.
    secrets: [u8; 32],
    drive: Drive,
}

impl DriveDoor {
    /// Leaves every connection alone that was made so far.
    pub(crate) fn forget_connections(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Opened>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Floor {
    /// The shop's Google Drive. Makes no call.
    ///
    /// # Errors
    /// What needs Drive waits: `drive_not_connected` without consent or account, `drive_reconnect` for a key that cannot
    /// be read. Transient `secret_store_unavailable`.
    pub(crate) async fn drive(&self) -> Result<Drive, StageError> {
        let settings = self.config().drive.clone();
        let account = self.google_secret(&SecretName::google_service_account()).await?;
        let consent = self.google_secret(&SecretName::google_refresh_token()).await?;
        let client = self.google_secret(&SecretName::google_client_secret()).await?;
        let mut digest = Sha256::new();
        for value in [&account, &consent, &client] {
            let value = value.as_ref().map_or("", |value| value.expose_secret());
            digest.update((value.len() as u64).to_le_bytes());
            digest.update(value);
        }
        let secrets = digest.finalize().into();
        if let Some(opened) = &*self.drive_door.lock()
            && opened.settings == settings
            && opened.secrets == secrets
        {
            return Ok(opened.drive.clone());
        }
        let tokens = self.google_tokens(&settings, account, consent, client)?;
        let mut drive = Drive::new(settings.ends(), tokens).map_err(drive_error)?;
        if let Some(id) = &settings.shared_drive_id {
            drive = drive.in_shared_drive(id);
        }
        *self.drive_door.lock() = Some(Opened { settings, secrets, drive: drive.clone() });
        Ok(drive)
    }

    fn google_tokens(
        &self,
        settings: &DriveConfig,
        account: Option<SecretString>,
        consent: Option<SecretString>,
        client: Option<SecretString>,
    ) -> Result<Tokens, StageError> {
        if let Some(file) = account {
            let key = ServiceKey::parse(&file).map_err(drive_error)?;
            let clock = self.clock.clone();
            return Ok(Tokens::of_service(key, settings.scope(), move || clock.now_ms() / 1000));
        }
        let consent = consent.ok_or_else(|| {
            let detail = "the secret google.refresh_token is not set";
            StageError::parks("drive", "drive_not_connected", detail, Until::Change)
        })?;
        Ok(Tokens::of_owner(OAuthClient { id: settings.client_id.clone(), secret: client }, consent))
    }

    async fn google_secret(&self, name: &SecretName) -> Result<Option<SecretString>, StageError> {
        let value = self.credentials.get(name, self.clock.now_ms()).await;
        value.map_err(|error| StageError::transient("secret_store_unavailable", error.to_string()))
    }
}

impl DriveConfig {
    /// Where Google is.
    #[must_use]
    pub fn ends(&self) -> Ends {
        Ends::new(&self.api_base, &self.upload_base, &self.auth_base)
    }

    /// The access that the owner is asked for.
    #[must_use]
    pub fn scope(&self) -> &'static str {
        if self.full_access { SCOPE_FULL } else { SCOPE_FILE }
    }
}
