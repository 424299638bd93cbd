//! A shop of the first schema, with rows in it, at the schema of today.

use std::borrow::Cow;
use std::path::Path;

use sqlx::migrate::Migrator;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use crate::Store;
use crate::ledger::LedgerText;

const ROWS: &str = "\
INSERT INTO customer (id, email, email_key, deposit_code, created_at) VALUES (1, 'lan@example.com', 'lan@example.com', 'NAPK7Q2M9X', 0); \
INSERT INTO course (id, slug, title, price_vnd, source, target, created_at, updated_at) VALUES (1, 'sql', 'SQL', 499000, '{}', '{}', 0, 0); \
INSERT INTO orders (id, code, customer_id, stage, total_vnd, paid_vnd, channel, summary, created_at, expires_at) \
  VALUES (1, 'DH100001', 1, 'paid', 499000, 499000, 'owner', 'SQL', 0, 9); \
INSERT INTO order_item (order_id, course_id, price_vnd) VALUES (1, 1, 499000); \
INSERT INTO sepay_event VALUES (7, 'webhook', 5, '{}', 'x', 'paid', 0, NULL); \
INSERT INTO transfer (id, sepay_id, direction, amount_vnd, state, order_id, received_at) VALUES (1, 7, 'in', 499000, 'order', 1, 5); \
UPDATE bucket SET balance_vnd = 499000 WHERE name IN ('in', 'orders'); \
INSERT INTO task (id, kind, lane, state, stage, run_at, max_attempt, order_id, created_at) \
  VALUES (1, 'deliver_order', 'order', 'ready', 'share', 5, 8, 1, 5), (2, 'notify_owner', 'owner', 'done', 'show', 5, 3, NULL, 5); \
INSERT INTO task_stage VALUES (2, 'show', 1, 6, '{}'); \
INSERT INTO attempt VALUES (1, 1, 'share', 1, 5, 6, 'transient', 'x', 'y'); \
UPDATE lane SET paused_at = 5, reason = 'lunch' WHERE name = 'course'";

async fn connect(dir: &Path) -> SqliteConnection {
    crate::open::options(&dir.join("shop.db")).unwrap().connect().await.unwrap()
}

/// A database as the first version of the schema left it, in use.
async fn of_the_first_schema(dir: &Path) {
    let mut conn = connect(dir).await;
    let all = sqlx::migrate!("../../migrations");
    let first = all.iter().filter(|step| step.version == 1).cloned().collect();
    Migrator { migrations: Cow::Owned(first), ..Migrator::DEFAULT }.run(&mut conn).await.unwrap();
    sqlx::query(ROWS).execute(&mut conn).await.unwrap();
    let row = LedgerText {
        prev: "",
        id: 1,
        at: 5,
        debit: "bank",
        credit: "order:1",
        amount: 499_000,
        transfer: Some(1),
        reason: "transfer",
        actor: None,
        note: None,
        reverses: None,
    };
    sqlx::query("INSERT INTO ledger VALUES (1, 5, 'bank', 'order:1', 499000, 1, 'transfer', '', $1)")
        .bind(row.hash())
        .execute(&mut conn)
        .await
        .unwrap();
    conn.close().await.unwrap();
}

async fn schema(conn: &mut SqliteConnection) -> Vec<(String, String)> {
    sqlx::query_as("SELECT name, coalesce(sql, '') FROM sqlite_schema ORDER BY type, name")
        .fetch_all(conn)
        .await
        .unwrap()
}

async fn sound_and_in_use(dir: &Path) {
    let store = Store::open(dir).await.unwrap();
    assert_eq!(store.verify().await.unwrap().problems, Vec::<String>::new());
    let reason: Option<String> = sqlx::query_scalar("SELECT reason FROM lane WHERE name = 'course'")
        .fetch_one(&store.reader)
        .await
        .unwrap();
    assert_eq!(reason.as_deref(), Some("lunch"), "what was there is still there");
    store
        .writer
        .run(|tx| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO task (kind, lane, state, stage, run_at, max_attempt, created_at) \
                       VALUES ('send_webhook', 'webhook', 'ready', 'send', 9, 8, 9), ('mail_customer', 'order', 'ready', 'mail', 9, 8, 9)",
                )
                .execute(&mut tx.conn)
                .await?;
                Ok(())
            })
        })
        .await
        .unwrap();
    let refused = store
        .writer
        .run(|tx| {
            Box::pin(async move {
                sqlx::query("UPDATE task SET kind = 'dance' WHERE id = 1").execute(&mut tx.conn).await?;
                Ok(())
            })
        })
        .await;
    assert!(refused.is_err(), "the list still refuses what is not on it");
    assert_eq!(store.verify().await.unwrap().problems, Vec::<String>::new());
    store.close().await;
}

#[tokio::test]
async fn a_shop_of_the_first_schema_becomes_one_of_today_with_its_rows() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    of_the_first_schema(old.path()).await;
    Store::open(new.path()).await.unwrap().close().await;
    sound_and_in_use(old.path()).await;
    assert_eq!(
        schema(&mut connect(old.path()).await).await,
        schema(&mut connect(new.path()).await).await,
        "a migrated database is a new one"
    );
    let lists: String = sqlx::query_scalar("SELECT sql FROM sqlite_schema WHERE name = 'task'")
        .fetch_one(&mut connect(old.path()).await)
        .await
        .unwrap();
    assert!(
        lists.contains("'mail_customer','send_webhook'") && lists.contains("'owner','webhook'"),
        "{lists}"
    );
}

#[tokio::test]
async fn a_migration_cut_off_leaves_the_old_schema_and_runs_again() {
    let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    of_the_first_schema(dir.path()).await;
    let before = schema(&mut connect(dir.path()).await).await;

    let mut conn = connect(dir.path()).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut conn).await.unwrap();
    for step in sqlx::migrate!("../../migrations").iter().filter(|step| step.version > 1) {
        sqlx::raw_sql(step.sql.clone()).execute(&mut conn).await.unwrap();
    }
    // What a power cut would leave behind: the files, without the commit.
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        if !entry.file_name().to_string_lossy().ends_with("-shm") {
            std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
    }
    drop(conn);

    assert_eq!(schema(&mut connect(copy.path()).await).await, before);
    sound_and_in_use(copy.path()).await;
}
