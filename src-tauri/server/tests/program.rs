//! The real program in its own process: exit codes, secrets by standard input, the keyring, a served demo.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)] // a test may stop anywhere, and finds its tools by PATH

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_chotdon-server");
const CANARY: &str = "canary-7d1f-0123456789";

/// The program with nothing of this machine's environment: no keyring, an own home.
fn program(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(args).env_clear().env("HOME", home).env("XDG_RUNTIME_DIR", home).env("LANG", "C.UTF-8");
    command
}

fn run(command: &mut Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A shop with an encrypted file, and the arguments that name it.
struct FileShop {
    home: tempfile::TempDir,
}

impl FileShop {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("passphrase"), "correct horse\n").unwrap();
        Self { home }
    }

    fn run(&self, args: &[&str], input: &str) -> Output {
        let dir = self.home.path().join("shop");
        let mut all = args.to_vec();
        all.extend(["--secrets", "file", "--data-dir", dir.to_str().unwrap()]);
        let mut command = program(self.home.path(), &all);
        command.env("CHOTDON_SECRETS_PASSPHRASE_FILE", self.home.path().join("passphrase"));
        run(&mut command, input)
    }

    /// Files below the home that hold `needle`.
    fn hits(&self, needle: &str) -> Vec<String> {
        fn walk(folder: &Path, needle: &[u8], hits: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, needle, hits);
                } else if std::fs::read(&path).unwrap().windows(needle.len()).any(|window| window == needle) {
                    hits.push(path.display().to_string());
                }
            }
        }
        let mut hits = Vec::new();
        walk(self.home.path(), needle.as_bytes(), &mut hits);
        hits
    }
}

/// A served demo, stopped with it.
struct Demo {
    child: Child,
    ready: serde_json::Value,
}

impl Demo {
    fn start(home: &Path) -> Self {
        let dir = home.join("shop");
        let args = [
            "serve",
            "--demo",
            "--data-dir",
            dir.to_str().unwrap(),
            "--public",
            "127.0.0.1:0",
            "--private",
            "127.0.0.1:0",
        ];
        let mut child = program(home, &args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, ready: serde_json::from_str(&line).expect("the ready line is JSON") }
    }

    fn stop(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

#[test]
fn a_secret_goes_in_by_standard_input_and_comes_out_nowhere() {
    let shop = FileShop::new();
    let out = shop.run(&["secret", "set", "smtp.password"], &format!("{CANARY}\n"));
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let list = shop.run(&["secret", "list"], "");
    let shown = text(&list.stdout);
    assert!(shown.contains("stored in: file") && shown.contains("set (…6789)"), "{shown}");
    for bytes in [&out.stdout, &out.stderr, &list.stdout, &list.stderr] {
        assert!(!text(bytes).contains("canary"));
    }
    assert_eq!(shop.hits("canary-7d1f"), Vec::<String>::new());
    // The search itself finds what is in the clear.
    assert_eq!(shop.hits("correct horse").len(), 1);

    assert_eq!(shop.run(&["secret", "delete", "smtp.password"], "").status.code(), Some(0));
    assert!(text(&shop.run(&["secret", "list"], "").stdout).contains("smtp.password           not set"));
}

#[test]
fn exit_codes_tell_failures_from_slips_and_from_bad_moments() {
    let shop = FileShop::new();
    for (args, input, code) in [
        (&["secret", "set", "no.such"][..], "x", 2),
        (&["secret", "set", "smtp.password"], "", 2),
        (&["secret", "rotate", "smtp.password"], "", 2),
        (&["frobnicate"], "", 2),
        (&["verify"], "", 1),
        (&["import", "/nowhere.toml"], "", 1),
        (&["simulate-transfer", "--amount", "1000", "--content", "x"], "", 75),
        (&["simulate-transfer", "--amount", "1000"], "", 2),
    ] {
        let out = shop.run(args, input);
        assert_eq!(out.status.code(), Some(code), "{args:?}: {}", text(&out.stderr));
        assert!(!out.stderr.is_empty(), "{args:?} says why");
    }
}

#[test]
fn without_a_keyring_or_a_passphrase_a_real_shop_says_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("shop");
    for args in [&["serve"][..], &["serve", "--secrets", "file"], &["secret", "list"]] {
        let mut args = args.to_vec();
        args.extend(["--data-dir", dir.to_str().unwrap()]);
        let out = run(&mut program(home.path(), &args), "");
        assert_eq!(out.status.code(), Some(1), "{args:?}");
        assert!(text(&out.stderr).contains("CHOTDON_SECRETS_PASSPHRASE_FILE"), "{}", text(&out.stderr));
    }
    assert!(!dir.join("demo-secrets.key").exists());
}

#[test]
fn a_wrong_setting_stops_the_start_and_names_itself() {
    let shop = FileShop::new();
    std::fs::create_dir(shop.home.path().join("shop")).unwrap();
    std::fs::write(shop.home.path().join("shop/config.toml"), "[queue]\nretry_mx = 3\n").unwrap();
    let out = shop.run(&["serve"], "");
    assert_eq!(out.status.code(), Some(1));
    assert!(
        text(&out.stderr)
            .contains("config.toml:2: unknown setting `queue.retry_mx`; did you mean `queue.retry_max`?")
    );
}

#[test]
fn importing_twice_changes_nothing_the_second_time_and_the_export_imports_elsewhere() {
    let shop = FileShop::new();
    let file = shop.home.path().join("shop.toml");
    let orders: String = (0..3000)
        .map(|n| {
            format!(
                "[[order]]\ncode = \"DH{n:06}\"\nemail = \"b{n}@example.com\"\ncourses = [\"rust-101\"]\n"
            )
        })
        .collect();
    let catalogue = "[shop]\nname = \"Khoá học An\"\n[[bank_account]]\nbank = \"MBBank\"\naccount = \"0900000699\"\nholder = \"AN\"\n\
                     [[course]]\nslug = \"rust-101\"\ntitle = \"Rust\"\nprice_vnd = 499000\nsource = { kind = \"folder\", path = \"/c\" }\n";
    std::fs::write(&file, format!("{catalogue}{orders}")).unwrap();
    let counts = |out: &Output| -> serde_json::Value {
        assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
        serde_json::from_slice(&out.stdout).unwrap()
    };
    let first = counts(&shop.run(&["import", file.to_str().unwrap()], ""));
    assert_eq!(first["orders"], 3000);
    let second = counts(&shop.run(&["import", file.to_str().unwrap()], ""));
    assert!(second.as_object().unwrap().values().all(|count| count == 0), "{second}");
    assert_eq!(shop.run(&["verify"], "").status.code(), Some(0));

    let export = shop.run(&["export"], "");
    let other = FileShop::new();
    let file = other.home.path().join("export.toml");
    std::fs::write(&file, &export.stdout).unwrap();
    assert_eq!(counts(&other.run(&["import", file.to_str().unwrap()], "")), first);
    assert!(other.run(&["export"], "").stdout == export.stdout, "the export of the other shop differs");
}

#[test]
fn a_demo_is_served_beside_commands_and_stops_when_told() {
    let home = tempfile::tempdir().unwrap();
    let demo = Demo::start(home.path());
    let dir = home.path().join("shop");
    let beside = |args: &[&str]| {
        let mut args = args.to_vec();
        args.extend(["--data-dir", dir.to_str().unwrap()]);
        run(&mut program(home.path(), &args), "")
    };
    assert!(demo.ready["public"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    assert!(demo.ready["private"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    assert!(dir.join("run.json").exists());
    assert_eq!(text(&beside(&["admin-token"]).stdout).trim().len(), 43);
    let out = beside(&["simulate-transfer", "--amount", "499000", "--content", "no order", "--id", "77"]);
    let answer: serde_json::Value = serde_json::from_slice(&out.stdout).expect("an answer");
    assert_eq!(
        (answer["http_status"].as_i64(), answer["answer"]["outcome"].as_str()),
        (Some(200), Some("unmatched"))
    );
    let out = beside(&["simulate-transfer", "--amount", "499000", "--content", "no order", "--id", "77"]);
    assert!(text(&out.stdout).contains("\"duplicate\""), "{}", text(&out.stdout));
    assert_eq!(beside(&["serve", "--demo"]).status.code(), Some(75), "one shop, one process");
    assert_eq!(
        beside(&["serve", "--public", "127.0.0.1:0"]).status.code(),
        Some(1),
        "a demo is no real shop"
    );
    assert_eq!(demo.stop(), Some(0));
    assert!(!dir.join("run.json").exists());
    assert_eq!(beside(&["verify"]).status.code(), Some(0));
}

/// A real Secret Service on a session bus of its own.
#[cfg(target_os = "linux")]
#[test]
fn the_keyring_keeps_secrets_apart_by_data_directory() {
    let home = tempfile::tempdir().unwrap();
    let script = r#"
        set -e
        printf test | gnome-keyring-daemon --unlock --components=secrets >/dev/null
        printf "$CANARY" | "$PROGRAM" secret set smtp.password --data-dir "$HOME/one"
        "$PROGRAM" secret list --data-dir "$HOME/one"
        "$PROGRAM" secret list --data-dir "$HOME/two"
        "$PROGRAM" secret delete smtp.password --data-dir "$HOME/one/../one"
        "$PROGRAM" secret list --data-dir "$HOME/one"
    "#;
    let mut command = Command::new("dbus-run-session");
    command
        .args(["--", "sh", "-c", script])
        .env_clear()
        .envs([("HOME", home.path()), ("XDG_RUNTIME_DIR", home.path()), ("XDG_DATA_HOME", home.path())])
        .envs([("PATH", std::env::var("PATH").unwrap().as_str()), ("PROGRAM", PROGRAM), ("CANARY", CANARY)]);
    let out = run(&mut command, "");
    let shown = text(&out.stdout);
    assert!(out.status.success(), "{shown}{}", text(&out.stderr));
    let states: Vec<&str> = shown.lines().filter(|line| line.starts_with("smtp.password")).collect();
    assert_eq!(shown.matches("stored in: keyring").count(), 3, "{shown}");
    assert!(
        states[0].contains("set (…6789)") && states[1].contains("not set") && states[2].contains("not set"),
        "{shown}"
    );
    assert!(!home.path().join("one/secrets.bin").exists());
}

/// A keyring that is there and locked must not look like one that was never filled.
#[cfg(target_os = "linux")]
#[test]
fn a_locked_keyring_is_an_error_and_not_an_empty_one() {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new("dbus-run-session");
    command
        .args(["--", "sh", "-c", r#"gnome-keyring-daemon --start --components=secrets >/dev/null; exec "$PROGRAM" secret list --data-dir "$HOME/one""#])
        .env_clear()
        .envs([("HOME", home.path()), ("XDG_RUNTIME_DIR", home.path()), ("XDG_DATA_HOME", home.path())])
        .envs([("PATH", std::env::var("PATH").unwrap().as_str()), ("PROGRAM", PROGRAM)]);
    let out = run(&mut command, "");
    assert_eq!(out.status.code(), Some(1), "{}", text(&out.stdout));
    assert!(text(&out.stderr).contains("keyring"), "{}", text(&out.stderr));
    assert!(!text(&out.stdout).contains("not set"));
}

#[cfg(target_os = "linux")]
#[test]
fn the_daemon_links_no_window_system() {
    let out = Command::new("ldd").arg(PROGRAM).output().unwrap();
    let libraries = text(&out.stdout).to_lowercase();
    for name in ["gtk", "webkit", "gdk", "x11", "wayland", "soup"] {
        assert!(!libraries.contains(name), "{name} is linked:\n{libraries}");
    }
    assert!(libraries.contains("libc.so"), "ldd lists what is linked:\n{libraries}");
}
