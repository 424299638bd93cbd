//! `cargo xtask run`: from a clean clone to the app in demo mode, by one command.

use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;
use std::{env, io::BufRead, io::BufReader};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::needs::{self, Purpose};
use crate::project::Project;
use crate::{process, ui};

/// Options of `cargo xtask run`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Start the headless server, even where there is a display.
    #[arg(long)]
    headless: bool,
    /// Build with optimisations.
    #[arg(long)]
    release: bool,
}

/// Sets up, builds and starts the app; returns when it ends.
pub(crate) fn run(project: &Project, options: &Options) -> Result<ExitCode> {
    let headless = options.headless || !has_display();
    if headless && !options.headless {
        println!("There is no display here: starting the headless server instead of the window.");
    }
    needs::ensure(if headless { Purpose::Server } else { Purpose::Window })?;
    ui::install(project)?;
    ui::build(project)?;
    let (package, profile) = (
        if headless { "chotdon-server" } else { "chotdon" },
        if options.release { "release" } else { "debug" },
    );
    println!("Building {package}");
    let mut build = project.cargo();
    build.args(["build", "--workspace", "--bin", package]);
    if options.release {
        build.arg("--release");
    }
    process::must(&mut build)?;
    let program = project.program(profile, package);
    let data = project.target.join("demo");
    if headless { serve(&program, &data) } else { window(&program, &data) }
}

fn has_display() -> bool {
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    !cfg!(target_os = "linux") || set("DISPLAY") || set("WAYLAND_DISPLAY")
}

fn window(program: &std::path::Path, data: &std::path::Path) -> Result<ExitCode> {
    println!("Starting the app in demo mode; its data is in {}", data.display());
    let mut app = Command::new(program);
    app.arg("--demo").arg("--data-dir").arg(data);
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        // The app takes this program's place, and with it the terminal's signals.
        Err(app.exec()).with_context(|| format!("starting {}", program.display()))
    }
    #[cfg(not(unix))]
    {
        let status = app.status().with_context(|| format!("starting {}", program.display()))?;
        Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn serve(program: &std::path::Path, data: &std::path::Path) -> Result<ExitCode> {
    println!("Starting the headless server in demo mode; its data is in {}", data.display());
    let mut server = Command::new(program);
    server.arg("serve").arg("--demo").arg("--data-dir").arg(data).stdout(Stdio::piped());
    server.stdin(Stdio::null());
    // Whatever ends this program, the server is asked to stop and gets the time to finish what is running.
    let started = process::Group::spawn(&mut server, Duration::from_secs(60));
    let (mut child, _group) = started.with_context(|| format!("starting {}", program.display()))?;
    let out = child.stdout.take().context("the server's output is piped")?;
    let mut ready = false;
    for line in BufReader::new(out).lines() {
        let line = line?;
        match addresses(&line) {
            Some((public, private)) => {
                ready = true;
                println!("Public listener (webhooks, hosted pages): {public}");
                println!("Admin page: {private}");
                let token =
                    process::output_of(Command::new(program).arg("admin-token").arg("--data-dir").arg(data));
                match token {
                    Ok(token) => println!("Login token: {}", token.trim()),
                    Err(error) => {
                        println!("Login token: run `{} admin-token` ({error:#})", program.display())
                    }
                }
                println!("Ctrl-C stops it.");
            }
            None => println!("{line}"),
        }
    }
    let status = child.wait()?;
    if !status.success() || !ready {
        bail!("the server ended with {status}{}", if ready { "" } else { " before it was ready" });
    }
    Ok(ExitCode::SUCCESS)
}

/// The two addresses in the line that the server prints when it is ready.
fn addresses(line: &str) -> Option<(String, String)> {
    let ready: serde_json::Value = serde_json::from_str(line).ok()?;
    Some((ready.get("public")?.as_str()?.to_owned(), ready.get("private")?.as_str()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_ready_line_is_taken_for_addresses() {
        let ready = r#"{"public":"http://127.0.0.1:8686","private":"http://127.0.0.1:8687"}"#;
        assert_eq!(addresses(ready).unwrap().1, "http://127.0.0.1:8687");
        assert_eq!(addresses("listening"), None);
        assert_eq!(addresses(r#"{"public":"x"}"#), None);
    }
}
