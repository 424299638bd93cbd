//! How mail leaves: by SMTP, into a folder, or not at all. Errors say whose fault it is.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::{self, PoolConfig};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};

use super::mailbox::Folder;
use super::message::{Message, one_line};
use crate::workers::StageError;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest for one whole mail, greeting to acceptance.
const SEND_TIMEOUT: Duration = Duration::from_secs(120);
/// Longest text kept of a server's answer, characters.
const MAX_ANSWER: usize = 300;

/// Where mail goes out, `mail.*` of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpSettings {
    /// Name of the server.
    pub host: String,
    /// Usually 587 (`starttls`) or 465 (`tls`).
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: TlsMode,
    /// Empty = no login.
    pub user: String,
    /// Address, or `Name <address>`.
    pub from: String,
    /// PEM file of a certificate authority trusted besides the public ones.
    pub ca_file: Option<PathBuf>,
}

/// Encryption of an SMTP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// Plain greeting, then TLS or no mail.
    Starttls,
    /// TLS from the first byte.
    Tls,
    /// Not encrypted.
    None,
}

impl TlsMode {
    /// The mode named `starttls`, `tls` or `none` in the settings.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "starttls" => Some(Self::Starttls),
            "tls" => Some(Self::Tls),
            "none" => Some(Self::None),
            _ => None,
        }
    }
}

/// The way out for mail.
#[derive(Clone)]
pub enum Transport {
    /// A server.
    Smtp {
        /// The connection; made anew for every mail.
        server: AsyncSmtpTransport<Tokio1Executor>,
        /// The shop.
        from: Mailbox,
    },
    /// A folder of `.eml` files.
    Mailbox(Folder),
    /// Not set up.
    None,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Smtp { .. } => "Transport::Smtp",
            Self::Mailbox(_) => "Transport::Mailbox",
            Self::None => "Transport::None",
        })
    }
}

impl Transport {
    /// A transport to the server in `settings`. Nothing is connected yet.
    ///
    /// # Errors
    /// Permanent `mail_not_set_up` when host, sender, password or CA file is missing or unreadable.
    pub fn smtp(settings: &SmtpSettings, password: Option<&SecretString>) -> Result<Self, StageError> {
        let host = settings.host.trim();
        if host.is_empty() {
            return Err(not_set_up("mail.host is empty"));
        }
        let from = sender(&settings.from)?;
        let tls = match settings.tls {
            TlsMode::None => Tls::None,
            TlsMode::Starttls => Tls::Required(tls_parameters(host, settings)?),
            TlsMode::Tls => Tls::Wrapper(tls_parameters(host, settings)?),
        };
        // A connection is used once: one whose mail was cut off half-way must not carry the next.
        let mut server = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(settings.port)
            .tls(tls)
            .timeout(Some(CONNECT_TIMEOUT))
            .pool_config(PoolConfig::new().max_size(0));
        if !settings.user.is_empty() {
            let Some(password) = password else {
                return Err(not_set_up("the secret smtp.password is not set"));
            };
            server = server
                .credentials(Credentials::new(settings.user.clone(), password.expose_secret().to_owned()));
        }
        Ok(Self::Smtp { server: server.build(), from })
    }

    /// A transport into the folder `dir`, made when the first mail comes.
    ///
    /// # Errors
    /// Permanent `mail_not_set_up` when `from` is no address; empty stands for `chotdon@localhost`.
    pub fn mailbox(dir: impl Into<PathBuf>, from: &str) -> Result<Self, StageError> {
        let from = if from.trim().is_empty() { "chotdon@localhost" } else { from };
        Ok(Self::Mailbox(Folder::new(dir.into(), sender(from)?)))
    }

    /// Sends `message`, dated `now_ms`; answers the other side's own id or words of acceptance.
    ///
    /// The folder takes a `Message-ID` once: sending it again answers the file that is there. A server cannot
    /// be asked; a caller that does not know whether an earlier try was accepted decides before it calls.
    ///
    /// # Errors
    /// Permanent: `mail_auth` (our login is wrong: no mail will go), `mail_refused` (this address or mail),
    /// `mail_not_set_up`. Transient: `mail_temporary` (the server says later), `mail_unreachable`.
    pub async fn send(&self, now_ms: i64, message: &Message) -> Result<String, StageError> {
        match self {
            Self::None => Err(not_set_up("mail.transport is none")),
            Self::Mailbox(folder) => folder.put(now_ms, message).await,
            Self::Smtp { server, from } => {
                let wire = message.on_the_wire(from, now_ms)?;
                let answer = in_time(server.send(wire)).await?;
                let text = answer.message().collect::<Vec<_>>().join(" ");
                Ok(one_line(&text).chars().take(MAX_ANSWER).collect())
            }
        }
    }

    /// Connects and logs in without sending, for the owner's test button.
    ///
    /// # Errors
    /// As [`Transport::send`]; `target_unwritable` for a folder that cannot be written.
    pub async fn check(&self) -> Result<(), StageError> {
        match self {
            Self::None => Err(not_set_up("mail.transport is none")),
            Self::Mailbox(folder) => folder.check().await,
            Self::Smtp { server, .. } => match in_time(server.test_connection()).await? {
                true => Ok(()),
                false => Err(StageError::transient("mail_unreachable", "the server does not answer NOOP")),
            },
        }
    }
}

fn not_set_up(detail: impl Into<String>) -> StageError {
    StageError::permanent("mail_not_set_up", detail)
}

fn sender(from: &str) -> Result<Mailbox, StageError> {
    from.trim().parse().map_err(|e| not_set_up(format!("mail.from {from:?} is not an address: {e}")))
}

fn tls_parameters(host: &str, settings: &SmtpSettings) -> Result<TlsParameters, StageError> {
    let mut tls = TlsParameters::builder(host.to_owned());
    if let Some(path) = &settings.ca_file {
        let wrong = |why: String| not_set_up(format!("mail.ca_file {}: {why}", path.display()));
        let pem = std::fs::read(path).map_err(|e| wrong(e.to_string()))?;
        tls = tls.add_root_certificate(Certificate::from_pem(&pem).map_err(|e| wrong(e.to_string()))?);
    }
    tls.build().map_err(|e| not_set_up(format!("TLS for {host:?}: {e}")))
}

async fn in_time<T>(work: impl Future<Output = Result<T, smtp::Error>>) -> Result<T, StageError> {
    match tokio::time::timeout(SEND_TIMEOUT, work).await {
        Ok(result) => result.map_err(|error| sort(&error)),
        Err(_) => Err(StageError::transient("mail_unreachable", "the server did not finish within 120 s")),
    }
}

/// Sorts what an SMTP server or the way to it said (RFC 5321 §4.2, RFC 4954 §6).
fn sort(error: &smtp::Error) -> StageError {
    let mut detail = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        detail = format!("{detail}: {error}");
        cause = error.source();
    }
    let detail: String = one_line(&detail).chars().take(MAX_ANSWER).collect();
    match error.status().map(u16::from) {
        Some(523 | 524 | 530 | 534 | 535 | 538) => StageError::permanent("mail_auth", detail),
        Some(500..) => StageError::permanent("mail_refused", detail),
        Some(_) => StageError::transient("mail_temporary", detail),
        None if detail.contains("No compatible authentication mechanism") => {
            StageError::permanent("mail_auth", detail)
        }
        None if detail.contains("non-ascii chars") => StageError::permanent("mail_refused", detail),
        None => StageError::transient("mail_unreachable", detail),
    }
}
