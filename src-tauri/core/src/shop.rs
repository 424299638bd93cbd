//! The shop as a whole: opens the directory, starts every part in order, and stops them in reverse.

mod books;
mod door;
mod doors;
mod drive;
mod floor;
mod google;
mod health;
mod kept_out;
pub(crate) mod keys;
mod record;
mod running;
mod sources;
mod turns;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures::Stream;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::BroadcastStream;
use tokio_util::sync::CancellationToken;

use chotdon_store::Store;

use crate::backup;
use crate::config::{Config, ConfigError};
use crate::delivery::links::LinkKey;
use crate::demo::DemoBank;
use crate::events::Events;
use crate::external;
use crate::http;
use crate::http::sign_ins::SignIns;
use crate::lock::{DirectoryLock, NotLocked};
use crate::metrics::Door;
use crate::ports::{Clock, Ports, SecretError, SecretStore};
use crate::reconcile::{Cause, Means, Reconciler};
use crate::secrets::{Credentials, SecretName};
use crate::tasks::ShopStages;
use crate::tunnel;
use crate::views;
use crate::workers::{Pool, PoolSettings};

pub(crate) use door::Rejection;
pub(crate) use floor::Floor;
pub(crate) use google::{GoogleConsent, GoogleGlance};
pub(crate) use health::HealthBook;
pub(crate) use kept_out::{ROUTE as ACCESS_ROUTE, is_ours as is_kept_out, words as kept_out_words};
pub(crate) use record::Record;
pub use record::{accept_record, kept_head};

/// Where the public listener is when nothing else is said.
const PUBLIC_DEFAULT: &str = "127.0.0.1:8686";

/// How often unpaid orders are looked at when none is due sooner.
const EXPIRY: Duration = Duration::from_secs(3_600);

/// How to start a shop.
#[derive(Debug, Clone)]
pub struct Options {
    /// Everything of the shop is below it.
    pub data_dir: PathBuf,
    /// Sample courses, generated keys, mail into a folder.
    pub demo: bool,
    /// Public listener; `None` = `127.0.0.1:8686`, port 0 = any free one.
    pub public: Option<SocketAddr>,
    /// Private listener; `None` = none, as in the desktop app.
    pub private: Option<SocketAddr>,
    /// `CHOTDON_SECTION__KEY` variables, given by whoever may read the environment.
    pub env: Vec<(String, String)>,
}

/// Why a shop did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another process has the directory.
    #[error("{0} is in use by another ChotDon; close it first, or use another --data-dir")]
    AlreadyRunning(PathBuf),
    /// The directory cannot be used.
    #[error("{0}: {1}")]
    Directory(PathBuf, std::io::Error),
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] chotdon_store::Error),
    /// The secret store cannot be used.
    #[error(transparent)]
    Secrets(#[from] SecretError),
    /// An address is taken or not ours.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// A listener other than loopback was asked for without the setting that allows it.
    #[error("{0} is reachable from other machines; set {1} = true in config.toml if that is meant")]
    NotLoopback(SocketAddr, &'static str),
    /// Something that cannot be helped from outside.
    #[error("{0}")]
    Internal(String),
}

impl StartError {
    /// Stable code for the window that shows it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlreadyRunning(_) => "already_running",
            Self::Directory(..) => "directory_unusable",
            Self::Config(_) => "config_invalid",
            Self::Store(_) => "database_unusable",
            Self::Secrets(_) => "secret_store_unavailable",
            Self::Listen(..) => "address_in_use",
            Self::NotLoopback(..) => "not_loopback",
            Self::Internal(_) => "internal",
        }
    }
}

/// A running shop. Cheap to clone; clones are the same shop.
#[derive(Clone)]
pub struct Shop {
    inner: Arc<Inner>,
}

struct Inner {
    floor: Floor,
    pool: Pool,
    reconciler: Reconciler,
    events: Events,
    options: Options,
    private_addr: Option<SocketAddr>,
    started_at: i64,
    secrets: Arc<dyn SecretStore>,
    record: Record,
    checks: Arc<http::admin::CheckBook>,
    stop: CancellationToken,
    /// The long-running parts by name.
    parts: std::sync::Mutex<Vec<(&'static str, JoinHandle<()>)>>,
    _lock: DirectoryLock,
}

impl Shop {
    /// Starts everything and returns once both listeners answer.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running then.
    pub async fn start(options: Options, ports: Ports) -> Result<Self, StartError> {
        let dir = options.data_dir.clone();
        private_directory(&dir).map_err(|error| StartError::Directory(dir.clone(), error))?;
        let lock = DirectoryLock::take(&dir).map_err(|not| match not {
            NotLocked::Taken => StartError::AlreadyRunning(dir.clone()),
            NotLocked::Io(error) => StartError::Directory(dir.clone(), error),
        })?;
        let mut restored = false;
        if let Some(aside) =
            backup::apply_pending(&dir).map_err(|error| StartError::Directory(dir.clone(), error))?
        {
            tracing::warn!(aside = %aside.display(), "a restored backup took the shop's place");
            restored = true;
        }
        let config = Config::load(&dir, options.demo, options.env.iter().cloned())?;
        let store = Store::open(&dir).await?;
        let credentials = Credentials::new(ports.secrets.clone()).shared_in(&dir);
        let link_key = own_keys(&credentials, options.demo, &*ports.clock).await?;

        let public = options.public.unwrap_or_else(|| PUBLIC_DEFAULT.parse().expect("a literal address"));
        let public = bind(public, config.public.allow_remote, "public.allow_remote").await?;
        let private = match options.private {
            Some(addr) => Some(bind(addr, config.private.allow_remote, "private.allow_remote").await?),
            None => None,
        };
        let public_addr = local(&public)?;
        let private_addr = private.as_ref().map(local).transpose()?;

        store.load_outgoing().await?;
        let changes = store.changes();
        let for_events = store.changes();
        let for_books = store.changes();
        let demo_bank = match options.demo {
            true => Some(DemoBank::open(&dir).await.map_err(|error| StartError::Directory(dir, error))?),
            false => None,
        };
        let bank = demo_bank.as_ref().map(|(bank, _)| bank.clone());
        let floor = Floor::new(store, &ports, credentials, &options, config, link_key, public_addr)?
            .with_demo_bank(bank);
        let boot = format!("{:016x}{:016x}", rand::random::<u64>(), rand::random::<u64>());
        floor.store.reclaim(&boot, ports.clock.now_ms()).await?;
        let for_services = floor.store.changes();
        floor.services.load().await?;
        let stages = Arc::new(ShopStages(floor.clone()));
        let pool = Pool::new(
            floor.store.clone(),
            ports.clock.clone(),
            stages,
            ports.probe.clone(),
            boot,
            pool_settings(&floor.config()),
        );
        floor.attach(pool.clone());
        let reconciler = reconciler(&floor, &ports)?;

        let record = Record::new(floor.store.clone(), ports.secrets.clone());
        if restored && let Err(error) = record.accept("owner", ports.clock.now_ms()).await {
            tracing::warn!(%error, "the restored record of actions is not vouched for");
        }
        let events = Events::new();
        let stop = CancellationToken::new();
        let shop = Self {
            inner: Arc::new(Inner {
                floor,
                pool: pool.clone(),
                reconciler: reconciler.clone(),
                events: events.clone(),
                started_at: ports.clock.now_ms(),
                secrets: ports.secrets.clone(),
                record: record.clone(),
                checks: Arc::default(),
                options,
                private_addr,
                stop: stop.clone(),
                parts: std::sync::Mutex::default(),
                _lock: lock,
            }),
        };
        if let Some((bank, listener)) = demo_bank {
            let rules = doors::bank(&shop.inner.floor);
            shop.part("demo_bank", http::listen::serve(listener, bank.router(), rules, stop.clone()));
            crate::demo::furnish(&shop).await.map_err(|error| StartError::Internal(error.to_string()))?;
        }
        shop.part("workers", pool.clone().run(changes));
        shop.part("watch", pool.clone().watch());
        shop.part("log_news", events.clone().tell_of_logs(pool.clone(), stop.clone()));
        shop.part("events", events.run(for_events, pool, stop.clone()));
        shop.part("alarm", books::alarm(shop.inner.floor.clone(), stop.clone()));
        shop.part("balances", books::touched(shop.inner.floor.clone(), for_books, stop.clone()));
        shop.part("books", books::count(shop.inner.floor.clone(), stop.clone()));
        shop.part("record", record::watch(shop.inner.floor.clone(), record, stop.clone()));
        shop.part("keys", keys::watch(shop.inner.floor.clone(), stop.clone()));
        door::remember(&shop.inner.floor).await?;
        shop.part("refusals", door::keep_refusals(shop.inner.floor.clone(), stop.clone()));
        shop.part("sources", sources::watch(shop.inner.floor.clone(), stop.clone()));
        shop.part("external_workers", external::watch(shop.inner.floor.clone(), stop.clone()));
        let (pool, book) = (shop.inner.pool.clone(), reconciler.clone());
        shop.part("health", health::watch(shop.inner.floor.clone(), pool, book, stop.clone()));
        shop.part("backups", backup::daily(shop.inner.floor.clone(), stop.clone()));
        shop.part("wake", wake(shop.inner.floor.clone(), stop.clone()));
        shop.part("reconcile", reconciler.clone().live(stop.clone()));
        let for_pages = shop.inner.floor.store.changes();
        let services = shop.inner.floor.services.clone();
        shop.part("services", services.live(for_services, stop.clone()));
        shop.part("pages", shop.inner.floor.bell.clone().run(for_pages, stop.clone()));
        shop.part("tunnel", tunnel::live(shop.inner.floor.clone(), reconciler.clone(), stop.clone()));
        shop.part("expiry", expiry(shop.inner.floor.clone(), reconciler, stop.clone()));
        shop.part("access", access(shop.inner.floor.clone(), stop.clone()));
        let rules = doors::public(&shop.inner.floor);
        let router = counted(&shop, Door::Public, shop.public());
        shop.part("public_listener", http::listen::serve(public, router, rules, stop.clone()));
        if let (Some(listener), Some(local)) = (private, private_addr) {
            let door = http::private::PrivateDoor {
                credentials: shop.inner.floor.credentials.clone(),
                clock: ports.clock.clone(),
                local,
                allowed_hosts: shop.config().private.allowed_hosts.clone(),
                sign_ins: SignIns::kept_in(shop.inner.floor.store.clone()),
            };
            let rules = doors::private(&shop.inner.floor);
            let router =
                counted(&shop, Door::Private, http::boundary::watched(door.router(shop.admin()), None));
            shop.part("private_listener", http::listen::serve(listener, router, rules, stop));
        }
        tracing::info!(public = %public_addr, private = ?private_addr, "the shop is open");
        Ok(shop)
    }

    fn part(&self, name: &'static str, life: impl Future<Output = ()> + Send + 'static) {
        let handle = tokio::spawn(life);
        self.inner.parts.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((name, handle));
    }

    /// The admin API: `/admin/api/*`, `/health`, `/metrics`, without a door of its own.
    pub fn admin(&self) -> Router {
        let floor = &self.inner.floor;
        let desk = http::admin::Desk::new(
            floor.store.clone(),
            floor.clock.clone(),
            self.inner.secrets.clone(),
            floor.credentials.clone(),
            floor.desktop.clone(),
            Arc::new(self.clone()),
        );
        // The window and the private listener show the same test results.
        let desk = http::admin::Desk { checks: self.inner.checks.clone(), ..desk };
        http::boundary::watched(http::admin::router(desk), floor.probe.clone())
    }

    /// The public listener's routes with everything that guards them, without the listener: for tests that ask
    /// more than a socket can carry.
    pub fn public(&self) -> Router {
        http::boundary::watched(http::public::router(&self.inner.floor), self.inner.floor.probe.clone())
    }

    /// Numbered events from now on.
    pub fn events(&self) -> impl Stream<Item = views::Event> + Send + 'static + use<> {
        // A listener that lags sees the gap in the numbers and asks for everything again.
        BroadcastStream::new(self.inner.events.hear()).filter_map(Result::ok)
    }

    /// Address of the public listener.
    #[must_use]
    pub fn public_addr(&self) -> SocketAddr {
        self.inner.floor.public_addr()
    }

    /// Address of the private listener.
    #[must_use]
    pub fn private_addr(&self) -> Option<SocketAddr> {
        self.inner.private_addr
    }

    /// The settings as they are now.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        self.inner.floor.config()
    }

    /// Whether this is a demo shop.
    #[must_use]
    pub fn demo(&self) -> bool {
        self.inner.options.demo
    }

    /// The directory of the shop.
    #[must_use]
    pub fn data_dir(&self) -> &std::path::Path {
        &self.inner.options.data_dir
    }

    /// False once the disk failed to keep a write; only a restart finds out what it holds.
    #[must_use]
    pub fn can_write(&self) -> bool {
        !self.inner.floor.store.halted()
    }

    /// How many open pages wait for news of an order, by its code, or of a wallet, by its deposit code.
    #[must_use]
    pub fn open_pages(&self, code: &str) -> usize {
        self.inner.floor.bell.pages(code)
    }

    /// Reads settings and secrets again, after they were changed here or by the command line.
    ///
    /// # Errors
    /// When a setting is wrong; the old ones stay in use then.
    pub async fn reload(&self) -> Result<(), ConfigError> {
        let options = &self.inner.options;
        let config = Config::load(&options.data_dir, options.demo, options.env.iter().cloned())?;
        self.inner.pool.set(pool_settings(&config));
        self.inner.floor.set_config(config);
        self.inner.floor.credentials.forget();
        self.inner.floor.tunnel.reconsider();
        if let Err(error) = self.inner.floor.store.load_outgoing().await {
            tracing::error!(%error, "the webhook endpoints could not be read");
        }
        self.inner.pool.reload_lanes().await;
        // What was wrong with them may be right now.
        self.inner.floor.services.reconsider().await;
        // The token may be there now.
        if self.inner.reconciler.standing().state == "off" {
            self.inner.reconciler.nudge(Cause::Demand);
        }
        Ok(())
    }

    /// Stops claiming, lets running stages finish for up to `drain`, then stops them without burning an attempt.
    pub async fn shutdown(&self, drain: Duration) {
        self.inner.floor.external.closing.cancel();
        self.inner.pool.drain(drain).await;
        self.inner.stop.cancel();
        let parts =
            std::mem::take(&mut *self.inner.parts.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        for (_, part) in parts {
            let _ = tokio::time::timeout(Duration::from_secs(5), part).await;
        }
        self.inner.floor.ways.remotes.quit().await;
        self.inner.floor.store.close().await;
        tracing::info!("the shop is closed");
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.floor.store
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.inner.floor.clock
    }
}

fn pool_settings(config: &Config) -> PoolSettings {
    PoolSettings {
        workers: usize::from(config.workers.count),
        lease_ms: i64::from(config.queue.lease_s) * 1000,
        retry_base_ms: i64::from(config.queue.retry_base_s) * 1000,
        stall_ms: i64::from(config.queue.stall_s) * 1000,
    }
}

/// The keys that a shop needs of itself; a demo shop gets SePay's as well.
async fn own_keys(credentials: &Credentials, demo: bool, clock: &dyn Clock) -> Result<LinkKey, StartError> {
    credentials.get_or_generate(&SecretName::admin_token()).await?;
    if demo {
        credentials.get_or_generate(&SecretName::sepay_api_key()).await?;
        credentials.get_or_generate(&SecretName::sepay_hmac_secret()).await?;
    }
    let name = SecretName::link_key();
    if let Some(key) = credentials.get(&name, clock.now_ms()).await?.as_ref().and_then(LinkKey::from_secret) {
        return Ok(key);
    }
    let key = LinkKey::generate();
    credentials.set(&name, key.to_secret()).await?;
    Ok(key)
}

async fn bind(addr: SocketAddr, remote: bool, setting: &'static str) -> Result<TcpListener, StartError> {
    if !addr.ip().is_loopback() && !remote {
        return Err(StartError::NotLoopback(addr, setting));
    }
    TcpListener::bind(addr).await.map_err(|error| StartError::Listen(addr, error))
}

fn local(listener: &TcpListener) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|error| StartError::Internal(error.to_string()))
}

/// Counts the answers of a listener.
fn counted(shop: &Shop, door: Door, router: Router) -> Router {
    let intake = shop.inner.floor.intake.clone();
    router.layer(axum::middleware::map_response(move |answer: axum::response::Response| {
        intake.metrics.answered(door, answer.status());
        std::future::ready(answer)
    }))
}

/// Watches for sleep; after one no connection from before is used. The reconciler hears of it by itself.
async fn wake(floor: Floor, stop: CancellationToken) {
    let mut woke = floor.wake.hear();
    let watching = floor.wake.clone().watch(stop);
    tokio::pin!(watching);
    loop {
        tokio::select! {
            () = &mut watching => return,
            _ = woke.changed() => {
                if let Err(error) = floor.ways.http.forget_connections() {
                    tracing::error!(%error, "connections from before the sleep are kept");
                }
                floor.drive_door.forget_connections();
            }
        }
    }
}

fn reconciler(floor: &Floor, ports: &Ports) -> Result<Reconciler, StartError> {
    let settings = floor.clone();
    let means = Means {
        store: floor.store.clone(),
        clock: ports.clock.clone(),
        credentials: floor.credentials.clone(),
        config: Box::new(move || settings.config()),
        wake: floor.wake.clone(),
        probe: ports.probe.clone(),
        demo_bank: floor.demo_bank.clone(),
    };
    Reconciler::new(means).map_err(|error| StartError::Internal(error.to_string()))
}

/// Lets unpaid orders expire when their time is over, and it is known what was paid while the app was away.
async fn expiry(floor: Floor, reconciler: Reconciler, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = reconciler.caught_up() => {}
        }
        let now = floor.clock.now_ms();
        let next = match floor.store.expire_orders(now).await {
            Ok((_, next)) => next,
            Err(error) => {
                tracing::error!(%error, "orders could not expire");
                None
            }
        };
        let wait =
            next.map_or(EXPIRY, |at| Duration::from_millis(u64::try_from(at - now).unwrap_or(0).max(1_000)));
        tokio::select! {
            () = stop.cancelled() => return,
            () = floor.clock.sleep(wait.min(EXPIRY)) => {}
        }
    }
}

/// Lets access at other systems end when its time is over.
async fn access(floor: Floor, stop: CancellationToken) {
    loop {
        let now = floor.clock.now_ms();
        let next = match floor.store.expire_access(now).await {
            Ok((_, next)) => next,
            Err(error) => {
                tracing::error!(%error, "access could not be ended");
                None
            }
        };
        // Access lasts days: what is given meanwhile is not due before the next look.
        let wait =
            next.map_or(EXPIRY, |at| Duration::from_millis(u64::try_from(at - now).unwrap_or(0).max(1_000)));
        tokio::select! {
            () = stop.cancelled() => return,
            () = floor.clock.sleep(wait.min(EXPIRY)) => {}
        }
    }
}

#[cfg(unix)]
fn private_directory(directory: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

#[cfg(not(unix))]
fn private_directory(directory: &std::path::Path) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)
}
