//! The measurements of ChotDon. `cargo xtask bench [NAME]` builds and runs it.
//!
//! Each figure is printed beside its limit. Limits that depend on the machine are measured in the same run.

#![allow(clippy::print_stdout)] // a program that prints figures

mod claim;
mod figures;
mod idle;
mod intake;
mod load;
mod queue;
mod retry;
mod scrape;

use std::process::ExitCode;

use figures::Report;

const NAMES: &[&str] = &["intake", "queue", "claim", "pickup", "retry", "scrape", "idle"];

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let name = std::env::args().nth(1).unwrap_or_else(|| "all".to_owned());
    let mut report = Report::default();
    match name.as_str() {
        "list" => {
            println!("{} all", NAMES.join(" "));
            return Ok(ExitCode::SUCCESS);
        }
        "all" => {
            for name in NAMES {
                measure(name, &mut report).await?;
            }
        }
        name if NAMES.contains(&name) => measure(name, &mut report).await?,
        other => anyhow::bail!("there is no \"{other}\"; there are {} and all", NAMES.join(", ")),
    }
    Ok(report.close())
}

async fn measure(name: &str, report: &mut Report) -> anyhow::Result<()> {
    report.section(name);
    match name {
        "intake" => intake::measure(report).await,
        "queue" => queue::throughput(report).await,
        "claim" => claim::measure(report).await,
        "pickup" => queue::pickup(report).await,
        "idle" => idle::measure(report).await,
        "retry" => retry::measure(report).await,
        "scrape" => scrape::measure(report).await,
        other => anyhow::bail!("\"{other}\" is not measured"),
    }
}
