//! What the public door answers to everything that is no payment: the right refusal, nothing stored, still open.
//! Each table ends with a webhook that is taken, so that a door that refuses everybody does not pass.
#![allow(clippy::unwrap_used)] // a test may stop anywhere

use chotdon_tests::{API_KEY, Answered, HMAC_SECRET, Setup, TestShop, Wire, chance, quick_or_full};
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};

const WEBHOOK: &str = "/api/v1/payment/webhook";
const JSON: (&str, &str) = ("content-type", "application/json");

/// A shop and what was sent to it.
struct Door {
    shop: TestShop,
}

impl Door {
    async fn open() -> Self {
        // What is answered is looked at here; how often, by `doors`.
        let env = vec![("CHOTDON_LIMITS__ENABLED", "false".to_owned())];
        Self { shop: TestShop::with(Setup { env, ..Setup::default() }).await }
    }

    /// What the listener is called.
    fn host(&self) -> String {
        self.shop.shop.public_addr().to_string()
    }

    async fn wire(&self) -> Wire {
        Wire::open(self.shop.shop.public_addr()).await.expect("the listener takes connections")
    }

    async fn post(&self, headers: &[(&str, &str)], body: &[u8]) -> Answered {
        self.ask("POST", WEBHOOK, headers, body).await
    }

    /// Sends one request on a connection of its own, then looks whether the listener is still there.
    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answered {
        let answered = self.wire().await.ask(method, path, headers, body).await;
        self.still_open().await;
        answered.unwrap_or_else(|error| panic!("{method} {path} got no answer: {error}"))
    }

    async fn still_open(&self) {
        let answered = self.wire().await.ask("GET", "/healthz", &[], b"").await.expect("an answer");
        assert_eq!(answered.status, 200);
    }

    /// A payment that belongs to no order, as SePay reports it.
    fn body(&self) -> Vec<u8> {
        TestShop::body(&self.shop.payment(123_456, "khong co ma"))
    }

    fn signature(&self, moved_s: i64, body: &[u8]) -> (String, String) {
        let timestamp = (self.shop.now_s() + moved_s).to_string();
        let signature = sepay::sign(HMAC_SECRET.as_bytes(), &timestamp, body);
        (timestamp, signature)
    }

    /// Sends a body with the right key.
    async fn with_key(&self, kind: &str, body: &[u8]) -> Answered {
        let key = format!("Apikey {API_KEY}");
        self.post(&[("authorization", &key), ("content-type", kind)], body).await
    }

    /// Nothing was stored so far; a right webhook is taken, and is all there is.
    async fn only_the_control_is_stored(&self) {
        assert_eq!(self.shop.stored_transfers().await, 0);
        assert_eq!(self.shop.money().await["in_vnd"], 0);
        let answered = self.with_key("application/json", &self.body()).await;
        assert_eq!((answered.status, &answered.json()["outcome"]), (200, &json!("unmatched")));
        assert_eq!(self.shop.stored_transfers().await, 1);
        assert_eq!(self.shop.money().await["in_vnd"], 123_456);
        let (_, transfers) = self.shop.admin("GET", "/admin/api/transfers", None).await;
        assert_eq!(transfers["rows"].as_array().map(Vec::len), Some(1));
    }
}

fn signed<'a>(timestamp: &'a str, signature: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![("x-sepay-timestamp", timestamp), ("x-sepay-signature", signature)]
}

#[tokio::test]
async fn who_cannot_prove_to_be_sepay_is_told_nothing_and_nothing_is_stored() {
    let door = Door::open().await;
    let body = door.body();
    let other = door.body();
    let (now, right) = door.signature(0, &body);
    let (old, old_signature) = door.signature(-310, &body);
    let (early, early_signature) = door.signature(310, &body);
    let (ancient, ancient_signature) = door.signature(-86_400 * 365, &body);
    let of_another = sepay::sign(HMAC_SECRET.as_bytes(), &now, &other);
    let by_another = sepay::sign(b"another secret", &now, &body);
    let with_no_secret = sepay::sign(b"", &now, &body);
    let key = format!("Apikey {API_KEY}");
    let begin = format!("Apikey {}", &API_KEY[..API_KEY.len() - 1]);
    let more = format!("Apikey {API_KEY}x");
    let lower = format!("Apikey {}", API_KEY.to_lowercase());
    let bearer = format!("Bearer {API_KEY}");
    let unprefixed = right.trim_start_matches("sha256=").to_owned();
    let short = right[..right.len() - 2].to_owned();
    let later = (door.shop.now_s() + 1).to_string();
    let exponent = format!("{now}e0");

    let cases: Vec<(&str, Vec<(&str, &str)>)> = vec![
        ("nothing", vec![]),
        ("another key", vec![("authorization", "Apikey wrong")]),
        ("the key but its end", vec![("authorization", &begin)]),
        ("the key and more", vec![("authorization", &more)]),
        ("the key in lower case", vec![("authorization", &lower)]),
        ("no key after the word", vec![("authorization", "Apikey ")]),
        ("the key without the word", vec![("authorization", API_KEY)]),
        ("the key as a bearer", vec![("authorization", &bearer)]),
        ("two keys, one right", vec![("authorization", &key), ("authorization", "Apikey wrong")]),
        ("letters beyond ASCII", vec![("authorization", "Apikey kho\u{e1}")]),
        ("a stale signature", signed(&old, &old_signature)),
        ("a signature from the future", signed(&early, &early_signature)),
        ("a signature a year old", signed(&ancient, &ancient_signature)),
        ("the signature of another body", signed(&now, &of_another)),
        ("a signature by another secret", signed(&now, &by_another)),
        ("a signature by no secret", signed(&now, &with_no_secret)),
        ("a signature moved in time", signed(&later, &right)),
        ("a signature without its name", signed(&now, &unprefixed)),
        ("a signature cut short", signed(&now, &short)),
        ("an empty signature", signed(&now, "")),
        ("a timestamp that is no number", signed("today", &right)),
        ("a timestamp with an exponent", signed(&exponent, &right)),
        ("a negative timestamp", signed("-1", &right)),
        ("a signature without a timestamp", vec![("x-sepay-signature", &right)]),
        ("a timestamp without a signature", vec![("x-sepay-timestamp", &now)]),
        ("two timestamps", [signed(&now, &right), vec![("x-sepay-timestamp", now.as_str())]].concat()),
        (
            "the right key beside a wrong signature",
            [signed(&now, &by_another), vec![("authorization", key.as_str())]].concat(),
        ),
    ];
    let refusal = json!({ "success": false, "error": "unauthorized" });
    for (name, headers) in cases {
        for path in [WEBHOOK, "/api/webhook/sepay"] {
            let headers = [vec![JSON], headers.clone()].concat();
            let answered = door.ask("POST", path, &headers, &body).await;
            assert_eq!((answered.status, answered.json()), (401, refusal.clone()), "{name} at {path}");
        }
    }
    // What cannot be read is not read before its sender is known.
    let answered = door.post(&[JSON], b"{ not even").await;
    assert_eq!((answered.status, answered.json()), (401, refusal));

    door.only_the_control_is_stored().await;
    for moved in [-290, 0, 290] {
        let body = door.body();
        let (timestamp, signature) = door.signature(moved, &body);
        let answered = door.post(&signed(&timestamp, &signature), &body).await;
        assert_eq!((answered.status, &answered.json()["outcome"]), (200, &json!("unmatched")), "{moved} s");
    }
    assert_eq!(door.shop.stored_transfers().await, 4);
}

/// The usual body with one field set to a piece of JSON text, or taken out.
fn with_field(body: &[u8], field: &str, value: Option<&str>) -> Vec<u8> {
    let mut fields: serde_json::Map<String, Value> = serde_json::from_slice(body).expect("an object");
    fields.remove(field);
    let mut text = Value::Object(fields).to_string();
    if let Some(value) = value {
        text.truncate(text.len() - 1);
        text.push_str(&format!(",\"{field}\":{value}}}"));
    }
    text.into_bytes()
}

#[tokio::test]
async fn an_authentic_body_that_is_no_transfer_is_refused_and_not_stored() {
    let door = Door::open().await;
    let fields: &[(&str, &[Option<&str>])] = &[
        (
            "transferAmount",
            &[
                Some("100000.5"),
                Some("\"100000.5\""),
                Some("1e5"),
                Some("\"1e5\""),
                Some("1E+5"),
                Some("-100000"),
                Some("\"-1\""),
                Some("-0.0"),
                Some("1000000000000001"),
                Some("99999999999999999999"),
                Some("9223372036854775808"),
                Some("1e400"),
                Some("\"100.000\""),
                Some("\"100,000\""),
                Some("\"0x10\""),
                Some("\"+5\""),
                Some("\"1 000\""),
                Some("\"NaN\""),
                Some("\"\u{661}\u{662}\""),
                Some("true"),
                Some("null"),
                Some("[]"),
                Some("[100000]"),
                Some("{}"),
                Some("\"\""),
                None,
            ],
        ),
        (
            "id",
            &[
                Some("0"),
                Some("-1"),
                Some("1.5"),
                Some("1e3"),
                Some("\"abc\""),
                Some("9223372036854775808"),
                Some("null"),
                Some("{}"),
                Some("\"\""),
                Some("\"1; DROP TABLE orders\""),
                None,
            ],
        ),
        (
            "transferType",
            &[Some("\"sideways\""), Some("\"\""), Some("null"), Some("1"), Some("[\"in\"]"), None],
        ),
    ];
    for (field, values) in fields {
        for value in *values {
            let answered = door.with_key("application/json", &with_field(&door.body(), field, *value)).await;
            assert_eq!(answered.status, 400, "{field} = {value:?}: {}", answered.json());
            assert_eq!(answered.json()["error"], "malformed");
        }
    }

    let body = door.body();
    let twice = format!("{{\"id\":7,{}", std::str::from_utf8(&body[1..]).unwrap()).into_bytes();
    let gateway = br#"{"notification_type":"ORDER_PAID","order":{"order_invoice_number":"x"}}"#.to_vec();
    let utf16: Vec<u8> =
        String::from_utf8(body.clone()).unwrap().encode_utf16().flat_map(u16::to_le_bytes).collect();
    let bad_utf8 = [&body[..body.len() - 2], b"\xff\xfe\"}"].concat();
    let two = [body.clone(), body.clone()].concat();
    let array = [b"[".as_slice(), &body, b"]"].concat();
    let deep = [vec![b'['; 30_000], vec![b']'; 30_000]].concat();
    let bodies: Vec<(&str, &str, Vec<u8>)> = vec![
        ("cut in the middle", "application/json", body[..body.len() / 2].to_vec()),
        ("without its last byte", "application/json", body[..body.len() - 1].to_vec()),
        ("empty", "application/json", vec![]),
        ("empty, of no kind", "", vec![]),
        ("null", "application/json", b"null".to_vec()),
        ("a number", "application/json", b"1".to_vec()),
        ("a text", "application/json", b"\"x\"".to_vec()),
        ("a list", "application/json", array),
        ("two bodies", "application/json", two),
        ("a field twice", "application/json", twice),
        ("not UTF-8", "application/json", bad_utf8),
        ("UTF-16", "application/json", utf16),
        ("NUL bytes", "application/json", vec![0; 100]),
        ("nested too deep", "application/json", deep),
        ("a page", "text/html", b"<html><body>id=1</body></html>".to_vec()),
        ("XML", "application/xml", b"<id>1</id>".to_vec()),
        (
            "a form that says it is JSON",
            "application/json",
            b"id=1&transferType=in&transferAmount=1000".to_vec(),
        ),
        ("a form without the amount", "application/x-www-form-urlencoded", b"id=1&transferType=in".to_vec()),
        ("parts without a boundary", "multipart/form-data", body.clone()),
        (
            "parts that never end",
            "multipart/form-data; boundary=x",
            b"--x\r\ncontent-disposition: form-data; name=\"id\"\r\n\r\n1".to_vec(),
        ),
    ];
    for (name, kind, body) in bodies {
        let answered = door.with_key(kind, &body).await;
        assert_eq!((answered.status, &answered.json()["error"]), (400, &json!("malformed")), "{name}");
    }
    let answered = door.with_key("application/json", &gateway).await;
    assert_eq!((answered.status, &answered.json()["error"]), (400, &json!("wrong_product")));
    door.only_the_control_is_stored().await;
}

#[tokio::test]
async fn what_sepay_may_send_in_other_forms_is_taken() {
    let door = Door::open().await;
    let form =
        |id: i64| format!("id={id}&gateway=MBBank&transferType=in&transferAmount=1000&content=khong+co+ma");
    let parts = |id: &str| {
        let fields =
            [("id", id), ("transferType", "in"), ("transferAmount", "1000"), ("content", "khong co ma")];
        let part = |(name, value)| {
            format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        fields.map(part).concat() + "--x--\r\n"
    };
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let taken: Vec<(&str, &str, Vec<u8>)> = vec![
        (
            "unknown fields",
            "application/json",
            with_field(&door.body(), "x", Some("{\"a\":[1,null,{\"b\":1e999}]}")),
        ),
        ("an unknown field nested deep", "application/json", with_field(&door.body(), "x", Some(&deep))),
        (
            "a number as text",
            "application/json",
            with_field(&door.body(), "transferAmount", Some("\"1000\"")),
        ),
        (
            "whole đồng with a zero fraction",
            "application/json",
            with_field(&door.body(), "transferAmount", Some("1000.00")),
        ),
        ("an amount of nothing", "application/json", with_field(&door.body(), "transferAmount", Some("0"))),
        (
            "the most",
            "application/json",
            with_field(&door.body(), "transferAmount", Some("1000000000000000")),
        ),
        ("no memo", "application/json", with_field(&door.body(), "content", None)),
        (
            "a date that is none",
            "application/json",
            with_field(&door.body(), "transactionDate", Some("\"soon\"")),
        ),
        ("half a letter", "application/json", with_field(&door.body(), "content", Some("\"\\ud83d\""))),
        ("another kind of text", "text/plain", door.body()),
        ("a form", "application/x-www-form-urlencoded", form(900_001).into_bytes()),
        ("a form of no kind", "", form(900_002).into_bytes()),
        ("parts", "multipart/form-data; boundary=x", parts("900003").into_bytes()),
    ];
    let count = taken.len();
    for (name, kind, body) in taken {
        let answered = door.with_key(kind, &body).await;
        assert_eq!(answered.status, 200, "{name}: {}", answered.json());
        assert_ne!(answered.json()["outcome"], "duplicate", "{name}");
    }
    assert_eq!(door.shop.stored_transfers().await, i64::try_from(count).unwrap());
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_unread() {
    let door = Door::open().await;
    let padded = |size: usize| {
        let body = with_field(&door.body(), "x", Some("\"\""));
        let fill = "x".repeat(size - body.len());
        with_field(&body, "x", Some(&format!("\"{fill}\"")))
    };
    for size in [64 * 1024 + 1, 1 << 20, 10 << 20] {
        let body = padded(size);
        assert_eq!(body.len(), size);
        let answered = door.with_key("application/json", &body).await;
        assert_eq!(
            (answered.status, &answered.json()["error"]),
            (413, &json!("body_too_large")),
            "{size} bytes"
        );
        let answered = door.post(&[JSON], &body).await;
        assert_eq!(answered.status, 413, "{size} bytes from nobody");
    }
    // Without a length, in chunks.
    let mut chunked = format!(
        "POST {WEBHOOK} HTTP/1.1\r\nhost: {}\r\nauthorization: Apikey {API_KEY}\r\ntransfer-encoding: chunked\r\n\r\n",
        door.host()
    )
    .into_bytes();
    for _ in 0..3 {
        chunked.extend(format!("{:x}\r\n", 40_000).into_bytes());
        chunked.extend(vec![b' '; 40_000]);
        chunked.extend(b"\r\n");
    }
    chunked.extend(b"0\r\n\r\n");
    let answered = door.wire().await.say(&chunked).await.unwrap();
    assert_eq!(answered.map(|answered| answered.status), Some(413));
    door.still_open().await;

    door.only_the_control_is_stored().await;
    let answered = door.with_key("application/json", &padded(64 * 1024)).await;
    assert_eq!(answered.status, 200, "as large as may be");
}

#[tokio::test]
async fn a_request_that_breaks_off_stores_nothing() {
    let door = Door::open().await;
    let body = door.body();
    let (timestamp, signature) = door.signature(0, &body);
    let head = |length: usize, proof: &str| {
        format!(
            "POST {WEBHOOK} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n{proof}\r\ncontent-length: {length}\r\n\r\n",
            door.host()
        )
    };
    let key = format!("authorization: Apikey {API_KEY}");
    let signed = format!("x-sepay-timestamp: {timestamp}\r\nx-sepay-signature: {signature}");
    for proof in [&key, &signed] {
        for kept in [0, 1, body.len() / 2, body.len() - 1] {
            let request = [head(body.len(), proof).as_bytes(), &body[..kept]].concat();
            let answered = door.wire().await.say(&request).await.unwrap();
            assert!(answered.is_none_or(|answered| answered.status == 400), "{kept} bytes of {}", body.len());
            door.still_open().await;
        }
        let garbage = [head(body.len(), proof).as_bytes(), &[b'\x00'; 3]].concat();
        door.wire().await.say(&garbage).await.unwrap();
    }
    // The truncated body with a length that fits: the signature is of the whole one.
    let cut = &body[..body.len() - 1];
    let answered =
        door.post(&[("x-sepay-timestamp", &timestamp), ("x-sepay-signature", &signature)], cut).await;
    assert_eq!(answered.status, 401);
    for nonsense in [
        &b"\r\n\r\n\r\n"[..],
        b"GET",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"POST / HTTP/9.9\r\n\r\n",
        &[b'A'; 100_000],
    ] {
        let answered = door.wire().await.say(nonsense).await;
        let status = answered.ok().flatten().map_or(400, |answered| answered.status);
        assert!((400..500).contains(&status), "{status}");
        door.still_open().await;
    }
    door.only_the_control_is_stored().await;
}

#[tokio::test]
async fn the_private_side_does_not_exist_for_the_public_listener() {
    let door = Door::open().await;
    let key = format!("Apikey {API_KEY}");
    for path in [WEBHOOK, "/api/webhook/sepay"] {
        for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
            let answered = door.ask(method, path, &[("authorization", &key), JSON], &door.body()).await;
            assert_eq!(answered.status, 405, "{method} {path}");
        }
    }
    let unknown = "/no/such/page";
    let words = |answered: Answered, path: &str| {
        (answered.status, String::from_utf8(answered.body).unwrap().replace(path, "PATH"))
    };
    for method in ["GET", "POST"] {
        let expected = words(door.ask(method, unknown, &[], b"").await, unknown);
        assert_eq!(expected.0, 404);
        for path in [
            "/admin/api/overview",
            "/admin/api/money",
            "/admin/api/settings",
            "/admin/api/openapi.json",
            "/admin",
            "/admin/",
            "/health",
            "/metrics",
            "/login",
            "/logout",
            "/index.html",
            "/assets/x.js",
            "/shop.db",
            "/api",
            "/api/v1",
            "/admin/api/simulate-transfer",
            "/healthz/",
            "/.env",
            "/%2e%2e/shop.db",
        ] {
            let found = words(door.ask(method, path, &[("cookie", "chotdon_session=x")], b"").await, path);
            assert_eq!(found, expected, "{method} {path}");
        }
        let (status, _) = words(door.ask(method, "/", &[], b"").await, "\u{0}");
        assert_eq!(status, 404);
    }
    // The control: what is public is there.
    assert_eq!(door.ask("GET", "/healthz", &[], b"").await.status, 200);
    assert_eq!(door.ask("GET", "/api/v1/courses", &[], b"").await.status, 401);
    door.only_the_control_is_stored().await;
}

/// Changes a few bytes: flips, cuts, inserts, copies, numbers out of range.
fn mutate(chance: &mut StdRng, body: &[u8]) -> Vec<u8> {
    const PIECES: [&[u8]; 16] = [
        b"\"",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"\\u0000",
        b"\\ud800",
        b"-",
        b"e9",
        b"null",
        b"99999999999999999999",
        b"\xff",
        b"\0",
        b"0.5",
    ];
    let mut changed = body.to_vec();
    for _ in 0..chance.random_range(1..=4) {
        let at = chance.random_range(0..changed.len().max(1)).min(changed.len());
        match chance.random_range(0..6) {
            0 if at < changed.len() => changed[at] = chance.random(),
            1 if at < changed.len() => changed[at] ^= 1 << chance.random_range(0..8),
            2 => changed.truncate(at),
            3 => {
                let end = (at + chance.random_range(1..20)).min(changed.len());
                changed.drain(at..end);
            }
            4 => {
                let end = (at + chance.random_range(1..40)).min(changed.len());
                let copy = changed[at..end].to_vec();
                changed.splice(at..at, copy);
            }
            _ => {
                let piece = PIECES[chance.random_range(0..PIECES.len())];
                changed.splice(at..at, piece.iter().copied());
            }
        }
    }
    changed
}

#[tokio::test]
async fn no_mutation_of_a_signed_body_is_an_error_of_ours() {
    let count = quick_or_full(600, 6_000);
    let mut chance = chance("no_mutation");
    let door = Door::open().await;
    let mut wire = door.wire().await;
    let mut stored = 0;
    for n in 0..count {
        let body = door.body();
        let changed = mutate(&mut chance, &body);
        // Every other one is signed after it was changed, as a hostile key holder would.
        let resigned = n % 2 == 1;
        let (timestamp, signature) = door.signature(0, if resigned { &changed } else { &body });
        let kind =
            ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
                [n / 2 % 4];
        let headers = [
            ("x-sepay-timestamp", timestamp.as_str()),
            ("x-sepay-signature", &signature),
            ("content-type", kind),
        ];
        let answered = wire.ask("POST", WEBHOOK, &headers, &changed).await.expect("an answer");
        let answer = answered.json();
        let shown = String::from_utf8_lossy(&changed);
        match answered.status {
            200 if answer["outcome"] == "duplicate" => {}
            200 => stored += 1,
            // A change can cancel itself out; then the signature is right, and the content type may still be wrong.
            400 => assert!(resigned || changed == body, "{shown}"),
            401 => assert!(!resigned && changed != body, "{shown}"),
            status => panic!("{status} for {shown}"),
        }
    }
    door.still_open().await;
    assert_eq!(door.shop.stored_transfers().await, stored, "what was acknowledged is what is stored");
    assert!(stored > 0, "the control: some mutations leave a transfer");
}
