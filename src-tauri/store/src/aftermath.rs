//! What else becomes true in the commit that settles a stage: links, mails, order stages, notices.
//!
//! Each aftermath is one script over one JSON argument, because a statement costs more in crossing to
//! SQLite's thread than in work.

use chotdon_domain::channel::Channel;
use serde_json::{Value, json};

use crate::Result;
use crate::customer_mail;
use crate::enqueue::ensure_prepared;
use crate::enrolment::{self, Enrolled};
use crate::notices::{self, Raise};
use crate::queue::{Settlement, StageResult, prepare_key};
use crate::services;
use crate::telling;
use crate::test_deliveries;
use crate::writer::{Script, Tx, script};

/// What a settled stage changes besides its task.
#[derive(Debug, Clone, Default)]
pub enum Aftermath {
    /// Nothing.
    #[default]
    None,
    /// Buyers have access to every course of the order; the mail that tells them is about to be sent.
    Shared {
        /// Order id.
        order: i64,
        /// One per course that the app serves itself.
        links: Vec<NewLink>,
        /// One per course that lies elsewhere, or has no files.
        given: Vec<GivenLink>,
        /// The mail, as intent.
        mail: MailIntent,
    },
    /// The buyer is a student at every platform that the order's courses name.
    Enrolled {
        /// Order id.
        order: i64,
        /// One per course that names a platform.
        places: Vec<Enrolled>,
    },
    /// The mail was accepted by the server: the order is complete.
    Delivered {
        /// Order id.
        order: i64,
        /// Message-ID of the mail.
        message_id: String,
        /// The server's own id of it.
        reference: String,
    },
    /// A version of a course lies verified at its target; the orders that wait for it go on.
    Prepared {
        /// Course id.
        course: i64,
        /// Version.
        version: i64,
        /// JSON `[{path, size, sha256}]`.
        manifest: String,
        /// JSON, the target's own words.
        location: String,
        /// Sum of the sizes.
        bytes: i64,
    },
    /// The order's delivery waits for this version; its preparation is queued when it is not yet.
    WaitsForCourse {
        /// Order id.
        order: i64,
        /// Course id.
        course: i64,
        /// Version.
        version: i64,
    },
    /// The task waits for an outside service.
    WaitsForService {
        /// Its name.
        service: String,
        /// Why it is left alone; `None` when it is only busy, or paused.
        code: Option<String>,
        /// When it is tried again, ms; `None` = when something changes.
        until: Option<i64>,
    },
    /// A mail to a customer about their money is about to be sent.
    MailWritten {
        /// The order whose money it is about; `None` for a wallet.
        order: Option<i64>,
        /// The mail, as intent.
        mail: MailIntent,
    },
    /// The server has accepted that mail.
    MailSent {
        /// Message-ID of the mail.
        message_id: String,
        /// The server's own id of it.
        reference: String,
    },
    /// A test delivery has its link; the mail that tells of it is about to be sent.
    TestShared {
        /// The link, belonging to no order; `None` where the target lets the address in by itself.
        link: Option<NewLink>,
        /// The mail, as intent.
        mail: MailIntent,
    },
    /// A test delivery waits for this version; its preparation is queued when it is not yet.
    TestWaits {
        /// Course id.
        course: i64,
        /// Version.
        version: i64,
    },
    /// What a worker on another machine brought was read and is what was promised.
    TakenIn,
    /// The attempt is told in the timeline of the order.
    AttemptFailed,
    /// The task failed for good: its orders fail with it and the owner is told.
    GivenUp,
    /// A channel has told the owner of these notices.
    Told {
        /// Notice ids.
        notices: Vec<i64>,
        /// The channel.
        channel: Channel,
    },
}

/// A download link about to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLink {
    /// Random id; the token is signed over it.
    pub id: i64,
    /// Order item.
    pub item: i64,
    /// Course id.
    pub course: i64,
    /// Version.
    pub version: i64,
    /// Full address.
    pub url: String,
    /// When it ends, ms.
    pub expires_at: i64,
    /// Downloads it is good for.
    pub max_downloads: i64,
    /// When access itself ends by the course's terms, ms; the first delivery fixes it. `None` = never.
    pub access_until: Option<i64>,
}

/// What a buyer is given of a course that the app serves no link for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenLink {
    /// Order item.
    pub item: i64,
    /// Version.
    pub version: i64,
    /// Full address, which opens for its buyer alone. `None` for a course without files: its address is the
    /// platform's, once the buyer is enrolled.
    pub url: Option<String>,
    /// When access itself ends by the course's terms, ms; the first delivery fixes it. `None` = never.
    pub access_until: Option<i64>,
}

/// A mail about to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailIntent {
    /// Stable across retries.
    pub message_id: String,
    /// Address.
    pub recipient: String,
    /// Subject line.
    pub subject: String,
}

const SHARED: Script = script!(
    "\
INSERT INTO link (id, order_item_id, course_id, version, created_at, expires_at, max_downloads) \
  SELECT value ->> 'id', value ->> 'item', value ->> 'course', value ->> 'version', $1 ->> 'now', value ->> 'expires_at', value ->> 'max' \
    FROM json_each($1, '$.links') WHERE value ->> 'id' IS NOT NULL \
  ON CONFLICT (order_item_id, version) DO UPDATE SET id = excluded.id, created_at = excluded.created_at, \
    expires_at = excluded.expires_at, max_downloads = excluded.max_downloads, downloads = 0, revoked_at = NULL; \
UPDATE order_item SET link = j.url, version = j.version, delivery = 'sharing', access_until = coalesce(order_item.access_until, j.access_until) \
  FROM (SELECT value ->> 'item' AS item, value ->> 'url' AS url, value ->> 'version' AS version, value ->> 'access_until' AS access_until \
          FROM json_each($1, '$.links')) AS j \
  WHERE order_item.id = j.item; \
INSERT INTO mail (order_id, task_id, message_id, recipient, subject, state, created_at) \
  VALUES ($1 ->> 'order', $1 ->> 'task', $1 ->> '$.mail.message_id', $1 ->> '$.mail.recipient', $1 ->> '$.mail.subject', 'intent', $1 ->> 'now') \
  ON CONFLICT (message_id) DO NOTHING; \
INSERT INTO timeline (order_id, at, kind, data) \
  SELECT $1 ->> 'order', $1 ->> 'now', 'shared', json_object('course', course.title) \
    FROM order_item JOIN course ON course.id = order_item.course_id WHERE order_item.order_id = $1 ->> 'order' \
     AND order_item.id IN (SELECT value ->> 'item' FROM json_each($1, '$.links') WHERE value ->> 'url' IS NOT NULL); \
SELECT code FROM orders WHERE id = $1 ->> 'order'"
);

const DELIVERED: Script = script!(
    "\
UPDATE mail SET state = 'sent', sent_at = $1 ->> 'now', reference = $1 ->> 'reference' WHERE message_id = $1 ->> 'message_id'; \
UPDATE order_item SET delivery = 'delivered' WHERE order_id = $1 ->> 'order' AND delivery <> 'revoked'; \
INSERT INTO hour_stat (hour, completed) SELECT ($1 ->> 'now') / 3600000, 1 \
    FROM orders WHERE id = $1 ->> 'order' AND completed_at IS NULL \
  ON CONFLICT (hour) DO UPDATE SET completed = completed + 1; \
UPDATE orders SET stage = 'completed', completed_at = coalesce(completed_at, $1 ->> 'now') \
  WHERE id = $1 ->> 'order' AND stage IN ('paid', 'processing', 'failed', 'completed'); \
INSERT INTO timeline (order_id, at, kind, data) VALUES \
  ($1 ->> 'order', $1 ->> 'now', 'mail_sent', json_object('recipient', (SELECT recipient FROM mail WHERE message_id = $1 ->> 'message_id'))), \
  ($1 ->> 'order', $1 ->> 'now', 'completed', '{}'); \
UPDATE notice SET state = 'resolved' WHERE state <> 'resolved' \
  AND merge_key = (SELECT err_group FROM task WHERE id = $1 ->> 'task') \
  AND NOT EXISTS (SELECT 1 FROM task WHERE state = 'failed' AND err_group = merge_key); \
SELECT code FROM orders WHERE id = $1 ->> 'order'"
);

const PREPARED: &str = "\
INSERT INTO course_version (course_id, version, manifest, location, bytes, ready_at) \
  VALUES ($1 ->> 'course', $1 ->> 'version', $1 ->> 'manifest', $1 ->> 'location', $1 ->> 'bytes', $1 ->> 'now') \
  ON CONFLICT (course_id, version) DO UPDATE SET manifest = excluded.manifest, location = excluded.location, \
    bytes = excluded.bytes, ready_at = excluded.ready_at; \
UPDATE course SET ready = 1, version = $1 ->> 'version' WHERE id = $1 ->> 'course' AND version <= $1 ->> 'version'; \
UPDATE task SET state = 'cancelled', finished_at = $1 ->> 'now' WHERE course_id = $1 ->> 'course' AND kind = 'prepare_course' \
  AND state = 'failed' AND course_version < $1 ->> 'version'; \
INSERT INTO timeline (order_id, at, kind, data) \
  SELECT order_id, $1 ->> 'now', 'course_ready', json_object('course', (SELECT title FROM course WHERE id = $1 ->> 'course')) \
    FROM task WHERE order_id IS NOT NULL AND state = 'scheduled' AND waits_on IN (SELECT value FROM json_each($1, '$.keys')); \
UPDATE orders SET stage = 'processing' WHERE stage = 'failed' AND id IN \
  (SELECT order_id FROM task WHERE state = 'scheduled' AND waits_on IN (SELECT value FROM json_each($1, '$.keys'))); \
UPDATE order_item SET delivery = 'waiting' WHERE delivery IN ('preparing', 'failed') AND course_id = $1 ->> 'course' AND order_id IN \
  (SELECT order_id FROM task WHERE state = 'scheduled' AND waits_on IN (SELECT value FROM json_each($1, '$.keys'))); \
UPDATE notice SET state = 'resolved' WHERE state <> 'resolved' \
  AND merge_key = (SELECT err_group FROM task WHERE id = $1 ->> 'task') \
  AND NOT EXISTS (SELECT 1 FROM task WHERE state = 'failed' AND err_group = merge_key); \
UPDATE task SET state = 'ready', waits_on = NULL WHERE state = 'scheduled' AND waits_on IN (SELECT value FROM json_each($1, '$.keys')) \
  RETURNING (SELECT code FROM orders WHERE id = order_id)";

const WAITS: &str = "\
INSERT INTO timeline (order_id, at, kind, data) \
  SELECT $1 ->> 'order', $1 ->> 'now', 'course_waiting', json_object('course', title) FROM course WHERE id = $1 ->> 'course'; \
UPDATE order_item SET delivery = 'preparing' WHERE order_id = $1 ->> 'order' AND course_id = $1 ->> 'course'; \
UPDATE task SET state = 'ready', waits_on = NULL WHERE id = $1 ->> 'task' AND state = 'scheduled' \
  AND EXISTS (SELECT 1 FROM course_version WHERE course_id = $1 ->> 'course' AND version = $1 ->> 'version') \
  RETURNING lane";

/// The orders that a task holds up: its own, and those whose delivery waits for the course it prepares.
macro_rules! held_up {
    () => {
        "SELECT order_id FROM task WHERE id = $1 ->> 'task' AND order_id IS NOT NULL \
         UNION SELECT w.order_id FROM task AS t JOIN task AS w ON w.waits_on = t.dedupe_key AND w.state = 'scheduled' \
           WHERE t.id = $1 ->> 'task' AND t.kind = 'prepare_course' AND w.order_id IS NOT NULL"
    };
}
pub(crate) use held_up;

const ATTEMPT_FAILED: Script = script!(concat!(
    "INSERT INTO timeline (order_id, at, kind, data) SELECT held.order_id, $1 ->> 'now', 'attempt_failed', \
       json_object('task', task.kind, 'stage', task.stage, 'code', $1 ->> 'code', 'attempt', task.attempt, \
                   'max', task.max_attempt, 'retry_at', $1 ->> 'retry_at', 'detail', $1 ->> 'detail') \
     FROM task, (",
    held_up!(),
    ") AS held WHERE task.id = $1 ->> 'task'; SELECT code FROM orders WHERE id IN (",
    held_up!(),
    ")"
));

const GIVEN_UP: &str = concat!(
    "INSERT INTO timeline (order_id, at, kind, data) SELECT held.order_id, $1 ->> 'now', 'failed', \
       json_object('task', task.kind, 'stage', task.stage, 'code', $1 ->> 'code', 'attempt', task.attempt, 'detail', $1 ->> 'detail') \
     FROM task, (",
    held_up!(),
    ") AS held WHERE task.id = $1 ->> 'task'; \
     UPDATE order_item SET delivery = 'failed' WHERE delivery NOT IN ('delivered', 'revoked') AND order_id IN (",
    held_up!(),
    "); \
     INSERT INTO hour_stat (hour, failed) SELECT ($1 ->> 'now') / 3600000, 1 FROM task WHERE id = $1 ->> 'task' AND kind <> 'test_delivery' \
       ON CONFLICT (hour) DO UPDATE SET failed = failed + 1; \
     UPDATE orders SET stage = 'failed' WHERE stage IN ('paid', 'processing') AND id IN (",
    held_up!(),
    ") RETURNING code"
);

impl Aftermath {
    pub(crate) async fn apply(&self, tx: &mut Tx, settled: &Settlement) -> Result<()> {
        let (now, task) = (settled.now, settled.task);
        match self {
            Self::None => Ok(()),
            Self::Shared { order, links, given, mail } => {
                let elsewhere = given
                    .iter()
                    .map(|link| json!({ "item": link.item, "version": link.version, "url": link.url, "access_until": link.access_until }));
                let links: Vec<Value> = links
                    .iter()
                    .map(|link| {
                        json!({ "id": link.id, "item": link.item, "course": link.course, "version": link.version,
                                "url": link.url, "expires_at": link.expires_at, "max": link.max_downloads,
                                "access_until": link.access_until })
                    })
                    .chain(elsewhere)
                    .collect();
                let mail = json!({ "message_id": mail.message_id, "recipient": mail.recipient, "subject": mail.subject });
                let codes = closing(
                    tx,
                    &SHARED,
                    &json!({ "now": now, "task": task, "order": order, "links": links, "mail": mail }),
                )
                .await?;
                tx.orders_changed(codes);
                Ok(())
            }
            Self::Enrolled { order, places } => {
                let code = enrolment::enrolled(tx, *order, places, now).await?;
                tx.orders_changed([code]);
                Ok(())
            }
            Self::Delivered { order, message_id, reference } => {
                let args = json!({ "now": now, "task": task, "order": order, "message_id": message_id, "reference": reference });
                let codes = closing(tx, &DELIVERED, &args).await?;
                tx.orders_changed(codes);
                tx.touched.topics.extend(["failures".to_owned(), "notices".to_owned()]);
                Ok(())
            }
            Self::Prepared { course, version, manifest, location, bytes } => {
                // Whoever waits for an older version is served by this one.
                let keys: Vec<String> =
                    (1..=*version).rev().take(20).map(|v| prepare_key(*course, v)).collect();
                let args = json!({ "now": now, "task": task, "course": course, "version": version, "manifest": manifest,
                                   "location": location, "bytes": bytes, "keys": keys });
                let codes = run(tx, PREPARED, &args).await?;
                // Whoever waited may be of no order: a test delivery.
                tx.ready(["order"].into_iter());
                tx.orders_changed(codes);
                tx.touched.topics.extend(["courses".to_owned(), "failures".to_owned(), "notices".to_owned()]);
                Ok(())
            }
            Self::WaitsForCourse { order, course, version } => {
                ensure_prepared(tx, *course, *version, now).await?;
                let args =
                    json!({ "now": now, "task": task, "order": order, "course": course, "version": version });
                let lanes = run(tx, WAITS, &args).await?;
                tx.ready(lanes.iter().map(String::as_str));
                Ok(())
            }
            Self::WaitsForService { service, code, until } => {
                services::waits(tx, task, service, code.as_deref(), *until, now).await
            }
            Self::MailWritten { order, mail } => customer_mail::written(tx, task, *order, mail, now).await,
            Self::MailSent { message_id, reference } => {
                customer_mail::sent(tx, task, message_id, reference, now).await
            }
            Self::TestShared { link, mail } => {
                test_deliveries::shared(tx, task, link.as_ref(), mail, now).await
            }
            Self::TestWaits { course, version } => {
                test_deliveries::waits(tx, task, *course, *version, now).await
            }
            Self::TakenIn => {
                sqlx::query(
                    "UPDATE worker_result SET received_at = $2 WHERE task_id = $1 AND rejected_at IS NULL",
                )
                .bind(task)
                .bind(now)
                .execute(&mut tx.conn)
                .await?;
                Ok(())
            }
            Self::AttemptFailed => {
                let StageResult::Retry { run_at, error } = &settled.result else { return Ok(()) };
                let args = json!({ "now": now, "task": task, "code": error.code, "retry_at": run_at, "detail": error.detail });
                let codes = closing(tx, &ATTEMPT_FAILED, &args).await?;
                tx.orders_changed(codes);
                Ok(())
            }
            Self::GivenUp => {
                let StageResult::Failed { error } = &settled.result else { return Ok(()) };
                let args = json!({ "now": now, "task": task, "code": error.code, "detail": error.detail });
                let codes = run(tx, GIVEN_UP, &args).await?;
                tx.orders_changed(codes);
                tx.touched.topic("failures");
                notices::raise(tx, &Raise::task_failed(task, &error.code), now).await
            }
            Self::Told { notices, channel } => telling::told(tx, notices, *channel, now).await,
        }
    }
}

/// Runs a script after which nothing else of its settlement is written.
async fn closing(tx: &mut Tx, script: &Script, args: &Value) -> Result<Vec<String>> {
    let script = tx.closing(script);
    run(tx, script, args).await
}

async fn run(tx: &mut Tx, script: &'static str, args: &Value) -> Result<Vec<String>> {
    let rows: Vec<Option<String>> =
        sqlx::query_scalar(script).bind(args.to_string()).fetch_all(&mut tx.conn).await?;
    Ok(rows.into_iter().flatten().collect())
}

impl Tx {
    /// Notes that these orders look different from this commit on.
    pub(crate) fn orders_changed(&mut self, codes: impl IntoIterator<Item = String>) {
        for code in codes {
            self.touched.topic("orders");
            self.touched.topic(format!("order:{code}"));
        }
    }
}
