//! What the database knows about the things a batch names, read in one row.

use std::collections::{BTreeSet, HashMap};

use serde::de::DeserializeOwned;

use chotdon_domain::matching::{Candidate, Depositor, ShopAccounts};
use chotdon_domain::order::{Flags, OrderMoney, Stage};

use super::{Incoming, KnownEvent};
use crate::ledger::Tail;
use crate::writer::{Script, Tx, script};
use crate::{Error, Result};

/// What the database knows about the things a batch names.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Events by SePay id.
    pub(crate) events: HashMap<i64, KnownEvent>,
    /// Orders by code.
    pub(crate) orders: HashMap<String, KnownOrder>,
    pub(crate) depositors: Vec<Depositor>,
    pub(crate) accounts: ShopAccounts,
    pub(crate) ledger: Tail,
    pub(crate) last_transfer: i64,
    pub(crate) last_task: i64,
    /// Until when the lane of deliveries is paused, ms; `None` when it is not.
    pub(crate) paused_until: Option<i64>,
}

/// An order that a batch may pay.
#[derive(Debug, Clone)]
pub(crate) struct KnownOrder {
    pub(crate) id: i64,
    pub(crate) prio: i64,
    pub(crate) money: OrderMoney,
    pub(crate) courses: Vec<KnownCourse>,
}

/// A course of such an order.
#[derive(Debug, Clone)]
pub(crate) struct KnownCourse {
    pub(crate) id: i64,
    pub(crate) version: i64,
    pub(crate) ready: bool,
    pub(crate) title: String,
}

/// One statement for everything and one row of it, a list of rows a column: what SQLite's thread hands over piece by
/// piece wakes us piece by piece. What is looked for leads each join; `IN` would build a table of it.
const READ: Script = script!(
    "\
SELECT (SELECT json_group_array(json_array(e.sepay_id, e.body_sha256, t.amount_vnd, e.source = 'reconcile', t.direction = 'out')) \
          FROM json_each($1) AS j CROSS JOIN sepay_event AS e ON e.sepay_id = j.value JOIN transfer AS t ON t.sepay_id = e.sepay_id), \
       (SELECT json_group_array(json_array(code, orders.id, prio, stage, flags, total_vnd, paid_vnd, expires_at)) \
          FROM json_each($2) AS j CROSS JOIN orders ON orders.code = j.value), \
       (SELECT json_group_array(json_array(o.code, c.id, c.version, c.ready, c.title)) \
          FROM json_each($2) AS j CROSS JOIN orders AS o ON o.code = j.value JOIN order_item AS i ON i.order_id = o.id \
               JOIN course AS c ON c.id = i.course_id), \
       (SELECT json_group_array(json_array(customer.id, deposit_code)) \
          FROM json_each($2) AS j CROSS JOIN customer ON customer.deposit_code = j.value), \
       (SELECT json_group_array(json_array(account, coalesce(virtual_account, ''))) FROM bank_account), \
       (SELECT json_group_array(json_array(id, hash)) FROM ledger WHERE id = (SELECT max(id) FROM ledger)), \
       (SELECT coalesce(max(id), 0) FROM transfer), \
       (SELECT coalesce(max(id), 0) FROM task), \
       (SELECT coalesce(until, 9223372036854775807) FROM lane WHERE name = 'order' AND paused_at IS NOT NULL)"
);

pub(super) async fn read(tx: &mut Tx, inputs: &[Incoming], candidates: &[Vec<Candidate>]) -> Result<Known> {
    let ids: BTreeSet<i64> = inputs.iter().map(|input| input.sepay_id).collect();
    let codes: BTreeSet<&str> =
        candidates.iter().flatten().map(|candidate| candidate.code.as_str()).collect();
    let (events, orders, courses, depositors, accounts, tail, last_transfer, last_task, paused_until): Row =
        sqlx::query_as(tx.opening(&READ))
            .bind(serde_json::to_string(&ids)?)
            .bind(serde_json::to_string(&codes)?)
            .fetch_one(&mut tx.conn)
            .await?;
    let mut known = Known { last_transfer, last_task, paused_until, ..Known::default() };
    for (id, hash, amount, listed, out) in list::<(i64, String, i64, u8, u8)>(&events)? {
        known.events.insert(id, KnownEvent { hash, amount, listed: listed != 0, out: out != 0 });
    }
    for (code, id, prio, stage, flags, total, paid, expires_at) in
        list::<(String, i64, i64, String, i64, i64, i64, i64)>(&orders)?
    {
        let stage =
            Stage::parse(&stage).ok_or_else(|| Error::Unusable(format!("unknown order stage {stage}")))?;
        let money = OrderMoney { stage, flags: Flags(flags), total, paid, expires_at };
        known.orders.insert(code, KnownOrder { id, prio, money, courses: Vec::new() });
    }
    for (code, id, version, ready, title) in list::<(String, i64, i64, u8, String)>(&courses)? {
        if let Some(order) = known.orders.get_mut(&code) {
            order.courses.push(KnownCourse { id, version, ready: ready != 0, title });
        }
    }
    for (customer_id, code) in list(&depositors)? {
        known.depositors.push(Depositor { customer_id, code });
    }
    let numbers = list::<[String; 2]>(&accounts)?;
    known.accounts = ShopAccounts::new(numbers.into_iter().flatten().collect::<Vec<_>>());
    if let Some((id, hash)) = list(&tail)?.pop() {
        known.ledger = Tail { id, hash };
    }
    Ok(known)
}

/// The columns of `READ`: six lists, the last ids of transfers and tasks, and the pause.
type Row = (String, String, String, String, String, String, i64, i64, Option<i64>);

fn list<T: DeserializeOwned>(column: &str) -> Result<Vec<T>> {
    Ok(serde_json::from_str(column)?)
}
