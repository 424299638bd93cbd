//! Moodle's REST web service: status 200 for everything, failures in the body, the token in the form.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use axum::routing::post;
use serde_json::{Value, json};

use super::{Account, KEY, Place, Rolls, Shared, answer, form, lock, log};

pub(super) fn router() -> Router<Shared> {
    Router::new().route("/webservice/rest/server.php", post(serve))
}

async fn serve(State(rolls): State<Shared>, uri: OriginalUri, headers: HeaderMap, body: Bytes) -> Response {
    let mut rolls = lock(&rolls);
    if uri.query().is_some() {
        rolls.violation("a token or a function in the address");
    }
    let form = form(&mut rolls, &headers, &body);
    let get = |key: &str| form.get(key).map(String::as_str).unwrap_or_default();
    let function = get("wsfunction").to_owned();
    log(&mut rolls, &Method::POST, &function);
    if get("moodlewsrestformat") != "json" {
        rolls.violation("Moodle answers XML unless JSON is asked for");
    }
    if get("wstoken") != KEY {
        return answer(
            200,
            exception("moodle_exception", "invalidtoken", &format!("Invalid token {}", get("wstoken"))),
        );
    }
    answer(200, call(&mut rolls, &function, &form))
}

fn call(rolls: &mut Rolls, function: &str, form: &BTreeMap<String, String>) -> Value {
    let get = |key: &str| form.get(key).map(String::as_str).unwrap_or_default();
    let number = |key: &str| get(key).parse::<i64>().ok();
    let invalid =
        || exception("invalid_parameter_exception", "invalidparameter", "Invalid parameter value detected");
    match function {
        "core_user_get_users_by_field" => {
            let user = rolls.by_email(get("values[0]"));
            json!(user.iter().map(|user| json!({ "id": user.id, "email": user.email })).collect::<Vec<_>>())
        }
        "core_user_create_users" => {
            let user = |field: &str| get(&format!("users[0][{field}]")).to_owned();
            let login = user("username");
            let odd = |c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || "@._-".contains(c));
            if login.is_empty()
                || login.contains(odd)
                || user("lastname").is_empty()
                || user("firstname").is_empty()
            {
                return invalid();
            }
            if rolls.accounts.iter().any(|known| known.login == login)
                || rolls.by_email(&user("email")).is_some()
            {
                return invalid();
            }
            let id = rolls.next_id();
            let account = Account {
                id,
                login: login.clone(),
                email: user("email"),
                first: user("firstname"),
                last: user("lastname"),
            };
            rolls.accounts.push(account);
            json!([{ "id": id, "username": login }])
        }
        "core_enrol_get_users_courses" => {
            let Some(id) = number("userid") else { return invalid() };
            let places = rolls.places.iter().filter(|place| place.user == id && place.active);
            json!(
                places
                    .map(|place| json!({ "id": place.course.parse::<i64>().ok(), "shortname": "rust" }))
                    .collect::<Vec<_>>()
            )
        }
        "enrol_manual_enrol_users" => {
            let (role, user, course) = (
                number("enrolments[0][roleid]"),
                number("enrolments[0][userid]"),
                get("enrolments[0][courseid]"),
            );
            if role != Some(5) || user.is_none() || course.parse::<i64>().is_err() {
                return invalid();
            }
            if course != "42" {
                return exception(
                    "dml_missing_record_exception",
                    "invalidrecord",
                    "Can't find data record in database table course.",
                );
            }
            let user = user.unwrap_or_default();
            let until = form.get("enrolments[0][timeend]").cloned();
            let (id, course) = (rolls.next_id(), course.to_owned());
            rolls.places.retain(|place| place.user != user || place.course != course);
            rolls.places.push(Place { id, user, invited: String::new(), course, active: true, until });
            Value::Null
        }
        "enrol_manual_unenrol_users" => {
            let (Some(user), course) = (number("enrolments[0][userid]"), get("enrolments[0][courseid]"))
            else {
                return invalid();
            };
            for place in rolls.places.iter_mut().filter(|place| place.user == user && place.course == course)
            {
                place.active = false;
            }
            Value::Null
        }
        other => {
            rolls.violation(format!("a function that the service does not have: {other}"));
            exception("webservice_access_exception", "accessexception", "Access control exception")
        }
    }
}

fn exception(kind: &str, code: &str, message: &str) -> Value {
    json!({ "exception": kind, "errorcode": code, "message": message })
}
