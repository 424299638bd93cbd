//! A task from claim to delivery.

use chotdon_tests::TestShop;
use chotdon_tests::worker::HandWorker;
use serde_json::{Value, json};

use super::ordered;

#[tokio::test]
async fn a_course_that_another_machine_fetched_is_delivered_once_it_was_read_and_hashed() {
    let shop = TestShop::start().await;
    let worker = HandWorker::new(&shop, "nas").await;
    let code = ordered(&shop, "xa", Value::Null).await;
    let lease = worker.task().await;
    assert_eq!((&lease.given["kind"], &lease.given["stage"]), (&json!("prepare_course"), &json!("fetch")));
    assert_eq!(lease.given["course"], json!({ "slug": "xa", "title": "Khóa xa", "version": 1 }));
    assert_eq!(
        lease.given["source"],
        json!({ "kind": "http", "url": "https://files.example.invalid/course.json" })
    );
    let (lesson, notes) = (b"the lesson".as_slice(), b"".as_slice());
    assert_eq!(worker.put(&lease, "Chương 1/Bài 1.mp4", 0, &lesson[..4]).await, (200, json!({ "size": 4 })));
    assert_eq!(worker.size(&lease, "Chương 1/Bài 1.mp4").await, (200, json!({ "size": 4 })));
    assert_eq!(worker.put(&lease, "Chương 1/Bài 1.mp4", 4, &lesson[4..]).await, (200, json!({ "size": 10 })));
    assert_eq!(worker.put(&lease, "notes.txt", 0, notes).await, (200, json!({ "size": 0 })));
    let files = [("Chương 1/Bài 1.mp4", lesson), ("notes.txt", notes)];
    assert_eq!(worker.finalize(&lease, "xa-v1", &files).await.0, 200);
    shop.settled(&code, "completed").await;
    let there = std::fs::read(shop.dir().join("library/xa/v1/Chương 1/Bài 1.mp4")).unwrap();
    assert_eq!(there, lesson);
    assert_eq!(std::fs::read_dir(shop.dir().join("incoming")).unwrap().count(), 0, "nothing is left behind");
    shop.sound().await;
}
