//! `cargo xtask doctor`: what is here and what is missing, without changing anything.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::needs::{self, Purpose};
use crate::process;
use crate::project::Project;

/// Prints one line a finding; fails when the app could not be built and run.
pub(crate) fn doctor(project: &Project) -> Result<ExitCode> {
    println!("checkout   {}", project.root.display());
    for (name, arguments) in
        [("rustc", "--version"), ("cargo", "--version"), ("npm", "--version"), ("git", "--version")]
    {
        let version = process::output_of(Command::new(name).arg(arguments));
        println!("{name:<10} {}", version.map_or_else(|error| format!("{error:#}"), |v| v.trim().to_owned()));
    }
    let node = needs::node();
    println!("node       {}", node.as_ref().map_or_else(|error| format!("{error:#}"), Clone::clone));
    let mut ready = node.is_ok();
    for (what, purpose) in
        [("server", Purpose::Server), ("window", Purpose::Window), ("tests", Purpose::Tests)]
    {
        let missing = needs::report(purpose);
        ready &= purpose == Purpose::Tests || missing.is_empty();
        println!(
            "{what:<10} {}",
            if missing.is_empty() { "ready".to_owned() } else { format!("missing: {missing}") }
        );
    }
    let done = |path: &str| if project.root.join(path).exists() { "there" } else { "not yet" };
    println!("ui         packages {}, build {}", done("ui/node_modules"), done("ui/dist/assets"));
    Ok(if ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
