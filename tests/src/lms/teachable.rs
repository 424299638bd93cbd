//! Teachable's public API: the key in `apiKey`, numbers as numbers.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::json;
use std::collections::HashMap;

use super::{Account, KEY, Rolls, Shared, answer, body_json, header, lock, log};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/v1/users", get(users).post(create))
        .route("/v1/users/{id}", get(user))
        .route("/v1/enroll", post(enrol))
        .route("/v1/unenroll", post(unenrol))
}

fn refused(rolls: &mut Rolls, headers: &HeaderMap, method: Method, what: &str) -> Option<Response> {
    log(rolls, &method, what);
    (header(headers, "apikey") != KEY).then(|| answer(401, json!({ "message": "Unauthorized" })))
}

async fn users(
    State(rolls): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let mut rolls = lock(&rolls);
    if let Some(refused) = refused(&mut rolls, &headers, Method::GET, "/v1/users") {
        return refused;
    }
    let email = query.get("email").map(String::as_str).unwrap_or_default();
    let found =
        rolls.by_email(email).map(|user| json!({ "id": user.id, "name": user.first, "email": user.email }));
    answer(200, json!({ "users": found.into_iter().collect::<Vec<_>>(), "meta": { "total": 1, "page": 1 } }))
}

async fn create(State(rolls): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let mut rolls = lock(&rolls);
    if let Some(refused) = refused(&mut rolls, &headers, Method::POST, "/v1/users") {
        return refused;
    }
    let user = body_json(&mut rolls, &headers, &body);
    let (Some(name), Some(email)) = (user["name"].as_str(), user["email"].as_str()) else {
        return answer(422, json!({ "message": "name and email are required" }));
    };
    if rolls.by_email(email).is_some() {
        return answer(422, json!({ "message": "email has already been taken" }));
    }
    let id = rolls.next_id();
    let (first, email) = (name.to_owned(), email.to_owned());
    rolls.accounts.push(Account {
        id,
        login: email.clone(),
        email: email.clone(),
        first,
        last: String::new(),
    });
    answer(201, json!({ "id": id, "email": email }))
}

async fn user(State(rolls): State<Shared>, Path(id): Path<i64>, headers: HeaderMap) -> Response {
    let mut rolls = lock(&rolls);
    if let Some(refused) = refused(&mut rolls, &headers, Method::GET, "/v1/users/ID") {
        return refused;
    }
    let Some(user) = rolls.by_id(id) else { return answer(404, json!({ "message": "not found" })) };
    let places = rolls.places.iter().filter(|place| place.user == id);
    let courses: Vec<_> = places
        .map(|place| json!({ "course_id": place.course.parse::<i64>().ok(), "is_active_enrollment": place.active }))
        .collect();
    answer(200, json!({ "id": id, "email": user.email, "courses": courses }))
}

async fn enrol(State(rolls): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    change(&rolls, &headers, &body, "/v1/enroll", true)
}

async fn unenrol(State(rolls): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    change(&rolls, &headers, &body, "/v1/unenroll", false)
}

fn change(rolls: &Shared, headers: &HeaderMap, body: &Bytes, what: &str, into: bool) -> Response {
    let mut rolls = lock(rolls);
    if let Some(refused) = refused(&mut rolls, headers, Method::POST, what) {
        return refused;
    }
    let wish = body_json(&mut rolls, headers, body);
    let (Some(user), Some(course)) = (wish["user_id"].as_i64(), wish["course_id"].as_i64()) else {
        rolls.violation(format!("ids that are no numbers: {wish}"));
        return answer(400, json!({ "message": "user_id and course_id must be integers" }));
    };
    if course != 42 || rolls.by_id(user).is_none() {
        return answer(404, json!({ "message": "not found" }));
    }
    let course = course.to_string();
    rolls
        .places
        .iter_mut()
        .filter(|place| place.user == user && place.course == course)
        .for_each(|place| place.active = into);
    if into && !rolls.places.iter().any(|place| place.user == user && place.course == course) {
        rolls.seat(user, &course);
    }
    answer(if into { 200 } else { 204 }, json!({}))
}
