//! The page in the window, through WebKit's own WebDriver. Waiting happens inside the page, on the change that
//! is waited for.

use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use chotdon_tests::machine::Machine;
use serde_json::{Value, json};

use crate::app::{PATIENCE, binary};

/// The key of an element reference, from the WebDriver standard.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Resolves when an element matches `selector` and its text (or value) contains `text`.
const WAIT: &str = r"
const [selector, text, limit] = arguments;
return new Promise((resolve, reject) => {
  const look = () => [...document.querySelectorAll(selector)]
    .find((e) => !text || (e.innerText + ' ' + (e.value ?? '')).includes(text));
  const found = look();
  if (found) return resolve(found);
  const watch = new MutationObserver(() => {
    const found = look();
    if (found) { watch.disconnect(); resolve(found); }
  });
  watch.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  setTimeout(() => {
    watch.disconnect();
    reject(new Error('no ' + selector + ' with ' + JSON.stringify(text) + ' in: ' + document.body.innerText.slice(0, 900)));
  }, limit);
});";

/// A driven app. The app ends with it.
pub(crate) struct Page {
    client: reqwest::Client,
    session: String,
    driver: Child,
}

impl Page {
    /// Starts the app in demo mode under a driver.
    pub(crate) async fn open(machine: &Machine, language: Option<&str>) -> Result<Self> {
        // Closed again at once; nothing else on this machine takes ports in between.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = machine.command("WebKitWebDriver");
        command
            .arg(format!("--port={port}"))
            .env("TAURI_WEBVIEW_AUTOMATION", "true")
            .env("LIBGL_ALWAYS_SOFTWARE", "1")
            .env("NO_AT_BRIDGE", "1")
            // The app has the machine's clock, and the test may run at night.
            .env("CHOTDON_NOTIFICATIONS__QUIET_FROM", "00:00")
            .env("CHOTDON_NOTIFICATIONS__QUIET_TO", "00:00")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        match language {
            Some(language) => command.env("LANG", language),
            None => command.env_remove("LANG"),
        };
        let driver = command.spawn().context("starting WebKitWebDriver")?;
        let client = reqwest::Client::builder().timeout(PATIENCE * 2).no_proxy().build()?;
        let mut page = Self { client, session: format!("http://127.0.0.1:{port}"), driver };
        page.ready().await?;
        let options = json!({ "binary": binary(), "args": ["--demo"] });
        let asked = json!({ "capabilities": { "alwaysMatch": { "webkitgtk:browserOptions": options } } });
        let answer = page.send("/session", asked).await?;
        let id = answer["sessionId"].as_str().with_context(|| format!("no session: {answer}"))?.to_owned();
        page.session = format!("{}/session/{id}", page.session);
        page.send("/timeouts", json!({ "script": (PATIENCE * 2).as_millis() as u64 })).await?;
        Ok(page)
    }

    /// The driver says nothing when it listens; connecting is how to know.
    async fn ready(&self) -> Result<()> {
        let status = format!("{}/status", self.session);
        let mut again = tokio::time::interval(Duration::from_millis(50));
        for _ in 0..600 {
            again.tick().await;
            if self.client.get(&status).send().await.is_ok() {
                return Ok(());
            }
        }
        bail!("WebKitWebDriver does not listen")
    }

    async fn send(&self, path: &str, body: Value) -> Result<Value> {
        let answer: Value =
            self.client.post(format!("{}{path}", self.session)).json(&body).send().await?.json().await?;
        let value = answer["value"].clone();
        if let Some(error) = value["error"].as_str() {
            bail!("{error}: {}", value["message"].as_str().unwrap_or_default());
        }
        Ok(value)
    }

    /// Runs JavaScript in the page; a promise is awaited.
    pub(crate) async fn run(&self, script: &str, args: Value) -> Result<Value> {
        self.send("/execute/sync", json!({ "script": script, "args": args })).await
    }

    /// Waits for an element that matches `selector` and contains `text`.
    pub(crate) async fn wait(&self, selector: &str, text: &str) -> Result<Element<'_>> {
        let found = self.run(WAIT, json!([selector, text, PATIENCE.as_millis() as u64])).await?;
        let id = found[ELEMENT].as_str().with_context(|| format!("no element: {found}"))?.to_owned();
        Ok(Element { page: self, id })
    }

    /// Waits for the element with this test id.
    pub(crate) async fn part(&self, id: &str) -> Result<Element<'_>> {
        self.wait(&format!("[data-testid='{id}']"), "").await
    }

    /// What the page's policy blocked since it was loaded.
    pub(crate) async fn blocked(&self) -> Result<Vec<String>> {
        let blocked = self.run("return window.__blocked", json!([])).await?;
        serde_json::from_value(blocked).context("a debug build keeps a list")
    }

    /// What follows `#` in the address.
    pub(crate) async fn route(&self) -> Result<String> {
        let hash = self.run("return location.hash", json!([])).await?;
        Ok(hash.as_str().unwrap_or_default().trim_start_matches('#').to_owned())
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Something in the page.
pub(crate) struct Element<'a> {
    page: &'a Page,
    id: String,
}

impl Element<'_> {
    /// Clicks it where it is, once nothing on the page is awaited any more that would move it.
    pub(crate) async fn click(&self) -> Result<()> {
        self.page.wait("body:not(:has(main[aria-busy=true]))", "").await?;
        self.page.send(&format!("/element/{}/click", self.id), json!({})).await.map(drop)
    }

    pub(crate) async fn write(&self, text: &str) -> Result<()> {
        self.page.send(&format!("/element/{}/value", self.id), json!({ "text": text })).await.map(drop)
    }

    pub(crate) async fn attribute(&self, name: &str) -> Result<String> {
        let value = self
            .page
            .run("return arguments[0].getAttribute(arguments[1])", json!([{ ELEMENT: self.id }, name]))
            .await?;
        value.as_str().map(str::to_owned).with_context(|| format!("it has no {name}"))
    }
}
