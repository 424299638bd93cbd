//! The in-app inbox: what the owner should know, merged by cause. Desktop notifications only point at it.

use crate::telling;
use crate::writer::Tx;
use crate::{Result, Store};
use serde_json::{Value, json};

/// Money or service stopped.
pub const STOPPED: i64 = 1;
/// Needs the owner.
pub const NEEDS_OWNER: i64 = 2;
/// Good to know.
pub const INFORMATION: i64 = 3;

/// Something to tell the owner.
#[derive(Debug, Clone)]
pub struct Raise {
    /// [`STOPPED`], [`NEEDS_OWNER`] or [`INFORMATION`].
    pub class: i64,
    /// Notices with one key are one notice with a count. `None` = the failed task's own cause.
    pub merge_key: Option<String>,
    /// Kind, for the words.
    pub kind: &'static str,
    /// The words' blanks.
    pub data: Value,
    /// The task it is about.
    pub task: Option<i64>,
}

impl Raise {
    pub(crate) fn task_failed(task: i64, code: &str) -> Self {
        Self {
            class: NEEDS_OWNER,
            merge_key: None,
            kind: "task_failed",
            data: json!({ "code": code }),
            task: Some(task),
        }
    }
}

/// A notice as kept.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct NoticeRecord {
    /// Id.
    pub id: i64,
    /// 1 … 4.
    pub class: i64,
    /// Key of the cause.
    pub merge_key: String,
    /// Kind.
    pub kind: String,
    /// JSON.
    pub data: String,
    /// How often.
    pub count: i64,
    /// First time, ms.
    pub first_at: i64,
    /// Last time, ms.
    pub last_at: i64,
    /// `new`, `seen`, `resolved`.
    pub state: String,
}

/// A cause that was quiet for so long is told of as one that is new, ms.
const QUIET_MS: i64 = 30 * 60_000;

/// Records a notice and schedules what the channels have to tell of it.
pub(crate) async fn raise(tx: &mut Tx, raise: &Raise, now: i64) -> Result<()> {
    // `sent` says how far the repeats are apart; `sent_at` stays, and with it what was told.
    let anew = sqlx::query(
        "UPDATE notice_channel SET sent = 0 WHERE sent > 0 AND notice_id = (SELECT id FROM notice \
           WHERE merge_key = coalesce($1, (SELECT err_group FROM task WHERE id = $3), $2) AND state <> 'resolved' AND last_at <= $4)",
    )
    .bind(raise.merge_key.as_deref())
    .bind(raise.kind)
    .bind(raise.task)
    .bind(now - QUIET_MS)
    .execute(&mut tx.conn)
    .await?;
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO notice (class, merge_key, kind, data, first_at, last_at) \
           SELECT $1, coalesce($2, (SELECT err_group FROM task WHERE id = $5), $3), $3, \
                  json_patch(coalesce((SELECT json_object('task', task.id, 'task_kind', task.kind, 'stage', task.stage, \
                                         'course', (SELECT title FROM course WHERE id = task.course_id), \
                                         'order', (SELECT code FROM orders WHERE id = task.order_id)) \
                                       FROM task WHERE id = $5), '{}'), $4), $6, $6 WHERE true \
         ON CONFLICT (merge_key) WHERE state <> 'resolved' DO UPDATE \
           SET count = count + 1, last_at = excluded.last_at, data = excluded.data, state = 'new' \
         RETURNING id",
    )
    .bind(raise.class)
    .bind(raise.merge_key.as_deref())
    .bind(raise.kind)
    .bind(raise.data.to_string())
    .bind(raise.task)
    .bind(now)
    .fetch_one(&mut tx.conn)
    .await?;
    tx.touched.topic("notices");
    telling::schedule(tx, id, raise.class, now, anew.rows_affected() > 0).await
}

impl Store {
    /// Records a notice; see [`Raise`].
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn raise_notice(&self, notice: Raise, now: i64) -> Result<()> {
        self.writer
            .run(move |tx| {
                let notice = notice.clone();
                Box::pin(async move { raise(tx, &notice, now).await })
            })
            .await
    }

    /// The cause of a notice is gone; nothing happens when there is none of that key.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn resolve_notice(&self, merge_key: &str, now: i64) -> Result<()> {
        let key = merge_key.to_owned();
        self.writer
            .run(move |tx| {
                let key = key.clone();
                Box::pin(async move {
                    let gone = sqlx::query(
                        "UPDATE notice SET state = 'resolved', last_at = max(last_at, $2) WHERE merge_key = $1 AND state <> 'resolved'",
                    )
                    .bind(key)
                    .bind(now)
                    .execute(&mut tx.conn)
                    .await?;
                    if gone.rows_affected() > 0 {
                        tx.touched.topic("notices");
                    }
                    Ok(())
                })
            })
            .await
    }
}
