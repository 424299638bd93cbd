//! The window that stands before a shop whose secrets cannot be reached: there is no keyring, or the encrypted file wants its
//! passphrase. It may ask two things of the app and nothing of the shop, which does not run yet.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use chotdon_core::config::Language;
use chotdon_core::ports::{SecretError, SecretStore};
use chotdon_core::private_file;
use chotdon_core::secrets::FileSecrets;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use tauri::webview::NewWindowResponse;
use tauri::{AppHandle, Manager, State, WebviewUrl, WebviewWindowBuilder, WindowEvent};
use tauri_plugin_dialog::DialogExt;
use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

use crate::remembered::Remembered;
use crate::{args, secrets, window, words};

/// Its label, which a capability of its own names.
pub(crate) const UNLOCK: &str = "unlock";
/// A passphrase that the owner makes up has at least so many characters.
const SHORTEST: usize = 12;

/// What the window shows.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Question {
    /// `choose`: there is no keyring and no file. `open`: there is a file, and no passphrase for it.
    mode: &'static str,
    /// `vi` or `en`.
    language: &'static str,
    /// What went wrong before, if anything did.
    refused: Option<Refused>,
    shortest: usize,
}

/// Why an answer did not lead to a store.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Refused {
    code: &'static str,
    detail: String,
}

/// What the owner wants.
enum Wish {
    /// Try what failed once more.
    Again,
    /// A file that holds the passphrase.
    File(PathBuf),
    /// A passphrase; `keep` writes it into a key file, so that nobody is asked at the next start.
    Passphrase {
        value: SecretString,
        keep: bool,
    },
    Leave,
}

type Answered = (Wish, oneshot::Sender<Option<Refused>>);

/// The open question, in Tauri's state.
#[derive(Default)]
pub(crate) struct Unlocking(Mutex<Option<(Question, mpsc::Sender<Answered>)>>);

impl Unlocking {
    fn open(&self) -> Option<(Question, mpsc::Sender<Answered>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put(&self, question: Option<(Question, mpsc::Sender<Answered>)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = question;
    }
}

/// Whether the window stands and waits for the owner.
pub(crate) fn is_asking(app: &AppHandle) -> bool {
    app.state::<Unlocking>().open().is_some()
}

/// What the page asks first.
#[tauri::command]
pub(crate) fn unlock_question(unlocking: State<'_, Unlocking>) -> Option<Question> {
    unlocking.open().map(|(question, _)| question)
}

/// The owner's answer: `again`, `file`, `passphrase` or `leave`; or the page's word that it is `shown`. Gives why it did not help, or nothing when it did.
#[tauri::command]
pub(crate) async fn unlock_answer(
    app: AppHandle,
    unlocking: State<'_, Unlocking>,
    wish: String,
    passphrase: Option<String>,
    keep: bool,
) -> Result<Option<Refused>, String> {
    let passphrase = passphrase.map(Zeroizing::new);
    let Some((question, answers)) = unlocking.open() else { return Ok(None) };
    let wish = match (wish.as_str(), passphrase) {
        // The page stands: whoever looks for a reason that nothing goes on finds it in the log.
        ("shown", _) => {
            tracing::info!(mode = question.mode, "the owner is asked for a place of the secrets");
            return Ok(None);
        }
        ("again", _) => Wish::Again,
        ("file", _) => match pick(&app, &question).await {
            Some(path) => Wish::File(path),
            None => return Ok(question.refused),
        },
        ("passphrase", Some(value)) => {
            if question.mode == "choose" && value.chars().count() < SHORTEST {
                let detail = format!("at least {SHORTEST} characters");
                return Ok(Some(Refused { code: "passphrase_too_short", detail }));
            }
            Wish::Passphrase { value: SecretString::from(value.as_str()), keep }
        }
        ("leave", _) => Wish::Leave,
        _ => return Err("wish: again, file, passphrase or leave".to_owned()),
    };
    let (reply, outcome) = oneshot::channel();
    answers.send((wish, reply)).await.map_err(|_| "the question is closed".to_owned())?;
    outcome.await.map_err(|_| "the question is closed".to_owned())
}

/// Asks until there is a store, or the owner leaves (`None`).
pub(crate) async fn ask(
    app: &AppHandle,
    data_dir: &Path,
    language: Language,
    why: &SecretError,
) -> Option<Arc<dyn SecretStore>> {
    let mode = if FileSecrets::exists_in(data_dir) { "open" } else { "choose" };
    let refused = Some(refusal(mode, why));
    let question = Question { mode, language: language.as_str(), refused, shortest: SHORTEST };
    let (answers, mut wishes) = mpsc::channel(1);
    app.state::<Unlocking>().put(Some((question, answers)));
    if let Err(error) = show(app, language) {
        tracing::error!(%error, "the window that asks for the passphrase cannot be shown");
        return None;
    }
    let store = loop {
        let Some((wish, reply)) = wishes.recv().await else { break None };
        let outcome = match wish {
            Wish::Leave => break None,
            Wish::Again if mode == "choose" => secrets::keyring(data_dir).await,
            Wish::Again => secrets::file(data_dir, false).await.and_then(|found| {
                found.ok_or_else(|| SecretError::Unreadable("there is no passphrase for it yet".to_owned()))
            }),
            Wish::File(path) => with_file(data_dir, path).await,
            Wish::Passphrase { value, keep } => with_passphrase(data_dir, value, keep).await,
        };
        match outcome {
            Ok(store) => {
                let _ = reply.send(None);
                break Some(store);
            }
            Err(error) => {
                tracing::warn!(%error, "the secrets are still out of reach");
                let _ = reply.send(Some(refusal(mode, &error)));
            }
        }
    };
    app.state::<Unlocking>().put(None);
    if let Some(window) = app.get_webview_window(UNLOCK) {
        let _ = window.destroy();
    }
    store
}

fn refusal(mode: &str, error: &SecretError) -> Refused {
    let code = match (mode, error) {
        (_, SecretError::Unreadable(_)) => "secret_file_unreadable",
        ("choose", SecretError::Unavailable(_)) => "keyring_missing",
        _ => "secret_store_unavailable",
    };
    Refused { code, detail: error.to_string() }
}

async fn with_passphrase(
    data_dir: &Path,
    value: SecretString,
    keep: bool,
) -> Result<Arc<dyn SecretStore>, SecretError> {
    chotdon_core::logging::hide(&value);
    let store = FileSecrets::open(data_dir, value.clone()).await?;
    if keep {
        let path = key_file(data_dir)?;
        let written = path.parent().map_or(Ok(()), private_file::create_folder);
        written
            .and_then(|()| private_file::replace(&path, value.expose_secret().as_bytes()))
            .map_err(|error| SecretError::Unavailable(format!("{}: {error}", path.display())))?;
        remember(data_dir, path);
    }
    Ok(Arc::new(store))
}

async fn with_file(data_dir: &Path, path: PathBuf) -> Result<Arc<dyn SecretStore>, SecretError> {
    let text = std::fs::read_to_string(&path).map(Zeroizing::new);
    let text = text.map_err(|error| SecretError::Unreadable(format!("{}: {error}", path.display())))?;
    let value = SecretString::from(text.trim_end_matches(['\r', '\n']));
    if value.expose_secret().is_empty() {
        return Err(SecretError::Unreadable(format!("{} is empty", path.display())));
    }
    let store = with_passphrase(data_dir, value, false).await?;
    remember(data_dir, path);
    Ok(store)
}

fn remember(data_dir: &Path, path: PathBuf) {
    let mut remembered = Remembered::read(data_dir);
    remembered.passphrase_file = Some(path);
    remembered.write(data_dir);
}

/// Beside the user's settings and not beside the data, so that a copy of the data is not a copy of the key.
fn key_file(data_dir: &Path) -> Result<PathBuf, SecretError> {
    let home = args::config_home()
        .ok_or_else(|| SecretError::Unavailable("the environment names no home directory".to_owned()))?;
    Ok(home.join("ChotDon").join(format!("{}.key", crate::app::shop_id(data_dir))))
}

fn show(app: &AppHandle, language: Language) -> tauri::Result<()> {
    let window = WebviewWindowBuilder::new(app, UNLOCK, WebviewUrl::App("index.html#/unlock".into()))
        .title(words::UNLOCK_TITLE.say(language))
        .inner_size(560.0, 640.0)
        .min_inner_size(440.0, 480.0)
        .devtools(cfg!(debug_assertions))
        .disable_drag_drop_handler()
        .on_navigation(window::may_load)
        .on_new_window(|_, _| NewWindowResponse::Deny)
        .on_download(|_, _| false)
        .build()?;
    let app = app.clone();
    window.on_window_event(move |event| {
        // Closing the window is an answer too.
        if let WindowEvent::Destroyed = event
            && let Some((_, answers)) = app.state::<Unlocking>().open()
        {
            let (reply, _) = oneshot::channel();
            let _ = answers.try_send((Wish::Leave, reply));
        }
    });
    window.set_focus()
}

async fn pick(app: &AppHandle, question: &Question) -> Option<PathBuf> {
    let language = if question.language == "en" { Language::En } else { Language::Vi };
    let (reply, answer) = oneshot::channel();
    app.dialog()
        .file()
        .set_title(words::KEYRING_PICK.say(language))
        .pick_file(move |picked| drop(reply.send(picked)));
    answer.await.ok().flatten().and_then(|picked| picked.into_path().ok())
}
