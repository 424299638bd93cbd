//! Copies of the shop: the list, a new one, what is in one, and the way back.

use std::path::PathBuf;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use chotdon_store::{AuditEntry, Contents};
use serde_json::{Value, json};

use super::Desk;
use super::state::OWNER;
use crate::backup::{self, BackupError};
use crate::http::problem::Answer;
use crate::present::rfc3339;
use crate::views::{BackupContents, BackupRow, Backups, Problem};

impl From<BackupError> for Problem {
    fn from(error: BackupError) -> Self {
        let code = error.code();
        match error {
            BackupError::Store(error) => error.into(),
            BackupError::Missing(_) => Self::not_found("a copy of that name"),
            BackupError::Exists(_) | BackupError::Running => {
                Self::new(StatusCode::CONFLICT, code, error.to_string())
            }
            BackupError::Damaged(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, error.to_string()),
            BackupError::NoSpace { .. } | BackupError::Io(..) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, code, error.to_string())
            }
        }
    }
}

/// The copies in the folder, and how the last one went.
#[utoipa::path(get, path = "/admin/api/backups", tag = "health",
    responses((status = 200, body = Backups), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn backups(State(desk): State<Desk>) -> Answer<Json<Backups>> {
    now(&desk).await
}

/// Makes a copy now, opens it and checks it.
#[utoipa::path(post, path = "/admin/api/backups", tag = "health",
    responses((status = 200, body = Backups), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn make_backup(State(desk): State<Desk>) -> Answer<Json<Backups>> {
    let file = folder(&desk).join(backup::name(desk.now()));
    backup::make(&desk.store, desk.shop.data_dir(), &file, "owner", desk.now()).await?;
    desk.shop.health().saw_backup(desk.now(), None);
    desk.store.resolve_notice("backup", desk.now()).await?;
    audited(&desk, "backup.make", &file.display().to_string(), json!({})).await?;
    now(&desk).await
}

/// Opens a copy, checks everything in it, and says what it holds.
#[utoipa::path(post, path = "/admin/api/backups/{name}/check", tag = "health", params(("name" = String, Path, description = "Name of the copy")),
    responses((status = 200, body = BackupContents), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn check_backup(
    State(desk): State<Desk>,
    Path(name): Path<String>,
) -> Answer<Json<BackupContents>> {
    Ok(Json(view(&backup::check(&named(&desk, &name)?).await?)))
}

/// Has a copy take the shop's place at the next start, with deliveries paused. Until then nothing changes.
#[utoipa::path(post, path = "/admin/api/backups/{name}/restore", tag = "health", params(("name" = String, Path, description = "Name of the copy")),
    responses((status = 200, body = Backups), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn restore_backup(
    State(desk): State<Desk>,
    Path(name): Path<String>,
) -> Answer<Json<Backups>> {
    let file = named(&desk, &name)?;
    let contents = backup::stage(desk.shop.data_dir(), &file, OWNER, desk.now()).await?;
    audited(&desk, "backup.restore", &name, json!({ "made_at": contents.made_at })).await?;
    now(&desk).await
}

/// Takes back that a copy is restored at the next start.
#[utoipa::path(delete, path = "/admin/api/backups/pending", tag = "health",
    responses((status = 200, body = Backups), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn withdraw_restore(State(desk): State<Desk>) -> Answer<Json<Backups>> {
    let dir = desk.shop.data_dir();
    backup::withdraw(dir).map_err(|error| BackupError::Io(dir.to_owned(), error))?;
    audited(&desk, "backup.withdraw", "shop", json!({})).await?;
    now(&desk).await
}

async fn now(desk: &Desk) -> Answer<Json<Backups>> {
    let (last, fine) = desk.store.backup_runs().await?;
    let folder = folder(desk);
    let row = |(name, at, bytes)| BackupRow { name, at: rfc3339(at), bytes };
    let pending = backup::pending(desk.shop.data_dir()).map(|pending| {
        let [orders, customers, courses, transfers, open_tasks] = pending.counts;
        BackupContents {
            made_at: pending.made_at.map(rfc3339),
            orders,
            customers,
            courses,
            transfers,
            open_tasks,
        }
    });
    Ok(Json(Backups {
        rows: backup::list(&folder).into_iter().map(row).collect(),
        folder: folder.display().to_string(),
        last_at: fine.filter(|run| run.file.is_some()).map(|run| rfc3339(run.at)),
        detail: last.as_ref().and_then(|run| run.detail.clone()),
        code: last.and_then(|run| run.code),
        pending,
    }))
}

fn folder(desk: &Desk) -> PathBuf {
    backup::folder(&desk.shop.config(), desk.shop.data_dir())
}

/// The file of a copy in the folder; names lead nowhere else.
fn named(desk: &Desk, name: &str) -> Answer<PathBuf> {
    let file = folder(desk).join(name);
    if !backup::is_name(name) || !file.is_file() {
        return Err(Problem::not_found("a copy of that name"));
    }
    Ok(file)
}

fn view(contents: &Contents) -> BackupContents {
    let counts = contents.counts;
    BackupContents {
        made_at: contents.made_at.map(rfc3339),
        orders: counts.orders,
        customers: counts.customers,
        courses: counts.courses,
        transfers: counts.transfers,
        open_tasks: counts.open_tasks,
    }
}

async fn audited(desk: &Desk, action: &str, subject: &str, data: Value) -> Answer<()> {
    let entry =
        AuditEntry { actor: OWNER.to_owned(), action: action.to_owned(), subject: subject.to_owned(), data };
    Ok(desk.store.record_audit(entry, desk.now()).await?)
}
