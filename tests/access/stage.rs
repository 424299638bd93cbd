//! A shop whose courses lie on the stand-in of Google Drive.

use chotdon_tests::drive::{DriveStandIn, Shared};
use chotdon_tests::{Ground, Setup, TestShop};
use serde_json::{Value, json};

/// The course of these tests.
pub(crate) const COURSE: &str = "ve-chi";
/// What it costs.
pub(crate) const PRICE: i64 = 300_000;

/// Google, a shop that is connected to it, and a course of two files that is delivered there.
pub(crate) struct Stage {
    pub(crate) google: DriveStandIn,
    pub(crate) shop: TestShop,
}

impl Stage {
    pub(crate) async fn set(env: &[(&'static str, &str)]) -> Self {
        Self::with(env, Setup::default()).await
    }

    /// Pace and patience of a test; `env` goes before.
    pub(crate) async fn with(env: &[(&'static str, &str)], setup: Setup) -> Self {
        let stage = Self::unprepared(env, setup).await;
        let prepare = format!("/admin/api/courses/{COURSE}/prepare");
        let (status, answer) = stage.shop.admin("POST", &prepare, None).await;
        assert_eq!(status, 200, "{answer}");
        stage
            .shop
            .until(|| async {
                let (_, course) =
                    stage.shop.admin("GET", &format!("/admin/api/courses/{COURSE}"), None).await;
                (course["course"]["ready"] == true).then_some(())
            })
            .await;
        stage
    }

    /// The same before anybody has bought the course, so that nothing lies on Drive yet.
    pub(crate) async fn unprepared(env: &[(&'static str, &str)], setup: Setup) -> Self {
        let google = DriveStandIn::start().await.unwrap();
        let shop = Self::open(&google, Ground::new(), env, setup).await;
        let files = shop.dir().join("ve-chi");
        std::fs::create_dir_all(&files).unwrap();
        std::fs::write(files.join("bai-1.md"), "đường thẳng").unwrap();
        std::fs::write(files.join("bai-2.md"), "đường cong").unwrap();
        let course = json!({
            "title": "Vẽ chì", "price_vnd": PRICE, "source": { "kind": "folder", "path": files },
            "target": { "kind": "drive" }, "active": true,
        });
        let (status, answer) = shop.admin("PUT", &format!("/admin/api/courses/{COURSE}"), Some(course)).await;
        assert_eq!(status, 200, "{answer}");
        Self { google, shop }
    }

    /// A shop on this ground that speaks to `google`.
    pub(crate) async fn open(
        google: &DriveStandIn,
        ground: Ground,
        env: &[(&'static str, &str)],
        setup: Setup,
    ) -> TestShop {
        for (name, value) in google.secrets() {
            ground.set_secret(name, value);
        }
        let mut all = google.env();
        all.push(("CHOTDON_SERVICES__SHARE_EVERY_S", "0".to_owned()));
        all.push(("CHOTDON_QUEUE__RETRY_BASE_S", "1".to_owned()));
        all.retain(|(key, _)| env.iter().all(|(other, _)| other != key));
        all.extend(env.iter().map(|(key, value)| (*key, (*value).to_owned())));
        all.extend(setup.env);
        TestShop::on(ground, Setup { env: all, probe: setup.probe }).await
    }

    /// An order of the course by this buyer, paid for.
    pub(crate) async fn bought_by(&self, email: &str) -> String {
        let code = self.ordered_by(email).await;
        assert_eq!(self.shop.bank_receives(PRICE, &code).await, "paid");
        code
    }

    pub(crate) async fn ordered_by(&self, email: &str) -> String {
        let body = json!({ "customer": { "email": email, "name": "Lan" }, "items": [{ "course": COURSE }] });
        let (status, order) = self.shop.admin("POST", "/admin/api/orders", Some(body)).await;
        assert_eq!(status, 201, "{order}");
        order["order"]["code"].as_str().unwrap().to_owned()
    }

    /// An order of the course by this buyer that has been delivered.
    pub(crate) async fn delivered_to(&self, email: &str) -> String {
        let code = self.bought_by(email).await;
        self.shop.settled(&code, "completed").await;
        code
    }

    pub(crate) async fn refund(&self, code: &str) {
        let reason = json!({ "reason": "khách đổi ý" });
        let (status, answer) =
            self.shop.admin("POST", &format!("/admin/api/orders/{code}/refund"), Some(reason)).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// The course's folder on Drive.
    pub(crate) fn folder(&self) -> String {
        let folders: Vec<_> = self.google.items().into_values().filter(|item| item.size.is_none()).collect();
        assert_eq!(folders.len(), 1, "{folders:?}");
        folders[0].id.clone()
    }

    /// Who may open it.
    pub(crate) fn readers(&self) -> Vec<String> {
        self.shared().into_iter().map(|one| one.email).collect()
    }

    pub(crate) fn shared(&self) -> Vec<Shared> {
        self.google.readers(&self.folder())
    }

    /// The order's grants once the last one stands there.
    pub(crate) async fn access(&self, code: &str, state: &str) -> Value {
        self.shop
            .until(|| async {
                let access = self.shop.look(code).await["access"].take();
                let last = access.as_array()?.last()?.clone();
                (last["state"] == state).then_some(last)
            })
            .await
    }

    /// A service as the owner sees it.
    pub(crate) async fn service(&self, name: &str) -> Value {
        service(&self.shop, name).await
    }

    /// The same once it is there.
    pub(crate) async fn service_is(&self, name: &str, state: &str) -> Value {
        self.shop
            .until(|| async {
                let row = self.service(name).await;
                (row["state"] == state).then_some(row)
            })
            .await
    }
}

/// A service as the owner sees it.
pub(crate) async fn service(shop: &TestShop, name: &str) -> Value {
    let (status, services) = shop.admin("GET", "/admin/api/services", None).await;
    assert_eq!(status, 200, "{services}");
    let row = services["services"].as_array().unwrap().iter().find(|row| row["name"] == name);
    row.unwrap_or_else(|| panic!("{name} in {services}")).clone()
}

/// Open notes of the inbox about this service.
pub(crate) async fn notices(shop: &TestShop, name: &str) -> Vec<Value> {
    let (_, notices) = shop.admin("GET", "/admin/api/notices", None).await;
    let rows = notices["rows"].as_array().unwrap().clone();
    let about = |row: &Value| row["data"]["service"] == name && row["state"] != "resolved";
    rows.into_iter().filter(about).collect()
}
