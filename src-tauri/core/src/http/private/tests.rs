use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::routing::{get, post};
use futures::future::BoxFuture;
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;
use crate::secrets::{MemorySecrets, OVERLAP};

const TOKEN: &str = "the-admin-token-of-this-test";

#[derive(Default)]
struct Stopped(AtomicI64);

impl Clock for Stopped {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

struct Door {
    router: Router,
    clock: Arc<Stopped>,
    credentials: Credentials,
}

fn door() -> Door {
    let clock = Arc::new(Stopped::default());
    let credentials = Credentials::new(Arc::new(MemorySecrets::with([("admin.token", TOKEN)])));
    let admin = Router::new()
        .route("/health", get(|| async { "healthy" }))
        .route("/metrics", get(|| async { "metrics" }))
        .route("/admin/api/orders", get(|| async { "private bytes" }).post(|| async { "changed" }))
        .route("/admin/api/events", post(|| async { "changed" }));
    let door = PrivateDoor {
        credentials: credentials.clone(),
        clock: clock.clone(),
        local: "127.0.0.1:8687".parse().unwrap(),
        allowed_hosts: vec!["shop.example.com".to_owned()],
        sign_ins: SignIns::default(),
    };
    Door { router: door.router(admin), clock, credentials }
}

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Request {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}

impl Door {
    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        self.router.clone().oneshot(request(method, path, headers, body)).await.unwrap()
    }

    async fn status(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
        self.send(method, path, headers, "{}").await.status().as_u16()
    }

    async fn login(&self, token: &str) -> Response {
        let body = serde_json::json!({ "token": token }).to_string();
        self.send("POST", "/login", &[HOST, ("content-type", "application/json")], &body).await
    }

    /// `name=value` of a fresh session.
    async fn session(&self) -> String {
        let answer = self.login(TOKEN).await;
        assert_eq!(answer.status(), 204);
        let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
        cookie.split(';').next().unwrap().to_owned()
    }
}

const HOST: (&str, &str) = ("host", "127.0.0.1:8687");
const BEARER: (&str, &str) = ("authorization", "Bearer the-admin-token-of-this-test");

async fn text(answer: Response) -> String {
    String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn every_combination_of_host_origin_site_method_and_proof_is_answered_as_the_rules_say() {
    let door = door();
    let session = door.session().await;
    let hosts = [
        ("127.0.0.1:8687", true),
        ("localhost:8687", true),
        ("LOCALHOST:8687", true),
        ("[::1]:8687", true),
        ("shop.example.com", true),
        ("", false),
        ("127.0.0.1", false),
        ("127.0.0.1:80", false),
        ("127.0.0.1:8687.", false),
        ("localhost.:8687", false),
        ("127.1:8687", false),
        ("0.0.0.0:8687", false),
        ("attacker.example:8687", false),
        ("shop.example.com:8687", false),
        ("shop.example.com.attacker.example", false),
    ];
    let origins = [
        (None, true),
        (Some("OWN"), true),
        (Some("http://attacker.example"), false),
        (Some("null"), false),
        (Some("http://127.0.0.1:3000"), false),
        (Some("OWN.attacker.example"), false),
        (Some(""), false),
    ];
    let sites = [
        (None, true),
        (Some("same-origin"), true),
        (Some("none"), true),
        (Some("same-site"), false),
        (Some("cross-site"), false),
        (Some("nonsense"), false),
    ];
    let routes = [
        ("GET", "/admin/api/orders", "private bytes"),
        ("POST", "/admin/api/orders", "changed"),
        ("GET", "/health", "healthy"),
        ("GET", "/metrics", "metrics"),
    ];
    let session_pair = ("cookie", session.as_str());
    let proofs: [(&[(&str, &str)], bool); 8] = [
        (&[], false),
        (&[BEARER], true),
        (&[("authorization", "Bearer wrong")], false),
        (&[("authorization", "Basic the-admin-token-of-this-test")], false),
        (&[("authorization", "Bearer ")], false),
        (&[session_pair], true),
        (&[("cookie", "chotdon_session=0000")], false),
        // A wrong token is not forgiven because a cookie is there too.
        (&[("authorization", "Bearer wrong"), session_pair], false),
    ];
    let mut cells = BTreeMap::<u16, u32>::new();
    for (host, host_good) in hosts {
        for (origin, origin_good) in origins {
            for (site, site_good) in sites {
                for (method, path, inside) in routes {
                    for (proof, proof_good) in proofs {
                        for json in [true, false] {
                            let origin =
                                origin.map(|origin| origin.replace("OWN", &format!("http://{host}")));
                            let mut headers = proof.to_vec();
                            if !host.is_empty() {
                                headers.push(("host", host));
                            }
                            headers.extend(origin.as_deref().map(|origin| ("origin", origin)));
                            headers.extend(site.map(|site| ("sec-fetch-site", site)));
                            let kind = if json { "application/json" } else { "text/plain" };
                            headers.push(("content-type", kind));
                            let by_cookie = proof == [session_pair];
                            let expected = if !host_good {
                                421
                            } else if !origin_good || !site_good {
                                403
                            } else if !proof_good {
                                401
                            } else if by_cookie && method == "POST" && !json {
                                415
                            } else {
                                200
                            };
                            let answer = door.send(method, path, &headers, "{}").await;
                            assert_eq!(answer.status(), expected, "{method} {path} {headers:?}");
                            assert!(
                                !answer
                                    .headers()
                                    .keys()
                                    .any(|name| name.as_str().starts_with("access-control"))
                            );
                            assert_eq!(
                                text(answer).await == inside,
                                expected == 200,
                                "{method} {path} {headers:?}"
                            );
                            *cells.entry(expected).or_default() += 1;
                        }
                    }
                }
            }
        }
    }
    // Every kind of answer was met, good ones among them.
    assert_eq!(cells.keys().copied().collect::<Vec<_>>(), [200, 401, 403, 415, 421]);
    assert!(cells.values().sum::<u32>() >= 5_000, "{cells:?}");
}

#[tokio::test]
async fn a_host_given_twice_or_contradicted_by_the_request_line_is_refused() {
    let door = door();
    assert_eq!(door.status("GET", "/health", &[HOST, BEARER]).await, 200);
    assert_eq!(door.status("GET", "/health", &[HOST, HOST, BEARER]).await, 421);
    assert_eq!(door.status("GET", "http://127.0.0.1:8687/health", &[HOST, BEARER]).await, 200);
    assert_eq!(door.status("GET", "http://attacker.example/health", &[HOST, BEARER]).await, 421);
}

#[tokio::test]
async fn preflights_are_never_granted() {
    let door = door();
    let preflight = [HOST, ("origin", "http://attacker.example"), ("access-control-request-method", "POST")];
    assert_eq!(door.status("OPTIONS", "/admin/api/orders", &preflight).await, 403);
    assert_eq!(door.status("OPTIONS", "/admin/api/orders", &[HOST]).await, 401);
}

#[tokio::test]
async fn unknown_admin_paths_need_a_login_like_known_ones() {
    let door = door();
    for path in ["/admin", "/admin/", "/admin/api/nothing", "/admin/%2e%2e/health"] {
        assert_eq!(door.status("GET", path, &[HOST]).await, 401, "{path}");
    }
    let answer = door.send("GET", "/admin/api/nothing", &[HOST], "").await;
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert!(text(answer).await.contains("\"login_required\""));
}

#[tokio::test]
async fn login_gives_a_strict_cookie_and_logout_takes_it_back() {
    let door = door();
    let answer = door.login(TOKEN).await;
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains(TOKEN));
    let session = door.session().await;
    let other = door.session().await;
    assert_ne!(session, other);
    assert_eq!(door.status("GET", "/health", &[HOST, ("cookie", &session)]).await, 200);
    let answer = door.send("POST", "/logout", &[HOST, ("cookie", &session)], "").await;
    assert_eq!(answer.status(), 204);
    assert!(answer.headers()["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(door.status("GET", "/health", &[HOST, ("cookie", &session)]).await, 401);
    assert_eq!(door.status("GET", "/health", &[HOST, ("cookie", &other)]).await, 200);
}

#[tokio::test]
async fn a_form_cannot_log_in() {
    let door = door();
    let form = [HOST, ("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(door.send("POST", "/login", &form, "token=x").await.status(), 415);
    let json = [HOST, ("content-type", "application/json")];
    assert_eq!(door.send("POST", "/login", &json, "not json").await.status(), 400);
}

#[tokio::test]
async fn a_session_ends_after_twelve_idle_hours_and_not_before() {
    let door = door();
    let session = door.session().await;
    let hour = 3_600_000;
    for hours in [11, 22, 33] {
        door.clock.0.store(hours * hour, Ordering::SeqCst);
        assert_eq!(door.status("GET", "/health", &[HOST, ("cookie", &session)]).await, 200);
    }
    door.clock.0.store(45 * hour, Ordering::SeqCst);
    assert_eq!(door.status("GET", "/health", &[HOST, ("cookie", &session)]).await, 401);
}

#[tokio::test]
async fn a_session_ends_a_week_after_its_login_however_much_it_is_used() {
    let door = door();
    let session = door.session().await;
    let hour = 3_600_000;
    for hours in (0..168).step_by(8) {
        door.clock.0.store(hours * hour, Ordering::SeqCst);
        assert_eq!(door.status("GET", "/health", &[HOST, ("cookie", &session)]).await, 200, "{hours}");
    }
    door.clock.0.store(168 * hour, Ordering::SeqCst);
    assert_eq!(door.status("GET", "/health", &[HOST, ("cookie", &session)]).await, 401);
}

#[tokio::test]
async fn a_session_that_somebody_else_chose_is_never_taken_over() {
    let door = door();
    let planted = format!("chotdon_session={}", "0".repeat(64));
    let json = ("content-type", "application/json");
    let body = serde_json::json!({ "token": TOKEN }).to_string();
    let answer = door.send("POST", "/login", &[HOST, json, ("cookie", &planted)], &body).await;
    assert!(!answer.headers()["set-cookie"].to_str().unwrap().contains("0000000000"));
    assert_eq!(door.status("GET", "/health", &[HOST, ("cookie", &planted)]).await, 401);
    // A login with a session of one's own ends that one.
    let before = door.session().await;
    door.send("POST", "/login", &[HOST, json, ("cookie", &before)], &body).await;
    assert_eq!(door.status("GET", "/health", &[HOST, ("cookie", &before)]).await, 401);
}

#[tokio::test]
async fn a_cookie_that_came_by_https_goes_by_https_only() {
    let door = door();
    let json = ("content-type", "application/json");
    let body = serde_json::json!({ "token": TOKEN }).to_string();
    for (origin, secure) in [("https://shop.example.com", true), ("http://shop.example.com", false)] {
        let headers = [("host", "shop.example.com"), ("origin", origin), json];
        let answer = door.send("POST", "/login", &headers, &body).await;
        assert_eq!(answer.headers()["set-cookie"].to_str().unwrap().contains("; Secure"), secure);
    }
}

#[tokio::test]
async fn a_rotated_token_works_during_the_overlap_and_a_replaced_one_ends_its_sessions() {
    let door = door();
    let session = door.session().await;
    let name = SecretName::admin_token();
    door.credentials.rotate(&name, "second-token".into(), 0, OVERLAP).await.unwrap();
    assert_eq!(door.status("GET", "/health", &[HOST, BEARER]).await, 200);
    assert_eq!(door.status("GET", "/health", &[HOST, ("cookie", &session)]).await, 200);
    door.credentials.set(&name, "third-token".into()).await.unwrap();
    assert_eq!(door.status("GET", "/health", &[HOST, BEARER]).await, 401);
    assert_eq!(door.status("GET", "/health", &[HOST, ("cookie", &session)]).await, 401);
    assert_eq!(door.status("GET", "/health", &[HOST, ("authorization", "Bearer third-token")]).await, 200);
}

#[tokio::test]
async fn guessing_the_token_at_the_login_is_slowed_down() {
    let door = door();
    for _ in 0..10 {
        assert_eq!(door.login("wrong").await.status(), 401);
    }
    let answer = door.login(TOKEN).await;
    assert_eq!(answer.status(), 429);
    assert_eq!(answer.headers()["retry-after"], "60");
    door.clock.0.store(60_000, Ordering::SeqCst);
    assert_eq!(door.login(TOKEN).await.status(), 204);
    // The bearer token of scripts is not affected.
    assert_eq!(door.status("GET", "/health", &[HOST, BEARER]).await, 200);
}

#[tokio::test]
async fn without_a_token_in_the_store_nobody_gets_in() {
    let credentials = Credentials::new(Arc::new(MemorySecrets::default()));
    let door = PrivateDoor {
        credentials,
        clock: Arc::new(Stopped::default()),
        local: "127.0.0.1:8687".parse().unwrap(),
        allowed_hosts: Vec::new(),
        sign_ins: SignIns::default(),
    };
    let router = door.router(Router::new().route("/health", get(|| async { "healthy" })));
    for value in ["Bearer", "Bearer ", "Bearer x"] {
        let request = request("GET", "/health", &[HOST, ("authorization", value)], "");
        assert_eq!(router.clone().oneshot(request).await.unwrap().status(), 401);
    }
}

#[tokio::test]
async fn pages_are_served_with_their_headers_and_without_a_login() {
    let door = door();
    for path in ["/", "/orders", "/orders/DH123456"] {
        let answer = door.send("GET", path, &[HOST], "").await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-security-policy"], POLICY);
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
        assert_eq!(answer.headers()["cache-control"], "no-cache");
        assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
        let tag = answer.headers()["etag"].to_str().unwrap().to_owned();
        assert_eq!(door.status("GET", path, &[HOST, ("if-none-match", &tag)]).await, 304);
    }
    assert_eq!(door.status("GET", "/assets/missing.js", &[HOST]).await, 404);
    assert_eq!(door.status("POST", "/orders", &[HOST]).await, 405);
    let answer = door.send("GET", "/admin/api/orders", &[HOST, BEARER], "").await;
    assert_eq!(answer.headers()["cache-control"], "no-store");
}

#[test]
fn the_window_the_browser_and_the_pictures_have_one_policy() {
    let directives = |policy: &str| -> BTreeMap<String, String> {
        let parts = policy.split(';').filter_map(|part| part.trim().split_once(' '));
        parts.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
    };
    let browser = directives(POLICY);
    let window: serde_json::Value =
        serde_json::from_str(include_str!("../../../../../tauri.conf.json")).unwrap();
    let mut window = directives(window.pointer("/app/security/csp").unwrap().as_str().unwrap());
    // The window asks through commands, and nothing can stand around it.
    assert_eq!(window.insert("connect-src".into(), "'self'".into()).unwrap(), "ipc: http://ipc.localhost");
    window.insert("frame-ancestors".into(), "'none'".into());
    assert_eq!(window, browser);
    let pictures = include_str!("../../../../../ui/shots/serve.mjs");
    let pictures = pictures.split('"').find(|text| text.starts_with("default-src")).unwrap();
    assert_eq!(directives(pictures), browser);
    assert_eq!(browser["default-src"], "'none'");
    for (name, value) in &browser {
        let loose = ["*", "unsafe-eval", "http:", "https:", "blob:"].iter().any(|word| value.contains(word));
        assert!(!loose && (!value.contains("unsafe-inline") || name == "style-src-attr"), "{name} {value}");
    }
}
