//! From what the store remembers to what people are shown: records become views, nothing else.
//!
//! No SQL, no clock and no I/O: whatever depends on the time is given `now`. Used by the admin API; the payment
//! block also by the public listener.

mod courses;
mod failures;
mod mails;
mod money;
mod orders;
mod overview;
mod payment;
mod people;
mod reconcile;
mod services;
mod settings;
mod tasks;
mod time;
mod transfers;
mod tunnel;
mod webhooks;

pub(crate) use courses::{announcement, bundle_row, course_check, course_detail, course_row, source_listing};
pub(crate) use failures::{failure_group, failures};
pub(crate) use mails::{mail_mistake, mail_template, mail_variables};
pub(crate) use money::{customer_detail, customer_row, ledger_row, wallet_summary};
pub(crate) use orders::{order_detail, order_row};
pub(crate) use overview::{Glance, money, overview};
pub(crate) use payment::{memo, payment};
pub(crate) use people::{audit_row, notice};
pub(crate) use reconcile::{reconcile_account, reconcile_run};
pub(crate) use services::services;
pub(crate) use settings::{secret_row, settings};
pub(crate) use tasks::{Crew, queue, queue_counts, task_detail, task_row};
pub(crate) use time::rfc3339;
pub(crate) use transfers::{suggestion, transfer_actions, transfer_row};
pub(crate) use tunnel::{tunnel, tunnel_settings};
pub(crate) use webhooks::{webhook_detail, webhook_row};

/// JSON that we wrote ourselves; an object without words when it is damaged.
fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|_| serde_json::Value::Object(serde_json::Map::new()))
}
