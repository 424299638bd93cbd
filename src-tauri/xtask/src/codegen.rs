//! The UI's API types, written from the description that the server gives of its own admin API.

use std::fs;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::project::Project;
use crate::{needs, process, ui};

use std::process::{Command, ExitCode};

/// Options of `cargo xtask codegen`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Write nothing; fail when the committed file is stale.
    #[arg(long)]
    check: bool,
}

/// Where the types are kept, under the root.
const GENERATED: &str = "ui/src/lib/api/generated.ts";

/// Writes the types, or checks them.
pub(crate) fn codegen(project: &Project, options: &Options) -> Result<ExitCode> {
    needs::ensure(needs::Purpose::Server)?;
    ui::install(project)?;
    if options.check {
        check(project)?;
        println!("{GENERATED} is up to date.");
    } else {
        let types = generate(project)?;
        let file = project.root.join(GENERATED);
        fs::write(&file, types).with_context(|| format!("writing {}", file.display()))?;
        println!("Wrote {GENERATED}.");
    }
    Ok(ExitCode::SUCCESS)
}

/// Fails when the committed types are not those of the admin API as it is.
pub(crate) fn check(project: &Project) -> Result<()> {
    let fresh = generate(project)?;
    let kept = fs::read_to_string(project.root.join(GENERATED)).unwrap_or_default();
    if let Some(difference) = first_difference(&kept, &fresh) {
        bail!("{GENERATED} is stale ({difference}); run `cargo xtask codegen` and commit it");
    }
    Ok(())
}

fn generate(project: &Project) -> Result<String> {
    process::must(project.cargo().args(["build", "--quiet", "--workspace", "--bin", "chotdon-server"]))?;
    let server = project.program("debug", "chotdon-server");
    let description = process::output_of(Command::new(server).args(["openapi", "admin"]))?;
    let state = project.state()?;
    let (json, types) = (state.join("admin-openapi.json"), state.join("generated.ts"));
    fs::write(&json, description).with_context(|| format!("writing {}", json.display()))?;
    process::output_of(
        Command::new(ui::tool(project, "openapi-typescript")?)
            .arg(&json)
            // JSON values are of any shape, and what has a default may be left out.
            .args(["--empty-objects-unknown", "--default-non-nullable=false", "--output"])
            .arg(&types)
            .current_dir(project.ui()),
    )?;
    fs::read_to_string(&types).with_context(|| format!("reading {}", types.display()))
}

fn first_difference(kept: &str, fresh: &str) -> Option<String> {
    if kept == fresh {
        return None;
    }
    let same = kept.lines().zip(fresh.lines()).take_while(|(a, b)| a == b).count();
    let show = |text: &str| text.lines().nth(same).unwrap_or("the end").trim().to_owned();
    Some(format!("line {}: `{}` should be `{}`", same + 1, show(kept), show(fresh)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_file_is_told_by_its_first_line() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb\n", "a\nc\n").unwrap(), "line 2: `b` should be `c`");
        assert_eq!(first_difference("a\n", "a\nc\n").unwrap(), "line 2: `the end` should be `c`");
    }
}
