//! The tray's menu, read and chosen from as a panel does it: over D-Bus.

use std::process::Command;

use anyhow::{Context, Result, bail};
use chotdon_tests::machine::{Machine, look_until};

use crate::app::{App, MAIN, PATIENCE, command, desk, picture, press, wait_for_no_window, wait_for_window};

const QUIT: &str = "Thoát ChotDon";
const OPEN: &str = "the shop is open";
const MENU: &str = "/org/ayatana/NotificationItem/tray_icon_tray_app_shop/Menu";

/// The menu of a running app.
struct Menu<'a> {
    machine: &'a Machine,
    bus_name: String,
}

impl<'a> Menu<'a> {
    /// The app has several connections to the bus; the one that answers for the menu is it.
    fn of(machine: &'a Machine) -> Result<Self> {
        let found = look_until(PATIENCE, || {
            let names = read(bus(
                machine,
                "org.freedesktop.DBus",
                "/org/freedesktop/DBus",
                "org.freedesktop.DBus.ListNames",
            ))?;
            let menus = names.split('\'').filter(|name| name.starts_with(':'));
            let mut menus = menus.map(|name| Self { machine, bus_name: name.to_owned() });
            Ok(menus.find(|menu| menu.layout().is_ok_and(|layout| layout.contains("label"))))
        })?;
        found.context("no tray menu on the bus")
    }

    fn layout(&self) -> Result<String> {
        let mut ask = bus(self.machine, &self.bus_name, MENU, "com.canonical.dbusmenu.GetLayout");
        read(ask.args(["--", "0", "-1", "[]"]))
    }

    /// Waits until the line with this text can be chosen, or cannot.
    fn allows(&self, text: &str, allowed: bool) -> Result<()> {
        let mut layout = String::new();
        let seen = look_until(PATIENCE, || {
            layout = self.layout()?;
            let Some(at) = layout.find(&format!("'label': <'{text}'>")) else { return Ok(None) };
            let line = &layout[layout[..at].rfind("<(").context("a line begins with its number")?..];
            let line = &line[..line.find('}').context("its properties end")?];
            Ok((line.contains("'enabled': <false>") != allowed).then_some(()))
        })?;
        seen.with_context(|| format!("{text:?} should be allowed: {allowed}: {layout}"))
    }

    /// Waits until a line of the menu holds `text`.
    fn shows(&self, text: &str) -> Result<()> {
        let mut layout = String::new();
        let shown = look_until(PATIENCE, || {
            layout = self.layout()?;
            Ok(layout.contains(text).then_some(()))
        })?;
        shown.with_context(|| format!("the menu has no {text:?}: {layout}"))
    }

    /// Chooses the line with this text.
    fn choose(&self, text: &str) -> Result<()> {
        let layout = self.layout()?;
        let at = layout
            .find(&format!("'label': <'{text}'>"))
            .with_context(|| format!("no {text:?} in {layout}"))?;
        let start = layout[..at].rfind("<(").context("a line begins with its number")?;
        let id: String = layout[start + 2..].chars().take_while(char::is_ascii_digit).collect();
        let mut choose = bus(self.machine, &self.bus_name, MENU, "com.canonical.dbusmenu.Event");
        read(choose.args(["--", &id, "clicked", "<0>", "0"])).map(drop)
    }
}

fn bus(machine: &Machine, name: &str, path: &str, method: &str) -> Command {
    let mut call = machine.command("gdbus");
    call.env("LANG", "C.UTF-8");
    call.args([
        "call",
        "--session",
        "--timeout",
        "2",
        "--dest",
        name,
        "--object-path",
        path,
        "--method",
        method,
    ]);
    call
}

fn read(mut call: impl std::borrow::BorrowMut<Command>) -> Result<String> {
    let output = call.borrow_mut().output()?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

#[test]
fn the_tray_says_how_the_shop_is_pauses_it_and_opens_the_window() {
    let machine = desk();
    let mut hidden = command(&machine);
    let app = App::start(hidden.arg("--hidden"));
    app.says(OPEN).unwrap();
    let menu = Menu::of(&machine).unwrap();
    menu.shows("● Đang chạy · Chờ 0 · Lỗi 0").unwrap();
    menu.choose("Đến khi bật lại").unwrap();
    menu.shows("❚❚ Đang tạm dừng").unwrap();
    menu.choose("Tiếp tục").unwrap();
    menu.shows("● Đang chạy").unwrap();
    menu.choose("Mở cửa sổ").unwrap();
    wait_for_window(&machine, MAIN).unwrap();
}

/// What a program that pastes is given; nothing while there is nothing.
fn pasted(machine: &Machine) -> Result<Option<String>> {
    let got = machine.command("xclip").args(["-o", "-selection", "clipboard"]).output()?;
    Ok(got.status.success().then(|| String::from_utf8_lossy(&got.stdout).into_owned()))
}

#[test]
fn the_webhooks_address_is_copied_once_there_is_one() {
    const COPY: &str = "Sao chép URL webhook";
    let machine = desk();
    let mut hidden = command(&machine);
    let app = App::start(hidden.arg("--hidden"));
    app.says(OPEN).unwrap();
    let menu = Menu::of(&machine).unwrap();
    menu.shows("● Đang chạy").unwrap();
    menu.allows(COPY, false).unwrap();
    // The control: what cannot be chosen copies nothing, even if it is.
    menu.choose(COPY).unwrap();
    assert_eq!(pasted(&machine).unwrap(), None);
    drop(app);

    let mut hidden = command(&machine);
    let app = App::start(hidden.arg("--hidden").env("CHOTDON_PUBLIC__BASE_URL", "https://shop.invalid"));
    app.says(OPEN).unwrap();
    let menu = Menu::of(&machine).unwrap();
    menu.allows(COPY, true).unwrap();
    menu.choose(COPY).unwrap();
    let text = look_until(PATIENCE, || pasted(&machine)).unwrap();
    assert_eq!(text.as_deref(), Some("https://shop.invalid/api/v1/payment/webhook"));
}

#[test]
fn quitting_states_its_cost_and_may_be_thought_better_of() {
    let machine = desk();
    let mut app = App::start(&mut command(&machine));
    app.says(OPEN).unwrap();
    wait_for_window(&machine, MAIN).unwrap();
    let menu = Menu::of(&machine).unwrap();
    menu.choose("Thoát…").unwrap();
    wait_for_window(&machine, QUIT).unwrap();
    picture(&machine, "quit");
    press(&machine, QUIT, "Escape").unwrap();
    wait_for_no_window(&machine, QUIT).unwrap();
    assert!(app.is_running());

    menu.choose("Thoát…").unwrap();
    press(&machine, QUIT, "Return").unwrap();
    app.says("the shop is closed").unwrap();
    assert_eq!(app.ends().unwrap(), 0);
}
