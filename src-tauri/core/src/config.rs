//! The settings of a shop: `config.toml` in the data directory, overridden by `CHOTDON_SECTION__KEY`.
//!
//! One table below says every key once: type, default, unit, limits. The structs, the reader, the writer
//! and `docs/settings.md` all come from it. Secrets are never here (see [`crate::secrets`]).

mod error;
mod file;
mod page;
mod setting;

use std::path::{Path, PathBuf};

pub use error::ConfigError;
pub use page::settings_page;
use setting::{Check, Setting, choice};

/// SePay's transaction API v1.
pub(crate) const SEPAY_API: &str = "https://my.sepay.vn/userapi";

/// Name of the file in the data directory.
pub const FILE_NAME: &str = "config.toml";

choice! {
    /// Language of mails and of messages to the owner.
    Language {
        /// Vietnamese.
        Vi = "vi",
        /// English.
        En = "en",
    }
}

choice! {
    /// How mail leaves the shop.
    MailTransport {
        /// A real mail server.
        Smtp = "smtp",
        /// `.eml` files in the folder `mailbox` of the data directory.
        Mailbox = "mailbox",
        /// No mail is sent; orders complete without one.
        None = "none",
    }
}

choice! {
    /// How the connection to the mail server is protected.
    MailTls {
        /// Starts plain, must upgrade before anything is said.
        Starttls = "starttls",
        /// TLS from the first byte.
        Tls = "tls",
        /// Not protected; for a server on this machine.
        None = "none",
    }
}

choice! {
    /// What a channel tells the owner of.
    About {
        /// Money or service stopped.
        Stopped = "stopped",
        /// And what needs the owner.
        NeedsOwner = "needs_owner",
        /// And what is good to know.
        All = "all",
    }
}

impl About {
    /// The least urgent class of notices that is told of.
    #[must_use]
    pub fn class(self) -> i64 {
        match self {
            Self::Stopped => chotdon_store::STOPPED,
            Self::NeedsOwner => chotdon_store::NEEDS_OWNER,
            Self::All => chotdon_store::INFORMATION,
        }
    }
}

choice! {
    /// The least important level that is written to the logs.
    LogLevel {
        /// Only failures.
        Error = "error",
        /// And what looks wrong.
        Warn = "warn",
        /// And what happened.
        Info = "info",
        /// And how.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }
}

choice! {
    /// What brings the public listener to the internet.
    TunnelKind {
        /// Nothing of ours: a reverse proxy of the owner's, or not reachable at all.
        None = "none",
        /// Cloudflare's connector.
        Cloudflared = "cloudflared",
        /// ngrok's agent.
        Ngrok = "ngrok",
        /// `ssh -R` to a server of the owner's.
        Ssh = "ssh",
        /// Any other program.
        Command = "command",
    }
}

/// One row of the table of settings.
struct Row {
    section: &'static str,
    key: &'static str,
    about: &'static str,
    expected: fn() -> String,
    check: Check,
    unit: &'static str,
    /// How the default is shown when it is not one fixed value; empty when it is.
    shown: &'static str,
    default: fn() -> Option<toml_edit::Value>,
    set: fn(&mut Config, Given<'_>) -> bool,
}

/// A value for a setting, from wherever it came.
#[derive(Clone, Copy)]
enum Given<'a> {
    Toml(&'a toml_edit::Value),
    Text(&'a str),
}

impl Given<'_> {
    fn read<T: Setting>(self) -> Option<T> {
        match self {
            Self::Toml(value) => T::from_toml(value),
            Self::Text(text) => T::from_text(text),
        }
    }
}

macro_rules! settings {
    ($(
        $(#[doc = $section_doc:literal])+
        $section:ident: $Section:ident {
            $(
                $(#[doc = $doc:literal])+
                $key:ident: $kind:ty = $default:expr, $unit:literal, $check:expr $(, shown $shown:literal)?;
            )+
        }
    )+) => {
        /// Every setting of a shop.
        #[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
        pub struct Config {
            $($(#[doc = $section_doc])+ pub $section: $Section,)+
        }

        $(
            $(#[doc = $section_doc])+
            #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
            pub struct $Section {
                $($(#[doc = $doc])+ #[doc = concat!(" Unit: ", $unit, ".")] pub $key: $kind,)+
            }

            impl Default for $Section {
                fn default() -> Self {
                    Self { $($key: $default,)+ }
                }
            }
        )+

        const ROWS: &[Row] = &[$($(
            Row {
                section: stringify!($section),
                key: stringify!($key),
                about: concat!($($doc, "\n"),+),
                expected: <$kind as Setting>::expected,
                check: $check,
                unit: $unit,
                shown: concat!("" $(, $shown)?),
                default: || $Section::default().$key.to_toml(),
                set: |config, given| match given.read::<$kind>() {
                    Some(value) if $check.holds(&value) => {
                        config.$section.$key = value;
                        true
                    }
                    _ => false,
                },
            },
        )+)+];

        const SECTIONS: &[(&str, &str)] = &[$((stringify!($section), concat!($($section_doc, "\n"),+)),)+];
    };
}

settings! {
    /// The shop itself.
    shop: ShopConfig {
        /// Name that customers read in mails and on pages.
        name: String = String::new(), "text", Check::Any;
        /// Language of mails to customers and of desktop notifications.
        language: Language = Language::Vi, "word", Check::Any;
    }
    /// The listener that the tunnel reaches: webhooks, storefront API, hosted pages, downloads.
    public: PublicConfig {
        /// What links and the webhook URL are built from; a tunnel sets it.
        base_url: Option<String> = None, "URL", Check::Url, shown "the public listener's own address";
        /// Allows the public listener on addresses other than loopback. Without it such an address is refused.
        allow_remote: bool = false, "yes or no", Check::Any;
        /// Names, with a port where it is not the default one, under which the shop answers besides `base_url` and
        /// loopback. Requests under any other name are refused.
        allowed_hosts: Vec<String> = Vec::new(), "host or host:port", Check::Any;
        /// Header in which your own reverse proxy says who asks, such as `X-Real-IP`; of `X-Forwarded-For` the last
        /// entry counts. Only for a listener that nobody but the proxy reaches: others could write the header.
        client_ip_header: String = String::new(), "header", Check::Header, shown "none; a tunnel's own where one is run";
    }
    /// The tunnel that brings the public listener to the internet. The app starts it, looks every few seconds through
    /// the public address whether it works, and starts it again when it does not. Its key is the secret `tunnel.token`.
    tunnel: TunnelConfig {
        /// Which one: `cloudflared`, `ngrok`, `ssh` to a server of yours, `command` for any other program, or `none` when
        /// your own reverse proxy does it.
        kind: TunnelKind = TunnelKind::None, "word", Check::Any;
        /// Address by which the tunnel is reached, as entered at SePay.
        url: Option<String> = None, "URL", Check::Url, shown "what the program says, else `public.base_url`";
        /// The program: a path, or a name that is looked for in the usual places.
        program: String = String::new(), "path", Check::Any, shown "`cloudflared`, `ngrok` or `ssh`";
        /// Its arguments; for kinds other than `command` they are added to those of the app. `{port}`, `{addr}` stand for
        /// the public listener's, `{token_file}` for a file with the secret `tunnel.token`. Never put a key here.
        args: Vec<String> = Vec::new(), "arguments", Check::Any;
        /// With `command`: only an address in its output that contains this text counts as its own.
        url_hint: Option<String> = None, "text", Check::Any, shown "the first https address counts";
        /// With `ssh`: the server.
        ssh_host: String = String::new(), "host name", Check::Any;
        /// Its port.
        ssh_port: u16 = 22, "port", Check::Range(1, 65_535);
        /// Account there.
        ssh_user: String = String::new(), "text", Check::Any;
        /// Private key of that account, without a passphrase.
        ssh_key_file: Option<String> = None, "path", Check::Any, shown "the account's usual keys";
        /// Socket of a running ssh agent that holds the key.
        ssh_agent_socket: Option<String> = None, "path", Check::Any, shown "none";
        /// Where the server listens for us, `PORT` or `ADDRESS:PORT`; its web server passes requests on to there.
        ssh_remote: String = "8686".to_owned(), "address and port", Check::Any;
        /// How often it is looked whether the address works. Above 20, a tunnel that fails is noticed later than it could.
        check_every_s: u32 = 20, "seconds", Check::Range(5, 600);
    }
    /// The listener of the owner: UI, admin API, metrics.
    private: PrivateConfig {
        /// Names, with a port where it is not the default one, that a browser may use besides loopback:
        /// those of your own reverse proxy.
        allowed_hosts: Vec<String> = Vec::new(), "host or host:port", Check::Any;
        /// Allows the private listener on addresses other than loopback. Without it such an address is refused.
        allow_remote: bool = false, "yes or no", Check::Any;
    }
    /// SePay, which reports the bank transfers.
    sepay: SepayConfig {
        /// Transaction API, version 1.
        api_base: String = SEPAY_API.to_owned(), "URL", Check::Url;
        /// How often the transaction API is asked for transfers that no webhook reported;
        /// 0 = only at start, on wake and on demand.
        reconcile_every_s: u32 = 300, "seconds", Check::Range(0, 86_400);
        /// By how much a webhook's signed timestamp may differ from our clock.
        timestamp_tolerance_s: i64 = 300, "seconds", Check::Range(1, 86_400);
        /// Addresses and networks that webhooks may come from, where a header says who asks; empty = any. The key
        /// decides in any case. SePay publishes its addresses and may change them.
        allowed_ips: Vec<String> = Vec::new(), "IP address or network", Check::Networks;
    }
    /// How orders behave.
    orders: OrdersConfig {
        /// How long an order waits for its payment.
        expire_after_min: i64 = 1440, "minutes", Check::Range(1, 525_600);
        /// How much may be missing from a payment that still counts as full.
        tolerance_vnd: i64 = 0, "đồng", Check::Range(0, 1_000_000);
        /// How long a match made by hand can be undone before it delivers.
        manual_match_hold_s: i64 = 10, "seconds", Check::Range(0, 3_600);
        /// How long a download link works.
        link_days: i64 = 30, "days", Check::Range(1, 3_650);
        /// How many downloads one link allows.
        link_max_downloads: i64 = 50, "downloads", Check::Range(1, 1_000_000);
    }
    /// How courses are watched.
    courses: CoursesConfig {
        /// How often the source of each course on sale is looked at; one that changed is prepared anew, as a new
        /// version. 0 = only on demand.
        check_every_h: u32 = 24, "hours", Check::Range(0, 8_760);
    }
    /// Storefronts that are told what happens by webhook.
    storefront: StorefrontConfig {
        /// Allows endpoints on this machine and in the local network, and `http` to them.
        private_webhooks: bool = false, "yes or no", Check::Any, shown "no; in demo mode yes";
    }
    /// Mail to customers.
    mail: MailConfig {
        /// Where mail goes: `smtp` a mail server, `mailbox` a folder of `.eml` files, `none` nowhere.
        transport: MailTransport = MailTransport::Smtp, "word", Check::Any, shown "`smtp`; in demo mode `mailbox`";
        /// Mail server.
        host: String = String::new(), "host name", Check::Any;
        /// Its port.
        port: u16 = 587, "port", Check::Range(1, 65_535);
        /// Protection of the connection.
        tls: MailTls = MailTls::Starttls, "word", Check::Any;
        /// Account at the mail server; empty = no login. Its password is the secret `smtp.password`.
        user: String = String::new(), "text", Check::Any;
        /// Sender, `Name <address>` or a bare address.
        from: String = String::new(), "mail address", Check::Any;
        /// File with certificates (PEM) to trust besides the public ones.
        ca_file: Option<String> = None, "path", Check::Any, shown "none";
    }
    /// Google Drive, where courses are delivered to. Its secrets: `google.client_secret`, `google.refresh_token`, and
    /// `google.service_account` in place of both for a shared drive.
    drive: DriveConfig {
        /// The API.
        api_base: String = gdrive::Ends::GOOGLE.0.to_owned(), "URL", Check::Url;
        /// Where files are uploaded to.
        upload_base: String = gdrive::Ends::GOOGLE.1.to_owned(), "URL", Check::Url;
        /// Where tokens come from; the owner's consent is asked for at Google's own page, or below this address.
        auth_base: String = gdrive::Ends::GOOGLE.2.to_owned(), "URL", Check::Url;
        /// Your own OAuth client of the kind "Desktop app".
        client_id: String = String::new(), "text", Check::Any;
        /// Asks for access to the whole Drive instead of only what the app made: for folders that exist already.
        full_access: bool = false, "yes or no", Check::Any;
        /// Id of the folder that the courses' folders are made in. Without full access it has to be one that the app made.
        parent_folder_id: Option<String> = None, "text", Check::Any, shown "the account's root";
        /// Id of the shared drive to work in.
        shared_drive_id: Option<String> = None, "text", Check::Any, shown "none";
        /// Most buyers that are given access within 24 hours; Google's own limit is not published.
        shares_per_day: u32 = 500, "permissions", Check::Range(1, 1_000_000);
        /// How long a buyer's access lasts; 0 = for ever. Where Google does not end it, the app takes it back.
        access_days: u32 = 0, "days", Check::Range(0, 3_650);
    }
    /// The worker pool.
    workers: WorkersConfig {
        /// How many tasks run at once.
        count: u16 = cores(), "workers", Check::Range(1, 256), shown "number of cores, at least 2";
        /// How long a worker on another machine keeps a task without a sign of life.
        lease_s: u32 = 60, "seconds", Check::Range(1, 3_600);
        /// How much a worker on another machine may send for one task.
        incoming_max_mb: i64 = 204_800, "megabytes", Check::Range(1, 100_000_000);
        /// A directory that workers on other machines write to as well. What they name lies below it and need not be sent.
        incoming_dir: Option<String> = None, "path", Check::Any, shown "none: files are sent over HTTP";
    }
    /// The task queue.
    queue: QueueConfig {
        /// How long a worker keeps a task without a sign of life.
        lease_s: u32 = 30, "seconds", Check::Range(1, 3_600);
        /// Wait before the second attempt; doubles with each further one, with jitter.
        retry_base_s: u32 = 20, "seconds", Check::Range(1, 3_600);
        /// Attempts before a task fails for good.
        retry_max: u16 = 8, "attempts", Check::Range(1, 100);
        /// A stage that shows no life for this long is taken for hung and replaced.
        stall_s: u32 = 90, "seconds", Check::Range(1, 86_400);
        /// How long running stages may finish when the app quits.
        drain_s: u32 = 30, "seconds", Check::Range(0, 3_600);
    }
    /// The owner's own programs that fetch courses.
    downloader: DownloaderConfig {
        /// How long a program may run when its course says nothing else.
        timeout_s: u32 = 21_600, "seconds", Check::Range(1, 604_800);
        /// How long a program may take to end by itself when it is stopped; then it is killed.
        grace_s: u16 = 10, "seconds", Check::Range(0, 600);
        /// How many files a program may leave.
        max_files: u16 = 10_000, "files", Check::Range(1, 10_000);
        /// How much a program may leave, everything together.
        max_gb: u32 = 200, "GiB", Check::Range(1, 100_000);
        /// How much a program may print.
        max_output_mb: u16 = 16, "MiB", Check::Range(1, 4_096);
        /// How many processes a program may have at once.
        max_processes: u16 = 64, "processes", Check::Range(1, 4_096);
    }
    /// rclone, for sources and targets other than folders, servers and Google Drive.
    rclone: RcloneConfig {
        /// The program: a path, or a name that is looked for in the usual places. Version 1.75.0 or newer.
        path: String = "rclone".to_owned(), "path", Check::Any;
        /// How much of what buyers download from remotes is kept on this machine's disk.
        cache_mb: u32 = 20_480, "MiB", Check::Range(1, 16_777_216);
    }
    /// Outside services: how much of each is used at once, how fast, and when one that fails is left alone.
    services: ServicesConfig {
        /// Calls to Google Drive at once.
        drive: u16 = 4, "calls", Check::Range(1, 64);
        /// Time between two buyers who are given access on Google Drive; 0 = no pace.
        share_every_s: u32 = 5, "seconds", Check::Range(0, 3_600);
        /// Mails under way at once.
        smtp: u16 = 8, "mails", Check::Range(1, 64);
        /// Mails in 24 hours; the rest waits. 0 = no cap of ours. Gmail allows 500, with Workspace 2,000.
        mails_per_day: u32 = 0, "mails", Check::Range(0, 1_000_000);
        /// Calls to one learning platform at once.
        lms: u16 = 2, "calls", Check::Range(1, 64);
        /// Transfers by rclone at once.
        rclone: u16 = 2, "transfers", Check::Range(1, 64);
        /// Downloads from one host at once.
        source: u16 = 4, "downloads", Check::Range(1, 64);
        /// Failures in a row after which a service is left alone for a while.
        breaks_after: u16 = 5, "failures", Check::Range(1, 1_000);
        /// How long it is left alone the first time; doubles each time it does not help, up to 15 minutes.
        break_s: u32 = 30, "seconds", Check::Range(1, 3_600);
    }
    /// Keys and passwords. Their values are never here.
    secrets: SecretsConfig {
        /// How long the value before a rotation stays good; 0 = void at once.
        overlap_h: u32 = 24, "hours", Check::Range(0, 720);
        /// The age at which you are reminded to replace a key; 0 = never.
        remind_after_days: u32 = 90, "days", Check::Range(0, 3_650);
    }
    /// Protection of the public listener against floods, and of both against slow and endless requests.
    limits: LimitsConfig {
        /// Rate limits on. SePay's signed requests are never refused by them; the caps on connections, sizes and
        /// times hold in any case.
        enabled: bool = true, "yes or no", Check::Any;
        /// Pages, downloads and unknown paths that one visitor may open; five seconds' worth at once.
        visitor_per_s: u32 = 20, "requests a second", Check::Range(1, 100_000);
        /// The same for all visitors together; two seconds' worth at once.
        visitors_per_s: u32 = 300, "requests a second", Check::Range(1, 1_000_000);
        /// Requests with a wrong key or none of one sender that are answered as such; four seconds' worth at once.
        refused_per_s: u32 = 5, "requests a second", Check::Range(1, 100_000);
        /// The same for all senders together.
        refused_total_per_s: u32 = 50, "requests a second", Check::Range(1, 1_000_000);
        /// Requests with one storefront key; two seconds' worth at once.
        key_per_s: u32 = 100, "requests a second", Check::Range(1, 1_000_000);
        /// Requests of one sender that are answered at once; pages that wait for news count.
        at_once: u32 = 64, "requests", Check::Range(1, 10_000);
        /// Connections to the public listener at once. When there are more, the one goes whose request has been
        /// incomplete for longest.
        connections: u32 = 512, "connections", Check::Range(8, 100_000);
        /// Connections from one address other than this machine's.
        connections_per_address: u32 = 64, "connections", Check::Range(1, 100_000);
        /// Longest request line with all headers.
        header_kb: u16 = 16, "KiB", Check::Range(8, 1_024);
        /// How long the request line and the headers may take.
        header_s: u16 = 10, "seconds", Check::Range(1, 300);
        /// How long a body may take; pieces of files that workers send have five minutes.
        body_s: u16 = 10, "seconds", Check::Range(1, 300);
        /// How long a connection may be idle between two requests.
        idle_s: u16 = 90, "seconds", Check::Range(1, 3_600);
    }
    /// How the owner is told.
    notifications: NotificationsConfig {
        /// Shows messages on the desktop.
        desktop: bool = true, "yes or no", Check::Any;
        /// What is shown on the desktop: `stopped` money or service stopped, `needs_owner` that and what needs the owner,
        /// `all` that and what is good to know.
        desktop_about: About = About::All, "word", Check::Any;
        /// Telegram chat that the owner's bot writes to, its number or `@name`; empty = none. The bot's token is the secret
        /// `telegram.bot_token`.
        telegram_chat: String = String::new(), "text", Check::Any;
        /// What Telegram is told of.
        telegram_about: About = About::NeedsOwner, "word", Check::Any;
        /// Telegram's bot API.
        telegram_api: String = "https://api.telegram.org".to_owned(), "URL", Check::Url;
        /// Address that is called for each message, in Standard Webhooks form; signed with the secret `alerts.webhook_secret`.
        webhook_url: Option<String> = None, "URL", Check::Url, shown "none";
        /// What the webhook is told of.
        webhook_about: About = About::All, "word", Check::Any;
        /// Allows that address to be on this machine or in the local network, and `http` to it.
        webhook_private: bool = false, "yes or no", Check::Any;
        /// Mail address of the owner; empty = none.
        mail_to: String = String::new(), "mail address", Check::Any;
        /// What is mailed.
        mail_about: About = About::Stopped, "word", Check::Any;
        /// Start of the quiet hours, in which only urgent messages are shown. Equal ends = no quiet hours.
        quiet_from: String = "22:00".to_owned(), "time of day", Check::TimeOfDay;
        /// End of the quiet hours.
        quiet_to: String = "07:00".to_owned(), "time of day", Check::TimeOfDay;
    }
    /// The log files in the folder `logs` of the data directory.
    log: LogConfig {
        /// The least important level that is written.
        level: LogLevel = LogLevel::Info, "word", Check::Any;
        /// How many daily files are kept.
        keep_days: u16 = 14, "days", Check::Range(1, 3_650);
        /// A file that is larger is ended and another begun on the same day.
        max_file_mb: u32 = 50, "MiB", Check::Range(1, 10_000);
        /// All log files together; the oldest are removed.
        max_total_mb: u32 = 500, "MiB", Check::Range(1, 100_000);
    }
    /// Copies of the shop: database, settings and mail templates in one file; no secrets, no courses.
    backup: BackupConfig {
        /// Makes a copy every day.
        daily: bool = true, "yes or no", Check::Any;
        /// When, in Vietnam; made up for when the app was not running.
        at: String = "03:00".to_owned(), "time of day", Check::TimeOfDay;
        /// How many daily copies are kept.
        keep: u16 = 14, "copies", Check::Range(1, 1_000);
        /// Folder of the copies; best on another disk.
        folder: Option<String> = None, "path", Check::Any, shown "`backups` in the data directory";
    }
}

/// As many workers as cores, at least two: one long transfer must not hold up the next task.
fn cores() -> u16 {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get);
    u16::try_from(cores).unwrap_or(u16::MAX).clamp(2, 256)
}

impl Config {
    /// What holds when nothing is set. Demo mode differs in two keys: mail goes to the mailbox folder, and storefronts
    /// may be on this machine.
    #[must_use]
    pub fn defaults(demo: bool) -> Self {
        let mut config = Self::default();
        if demo {
            config.mail.transport = MailTransport::Mailbox;
            config.storefront.private_webhooks = true;
        }
        config
    }

    /// The settings of the shop in `data_dir`: defaults, then `config.toml` (a missing one is fine), then the
    /// variables `CHOTDON_SECTION__KEY` of `env`. Other variables are ignored.
    ///
    /// # Errors
    /// The first thing that is wrong, naming file and line or the variable, the key, and what is expected.
    pub fn load(
        data_dir: &Path,
        demo: bool,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut config = Self::defaults(demo);
        let path = path_in(data_dir);
        if let Some(text) = file::read(&path)? {
            file::apply(&mut config, &path, &text)?;
        }
        let mut variables: Vec<_> =
            env.into_iter().filter_map(|(name, value)| variable(name, value)).collect();
        variables.sort();
        for Variable { name, section, key, value } in variables {
            let row =
                row(&section, &key).ok_or_else(|| ConfigError::unknown_variable(&name, &section, &key))?;
            if !(row.set)(&mut config, Given::Text(&value)) {
                return Err(ConfigError::bad_variable(name, row));
            }
        }
        Ok(config)
    }

    /// Changes keys of one section in `config.toml`, keeping its comments and everything else. `values` is a
    /// struct or JSON object with some or all keys of the section; a null takes the key out of the file.
    /// The file is replaced whole and is mode 0600; nothing is written when a value is refused.
    ///
    /// # Errors
    /// An unknown key, a value out of its limits, a file that is already wrong, or the file system's word.
    pub fn save_section(
        data_dir: &Path,
        section: &str,
        values: &impl serde::Serialize,
    ) -> Result<(), ConfigError> {
        let values = serde_json::to_value(values).map_err(|e| ConfigError::Shape(e.to_string()))?;
        let serde_json::Value::Object(values) = values else {
            return Err(ConfigError::Shape(format!("section `{section}` must be an object")));
        };
        file::save(&path_in(data_dir), section, &values)
    }
}

/// Minute of the day of a checked setting such as `notifications.quiet_from`; 0 for anything else.
#[must_use]
pub fn minute_of_day(time: &str) -> u32 {
    setting::minute_of_day(time).unwrap_or(0)
}

fn path_in(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE_NAME)
}

fn row(section: &str, key: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.section == section && row.key == key)
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Variable {
    name: String,
    section: String,
    key: String,
    value: String,
}

/// Only names with two underscores between section and key are settings; `CHOTDON_SECRETS_PASSPHRASE_FILE` is not.
fn variable(name: String, value: String) -> Option<Variable> {
    let (section, key) = name.strip_prefix("CHOTDON_")?.split_once("__")?;
    let (section, key) = (section.to_ascii_lowercase(), key.to_ascii_lowercase());
    Some(Variable { name, section, key, value })
}

#[cfg(test)]
mod tests;
