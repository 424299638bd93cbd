//! Permissions of the stand-in.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::answers::{Answer, No};
use super::masked;
use super::world::{Shared, World};

type Pairs = Vec<(String, String)>;

const ALL: &str = "files/{fileId}/permissions";
const ONE: &str = "files/{fileId}/permissions/{permissionId}";
const NO_ACCOUNT: &str = "Bad Request. User message: \"You are trying to invite a person. Since there is no Google account \
    associated with this email address, you must check the \"Notify people\" box to invite this recipient.\"";

pub(super) fn of<'a>(query: &'a [(String, String)], name: &str) -> Option<&'a str> {
    query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn shown(permission: &Shared) -> Value {
    let mut shown = json!({
        "kind": "drive#permission", "id": permission.id, "type": permission.kind, "role": permission.role,
    });
    if !permission.email.is_empty() {
        shown["emailAddress"] = permission.email.as_str().into();
    }
    if let Some(expires) = &permission.expires {
        shown["expirationTime"] = expires.as_str().into();
    }
    shown
}

pub(super) async fn list(
    State(world): State<Arc<World>>,
    Path(id): Path<String>,
    Query(query): Query<Pairs>,
    headers: HeaderMap,
) -> Answer {
    world.enter("permissions", "GET", ALL, &query, &headers)?;
    let state = world.state();
    let all = &state.seen(&id, &query)?.permissions;
    let size = of(&query, "pageSize").and_then(|text| text.parse().ok()).unwrap_or(100);
    let from = of(&query, "pageToken").and_then(|text| text.parse().ok()).unwrap_or(0_usize);
    let page: Vec<_> = all.iter().skip(from).take(size).map(shown).collect();
    let mut answer = json!({ "kind": "drive#permissionList", "permissions": page });
    if from + size < all.len() {
        answer["nextPageToken"] = (from + size).to_string().into();
    }
    Ok(Json(masked(answer, of(&query, "fields"))))
}

pub(super) async fn read(
    State(world): State<Arc<World>>,
    Path((id, permission)): Path<(String, String)>,
    Query(query): Query<Pairs>,
    headers: HeaderMap,
) -> Answer {
    world.enter("permission", "GET", ONE, &query, &headers)?;
    let state = world.state();
    let found = state.seen(&id, &query)?.permissions.iter().find(|p| p.id == permission);
    let found = found.ok_or_else(|| No::new(404, "notFound", "Permission not found."))?;
    Ok(Json(masked(shown(found), of(&query, "fields"))))
}

pub(super) async fn share(
    State(world): State<Arc<World>>,
    Path(id): Path<String>,
    Query(query): Query<Pairs>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Answer {
    let afterwards = world.enter("share", "POST", ALL, &query, &headers)?;
    let mut state = world.state();
    let item = state.seen(&id, &query)?.id.clone();
    let word = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let (kind, email, role) = (word("type"), word("emailAddress"), word("role"));
    if !matches!(kind.as_str(), "user" | "anyone")
        || role.is_empty()
        || (kind == "user" && !email.contains('@'))
    {
        return Err(No::new(400, "badRequest", "The specified permission is not valid."));
    }
    // Google writes to people unless it is told not to.
    let mails = kind == "user" && of(&query, "sendNotificationEmail") != Some("false");
    if !mails && state.faults.strangers.contains(&email) {
        return Err(No::new(400, "invalidSharingRequest", NO_ACCOUNT));
    }
    let expires = body["expirationTime"].as_str().map(str::to_owned);
    if expires.is_some() && state.faults.cannot_expire {
        return Err(No::new(403, "cannotSetExpiration", "Cannot set an expiration date on this item."));
    }
    let number = if kind == "anyone" { "anyoneWithLink".to_owned() } else { number(&email) };
    let known = state.item(&item)?.permissions.iter().any(|p| p.id == number);
    if !known {
        if state.faults.shares_left == Some(0) {
            return Err(No::new(403, "sharingRateLimitExceeded", "Rate limit exceeded."));
        }
        state.faults.shares_left = state.faults.shares_left.map(|left| left - 1);
        state.counts.permissions += 1;
    }
    state.counts.mails += u64::from(mails);
    let given = Shared { id: number, kind, email, role, expires };
    let answer = shown(&given);
    if let Some(item) = state.items.get_mut(&item) {
        item.permissions.retain(|p| p.id != given.id);
        item.permissions.push(given);
    }
    match afterwards {
        Some(no) => Err(no),
        None => Ok(Json(masked(answer, of(&query, "fields")))),
    }
}

pub(super) async fn unshare(
    State(world): State<Arc<World>>,
    Path((id, permission)): Path<(String, String)>,
    Query(query): Query<Pairs>,
    headers: HeaderMap,
) -> Result<StatusCode, No> {
    world.enter("unshare", "DELETE", ONE, &query, &headers)?;
    let mut state = world.state();
    let item = state.seen(&id, &query)?.id.clone();
    let missing = || No::new(404, "notFound", &format!("Permission not found: {permission}."));
    let item = state.items.get_mut(&item).ok_or_else(missing)?;
    let before = item.permissions.len();
    item.permissions.retain(|p| p.id != permission);
    if item.permissions.len() == before { Err(missing()) } else { Ok(StatusCode::NO_CONTENT) }
}

/// Twenty digits, the same for the same address.
fn number(email: &str) -> String {
    let digest = Sha256::digest(email.to_lowercase().as_bytes());
    let number = digest.iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    format!("{number:020}")
}
