//! `chotdon-server worker` in a process of its own, which a test may stop, resume and kill, and a shop for it to work for.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use crate::served::{Home, Served, program};

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// A worker's process.
pub struct WorkerProgram {
    child: Child,
    said: mpsc::UnboundedReceiver<String>,
    /// Where it keeps what it fetches.
    pub dir: TempDir,
}

impl WorkerProgram {
    /// Starts a worker for the shop at `url`, below `under` (such as `ip netns exec NAME`).
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn start(url: &str, name: &str, key: &str, under: &[&str], more: &[&str]) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("chotdon-worker-").tempdir()?;
        let program = program()?;
        let mut words: Vec<&std::ffi::OsStr> = under.iter().map(std::ffi::OsStr::new).collect();
        words.push(program.as_os_str());
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .args(["worker", "--url", url, "--name", name, "--key-from-stdin", "--work-dir"])
            .arg(dir.path().join("work"))
            .args(more)
            .env_clear()
            .env("HOME", dir.path())
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let mut stdin = child.stdin.take().context("the input is piped")?;
        stdin.write_all(format!("{key}\n").as_bytes()).await?;
        drop(stdin);
        let mut lines = BufReader::new(child.stderr.take().context("the output is piped")?).lines();
        let (tell, said) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, said, dir })
    }

    /// Waits for a line that holds `words`.
    ///
    /// # Errors
    /// When it ends before, or says nothing of the kind for too long; the text holds what it said.
    pub async fn says(&mut self, words: &str) -> Result<String> {
        let mut before = Vec::new();
        let heard = tokio::time::timeout(PATIENCE, async {
            while let Some(line) = self.said.recv().await {
                if line.contains(words) {
                    return Some(line);
                }
                before.push(line);
            }
            None
        });
        match heard.await {
            Ok(Some(line)) => Ok(line),
            _ => bail!("it never said {words:?} but {before:#?}"),
        }
    }

    /// Sends it a signal: `-STOP`, `-CONT`, `-TERM`.
    ///
    /// # Errors
    /// The system's.
    pub async fn signal(&self, signal: &str) -> Result<()> {
        let pid = self.child.id().context("it runs")?.to_string();
        let sent = Command::new("/bin/kill").args([signal, &pid]).status().await?;
        ensure!(sent.success(), "kill ended with {sent}");
        Ok(())
    }

    /// Waits for its end; answers the exit code.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn ended(&mut self) -> Result<Option<i32>> {
        Ok(tokio::time::timeout(PATIENCE, self.child.wait()).await??.code())
    }
}

/// A shop's process with a course that only other machines fetch.
pub struct WorkedShop {
    /// The shop's home.
    pub home: Home,
    token: String,
}

impl WorkedShop {
    /// A home whose shop listens at `public`, with leases of two seconds.
    ///
    /// # Errors
    /// When the program is missing or refuses.
    pub async fn new(public: &str) -> Result<Self> {
        let mut home = Home::new().await?;
        public.clone_into(&mut home.public);
        home.env.push(("CHOTDON_WORKERS__LEASE_S", "2".to_owned()));
        home.env.push(("CHOTDON_PUBLIC__ALLOW_REMOTE", "true".to_owned()));
        let token = home.run(&["admin-token"], "").await?;
        Ok(Self { home, token })
    }

    /// Serves it.
    ///
    /// # Errors
    /// When it does not get so far.
    pub async fn serve(&self) -> Result<Served> {
        let mut served = self.home.serve().await?;
        served.token.clone_from(&self.token);
        Ok(served)
    }

    /// Makes a worker's key.
    ///
    /// # Errors
    /// When the program refuses.
    pub async fn key(&self, name: &str) -> Result<String> {
        self.home.run(&["worker-key", "create", name], "").await
    }

    /// Adds the course, sells it once, and answers the order's code.
    ///
    /// # Errors
    /// When the shop refuses.
    pub async fn sell(&self, served: &Served, slug: &str, url: &str, now_s: i64) -> Result<String> {
        self.sell_from(served, slug, json!({ "kind": "http", "url": url, "worker": "only" }), now_s).await
    }

    /// The same with a source of any kind.
    ///
    /// # Errors
    /// When the shop refuses.
    pub async fn sell_from(&self, served: &Served, slug: &str, source: Value, now_s: i64) -> Result<String> {
        let course = json!({
            "title": slug, "price_vnd": 50_000, "active": true, "source": source, "target": { "kind": "folder" },
        });
        let (status, answer) =
            served.admin("PUT", &format!("/admin/api/courses/{slug}"), Some(course)).await?;
        ensure!((200..300).contains(&status), "{answer}");
        let (code, total) = served.order(slug).await?;
        let id = i64::from(rand::random::<u32>()) + 1;
        let (status, answer) = served.webhook(id, total, &code, now_s).await?;
        ensure!(status == 200, "{answer}");
        Ok(code)
    }

    /// Asks the admin API again and again until `ask` is content with the answer.
    ///
    /// # Errors
    /// When it never is.
    pub async fn until(
        &self,
        served: &Served,
        path: &str,
        mut ask: impl FnMut(&Value) -> bool,
    ) -> Result<Value> {
        let mut last = Value::Null;
        let mut pause = tokio::time::interval(Duration::from_millis(100));
        for _ in 0..900 {
            pause.tick().await;
            last = served.admin("GET", path, None).await?.1;
            if ask(&last) {
                return Ok(last);
            }
        }
        bail!("{path} stayed {last}")
    }

    /// Waits until the order is complete, and compares what was delivered.
    ///
    /// # Errors
    /// When it is not completed, or something else lies there.
    pub async fn delivered(&self, served: &Served, code: &str, slug: &str, files: &Path) -> Result<()> {
        let path = format!("/admin/api/orders/{code}");
        self.until(served, &path, |order| order["order"]["stage"] == "completed").await?;
        let there = self.home.data().join("library").join(slug).join("v1");
        for name in COURSE_FILES {
            let sums =
                [files.join(name), there.join(name)].map(|file| std::fs::read(file).map(Sha256::digest));
            let [wanted, got] = sums;
            ensure!(wanted? == got?, "{name} differs");
        }
        Ok(())
    }
}

const COURSE_FILES: [&str; 3] = ["bai 1.mp4", "bai 2.mp4", "trong.txt"];

/// Lays a course of three files out, with `bytes` bytes in the first, and the manifest that lists them.
///
/// # Errors
/// The system's.
pub fn lay_out(dir: &Path, bytes: usize) -> Result<()> {
    let first: Vec<u8> = (0..bytes).map(|n| u8::try_from(n % 251).unwrap_or(0)).collect();
    std::fs::write(dir.join(COURSE_FILES[0]), first)?;
    std::fs::write(dir.join(COURSE_FILES[1]), b"short")?;
    std::fs::write(dir.join(COURSE_FILES[2]), b"")?;
    let files: Vec<Value> = COURSE_FILES.iter().map(|name| json!({ "path": name })).collect();
    std::fs::write(dir.join("course.json"), json!({ "files": files }).to_string())?;
    Ok(())
}
