//! The catalogue as the owner keeps it.

use chotdon_tests::TestShop;
use serde_json::json;

use super::{done, post, refused, sold};

const SLUG: &str = "rust-co-ban";

#[tokio::test]
async fn prices_are_remembered_and_a_copy_is_off_sale() {
    let shop = TestShop::start().await;
    let before = shop.course(SLUG).await["course"].clone();
    let edit = |price: i64| json!({ "title": before["title"], "price_vnd": price, "source": before["source"], "target": before["target"], "description": "Từ số không" });
    let (status, row) = shop.admin("PUT", &format!("/admin/api/courses/{SLUG}"), Some(edit(599_000))).await;
    assert_eq!((status, &row["version"]), (200, &json!(1)), "{row}");
    let now = shop.course(SLUG).await;
    let prices: Vec<_> =
        now["prices"].as_array().unwrap().iter().map(|row| row["price_vnd"].as_i64().unwrap()).collect();
    assert_eq!(prices, [599_000, 499_000]);
    let mut again = edit(1);
    again["create"] = json!(true);
    let (status, answer) = shop.admin("PUT", &format!("/admin/api/courses/{SLUG}"), Some(again)).await;
    assert_eq!((status, answer["code"].as_str()), (409, Some("slug_taken")));

    let copy =
        done(&shop, &format!("courses/{SLUG}/duplicate"), json!({ "slug": "rust-2", "title": "Rust 2" }))
            .await;
    assert_eq!(
        (&copy["active"], &copy["price_vnd"], &copy["description"]),
        (&json!(false), &json!(599_000), &json!("Từ số không"))
    );
    assert_eq!(
        refused(&shop, &format!("courses/{SLUG}/duplicate"), json!({ "slug": "rust-2" })).await.1,
        "slug_taken"
    );
    let order = json!({ "customer": { "email": "lan@example.com" }, "items": [{ "course": "rust-2" }] });
    assert_eq!(post(&shop, "orders", order.clone()).await.1["code"], "unknown_course");
    done(&shop, "courses/rust-2/archive", json!({ "active": true })).await;
    assert_eq!(post(&shop, "orders", order).await.0, 201);
}

#[tokio::test]
async fn what_is_wrong_in_a_course_is_named() {
    let shop = TestShop::start().await;
    let good = json!({ "title": "X", "price_vnd": 1000, "source": { "kind": "folder", "path": "/x" }, "target": { "kind": "folder" } });
    for (field, value) in [
        ("source", json!({ "kind": "folder" })),
        ("source", json!({ "kind": "folder", "path": "x" })),
        ("source", json!({ "kind": "http", "url": "ftp://x" })),
        ("target", json!({ "kind": "moon" })),
        ("title", json!("")),
        ("price_vnd", json!(0)),
        ("access_days", json!(-1)),
    ] {
        let mut wrong = good.clone();
        wrong[field] = value;
        let (status, answer) = shop.admin("PUT", "/admin/api/courses/x", Some(wrong)).await;
        let detail = answer["detail"].as_str().unwrap();
        assert!(status == 400 && detail.starts_with(&format!("{field}:")), "{field}: {answer}");
    }
    assert_eq!(shop.admin("PUT", "/admin/api/courses/x", Some(good)).await.0, 200, "the control");
}

#[tokio::test]
async fn a_source_is_tried_without_being_fetched() {
    let shop = TestShop::start().await;
    let source = shop.course(SLUG).await["course"]["source"].clone();
    let listing = done(&shop, "courses/source-test", json!({ "source": source })).await;
    assert_eq!((&listing["listed"], &listing["files"]), (&json!(true), &json!(2)));
    assert_eq!(listing["first"][0]["path"], "01-bat-dau.md");
    assert!(!shop.dir().join("staging").join("course-1-v1").exists());
    let gone = json!({ "source": { "kind": "folder", "path": shop.dir().join("nowhere") } });
    assert_eq!(refused(&shop, "courses/source-test", gone).await.1, "source_not_found");
}

#[tokio::test]
async fn a_course_shows_what_it_sold_and_how_often_it_failed_in_thirty_days() {
    let shop = TestShop::start().await;
    sold(&shop, &[SLUG]).await;
    sold(&shop, &[SLUG]).await;
    let row = shop.course(SLUG).await["course"].clone();
    assert_eq!((&row["sold_30d"], &row["failed_30d_percent"]), (&json!(2), &json!(0)));
    assert_eq!(row["files"], 2);
    shop.clock.jump(31 * 24 * 3_600_000);
    let row = shop.course(SLUG).await["course"].clone();
    assert_eq!((&row["sold_30d"], &row["sold"]), (&json!(0), &json!(2)));
}
