//! A storefront of a test shop: a key, and the calls that it makes.

use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::TestShop;

/// A storefront with a key of its own.
pub struct Storefront<'a> {
    /// The shop it sells for.
    pub shop: &'a TestShop,
    /// The bearer key.
    pub key: String,
}

/// What the public listener answered.
#[derive(Debug, Clone)]
pub struct Said {
    /// The HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
}

impl Said {
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// A header as text; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Checks that this is a problem document with this status, and answers its code.
    pub fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text);
        let problem = self.json();
        assert_eq!(problem["status"], status, "{problem}");
        for word in ["type", "title", "detail"] {
            assert!(problem[word].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
        }
        problem["code"].as_str().expect("a code").to_owned()
    }
}

impl<'a> Storefront<'a> {
    /// A storefront whose key has these scopes.
    pub async fn with(shop: &'a TestShop, scopes: &str) -> Self {
        let key = format!("cd_{:032x}", rand::random::<u128>());
        let hash = hex::encode(Sha256::digest(key.as_bytes()));
        let name = format!("web-{:08x}", rand::random::<u32>());
        let store =
            chotdon_core::store::Store::open(shop.dir()).await.expect("a second look at the database");
        store.add_storefront_key(&name, &hash, scopes, "test", shop.clock.now_ms()).await.expect("a new key");
        store.close().await;
        Self { shop, key }
    }

    /// Sends a request with the key and further headers; `body` is sent as it is.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Said {
        let method = method.parse().expect("a method");
        let mut request = self.shop.http.request(method, self.shop.public(path)).bearer_auth(&self.key);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
                request = request.header("content-type", "application/json");
            }
            request = request.body(body.to_owned());
        }
        let answer = request.send().await.expect("the listener answers");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let bytes = answer.bytes().await.expect("a body");
        Said { status, headers, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> Said {
        self.send("GET", path, &[], None).await
    }

    /// Sends JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Said {
        self.send("POST", path, &[], Some(&body.to_string())).await
    }

    /// Creates an order of these courses; answers it.
    pub async fn order(&self, courses: &[&str]) -> Value {
        let said = self.post("/api/v1/orders", &new_order(courses)).await;
        assert_eq!(said.status, 201, "{}", said.text);
        said.json()
    }
}

/// The body of an order of these courses.
fn new_order(courses: &[&str]) -> Value {
    let items: Vec<Value> = courses.iter().map(|slug| json!({ "course": slug })).collect();
    json!({ "customer": { "email": "lan@example.com", "name": "Trần Thị Lan" }, "items": items })
}
