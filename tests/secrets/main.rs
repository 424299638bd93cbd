//! Canary secrets go through a whole main job of the real program; afterwards they are nowhere but in the encrypted file.
#![allow(clippy::unwrap_used)] // a test may stop anywhere
#![cfg(target_os = "linux")]

#[cfg(feature = "foreign")]
mod remote;
mod scanner;
mod troubles;
mod whole_run;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use chotdon_core::ports::SecretStore;
use chotdon_core::secrets::FileSecrets;
use chotdon_tests::nginx::Nginx;
use chotdon_tests::served::{Home, Served};
use chotdon_tests::smtp::SmtpServer;
use scanner::{Scanner, spellings};
use secrecy::ExposeSecret;
use serde_json::json;

/// Unlike anything else, and different in every encoding.
fn canary() -> String {
    format!("Cn{:032x}+/={:08x}", rand::random::<u128>(), rand::random::<u32>())
}

#[allow(clippy::disallowed_methods)] // the shop under test has the machine's clock
fn now_s() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// Runs every program of a home under strace, which writes down each argv and environment, with nothing masked from others.
fn watched(home: &mut Home, record: &Path) {
    let script = format!(
        r#"umask 0; exec strace -D -f -v -A -o '{}' -e trace=execve -s 65536 "$0" "$@""#,
        record.display()
    );
    home.under = vec!["/bin/sh".to_owned(), "-c".to_owned(), script];
}

/// Everything that the admin API tells.
async fn admin_answers(served: &Served, order: &str) -> Vec<(String, Vec<u8>)> {
    let (_, tasks) = served.admin("GET", "/admin/api/tasks", None).await.unwrap();
    let (_, mailbox) = served.admin("GET", "/admin/api/mailbox", None).await.unwrap();
    let mut paths: Vec<String> = [
        "/",
        "/health",
        "/metrics",
        "/admin/api/overview",
        "/admin/api/money",
        "/admin/api/checklist",
        "/admin/api/orders",
        "/admin/api/queue",
        "/admin/api/tasks",
        "/admin/api/failures",
        "/admin/api/transfers",
        "/admin/api/customers",
        "/admin/api/audit",
        "/admin/api/notices",
        "/admin/api/courses",
        "/admin/api/settings",
        "/admin/api/openapi.json",
    ]
    .map(str::to_owned)
    .to_vec();
    paths.push(format!("/admin/api/orders/{order}"));
    paths.extend(
        tasks["rows"].as_array().unwrap().iter().map(|task| format!("/admin/api/tasks/{}", task["id"])),
    );
    assert!(paths.len() > 19, "there are tasks: {tasks} {mailbox}");
    let mut answers = Vec::new();
    for path in paths {
        let answer = served
            .http
            .get(format!("{}{path}", served.private))
            .bearer_auth(&served.token)
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_success() || path == "/metrics", "{path}: {}", answer.status());
        answers.push((path, answer.bytes().await.unwrap().to_vec()));
    }
    for check in ["bank", "sepay_key", "webhook", "mail", "secrets", "course", "notifications"] {
        let path = format!("/admin/api/checks/{check}");
        let (_, answer) = served.admin("POST", &path, Some(json!({}))).await.unwrap();
        answers.push((path, answer.to_string().into_bytes()));
    }
    answers
}

async fn completed(served: &Served, order: &str) {
    let mut look = tokio::time::interval(Duration::from_millis(100));
    let waiting = async {
        loop {
            look.tick().await;
            let (_, found) = served.admin("GET", &format!("/admin/api/orders/{order}"), None).await.unwrap();
            assert_ne!(found["order"]["stage"], "failed", "{found:#}");
            if found["order"]["stage"] == "completed" {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("it completes within a minute");
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode()
        & 0o777
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_argv_environment_logs_database_or_answers() {
    let (old_key, api_key, token, password, source, telegram, wrong) =
        (canary(), canary(), canary(), canary(), canary(), canary(), canary());
    let mut mail = SmtpServer::start("none", Some(("shop", &password))).await.unwrap();
    let www = tempfile::tempdir().unwrap();
    std::fs::write(www.path().join("bai.md"), "# Bài").unwrap();
    let listing = format!(
        "location / {{ if ($http_authorization != \"Bearer {source}\") {{ return 401; }} autoindex on; autoindex_format json; }}"
    );
    let nginx = Nginx::start(www.path(), &listing).unwrap();

    let record = tempfile::tempdir().unwrap();
    let record = record.path().join("execve");
    let mut home = Home::new().await.unwrap();
    watched(&mut home, &record);
    home.env.push(("CHOTDON_LOG__LEVEL", "trace".to_owned()));
    for (name, value) in [
        ("CHOTDON_MAIL__TRANSPORT", "smtp"),
        ("CHOTDON_MAIL__HOST", "127.0.0.1"),
        ("CHOTDON_MAIL__TLS", "none"),
        ("CHOTDON_MAIL__USER", "shop"),
        ("CHOTDON_MAIL__FROM", "An <an@example.com>"),
    ] {
        home.env.push((name, value.to_owned()));
    }
    home.env.push(("CHOTDON_MAIL__PORT", mail.port.to_string()));
    for (name, value) in [
        ("sepay.api_key", &old_key),
        ("sepay.api_token", &token),
        ("smtp.password", &password),
        ("source.web", &source),
    ] {
        home.set_secret(name, value).await.unwrap();
    }
    home.run(&["secret", "rotate", "sepay.api_key"], &api_key).await.unwrap();
    let admin_token = home.run(&["admin-token"], "").await.unwrap();
    let listed = home.run(&["secret", "list"], "").await.unwrap();

    // The main job, with every secret in use.
    let mut served = home.serve().await.unwrap();
    served.token.clone_from(&admin_token);
    let set = json!({ "value": telegram });
    let (status, set_answer) =
        served.admin("PUT", "/admin/api/secrets/telegram.bot_token", Some(set)).await.unwrap();
    assert_eq!(status, 200, "{set_answer}");
    let login = served.http.post(format!("{}/login", served.private)).json(&json!({ "token": admin_token }));
    assert_eq!(login.send().await.unwrap().status(), 204);
    let course = json!({
        "title": "Web", "price_vnd": 50_000, "active": true, "target": { "kind": "folder" },
        "source": { "kind": "http", "url": nginx.url("/"), "secret": "source.web" },
    });
    let (status, answer) = served.admin("PUT", "/admin/api/courses/web", Some(course)).await.unwrap();
    assert!((200..300).contains(&status), "{answer}");
    let (order, amount) = served.order("web").await.unwrap();
    let (status, answer) = served.webhook(1, amount, &order, now_s()).await.unwrap();
    assert_eq!((status, answer["outcome"].as_str()), (200, Some("paid")));
    completed(&served, &order).await;
    assert!(mail.mail().await.unwrap().to.contains(&"lan@example.com".to_owned()));
    let mut said = Vec::new();
    for (header, expected) in [
        (format!("Apikey {api_key}"), 200),
        (format!("Apikey {old_key}"), 200),
        (format!("Apikey {wrong}"), 401),
        (format!("Bearer {api_key}"), 401),
        (api_key.clone(), 401),
    ] {
        let body = chotdon_tests::TestShop::body(&chotdon_tests::Payment {
            id: 2,
            amount: 5,
            content: "x".to_owned(),
        });
        let request =
            served.http.post(format!("{}/api/webhook/sepay", served.public)).header("authorization", header);
        let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
        assert_eq!(answer.status(), expected);
        said.extend(answer.bytes().await.unwrap());
    }
    let mistaken = served
        .http
        .get(format!("{}/admin/api/money", served.private))
        .bearer_auth(&wrong)
        .send()
        .await
        .unwrap();
    assert_eq!(mistaken.status(), 401);
    let answers = admin_answers(&served, &order).await;

    let store = FileSecrets::open(&home.data(), home.passphrase.clone().into()).await.unwrap();
    let link_key = store.get("link.key").await.unwrap().expect("links are signed");
    let scanner = Scanner::new([
        ("sepay.api_key before", old_key.as_str()),
        ("sepay.api_key", &api_key),
        ("sepay.api_token", &token),
        ("smtp.password", &password),
        ("source.web", &source),
        ("telegram.bot_token", &telegram),
        ("a wrong key", &wrong),
        ("sepay.hmac_secret", &home.hmac_secret),
        ("admin.token", &admin_token),
        ("link.key", link_key.expose_secret()),
        ("the passphrase", &home.passphrase),
    ]);
    let none = Vec::<String>::new();
    for (path, answer) in &answers {
        assert_eq!(scanner.found(answer), none, "the answer of {path}");
    }
    for (what, bytes) in [
        ("secret list", listed.as_bytes()),
        ("webhook answers", &said),
        ("a set secret", set_answer.to_string().as_bytes()),
    ] {
        assert_eq!(scanner.found(bytes), none, "{what}");
    }
    for name in ["cmdline", "environ"] {
        let bytes = std::fs::read(format!("/proc/{}/{name}", served.pid())).unwrap();
        assert!(!bytes.is_empty());
        assert_eq!(scanner.found(&bytes), none, "{name} of the running program");
    }
    let outside = ["secrets.bin", "passphrase"];
    assert!(home.data().join("shop.db-wal").exists());
    assert_eq!(scanner.found_below(home.path(), &outside), none, "while it runs");

    let data = home.data();
    assert_eq!(mode(&data), 0o700);
    for name in ["shop.db", "shop.db-wal", "shop.db-shm", "secrets.bin", "run.json", "config.toml"] {
        assert_eq!(mode(&data.join(name)), 0o600, "{name}");
    }
    assert_eq!(mode(&data.join("logs")), 0o700);
    assert_eq!(served.stop().await.unwrap(), Some(0));
    home.run(&["verify"], "").await.unwrap();
    home.run(&["export"], "").await.map(|text| assert_eq!(scanner.found(text.as_bytes()), none)).unwrap();
    assert_eq!(scanner.found_below(home.path(), &outside), none, "after the stop");

    let argv = std::fs::read(&record).unwrap();
    let executed = String::from_utf8_lossy(&argv).matches("execve(").count();
    assert!(executed >= 9, "every program was watched: {executed}");
    assert_eq!(scanner.found(&argv), none, "argv and environment");

    // The controls: what was looked at would have told.
    let logs: Vec<u8> =
        scanner::files(&data.join("logs")).iter().flat_map(|log| std::fs::read(log).unwrap()).collect();
    let logs = String::from_utf8_lossy(&logs);
    assert!(logs.contains("TRACE") && logs.contains(&order), "the log is at its most talkative");
    assert_eq!(scanner.found_below(home.path(), &[]).len(), 1, "the passphrase, in its own file");
    println!("{executed} programs, {} bytes of log, {} answers: no secret", logs.len(), answers.len());
}

#[tokio::test]
async fn the_scanner_finds_a_planted_secret_in_every_spelling_and_place() {
    let value = canary();
    let scanner = Scanner::new([("planted", value.as_str())]);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("logs/chotdon.jsonl");
    std::fs::create_dir(dir.path().join("logs")).unwrap();
    assert!(spellings(&value).len() >= 8);
    for spelling in spellings(&value) {
        std::fs::write(&file, [b"\xff\0".as_slice(), b"line ", spelling.as_bytes(), b" end"].concat())
            .unwrap();
        assert_eq!(scanner.found_below(dir.path(), &[]).len(), 1, "{spelling}");
    }
    use base64::Engine;
    for before in ["", "u", "us", "user:", "\0user\0"] {
        let login = base64::engine::general_purpose::STANDARD.encode(format!("{before}{value}"));
        assert_eq!(scanner.found(login.as_bytes()), ["planted"], "{before:?}");
    }
    assert!(scanner.found(b"something else").is_empty());

    // Planted in an argument and in the environment of a program that is watched.
    for plant in ["argument", "environment"] {
        let record = dir.path().join(plant);
        let mut command = std::process::Command::new("strace");
        command.args(["-f", "-v", "-e", "trace=execve", "-s", "65536", "-o"]).arg(&record).args([
            "/bin/sh",
            "-c",
            "exec /bin/true \"$0\"",
        ]);
        command.arg(if plant == "argument" { &value } else { "nothing" }).env_clear();
        if plant == "environment" {
            command.env("PLANTED", &value);
        }
        assert!(command.env("PATH", "/usr/bin:/bin").status().expect("strace is there").success());
        assert_eq!(scanner.found(&std::fs::read(record).unwrap()), ["planted"], "{plant}");
    }
}
