//! A stand-in of SePay: a bank's book that grows, the transaction API v1 over it, and the webhook's sender.
//! What SePay does wrong now and then it does when a test says so. Time is the test's clock.

mod api;
mod webhooks;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use sepay::{Direction, Notification};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::MarkedClock;

pub use webhooks::{GAPS_MIN, Tried, Webhooks};

/// The API token that opens the stand-in.
pub const API_TOKEN: &str = "apitoken0123456789abcdefghij";
/// The account that the demo shop has.
pub const ACCOUNT: &str = "0900000699";

/// What goes wrong now.
#[derive(Default)]
pub struct Faults {
    /// So many answers are 500.
    pub broken: usize,
    /// So many answers are a 429 that asks for these many seconds.
    pub limited: (usize, u64),
    /// Rows that the list does not show yet.
    pub hidden: HashSet<i64>,
    /// The list comes oldest first.
    pub oldest_first: bool,
    /// Rows whose amount the list shows with this much more.
    pub wrong: Vec<(i64, i64)>,
    /// The list says half đồng of these rows.
    pub halved: HashSet<i64>,
    /// Answers wait here for a permit each.
    pub held: Option<Arc<Semaphore>>,
    /// Any host redirects to this address.
    pub elsewhere: Option<String>,
}

/// One question that was asked of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// When, ms.
    pub at: i64,
    /// Path and query.
    pub what: String,
    /// The answer's status.
    pub status: u16,
}

/// SePay, for one shop.
pub struct Sepay {
    desk: Arc<Desk>,
    address: SocketAddr,
    ids: AtomicI64,
    balance: AtomicI64,
    listener: JoinHandle<()>,
}

/// What the API's handlers see.
struct Desk {
    clock: Arc<MarkedClock>,
    book: Mutex<Vec<Notification>>,
    faults: Mutex<Faults>,
    asked: Mutex<Vec<Asked>>,
}

impl Sepay {
    /// Opens the API on a port of its own.
    pub async fn open(clock: Arc<MarkedClock>) -> Self {
        let desk = Arc::new(Desk {
            clock,
            book: Mutex::default(),
            faults: Mutex::default(),
            asked: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let router = api::router(desk.clone());
        let listener = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("the stand-in answers");
        });
        // Ids are shared by all shops of SePay, so one shop sees gaps.
        Self { desk, address, ids: AtomicI64::new(71_200_000), balance: AtomicI64::new(5_000_000), listener }
    }

    /// What `sepay.api_base` is to be.
    pub fn base(&self) -> String {
        format!("http://{}/userapi", self.address)
    }

    /// What goes wrong from now on.
    pub fn faults(&self) -> MutexGuard<'_, Faults> {
        self.desk.faults.lock().expect("no test panics here")
    }

    /// Every question so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.desk.asked.lock().expect("no test panics here").clone()
    }

    /// The bank books money in at `at` (ms), and SePay knows of it.
    pub fn receives(&self, at: i64, amount: i64, content: &str) -> Notification {
        self.books(at, Direction::In, amount, content)
    }

    /// The bank books money out.
    pub fn pays(&self, at: i64, amount: i64, content: &str) -> Notification {
        self.books(at, Direction::Out, amount, content)
    }

    fn books(&self, at: i64, direction: Direction, amount_vnd: i64, content: &str) -> Notification {
        let id = self.ids.fetch_add(37, Ordering::SeqCst);
        let change = if direction == Direction::In { amount_vnd } else { -amount_vnd };
        let notification = Notification {
            sepay_id: id,
            gateway: "MBBank".to_owned(),
            // Banks say whole seconds.
            booked_at: Some(at.div_euclid(1000) * 1000),
            account: ACCOUNT.to_owned(),
            sub_account: String::new(),
            code: String::new(),
            content: content.to_owned(),
            description: format!("BankAPINotify {content}"),
            direction,
            amount_vnd,
            accumulated: Some(self.balance.fetch_add(change, Ordering::SeqCst) + change),
            reference: format!("FT{id}"),
        };
        self.desk.book.lock().expect("no test panics here").push(notification.clone());
        notification
    }

    /// SePay's other shops take this many ids.
    pub fn skips(&self, ids: i64) {
        self.ids.fetch_add(ids, Ordering::SeqCst);
    }

    /// The same transaction again under another id, as after an account was linked anew.
    pub fn relinks(&self, notification: &Notification) -> Notification {
        let twin =
            Notification { sepay_id: self.ids.fetch_add(37, Ordering::SeqCst), ..notification.clone() };
        self.desk.book.lock().expect("no test panics here").push(twin.clone());
        twin
    }
}

impl Drop for Sepay {
    fn drop(&mut self) {
        self.listener.abort();
    }
}
