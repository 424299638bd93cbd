//! Connections that mean no good, two hundred a second, and honest traffic beside them.
//! `CHOTDON_LONG=1` runs ten thousand.
#![cfg(target_os = "linux")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chotdon_tests::chance;
use chotdon_tests::served::Home;
use rand::RngExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::flood::{long, now, now_s, resident};
use crate::raw::{Line, Raw};

/// Kinds of abuse.
const KINDS: usize = 9;

/// Open files of a process.
fn files(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// One connection that means no good. Ends when it is hung up on, at the latest after `hold`.
async fn abuse(at: SocketAddr, host: &str, kind: usize, hold: Duration) {
    let _ = tokio::time::timeout(hold, async {
        let Ok(mut stream) = TcpStream::connect(at).await else { return };
        let post = format!("POST /api/v1/payment/webhook HTTP/1.1\r\nhost: {host}\r\n");
        let said = match kind {
            // Nothing at all.
            0 => String::new(),
            // A head without an end, byte by byte below.
            1 => post,
            // A body that does not come.
            2 => format!("{post}content-length: 5000\r\n\r\nx"),
            // Cut off in the middle.
            3 => {
                let _ = stream.write_all(format!("{post}content-length: 50\r\n\r\nhalf").as_bytes()).await;
                return;
            }
            // A hundred ahead.
            4 => format!("{post}content-length: 2\r\n\r\n{{}}").repeat(100),
            // Bad chunks.
            5 => format!("{post}transfer-encoding: chunked\r\n\r\nZZZ\r\nwhat\r\n0\r\n\r\n"),
            6 => format!("{post}transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\nFFFFFFFFFFFFFFFF\r\n"),
            // A hundred megabytes.
            7 => format!("{post}content-length: 104857600\r\n\r\n"),
            // Headers without end.
            _ => format!("{post}{}", "x-a: b\r\n".repeat(5_000)),
        };
        if stream.write_all(said.as_bytes()).await.is_err() {
            return;
        }
        match kind {
            1 => {
                let mut tick = tokio::time::interval(Duration::from_millis(200));
                loop {
                    tick.tick().await;
                    if stream.write_all(b"x").await.is_err() {
                        return;
                    }
                }
            }
            7 => {
                let piece = vec![b'x'; 64 << 10];
                for _ in 0..1_600 {
                    if stream.write_all(&piece).await.is_err() {
                        return;
                    }
                }
            }
            _ => {}
        }
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn honest_requests_are_answered_beside_thousands_of_hostile_connections() {
    let home = Home::new().await.unwrap();
    let mut served = home.serve().await.unwrap();
    served.token = home.run(&["admin-token"], "").await.unwrap();
    let host = served.public.trim_start_matches("http://").to_owned();
    let at: SocketAddr = host.parse().unwrap();
    let mut chance = chance("honest_requests_are_answered_beside_thousands_of_hostile_connections");
    let number = if long() { 10_000 } else { 1_200 };
    let kinds: Vec<usize> = (0..number).map(|_| chance.random_range(0..KINDS)).collect();

    let running = AtomicUsize::new(1);
    let hostile = async {
        let mut tick = tokio::time::interval(Duration::from_millis(5));
        let mut all = tokio::task::JoinSet::new();
        for kind in kinds {
            tick.tick().await;
            let host = host.clone();
            all.spawn(async move { abuse(at, &host, kind, Duration::from_secs(6)).await });
        }
        running.store(0, Ordering::SeqCst);
        all.join_all().await;
    };
    let (mut memory, mut open, mut times) = (0, 0, Vec::new());
    let honest = async {
        let mut kept = Line::to(at);
        let mut tick = tokio::time::interval(Duration::from_millis(40));
        let mut id = 50_000;
        while running.load(Ordering::SeqCst) > 0 {
            tick.tick().await;
            id += 1;
            let began = now();
            // A payment, a page on a fresh connection, a question on a kept one.
            match id % 3 {
                0 => {
                    let (status, answer) = served.webhook(id, 1_000, "honest", now_s()).await.unwrap();
                    assert_eq!(status, 200, "{answer}");
                }
                1 => {
                    let page = Raw::new("GET", "/pay/DH000000?t=x").with("host", host.as_str());
                    assert_eq!(Line::to(at).ask(&page).await.unwrap().status, 404);
                }
                _ => {
                    let health = Raw::new("GET", "/healthz").with("host", host.as_str());
                    assert_eq!(kept.ask(&health).await.unwrap().status, 200);
                }
            }
            times.push(began.elapsed());
            memory = memory.max(resident(served.pid()));
            open = open.max(files(served.pid()));
        }
    };
    tokio::join!(hostile, honest);
    times.sort_unstable();
    let p99 = times[times.len() * 99 / 100];
    println!(
        "{} honest beside {number} hostile: p50 {:?}, p99 {p99:?}, worst {:?}; at most {} MiB, {open} files",
        times.len(),
        times[times.len() / 2],
        times.last().unwrap(),
        memory >> 20
    );
    assert!(p99 < Duration::from_secs(1), "{p99:?}");
    assert!(memory < 300 << 20, "{} MiB", memory >> 20);
    assert!(open < 512 + 250, "{open} files");
    let (status, _) = served.admin("GET", "/health", None).await.unwrap();
    assert_eq!(status, 200);
    served.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_capped_and_the_one_that_says_nothing_goes_first() {
    for (cap, capped) in [("40", true), ("5000", false)] {
        let mut home = Home::new().await.unwrap();
        home.env.push(("CHOTDON_LIMITS__CONNECTIONS", cap.to_owned()));
        let served = home.serve().await.unwrap();
        let host = served.public.trim_start_matches("http://").to_owned();
        let before = files(served.pid());
        let mut silent = Vec::new();
        for _ in 0..300 {
            silent.push(TcpStream::connect(&host).await.unwrap());
        }
        let health = Raw::new("GET", "/healthz").with("host", host.as_str());
        assert_eq!(Line::to(host.parse().unwrap()).ask(&health).await.unwrap().status, 200);
        let more = files(served.pid()).saturating_sub(before);
        // The control: without the cap they are all kept.
        assert_eq!(more <= 45, capped, "{more} files more with room for {cap}");
        drop(silent);
        served.stop().await.unwrap();
    }
}
