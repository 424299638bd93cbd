//! `cargo xtask bench`: builds the bench program with optimisations and runs it between two measurements
//! of the machine itself, so that its figures can be read beside what the machine can do.

use std::fs::{self, File};
use std::io::{Seek, Write};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;

use crate::needs::{self, Purpose};
use crate::project::Project;
use crate::{process, ui};

/// Options of `cargo xtask bench`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// What to measure; everything when left out. `list` names them.
    name: Option<String>,
}

/// Measures; the exit code is the bench program's.
pub(crate) fn bench(project: &Project, options: &Options) -> Result<ExitCode> {
    needs::ensure(Purpose::Server)?;
    ui::install(project)?;
    ui::build(project)?;
    println!("Building with optimisations");
    process::must(project.cargo().args([
        "build",
        "--release",
        "--package",
        "chotdon-tests",
        "--bin",
        "bench",
    ]))?;
    process::must(project.cargo().args(["build", "--release", "--package", "chotdon-server"]))?;
    print_machine();
    println!("disk sync before  {}", disk_sync(project)?);
    let mut bench = Command::new(project.program("release", "bench"));
    bench.args(&options.name).current_dir(&project.root);
    let ending = process::stream(&mut bench, Duration::from_secs(3600), process::pass_through)?;
    println!("disk sync after   {}", disk_sync(project)?);
    Ok(if ending.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_machine() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    println!("cpu               {} × {}", cores, model.trim_start_matches([' ', '\t', ':']));
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    if let Some(total) = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")) {
        println!("memory            {}", total.trim());
    }
    if let Ok(load) = fs::read_to_string("/proc/loadavg") {
        println!("load              {}", load.trim());
    }
    let rustc = process::output_of(Command::new("rustc").arg("--version")).unwrap_or_default();
    println!("compiler          {}", rustc.trim());
}

/// What one durable 4 KiB write costs here: p50 and p99 of 300.
fn disk_sync(project: &Project) -> Result<String> {
    let path = project.state()?.join("sync-probe");
    let mut file = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
    let block = [7_u8; 4096];
    let mut took = Vec::with_capacity(300);
    for _ in 0..300 {
        let started = Instant::now();
        file.rewind()?;
        file.write_all(&block)?;
        file.sync_data()?;
        took.push(started.elapsed());
    }
    fs::remove_file(&path)?;
    took.sort_unstable();
    Ok(format!("p50 {:.2?}  p99 {:.2?}  (4 KiB write + fdatasync, 300 times)", took[150], took[297]))
}
