//! The shipped unit, judged by systemd itself.

use std::path::PathBuf;
use std::process::Command;

fn unit() -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/chotdon-server.service");
    std::fs::read_to_string(path).unwrap()
}

/// Whether systemd-analyze is content, and its words.
fn judged(args: &[&str], text: &str) -> (bool, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("chotdon-server.service");
    // The program is installed there by the package; here anything that can be run will do.
    std::fs::write(&file, text.replace("/usr/bin/chotdon-server", "/bin/true")).unwrap();
    let ended =
        Command::new("systemd-analyze").args(args).arg(&file).output().expect("systemd-analyze is installed");
    let words = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
    (ended.status.success(), words)
}

#[test]
fn the_unit_is_one_that_systemd_takes() {
    let (fine, words) = judged(&["verify"], &unit());
    assert!(fine && !words.contains("chotdon-server.service:"), "{words}");
    let control = unit().replace("ProtectSystem=strict", "ProtectSystem=stricter");
    assert!(judged(&["verify"], &control).1.contains("stricter"), "the control: a slip is seen");
}

#[test]
fn the_unit_is_locked_up() {
    let security = ["security", "--offline=true", "--threshold=20", "--no-pager"];
    let (fine, words) = judged(&security, &unit());
    assert!(fine, "{words}");
    let bare = "[Service]\nExecStart=/bin/true\n";
    assert!(!judged(&security, bare).0, "the control: a bare service is not");
}
