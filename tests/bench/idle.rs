//! The headless shop doing nothing: time to ready, memory, SQL statements.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::figures::{Report, median, now};

const STARTS: usize = 5;
const SETTLE: Duration = Duration::from_secs(20);
const WATCH: Duration = Duration::from_secs(60);
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// Measures the server that lies beside this program, in demo shops of its own.
pub(crate) async fn measure(report: &mut Report) -> anyhow::Result<()> {
    let (quiet, telling) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let mut starts = Vec::new();
    // The first start makes the shop, the others find it.
    for round in 0..=STARTS {
        let (took, child) = start(quiet.path(), "info").await?;
        stop(child).await?;
        if round == 0 {
            report.at_most("start to ready, making the shop", took.as_secs_f64(), 1.0, "s");
        } else {
            starts.push(took.as_secs_f64());
        }
    }
    report.at_most("start to ready", median(starts), 1.0, "s");

    let (_, idle) = start(quiet.path(), "info").await?;
    // At this level every statement is a line of the log.
    let (_, told) = start(telling.path(), "trace").await?;
    tokio::time::sleep(SETTLE).await;
    let pid = idle.id().context("the server ended by itself")?;
    report.at_most("memory (PSS) after 20 s", pss_mib(pid)?, 30.0, "MiB");
    stop(idle).await?;

    let before = statements(telling.path())?;
    ensure!(before > 0, "the log shows no statement at all, so counting them proves nothing");
    tokio::time::sleep(WATCH).await;
    let after = statements(telling.path())?;
    report.at_most("SQL statements in a minute", (after - before) as f64, 10.0, "");
    stop(told).await
}

/// Starts a demo shop; answers how long it took to say that it is ready.
async fn start(dir: &Path, level: &str) -> anyhow::Result<(Duration, Child)> {
    let server = std::env::current_exe()?.with_file_name("chotdon-server");
    let started = now();
    let mut child = Command::new(&server)
        .args(["serve", "--demo", "--public", "127.0.0.1:0", "--private", "127.0.0.1:0", "--data-dir"])
        .arg(dir)
        .env("CHOTDON_LOG__LEVEL", level)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("starting {}", server.display()))?;
    let out = child.stdout.take().context("its output")?;
    let mut line = String::new();
    let ready = tokio::time::timeout(START_LIMIT, BufReader::new(out).read_line(&mut line)).await;
    if ready.context("it is not ready after a minute")?? == 0 {
        bail!("the server ended: {}", child.wait().await?);
    }
    Ok((started.elapsed(), child))
}

/// Ends it as systemd does.
async fn stop(mut child: Child) -> anyhow::Result<()> {
    let pid = child.id().context("the server ended by itself")?;
    Command::new("kill").arg(pid.to_string()).status().await?;
    let ended = tokio::time::timeout(STOP_LIMIT, child.wait()).await.context("it did not stop")??;
    ensure!(ended.success(), "the server ended with {ended}");
    Ok(())
}

/// Memory of a process with its share of what it shares.
fn pss_mib(pid: u32) -> anyhow::Result<f64> {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).context("no Pss line")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}

/// Statements in the shop's log.
fn statements(dir: &Path) -> anyhow::Result<usize> {
    let mut count = 0;
    for file in std::fs::read_dir(dir.join("logs"))? {
        let text = std::fs::read_to_string(file?.path())?;
        count += text.lines().filter(|line| line.contains(r#""target":"sqlx::query""#)).count();
    }
    Ok(count)
}
