//! The one window: opened, brought to front, given a route, destroyed on close. Never hidden: a hidden web
//! view keeps its memory. What it may load is decided here.

use tauri::webview::NewWindowResponse;
use tauri::{AppHandle, Emitter, Manager, Url, WebviewUrl, WebviewWindow, WebviewWindowBuilder, WindowEvent};

use crate::desk::Desk;
use crate::notifications::{self, Choice};

/// Its label, which the capabilities name.
pub(crate) const MAIN: &str = "main";

/// Tells a page that is already there where to go.
const NAVIGATE: &str = "navigate";

/// Opens the window, or brings the open one to front; with `route` (such as `/failures`) at that page.
pub(crate) fn show(app: &AppHandle, route: Option<String>) {
    let app = app.clone();
    // Windows cannot be made from an event handler on every system; a task can make them everywhere.
    tauri::async_runtime::spawn(async move {
        if app.try_state::<Desk>().is_none() {
            // Still starting: the window comes by itself.
            return;
        }
        let shown = match app.get_webview_window(MAIN) {
            Some(window) => to_front(&window, route),
            None => open(&app, route.as_deref()),
        };
        if let Err(error) = shown {
            tracing::error!(%error, "the window cannot be shown");
        }
    });
}

fn to_front(window: &WebviewWindow, route: Option<String>) -> tauri::Result<()> {
    if let Some(route) = route {
        window.emit_to(MAIN, NAVIGATE, route)?;
    }
    window.unminimize()?;
    window.show()?;
    window.set_focus()
}

fn open(app: &AppHandle, route: Option<&str>) -> tauri::Result<()> {
    let page = route.map_or_else(|| "index.html".to_owned(), |route| format!("index.html#{route}"));
    let window = WebviewWindowBuilder::new(app, MAIN, WebviewUrl::App(page.into()))
        // Files that are dropped would come with their paths.
        .disable_drag_drop_handler()
        .title("ChotDon")
        .inner_size(1280.0, 800.0)
        .min_inner_size(960.0, 640.0)
        .devtools(cfg!(debug_assertions))
        .on_navigation(may_load)
        .on_new_window(|_, _| NewWindowResponse::Deny)
        .on_download(|_, _| false);
    #[cfg(debug_assertions)]
    let window = crate::strangers::watched(window);
    let window = window.build()?;
    let app = app.clone();
    window.on_window_event(move |event| {
        if let WindowEvent::Destroyed = event {
            closed(&app);
        }
    });
    window.set_focus()
}

/// The page itself, and the empty documents that a sandboxed frame (a mail's preview) starts from.
pub(crate) fn may_load(url: &Url) -> bool {
    match url.scheme() {
        "tauri" => url.host_str() == Some("localhost"),
        "http" | "https" => url.host_str() == Some("tauri.localhost") && url.port().is_none(),
        "about" => matches!(url.path(), "blank" | "srcdoc"),
        _ => false,
    }
}

/// The shop goes on. The first time, the owner is told so, and may quit instead.
fn closed(app: &AppHandle) {
    let Some(desk) = app.try_state::<Desk>() else { return };
    desk.listen_with(None);
    if crate::quit::is_quitting(app) || !desk.is_first_close() {
        return;
    }
    let app = app.clone();
    let language = desk.language();
    tauri::async_runtime::spawn(async move {
        let told = notifications::tell_about_tray(language).await;
        match told {
            Ok(Choice::Open) => show(&app, None),
            Ok(Choice::Quit) => crate::quit::ask(&app),
            Ok(Choice::Nothing) => {}
            // No notification daemon: a dialog, or nobody would ever know.
            Err(_) => crate::quit::told_by_dialog(&app),
        }
    });
}

#[cfg(test)]
mod tests {
    use tauri::Url;

    use super::may_load;

    fn loads(url: &str) -> bool {
        may_load(&Url::parse(url).unwrap())
    }

    #[test]
    fn only_the_app_itself_loads() {
        assert!(loads("tauri://localhost/index.html#/failures"));
        assert!(loads("http://tauri.localhost/"));
        assert!(loads("about:srcdoc"));
        for url in [
            "https://example.com/",
            "http://tauri.localhost.example.com/",
            "http://tauri.localhost:8080/",
            "http://127.0.0.1:8686/pay/x",
            "tauri://other/",
            "file:///etc/passwd",
            "data:text/html,x",
            "javascript:alert(1)",
            "about:config",
        ] {
            assert!(!loads(url), "{url}");
        }
    }
}
