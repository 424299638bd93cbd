//! The way from the internet to the public listener: a supervised program or the owner's own proxy, and whether it works.
//!
//! [`Tunnel`] is what the rest of the shop asks: the public address, the state, the numbers of health checks. `life`
//! runs it, `launch` starts programs, `said` reads what they say, `health` looks through the public address, `tell`
//! tells the owner. The listeners and the admin API are elsewhere.

mod backoff;
mod certificate;
mod health;
mod launch;
mod life;
mod nonces;
mod output;
mod said;
mod tell;
mod words;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, watch};
use url::{Host, Url};

use crate::config::{Config, TunnelKind};
use crate::ports::Clock;

pub(crate) use health::{Prober, Verdict};
pub(crate) use life::live;
pub(crate) use nonces::Nonces;
pub(crate) use output::{Output, Said};
pub(crate) use words::{ROUTE, words};

/// How long states are remembered, ms.
const REMEMBERED_MS: i64 = 24 * 3_600_000;
/// States that are remembered at most.
const REMEMBERED: usize = 500;

/// Whether the public address leads to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// There is no public address.
    Off,
    /// Not known yet.
    Starting,
    /// It does.
    Up,
    /// It does, but something needs the owner soon.
    Degraded,
    /// It does not.
    Down,
}

impl Reach {
    /// As stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Starting => "starting",
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Down => "down",
        }
    }
}

/// How the public address is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// What is supervised.
    pub kind: TunnelKind,
    /// Whether it works.
    pub state: Reach,
    /// Why not, or what is about to be wrong: a code for the UI's catalogue.
    pub reason: Option<&'static str>,
    /// Technical words to the reason.
    pub detail: Option<String>,
    /// Since when it has been so, ms UTC.
    pub since: i64,
    /// The address, without a slash at the end.
    pub public_url: Option<String>,
    /// Starts of the program after the first, since the app runs.
    pub restarts: u64,
    /// Until when the address's certificate is good, ms UTC; `None` without TLS or before the first check.
    pub certificate_until: Option<i64>,
    /// When it last worked, ms UTC.
    pub reached_at: Option<i64>,
}

/// A state that was, from `at` (ms) on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) at: i64,
    pub(crate) state: Reach,
    pub(crate) reason: Option<&'static str>,
}

/// An authentic webhook that came through the public address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RoundTrip {
    /// When, ms UTC.
    pub(crate) at: i64,
}

/// What is wished of the part that runs the tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// Settings or the key may have changed.
    Look,
    /// The owner wants it started anew.
    Restart,
}

/// The public address of the shop. One for all.
pub(crate) struct Tunnel {
    clock: Arc<dyn Clock>,
    dir: PathBuf,
    listener: SocketAddr,
    nonces: Arc<Nonces>,
    prober: Prober,
    output: Output,
    state: watch::Sender<State>,
    past: Mutex<VecDeque<Moment>>,
    round_trip: Mutex<Option<RoundTrip>>,
    wishes: mpsc::Sender<Wish>,
    inbox: Mutex<Option<mpsc::Receiver<Wish>>>,
}

impl Tunnel {
    /// A tunnel to `listener` that rests until [`live`]; its files lie in `dir`.
    ///
    /// # Errors
    /// When the machine's TLS cannot be set up.
    pub(crate) fn new(
        dir: PathBuf,
        listener: SocketAddr,
        config: &Config,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, reqwest::Error> {
        let (wishes, inbox) = mpsc::channel(16);
        let nonces = Arc::new(Nonces::default());
        let prober = Prober::new(nonces.clone(), clock.clone())?;
        let state = State {
            kind: config.tunnel.kind,
            state: Reach::Off,
            reason: None,
            detail: None,
            since: clock.now_ms(),
            public_url: address(config, None),
            restarts: 0,
            certificate_until: None,
            reached_at: None,
        };
        Ok(Self {
            clock,
            dir,
            listener,
            nonces,
            prober,
            output: Output::default(),
            state: watch::Sender::new(state),
            past: Mutex::default(),
            round_trip: Mutex::default(),
            wishes,
            inbox: Mutex::new(Some(inbox)),
        })
    }

    /// How it is now.
    pub(crate) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// The address that customers and SePay use, without a slash at the end; `None` when there is none but the
    /// listener's own.
    pub(crate) fn public_url(&self) -> Option<String> {
        self.state.borrow().public_url.clone()
    }

    /// The header in which our tunnel says who asks; empty = it says nothing. Cloudflare sets its own, ngrok adds the
    /// last entry of its.
    pub(crate) fn client_ip_header(&self) -> &'static str {
        match self.state.borrow().kind {
            TunnelKind::Cloudflared => "cf-connecting-ip",
            TunnelKind::Ngrok => "x-forwarded-for",
            TunnelKind::None | TunnelKind::Ssh | TunnelKind::Command => "",
        }
    }

    /// The public listener was asked for `/healthz` with this query.
    pub(crate) fn asked(&self, query: &str) {
        if let Some(nonce) = query.strip_prefix("n=") {
            self.nonces.seen(nonce);
        }
    }

    /// An authentic webhook came, asked for at `host`; true when that is the public address.
    pub(crate) fn webhook_came(&self, host: Option<&str>) -> bool {
        let ours = self.public_url().and_then(|url| Some(authority(&Url::parse(&url).ok()?)));
        let through = match (ours, host) {
            (Some(ours), Some(host)) => ours.eq_ignore_ascii_case(host),
            _ => false,
        };
        if through {
            *lock(&self.round_trip) = Some(RoundTrip { at: self.clock.now_ms() });
        }
        through
    }

    /// The last authentic webhook that came through the public address, since the app runs.
    pub(crate) fn round_trip(&self) -> Option<RoundTrip> {
        *lock(&self.round_trip)
    }

    /// What the program said last.
    pub(crate) fn output(&self) -> Vec<Said> {
        self.output.lines()
    }

    /// The states of the last 24 hours, oldest first.
    pub(crate) fn past(&self) -> Vec<Moment> {
        lock(&self.past).iter().cloned().collect()
    }

    /// Looks through the public address now, beside the regular checks; `None` when there is none.
    pub(crate) async fn look(&self) -> Option<Verdict> {
        let url = self.public_url()?;
        Some(self.prober.look(&url).await)
    }

    /// Settings or the key may have changed.
    pub(crate) fn reconsider(&self) {
        // A full queue holds a wish to look already.
        let _ = self.wishes.try_send(Wish::Look);
    }

    /// Starts the program anew, now.
    pub(crate) fn restart(&self) {
        let _ = self.wishes.try_send(Wish::Restart);
    }

    fn show(&self, change: impl FnOnce(&mut State)) -> bool {
        let now = self.clock.now_ms();
        self.state.send_if_modified(|state| {
            let before = state.clone();
            change(state);
            if state.state != before.state {
                state.since = now;
            }
            if (state.state, state.reason) != (before.state, before.reason) {
                let mut past = lock(&self.past);
                past.push_back(Moment { at: now, state: state.state, reason: state.reason });
                while past.len() > REMEMBERED || past.get(1).is_some_and(|next| next.at < now - REMEMBERED_MS)
                {
                    past.pop_front();
                }
            }
            *state != before
        })
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The public address by these settings; `found` is what the program says.
fn address(config: &Config, found: Option<&str>) -> Option<String> {
    let fixed = config.public.base_url.as_deref();
    let url = match config.tunnel.kind {
        TunnelKind::None => fixed,
        _ => config.tunnel.url.as_deref().or(found).or(fixed),
    };
    url.map(|url| url.trim_end_matches('/').to_owned())
}

/// Whether the address is this machine's own, which no check needs to look at.
fn is_loopback(url: &str) -> bool {
    match Url::parse(url).as_ref().map(Url::host) {
        Ok(Some(Host::Domain(name))) => name == "localhost" || name.ends_with(".localhost"),
        Ok(Some(Host::Ipv4(ip))) => IpAddr::V4(ip).is_loopback(),
        Ok(Some(Host::Ipv6(ip))) => IpAddr::V6(ip).is_loopback(),
        _ => true,
    }
}

/// As a `Host` header says it.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::SystemClock;

    fn config(kind: TunnelKind, url: Option<&str>, base: Option<&str>) -> Config {
        let mut config = Config::default();
        config.tunnel.kind = kind;
        config.tunnel.url = url.map(str::to_owned);
        config.public.base_url = base.map(str::to_owned);
        config
    }

    #[test]
    fn one_rule_says_what_the_public_address_is() {
        use TunnelKind::{Cloudflared, None as Nothing};
        let (own, found, base) =
            (Some("https://own.example/"), Some("https://found.example"), Some("https://base.example"));
        for (kind, own, found, base, expected) in [
            (Cloudflared, own, found, base, Some("https://own.example")),
            (Cloudflared, None, found, base, found),
            (Cloudflared, None, None, base, base),
            (Cloudflared, None, None, None, None),
            (Nothing, own, found, base, base),
            (Nothing, own, found, None, None),
        ] {
            assert_eq!(address(&config(kind, own, base), found).as_deref(), expected);
        }
    }

    #[test]
    fn a_webhook_counts_as_through_the_public_address_by_its_host() {
        let config = config(TunnelKind::Command, Some("https://shop.example"), None);
        let listener = "127.0.0.1:8686".parse().unwrap();
        let tunnel = Tunnel::new(PathBuf::new(), listener, &config, Arc::new(SystemClock)).unwrap();
        assert!(!tunnel.webhook_came(Some("127.0.0.1:8686")) && !tunnel.webhook_came(None));
        assert_eq!(tunnel.round_trip(), None);
        assert!(tunnel.webhook_came(Some("SHOP.example")));
        assert!(tunnel.round_trip().is_some());
    }

    #[test]
    fn what_was_a_day_ago_is_forgotten() {
        let config = config(TunnelKind::Command, Some("https://shop.example"), None);
        let listener = "127.0.0.1:8686".parse().unwrap();
        let tunnel = Tunnel::new(PathBuf::new(), listener, &config, Arc::new(SystemClock)).unwrap();
        for n in 0..2 * REMEMBERED {
            let state = if n % 2 == 0 { Reach::Up } else { Reach::Down };
            tunnel.show(|now| now.state = state);
        }
        assert_eq!(tunnel.past().len(), REMEMBERED);
    }

    #[test]
    fn only_other_machines_addresses_are_looked_at() {
        for (url, own) in [
            ("http://127.0.0.1:8686", true),
            ("http://localhost:8686", true),
            ("http://[::1]:8686", true),
            ("https://shop.example", false),
            ("https://192.168.1.2", false),
        ] {
            assert_eq!(is_loopback(url), own, "{url}");
        }
    }
}
