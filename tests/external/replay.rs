//! The same request again: the same answer, and nothing done twice. For ever.

use chotdon_tests::worker::{HandWorker, leased, new_id};
use chotdon_tests::{Setup, TestShop};
use serde_json::{Value, json};

use super::{ordered, refused, task};

const CLAIM: &str = "/api/v1/worker/claim";
const FINALIZE: &str = "/api/v1/webhook/finalize";

#[tokio::test]
async fn a_claim_whose_answer_was_lost_gives_the_same_task_again() {
    let shop = TestShop::start().await;
    let worker = HandWorker::new(&shop, "nas").await;
    ordered(&shop, "xa", Value::Null).await;
    ordered(&shop, "xb", Value::Null).await;
    let id = new_id();
    let lease = shop
        .until(|| async {
            let (_, answer) = worker.call_as(&new_id(), CLAIM, "task.claim", json!({ "max": 1 })).await;
            leased(&answer).pop()
        })
        .await;
    let first = worker.call_as(&id, CLAIM, "task.claim", json!({ "max": 1 })).await;
    let second = worker.call_as(&id, CLAIM, "task.claim", json!({ "max": 1 })).await;
    assert_eq!(first, second);
    let other = leased(&first.1).pop().unwrap();
    assert_ne!(other.task, lease.task, "the control: another id gets another task");
    assert_eq!(task(&shop, other.task).await["lease_epoch"], other.epoch, "it was leased once");
}

#[tokio::test]
async fn a_result_that_comes_again_is_answered_the_same_even_years_later_and_by_another_process() {
    let shop = TestShop::start().await;
    let worker = HandWorker::new(&shop, "nas").await;
    let code = ordered(&shop, "xa", Value::Null).await;
    let lease = worker.task().await;
    worker.put(&lease, "a", 0, b"a").await;
    let (id, data) = (new_id(), lease.result("xa", &[("a", b"a")]));
    let first = worker.call_as(&id, FINALIZE, "task.finalize", data.clone()).await;
    assert_eq!(first, (200, json!({ "accepted": true })));
    assert_eq!(worker.call_as(&id, FINALIZE, "task.finalize", data.clone()).await, first);
    shop.settled(&code, "completed").await;
    let HandWorker { key, name, says_name, .. } = worker;
    let shop = TestShop::on(shop.stop().await, Setup::default()).await;
    let worker = HandWorker { shop: &shop, key, name, says_name };
    shop.clock.jump(3 * 365 * 24 * 3_600_000);
    assert_eq!(worker.call_as(&id, FINALIZE, "task.finalize", data.clone()).await, first);
    // The control: under another id it is a late result.
    refused(409, "lease_lost")(&worker.call(FINALIZE, "task.finalize", data).await);
    let other = lease.result("xa", &[("b", b"b")]);
    refused(409, "webhook_id_reused")(&worker.call_as(&id, FINALIZE, "task.finalize", other).await);
}

#[tokio::test]
async fn an_id_belongs_to_the_worker_that_used_it() {
    let shop = TestShop::start().await;
    let (one, other) = (HandWorker::new(&shop, "one").await, HandWorker::new(&shop, "other").await);
    let id = new_id();
    assert_eq!(one.call_as(&id, CLAIM, "task.claim", json!({})).await.0, 200);
    assert_eq!(other.call_as(&id, CLAIM, "task.claim", json!({ "max": 2 })).await.0, 200);
    refused(409, "webhook_id_reused")(&one.call_as(&id, CLAIM, "task.claim", json!({ "max": 2 })).await);
}

#[tokio::test]
async fn a_heartbeat_that_is_replayed_keeps_no_lease_alive() {
    let shop = TestShop::start().await;
    let worker = HandWorker::new(&shop, "nas").await;
    ordered(&shop, "xa", Value::Null).await;
    let lease = worker.task().await;
    let id = new_id();
    let first = worker.call_as(&id, "/api/v1/worker/heartbeat", "task.heartbeat", lease.data()).await;
    assert_eq!(first.0, 200);
    shop.clock.jump(40_000);
    let replayed = worker.call_as(&id, "/api/v1/worker/heartbeat", "task.heartbeat", lease.data()).await;
    assert_eq!(replayed.1["lease_until"], first.1["lease_until"]);
    shop.clock.jump(30_000);
    refused(409, "lease_lost")(&worker.beat(&lease).await);
}
