//! The stand-in for Google Drive, judged by clients that are not ours: Google's own for Python, and rclone's Drive
//! backend. What our crate calls is held against Google's description of the API.
#![allow(clippy::unwrap_used)] // a test that cannot go on has failed

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chotdon_tests::drive::{DriveStandIn, FOREIGN_TOKEN, REFRESH_TOKEN};
use gdrive::{Drive, Ends, NewUpload, OAuthClient, Piece, ShareOptions, Tokens};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const MIB: usize = 1 << 20;
/// Longer than any of the programs takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// A program of the directory that `CHOTDON_FOREIGN` names.
#[allow(clippy::disallowed_methods)] // where the programs are comes by the environment
fn foreign(name: &str) -> PathBuf {
    let dir =
        std::env::var_os("CHOTDON_FOREIGN").expect("CHOTDON_FOREIGN names the directory with the programs");
    PathBuf::from(dir).join(name)
}

fn bytes(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|n| u8::try_from((n + seed) * 7919 % 251).unwrap()).collect()
}

async fn output(command: &mut Command) -> String {
    let running = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(PATIENCE, running).await.expect("it ends").unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn googles_own_client_finds_everything_as_at_google() {
    let google = DriveStandIn::start().await.unwrap();
    google.faults(|faults| {
        faults.fail_each = Some(3);
        faults.short_each = Some(5);
    });
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.mp4");
    std::fs::write(&file, bytes(7 * MIB + 9, 0)).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("drive_foreign/google_client.py");
    let mut python = Command::new(foreign("python"));
    python.arg(script).args([&google.base, FOREIGN_TOKEN]).arg(file).env("NO_PROXY", "127.0.0.1");
    let said: Value = serde_json::from_str(&output(&mut python).await).unwrap();
    assert!(said["refused"].as_u64().unwrap() >= 2, "{said}");
    assert_eq!(google.items().len(), 0);
    assert_eq!(google.counts().mails, 0);
}

/// `mitmdump`, which brings what rclone says to Google to the stand-in.
struct Detour {
    /// Killed when dropped.
    _child: Child,
    port: u16,
    authority: PathBuf,
    _dir: tempfile::TempDir,
}

impl Detour {
    async fn start(google: &DriveStandIn) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new(foreign("mitmdump"));
        let host = google.base.as_str();
        command
            .args(["--listen-host", "127.0.0.1", "--listen-port", "0"])
            .arg("--set")
            .arg(format!("confdir={}", dir.path().display()))
            .args(["--set", "connection_strategy=lazy", "--set", "upstream_cert=false"])
            .args(["--set", "stream_large_bodies=1m", "--map-remote"])
            .arg(format!("|https://www.googleapis.com/|{host}/"))
            .env("PYTHONUNBUFFERED", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let listening = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                // "HTTP(S) proxy listening at 127.0.0.1:PORT."
                if let Some((_, rest)) = line.split_once("listening at ") {
                    let port = rest.trim_end_matches('.').rsplit(':').next();
                    return port.and_then(|port| port.parse().ok()).expect("a port");
                }
            }
            panic!("mitmdump ended");
        };
        let port = tokio::time::timeout(PATIENCE, listening).await.expect("mitmdump listens");
        // Somebody has to read on, or it stops when the pipe is full.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let authority = dir.path().join("mitmproxy-ca-cert.pem");
        Self { _child: child, port, authority, _dir: dir }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rclone_brings_a_course_through_faults_and_finds_it_equal() {
    let google = DriveStandIn::start().await.unwrap();
    google.faults(|faults| faults.fail_each = Some(3));
    let detour = Detour::start(&google).await;
    let (source, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::create_dir(source.path().join("Chương 1")).unwrap();
    // Above 8 MiB rclone uploads in a session, below in one request.
    std::fs::write(source.path().join("Chương 1/it's.mp4"), bytes(18 * MIB + 5, 1)).unwrap();
    std::fs::write(source.path().join("nhỏ.txt"), "xin chào").unwrap();
    let token = serde_json::json!({ "access_token": FOREIGN_TOKEN, "token_type": "Bearer",
        "refresh_token": "r", "expiry": "2099-01-01T00:00:00Z" });
    let rclone = |args: &[&str]| {
        let mut command = Command::new(foreign("rclone"));
        command
            .args(args)
            .args(["--low-level-retries", "10", "--drive-pacer-min-sleep", "10ms"])
            .env_clear()
            .env("HOME", home.path())
            .env("RCLONE_CONFIG", home.path().join("none.conf"))
            .env("RCLONE_CONFIG_GD_TYPE", "drive")
            .env("RCLONE_CONFIG_GD_SCOPE", "drive.file")
            .env("RCLONE_CONFIG_GD_CLIENT_ID", "shop.apps.googleusercontent.com")
            .env("RCLONE_CONFIG_GD_CLIENT_SECRET", "GOCSPX-test")
            .env("RCLONE_CONFIG_GD_TOKEN", token.to_string())
            .env("HTTPS_PROXY", format!("http://127.0.0.1:{}", detour.port))
            .env("RCLONE_CA_CERT", &detour.authority);
        command
    };
    let from = source.path().to_str().unwrap();
    output(&mut rclone(&["copy", from, "gd:Khoá học v1", "--transfers", "1"])).await;
    output(&mut rclone(&["check", from, "gd:Khoá học v1"])).await;
    let listed = output(&mut rclone(&["lsjson", "--recursive", "--hash", "gd:Khoá học v1"])).await;
    let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
    let tree = google.tree();
    for row in listed.iter().filter(|row| row["IsDir"] == false) {
        let path = format!("Khoá học v1/{}", row["Path"].as_str().unwrap());
        let item = &tree[&path];
        assert_eq!(
            (row["ID"].as_str(), row["Hashes"]["sha256"].as_str()),
            (Some(&*item.id), Some(&*item.sha256))
        );
    }
    assert_eq!(listed.len(), 3, "{listed:#?}");
    let counts = google.counts();
    assert!(counts.faults >= 1 && counts.of("chunk") >= 3, "{counts:?}");
    assert_eq!(output(&mut rclone(&["cat", "gd:Khoá học v1/nhỏ.txt"])).await, "xin chào");
    output(&mut rclone(&["deletefile", "gd:Khoá học v1/nhỏ.txt", "--drive-use-trash=false"])).await;
    assert!(!google.tree().contains_key("Khoá học v1/nhỏ.txt"));
}

/// Google's description of the API, from its own client.
async fn description() -> Value {
    let code =
        "from googleapiclient.discovery_cache import get_static_doc; print(get_static_doc('drive', 'v3'))";
    serde_json::from_str(&output(Command::new(foreign("python")).args(["-c", code])).await).unwrap()
}

#[tokio::test]
async fn what_we_call_is_what_google_describes() {
    let google = DriveStandIn::start().await.unwrap();
    let ends = Ends::new(&google.base, &google.base, &google.base);
    let client = OAuthClient { id: "shop.apps.googleusercontent.com".to_owned(), secret: None };
    let drive = Drive::new(ends, Tokens::of_owner(client, REFRESH_TOKEN.into())).unwrap();
    let drive = drive.in_shared_drive("0ROOT");
    drive.about().await.unwrap();
    let ids = drive.generate_ids(2).await.unwrap();
    drive.create_folder(&ids[0], "f", None, &[("course", "1")]).await.unwrap();
    let file = NewUpload {
        id: &ids[1],
        name: "a",
        parent: Some(&ids[0]),
        mime: "video/mp4",
        size: 3,
        app_properties: &[],
    };
    let session = drive.start_upload(&file).await.unwrap();
    let piece = Piece { first: 0, total: 3, bytes: Bytes::from_static(b"abc") };
    drive.send(&session, piece, Arc::new(|_| ())).await.unwrap();
    drive.list(&ids[0]).await.unwrap();
    drive.file(&ids[1]).await.unwrap();
    let told =
        ShareOptions { notify: true, message: Some("m".to_owned()), expires_at: Some(1_900_000_000_000) };
    let permission = drive.share(&ids[0], "lan@example.com", &told).await.unwrap();
    drive.permissions(&ids[0]).await.unwrap();
    drive.unshare(&ids[0], &permission.id).await.unwrap();
    drive.delete(&ids[0]).await.unwrap();

    let description = description().await;
    let methods: Vec<&Value> = ["files", "permissions", "about"]
        .iter()
        .flat_map(|name| description["resources"][name]["methods"].as_object().unwrap().values())
        .collect();
    let calls = google.calls();
    assert!(calls.len() >= 10, "{calls:#?}");
    for call in calls {
        let method =
            methods.iter().find(|m| m["httpMethod"] == call.method.as_str() && m["path"] == call.path);
        let method = method.unwrap_or_else(|| panic!("Google describes no {} {}", call.method, call.path));
        for name in &call.parameters {
            let described = method["parameters"].get(name).or(description["parameters"].get(name));
            assert!(described.is_some(), "{} {} takes no {name}", call.method, call.path);
        }
    }
}
