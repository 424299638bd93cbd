//! Many requests that nobody signed: SePay's are taken all the same, nothing is written, memory stays.
//! `CHOTDON_LONG=1` runs the full minute and a hundred thousand addresses.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use chotdon_tests::served::{Home, Served};
use chotdon_tests::{API_KEY, Ground, Setup, TestShop};
use serde_json::Value;

use crate::raw::{Answer, Line, Raw};

/// Whether the long form is asked for.
#[allow(clippy::disallowed_methods)] // said by the environment
pub(crate) fn long() -> bool {
    std::env::var_os("CHOTDON_LONG").is_some()
}

#[allow(clippy::disallowed_methods)] // measures the program from outside
pub(crate) fn now() -> Instant {
    Instant::now()
}

pub(crate) fn now_s() -> i64 {
    Ground::new().clock.now_ms() / 1_000
}

/// What the process keeps in memory, bytes.
#[cfg(target_os = "linux")]
pub(crate) fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

fn host(served: &Served) -> (std::net::SocketAddr, String) {
    let host = served.public.trim_start_matches("http://").to_owned();
    (host.parse().unwrap(), host)
}

/// An unsigned webhook.
fn unsigned(host: &str) -> Raw {
    let mut raw = Raw::new("POST", "/api/v1/payment/webhook")
        .with("host", host)
        .with("content-type", "application/json")
        .with("authorization", "Apikey not-the-key");
    raw.body =
        TestShop::body(&chotdon_tests::Payment { id: 1, amount: 1_000_000, content: "DH000000".into() });
    raw
}

/// Sends `raw` on some lines at `per_s` until it is over; answers how often each status came.
async fn pour(
    at: std::net::SocketAddr,
    per_s: u32,
    over: Instant,
    raw: impl Fn(u64) -> Raw,
) -> BTreeMap<u16, u64> {
    const LINES: u32 = 32;
    let lines = (0..LINES).map(|n| {
        let raw = &raw;
        async move {
            let mut line = Line::to(at);
            let mut seen: BTreeMap<u16, u64> = BTreeMap::new();
            let mut tick = tokio::time::interval(Duration::from_secs(1) * LINES / per_s);
            let mut sent = u64::from(n);
            while now() < over {
                tick.tick().await;
                let Answer { status, .. } = line.ask(&raw(sent)).await.unwrap();
                *seen.entry(status).or_default() += 1;
                sent += u64::from(LINES);
            }
            seen
        }
    });
    let mut all = BTreeMap::new();
    for seen in futures::future::join_all(lines).await {
        for (status, n) in seen {
            *all.entry(status).or_default() += n;
        }
    }
    all
}

/// The database as it lies on the disk.
fn on_disk(data: &Path) -> Vec<(u64, Option<std::time::SystemTime>)> {
    let look =
        |name: &str| std::fs::metadata(data.join(name)).map_or((0, None), |m| (m.len(), m.modified().ok()));
    ["shop.db", "shop.db-wal"].map(look).to_vec()
}

/// Waits until nothing was written for a while: what a start brings with it is done.
fn quiet(data: &Path) {
    let (mut seen, mut looks) = (on_disk(data), 0);
    let waited = chotdon_tests::machine::look_until(Duration::from_secs(60), || {
        let now = on_disk(data);
        looks = if now == seen { looks + 1 } else { 0 };
        seen = now;
        Ok((looks > 40).then_some(()))
    });
    waited.unwrap().expect("the shop comes to rest");
}

async fn transfers(served: &Served) -> i64 {
    served.admin("GET", "/admin/api/money", None).await.unwrap().1["transfers"].as_i64().unwrap()
}

/// How often each reason stands on the Webhook page.
async fn rejected(served: &Served) -> BTreeMap<String, i64> {
    let (_, summary) = served.admin("GET", "/admin/api/webhooks/summary", None).await.unwrap();
    reasons(&summary)
}

fn reasons(summary: &Value) -> BTreeMap<String, i64> {
    let rows = summary["rejected_24h"].as_array().unwrap().iter();
    rows.map(|row| (row["reason"].as_str().unwrap().to_owned(), row["count"].as_i64().unwrap())).collect()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_unsigned_webhooks_takes_nothing_from_sepay() {
    let home = Home::new().await.unwrap();
    let mut served = home.serve().await.unwrap();
    served.token = home.run(&["admin-token"], "").await.unwrap();
    let (at, host) = host(&served);
    let seconds = Duration::from_secs(if long() { 60 } else { 5 });

    // The first refusal is kept at once, the others a minute later.
    let mut line = Line::to(at);
    assert_eq!(line.ask(&unsigned(&host)).await.unwrap().status, 401);
    quiet(&home.data());
    let rows = transfers(&served).await;
    let memory = resident(served.pid());

    let before = on_disk(&home.data());
    let alone = pour(at, 1_000, now() + seconds.min(Duration::from_secs(40)), |_| unsigned(&host)).await;
    assert_eq!(on_disk(&home.data()), before, "nothing is written for a stranger");
    assert_eq!(alone.keys().copied().collect::<Vec<_>>(), [401, 429], "{alone:?}");

    let over = now() + seconds;
    let signed = async {
        let mut times = Vec::new();
        let mut tick = tokio::time::interval(Duration::from_millis(50));
        for id in 10_000.. {
            tick.tick().await;
            let began = now();
            if began >= over {
                break;
            }
            let (status, answer) = served.webhook(id, 1_000, "flood", now_s()).await.unwrap();
            assert_eq!(status, 200, "{answer}");
            times.push(began.elapsed());
        }
        times
    };
    let (refused, mut times) = tokio::join!(pour(at, 1_000, over, |_| unsigned(&host)), signed);
    times.sort_unstable();
    let n: u64 = refused.values().sum();
    let (worst, grown) = (times.last().unwrap(), resident(served.pid()).saturating_sub(memory));
    println!(
        "{} signed beside {n} unsigned ({:?}) in {seconds:?}: p50 {:?}, worst {worst:?}; memory +{} KiB",
        times.len(),
        refused,
        times[times.len() / 2],
        grown >> 10
    );
    let late = times.iter().filter(|time| **time > Duration::from_secs(5)).count();
    assert!(late * 1_000 <= times.len(), "{late} of {} came late", times.len());
    assert!(times.len() >= 20 && n >= 500, "{} and {n}", times.len());
    assert_eq!(transfers(&served).await, rows + i64::try_from(times.len()).unwrap());
    assert!(grown < 32 << 20, "{} KiB more", grown >> 10);
    let told = rejected(&served).await;
    assert!(told["rate_limited"] > 0 && told["unauthorized"] > 0, "{told:?}");
    served.stop().await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn forged_addresses_without_end_cost_no_memory() {
    let mut home = Home::new().await.unwrap();
    home.env.push(("CHOTDON_PUBLIC__CLIENT_IP_HEADER", "CF-Connecting-IP".to_owned()));
    let served = home.serve().await.unwrap();
    let (at, host) = host(&served);
    let from = |n: u64| {
        unsigned(&host).with("cf-connecting-ip", std::net::Ipv4Addr::from(n as u32 ^ 0x0b00_0000).to_string())
    };
    let lines = |from_n: u64, to: u64| {
        let from = &from;
        futures::future::join_all((0..16).map(move |lane| async move {
            let mut line = Line::to(at);
            for n in (from_n + lane..to).step_by(16) {
                line.ask(&from(n)).await.unwrap();
            }
        }))
    };
    lines(0, 2_000).await;
    let memory = resident(served.pid());
    let addresses = if long() { 100_000 } else { 10_000 };
    lines(2_000, 2_000 + addresses).await;
    let grown = resident(served.pid()).saturating_sub(memory);
    println!("{addresses} addresses: memory +{} KiB", grown >> 10);
    assert!(grown < 10 << 20, "{} KiB more", grown >> 10);
    served.stop().await.unwrap();
}

/// A shop with small figures.
async fn small(more: &[(&'static str, &str)]) -> TestShop {
    let mut env = vec![
        ("CHOTDON_LIMITS__VISITOR_PER_S", "1".to_owned()),
        ("CHOTDON_LIMITS__VISITORS_PER_S", "50".to_owned()),
        ("CHOTDON_LIMITS__REFUSED_PER_S", "1".to_owned()),
        ("CHOTDON_LIMITS__REFUSED_TOTAL_PER_S", "2".to_owned()),
    ];
    for (name, value) in more {
        env.retain(|(known, _)| known != name);
        env.push((name, (*value).to_owned()));
    }
    TestShop::with(Setup { env, ..Setup::default() }).await
}

/// Statuses of so many requests, all in one moment of the shop's time.
async fn statuses(shop: &TestShop, n: usize, raw: impl Fn(usize) -> Raw) -> BTreeMap<u16, usize> {
    let at = shop.shop.public_addr();
    let mut line = Line::to(at);
    let mut seen = BTreeMap::new();
    for n in 0..n {
        let answer = line.ask(&raw(n).with("host", at.to_string())).await.unwrap();
        if answer.status == 429 {
            let wait: i64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=60).contains(&wait), "{wait}");
            assert!(answer.text().contains("rate_limited"));
        }
        *seen.entry(answer.status).or_default() += 1;
    }
    seen
}

fn page(_: usize) -> Raw {
    Raw::new("GET", "/pay/DH000000?t=x")
}

/// As long as ten requests take on a busy machine, some tokens come back.
fn about(seen: &BTreeMap<u16, usize>, status: u16, most: usize) -> bool {
    let n = seen.get(&status).copied().unwrap_or(0);
    n > 0 && n <= most
}

#[tokio::test]
async fn a_forged_header_gives_nobody_a_budget_of_their_own() {
    let forged = |n: usize| {
        page(n)
            .with("cf-connecting-ip", format!("198.51.100.{n}"))
            .with("x-forwarded-for", format!("198.51.100.{n}"))
            .with("x-real-ip", format!("198.51.100.{n}"))
            .with("forwarded", format!("for=198.51.100.{n}"))
    };
    // No tunnel that sets one: all are the same.
    let shop = small(&[("CHOTDON_LIMITS__VISITORS_PER_S", "1")]).await;
    let seen = statuses(&shop, 100, forged).await;
    assert!(about(&seen, 404, 20), "{seen:?}");

    // A tunnel that sets one: the others are not read, and its own tells visitors apart.
    let shop = small(&[("CHOTDON_PUBLIC__CLIENT_IP_HEADER", "CF-Connecting-IP")]).await;
    let same = |n: usize| forged(n).with("cf-connecting-ip", "203.0.113.1");
    let real = |n: usize| {
        let mut raw = same(n);
        raw.headers.retain(|(name, value)| name != "cf-connecting-ip" || value == "203.0.113.1");
        raw
    };
    let seen = statuses(&shop, 60, real).await;
    assert!(about(&seen, 404, 30), "{seen:?}");
    let other = statuses(&shop, 1, |n| page(n).with("cf-connecting-ip", "203.0.113.2")).await;
    assert_eq!(other, BTreeMap::from([(404, 1)]), "another visitor is not affected");
    // Twice the header: nobody's.
    let twice = statuses(&shop, 20, same).await;
    assert_eq!(twice.get(&404), Some(&20), "{twice:?}");

    // The control: without limits nobody is slowed down.
    let shop = small(&[("CHOTDON_LIMITS__ENABLED", "false")]).await;
    assert_eq!(statuses(&shop, 100, page).await, BTreeMap::from([(404, 100)]));
}

#[tokio::test]
async fn whoever_sends_wrong_keys_is_slowed_down_and_sepay_beside_them_is_not() {
    let shop = small(&[("CHOTDON_PUBLIC__CLIENT_IP_HEADER", "CF-Connecting-IP")]).await;
    let at = shop.shop.public_addr().to_string();
    let wrong = |_| {
        let mut raw = unsigned(&at).with("cf-connecting-ip", "203.0.113.1");
        raw.headers.retain(|(name, _)| name != "host");
        raw
    };
    let seen = statuses(&shop, 60, wrong).await;
    assert!(about(&seen, 401, 30) && seen[&429] >= 30, "{seen:?}");
    // From the very address that was refused so often.
    for _ in 0..50 {
        let (status, answer) = post(&shop, "203.0.113.1").await;
        assert_eq!(status, 200, "{answer}");
    }
    let keys = |_| {
        Raw::new("GET", "/api/v1/courses")
            .with("authorization", "Bearer guess")
            .with("cf-connecting-ip", "203.0.113.1")
    };
    let seen = statuses(&shop, 20, keys).await;
    assert!(seen.get(&429).is_some_and(|n| *n >= 10), "no further key is looked up: {seen:?}");
    shop.clock.jump(3_600_000);
    assert_eq!(statuses(&shop, 1, keys).await, BTreeMap::from([(401, 1)]), "later it is");
}

/// SePay's webhook, come from this address; answers status and body.
async fn post(shop: &TestShop, from: &str) -> (u16, Value) {
    let payment = shop.payment(1_000, "limits");
    let request = shop
        .http
        .post(shop.public("/api/v1/payment/webhook"))
        .header("authorization", format!("Apikey {API_KEY}"))
        .header("content-type", "application/json")
        .header("cf-connecting-ip", from)
        .body(TestShop::body(&payment));
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
}

#[tokio::test]
async fn a_list_of_sepays_addresses_counts_where_a_tunnel_tells_them_and_is_seen_to_refuse() {
    let listed = ("CHOTDON_SEPAY__ALLOWED_IPS", "172.236.138.20,103.255.0.0/16");
    let shop = small(&[listed, ("CHOTDON_PUBLIC__CLIENT_IP_HEADER", "CF-Connecting-IP")]).await;
    assert_eq!(post(&shop, "172.236.138.20").await.0, 200);
    assert_eq!(post(&shop, "103.255.238.139").await.0, 200);
    let (status, answer) = post(&shop, "203.0.113.9").await;
    assert_eq!((status, answer["error"].as_str()), (403, Some("address_not_allowed")));
    assert_eq!(shop.webhook(&shop.payment(1_000, "from this machine")).await.0, 200);
    let (_, summary) = shop.admin("GET", "/admin/api/webhooks/summary", None).await;
    assert_eq!(reasons(&summary), BTreeMap::from([("not_allowed_ip".to_owned(), 1)]));
    assert_eq!(shop.money().await["transfers"], 3);
    // Without a header that can be believed the list says nothing.
    let shop = small(&[listed]).await;
    assert_eq!(post(&shop, "203.0.113.9").await.0, 200);
}

#[tokio::test]
async fn a_webhook_under_a_wrong_name_is_refused_and_seen() {
    let shop = TestShop::start().await;
    let mut raw = Raw::new("POST", "/api/webhook/sepay").with("host", "old-name.example.com");
    raw.body = TestShop::body(&shop.payment(1_000, "x"));
    raw = raw.with("authorization", format!("Apikey {API_KEY}"));
    assert_eq!(Line::to(shop.shop.public_addr()).ask(&raw).await.unwrap().status, 421);
    let (_, summary) = shop.admin("GET", "/admin/api/webhooks/summary", None).await;
    assert_eq!(reasons(&summary), BTreeMap::from([("wrong_host".to_owned(), 1)]));
}

#[tokio::test]
async fn forwarding_headers_change_nothing_at_the_private_door() {
    let shop = TestShop::start().await;
    let at = shop.shop.private_addr().unwrap();
    let mut line = Line::to(at);
    let mut seen = Vec::new();
    for n in 0..12 {
        let mut raw = Raw::new("POST", "/login")
            .with("host", at.to_string())
            .with("content-type", "application/json")
            .with("cf-connecting-ip", format!("198.51.100.{n}"))
            .with("x-forwarded-for", format!("198.51.100.{n}"))
            .with("x-forwarded-host", "evil.test");
        raw.body = b"{\"token\":\"guess\"}".to_vec();
        seen.push(line.ask(&raw).await.unwrap().status);
    }
    assert_eq!(seen, [[401; 10].as_slice(), &[429; 2]].concat());
}
