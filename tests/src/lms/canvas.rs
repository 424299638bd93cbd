//! Canvas: bearer token, bracketed forms, people found by a search that is not exact.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use axum::routing::{delete, get};
use serde_json::{Value, json};
use std::collections::HashMap;

use super::{Account, KEY, Place, Rolls, Shared, answer, form, header, lock, log};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/v1/accounts/{account}/users", get(users).post(create))
        .route("/api/v1/courses/{course}/enrollments", get(enrolments).post(enrol))
        .route("/api/v1/courses/{course}/enrollments/{id}", delete(end))
}

fn refused(rolls: &mut Rolls, headers: &HeaderMap, method: Method, what: &str) -> Option<Response> {
    log(rolls, &method, what);
    let known = header(headers, "authorization") == format!("Bearer {KEY}");
    (!known).then(|| answer(401, json!({ "errors": [{ "message": "Invalid access token." }] })))
}

fn unknown() -> Response {
    answer(404, json!({ "errors": [{ "message": "The specified resource does not exist." }] }))
}

async fn users(
    State(rolls): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let mut rolls = lock(&rolls);
    if let Some(refused) = refused(&mut rolls, &headers, Method::GET, "users") {
        return refused;
    }
    let term = query.get("search_term").map(|term| term.to_lowercase()).unwrap_or_default();
    if term.chars().count() < 3 {
        return answer(
            400,
            json!({ "errors": [{ "message": "search_term of 3 or more characters is required" }] }),
        );
    }
    let found = rolls.accounts.iter().filter(|user| user.login.to_lowercase().contains(&term));
    let found: Vec<Value> =
        found.map(|user| json!({ "id": user.id, "name": user.first, "login_id": user.login })).collect();
    answer(200, json!(found))
}

async fn create(State(rolls): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let mut rolls = lock(&rolls);
    if let Some(refused) = refused(&mut rolls, &headers, Method::POST, "users") {
        return refused;
    }
    let form = form(&mut rolls, &headers, &body);
    let get = |key: &str| form.get(key).cloned().unwrap_or_default();
    let login = get("pseudonym[unique_id]");
    if login.is_empty() || rolls.by_email(&login).is_some() {
        return answer(400, json!({ "errors": { "pseudonym": { "unique_id": [{ "type": "taken" }] } } }));
    }
    let id = rolls.next_id();
    rolls.accounts.push(Account {
        id,
        login: login.clone(),
        email: login,
        first: get("user[name]"),
        last: String::new(),
    });
    answer(200, json!({ "id": id }))
}

fn shown(place: &Place) -> Value {
    json!({ "id": place.id, "user_id": place.user, "type": "StudentEnrollment",
            "enrollment_state": if place.active { "active" } else { "deleted" } })
}

async fn enrolments(
    State(rolls): State<Shared>,
    Path(course): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let mut rolls = lock(&rolls);
    if let Some(refused) = refused(&mut rolls, &headers, Method::GET, "enrollments") {
        return refused;
    }
    if course != "42" {
        return unknown();
    }
    let user = query.get("user_id").and_then(|id| id.parse::<i64>().ok());
    let found: Vec<Value> =
        rolls.places.iter().filter(|place| Some(place.user) == user && place.active).map(shown).collect();
    answer(200, json!(found))
}

async fn enrol(
    State(rolls): State<Shared>,
    Path(course): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut rolls = lock(&rolls);
    if let Some(refused) = refused(&mut rolls, &headers, Method::POST, "enrollments") {
        return refused;
    }
    if course != "42" {
        return unknown();
    }
    let form = form(&mut rolls, &headers, &body);
    let user = form.get("enrollment[user_id]").and_then(|id| id.parse::<i64>().ok()).unwrap_or_default();
    if form.get("enrollment[type]").map(String::as_str) != Some("StudentEnrollment")
        || rolls.by_id(user).is_none()
    {
        return answer(400, json!({ "message": "No type or user_id" }));
    }
    // Who is in the course already keeps their enrolment, with the end that is said now.
    let there = rolls.places.iter().find(|place| place.user == user && place.active).map(|place| place.id);
    let id = there.unwrap_or_else(|| rolls.seat(user, &course));
    let until = form.get("enrollment[end_at]").cloned();
    rolls.places.iter_mut().filter(|place| place.id == id).for_each(|place| place.until.clone_from(&until));
    answer(200, json!({ "id": id, "user_id": user, "enrollment_state": "active" }))
}

async fn end(
    State(rolls): State<Shared>,
    Path((_, id)): Path<(String, i64)>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let mut rolls = lock(&rolls);
    if let Some(refused) = refused(&mut rolls, &headers, Method::DELETE, "enrollments/ID") {
        return refused;
    }
    if query.get("task").map(String::as_str) != Some("delete") {
        rolls.violation("an enrolment is only concluded unless task=delete");
    }
    let Some(place) = rolls.places.iter_mut().find(|place| place.id == id) else { return unknown() };
    place.active = false;
    answer(200, shown(place))
}
