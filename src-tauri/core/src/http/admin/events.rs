//! Numbered events as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event as Frame, KeepAlive, Sse};
use futures::{Stream, StreamExt};

use super::Desk;
use crate::views::{Event, Problem};

/// Comment lines keep proxies and browsers from giving the stream up.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What changes, as it changes: `id` is the sequence number, `data` an `Event`. A gap means: ask for everything again.
#[utoipa::path(get, path = "/admin/api/events", tag = "overview",
    responses((status = 200, body = Event, content_type = "text/event-stream"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn events(State(desk): State<Desk>) -> Sse<impl Stream<Item = Result<Frame, Infallible>>> {
    let frames = desk.shop.events().filter_map(async |event| {
        let frame = Frame::default().id(event.seq.to_string()).json_data(&event);
        frame.ok().map(Ok)
    });
    Sse::new(frames).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}
