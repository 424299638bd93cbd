//! `cargo xtask`: the project's own commands. Each sets up what it needs, says what it installs, and
//! does nothing twice. Nothing here is linked into the shop.

// A command-line tool that measures time and reads its environment.
#![allow(clippy::print_stdout, clippy::disallowed_methods)]

mod bench;
mod codegen;
mod doctor;
mod needs;
mod package;
mod process;
mod project;
mod python;
mod report;
mod run;
mod test;
mod ui;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::project::Project;

/// Run, test, measure and package ChotDon.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Set everything up and start the app in demo mode; without a display, the headless server.
    Run(run::Options),
    /// Set everything up and run every check and every test.
    Test(test::Options),
    /// Measure the limits the shop promises, each beside the machine's own.
    Bench(bench::Options),
    /// Build the installable packages of this operating system.
    Package(package::Options),
    /// Say what is here and what is missing; change nothing.
    Doctor,
    /// Write the UI's API types from the admin API's description.
    Codegen(codegen::Options),
}

fn main() -> ExitCode {
    match dispatch(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> Result<ExitCode> {
    let project = Project::find()?;
    match command {
        Command::Run(options) => run::run(&project, &options),
        Command::Test(options) => test::test(&project, &options),
        Command::Bench(options) => bench::bench(&project, &options),
        Command::Package(options) => package::package(&project, &options),
        Command::Doctor => doctor::doctor(&project),
        Command::Codegen(options) => codegen::codegen(&project, &options),
    }
}
