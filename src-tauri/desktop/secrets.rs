//! Which store the shop's secrets are in: the encrypted file where there is one, else the system's keyring.
//! Without a keyring a demo makes itself a file, and the owner of a real shop is asked.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chotdon_core::config::Language;
use chotdon_core::ports::{SecretError, SecretStore};
use chotdon_core::secrets::{DEMO_KEY_FILE, FileSecrets, Passphrase};
use chotdon_server::keychain;
use tauri::AppHandle;
use tauri_plugin_dialog::{DialogExt, MessageDialogButtons, MessageDialogKind, MessageDialogResult};
use tokio::sync::oneshot;

use crate::remembered::Remembered;
use crate::{args, words};

/// What the owner said when there was no keyring.
enum Wish {
    Again,
    File(PathBuf),
    Leave,
}

/// True when the secrets in `data_dir` are only protected by a sample shop's own key.
pub(crate) fn belong_to_a_demo(data_dir: &Path) -> bool {
    data_dir.join(DEMO_KEY_FILE).exists()
}

/// Opens the store of the shop in `data_dir`. `None` when the owner chose to leave.
///
/// # Errors
/// [`SecretError::Unreadable`] when there is a file and it does not open.
pub(crate) async fn open(
    app: &AppHandle,
    data_dir: &Path,
    demo: bool,
    language: Language,
) -> Result<Option<Arc<dyn SecretStore>>, SecretError> {
    loop {
        if FileSecrets::exists_in(data_dir)
            && let Some(store) = file(data_dir, demo).await?
        {
            return Ok(Some(store));
        }
        let error = match keyring(data_dir).await {
            Ok(store) => return Ok(Some(store)),
            Err(error) => error,
        };
        tracing::warn!(%error, demo, "the keyring cannot be used");
        if let Some(store) = file(data_dir, demo).await? {
            return Ok(Some(store));
        }
        match ask(app, language, &error).await {
            Wish::Again => {}
            Wish::File(path) => {
                let mut remembered = Remembered::read(data_dir);
                remembered.passphrase_file = Some(path);
                remembered.write(data_dir);
            }
            Wish::Leave => return Ok(None),
        }
    }
}

/// The encrypted file, when there is a passphrase for it.
async fn file(data_dir: &Path, demo: bool) -> Result<Option<Arc<dyn SecretStore>>, SecretError> {
    let chosen = Remembered::read(data_dir).passphrase_file.map(PathBuf::into_os_string);
    let find = |name: &str| -> Option<OsString> {
        let given = args::variable(name);
        if name == "CHOTDON_SECRETS_PASSPHRASE_FILE" { given.or_else(|| chosen.clone()) } else { given }
    };
    let Some(passphrase) = Passphrase::find(data_dir, demo, find)? else { return Ok(None) };
    let store = FileSecrets::open(data_dir, passphrase.value).await?;
    Ok(Some(Arc::new(store)))
}

async fn keyring(data_dir: &Path) -> Result<Arc<dyn SecretStore>, SecretError> {
    let data_dir = data_dir.to_owned();
    let opened = tauri::async_runtime::spawn_blocking(move || keychain::open(&data_dir)).await;
    let keychain = opened.map_err(|error| SecretError::Unavailable(error.to_string()))??;
    Ok(Arc::new(keychain))
}

async fn ask(app: &AppHandle, language: Language, error: &SecretError) -> Wish {
    let say = |text: words::Words| text.say(language).to_owned();
    let (again, file) = (say(words::KEYRING_AGAIN), say(words::KEYRING_FILE));
    let (reply, answer) = oneshot::channel();
    app.dialog()
        .message(format!("{}\n\nsecret_store_unavailable: {error}", say(words::KEYRING_BODY)))
        .title(say(words::KEYRING_TITLE))
        .kind(MessageDialogKind::Warning)
        .buttons(MessageDialogButtons::YesNoCancelCustom(again.clone(), file.clone(), say(words::CLOSE)))
        .show_with_result(move |chosen| drop(reply.send(chosen)));
    match answer.await {
        Ok(MessageDialogResult::Custom(chosen)) if chosen == again => Wish::Again,
        Ok(MessageDialogResult::Custom(chosen)) if chosen == file => pick(app, language).await,
        _ => Wish::Leave,
    }
}

/// Choosing no file leads back to the question.
async fn pick(app: &AppHandle, language: Language) -> Wish {
    let (reply, answer) = oneshot::channel();
    app.dialog()
        .file()
        .set_title(words::KEYRING_PICK.say(language))
        .pick_file(move |picked| drop(reply.send(picked)));
    match answer.await {
        Ok(Some(picked)) => picked.into_path().map_or(Wish::Again, Wish::File),
        Ok(None) | Err(_) => Wish::Again,
    }
}
