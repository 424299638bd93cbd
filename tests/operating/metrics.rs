//! `GET /metrics`: what it says, in which form, and who may read it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use chotdon_tests::{ADMIN_TOKEN, TestShop};

/// The page as Prometheus gets it.
pub(crate) async fn page(shop: &TestShop) -> String {
    let url = format!("http://{}/metrics", shop.shop.private_addr().unwrap());
    let answer = shop.http.get(url).bearer_auth(ADMIN_TOKEN).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    answer.text().await.unwrap()
}

/// Sample → value.
pub(crate) fn samples(page: &str) -> BTreeMap<String, String> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// `docs/monitoring`.
pub(crate) fn files() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/monitoring")
}

/// What promtool says about a page: nothing, when all is well.
fn judged(page: &str) -> (bool, String) {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed");
    promtool.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let ended = promtool.wait_with_output().unwrap();
    let words = [ended.stdout, ended.stderr].concat();
    (ended.status.success(), String::from_utf8(words).unwrap())
}

#[tokio::test]
async fn the_page_is_in_the_form_that_prometheus_wants() {
    let shop = TestShop::start().await;
    let (code, total) = shop.order(&["thiet-ke-giao-dien"]).await;
    shop.bank_receives(total, &code).await;
    shop.settled(&code, "completed").await;
    let page = page(&shop).await;
    assert_eq!(judged(&page), (true, String::new()), "{page}");
    let control =
        page.replace("# TYPE chotdon_transfers_total counter", "# TYPE chotdon_transfers_total gauge");
    assert!(!judged(&control).0, "the control: promtool sees a wrong type");
}

#[tokio::test]
async fn the_figures_are_those_of_the_shop() {
    let shop = TestShop::start().await;
    let before = samples(&page(&shop).await);
    let (code, total) = shop.order(&["thiet-ke-giao-dien"]).await;
    assert_eq!(shop.bank_receives(total, &code).await, "paid");
    assert_eq!(shop.bank_receives(20_000, "khong co ma").await, "unmatched");
    shop.settled(&code, "completed").await;
    let stranger = shop.http.post(shop.public("/api/v1/payment/webhook")).body("{}").send().await.unwrap();
    assert_eq!(stranger.status(), 401);
    let after = samples(&page(&shop).await);
    let grown = |name: &str| {
        let number =
            |samples: &BTreeMap<String, String>| samples.get(name).map_or(0, |n| n.parse::<i64>().unwrap());
        number(&after) - number(&before)
    };
    for (name, by) in [
        (r#"chotdon_orders{stage="completed"}"#, 1),
        (r#"chotdon_webhooks_total{outcome="paid"}"#, 1),
        (r#"chotdon_webhooks_total{outcome="unmatched"}"#, 1),
        (r#"chotdon_webhooks_refused_total{reason="unauthorized"}"#, 1),
        ("chotdon_webhook_duration_seconds_count", 2),
        (r#"chotdon_stage_duration_seconds_count{kind="deliver_order",stage="mail"}"#, 1),
        (r#"chotdon_http_responses_total{listener="public",class="4xx"}"#, 1),
        (r#"chotdon_money_dong{bucket="orders"}"#, total),
        (r#"chotdon_money_dong{bucket="unmatched"}"#, 20_000),
        ("chotdon_money_in_dong_total", total + 20_000),
        ("chotdon_transfers_total", 2),
        ("chotdon_transfers_unmatched", 1),
    ] {
        assert_eq!(grown(name), by, "{name}");
    }
    assert_eq!(after["chotdon_ledger_ok"], "1");
    assert_eq!(after[r#"chotdon_component_up{component="database"}"#], "1");
    assert!(after[r#"chotdon_database_bytes{file="database"}"#].parse::<i64>().unwrap() > 0);
}

#[tokio::test]
async fn only_the_owner_reads_it() {
    let shop = TestShop::start().await;
    let url = format!("http://{}/metrics", shop.shop.private_addr().unwrap());
    assert_eq!(shop.http.get(&url).send().await.unwrap().status(), 401);
    assert_eq!(shop.http.get(&url).bearer_auth("wrong").send().await.unwrap().status(), 401);
    let outside = shop.http.get(shop.public("/metrics")).bearer_auth(ADMIN_TOKEN).send().await.unwrap();
    assert_eq!(outside.status(), 404);
    let page = page(&shop).await;
    for personal in ["lan@example.com", "Lan", "0900000699"] {
        assert!(!page.contains(personal), "{personal}");
    }
}

/// Words of a text that are names of metrics of ours, without what a histogram adds.
fn names(text: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words =
        text.split(|c| !word(c)).filter(|word| word.starts_with("chotdon_") || word.starts_with("process_"));
    let plain = |word: &str| {
        let ends = ["_bucket", "_count", "_sum"];
        ends.iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word).to_owned()
    };
    words.map(plain).collect()
}

#[tokio::test]
async fn alerts_and_dashboard_name_only_what_is_there() {
    let shop = TestShop::start().await;
    let there = names(&page(&shop).await);
    for file in ["alerts.yml", "grafana.json"] {
        let text = std::fs::read_to_string(files().join(file)).unwrap();
        // Appear once there is a tunnel, and once a copy or a reconciliation was made.
        let later = ["chotdon_tunnel_up"];
        let missing: Vec<_> = names(&text)
            .into_iter()
            .filter(|name| !there.contains(name) && !later.contains(&name.as_str()))
            .collect();
        assert_eq!(missing, Vec::<String>::new(), "{file}");
    }
    assert!(!there.contains("chotdon_nonsense"), "the control");
    let board: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(files().join("grafana.json")).unwrap()).unwrap();
    assert!(board["panels"].as_array().unwrap().len() >= 20);
}

#[test]
fn the_rules_say_what_they_should() {
    let promtool = |args: &[&str]| {
        let ended =
            Command::new("promtool").args(args).current_dir(files()).output().expect("promtool is installed");
        let words = String::from_utf8([ended.stdout, ended.stderr].concat()).unwrap();
        assert!(ended.status.success(), "{words}");
    };
    promtool(&["check", "rules", "alerts.yml"]);
    promtool(&["test", "rules", "alerts_test.yml"]);
}

#[tokio::test]
async fn what_a_listener_answers_before_any_route_is_counted_too() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let shop = TestShop::start().await;
    let refused = r#"chotdon_http_responses_total{listener="public",class="4xx"}"#;
    let number = |page: &str| samples(page).get(refused).map_or(0, |n| n.parse::<i64>().unwrap());
    let before = number(&page(&shop).await);
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(70_000));
    for said in ["rubbish\r\n\r\n", &long] {
        let mut stream = tokio::net::TcpStream::connect(shop.shop.public_addr()).await.unwrap();
        // It may hang up before it has heard everything.
        let _ = stream.write_all(said.as_bytes()).await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
    assert_eq!(number(&page(&shop).await) - before, 2);
}
