//! Mails that tell customers about their money, as tasks of their own: whatever becomes of them, the money stays.
//!
//! Queued in the commit that moves the money, one for each movement. The order is not named in the task's row, so
//! that a mail that fails does not take the order with it.

use serde_json::{Value, json};
use sqlx::Row;

use crate::aftermath::MailIntent;
use crate::writer::Tx;
use crate::{Result, Store};

/// What a customer is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Money came in for their wallet.
    TopUp {
        /// The transfer.
        transfer: i64,
        /// Whole đồng.
        amount: i64,
    },
    /// Money of an order was given back.
    Refund {
        /// The ledger row.
        row: i64,
        /// Order id.
        order: i64,
        /// Whole đồng.
        amount: i64,
    },
    /// What an order was paid too much went to their wallet.
    Surplus {
        /// The ledger row.
        row: i64,
        /// Order id.
        order: i64,
        /// Whole đồng.
        amount: i64,
    },
    /// The order is paid for, and its delivery takes longer than usual.
    OnItsWay {
        /// Order id.
        order: i64,
    },
}

impl Told {
    fn key(&self) -> String {
        match self {
            Self::TopUp { transfer, .. } => format!("mail:topup:{transfer}"),
            Self::Refund { row, .. } => format!("mail:refund:{row}"),
            Self::Surplus { row, .. } => format!("mail:surplus:{row}"),
            Self::OnItsWay { order } => format!("mail:on_its_way:{order}"),
        }
    }

    fn payload(&self, customer: i64) -> Value {
        match self {
            Self::TopUp { transfer, amount } => {
                json!({ "what": "topup", "customer": customer, "transfer": transfer, "amount_vnd": amount })
            }
            Self::Refund { row, order, amount } => {
                json!({ "what": "refund", "customer": customer, "row": row, "order": order, "amount_vnd": amount })
            }
            Self::Surplus { row, order, amount } => {
                json!({ "what": "surplus", "customer": customer, "row": row, "order": order, "amount_vnd": amount })
            }
            Self::OnItsWay { order } => {
                json!({ "what": "on_its_way", "customer": customer, "order": order, "amount_vnd": 0 })
            }
        }
    }
}

/// What a mail about money says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailCase {
    /// The task's own name for the mail, which stays over its attempts: `topup:7.31`. It ends in the task's id, since a
    /// transfer that was credited to the wrong customer is told to the right one by a task of its own.
    pub key: String,
    /// `topup`, `refund`, `surplus` or `on_its_way`.
    pub what: String,
    /// Address.
    pub email: String,
    /// Name, may be empty.
    pub name: String,
    /// Whole đồng.
    pub amount_vnd: i64,
    /// In their wallet now, whole đồng.
    pub wallet_vnd: i64,
    /// The order, for a refund or a surplus.
    pub order_id: Option<i64>,
    /// Its code.
    pub order: Option<String>,
    /// Courses of that order.
    pub summary: Option<String>,
    /// When the task was queued, ms: when the money moved.
    pub at: i64,
    /// Message-ID that the first stage wrote down.
    pub message_id: Option<String>,
}

/// Queues the mail; a movement is told once.
pub(crate) async fn queue(tx: &mut Tx, customer: i64, told: &Told, now: i64) -> Result<()> {
    sqlx::query(
        "INSERT INTO task (kind, lane, prio, state, stage, run_at, max_attempt, dedupe_key, payload, created_at) \
           SELECT 'mail_customer', 'order', 3, 'ready', 'compose', $4, $3, $1, $2, $4 \
            WHERE NOT EXISTS (SELECT 1 FROM task WHERE dedupe_key = $1)",
    )
    .bind(told.key())
    .bind(told.payload(customer).to_string())
    .bind(tx.tuning.max_attempt())
    .bind(now)
    .execute(&mut tx.conn)
    .await?;
    tx.ready(["order"].into_iter());
    Ok(())
}

/// Queues one mail for each of `transfers` (rows as `intake` writes them) that went to a wallet.
pub(crate) async fn queue_topups(tx: &mut Tx, transfers: &[Value], now: i64) -> Result<()> {
    sqlx::query(
        "INSERT INTO task (kind, lane, prio, state, stage, run_at, max_attempt, dedupe_key, payload, created_at) \
           SELECT 'mail_customer', 'order', 3, 'ready', 'compose', $3, $2, 'mail:topup:' || (value ->> 'id'), \
                  json_object('what', 'topup', 'customer', value ->> 'customer', 'transfer', value ->> 'id', \
                              'amount_vnd', value ->> 'amount'), $3 \
             FROM json_each($1) WHERE value ->> 'state' = 'wallet'",
    )
    .bind(serde_json::to_string(transfers)?)
    .bind(tx.tuning.max_attempt())
    .bind(now)
    .execute(&mut tx.conn)
    .await?;
    tx.ready(["order"].into_iter());
    tx.touched.topic("customers");
    let credited = transfers.iter().filter(|row| row["state"] == "wallet");
    tx.touched.topics.extend(credited.map(|row| format!("customer:{}", row["customer"])));
    Ok(())
}

/// Writes the mail down as an intent.
pub(crate) async fn written(
    tx: &mut Tx,
    task: i64,
    order: Option<i64>,
    mail: &MailIntent,
    now: i64,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO mail (order_id, task_id, message_id, recipient, subject, state, created_at) \
           VALUES ($1, $2, $3, $4, $5, 'intent', $6) ON CONFLICT (message_id) DO NOTHING",
    )
    .bind(order)
    .bind(task)
    .bind(&mail.message_id)
    .bind(&mail.recipient)
    .bind(&mail.subject)
    .bind(now)
    .execute(&mut tx.conn)
    .await?;
    Ok(())
}

/// The server has accepted the mail: that is a fact, in the order's timeline too, and a failure told before is over.
pub(crate) async fn sent(tx: &mut Tx, task: i64, message_id: &str, reference: &str, now: i64) -> Result<()> {
    let codes: Vec<String> = sqlx::query_scalar(
        "UPDATE mail SET state = 'sent', sent_at = $4, reference = $3 WHERE message_id = $2; \
         INSERT INTO timeline (order_id, at, kind, data) \
           SELECT order_id, $4, 'mail_sent', json_object('recipient', recipient) FROM mail \
            WHERE message_id = $2 AND order_id IS NOT NULL; \
         UPDATE notice SET state = 'resolved' WHERE state <> 'resolved' \
           AND merge_key = (SELECT err_group FROM task WHERE id = $1) \
           AND NOT EXISTS (SELECT 1 FROM task WHERE state = 'failed' AND err_group = merge_key); \
         SELECT o.code FROM mail AS m JOIN orders AS o ON o.id = m.order_id WHERE m.message_id = $2",
    )
    .bind(task)
    .bind(message_id)
    .bind(reference)
    .bind(now)
    .fetch_all(&mut tx.conn)
    .await?;
    tx.orders_changed(codes);
    tx.touched.topics.extend(["failures".to_owned(), "notices".to_owned()]);
    Ok(())
}

impl Store {
    /// What the mail of this task says; `None` when its customer or order is gone.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn mail_case(&self, task: i64) -> Result<Option<MailCase>> {
        let row = sqlx::query(
            "SELECT substr(t.dedupe_key, 6) || '.' || t.id AS key, t.payload ->> 'what' AS what, c.email, c.name, \
                    t.payload ->> 'amount_vnd' AS amount_vnd, c.wallet_vnd, o.id AS order_id, o.code, o.summary, t.created_at, \
                    (SELECT message_id FROM mail WHERE task_id = t.id) AS message_id \
               FROM task AS t JOIN customer AS c ON c.id = t.payload ->> 'customer' \
               LEFT JOIN orders AS o ON o.id = t.payload ->> 'order' WHERE t.id = $1",
        )
        .bind(task)
        .fetch_optional(&self.reader)
        .await?;
        row.map(|row| {
            Ok(MailCase {
                key: row.try_get("key")?,
                what: row.try_get("what")?,
                email: row.try_get("email")?,
                name: row.try_get("name")?,
                amount_vnd: row.try_get("amount_vnd")?,
                wallet_vnd: row.try_get("wallet_vnd")?,
                order_id: row.try_get("order_id")?,
                order: row.try_get("code")?,
                summary: row.try_get("summary")?,
                at: row.try_get("created_at")?,
                message_id: row.try_get("message_id")?,
            })
        })
        .transpose()
    }
}
