//! Leaving: the question that states what it costs, and the way out that lets running work finish.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tauri::{AppHandle, Manager};
use tauri_plugin_dialog::{DialogExt, MessageDialogButtons, MessageDialogKind, MessageDialogResult};
use tauri_plugin_window_state::AppHandleExt;

use crate::app::PLACE;
use crate::desk::Desk;
use crate::{tray, unlock, window, words};

/// How long "finish, then quit" lets running stages work. What is not done by then goes on at the next start,
/// at the stage it was at.
const DRAIN: Duration = Duration::from_secs(120);
/// How long the system waits for programs that it ends (logout, shutdown) is not ours to say; this is shorter.
const SHORT: Duration = Duration::from_secs(4);

/// Whether the question is open, and whether the app is on its way out.
#[derive(Debug, Default)]
pub(crate) struct Quitting {
    asked: AtomicBool,
    leaving: AtomicBool,
    opening: Mutex<Opening>,
}

/// How far the start is. A shop that runs and is not at hand yet is not left behind unclosed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Opening {
    #[default]
    Runs,
    /// The system asked for the end meanwhile.
    ToBeLeft,
    Over,
}

impl Quitting {
    /// Notes what comes next; gives what was.
    fn opening(&self, next: impl FnOnce(Opening) -> Opening) -> Opening {
        let mut opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        let was = *opening;
        *opening = next(was);
        was
    }
}

/// The start is over, with a shop or without. True when the app was asked to end before: it is on its way out then.
pub(crate) fn opened(app: &AppHandle) -> bool {
    let to_be_left = app.state::<Quitting>().opening(|_| Opening::Over) == Opening::ToBeLeft;
    if to_be_left {
        end(app);
    }
    to_be_left
}

/// The way out that the system asks for.
fn end(app: &AppHandle) {
    match app.try_state::<Desk>() {
        Some(_) => leave(app, SHORT),
        None => app.exit(0),
    }
}

/// Closes the shop and starts the app anew, with its window.
pub(crate) fn restart(app: &AppHandle) {
    let Some(desk) = app.try_state::<Desk>() else { return };
    let drain = Duration::from_secs(u64::from(desk.shop.config().queue.drain_s));
    go(app, drain, words::RESTARTING, start_anew);
}

/// Without what would hide the window.
fn start_anew(app: &AppHandle) {
    let ending = app.clone();
    let asked = app.run_on_main_thread(move || {
        let mut env = ending.env();
        env.args_os.retain(|argument| argument != "--hidden");
        if let Err(error) = ending.save_window_state(PLACE) {
            tracing::warn!(%error, "the window's place is not remembered");
        }
        ending.cleanup_before_exit();
        tauri::process::restart(&env);
    });
    if let Err(error) = asked {
        tracing::error!(%error, "the app cannot start itself anew; it ends");
        app.exit(0);
    }
}

/// True from the moment there is no way back.
pub(crate) fn is_quitting(app: &AppHandle) -> bool {
    app.state::<Quitting>().leaving.load(Ordering::Acquire)
}

/// Asks whether to quit; at most one question is open.
pub(crate) fn ask(app: &AppHandle) {
    let Some(desk) = app.try_state::<Desk>() else {
        app.exit(0);
        return;
    };
    if is_quitting(app) || app.state::<Quitting>().asked.swap(true, Ordering::AcqRel) {
        return;
    }
    let language = desk.language();
    let say = |text: words::Words| text.say(language).to_owned();
    let (drain, now) = (say(words::QUIT_DRAIN), say(words::QUIT_NOW));
    let mut question = app
        .dialog()
        .message(say(words::QUIT_COST))
        .title(say(words::QUIT_TITLE))
        .kind(MessageDialogKind::Warning)
        .buttons(MessageDialogButtons::YesNoCancelCustom(drain.clone(), now.clone(), say(words::QUIT_STAY)));
    if let Some(window) = app.get_webview_window(window::MAIN) {
        question = question.parent(&window);
    }
    let app = app.clone();
    question.show_with_result(move |answer| {
        app.state::<Quitting>().asked.store(false, Ordering::Release);
        match answer {
            MessageDialogResult::Custom(chosen) if chosen == drain => leave(&app, DRAIN),
            MessageDialogResult::Custom(chosen) if chosen == now => leave(&app, Duration::ZERO),
            _ => {}
        }
    });
}

/// Where no notification can be shown, the first close is told by a dialog instead.
pub(crate) fn told_by_dialog(app: &AppHandle) {
    let Some(desk) = app.try_state::<Desk>() else { return };
    let language = desk.language();
    let quit = words::TRAY_QUIT.say(language).to_owned();
    let app_then = app.clone();
    app.dialog()
        .message(words::TRAY_BODY.say(language))
        .title(words::TRAY_TITLE.say(language))
        .buttons(MessageDialogButtons::OkCancelCustom(
            words::TRAY_KEEP.say(language).to_owned(),
            quit.clone(),
        ))
        .show_with_result(move |answer| {
            if matches!(&answer, MessageDialogResult::Custom(chosen) if *chosen == quit) {
                ask(&app_then);
            }
        });
}

/// Closes the shop and ends the app.
fn leave(app: &AppHandle, drain: Duration) {
    go(app, drain, words::FINISHING, |app| app.exit(0));
}

fn go(app: &AppHandle, drain: Duration, said: words::Words, end: fn(&AppHandle)) {
    if app.state::<Quitting>().leaving.swap(true, Ordering::AcqRel) {
        return;
    }
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        if let Some(window) = app.get_webview_window(window::MAIN) {
            let _ = window.destroy();
        }
        tray::say_finishing(&app, said);
        if let Some(desk) = app.try_state::<Desk>() {
            desk.close(drain).await;
        }
        tracing::info!("the app ends");
        end(&app);
    });
}

/// Leaves in good order when the system asks for it (logout, shutdown, `kill`).
#[cfg(unix)]
pub(crate) fn listen_to_the_system(app: &AppHandle) {
    use tokio::signal::unix::{SignalKind, signal};
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        else {
            tracing::warn!("signals cannot be heard; killing the app ends it at once");
            return;
        };
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        let wait = |opening| if opening == Opening::Over { opening } else { Opening::ToBeLeft };
        if unlock::is_asking(&app) || app.state::<Quitting>().opening(wait) == Opening::Over {
            end(&app);
        }
    });
}

/// Windows ends programs by closing their windows, and the shop stands that as it stands a crash.
#[cfg(not(unix))]
pub(crate) fn listen_to_the_system(_: &AppHandle) {}
