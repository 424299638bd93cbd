//! Thinkific's Admin API: key and subdomain in headers; an enrolment is never deleted, it ends.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use axum::routing::{get, put};
use serde_json::{Value, json};
use std::collections::HashMap;

use super::{Account, KEY, Place, Rolls, Shared, answer, body_json, header, lock, log};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/public/v1/users", get(users).post(create))
        .route("/api/public/v1/enrollments", get(enrolments).post(enrol))
        .route("/api/public/v1/enrollments/{id}", put(change))
}

fn refused(rolls: &mut Rolls, headers: &HeaderMap, method: Method, what: &str) -> Option<Response> {
    log(rolls, &method, what);
    let known = header(headers, "x-auth-api-key") == KEY && header(headers, "x-auth-subdomain") == "an";
    (!known).then(|| answer(401, json!({ "error": "API authentication failed" })))
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
    let email = query.get("query[email]").map(String::as_str).unwrap_or_default();
    let found = rolls.by_email(email).map(|user| json!({ "id": user.id, "email": user.email }));
    answer(
        200,
        json!({ "items": found.into_iter().collect::<Vec<_>>(), "meta": { "pagination": { "total_items": 1 } } }),
    )
}

async fn create(State(rolls): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let mut rolls = lock(&rolls);
    if let Some(refused) = refused(&mut rolls, &headers, Method::POST, "users") {
        return refused;
    }
    let user = body_json(&mut rolls, &headers, &body);
    let text = |key: &str| user[key].as_str().unwrap_or_default().to_owned();
    if text("email").is_empty() || text("first_name").is_empty() || text("last_name").is_empty() {
        return answer(422, json!({ "errors": { "first_name": ["can't be blank"] } }));
    }
    if rolls.by_email(&text("email")).is_some() {
        return answer(422, json!({ "errors": { "email": ["has already been taken"] } }));
    }
    let id = rolls.next_id();
    rolls.accounts.push(Account {
        id,
        login: text("email"),
        email: text("email"),
        first: text("first_name"),
        last: text("last_name"),
    });
    answer(201, json!({ "id": id, "email": text("email") }))
}

fn shown(place: &Place) -> Value {
    json!({ "id": place.id, "user_id": place.user, "course_id": place.course.parse::<i64>().ok(), "expired": !place.active,
            "expiry_date": place.until })
}

async fn enrolments(
    State(rolls): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let mut rolls = lock(&rolls);
    if let Some(refused) = refused(&mut rolls, &headers, Method::GET, "enrollments") {
        return refused;
    }
    let number = |key: &str| query.get(key).and_then(|text| text.parse::<i64>().ok()).unwrap_or_default();
    let (user, course) = (number("query[user_id]"), number("query[course_id]").to_string());
    let items: Vec<Value> =
        rolls.places.iter().filter(|place| place.user == user && place.course == course).map(shown).collect();
    answer(200, json!({ "items": items, "meta": { "pagination": { "total_items": items.len() } } }))
}

async fn enrol(State(rolls): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let mut rolls = lock(&rolls);
    if let Some(refused) = refused(&mut rolls, &headers, Method::POST, "enrollments") {
        return refused;
    }
    let wish = body_json(&mut rolls, &headers, &body);
    let (Some(user), Some(course)) = (wish["user_id"].as_i64(), wish["course_id"].as_i64()) else {
        rolls.violation(format!("ids that are no numbers: {wish}"));
        return answer(422, json!({ "errors": { "user_id": ["is invalid"] } }));
    };
    if course != 42 {
        return answer(422, json!({ "errors": { "course_id": ["must exist"] } }));
    }
    if rolls.places.iter().any(|place| place.user == user) {
        return answer(422, json!({ "errors": { "base": ["is already enrolled"] } }));
    }
    let id = rolls.seat(user, &course.to_string());
    let until = wish["expiry_date"].as_str().map(str::to_owned);
    rolls.places.iter_mut().filter(|place| place.id == id).for_each(|place| place.until.clone_from(&until));
    answer(201, json!({ "id": id, "user_id": user, "course_id": course, "expired": false }))
}

async fn change(
    State(rolls): State<Shared>,
    Path(id): Path<i64>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut rolls = lock(&rolls);
    if let Some(refused) = refused(&mut rolls, &headers, Method::PUT, "enrollments/ID") {
        return refused;
    }
    let wish = body_json(&mut rolls, &headers, &body);
    let until = wish["expiry_date"].as_str().map(str::to_owned);
    let over = until.as_deref().is_some_and(|until| until.starts_with("20") && until < "2020");
    let Some(place) = rolls.places.iter_mut().find(|place| place.id == id) else {
        return answer(404, json!({ "error": "Record not found." }));
    };
    place.active = !over;
    place.until = until.filter(|until| !until.is_empty());
    answer(204, json!({}))
}
