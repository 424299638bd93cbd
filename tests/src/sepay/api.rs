//! The transaction API v1 as SePay answers it: newest rows first, strings for money, three requests a second.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{OriginalUri, Query, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::routing::get;
use sepay::Notification;
use sepay::transactions::RETRY_AFTER;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{API_TOKEN, Asked, Desk};

/// Requests that SePay takes within a second.
const A_SECOND: usize = 3;
const MOST: usize = 5_000;

#[derive(Debug, Deserialize)]
struct Asks {
    since_id: Option<i64>,
    limit: Option<usize>,
    transaction_date_min: Option<String>,
    transaction_date_max: Option<String>,
    account_number: Option<String>,
}

pub(super) fn router(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/userapi/transactions/list", get(list))
        .route("/userapi/bankaccounts/list", get(accounts))
        .with_state(desk)
}

async fn list(
    State(desk): State<Arc<Desk>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    Query(asks): Query<Asks>,
) -> Response<Body> {
    let refusal = desk.refuses(&headers).await;
    let answer = refusal.unwrap_or_else(|| desk.transactions(&asks));
    desk.note(&uri, &answer);
    answer
}

async fn accounts(
    State(desk): State<Arc<Desk>>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Response<Body> {
    let refusal = desk.refuses(&headers).await;
    let answer = refusal.unwrap_or_else(|| desk.accounts());
    desk.note(&uri, &answer);
    answer
}

impl Desk {
    fn note(&self, uri: &axum::http::Uri, answer: &Response<Body>) {
        let asked =
            Asked { at: self.clock.now_ms(), what: uri.to_string(), status: answer.status().as_u16() };
        self.asked.lock().expect("no test panics here").push(asked);
    }

    /// What SePay answers instead of rows, if anything.
    async fn refuses(&self, headers: &HeaderMap) -> Option<Response<Body>> {
        let held = self.faults.lock().expect("no test panics here").held.clone();
        if let Some(held) = held {
            held.acquire().await.expect("the test keeps it open").forget();
        }
        let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let mut faults = self.faults.lock().expect("no test panics here");
        if let Some(address) = &faults.elsewhere {
            let answer = Response::builder().status(StatusCode::FOUND).header(header::LOCATION, address);
            return Some(answer.body(Body::empty()).expect("an answer"));
        }
        if faults.broken > 0 {
            faults.broken -= 1;
            return Some(plain(StatusCode::INTERNAL_SERVER_ERROR, "<html>Whoops</html>"));
        }
        if faults.limited.0 > 0 {
            faults.limited.0 -= 1;
            return Some(limited(faults.limited.1));
        }
        if token != Some(&format!("Bearer {API_TOKEN}")) {
            return Some(plain(StatusCode::OK, ""));
        }
        let now = self.clock.now_ms();
        let asked = self.asked.lock().expect("no test panics here");
        let recent = asked.iter().rev().take_while(|asked| (0..1_000).contains(&(now - asked.at))).count();
        (recent >= A_SECOND).then(|| limited(1))
    }

    fn transactions(&self, asks: &Asks) -> Response<Body> {
        let faults = self.faults.lock().expect("no test panics here");
        let fits = |row: &&Notification| {
            let date = row.to_row()["transaction_date"].as_str().map(str::to_owned);
            !faults.hidden.contains(&row.sepay_id)
                && asks.since_id.is_none_or(|id| row.sepay_id >= id)
                && asks.transaction_date_min.as_ref().is_none_or(|min| date.as_ref() >= Some(min))
                && asks.transaction_date_max.as_ref().is_none_or(|max| date.as_ref() <= Some(max))
                && asks.account_number.as_ref().is_none_or(|account| row.account == *account)
        };
        let book = self.book.lock().expect("no test panics here");
        let mut rows: Vec<&Notification> = book.iter().filter(fits).collect();
        rows.sort_by_key(|row| (row.booked_at, row.sepay_id));
        if !faults.oldest_first {
            rows.reverse();
        }
        rows.truncate(asks.limit.unwrap_or(MOST).min(MOST));
        let rows: Vec<Value> = rows
            .into_iter()
            .map(|row| {
                let mut row = row.clone();
                let more = faults.wrong.iter().find(|(id, _)| *id == row.sepay_id);
                row.amount_vnd += more.map_or(0, |(_, more)| *more);
                let mut json = row.to_row();
                if faults.halved.contains(&row.sepay_id) {
                    json["amount_in"] = json!(format!("{}.50", row.amount_vnd));
                }
                json
            })
            .collect();
        envelope("transactions", rows)
    }

    fn accounts(&self) -> Response<Body> {
        let book = self.book.lock().expect("no test panics here");
        let last = book.iter().max_by_key(|row| row.sepay_id);
        let row = last.map(|row| {
            json!({
                "id": "25", "account_holder_name": "NGUYEN VAN AN", "account_number": row.account,
                "accumulated": format!("{}.00", row.accumulated.unwrap_or_default()),
                "bank_short_name": row.gateway, "active": "1",
            })
        });
        envelope("bankaccounts", row.into_iter().collect())
    }
}

fn envelope(name: &str, rows: Vec<Value>) -> Response<Body> {
    let text = json!({ "status": 200, "error": null, "messages": { "success": true }, name: rows });
    plain(StatusCode::OK, &text.to_string())
}

fn limited(seconds: u64) -> Response<Body> {
    let mut answer = plain(StatusCode::TOO_MANY_REQUESTS, "");
    answer.headers_mut().insert(RETRY_AFTER, seconds.into());
    answer
}

fn plain(status: StatusCode, text: &str) -> Response<Body> {
    let answer = Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
    answer.body(Body::from(text.to_owned())).expect("an answer")
}
