//! bore's own client as a program: `bore local PORT --to HOST --port PORT`.

#![allow(clippy::print_stdout)] // it is a program

use anyhow::{Context, Result};
use bore_cli::client::Client;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let after = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    let local = args.get(1).context("a local port")?.parse()?;
    let to = after("--to").context("--to HOST")?;
    let port = after("--port").context("--port PORT")?.parse()?;
    let client = Client::new("127.0.0.1", local, to, port, None).await?;
    println!("listening at {to}:{}", client.remote_port());
    client.listen().await
}
