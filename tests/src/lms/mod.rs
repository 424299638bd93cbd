//! Learning platforms as stand-ins: small, strict about what the real ones are strict about, each with a roll of
//! users and students, a log of what was asked, and troubles on order. They follow recorded shapes; what a recipe
//! sends that the platform would not understand is kept as a violation.

mod canvas;
mod moodle;
mod open_edx;
mod teachable;
mod thinkific;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// What every stand-in takes for the right key.
pub const KEY: &str = "canary-lms-key-7f3a91";
/// The course that every stand-in has, by the platform's own kind of id.
pub const COURSES: [(&str, &str); 5] = [
    ("moodle", "42"),
    ("teachable", "42"),
    ("thinkific", "42"),
    ("canvas", "42"),
    ("open_edx", "course-v1:An+Rust+2026"),
];

/// Somebody with an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// The platform's number.
    pub id: i64,
    /// Login name.
    pub login: String,
    /// Address.
    pub email: String,
    /// First name, or the whole name where the platform has one field.
    pub first: String,
    /// Last name.
    pub last: String,
}

/// A place in a course.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The platform's number of it.
    pub id: i64,
    /// Account number; 0 for somebody invited by address.
    pub user: i64,
    /// The invited address.
    pub invited: String,
    /// Course.
    pub course: String,
    /// False once it ended.
    pub active: bool,
    /// When it ends, as it was said.
    pub until: Option<String>,
}

/// A trouble that a request runs into, once.
#[derive(Debug, Clone)]
pub struct Trouble {
    /// A part of the request's path or body; `""` fits every request.
    pub at: &'static str,
    /// The status answered instead.
    pub status: u16,
    /// `Retry-After`, or `Location` for a redirect.
    pub header: Option<(&'static str, String)>,
    /// The body answered instead.
    pub body: String,
    /// True when the platform did what was asked before it answered so.
    pub done: bool,
}

/// What a platform knows.
#[derive(Debug, Default)]
pub struct Rolls {
    /// Everybody with an account.
    pub accounts: Vec<Account>,
    /// Every place ever given.
    pub places: Vec<Place>,
    /// What was asked, as `POST /path` or the name of the function.
    pub calls: Vec<String>,
    /// What no real platform would have understood.
    pub violations: Vec<String>,
    troubles: VecDeque<Trouble>,
    last_id: i64,
}

impl Rolls {
    fn next_id(&mut self) -> i64 {
        self.last_id = self.last_id.max(100) + 1;
        self.last_id
    }

    /// Gives somebody an account, as a platform's own desk would.
    pub fn open_account(&mut self, email: &str) -> i64 {
        let id = self.next_id();
        let login = email.to_lowercase();
        self.accounts.push(Account { id, login, email: email.to_owned(), ..Account::default() });
        id
    }

    /// Gives an account a place, as a platform's own desk would.
    pub fn seat(&mut self, user: i64, course: &str) -> i64 {
        let id = self.next_id();
        let course = course.to_owned();
        self.places.push(Place { id, user, invited: String::new(), course, active: true, until: None });
        id
    }

    fn by_email(&self, email: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.email.to_lowercase() == email.to_lowercase())
    }

    fn by_id(&self, id: i64) -> Option<&Account> {
        self.accounts.iter().find(|account| account.id == id)
    }

    fn violation(&mut self, what: impl Into<String>) {
        self.violations.push(what.into());
    }

    /// Addresses of those with an active place, sorted.
    pub fn students(&self) -> Vec<String> {
        let active = self.places.iter().filter(|place| place.active);
        let mut students: Vec<String> = active
            .map(|place| {
                self.by_id(place.user).map_or(place.invited.clone(), |account| account.email.clone())
            })
            .collect();
        students.sort();
        students
    }
}

type Shared = Arc<Mutex<Rolls>>;

/// A running stand-in.
#[derive(Debug)]
pub struct School {
    /// Its address.
    pub url: String,
    /// Name of its recipe.
    pub recipe: &'static str,
    /// Its course.
    pub course: &'static str,
    rolls: Shared,
}

impl School {
    /// Starts the stand-in that the recipe `name` is for.
    ///
    /// # Panics
    /// When there is none of that name.
    pub async fn start(name: &str) -> Self {
        let (recipe, course) =
            COURSES.into_iter().find(|(known, _)| *known == name).expect("a known platform");
        let rolls = Shared::default();
        let router = match recipe {
            "moodle" => moodle::router(),
            "teachable" => teachable::router(),
            "thinkific" => thinkific::router(),
            "canvas" => canvas::router(),
            _ => open_edx::router(),
        };
        let router = router.layer(from_fn_with_state(rolls.clone(), met)).with_state(rolls.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a bound address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, recipe, course, rolls }
    }

    /// What it knows.
    pub fn rolls(&self) -> MutexGuard<'_, Rolls> {
        self.rolls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next request that fits runs into this.
    pub fn trouble(&self, trouble: Trouble) {
        self.rolls().troubles.push_back(trouble);
    }

    /// The next request that fits is answered with this status, and nothing is done.
    pub fn refuses(&self, at: &'static str, status: u16) {
        self.trouble(Trouble { at, status, header: None, body: "{}".to_owned(), done: false });
    }

    /// The next request that fits is done and answered with 502.
    pub fn loses_the_answer(&self, at: &'static str) {
        self.trouble(Trouble { at, status: 502, header: None, body: String::new(), done: true });
    }

    /// How often something was asked whose name contains `part`.
    pub fn asked(&self, part: &str) -> usize {
        self.rolls().calls.iter().filter(|call| call.contains(part)).count()
    }

    /// The enrolment of a course that is taught here, as the owner writes it.
    pub fn enrolment(&self, secret: &str) -> Value {
        let mut spec = json!({ "kind": "recipe", "name": self.recipe, "base_url": self.url, "course": self.course, "secret": secret });
        match self.recipe {
            "thinkific" => spec["fields"] = json!({ "subdomain": "an" }),
            "open_edx" => spec["fields"] = json!({ "client_id": "chotdon" }),
            _ => {}
        }
        spec
    }
}

/// Troubles come before the platform.
async fn met(State(rolls): State<Shared>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap_or_default();
    let seen = format!("{} {} {}", parts.method, parts.uri, String::from_utf8_lossy(&bytes));
    let trouble = {
        let mut rolls = lock(&rolls);
        let at = rolls.troubles.iter().position(|trouble| seen.contains(trouble.at));
        at.and_then(|at| rolls.troubles.remove(at))
    };
    let Some(trouble) = trouble else {
        return next.run(Request::from_parts(parts, Body::from(bytes))).await;
    };
    if trouble.done {
        next.run(Request::from_parts(parts, Body::from(bytes))).await;
    }
    let status = StatusCode::from_u16(trouble.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, trouble.body).into_response();
    if let Some((name, value)) = trouble.header {
        response.headers_mut().insert(name, value.parse().expect("a header"));
    }
    response
}

fn lock(rolls: &Shared) -> MutexGuard<'_, Rolls> {
    rolls.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer(status: u16, body: Value) -> Response {
    (StatusCode::from_u16(status).unwrap_or(StatusCode::OK), axum::Json(body)).into_response()
}

/// The pairs of a form body, which has to say that it is one.
fn form(rolls: &mut Rolls, headers: &HeaderMap, body: &Bytes) -> BTreeMap<String, String> {
    if header(headers, "content-type") != "application/x-www-form-urlencoded" {
        rolls.violation("a form that does not say so");
    }
    url::form_urlencoded::parse(body).into_owned().collect()
}

/// A JSON body, which has to say that it is one.
fn body_json(rolls: &mut Rolls, headers: &HeaderMap, body: &Bytes) -> Value {
    if header(headers, "content-type") != "application/json" {
        rolls.violation("JSON that does not say so");
    }
    serde_json::from_slice(body).unwrap_or_else(|error| {
        rolls.violation(format!("JSON that is none: {error}"));
        Value::Null
    })
}

fn header(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn log(rolls: &mut Rolls, method: &Method, what: &str) {
    rolls.calls.push(format!("{method} {what}"));
}
