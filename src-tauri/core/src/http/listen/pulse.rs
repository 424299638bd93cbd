//! How far a connection is, and when it takes too long.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::Caps;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// Nothing has come since the last answer.
    Idle,
    /// The request line and the headers are coming.
    Head,
    /// The body is coming.
    Body,
    /// The request is here and is being answered.
    Answering,
}

impl Phase {
    const ALL: [Self; 4] = [Self::Idle, Self::Head, Self::Body, Self::Answering];
}

/// Shared by a connection's reader, its requests and the crowd.
#[derive(Debug)]
pub(super) struct Pulse {
    phase: AtomicU8,
    /// Grows with every phase; tells one wait for a body from the next.
    turn: AtomicU64,
    /// When this phase began, in the crowd's order.
    since: AtomicU64,
    order: Arc<AtomicU64>,
    stalled: AtomicBool,
    written: AtomicU64,
    pub(super) taken: CancellationToken,
}

impl Pulse {
    /// A connection that has just come: its first request has the time of the headers.
    pub(super) fn new(order: Arc<AtomicU64>) -> Self {
        let pulse = Self {
            phase: AtomicU8::new(Phase::Head as u8),
            turn: AtomicU64::new(0),
            since: AtomicU64::new(0),
            order,
            stalled: AtomicBool::new(false),
            written: AtomicU64::new(0),
            taken: CancellationToken::new(),
        };
        pulse.enter(Phase::Head);
        pulse
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.since.store(self.order.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        self.phase.store(phase as u8, Ordering::Release);
        self.turn.fetch_add(1, Ordering::Release);
    }

    pub(super) fn phase(&self) -> Phase {
        Phase::ALL[usize::from(self.phase.load(Ordering::Acquire)) % Phase::ALL.len()]
    }

    /// When it began to say something that is not whole yet, in the crowd's order; `None` while it is answered.
    pub(super) fn waits_since(&self) -> Option<u64> {
        (self.phase() != Phase::Answering).then(|| self.since.load(Ordering::Relaxed))
    }

    /// Ends when the connection has taken longer than it may. Exact to a tenth of the headers' time.
    pub(super) async fn over(&self, caps: &Caps, stall: Duration) {
        let step = (caps.header / 10).clamp(Duration::from_millis(20), Duration::from_secs(1));
        let (mut seen, mut waited) = (self.mark(), Duration::ZERO);
        loop {
            tokio::time::sleep(step).await;
            let now = self.mark();
            if now != seen {
                (seen, waited) = (now, Duration::ZERO);
                continue;
            }
            waited += step;
            let most = match self.phase() {
                Phase::Idle => Some(caps.idle),
                Phase::Head => Some(caps.header),
                // Bodies watch themselves, and tell the handler.
                Phase::Body => None,
                Phase::Answering => self.stalled.load(Ordering::Relaxed).then_some(stall),
            };
            if most.is_some_and(|most| waited >= most) {
                return;
            }
        }
    }

    fn mark(&self) -> (u64, u64) {
        (self.turn.load(Ordering::Acquire), self.written.load(Ordering::Relaxed))
    }
}

/// A connection's bytes, watched.
pub(super) struct Io {
    stream: TcpStream,
    pulse: Arc<Pulse>,
}

impl Io {
    pub(super) fn new(stream: TcpStream, pulse: Arc<Pulse>) -> Self {
        Self { stream, pulse }
    }

    fn wrote(&self, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &outcome {
            Poll::Pending => self.pulse.stalled.store(true, Ordering::Relaxed),
            Poll::Ready(_) => {
                self.pulse.stalled.store(false, Ordering::Relaxed);
                self.pulse.written.fetch_add(1, Ordering::Relaxed);
            }
        }
        outcome
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before && self.pulse.phase() == Phase::Idle {
            self.pulse.enter(Phase::Head);
        }
        outcome
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.wrote(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
