//! Who has been told of which notice, over which channel; what is still to be told.

use chotdon_domain::channel::Channel;
use chotdon_domain::task::TaskKind;
use serde_json::json;
use sqlx::{FromRow, Row};

use crate::notices::NoticeRecord;
use crate::writer::Tx;
use crate::{Result, Store};

/// Attempts at telling one notice over one channel; a channel that fails for good is left alone long before.
const ATTEMPTS: i64 = 8;

/// A notice and what a channel has told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telling {
    /// The notice.
    pub notice: NoticeRecord,
    /// How often the channel has told of it since it last began anew.
    pub sent: i64,
    /// The last time, ms; `None` = never.
    pub sent_at: Option<i64>,
}

impl Telling {
    /// Whether something happened that the channel has not told of.
    #[must_use]
    pub fn is_news(&self) -> bool {
        self.notice.state == "new" && self.sent_at.is_none_or(|at| at < self.notice.last_at)
    }
}

const COLUMNS: &str = "n.id, n.class, n.merge_key, n.kind, n.data, n.count, n.first_at, n.last_at, n.state, \
     coalesce(c.sent, 0) AS sent, c.sent_at";

/// Schedules telling a notice over every channel that wants its class: at once the first time, later ever less often.
/// `anew` when it begins again after a quiet time: what waits for a later turn of the old pace need not.
pub(crate) async fn schedule(tx: &mut Tx, notice: i64, class: i64, now: i64, anew: bool) -> Result<()> {
    let channels = tx.tuning.channels(class);
    if channels.is_empty() {
        return Ok(());
    }
    // 1, 5, 15, then every 60 minutes while it goes on.
    let states: Vec<String> = sqlx::query_scalar(
        "INSERT INTO task (kind, lane, prio, state, stage, run_at, max_attempt, dedupe_key, payload, created_at) \
           SELECT $1, $2, 0, CASE WHEN due <= $6 THEN 'ready' ELSE 'scheduled' END, 'show', due, $3, \
                  'notice:' || $4 || ':' || channel, json_object('notice', $4, 'channel', channel), $6 \
             FROM (SELECT j.value AS channel, max($6, coalesce(c.sent_at + 60000 * CASE c.sent WHEN 0 THEN 0 WHEN 1 THEN 1 WHEN 2 THEN 5 \
                            WHEN 3 THEN 15 ELSE 60 END, $6)) AS due \
                     FROM json_each($5) AS j LEFT JOIN notice_channel AS c ON c.notice_id = $4 AND c.channel = j.value) \
            WHERE true \
         ON CONFLICT (dedupe_key) WHERE dedupe_key IS NOT NULL AND state NOT IN ('done','failed','cancelled') DO UPDATE SET state = excluded.state, run_at = excluded.run_at \
           WHERE $7 AND task.state = 'scheduled' AND task.waits_on IS NULL AND excluded.run_at < task.run_at \
         RETURNING state",
    )
    .bind(TaskKind::NotifyOwner.as_str())
    .bind(TaskKind::NotifyOwner.lane().as_str())
    .bind(ATTEMPTS)
    .bind(notice)
    .bind(json!(channels).to_string())
    .bind(now)
    .bind(anew)
    .fetch_all(&mut tx.conn)
    .await?;
    if states.iter().any(|state| state == "ready") {
        tx.ready(["owner"].into_iter());
    }
    if states.iter().any(|state| state == "scheduled") {
        tx.touched.scheduled = true;
    }
    Ok(())
}

/// A channel has told of these notices.
pub(crate) async fn told(tx: &mut Tx, notices: &[i64], channel: Channel, now: i64) -> Result<()> {
    sqlx::query(
        "INSERT INTO notice_channel (notice_id, channel, sent, sent_at) SELECT value, $2, 1, $3 FROM json_each($1) WHERE true \
         ON CONFLICT (notice_id, channel) DO UPDATE SET sent = sent + 1, sent_at = excluded.sent_at",
    )
    .bind(json!(notices).to_string())
    .bind(channel.as_str())
    .bind(now)
    .execute(&mut tx.conn)
    .await?;
    Ok(())
}

impl Store {
    /// A notice, and what `channel` has told of it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn telling(&self, notice: i64, channel: Channel) -> Result<Option<Telling>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM notice AS n \
               LEFT JOIN notice_channel AS c ON c.notice_id = n.id AND c.channel = $2 WHERE n.id = $1"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(notice)
            .bind(channel.as_str())
            .fetch_optional(&self.reader)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// The notices whose turn it is on `channel` at `now` (ms), oldest first, at most 50, told ones left out.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn to_tell(&self, channel: Channel, now: i64) -> Result<Vec<Telling>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM (SELECT payload FROM task WHERE state = 'ready' AND lane = 'owner' \
               UNION ALL SELECT payload FROM task WHERE state = 'scheduled' AND run_at <= $2 AND lane = 'owner' AND waits_on IS NULL) AS t \
               JOIN notice AS n ON n.id = t.payload ->> 'notice' \
               LEFT JOIN notice_channel AS c ON c.notice_id = n.id AND c.channel = $1 \
              WHERE t.payload ->> 'channel' = $1 AND n.state = 'new' ORDER BY n.id LIMIT 50"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(channel.as_str())
            .bind(now)
            .fetch_all(&self.reader)
            .await?;
        let all: Vec<Telling> = rows.iter().map(read).collect::<Result<_>>()?;
        Ok(all.into_iter().filter(Telling::is_news).collect())
    }
}

fn read(row: &sqlx::sqlite::SqliteRow) -> Result<Telling> {
    Ok(Telling {
        notice: NoticeRecord::from_row(row)?,
        sent: row.try_get("sent")?,
        sent_at: row.try_get("sent_at")?,
    })
}
