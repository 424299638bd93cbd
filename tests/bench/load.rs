//! A light client: requests are built beforehand and sent over kept connections from one thread of its own.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, bail};
use chotdon_tests::HMAC_SECRET;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::figures::{Times, now, now_ms};

/// What a run of requests took.
#[derive(Debug)]
pub(crate) struct Run {
    /// From the first request to the last answer.
    pub(crate) took: Duration,
    /// Each request from its first byte sent to its last byte answered.
    pub(crate) times: Times,
}

/// A payment as SePay reports it to `addr`: signed, with every header, ready to be sent.
pub(crate) fn payment(addr: SocketAddr, sepay_id: i64, code: &str, amount: i64) -> Vec<u8> {
    let body = json!({
        "id": sepay_id, "gateway": "MBBank", "transactionDate": "2026-11-22 07:34:12",
        "accountNumber": "0900000699", "subAccount": null, "code": code,
        "content": format!("MBVCB.8841170012.{code} thanh toan khoa hoc.CT tu 0071001234567 toi 0900000699"),
        "transferType": "in", "transferAmount": amount, "accumulated": 19_077_000,
        "referenceCode": format!("FT26326{sepay_id:06}"), "description": format!("BankAPINotify {code} thanh toan khoa hoc"),
    })
    .to_string();
    let timestamp = (now_ms() / 1000).to_string();
    let signature = sepay::sign(HMAC_SECRET.as_bytes(), &timestamp, body.as_bytes());
    format!(
        "POST /api/v1/payment/webhook HTTP/1.1\r\nhost: {addr}\r\nuser-agent: SePay\r\ncontent-type: application/json\r\n\
         x-sepay-timestamp: {timestamp}\r\nx-sepay-signature: {signature}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Sends every request once over `connections` connections, each as fast as it is answered, or all together
/// `per_s` a second.
///
/// # Errors
/// When an answer is anything but 200 with outcome `paid`.
pub(crate) fn run(
    addr: SocketAddr,
    requests: &[Vec<u8>],
    connections: usize,
    per_s: Option<u32>,
) -> anyhow::Result<Run> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    // The requests outlive the thread only in what it sends; it gets them as shared bytes.
    let requests: Rc<[Rc<[u8]>]> = requests.iter().map(|request| Rc::from(request.as_slice())).collect();
    local.block_on(&runtime, async move {
        let next = Rc::new(Cell::new(0));
        let mut streams = Vec::new();
        for _ in 0..connections {
            let stream = TcpStream::connect(addr).await.context("connecting")?;
            stream.set_nodelay(true)?;
            streams.push(stream);
        }
        let started = now();
        let tasks: Vec<_> = streams
            .into_iter()
            .map(|stream| {
                let (next, requests) = (next.clone(), requests.clone());
                tokio::task::spawn_local(
                    async move { connection(stream, &requests, &next, started, per_s).await },
                )
            })
            .collect();
        let mut times = Vec::with_capacity(requests.len());
        for task in tasks {
            times.extend(task.await??);
        }
        let took = started.elapsed();
        if times.len() != requests.len() {
            bail!("{} of {} requests were answered", times.len(), requests.len());
        }
        Ok(Run { took, times: Times::new(times) })
    })
}

async fn connection(
    mut stream: TcpStream,
    requests: &[Rc<[u8]>],
    next: &Cell<usize>,
    started: std::time::Instant,
    per_s: Option<u32>,
) -> anyhow::Result<Vec<Duration>> {
    let mut times = Vec::new();
    let mut answer = Vec::with_capacity(1024);
    loop {
        let at = next.get();
        let Some(request) = requests.get(at) else { return Ok(times) };
        next.set(at + 1);
        if let Some(per_s) = per_s {
            let due = started + Duration::from_secs(1) * u32::try_from(at)? / per_s;
            tokio::time::sleep_until(due.into()).await;
        }
        let sent = now();
        stream.write_all(request).await?;
        answer.clear();
        let head = loop {
            if stream.read_buf(&mut answer).await? == 0 {
                bail!("the connection was closed");
            }
            if let Some(head) = complete(&answer)? {
                break head;
            }
        };
        times.push(sent.elapsed());
        let text = std::str::from_utf8(&answer)?;
        if !text.starts_with("HTTP/1.1 200 ") || !text[head..].contains(r#""outcome":"paid""#) {
            bail!("answered {text}");
        }
    }
}

/// Where the body of the answer begins, once it is there in full.
fn complete(answer: &[u8]) -> anyhow::Result<Option<usize>> {
    let Some(head) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&answer[..head])?;
    let length: usize = text
        .split("\r\n")
        .find_map(|line| line.strip_prefix("content-length: "))
        .context("an answer without a length")?
        .parse()?;
    Ok((answer.len() >= head + 4 + length).then_some(head + 4))
}
