//! A TCP proxy in front of a real server that cuts or stalls connections after a number of bytes, or holds them back.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

/// What becomes of one connection.
#[derive(Debug, Clone, Copy)]
pub enum Fate {
    /// Closed after this many bytes to the client.
    CutAfter(u64),
    /// Open but silent after this many bytes to the client.
    StallAfter(u64),
    /// Passed on whole, but not before [`Proxy::release`].
    Held,
}

/// A running proxy. Connections beyond the planned ones pass untouched.
#[derive(Debug)]
pub struct Proxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

#[derive(Debug, Default)]
struct Shared {
    fates: Mutex<VecDeque<Fate>>,
    down: AtomicU64,
    released: CancellationToken,
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1 and passes connections on to `port` there, the first ones to their `fates`.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(port: u16, fates: impl IntoIterator<Item = Fate>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared { fates: Mutex::new(fates.into_iter().collect()), ..Shared::default() });
        let state = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let fate = state.fates.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let state = Arc::clone(&state);
                tokio::spawn(async move { state.pass(client, port, fate).await });
            }
        });
        Ok(Self { addr, shared, accepting: accepting.abort_handle() })
    }

    /// The URL of `path` through the proxy.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Lets connections go on that are held.
    pub fn release(&self) {
        self.shared.released.cancel();
    }

    /// Bytes passed to clients so far, heads included.
    #[must_use]
    pub fn bytes_down(&self) -> u64 {
        self.shared.down.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    async fn pass(&self, client: TcpStream, port: u16, fate: Option<Fate>) -> std::io::Result<()> {
        if matches!(fate, Some(Fate::Held)) {
            self.released.cancelled().await;
        }
        let server = TcpStream::connect(("127.0.0.1", port)).await?;
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        tokio::spawn(async move {
            let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
            to_server.shutdown().await
        });
        let mut left = match fate {
            Some(Fate::CutAfter(bytes) | Fate::StallAfter(bytes)) => bytes,
            Some(Fate::Held) | None => u64::MAX,
        };
        let mut buffer = vec![0; 16 * 1024];
        while left > 0 {
            let n = from_server.read(&mut buffer).await?;
            if n == 0 {
                return to_client.shutdown().await;
            }
            let n = usize::try_from(left).map_or(n, |left| n.min(left));
            to_client.write_all(&buffer[..n]).await?;
            self.down.fetch_add(n as u64, Ordering::SeqCst);
            left -= n as u64;
        }
        if let Some(Fate::StallAfter(_)) = fate {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}
