//! Messages on the owner's desktop, and what a click on one does. What is worth a message, and how many become
//! one, is decided in the core; here they are only shown.

use std::sync::Arc;
use std::time::Duration;

use chotdon_core::config::Language;
use chotdon_core::ports::{Notifier, Toast};
use futures::future::BoxFuture;
use tauri::{AppHandle, Manager};
use tokio::sync::Semaphore;

use crate::desk::Desk;
use crate::{window, words};

/// How many shown messages are watched for a click at once; each holds a connection to the session bus.
const WATCHED: usize = 8;
/// How long a message is watched. One clicked later only disappears; the in-app inbox still has it.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long the notification service may take to say that it is there; the bus may have to start it.
const LOOK: Duration = Duration::from_secs(3);

/// What the owner did with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Clicked it, or its "show".
    Open,
    /// Chose to end the app.
    Quit,
    /// Closed it, or let it go.
    Nothing,
}

/// The desktop's notification service.
pub(crate) struct Desktop {
    app: AppHandle,
    watched: Arc<Semaphore>,
}

impl Desktop {
    pub(crate) fn new(app: AppHandle) -> Self {
        Self { app, watched: Arc::new(Semaphore::new(WATCHED)) }
    }
}

impl Notifier for Desktop {
    fn show(&self, toast: Toast) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let language = self.app.try_state::<Desk>().map_or(Language::Vi, |desk| desk.language());
            let shown = system::show(&toast, &[("default", words::SHOW.say(language))]).await?;
            let Ok(permit) = Arc::clone(&self.watched).try_acquire_owned() else { return Ok(()) };
            let app = self.app.clone();
            tauri::async_runtime::spawn(async move {
                if shown.choice().await == Choice::Open {
                    window::show(&app, Some(toast.route));
                }
                drop(permit);
            });
            Ok(())
        })
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async {
            let asked = tauri::async_runtime::spawn_blocking(system::ready);
            match tokio::time::timeout(LOOK, asked).await {
                Ok(Ok(ready)) => ready,
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err("the notification service does not answer".to_owned()),
            }
        })
    }
}

/// Says that the app goes on in the tray, and waits for what the owner makes of it.
///
/// # Errors
/// Why it could not be shown.
pub(crate) async fn tell_about_tray(language: Language) -> Result<Choice, String> {
    let toast = Toast {
        title: words::TRAY_TITLE.say(language).to_owned(),
        body: words::TRAY_BODY.say(language).to_owned(),
        route: "/".to_owned(),
        urgent: false,
    };
    let actions = [("default", words::SHOW.say(language)), ("quit", words::TRAY_QUIT.say(language))];
    Ok(system::show(&toast, &actions).await?.choice().await)
}

/// The service of Linux and the BSDs, over D-Bus, without ever blocking.
#[cfg(all(unix, not(target_os = "macos")))]
mod system {
    use std::sync::Mutex;

    use chotdon_core::ports::Toast;
    use notify_rust::{Hint, Notification, NotificationHandle, NotificationResponse, Urgency};

    use super::{Choice, PATIENCE};

    pub(super) struct Shown(NotificationHandle);

    pub(super) fn ready() -> Result<(), String> {
        notify_rust::get_server_information().map(drop).map_err(|error| error.to_string())
    }

    pub(super) async fn show(toast: &Toast, actions: &[(&str, &str)]) -> Result<Shown, String> {
        let mut note = Notification::new();
        note.appname("ChotDon")
            .icon("chotdon")
            .summary(&toast.title)
            .body(&plain(&toast.body))
            .urgency(if toast.urgent { Urgency::Critical } else { Urgency::Normal })
            .hint(Hint::DesktopEntry("ChotDon".to_owned()));
        for (name, label) in actions {
            note.action(name, label);
        }
        note.show_async().await.map(Shown).map_err(|error| error.to_string())
    }

    impl Shown {
        pub(super) async fn choice(self) -> Choice {
            let choice = Mutex::new(Choice::Nothing);
            let waiting = self.0.wait_for_action_async(|response: &NotificationResponse| {
                *choice.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = match response {
                    NotificationResponse::Default => Choice::Open,
                    NotificationResponse::Action(action) if action == "default" => Choice::Open,
                    NotificationResponse::Action(action) if action == "quit" => Choice::Quit,
                    _ => Choice::Nothing,
                };
            });
            let _ = tokio::time::timeout(PATIENCE, waiting).await;
            choice.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
        }
    }

    /// Services read the body as markup; names of courses and customers are not.
    fn plain(text: &str) -> String {
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
    }

    #[cfg(test)]
    mod tests {
        #[test]
        fn a_body_is_never_markup() {
            assert_eq!(super::plain("<b>Lan & Ẩn</b>"), "&lt;b&gt;Lan &amp; Ẩn&lt;/b&gt;");
        }
    }
}

/// Windows and macOS show the text; clicks are not reported there, so the tray menu leads to the same pages.
#[cfg(any(windows, target_os = "macos"))]
mod system {
    use chotdon_core::ports::Toast;
    use notify_rust::Notification;

    use super::Choice;

    pub(super) struct Shown;

    /// There always is a service; whether the owner lets it show anything is seen by trying.
    pub(super) fn ready() -> Result<(), String> {
        Ok(())
    }

    pub(super) async fn show(toast: &Toast, _actions: &[(&str, &str)]) -> Result<Shown, String> {
        let (title, body) = (toast.title.clone(), toast.body.clone());
        let shown = tauri::async_runtime::spawn_blocking(move || {
            Notification::new().appname("ChotDon").summary(&title).body(&body).show().map(drop)
        });
        match shown.await {
            Ok(shown) => shown.map(|()| Shown).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    impl Shown {
        pub(super) async fn choice(self) -> Choice {
            Choice::Nothing
        }
    }
}
