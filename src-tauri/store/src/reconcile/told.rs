//! What the owner is told about reconciliation, and when that is over.

use serde_json::{Value, json};

use super::RunEnd;
use crate::Result;
use crate::notices::{INFORMATION, NEEDS_OWNER, Raise, STOPPED, raise};
use crate::writer::Tx;

/// One payment under two ids.
pub(super) const SOFT_DUPLICATE: (i64, &str) = (NEEDS_OWNER, "soft_duplicate");
const FAILED: (i64, &str) = (NEEDS_OWNER, "reconcile_failed");
const DIFFERENCE: (i64, &str) = (STOPPED, "sepay_difference");
const BALANCE: (i64, &str) = (STOPPED, "sepay_balance_gap");
const UNREADABLE: (i64, &str) = (NEEDS_OWNER, "sepay_row_unreadable");

/// So many runs fail one after the other before the owner is told.
const PATIENCE: i64 = 3;
/// So many checks find the same gap before the owner is told: rows of one second come in any order.
const SURE: i64 = 2;

/// What one run gives reason to say.
pub(super) async fn tell(tx: &mut Tx, run: i64, end: &RunEnd, now: i64) -> Result<()> {
    if let Some((code, _)) = &end.failed {
        let failures: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM reconcile_run WHERE state = 'failed' \
               AND id > coalesce((SELECT max(id) FROM reconcile_run WHERE state = 'done'), 0)",
        )
        .fetch_one(&mut tx.conn)
        .await?;
        if failures >= PATIENCE {
            once(tx, FAILED, FAILED.1.to_owned(), json!({ "code": code }), now).await?;
        }
        return Ok(());
    }
    over(tx, FAILED.1).await?;
    let difference: i64 = sqlx::query_scalar("SELECT coalesce(sum(listed_vnd - ours_vnd), 0) FROM sepay_gap")
        .fetch_one(&mut tx.conn)
        .await?;
    if difference == 0 {
        over(tx, DIFFERENCE.1).await?;
    } else {
        let data = json!({ "amount_vnd": difference });
        once(tx, DIFFERENCE, DIFFERENCE.1.to_owned(), data, now).await?;
    }
    if end.unreadable > 0 {
        let data = json!({ "count": end.unreadable });
        once(tx, UNREADABLE, UNREADABLE.1.to_owned(), data, now).await?;
    }
    caught_up(tx, run, end, now).await
}

/// After a start or a sleep: how much was made up for. When a tunnel is back, the notice that says so says it.
async fn caught_up(tx: &mut Tx, run: i64, end: &RunEnd, now: i64) -> Result<()> {
    if end.added == 0 {
        return Ok(());
    }
    let (cause, slept_ms): (String, i64) =
        sqlx::query_as("SELECT cause, slept_ms FROM reconcile_run WHERE id = $1")
            .bind(run)
            .fetch_one(&mut tx.conn)
            .await?;
    if !["start", "wake"].contains(&cause.as_str()) {
        return Ok(());
    }
    let data = json!({ "count": end.added, "amount_vnd": end.added_vnd, "cause": cause, "minutes": slept_ms / 60_000 });
    let notice = Raise {
        class: INFORMATION,
        merge_key: Some(format!("caught_up:{run}")),
        kind: "caught_up",
        data,
        task: None,
    };
    raise(tx, &notice, now).await
}

/// A balance that the listed rows do not explain. Money out is no reason to alarm where the bank never reports it.
pub(super) async fn balance(
    tx: &mut Tx,
    account: &str,
    gap: i64,
    tells_outs: bool,
    seen: i64,
    now: i64,
) -> Result<()> {
    let key = format!("{}:{account}", BALANCE.1);
    if gap == 0 {
        return over(tx, &key).await;
    }
    if seen < SURE || (gap < 0 && !tells_outs) {
        return Ok(());
    }
    once(tx, BALANCE, key, json!({ "account": account, "amount_vnd": gap }), now).await
}

/// Raises a notice unless the same one is open.
pub(super) async fn once(
    tx: &mut Tx,
    (class, kind): (i64, &'static str),
    key: String,
    data: Value,
    now: i64,
) -> Result<()> {
    let open: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM notice WHERE merge_key = $1 AND state <> 'resolved' AND data = $2)",
    )
    .bind(&key)
    .bind(data.to_string())
    .fetch_one(&mut tx.conn)
    .await?;
    if open {
        return Ok(());
    }
    raise(tx, &Raise { class, merge_key: Some(key), kind, data, task: None }, now).await
}

/// The cause of a notice is gone.
async fn over(tx: &mut Tx, key: &str) -> Result<()> {
    let done =
        sqlx::query("UPDATE notice SET state = 'resolved' WHERE merge_key = $1 AND state <> 'resolved'")
            .bind(key)
            .execute(&mut tx.conn)
            .await?;
    if done.rows_affected() > 0 {
        tx.touched.topic("notices");
    }
    Ok(())
}
