//! Windows that nobody should be able to open, for the test that shows what they are refused. Debug builds only:
//! what is packaged does not have this file.

use tauri::webview::WebviewWindowBuilder;
use tauri::{AppHandle, Manager, Runtime, WebviewUrl};

/// `LABEL app` for our own page in a window of this label, `LABEL URL` for another page in it.
const WISH: &str = "CHOTDON_TEST_STRANGER";

/// Calls every command as soon as there is a page, and puts what it was told into the page's title.
const PROBE: &str = r"
addEventListener('DOMContentLoaded', async () => {
  const said = [];
  for (const [command, given] of [
    ['api', { method: 'GET', path: '/health', body: null }],
    ['subscribe', { channel: '__CHANNEL__:7' }],
    ['open_external', { url: 'https://example.com/' }],
    ['start_at_login', { on: null }],
    ['keep_awake', { on: null }],
    ['restart', {}],
    ['unlock_question', {}],
    ['unlock_answer', { answer: null }],
    ['plugin:event|listen', { event: 'navigate', target: { kind: 'Any' }, handler: 7 }],
    ['plugin:event|emit', { event: 'navigate', payload: '/settings' }],
    ['plugin:window|create', { options: { label: 'x' } }],
  ]) {
    const bridge = window.__TAURI_INTERNALS__;
    const answer = bridge
      ? bridge.invoke(command, given).then(() => 'ALLOWED', (error) => `refused: ${error}`)
      : Promise.resolve('no bridge');
    said.push(`${command}=${(await answer).slice(0, 60)}`);
  }
  document.title = `stranger said ${said.join('; ')}`;
});";

/// Opens the window that the environment asks for, if it does.
pub(crate) fn open(app: &AppHandle) {
    let wish = crate::args::variable(WISH).and_then(|wish| wish.into_string().ok());
    let Some((label, page)) = wish.as_deref().and_then(|wish| wish.split_once(' ')) else { return };
    let url = match page {
        "app" => WebviewUrl::App("index.html".into()),
        address => match address.parse() {
            Ok(address) => WebviewUrl::External(address),
            Err(_) => return,
        },
    };
    let opened = WebviewWindowBuilder::new(app, label, url)
        .initialization_script(PROBE)
        .on_document_title_changed(|window, title| tracing::info!(label = window.label(), title, "stranger"))
        .build();
    if let Err(error) = opened {
        tracing::error!(%error, "the stranger's window cannot be opened");
    }
}

/// Lets a test see what the page's policy blocked, from the first script on.
pub(crate) fn watched<R: Runtime, M: Manager<R>>(
    window: WebviewWindowBuilder<'_, R, M>,
) -> WebviewWindowBuilder<'_, R, M> {
    window.initialization_script(
        "window.__blocked = []; document.addEventListener('securitypolicyviolation', (event) => \
         window.__blocked.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}`));",
    )
}
