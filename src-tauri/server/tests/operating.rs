//! The real program as a machine's owner runs it: backups, the way back, the bundle for support, systemd's socket.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)] // a test may stop anywhere, and finds its tools by PATH

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_chotdon-server");

fn program(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(args).args(["--data-dir", home.join("shop").to_str().unwrap()]);
    command.env_clear().env("HOME", home).env("XDG_RUNTIME_DIR", home).env("LANG", "C.UTF-8");
    command
}

fn run(home: &Path, args: &[&str]) -> Output {
    program(home, args).output().unwrap()
}

fn json(out: &Output) -> Value {
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).expect("one line of JSON")
}

fn serve(home: &Path, more: &[(&str, String)]) -> Child {
    let mut command =
        program(home, &["serve", "--demo", "--public", "127.0.0.1:0", "--private", "127.0.0.1:0"]);
    let envs = more.iter().map(|(name, value)| (*name, value.as_str()));
    let mut child = command.envs(envs).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("public"), "{line}");
    child
}

fn stop(mut child: Child) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_backup_is_made_beside_a_running_shop_and_restored_without_one() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let (first, file) = (home.join("first.db"), home.join("second.db"));
    let (first, file) = (first.to_str().unwrap(), file.to_str().unwrap());
    let demo = serve(home, &[]);
    assert_eq!(json(&run(home, &["backup", first]))["transfers"], 0);
    let paid = run(home, &["simulate-transfer", "--amount", "499000", "--content", "no order", "--id", "77"]);
    assert!(String::from_utf8_lossy(&paid.stdout).contains("unmatched"));
    let made = json(&run(home, &["backup", file]));
    assert_eq!((made["transfers"].as_i64(), made["in_vnd"].as_i64()), (Some(1), Some(499_000)));
    assert_eq!(run(home, &["backup", file]).status.code(), Some(1), "what is there is never overwritten");
    assert_eq!(run(home, &["restore", first]).status.code(), Some(75), "not under a running shop");
    stop(demo);

    let seen = json(&run(home, &["restore", first, "--dry-run"]));
    assert_eq!((&seen["restored"], &seen["transfers"]), (&Value::Bool(false), &0.into()));
    let done = json(&run(home, &["restore", first]));
    assert_eq!((&done["restored"], &done["paused"]), (&Value::Bool(true), &Value::Bool(true)));
    assert!(Path::new(done["kept_aside"].as_str().unwrap()).join("shop.db").exists());
    let counted = json(&run(home, &["verify"]));
    assert_eq!((&counted["ok"], &counted["transfers"]), (&Value::Bool(true), &0.into()));
    // And back again, on a machine that has nothing.
    let other = tempfile::tempdir().unwrap();
    assert_eq!(json(&run(other.path(), &["restore", file]))["transfers"], 1);
    assert_eq!(json(&run(other.path(), &["verify"]))["transfers"], 1);
    assert_eq!(run(home, &["restore", "/nowhere.db"]).status.code(), Some(1));
}

#[test]
fn the_bundle_is_a_zip_file_of_few_names() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    stop(serve(home, &[]));
    let file = home.join("bundle.zip");
    let said = json(&run(home, &["diagnostics", file.to_str().unwrap()]));
    assert_eq!(said["files"], serde_json::json!(["versions.json", "settings.json", "log.jsonl"]));
    let bytes = std::fs::read(&file).unwrap();
    assert!(bytes.starts_with(b"PK\x03\x04") && String::from_utf8_lossy(&bytes).contains("the shop is open"));
    assert_eq!(run(home, &["diagnostics", file.to_str().unwrap()]).status.code(), Some(1));
}

#[cfg(target_os = "linux")]
#[test]
fn systemd_hears_when_it_is_ready_alive_and_stopping() {
    use std::os::unix::net::UnixDatagram;
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    let heard = || {
        let mut words = [0; 100];
        let n = socket.recv(&mut words).expect("it says something");
        String::from_utf8_lossy(&words[..n]).into_owned()
    };
    let env = [("NOTIFY_SOCKET", path.display().to_string()), ("WATCHDOG_USEC", "200000".to_owned())];
    let demo = serve(home.path(), &env);
    assert_eq!(heard(), "READY=1");
    assert_eq!((heard().as_str(), heard().as_str()), ("WATCHDOG=1", "WATCHDOG=1"));
    stop(demo);
    assert!((0..1_000).any(|_| heard() == "STOPPING=1"));
}
