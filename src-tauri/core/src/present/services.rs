//! Outside services.

use chotdon_domain::service::ServiceState;

use super::rfc3339;
use crate::services::Glance;
use crate::views::{ServiceRow, Services};

/// Every service, with the tasks that wait for each.
pub(crate) fn services(glances: Vec<Glance>, waiting: &[(String, i64)], now: i64) -> Services {
    let row = |glance: Glance| {
        let record = glance.record;
        let paused = record.paused_at.is_some() && record.paused_until.is_none_or(|until| until > now);
        let alone = record.state != ServiceState::Open;
        let state = match (paused, glance.trying) {
            (true, _) => "paused",
            (false, true) => "trying",
            (false, false) => record.state.as_str(),
        };
        let (since, until) = match (paused, alone) {
            (true, _) => (record.paused_at, record.paused_until),
            (false, true) => (record.since, record.until.filter(|until| *until > now)),
            (false, false) => (None, None),
        };
        ServiceRow {
            state: state.to_owned(),
            since: since.map(rfc3339),
            until: until.map(rfc3339),
            code: record.code,
            detail: record.detail,
            reason: record.paused_reason.filter(|_| paused),
            waiting: waiting.iter().find(|(name, _)| *name == record.name).map_or(0, |(_, n)| *n),
            in_use: glance.in_use,
            at_once: glance.at_once,
            today: record.day_count,
            per_day: (glance.per_day > 0).then_some(glance.per_day),
            name: record.name,
        }
    };
    Services { services: glances.into_iter().map(row).collect() }
}
