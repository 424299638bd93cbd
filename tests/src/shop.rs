//! A whole shop in a temporary directory, with time, secrets and notifications under control.
//! Verbs read as a test tells its story: `order`, `bank_receives`, `settled`.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chotdon_core::ports::{Clock, Notifier, Ports, Probe, SecretStore, Toast};
use chotdon_core::secrets::MemorySecrets;
use chotdon_core::{Options, Shop};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

/// The API key that a test shop expects of SePay.
pub const API_KEY: &str = "testkey0123456789ABCDEF";
/// The HMAC secret that a test shop expects of SePay.
pub const HMAC_SECRET: &str = "whsec_test_0123456789abcdef";

/// The bearer token of a test shop's private listener.
pub const ADMIN_TOKEN: &str = "admin0123456789abcdefghijklmnopqrstuvwxyz";

/// The machine's clock moved by as much as a test says; waits shrink by `hurry`.
#[derive(Debug)]
pub struct MarkedClock {
    ahead_ms: AtomicI64,
    /// Of these, slept through.
    slept_ms: AtomicI64,
    hurry: AtomicU64,
    moved: tokio::sync::Notify,
}

impl MarkedClock {
    /// What the shop takes for now, ms.
    #[allow(clippy::disallowed_methods)] // the test's own clock
    pub fn now_ms(&self) -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX) + self.ahead_ms.load(Ordering::SeqCst)
    }

    /// The machine sleeps for `ms`: the time goes on, and nothing on it does.
    pub fn sleeps_for(&self, ms: i64) {
        self.slept_ms.fetch_add(ms, Ordering::SeqCst);
        self.jump(ms);
    }

    /// Jumps `ms` ahead (or back) and wakes who waits for a time.
    pub fn jump(&self, ms: i64) {
        self.ahead_ms.fetch_add(ms, Ordering::SeqCst);
        self.moved.notify_waiters();
    }
}

/// Wraps the clock so that it can be handed to the shop and kept by the test.
struct Handed(Arc<MarkedClock>);

impl Clock for Handed {
    fn now_ms(&self) -> i64 {
        self.0.now_ms()
    }

    fn awake_ms(&self) -> Option<i64> {
        Some(self.0.now_ms() - self.0.slept_ms.load(Ordering::SeqCst))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let clock = self.0.clone();
        let hurry = clock.hurry.load(Ordering::SeqCst).max(1);
        let wait = duration / u32::try_from(hurry).unwrap_or(1);
        Box::pin(async move {
            let moved = clock.moved.notified();
            let _ = tokio::time::timeout(wait, moved).await;
        })
    }
}

/// Keeps what would have been shown.
#[derive(Debug, Default)]
pub struct HeldNotifier {
    toasts: Mutex<Vec<Toast>>,
}

impl HeldNotifier {
    /// Everything shown so far.
    pub fn shown(&self) -> Vec<Toast> {
        self.toasts.lock().expect("no test panics while showing").clone()
    }
}

struct HandedNotifier(Arc<HeldNotifier>);

impl Notifier for HandedNotifier {
    fn show(&self, toast: Toast) -> BoxFuture<'_, Result<(), String>> {
        self.0.toasts.lock().expect("no test panics while showing").push(toast);
        self.ready()
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }
}

/// What the bank reports.
#[derive(Debug, Clone)]
pub struct Payment {
    /// SePay's id.
    pub id: i64,
    /// Whole đồng.
    pub amount: i64,
    /// Transfer text.
    pub content: String,
}

/// A shop of its own for one test.
pub struct TestShop {
    /// The running shop.
    pub shop: Shop,
    /// Its clock.
    pub clock: Arc<MarkedClock>,
    /// What it showed on the desktop.
    pub notifier: Arc<HeldNotifier>,
    /// Its secret store.
    pub secrets: Arc<MemorySecrets>,
    /// A client for its public listener.
    pub http: reqwest::Client,
    admin: axum::Router,
    ids: AtomicI64,
    dir: tempfile::TempDir,
}

/// What outlives a shop that was closed: its directory, its time, its secrets.
pub struct Ground {
    /// The time.
    pub clock: Arc<MarkedClock>,
    /// The secrets.
    pub secrets: Arc<MemorySecrets>,
    dir: tempfile::TempDir,
}

impl Ground {
    /// An empty directory, the machine's time, and the keys that SePay has.
    pub fn new() -> Self {
        let secrets = MemorySecrets::with([
            ("sepay.api_key", API_KEY),
            ("sepay.hmac_secret", HMAC_SECRET),
            ("admin.token", ADMIN_TOKEN),
        ]);
        let clock = MarkedClock {
            ahead_ms: AtomicI64::new(0),
            slept_ms: AtomicI64::new(0),
            hurry: AtomicU64::new(1),
            moved: tokio::sync::Notify::new(),
        };
        let dir = tempfile::tempdir().expect("a temporary directory");
        Self { clock: Arc::new(clock), secrets: Arc::new(secrets), dir }
    }
}

impl Ground {
    /// The shop's directory.
    pub fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// Puts a secret there before a shop is opened.
    pub fn set_secret(&self, name: &str, value: &str) {
        self.secrets.set(name, value.to_owned().into()).now_or_never();
    }
}

impl Default for Ground {
    fn default() -> Self {
        Self::new()
    }
}

/// How a test shop differs from the usual one.
#[derive(Default)]
pub struct Setup {
    /// `CHOTDON_…` variables.
    pub env: Vec<(&'static str, String)>,
    /// Called at named points of tasks.
    pub probe: Probe,
}

impl TestShop {
    /// A demo shop: sample courses, mail into a folder, retries after milliseconds.
    pub async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    /// A demo shop with differences.
    pub async fn with(setup: Setup) -> Self {
        Self::on(Ground::new(), setup).await
    }

    /// A demo shop where one was before, or where a test has laid something out.
    pub async fn on(ground: Ground, setup: Setup) -> Self {
        let Ground { clock, secrets, dir } = ground;
        let notifier = Arc::new(HeldNotifier::default());
        let ports = Ports {
            clock: Arc::new(Handed(clock.clone())),
            secrets: secrets.clone(),
            notifier: Arc::new(HandedNotifier(notifier.clone())),
            probe: setup.probe,
        };
        let mut env: Vec<(String, String)> = vec![
            // The tests' day has no night.
            ("CHOTDON_NOTIFICATIONS__QUIET_FROM".into(), "00:00".into()),
            ("CHOTDON_NOTIFICATIONS__QUIET_TO".into(), "00:00".into()),
        ];
        env.extend(setup.env.into_iter().map(|(key, value)| (key.to_owned(), value)));
        let options = Options {
            data_dir: dir.path().to_owned(),
            demo: true,
            public: Some(([127, 0, 0, 1], 0).into()),
            private: Some(([127, 0, 0, 1], 0).into()),
            env,
        };
        let shop = Shop::start(options, ports).await.expect("the shop starts");
        let admin = shop.admin();
        let (http, ids) = (reqwest::Client::new(), AtomicI64::new(1));
        Self { shop, clock, notifier, http, admin, ids, secrets, dir }
    }

    /// Closes the shop at once, as an app that is ended; what outlives it can be opened again.
    pub async fn stop(self) -> Ground {
        let Self { shop, clock, secrets, dir, .. } = self;
        shop.shutdown(Duration::ZERO).await;
        Ground { clock, secrets, dir }
    }

    /// The shop's directory.
    pub fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// Address of a public route.
    pub fn public(&self, path: &str) -> String {
        format!("http://{}{path}", self.shop.public_addr())
    }

    /// The shop's time, whole seconds since 1970, as SePay signs it.
    pub fn now_s(&self) -> i64 {
        self.clock.now_ms().div_euclid(1000)
    }

    /// Asks the admin API as the window does; answers status and JSON.
    pub async fn admin(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = axum::http::Request::builder().method(method).uri(path);
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map_or_else(axum::body::Body::empty, |body| axum::body::Body::from(body.to_string()));
        let response = self
            .admin
            .clone()
            .oneshot(request.body(body).expect("a request"))
            .await
            .expect("the router answers");
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.expect("a body").to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// Creates an order of these courses; answers its code and what it costs.
    pub async fn order(&self, courses: &[&str]) -> (String, i64) {
        let items: Vec<Value> = courses.iter().map(|slug| json!({ "course": slug })).collect();
        let body =
            json!({ "customer": { "email": "lan@example.com", "name": "Trần Thị Lan" }, "items": items });
        let (status, order) = self.admin("POST", "/admin/api/orders", Some(body)).await;
        assert_eq!(status, 201, "{order}");
        let code = order["order"]["code"].as_str().expect("a code").to_owned();
        (code, order["order"]["total_vnd"].as_i64().expect("a total"))
    }

    /// The next payment that SePay will report.
    pub fn payment(&self, amount: i64, content: &str) -> Payment {
        Payment { id: self.ids.fetch_add(1, Ordering::SeqCst), amount, content: content.to_owned() }
    }

    /// The body SePay sends for a payment.
    pub fn body(payment: &Payment) -> Vec<u8> {
        json!({
            "id": payment.id, "gateway": "MBBank", "transactionDate": "2026-11-22 07:34:12",
            "accountNumber": "0900000699", "subAccount": null, "code": null, "content": payment.content,
            "transferType": "in", "transferAmount": payment.amount, "accumulated": 0,
            "referenceCode": "FT26326104471", "description": format!("BankAPINotify {}", payment.content),
        })
        .to_string()
        .into_bytes()
    }

    /// Sends a webhook with the API key; answers status and JSON.
    pub async fn webhook(&self, payment: &Payment) -> (u16, Value) {
        let answer = self
            .http
            .post(self.public("/api/v1/payment/webhook"))
            .header("authorization", format!("Apikey {API_KEY}"))
            .header("content-type", "application/json")
            .body(Self::body(payment))
            .send()
            .await
            .expect("the listener answers");
        (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
    }

    /// The bank receives money, and SePay says so; answers the outcome.
    pub async fn bank_receives(&self, amount: i64, content: &str) -> String {
        let (status, answer) = self.webhook(&self.payment(amount, content)).await;
        assert_eq!(status, 200, "{answer}");
        answer["outcome"].as_str().expect("an outcome").to_owned()
    }

    /// The order as the owner sees it.
    pub async fn look(&self, code: &str) -> Value {
        let (status, order) = self.admin("GET", &format!("/admin/api/orders/{code}"), None).await;
        assert_eq!(status, 200, "{order}");
        order
    }

    /// The course as the owner sees it.
    pub async fn course(&self, slug: &str) -> Value {
        let (status, course) = self.admin("GET", &format!("/admin/api/courses/{slug}"), None).await;
        assert_eq!(status, 200, "{course}");
        course
    }

    /// Waits until buyers get this version of the course.
    pub async fn at_version(&self, slug: &str, version: i64) -> Value {
        self.until(|| async {
            let course = self.course(slug).await;
            (course["course"]["version"] == version && course["course"]["ready"] == true).then_some(course)
        })
        .await
    }

    /// The newest mail to `to`, as the shop's mailbox page shows it.
    pub async fn newest_mail(&self, to: &str) -> Value {
        let (_, mails) = self.admin("GET", "/admin/api/mailbox", None).await;
        let newest = mails["rows"].as_array().and_then(|rows| {
            rows.iter().find(|mail| mail["to"].as_str().is_some_and(|address| address.contains(to)))
        });
        let file = newest.and_then(|mail| mail["file"].as_str()).expect("a mail to them");
        self.admin("GET", &format!("/admin/api/mailbox/{file}"), None).await.1
    }

    /// Waits until the order is at `stage`, woken by events.
    pub async fn settled(&self, code: &str, stage: &str) -> Value {
        self.until(|| async {
            let order = self.look(code).await;
            (order["order"]["stage"] == stage).then_some(order)
        })
        .await
    }

    /// Asks again with every event until there is an answer; a test that never gets one fails after a minute.
    pub async fn until<T, F: Future<Output = Option<T>>>(&self, ask: impl Fn() -> F) -> T {
        let events = self.shop.events();
        tokio::pin!(events);
        let answered = async {
            loop {
                if let Some(answer) = ask().await {
                    return answer;
                }
                // Some changes make no event of their own; looking again then costs nothing.
                let _ = tokio::time::timeout(Duration::from_millis(200), events.next()).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), answered)
            .await
            .expect("what is waited for comes within a minute")
    }

    /// Every check of the whole database holds.
    pub async fn sound(&self) {
        self.stored_transfers().await;
    }

    /// The sum of all money, as the owner sees it.
    pub async fn money(&self) -> Value {
        let (status, money) = self.admin("GET", "/admin/api/money", None).await;
        assert_eq!(status, 200, "{money}");
        money
    }

    /// How many transfers the database holds, counted in its file; it holds together besides.
    pub async fn stored_transfers(&self) -> i64 {
        let store =
            chotdon_core::store::Store::open(self.dir.path()).await.expect("a second look at the database");
        let findings = store.verify().await.expect("the check runs");
        assert_eq!(findings.problems, Vec::<String>::new());
        store.close().await;
        findings.transfers
    }

    /// Mails in the folder that went to anyone, by file name.
    pub fn mails(&self) -> Vec<String> {
        let Ok(files) = std::fs::read_dir(self.dir.path().join("mailbox")) else { return Vec::new() };
        let names = files.filter_map(|file| file.ok()?.file_name().into_string().ok());
        names.filter(|name| name.ends_with(".eml")).collect()
    }
}
