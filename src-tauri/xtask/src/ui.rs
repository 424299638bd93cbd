//! The UI's packages and its build, each done only when something it depends on has changed.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use crate::process;
use crate::project::{Project, fingerprint};

/// What a build of the UI does not depend on.
const NOT_SOURCES: &[&str] = &["node_modules", "dist", "test-results", "tests", "shots", "e2e"];

/// Installs the UI's packages when the lock file has changed since the last time.
pub(crate) fn install(project: &Project) -> Result<()> {
    install_in(project, "ui")
}

/// Installs the packages of a directory under the root (`ui`, `tests`) when its lock file has changed since
/// the last time.
pub(crate) fn install_in(project: &Project, name: &'static str) -> Result<()> {
    let dir = project.root.join(name);
    let lock = fingerprint(&[dir.join("package.json"), dir.join("package-lock.json")], &[])?;
    let stamp = format!("{name}-install");
    let done = project.once(&stamp, lock, &dir.join("node_modules/.package-lock.json"), || {
        println!("Installing the packages of {name} (npm ci)");
        let mut last = Ok(());
        for _ in 0..3 {
            let mut ci = npm(project);
            ci.current_dir(&dir).args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
            last = process::must(&mut ci);
            if last.is_ok() {
                break;
            }
        }
        last
    })?;
    if !done {
        println!("The packages of {name} are up to date.");
    }
    Ok(())
}

/// Builds the UI when its sources have changed since the last time. (`dist/index.html` alone may be the
/// stand-in that core makes.)
pub(crate) fn build(project: &Project) -> Result<()> {
    let ui = project.ui();
    let sources = fingerprint(std::slice::from_ref(&ui), NOT_SOURCES)?;
    let done = project.once("ui-build", sources, &ui.join("dist/assets"), || {
        println!("Building the UI");
        process::must(&mut script(project, "build", &[]))
    })?;
    if !done {
        println!("The UI's build is up to date.");
    }
    Ok(())
}

/// A script of the UI's `package.json`.
pub(crate) fn script(project: &Project, name: &str, arguments: &[&str]) -> Command {
    let mut command = npm(project);
    command.args(["run", "--silent", name]);
    if !arguments.is_empty() {
        command.arg("--").args(arguments);
    }
    command
}

/// A program that the UI's packages bring.
pub(crate) fn tool(project: &Project, name: &str) -> Result<PathBuf> {
    let suffix = if cfg!(windows) { ".cmd" } else { "" };
    let path = project.ui().join(format!("node_modules/.bin/{name}{suffix}"));
    if !path.exists() {
        bail!("{} is not there; the UI's packages do not bring {name}", path.display());
    }
    Ok(path)
}

/// npm in the UI's directory, or in another.
pub(crate) fn npm(project: &Project) -> Command {
    let mut command = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
    command.current_dir(project.ui());
    if env::var_os("CI").is_some() {
        command.env("NO_COLOR", "1");
    }
    command
}
