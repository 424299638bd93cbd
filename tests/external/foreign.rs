//! Workers on other machines, judged by the Standard Webhooks library for Python, and one in a network namespace of its
//! own, which takes root. `CHOTDON_FOREIGN` names the directory of the programs.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // a test that cannot go on has failed

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use chotdon_core::signed::{Envelope, new_secret, signature};
use chotdon_tests::TestShop;
use chotdon_tests::nginx::Nginx;
use chotdon_tests::worker::HandWorker;
use chotdon_tests::worker_program::{WorkedShop, WorkerProgram, lay_out};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

/// Signs and checks with the library; one JSON object a line in, one out.
const JUDGE: &str = r#"
import sys, json, datetime
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
for line in sys.stdin:
    ask = json.loads(line)
    hook = Webhook(ask["key"])
    at = datetime.datetime.fromtimestamp(ask["at"], datetime.timezone.utc)
    answer = {"signature": hook.sign(ask["id"], at, ask["payload"])}
    try:
        hook.verify(ask["payload"].encode(), {"webhook-id": ask["id"], "webhook-timestamp": str(ask["at"]), "webhook-signature": ask["ours"]})
        answer["verified"] = True
    except WebhookVerificationError as error:
        answer["verified"] = False
    except json.JSONDecodeError:
        answer["verified"] = True  # the signature was right; only then is the payload read
    print(json.dumps(answer), flush=True)
"#;

#[allow(clippy::disallowed_methods)] // where the programs are comes by the environment
fn foreign(program: &str) -> PathBuf {
    PathBuf::from(std::env::var_os("CHOTDON_FOREIGN").expect("CHOTDON_FOREIGN is set")).join(program)
}

fn judge(asked: &[Value]) -> Vec<Value> {
    let mut child = Command::new(foreign("python"))
        .args(["-c", JUDGE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let lines: String = asked.iter().map(|ask| format!("{ask}\n")).collect();
    input.write_all(lines.as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[allow(clippy::disallowed_methods)] // the library takes the machine's clock
fn now_s() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

#[test]
fn the_library_and_we_make_and_take_the_same_signatures() {
    let payloads = [
        "{}",
        r#"{"type":"task.finalize","data":{"task_id":123,"folder_name":"Khóa học 1"}}"#,
        "PUT /api/v1/worker/files?task_id=1&lease_epoch=2&path=a%2Fb&offset=0\nsha-256=:AAAA:",
        "",
    ];
    let (key, now) = (new_secret(), now_s());
    let ask = |payload: &str, id: &str, ours: &str| json!({ "key": key.expose_secret(), "id": id, "at": now, "payload": payload, "ours": ours });
    let mut asked = Vec::new();
    for (n, payload) in payloads.iter().enumerate() {
        let id = format!("msg_{n}");
        let ours = signature(&key, &id, now, payload.as_bytes()).unwrap();
        asked.push(ask(payload, &id, &ours));
        // The control: a signature over something else.
        asked.push(ask(payload, &id, &signature(&key, &id, now, b"other").unwrap()));
    }
    for (ask, answer) in asked.iter().zip(judge(&asked)) {
        let (id, payload) = (ask["id"].as_str().unwrap(), ask["payload"].as_str().unwrap());
        let theirs = answer["signature"].as_str().unwrap();
        let right = signature(&key, id, now, payload.as_bytes()).unwrap();
        assert_eq!(theirs, right, "{ask}");
        assert_eq!(answer["verified"], json!(ask["ours"] == right.as_str()), "{ask}");
        let envelope = Envelope::read(id.as_bytes(), now.to_string().as_bytes(), theirs.as_bytes()).unwrap();
        assert!(envelope.signed_with(&key, payload.as_bytes()));
    }
}

#[tokio::test]
async fn a_shop_takes_what_the_library_signed() {
    let shop = TestShop::start().await;
    let worker = HandWorker::new(&shop, "python").await;
    let body = r#"{"type":"task.claim","data":{}}"#;
    let ask = json!({ "key": worker.key.expose_secret(), "id": "msg_py", "at": shop.now_s(), "payload": body, "ours": "v1," });
    let theirs = judge(std::slice::from_ref(&ask)).remove(0)["signature"].as_str().unwrap().to_owned();
    let headers = [
        ("webhook-id", "msg_py".to_owned()),
        ("webhook-timestamp", ask["at"].to_string()),
        ("webhook-signature", theirs),
    ];
    let (status, answer) = worker.send("/api/v1/worker/claim", &headers, body.as_bytes().to_vec()).await;
    assert_eq!((status, answer), (200, json!({ "tasks": [] })));
}

/// A network namespace joined to this one by a cable of its own.
struct Elsewhere {
    name: String,
    here: String,
}

impl Elsewhere {
    fn new() -> Self {
        let number: u8 = rand::random();
        let name = format!("cdw{:x}", rand::random::<u32>());
        let (near, far) = (format!("{name}a"), format!("{name}b"));
        let (here, there) = (format!("10.231.{number}.1"), format!("10.231.{number}.2"));
        ip(&["netns", "add", &name]);
        ip(&["link", "add", &near, "type", "veth", "peer", "name", &far, "netns", &name]);
        ip(&["addr", "add", &format!("{here}/30"), "dev", &near]);
        ip(&["link", "set", &near, "up"]);
        ip(&["-n", &name, "addr", "add", &format!("{there}/30"), "dev", &far]);
        ip(&["-n", &name, "link", "set", &far, "up"]);
        Self { name, here }
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        // The cable goes with its end.
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

fn ip(args: &[&str]) {
    assert!(Command::new("ip").args(args).status().unwrap().success(), "ip {args:?}");
}

#[tokio::test]
async fn a_worker_in_another_network_with_no_database_completes_tasks() {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        eprintln!("not done: making a network namespace takes root");
        return;
    }
    let elsewhere = Elsewhere::new();
    let shop = WorkedShop::new(&format!("{}:0", elsewhere.here)).await.unwrap();
    let served = shop.serve().await.unwrap();
    let files = tempfile::tempdir().unwrap();
    lay_out(files.path(), 20_000_000).unwrap();
    let port =
        std::net::TcpListener::bind((elsewhere.here.as_str(), 0)).unwrap().local_addr().unwrap().port();
    let nginx = Nginx::start(files.path(), &format!("listen {}:{port};", elsewhere.here)).unwrap();
    let under = ["ip", "netns", "exec", elsewhere.name.as_str()];
    let key = shop.key("nas").await.unwrap();
    // The control: from there, this machine's own loopback is not to be seen.
    let mut blind = WorkerProgram::start(&nginx.url(""), "nas", &key, &under, &["--once"]).await.unwrap();
    assert_eq!(blind.ended().await.unwrap(), Some(75));
    let mut plain = WorkerProgram::start(&served.public, "nas", &key, &under, &["--once"]).await.unwrap();
    assert_eq!(
        plain.ended().await.unwrap(),
        Some(2),
        "plain http leaves the machine only when it is asked for"
    );

    let mut worker =
        WorkerProgram::start(&served.public, "nas", &key, &under, &["--insecure"]).await.unwrap();
    let url = format!("http://{}:{port}/course.json", elsewhere.here);
    for slug in ["mot", "hai"] {
        let code = shop.sell(&served, slug, &url, now_s()).await.unwrap();
        worker.says("handed over").await.unwrap();
        shop.delivered(&served, &code, slug, files.path()).await.unwrap();
    }
    assert!(!worker.dir.path().join("work/shop.db").exists());
    shop.home.run(&["worker-key", "revoke", "nas"], "").await.unwrap();
    worker.says("worker_revoked").await.unwrap();
    assert_eq!(worker.ended().await.unwrap(), Some(1));
    served.stop().await.unwrap();
}
