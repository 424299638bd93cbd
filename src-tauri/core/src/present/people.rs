//! The inbox, and the record of human actions.

use chotdon_store::NoticeRecord;
use chotdon_store::read::AuditRecord;

use super::{json, rfc3339};
use crate::views::{AuditRow, Notice};

/// A note of the inbox, with the page that explains it.
pub(crate) fn notice(notice: &NoticeRecord) -> Notice {
    let route = match notice.kind.as_str() {
        // The list of mail templates shows the file and the line, and leads on to what waits for them.
        "task_failed" if json(&notice.data)["code"] == "mail_template" => "/settings/mail-templates",
        "task_failed" => "/failures",
        "worker_crashed" | "worker_hung" | "worker_lost" | "worker_missing" => "/queue",
        "mail_stopped" | "key_old" => "/settings",
        "audit_broken" => "/audit",
        "service_parked" | "restored" => "/queue",
        "backup_failed" => "/settings?section=backup",
        "unmatched" => "/unmatched",
        "different_body" | "wrong_product" => "/webhooks",
        kind if kind.starts_with("tunnel_") => crate::tunnel::ROUTE,
        kind if crate::shop::is_kept_out(kind) => crate::shop::ACCESS_ROUTE,
        kind if crate::reconcile::is_ours(kind) => crate::reconcile::ROUTE,
        _ => "/",
    };
    Notice {
        id: notice.id,
        class: notice.class,
        kind: notice.kind.clone(),
        data: json(&notice.data),
        count: notice.count,
        first_at: rfc3339(notice.first_at),
        last_at: rfc3339(notice.last_at),
        state: notice.state.clone(),
        route: route.to_owned(),
    }
}

/// What a person did.
pub(crate) fn audit_row(entry: &AuditRecord) -> AuditRow {
    AuditRow {
        id: entry.id,
        at: rfc3339(entry.at),
        actor: entry.actor.clone(),
        action: entry.action.clone(),
        subject: entry.subject.clone(),
        data: json(&entry.data),
    }
}
