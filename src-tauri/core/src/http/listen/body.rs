//! Bodies that tell the connection how far they are; those of requests come in time or break off.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Sleep;

use super::pulse::{Phase, Pulse};

/// A request's body was not there in time.
#[derive(Debug, thiserror::Error)]
#[error("the body did not come in time")]
pub(crate) struct TooSlow;

/// A request's body that has a deadline, or none.
pub(super) struct Timed {
    incoming: Option<Incoming>,
    limit: Option<Duration>,
    deadline: Option<Pin<Box<Sleep>>>,
    pulse: Arc<Pulse>,
}

impl Timed {
    /// The time that a body has; `None` = the handler's own.
    pub(super) fn new(limit: Option<Duration>, pulse: Arc<Pulse>) -> Self {
        Self { incoming: None, limit, deadline: None, pulse }
    }

    /// The body itself. A request without one is whole already.
    pub(super) fn of(mut self, incoming: Incoming) -> Self {
        let whole = incoming.is_end_stream();
        self.pulse.enter(if whole { Phase::Answering } else { Phase::Body });
        if !whole {
            self.deadline = self.limit.map(|limit| Box::pin(tokio::time::sleep(limit)));
        }
        self.incoming = Some(incoming);
        self
    }
}

impl Body for Timed {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        let this = &mut *self;
        let Some(incoming) = &mut this.incoming else { return Poll::Ready(None) };
        if let Poll::Ready(frame) = Pin::new(&mut *incoming).poll_frame(cx) {
            if frame.is_none() || incoming.is_end_stream() {
                this.pulse.enter(Phase::Answering);
                this.deadline = None;
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        if let Some(deadline) = &mut this.deadline {
            ready!(deadline.as_mut().poll(cx));
            this.deadline = None;
            this.incoming = None;
            return Poll::Ready(Some(Err(TooSlow.into())));
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

/// An answer; the connection is idle when all of it is handed over.
pub(super) struct Watched {
    answer: axum::body::Body,
    pulse: Arc<Pulse>,
}

impl Watched {
    pub(super) fn new(answer: axum::body::Body, pulse: Arc<Pulse>) -> Self {
        Self { answer, pulse }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.pulse.enter(Phase::Idle);
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.answer).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.answer.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.answer.size_hint()
    }
}
