//! What may be in a request, and what may not.

use chotdon_tests::TestShop;
use chotdon_tests::worker::HandWorker;
use serde_json::{Value, json};

use super::{ordered, task};

const SUM: &str = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";

#[tokio::test]
async fn what_is_not_meant_is_refused_and_the_task_stays_as_it_is() {
    let shop = TestShop::start().await;
    let worker = HandWorker::new(&shop, "nas").await;
    ordered(&shop, "xa", Value::Null).await;
    let lease = worker.task().await;
    let fine = json!({
        "task_id": lease.task, "lease_epoch": lease.epoch, "folder_name": "xa-v1",
        "files": [{ "path": "a", "size": 1, "sha256": SUM }],
    });
    let with = |field: &str, value: Value| {
        let mut data = fine.clone();
        data[field] = value;
        data
    };
    let file = |path: &str, size: Value, sum: &str| json!([{ "path": path, "size": size, "sha256": sum }]);
    let mut wrong = vec![json!({}), json!([]), json!("x"), with("extra", json!(1))];
    for id in [json!("1"), json!(1.5), json!(-1), json!(0), json!(null), json!(1e30), json!(true)] {
        wrong.push(with("task_id", id.clone()));
        wrong.push(with("lease_epoch", id));
    }
    let long = "x".repeat(256);
    for name in [
        "", ".", "..", "a/b", "../x", "/etc", "a\\b", "a\u{0}b", "a\nb", "NUL", "com1.txt", ".hidden", "C:",
        &long, "... ",
    ] {
        wrong.push(with("folder_name", json!(name)));
    }
    for path in ["", "/etc/passwd", "../../x", "a/../b", "a//b", "a\\b", "a\u{0}", "CON", "x/", &long] {
        wrong.push(with("files", file(path, json!(1), SUM)));
    }
    wrong.push(with("files", json!([])));
    wrong.push(with("files", json!([{ "path": "a", "size": 1 }])));
    wrong.push(with(
        "files",
        json!([{ "path": "a", "size": 1, "sha256": SUM }, { "path": "a", "size": 1, "sha256": SUM }]),
    ));
    wrong.push(with(
        "files",
        json!([{ "path": "a", "size": 1, "sha256": SUM }, { "path": "a/b", "size": 1, "sha256": SUM }]),
    ));
    for (size, sum) in [
        (json!(-1), SUM),
        (json!(1.5), SUM),
        (json!("1"), SUM),
        (json!(u64::MAX), SUM),
        (json!(1), "abc"),
        (json!(1), &SUM.to_uppercase()),
        (json!(1), &format!("{SUM}00")),
    ] {
        wrong.push(with("files", file("a", size, sum)));
    }
    for data in wrong {
        let (status, answer) = worker.call("/api/v1/webhook/finalize", "task.finalize", data.clone()).await;
        assert_eq!(status, 400, "{data}: {answer}");
        assert!(answer["code"].is_string());
    }
    let body = json!({ "type": "task.fail", "data": fine }).to_string().into_bytes();
    let headers = worker.sign("msg_kind", &body);
    assert_eq!(worker.send("/api/v1/webhook/finalize", &headers, body).await.0, 400, "another type");
    let twice = format!(r#"{{"type":"task.finalize","type":"task.finalize","data":{fine}}}"#).into_bytes();
    let headers = worker.sign("msg_twice", &twice);
    assert_eq!(worker.send("/api/v1/webhook/finalize", &headers, twice).await.0, 400, "a field twice");
    let now = task(&shop, lease.task).await;
    assert_eq!((&now["task"]["state"], &now["lease_epoch"]), (&json!("running"), &json!(lease.epoch)));
    let (status, answer) = worker.call("/api/v1/webhook/finalize", "task.finalize", fine).await;
    assert_eq!((status, answer), (200, json!({ "accepted": true })), "the control");
}

#[tokio::test]
async fn wishes_and_failures_have_their_limits() {
    let shop = TestShop::start().await;
    let worker = HandWorker::new(&shop, "nas").await;
    for data in [
        json!({ "max": 0 }),
        json!({ "max": 17 }),
        json!({ "wait_s": 26 }),
        json!({ "wait_s": -1 }),
        json!({ "kinds": ["deliver_order"] }),
        json!({ "kinds": [] }),
        json!({ "sources": ["folder"] }),
        json!({ "sources": [] }),
        json!({ "more": 1 }),
    ] {
        assert_eq!(worker.call("/api/v1/worker/claim", "task.claim", data.clone()).await.0, 400, "{data}");
    }
    assert!(
        worker
            .claim(json!({ "kinds": ["prepare_course"], "max": 16, "sources": ["http", "program"] }))
            .await
            .is_empty()
    );
    ordered(&shop, "xa", Value::Null).await;
    let lease = worker.task().await;
    let fine =
        json!({ "task_id": lease.task, "lease_epoch": lease.epoch, "class": "transient", "code": "x" });
    for (field, value) in [
        ("class", json!("crashed")),
        ("code", json!("")),
        ("code", json!("Not A Code")),
        ("code", json!("x".repeat(65))),
        ("detail", json!(1)),
    ] {
        let mut data = fine.clone();
        data[field] = value;
        assert_eq!(worker.call("/api/v1/worker/fail", "task.fail", data.clone()).await.0, 400, "{data}");
    }
    assert_eq!(worker.call("/api/v1/worker/fail", "task.fail", fine).await.0, 200, "the control");
}

#[tokio::test]
async fn every_route_is_in_the_public_document_and_answers_only_who_signed() {
    let shop = TestShop::start().await;
    let document = chotdon_core::http::storefront::openapi();
    let paths = document["paths"].as_object().unwrap();
    let ours: Vec<_> = paths
        .iter()
        .filter(|(path, _)| path.contains("/worker/") || path.contains("/webhook/finalize"))
        .collect();
    assert_eq!(ours.len(), 6);
    for (path, methods) in ours {
        for method in methods.as_object().unwrap().keys() {
            let request = shop.http.request(method.to_uppercase().parse().unwrap(), shop.public(path));
            let answer = request.body("{}").send().await.unwrap();
            let status = answer.status().as_u16();
            let problem: Value = answer.json().await.unwrap();
            assert_eq!((status, &problem["code"]), (401, &json!("signature_invalid")), "{method} {path}");
            let told = &methods[method]["responses"]["401"]["description"];
            assert!(told.as_str().unwrap().contains("signature_invalid"));
            let named = methods[method]["parameters"].to_string();
            for parameter in ["WebhookId", "WebhookTimestamp", "WebhookSignature"] {
                let known = &document["components"]["parameters"][parameter]["in"];
                assert!(named.contains(parameter) && known == "header", "{method} {path}");
            }
        }
    }
}
