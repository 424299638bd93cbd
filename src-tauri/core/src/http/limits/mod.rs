//! How much the public listener does for whom: rates by kind of route and caller, and requests at once.
//!
//! Who has a key is judged by the outcome: only what was refused is paid for, so that no flood of strangers takes
//! anything from SePay. The public listener's door asks; `listen` caps connections before.

mod bucket;
mod client;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::header;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

pub(crate) use client::{Client, address, client, is_network, listed};

use crate::config::LimitsConfig;
use crate::views::Problem;
use bucket::{Bucket, Buckets, Rate};

/// Seconds' worth that a visitor may take at once.
const VISITOR_BURST: u32 = 5;
/// The same for refused requests: a wrong key is usually tried again and again.
const REFUSED_BURST: u32 = 4;
/// The same for what all take together, and for a storefront.
const SHARED_BURST: u32 = 2;

/// Too much was asked; seconds until it may be asked again, 1 at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMuch(pub(crate) i64);

impl TooMuch {
    fn of(wait_ms: i64) -> Self {
        Self((wait_ms.saturating_add(999) / 1_000).max(1))
    }

    /// The same answer in other words.
    pub(crate) fn dress(self, mut response: Response) -> Response {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(self.0));
        response
    }
}

impl IntoResponse for TooMuch {
    fn into_response(self) -> Response {
        let detail = format!("Too many requests; ask again in {} s.", self.0);
        let mut response =
            self.dress(Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail).into_response());
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// What everybody has asked for lately.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    clients: Buckets,
    all: Mutex<All>,
    inside: Arc<Mutex<HashMap<Client, u32>>>,
}

#[derive(Debug, Default)]
struct All {
    visitors: Bucket,
    refused: Bucket,
}

#[derive(Hash)]
enum Of<'a> {
    Visitor(Client),
    Refused(Client),
    /// By the header with the key, once it was found good.
    Key(&'a [u8]),
    /// Whether the key was found good.
    Good(&'a [u8]),
}

impl Limits {
    /// A request to what anyone may open: pages, downloads, paths that do not exist.
    ///
    /// # Errors
    /// [`TooMuch`].
    pub(crate) fn visit(&self, client: Client, figures: &LimitsConfig, now: i64) -> Result<(), TooMuch> {
        if client != Client::Shared {
            let rate = Rate::new(figures.visitor_per_s, figures.visitor_per_s.saturating_mul(VISITOR_BURST));
            let key = self.clients.key(Of::Visitor(client));
            self.clients.with(key, |bucket| bucket.take(rate, now)).map_err(TooMuch::of)?;
        }
        let rate = Rate::new(figures.visitors_per_s, figures.visitors_per_s.saturating_mul(SHARED_BURST));
        self.all(|all| all.visitors.take(rate, now))
    }

    /// A request whose key was wrong or missing. `Err` when there were too many: it is told so instead.
    ///
    /// # Errors
    /// [`TooMuch`].
    pub(crate) fn refused(&self, client: Client, figures: &LimitsConfig, now: i64) -> Result<(), TooMuch> {
        if !figures.enabled {
            return Ok(());
        }
        if client != Client::Shared {
            let key = self.clients.key(Of::Refused(client));
            self.clients.with(key, |bucket| bucket.take(refusals(figures), now)).map_err(TooMuch::of)?;
        }
        let per_s = figures.refused_total_per_s;
        let rate = Rate::new(per_s, per_s.saturating_mul(REFUSED_BURST));
        self.all(|all| all.refused.take(rate, now))
    }

    /// Before a key is looked up: one that was good lately has a rate of its own; of a caller who was refused too
    /// often no other key is looked up.
    ///
    /// # Errors
    /// [`TooMuch`].
    pub(crate) fn before_key(
        &self,
        client: Client,
        key: Option<&HeaderValue>,
        figures: &LimitsConfig,
        now: i64,
    ) -> Result<(), TooMuch> {
        if let Some(key) = key.map(HeaderValue::as_bytes)
            && self.is_good(key, now)
        {
            let rate = Rate::new(figures.key_per_s, figures.key_per_s.saturating_mul(SHARED_BURST));
            let own = self.clients.key(Of::Key(key));
            return self.clients.with(own, |bucket| bucket.take(rate, now)).map_err(TooMuch::of);
        }
        if client == Client::Shared {
            return Ok(());
        }
        let refused = self.clients.key(Of::Refused(client));
        self.clients.with(refused, |bucket| bucket.left(refusals(figures), now)).map_err(TooMuch::of)
    }

    /// Remembers that the key in this header is good, for an hour.
    pub(crate) fn good_key(&self, key: &HeaderValue, now: i64) {
        let place = self.clients.key(Of::Good(key.as_bytes()));
        self.clients.with(place, |bucket| bucket.hold_until(now.saturating_add(GOOD_MS)));
    }

    fn is_good(&self, key: &[u8], now: i64) -> bool {
        let place = self.clients.key(Of::Good(key));
        self.clients.with(place, |bucket| bucket.holds(now, GOOD_MS))
    }

    /// A request of a known caller that is being answered; none when it has too many already.
    pub(crate) fn enter(&self, client: Client, most: u32) -> Result<Option<Inside>, TooMuch> {
        if client == Client::Shared {
            return Ok(None);
        }
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let count = inside.entry(client).or_default();
        if *count >= most.max(1) {
            return Err(TooMuch(1));
        }
        *count += 1;
        Ok(Some(Inside { client, inside: Arc::clone(&self.inside) }))
    }

    fn all(&self, act: impl FnOnce(&mut All) -> Result<(), i64>) -> Result<(), TooMuch> {
        act(&mut self.all.lock().unwrap_or_else(PoisonError::into_inner)).map_err(TooMuch::of)
    }
}

/// How long a key that was good is taken for good, ms. It only decides whose rate counts.
const GOOD_MS: i64 = 3_600_000;

fn refusals(figures: &LimitsConfig) -> Rate {
    Rate::new(figures.refused_per_s, figures.refused_per_s.saturating_mul(REFUSED_BURST))
}

/// A request that is being answered, until it is dropped.
#[derive(Debug)]
pub(crate) struct Inside {
    client: Client,
    inside: Arc<Mutex<HashMap<Client, u32>>>,
}

impl Drop for Inside {
    fn drop(&mut self) {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = inside.get_mut(&self.client) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                inside.remove(&self.client);
            }
        }
    }
}

/// The value of the header that keys come in.
pub(crate) fn key_of(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(header::AUTHORIZATION)
}

#[cfg(test)]
mod tests;
