//! Plays cloudflared: takes its arguments, says its lines, and carries requests from the tests' edge (`edge.rs`) to the
//! shop. Where the edge is comes by `EDGE` in the environment, which a script around this program sets.

#![allow(clippy::print_stdout, clippy::print_stderr)] // it is a program
#![allow(clippy::disallowed_methods)] // how a test tells it where the edge is

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const AGAIN: Duration = Duration::from_millis(100);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let after = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    if args.first().is_none_or(|arg| arg != "tunnel") {
        bail!("Incorrect Usage: {args:?}");
    }
    let edge = std::env::var("EDGE").context("EDGE is not set")?;
    let token = match after("--token-file") {
        Some(path) => std::fs::read_to_string(path).with_context(|| path.clone())?,
        None => "-".to_owned(),
    };
    // As a program does that is started with too much logging.
    eprintln!("2026-11-22T01:00:00Z DBG settings token={token}");
    if token != "-" && !token.starts_with("ey") {
        eprintln!("Provided Tunnel token is not valid.");
        std::process::exit(1);
    }
    if let Some(metrics) = after("--metrics") {
        tokio::spawn(ready(TcpListener::bind(metrics).await?));
    }
    let origin = after("--url").map(|url| url.trim_start_matches("http://").to_owned());
    let mut again = tokio::time::interval(AGAIN);
    loop {
        again.tick().await;
        if let Err(error) = connect(&edge, &token, origin.as_deref()).await {
            eprintln!("2026-11-22T01:00:00Z ERR {error:#}");
        }
    }
}

/// One connection to the edge, until it is lost.
async fn connect(edge: &str, token: &str, origin: Option<&str>) -> Result<()> {
    let carrier = TcpListener::bind("127.0.0.1:0").await?;
    let mut control = TcpStream::connect(edge).await.context("failed to dial to edge")?;
    let hello = format!("{token} {} {}\n", carrier.local_addr()?, std::process::id());
    control.write_all(hello.as_bytes()).await?;
    let (from, _keep) = control.into_split();
    let mut lines = BufReader::new(from).lines();
    let answer = lines.next_line().await?.context("the edge closed")?;
    let (word, rest) = answer.split_once(' ').unwrap_or((&answer, ""));
    if word != "OK" {
        bail!("Register tunnel error from server side error=\"Unauthorized: Invalid tunnel secret\"");
    }
    let (told, url) = rest.split_once(' ').context("an origin and an address")?;
    let origin = origin.unwrap_or(told).to_owned();
    if token == "-" {
        eprintln!("2026-11-22T01:00:00Z INF |  Your quick Tunnel has been created! Visit it at:          |");
        eprintln!("2026-11-22T01:00:00Z INF |  {url}          |");
    }
    eprintln!("2026-11-22T01:00:00Z INF Registered tunnel connection connIndex=0");
    loop {
        tokio::select! {
            lost = lines.next_line() => match lost {
                Ok(Some(_)) => {}
                _ => bail!("the edge closed"),
            },
            carried = carrier.accept() => {
                let (mut stream, _) = carried?;
                let origin = origin.clone();
                tokio::spawn(async move {
                    let mut shop = TcpStream::connect(&origin).await?;
                    tokio::io::copy_bidirectional(&mut stream, &mut shop).await
                });
            }
        }
    }
}

/// The metrics endpoint, of which only `/ready` is asked for.
async fn ready(listener: TcpListener) -> Result<()> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        let mut head = [0; 1024];
        let _ = stream.read(&mut head).await;
        let _ =
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 22\r\n\r\n{\"readyConnections\": 4}").await;
    }
}
