//! What is remembered of signed requests, and for how long.

use sqlx::Row;

use super::*;

async fn shop() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    store.add_worker_key("nas", "wk_1", "test", 0).await.unwrap();
    (dir, store)
}

fn call(id: &str, now: i64) -> WorkerCall {
    WorkerCall { worker: "nas".to_owned(), id: id.to_owned(), sha256: "00".to_owned(), now }
}

async fn remembered(store: &Store) -> Vec<String> {
    let rows = sqlx::query("SELECT id FROM worker_call ORDER BY id").fetch_all(&store.reader).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn passing_requests_are_forgotten_once_their_time_is_over_and_lasting_ones_never() {
    let (_dir, store) = shop().await;
    let wish = |last| ExternalWish { max: 1, sources: vec!["http".to_owned()], until: 1_000, last };
    let held = Held { task: 1, epoch: 1 };
    store.claim_external(call("empty", 0), wish(true)).await.unwrap();
    store.claim_external(call("waiting", 0), wish(false)).await.unwrap();
    assert_eq!(store.renew_external(call("beat", 0), held, 1_000).await.unwrap(), CallOutcome::Lost);
    assert_eq!(store.hand_over_external(call("late", 0), held, "x", "[]").await.unwrap(), CallOutcome::Lost);
    assert_eq!(remembered(&store).await, ["beat", "empty", "late"], "a claim that still waits is no answer");
    store.forget_passing_calls(PASSING_MS).await.unwrap();
    assert_eq!(remembered(&store).await.len(), 3, "the control: not before their time");
    store.forget_passing_calls(PASSING_MS + 1).await.unwrap();
    assert_eq!(remembered(&store).await, ["late"]);
    let again = store.hand_over_external(call("late", i64::MAX / 2), held, "x", "[]").await.unwrap();
    assert_eq!(again, CallOutcome::Lost);
}

#[tokio::test]
async fn nothing_is_done_for_a_worker_after_the_commit_that_ends_it() {
    let (_dir, store) = shop().await;
    let wish = ExternalWish { max: 1, sources: vec!["http".to_owned()], until: 1_000, last: true };
    store.claim_external(call("before", 1), wish.clone()).await.unwrap();
    store.revoke_worker_key("nas", "test", 2).await.unwrap();
    for refused in [
        store.claim_external(call("after", 3), wish).await.unwrap_err(),
        store.hand_over_external(call("before", 3), Held { task: 1, epoch: 1 }, "x", "[]").await.unwrap_err(),
    ] {
        assert!(matches!(refused, Error::Refused { code: "worker_revoked", .. }), "{refused}");
    }
    assert_eq!(remembered(&store).await, ["before"]);
    assert!(store.revoke_worker_key("nas", "test", 4).await.is_err(), "there is no living one");
}
