//! A real mail server for one test: nodemailer's smtp-server in a Node.js process, with TLS of its own authority.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde::Deserialize;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// A mail the server accepted.
#[derive(Debug, Clone, Deserialize)]
pub struct Mail {
    /// Envelope sender.
    pub from: String,
    /// Envelope recipients.
    pub to: Vec<String>,
    /// Head and body as received.
    pub raw: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Port(u16),
    Mail(Mail),
}

/// A running mail server on 127.0.0.1; its certificate is for `localhost`.
///
/// Recipients decide what goes wrong: `nobody@` 550, `moved@` 551, `full@` 552, `odd@` 553, `spam@` 554 after the
/// mail, `greylisted@` 451, `busy@` 421, `cut@` a cut connection. The login `backend-down` gets 454.
#[derive(Debug)]
pub struct SmtpServer {
    /// On 127.0.0.1.
    pub port: u16,
    lines: Lines<BufReader<ChildStdout>>,
    /// Killed when dropped.
    _child: Child,
    dir: TempDir,
}

impl SmtpServer {
    /// Starts one with `tls` (`none`, `starttls`, `tls`), which wants this login if one is given.
    ///
    /// # Errors
    /// When Node.js or its packages are missing.
    pub async fn start(tls: &str, login: Option<(&str, &str)>) -> Result<Self> {
        install()?;
        let dir = tempfile::tempdir()?;
        let authority_key = KeyPair::generate()?;
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        std::fs::write(dir.path().join("ca.pem"), authority.self_signed(&authority_key)?.pem())?;
        let key = KeyPair::generate()?;
        let issuer = Issuer::new(authority, authority_key);
        let cert = CertificateParams::new(vec!["localhost".to_owned()])?.signed_by(&key, &issuer)?;
        let options = json!({
            "tls": tls, "key": key.serialize_pem(), "cert": cert.pem(),
            "user": login.map(|l| l.0), "password": login.map(|l| l.1),
        });
        let mut child = Command::new("node")
            .arg(home().join("smtp-server.mjs"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("Node.js cannot be started; is it installed?")?;
        // Its standard input stays open as long as this process lives, and ends it.
        child.stdin.as_mut().context("piped")?.write_all(format!("{options}\n").as_bytes()).await?;
        let mut lines = BufReader::new(child.stdout.take().context("piped")?).lines();
        let first = lines.next_line().await?.context("the mail server ended at once")?;
        let Line::Port(port) = serde_json::from_str(&first)? else { bail!("the mail server said {first}") };
        Ok(Self { port, lines, _child: child, dir })
    }

    /// PEM file of the authority that signed the server's certificate.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// The next accepted mail; waits for one.
    ///
    /// # Errors
    /// When the server ended.
    pub async fn mail(&mut self) -> Result<Mail> {
        let line = self.lines.next_line().await?.context("the mail server ended")?;
        match serde_json::from_str(&line)? {
            Line::Mail(mail) => Ok(mail),
            Line::Port(_) => bail!("the mail server said {line}"),
        }
    }
}

fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Installs the server's packages, once, where `cargo xtask test` has not done it.
fn install() -> Result<()> {
    static DONE: OnceLock<Result<(), String>> = OnceLock::new();
    let done = DONE.get_or_init(|| {
        if home().join("node_modules/smtp-server/package.json").exists() {
            return Ok(());
        }
        let npm = std::process::Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
            .current_dir(home())
            .output()
            .map_err(|e| e.to_string())?;
        if npm.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&npm.stderr).into_owned()) }
    });
    match done {
        Ok(()) => Ok(()),
        Err(why) => bail!("npm ci in tests/: {why}"),
    }
}
