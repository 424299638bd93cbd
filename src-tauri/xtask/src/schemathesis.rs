//! schemathesis, which compares an API with its document: a Python program, installed under the target directory.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use crate::process;
use crate::project::Project;

/// The version that the tests were written with.
const VERSION: &str = "4.32.5";

/// Installs it when it is not there; answers the program.
///
/// # Errors
/// When there is no Python with `venv`, or the package cannot be had.
pub(crate) fn ensure(project: &Project) -> Result<PathBuf> {
    let home = project.state()?.join(format!("schemathesis-{VERSION}"));
    let bin = home.join(if cfg!(windows) { "Scripts" } else { "bin" });
    let program = bin.join(format!("schemathesis{}", std::env::consts::EXE_SUFFIX));
    if works(&program) {
        return Ok(program);
    }
    println!("Installing schemathesis {VERSION} into {}", home.display());
    let python = if cfg!(windows) { "python" } else { "python3" };
    process::must(Command::new(python).args(["-m", "venv", "--clear"]).arg(&home))?;
    process::must(
        Command::new(bin.join("pip"))
            .args(["install", "--quiet", "--disable-pip-version-check", "--retries", "10"])
            .arg(format!("schemathesis=={VERSION}")),
    )?;
    if works(&program) {
        return Ok(program);
    }
    bail!("{} was installed and does not run", program.display())
}

fn works(program: &PathBuf) -> bool {
    program.is_file() && process::succeeds(Command::new(program).arg("--version"))
}
