//! Unmatched transfers from the webhook to the delivery, as the owner works them off over HTTP.
#![allow(clippy::unwrap_used)] // a test may stop anywhere

use chotdon_tests::{Payment, TestShop};
use serde_json::{Value, json};

const HOLD_MS: i64 = 10_000;

/// A code in which one digit has another look: what a buyer types who reads 0 as O.
fn misread(code: &str) -> String {
    let digits = code.trim_start_matches("DH");
    let place = digits.find(['0', '1', '5']);
    match place {
        Some(at) => {
            let like = match &digits[at..=at] {
                "0" => "o",
                "1" => "l",
                _ => "s",
            };
            format!("dh {}{like}{}", &digits[..at], &digits[at + 1..])
        }
        // Without such a digit, one is missing.
        None => format!("dh {}", &digits[..5]),
    }
}

async fn unmatched(shop: &TestShop) -> Vec<Value> {
    let (status, page) = shop.admin("GET", "/admin/api/transfers?state=unmatched", None).await;
    assert_eq!(status, 200, "{page}");
    page["rows"].as_array().unwrap().clone()
}

async fn act(shop: &TestShop, id: i64, action: &str, body: Value) -> (u16, Value) {
    shop.admin("POST", &format!("/admin/api/transfers/{id}/{action}"), Some(body)).await
}

#[tokio::test]
async fn a_mistyped_code_is_suggested_matched_held_undone_and_delivered() {
    let shop = TestShop::start().await;
    let (code, total) = shop.order(&["thiet-ke-giao-dien"]).await;
    let content = format!("{} cam on", misread(&code));
    assert_eq!(shop.bank_receives(total, &content).await, "unmatched");
    assert_eq!(shop.look(&code).await["order"]["stage"], "pending", "never matched by itself");
    assert_eq!(shop.money().await["unmatched_vnd"], total);

    let rows = unmatched(&shop).await;
    let id = rows[0]["id"].as_i64().unwrap();
    assert_eq!((&rows[0]["content"], rows.len()), (&json!(content), 1));
    let (_, detail) = shop.admin("GET", &format!("/admin/api/transfers/{id}"), None).await;
    let best = &detail["suggestions"][0];
    assert_eq!(best["order"]["code"], code.as_str(), "{detail}");
    assert_eq!(best["order"]["difference_vnd"], 0);
    let kinds: Vec<&str> =
        best["evidence"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert!(
        kinds.contains(&"near_code") && kinds.contains(&"amount") && kinds.contains(&"time"),
        "{kinds:?}"
    );
    assert_eq!(detail["actions"], json!(["match", "credit", "create_order", "set_aside"]));

    let (status, matched) = act(&shop, id, "match", json!({ "order": code })).await;
    assert_eq!(status, 200, "{matched}");
    assert_eq!(matched["transfer"]["level"], "manual");
    assert_eq!(matched["actions"], json!(["undo"]));
    assert!(matched["undo_until"].is_string(), "{matched}");
    let (status, refused) = act(&shop, id, "set-aside", json!({ "reason": "too late" })).await;
    assert_eq!((status, &refused["code"]), (409, &json!("already_matched")));

    let order = shop.look(&code).await;
    assert_eq!((&order["order"]["stage"], shop.mails().len()), (&json!("paid"), 0), "held");
    let task = &order["tasks"][0];
    assert_eq!(task["state"], "scheduled", "{task}");

    let (status, undone) = act(&shop, id, "undo", json!({})).await;
    assert_eq!((status, &undone["transfer"]["state"]), (200, &json!("unmatched")), "{undone}");
    assert_eq!(shop.money().await["unmatched_vnd"], total);
    assert_eq!(shop.look(&code).await["order"]["stage"], "pending");
    shop.clock.jump(2 * HOLD_MS);
    assert_eq!(shop.look(&code).await["order"]["stage"], "pending", "an undone match delivers nothing");

    assert_eq!(act(&shop, id, "match", json!({ "order": code })).await.0, 200);
    shop.clock.jump(HOLD_MS + 1);
    shop.settled(&code, "completed").await;
    assert_eq!(shop.mails().len(), 1);
    let (status, late) = act(&shop, id, "undo", json!({})).await;
    assert_eq!((status, &late["code"]), (409, &json!("already_delivered")));
    let (_, late_detail) = shop.admin("GET", &format!("/admin/api/transfers/{id}"), None).await;
    assert_eq!((&late_detail["actions"], &late_detail["suggestions"]), (&json!([]), &json!([])));

    let moves: Vec<(&Value, &Value)> = late_detail["movements"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (&row["debit"], &row["credit"]))
        .collect();
    assert_eq!(moves.len(), 4, "in, matched, undone, matched: {moves:?}");

    let story = shop.look(&code).await;
    let told: Vec<&str> =
        story["timeline"].as_array().unwrap().iter().map(|row| row["kind"].as_str().unwrap()).collect();
    for kind in ["transfer", "matched", "match_undone", "completed"] {
        assert!(told.contains(&kind), "{kind} in {told:?}");
    }
    let (_, audit) = shop.admin("GET", "/admin/api/audit", None).await;
    let actions: Vec<&str> =
        audit["rows"].as_array().unwrap().iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(actions.iter().filter(|action| action.starts_with("transfer.")).count(), 3, "{actions:?}");
    assert!(unmatched(&shop).await.is_empty());
    shop.sound().await;
}

#[tokio::test]
async fn money_without_an_order_is_credited_made_an_order_of_or_set_aside() {
    let shop = TestShop::start().await;
    for (amount, content) in [(80_000, "nap vi"), (300_000, "mua khoa hoc"), (5_000, "lai tiet kiem")] {
        assert_eq!(shop.bank_receives(amount, content).await, "unmatched");
    }
    let rows = unmatched(&shop).await;
    let id = |content: &str| {
        rows.iter().find(|row| row["content"] == content).and_then(|row| row["id"].as_i64()).unwrap()
    };

    let (status, credited) =
        act(&shop, id("nap vi"), "credit", json!({ "email": "minh@example.com", "name": "Phạm Minh" })).await;
    assert_eq!(status, 200, "{credited}");
    assert_eq!(credited["transfer"]["customer"]["email"], "minh@example.com");
    assert_eq!(shop.money().await["wallets_vnd"], 80_000);

    let wish = json!({ "customer": { "email": "hoa@example.com", "name": "Hoa" }, "items": [{ "course": "no-such" }] });
    let (status, refused) = act(&shop, id("mua khoa hoc"), "create-order", wish).await;
    assert_eq!((status, &refused["code"]), (400, &json!("unknown_course")));
    let wish = json!({ "customer": { "email": "hoa@example.com", "name": "Hoa" },
                       "items": [{ "course": "thiet-ke-giao-dien" }] });
    let (status, made) = act(&shop, id("mua khoa hoc"), "create-order", wish).await;
    assert_eq!(status, 200, "{made}");
    let code = made["transfer"]["order"].as_str().unwrap().to_owned();
    assert_eq!(shop.look(&code).await["order"]["paid_vnd"], 300_000);

    for (body, status, word) in [
        (json!({ "reason": "  " }), 400, "bad_request"),
        (json!({}), 400, "bad_request"),
        (json!({ "reason": "interest" }), 200, ""),
        (json!({ "reason": "again" }), 409, "already_matched"),
    ] {
        let (answered, answer) = act(&shop, id("lai tiet kiem"), "set-aside", body).await;
        assert_eq!((answered, answer["code"].as_str().unwrap_or_default()), (status, word), "{answer}");
    }
    assert_eq!(act(&shop, 999, "match", json!({ "order": code })).await.0, 404);
    let (status, _) = act(&shop, id("nap vi"), "credit", json!({})).await;
    assert_eq!(status, 400);
    let (_, notices) = shop.admin("GET", "/admin/api/notices", None).await;
    let open: Vec<&Value> =
        notices["rows"].as_array().unwrap().iter().filter(|row| row["kind"] == "unmatched").collect();
    assert!(open.iter().all(|notice| notice["state"] == "resolved"), "{open:?}");
    assert_eq!(open.len(), 1, "one notice for all of them");
    shop.sound().await;
}

#[tokio::test]
async fn the_inbox_shows_what_was_sent_and_what_was_answered() {
    let shop = TestShop::start().await;
    let (code, total) = shop.order(&["thiet-ke-giao-dien"]).await;
    let paid = shop.payment(total, &code);
    assert_eq!(shop.webhook(&paid).await.1["outcome"], "paid");
    assert_eq!(shop.webhook(&paid).await.1["outcome"], "duplicate");
    let other = Payment { amount: total + 1, ..paid.clone() };
    assert_eq!(shop.webhook(&other).await.1["outcome"], "duplicate");
    let stray = shop.payment(77_000, "DH999999 cam on");
    assert_eq!(shop.webhook(&stray).await.1["outcome"], "unmatched");

    let (_, page) = shop.admin("GET", "/admin/api/webhooks?limit=1", None).await;
    assert_eq!(page["rows"][0]["sepay_id"], stray.id);
    let next = page["next"].as_str().unwrap();
    let (_, page) = shop.admin("GET", &format!("/admin/api/webhooks?after={next}"), None).await;
    let row = &page["rows"][0];
    assert_eq!((&row["order"], &row["repeats"]), (&json!(code), &json!(2)));
    assert_eq!(row["different_body"], true);
    for (query, found) in [
        ("outcome=unmatched", Some(stray.id)),
        ("outcome=paid", Some(paid.id)),
        ("outcome=late", None),
        ("source=reconcile", None),
        ("source=webhook&q=77000", Some(stray.id)),
        ("q=dh999999", Some(stray.id)),
    ] {
        let (status, page) = shop.admin("GET", &format!("/admin/api/webhooks?{query}"), None).await;
        assert_eq!(status, 200, "{page}");
        assert_eq!(page["rows"][0]["sepay_id"].as_i64(), found, "{query}: {page}");
    }
    let (status, _) = shop.admin("GET", "/admin/api/webhooks?outcome=lost", None).await;
    assert_eq!(status, 400);

    let (_, detail) = shop.admin("GET", &format!("/admin/api/webhooks/{}", paid.id), None).await;
    assert_eq!(detail["body"].as_str().unwrap().as_bytes(), TestShop::body(&paid));
    assert_eq!(detail["other_body"].as_str().unwrap().as_bytes(), TestShop::body(&other));
    assert_eq!(detail["response"]["body"], json!({ "success": true, "outcome": "paid", "order": code }));
    assert_eq!(detail["can_reprocess"], false);
    assert_eq!(shop.admin("GET", "/admin/api/webhooks/123456789", None).await.0, 404);

    let (_, summary) = shop.admin("GET", "/admin/api/webhooks/summary", None).await;
    assert_eq!(summary["today"], json!({ "paid": 1, "unmatched": 1 }), "{summary}");
    assert!(summary["last_webhook_at"].is_string() && summary["p95_ms"].is_i64(), "{summary}");

    let (_, again) = shop.admin("POST", &format!("/admin/api/webhooks/{}/reprocess", stray.id), None).await;
    assert_eq!(again["outcome"], "unmatched", "there is still no such order");
    let (_, again) = shop.admin("POST", &format!("/admin/api/webhooks/{}/reprocess", paid.id), None).await;
    assert_eq!(again, json!({ "outcome": "paid", "order": code }), "what is placed is left alone");
    shop.sound().await;
}
