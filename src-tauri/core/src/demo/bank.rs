//! The demo's bank, as SePay's transaction API v1 shows it: every transfer that was simulated, those whose webhook
//! was lost among them. Reconciliation asks it like SePay itself, over HTTP, on a loopback port of its own.
//!
//! Serves only a demo shop without an API token of the owner's; the book is `demo-bank.jsonl` in the data directory.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use secrecy::{ExposeSecret, SecretString};
use sepay::{Notification, transactions};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::reconcile::Door;
use crate::secrets::same;

/// Rows of one answer at most, as SePay says.
const MOST: usize = 5_000;
const BOOK: &str = "demo-bank.jsonl";

/// The bank of one demo shop. Cheap to clone.
#[derive(Clone)]
pub(crate) struct DemoBank(Arc<Bank>);

struct Bank {
    addr: SocketAddr,
    token: SecretString,
    path: PathBuf,
    book: Mutex<Vec<Notification>>,
}

#[derive(Debug, Deserialize)]
struct Asked {
    since_id: Option<i64>,
    limit: Option<usize>,
    transaction_date_min: Option<String>,
    transaction_date_max: Option<String>,
    account_number: Option<String>,
}

impl DemoBank {
    /// Opens the book, and a port that answers once [`DemoBank::router`] is served on it.
    ///
    /// # Errors
    /// When the book cannot be read or no port be had.
    pub(crate) async fn open(data_dir: &std::path::Path) -> io::Result<(Self, TcpListener)> {
        let path = data_dir.join(BOOK);
        let text = match tokio::fs::read_to_string(&path).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text?,
        };
        // A line that was cut off by a crash was never answered for.
        let book = text.lines().filter_map(|line| transactions::parse_row(line).ok()).collect();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let token = SecretString::from(format!("{:032x}", rand::random::<u128>()));
        let bank = Bank { addr: listener.local_addr()?, token, path, book: Mutex::new(book) };
        Ok((Self(Arc::new(bank)), listener))
    }

    /// Where it is, and what opens it.
    pub(crate) fn door(&self) -> Door {
        Door { base: format!("http://{}/userapi", self.0.addr), token: self.0.token.clone() }
    }

    /// Writes a transfer into the book; one that is there already stays as it is.
    ///
    /// # Errors
    /// When the book cannot be written.
    pub(crate) fn book(&self, transfer: &Notification) -> io::Result<()> {
        let mut book = self.lock();
        if book.iter().any(|row| row.sepay_id == transfer.sepay_id) {
            return Ok(());
        }
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&self.0.path)?;
        file.write_all(format!("{}\n", transfer.to_row()).as_bytes())?;
        book.push(transfer.clone());
        Ok(())
    }

    pub(crate) fn router(&self) -> Router {
        Router::new()
            .route("/userapi/transactions/list", get(list))
            .route("/userapi/bankaccounts/list", get(accounts))
            .with_state(self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Notification>> {
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn opens(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        same(self.0.token.expose_secret(), given)
    }
}

/// The newest rows of what was asked for, newest first.
async fn list(State(bank): State<DemoBank>, headers: HeaderMap, Query(asked): Query<Asked>) -> Response {
    if !bank.opens(&headers) {
        return StatusCode::OK.into_response();
    }
    let fits = |id: i64, row: &Value| {
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let date = text("transaction_date");
        asked.since_id.is_none_or(|since| id >= since)
            && asked.transaction_date_min.as_ref().is_none_or(|min| date >= *min)
            && asked.transaction_date_max.as_ref().is_none_or(|max| date <= *max)
            && asked.account_number.as_ref().is_none_or(|account| text("account_number") == *account)
    };
    let mut book = bank.lock().clone();
    book.sort_by_key(|row| std::cmp::Reverse((row.booked_at, row.sepay_id)));
    let rows = book.iter().map(|row| (row.sepay_id, row.to_row())).filter(|(id, row)| fits(*id, row));
    envelope("transactions", rows.map(|(_, row)| row).take(asked.limit.unwrap_or(MOST).min(MOST)).collect())
}

/// The accounts that money came to; a demo bank tells no balances.
async fn accounts(State(bank): State<DemoBank>, headers: HeaderMap) -> Response {
    if !bank.opens(&headers) {
        return StatusCode::OK.into_response();
    }
    let mut known: Vec<(String, String)> =
        bank.lock().iter().map(|row| (row.account.clone(), row.gateway.clone())).collect();
    known.sort();
    known.dedup();
    let rows = known.into_iter().map(|(account, gateway)| {
        json!({ "account_number": account, "bank_short_name": gateway, "accumulated": "0.00", "active": "1" })
    });
    envelope("bankaccounts", rows.collect())
}

fn envelope(name: &str, rows: Vec<Value>) -> Response {
    Json(json!({ "status": 200, "error": null, "messages": { "success": true }, name: rows })).into_response()
}
