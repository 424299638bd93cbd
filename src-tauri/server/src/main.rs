//! `chotdon-server`: reads the command line and the environment, runs one command, turns its end into an exit code.

mod audit;
mod cli;
mod end;
mod environment;
mod import_file;
mod notify;
mod openapi;
mod place;
mod reconcile;
mod running;
mod secret;
mod serve;
mod shop_commands;
mod shop_data;
mod simulate;
mod storefront_webhook;
#[cfg(debug_assertions)]
mod trouble;
mod worker;
mod worker_key;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use end::End;
use environment::Environment;
use place::Place;

fn main() -> ExitCode {
    let forbidden = chotdon_core::core_dumps::forbid();
    let cli = Cli::parse();
    if let Err(why) = forbidden {
        eprintln!("chotdon-server: core dumps cannot be forbidden: {why}");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return End::later(error).report(),
    };
    match runtime.block_on(run(cli.command, &Environment::of_process())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(end) => end.report(),
    }
}

async fn run(command: Command, environment: &Environment) -> Result<(), End> {
    match command {
        Command::Serve(args) => serve::serve(args, environment).await,
        Command::Secret { action, shop } => secret::run(&Place::of(&shop, environment)?, action).await,
        Command::AdminToken { shop } => secret::admin_token(&Place::of(&shop, environment)?).await,
        Command::StorefrontKey { action, shop } => {
            shop_commands::storefront_key(&Place::of(&shop, environment)?, action).await
        }
        Command::WorkerKey { action, shop } => worker_key::run(&Place::of(&shop, environment)?, action).await,
        Command::Worker(args) => worker::run(args, environment).await,
        Command::StorefrontWebhook { action, shop } => {
            storefront_webhook::run(&Place::of(&shop, environment)?, action).await
        }
        Command::Import { file, shop } => shop_commands::import(&Place::of(&shop, environment)?, &file).await,
        Command::Export { shop } => shop_commands::export(&Place::of(&shop, environment)?).await,
        Command::Backup { file, shop } => shop_commands::backup(&Place::of(&shop, environment)?, &file).await,
        Command::Restore { file, dry_run, shop } => {
            shop_commands::restore(&Place::of(&shop, environment)?, &file, dry_run).await
        }
        Command::Diagnostics { file, shop } => {
            shop_commands::diagnostics(&Place::of(&shop, environment)?, &file)
        }
        Command::Audit { filter, shop } => audit::print(&Place::of(&shop, environment)?, filter).await,
        Command::Verify { shop } => shop_commands::verify(&Place::of(&shop, environment)?).await,
        Command::Reconcile(args) => reconcile::reconcile(args, environment).await,
        Command::SimulateTransfer(args) => simulate::simulate(args, environment).await,
        Command::Openapi { which } => openapi::print(which),
    }
}
