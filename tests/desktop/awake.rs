//! Keeping the machine awake: what the login manager is asked for, when it is given back, and what is said when it
//! refuses. The login manager is a stand-in on the machine's own bus, with logind's way of giving back: a closed file.

use std::io::{PipeReader, Read};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

use anyhow::Result;
use chotdon_tests::machine::{Machine, look_until};

use crate::app::{App, PATIENCE, command, desk, picture};
use crate::page::Page;

/// What was asked for: for what, by whom; and the end that says when it is given back.
type Asked = Arc<Mutex<Vec<(String, String, PipeReader)>>>;

struct Logind(Asked);

#[zbus::interface(name = "org.freedesktop.login1.Manager")]
impl Logind {
    fn inhibit(
        &self,
        what: &str,
        who: &str,
        _why: &str,
        mode: &str,
    ) -> zbus::fdo::Result<zbus::zvariant::OwnedFd> {
        assert_eq!(mode, "block");
        let (kept, given) = std::io::pipe().map_err(|error| zbus::fdo::Error::Failed(error.to_string()))?;
        self.0.lock().unwrap().push((what.to_owned(), who.to_owned(), kept));
        Ok(OwnedFd::from(given).into())
    }
}

/// Takes logind's name on the machine's bus.
async fn logind(machine: &Machine) -> Result<(zbus::Connection, Asked)> {
    let address = machine.environment().find(|(name, _)| *name == "DBUS_SYSTEM_BUS_ADDRESS").unwrap().1;
    let asked = Asked::default();
    let connection = zbus::connection::Builder::address(address)?
        .serve_at("/org/freedesktop/login1", Logind(Arc::clone(&asked)))?
        .name("org.freedesktop.login1")?
        .build()
        .await?;
    Ok((connection, asked))
}

/// Waits until everything that was asked for is given back; says what that was.
async fn given_back(asked: &Asked) -> Vec<(String, String)> {
    let all = std::mem::take(&mut *asked.lock().unwrap());
    let read = move || {
        let end = |(what, who, mut kept): (String, String, PipeReader)| {
            assert_eq!(kept.read(&mut [0]).unwrap(), 0);
            (what, who)
        };
        all.into_iter().map(end).collect()
    };
    tokio::task::spawn_blocking(read).await.unwrap()
}

fn held(asked: &Asked) -> Vec<String> {
    asked.lock().unwrap().iter().map(|(what, ..)| what.clone()).collect()
}

fn both() -> Vec<(String, String)> {
    ["idle", "sleep"].map(|what| (what.to_owned(), "ChotDon".to_owned())).to_vec()
}

#[tokio::test]
async fn the_machine_is_kept_awake_when_the_owner_says_so_and_a_refusal_is_seen() {
    let machine = desk().with_system_bus();
    let page = Page::open(&machine, Some("vi_VN.UTF-8")).await.unwrap();
    page.part("nav-settings").await.unwrap().click().await.unwrap();
    // Without a login manager the wish is kept, and said to be in vain.
    page.part("keep-awake").await.unwrap().click().await.unwrap();
    page.wait("[data-testid=awake-refused]", "máy vẫn có thể ngủ").await.unwrap();
    picture(&machine, "awake-refused");
    page.part("keep-awake").await.unwrap().click().await.unwrap();
    page.wait("body:not(:has([data-testid=awake-refused]))", "").await.unwrap();

    let (_bus, asked) = logind(&machine).await.unwrap();
    assert_eq!(held(&asked), Vec::<String>::new());
    page.part("keep-awake").await.unwrap().click().await.unwrap();
    let there = Arc::clone(&asked);
    let look = move || look_until(PATIENCE, || Ok((held(&there).len() == 2).then_some(())));
    tokio::task::spawn_blocking(look).await.unwrap().unwrap().expect("it is asked");
    page.wait("body:not(:has([data-testid=awake-refused]))", "").await.unwrap();
    page.part("keep-awake").await.unwrap().click().await.unwrap();
    assert_eq!(given_back(&asked).await, both());
}

#[tokio::test]
async fn what_the_owner_wanted_holds_at_the_next_start_and_ends_with_the_app() {
    let machine = desk().with_system_bus();
    let data = machine.home().join("data/ChotDon-demo");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("desktop.json"), r#"{"keep_awake":true}"#).unwrap();
    let (_bus, asked) = logind(&machine).await.unwrap();
    let mut start = command(&machine);
    let app = App::start(start.arg("--hidden"));
    let app = tokio::task::spawn_blocking(move || app.says("the machine is kept awake").map(|_| app));
    let app = app.await.unwrap().unwrap();
    assert_eq!(held(&asked), ["idle", "sleep"]);
    drop(app);
    assert_eq!(given_back(&asked).await, both());
}

#[test]
fn a_refusal_at_the_start_is_shown_on_the_desktop() {
    let machine = desk().with_system_bus();
    let data = machine.home().join("data/ChotDon-demo");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("desktop.json"), r#"{"keep_awake":true}"#).unwrap();
    let mut start = command(&machine);
    let app = App::start(start.arg("--hidden"));
    app.says("the system does not keep the machine awake").unwrap();
    let told = machine.next_notification(PATIENCE).expect("it is told");
    assert_eq!(told.title, "Máy vẫn có thể ngủ");
}
