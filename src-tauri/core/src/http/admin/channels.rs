//! The ways to the owner: what may be set, and their test buttons.

use axum::Json;
use axum::extract::{Path, State};
use chotdon_domain::channel::Channel;
use chotdon_store::AuditEntry;
use serde_json::json;

use super::Desk;
use super::state::OWNER;
use crate::http::problem::Answer;
use crate::outgoing::check_url;
use crate::present;
use crate::views::{ChannelSettings, CheckRow, Problem};

/// Sends a test message now: `desktop`, `telegram`, `webhook` or `mail`.
#[utoipa::path(post, path = "/admin/api/channels/{channel}/test", tag = "settings", params(("channel" = String, Path, description = "`desktop`, `telegram`, `webhook` or `mail`")),
    responses((status = 200, body = CheckRow), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn test_channel(
    State(desk): State<Desk>,
    Path(channel): Path<String>,
) -> Answer<Json<CheckRow>> {
    let Some(channel) = Channel::parse(&channel) else {
        return Err(Problem::bad("the channel must be one of desktop, telegram, webhook, mail"));
    };
    let tried = desk.shop.try_channel(channel).await;
    let entry = AuditEntry {
        actor: OWNER.to_owned(),
        action: "channel.test".to_owned(),
        subject: channel.as_str().to_owned(),
        data: json!({ "code": tried.as_ref().err().map(|error| error.code) }),
    };
    desk.store.record_audit(entry, desk.now()).await?;
    // What was left alone may be well now.
    if tried.is_ok() {
        desk.shop.services().reconsider().await;
    }
    let (state, code, detail) = match tried {
        Ok(()) => ("pass", None, None),
        Err(error) => ("fail", Some(error.code.to_owned()), Some(error.detail)),
    };
    Ok(Json(CheckRow {
        id: channel.as_str().to_owned(),
        state: state.to_owned(),
        code,
        detail,
        checked_at: Some(present::rfc3339(desk.now())),
    }))
}

/// Whether the channels can be as they are given.
pub(super) fn check(given: &ChannelSettings) -> Answer<()> {
    let url = given.webhook_url.trim();
    if !url.is_empty() {
        check_url(url, given.webhook_private)
            .map_err(|error| Problem::bad(format!("webhook_url: {error}")))?;
    }
    let mail = given.mail_to.trim();
    if !mail.is_empty() && (!mail.contains('@') || mail.contains(char::is_whitespace) || mail.len() > 254) {
        return Err(Problem::bad("mail_to: one mail address"));
    }
    let chat = given.telegram_chat.trim();
    let number = chat.strip_prefix('-').unwrap_or(chat);
    let named = chat.strip_prefix('@').is_some_and(|name| name.len() > 3);
    if !chat.is_empty() && !named && !number.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Problem::bad("telegram_chat: a number such as 123456789 or -100123456789, or @name"));
    }
    Ok(())
}
