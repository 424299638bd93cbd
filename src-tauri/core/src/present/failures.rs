//! Failed tasks by cause.

use chotdon_store::read::{FailureRecord, QueueRecord};

use super::rfc3339;
use crate::views::{ErrorText, FailureGroup, Failures};

/// Failed tasks with one cause.
pub(crate) fn failure_group(group: &FailureRecord) -> FailureGroup {
    FailureGroup {
        group: group.err_group.clone(),
        kind: group.kind.clone(),
        stage: group.stage.clone(),
        error: ErrorText {
            code: group.err_code.clone(),
            class: group.err_class.clone(),
            detail: group.err_detail.clone(),
        },
        count: group.count,
        orders: group.orders,
        amount_vnd: group.amount_vnd,
        first_at: rfc3339(group.first_at),
        last_at: rfc3339(group.last_at),
        sample_orders: list(&group.sample_orders),
        sample_courses: list(&group.sample_courses),
    }
}

/// The page of failures.
pub(crate) fn failures(
    groups: &[FailureRecord],
    queue: &QueueRecord,
    last_resolved_at: Option<i64>,
) -> Failures {
    Failures {
        groups: groups.iter().map(failure_group).collect(),
        failed: queue.failed(),
        retrying: queue.retrying,
        last_resolved_at: last_resolved_at.map(rfc3339),
    }
}

fn list(json: &str) -> Vec<String> {
    serde_json::from_str(json).unwrap_or_default()
}
