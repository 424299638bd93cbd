//! The queue as people see it: lanes, the list of tasks, one task with its stages and attempts.

use chotdon_domain::task::{Lane, TaskKind, TaskState};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, FromRow, QueryBuilder, Row, Sqlite, SqliteConnection};

use super::records::named;
use super::{Slice, Window};
use crate::{Result, Store};

/// Which tasks a list shows; all given conditions hold at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// Only these states; empty means every state.
    pub states: Vec<TaskState>,
    /// Only this lane.
    pub lane: Option<Lane>,
    /// Only this kind.
    pub kind: Option<TaskKind>,
    /// Only failed tasks of this cause.
    pub group: Option<String>,
    /// Only tasks of the order with this code.
    pub order: Option<String>,
    /// Only tasks with an attempt behind them: of those scheduled, the ones that are tried again.
    pub tried: bool,
}

/// A task as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct TaskRecord {
    pub id: i64,
    pub kind: TaskKind,
    pub lane: Lane,
    pub state: TaskState,
    /// The stage that runs or runs next.
    pub stage: String,
    /// 0 most urgent to 3.
    pub prio: i64,
    pub attempt: i64,
    pub max_attempt: i64,
    /// Fencing token of the last claim.
    pub lease_epoch: i64,
    pub dedupe_key: Option<String>,
    pub order_code: Option<String>,
    pub course_title: Option<String>,
    /// Dedupe key of the task it waits for.
    pub waits_on: Option<String>,
    /// When it is due; means nothing while `waits_on` is set.
    pub run_at: i64,
    pub created_at: i64,
    pub started_at: Option<i64>,
    pub finished_at: Option<i64>,
    pub err_class: Option<String>,
    pub err_code: Option<String>,
    pub err_detail: Option<String>,
}

/// A stage that is done.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
#[allow(missing_docs)]
pub struct StageRecord {
    pub stage: String,
    pub ended: i64,
}

/// An attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
#[allow(missing_docs)]
pub struct AttemptRecord {
    pub stage: String,
    pub started: i64,
    pub ended: i64,
    pub err_class: String,
    pub err_code: String,
    pub detail: String,
}

/// Everything about one task.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct TaskStory {
    pub task: TaskRecord,
    pub stages: Vec<StageRecord>,
    /// Newest first, at most 50.
    pub attempts: Vec<AttemptRecord>,
    /// Tasks of orders that wait for this one.
    pub waiting: i64,
}

/// One lane with its counts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct LaneRecord {
    pub lane: Lane,
    pub ready: i64,
    pub running: i64,
    pub scheduled: i64,
    pub failed: i64,
    pub paused_at: Option<i64>,
    /// When a pause ends by itself, ms UTC.
    pub until: Option<i64>,
    pub reason: Option<String>,
    /// When the task that has waited longest became due; `None` when none is ready.
    pub oldest_due_at: Option<i64>,
}

/// The whole queue in counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueueRecord {
    /// Course, order, owner.
    pub lanes: Vec<LaneRecord>,
    /// Scheduled again after a failed attempt.
    pub retrying: i64,
}

impl QueueRecord {
    /// Tasks that wait for a worker, a time or another task, those that are tried again left out.
    #[must_use]
    pub fn queued(&self) -> i64 {
        self.lanes.iter().map(|lane| lane.ready + lane.scheduled).sum::<i64>() - self.retrying
    }

    /// Tasks a worker holds.
    #[must_use]
    pub fn running(&self) -> i64 {
        self.lanes.iter().map(|lane| lane.running).sum()
    }

    /// Tasks that were given up.
    #[must_use]
    pub fn failed(&self) -> i64 {
        self.lanes.iter().map(|lane| lane.failed).sum()
    }

    /// Whether every lane is paused.
    #[must_use]
    pub fn paused(&self) -> bool {
        !self.lanes.is_empty() && self.lanes.iter().all(|lane| lane.paused_at.is_some())
    }

    /// How long the task that has waited longest has been due at `now`, ms; 0 when none waits.
    #[must_use]
    pub fn oldest_wait_ms(&self, now: i64) -> i64 {
        self.lanes
            .iter()
            .filter_map(|lane| lane.oldest_due_at)
            .min()
            .map_or(0, |due| now.saturating_sub(due).max(0))
    }
}

impl FromRow<'_, SqliteRow> for TaskRecord {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            kind: named(row, "kind", TaskKind::parse)?,
            lane: named(row, "lane", Lane::parse)?,
            state: named(row, "state", TaskState::parse)?,
            stage: row.try_get("stage")?,
            prio: row.try_get("prio")?,
            attempt: row.try_get("attempt")?,
            max_attempt: row.try_get("max_attempt")?,
            lease_epoch: row.try_get("lease_epoch")?,
            dedupe_key: row.try_get("dedupe_key")?,
            order_code: row.try_get("order_code")?,
            course_title: row.try_get("course_title")?,
            waits_on: row.try_get("waits_on")?,
            run_at: row.try_get("run_at")?,
            created_at: row.try_get("created_at")?,
            started_at: row.try_get("started_at")?,
            finished_at: row.try_get("finished_at")?,
            err_class: row.try_get("err_class")?,
            err_code: row.try_get("err_code")?,
            err_detail: row.try_get("err_detail")?,
        })
    }
}

impl FromRow<'_, SqliteRow> for LaneRecord {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            lane: named(row, "name", Lane::parse)?,
            ready: row.try_get("ready")?,
            running: row.try_get("running")?,
            scheduled: row.try_get("scheduled")?,
            failed: row.try_get("failed")?,
            paused_at: row.try_get("paused_at")?,
            until: row.try_get("until")?,
            reason: row.try_get("reason")?,
            oldest_due_at: row.try_get("oldest_due_at")?,
        })
    }
}

const COLUMNS: &str = "t.id, t.kind, t.lane, t.state, t.stage, t.prio, t.attempt, t.max_attempt, t.lease_epoch, \
     t.dedupe_key, (SELECT code FROM orders WHERE id = t.order_id) AS order_code, \
     (SELECT title FROM course WHERE id = t.course_id) AS course_title, t.waits_on, t.run_at, t.created_at, \
     t.started_at, t.finished_at, t.err_class, t.err_code, t.err_detail";

pub(super) const LANES: &str = "SELECT l.name, l.paused_at, l.until, l.reason, \
     (SELECT n FROM tally WHERE name = 'task:' || l.name || ':ready') AS ready, \
     (SELECT n FROM tally WHERE name = 'task:' || l.name || ':running') AS running, \
     (SELECT n FROM tally WHERE name = 'task:' || l.name || ':scheduled') AS scheduled, \
     (SELECT n FROM tally WHERE name = 'task:' || l.name || ':failed') AS failed, \
     (SELECT t.run_at FROM task t WHERE t.lane = l.name AND t.state = 'ready' ORDER BY t.id LIMIT 1) AS oldest_due_at, \
     (SELECT count(*) FROM task t WHERE t.state = 'scheduled' AND t.attempt > 0) AS retrying \
     FROM lane l ORDER BY l.name";

pub(super) const MENDED: &str = "(SELECT DISTINCT task_id FROM attempt WHERE id > (SELECT max(id) FROM attempt) - 500) a \
     CROSS JOIN task t ON t.id = a.task_id AND t.state = 'done'";

impl Store {
    /// A page of the tasks that `filter` lets through, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn tasks(&self, filter: &TaskFilter, window: Window) -> Result<Slice<TaskRecord>> {
        let rows = page_query(filter, window).build_query_as::<TaskRecord>().fetch_all(&self.reader).await?;
        Ok(window.cut(rows, |task| task.id))
    }

    /// Tasks that failed at least once and were finished after all, the last finished first, at most 50. Looks at the
    /// newest 500 failed attempts.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn mended_tasks(&self) -> Result<Vec<TaskRecord>> {
        let sql = format!("SELECT {COLUMNS} FROM {MENDED} ORDER BY t.finished_at DESC, t.id DESC LIMIT 50");
        Ok(sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&self.reader).await?)
    }

    /// The tasks with these ids, in no order; unknown ids are left out.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn tasks_by_id(&self, ids: &[i64]) -> Result<Vec<TaskRecord>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids = serde_json::to_string(ids)?;
        let sql = format!("SELECT {COLUMNS} FROM json_each($1) j CROSS JOIN task t ON t.id = j.value");
        Ok(sqlx::query_as(AssertSqlSafe(sql)).bind(ids).fetch_all(&self.reader).await?)
    }

    /// Everything about one task; `None` when there is none with this id.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn task_story(&self, id: i64) -> Result<Option<TaskStory>> {
        let mut connection = self.reader.acquire().await?;
        let sql = format!("SELECT {COLUMNS} FROM task t WHERE t.id = $1");
        let Some(task) = sqlx::query_as::<_, TaskRecord>(AssertSqlSafe(sql))
            .bind(id)
            .fetch_optional(&mut *connection)
            .await?
        else {
            return Ok(None);
        };
        let stages = sqlx::query_as("SELECT stage, ended FROM task_stage WHERE task_id = $1")
            .bind(id)
            .fetch_all(&mut *connection)
            .await?;
        let attempts = sqlx::query_as(
            "SELECT stage, started, ended, err_class, err_code, detail FROM attempt WHERE task_id = $1 \
             ORDER BY id DESC LIMIT 50",
        )
        .bind(id)
        .fetch_all(&mut *connection)
        .await?;
        let waiting = match &task.dedupe_key {
            None => 0,
            Some(key) => {
                sqlx::query_scalar("SELECT count(*) FROM task WHERE state = 'scheduled' AND waits_on = $1")
                    .bind(key)
                    .fetch_one(&mut *connection)
                    .await?
            }
        };
        Ok(Some(TaskStory { task, stages, attempts, waiting }))
    }

    /// The lanes with their counts, from the tally.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn queue(&self) -> Result<QueueRecord> {
        let mut connection = self.reader.acquire().await?;
        queue(&mut connection).await
    }
}

pub(super) async fn queue(connection: &mut SqliteConnection) -> Result<QueueRecord> {
    let rows = sqlx::query(LANES).fetch_all(connection).await?;
    let retrying = rows.first().map_or(Ok(0), |row| row.try_get("retrying"))?;
    let mut lanes = rows.iter().map(LaneRecord::from_row).collect::<sqlx::Result<Vec<_>>>()?;
    lanes.sort_by_key(|lane| lane.lane);
    Ok(QueueRecord { lanes, retrying })
}

/// The last test delivery of a course, and the address it went to.
pub(super) async fn last_test(
    connection: &mut SqliteConnection,
    course: i64,
) -> Result<Option<(TaskRecord, String)>> {
    let sql = format!(
        "SELECT {COLUMNS}, coalesce(t.payload ->> 'email', '') AS email FROM task t \
          WHERE t.course_id = $1 AND t.kind = 'test_delivery' ORDER BY t.id DESC LIMIT 1"
    );
    let row = sqlx::query(AssertSqlSafe(sql)).bind(course).fetch_optional(connection).await?;
    row.map(|row| Ok((TaskRecord::from_row(&row)?, row.try_get("email")?))).transpose()
}

/// An order's own tasks, and the preparations they wait for.
pub(super) async fn of_order(connection: &mut SqliteConnection, order: i64) -> Result<Vec<TaskRecord>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM (SELECT id FROM task WHERE order_id = $1 UNION \
         SELECT p.id FROM task w CROSS JOIN course k CROSS JOIN task p ON p.course_id = k.id \
          WHERE w.order_id = $1 AND w.state = 'scheduled' AND w.waits_on IS NOT NULL AND p.dedupe_key = w.waits_on) ids \
         CROSS JOIN task t ON t.id = ids.id ORDER BY t.id DESC"
    );
    Ok(sqlx::query_as(AssertSqlSafe(sql)).bind(order).fetch_all(connection).await?)
}

/// Each state has an index of its own; a list of several is their union, each part cut to the page.
pub(super) fn page_query(filter: &TaskFilter, window: Window) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(format!("SELECT {COLUMNS} FROM (SELECT id FROM ("));
    let failed = [TaskState::Failed];
    let states = if filter.group.is_some() { &failed[..] } else { &filter.states[..] };
    if states.is_empty() {
        part(&mut query, filter, window, "");
    }
    for (at, state) in states.iter().enumerate() {
        if at > 0 {
            query.push(" UNION ALL ");
        }
        part(&mut query, filter, window, &format!(" AND t.state = '{}'", state.as_str()));
    }
    query.push(") ORDER BY id DESC LIMIT ").push_bind(window.fetch());
    query.push(") p CROSS JOIN task t ON t.id = p.id ORDER BY t.id DESC");
    query
}

fn part(query: &mut QueryBuilder<Sqlite>, filter: &TaskFilter, window: Window, state: &str) {
    let from = match &filter.order {
        Some(_) => "orders o CROSS JOIN task t ON t.order_id = o.id",
        None => "task t",
    };
    query.push(format!("SELECT * FROM (SELECT t.id FROM {from} WHERE t.id < "));
    query.push_bind(window.top()).push(state);
    if let Some(lane) = filter.lane.or(filter.kind.map(TaskKind::lane)) {
        // Lanes other than `order` are rare, so they have an index; literals let the planner see that.
        query.push(format!(" AND t.lane = '{}'", lane.as_str()));
        if lane != Lane::Order {
            query.push(" AND t.lane <> 'order'");
        }
    }
    if let Some(kind) = filter.kind {
        query.push(format!(" AND t.kind = '{}'", kind.as_str()));
    }
    if let Some(group) = &filter.group {
        query.push(" AND t.err_group = ").push_bind(group.clone());
    }
    if let Some(order) = &filter.order {
        query.push(" AND o.code = ").push_bind(order.clone());
    }
    if filter.tried {
        query.push(" AND t.attempt > 0");
    }
    query.push(" ORDER BY t.id DESC LIMIT ").push_bind(window.fetch()).push(")");
}
