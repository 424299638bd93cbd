//! The record of human actions on a real file: searched, walked, and tampered with.

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::audit::AuditHead;
use crate::read::{AuditQuery, Window};
use crate::{AuditEntry, KeyChange, Result, Store};

const NOW: i64 = 1_790_000_000_000;

async fn shop(rows: i64) -> (Store, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    for n in 0..rows {
        let data = json!({ "reason": "khách chuyển nhầm" });
        record(&store, "owner", "order.cancel", &format!("DH10000{n}"), data, NOW + n).await;
    }
    (store, dir)
}

async fn record(store: &Store, actor: &str, action: &str, subject: &str, data: Value, now: i64) {
    let entry = AuditEntry { actor: actor.into(), action: action.into(), subject: subject.into(), data };
    store.record_audit(entry, now).await.unwrap();
}

async fn run(store: &Store, sql: String) -> Result<()> {
    store
        .writer
        .run(move |tx| {
            let sql = sql.clone();
            Box::pin(async move {
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut tx.conn).await?;
                Ok(())
            })
        })
        .await
}

/// With an editor for databases, which first takes the triggers away.
async fn tamper(store: &Store, sql: &str) {
    let guards = "DROP TRIGGER IF EXISTS audit_no_update; DROP TRIGGER IF EXISTS audit_no_delete; \
                  DROP TRIGGER IF EXISTS audit_chained;";
    run(store, format!("{guards} {sql}")).await.unwrap();
}

async fn broken(store: &Store, kept: Option<&AuditHead>) -> Option<(i64, &'static str)> {
    store.verify_audit(kept).await.unwrap().broken.map(|broken| (broken.id, broken.what))
}

#[tokio::test]
async fn rows_are_added_and_never_changed_or_removed() {
    let (store, _dir) = shop(3).await;
    for sql in [
        "UPDATE audit SET actor = 'nobody' WHERE id = 2",
        "UPDATE audit SET hash = 'x' WHERE id = 2",
        "DELETE FROM audit WHERE id = 3",
        "INSERT INTO audit (id, at, actor, action, subject) VALUES (4, 0, 'owner', 'x', 'y')",
    ] {
        assert!(run(&store, sql.to_owned()).await.is_err(), "{sql}");
    }
    let findings = store.verify_audit(None).await.unwrap();
    assert_eq!((findings.rows, findings.broken), (3, None));
    assert_eq!(findings.head, store.audit_head().await.unwrap());
}

#[tokio::test]
async fn every_change_of_every_column_of_every_row_is_named() {
    for (column, value) in [
        ("at", "at + 1"),
        ("actor", "'cli'"),
        ("action", "'order.refund'"),
        ("subject", "subject || 'x'"),
        ("data", "'{}'"),
        ("hash", "upper(hash)"),
    ] {
        for id in 1..=4 {
            let (store, _dir) = shop(4).await;
            tamper(&store, &format!("UPDATE audit SET {column} = {value} WHERE id = {id}")).await;
            assert_eq!(broken(&store, None).await, Some((id, "changed")), "{column}");
            assert!(!store.verify().await.unwrap().problems.is_empty(), "`verify` says so too");
        }
    }
    for id in 1..=3 {
        let (store, _dir) = shop(4).await;
        tamper(&store, &format!("DELETE FROM audit WHERE id = {id}")).await;
        assert_eq!(broken(&store, None).await, Some((id, "missing")));
    }
}

#[tokio::test]
async fn what_is_cut_off_or_written_anew_shows_against_a_head_kept_elsewhere() {
    let (store, _dir) = shop(4).await;
    let kept = store.audit_head().await.unwrap().unwrap();
    record(&store, "owner", "order.note", "DH1", json!({}), NOW).await;
    assert!(store.has_audit_head(&kept).await.unwrap());
    assert_eq!(broken(&store, Some(&kept)).await, None, "what came after it is fine");

    // The chain alone cannot tell that its end is gone.
    tamper(&store, "DELETE FROM audit WHERE id > 3").await;
    assert_eq!(broken(&store, None).await, None);
    assert_eq!(broken(&store, Some(&kept)).await, Some((3, "cut")));

    // Nor that somebody who knows the rule wrote it anew.
    record(&store, "owner", "order.note", "DH2", json!({}), NOW).await;
    record(&store, "owner", "order.note", "DH3", json!({}), NOW).await;
    assert_eq!(broken(&store, None).await, None);
    assert_eq!(broken(&store, Some(&kept)).await, Some((4, "changed")));
    assert!(!store.has_audit_head(&kept).await.unwrap());
}

#[tokio::test]
async fn rows_from_before_the_chain_are_tied_to_it_once() {
    let (store, dir) = shop(3).await;
    tamper(&store, "UPDATE audit SET hash = NULL").await;
    run(
        &store,
        "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit WHEN OLD.hash IS NOT NULL BEGIN SELECT RAISE(ABORT, 'no'); END"
            .to_owned(),
    )
    .await
    .unwrap();
    store.close().await;
    let store = Store::open(dir.path()).await.unwrap();
    let findings = store.verify_audit(None).await.unwrap();
    assert_eq!((findings.rows, findings.broken), (3, None));
}

#[tokio::test]
async fn it_is_searched_by_who_what_whom_when_and_words_without_marks() {
    let (store, _dir) = shop(2).await;
    record(&store, "storefront:web", "order.create", "DH200000", json!({ "note": "Đặng Thị Lan" }), NOW + 10)
        .await;
    record(&store, "storefront:app", "customer.save", "lan@example.com", json!({}), NOW + 20).await;
    record(&store, "cli", "ordering.x", "y", json!({ "list": ["Nguyễn", { "deep": "Ơn" }] }), NOW + 30).await;
    let ids = async |query: AuditQuery| {
        let rows = store.audit(&query, Window::default()).await.unwrap().rows;
        rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    let text = |text: &str| AuditQuery { text: Some(text.to_owned()), ..AuditQuery::default() };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(ids(AuditQuery::default()).await, [5, 4, 3, 2, 1]);
    assert_eq!(ids(text("dang lan")).await, [3]);
    assert_eq!(ids(text("Đặng")).await, [3]);
    assert_eq!(ids(text("nham")).await, [2, 1]);
    assert_eq!(ids(text("dh2000")).await, [3]);
    assert_eq!(ids(text("lan@example")).await, [4]);
    assert_eq!(ids(text("on nguyen")).await, [5]);
    assert_eq!(ids(text("\" * (")).await, Vec::<i64>::new());
    assert_eq!(ids(text("reason")).await, Vec::<i64>::new(), "names of fields are not words");
    assert_eq!(ids(AuditQuery { actor: some("storefront:"), ..AuditQuery::default() }).await, [4, 3]);
    assert_eq!(ids(AuditQuery { actor: some("storefront:app"), ..AuditQuery::default() }).await, [4]);
    assert_eq!(ids(AuditQuery { action: some("order."), ..AuditQuery::default() }).await, [3, 2, 1]);
    assert_eq!(ids(AuditQuery { subject: some("DH100001"), ..AuditQuery::default() }).await, [2]);
    let range = AuditQuery { from: Some(NOW + 1), to: Some(NOW + 20), ..AuditQuery::default() };
    assert_eq!(ids(range.clone()).await, [3, 2]);
    let page = store.audit(&range, Window { below: Some(3), limit: 1 }).await.unwrap();
    assert_eq!((page.rows.len(), page.rows[0].id, page.next), (1, 2, None));
}

#[tokio::test]
async fn a_keys_age_begins_with_its_value_and_ends_with_it() {
    let (store, _dir) = shop(0).await;
    let ages = async || {
        let ages = store.secret_ages().await.unwrap();
        ages.into_iter().map(|age| (age.name, age.set_at, age.changed_at, age.exact)).collect::<Vec<_>>()
    };
    let name = "smtp.password";
    store.keys_seen(&[name.to_owned(), "lms.x".to_owned()], 5).await.unwrap();
    assert_eq!(ages().await, [("lms.x".to_owned(), 5, 5, false), (name.to_owned(), 5, 5, false)]);
    store.key_changed(name, KeyChange::Set, "owner", 10).await.unwrap();
    store.key_changed(name, KeyChange::Rotated(99), "cli", 20).await.unwrap();
    store.key_changed(name, KeyChange::PreviousRevoked, "cli", 30).await.unwrap();
    store.keys_seen(&[name.to_owned()], 40).await.unwrap();
    assert_eq!(ages().await, [(name.to_owned(), 5, 20, true)]);
    store.key_changed(name, KeyChange::Deleted, "owner", 50).await.unwrap();
    assert_eq!(ages().await, []);
    let rows = store.audit(&AuditQuery::default(), Window::default()).await.unwrap().rows;
    let told: Vec<_> = rows.iter().map(|row| (row.actor.as_str(), row.action.as_str())).collect();
    assert_eq!(
        told,
        [
            ("owner", "secret.delete"),
            ("cli", "secret.revoke_previous"),
            ("cli", "secret.rotate"),
            ("owner", "secret.set")
        ]
    );
}
