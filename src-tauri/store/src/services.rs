//! Outside services: which are open, since when not and why, how fast they may be called, and who waits for them.
//!
//! A task that needs a service which cannot be used waits on `service:NAME`, as it would on another task, without
//! burning an attempt. The core decides when a service is used; this keeps it and lets the waiting ones go.

use serde_json::{Value, json};
use sqlx::Row;

use chotdon_domain::service::ServiceState;

use crate::customer_mail::{self, Told};
use crate::notices::{self, NEEDS_OWNER, Raise, STOPPED};
use crate::orders::audit;
use crate::writer::Tx;
use crate::{Error, Result, Store};

/// What tasks wait on begins with this; the service's name follows.
const WAITS: &str = "service:";
/// The service that gives buyers access to what lies on Drive.
const SHARING: &str = "drive_sharing";
/// Buyers are told that their course is on its way when sharing stops for at least this long, ms.
const WORTH_TELLING: i64 = 10 * 60_000;

/// A service as kept; one without a row is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceRecord {
    /// `drive`, `smtp`, `lms:NAME`, `source:HOST` …
    pub name: String,
    /// Whether it is used.
    pub state: ServiceState,
    /// When it left [`ServiceState::Open`], ms.
    pub since: Option<i64>,
    /// When it is tried again, ms; `None` = when something changes.
    pub until: Option<i64>,
    /// Why, for the words.
    pub code: Option<String>,
    /// Technical detail without secrets.
    pub detail: Option<String>,
    /// Times in a row that it was left alone.
    pub strikes: i64,
    /// Since when the owner pauses it, ms.
    pub paused_at: Option<i64>,
    /// When that pause ends by itself, ms.
    pub paused_until: Option<i64>,
    /// The owner's words.
    pub paused_reason: Option<String>,
    /// When the pace allows the next call, ms, reserved ones counted.
    pub next_at: i64,
    /// Start of the day that is being counted, ms.
    pub day_from: i64,
    /// Calls of that day, reserved ones counted.
    pub day_count: i64,
}

impl ServiceRecord {
    /// An open service that was never heard of.
    #[must_use]
    pub fn open(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            state: ServiceState::Open,
            since: None,
            until: None,
            code: None,
            detail: None,
            strikes: 0,
            paused_at: None,
            paused_until: None,
            paused_reason: None,
            next_at: 0,
            day_from: 0,
            day_count: 0,
        }
    }
}

/// What tasks that wait for a service wait on.
#[must_use]
pub fn service_key(name: &str) -> String {
    format!("{WAITS}{name}")
}

/// The service that a task waits for; `None` when it waits for another task.
#[must_use]
pub fn service_of(waits_on: &str) -> Option<&str> {
    waits_on.strip_prefix(WAITS)
}

impl Store {
    /// Every service that has a row.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn services(&self) -> Result<Vec<ServiceRecord>> {
        let rows = sqlx::query("SELECT * FROM service ORDER BY name").fetch_all(&self.reader).await?;
        rows.into_iter()
            .map(|row| {
                let state: String = row.try_get("state")?;
                Ok(ServiceRecord {
                    name: row.try_get("name")?,
                    state: ServiceState::parse(&state)
                        .ok_or_else(|| Error::Unusable(format!("unknown service state {state}")))?,
                    since: row.try_get("since")?,
                    until: row.try_get("until")?,
                    code: row.try_get("code")?,
                    detail: row.try_get("detail")?,
                    strikes: row.try_get("strikes")?,
                    paused_at: row.try_get("paused_at")?,
                    paused_until: row.try_get("paused_until")?,
                    paused_reason: row.try_get("paused_reason")?,
                    next_at: row.try_get("next_at")?,
                    day_from: row.try_get("day_from")?,
                    day_count: row.try_get("day_count")?,
                })
            })
            .collect()
    }

    /// How many tasks wait for each service.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn waiting_for_services(&self) -> Result<Vec<(String, i64)>> {
        Ok(sqlx::query_as(
            "SELECT substr(waits_on, 9), count(*) FROM task \
              WHERE state = 'scheduled' AND waits_on >= 'service:' AND waits_on < 'service;' GROUP BY waits_on",
        )
        .fetch_all(&self.reader)
        .await?)
    }

    /// Keeps a service as it is from now on. One that is left alone is told to the owner once, and the note is
    /// resolved when it is open again. What the owner paused stays paused.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn keep_service(&self, service: ServiceRecord, now: i64) -> Result<()> {
        self.writer
            .run(move |tx| {
                let service = service.clone();
                Box::pin(async move {
                    let state = write(tx, &service).await?;
                    let key = service_key(&service.name);
                    match service.state {
                        ServiceState::Open => resolve(tx, &key).await?,
                        // The note of a service that was tried once more in vain only gets its new time.
                        state_now if state.as_deref() != Some(state_now.as_str()) => {
                            let class = if service.until.is_none() { STOPPED } else { NEEDS_OWNER };
                            let data = told(&service);
                            let notice =
                                Raise { class, merge_key: Some(key), kind: "service_parked", data, task: None };
                            notices::raise(tx, &notice, now).await?;
                        }
                        _ => {
                            sqlx::query(
                                "UPDATE notice SET data = $2, last_at = $3 WHERE merge_key = $1 AND state <> 'resolved'",
                            )
                            .bind(key)
                            .bind(told(&service).to_string())
                            .bind(now)
                            .execute(&mut tx.conn)
                            .await?;
                            tx.touched.topic("notices");
                        }
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Writes down calls that are about to be made, many at once, so that none is forgotten by a crash.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn reserve_calls(&self, name: &str, next_at: i64, day_from: i64, day_count: i64) -> Result<()> {
        let name = name.to_owned();
        self.writer
            .run(move |tx| {
                let name = name.clone();
                Box::pin(async move {
                    sqlx::query(
                        "INSERT INTO service (name, next_at, day_from, day_count) VALUES ($1, $2, $3, $4) \
                         ON CONFLICT (name) DO UPDATE SET next_at = excluded.next_at, day_from = excluded.day_from, \
                           day_count = excluded.day_count",
                    )
                    .bind(name)
                    .bind(next_at)
                    .bind(day_from)
                    .bind(day_count)
                    .execute(&mut tx.conn)
                    .await?;
                    Ok(())
                })
            })
            .await
    }

    /// Puts up to `limit` tasks back in line that wait for a service, the most urgent first, or the oldest. Returns
    /// how many.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn release_waiting(&self, name: &str, limit: i64, oldest_first: bool, now: i64) -> Result<i64> {
        let key = service_key(name);
        self.writer
            .run(move |tx| {
                let key = key.clone();
                Box::pin(async move {
                    let lanes: Vec<String> = sqlx::query_scalar(
                        "UPDATE task SET state = 'ready', waits_on = NULL, run_at = $3 WHERE id IN \
                           (SELECT id FROM task WHERE state = 'scheduled' AND waits_on = $1 \
                             ORDER BY CASE WHEN $4 THEN 0 ELSE prio END, id LIMIT $2) RETURNING lane",
                    )
                    .bind(key)
                    .bind(limit)
                    .bind(now)
                    .bind(oldest_first)
                    .fetch_all(&mut tx.conn)
                    .await?;
                    tx.ready(lanes.iter().map(String::as_str));
                    if !lanes.is_empty() {
                        tx.touched.topic("services");
                    }
                    Ok(i64::try_from(lanes.len()).unwrap_or(i64::MAX))
                })
            })
            .await
    }

    /// Writes down that the owner paused a service, or let it go on; `actor` `timer` for a pause that ended by itself.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn pause_service(&self, service: ServiceRecord, actor: &str, now: i64) -> Result<()> {
        let actor = actor.to_owned();
        self.writer
            .run(move |tx| {
                let (service, actor) = (service.clone(), actor.clone());
                Box::pin(async move {
                    write(tx, &service).await?;
                    let action = if service.paused_at.is_some() { "service.pause" } else { "service.resume" };
                    let data = json!({ "until": service.paused_until, "reason": service.paused_reason });
                    audit(tx, now, &actor, action, &service.name, &data).await
                })
            })
            .await
    }
}

fn told(service: &ServiceRecord) -> Value {
    json!({
        "service": service.name, "code": service.code, "detail": service.detail, "state": service.state.as_str(),
        "since": service.since, "until": service.until,
    })
}

/// Writes the row; answers the state before.
async fn write(tx: &mut Tx, service: &ServiceRecord) -> Result<Option<String>> {
    let before: Option<String> = sqlx::query_scalar("SELECT state FROM service WHERE name = $1")
        .bind(&service.name)
        .fetch_optional(&mut tx.conn)
        .await?;
    sqlx::query(
        "INSERT INTO service (name, state, since, until, code, detail, strikes, paused_at, paused_until, paused_reason) \
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
         ON CONFLICT (name) DO UPDATE SET state = excluded.state, since = excluded.since, until = excluded.until, \
           code = excluded.code, detail = excluded.detail, strikes = excluded.strikes, paused_at = excluded.paused_at, \
           paused_until = excluded.paused_until, paused_reason = excluded.paused_reason",
    )
    .bind(&service.name)
    .bind(service.state.as_str())
    .bind(service.since)
    .bind(service.until)
    .bind(&service.code)
    .bind(&service.detail)
    .bind(service.strikes)
    .bind(service.paused_at)
    .bind(service.paused_until)
    .bind(&service.paused_reason)
    .execute(&mut tx.conn)
    .await?;
    tx.touched.topics.extend(["services".to_owned(), "queue".to_owned()]);
    Ok(before)
}

async fn resolve(tx: &mut Tx, key: &str) -> Result<()> {
    sqlx::query("UPDATE notice SET state = 'resolved' WHERE merge_key = $1 AND state <> 'resolved'")
        .bind(key)
        .execute(&mut tx.conn)
        .await?;
    tx.touched.topic("notices");
    Ok(())
}

/// A task waits for a service from this commit on: its order says so while the service is left alone, and a buyer
/// whose access takes longer is told once that it is on its way.
pub(crate) async fn waits(
    tx: &mut Tx,
    task: i64,
    service: &str,
    code: Option<&str>,
    until: Option<i64>,
    now: i64,
) -> Result<()> {
    tx.touched.topics.extend([service_key(service), "services".to_owned()]);
    let Some(code) = code else { return Ok(()) };
    let rows = sqlx::query(
        "INSERT INTO timeline (order_id, at, kind, data) \
           SELECT order_id, $2, 'service_waiting', json_object('service', $3, 'code', $4, 'until', $5) \
             FROM task WHERE id = $1 AND order_id IS NOT NULL \
              AND coalesce((SELECT t.kind FROM timeline AS t WHERE t.order_id = task.order_id ORDER BY t.id DESC LIMIT 1), '') \
                  <> 'service_waiting'; \
         SELECT o.id, o.code, o.customer_id FROM task AS t JOIN orders AS o ON o.id = t.order_id \
          WHERE t.id = $1 AND t.kind = 'deliver_order'",
    )
    .bind(task)
    .bind(now)
    .bind(service)
    .bind(code)
    .bind(until)
    .fetch_all(&mut tx.conn)
    .await?;
    let late = service == SHARING && until.is_some_and(|until| until - now >= WORTH_TELLING);
    for row in rows {
        let order: i64 = row.try_get("id")?;
        if late {
            customer_mail::queue(tx, row.try_get("customer_id")?, &Told::OnItsWay { order }, now).await?;
        }
        tx.orders_changed([row.try_get::<String, _>("code")?]);
    }
    Ok(())
}
