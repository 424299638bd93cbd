//! The folder that mail goes to in demo mode.

use axum::Json;
use axum::extract::{Path, State};

use super::Desk;
use crate::config::MailTransport;
use crate::delivery::mail;
use crate::http::problem::Answer;
use crate::views::{MailboxMessage, Page, Problem};

/// Folder below the data directory.
pub(super) const FOLDER: &str = "mailbox";

/// The messages, newest first; one page of at most 500.
#[utoipa::path(get, path = "/admin/api/mailbox", tag = "demo",
    responses((status = 200, body = Page<MailboxMessage>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn mailbox(State(desk): State<Desk>) -> Answer<Json<Page<MailboxMessage>>> {
    in_use(&desk)?;
    let rows = mail::list(&desk.shop.data_dir().join(FOLDER)).await?;
    Ok(Json(Page { rows, next: None }))
}

/// One message with its bodies.
#[utoipa::path(get, path = "/admin/api/mailbox/{file}", tag = "demo", params(("file" = String, Path, description = "`file` of a message")),
    responses((status = 200, body = MailboxMessage), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn message(
    State(desk): State<Desk>,
    Path(file): Path<String>,
) -> Answer<Json<MailboxMessage>> {
    in_use(&desk)?;
    let message = mail::read(&desk.shop.data_dir().join(FOLDER), &file).await?;
    message.map(Json).ok_or_else(|| Problem::not_found("the message"))
}

fn in_use(desk: &Desk) -> Answer<()> {
    if desk.shop.config().mail.transport == MailTransport::Mailbox {
        return Ok(());
    }
    Err(Problem::not_found("a mailbox folder (mail.transport is not `mailbox`)"))
}
