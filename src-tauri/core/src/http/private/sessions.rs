//! Sessions of browsers: in memory, so a restart logs everyone out; bound to the token they were opened with,
//! so a revoked token ends them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use axum::http::header;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

const NAME: &str = "chotdon_session";
/// A session ends when it was not used for this long, ms.
const IDLE_MS: i64 = 12 * 3600 * 1000;
/// A session ends this long after its login, however much it is used, ms.
const LIFE_MS: i64 = 7 * 24 * 3600 * 1000;
/// More than one owner's browsers ever need; the longest unused goes first.
const MOST: usize = 64;
/// So many wrong tokens within the window, and logins wait for its end. The token is 256 bits: this keeps
/// the log readable rather than the token secret.
const FAILURES: usize = 10;
const WINDOW_MS: i64 = 60_000;

/// Makes the browser forget the cookie.
pub(super) const TAKE_BACK: &str = "chotdon_session=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0";

#[derive(Default)]
pub(super) struct Sessions {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// By the hash of the id: a lookup then tells nothing about ids by its duration.
    open: HashMap<[u8; 32], Session>,
    failures: VecDeque<i64>,
}

struct Session {
    token: [u8; 32],
    opened_at: i64,
    used_at: i64,
}

impl Session {
    fn is_over(&self, now: i64) -> bool {
        now.saturating_sub(self.used_at) >= IDLE_MS || now.saturating_sub(self.opened_at) >= LIFE_MS
    }
}

impl Sessions {
    /// Opens a session for a holder of `token` and returns the cookie, `secure` for browsers that came by https. The id
    /// is always a new one: whatever the browser had before is not taken over.
    pub(super) fn open(&self, token: &SecretString, secure: bool, now: i64) -> String {
        let id = hex::encode(rand::random::<[u8; 32]>());
        let mut inner = self.inner();
        inner.open.retain(|_, session| !session.is_over(now));
        if inner.open.len() >= MOST {
            let oldest = inner.open.iter().min_by_key(|(_, session)| session.used_at).map(|(id, _)| *id);
            oldest.and_then(|id| inner.open.remove(&id));
        }
        inner
            .open
            .insert(hash(&id), Session { token: hash(token.expose_secret()), opened_at: now, used_at: now });
        let secure = if secure { "; Secure" } else { "" };
        format!("{NAME}={id}; HttpOnly; SameSite=Strict; Path=/; Max-Age={}{secure}", LIFE_MS / 1000)
    }

    /// Whether the session is good, which keeps it so for another 12 hours, up to its last day.
    pub(super) fn touch(&self, id: &str, tokens: &[SecretString], now: i64) -> bool {
        let mut inner = self.inner();
        let key = hash(id);
        let Some(session) = inner.open.get_mut(&key) else { return false };
        if session.is_over(now) || !tokens.iter().any(|token| hash(token.expose_secret()) == session.token) {
            inner.open.remove(&key);
            return false;
        }
        session.used_at = now;
        true
    }

    /// Ends a session; false when there was none.
    pub(super) fn close(&self, id: &str) -> bool {
        self.inner().open.remove(&hash(id)).is_some()
    }

    pub(super) fn note_failure(&self, now: i64) {
        let mut inner = self.inner();
        inner.failures.push_back(now);
        while inner.failures.len() > FAILURES {
            inner.failures.pop_front();
        }
    }

    /// Seconds until the next login may be tried; `None` when now.
    pub(super) fn throttled(&self, now: i64) -> Option<i64> {
        let inner = self.inner();
        let first = inner.failures.front().filter(|_| inner.failures.len() >= FAILURES)?;
        let left = first.saturating_add(WINDOW_MS).saturating_sub(now);
        // A clock that was set back must not lock the owner out.
        (1..=WINDOW_MS).contains(&left).then(|| (left + 999) / 1000)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The session id of a request.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(NAME)?.strip_prefix('='))
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}
