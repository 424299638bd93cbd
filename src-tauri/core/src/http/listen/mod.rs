//! The accept loop of both listeners: HTTP/1.1 with caps on connections, headers, bodies and time.
//!
//! A cap that is reached never shuts the door: the connection that has been asking for longest without having said
//! its whole request makes room. Routes and their rules are the routers'; rates are `limits`'.

mod body;
mod crowd;
mod pulse;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::StatusCode;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use body::Timed;
use crowd::{Crowd, Seat};
use pulse::{Io, Phase, Pulse};

/// Headers of one request.
const MAX_HEADERS: usize = 64;
/// An answer of which nothing is taken for this long ends its connection.
const WRITE_STALL: Duration = Duration::from_secs(60);
/// How long requests under way may finish when the listener closes; the shop waits a second more.
const DRAIN: Duration = Duration::from_secs(4);
/// Wait after the system refused a connection, at first and at most: it has no more files to give.
const REFUSED: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// What one listener allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caps {
    /// Connections at once.
    pub(crate) connections: usize,
    /// Connections of one address at once; loopback, where tunnels and proxies come from, is not counted.
    pub(crate) per_address: usize,
    /// Longest request line with all headers, bytes; 8192 at least.
    pub(crate) header_bytes: usize,
    /// For the request line and the headers, from their first byte or the connection's start.
    pub(crate) header: Duration,
    /// For the body, from the end of the headers.
    pub(crate) body: Duration,
    /// Between two requests of a connection.
    pub(crate) idle: Duration,
}

/// A listener's caps as the settings say now, and which paths take their own time for a body.
pub(crate) struct Rules {
    pub(crate) caps: Box<dyn Fn() -> Caps + Send + Sync>,
    pub(crate) slow_body: fn(&str) -> bool,
    /// Is told of each answer that no router gave: to what is not a request, or has a head that is too long.
    pub(crate) answered: Arc<dyn Fn(StatusCode) + Send + Sync>,
}

/// Serves `router` until `stop`, then lets requests under way finish for a moment.
pub(crate) async fn serve(listener: TcpListener, router: Router, rules: Rules, stop: CancellationToken) {
    let crowd = Crowd::default();
    let connections = TaskTracker::new();
    let mut wait = REFUSED.0;
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if of_the_caller(&error) => continue,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken; one that says nothing makes room");
                crowd.make_room();
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = tokio::time::sleep(wait) => {}
                }
                wait = (wait * 2).min(REFUSED.1);
                continue;
            }
        };
        wait = REFUSED.0;
        let caps = (rules.caps)();
        // Without a seat the connection is closed again: all others are being answered.
        let Some(seat) = crowd.seat(peer.ip(), &caps) else { continue };
        tokio::select! {
            () = stop.cancelled() => break,
            () = crowd.settled() => {}
        }
        let answered = Arc::clone(&rules.answered);
        let guest = Guest { peer, caps, slow_body: rules.slow_body, answered, stop: stop.clone() };
        connections.spawn(guest.attend(stream, seat, router.clone()));
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(DRAIN, connections.wait()).await.is_err() {
        crowd.clear();
    }
}

/// Errors of a connection that ended before it was taken.
fn of_the_caller(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// One connection.
struct Guest {
    peer: SocketAddr,
    caps: Caps,
    slow_body: fn(&str) -> bool,
    answered: Arc<dyn Fn(StatusCode) + Send + Sync>,
    stop: CancellationToken,
}

impl Guest {
    async fn attend(self, stream: TcpStream, seat: Seat, router: Router) {
        let _ = stream.set_nodelay(true);
        let Self { peer, caps, slow_body, answered, stop } = self;
        let pulse = seat.pulse();
        let io = TokioIo::new(Io::new(stream, Arc::clone(&pulse)));
        let felt = Arc::clone(&pulse);
        let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
            let own_time = slow_body(request.uri().path());
            let body = Timed::new((!own_time).then_some(caps.body), Arc::clone(&felt));
            let request = request.map(|incoming| Body::new(body.of(incoming)));
            answer(router.clone(), peer, request, Arc::clone(&felt))
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            // Told apart from idleness by `pulse`.
            .header_read_timeout(None)
            .max_headers(MAX_HEADERS)
            .max_buf_size(caps.header_bytes.max(8_192));
        let connection = http.serve_connection(io, service);
        tokio::pin!(connection);
        let over = pulse.over(&caps, WRITE_STALL);
        tokio::pin!(over);
        let mut closing = false;
        loop {
            tokio::select! {
                // The answer after the end was asked for says that it is the last one.
                biased;
                () = stop.cancelled(), if !closing => {
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = &mut over => return,
                () = seat.taken() => return,
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        if let Some(status) = own_answer(&error) {
                            answered(status);
                        }
                        tracing::trace!(%error, "a connection ended");
                    }
                    return;
                }
            }
        }
    }
}

/// What hyper answered by itself before it gave the connection up; `None` when it said nothing.
fn own_answer(error: &hyper::Error) -> Option<StatusCode> {
    if !error.is_parse() || error.is_parse_version_h2() {
        None
    } else if error.is_parse_too_large() {
        Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
    } else {
        Some(StatusCode::BAD_REQUEST)
    }
}

async fn answer(
    router: Router,
    peer: SocketAddr,
    mut request: Request,
    pulse: Arc<Pulse>,
) -> Result<axum::response::Response, std::convert::Infallible> {
    request.extensions_mut().insert(ConnectInfo(peer));
    let response = router.oneshot(request).await;
    pulse.enter(Phase::Answering);
    response.map(|response| response.map(|answer| Body::new(body::Watched::new(answer, pulse))))
}

#[cfg(test)]
mod tests;
