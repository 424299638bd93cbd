//! The list of orders and the whole story of one.

use chotdon_domain::order::{Delivery, Flags, Stage};
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, QueryBuilder, Row, Sqlite};

use super::records::named;
use super::search::{self, Search};
use super::{Slice, TaskRecord, TransferRecord, Window};
use crate::{AccessRecord, Result, Store};

/// Flags that need the owner's eye; a mark set by the owner does not.
pub(super) const MONEY_FLAGS: i64 =
    Flags::UNDERPAID.0 | Flags::OVERPAID.0 | Flags::LATE.0 | Flags::PAID_TWICE.0;

/// Which orders a list shows; all given conditions hold at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderFilter {
    /// Only this stage.
    pub stage: Option<Stage>,
    /// Only orders with this flag.
    pub flag: Option<Flags>,
    /// Only orders that need the owner: failed, with a flag on their money, or paid before this time (ms UTC)
    /// and still not delivered.
    pub attention_paid_before: Option<i64>,
    /// Only orders of this customer.
    pub customer: Option<i64>,
    /// Free text: code, name, e-mail, phone, course titles, amount.
    pub text: Option<String>,
}

/// One order as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct OrderRecord {
    pub id: i64,
    pub code: String,
    pub customer_id: i64,
    pub name: String,
    pub email: String,
    pub phone: Option<String>,
    pub summary: String,
    pub stage: Stage,
    pub flags: Flags,
    pub total_vnd: i64,
    pub paid_vnd: i64,
    /// 0 most urgent to 3.
    pub prio: i64,
    pub note: String,
    pub channel: String,
    pub bank_account_id: Option<i64>,
    pub created_at: i64,
    pub expires_at: i64,
    pub paid_at: Option<i64>,
    pub completed_at: Option<i64>,
    /// When the next automatic attempt runs, while one is waiting.
    pub retry_at: Option<i64>,
}

/// One course of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ItemRecord {
    pub slug: String,
    pub title: String,
    pub price_vnd: i64,
    pub delivery: Delivery,
    pub link: Option<String>,
    /// The version that was delivered.
    pub version: Option<i64>,
    /// When access ends by the course's terms, ms.
    pub access_until: Option<i64>,
    /// Slug and title of the bundle it was bought in.
    pub bundle: Option<(String, String)>,
}

/// One row of an order's timeline.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
#[allow(missing_docs)]
pub struct TimelineRecord {
    pub id: i64,
    pub at: i64,
    pub kind: String,
    /// JSON.
    pub data: String,
    pub actor: String,
}

/// A mail of the outbox.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
#[allow(missing_docs)]
pub struct MailRecord {
    pub id: i64,
    pub recipient: String,
    pub subject: String,
    /// `intent` or `sent`.
    pub state: String,
    pub created_at: i64,
    pub sent_at: Option<i64>,
}

/// Everything about one order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct OrderStory {
    pub order: OrderRecord,
    pub items: Vec<ItemRecord>,
    /// Oldest first.
    pub timeline: Vec<TimelineRecord>,
    /// Its own tasks and those it waits for, newest first.
    pub tasks: Vec<TaskRecord>,
    pub transfers: Vec<TransferRecord>,
    pub mails: Vec<MailRecord>,
    /// Access at other systems, oldest first.
    pub access: Vec<AccessRecord>,
    /// Given back so far, whole đồng.
    pub refunded_vnd: i64,
    /// In the wallet of its customer, whole đồng.
    pub wallet_vnd: i64,
    /// Where it is delivered to when that is not the buyer's address.
    pub deliver_to: Option<String>,
}

impl FromRow<'_, SqliteRow> for OrderRecord {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            code: row.try_get("code")?,
            customer_id: row.try_get("customer_id")?,
            name: row.try_get("name")?,
            email: row.try_get("email")?,
            phone: row.try_get("phone")?,
            summary: row.try_get("summary")?,
            stage: named(row, "stage", Stage::parse)?,
            flags: Flags(row.try_get("flags")?),
            total_vnd: row.try_get("total_vnd")?,
            paid_vnd: row.try_get("paid_vnd")?,
            prio: row.try_get("prio")?,
            note: row.try_get("note")?,
            channel: row.try_get("channel")?,
            bank_account_id: row.try_get("bank_account_id")?,
            created_at: row.try_get("created_at")?,
            expires_at: row.try_get("expires_at")?,
            paid_at: row.try_get("paid_at")?,
            completed_at: row.try_get("completed_at")?,
            retry_at: row.try_get("retry_at")?,
        })
    }
}

impl FromRow<'_, SqliteRow> for ItemRecord {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            slug: row.try_get("slug")?,
            title: row.try_get("title")?,
            price_vnd: row.try_get("price_vnd")?,
            delivery: named(row, "delivery", |name| {
                Delivery::ALL.into_iter().find(|delivery| delivery.as_str() == name)
            })?,
            link: row.try_get("link")?,
            version: row.try_get("version")?,
            access_until: row.try_get("access_until")?,
            bundle: row
                .try_get::<Option<String>, _>("bundle_slug")?
                .zip(row.try_get::<Option<String>, _>("bundle_title")?),
        })
    }
}

pub(super) const COLUMNS: &str = "o.id, o.code, o.customer_id, c.name, c.email, c.phone, o.summary, o.stage, \
     o.flags, o.total_vnd, o.paid_vnd, o.prio, o.note, o.channel, o.bank_account_id, o.created_at, o.expires_at, \
     o.paid_at, o.completed_at, (SELECT min(t.run_at) FROM task t WHERE t.order_id = o.id \
     AND t.state = 'scheduled' AND t.attempt > 0 AND t.waits_on IS NULL) AS retry_at";

impl Store {
    /// A page of the orders that `filter` lets through, newest first. An order whose code is the search text
    /// comes first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn orders(&self, filter: &OrderFilter, window: Window) -> Result<Slice<OrderRecord>> {
        let mut search = filter.text.as_deref().map(search::read);
        let mut exact = None;
        if let Some(Search { code: Some(code), .. }) = &search {
            let alone = OrderFilter { text: None, ..filter.clone() };
            let mut query = page_query(&alone, None, Some(code), Window { below: None, limit: 1 });
            exact = query.build_query_as::<OrderRecord>().fetch_optional(&self.reader).await?;
        }
        if let Some(search) = &mut search
            && search.words.is_empty()
            && search.amount_vnd.is_none()
        {
            return Ok(Slice { rows: exact.into_iter().collect(), next: None });
        }
        let mut query = page_query(filter, search.as_ref(), None, window);
        let found = query.build_query_as::<OrderRecord>().fetch_all(&self.reader).await?;
        let mut slice = window.cut(found, |order| order.id);
        if let Some(exact) = exact {
            slice.rows.retain(|order| order.id != exact.id);
            if window.below.is_none() {
                slice.rows.insert(0, exact);
            }
        }
        Ok(slice)
    }

    /// Everything about the order with this code; `None` when there is none.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn order_story(&self, code: &str) -> Result<Option<OrderStory>> {
        let filter = OrderFilter::default();
        let mut query = page_query(&filter, None, Some(code), Window { below: None, limit: 1 });
        let mut connection = self.reader.acquire().await?;
        let Some(order) = query.build_query_as::<OrderRecord>().fetch_optional(&mut *connection).await?
        else {
            return Ok(None);
        };
        let items = sqlx::query_as(
            "SELECT k.slug, k.title, i.price_vnd, i.delivery, i.link, i.version, i.access_until, b.slug AS bundle_slug, b.title AS bundle_title \
             FROM order_item i JOIN course k ON k.id = i.course_id LEFT JOIN bundle b ON b.id = i.bundle_id WHERE i.order_id = $1 ORDER BY i.id",
        )
        .bind(order.id)
        .fetch_all(&mut *connection)
        .await?;
        let timeline =
            sqlx::query_as("SELECT id, at, kind, data, actor FROM timeline WHERE order_id = $1 ORDER BY id")
                .bind(order.id)
                .fetch_all(&mut *connection)
                .await?;
        let tasks = super::tasks::of_order(&mut connection, order.id).await?;
        let transfers = super::transfers::of_order(&mut connection, order.id).await?;
        let mails = sqlx::query_as(
            "SELECT id, recipient, subject, state, created_at, sent_at FROM mail WHERE order_id = $1 ORDER BY id",
        )
        .bind(order.id)
        .fetch_all(&mut *connection)
        .await?;
        let (refunded_vnd, wallet_vnd, deliver_to) = sqlx::query_as(
            "SELECT coalesce((SELECT sum(amount_vnd) FROM ledger WHERE debit = 'order:' || $1 AND debit <> 'bank' AND credit = 'refunded'), 0) \
                  - coalesce((SELECT sum(amount_vnd) FROM ledger WHERE credit = 'order:' || $1 AND debit = 'refunded'), 0), \
                    (SELECT wallet_vnd FROM customer WHERE id = $2), (SELECT deliver_to FROM orders WHERE id = $1)",
        )
        .bind(order.id)
        .bind(order.customer_id)
        .fetch_one(&mut *connection)
        .await?;
        drop(connection);
        let access = self.access_of(order.id).await?;
        Ok(Some(OrderStory {
            order,
            items,
            timeline,
            tasks,
            transfers,
            mails,
            access,
            refunded_vnd,
            wallet_vnd,
            deliver_to,
        }))
    }
}

/// The page's rows around the ids of the page, so that only those rows are read in full.
pub(super) fn page_query(
    filter: &OrderFilter,
    search: Option<&Search>,
    code: Option<&str>,
    window: Window,
) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(format!("SELECT {COLUMNS} FROM ("));
    if let Some(paid_before) = filter.attention_paid_before {
        attention_ids(&mut query, filter, search, code, paid_before, window);
    } else {
        ids(&mut query, filter, search, code, window, "");
    }
    query.push(
        ") p CROSS JOIN orders o ON o.id = p.id JOIN customer c ON c.id = o.customer_id ORDER BY o.id DESC",
    );
    query
}

/// The four ways to need the owner, each found by its own index.
fn attention_ids(
    query: &mut QueryBuilder<Sqlite>,
    filter: &OrderFilter,
    search: Option<&Search>,
    code: Option<&str>,
    paid_before: i64,
    window: Window,
) {
    let flagged = format!(" AND o.flags <> 0 AND o.flags & {MONEY_FLAGS} <> 0");
    let late = |stage: &str| format!(" AND o.stage = '{stage}' AND o.paid_at <= {paid_before}");
    let ways = [" AND o.stage = 'failed'".to_owned(), flagged, late("paid"), late("processing")];
    query.push("SELECT DISTINCT id FROM (");
    for (at, way) in ways.iter().enumerate() {
        if at > 0 {
            query.push(" UNION ALL ");
        }
        query.push("SELECT * FROM (");
        ids(query, filter, search, code, window, way);
        query.push(")");
    }
    query.push(") ORDER BY id DESC LIMIT ").push_bind(window.fetch());
}

fn ids(
    query: &mut QueryBuilder<Sqlite>,
    filter: &OrderFilter,
    search: Option<&Search>,
    code: Option<&str>,
    window: Window,
    way: &str,
) {
    let Some(search) = search else {
        query.push("SELECT o.id FROM orders o WHERE o.id < ").push_bind(window.top());
        conditions(query, filter, code, way);
        query.push(" ORDER BY o.id DESC LIMIT ").push_bind(window.fetch());
        return;
    };
    query.push("SELECT DISTINCT id FROM (");
    if !search.words.is_empty() {
        // The text index leads: a cross join keeps the planner from walking all orders of a stage instead.
        query.push("SELECT * FROM (SELECT m.rowid AS id FROM order_search m");
        let plain = way.is_empty()
            && filter.stage.is_none()
            && filter.flag.is_none()
            && filter.customer.is_none()
            && code.is_none();
        if !plain {
            query.push(" CROSS JOIN orders o ON o.id = m.rowid");
        }
        query.push(" WHERE order_search MATCH ").push_bind(search.words.clone());
        query.push(" AND m.rowid < ").push_bind(window.top());
        conditions(query, filter, code, way);
        query.push(" ORDER BY m.rowid DESC LIMIT ").push_bind(window.fetch()).push(")");
    }
    if let Some(amount) = search.amount_vnd {
        if !search.words.is_empty() {
            query.push(" UNION ALL ");
        }
        query.push("SELECT * FROM (SELECT o.id FROM orders o INDEXED BY orders_total WHERE o.total_vnd = ");
        query.push_bind(amount).push(" AND o.id < ").push_bind(window.top());
        conditions(query, filter, code, way);
        query.push(" ORDER BY o.id DESC LIMIT ").push_bind(window.fetch()).push(")");
    }
    query.push(") ORDER BY id DESC LIMIT ").push_bind(window.fetch());
}

fn conditions(query: &mut QueryBuilder<Sqlite>, filter: &OrderFilter, code: Option<&str>, way: &str) {
    if let Some(stage) = filter.stage {
        query.push(" AND o.stage = ").push_bind(stage.as_str());
    }
    if let Some(flag) = filter.flag {
        query.push(" AND o.flags <> 0 AND o.flags & ").push_bind(flag.0).push(" <> 0");
    }
    if let Some(customer) = filter.customer {
        query.push(" AND o.customer_id = ").push_bind(customer);
    }
    if let Some(code) = code {
        query.push(" AND o.code = ").push_bind(code.to_owned());
    }
    query.push(way);
}
