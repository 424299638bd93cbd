//! What a remote is opened with appears in no argument of any process, and on no disk.

use std::process::Command;

use chotdon_core::workers::ErrorClass;

use crate::bench::{Bench, PASSWORD, WebDav, course};

const PLAYS: &str = "CHOTDON_TEST_PLAYS_THE_APP";

/// Does nothing unless the next test starts it, under strace.
#[tokio::test]
#[allow(clippy::disallowed_methods)] // how the other test tells what to do
async fn plays_the_app() {
    let Ok(config) = std::env::var(PLAYS) else { return };
    let bench = Bench::with(&[("source.dav", &config)]);
    bench.fetch("dav", "rust").await.unwrap();
    let socket = bench.path("rclone/rc.sock");
    assert!(socket.exists());
    let mode = std::fs::metadata(bench.path("rclone")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&mode) & 0o777, 0o700);
    bench.ways.remotes.quit().await;
    assert!(!socket.exists(), "it ended by itself");
    let found = Command::new("grep").arg("-rlaF").arg("canary").arg(bench.path("")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "", "nothing of it is on the disk");
}

#[tokio::test]
async fn no_process_has_a_secret_among_its_arguments() {
    let disk = tempfile::tempdir().unwrap();
    course(&disk.path().join("rust"), &[("a.txt", b"aa")]);
    let dav = WebDav::serve(disk.path(), "off");
    let calls = disk.path().join("calls");
    // A canary that nobody obscures, in an option that is kept as it is.
    let config =
        dav.options().replace("\"vendor\"", "\"headers\":\"X-Canary,canary-header-value\",\"vendor\"");
    let traced = Command::new("strace")
        .args([
            "-f",
            "-qq",
            "-e",
            "trace=execve",
            "-e",
            "signal=none",
            "-s",
            "65536",
            "-v",
            "-e",
            "abbrev=none",
            "-o",
        ])
        .arg(&calls)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "secrets::plays_the_app", "--test-threads=1"])
        .env(PLAYS, &config)
        .status()
        .unwrap();
    assert!(traced.success());
    let calls = std::fs::read_to_string(&calls).unwrap();
    let obscured: serde_json::Value = serde_json::from_str(&config).unwrap();
    let obscured = obscured["pass"].as_str().unwrap();
    let arguments: Vec<&str> = calls
        .lines()
        .filter_map(|line| line.split_once("execve(")?.1.split_once("], [").map(|(args, _)| args))
        .collect();
    assert!(
        arguments.iter().any(|line| line.contains("\"rcd\"")),
        "the control: rclone was seen: {arguments:?}"
    );
    for secret in [PASSWORD, obscured, "canary-header-value"] {
        let told: Vec<_> = arguments.iter().filter(|line| line.contains(secret)).collect();
        assert!(told.is_empty(), "{told:?}");
    }
    assert!(!arguments.iter().any(|line| line.contains("RCLONE_RC_PASS")));
}

#[tokio::test]
async fn an_error_of_a_remote_does_not_tell_its_password() {
    let disk = tempfile::tempdir().unwrap();
    let dav = WebDav::serve(disk.path(), "off");
    let wrong = dav.options().replace("shop", "other");
    let bench = Bench::with(&[("source.dav", &wrong)]);
    let error = bench.fetch("dav", "rust").await.unwrap_err();
    let obscured: serde_json::Value = serde_json::from_str(&wrong).unwrap();
    assert_eq!(error.class, ErrorClass::Permanent);
    assert!(
        !error.detail.contains(obscured["pass"].as_str().unwrap()) && !error.detail.contains(PASSWORD),
        "{error}"
    );
    bench.ways.remotes.quit().await;
}
