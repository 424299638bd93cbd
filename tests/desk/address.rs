//! The buyer's address is changed, the mail sent again, access ends.

use chotdon_tests::TestShop;
use serde_json::json;

use super::{done, link, mailed, nothing, refused, sold, status_of};

const SLUG: &str = "thiet-ke-giao-dien";
const DAY: i64 = 24 * 3_600_000;

#[tokio::test]
async fn a_changed_address_ends_the_old_link_and_gets_one_of_its_own() {
    let shop = TestShop::start().await;
    let code = sold(&shop, &[SLUG]).await;
    let old = link(&shop.look(&code).await, 0);
    assert_eq!(status_of(&shop, &old).await, 200, "the control");
    done(
        &shop,
        &format!("orders/{code}/change-email"),
        json!({ "email": "minh@example.com", "reason": "gõ nhầm" }),
    )
    .await;
    let order = mailed(&shop, &code, 2).await;
    let new = link(&order, 0);
    assert_eq!(status_of(&shop, &new).await, 200);
    assert!(matches!(status_of(&shop, &old).await, 403 | 404 | 410));
    assert_eq!(order["deliver_to"], "minh@example.com");
    assert_eq!(order["order"]["customer"]["email"], "lan@example.com", "the customer stays who they are");
    assert!(shop.newest_mail("minh@example.com").await["text"].as_str().unwrap().contains(&new));
    let told =
        order["timeline"].as_array().unwrap().iter().find(|row| row["kind"] == "email_changed").unwrap();
    assert_eq!(
        (&told["data"]["from"], &told["data"]["reason"]),
        (&json!("lan@example.com"), &json!("gõ nhầm"))
    );
    let (_, found) = shop.admin("GET", "/admin/api/orders?q=minh@example.com", None).await;
    assert_eq!(found["rows"][0]["code"], code.as_str());
    assert_eq!(order["order"]["stage"], "completed");
    shop.sound().await;
}

#[tokio::test]
async fn the_customers_own_address_changes_only_when_asked_and_when_free() {
    let shop = TestShop::start().await;
    let code = sold(&shop, &[SLUG]).await;
    let other = json!({ "customer": { "email": "an@example.com" }, "items": [{ "course": SLUG }] });
    done(&shop, "orders", other).await;
    let change = |email: &str| json!({ "email": email, "customer": true });
    let path = format!("orders/{code}/change-email");
    assert_eq!(refused(&shop, &path, change("an@example.com")).await, (409, "email_taken".into()));
    assert_eq!(refused(&shop, &path, change("lan@example.com")).await, (409, "same_address".into()));
    assert_eq!(refused(&shop, &path, change("lan")).await, (400, "invalid_email".into()));
    assert_eq!(shop.mails().len(), 1, "nothing was sent by what was refused");
    done(&shop, &path, change("lan.moi@example.com")).await;
    let order = mailed(&shop, &code, 2).await;
    assert_eq!(order["order"]["customer"]["email"], "lan.moi@example.com");
    assert_eq!(order["deliver_to"], "lan.moi@example.com");
}

#[tokio::test]
async fn an_order_that_is_not_paid_yet_goes_to_the_new_address_once_it_is() {
    let shop = TestShop::start().await;
    let (code, total) = shop.order(&[SLUG]).await;
    done(&shop, &format!("orders/{code}/change-email"), json!({ "email": "minh@example.com" })).await;
    assert!(shop.mails().is_empty());
    shop.bank_receives(total, &code).await;
    let order = mailed(&shop, &code, 1).await;
    assert_eq!(order["mails"][0]["recipient"], "minh@example.com");
    done(&shop, &format!("orders/{code}/refund"), json!({ "reason": "trả lại" })).await;
    let closed =
        refused(&shop, &format!("orders/{code}/change-email"), json!({ "email": "x@example.com" })).await;
    assert_eq!(closed, (409, "order_closed".into()));
}

#[tokio::test]
async fn sending_again_keeps_links_and_version_and_is_a_mail_of_its_own() {
    let shop = TestShop::start().await;
    let code = sold(&shop, &[SLUG]).await;
    let before = shop.look(&code).await;
    let file = shop.dir().join("demo-courses").join(SLUG).join("giao-trinh.html");
    std::fs::write(file, "<h1>Bản hai</h1>").unwrap();
    done(&shop, &format!("courses/{SLUG}/prepare"), nothing()).await;
    shop.at_version(SLUG, 2).await;
    done(&shop, &format!("orders/{code}/resend"), nothing()).await;
    let after = mailed(&shop, &code, 2).await;
    assert_eq!(link(&before, 0), link(&after, 0));
    assert_eq!(after["items"][0]["version"], 1, "what they bought, as it was");
    let mails: Vec<String> = shop
        .mails()
        .iter()
        .map(|name| std::fs::read_to_string(shop.dir().join("mailbox").join(name)).unwrap())
        .collect();
    for id in [".delivery.1@", ".delivery.2@"] {
        assert_eq!(mails.iter().filter(|mail| mail.contains(id)).count(), 1, "{id}");
    }

    // Delivering again is another thing: it brings the current version.
    done(&shop, &format!("orders/{code}/redeliver"), nothing()).await;
    let current = mailed(&shop, &code, 3).await;
    assert_eq!(current["items"][0]["version"], 2);
    assert_ne!(link(&current, 0), link(&after, 0));
    shop.sound().await;
}

#[tokio::test]
async fn access_ends_by_the_courses_terms_and_sending_again_does_not_prolong_it() {
    let shop = TestShop::start().await;
    let (_, catalogue) = shop.admin("GET", &format!("/admin/api/courses/{SLUG}"), None).await;
    let course = &catalogue["course"];
    let edit = json!({ "title": course["title"], "price_vnd": course["price_vnd"], "source": course["source"], "target": course["target"], "access_days": 10 });
    let (status, row) = shop.admin("PUT", &format!("/admin/api/courses/{SLUG}"), Some(edit)).await;
    assert_eq!((status, &row["access_days"], &row["version"]), (200, &json!(10), &json!(1)), "{row}");
    let code = sold(&shop, &[SLUG]).await;
    let order = shop.look(&code).await;
    let until = order["items"][0]["access_until"].as_str().unwrap().to_owned();
    shop.clock.jump(9 * DAY);
    done(&shop, &format!("orders/{code}/resend"), nothing()).await;
    let again = mailed(&shop, &code, 2).await;
    assert_eq!(again["items"][0]["access_until"], until.as_str());
    assert_eq!(status_of(&shop, &link(&again, 0)).await, 200, "the control");
    shop.clock.jump(2 * DAY);
    assert_ne!(status_of(&shop, &link(&again, 0)).await, 200);
    done(&shop, &format!("orders/{code}/resend"), nothing()).await;
    let failed = shop
        .until(|| async {
            let (_, failures) = shop.admin("GET", "/admin/api/failures", None).await;
            failures["groups"].as_array().unwrap().first().cloned()
        })
        .await;
    assert_eq!(failed["error"]["code"], "access_expired");
}
