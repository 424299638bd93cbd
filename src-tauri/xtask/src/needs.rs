//! What this machine must have besides Rust, Node.js and git, and how its package manager calls it.
//!
//! A need is looked for by what it provides (a program, a library), so a machine set up in another way
//! is left alone.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail};

use crate::process;

/// How to see that a need is there.
#[derive(Debug, Clone, Copy)]
enum Proof {
    /// A program in PATH or in the system's `sbin`.
    Program(&'static str),
    /// A library that pkg-config knows.
    Library(&'static str),
    /// Any of these files.
    File(&'static [&'static str]),
    /// A module that Python can import.
    Python(&'static str),
}

/// One thing, and the packages that bring it; an empty name means the system has it or cannot have it.
#[derive(Debug)]
struct Need {
    proof: Proof,
    apt: &'static str,
    dnf: &'static str,
    pacman: &'static str,
}

const fn need(proof: Proof, apt: &'static str, dnf: &'static str, pacman: &'static str) -> Need {
    Need { proof, apt, dnf, pacman }
}

use Proof::{File, Library, Program, Python};

/// To compile Rust code that brings C along (SQLite, cryptography).
const COMPILER: &[Need] = &[need(Program("cc"), "build-essential", "gcc make", "base-devel")];

/// To build the desktop window.
const WINDOW: &[Need] = &[
    need(Program("pkg-config"), "pkg-config", "pkgconf-pkg-config", "pkgconf"),
    need(Library("webkit2gtk-4.1"), "libwebkit2gtk-4.1-dev", "webkit2gtk4.1-devel", "webkit2gtk-4.1"),
    need(
        Library("ayatana-appindicator3-0.1"),
        "libayatana-appindicator3-dev",
        "libayatana-appindicator-gtk3-devel",
        "libayatana-appindicator",
    ),
    need(Library("librsvg-2.0"), "librsvg2-dev", "librsvg2-devel", "librsvg"),
];

/// Real parts that the tests start and stop.
const TESTS: &[Need] = &[
    need(Program("dbus-daemon"), "dbus dbus-x11", "dbus-daemon", "dbus"),
    need(Program("gdbus"), "libglib2.0-bin", "glib2", "glib2"),
    need(Program("gnome-keyring-daemon"), "gnome-keyring", "gnome-keyring", "gnome-keyring"),
    need(Program("secret-tool"), "libsecret-tools", "libsecret", "libsecret"),
    need(Program("dunst"), "dunst", "dunst", "dunst"),
    need(Program("notify-send"), "libnotify-bin", "libnotify", "libnotify"),
    need(Program("Xvfb"), "xvfb xauth", "xorg-x11-server-Xvfb xorg-x11-xauth", "xorg-server-xvfb xorg-xauth"),
    need(Program("openbox"), "openbox", "openbox", "openbox"),
    need(Program("xdotool"), "xdotool", "xdotool", "xdotool"),
    need(Program("xclip"), "xclip", "xclip", "xclip"),
    need(Program("WebKitWebDriver"), "webkit2gtk-driver", "webkit2gtk4.1", "webkit2gtk-4.1"),
    need(Program("import"), "imagemagick", "ImageMagick", "imagemagick"),
    need(Program("nginx"), "nginx-light", "nginx", "nginx"),
    need(Program("prometheus"), "prometheus", "golang-github-prometheus", "prometheus"),
    need(Program("systemd-analyze"), "systemd", "systemd", "systemd"),
    need(File(&["/usr/sbin/sshd", "/usr/bin/sshd"]), "openssh-server", "openssh-server", "openssh"),
    need(Program("ssh"), "openssh-client", "openssh-clients", "openssh"),
    need(Program("sqlite3"), "sqlite3", "sqlite", "sqlite"),
    need(Program("curl"), "curl", "curl", "curl"),
    need(Program("setpriv"), "util-linux", "util-linux", "util-linux"),
    need(Program("ip"), "iproute2", "iproute", "iproute2"),
    need(Program("strace"), "strace", "strace", "strace"),
    need(Program("zbarimg"), "zbar-tools", "zbar", "zbar"),
    need(
        File(&["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]),
        "chromium",
        "chromium",
        "chromium",
    ),
    need(
        File(&["/usr/share/fonts/truetype/noto", "/usr/share/fonts/noto", "/usr/share/fonts/google-noto"]),
        "fonts-noto-core",
        "google-noto-sans-fonts",
        "noto-fonts",
    ),
    need(Python("ensurepip"), "python3 python3-venv", "python3", "python"),
    need(Program("localedef"), "locales", "glibc-locale-source", "glibc"),
];

/// What a command is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Build and run the headless server.
    Server,
    /// Build and run the window.
    Window,
    /// Run every test.
    Tests,
}

impl Purpose {
    fn needs(self) -> Vec<&'static Need> {
        let groups: &[&'static [Need]] = match self {
            Self::Server => &[COMPILER],
            Self::Window => &[COMPILER, WINDOW],
            Self::Tests => &[COMPILER, WINDOW, TESTS],
        };
        groups.iter().copied().flatten().collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PackageManager {
    Apt,
    Dnf,
    Pacman,
}

impl PackageManager {
    fn find() -> Option<Self> {
        [("apt-get", Self::Apt), ("dnf", Self::Dnf), ("pacman", Self::Pacman)]
            .into_iter()
            .find_map(|(program, manager)| find_program(program).map(|_| manager))
    }

    fn packages(self, needs: &[&Need]) -> Vec<&'static str> {
        let mut names: Vec<&str> = needs
            .iter()
            .flat_map(|need| match self {
                Self::Apt => need.apt.split_whitespace(),
                Self::Dnf => need.dnf.split_whitespace(),
                Self::Pacman => need.pacman.split_whitespace(),
            })
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn install(self) -> &'static [&'static str] {
        match self {
            Self::Apt => &["apt-get", "install", "--yes", "--no-install-recommends"],
            Self::Dnf => &["dnf", "install", "--assumeyes"],
            Self::Pacman => &["pacman", "--sync", "--needed", "--noconfirm"],
        }
    }
}

/// Installs what is missing for `purpose`, after saying what.
///
/// # Errors
/// When something is missing and cannot be installed; the text names the packages and the command.
pub(crate) fn ensure(purpose: Purpose) -> Result<()> {
    node()?;
    if !cfg!(target_os = "linux") {
        // macOS and Windows bring their own web view, keyring and notifications.
        return if find_program("cc").is_some() || cfg!(windows) {
            Ok(())
        } else {
            bail!("there is no C compiler: run `xcode-select --install`")
        };
    }
    let missing = missing(purpose);
    if missing.is_empty() {
        return Ok(());
    }
    let Some(manager) = PackageManager::find() else {
        bail!("missing: {}. This system's package manager is not known here.", describe(&missing));
    };
    let packages = manager.packages(&missing);
    let install = [manager.install(), &packages].concat();
    let Some(prefix) = as_root() else {
        bail!("missing: {}. As root, run: {}", describe(&missing), install.join(" "));
    };
    println!("Installing system packages: {}", packages.join(" "));
    if manager == PackageManager::Apt {
        process::must(&mut root_command(prefix, &["apt-get", "update", "--quiet"]))?;
    }
    // A mirror may be slow, or another install may hold the lock for a moment.
    let mut last = Ok(());
    for _ in 0..3 {
        last = process::must(&mut root_command(prefix, &install));
        if last.is_ok() {
            break;
        }
    }
    last?;
    let still = self::missing(purpose);
    if !still.is_empty() {
        bail!("installed {}, and still missing: {}", packages.join(" "), describe(&still));
    }
    Ok(())
}

/// What is missing for `purpose`, in words; empty when nothing is.
pub(crate) fn report(purpose: Purpose) -> String {
    describe(&missing(purpose))
}

/// Fails unless a Node.js that the UI's tools accept is here.
pub(crate) fn node() -> Result<String> {
    let version = process::output_of(Command::new("node").arg("--version"))
        .context("Node.js 20.19 or newer is needed (https://nodejs.org)")?;
    let version = version.trim().to_owned();
    if !node_is_new_enough(&version) {
        bail!("Node.js 20.19 or newer is needed; this is {version}");
    }
    Ok(version)
}

fn node_is_new_enough(version: &str) -> bool {
    let mut parts = version.trim_start_matches('v').split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (20, 19)
}

/// Makes the Vietnamese locale where the C library lacks it. The tests run without it too, so a machine
/// that does not allow it only gets a line.
pub(crate) fn vietnamese_locale() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let known = process::output_of(Command::new("locale").arg("-a")).unwrap_or_default();
    if known
        .lines()
        .any(|name| name.eq_ignore_ascii_case("vi_VN.utf8") || name.eq_ignore_ascii_case("vi_VN.UTF-8"))
    {
        return;
    }
    let define = ["localedef", "-i", "vi_VN", "-f", "UTF-8", "vi_VN.UTF-8"];
    println!("Generating the locale vi_VN.UTF-8");
    let made = as_root().is_some_and(|prefix| process::succeeds(&mut root_command(prefix, &define)));
    if !made {
        println!("The locale vi_VN.UTF-8 could not be generated; going on without it.");
    }
}

fn missing(purpose: Purpose) -> Vec<&'static Need> {
    purpose.needs().into_iter().filter(|need| !need.proof.holds()).collect()
}

fn describe(needs: &[&Need]) -> String {
    needs.iter().map(|need| need.proof.name()).collect::<Vec<_>>().join(", ")
}

impl Proof {
    fn name(self) -> &'static str {
        match self {
            Program(name) | Library(name) | Python(name) => name,
            File(paths) => paths.first().copied().unwrap_or_default(),
        }
    }

    fn holds(self) -> bool {
        match self {
            Program(name) => find_program(name).is_some(),
            Library(name) => process::succeeds(Command::new("pkg-config").args(["--exists", name])),
            File(paths) => paths.iter().any(|path| Path::new(path).exists()),
            Python(module) => {
                process::succeeds(Command::new("python3").args(["-c", &format!("import {module}")]))
            }
        }
    }
}

/// Where `name` is, in PATH or where system programs live that PATH often leaves out.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/usr/lib/webkit2gtk-4.1"].map(PathBuf::from))
        .map(|dir| dir.join(format!("{name}{}", env::consts::EXE_SUFFIX)))
        .find(|file| file.is_file())
}

/// How to become root: nothing to put in front, `sudo`, or `None` when there is no way without a person.
fn as_root() -> Option<&'static [&'static str]> {
    let is_root = process::output_of(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if is_root {
        return Some(&[]);
    }
    find_program("sudo")?;
    if process::succeeds(Command::new("sudo").args(["--non-interactive", "true"])) {
        return Some(&["sudo"]);
    }
    // A terminal can be asked for the password.
    let terminal = fs::File::open("/dev/tty").is_ok();
    (terminal && Command::new("sudo").arg("--validate").status().is_ok_and(|s| s.success()))
        .then_some(&["sudo"][..])
}

fn root_command(prefix: &[&str], words: &[&str]) -> Command {
    let words = [prefix, words].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions_are_compared_as_numbers() {
        for good in ["v20.19.0", "v20.20.2", "v22.1.0", "v100.0.0"] {
            assert!(node_is_new_enough(good), "{good}");
        }
        for bad in ["v20.9.0", "v18.20.4", "v9.99.9", ""] {
            assert!(!node_is_new_enough(bad), "{bad}");
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_missing() {
        assert!(Program("cargo").holds() || Program("rustc").holds());
        assert!(!Program("no-such-program-of-chotdon").holds());
        assert!(!File(&["/no/such/file"]).holds());
    }

    #[test]
    fn packages_are_named_once_each() {
        let all = Purpose::Tests.needs();
        for manager in [PackageManager::Apt, PackageManager::Dnf, PackageManager::Pacman] {
            let names = manager.packages(&all);
            let mut unique = names.clone();
            unique.dedup();
            assert_eq!(names, unique);
            assert!(names.len() > 10);
        }
    }
}
