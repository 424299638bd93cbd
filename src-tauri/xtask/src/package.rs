//! `cargo xtask package`: the installable packages of this operating system, and the headless server.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::Args;

use crate::needs::{self, Purpose};
use crate::project::Project;
use crate::{process, ui};

/// Options of `cargo xtask package`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Build without optimisations: quick, large, for trying the packages out.
    #[arg(long)]
    debug: bool,
}

/// The version of Tauri's command line that bundles; only this command needs it.
const TAURI_CLI: &str = "@tauri-apps/cli@2.12.5";

/// Builds the packages and says where they are.
pub(crate) fn package(project: &Project, options: &Options) -> Result<ExitCode> {
    needs::ensure(Purpose::Window)?;
    ui::install(project)?;
    ui::build(project)?;
    let tauri = tauri_cli(project)?;
    let (profile, server): (&[&str], &[&str]) =
        if options.debug { (&["--debug"], &[]) } else { (&[], &["--profile", "dist"]) };
    let bundles: &[&str] = if cfg!(target_os = "linux") { &["--bundles", "deb,rpm"] } else { &[] };
    let mut build = Command::new(tauri);
    build.arg("build").args(profile).args(bundles).current_dir(&project.root);
    if !options.debug {
        build.args(["--", "--profile", "dist"]);
    }
    process::must(&mut build)?;
    process::must(project.cargo().args(["build", "--package", "chotdon-server"]).args(server))?;

    let output = project.target.join(if options.debug { "debug" } else { "dist" });
    println!("\nBuilt:");
    list(&output.join("bundle"))?;
    list(&project.program(if options.debug { "debug" } else { "dist" }, "chotdon-server"))?;
    Ok(ExitCode::SUCCESS)
}

fn tauri_cli(project: &Project) -> Result<std::path::PathBuf> {
    let dir = project.state()?.join("tauri-cli");
    let suffix = if cfg!(windows) { ".cmd" } else { "" };
    let program = dir.join(format!("node_modules/.bin/tauri{suffix}"));
    if !program.exists() {
        println!("Installing {TAURI_CLI}");
        fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
        let mut install = ui::npm(project);
        install
            .args(["install", "--no-save", "--no-audit", "--no-fund", "--prefix"])
            .arg(&dir)
            .arg(TAURI_CLI);
        process::must(&mut install)?;
    }
    Ok(program)
}

fn list(path: &Path) -> Result<()> {
    if path.is_dir() {
        let mut entries = fs::read_dir(path)?.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>()?;
        entries.sort();
        return entries
            .iter()
            .filter(|entry| entry.is_file() || is_kind(entry))
            .try_for_each(|entry| list(entry));
    }
    let size = fs::metadata(path).with_context(|| format!("reading {}", path.display()))?.len();
    println!("  {:>6} KiB  {}", size / 1024, path.display());
    Ok(())
}

/// A directory of `bundle/` that holds one kind of package, rather than what a package was made from.
fn is_kind(dir: &Path) -> bool {
    ["deb", "rpm", "dmg", "msi", "nsis"].iter().any(|kind| dir.ends_with(Path::new("bundle").join(kind)))
}
