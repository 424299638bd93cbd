use sqlx::Row;

use super::{check_touched, post};
use crate::ledger::{Account, Movement};
use crate::{Error, Result, Store};

const NOW: i64 = 1_790_000_000_000;

/// A shop with two customers, two orders of theirs and 1,000,000 ₫ that nobody knows for what.
async fn shop() -> (Store, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    store
        .writer
        .run(|tx| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO customer (id, email, email_key, deposit_code, created_at) \
                       VALUES (1, 'a@example.com', 'a@example.com', 'NAPK7Q2M9X', 0), (2, 'b@example.com', 'b@example.com', 'NAPK7Q2M9Y', 0); \
                     INSERT INTO orders (id, code, customer_id, stage, total_vnd, channel, summary, created_at, expires_at) \
                       VALUES (1, 'DH100001', 1, 'pending', 499000, 'owner', '', 0, 9), (2, 'DH100002', 2, 'pending', 499000, 'owner', '', 0, 9); \
                     INSERT INTO sepay_event VALUES (7, 'webhook', 5, '{}', 'x', 'unmatched', 0, NULL); \
                     INSERT INTO transfer (id, sepay_id, direction, amount_vnd, state, received_at) VALUES (1, 7, 'in', 1000000, 'unmatched', 5)",
                )
                .execute(&mut tx.conn)
                .await?;
                let came = Movement::new(NOW, Account::Bank, Account::Unmatched, 1_000_000, "transfer").of_transfer(1);
                post(tx, &[came]).await?;
                Ok(())
            })
        })
        .await
        .unwrap();
    (store, dir)
}

async fn posted(store: &Store, movements: Vec<Movement>) -> Result<Vec<i64>> {
    store
        .writer
        .run(move |tx| {
            let movements = movements.clone();
            Box::pin(async move { post(tx, &movements).await })
        })
        .await
}

fn moved(debit: Account, credit: Account, amount: i64) -> Movement {
    Movement::new(NOW, debit, credit, amount, "test").by("owner", "because")
}

async fn balances(store: &Store) -> (i64, i64, i64, i64) {
    let row = sqlx::query(
        "SELECT (SELECT paid_vnd FROM orders WHERE id = 1), (SELECT wallet_vnd FROM customer WHERE id = 1), \
                (SELECT balance_vnd FROM bucket WHERE name = 'unmatched'), (SELECT balance_vnd FROM bucket WHERE name = 'shop')",
    )
    .fetch_one(&store.reader)
    .await
    .unwrap();
    (row.get(0), row.get(1), row.get(2), row.get(3))
}

async fn sound(store: &Store) {
    assert_eq!(store.verify().await.unwrap().problems, Vec::<String>::new());
}

#[tokio::test]
async fn a_movement_moves_the_ledger_and_every_cached_balance() {
    let (store, _dir) = shop().await;
    let rows = posted(
        &store,
        vec![
            moved(Account::Unmatched, Account::Order(1), 499_000),
            moved(Account::Shop, Account::Wallet(1), 70_000),
            moved(Account::Order(1), Account::Refunded, 99_000),
        ],
    )
    .await
    .unwrap();
    assert_eq!(rows, [2, 3, 4]);
    assert_eq!(balances(&store).await, (400_000, 70_000, 501_000, -70_000));
    sound(&store).await;
}

#[tokio::test]
async fn no_balance_falls_below_zero_and_nothing_of_the_attempt_stays() {
    let (store, _dir) = shop().await;
    for short in [
        moved(Account::Order(1), Account::Wallet(1), 1),
        moved(Account::Wallet(2), Account::Order(1), 1),
        moved(Account::Unmatched, Account::Order(1), 1_000_001),
        moved(Account::SetAside, Account::Unmatched, 1),
        moved(Account::Refunded, Account::Order(1), 1),
    ] {
        let first = moved(Account::Unmatched, Account::Wallet(1), 5);
        let refused = posted(&store, vec![first, short]).await;
        assert!(matches!(refused, Err(Error::Refused { code: "insufficient_funds", .. })), "{refused:?}");
        assert_eq!(balances(&store).await, (0, 0, 1_000_000, 0));
    }
    sound(&store).await;
}

#[tokio::test]
async fn what_is_no_movement_is_refused() {
    let (store, _dir) = shop().await;
    for wrong in [
        moved(Account::Unmatched, Account::Order(1), 0),
        moved(Account::Unmatched, Account::Order(1), -5),
        moved(Account::Unmatched, Account::Unmatched, 5),
        moved(Account::Unmatched, Account::Bank, 5),
        moved(Account::Bank, Account::Unmatched, 5),
    ] {
        assert!(matches!(posted(&store, vec![wrong]).await, Err(Error::Invalid(_))));
    }
    let nobody = posted(&store, vec![moved(Account::Unmatched, Account::Wallet(99), 5)]).await;
    assert!(matches!(nobody, Err(Error::NotFound(_))));
    let huge = moved(Account::Shop, Account::Wallet(1), i64::MAX);
    assert!(posted(&store, vec![huge.clone(), huge]).await.is_err());
    sound(&store).await;
}

#[tokio::test]
async fn a_row_is_taken_back_once() {
    let (store, _dir) = shop().await;
    let row = posted(&store, vec![moved(Account::Shop, Account::Wallet(1), 70_000)]).await.unwrap()[0];
    let back = moved(Account::Wallet(1), Account::Shop, 70_000).reversing(row);
    posted(&store, vec![back.clone()]).await.unwrap();
    posted(&store, vec![moved(Account::Shop, Account::Wallet(1), 70_000)]).await.unwrap();
    let again = posted(&store, vec![back]).await;
    assert!(matches!(again, Err(Error::Refused { code: "already_reversed", .. })), "{again:?}");
    sound(&store).await;
}

#[tokio::test]
async fn a_balance_that_left_the_ledger_stops_all_money_and_only_money() {
    let (store, _dir) = shop().await;
    let tampered = store
        .writer
        .run(|tx| {
            Box::pin(async move {
                sqlx::query("UPDATE customer SET wallet_vnd = 1 WHERE id = 1").execute(&mut tx.conn).await?;
                Ok(())
            })
        })
        .await;
    assert!(tampered.is_ok() && store.ledger_stopped().is_none());
    // The other customer's money does not look at this one's.
    posted(&store, vec![moved(Account::Unmatched, Account::Wallet(2), 10)]).await.unwrap();

    let mut watch = store.ledger_watch();
    let found = posted(&store, vec![moved(Account::Unmatched, Account::Wallet(1), 10)]).await;
    assert!(matches!(found, Err(Error::LedgerStopped(_))), "{found:?}");
    watch.changed().await.unwrap();
    assert!(store.ledger_stopped().unwrap().contains("wallet:1"));
    let next = posted(&store, vec![moved(Account::Unmatched, Account::Wallet(2), 10)]).await;
    assert!(matches!(next, Err(Error::LedgerStopped(_))), "stopped for everyone");
    store.pause(None, None, None, "owner", NOW).await.unwrap();
}

#[tokio::test]
async fn intake_can_ask_for_the_same_check() {
    let (store, _dir) = shop().await;
    let checked = |store: Store| async move {
        store
            .writer
            .run(|tx| {
                Box::pin(async move { check_touched(tx, &[Account::Order(1), Account::Wallet(1)]).await })
            })
            .await
    };
    checked(store.clone()).await.unwrap();
    store
        .writer
        .run(|tx| {
            Box::pin(async move {
                sqlx::query("UPDATE orders SET paid_vnd = 5 WHERE id = 1").execute(&mut tx.conn).await?;
                Ok(())
            })
        })
        .await
        .unwrap();
    assert!(matches!(checked(store.clone()).await, Err(Error::LedgerStopped(_))));
}

#[tokio::test]
async fn what_a_commit_touched_is_looked_at_after_it() {
    let (store, _dir) = shop().await;
    posted(&store, vec![moved(Account::Unmatched, Account::Order(1), 10)]).await.unwrap();
    let touched = (["DH100001".to_owned()], [1]);
    store.check_touched(&touched.0, &touched.1).await.unwrap();
    assert_eq!(store.ledger_stopped(), None, "the control");
    store
        .writer
        .run(|tx| {
            Box::pin(async move {
                sqlx::query("UPDATE orders SET paid_vnd = 11 WHERE id = 1").execute(&mut tx.conn).await?;
                Ok(())
            })
        })
        .await
        .unwrap();
    store.check_touched(&touched.0, &touched.1).await.unwrap();
    assert!(store.ledger_stopped().unwrap().contains("DH100001"));
}
