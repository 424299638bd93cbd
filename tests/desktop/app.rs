//! The app on a machine of its own, with and without a driver.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use chotdon_tests::machine::Machine;

/// Longer than anything takes on a busy machine; nothing waits this long when it works.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The app under test.
pub(crate) fn binary() -> PathBuf {
    #[allow(clippy::disallowed_methods)]
    let named = std::env::var_os("CHOTDON_DESKTOP_BIN");
    PathBuf::from(named.expect("CHOTDON_DESKTOP_BIN names the desktop app; `cargo xtask test` sets it"))
}

/// A display, a session bus, a keyring and a notification daemon.
pub(crate) fn desk() -> Machine {
    Machine::start().unwrap().with_keyring().unwrap().with_display().unwrap().with_notifications().unwrap()
}

/// The command that starts the app in demo mode on `machine`.
pub(crate) fn command(machine: &Machine) -> Command {
    let mut command = machine.command(binary());
    // No GPU here; the accessibility bus would be one more program to start.
    command.arg("--demo").env("LIBGL_ALWAYS_SOFTWARE", "1").env("NO_AT_BRIDGE", "1");
    command
}

/// A started app; killed when dropped.
pub(crate) struct App {
    child: Child,
    lines: Receiver<String>,
}

impl App {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let out = child.stdout.take().unwrap();
        let err = child.stderr.take().unwrap();
        for pipe in [Box::new(out) as Box<dyn std::io::Read + Send>, Box::new(err)] {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        Self { child, lines }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Reads what the app writes until a line holds `text`.
    pub(crate) fn says(&self, text: &str) -> Result<String> {
        let mut said = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(text) => return Ok(line),
                Ok(line) => said.push(line),
                Err(_) => bail!("it never said {text:?}, but: {}", said.join("\n")),
            }
        }
    }

    /// Waits for its end; gives its exit code.
    pub(crate) fn ends(mut self) -> Result<i32> {
        // Its output closes when it goes; then waiting for it cannot last.
        let mut said = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => said.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => bail!("it is still running"),
            }
        }
        let status = self.child.wait()?;
        status.code().with_context(|| format!("{status}; it said: {}", said.join("\n")))
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The title of the app's window.
pub(crate) const MAIN: &str = "^ChotDon$";

/// Waits until a window with such a title, a regular expression, is there.
pub(crate) fn wait_for_window(machine: &Machine, title: &str) -> Result<()> {
    // Not `search --sync`: that fails when another window goes while it looks.
    let script = "until xdotool search --onlyvisible --name \"$0\" >/dev/null 2>&1; do sleep 0.03; done";
    machine.must(machine.command("timeout").args(["60", "sh", "-c", script, title]))
}

/// Waits until none is.
pub(crate) fn wait_for_no_window(machine: &Machine, title: &str) -> Result<()> {
    gone_within(machine, title, "60")
}

fn gone_within(machine: &Machine, title: &str, seconds: &str) -> Result<()> {
    // xdotool has no wait for an absence; this looks as often as its `search --sync` does.
    let script = "while xdotool search --onlyvisible --name \"$0\" >/dev/null 2>&1; do sleep 0.03; done";
    machine.must(machine.command("timeout").args([seconds, "sh", "-c", script, title]))
}

/// Presses a key in the window with such a title, once it has the focus.
pub(crate) fn press(machine: &Machine, title: &str, key: &str) -> Result<()> {
    wait_for_window(machine, title)?;
    // Again when another window goes while it looks.
    let script = "until xdotool search --onlyvisible --name \"$0\" windowactivate --sync >/dev/null 2>&1; do sleep 0.03; done";
    machine.must(machine.command("timeout").args(["60", "sh", "-c", script, title]))?;
    // A call of its own: with a window given, xdotool sends an event that programs ignore.
    machine.must(machine.command("xdotool").args(["key", "--clearmodifiers", key]))
}

/// Closes the app's window as its close button does, and waits until it is gone.
pub(crate) fn close_window(machine: &Machine) -> Result<()> {
    // While windows come and go at a start, the window manager may miss a key; a person presses it again.
    for _ in 0..3 {
        press(machine, MAIN, "alt+F4")?;
        if gone_within(machine, MAIN, "5").is_ok() {
            return Ok(());
        }
    }
    wait_for_no_window(machine, MAIN)
}

/// Keeps a picture of the screen where `CHOTDON_PICTURES` says; without it, none.
pub(crate) fn picture(machine: &Machine, name: &str) {
    #[allow(clippy::disallowed_methods)]
    let Some(folder) = std::env::var_os("CHOTDON_PICTURES") else { return };
    let file = PathBuf::from(folder).join(format!("{name}.png"));
    machine.must(machine.command("import").args(["-window", "root"]).arg(file)).unwrap();
}
