//! One secret of each kind is in use through a whole run of the real program: mail, SePay's list, a learning platform,
//! a downloader, Google Drive, rclone's remotes, a worker on another machine, a tunnel's program, a storefront and its
//! webhooks, the owner's browser, and what panics say. None of them is found afterwards but where it has to be.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine;
use chotdon_core::ports::SecretStore;
use chotdon_core::secrets::{FileSecrets, SecretName};
use chotdon_tests::drive::DriveStandIn;
use chotdon_tests::lms::School;
use chotdon_tests::nginx::Nginx;
use chotdon_tests::served::{Home, Served};
use chotdon_tests::smtp::SmtpServer;
use chotdon_tests::worker_program::WorkerProgram;
use chotdon_tests::{Listener, browse};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sha2::Digest;

#[cfg(feature = "foreign")]
use crate::remote::Remote;
use crate::scanner::{self, Scanner};
use crate::troubles::{self, Panics};
use crate::{canary, completed, now_s, watched};

/// What the downloader of this test leaves: a proof that it was given its secret, which is not the secret.
const DOWNLOADER: &str = "#!/usr/bin/python3\nimport hashlib, json, sys\nwish = json.load(sys.stdin)\n\
    open('bai.md', 'w').write(hashlib.sha256(wish['secret'].encode()).hexdigest())\n\
    print(json.dumps({'item': 'khoá ' + wish['secret']}))\nprint('secret', wish['secret'], file=sys.stderr)\n";

pub(crate) async fn course(served: &Served, slug: &str, source: Value, more: Value) {
    let mut course = json!({ "title": slug, "price_vnd": 50_000, "active": true, "source": source, "target": { "kind": "folder" } });
    for (key, value) in more.as_object().unwrap() {
        course[key] = value.clone();
    }
    let (status, answer) =
        served.admin("PUT", &format!("/admin/api/courses/{slug}"), Some(course)).await.unwrap();
    assert!((200..300).contains(&status), "{answer}");
}

pub(crate) async fn delivered(served: &Served, slug: &str, id: i64) -> String {
    let (order, amount) = served.order(slug).await.unwrap();
    let (status, answer) = served.webhook(id, amount, &order, now_s()).await.unwrap();
    assert_eq!((status, answer["outcome"].as_str()), (200, Some("paid")), "{slug}");
    completed(served, &order).await;
    order
}

/// Uses the pages as the owner does; answers what they showed and kept.
async fn browser(served: &Served, profile: &std::path::Path, secret: &str) -> Value {
    let wish = json!({ "url": served.private, "token": served.token, "profile": profile, "secret": secret });
    let said = tokio::time::timeout(Duration::from_secs(120), browse("webview.mjs", &wish)).await.unwrap();
    serde_json::from_str(&said).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_secret_of_each_kind_leaves_no_trace_of_a_whole_run() {
    let mut values: HashMap<&str, String> = [
        "sepay.api_key",
        "sepay.api_token",
        "smtp.password",
        "source.web",
        "downloader.lib",
        "telegram.bot_token",
        "lms.other",
    ]
    .map(|name| (name, canary()))
    .into();
    values.insert("tunnel.token", format!("ey{}", canary()));
    let drive = DriveStandIn::start().await.unwrap();
    let school = School::start("moodle").await;
    let alerts = base64::engine::general_purpose::STANDARD.encode(canary());
    values.insert("alerts.webhook_secret", format!("whsec_{alerts}"));
    values.insert("lms.moodle", chotdon_tests::lms::KEY.to_owned());
    values.extend(drive.secrets().map(|(name, value)| (name, value.to_owned())));
    let account =
        json!({ "type": "service_account", "private_key": canary(), "client_email": "shop@example.com" });
    let mut mail = SmtpServer::start("none", Some(("shop", &values["smtp.password"]))).await.unwrap();
    let www = tempfile::tempdir().unwrap();
    std::fs::write(www.path().join("bai.md"), "# Bài").unwrap();
    let guard = format!(
        "location / {{ if ($http_authorization != \"Bearer {}\") {{ return 401; }} autoindex on; autoindex_format json; }}",
        values["source.web"]
    );
    let nginx = Nginx::start(www.path(), &guard).unwrap();
    let listener = Listener::start().await;

    let elsewhere = tempfile::tempdir().unwrap();
    let record = elsewhere.path().join("execve");
    let downloader = elsewhere.path().join("fetch");
    std::fs::write(&downloader, DOWNLOADER).unwrap();
    std::fs::set_permissions(&downloader, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut home = Home::new().await.unwrap();
    watched(&mut home, &record);
    home.env.push(("CHOTDON_LOG__LEVEL", "trace".to_owned()));
    home.env.extend(drive.env());
    let panics = Panics::none(&mut home);
    #[cfg(feature = "foreign")]
    let remote = Remote::start(&mut home).await;
    for (name, value) in [
        ("CHOTDON_MAIL__TRANSPORT", "smtp"),
        ("CHOTDON_MAIL__HOST", "127.0.0.1"),
        ("CHOTDON_MAIL__TLS", "none"),
        ("CHOTDON_MAIL__USER", "shop"),
        ("CHOTDON_MAIL__FROM", "An <an@example.com>"),
        ("CHOTDON_NOTIFICATIONS__TELEGRAM_CHAT", "987654321"),
        ("CHOTDON_NOTIFICATIONS__TELEGRAM_API", "http://127.0.0.1:9"),
        ("CHOTDON_NOTIFICATIONS__WEBHOOK_URL", "https://127.0.0.1:9/told"),
        ("CHOTDON_NOTIFICATIONS__MAIL_TO", "an@example.com"),
    ] {
        home.env.push((name, value.to_owned()));
    }
    home.env.push(("CHOTDON_MAIL__PORT", mail.port.to_string()));
    for (name, value) in &values {
        home.set_secret(name, value).await.unwrap();
    }
    let admin_token = home.run(&["admin-token"], "").await.unwrap();
    let storefront = home.run(&["storefront-key", "create", "web"], "").await.unwrap();
    let worker_key = home.run(&["worker-key", "create", "may-2"], "").await.unwrap();
    let hook = home.run(&["storefront-webhook", "add", "web", &listener.url()], "").await.unwrap();

    let mut served = home.serve().await.unwrap();
    served.token.clone_from(&admin_token);
    let web = |worker: &str| json!({ "kind": "http", "url": nginx.url("/"), "secret": "source.web", "worker": worker, "share_secret": worker == "only" });
    let enrolment = json!({ "enrolment": school.enrolment("lms.moodle") });
    course(&served, "web", web("never"), enrolment).await;
    let program = json!({ "kind": "program", "command": downloader, "secret": "downloader.lib" });
    course(&served, "program", program, json!({})).await;
    course(&served, "drive", web("never"), json!({ "target": { "kind": "drive" } })).await;
    course(&served, "worker", web("only"), json!({})).await;
    delivered(&served, "web", 1).await;
    delivered(&served, "program", 2).await;
    delivered(&served, "drive", 3).await;
    let script = format!(
        r#"umask 0; exec strace -D -f -v -A -o '{}' -e trace=execve -s 65536 "$0" "$@""#,
        elsewhere.path().join("worker-execve").display()
    );
    let under = ["/bin/sh", "-c", &script];
    let worker = WorkerProgram::start(&served.public, "may-2", &worker_key, &under, &[]).await.unwrap();
    delivered(&served, "worker", 4).await;
    #[cfg(feature = "foreign")]
    remote.used(&served, 5).await;
    // What a panic says is whatever the code had at hand: here, all that the program has read until now.
    let at_hand: Vec<&str> =
        ["smtp.password", "source.web", "downloader.lib", "lms.moodle", "google.refresh_token"]
            .iter()
            .map(|name| values[name].as_str())
            .chain([home.hmac_secret.as_str(), admin_token.as_str(), home.passphrase.as_str()])
            .collect();
    panics.with(&at_hand);
    delivered(&served, "drive", 6).await;
    Panics::happen(&served).await;
    assert!(mail.mail().await.unwrap().to.contains(&"lan@example.com".to_owned()));
    let order = json!({ "customer": { "email": "b@example.com" }, "items": [{ "course": "web" }] });
    let ordered = served
        .http
        .post(format!("{}/api/v1/orders", served.public))
        .bearer_auth(&storefront)
        .header("idempotency-key", "one")
        .json(&order);
    assert_eq!(ordered.send().await.unwrap().status(), 201);

    // The owner's pages: every key is set by hand once, tested, rotated; the settings are saved.
    for name in ["tunnel.token", "telegram.bot_token", "lms.other"] {
        let body = json!({ "value": values[name] });
        assert_eq!(
            served.admin("PUT", &format!("/admin/api/secrets/{name}"), Some(body)).await.unwrap().0,
            200
        );
    }
    let set = json!({ "value": account.to_string() });
    let path = "/admin/api/secrets/google.service_account";
    assert_eq!(served.admin("PUT", path, Some(set)).await.unwrap().0, 200);
    let next_key = canary();
    let path = "/admin/api/secrets/sepay.api_key/rotate";
    let rotated = served.admin("POST", path, Some(json!({ "value": next_key }))).await.unwrap();
    assert_eq!(rotated.0, 200, "{}", rotated.1);
    // The bot's token is part of the address that is asked; nobody answers there, and the error tells of it.
    for channel in ["telegram", "webhook", "mail", "desktop"] {
        let path = format!("/admin/api/channels/{channel}/test");
        served.admin("POST", &path, Some(json!({}))).await.unwrap();
    }
    for check in ["bank", "sepay_key", "webhook", "sepay_api", "mail", "secrets", "course", "notifications"] {
        served.admin("POST", &format!("/admin/api/checks/{check}"), Some(json!({}))).await.unwrap();
    }
    troubles::tunnel(&served, &home, elsewhere.path()).await;
    let shop = json!({ "name": "Khoá học An", "language": "vi" });
    assert_eq!(served.admin("PUT", "/admin/api/settings/shop", Some(shop)).await.unwrap().0, 200);
    let typed = canary();
    let seen = browser(&served, &elsewhere.path().join("profile"), &typed).await;

    let store = FileSecrets::open(&home.data(), home.passphrase.clone().into()).await.unwrap();
    let link_key = store.get("link.key").await.unwrap().expect("links are signed");
    let mut all: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    all.extend([
        ("google.service_account", account["private_key"].as_str().unwrap()),
        ("a rotated sepay.api_key", &next_key),
        ("a secret typed into a page", &typed),
        ("sepay.hmac_secret", &home.hmac_secret),
        ("a storefront's key", &storefront),
        ("a worker's key", &worker_key),
        ("an endpoint's key", &hook),
        ("admin.token", &admin_token),
        ("link.key", link_key.expose_secret()),
        ("the passphrase", &home.passphrase),
    ]);
    #[cfg(feature = "foreign")]
    all.extend(remote.planted());
    for name in SecretName::settable() {
        assert!(all.iter().any(|(planted, _)| *planted == name.as_str()), "{name} is of no use in this run");
    }
    let scanner = Scanner::new(all.iter().copied()).with_pieces();
    let none = Vec::<String>::new();
    let gets: Vec<String> = served.documented().await.unwrap();
    assert!(gets.len() > 25, "{gets:?}");
    for path in &gets {
        let asked = served.http.get(format!("{}{path}", served.private)).bearer_auth(&admin_token);
        let answer = asked.send().await.unwrap().bytes().await.unwrap();
        assert_eq!(scanner.found(&answer), none, "the answer of {path}");
    }
    for (what, text) in [("pages", seen.to_string()), ("keys shown", seen["shown"].to_string())] {
        assert_eq!(scanner.found(text.as_bytes()), none, "{what}");
    }
    assert!(!listener.told().is_empty(), "the storefront was told");
    for told in listener.told() {
        assert_eq!(scanner.found(&told.body), none, "a webhook to the storefront");
    }
    let backup = elsewhere.path().join("backup.db");
    home.run(&["backup", &backup.display().to_string()], "").await.unwrap();
    let bundle = elsewhere.path().join("diagnostics.zip");
    home.run(&["diagnostics", &bundle.display().to_string()], "").await.unwrap();
    let mut bundle = zip::ZipArchive::new(std::fs::File::open(&bundle).unwrap()).unwrap();
    for at in 0..bundle.len() {
        let mut text = Vec::new();
        std::io::Read::read_to_end(&mut bundle.by_index(at).unwrap(), &mut text).unwrap();
        assert_eq!(scanner.found(&text), none, "the bundle for asking for help");
    }
    for command in [&["secret", "list"][..], &["audit"], &["export"], &["verify"]] {
        assert_eq!(scanner.found(home.run(command, "").await.unwrap().as_bytes()), none, "{command:?}");
    }
    for (whose, pid) in [("shop", served.pid())] {
        for name in ["cmdline", "environ"] {
            let bytes = std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
            assert_eq!(scanner.found(&bytes), none, "{name} of the {whose}");
        }
    }
    let outside = ["secrets.bin", "passphrase"];
    assert_eq!(scanner.found_below(home.path(), &outside), none, "while it runs");
    assert_eq!(scanner.found_below(worker.dir.path(), &[]), none, "the worker's directory");
    drop(worker);
    assert_eq!(served.stop().await.unwrap(), Some(0));
    assert_eq!(scanner.found_below(home.path(), &outside), none, "after the stop");
    assert_eq!(
        scanner.found_below(elsewhere.path(), &[]),
        none,
        "backup, browser profile, argv and environment"
    );
    let bundle = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../ui/dist");
    assert_eq!(scanner.found_below(&bundle, &[]), none, "the web bundle");

    let argv = std::fs::read(&record).unwrap();
    let executed = String::from_utf8_lossy(&argv).matches("execve(").count();
    assert!(String::from_utf8_lossy(&argv).contains("/fetch\""), "the downloader was watched");
    let worker_argv = std::fs::read_to_string(elsewhere.path().join("worker-execve")).unwrap();
    assert!(worker_argv.contains("--key-from-stdin"), "the worker was watched");
    #[cfg(feature = "foreign")]
    assert_eq!(Remote::door(&argv).found_below(home.path(), &outside), none, "rclone's own password");
    // The control: what was read would have told, of a piece of eight characters as well.
    let logs: Vec<u8> = scanner::files(&home.data().join("logs"))
        .iter()
        .flat_map(|log| std::fs::read(log).unwrap())
        .collect();
    let proof = hex::encode(sha2::Sha256::digest(&values["downloader.lib"]));
    let proofs = Scanner::new([("the downloader's proof", proof.as_str())]);
    assert!(
        !proofs.found_below(&home.data().join("library"), &[]).is_empty(),
        "the downloader had its secret"
    );
    Panics::were_logged(&String::from_utf8_lossy(&logs), at_hand.len());
    let planted = [logs.as_slice(), &values["smtp.password"].as_bytes()[9..17]].concat();
    assert_eq!(scanner.found(&planted), ["a piece of smtp.password"]);
    assert_eq!(scanner.found_below(home.path(), &[]).len(), 1, "the passphrase, in its own file");
    println!(
        "{} kinds, {executed} programs, {} answers, {} bytes of log: no secret",
        all.len(),
        gets.len(),
        logs.len()
    );
}
