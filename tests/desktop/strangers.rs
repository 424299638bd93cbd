//! What the window keeps out: other pages, other windows, frames, links that are more than links, and whatever the
//! page's policy does not name. A debug build opens such windows when the environment says so.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use chotdon_tests::listening::listens;
use chotdon_tests::machine::{Machine, look_until};
use serde_json::json;

use crate::app::{App, MAIN, PATIENCE, command, desk, picture, wait_for_window};
use crate::page::Page;

const OPEN: &str = "the shop is open";
const STRANGER: &str = "CHOTDON_TEST_STRANGER";
/// Those that the desk needs, and some that nobody does.
const COMMANDS: [&str; 11] = [
    "api",
    "subscribe",
    "open_external",
    "start_at_login",
    "keep_awake",
    "restart",
    "plugin:event|listen",
    "unlock_question",
    "unlock_answer",
    "plugin:event|emit",
    "plugin:window|create",
];
const NEEDED: usize = 7;

/// A page of another origin with a frame of a third one, which tells what it could reach.
async fn elsewhere() -> String {
    let frame = r"<script>
        (async () => {
          const said = [];
          said.push('bridge=' + typeof window.__TAURI_INTERNALS__);
          try { window.top.__TAURI_INTERNALS__; said.push('top=reached'); } catch { said.push('top=refused'); }
          for (const url of ['ipc://localhost/api', 'http://ipc.localhost/api']) {
            try {
              const headers = { 'Tauri-Callback': '1', 'Tauri-Error': '2', 'Tauri-Invoke-Key': 'x' };
              const body = JSON.stringify({ method: 'GET', path: '/health', body: null });
              const answer = await fetch(url, { method: 'POST', headers, body });
              said.push(url + '=' + (answer.ok ? 'ALLOWED ' + (await answer.text()) : 'refused'));
            } catch { said.push(url + '=refused'); }
          }
          const post = window.webkit?.messageHandlers?.ipc;
          if (post) try {
            post.postMessage(JSON.stringify({ cmd: 'api', callback: 1, error: 2, payload: {}, options: {}, __TAURI_INVOKE_KEY__: 'x' }));
          } catch {}
          window.parent.postMessage(said.join('; '), '*');
        })();
        </script>";
    let inner = served(frame.to_owned()).await;
    let page = format!(
        "<title>elsewhere</title><iframe src='{inner}'></iframe><script>
         addEventListener('message', (event) => {{
           // Again and again: what is listened for first is not known.
           let times = 0;
           setInterval(() => {{ document.title = 'frame said ' + event.data + ' ' + times++; }}, 100);
         }});</script>"
    );
    served(page).await
}

async fn served(page: String) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    let router = Router::new().route("/", get(move || async move { Html(page) }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// What each command was told.
fn said(line: &str) -> Vec<(&'static str, String)> {
    let told = |command: &str| {
        let at = line.find(&format!("{command}=")).unwrap_or_else(|| panic!("no {command} in {line}"));
        line[at + command.len() + 1..].split("; ").next().unwrap().to_owned()
    };
    COMMANDS.map(|command| (command, told(command))).to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_is_refused_to_another_window_another_page_and_a_frame() {
    let elsewhere = elsewhere().await;
    for (wish, ours) in [
        // The control: our page in our window.
        ("main app".to_owned(), true),
        ("stranger app".to_owned(), false),
        (format!("main {elsewhere}"), false),
        (format!("stranger {elsewhere}"), false),
    ] {
        let machine = desk();
        let opened = browser(&machine);
        let mut start = command(&machine);
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", machine.dir().join("bin").display());
        let mut app = App::start(start.arg("--hidden").env(STRANGER, &wish).env("PATH", path));
        let line = app.says("stranger said").unwrap();
        for (command, told) in said(&line) {
            let refused = told.contains("not allowed") || told.starts_with("no bridge");
            let needed = COMMANDS[..NEEDED].contains(&command);
            assert_eq!(!refused, ours && needed, "{wish}: {command} was told {told:?}");
        }
        if wish.contains("http") {
            let line = app.says("frame said").unwrap();
            assert!(line.contains("bridge=undefined") && line.contains("top=refused"), "{line}");
            assert!(!line.contains("ALLOWED"), "{line}");
        }
        if ours {
            let address = look_until(PATIENCE, || Ok(std::fs::read_to_string(&opened).ok()));
            assert_eq!(address.unwrap().as_deref(), Some("https://example.com/"));
        }
        assert!(app.is_running(), "{wish}");
        assert_eq!(opened.exists(), ours, "{wish}");
    }
}

/// A browser that only notes what it was told to open; answers where.
fn browser(machine: &Machine) -> PathBuf {
    let (bin, opened) = (machine.dir().join("bin"), machine.dir().join("opened"));
    std::fs::create_dir(&bin).unwrap();
    let script = format!("#!/bin/sh\nprintf %s \"$1\" > '{}.new' && mv '{0}.new' '{0}'\n", opened.display());
    std::fs::write(bin.join("xdg-open"), script).unwrap();
    std::fs::set_permissions(bin.join("xdg-open"), std::fs::Permissions::from_mode(0o755)).unwrap();
    opened
}

#[tokio::test]
async fn a_link_shows_its_page_and_a_hostile_one_does_nothing() {
    let machine = desk();
    let page = Page::open(&machine, Some("vi_VN.UTF-8")).await.unwrap();
    page.part("nav-orders").await.unwrap();
    let keep =
        "window.__routes = []; addEventListener('hashchange', () => window.__routes.push(location.hash));";
    page.run(keep, json!([])).await.unwrap();
    let long = format!("chotdon://order/{}", "A".repeat(10_000));
    for link in [
        long.as_str(),
        "chotdon://settings/x",
        "chotdon://order/DH123456?stage=paid",
        "chotdon://order/../../settings",
        "chotdon://task/1#/settings",
        "chotdon://order/ĐH\u{202e}",
        "chotdon://queue/pause",
        "chotdon://task/42",
    ] {
        let second = App::start(command(&machine).arg(link));
        assert_eq!(second.ends().unwrap(), 0, "{link}");
    }
    // The last one is a right one: when it has been followed, the others have been heard.
    let followed = "return new Promise((done) => {
        const look = () => window.__routes.length > 0 && done(window.__routes);
        addEventListener('hashchange', () => setTimeout(look)); look(); });";
    assert_eq!(page.run(followed, json!([])).await.unwrap(), json!(["#/queue/42"]));
    picture(&machine, "link");
}

#[test]
fn the_first_start_may_come_from_a_link() {
    let machine = desk();
    let app = App::start(command(&machine).arg("--hidden").arg("chotdon://order/DH123456"));
    app.says(OPEN).unwrap();
    // A link is meant to be seen.
    wait_for_window(&machine, MAIN).unwrap();
}

#[tokio::test]
async fn no_page_of_the_desk_does_what_its_policy_forbids() {
    let machine = desk();
    let page = Page::open(&machine, Some("vi_VN.UTF-8")).await.unwrap();
    page.part("nav-orders").await.unwrap();
    for at in [
        "overview",
        "orders",
        "queue",
        "failures",
        "unmatched",
        "wallet",
        "webhooks",
        "courses",
        "customers",
        "mailbox",
        "settings",
    ] {
        page.run("location.hash = '#/' + arguments[0]", json!([at])).await.unwrap();
        page.wait("main h1", "").await.unwrap();
    }
    assert_eq!(page.blocked().await.unwrap(), Vec::<String>::new());

    // The control: what is forbidden is blocked, and seen.
    let tries = "const image = new Image(); image.src = 'https://example.com/x.png';
        document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.ran = true' }));
        document.body.append(Object.assign(document.createElement('iframe'), { src: 'https://example.com/' }));
        return new Promise((done) => { const look = () => window.__blocked.length >= 3 ? done(String(window.ran)) :
          document.addEventListener('securitypolicyviolation', () => setTimeout(look), { once: true }); look(); });";
    assert_eq!(page.run(tries, json!([])).await.unwrap(), json!("undefined"));
    let blocked = page.blocked().await.unwrap().join("\n");
    for directive in ["img-src", "script-src", "frame-src"] {
        assert!(blocked.contains(directive), "{blocked}");
    }
}

#[test]
fn the_app_listens_on_loopback_only() {
    let machine = desk();
    let app = App::start(&mut command(&machine));
    app.says(OPEN).unwrap();
    wait_for_window(&machine, MAIN).unwrap();
    let found = listens(app.id());
    assert!(!found.is_empty() && found.iter().all(|at| at.ip().is_loopback()), "{found:?}");
}
