//! Keys: how old they are, replaced with an overlap, made void. Values go in and, but for what was made up here, never out.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use rand::distr::{Alphanumeric, SampleString};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::Desk;
use super::settings::check_secret;
use super::state::OWNER;
use crate::http::problem::{Answer, Given};
use crate::http::storefront::SCOPES;
use crate::present::rfc3339;
use crate::secrets::{ChangeError, Changes, SecretName};
use crate::shop::keys::{KeyGlance, KeysError, given_by};
use crate::views::{KeyRotate, KeyRotated, KeyRow, KeysPage, Problem, StorefrontKeyNew, StorefrontKeyShown};

const LONGEST_OVERLAP_H: u32 = 720;

/// Every key with its age, and where the values are.
#[utoipa::path(get, path = "/admin/api/keys", tag = "settings",
    responses((status = 200, body = KeysPage), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn keys(State(desk): State<Desk>) -> Answer<Json<KeysPage>> {
    let config = desk.shop.config();
    // A store that cannot be read must not take the page away on which the owner learns of it.
    let (listed, trouble) = match desk.shop.keys().await {
        Ok(listed) => (listed, None),
        Err(KeysError::Secrets(error)) => (Vec::new(), Some(error.to_string())),
        Err(KeysError::Store(error)) => return Err(error.into()),
    };
    let now = desk.now();
    let after = i64::from(config.secrets.remind_after_days);
    Ok(Json(KeysPage {
        store: desk.credentials.kind().to_owned(),
        trouble,
        remind_after_days: after,
        overlap_h: i64::from(config.secrets.overlap_h),
        rows: listed.into_iter().map(|key| row(key, after, now)).collect(),
    }))
}

/// Gives a key a new value; the one before stays good for the overlap. Without a value one is made up and shown, this once.
#[utoipa::path(post, path = "/admin/api/secrets/{name}/rotate", tag = "settings", request_body = KeyRotate,
    params(("name" = String, Path, description = "Name of the secret, e.g. `sepay.api_key`")),
    responses((status = 200, body = KeyRotated), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn rotate_secret(
    State(desk): State<Desk>,
    Path(name): Path<String>,
    body: Bytes,
) -> Answer<Json<KeyRotated>> {
    let name = rotatable(&name)?;
    // The parser's own words would repeat what was sent.
    let given: KeyRotate = match body.is_empty() {
        true => KeyRotate::default(),
        false => serde_json::from_slice(&body)
            .map_err(|_| Problem::bad("the JSON body must be {\"value\": \"…\"?, \"overlap_h\": 24?}"))?,
    };
    let hours = given.overlap_h.unwrap_or(desk.shop.config().secrets.overlap_h);
    if hours > LONGEST_OVERLAP_H {
        return Err(Problem::bad(format!("overlap_h: 0 to {LONGEST_OVERLAP_H}")));
    }
    if given.value.is_none() && !name.may_be_generated() {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "value_needed",
            format!("{name} is given out by the other side: send its new value"),
        ));
    }
    let made = given.value.is_none();
    let value = match &given.value {
        Some(value) => SecretString::from(value.trim()),
        None => crate::secrets::generate_for(&name),
    };
    check_secret(&name, value.expose_secret())?;
    let overlap = Duration::from_secs(u64::from(hours) * 3600);
    // The first value takes nobody's place.
    let first = desk.credentials.get(&name, desk.now()).await?.is_none();
    let until = match first {
        true => changes(&desk).set(&name, value.clone()).await.map(|()| desk.now()),
        false => changes(&desk).rotate(&name, value.clone(), overlap).await,
    }?;
    desk.shop.services().reconsider().await;
    Ok(Json(KeyRotated {
        name: name.as_str().to_owned(),
        value: made.then(|| value.expose_secret().to_owned()),
        previous_until: (hours > 0 && !first).then(|| rfc3339(until)),
    }))
}

/// Makes the value before the last rotation void at once.
#[utoipa::path(delete, path = "/admin/api/secrets/{name}/previous", tag = "settings",
    params(("name" = String, Path, description = "Name of the secret")),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn revoke_previous(
    State(desk): State<Desk>,
    Path(name): Path<String>,
) -> Answer<StatusCode> {
    changes(&desk).revoke_previous(&rotatable(&name)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a key for a storefront and shows it, this once.
#[utoipa::path(post, path = "/admin/api/storefront/keys", tag = "storefront", request_body = StorefrontKeyNew,
    responses((status = 201, body = StorefrontKeyShown), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn create_storefront_key(
    State(desk): State<Desk>,
    Given(new): Given<StorefrontKeyNew>,
) -> Answer<(StatusCode, Json<StorefrontKeyShown>)> {
    let name = new.name.trim();
    if name.is_empty() || name.chars().count() > 64 || name.chars().any(char::is_control) {
        return Err(Problem::bad("name: 1 to 64 characters"));
    }
    if let Some(odd) = new.scopes.iter().find(|scope| !SCOPES.contains(&scope.as_str())) {
        let odd: String = odd.chars().take(40).collect();
        return Err(Problem::bad(format!("scopes: `{odd}` is none of {}", SCOPES.join(", "))));
    }
    let scopes = if new.scopes.is_empty() { "*".to_owned() } else { new.scopes.join(" ") };
    let key = SecretString::from(format!("cd_{}", Alphanumeric.sample_string(&mut rand::rng(), 43)));
    crate::logging::hide(&key);
    let hash = hex::encode(Sha256::digest(key.expose_secret().as_bytes()));
    desk.store.add_storefront_key(name, &hash, &scopes, OWNER, desk.now()).await?;
    let shown = StorefrontKeyShown { name: name.to_owned(), key: key.expose_secret().to_owned() };
    Ok((StatusCode::CREATED, Json(shown)))
}

/// Makes a storefront's key void at once.
#[utoipa::path(delete, path = "/admin/api/storefront/keys/{name}", tag = "storefront",
    params(("name" = String, Path, description = "Name of the storefront")),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn revoke_storefront_key(
    State(desk): State<Desk>,
    Path(name): Path<String>,
) -> Answer<StatusCode> {
    desk.store.revoke_storefront_key(&name, OWNER, desk.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The owner's changes.
pub(super) fn changes(desk: &Desk) -> Changes<'_> {
    Changes { store: &desk.store, credentials: &desk.credentials, actor: OWNER, now: desk.now() }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Secrets(error) => error.into(),
            ChangeError::Store(error) => error.into(),
        }
    }
}

/// What the owner may replace: everything but the key that signs links, which would void them all. Workers have routes of
/// their own, since their row changes with the key.
fn rotatable(name: &str) -> Answer<SecretName> {
    let name = SecretName::parse(name)?;
    if (name.is_internal() && !name.is_admin_token()) || name.as_str().starts_with("worker.") {
        return Err(Problem::not_found("a secret of that name"));
    }
    Ok(name)
}

fn row(key: KeyGlance, after: i64, now: i64) -> KeyRow {
    let days = key.days(now);
    let mut actions = Vec::new();
    if key.set {
        if !key.name.starts_with("storefront.") {
            actions.push("rotate");
        }
        if key.previous_until.is_some() && !key.name.starts_with("worker.") {
            actions.push("revoke_previous");
        }
        if key.name != "admin.token" {
            actions.push("delete");
        }
    }
    KeyRow {
        set: key.set,
        hint: key.hint,
        changed_at: key.changed_at.map(rfc3339),
        exact: key.exact,
        days,
        old: key.set && after > 0 && days.is_some_and(|days| days >= after),
        by: key.by,
        previous_until: key.previous_until.map(rfc3339),
        given_by: given_by(&key.name).to_owned(),
        actions: actions.into_iter().map(str::to_owned).collect(),
        name: key.name,
    }
}
