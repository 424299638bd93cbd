//! A shop served by the real program in a process of its own, which a test may kill, and the directory that outlives it.
//! Nothing of the developer's environment reaches the program. Processes end with the value.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

/// Longer than any start or stop takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// `chotdon-server` as built: named by `CHOTDON_SERVER_BIN`, else beside the running test.
///
/// # Errors
/// When it is not there.
#[allow(clippy::disallowed_methods)] // where the program is comes by the environment
pub fn program() -> Result<PathBuf> {
    let path = match std::env::var_os("CHOTDON_SERVER_BIN") {
        Some(path) => PathBuf::from(path),
        None => {
            let test = std::env::current_exe()?;
            let profile = test.ancestors().nth(2).context("a test lies in target/PROFILE/deps")?;
            profile.join("chotdon-server")
        }
    };
    ensure!(
        path.exists(),
        "{} is missing: build it first with `cargo build -p chotdon-server`",
        path.display()
    );
    Ok(path)
}

/// A home with the directory of a demo shop, whose secrets are in an encrypted file.
pub struct Home {
    dir: TempDir,
    /// The passphrase of the encrypted file.
    pub passphrase: String,
    /// The key of SePay's signatures.
    pub hmac_secret: String,
    /// Further variables of every command, such as `CHOTDON_LOG__LEVEL`.
    pub env: Vec<(&'static str, String)>,
    /// Where the public listener is; port 0 picks one.
    pub public: String,
    /// The program, when it is not the one that was built.
    pub program: Option<PathBuf>,
    /// What the program runs under, such as strace; the process that is started must become the program.
    pub under: Vec<String>,
}

impl Home {
    /// A home with fresh secrets.
    ///
    /// # Errors
    /// When the program is missing or refuses.
    pub async fn new() -> Result<Self> {
        let fresh = || format!("{:032x}", rand::random::<u128>());
        let home = Self {
            dir: tempfile::Builder::new().prefix("chotdon-").tempdir()?,
            passphrase: fresh(),
            hmac_secret: format!("whsec_{}", fresh()),
            env: vec![
                ("CHOTDON_QUEUE__RETRY_BASE_S", "1".to_owned()),
                ("CHOTDON_QUEUE__DRAIN_S", "1".to_owned()),
            ],
            public: "127.0.0.1:0".to_owned(),
            program: None,
            under: Vec::new(),
        };
        std::fs::write(home.path().join("passphrase"), &home.passphrase)?;
        home.set_secret("sepay.hmac_secret", &home.hmac_secret).await?;
        Ok(home)
    }

    /// The home itself; holds `shop`, `passphrase`, `stdout`, `stderr`.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The shop's data directory.
    pub fn data(&self) -> PathBuf {
        self.path().join("shop")
    }

    /// Sets a secret as the owner does at a terminal.
    ///
    /// # Errors
    /// When the program refuses.
    pub async fn set_secret(&self, name: &str, value: &str) -> Result<()> {
        self.run(&["secret", "set", name], value).await.map(drop)
    }

    /// Runs a command of the program to its end; answers what it printed.
    ///
    /// # Errors
    /// When it does not exit with 0; the text holds what it said.
    pub async fn run(&self, args: &[&str], input: &str) -> Result<String> {
        let mut command = self.command(args)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let mut stdin = child.stdin.take().context("the input is piped")?;
        // A command that does not read its input may be gone already.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await??;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{args:?} ended with {}: {said}", output.status);
        Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
    }

    /// Serves the shop; returns once it says that it is ready.
    ///
    /// # Errors
    /// When it does not get so far.
    pub async fn serve(&self) -> Result<Served> {
        match self.begin()?.ready().await {
            Ok(served) => Ok(served),
            Err(error) => {
                let said = std::fs::read_to_string(self.path().join("stderr")).unwrap_or_default();
                let tail: Vec<&str> = said.lines().rev().take(20).collect();
                bail!("{error:#}; it said, last line first: {tail:#?}")
            }
        }
    }

    /// Starts the program without waiting for it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn begin(&self) -> Result<Starting> {
        let args = ["serve", "--demo", "--public", &self.public, "--private", "127.0.0.1:0"];
        let stderr = std::fs::File::options().create(true).append(true).open(self.path().join("stderr"))?;
        let mut command = self.command(&args)?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
        Ok(Starting { child: command.spawn()?, hmac_secret: self.hmac_secret.clone() })
    }

    fn command(&self, args: &[&str]) -> Result<Command> {
        let mut words = self.under.iter().map(std::ffi::OsString::from).collect::<Vec<_>>();
        words.push(self.program.clone().map_or_else(program, Ok)?.into());
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .args(args)
            .args(["--secrets", "file", "--data-dir"])
            .arg(self.data())
            .env_clear()
            .env("HOME", self.path())
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LANG", "C.UTF-8")
            .env("CHOTDON_SECRETS_PASSPHRASE_FILE", self.path().join("passphrase"))
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .kill_on_drop(true);
        Ok(command)
    }
}

/// A program that was started and has not said yet that it is ready.
pub struct Starting {
    child: Child,
    hmac_secret: String,
}

impl Starting {
    /// Waits for the line that says where it listens.
    ///
    /// # Errors
    /// When it ends before.
    pub async fn ready(mut self) -> Result<Served> {
        let stdout = self.child.stdout.take().context("the output is piped")?;
        let mut line = String::new();
        tokio::time::timeout(PATIENCE, BufReader::new(stdout).read_line(&mut line)).await??;
        let ready: Value =
            serde_json::from_str(&line).with_context(|| format!("no ready line but {line:?}"))?;
        let address = |name: &str| ready[name].as_str().map(str::to_owned).context("an address");
        let (public, private) = (address("public")?, address("private")?);
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
        Ok(Served {
            child: self.child,
            hmac_secret: self.hmac_secret,
            public,
            private,
            http,
            token: String::new(),
        })
    }

    /// Ends it at once, wherever it is.
    ///
    /// # Errors
    /// The system's.
    pub async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }
}

/// A shop that answers.
pub struct Served {
    child: Child,
    hmac_secret: String,
    /// Of the public listener, `http://…`.
    pub public: String,
    /// Of the private listener.
    pub private: String,
    /// A client that follows no proxy.
    pub http: reqwest::Client,
    /// What the admin API is asked with; empty until it is known.
    pub token: String,
}

impl Served {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// Asks the admin API; answers status and JSON.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn admin(&self, method: &str, path: &str, body: Option<Value>) -> Result<(u16, Value)> {
        let mut request =
            self.http.request(method.parse()?, format!("{}{path}", self.private)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        Ok((status, serde_json::from_slice(&answer.bytes().await?).unwrap_or(Value::Null)))
    }

    /// Every page of the admin API that takes no parameter, from its own document.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn documented(&self) -> Result<Vec<String>> {
        let (_, document) = self.admin("GET", "/admin/api/openapi.json", None).await?;
        let paths = document["paths"].as_object().context("paths")?;
        let plain = paths.iter().filter(|(path, methods)| {
            methods.get("get").is_some() && !path.contains('{') && !path.ends_with("/events")
        });
        Ok(plain.map(|(path, _)| path.clone()).collect())
    }

    /// Creates an order of one course; answers its code and what it costs.
    ///
    /// # Errors
    /// When it was not acknowledged.
    pub async fn order(&self, course: &str) -> Result<(String, i64)> {
        let wish = json!({ "customer": { "email": "lan@example.com", "name": "Lan" }, "items": [{ "course": course }] });
        let (status, order) = self.admin("POST", "/admin/api/orders", Some(wish)).await?;
        ensure!(status == 201, "{status}: {order}");
        let code = order["order"]["code"].as_str().context("a code")?.to_owned();
        Ok((code, order["order"]["total_vnd"].as_i64().context("a total")?))
    }

    /// Reports a payment as SePay does, signed; answers status and JSON.
    ///
    /// # Errors
    /// When there was no answer.
    pub async fn webhook(&self, id: i64, amount: i64, content: &str, now_s: i64) -> Result<(u16, Value)> {
        let body = crate::TestShop::body(&crate::Payment { id, amount, content: content.to_owned() });
        let timestamp = now_s.to_string();
        let signature = sepay::sign(self.hmac_secret.as_bytes(), &timestamp, &body);
        let request = self
            .http
            .post(format!("{}/api/v1/payment/webhook", self.public))
            .header("content-type", "application/json")
            .header("x-sepay-timestamp", timestamp)
            .header("x-sepay-signature", signature)
            .body(body);
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        Ok((status, serde_json::from_slice(&answer.bytes().await?).unwrap_or(Value::Null)))
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// The system's.
    pub async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Ends it by a signal's number; answers how it ended.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn end_by(mut self, signal: i32) -> Result<std::process::ExitStatus> {
        let pid = self.pid().to_string();
        let sent = Command::new("/bin/kill").args([&format!("-{signal}"), &pid]).status().await?;
        ensure!(sent.success(), "kill ended with {sent}");
        Ok(tokio::time::timeout(PATIENCE, self.child.wait()).await??)
    }

    /// `kill -TERM`, and waits for the end; answers the exit code.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn stop(mut self) -> Result<Option<i32>> {
        let pid = self.pid().to_string();
        let sent = Command::new("/bin/kill").args(["-TERM", &pid]).status().await?;
        ensure!(sent.success(), "kill ended with {sent}");
        Ok(tokio::time::timeout(PATIENCE, self.child.wait()).await??.code())
    }
}
