//! The command line, as `--help` shows it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// ChotDon without a window: the shop as a daemon, and its command line.
///
/// Commands that change a shop work beside a running `serve` of the same data directory.
/// Exit codes: 0 fine, 1 it failed, 2 usage, 75 try again later.
#[derive(Parser)]
#[command(name = "chotdon-server", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which shop, and where its secrets are.
#[derive(Args, Clone)]
pub(crate) struct ShopArgs {
    /// Data directory of the shop [default: the systemd state directory, else ChotDon in the user's data directory, as the desktop app]
    #[arg(long, value_name = "DIR", env = "CHOTDON_DATA_DIR", global = true)]
    pub(crate) data_dir: Option<PathBuf>,
    /// Where the secrets are [default: file when the data directory has one, else keyring]
    #[arg(long, value_enum, value_name = "STORE", global = true)]
    pub(crate) secrets: Option<SecretsIn>,
}

/// Where the secrets of a shop are.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SecretsIn {
    /// The operating system's keyring
    Keyring,
    /// An encrypted file in the data directory; its passphrase comes from the file named by
    /// CHOTDON_SECRETS_PASSPHRASE_FILE or from the systemd credential chotdon-passphrase
    File,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the shop until SIGTERM or SIGINT; prints its two addresses as one line of JSON when it is ready
    Serve(Serve),
    /// Set, list, rotate or delete a secret
    Secret {
        #[command(subcommand)]
        action: SecretAction,
        #[command(flatten)]
        shop: ShopArgs,
    },
    /// Create, list or revoke keys of the storefront API
    StorefrontKey {
        #[command(subcommand)]
        action: KeyAction,
        #[command(flatten)]
        shop: ShopArgs,
    },
    /// Create, list, rotate or revoke keys of workers on other machines
    WorkerKey {
        #[command(subcommand)]
        action: WorkerKeyAction,
        #[command(flatten)]
        shop: ShopArgs,
    },
    /// Work for a shop on another machine: fetch courses and send them over signed HTTP; needs no database
    ///
    /// Exit codes with --once: 0 handed over, 1 it failed, 75 there was nothing to do or the shop cannot be reached.
    Worker(Worker),
    /// Add, list, test or remove the endpoints that are told of orders by webhook
    StorefrontWebhook {
        #[command(subcommand)]
        action: WebhookAction,
        #[command(flatten)]
        shop: ShopArgs,
    },
    /// Print the bearer token of the private listener
    AdminToken {
        #[command(flatten)]
        shop: ShopArgs,
    },
    /// Bring in courses, customers, bank accounts and orders; doing it twice changes nothing the second time
    Import {
        /// TOML file with [shop], [[bank_account]], [[course]], [[customer]] and [[order]]
        file: PathBuf,
        #[command(flatten)]
        shop: ShopArgs,
    },
    /// Print the shop's catalogue, customers and orders in the form that `import` reads
    Export {
        #[command(flatten)]
        shop: ShopArgs,
    },
    /// Copy the shop into one file: database, settings, mail templates; no secrets. The copy is opened and checked. Works beside a running `serve`
    Backup {
        /// File to write; it must not exist
        file: PathBuf,
        #[command(flatten)]
        shop: ShopArgs,
    },
    /// Put a copy in the shop's place. It is checked first; what was there is kept beside it; deliveries start paused
    /// and nothing is sent until the owner resumes them. Refuses while the shop runs
    Restore {
        /// A file that `backup` wrote
        file: PathBuf,
        /// Only check the copy and say what is in it
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        shop: ShopArgs,
    },
    /// Write a ZIP file to send along when asking for help: versions, settings, log lines; no secrets, nobody's data
    Diagnostics {
        /// File to write; it must not exist
        file: PathBuf,
        #[command(flatten)]
        shop: ShopArgs,
    },
    /// Print the record of human actions, oldest first
    Audit {
        #[command(flatten)]
        filter: AuditArgs,
        #[command(flatten)]
        shop: ShopArgs,
    },
    /// Check the database, the ledger and the record of human actions; exit 0 when everything holds, else 1
    Verify {
        #[command(flatten)]
        shop: ShopArgs,
    },
    /// Catch up on transfers that no webhook reported: read SePay's list and book what is new; prints the run as JSON.
    /// Exit 0 when done, 75 when SePay cannot be reached now, else 1
    Reconcile(Reconcile),
    /// Build a SePay webhook, sign it with the shop's own key and send it to the running shop
    SimulateTransfer(Simulate),
    /// Print an OpenAPI document
    Openapi {
        /// Which API
        #[arg(value_enum)]
        which: Which,
    },
}

#[derive(Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) shop: ShopArgs,
    /// Address of the public listener (webhooks, storefront API, hosted pages); port 0 picks one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8686")]
    pub(crate) public: SocketAddr,
    /// Address of the private listener (UI, admin API, metrics); port 0 picks one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8687")]
    pub(crate) private: SocketAddr,
    /// Sample shop with local adapters: no accounts needed
    #[arg(long)]
    pub(crate) demo: bool,
}

#[derive(Subcommand)]
pub(crate) enum SecretAction {
    /// Store the value read from standard input; the one before is void at once
    Set {
        /// For example sepay.api_key, smtp.password, lms.moodle
        name: String,
    },
    /// Show which secrets are set; never the values
    List,
    /// Store a new value read from standard input (made up and printed once when that is empty); the one before stays good for the overlap
    Rotate {
        /// Name of the secret
        name: String,
        /// How long the value before stays good, such as 24h, 30m or 0 [default: the setting secrets.overlap_h, 24 hours]
        #[arg(long, value_name = "TIME", value_parser = overlap)]
        overlap: Option<Duration>,
    },
    /// Make the value before the last rotation void at once; the current one stays
    Revoke {
        /// Name of the secret
        name: String,
    },
    /// Remove a secret; its value and the one before are void at once
    Delete {
        /// Name of the secret
        name: String,
    },
    /// Move every secret to another store; the shop must not be running
    Move {
        /// Where to
        #[arg(long, value_enum, value_name = "STORE")]
        to: SecretsIn,
    },
}

#[derive(Subcommand)]
pub(crate) enum KeyAction {
    /// Make a key and print it once
    Create {
        /// Name of the storefront
        name: String,
        /// What it may do: orders, customers, courses, each also as orders:read and so on; several are allowed [default: everything]
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
    },
    /// Show the keys' names; never the keys
    List,
    /// Make a key void at once
    Revoke {
        /// Name of the storefront
        name: String,
    },
}

#[derive(Subcommand)]
pub(crate) enum WorkerKeyAction {
    /// Make a key for a worker and print it once
    Create {
        /// Name of the worker: letters, digits, `-` and `_`, at most 64
        name: String,
    },
    /// Show the workers; never the keys
    List,
    /// Make a new key and print it once; the one before stays good for 24 hours
    Rotate {
        /// Name of the worker
        name: String,
    },
    /// Make a worker's keys void at once; what it was doing is done by another
    Revoke {
        /// Name of the worker
        name: String,
    },
}

#[derive(Args)]
pub(crate) struct Worker {
    /// The shop's public address, https://…, without a path
    #[arg(long, value_name = "URL")]
    pub(crate) url: String,
    /// Name of the worker at the shop, as given to `worker-key create`
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,
    /// Read the key from standard input; the only way to give it
    #[arg(long, required = true)]
    pub(crate) key_from_stdin: bool,
    /// Directory of its own for what it fetches [default: ChotDon-worker in the user's data directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) work_dir: Option<PathBuf>,
    /// A program of this machine that courses may be fetched with, absolute; several are allowed. Others are not run
    #[arg(long = "program", value_name = "PATH")]
    pub(crate) programs: Vec<PathBuf>,
    /// End after one question and at most one task
    #[arg(long)]
    pub(crate) once: bool,
    /// Allow plain http to other machines, for networks that are trusted
    #[arg(long)]
    pub(crate) insecure: bool,
}

#[derive(Subcommand)]
pub(crate) enum WebhookAction {
    /// Add an endpoint, or change its address and events; prints its signing secret once
    Add {
        /// Name of the endpoint
        name: String,
        /// Its address, https://…
        url: String,
        /// What it is told of: order.paid, order.delivered, order.failed, order.refunded, wallet.credited; several are allowed [default: everything]
        #[arg(long = "event", value_name = "EVENT")]
        events: Vec<String>,
    },
    /// Show the endpoints and how they do; never the secrets
    List,
    /// Send a webhook.test to an endpoint; prints its webhook-id
    Test {
        /// Name of the endpoint
        name: String,
    },
    /// Make a new signing secret and print it once; webhooks carry both signatures for 24 hours
    Rotate {
        /// Name of the endpoint
        name: String,
    },
    /// Tell an endpoint nothing more
    Remove {
        /// Name of the endpoint
        name: String,
    },
}

#[derive(Args)]
pub(crate) struct Reconcile {
    #[command(flatten)]
    pub(crate) shop: ShopArgs,
    /// Read from this day on as well, in Vietnam's time, or from an RFC 3339 time [default: the last three days]
    #[arg(long, value_name = "DAY")]
    pub(crate) from: Option<String>,
}

#[derive(Args)]
pub(crate) struct Simulate {
    #[command(flatten)]
    pub(crate) shop: ShopArgs,
    /// Whole đồng [default: what the order still lacks]
    #[arg(long, value_name = "VND", required_unless_present = "order")]
    pub(crate) amount: Option<i64>,
    /// Transfer text [default: the order's code]
    #[arg(long, value_name = "TEXT", required_unless_present = "order")]
    pub(crate) content: Option<String>,
    /// Pay this order
    #[arg(long, value_name = "CODE")]
    pub(crate) order: Option<String>,
    /// SePay's id of the transfer; the same id again is a duplicate [default: a new one]
    #[arg(long, value_name = "N")]
    pub(crate) id: Option<i64>,
    /// Receiving account [default: the shop's preferred one]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) account: Option<String>,
}

/// Which rows of the record, and how they are written.
#[derive(Args)]
pub(crate) struct AuditArgs {
    /// csv for spreadsheets, or one JSON object a line
    #[arg(long, value_enum, default_value_t = AuditFormat::Csv)]
    pub(crate) format: AuditFormat,
    /// Only this person: owner, cli, storefront:NAME; storefront: means every storefront
    #[arg(long, value_name = "WHO")]
    pub(crate) actor: Option<String>,
    /// Only this action: order.cancel; order. means everything about orders
    #[arg(long, value_name = "WHAT")]
    pub(crate) action: Option<String>,
    /// Only what was done to this: an order's code, a secret's name
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) subject: Option<String>,
    /// Only from this time on, as 2026-11-22T00:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<jiff::Timestamp>,
    /// Only before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<jiff::Timestamp>,
    /// Only rows with these words, with or without diacritics
    #[arg(long, value_name = "WORDS")]
    pub(crate) text: Option<String>,
}

/// How the record is written.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AuditFormat {
    /// UTF-8 with a byte order mark, as spreadsheets want it
    Csv,
    /// One object a line
    Json,
}

/// `24h`, `30m`, `90s`, `2d`, or `0`; at most 30 days.
fn overlap(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        "" if number == "0" => 0,
        _ => return Err("write 24h, 30m, 90s, 2d or 0".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "write 24h, 30m, 90s, 2d or 0".to_owned())?;
    let seconds = number.checked_mul(seconds).filter(|seconds| *seconds <= 30 * 24 * 3600);
    seconds.map(Duration::from_secs).ok_or_else(|| "at most 30 days".to_owned())
}

/// An API with an OpenAPI document.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Which {
    /// Webhooks, storefront API, hosted pages
    Public,
    /// The owner's API on the private listener
    Admin,
}
