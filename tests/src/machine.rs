//! A machine of a test's own: a home directory, a D-Bus session, and on it, when asked for, a real keyring,
//! a real notification daemon and a display. Nothing of the developer's session is seen or touched, and
//! everything ends with the value. Starting waits for what each program says when it is ready.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

/// What the keyring of a [`Machine`] is unlocked with.
const KEYRING_PASSWORD: &str = "test";

/// Asks every 50 ms until there is an answer or `limit` is over: for what can be seen and gives no signal.
///
/// # Errors
/// The first error of `ask`.
pub fn look_until<T>(limit: Duration, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<Option<T>> {
    let pause = Duration::from_millis(50);
    for _ in 0..limit.as_millis() / pause.as_millis() {
        if let Some(answer) = ask()? {
            return Ok(Some(answer));
        }
        thread::park_timeout(pause);
    }
    Ok(None)
}

/// A home, a session bus and what runs on them.
#[derive(Debug)]
pub struct Machine {
    environment: BTreeMap<&'static str, String>,
    toasts: Option<Receiver<Shown>>,
    // Ended in this order, last started first, before the directory goes.
    running: Vec<Running>,
    dir: TempDir,
}

/// A desktop notification as the daemon got it. Line breaks are spaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The program that sent it.
    pub app: String,
    /// Its first line.
    pub title: String,
    /// What stands below, as sent, markup included.
    pub body: String,
}

impl Machine {
    /// A home with its XDG directories and a D-Bus session on which nothing runs and nothing starts by itself.
    ///
    /// # Errors
    /// When `dbus-daemon` is not installed or does not start.
    pub fn start() -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("chotdon-").tempdir()?;
        let mut environment = BTreeMap::from([("LANG", "vi_VN.UTF-8".to_owned())]);
        for (name, below) in [
            ("HOME", "home"),
            ("XDG_CONFIG_HOME", "home/config"),
            ("XDG_DATA_HOME", "home/data"),
            ("XDG_CACHE_HOME", "home/cache"),
            ("XDG_STATE_HOME", "home/state"),
            ("XDG_RUNTIME_DIR", "run"),
        ] {
            let path = dir.path().join(below);
            fs::create_dir_all(&path)?;
            environment.insert(name, path.display().to_string());
        }
        fs::set_permissions(dir.path().join("run"), fs::Permissions::from_mode(0o700))?;
        let mut machine = Self { environment, toasts: None, running: Vec::new(), dir };
        machine.start_bus()?;
        Ok(machine)
    }

    /// Adds an unlocked Secret Service.
    ///
    /// # Errors
    /// When `gnome-keyring-daemon` is not installed or does not take its name on the bus.
    pub fn with_keyring(mut self) -> Result<Self> {
        let mut daemon = self.command("gnome-keyring-daemon");
        daemon.args(["--foreground", "--unlock", "--components=secrets"]).stdin(Stdio::piped());
        let mut child = quiet(&mut daemon).spawn().context("starting gnome-keyring-daemon")?;
        let mut password = child.stdin.take().context("its input is piped")?;
        password.write_all(KEYRING_PASSWORD.as_bytes())?;
        drop(password);
        self.running.push(Running(child));
        self.wait_for_name("org.freedesktop.secrets")?;
        Ok(self)
    }

    /// Adds a virtual screen of 1280 × 800 with a window manager.
    ///
    /// # Errors
    /// When `Xvfb` or `openbox` is not installed or does not start.
    pub fn with_display(mut self) -> Result<Self> {
        let mut server = self.command("Xvfb");
        server.args(["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp", "-noreset"]);
        let number = self.run_until_line(&mut server, "Xvfb")?;
        self.environment.insert("DISPLAY", format!(":{number}"));
        let mut manager = self.command("openbox");
        manager.args(["--sm-disable", "--startup", "echo ready"]);
        self.run_until_line(&mut manager, "openbox")?;
        Ok(self)
    }

    /// Adds a notification daemon that tells what it was given; needs [`Machine::with_display`] before it.
    ///
    /// # Errors
    /// When `dunst` is not installed or does not take its name on the bus.
    pub fn with_notifications(mut self) -> Result<Self> {
        ensure!(self.environment.contains_key("DISPLAY"), "a notification daemon needs a display");
        let (pipe, script, config) = (
            self.dir.path().join("toasts"),
            self.dir.path().join("toast.sh"),
            self.dir.path().join("dunstrc"),
        );
        let made = Command::new("mkfifo").arg(&pipe).status()?;
        ensure!(made.success(), "mkfifo ended with {made}");
        let line =
            r#"printf '%s\t%s\t%s' "$DUNST_APP_NAME" "$DUNST_SUMMARY" "$DUNST_BODY" | tr '\n' ' '; echo"#;
        fs::write(&script, format!("#!/bin/sh\n{{ {line}; }} > '{}'\n", pipe.display()))?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
        let record = format!("[record]\nsummary = \"*\"\nscript = {}\n", script.display());
        fs::write(&config, format!("[global]\nalways_run_script = true\nmarkup = full\n{record}"))?;
        // Open for both directions, so that the reader neither waits for a writer nor ends with one.
        let toasts = File::options().read(true).write(true).open(&pipe)?;
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(toasts).lines().map_while(Result::ok) {
                if sender.send(Shown::read(&line)).is_err() {
                    return;
                }
            }
        });
        self.toasts = Some(receiver);
        let mut daemon = self.command("dunst");
        let child = quiet(daemon.arg("-conf").arg(&config)).spawn().context("starting dunst")?;
        self.running.push(Running(child));
        self.wait_for_name("org.freedesktop.Notifications")?;
        Ok(self)
    }

    /// Has programs take the session bus for the system's as well: what they find on it is the test's.
    #[must_use]
    pub fn with_system_bus(mut self) -> Self {
        if let Some(address) = self.environment.get("DBUS_SESSION_BUS_ADDRESS").cloned() {
            self.environment.insert("DBUS_SYSTEM_BUS_ADDRESS", address);
        }
        self
    }

    /// The next notification, in the order they were shown; `None` when none comes within `limit`.
    pub fn next_notification(&self, limit: Duration) -> Option<Shown> {
        self.toasts.as_ref()?.recv_timeout(limit).ok()
    }

    /// Does what a click on the newest notification does.
    ///
    /// # Errors
    /// When there is none, or it has no action.
    pub fn click_notification(&self) -> Result<()> {
        self.must(self.command("dunstctl").args(["action", "0"]))
    }

    /// The home directory.
    pub fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// A directory for the test's own files, gone with the machine.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A program that sees this machine and nothing else: its environment is PATH and what is set here.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", PATH).envs(&self.environment).current_dir(self.dir.path());
        command
    }

    /// What [`Machine::command`] sets, for programs that are started in another way.
    pub fn environment(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.environment.iter().map(|(name, value)| (*name, value.as_str())).chain([("PATH", PATH)])
    }

    /// Runs `command` to its end.
    ///
    /// # Errors
    /// When it does not succeed; the text holds its standard error.
    pub fn must(&self, command: &mut Command) -> Result<()> {
        let name = command.get_program().to_string_lossy().into_owned();
        let output = command.output().with_context(|| format!("starting {name}"))?;
        if !output.status.success() {
            bail!("{name} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }

    fn start_bus(&mut self) -> Result<()> {
        // No service directories: a program that asks for a keyring does not get one started behind the test's back.
        let config = self.dir.path().join("bus.conf");
        let socket = self.dir.path().join("run/bus");
        let policy = r#"<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>"#;
        let listen = format!("<listen>unix:path={}</listen>", socket.display());
        let doctype = "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
                       \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">";
        fs::write(&config, format!("{doctype}<busconfig><type>session</type>{listen}{policy}</busconfig>"))?;
        let mut daemon = self.command("dbus-daemon");
        daemon.arg(format!("--config-file={}", config.display())).args(["--nofork", "--print-address=1"]);
        let address = self.run_until_line(&mut daemon, "dbus-daemon")?;
        self.environment.insert("DBUS_SESSION_BUS_ADDRESS", address);
        Ok(())
    }

    /// Starts a program that prints one line when it is ready, and keeps it running.
    fn run_until_line(&mut self, command: &mut Command, name: &str) -> Result<String> {
        let mut child =
            quiet(command).stdout(Stdio::piped()).spawn().with_context(|| format!("starting {name}"))?;
        let out = child.stdout.take().context("its output is piped")?;
        self.running.push(Running(child));
        first_line(out, name)
    }

    fn wait_for_name(&self, name: &str) -> Result<()> {
        self.must(self.command("gdbus").args(["wait", "--session", "--timeout", "30", name]))
    }
}

const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";

impl Shown {
    fn read(line: &str) -> Self {
        let mut parts = line.splitn(3, '\t').map(|part| part.trim().to_owned());
        let mut next = || parts.next().unwrap_or_default();
        Self { app: next(), title: next(), body: next() }
    }
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdout(Stdio::null()).stderr(Stdio::null())
}

fn first_line(out: ChildStdout, name: &str) -> Result<String> {
    let (sender, receiver) = mpsc::channel();
    // The thread reads on to the end, so that the program never waits for a full pipe.
    thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    let line = receiver.recv_timeout(Duration::from_secs(30));
    line.with_context(|| format!("{name} did not say that it is ready"))
}

/// A program that ends with this value.
#[derive(Debug)]
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        while let Some(last) = self.running.pop() {
            drop(last);
        }
    }
}
