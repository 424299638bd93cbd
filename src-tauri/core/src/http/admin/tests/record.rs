//! Whatever the owner does is in the record of human actions: every route that changes something is called, and a row
//! must have come of it.

use serde_json::{Value, json};

use super::{Desk, ROUTES};

/// A course of the demo that can be delivered.
const GOOD: &str = "rust-co-ban";

/// Routes that change nothing that a person decides, and why they leave no row.
const WITHOUT: &[(&str, &str)] = &[
    ("post /admin/api/notices/seen", "reading is no action"),
    ("post /admin/api/notices/{id}/seen", "reading is no action"),
    ("post /admin/api/reload", "the command that asks for it has written its own row"),
    ("post /admin/api/simulate-transfer", "the demo's payer, not its owner"),
    ("post /admin/api/demo/mend", "the demo's source, not its owner"),
    ("post /admin/api/backups/{name}/check", "looks into a copy and changes nothing"),
    ("post /admin/api/mail-templates/{name}/{lang}/preview", "shows, and keeps and sends nothing"),
    (
        "post /admin/api/google/connect",
        "asks for consent; the row comes with Google's answer (tests/desk/google.rs)",
    ),
];

impl Desk {
    async fn rows(&self) -> i64 {
        self.shop.store().audit_head().await.unwrap().map_or(0, |head| head.id)
    }

    async fn code(&self) -> String {
        self.order().await["order"]["code"].as_str().unwrap().to_owned()
    }

    async fn pay(&self, body: Value) -> Value {
        let (status, answer) = self.ask("POST", "/admin/api/simulate-transfer", Some(body)).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    async fn paid(&self, course: &str) -> String {
        let order = json!({ "customer": { "email": "lan@example.com" }, "items": [{ "course": course }] });
        let order = self.must("POST", "/admin/api/orders", order).await;
        let code = order["order"]["code"].as_str().unwrap().to_owned();
        self.pay(json!({ "order": code })).await;
        code
    }

    async fn completed(&self) -> String {
        let code = self.paid(GOOD).await;
        self.until(&format!("/admin/api/orders/{code}"), |story| story["order"]["stage"] == "completed")
            .await;
        code
    }

    async fn failed(&self) -> i64 {
        self.paid("khoa-hoc-loi").await;
        self.task_in("failed").await
    }

    /// Id of a transfer that pays for nothing.
    async fn stray(&self, amount: i64) -> i64 {
        let sent = self.pay(json!({ "amount_vnd": amount, "content": "khong co ma" })).await;
        let rows = self.get("/admin/api/transfers?state=unmatched").await;
        let rows = rows["rows"].as_array().unwrap();
        rows.iter().find(|row| row["sepay_id"] == sent["sepay_id"]).unwrap()["id"].as_i64().unwrap()
    }

    async fn customer(&self) -> i64 {
        self.order().await;
        self.get("/admin/api/customers").await["rows"][0]["id"].as_i64().unwrap()
    }

    async fn task_in(&self, state: &str) -> i64 {
        let path = format!("/admin/api/tasks?state={state}");
        self.until(&path, |page| page["rows"].as_array().is_some_and(|rows| !rows.is_empty())).await["rows"]
            [0]["id"]
            .as_i64()
            .unwrap()
    }

    async fn must(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask(method, path, Some(body)).await;
        assert!(status.is_success(), "{method} {path}: {status} {answer}");
        answer
    }

    /// What a route is asked, once everything is arranged for it to say yes. `None` for a route that is not known here.
    async fn arranged(&self, route: &str) -> Option<(String, Value)> {
        let reason = || json!({ "reason": "vì khách xin" });
        let path = route.split_once(' ').unwrap().1;
        let of = |what: &str, value: &str| path.replace(what, value);
        let slug = "sample";
        Some(match route {
            "post /admin/api/audit/accept" => (path.to_owned(), json!({})),
            "post /admin/api/backups" => (path.to_owned(), json!({})),
            "post /admin/api/backups/{name}/restore" | "delete /admin/api/backups/pending" => {
                let copies = self.must("POST", "/admin/api/backups", json!({})).await;
                let restore = path_of_restore(&copies);
                if route.starts_with("delete") {
                    self.must("POST", &restore, json!({})).await;
                    (path.to_owned(), json!({}))
                } else {
                    (restore, json!({}))
                }
            }
            "put /admin/api/mail-templates/{name}/{lang}" => (
                path.replace("{name}/{lang}", "refund/vi"),
                json!({ "texts": { "subject": "Tiền của bạn" } }),
            ),
            "delete /admin/api/mail-templates/{name}/{lang}" => {
                let path = path.replace("{name}/{lang}", "refund/vi");
                self.must("PUT", &path, json!({ "texts": { "subject": "Tiền của bạn" } })).await;
                (path, json!({}))
            }
            "post /admin/api/mail-templates/{name}/{lang}/test" => {
                (path.replace("{name}/{lang}", "refund/vi"), json!({ "to": "toi@example.com" }))
            }
            "post /admin/api/tunnel/restart" => {
                let mut tunnel = self.get("/admin/api/settings").await["tunnel"].clone();
                tunnel["base_url"] = json!("https://shop.invalid");
                self.must("PUT", "/admin/api/settings/tunnel", tunnel).await;
                self.until("/admin/api/tunnel", |tunnel| tunnel["state"] != "off").await;
                (path.to_owned(), json!({}))
            }
            "post /admin/api/diagnostics" => (path.to_owned(), json!({ "save": true })),
            "post /admin/api/channels/{channel}/test" => (of("{channel}", "desktop"), json!({})),
            "post /admin/api/exports" => (path.to_owned(), json!({ "what": "orders", "rows": 3 })),
            "post /admin/api/checks/{id}" => (of("{id}", "secrets"), json!({})),
            "post /admin/api/orders" => {
                let course = self.get("/admin/api/courses").await["rows"][0]["slug"].clone();
                (
                    path.to_owned(),
                    json!({ "customer": { "email": "a@example.com" }, "items": [{ "course": course }] }),
                )
            }
            "post /admin/api/orders/{code}/cancel" | "post /admin/api/orders/{code}/mark-paid" => {
                (of("{code}", &self.code().await), reason())
            }
            "post /admin/api/orders/{code}/redeliver" | "post /admin/api/orders/{code}/resend" => {
                (of("{code}", &self.completed().await), json!({}))
            }
            "post /admin/api/orders/{code}/refund" => (of("{code}", &self.completed().await), reason()),
            "post /admin/api/orders/{code}/change-email" => {
                (of("{code}", &self.code().await), json!({ "email": "moi@example.com" }))
            }
            "post /admin/api/orders/{code}/surplus" => {
                let code = self.completed().await;
                self.pay(json!({ "amount_vnd": 1000, "content": code })).await;
                (of("{code}", &code), json!({ "to": "wallet" }))
            }
            "post /admin/api/orders/{code}/pay-from-wallet" => {
                let code = self.code().await;
                let customer = self.get("/admin/api/customers").await["rows"][0]["id"].clone();
                let more = json!({ "amount_vnd": 9_000_000, "reason": "thử" });
                self.must("POST", &format!("/admin/api/customers/{customer}/adjust"), more).await;
                (of("{code}", &code), json!({}))
            }
            "post /admin/api/orders/{code}/note" => {
                (of("{code}", &self.code().await), json!({ "text": "ghi chú" }))
            }
            "post /admin/api/queue/pause" | "post /admin/api/queue/resume" => {
                (path.to_owned(), json!({ "lane": "course" }))
            }
            "post /admin/api/workers" => (path.to_owned(), json!({ "name": "may-2" })),
            "post /admin/api/workers/{name}/rotate" => {
                self.must("POST", "/admin/api/workers", json!({ "name": "may-3" })).await;
                (of("{name}", "may-3"), json!({}))
            }
            "delete /admin/api/workers/{name}" => {
                self.must("POST", "/admin/api/workers", json!({ "name": "may-4" })).await;
                (of("{name}", "may-4"), json!({}))
            }
            "post /admin/api/services/{name}/pause" | "post /admin/api/services/{name}/resume" => {
                self.completed().await;
                (of("{name}", "smtp"), json!({}))
            }
            "post /admin/api/tasks/{id}/retry" => (of("{id}", &self.failed().await.to_string()), json!({})),
            "post /admin/api/tasks/{id}/cancel" | "post /admin/api/tasks/{id}/priority" => {
                self.must("POST", "/admin/api/queue/pause", json!({})).await;
                let code = self.code().await;
                self.pay(json!({ "order": code })).await;
                let id = self.task_in("ready").await;
                let body = if route.ends_with("cancel") { json!({}) } else { json!({ "vip": true }) };
                (of("{id}", &id.to_string()), body)
            }
            "post /admin/api/failures/retry" => {
                self.failed().await;
                (path.to_owned(), json!({ "filter": {}, "dry_run": false }))
            }
            "post /admin/api/recipes/test" => {
                let enrolment = json!({ "kind": "recipe", "name": "moodle", "base_url": "https://moodle.example.com", "course": "42", "secret": "lms.moodle" });
                self.must("PUT", "/admin/api/secrets/lms.moodle", json!({ "value": "0123456789abcdef" }))
                    .await;
                (
                    path.to_owned(),
                    json!({ "enrolment": enrolment, "email": "lan@example.com", "dry_run": true }),
                )
            }
            "post /admin/api/customers/{id}/adjust" => {
                let customer = self.customer().await;
                (of("{id}", &customer.to_string()), json!({ "amount_vnd": 1000, "reason": "tặng" }))
            }
            "post /admin/api/ledger/{id}/reverse" => {
                let customer = self.customer().await;
                let gift = json!({ "amount_vnd": 2000, "reason": "tặng" });
                self.must("POST", &format!("/admin/api/customers/{customer}/adjust"), gift).await;
                let id = self.get("/admin/api/ledger").await["rows"][0]["id"].to_string();
                (of("{id}", &id), reason())
            }
            "post /admin/api/transfers/{id}/match" => {
                let order = self.order().await;
                let id = self.stray(order["order"]["total_vnd"].as_i64().unwrap()).await;
                (of("{id}", &id.to_string()), json!({ "order": order["order"]["code"] }))
            }
            "post /admin/api/transfers/{id}/credit" => {
                let customer = self.customer().await;
                (of("{id}", &self.stray(3000).await.to_string()), json!({ "customer_id": customer }))
            }
            "post /admin/api/transfers/{id}/create-order" => {
                let course = self.get("/admin/api/courses").await["rows"][0].clone();
                let id = self.stray(course["price_vnd"].as_i64().unwrap()).await;
                let order = json!({ "customer": { "email": "b@example.com" }, "items": [{ "course": course["slug"] }] });
                (of("{id}", &id.to_string()), order)
            }
            "post /admin/api/transfers/{id}/set-aside" => {
                (of("{id}", &self.stray(4000).await.to_string()), reason())
            }
            "post /admin/api/transfers/{id}/undo" => {
                let id = self.stray(5000).await;
                self.must("POST", &format!("/admin/api/transfers/{id}/set-aside"), reason()).await;
                (of("{id}", &id.to_string()), json!({}))
            }
            "post /admin/api/webhooks/{sepay_id}/reprocess" => {
                let id = self.stray(6000).await;
                let sepay =
                    self.get(&format!("/admin/api/transfers/{id}")).await["transfer"]["sepay_id"].to_string();
                (of("{sepay_id}", &sepay), json!({}))
            }
            "post /admin/api/reconcile" => (path.to_owned(), json!({})),
            "post /admin/api/courses/source-test" => {
                (path.to_owned(), json!({ "source": self.course().await["source"] }))
            }
            "put /admin/api/courses/{slug}" => (of("{slug}", slug), self.course().await),
            "post /admin/api/courses/{slug}/duplicate" => {
                self.must("PUT", "/admin/api/courses/dup", self.course().await).await;
                (of("{slug}", "dup"), json!({ "slug": "dup-2" }))
            }
            "post /admin/api/courses/{slug}/archive"
            | "post /admin/api/courses/{slug}/prepare"
            | "post /admin/api/courses/{slug}/test-delivery" => {
                self.must("PUT", "/admin/api/courses/one", self.course().await).await;
                let body = if route.ends_with("test-delivery") {
                    json!({ "email": "toi@example.com" })
                } else {
                    json!({})
                };
                (of("{slug}", "one"), body)
            }
            "post /admin/api/courses/{slug}/check" | "post /admin/api/courses/{slug}/announce" => {
                self.completed().await;
                (of("{slug}", GOOD), json!({}))
            }
            "put /admin/api/bundles/{slug}" => {
                let courses = self.get("/admin/api/courses").await["rows"].clone();
                let two = json!([courses[0]["slug"], courses[1]["slug"]]);
                (of("{slug}", "goi"), json!({ "title": "Gói", "price_vnd": 100_000, "courses": two }))
            }
            "post /admin/api/google/disconnect" => (path.to_owned(), json!({})),
            "put /admin/api/settings/{section}" => {
                (of("{section}", "shop"), json!({ "name": "Tên mới", "language": "vi" }))
            }
            "put /admin/api/secrets/{name}" => {
                (of("{name}", "smtp.password"), json!({ "value": "canary-0123456789" }))
            }
            "post /admin/api/secrets/{name}/rotate" => (of("{name}", "sepay.api_key"), json!({})),
            "delete /admin/api/secrets/{name}/previous" => (of("{name}", "sepay.api_key"), json!({})),
            "delete /admin/api/secrets/{name}" => (of("{name}", "smtp.password"), json!({})),
            "put /admin/api/bank-accounts" => {
                (path.to_owned(), json!({ "bank": "ACB", "account": "123456", "holder": "AN" }))
            }
            "delete /admin/api/bank-accounts/{id}" => {
                let saved = json!({ "bank": "Vietcombank", "account": "77777", "holder": "AN" });
                let settings = self.must("PUT", "/admin/api/bank-accounts", saved).await;
                let accounts = settings["bank_accounts"].as_array().unwrap();
                let id = accounts.iter().find(|one| one["account"] == "77777").unwrap()["id"].to_string();
                (of("{id}", &id), json!({}))
            }
            "put /admin/api/storefront/webhooks/{name}"
            | "post /admin/api/storefront/webhooks/{name}/test"
            | "delete /admin/api/storefront/webhooks/{name}" => {
                let body = json!({ "url": "https://example.com/hook", "events": [] });
                self.must("PUT", "/admin/api/storefront/webhooks/web", body.clone()).await;
                (of("{name}", "web"), body)
            }
            "post /admin/api/storefront/keys" => (path.to_owned(), json!({ "name": "web" })),
            "delete /admin/api/storefront/keys/{name}" => {
                self.must("POST", "/admin/api/storefront/keys", json!({ "name": "app" })).await;
                (of("{name}", "app"), json!({}))
            }
            _ => return None,
        })
    }

    async fn course(&self) -> Value {
        let course = self.get(&format!("/admin/api/courses/{GOOD}")).await["course"].clone();
        json!({ "title": "Mẫu", "price_vnd": 10_000, "source": course["source"], "target": course["target"] })
    }
}

fn path_of_restore(copies: &Value) -> String {
    let name = copies["rows"][0]["name"].as_str().unwrap();
    format!("/admin/api/backups/{name}/restore")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_that_changes_something_leaves_a_row() {
    let mut silent = Vec::new();
    for (method, path) in ROUTES.iter().filter(|(method, _)| *method != "get") {
        let route = format!("{method} {path}");
        if WITHOUT.iter().any(|(known, _)| *known == route) {
            continue;
        }
        // A shop of its own: what one route leaves behind is not in another's way.
        let desk = Desk::open(true).await;
        let Some((path, body)) = desk.arranged(&route).await else {
            silent.push(format!("{route}: say in this test how it is asked, or why it leaves no row"));
            continue;
        };
        let before = desk.rows().await;
        let (status, answer) = desk.ask(&method.to_uppercase(), &path, Some(body)).await;
        if !status.is_success() {
            silent.push(format!("{route}: {status} {answer}"));
        } else if desk.rows().await == before {
            silent.push(format!("{route}: no row"));
        }
        desk.shop.shutdown(std::time::Duration::ZERO).await;
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}
