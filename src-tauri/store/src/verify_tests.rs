//! What `verify` finds: whatever somebody changes in the books with an editor for databases.

use sqlx::AssertSqlSafe;

use crate::ledger::{Account, Movement};
use crate::posting::post;
use crate::{Result, Store};

const NOW: i64 = 1_790_000_000_000;

async fn shop() -> (Store, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    store
        .writer
        .run(|tx| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO customer (id, email, email_key, deposit_code, created_at) VALUES (1, 'a@example.com', 'a@example.com', 'NAPK7Q2M9X', 0), \
                       (2, 'b@example.com', 'b@example.com', 'NAPK7Q2M9Y', 0); \
                     INSERT INTO orders (id, code, customer_id, stage, total_vnd, channel, summary, created_at, expires_at) \
                       VALUES (1, 'DH100001', 1, 'cancelled', 499000, 'owner', '', 0, 9); \
                     INSERT INTO sepay_event (sepay_id, source, received_at, body, body_sha256, outcome) VALUES (7, 'webhook', 5, '{}', 'x', 'unmatched'), (8, 'webhook', 5, '{}', 'x', 'unmatched'); \
                     INSERT INTO transfer (id, sepay_id, direction, amount_vnd, state, received_at) VALUES (1, 7, 'in', 1000000, 'unmatched', 5), (2, 8, 'in', 5, 'unmatched', 5)",
                )
                .execute(&mut tx.conn)
                .await?;
                let by = |movement: Movement| movement.by("owner", "because");
                let moved = |from, to, amount| by(Movement::new(NOW, from, to, amount, "test"));
                post(
                    tx,
                    &[
                        Movement::new(NOW, Account::Bank, Account::Unmatched, 1_000_000, "transfer").of_transfer(1),
                        Movement::new(NOW, Account::Bank, Account::Unmatched, 5, "transfer").of_transfer(2),
                        moved(Account::Unmatched, Account::Order(1), 499_000),
                        moved(Account::Order(1), Account::Refunded, 9_000),
                        moved(Account::Shop, Account::Wallet(1), 70_000),
                        moved(Account::Wallet(1), Account::Shop, 70_000).reversing(5),
                        moved(Account::Unmatched, Account::SetAside, 11),
                    ],
                )
                .await?;
                Ok(())
            })
        })
        .await
        .unwrap();
    (store, dir)
}

async fn forced(store: &Store, sql: &'static str) -> Result<()> {
    store
        .writer
        .run(move |tx| {
            Box::pin(async move {
                sqlx::raw_sql(AssertSqlSafe(format!(
                    "DROP TRIGGER IF EXISTS ledger_no_update; DROP TRIGGER IF EXISTS ledger_no_delete; {sql}"
                )))
                .execute(&mut tx.conn)
                .await?;
                Ok(())
            })
        })
        .await
}

#[tokio::test]
async fn a_sound_shop_has_no_problems() {
    let (store, _dir) = shop().await;
    assert_eq!(store.verify().await.unwrap().problems, Vec::<String>::new());
}

#[tokio::test]
async fn one_byte_changed_in_any_column_of_the_ledger_is_found() {
    for tampering in [
        "UPDATE ledger SET at = at + 1 WHERE id = 3",
        "UPDATE ledger SET debit = 'set_aside' WHERE id = 3",
        "UPDATE ledger SET credit = 'order:2' WHERE id = 3",
        "UPDATE ledger SET credit = 'wallet:2' WHERE id = 5",
        "UPDATE ledger SET amount_vnd = amount_vnd + 1 WHERE id = 3",
        "UPDATE ledger SET transfer_id = 2 WHERE id = 1",
        "UPDATE ledger SET transfer_id = NULL WHERE id = 1",
        "UPDATE ledger SET transfer_id = 1 WHERE id = 3",
        "UPDATE ledger SET reason = 'tesT' WHERE id = 3",
        "UPDATE ledger SET prev_hash = upper(prev_hash) WHERE id = 3",
        "UPDATE ledger SET hash = upper(hash) WHERE id = 3",
        "UPDATE ledger SET actor = 'Owner' WHERE id = 3",
        "UPDATE ledger SET actor = 'owner' WHERE id = 1",
        "UPDATE ledger SET actor = NULL WHERE id = 3",
        "UPDATE ledger SET note = 'becausE' WHERE id = 3",
        "UPDATE ledger SET note = NULL WHERE id = 3",
        "UPDATE ledger SET actor = NULL, note = NULL WHERE id = 3",
        "UPDATE ledger SET reverses = 4 WHERE id = 6",
        "UPDATE ledger SET reverses = NULL WHERE id = 6",
        "UPDATE ledger SET id = 9 WHERE id = 7",
    ] {
        let (store, _dir) = shop().await;
        forced(&store, tampering).await.unwrap();
        assert_ne!(store.verify().await.unwrap().problems, Vec::<String>::new(), "{tampering}");
        assert_ne!(store.check_money().await.unwrap().problems, Vec::<String>::new(), "{tampering}");
    }
}

#[tokio::test]
async fn a_row_taken_out_or_put_in_is_found() {
    for tampering in [
        "DELETE FROM ledger WHERE id = 7",
        "DELETE FROM ledger WHERE id = 3",
        "DELETE FROM ledger WHERE id = 1",
        "DELETE FROM ledger",
        "INSERT INTO ledger SELECT 8, at, debit, credit, amount_vnd, transfer_id, reason, hash, hash, actor, note, reverses FROM ledger WHERE id = 7",
    ] {
        let (store, _dir) = shop().await;
        forced(&store, tampering).await.unwrap();
        assert_ne!(store.check_money().await.unwrap().problems, Vec::<String>::new(), "{tampering}");
    }
}

#[tokio::test]
async fn a_cached_balance_that_was_changed_is_found() {
    for tampering in [
        "UPDATE orders SET paid_vnd = paid_vnd + 1",
        "UPDATE customer SET wallet_vnd = 1 WHERE id = 2",
        "UPDATE bucket SET balance_vnd = balance_vnd + 1 WHERE name = 'in'",
        "UPDATE bucket SET balance_vnd = balance_vnd + 1 WHERE name = 'orders'",
        "UPDATE bucket SET balance_vnd = balance_vnd - 1 WHERE name = 'shop'; UPDATE bucket SET balance_vnd = balance_vnd + 1 WHERE name = 'wallets'",
        "UPDATE bucket SET balance_vnd = balance_vnd - 1 WHERE name = 'refunded'; UPDATE bucket SET balance_vnd = balance_vnd + 1 WHERE name = 'shop'",
        "UPDATE bucket SET balance_vnd = balance_vnd - 1 WHERE name = 'unmatched'; UPDATE bucket SET balance_vnd = balance_vnd + 1 WHERE name = 'set_aside'",
        "UPDATE transfer SET amount_vnd = amount_vnd + 1 WHERE id = 1",
        "UPDATE transfer SET direction = 'out' WHERE id = 1",
    ] {
        let (store, _dir) = shop().await;
        forced(&store, tampering).await.unwrap();
        assert_ne!(store.check_money().await.unwrap().problems, Vec::<String>::new(), "{tampering}");
    }
}
