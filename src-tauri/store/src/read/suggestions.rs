//! What an unmatched transfer may have been meant for: looks up the clues that `domain::suggest` names, by index.
//!
//! Nothing here decides anything. Every look-up is bounded, so that a shop of a million orders answers as fast.

use std::collections::BTreeMap;

use chotdon_domain::order::Stage;
use chotdon_domain::suggest::{
    Clues, CustomerCase, Evidence, Found, Meant, OrderCase, PaidBefore, Suggestion, Unplaced, clues, rank,
};
use sqlx::{FromRow, Row, SqliteConnection};

use crate::{Error, Result, Store};

/// A suggestion with what it suggests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuggestionRecord {
    /// The order or the customer.
    pub suggested: Suggested,
    /// 0 to 100.
    pub score: i64,
    /// Why, strongest first.
    pub evidence: Vec<Evidence>,
}

/// What is suggested.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Suggested {
    Order(PlacedOrder),
    Customer(CustomerOf),
}

/// An order with its customer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct PlacedOrder {
    pub code: String,
    pub stage: Stage,
    pub total_vnd: i64,
    pub paid_vnd: i64,
    pub summary: String,
    pub created_at: i64,
    pub customer: CustomerOf,
}

/// A customer in a suggestion.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
#[allow(missing_docs)]
pub struct CustomerOf {
    pub id: i64,
    pub name: String,
    pub email: String,
    pub deposit_code: String,
}

/// Orders of one amount that are looked at; the newest are likeliest.
const OF_AMOUNT: i64 = 200;
/// Closed orders of that amount.
const CLOSED: i64 = 40;
const PARTLY: i64 = 300;
/// Placed transfers of each kind in which the same payer is looked for.
const PLACED: i64 = 2000;
/// Orders in which a name is looked for, back from the newest.
const NAMED_AMONG: i64 = 300_000;
const NAMED: i64 = 30;
const OF_CUSTOMER: i64 = 5;

const TRANSFER: &str =
    "SELECT content, description, code, amount_vnd, received_at FROM transfer WHERE id = $1";
const OWN: &str =
    "SELECT account, coalesce(virtual_account, '') AS virtual_account, holder FROM bank_account";

/// `$1` JSON codes, `$2` the amount: ids of orders, each source with its bound.
const ORDER_IDS: &str = "\
SELECT id FROM orders WHERE code IN (SELECT value FROM json_each($1, '$.codes')) \
UNION SELECT id FROM (SELECT id FROM orders WHERE stage = 'pending' AND total_vnd = $2 ORDER BY id DESC LIMIT $3) \
UNION SELECT id FROM (SELECT id, stage FROM orders WHERE total_vnd = $2 ORDER BY id DESC LIMIT $4) WHERE stage = 'expired' \
UNION SELECT id FROM (SELECT id, total_vnd - paid_vnd AS open FROM orders WHERE stage = 'pending' AND flags <> 0 ORDER BY id DESC LIMIT $5) \
      WHERE open = $2";

const NAMED_IDS: &str = "\
SELECT rowid FROM order_search WHERE order_search MATCH $1 \
   AND rowid > (SELECT coalesce(max(id), 0) FROM orders) - $2 ORDER BY rowid DESC LIMIT $3";

/// `$1` JSON words, upper case; `$2` a state. Newest first.
const PAID_BEFORE: &str = "\
SELECT coalesce(recent.customer_id, (SELECT customer_id FROM orders WHERE id = recent.order_id)) AS customer, j.value AS words \
  FROM (SELECT customer_id, order_id, upper(content) AS content, id FROM transfer WHERE state = $2 ORDER BY id DESC LIMIT $3) AS recent \
  JOIN json_each($1) j ON instr(recent.content, j.value) > 0 ORDER BY recent.id DESC LIMIT 20";

/// `$1` JSON order ids, `$2` JSON customer ids whose waiting orders are taken as well.
const ORDERS: &str = "\
SELECT o.id, o.code, o.stage, o.total_vnd, o.paid_vnd, o.summary, o.created_at, \
       c.id AS customer_id, c.name, c.email, c.deposit_code \
  FROM orders o JOIN customer c ON c.id = o.customer_id \
 WHERE o.id IN (SELECT value FROM json_each($1) \
    UNION SELECT o2.id FROM json_each($2) j JOIN orders o2 ON o2.id IN \
      (SELECT id FROM orders WHERE customer_id = j.value ORDER BY id DESC LIMIT $3) WHERE o2.stage IN ('pending', 'expired'))";

const CUSTOMERS: &str = "\
SELECT id, name, email, deposit_code FROM customer \
 WHERE deposit_code IN (SELECT value FROM json_each($1)) OR id IN (SELECT value FROM json_each($2))";

/// What is asked of the whole shop; none of it goes through a table.
#[cfg(test)]
pub(super) const STATEMENTS: [&str; 5] = [ORDER_IDS, NAMED_IDS, PAID_BEFORE, ORDERS, CUSTOMERS];

impl Store {
    /// What a transfer may have been meant for, likeliest first, at most five.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown transfer.
    pub async fn suggestions(&self, transfer: i64) -> Result<Vec<SuggestionRecord>> {
        let mut connection = self.reader.acquire().await?;
        let row = sqlx::query(TRANSFER)
            .bind(transfer)
            .fetch_optional(&mut *connection)
            .await?
            .ok_or_else(|| Error::NotFound(format!("transfer {transfer}")))?;
        let own = own(&mut connection).await?;
        let (content, description, code): (String, String, String) =
            (row.try_get("content")?, row.try_get("description")?, row.try_get("code")?);
        let unplaced = Unplaced {
            content: &content,
            description: &description,
            code_field: &code,
            amount: row.try_get("amount_vnd")?,
            received_at: row.try_get("received_at")?,
            own: &own,
        };
        let clues = clues(&unplaced);
        let shelf = look_up(&mut connection, &unplaced, &clues).await?;
        let ranked = rank(&unplaced, &clues, &shelf.found);
        Ok(ranked.into_iter().filter_map(|suggestion| shelf.record(suggestion)).collect())
    }
}

/// What was looked up, in the words of the domain and in those of the reader.
#[derive(Default)]
struct Shelf {
    found: Found,
    orders: BTreeMap<i64, PlacedOrder>,
    customers: BTreeMap<i64, CustomerOf>,
}

impl Shelf {
    fn record(&self, suggestion: Suggestion) -> Option<SuggestionRecord> {
        let suggested = match suggestion.meant {
            Meant::Order(id) => Suggested::Order(self.orders.get(&id)?.clone()),
            Meant::Wallet(id) => Suggested::Customer(self.customers.get(&id)?.clone()),
        };
        Some(SuggestionRecord { suggested, score: suggestion.score, evidence: suggestion.evidence })
    }
}

async fn own(connection: &mut SqliteConnection) -> Result<Vec<String>> {
    let mut own = Vec::new();
    for row in sqlx::query(OWN).fetch_all(connection).await? {
        for column in ["account", "virtual_account", "holder"] {
            own.push(row.try_get::<String, _>(column)?);
        }
    }
    own.retain(|text| !text.is_empty());
    Ok(own)
}

async fn look_up(connection: &mut SqliteConnection, transfer: &Unplaced<'_>, clues: &Clues) -> Result<Shelf> {
    let mut shelf = Shelf::default();
    let paid_before = paid_before(connection, clues).await?;
    let codes: Vec<&str> = clues.codes.iter().map(|clue| clue.code.as_str()).collect();
    let mut ids: Vec<i64> = sqlx::query_scalar(ORDER_IDS)
        .bind(serde_json::json!({ "codes": codes }).to_string())
        .bind(transfer.amount)
        .bind(OF_AMOUNT)
        .bind(CLOSED)
        .bind(PARTLY)
        .fetch_all(&mut *connection)
        .await?;
    let phrases: Vec<String> =
        clues.names.iter().chain(&clues.phones).map(|words| format!("\"{words}\"")).collect();
    if !phrases.is_empty() {
        let named: Vec<i64> = sqlx::query_scalar(NAMED_IDS)
            .bind(phrases.join(" OR "))
            .bind(NAMED_AMONG)
            .bind(NAMED)
            .fetch_all(&mut *connection)
            .await?;
        ids.extend(named);
    }
    let known: Vec<i64> = paid_before.iter().map(|before| before.customer_id).collect();
    let rows = sqlx::query(ORDERS)
        .bind(serde_json::to_string(&ids)?)
        .bind(serde_json::to_string(&known)?)
        .bind(OF_CUSTOMER)
        .fetch_all(&mut *connection)
        .await?;
    for row in rows {
        let stage: String = row.try_get("stage")?;
        let stage =
            Stage::parse(&stage).ok_or_else(|| Error::Unusable(format!("unknown order stage {stage}")))?;
        let customer = CustomerOf {
            id: row.try_get("customer_id")?,
            name: row.try_get("name")?,
            email: row.try_get("email")?,
            deposit_code: row.try_get("deposit_code")?,
        };
        let order = PlacedOrder {
            code: row.try_get("code")?,
            stage,
            total_vnd: row.try_get("total_vnd")?,
            paid_vnd: row.try_get("paid_vnd")?,
            summary: row.try_get("summary")?,
            created_at: row.try_get("created_at")?,
            customer,
        };
        let id: i64 = row.try_get("id")?;
        shelf.found.orders.push(OrderCase {
            id,
            code: order.code.clone(),
            stage,
            total: order.total_vnd,
            paid: order.paid_vnd,
            created_at: order.created_at,
            customer_id: order.customer.id,
            customer_name: order.customer.name.clone(),
        });
        shelf.orders.insert(id, order);
    }
    let customers: Vec<CustomerOf> = sqlx::query_as(CUSTOMERS)
        .bind(serde_json::to_string(&codes)?)
        .bind(serde_json::to_string(&known)?)
        .fetch_all(&mut *connection)
        .await?;
    for customer in customers {
        shelf.found.customers.push(CustomerCase {
            id: customer.id,
            name: customer.name.clone(),
            deposit_code: customer.deposit_code.clone(),
        });
        shelf.customers.insert(customer.id, customer);
    }
    shelf.found.paid_before = paid_before;
    Ok(shelf)
}

async fn paid_before(connection: &mut SqliteConnection, clues: &Clues) -> Result<Vec<PaidBefore>> {
    let words: Vec<&String> = clues.payers.iter().chain(&clues.phones).collect();
    let mut before: Vec<PaidBefore> = Vec::new();
    if words.is_empty() {
        return Ok(before);
    }
    let words = serde_json::to_string(&words)?;
    for state in ["order", "wallet"] {
        let rows = sqlx::query(PAID_BEFORE)
            .bind(&words)
            .bind(state)
            .bind(PLACED)
            .fetch_all(&mut *connection)
            .await?;
        for row in rows {
            let Some(customer_id) = row.try_get::<Option<i64>, _>("customer")? else { continue };
            if before.iter().all(|known| known.customer_id != customer_id) {
                before.push(PaidBefore { customer_id, found: row.try_get("words")? });
            }
        }
    }
    Ok(before)
}
