//! Tokens and the owner's consent, which is given at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::world::{REFRESH_TOKEN, World};

type Fields = BTreeMap<String, String>;

fn no(status: StatusCode, error: &str, words: &str) -> Response {
    (status, Json(json!({ "error": error, "error_description": words }))).into_response()
}

pub(super) async fn token(State(world): State<Arc<World>>, Form(fields): Form<Fields>) -> Response {
    let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let mut state = world.state();
    *state.counts.calls.entry("token").or_default() += 1;
    world.called.notify_waiters();
    if let Some(refusal) = state.faults.refuse("token") {
        let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        return no(status, refusal.reason, refusal.message);
    }
    let mut answer = json!({ "expires_in": 3599, "token_type": "Bearer",
        "scope": "https://www.googleapis.com/auth/drive.file" });
    match field("grant_type") {
        "refresh_token" if field("client_id").is_empty() => {
            return no(StatusCode::UNAUTHORIZED, "invalid_client", "The OAuth client was not found.");
        }
        "refresh_token" if field("refresh_token") != REFRESH_TOKEN || state.faults.consent_ended => {
            return no(StatusCode::BAD_REQUEST, "invalid_grant", "Token has been expired or revoked.");
        }
        "refresh_token" => {}
        "urn:ietf:params:oauth:grant-type:jwt-bearer" => {
            if let Err(words) = state.vouched(field("assertion")) {
                return no(StatusCode::BAD_REQUEST, "invalid_grant", words);
            }
        }
        "authorization_code" => {
            let challenge = state.codes.remove(field("code"));
            let shown = URL_SAFE_NO_PAD.encode(Sha256::digest(field("code_verifier").as_bytes()));
            if challenge.as_deref() != Some(shown.as_str()) {
                return no(StatusCode::BAD_REQUEST, "invalid_grant", "Bad Request");
            }
            answer["refresh_token"] = Value::from(REFRESH_TOKEN);
            state.faults.consent_ended = false;
        }
        other => return no(StatusCode::BAD_REQUEST, "unsupported_grant_type", other),
    }
    let token = format!("ya29.{:08}", state.fresh());
    answer["access_token"] = Value::from(token.as_str());
    if field("grant_type").ends_with("jwt-bearer") {
        state.robots.insert(token.clone());
    }
    state.tokens.insert(token);
    Json(answer).into_response()
}

pub(super) async fn revoke(State(world): State<Arc<World>>, Form(fields): Form<Fields>) -> Response {
    let mut state = world.state();
    if state.faults.consent_ended || fields.get("token").is_none_or(|token| token != REFRESH_TOKEN) {
        return no(StatusCode::BAD_REQUEST, "invalid_token", "Token expired or revoked");
    }
    state.faults.consent_ended = true;
    state.tokens.clear();
    Json(json!({})).into_response()
}

pub(super) async fn consent(State(world): State<Arc<World>>, Query(query): Query<Fields>) -> Response {
    let field = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let wanted = [("response_type", "code"), ("code_challenge_method", "S256"), ("access_type", "offline")];
    if wanted.iter().any(|(name, value)| field(name) != *value)
        || !field("redirect_uri").starts_with("http://127.0.0.1:")
    {
        return no(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "the consent is not asked for as a desktop app does",
        );
    }
    let mut state = world.state();
    let code = format!("4/{}", state.fresh());
    state.codes.insert(code.clone(), field("code_challenge").to_owned());
    let Ok(mut back) = url::Url::parse(field("redirect_uri")) else {
        return no(StatusCode::BAD_REQUEST, "redirect_uri_mismatch", "");
    };
    back.query_pairs_mut().append_pair("state", field("state")).append_pair("code", &code);
    Redirect::to(back.as_str()).into_response()
}
