//! A real Prometheus scrapes a running shop with the owner's token from a file, takes the shipped rules, and raises an
//! alert.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use chotdon_core::ports::SecretError;
use chotdon_tests::{ADMIN_TOKEN, TestShop};
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::metrics::files;

struct Prometheus {
    _child: Child,
    base: String,
    http: reqwest::Client,
}

impl Prometheus {
    async fn start(dir: &Path, target: &str) -> Self {
        let token = dir.join("token");
        std::fs::write(&token, ADMIN_TOKEN).unwrap();
        std::fs::copy(files().join("alerts.yml"), dir.join("alerts.yml")).unwrap();
        // The shipped file with another pace, another token and another target.
        let shipped = std::fs::read_to_string(files().join("prometheus.yml")).unwrap();
        let config = shipped
            .replace("15s", "1s")
            .replace("/etc/prometheus/chotdon.token", &token.display().to_string())
            .replace("127.0.0.1:8687", target);
        assert!(config.contains(target) && config.contains("1s"), "{config}");
        std::fs::write(dir.join("prometheus.yml"), config).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", dir.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", dir.join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("prometheus is installed");
        Self { _child: child, base: format!("http://127.0.0.1:{port}"), http: reqwest::Client::new() }
    }

    async fn ask(&self, path: &str) -> Option<Value> {
        let answer = self.http.get(format!("{}{path}", self.base)).send().await.ok()?;
        answer.json::<Value>().await.ok().map(|json| json["data"].clone())
    }

    /// Asks until there is an answer; one that never comes fails the test after a minute and a half.
    async fn until<T>(&self, path: &str, found: impl Fn(&Value) -> Option<T>) -> T {
        let mut rounds = tokio::time::interval(Duration::from_millis(300));
        let asked = async {
            loop {
                rounds.tick().await;
                if let Some(found) = self.ask(path).await.as_ref().and_then(&found) {
                    return found;
                }
            }
        };
        let answer = tokio::time::timeout(Duration::from_secs(90), asked).await;
        answer.unwrap_or_else(|_| panic!("{path} never said it"))
    }
}

fn firing(alerts: &Value, name: &str) -> bool {
    let rows = alerts["alerts"].as_array().cloned().unwrap_or_default();
    rows.iter().any(|row| row["labels"]["alertname"] == name && row["state"] == "firing")
}

#[tokio::test]
async fn prometheus_scrapes_the_shop_and_raises_an_alert() {
    let shop = TestShop::start().await;
    let dir = tempfile::tempdir().unwrap();
    let target = shop.shop.private_addr().unwrap().to_string();
    let prometheus = Prometheus::start(dir.path(), &target).await;
    prometheus
        .until("/api/v1/targets", |data| {
            let target = &data["activeTargets"][0];
            (target["health"] == "up").then_some(())
        })
        .await;
    let rules =
        prometheus.until("/api/v1/rules", |data| data["groups"][0]["rules"].as_array().cloned()).await;
    assert!(rules.len() >= 15 && rules.iter().all(|rule| rule["lastError"].is_null()), "{rules:?}");
    prometheus
        .until("/api/v1/query?query=chotdon_http_responses_total%7Bclass=%225xx%22%7D", |data| {
            data["result"].as_array().is_some_and(|rows| rows.len() == 2).then_some(())
        })
        .await;
    let alerts = prometheus.ask("/api/v1/alerts").await.unwrap();
    assert!(!firing(&alerts, "ChotDonServerErrors"), "the control: nothing is wrong yet");

    // The keys cannot be read: SePay is asked to try again, fifteen times.
    shop.secrets.break_with(Some(SecretError::Unavailable("locked".to_owned())));
    // What was read before is good for a while; it is forgotten, as after a change by hand.
    shop.admin("POST", "/admin/api/reload", None).await;
    for _ in 0..15 {
        assert_eq!(shop.webhook(&shop.payment(10_000, "x")).await.0, 503);
    }
    shop.secrets.break_with(None);
    prometheus.until("/api/v1/alerts", |data| firing(data, "ChotDonServerErrors").then_some(())).await;
}
