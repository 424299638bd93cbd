//! Webhooks to storefronts: the endpoints, and the events that wait to be sent to them.
//!
//! Triggers of the schema write the events and their tasks, in the commit that causes them. Sending is `core`'s work.

use serde_json::json;
use sqlx::FromRow;

use crate::orders::audit;
use crate::read::{Slice, Window};
use crate::writer::Tx;
use crate::{Error, Result, Store};

/// Every event that an endpoint can be told of; `webhook.test` is sent on demand only.
pub const OUTGOING_EVENTS: [&str; 6] =
    ["order.paid", "order.delivered", "order.failed", "order.refunded", "wallet.credited", TEST];
const TEST: &str = "webhook.test";

/// Where a storefront is told.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
#[allow(missing_docs)]
pub struct EndpointRecord {
    pub id: i64,
    pub name: String,
    pub url: String,
    /// `*`, or words separated by spaces.
    pub events: String,
    pub created_at: i64,
    /// No more events from then on, ms.
    pub disabled_at: Option<i64>,
    /// `gone` when it answered 410, `owner` when the owner took it out.
    pub disabled_reason: Option<String>,
    /// When it last took an event, ms.
    pub last_ok_at: Option<i64>,
    /// Events that it has not taken yet and that are still tried.
    pub waiting: i64,
    /// Events that were given up.
    pub failed: i64,
}

/// An event on its way to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
#[allow(missing_docs)]
pub struct OutgoingRecord {
    pub id: i64,
    /// `msg_…`, the same over all attempts.
    pub webhook_id: String,
    #[sqlx(rename = "type")]
    pub kind: String,
    /// When it happened, ms.
    pub at: i64,
    /// JSON, as it was then.
    pub data: String,
    pub attempts: i64,
    /// HTTP status of the last attempt.
    pub status: Option<i64>,
    pub delivered_at: Option<i64>,
    pub endpoint_id: i64,
    /// Name of the endpoint.
    pub endpoint: String,
    pub url: String,
    /// False once the endpoint is disabled or removed.
    pub active: bool,
}

/// An event, and how its sending stands.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
#[allow(missing_docs)]
pub struct OutgoingGlance {
    #[sqlx(flatten)]
    pub event: OutgoingRecord,
    /// The task that sends it, while it was neither taken nor called off.
    pub task_id: Option<i64>,
    pub task_state: Option<String>,
    /// When a scheduled task runs, ms.
    pub run_at: Option<i64>,
    pub err_class: Option<String>,
    pub err_code: Option<String>,
    pub err_detail: Option<String>,
}

const EVENT: &str = "o.id, o.webhook_id, o.type, o.at, o.data, o.attempts, o.status, o.delivered_at, o.endpoint_id, \
     e.name AS endpoint, e.url, e.disabled_at IS NULL AS active";
const FROM: &str = "FROM outgoing_event AS o JOIN webhook_endpoint AS e ON e.id = o.endpoint_id";

impl Store {
    /// Adds an endpoint, or changes address and events of the one with this name. `active` takes it into use (again);
    /// otherwise it is told nothing more until it is, and what was still to be sent to it is called off.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an event that does not exist.
    pub async fn save_endpoint(
        &self,
        name: &str,
        url: &str,
        events: &[String],
        active: bool,
        actor: &str,
        now: i64,
    ) -> Result<()> {
        if let Some(odd) = events.iter().find(|event| !OUTGOING_EVENTS.contains(&event.as_str())) {
            return Err(Error::Invalid(format!(
                "there is no event `{odd}`; known are {}",
                OUTGOING_EVENTS.join(", ")
            )));
        }
        let events = if events.is_empty() { "*".to_owned() } else { events.join(" ") };
        let given = (name.to_owned(), url.to_owned(), events, actor.to_owned());
        let saved = self
            .writer
            .run(move |tx| {
                let (name, url, events, actor) = given.clone();
                Box::pin(async move {
                    sqlx::query(
                        "INSERT INTO webhook_endpoint (name, url, events, created_at, disabled_at, disabled_reason) \
                           VALUES ($1, $2, $3, $4, iif($5, NULL, $4), iif($5, NULL, 'owner')) \
                         ON CONFLICT (name) WHERE removed_at IS NULL DO UPDATE SET url = excluded.url, \
                           events = excluded.events, disabled_at = excluded.disabled_at, \
                           disabled_reason = excluded.disabled_reason",
                    )
                    .bind(&name)
                    .bind(&url)
                    .bind(&events)
                    .bind(now)
                    .bind(active)
                    .execute(&mut tx.conn)
                    .await?;
                    tx.touched.topic("settings");
                    if !active {
                        let id = endpoint_id(tx, &name).await?;
                        call_off(tx, id, now).await?;
                    }
                    let data = json!({ "url": url, "events": events, "on": active });
                    audit(tx, now, &actor, "webhook.save", &name, &data).await
                })
            })
            .await;
        self.load_outgoing().await?;
        saved
    }

    /// Takes an endpoint out of use for good; what was still to be sent to it is called off.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown name.
    pub async fn remove_endpoint(&self, name: &str, actor: &str, now: i64) -> Result<()> {
        let given = (name.to_owned(), actor.to_owned());
        let removed = self
            .writer
            .run(move |tx| {
                let (name, actor) = given.clone();
                Box::pin(async move {
                    let id = endpoint_id(tx, &name).await?;
                    sqlx::query(
                        "UPDATE webhook_endpoint SET removed_at = $2, disabled_at = coalesce(disabled_at, $2), \
                           disabled_reason = coalesce(disabled_reason, 'owner') WHERE id = $1",
                    )
                    .bind(id)
                    .bind(now)
                    .execute(&mut tx.conn)
                    .await?;
                    tx.touched.topic("settings");
                    call_off(tx, id, now).await?;
                    audit(tx, now, &actor, "webhook.remove", &name, &json!({})).await
                })
            })
            .await;
        self.load_outgoing().await?;
        removed
    }

    /// Sends nothing more to an endpoint that said that it is gone.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn endpoint_is_gone(&self, id: i64, now: i64) -> Result<()> {
        let done = self
            .writer
            .run(move |tx| {
                Box::pin(async move {
                    sqlx::query(
                        "UPDATE webhook_endpoint SET disabled_at = $2, disabled_reason = 'gone' \
                         WHERE id = $1 AND disabled_at IS NULL",
                    )
                    .bind(id)
                    .bind(now)
                    .execute(&mut tx.conn)
                    .await?;
                    tx.touched.topic("settings");
                    Ok(())
                })
            })
            .await;
        self.load_outgoing().await?;
        done
    }

    /// Queues a `webhook.test` for an endpoint; answers the event's `webhook-id`.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown name.
    pub async fn test_endpoint(&self, name: &str, actor: &str, now: i64) -> Result<String> {
        let given = (name.to_owned(), actor.to_owned());
        self.writer
            .run(move |tx| {
                let (name, actor) = given.clone();
                Box::pin(async move {
                    let id = endpoint_id(tx, &name).await?;
                    let webhook: String = sqlx::query_scalar(
                        "INSERT INTO outgoing_event (endpoint_id, type, at, data) \
                         VALUES ($1, 'webhook.test', $2, json_object('endpoint', $3)) RETURNING webhook_id",
                    )
                    .bind(id)
                    .bind(now)
                    .bind(&name)
                    .fetch_one(&mut tx.conn)
                    .await?;
                    tx.touched.topic("webhooks_out");
                    audit(tx, now, &actor, "webhook.test", &name, &json!({ "webhook_id": webhook })).await?;
                    tx.ready(["webhook"].into_iter());
                    Ok(webhook)
                })
            })
            .await
    }

    /// The endpoints that were not removed, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn endpoints(&self) -> Result<Vec<EndpointRecord>> {
        Ok(sqlx::query_as(
            "SELECT e.id, e.name, e.url, e.events, e.created_at, e.disabled_at, e.disabled_reason, \
               (SELECT max(o.delivered_at) FROM outgoing_event AS o WHERE o.endpoint_id = e.id) AS last_ok_at, \
               (SELECT count(*) FROM task AS t JOIN outgoing_event AS o ON o.id = t.payload ->> 'event' \
                 WHERE t.lane = 'webhook' AND t.state IN ('scheduled', 'ready', 'running') AND o.endpoint_id = e.id) AS waiting, \
               (SELECT count(*) FROM task AS t JOIN outgoing_event AS o ON o.id = t.payload ->> 'event' \
                 WHERE t.lane = 'webhook' AND t.state = 'failed' AND o.endpoint_id = e.id) AS failed \
             FROM webhook_endpoint AS e WHERE e.removed_at IS NULL ORDER BY e.name",
        )
        .fetch_all(&self.reader)
        .await?)
    }

    /// One event with its endpoint.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn outgoing(&self, id: i64) -> Result<Option<OutgoingRecord>> {
        let query = sqlx::query_as(sqlx::AssertSqlSafe(format!("SELECT {EVENT} {FROM} WHERE o.id = $1")));
        Ok(query.bind(id).fetch_optional(&self.reader).await?)
    }

    /// A page of the events of an endpoint, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn outgoing_of(&self, endpoint: &str, window: Window) -> Result<Slice<OutgoingGlance>> {
        // Each half of the lookup is served by a partial index of its own.
        let sql = format!(
            "SELECT {EVENT}, t.id AS task_id, t.state AS task_state, t.run_at, t.err_class, t.err_code, t.err_detail {FROM} \
             LEFT JOIN task AS t ON t.id = CASE WHEN o.delivered_at IS NULL THEN coalesce( \
               (SELECT l.id FROM task AS l WHERE l.dedupe_key = 'webhook:' || o.id AND l.state NOT IN ('done','failed','cancelled')), \
               (SELECT f.id FROM task AS f WHERE f.state = 'failed' AND f.dedupe_key = 'webhook:' || o.id)) END \
             WHERE o.endpoint_id = (SELECT id FROM webhook_endpoint WHERE name = $1 AND removed_at IS NULL) \
             AND o.id < $2 ORDER BY o.id DESC LIMIT $3"
        );
        let rows = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(endpoint)
            .bind(window.top())
            .bind(window.fetch())
            .fetch_all(&self.reader)
            .await?;
        Ok(window.cut(rows, |row: &OutgoingGlance| row.event.id))
    }

    /// Writes down how an attempt ended: the status that came back, if any, and whether the event was taken.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn outgoing_tried(&self, id: i64, status: Option<u16>, taken: bool, now: i64) -> Result<()> {
        self.writer
            .run(move |tx| {
                Box::pin(async move {
                    sqlx::query(
                        "UPDATE outgoing_event SET attempts = attempts + 1, status = $2, \
                           delivered_at = CASE WHEN $3 THEN coalesce(delivered_at, $4) ELSE delivered_at END WHERE id = $1",
                    )
                    .bind(id)
                    .bind(status)
                    .bind(taken)
                    .bind(now)
                    .execute(&mut tx.conn)
                    .await?;
                    tx.touched.topic("webhooks_out");
                    Ok(())
                })
            })
            .await
    }

    /// Reads whether any endpoint is in use, which decides whether commits wake the lane `webhook`. Called at start
    /// and after another process may have changed the endpoints.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn load_outgoing(&self) -> Result<()> {
        let any: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM webhook_endpoint WHERE disabled_at IS NULL)")
                .fetch_one(&self.reader)
                .await?;
        self.tuning().set_outgoing(any);
        Ok(())
    }
}

async fn endpoint_id(tx: &mut Tx, name: &str) -> Result<i64> {
    sqlx::query_scalar("SELECT id FROM webhook_endpoint WHERE name = $1 AND removed_at IS NULL")
        .bind(name)
        .fetch_optional(&mut tx.conn)
        .await?
        .ok_or_else(|| Error::NotFound(format!("webhook endpoint `{name}`")))
}

/// Calls off what an endpoint has not taken.
async fn call_off(tx: &mut Tx, endpoint: i64, now: i64) -> Result<()> {
    sqlx::query(
        "UPDATE task SET state = 'cancelled', lease_epoch = lease_epoch + 1, finished_at = $2 \
          WHERE lane = 'webhook' AND state IN ('scheduled', 'ready', 'failed') \
            AND payload ->> 'event' IN (SELECT id FROM outgoing_event WHERE endpoint_id = $1)",
    )
    .bind(endpoint)
    .bind(now)
    .execute(&mut tx.conn)
    .await?;
    tx.touched.topics.extend(["queue", "failures", "webhooks_out"].map(str::to_owned));
    Ok(())
}
