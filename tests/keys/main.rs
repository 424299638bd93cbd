//! Keys and the record of human actions, seen from outside: a real server, its command line beside it, and somebody who
//! looks over its shoulder.
#![allow(clippy::unwrap_used)] // a test may stop anywhere

mod ages;
#[cfg(target_os = "linux")]
mod memory;
mod record;
mod rotation;
mod timing;

use chotdon_tests::served::{Home, Served};

/// The machine's clock, ms: what the program under test reads.
#[allow(clippy::disallowed_methods)]
fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// A number from the environment, for the long form of a test.
#[allow(clippy::disallowed_methods)]
fn asked(name: &str, short: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(short)
}

/// A server that may be asked.
async fn serve(home: &Home) -> Served {
    let mut served = home.serve().await.unwrap();
    served.token = home.run(&["admin-token"], "").await.unwrap();
    served
}
