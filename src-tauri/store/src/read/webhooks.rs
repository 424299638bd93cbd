//! The webhook inbox: what SePay reported, as it reported it.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, FromRow, QueryBuilder, Row, Sqlite};

use super::transfers::push_found;
use super::{Slice, Window, overview};
use crate::{Result, Store};

/// One transaction that SePay reported.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
#[allow(missing_docs)]
pub struct WebhookRecord {
    pub sepay_id: i64,
    pub transfer_id: i64,
    pub received_at: i64,
    /// `webhook`, `reconcile`, `manual`.
    pub source: String,
    /// What was answered, never `duplicate`.
    pub outcome: String,
    pub direction: String,
    pub amount_vnd: i64,
    pub gateway: String,
    pub content: String,
    pub reference: String,
    /// `order`, `wallet`, `unmatched`, `set_aside`, `ignored`: where the money is now.
    pub state: String,
    pub level: Option<String>,
    pub order_code: Option<String>,
    pub repeats: i64,
    pub different_body: bool,
}

/// What was sent, word for word.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct WebhookBodies {
    /// The body that counts.
    pub body: String,
    /// The first different one under the same id.
    pub other_body: Option<String>,
}

/// Which part of the inbox is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebhookFilter {
    /// Only this outcome.
    pub outcome: Option<String>,
    /// Only this source.
    pub source: Option<String>,
    /// SePay id, amount, order code, reference, or words of the transfer.
    pub text: Option<String>,
}

const SELECT: &str = "SELECT e.sepay_id, t.id AS transfer_id, e.received_at, e.source, e.outcome, t.direction, \
     t.amount_vnd, t.gateway, t.content, t.reference, t.state, t.level, o.code AS order_code, e.repeats, \
     e.other_body IS NOT NULL AS different_body \
     FROM sepay_event e JOIN transfer t ON t.sepay_id = e.sepay_id LEFT JOIN orders o ON o.id = t.order_id";

impl Store {
    /// A page of the inbox, newest first. The window's `below` is a SePay id: rows that came before that one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn webhooks(&self, filter: &WebhookFilter, window: Window) -> Result<Slice<WebhookRecord>> {
        let mut query = page_query(filter, window);
        let rows = query.build_query_as().fetch_all(&self.reader).await?;
        Ok(window.cut(rows, |row: &WebhookRecord| row.sepay_id))
    }

    /// One transaction with its bodies.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn webhook(&self, sepay_id: i64) -> Result<Option<(WebhookRecord, WebhookBodies)>> {
        let sql = format!("{SELECT} WHERE e.sepay_id = $1");
        let mut connection = self.reader.acquire().await?;
        let row: Option<WebhookRecord> =
            sqlx::query_as(AssertSqlSafe(sql)).bind(sepay_id).fetch_optional(&mut *connection).await?;
        let Some(row) = row else { return Ok(None) };
        let bodies = sqlx::query_as("SELECT body, other_body FROM sepay_event WHERE sepay_id = $1")
            .bind(sepay_id)
            .fetch_one(&mut *connection)
            .await?;
        Ok(Some((row, bodies)))
    }

    /// Transactions by outcome of Vietnam's day around `now` (ms UTC).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn outcomes_today(&self, now: i64) -> Result<BTreeMap<String, i64>> {
        let (first, _) = overview::hours_of_day(now);
        // The roll-up has all transfers with money and the index what is unusual; the rest settled an order.
        let rows = sqlx::query(
            "SELECT e.outcome, count(*) AS n, sum(t.amount_vnd > 0 AND e.outcome <> 'ignored') AS booked \
               FROM sepay_event e CROSS JOIN transfer t ON t.sepay_id = e.sepay_id \
               WHERE e.outcome <> 'paid' AND e.received_at >= $1 \
                 AND e.outcome IN ('credited','partial','overpaid','late','unmatched','ignored') GROUP BY e.outcome \
             UNION ALL SELECT 'paid', coalesce(sum(transfers), 0), 0 FROM hour_stat WHERE hour >= $2",
        )
        .bind(first.saturating_mul(3_600_000))
        .bind(first)
        .fetch_all(&self.reader)
        .await?;
        let mut outcomes = BTreeMap::new();
        let mut others = 0;
        for row in rows {
            others += row.try_get::<i64, _>("booked")?;
            outcomes.insert(row.try_get::<String, _>("outcome")?, row.try_get::<i64, _>("n")?);
        }
        if let Some(paid) = outcomes.get_mut("paid") {
            *paid = paid.saturating_sub(others);
        }
        outcomes.retain(|_, n| *n > 0);
        Ok(outcomes)
    }
}

/// The list as SQL; what is unusual is found by an index of its own, the usual by going back in time.
pub(super) fn page_query(filter: &WebhookFilter, window: Window) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(SELECT);
    query.push(" WHERE e.sepay_id > 0");
    let outcome = filter.outcome.as_deref();
    let source = filter.source.as_deref();
    if let Some(outcome) = outcome {
        query.push(" AND e.outcome = ").push_bind(outcome.to_owned());
    }
    if let Some(source) = source {
        query.push(" AND e.source = ").push_bind(source.to_owned());
    }
    // The partial indexes are used only where the query says so in their own words.
    let unusual = match (outcome, source) {
        (Some(outcome), _) if outcome != "paid" => {
            query.push(" AND e.outcome <> 'paid'");
            true
        }
        (_, Some(source)) if source != "webhook" => {
            query.push(" AND e.source <> 'webhook'");
            true
        }
        _ => false,
    };
    if let Some(text) = filter.text.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        query.push(" AND t.id IN (");
        push_found(&mut query, None, text);
        query.push(")");
    }
    if unusual {
        if let Some(below) = window.below {
            query.push(" AND (e.received_at, e.sepay_id) < (SELECT received_at, sepay_id FROM sepay_event WHERE sepay_id = ");
            query.push_bind(below).push(")");
        }
        query.push(" ORDER BY e.received_at DESC, e.sepay_id DESC");
    } else {
        if let Some(below) = window.below {
            query.push(" AND t.id < (SELECT id FROM transfer WHERE sepay_id = ").push_bind(below).push(")");
        }
        query.push(" ORDER BY t.id DESC");
    }
    query.push(" LIMIT ").push_bind(window.fetch());
    query
}
