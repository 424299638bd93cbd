//! The files that workers send or leave in a shared directory: nothing of it is believed.

use chotdon_tests::worker::HandWorker;
use chotdon_tests::{Setup, TestShop};
use serde_json::{Value, json};

use super::{ordered, refused, task_is};

#[tokio::test]
async fn a_piece_has_to_go_on_where_the_file_ends_and_be_what_was_signed() {
    let shop = TestShop::start().await;
    let worker = HandWorker::new(&shop, "nas").await;
    ordered(&shop, "xa", Value::Null).await;
    let lease = worker.task().await;
    assert_eq!(worker.put(&lease, "a/b", 0, b"hello").await, (200, json!({ "size": 5 })));
    refused(409, "offset_mismatch")(&worker.put(&lease, "a/b", 0, b"hello").await);
    refused(409, "offset_mismatch")(&worker.put(&lease, "a/b", 9, b"hello").await);
    let target = format!(
        "/api/v1/worker/files?task_id={}&lease_epoch={}&path=a%2Fb&offset=5",
        lease.task, lease.epoch
    );
    let digest = |bytes: &[u8]| {
        use base64::Engine;
        use sha2::{Digest, Sha256};
        format!("sha-256=:{}:", base64::engine::general_purpose::STANDARD.encode(Sha256::digest(bytes)))
    };
    let (fine, other) = (digest(b" you"), digest(b" me!"));
    refused(400, "digest_mismatch")(&worker.put_with(&target, &other, &other, b" you").await);
    refused(401, "signature_invalid")(&worker.put_with(&target, &fine, &other, b" me!").await);
    refused(400, "bad_request")(&worker.put_with(&target, "md5=:AAAA:", "md5=:AAAA:", b" you").await);
    assert_eq!(
        worker.size(&lease, "a/b").await,
        (200, json!({ "size": 5 })),
        "what was refused left nothing"
    );
    assert_eq!(
        worker.put_with(&target, &fine, &fine, b" you").await,
        (200, json!({ "size": 9 })),
        "the control"
    );
    for path in ["../x", "/etc/x", "a/../../x", "NUL", "a\\b", "a\u{0}b"] {
        refused(400, "file_list_invalid")(&worker.put(&lease, path, 0, b"x").await);
    }
    refused(400, "file_list_invalid")(&worker.put(&lease, "a/b/c", 0, b"x").await);
    assert!(!shop.dir().join("x").exists() && !shop.dir().join("incoming/x").exists());
    let big = vec![0_u8; (8 << 20) + 1];
    refused(413, "body_too_large")(&worker.put(&lease, "big", 0, &big).await);
    assert_eq!(worker.put(&lease, "big", 0, &big[..8 << 20]).await.0, 200, "the largest piece");
    let stranger = HandWorker::new(&shop, "stranger").await;
    refused(409, "lease_lost")(&stranger.put(&lease, "a/b", 9, b"!").await);
    refused(409, "lease_lost")(&stranger.size(&lease, "a/b").await);
}

#[tokio::test]
async fn a_task_may_send_so_much_and_no_more() {
    let env = vec![("CHOTDON_WORKERS__INCOMING_MAX_MB", "1".to_owned())];
    let shop = TestShop::with(Setup { env, probe: None }).await;
    let worker = HandWorker::new(&shop, "nas").await;
    ordered(&shop, "xa", Value::Null).await;
    let lease = worker.task().await;
    assert_eq!(worker.put(&lease, "a", 0, &vec![1; 600_000]).await.0, 200);
    refused(413, "task_too_large")(&worker.put(&lease, "b", 0, &vec![1; 600_000]).await);
    assert_eq!(worker.put(&lease, "b", 0, &vec![1; 400_000]).await.0, 200, "the control");
}

#[tokio::test]
async fn what_was_promised_and_is_not_there_or_differs_is_fetched_anew() {
    let shop = TestShop::start().await;
    let worker = HandWorker::new(&shop, "nas").await;
    let code = ordered(&shop, "xa", Value::Null).await;
    for (sent, promised, why) in [
        (None, b"abc".as_slice(), "worker_files_missing"),
        (Some(b"ab".as_slice()), b"abc", "worker_files_missing"),
        (Some(b"abX"), b"abc", "checksum_mismatch"),
    ] {
        let lease = worker.task().await;
        if let Some(bytes) = sent {
            worker.put(&lease, "a", 0, bytes).await;
        }
        assert_eq!(worker.finalize(&lease, "xa", &[("a", promised)]).await.0, 200);
        let waiting = task_is(&shop, lease.task, "scheduled").await;
        assert_eq!(waiting["task"]["error"]["code"], why, "{waiting}");
        assert_eq!(shop.look(&code).await["order"]["stage"], "processing", "nothing was delivered");
        assert!(!shop.dir().join("library/xa").exists());
        shop.clock.jump(3_600_000);
    }
    let lease = worker.task().await;
    worker.put(&lease, "a", 0, b"abc").await;
    worker.finalize(&lease, "xa", &[("a", b"abc")]).await;
    shop.settled(&code, "completed").await;
}

#[tokio::test]
async fn files_in_a_shared_directory_need_not_be_sent_and_links_out_of_it_are_refused() {
    let shared = tempfile::tempdir().unwrap();
    let env = vec![("CHOTDON_WORKERS__INCOMING_DIR", shared.path().to_str().unwrap().to_owned())];
    let shop = TestShop::with(Setup { env, probe: None }).await;
    let worker = HandWorker::new(&shop, "nas").await;
    let code = ordered(&shop, "xa", Value::Null).await;
    let lease = worker.task().await;
    assert_eq!(lease.given["upload"]["shared_directory"], true);
    let secret = shared.path().join("secret");
    std::fs::write(&secret, b"abc").unwrap();
    std::fs::create_dir_all(shared.path().join("out")).unwrap();
    std::os::unix::fs::symlink(&secret, shared.path().join("out/a")).unwrap();
    worker.finalize(&lease, "out", &[("a", b"abc")]).await;
    let waiting = task_is(&shop, lease.task, "scheduled").await;
    assert_eq!(waiting["task"]["error"]["code"], "worker_files_missing", "{waiting}");
    shop.clock.jump(3_600_000);
    let lease = worker.task().await;
    std::fs::create_dir_all(shared.path().join("xa-v1/Chương 1")).unwrap();
    std::fs::write(shared.path().join("xa-v1/Chương 1/a"), b"abc").unwrap();
    assert_eq!(worker.finalize(&lease, "xa-v1", &[("Chương 1/a", b"abc")]).await.0, 200);
    shop.settled(&code, "completed").await;
    assert_eq!(std::fs::read(shop.dir().join("library/xa/v1/Chương 1/a")).unwrap(), b"abc");
    assert!(shared.path().join("xa-v1/Chương 1/a").exists(), "what is not ours stays");
}
