//! The icon in the system's tray: how the shop is, in one line and one shape, and the few things that are
//! wanted without a window. Linux reports no clicks on the icon, so everything is in the menu.

use tauri::image::Image;
use tauri::menu::{Menu, MenuItem, PredefinedMenuItem, Submenu};
use tauri::tray::{TrayIcon, TrayIconBuilder};
use tauri::{AppHandle, Manager, Wry, include_image};
use tokio_stream::StreamExt;

use chotdon_core::config::Language;
use chotdon_core::views::{Event, Overview, QueueCounts, Tunnel};

use crate::clipboard::Copied;
use crate::desk::Desk;
use crate::{quit, window, words};

/// Five still shapes; none moves, and each can be told from the others without its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Running,
    Busy,
    Paused,
    Attention,
    Disconnected,
}

impl Shape {
    /// What is most in need of being seen comes first.
    fn of(counts: &QueueCounts, receiving: bool) -> Self {
        if !receiving {
            Self::Disconnected
        } else if counts.failed > 0 {
            Self::Attention
        } else if counts.paused {
            Self::Paused
        } else if counts.running > 0 {
            Self::Busy
        } else {
            Self::Running
        }
    }

    fn icon(self) -> Image<'static> {
        match self {
            Self::Running => include_image!("icons/tray/running.png"),
            Self::Busy => include_image!("icons/tray/busy.png"),
            Self::Paused => include_image!("icons/tray/paused.png"),
            Self::Attention => include_image!("icons/tray/attention.png"),
            Self::Disconnected => include_image!("icons/tray/disconnected.png"),
        }
    }
}

/// The icon and the lines of its menu that change.
pub(crate) struct Tray {
    icon: TrayIcon,
    status: MenuItem<Wry>,
    open: MenuItem<Wry>,
    failures: MenuItem<Wry>,
    retry: MenuItem<Wry>,
    pause: Submenu<Wry>,
    pauses: [MenuItem<Wry>; 3],
    resume: MenuItem<Wry>,
    copy: MenuItem<Wry>,
    settings: MenuItem<Wry>,
    quit: MenuItem<Wry>,
}

/// Puts the icon there and keeps it true for as long as the shop runs.
///
/// # Errors
/// When the system takes no icon; the app works without one.
pub(crate) fn start(app: &AppHandle) -> tauri::Result<()> {
    app.manage(Copied::default());
    app.manage(Tray::new(app)?);
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        let (desk, tray) = (app.state::<Desk>(), app.state::<Tray>());
        let mut events = Box::pin(desk.shop.events());
        let mut shown = None;
        loop {
            let state = State::ask(&desk).await;
            if shown.as_ref() != Some(&state) && !quit::is_quitting(&app) {
                if let Err(error) = tray.show(&state) {
                    tracing::warn!(%error, "the tray cannot be brought up to date");
                }
                shown = Some(state);
            }
            while let Some(event) = events.next().await {
                if concerns(&event) {
                    break;
                }
            }
        }
    });
    Ok(())
}

/// Says that the app is ending and only finishes what runs.
pub(crate) fn say_finishing(app: &AppHandle, what: words::Words) {
    let (Some(desk), Some(tray)) = (app.try_state::<Desk>(), app.try_state::<Tray>()) else { return };
    let _ = tray.status.set_text(what.say(desk.language()));
}

fn concerns(event: &Event) -> bool {
    event
        .topics
        .iter()
        .any(|topic| matches!(topic.as_str(), "queue" | "failures" | "settings" | "notices" | "tunnel"))
}

/// Everything the tray shows.
#[derive(Debug, PartialEq, Eq)]
struct State {
    language: Language,
    shape: Shape,
    status: String,
    failed: i64,
    paused: bool,
    /// Whether there is an address that SePay can be given.
    public: bool,
}

impl State {
    async fn ask(desk: &Desk) -> Self {
        let language = desk.language();
        let public = webhook_url(desk).await.is_some();
        let overview = match desk.ask("GET", "/admin/api/overview", None).await {
            Ok(answer) => serde_json::from_str::<Overview>(&answer.body).ok(),
            Err(_) => None,
        };
        let Some(Overview { queue, receiving, .. }) = overview else {
            let status = words::NO_ANSWER.say(language).to_owned();
            return Self { language, shape: Shape::Disconnected, status, failed: 0, paused: false, public };
        };
        Self {
            language,
            shape: Shape::of(&queue, !matches!(receiving.state.as_str(), "stopped" | "unreachable")),
            status: words::status(language, &queue),
            failed: queue.failed,
            paused: queue.paused,
            public,
        }
    }
}

/// What is entered at SePay; `None` while there is no public address.
async fn webhook_url(desk: &Desk) -> Option<String> {
    let answer = desk.ask("GET", "/admin/api/tunnel", None).await.ok()?;
    let tunnel: Tunnel = serde_json::from_str(&answer.body).ok()?;
    tunnel.public_url.map(|_| tunnel.webhook_url)
}

impl Tray {
    fn new(app: &AppHandle) -> tauri::Result<Self> {
        let language = app.state::<Desk>().language();
        let item =
            |id: &str, text: words::Words| MenuItem::with_id(app, id, text.say(language), true, None::<&str>);
        let line = || PredefinedMenuItem::separator(app);
        let status = MenuItem::with_id(app, "status", "ChotDon", false, None::<&str>)?;
        let open = item("open", words::OPEN)?;
        let failures = item("failures", words::FAILURES)?;
        let retry = item("retry", words::RETRY_ALL)?;
        let pauses = [
            item("pause-30", words::PAUSE_30)?,
            item("pause-60", words::PAUSE_60)?,
            item("pause", words::PAUSE_OPEN)?,
        ];
        let pause = Submenu::with_items(
            app,
            words::PAUSE.say(language),
            true,
            &[&pauses[0], &pauses[1], &pauses[2]],
        )?;
        let resume = item("resume", words::RESUME)?;
        let copy = item("copy", words::COPY_WEBHOOK_URL)?;
        let settings = item("settings", words::SETTINGS)?;
        let quit = item("quit", words::QUIT)?;
        let menu = Menu::with_items(
            app,
            &[
                &status,
                &line()?,
                &open,
                &failures,
                &retry,
                &line()?,
                &pause,
                &resume,
                &line()?,
                &copy,
                &settings,
                &quit,
            ],
        )?;
        let icon = TrayIconBuilder::with_id("shop")
            .icon(Shape::Running.icon())
            .tooltip("ChotDon")
            .menu(&menu)
            .on_menu_event(|app, event| chosen(app, event.id().as_ref()))
            .build(app)?;
        Ok(Self { icon, status, open, failures, retry, pause, pauses, resume, copy, settings, quit })
    }

    fn show(&self, state: &State) -> tauri::Result<()> {
        let language = state.language;
        self.icon.set_icon(Some(state.shape.icon()))?;
        self.icon.set_tooltip(Some(format!("ChotDon · {}", state.status)))?;
        self.status.set_text(&state.status)?;
        self.open.set_text(words::OPEN.say(language))?;
        let failures = words::FAILURES.say(language);
        self.failures.set_text(if state.failed > 0 {
            format!("{failures} ({})…", state.failed)
        } else {
            failures.to_owned()
        })?;
        self.failures.set_enabled(state.failed > 0)?;
        self.retry.set_text(words::RETRY_ALL.say(language))?;
        self.retry.set_enabled(state.failed > 0)?;
        self.pause.set_text(words::PAUSE.say(language))?;
        self.pause.set_enabled(!state.paused)?;
        for (item, text) in self.pauses.iter().zip([words::PAUSE_30, words::PAUSE_60, words::PAUSE_OPEN]) {
            item.set_text(text.say(language))?;
        }
        self.resume.set_text(words::RESUME.say(language))?;
        self.resume.set_enabled(state.paused)?;
        self.copy.set_text(words::COPY_WEBHOOK_URL.say(language))?;
        self.copy.set_enabled(state.public)?;
        self.settings.set_text(words::SETTINGS.say(language))?;
        self.quit.set_text(words::QUIT.say(language))
    }
}

fn chosen(app: &AppHandle, item: &str) {
    match item {
        "open" => window::show(app, None),
        "failures" => window::show(app, Some("/failures".to_owned())),
        "settings" => window::show(app, Some("/settings".to_owned())),
        "retry" => {
            tell(app, "/admin/api/failures/retry", serde_json::json!({ "filter": {}, "dry_run": false }))
        }
        "pause-30" => pause(app, Some(30)),
        "pause-60" => pause(app, Some(60)),
        "pause" => pause(app, None),
        "resume" => tell(app, "/admin/api/queue/resume", serde_json::json!({})),
        "copy" => copy(app),
        "quit" => quit::ask(app),
        _ => {}
    }
}

fn pause(app: &AppHandle, minutes: Option<i64>) {
    let Some(desk) = app.try_state::<Desk>() else { return };
    let reason = words::PAUSED_FROM_TRAY.say(desk.language());
    tell(app, "/admin/api/queue/pause", serde_json::json!({ "minutes": minutes, "reason": reason }));
}

/// What cannot be copied is shown where it can be.
fn copy(app: &AppHandle) {
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        let Some(url) = webhook_url(&app.state::<Desk>()).await else { return };
        let asked = app.clone();
        let copied = tauri::async_runtime::spawn_blocking(move || asked.state::<Copied>().put(url)).await;
        let failed = match copied {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        tracing::warn!(error = failed, "the webhook's address cannot be copied");
        window::show(&app, Some("/settings?section=connection".to_owned()));
    });
}

fn tell(app: &AppHandle, path: &'static str, body: serde_json::Value) {
    let app = app.clone();
    tauri::async_runtime::spawn(async move { app.state::<Desk>().tell(path, body).await });
}

#[cfg(test)]
mod tests {
    use chotdon_core::views::QueueCounts;

    use super::Shape;

    fn counts(failed: i64, running: i64, paused: bool) -> QueueCounts {
        QueueCounts {
            queued: 0,
            running,
            retrying: 0,
            failed,
            oldest_wait_ms: 0,
            workers: 2,
            busy: running,
            paused,
        }
    }

    #[test]
    fn the_shape_is_of_what_matters_most() {
        assert_eq!(Shape::of(&counts(0, 0, false), true), Shape::Running);
        assert_eq!(Shape::of(&counts(0, 2, false), true), Shape::Busy);
        assert_eq!(Shape::of(&counts(0, 2, true), true), Shape::Paused);
        assert_eq!(Shape::of(&counts(3, 2, true), true), Shape::Attention);
        assert_eq!(Shape::of(&counts(3, 2, true), false), Shape::Disconnected);
    }
}
