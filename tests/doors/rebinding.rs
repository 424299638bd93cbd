//! Hostile pages in a real Chromium in which the owner is logged in: one whose name is pointed at our ports (DNS
//! rebinding), one of another site, one of another port of this machine.
#![cfg(target_os = "linux")]

use std::net::SocketAddr;

use axum::Router;
use chotdon_tests::{ADMIN_TOKEN, Storefront, TestShop, browse};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const EVIL: &str = include_str!("evil.html");

/// Where the attacker's name points to first.
const ELSEWHERE: [u8; 4] = [127, 0, 0, 2];

/// The attacker's machine: serves the page, and with `then` passes everything else on to a port of ours, byte for byte.
/// To the browser and to us that is what pointing the name elsewhere is: same name, same port, another listener.
async fn attacker(at: SocketAddr, then: Option<SocketAddr>) -> SocketAddr {
    let listener = TcpListener::bind(at).await.unwrap();
    let local = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, then));
        }
    });
    local
}

async fn serve(mut stream: TcpStream, then: Option<SocketAddr>) -> std::io::Result<()> {
    let mut start = vec![0; 8];
    let mut seen = 0;
    while seen < start.len() {
        match stream.peek(&mut start).await? {
            0 => return Ok(()),
            n => seen = n,
        }
    }
    if start.starts_with(b"GET /_ev") {
        let mut request = [0; 16_384];
        let _ = stream.read(&mut request).await?;
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            EVIL.len()
        );
        stream.write_all(head.as_bytes()).await?;
        return stream.write_all(EVIL.as_bytes()).await;
    }
    let Some(then) = then else { return Ok(()) };
    let mut ours = TcpStream::connect(then).await?;
    tokio::io::copy_bidirectional(&mut stream, &mut ours).await.map(drop)
}

/// What each page could read.
async fn could_read(wish: &Value) -> Vec<Vec<Value>> {
    let said = browse("rebinding.mjs", wish).await;
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The address of the attacker's page, which tries `targets`.
fn page(origin: &str, targets: &[String]) -> String {
    let targets = serde_json::to_string(targets).unwrap();
    let targets = percent_encoding::utf8_percent_encode(&targets, percent_encoding::NON_ALPHANUMERIC);
    format!("http://{origin}/_evil?{targets}")
}

const PRIVATE: [&str; 6] = [
    "/",
    "/admin/api/overview",
    "/admin/api/orders",
    "/admin/api/events",
    "/admin/api/queue/pause",
    "/health",
];
const PUBLIC: [&str; 4] = ["/healthz", "/api/v1/openapi.json", "/api/v1/courses", "/api/v1/payment/webhook"];

/// What nobody but the owner may read: the UI itself, an order, anything the listeners say in good spirits.
fn told(got: &[Value]) -> Vec<&Value> {
    let private = |one: &&Value| {
        let text = one["text"].as_str().unwrap();
        let refused = ["wrong_host", "foreign_page"].iter().any(|code| text.contains(code));
        // An empty frame of one's own is no news.
        let nothing = matches!(text, "" | "<html><head></head><body></body></html>");
        !refused && !nothing
    };
    got.iter().filter(private).collect()
}

async fn paused(shop: &TestShop) -> bool {
    let (_, overview) = shop.admin("GET", "/admin/api/overview", None).await;
    let text = overview.to_string();
    assert!(text.contains("paused"), "{text}");
    text.contains("\"paused\":true")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_in_the_owners_browser_reads_or_does_anything() {
    let shop = TestShop::start().await;
    let code =
        Storefront::with(&shop, "*").await.order(&["rust-co-ban"]).await["code"].as_str().unwrap().to_owned();
    let (public, private) = (shop.shop.public_addr(), shop.shop.private_addr().unwrap());
    let (_, before) = shop.admin("GET", "/admin/api/audit?limit=200", None).await;

    let mut pages = Vec::new();
    for (ours, paths) in [(private, &PRIVATE[..]), (public, &PUBLIC[..])] {
        attacker((ELSEWHERE, ours.port()).into(), Some(ours)).await;
        let rebound: Vec<String> =
            paths.iter().map(|path| format!("http://evil.test:{}{path}", ours.port())).collect();
        pages.push(page(&format!("evil.test:{}", ours.port()), &rebound));
    }
    // Of another site, and of another port of this machine, to which the browser gives the owner's cookie.
    let neighbour = attacker(([127, 0, 0, 1], 0).into(), None).await;
    let targets: Vec<String> = PRIVATE.iter().map(|path| format!("http://{private}{path}")).collect();
    pages.push(page(&format!("evil.test:{}", attacker((ELSEWHERE, 0).into(), None).await.port()), &targets));
    pages.push(page(&neighbour.to_string(), &targets));

    let wish = json!({
        "resolve": "MAP evil.test 127.0.0.2",
        "login": { "url": format!("http://{private}/"), "token": ADMIN_TOKEN },
        "pages": pages,
    });
    let got = could_read(&wish).await;
    assert_eq!(got.len(), 4);
    for (page, got) in pages.iter().zip(&got) {
        let told = told(got);
        assert!(told.is_empty(), "{page}: {told:#?}");
        assert!(!got.iter().any(|one| one["text"].as_str().unwrap().contains(&code)));
    }
    // The two under our ports were answered, and refused.
    assert!(got[0].iter().any(|one| one["text"].as_str().unwrap().contains("wrong_host")), "{:?}", got[0]);
    assert!(!paused(&shop).await);
    let (_, mut after) = shop.admin("GET", "/admin/api/audit?limit=200", None).await;
    let rows = after["rows"].as_array_mut().unwrap();
    let done = rows.len();
    rows.retain(|row| row["action"] != "login");
    assert_eq!(done - rows.len(), 1, "the owner logged in, in their own browser");
    assert_eq!(before, after, "nothing else was done");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_door_such_a_page_reads_everything() {
    let shop = TestShop::start().await;
    let order = Storefront::with(&shop, "*").await.order(&["rust-co-ban"]).await;
    // The admin API on a listener of its own: what the private door stands before.
    let bare: Router = shop.shop.admin();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ours = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, bare).await });
    attacker((ELSEWHERE, ours.port()).into(), Some(ours)).await;
    let target = format!("http://evil.test:{}/admin/api/orders", ours.port());
    let wish = json!({
        "resolve": "MAP evil.test 127.0.0.2",
        "pages": [page(&format!("evil.test:{}", ours.port()), &[target])],
    });
    let got = could_read(&wish).await;
    let code = order["code"].as_str().unwrap();
    assert!(got[0].iter().any(|one| one["text"].as_str().unwrap().contains(code)), "{got:?}");
    assert!(!told(&got[0]).is_empty());
}
