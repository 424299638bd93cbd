//! The table of `docs/threats.md` against a running shop: every route, asked under right and wrong names, by programs,
//! by pages of ours and of others, with no key, a wrong and a right one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use chotdon_tests::worker::{HandWorker, new_id};
use chotdon_tests::{ADMIN_TOKEN, API_KEY, Setup, Storefront, TestShop};
use serde_json::{Value, json};

use crate::raw::{Answer, Line, Raw};
use crate::table::{self, KEYS, Row, SITUATIONS, Says};

/// A name that the owner's proxy uses.
const OWN_NAME: &str = "shop.example.com";
/// The public address.
const BASE: &str = "https://khoahoc.example.com";

/// Headers by which a browser tells who asks; `OWN` stands for the host.
type Told = &'static [(&'static str, &'static str)];

/// What a browser sends, by column of the table.
const TOLD: &[(&str, Told)] = &[
    ("Program", &[]),
    ("Own page", &[("origin", "http://OWN"), ("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "cors")]),
    ("Own page", &[("origin", "https://OWN"), ("sec-fetch-site", "same-origin")]),
    ("Own page", &[("origin", "http://OWN")]),
    (
        "Address bar",
        &[("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")],
    ),
    (
        "Link",
        &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")],
    ),
    (
        "Link",
        &[("sec-fetch-site", "same-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")],
    ),
    (
        "Picture",
        &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")],
    ),
    ("Other page", &[("origin", "http://evil.test"), ("sec-fetch-site", "cross-site")]),
    ("Other page", &[("origin", "http://evil.test")]),
    ("Other page", &[("origin", "null")]),
    ("Other page", &[("origin", "")]),
    ("Other page", &[("origin", "http://OWN.evil.test")]),
    ("Other page", &[("origin", "http://127.0.0.1:1"), ("sec-fetch-site", "same-site")]),
    ("Other page", &[("origin", "http://OWN"), ("origin", "http://evil.test")]),
    ("Other page", &[("origin", "http://OWN"), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "cors")]),
    ("Other page", &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")]),
    ("Other page", &[("sec-fetch-site", "same-site"), ("sec-fetch-mode", "cors")]),
    (
        "Other page",
        &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
    ),
    (
        "Other page",
        &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "script")],
    ),
    ("Other page", &[("sec-fetch-site", "nonsense")]),
];

/// What `Host` can be: `Ok` where it is ours.
type Host = Result<String, String>;

/// One question to a listener, and what the table says.
struct Cell {
    public: bool,
    row: usize,
    raw: Raw,
    expected: Says,
    key: &'static str,
}

/// A shop with something behind every kind of route.
struct Ground {
    shop: TestShop,
    order: String,
    order_token: String,
    deposit: String,
    deposit_token: String,
    download: String,
    file: String,
    key: String,
}

impl Ground {
    async fn new() -> Self {
        let env = vec![
            ("CHOTDON_PUBLIC__BASE_URL", BASE.to_owned()),
            ("CHOTDON_PUBLIC__ALLOWED_HOSTS", OWN_NAME.to_owned()),
            ("CHOTDON_PRIVATE__ALLOWED_HOSTS", OWN_NAME.to_owned()),
            // How often is asked is another question.
            ("CHOTDON_LIMITS__ENABLED", "false".to_owned()),
        ];
        let shop = TestShop::with(Setup { env, ..Setup::default() }).await;
        let front = Storefront::with(&shop, "*").await;
        let text = |value: &Value, at: &str| value.pointer(at).unwrap().as_str().unwrap().to_owned();
        let token = |url: &str| url.split("t=").nth(1).unwrap().to_owned();
        let waiting = front.order(&["thiet-ke-giao-dien"]).await;
        let sold = front.order(&["rust-co-ban"]).await;
        let customer = front.post("/api/v1/customers", &json!({ "email": "mai@example.com" })).await.json();
        let code = text(&sold, "/code");
        shop.bank_receives(sold["total_vnd"].as_i64().unwrap(), &code).await;
        let done = shop.settled(&code, "completed").await;
        let link = done["items"][0]["link"].as_str().unwrap().to_owned();
        let download = link.rsplit('/').next().unwrap().to_owned();
        let listing = shop.public(&format!("/d/{download}"));
        let listing = shop.http.get(listing).header("accept", "application/json").send().await.unwrap();
        let listing: Value = listing.json().await.unwrap_or_default();
        let file = listing.pointer("/files/0/path").and_then(Value::as_str).unwrap_or_default().to_owned();
        let file =
            percent_encoding::utf8_percent_encode(&file, percent_encoding::NON_ALPHANUMERIC).to_string();
        let key = front.key.clone();
        Self {
            order: text(&waiting, "/code"),
            order_token: token(&text(&waiting, "/payment/pay_url")),
            deposit: text(&customer, "/deposit_code"),
            deposit_token: token(&text(&customer, "/topup_url")),
            download,
            file,
            key,
            shop,
        }
    }

    fn at(&self, public: bool) -> SocketAddr {
        if public { self.shop.shop.public_addr() } else { self.shop.shop.private_addr().unwrap() }
    }

    fn hosts(&self, public: bool) -> Vec<Host> {
        let port = self.at(public).port();
        let mut hosts: Vec<Host> = ["127.0.0.1", "localhost", "LocalHost", "[::1]"]
            .map(|name| Ok(format!("{name}:{port}")))
            .to_vec();
        hosts.push(Ok(OWN_NAME.to_owned()));
        let base = "khoahoc.example.com";
        if public {
            hosts.extend([Ok(base.to_owned()), Ok(format!("{base}:443"))]);
        } else {
            hosts.push(Err(base.to_owned()));
        }
        hosts.extend(
            [
                "",
                "127.0.0.1",
                "localhost",
                "0.0.0.0:PORT",
                "127.1:PORT",
                "localhost.:PORT",
                "127.0.0.1:PORT.",
                "evil.test:PORT",
                "evil.test",
                "shop.example.com.evil.test",
                "shop.example.com:PORT",
                "a@127.0.0.1:PORT",
                "127.0.0.1:1",
            ]
            .map(|host| Err(host.replace("PORT", &port.to_string()))),
        );
        hosts
    }

    /// Target, headers and body of a request to `route` with such a key.
    fn request(&self, public: bool, worker: &HandWorker<'_>, method: &str, route: &str, key: &str) -> Raw {
        let pick = |right: &str| match key {
            "Right key" => right.to_owned(),
            "Wrong key" => "A".repeat(right.len().max(3)),
            _ => String::new(),
        };
        let token = |code: &str, right: &str, more: &str| match key {
            "No key" => code.to_owned(),
            _ => format!("{code}?t={}{more}", pick(right)),
        };
        let target = match route {
            "/pay/{code}" => format!("/pay/{}", token(&self.order, &self.order_token, "")),
            "/pay/{code}/live" => format!("/pay/{}/{}", self.order, token("live", &self.order_token, "&v=")),
            "/topup/{code}" => format!("/topup/{}", token(&self.deposit, &self.deposit_token, "")),
            "/topup/{code}/live" => {
                format!("/topup/{}/{}", self.deposit, token("live", &self.deposit_token, "&v="))
            }
            "/d/{token}" => {
                format!("/d/{}", if key == "No key" { "x".to_owned() } else { pick(&self.download) })
            }
            "/d/{token}/{file}" => {
                let token = if key == "No key" { "x".to_owned() } else { pick(&self.download) };
                format!("/d/{token}/{}", self.file)
            }
            "/api/v1/qr/{file}" => {
                format!("/api/v1/qr/{}", token(&format!("{}.png", self.order), &self.order_token, ""))
            }
            "/api/v1/worker/files" if method == "PUT" => {
                "/api/v1/worker/files?task_id=999&lease_epoch=1&path=a&offset=0".to_owned()
            }
            "/api/v1/worker/files" => "/api/v1/worker/files?task_id=999&lease_epoch=1&path=a".to_owned(),
            "/api/v1/orders/{code}" => format!("/api/v1/orders/{}", self.order),
            _ => filled(route),
        };
        let mut raw = Raw::new(method, &target);
        let changes = !matches!(method, "GET" | "HEAD");
        if route.starts_with("/d/") {
            // Not the first byte: such a request is not counted as a download.
            raw = raw.with("range", "bytes=1-2");
        }
        if !public {
            if changes {
                raw.body = match (route, key) {
                    ("/login", "Right key") => json!({ "token": ADMIN_TOKEN }).to_string().into_bytes(),
                    ("/login", "Wrong key") => b"{\"token\":\"x\"}".to_vec(),
                    _ => b"{}".to_vec(),
                };
                raw = raw.with("content-type", "application/json");
            }
            return match key {
                _ if route == "/login" => raw,
                "Right key" => raw.with("authorization", format!("Bearer {ADMIN_TOKEN}")),
                "Wrong key" => raw.with("authorization", "Bearer wrong"),
                _ => raw,
            };
        }
        if route.contains("/worker/") || route.contains("finalize") {
            return signed(raw, worker, key);
        }
        if route.contains("webhook") {
            raw.body = TestShop::body(&self.shop.payment(10_000, "nothing of ours"));
            return match key {
                "Right key" => raw.with("authorization", format!("Apikey {API_KEY}")),
                "Wrong key" => raw.with("authorization", "Apikey wrong"),
                _ => raw,
            };
        }
        if changes {
            raw.body = b"{}".to_vec();
            raw = raw.with("content-type", "application/json");
        }
        let keyed = ["/orders", "/customers", "/courses"].iter().any(|part| route.contains(part));
        match key {
            "Right key" if keyed => raw.with("authorization", format!("Bearer {}", self.key)),
            "Wrong key" if keyed => raw.with("authorization", "Bearer wrong"),
            _ => raw,
        }
    }
}

fn signed(mut raw: Raw, worker: &HandWorker<'_>, key: &str) -> Raw {
    let text = match raw.method.as_str() {
        "GET" | "HEAD" => format!("GET {}\n", raw.target).into_bytes(),
        "PUT" => {
            let digest = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
            raw = raw.with("content-digest", digest);
            format!("PUT {}\n{digest}", raw.target).into_bytes()
        }
        _ => {
            raw.body = b"{\"type\":\"task.claim\",\"data\":{}}".to_vec();
            raw.body.clone()
        }
    };
    if key == "No key" {
        return raw;
    }
    for (name, value) in worker.sign(&new_id(), if key == "Right key" { &text } else { b"other" }) {
        raw = raw.with(name, value);
    }
    raw
}

fn filled(route: &str) -> String {
    let mut out = String::new();
    for (n, part) in route.split('/').enumerate() {
        out.push_str(if n > 0 { "/" } else { "" });
        out.push_str(if part.contains("id}") {
            "999999"
        } else if part.contains('{') {
            "nothing"
        } else {
            part
        });
    }
    out
}

/// Every route with its methods, by listener, each with its row.
fn routes(rows: &[Row]) -> Vec<(bool, usize, String, BTreeSet<String>)> {
    let mut all = Vec::new();
    let documents = [
        (true, chotdon_core::http::storefront::openapi()),
        (false, serde_json::from_str(&chotdon_core::http::admin::openapi()).unwrap()),
    ];
    for (public, document) in documents {
        let listener = if public { "public" } else { "private" };
        let mut seen = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            let row = rows.iter().position(|row| row.listener == listener && row.covers(path));
            let row = row.unwrap_or_else(|| panic!("docs/threats.md has no row for {listener} {path}"));
            let methods: BTreeSet<String> =
                methods.as_object().unwrap().keys().map(|method| method.to_ascii_uppercase()).collect();
            let listed: BTreeSet<String> = rows[row].methods.iter().cloned().collect();
            assert!(listed.is_empty() || listed == methods, "{path}: {methods:?} are not {listed:?}");
            // Those with parameters are asked once, as the table writes them.
            if rows[row].methods.is_empty() && seen.insert(path.clone()) {
                all.push((public, row, path.clone(), methods));
            }
        }
        for (n, row) in rows.iter().enumerate().filter(|(_, row)| row.listener == listener) {
            let plain = row.routes.iter().filter(|route| !route.ends_with('*') && !seen.contains(*route));
            all.extend(plain.map(|route| {
                let mut methods: BTreeSet<String> = row.methods.iter().cloned().collect();
                if methods.is_empty() {
                    methods.insert("GET".to_owned());
                }
                (public, n, route.clone(), methods)
            }));
            if row.routes.is_empty() {
                let nothing = [
                    "/",
                    "/index.html",
                    "/api",
                    "/api/v1",
                    "/api/v2/orders",
                    "/admin/api/overview",
                    "/health",
                    "/metrics",
                    "/login",
                    "/healthz/",
                    "/api/v1/payment/webhook/",
                    "/pay",
                    "/.env",
                    "/%2e%2e/admin",
                ];
                let methods = || ["GET", "POST"].map(str::to_owned).into();
                all.extend(nothing.map(|path| (public, n, path.to_owned(), methods())));
            }
        }
    }
    all
}

fn cells(ground: &Ground, worker: &HandWorker<'_>, rows: &[Row]) -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut whole = BTreeSet::new();
    for (public, n, route, methods) in routes(rows) {
        let row = &rows[n];
        // The first route of a row in every combination, the others in those that differ in one way.
        let in_full = whole.insert(n);
        let hosts = ground.hosts(public);
        let mut other = vec!["OPTIONS", "PATCH", "TRACE"];
        if row.routes.is_empty() {
            other.clear();
        }
        let asked = methods.iter().map(|method| (method.as_str(), true));
        let head = methods.contains("GET").then_some(("HEAD", true));
        for (method, served) in asked.chain(head).chain(other.into_iter().map(|method| (method, false))) {
            for (h, host) in hosts.iter().enumerate() {
                for (t, (column, told)) in TOLD.iter().enumerate() {
                    for (k, key) in KEYS.iter().enumerate() {
                        let differences = usize::from(h > 0) + usize::from(t > 0);
                        if (!in_full || !served) && differences > 1 || (!served && k > 0) {
                            continue;
                        }
                        if in_full && differences > 1 && k > 0 && (h + t) % 3 > 0 {
                            continue;
                        }
                        // What can be done is done once.
                        let does = method != "GET" && method != "HEAD" && *key == "Right key" && !public;
                        if does && differences > 0 && expected(row, host, column, served, k) == Says::In {
                            continue;
                        }
                        let own = host.as_ref().unwrap_or_else(|bad| bad);
                        let mut raw = ground.request(public, worker, method, &route, key);
                        let headers = std::mem::take(&mut raw.headers);
                        if !own.is_empty() {
                            raw = raw.with("host", own.as_str());
                        }
                        for (name, value) in *told {
                            raw = raw.with(name, value.replace("OWN", &own.to_ascii_lowercase()));
                        }
                        raw.headers.extend(headers);
                        let expected = expected(row, host, column, served, k);
                        cells.push(Cell { public, row: n, raw, expected, key });
                    }
                }
            }
            // Two names, or two that contradict each other.
            let own = hosts[0].clone().unwrap_or_default();
            let plain = ground.request(public, worker, method, &route, "No key");
            let twice = plain.clone().with("host", own.as_str()).with("host", own.as_str());
            let mut contradicted = plain.with("host", own.as_str());
            contradicted.target = format!("http://evil.test{}", contradicted.target);
            for raw in [twice, contradicted] {
                cells.push(Cell { public, row: n, raw, expected: Says::Status(421), key: "No key" });
            }
        }
    }
    cells
}

fn expected(row: &Row, host: &Host, column: &str, served: bool, key: usize) -> Says {
    if host.is_err() {
        return Says::Status(421);
    }
    let situation = SITUATIONS.iter().position(|name| *name == column).expect("a column");
    match (row.situations[situation], served) {
        (Says::In, false) => row.other_method,
        (Says::In, true) => row.keys[key],
        (status, _) => status,
    }
}

/// What is wrong with an answer, if anything.
fn wrong(cell: &Cell, answer: &Answer) -> Option<String> {
    let bad = |header: &str| answer.headers.iter().any(|(name, _)| name.starts_with(header));
    if bad("access-control") || bad("server") || bad("x-powered-by") {
        return Some(format!("tells too much: {:?}", answer.headers));
    }
    let fine = match cell.expected {
        Says::Status(status) => answer.status == status,
        // A right key opens a page; behind other doors there may be nothing under the name that was asked for.
        Says::In => {
            !matches!(answer.status, 401 | 403 | 405 | 421 | 429 | 500)
                && (!cell.public
                    || cell.key != "Right key"
                    || !is_page(&cell.raw.target)
                    || answer.status < 300)
        }
    };
    (!fine).then(|| format!("is answered {} and not {:?}", answer.status, cell.expected))
}

fn is_page(target: &str) -> bool {
    ["/pay/", "/topup/", "/d/", "/api/v1/qr/"].iter().any(|page| target.starts_with(page))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_combination_is_answered_as_the_table_says() {
    let rows = table::read(table::PAGE);
    let ground = Ground::new().await;
    let worker = HandWorker::new(&ground.shop, "tay").await;
    let (logins, cells): (Vec<Cell>, Vec<Cell>) = cells(&ground, &worker, &rows)
        .into_iter()
        .partition(|cell| !cell.public && cell.raw.target == "/login");
    assert!(cells.len() >= 5_000, "{} cells", cells.len());

    let mut findings = Vec::new();
    let mut refusals: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    let mut met: BTreeMap<(bool, u16), usize> = BTreeMap::new();
    let mut judge = |cell: &Cell, answer: &Answer| {
        *met.entry((cell.public, answer.status)).or_default() += 1;
        if answer.status == 401 && cell.raw.method != "HEAD" {
            refusals.entry(cell.row).or_default().insert(answer.text());
        }
        if let Some(what) = wrong(cell, answer) {
            let Raw { method, target, headers, .. } = &cell.raw;
            findings.push(format!(
                "{method} {target} with {:?} {headers:?} {what}: {}",
                cell.key,
                answer.text()
            ));
        }
    };
    let lanes = 8;
    let asked = futures::future::join_all((0..lanes).map(|lane| {
        let (cells, ground) = (&cells, &ground);
        async move {
            let mut lines = [false, true].map(|public| Line::to(ground.at(public)));
            let mut answers = Vec::new();
            for cell in cells.iter().skip(lane).step_by(lanes) {
                let answer = lines[usize::from(cell.public)].ask(&cell.raw).await;
                answers.push((cell, answer.unwrap_or_else(|error| panic!("{:?}: {error}", cell.raw))));
            }
            answers
        }
    }))
    .await;
    for (cell, answer) in asked.iter().flatten() {
        judge(cell, answer);
    }
    let mut line = Line::to(ground.at(false));
    for cell in &logins {
        judge(cell, &line.ask(&cell.raw).await.unwrap());
        if cell.key == "Wrong key" {
            // Ten of them would shut the login for a minute.
            ground.shop.clock.jump(61_000);
        }
    }
    println!("{} cells: {met:?}", cells.len() + logins.len());
    assert!(
        findings.is_empty(),
        "{} findings:\n{}",
        findings.len(),
        findings[..findings.len().min(25)].join("\n")
    );
    for (row, bodies) in refusals {
        // A worker is told which of its headers is missing; whether a key is known is told to nobody.
        let said = if rows[row].covers("/api/v1/worker/files") || rows[row].covers("/api/v1/worker/claim") {
            let codes =
                bodies.iter().map(|body| serde_json::from_str::<Value>(body).unwrap()["code"].to_string());
            codes.collect::<BTreeSet<_>>()
        } else {
            bodies
        };
        assert_eq!(said.len(), 1, "{:?}: {said:#?}", rows[row].routes);
    }
    for status in [200, 401, 403, 404, 405, 421] {
        assert!(met.keys().any(|(_, known)| *known == status), "{status} was never met: {met:?}");
    }
}

#[tokio::test]
async fn a_listener_off_loopback_needs_its_setting_and_says_so() {
    use chotdon_tests::served::Home;
    let doors =
        [("--public", "public.allow_remote", "--private"), ("--private", "private.allow_remote", "--public")];
    for (at, setting, other) in doors {
        let home = Home::new().await.unwrap();
        for address in ["0.0.0.0:0", "[::]:0"] {
            // The other door at no port that somebody may have.
            let asked = ["serve", "--demo", at, address, other, "127.0.0.1:0"];
            let error = home.run(&asked, "").await.unwrap_err().to_string();
            assert!(error.contains(setting) && error.contains("reachable from other machines"), "{error}");
        }
    }
}
