//! Whose request it is: every way in which it can be somebody else's.

use chotdon_core::signed::{new_secret, signature};
use chotdon_tests::TestShop;
use chotdon_tests::worker::{HandWorker, new_id};
use serde_json::{Value, json};

use super::{ordered, refused, task_is, worker_row};

const CLAIM: &str = "/api/v1/worker/claim";
const FINALIZE: &str = "/api/v1/webhook/finalize";

fn body() -> Vec<u8> {
    json!({ "type": "task.claim", "data": {} }).to_string().into_bytes()
}

fn with(headers: &[(&'static str, String)], name: &str, value: &str) -> Vec<(&'static str, String)> {
    let change = |(known, old): &(&'static str, String)| {
        (*known, if *known == name { value.to_owned() } else { old.clone() })
    };
    headers.iter().map(change).collect()
}

#[tokio::test]
async fn headers_in_another_form_are_refused_and_leave_no_trace() {
    let shop = TestShop::start().await;
    let worker = HandWorker::new(&shop, "nas").await;
    let fine = worker.sign("msg_1", &body());
    let given = fine[2].1.clone();
    let stamps = [
        "-9223372036854775808",
        "+1",
        "1e9",
        "Infinity",
        "20 digits",
        "12345678901234567890",
        "",
        "1700000000.0",
    ];
    let hex = format!("v1,{}", hex::encode([7_u8; 32]));
    let many = vec![given.as_str(); 200].join(" ");
    let signatures = [
        "",
        "v1,",
        "v1",
        "v2,AAAA",
        &given[3..],
        &given[..given.len() - 2],
        &format!("{given}AA"),
        &hex,
        &many,
        &format!("{given}!"),
    ];
    let ids = ["a.b", "", &"x".repeat(129)];
    let mut wrong: Vec<Vec<(&'static str, String)>> = Vec::new();
    wrong.extend(stamps.iter().map(|stamp| with(&fine, "webhook-timestamp", stamp)));
    wrong.extend(signatures.iter().map(|given| with(&fine, "webhook-signature", given)));
    wrong.extend(ids.iter().map(|id| with(&fine, "webhook-id", id)));
    wrong.extend(
        (0..3).map(|at| fine.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, h)| h.clone()).collect()),
    );
    // Twice the same header, even with the same value.
    wrong.extend((0..4).map(|at| fine.iter().chain([&fine[at]]).cloned().collect()));
    wrong.push(with(&fine, "webhook-worker", "somebody"));
    for headers in wrong {
        let answer = worker.send(CLAIM, &headers, body()).await;
        refused(401, "signature_invalid")(&answer);
    }
    assert_eq!(worker_row(&shop, "nas").await["state"], "never", "nothing was written for any of them");
    assert_eq!(worker.send(CLAIM, &fine, body()).await, (200, json!({ "tasks": [] })), "the control");
    assert_eq!(worker_row(&shop, "nas").await["state"], "here");
}

#[tokio::test]
async fn a_timestamp_more_than_five_minutes_off_is_refused() {
    let shop = TestShop::start().await;
    let worker = HandWorker::new(&shop, "nas").await;
    let sent = |off: i64| {
        let worker = &worker;
        async move {
            let (id, stamp) = (new_id(), worker.shop.now_s() + off);
            let signature = signature(&worker.key, &id, stamp, &body()).unwrap();
            let headers = [
                ("webhook-id", id),
                ("webhook-timestamp", stamp.to_string()),
                ("webhook-signature", signature),
            ];
            worker.send(CLAIM, &headers, body()).await
        }
    };
    for fine in [-299, 0, 299] {
        assert_eq!(sent(fine).await.0, 200, "{fine}");
    }
    for off in [-302, 302, -1_000_000, 1_000_000] {
        refused(401, "timestamp_out_of_range")(&sent(off).await);
    }
}

#[tokio::test]
async fn any_flipped_bit_another_key_or_the_same_words_in_other_bytes_are_refused() {
    let shop = TestShop::start().await;
    let worker = HandWorker::new(&shop, "nas").await;
    let data = json!({ "task_id": 1, "lease_epoch": 1, "folder_name": "Khóa học 1", "files": [] });
    let body = json!({ "type": "task.finalize", "data": data }).to_string().into_bytes();
    let headers = worker.sign("msg_flip", &body);
    for at in 0..body.len() {
        let mut other = body.clone();
        other[at] ^= 1 << (at % 8);
        refused(401, "signature_invalid")(&worker.send(FINALIZE, &headers, other).await);
    }
    let spaced = serde_json::to_string_pretty(&serde_json::from_slice::<Value>(&body).unwrap()).unwrap();
    refused(401, "signature_invalid")(&worker.send(FINALIZE, &headers, spaced.into_bytes()).await);
    for key in [new_secret(), "whsec_".into(), "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into()] {
        let stranger = HandWorker { key, ..HandWorker::new(&shop, &new_id()).await };
        if let Some(signature) = signature(&stranger.key, "msg_2", shop.now_s(), &body) {
            let headers = [
                ("webhook-id", "msg_2".to_owned()),
                ("webhook-timestamp", shop.now_s().to_string()),
                ("webhook-signature", signature),
            ];
            refused(401, "signature_invalid")(&worker.send(FINALIZE, &headers, body.clone()).await);
        }
    }
    assert_eq!(
        worker.send(FINALIZE, &headers, body).await.0,
        400,
        "the control: known, and an empty list is refused"
    );
}

#[tokio::test]
async fn a_body_that_is_no_text_is_known_by_its_signature_and_then_refused() {
    let shop = TestShop::start().await;
    let worker = HandWorker::new(&shop, "nas").await;
    let body = vec![0xff, 0xfe, 0x00];
    let answer = worker.send(CLAIM, &worker.sign("msg_1", &body), body).await;
    refused(400, "malformed_json")(&answer);
}

#[tokio::test]
async fn the_key_in_the_body_is_refused_with_a_code_of_its_own() {
    let shop = TestShop::start().await;
    let worker = HandWorker::new(&shop, "nas").await;
    let old = json!({ "task_id": 1, "folder_name": "x", "secret_key": "s3cret" });
    let unsigned = worker.send(FINALIZE, &[], old.to_string().into_bytes()).await;
    refused(401, "secret_key_refused")(&unsigned);
    refused(400, "secret_key_refused")(&worker.call(FINALIZE, "task.finalize", old.clone()).await);
    let body =
        json!({ "type": "task.finalize", "data": {}, "secret_key": "s3cret" }).to_string().into_bytes();
    refused(400, "secret_key_refused")(&worker.send(FINALIZE, &worker.sign("msg_9", &body), body).await);
    assert!(!unsigned.1.to_string().contains("s3cret"));
}

#[tokio::test]
async fn a_revoked_worker_is_refused_at_once_and_its_task_goes_to_another() {
    let shop = TestShop::start().await;
    let (mut first, second) = (HandWorker::new(&shop, "first").await, HandWorker::new(&shop, "second").await);
    let code = ordered(&shop, "xa", Value::Null).await;
    let lease = first.task().await;
    assert_eq!(first.beat(&lease).await.0, 200, "the control");
    assert_eq!(shop.admin("DELETE", "/admin/api/workers/first", None).await.0, 204);
    refused(401, "worker_revoked")(&first.beat(&lease).await);
    refused(401, "worker_revoked")(&first.finalize(&lease, "x", &[("a", b"a")]).await);
    refused(401, "worker_revoked")(&first.put(&lease, "a", 0, b"a").await);
    refused(401, "worker_revoked")(&first.call(CLAIM, "task.claim", json!({})).await);
    first.says_name = false;
    refused(401, "signature_invalid")(&first.beat(&lease).await);
    let other = second.task().await;
    assert_eq!((other.task, other.epoch > lease.epoch), (lease.task, true));
    assert_eq!(super::task(&shop, other.task).await["task"]["attempt"], 1, "the attempt was given back");
    second.put(&other, "a", 0, b"a").await;
    assert_eq!(second.finalize(&other, "x", &[("a", b"a")]).await.0, 200);
    shop.settled(&code, "completed").await;
    let (_, audit) = shop.admin("GET", "/admin/api/audit", None).await;
    let actions: Vec<&str> =
        audit["rows"].as_array().unwrap().iter().filter_map(|row| row["action"].as_str()).collect();
    assert!(actions.contains(&"worker_key.revoke") && actions.contains(&"worker_key.create"), "{actions:?}");
    // The name can be given again, with another key.
    let again = HandWorker::new(&shop, "first").await;
    assert_eq!(again.claim(json!({})).await.len(), 0);
    first.says_name = true;
    refused(401, "signature_invalid")(&first.beat(&lease).await);
}

#[tokio::test]
async fn after_a_rotation_both_keys_sign_for_a_day_and_then_the_new_one_alone() {
    let shop = TestShop::start().await;
    let mut worker = HandWorker::new(&shop, "nas").await;
    let (status, shown) = shop.admin("POST", "/admin/api/workers/nas/rotate", None).await;
    assert_eq!(status, 200, "{shown}");
    worker.claim(json!({})).await;
    let old = std::mem::replace(&mut worker.key, shown["key"].as_str().unwrap().into());
    worker.claim(json!({})).await;
    shop.clock.jump(25 * 3_600_000);
    worker.claim(json!({})).await;
    worker.key = old;
    refused(401, "signature_invalid")(&worker.call(CLAIM, "task.claim", json!({})).await);
    assert_eq!(shop.admin("POST", "/admin/api/workers/nobody/rotate", None).await.0, 404);
    let (status, problem) = shop.admin("POST", "/admin/api/workers", Some(json!({ "name": "nas" }))).await;
    assert_eq!(status, 409, "{problem}");
    assert_eq!(shop.admin("POST", "/admin/api/workers", Some(json!({ "name": "a b" }))).await.0, 400);
}

#[tokio::test]
async fn without_a_name_the_key_is_found_among_all_living_ones() {
    let shop = TestShop::start().await;
    for name in ["a", "b"] {
        HandWorker::new(&shop, name).await;
    }
    let mut worker = HandWorker::new(&shop, "c").await;
    worker.says_name = false;
    worker.claim(json!({})).await;
    assert_eq!(worker_row(&shop, "c").await["state"], "here");
    assert_eq!(worker_row(&shop, "a").await["state"], "never");
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused() {
    let shop = TestShop::start().await;
    let worker = HandWorker::new(&shop, "nas").await;
    let body = vec![b' '; 5 << 20];
    let answer = worker.send(CLAIM, &worker.sign("msg_1", &body), body).await;
    refused(413, "body_too_large")(&answer);
}

#[tokio::test]
async fn a_task_that_was_called_off_says_so_at_the_next_heartbeat() {
    let shop = TestShop::start().await;
    let worker = HandWorker::new(&shop, "nas").await;
    ordered(&shop, "xa", Value::Null).await;
    let lease = worker.task().await;
    let path = format!("/admin/api/tasks/{}/cancel", lease.task);
    assert_eq!(shop.admin("POST", &path, Some(json!({ "reason": "nhầm khóa" }))).await.0, 200);
    assert_eq!(worker.beat(&lease).await, (200, json!({ "stop": true, "reason": "cancelled" })));
    refused(409, "lease_lost")(&worker.finalize(&lease, "x", &[("a", b"a")]).await);
    task_is(&shop, lease.task, "cancelled").await;
}
