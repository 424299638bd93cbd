//! What every part of the shop stands on: store, clock, settings, keys, and the ways out.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use secrecy::ExposeSecret;
use sepay::Keys;

use chotdon_store::Store;

use super::door::Intake;
use super::drive::DriveDoor;
use super::health::HealthBook;
use super::turns::Turns;
use super::{GoogleConsent, Options, StartError};
use crate::config::{Config, MailTransport};
use crate::delivery::links::LinkKey;
use crate::delivery::mail::{SmtpSettings, Templates, TlsMode, Transport};
use crate::delivery::{Downloader, HttpSource, Remotes, Ways};
use crate::demo::DemoBank;
use crate::external::External;
use crate::http::hosted::Bell;
use crate::http::limits::Limits;
use crate::http::storefront::KeyUses;
use crate::outgoing::Caller;
use crate::ports::{Clock, Ports, Probe, SecretError};
use crate::secrets::{Credentials, SecretName};
use crate::services::Services;
use crate::tell::{self, Desktop, Pace};
use crate::tunnel::Tunnel;
use crate::wake::Wake;
use crate::workers::{Pool, StageError};

/// Shared by handlers and tasks. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Floor {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) desktop: Arc<Desktop>,
    pub(crate) credentials: Credentials,
    pub(crate) data_dir: PathBuf,
    pub(crate) ways: Ways,
    pub(crate) link_key: Arc<LinkKey>,
    pub(crate) templates: Arc<Templates>,
    pub(crate) intake: Arc<Intake>,
    /// Who has asked how much at the public door.
    pub(crate) limits: Arc<Limits>,
    /// When storefronts last asked.
    pub(crate) key_uses: Arc<KeyUses>,
    pub(crate) wake: Arc<Wake>,
    /// Wakes the buyers' pages that wait for news.
    pub(crate) bell: Arc<Bell>,
    /// Calls storefronts.
    pub(crate) caller: Caller,
    /// Called at named points, by tests.
    pub(crate) probe: Probe,
    /// One at a time for one access.
    pub(crate) turns: Turns,
    /// Calls learning platforms.
    pub(crate) lms: lms::Caller,
    /// Workers on other machines.
    pub(crate) external: Arc<External>,
    /// Lets stages use outside services.
    pub(crate) services: Services,
    /// The bank of a demo shop.
    pub(crate) demo_bank: Option<DemoBank>,
    /// The shop's Google account.
    pub(crate) drive_door: Arc<DriveDoor>,
    /// The owner's consent to their Google Drive, while it is asked for.
    pub(crate) google_consent: Arc<GoogleConsent>,
    /// The way from the internet.
    pub(crate) tunnel: Arc<Tunnel>,
    config: Arc<RwLock<Arc<Config>>>,
    public_addr: SocketAddr,
    /// How the parts are.
    pub(crate) health: Arc<HealthBook>,
    /// When channels have told the owner something.
    pub(crate) pace: Arc<Pace>,
    /// Calls the address that the owner is told at.
    pub(crate) alert_caller: Caller,
    pool: Arc<OnceLock<Pool>>,
}

impl Floor {
    pub(super) fn new(
        store: Store,
        ports: &Ports,
        credentials: Credentials,
        options: &Options,
        config: Config,
        link_key: LinkKey,
        public_addr: SocketAddr,
    ) -> Result<Self, StartError> {
        let http = HttpSource::new().map_err(|error| StartError::Internal(error.to_string()))?;
        store.tuning().set(i64::from(config.queue.retry_max), config.orders.tolerance_vnd);
        tell::tune(&store, &config);
        let downloader = Downloader::new(config.downloader.clone());
        let remotes = Remotes::new(
            options.data_dir.join("rclone"),
            &config.rclone,
            ports.clock.clone(),
            credentials.clone(),
        );
        let tunnel = Tunnel::new(options.data_dir.join("tunnel"), public_addr, &config, ports.clock.clone());
        let tunnel = Arc::new(tunnel.map_err(|error| StartError::Internal(error.to_string()))?);
        let config = Arc::new(RwLock::new(Arc::new(config)));
        let now = config.clone();
        let services = Services::new(store.clone(), ports.clock.clone(), move || read(&now));
        Ok(Self {
            store,
            services,
            probe: ports.probe.clone(),
            turns: Turns::default(),
            clock: ports.clock.clone(),
            desktop: Arc::new(Desktop::new(ports.notifier.clone())),
            credentials,
            data_dir: options.data_dir.clone(),
            ways: Ways { http: Arc::new(http), downloader, remotes },
            link_key: Arc::new(link_key),
            templates: Arc::new(Templates::new(options.data_dir.join("templates"))),
            intake: Arc::default(),
            limits: Arc::default(),
            key_uses: Arc::default(),
            wake: Arc::new(Wake::new(ports.clock.clone())),
            bell: Arc::default(),
            lms: lms::Caller::new().map_err(|error| StartError::Internal(error.to_string()))?,
            caller: Caller::new().map_err(|error| StartError::Internal(error.to_string()))?,
            external: Arc::default(),
            demo_bank: None,
            drive_door: Arc::default(),
            google_consent: Arc::default(),
            tunnel,
            config,
            public_addr,
            health: Arc::default(),
            pace: Arc::default(),
            alert_caller: Caller::new().map_err(|error| StartError::Internal(error.to_string()))?,
            pool: Arc::default(),
        })
    }

    /// The same with the bank of a demo.
    pub(super) fn with_demo_bank(self, demo_bank: Option<DemoBank>) -> Self {
        Self { demo_bank, ..self }
    }

    /// The pool exists only after the floor that its tasks stand on.
    pub(super) fn attach(&self, pool: Pool) {
        let _ = self.pool.set(pool);
    }

    pub(crate) fn config(&self) -> Arc<Config> {
        read(&self.config)
    }

    pub(super) fn set_config(&self, config: Config) {
        self.store.tuning().set(i64::from(config.queue.retry_max), config.orders.tolerance_vnd);
        tell::tune(&self.store, &config);
        self.ways.downloader.set(config.downloader.clone());
        self.ways.remotes.set(&config.rclone);
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }

    /// The folder of prepared courses.
    pub(crate) fn library(&self) -> PathBuf {
        self.data_dir.join("library")
    }

    pub(crate) fn public_addr(&self) -> SocketAddr {
        self.public_addr
    }

    /// What links and the webhook URL are built from, without a slash at the end.
    pub(crate) fn base_url(&self) -> String {
        self.tunnel.public_url().unwrap_or_else(|| format!("http://{}", self.public_addr))
    }

    /// The header in which the tunnel or the owner's proxy says who asks; empty = none is believed.
    pub(crate) fn client_ip_header(&self) -> String {
        match self.config().public.client_ip_header.as_str() {
            "" => self.tunnel.client_ip_header().to_owned(),
            own => own.to_owned(),
        }
    }

    /// The page at which an order is paid, with the token that opens it.
    pub(crate) fn pay_url(&self, code: &str) -> String {
        format!("{}/pay/{code}?t={}", self.base_url(), self.link_key.page_token(code))
    }

    /// The page at which a wallet is topped up, with the token that opens it.
    pub(crate) fn topup_url(&self, deposit_code: &str) -> String {
        format!("{}/topup/{deposit_code}?t={}", self.base_url(), self.link_key.page_token(deposit_code))
    }

    /// Whether `token` opens the page of this order or deposit code.
    pub(crate) fn may_see(&self, code: &str, token: &str) -> bool {
        crate::secrets::same(&self.link_key.page_token(code), token)
    }

    /// SePay's keys that are valid now.
    pub(crate) async fn sepay_keys(&self) -> Result<Keys, SecretError> {
        let now = self.clock.now_ms();
        let mut keys = Keys::new();
        for value in self.credentials.live_values(&SecretName::sepay_api_key(), now).await? {
            keys = keys.with_api(value.expose_secret());
        }
        for value in self.credentials.live_values(&SecretName::sepay_hmac_secret(), now).await? {
            keys = keys.with_hmac(value.expose_secret());
        }
        Ok(keys)
    }

    /// The way out for mail, as the settings say now.
    pub(crate) async fn transport(&self) -> Result<Transport, StageError> {
        let mail = &self.config().mail;
        match mail.transport {
            MailTransport::None => Ok(Transport::None),
            MailTransport::Mailbox => Transport::mailbox(self.data_dir.join("mailbox"), &mail.from),
            MailTransport::Smtp => {
                let password =
                    self.credentials.get(&SecretName::smtp_password(), self.clock.now_ms()).await.map_err(
                        |error| StageError::transient("secret_store_unavailable", error.to_string()),
                    )?;
                let settings = SmtpSettings {
                    host: mail.host.clone(),
                    port: mail.port,
                    tls: TlsMode::from_name(mail.tls.as_str()).unwrap_or(TlsMode::Starttls),
                    user: mail.user.clone(),
                    from: mail.from.clone(),
                    ca_file: mail.ca_file.as_ref().map(PathBuf::from),
                };
                Transport::smtp(&settings, password.as_ref())
            }
        }
    }

    /// Counts an authentic webhook, asked for at `host`.
    pub(crate) fn webhook_came(&self, host: Option<&str>) {
        self.intake.came(self.clock.now_ms());
        if self.tunnel.webhook_came(host) {
            self.store.tell_changed("tunnel");
        }
    }
}

fn read(config: &RwLock<Arc<Config>>) -> Arc<Config> {
    config.read().unwrap_or_else(PoisonError::into_inner).clone()
}
