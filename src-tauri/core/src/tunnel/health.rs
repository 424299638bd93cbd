//! Whether the public address leads to our own listener: one request with a number that only we know, over a
//! connection of its own, and a look whether the listener saw the number.

use std::error::Error as _;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::certificate::not_after;
use super::nonces::Nonces;
use crate::ports::Clock;
use crate::reconcile::rest;

/// How long an answer may take while the address is believed to work.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same while it is known not to: the next try follows at once.
const HASTE: Duration = Duration::from_secs(8);
/// Without an answer for this long, a second request is sent beside the first.
const BESIDE: Duration = Duration::from_secs(3);
/// Between a failure and the second look.
const AGAIN: Duration = Duration::from_secs(1);

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The listener saw the number, and its answer came back.
    Reached {
        /// Until when the certificate is good, ms; `None` without TLS.
        certificate_until: Option<i64>,
    },
    /// It did not work.
    Failed {
        /// Stable code, for the UI's catalogue.
        code: &'static str,
        /// Technical words.
        detail: String,
    },
}

impl Verdict {
    fn failed(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Failed { code, detail: detail.into() }
    }

    fn is_good(&self) -> bool {
        matches!(self, Self::Reached { .. })
    }
}

/// Whether this code says that the machine's own network is the cause.
pub(super) fn is_offline(code: &str) -> bool {
    matches!(code, "tunnel_no_network" | "tunnel_server_unreachable")
}

/// Asks. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Prober {
    client: Arc<RwLock<reqwest::Client>>,
    /// Trusted besides the machine's roots; tests only.
    roots: Vec<reqwest::Certificate>,
    nonces: Arc<Nonces>,
    clock: Arc<dyn Clock>,
}

impl Prober {
    /// # Errors
    /// When the machine's TLS cannot be set up.
    pub(super) fn new(nonces: Arc<Nonces>, clock: Arc<dyn Clock>) -> Result<Self, reqwest::Error> {
        Self::trusting(Vec::new(), nonces, clock)
    }

    fn trusting(
        roots: Vec<reqwest::Certificate>,
        nonces: Arc<Nonces>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, reqwest::Error> {
        let client = Arc::new(RwLock::new(client(&roots)?));
        Ok(Self { client, roots, nonces, clock })
    }

    /// Nothing from before is used again.
    pub(super) fn forget_connections(&self) {
        match client(&self.roots) {
            Ok(fresh) => *self.client.write().unwrap_or_else(PoisonError::into_inner) = fresh,
            Err(error) => tracing::error!(%error, "connections from before are kept"),
        }
    }

    /// One request, for an address that is known not to work.
    pub(super) async fn glance(&self, url: &str) -> Verdict {
        self.once(url, HASTE).await
    }

    /// Two requests before it counts as failed, so that one lost packet is no alarm.
    pub(crate) async fn look(&self, url: &str) -> Verdict {
        let first = self.once(url, PATIENCE);
        tokio::pin!(first);
        let early = tokio::select! {
            verdict = &mut first => Some(verdict),
            () = rest(&*self.clock, BESIDE) => None,
        };
        match early {
            Some(verdict) if verdict.is_good() => verdict,
            Some(_) => {
                rest(&*self.clock, AGAIN).await;
                self.once(url, PATIENCE).await
            }
            None => {
                let second = self.once(url, PATIENCE);
                tokio::pin!(second);
                tokio::select! {
                    verdict = &mut first => if verdict.is_good() { verdict } else { second.await },
                    verdict = &mut second => if verdict.is_good() { verdict } else { first.await },
                }
            }
        }
    }

    async fn once(&self, url: &str, patience: Duration) -> Verdict {
        let nonce = self.nonces.make();
        let client = self.client.read().unwrap_or_else(PoisonError::into_inner).clone();
        let request = client
            .get(format!("{}/healthz?n={nonce}", url.trim_end_matches('/')))
            // A page for people that some tunnels put in front is not meant for us.
            .header("ngrok-skip-browser-warning", "1")
            .send();
        let answer = tokio::select! {
            answer = request => answer,
            () = rest(&*self.clock, patience) => {
                let seen = if self.nonces.came(&nonce) { "the request came, its answer did not" } else { "nothing came" };
                return Verdict::failed("tunnel_timeout", format!("{seen} within {} s", patience.as_secs()));
            }
        };
        let seen = self.nonces.came(&nonce);
        match answer {
            Ok(answer) => judge(&answer, seen),
            Err(error) => {
                let (code, detail) = trouble(&error);
                Verdict::failed(code, detail)
            }
        }
    }
}

fn client(roots: &[reqwest::Certificate]) -> Result<reqwest::Client, reqwest::Error> {
    let builder = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .tls_info(true)
        .user_agent(concat!("ChotDon/", env!("CARGO_PKG_VERSION")));
    roots.iter().cloned().fold(builder, reqwest::ClientBuilder::add_root_certificate).build()
}

fn judge(answer: &reqwest::Response, seen: bool) -> Verdict {
    let status = answer.status();
    if seen && status.is_success() {
        let info = answer.extensions().get::<reqwest::tls::TlsInfo>();
        let certificate = info.and_then(reqwest::tls::TlsInfo::peer_certificate);
        return Verdict::Reached { certificate_until: certificate.and_then(not_after) };
    }
    let no_way_in =
        matches!(status.as_u16(), 502..=504 | 520..=530) || answer.headers().contains_key("ngrok-error-code");
    if no_way_in {
        return Verdict::failed(
            "tunnel_bad_gateway",
            format!("the other end of the tunnel answers {status}"),
        );
    }
    let who = if seen { "ours, changed on the way" } else { "not ours" };
    Verdict::failed("tunnel_nonce_not_seen", format!("the address answers {status}, and the answer is {who}"))
}

/// Code and words of a request without an answer.
fn trouble(error: &reqwest::Error) -> (&'static str, String) {
    let mut words = Vec::new();
    let mut offline = false;
    let mut cause = error.source();
    while let Some(one) = cause {
        if let Some(io) = one.downcast_ref::<io::Error>() {
            offline |= matches!(
                io.kind(),
                io::ErrorKind::NetworkUnreachable
                    | io::ErrorKind::HostUnreachable
                    | io::ErrorKind::NetworkDown
            );
        }
        words.push(one.to_string());
        cause = one.source();
    }
    let all = words.join(": ");
    (code(&all, offline), words.last().cloned().unwrap_or_else(|| "no answer".to_owned()))
}

fn code(words: &str, offline: bool) -> &'static str {
    let words = words.to_ascii_lowercase();
    let says = |part: &str| words.contains(part);
    if offline {
        "tunnel_no_network"
    } else if says("dns error") || says("failed to lookup") {
        // "Try again later" comes when no name server answers at all.
        if says("temporary failure") || says("try again") { "tunnel_no_network" } else { "tunnel_dns" }
    } else if says("certificate") {
        if says("expired") { "tunnel_certificate_expired" } else { "tunnel_certificate_invalid" }
    } else {
        "tunnel_refused"
    }
}

#[cfg(test)]
mod tests;
