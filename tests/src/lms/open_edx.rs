//! Open edX: a JWT by client credentials, accounts by address, enrolment in bulk, invitations for who has no account.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;
use std::collections::HashMap;

use super::{KEY, Place, Rolls, Shared, answer, body_json, form, header, lock, log};

/// A token of one run; secret as the key is.
const TOKEN: &str = "canary-jwt-eyJhbGciOi";

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/oauth2/access_token", post(token))
        .route("/api/user/v1/accounts", get(accounts))
        .route("/api/enrollment/v1/enrollment/{who}", get(enrolment))
        .route("/api/bulk_enroll/v1/bulk_enroll/", post(bulk))
}

fn refused(rolls: &mut Rolls, headers: &HeaderMap, method: Method, what: &str) -> Option<Response> {
    log(rolls, &method, what);
    let known = header(headers, "authorization") == format!("JWT {TOKEN}");
    (!known).then(|| answer(401, json!({ "detail": "Error decoding token." })))
}

async fn token(State(rolls): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let mut rolls = lock(&rolls);
    log(&mut rolls, &Method::POST, "token");
    let form = form(&mut rolls, &headers, &body);
    let is = |key: &str, value: &str| form.get(key).map(String::as_str) == Some(value);
    if !is("grant_type", "client_credentials") || !is("token_type", "jwt") {
        return answer(400, json!({ "error": "unsupported_grant_type" }));
    }
    if !is("client_id", "chotdon") || !is("client_secret", KEY) {
        return answer(401, json!({ "error": "invalid_client" }));
    }
    answer(200, json!({ "access_token": TOKEN, "token_type": "JWT", "expires_in": 3600 }))
}

async fn accounts(
    State(rolls): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let mut rolls = lock(&rolls);
    if let Some(refused) = refused(&mut rolls, &headers, Method::GET, "accounts") {
        return refused;
    }
    match rolls.by_email(query.get("email").map(String::as_str).unwrap_or_default()) {
        Some(user) => answer(200, json!([{ "username": user.login, "email": user.email }])),
        None => answer(404, json!({})),
    }
}

async fn enrolment(State(rolls): State<Shared>, Path(who): Path<String>, headers: HeaderMap) -> Response {
    let mut rolls = lock(&rolls);
    if let Some(refused) = refused(&mut rolls, &headers, Method::GET, "enrollment") {
        return refused;
    }
    let (name, course) = who.split_once(',').unwrap_or_default();
    let user = rolls.accounts.iter().find(|user| user.login == name).map(|user| user.id);
    let place = rolls.places.iter().find(|place| Some(place.user) == user && place.course == course);
    match place {
        Some(place) => answer(200, json!({ "is_active": place.active, "mode": "audit", "user": name })),
        // An empty body, as the platform has it.
        None => "".into_response(),
    }
}

async fn bulk(State(rolls): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let mut rolls = lock(&rolls);
    let wish = body_json(&mut rolls, &headers, &body);
    let action = wish["action"].as_str().unwrap_or_default().to_owned();
    if let Some(refused) = refused(&mut rolls, &headers, Method::POST, &format!("bulk {action}")) {
        return refused;
    }
    let (Some(email), Some(course)) = (wish["identifiers"].as_str(), wish["courses"].as_str()) else {
        return answer(400, json!({ "identifiers": ["This field is required."] }));
    };
    if course != "course-v1:An+Rust+2026" {
        return answer(400, json!({ "courses": [format!("Course key \"{course}\" does not exist")] }));
    }
    let user = rolls.by_email(email).map_or(0, |user| user.id);
    let (email, course, into) = (email.to_owned(), course.to_owned(), action == "enroll");
    let invited = if user == 0 { email.clone() } else { String::new() };
    rolls.places.retain(|place| place.course != course || place.user != user || place.invited != invited);
    let id = rolls.next_id();
    rolls.places.push(Place { id, user, invited, course: course.clone(), active: into, until: None });
    let after = json!({ "enrollment": into && user != 0, "allowed": into && user == 0, "auto_enroll": into, "user": user != 0 });
    let results = json!([{ "identifier": email, "after": after }]);
    answer(
        200,
        json!({ "action": action, "auto_enroll": true, "courses": { course: { "action": action, "results": results } } }),
    )
}
