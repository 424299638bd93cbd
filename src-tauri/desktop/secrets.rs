//! Which store the shop's secrets are in: the encrypted file where there is one, else the system's keyring; never another
//! one without a word. Without a keyring a demo makes itself a file, and the owner of a real shop is asked (`unlock`).

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chotdon_core::config::Language;
use chotdon_core::ports::{SecretError, SecretStore};
use chotdon_core::secrets::{DEMO_KEY_FILE, FileSecrets, Passphrase};
use chotdon_server::keychain;
use tauri::AppHandle;

use crate::remembered::Remembered;
use crate::{args, unlock};

/// True when the secrets in `data_dir` are only protected by a sample shop's own key.
pub(crate) fn belong_to_a_demo(data_dir: &Path) -> bool {
    data_dir.join(DEMO_KEY_FILE).exists()
}

/// Opens the store of the shop in `data_dir`. `None` when the owner chose to leave.
///
/// # Errors
/// A demo's, which asks nobody.
pub(crate) async fn open(
    app: &AppHandle,
    data_dir: &Path,
    demo: bool,
    language: Language,
) -> Result<Option<Arc<dyn SecretStore>>, SecretError> {
    // A file that is there is the store: the keyring would be another, empty one.
    let why = if FileSecrets::exists_in(data_dir) {
        match file(data_dir, demo).await {
            Ok(Some(store)) => return Ok(Some(store)),
            Ok(None) => SecretError::Unavailable("the encrypted file wants its passphrase".to_owned()),
            Err(error) => error,
        }
    } else {
        let missing = match keyring(data_dir).await {
            Ok(store) => return Ok(Some(store)),
            Err(error) => error,
        };
        match file(data_dir, demo).await {
            Ok(Some(store)) => return Ok(Some(store)),
            Ok(None) => missing,
            Err(error) => error,
        }
    };
    tracing::warn!(error = %why, demo, "the secrets are out of reach");
    if demo { Err(why) } else { Ok(unlock::ask(app, data_dir, language, &why).await) }
}

/// The encrypted file, when there is a passphrase for it.
pub(crate) async fn file(data_dir: &Path, demo: bool) -> Result<Option<Arc<dyn SecretStore>>, SecretError> {
    let chosen = Remembered::read(data_dir).passphrase_file.map(PathBuf::into_os_string);
    let find = |name: &str| -> Option<OsString> {
        let given = args::variable(name);
        if name == "CHOTDON_SECRETS_PASSPHRASE_FILE" { given.or_else(|| chosen.clone()) } else { given }
    };
    let Some(passphrase) = Passphrase::find(data_dir, demo, find)? else { return Ok(None) };
    let store = FileSecrets::open(data_dir, passphrase.value).await?;
    Ok(Some(Arc::new(store)))
}

/// The system's keyring, named by the system it belongs to.
pub(crate) async fn keyring(data_dir: &Path) -> Result<Arc<dyn SecretStore>, SecretError> {
    let data_dir = data_dir.to_owned();
    let opened = tauri::async_runtime::spawn_blocking(move || keychain::open(&data_dir)).await;
    let keychain = opened.map_err(|error| SecretError::Unavailable(error.to_string()))??;
    Ok(Arc::new(keychain))
}
