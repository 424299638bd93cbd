//! What the page may ask of the app: six commands, and nothing else.

use tauri::ipc::Channel;
use tauri::{State, Url};
use tauri_plugin_autostart::ManagerExt;

use chotdon_core::views::Event;
use tokio_stream::StreamExt;

use crate::awake::{Awake, Keeper};
use crate::desk::{Answer, Desk};
use crate::quit;

/// Puts one request to the admin API and gives its answer, errors of the API included.
#[tauri::command]
pub(crate) async fn api(
    desk: State<'_, Desk>,
    method: String,
    path: String,
    body: Option<String>,
) -> Result<Answer, String> {
    desk.ask(&method, &path, body).await.map_err(|error| error.to_string())
}

/// Sends the shop's events to the page until it asks again or its window closes.
#[tauri::command]
pub(crate) async fn subscribe(desk: State<'_, Desk>, channel: Channel<Event>) -> Result<(), String> {
    let mut events = Box::pin(desk.shop.events());
    desk.listen_with(Some(tauri::async_runtime::spawn(async move {
        while let Some(event) = events.next().await {
            if channel.send(event).is_err() {
                return;
            }
        }
    })));
    Ok(())
}

/// Opens a link in the owner's browser: any `https` page, and the shop's own pages.
#[tauri::command]
pub(crate) async fn open_external(desk: State<'_, Desk>, url: String) -> Result<(), String> {
    let asked = Url::parse(&url).map_err(|error| error.to_string())?;
    if !may_open(&asked, desk.shop.public_addr().port()) {
        return Err("only https links and the shop's own pages are opened".to_owned());
    }
    // By the system alone: a plugin would bring commands of its own.
    tauri_plugin_opener::open_url(asked.as_str(), None::<&str>).map_err(|error| error.to_string())
}

/// Whether the app starts by itself, without a window, when the owner logs in; `on` changes it first.
#[tauri::command]
pub(crate) async fn start_at_login(app: tauri::AppHandle, on: Option<bool>) -> Result<bool, String> {
    let autostart = app.autolaunch();
    let changed = match on {
        Some(true) => autostart.enable(),
        Some(false) if autostart.is_enabled().unwrap_or(true) => autostart.disable(),
        _ => Ok(()),
    };
    changed.and_then(|()| autostart.is_enabled()).map_err(|error| error.to_string())
}

/// Whether the machine is kept awake while the shop is open, and why not; `on` changes it first.
#[tauri::command]
pub(crate) async fn keep_awake(
    desk: State<'_, Desk>,
    keeper: State<'_, Keeper>,
    on: Option<bool>,
) -> Result<Awake, String> {
    let wanted = desk.keep_awake(on);
    // Asked again, the system may have thought better of it.
    if on.is_some() || (wanted && keeper.now().refused.is_some()) {
        return Ok(keeper.want(wanted).await);
    }
    Ok(keeper.now())
}

/// Closes the shop in good order and starts the app anew, for a copy that waits to take the shop's place.
#[tauri::command]
pub(crate) async fn restart(app: tauri::AppHandle) {
    quit::restart(&app);
}

/// `port` is the public listener's.
fn may_open(url: &Url, port: u16) -> bool {
    if !url.username().is_empty() || url.password().is_some() {
        return false;
    }
    match url.scheme() {
        "https" => url.has_host(),
        "http" => {
            let ours = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"))
                && url.port_or_known_default() == Some(port);
            ours && ["/pay/", "/topup/", "/d/"].iter().any(|page| url.path().starts_with(page))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use tauri::Url;

    use super::may_open;

    fn opens(url: &str) -> bool {
        may_open(&Url::parse(url).unwrap(), 8686)
    }

    #[test]
    fn https_and_our_own_pages_open() {
        assert!(opens("https://my.sepay.vn/"));
        assert!(opens("http://127.0.0.1:8686/pay/DH123456?t=x"));
        assert!(opens("http://localhost:8686/d/token"));
    }

    #[test]
    fn nothing_else_opens() {
        for url in [
            "http://example.com/",
            "http://127.0.0.1:8687/pay/DH123456",
            "http://127.0.0.1:8686/api/v1/orders",
            "http://127.0.0.1:8686/pay/../api",
            "http://user@127.0.0.1:8686/pay/x",
            "https://user:pw@example.com/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "data:text/html,x",
            "smb://host/share",
            "chotdon:x",
        ] {
            assert!(!opens(url), "{url}");
        }
    }
}
