//! Cloudflare's side of the stand-in: takes connectors in, gives them addresses, and carries what comes there to them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The key that opens the edge.
pub(crate) const TOKEN: &str = "eyJhIjoiY2FuYXJ5IiwidCI6IjAxMjMiLCJzIjoiY2FuYXJ5In0";

#[derive(Default)]
struct Inner {
    token: String,
    /// Where the connector takes requests, its process, and how it is thrown out.
    connector: Option<(SocketAddr, u32, CancellationToken)>,
    /// Connectors so far.
    taken_in: usize,
    /// Answers 502 whatever is connected.
    broken: bool,
    /// The address that the last quick tunnel was given; one that was given before ends.
    quick: CancellationToken,
}

/// A running edge.
#[derive(Clone)]
pub(crate) struct Edge {
    inner: Arc<Mutex<Inner>>,
    /// Where named tunnels lead; connectors are not taken in before it is known.
    origin: Arc<watch::Sender<String>>,
    control: SocketAddr,
    public: SocketAddr,
}

impl Edge {
    pub(crate) async fn open() -> Self {
        let control = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let public = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let inner = Inner { token: TOKEN.to_owned(), ..Inner::default() };
        let edge = Self {
            inner: Arc::new(Mutex::new(inner)),
            origin: Arc::default(),
            control: control.local_addr().unwrap(),
            public: public.local_addr().unwrap(),
        };
        let taking = edge.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = control.accept().await {
                tokio::spawn(taking.clone().take_in(stream));
            }
        });
        tokio::spawn(edge.clone().serve(public));
        edge
    }

    fn with<T>(&self, look: impl FnOnce(&mut Inner) -> T) -> T {
        look(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The address of the named tunnel.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.public)
    }

    /// Where named tunnels lead, as it is set in Cloudflare's dashboard.
    pub(crate) fn leads_to(&self, origin: SocketAddr) {
        self.origin.send_replace(origin.to_string());
    }

    /// From now on this key opens the edge; whoever is connected is thrown out.
    pub(crate) fn set_token(&self, token: &str) {
        self.with(|inner| token.clone_into(&mut inner.token));
        self.throw_out();
    }

    /// Ends the connector's connection; it may come again.
    pub(crate) fn throw_out(&self) {
        if let Some((_, _, out)) = self.with(|inner| inner.connector.take()) {
            out.cancel();
        }
    }

    pub(crate) fn break_down(&self, broken: bool) {
        self.with(|inner| inner.broken = broken);
    }

    /// The connector's process.
    pub(crate) fn connector(&self) -> Option<u32> {
        self.with(|inner| inner.connector.as_ref().map(|(_, pid, _)| *pid))
    }

    /// Sends a signal to the connector.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.connector().expect("a connector").to_string();
        assert!(Command::new("/bin/kill").args([signal, &pid]).status().unwrap().success());
    }

    /// A script that starts the stand-in for this edge.
    pub(crate) fn program(&self, dir: &Path) -> PathBuf {
        let path = dir.join("cloudflared");
        let stand_in = env!("CARGO_BIN_EXE_tunnel-stand-in");
        let script = format!("#!/bin/sh\nEDGE={} exec {stand_in} \"$@\"\n", self.control);
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        path
    }

    async fn take_in(self, mut stream: TcpStream) {
        let (from, mut to) = stream.split();
        let mut lines = BufReader::new(from).lines();
        let Ok(Some(hello)) = lines.next_line().await else { return };
        let words: Vec<&str> = hello.split(' ').collect();
        let [token, carrier, pid] = words[..] else { return };
        if token != "-" && token != self.with(|inner| inner.token.clone()) {
            let _ = to.write_all(b"NO\n").await;
            return;
        }
        let (carrier, pid) = (carrier.parse().unwrap(), pid.parse().unwrap());
        let mut url = self.url();
        if token == "-" {
            let public = TcpListener::bind("127.0.0.1:0").await.unwrap();
            url = format!("http://{}", public.local_addr().unwrap());
            let mine = CancellationToken::new();
            self.with(|inner| std::mem::replace(&mut inner.quick, mine.clone())).cancel();
            let serving = self.clone().serve(public);
            tokio::spawn(async move { mine.run_until_cancelled_owned(serving).await });
        }
        let origin = self.origin.subscribe().wait_for(|origin| !origin.is_empty()).await.unwrap().clone();
        let out = CancellationToken::new();
        self.with(|inner| {
            inner.connector = Some((carrier, pid, out.clone()));
            inner.taken_in += 1;
        });
        let _ = to.write_all(format!("OK {origin} {url}\n").as_bytes()).await;
        tokio::select! {
            () = out.cancelled() => {}
            _ = lines.next_line() => {}
        }
        self.with(|inner| {
            inner.connector.take_if(|(addr, ..)| *addr == carrier);
        });
    }

    async fn serve(self, public: TcpListener) {
        while let Ok((mut stream, _)) = public.accept().await {
            let edge = self.clone();
            tokio::spawn(async move {
                let carrier = edge
                    .with(|inner| inner.connector.as_ref().filter(|_| !inner.broken).map(|(addr, ..)| *addr));
                let carrier = match carrier {
                    Some(carrier) => TcpStream::connect(carrier).await.ok(),
                    None => None,
                };
                match carrier {
                    Some(mut carrier) => {
                        let _ = tokio::io::copy_bidirectional(&mut stream, &mut carrier).await;
                    }
                    None => {
                        let mut head = [0; 4096];
                        let _ = stream.read(&mut head).await;
                        let answer =
                            "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                        let _ = stream.write_all(answer.as_bytes()).await;
                    }
                }
            });
        }
    }
}
