//! Runs the tunnel: starts its program, looks whether the public address works, starts it again when not.
//!
//! A program that lives proves nothing: only a check does (`health`). Everything is measured by the `Clock` port.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::backoff::Backoff;
use super::health::is_offline;
use super::launch::{self, KeyFile, Prepared};
use super::said::{Meaning, meaning};
use super::tell::Teller;
use super::{Reach, Tunnel, Verdict, Wish, address, is_loopback, lock};
use crate::config::{Config, TunnelConfig, TunnelKind};
use crate::ports::Probe;
use crate::programs::Child;
use crate::reconcile::{Reconciler, rest};
use crate::secrets::SecretName;
use crate::shop::Floor;

/// Between two checks of an address that does not work yet, or not any more.
const SOON_MS: i64 = 5_000;
/// The first checks after a start.
const FIRST_MS: i64 = 1_500;
/// A name that was made just now is not known everywhere at once, and a no is remembered by name servers.
const FRESH_NAME_MS: i64 = 6_000;
/// How long a program may take to connect before it is started again.
const GRACE_MS: i64 = 20_000;
/// A tunnel that worked for this long begins its waits anew.
const STABLE_MS: i64 = 120_000;
/// After this a key file is removed whatever the program says.
const KEY_FILE_MS: i64 = 10_000;
/// How long a program may take to end.
const END: Duration = Duration::from_secs(3);
/// How long the last words of a program that ended may take to come.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// A certificate that ends within this is told.
const CERTIFICATE_SOON_MS: i64 = 14 * 86_400_000;

/// Runs the tunnel until `stop`.
pub(crate) async fn live(floor: Floor, reconciler: Reconciler, stop: CancellationToken) {
    let tunnel = floor.tunnel.clone();
    let Some(mut wishes) = lock(&tunnel.inbox).take() else { return };
    if let Err(error) = launch::clean(&tunnel.dir) {
        tracing::error!(%error, "the tunnel's directory cannot be used");
    }
    let mut wakes = floor.wake.hear();
    let mut life = Life::new(floor, tunnel, reconciler, stop.clone());
    life.look_at_settings().await;
    loop {
        life.step().await;
        let wait = life.wait();
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            wish = wishes.recv() => match wish {
                Some(Wish::Look) => life.look_at_settings().await,
                Some(Wish::Restart) => life.start_anew().await,
                None => break,
            },
            _ = wakes.changed() => life.woke().await,
            news = news(&mut life.running) => match news {
                News::Line(line) => life.heard(&line),
                News::Ended(status) => life.ended(status).await,
            },
            verdict = checked(&mut life.check) => life.judge(verdict).await,
            () = due(&life.floor, wait) => {}
        }
    }
    life.end_program(END).await;
}

/// A program that runs.
struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
    started_at: i64,
    key_file: Option<KeyFile>,
    /// Why it does not work, in its own words.
    trouble: Option<&'static str>,
}

enum News {
    Line(String),
    /// Exit code; `None` by a signal.
    Ended(Option<i32>),
}

async fn news(running: &mut Option<Running>) -> News {
    let Some(running) = running else { return std::future::pending().await };
    tokio::select! {
        biased;
        Some(line) = running.lines.recv() => News::Line(line),
        status = running.child.wait() => News::Ended(status.ok().and_then(|status| status.code())),
    }
}

async fn checked(check: &mut Option<AbortOnDropHandle<Verdict>>) -> Verdict {
    let Some(under_way) = check else { return std::future::pending().await };
    let verdict = under_way.await;
    *check = None;
    verdict.unwrap_or_else(|error| Verdict::Failed { code: "internal", detail: error.to_string() })
}

async fn at(probe: &Probe, point: &str) {
    if let Some(probe) = probe {
        probe(point).await;
    }
}

async fn due(floor: &Floor, wait: Option<i64>) {
    match wait {
        Some(ms) => rest(&*floor.clock, Duration::from_millis(u64::try_from(ms).unwrap_or(0))).await,
        None => std::future::pending().await,
    }
}

/// What it is all made of: another one is another tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Plan {
    config: TunnelConfig,
    base_url: Option<String>,
    /// Of the key, so that it need not be kept.
    key: Option<[u8; 32]>,
}

struct Life {
    floor: Floor,
    tunnel: Arc<Tunnel>,
    teller: Teller,
    plan: Option<Plan>,
    running: Option<Running>,
    /// When the program is to be started, ms.
    start_at: Option<i64>,
    /// Whether it was started before, so that the next start is one more.
    started: bool,
    backoff: Backoff,
    check: Option<AbortOnDropHandle<Verdict>>,
    /// When the next check begins, ms.
    check_at: i64,
    /// The address that the program told.
    found: Option<String>,
    /// Why the program's last run came to nothing.
    trouble: Option<(&'static str, String)>,
    /// Whether the last check failed for want of a network.
    offline: bool,
    /// Since when it works, ms.
    up_since: Option<i64>,
}

impl Life {
    fn new(floor: Floor, tunnel: Arc<Tunnel>, reconciler: Reconciler, stop: CancellationToken) -> Self {
        let teller = Teller::new(floor.clone(), reconciler, stop);
        Self {
            floor,
            tunnel,
            teller,
            plan: None,
            running: None,
            start_at: None,
            started: false,
            backoff: Backoff::default(),
            check: None,
            check_at: 0,
            found: None,
            trouble: None,
            offline: false,
            up_since: None,
        }
    }

    fn now(&self) -> i64 {
        self.floor.clock.now_ms()
    }

    fn kind(&self) -> TunnelKind {
        self.plan.as_ref().map_or(TunnelKind::None, |plan| plan.config.kind)
    }

    /// The address to look at.
    fn url(&self) -> Option<String> {
        self.tunnel.public_url().filter(|url| self.kind() != TunnelKind::None || !is_loopback(url))
    }

    fn show(&self, change: impl FnOnce(&mut super::State)) {
        if self.tunnel.show(change) {
            self.floor.store.tell_changed("tunnel");
        }
    }

    // ---- what is due by the clock

    /// Until something is due, ms; `None` = never.
    fn wait(&self) -> Option<i64> {
        let check = self.url().filter(|_| self.check.is_none()).map(|_| self.check_at);
        let key = self.running.as_ref().filter(|running| running.key_file.is_some());
        let key = key.map(|running| running.started_at + KEY_FILE_MS);
        let soonest = [self.start_at, check, key, self.teller.due_at()].into_iter().flatten().min()?;
        Some((soonest - self.now()).max(0))
    }

    async fn step(&mut self) {
        let now = self.now();
        if self.start_at.is_some_and(|at| at <= now) {
            self.start_program().await;
        }
        if let Some(running) = &mut self.running
            && running.started_at + KEY_FILE_MS <= now
        {
            running.key_file = None;
        }
        if self.check.is_none()
            && self.check_at <= now
            && let Some(url) = self.url()
        {
            let prober = self.tunnel.prober.clone();
            let known = self.tunnel.state().state == Reach::Down;
            self.check_at = now + SOON_MS;
            let probe = self.floor.probe.clone();
            self.check = Some(AbortOnDropHandle::new(tokio::spawn(async move {
                at(&probe, "tunnel:check").await;
                let verdict = if known { prober.glance(&url).await } else { prober.look(&url).await };
                at(&probe, "tunnel:checked").await;
                verdict
            })));
        }
        // A program that has not told its address is not reachable either.
        let silent = self.running.as_ref().is_some_and(|running| running.started_at + GRACE_MS <= now);
        if silent && self.url().is_none() {
            let code = self.running.as_ref().and_then(|running| running.trouble).unwrap_or("tunnel_no_url");
            self.down(code, "the program has not told its address");
            if self.start_at.is_none() {
                self.again(code);
            }
        }
        self.teller.step(&self.tunnel.state(), now).await;
    }

    // ---- the program

    async fn look_at_settings(&mut self) {
        let config = self.floor.config();
        let key = self.key().await;
        let digest = key.as_ref().map(|key| Sha256::digest(key.expose_secret()).into());
        let plan =
            Plan { config: config.tunnel.clone(), base_url: config.public.base_url.clone(), key: digest };
        if self.plan.as_ref() == Some(&plan) {
            return;
        }
        self.plan = Some(plan);
        self.found = None;
        self.begin(&config);
        self.end_program(END).await;
    }

    async fn key(&self) -> Option<SecretString> {
        let name = SecretName::tunnel_token();
        match self.floor.credentials.get(&name, self.now()).await {
            Ok(key) => key,
            Err(error) => {
                tracing::error!(%error, "the tunnel's key cannot be read");
                None
            }
        }
    }

    /// As after a start of the app.
    fn begin(&mut self, config: &Config) {
        let now = self.now();
        self.backoff.reset();
        self.trouble = None;
        self.offline = false;
        self.up_since = None;
        self.check = None;
        self.check_at = now;
        let url = address(config, self.found.as_deref());
        let kind = config.tunnel.kind;
        let on = kind != TunnelKind::None || url.as_deref().is_some_and(|url| !is_loopback(url));
        self.show(|state| {
            state.kind = kind;
            state.public_url = url;
            state.state = if on { Reach::Starting } else { Reach::Off };
            state.reason = None;
            state.detail = None;
            state.certificate_until = None;
        });
        self.start_at = (kind != TunnelKind::None).then_some(now);
        self.teller.away(now);
    }

    /// The owner wants it anew.
    async fn start_anew(&mut self) {
        let config = self.floor.config();
        self.begin(&config);
        self.end_program(END).await;
    }

    /// The machine slept: whatever is open is half-open at best.
    async fn woke(&mut self) {
        self.tunnel.prober.forget_connections();
        if self.tunnel.state().state == Reach::Off {
            return;
        }
        let (config, now) = (self.floor.config(), self.now());
        self.begin(&config);
        self.teller.slept(now);
        self.end_program(Duration::ZERO).await;
    }

    async fn start_program(&mut self) {
        self.start_at = None;
        if let Some(running) = self.running.take() {
            self.check = None;
            self.trouble = running.trouble.map(|code| (code, String::new()));
            // One that hangs does not listen to a wish.
            running.child.end(Duration::ZERO).await;
        }
        let now = self.now();
        let config = self.floor.config();
        let key = self.key().await;
        if std::mem::replace(&mut self.started, true) {
            self.show(|state| state.restarts += 1);
        }
        let prepared = launch::prepare(&config.tunnel, key.as_ref(), self.tunnel.listener, &self.tunnel.dir);
        drop(key);
        let started = match prepared {
            Ok(Prepared { launch, key_file }) => {
                let child = Child::start(&launch, self.floor.clock.clone()).await;
                child.map(|child| (child, key_file)).map_err(|e| ("tunnel_not_started", e.to_string()))
            }
            Err(refused) => Err(refused),
        };
        match started {
            Ok((mut child, key_file)) => {
                child.stdin.take();
                let (told, lines) = mpsc::channel(64);
                let output = &self.tunnel.output;
                if let Some(stdout) = child.stdout.take() {
                    tokio::spawn(output.clone().listen(stdout, self.floor.clock.clone(), told.clone()));
                }
                if let Some(stderr) = child.stderr.take() {
                    tokio::spawn(output.clone().listen(stderr, self.floor.clock.clone(), told));
                }
                tracing::info!(kind = self.kind().as_str(), "the tunnel is started");
                self.running = Some(Running { child, lines, started_at: now, key_file, trouble: None });
                self.check_at = self.check_at.max(now + FIRST_MS);
            }
            Err((code, detail)) => {
                self.tunnel.output.add(now, &detail);
                self.down(code, &detail);
                self.trouble = Some((code, detail));
                self.start_at = Some(now + self.pause(code));
            }
        }
    }

    fn pause(&mut self, code: &str) -> i64 {
        i64::try_from(self.backoff.next(is_offline(code)).as_millis()).unwrap_or(i64::MAX)
    }

    async fn end_program(&mut self, grace: Duration) {
        if let Some(running) = self.running.take() {
            running.child.end(grace).await;
        }
    }

    /// Starts the program anew after a pause. It is left to try until then.
    fn again(&mut self, code: &str) {
        let now = self.now();
        self.start_at = Some(now + self.pause(code));
    }

    fn heard(&mut self, line: &str) {
        let Some(plan) = &self.plan else { return };
        let meaning = meaning(plan.config.kind, plan.config.url_hint.as_deref(), line);
        let now = self.now();
        let Some(running) = &mut self.running else { return };
        match meaning {
            Some(Meaning::Trouble(code)) => running.trouble = Some(code),
            Some(Meaning::Ready) => {
                running.key_file = None;
                running.trouble = None;
                self.check_at = self.check_at.min(now);
            }
            Some(Meaning::Url(url)) => {
                running.key_file = None;
                if self.found.as_deref() == Some(url.as_str()) {
                    return;
                }
                let fresh =
                    self.plan.as_ref().is_some_and(|plan| plan.config.kind == TunnelKind::Cloudflared);
                self.check_at = if fresh && !is_loopback(&url) { now + FRESH_NAME_MS } else { now };
                self.check = None;
                self.found = Some(url);
                let url = address(&self.floor.config(), self.found.as_deref());
                self.show(|state| state.public_url = url);
            }
            None => {}
        }
    }

    async fn ended(&mut self, status: Option<i32>) {
        let Some(mut running) = self.running.take() else { return };
        // What a check found before says nothing any more.
        self.check = None;
        // The pipes end with the program, unless something that it started holds them.
        let words = async {
            let mut last = None;
            while let Some(line) = running.lines.recv().await {
                let kind = self.kind();
                if let Some(Meaning::Trouble(code)) = meaning(kind, None, &line) {
                    running.trouble = Some(code);
                }
                last = Some(line);
            }
            last
        };
        let last = tokio::time::timeout(LAST_WORDS, words).await.ok().flatten();
        running.child.end(Duration::ZERO).await;
        let code = match (running.trouble, status) {
            (_, Some(126 | 127)) => "tunnel_program_missing",
            (Some(code), _) => code,
            (None, _) => "tunnel_program_ended",
        };
        let last = last.or_else(|| self.tunnel.output.lines().pop().map(|said| said.text));
        let detail = crate::logging::masked(&last.unwrap_or_else(|| format!("it ended with {status:?}")));
        tracing::warn!(code, %detail, "the tunnel's program ended");
        self.down(code, &detail);
        self.trouble = Some((code, detail));
        let now = self.now();
        self.start_at = Some(now + self.pause(code));
        self.check_at = self.check_at.min(now + SOON_MS);
    }

    // ---- health

    async fn judge(&mut self, verdict: Verdict) {
        let now = self.now();
        match verdict {
            Verdict::Reached { certificate_until } => {
                if let Some(running) = &mut self.running {
                    running.key_file = None;
                }
                self.offline = false;
                self.trouble = None;
                // It came back by itself.
                if self.running.is_some() {
                    self.start_at = None;
                }
                self.up_since.get_or_insert(now);
                let soon = certificate_until.is_some_and(|until| until - now < CERTIFICATE_SOON_MS);
                let away = self.tunnel.state();
                self.show(|state| {
                    state.state = if soon { Reach::Degraded } else { Reach::Up };
                    state.reason = soon.then_some("tunnel_certificate_soon");
                    state.detail = None;
                    state.certificate_until = certificate_until;
                    state.reached_at = Some(now);
                });
                self.teller.back(&away, &self.tunnel.state(), now).await;
                let every = self.plan.as_ref().map_or(20, |plan| plan.config.check_every_s);
                self.check_at = now + i64::from(every) * 1_000;
            }
            Verdict::Failed { code, detail } => self.failed(code, detail, now).await,
        }
    }

    async fn failed(&mut self, code: &'static str, detail: String, now: i64) {
        let state = self.tunnel.state().state;
        let worked = matches!(state, Reach::Up | Reach::Degraded);
        let was_offline = std::mem::replace(&mut self.offline, is_offline(code));
        self.check_at = self.check_at.min(now + SOON_MS);
        let started = self.running.as_ref().map(|running| running.started_at);
        let due = started.is_some_and(|at| at + GRACE_MS <= now) && self.start_at.is_none();
        let late = started.is_none_or(|at| at + GRACE_MS <= now);
        if state != Reach::Starting || late {
            // What the program itself says is nearer to the cause.
            let own =
                self.running.as_ref().and_then(|running| running.trouble).map(|code| (code, detail.clone()));
            let (code, detail) = own.or_else(|| self.trouble.clone()).unwrap_or((code, detail));
            self.down(code, &detail);
        }
        if self.running.is_none() {
            return;
        }
        if was_offline && !self.offline {
            // The network is back, and what hung on the old one may wait long.
            self.backoff.reset();
            self.again("tunnel_no_network");
        } else if !self.offline && (worked || due) {
            self.again(code);
        }
    }

    fn down(&mut self, code: &'static str, detail: &str) {
        let now = self.now();
        if self.up_since.take().is_some_and(|since| now - since >= STABLE_MS) {
            self.backoff.reset();
        }
        let worked = matches!(self.tunnel.state().state, Reach::Up | Reach::Degraded);
        if worked {
            self.teller.away(now);
            tracing::warn!(code, detail, "the public address does not work any more");
        }
        let detail = Some(detail.to_owned()).filter(|detail| !detail.is_empty());
        self.show(|state| {
            state.state = Reach::Down;
            state.reason = Some(code);
            state.detail = detail;
        });
    }
}
