//! The test machine is real: its keyring keeps secrets, its daemon shows notifications, and neither is there
//! unless asked for.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use chotdon_tests::machine::Machine;

const WAIT: Duration = Duration::from_secs(20);

fn keep(machine: &Machine, secret: &str) -> anyhow::Result<()> {
    let mut tool = machine.command("secret-tool");
    tool.args(["store", "--label=test", "name", "sepay.api_key"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = tool.spawn()?;
    child.stdin.take().unwrap().write_all(secret.as_bytes())?;
    let output = child.wait_with_output()?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn recall(machine: &Machine) -> String {
    let output = machine.command("secret-tool").args(["lookup", "name", "sepay.api_key"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_keyring_keeps_a_secret_for_this_machine_alone() {
    let machine = Machine::start().unwrap().with_keyring().unwrap();
    keep(&machine, "bí mật").unwrap();
    assert_eq!(recall(&machine), "bí mật");

    let other = Machine::start().unwrap().with_keyring().unwrap();
    assert_eq!(recall(&other), "");
}

#[test]
fn without_a_keyring_nothing_is_kept() {
    let machine = Machine::start().unwrap();
    assert!(keep(&machine, "bí mật").is_err());
}

#[test]
fn a_notification_is_shown_and_read_back() {
    let machine = Machine::start().unwrap().with_display().unwrap().with_notifications().unwrap();
    machine
        .must(machine.command("notify-send").args(["--app-name=ChotDon", "Đơn lỗi", "Hai dòng\nở đây"]))
        .unwrap();
    let shown = machine.next_notification(WAIT).unwrap();
    assert_eq!(
        (shown.app.as_str(), shown.title.as_str(), shown.body.as_str()),
        ("ChotDon", "Đơn lỗi", "Hai dòng ở đây")
    );
    assert_eq!(machine.next_notification(Duration::from_millis(100)), None);
}

#[test]
fn without_a_daemon_a_notification_fails() {
    let machine = Machine::start().unwrap();
    assert!(machine.must(machine.command("notify-send").arg("x")).is_err());
}

#[test]
fn nothing_of_the_developers_session_is_seen() {
    let machine = Machine::start().unwrap();
    let output = machine.command("env").output().unwrap();
    let seen = String::from_utf8(output.stdout).unwrap();
    let names: Vec<&str> = seen.lines().filter_map(|line| line.split('=').next()).collect();
    assert!(!names.contains(&"DISPLAY") && !names.contains(&"CARGO_HOME"), "{names:?}");
    assert!(seen.contains(&format!("HOME={}", machine.home().display())));
    let own = machine.home().display().to_string();
    drop(machine);
    assert!(!std::path::Path::new(&own).exists(), "the machine leaves its home behind");
}
