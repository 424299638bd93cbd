//! The boundary of both listeners: a request that fails by our fault is one line of the log there, under a number that
//! whoever asked is given as well. Handlers pass such an error on and write nothing; a handler that panics answers 500.

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};

use crate::panics;
use crate::ports::Probe;
use crate::views::Problem;

/// The header with the number of a request that failed.
const NUMBER: &str = "x-request-id";

/// Why an answer is what it is, for the log alone.
#[derive(Debug, Clone)]
pub(super) struct Cause(pub(super) Box<str>);

/// `router` with its failures written down. `probe` is told of each request by method and route (`GET /health`).
pub(crate) fn watched(router: Router, probe: Probe) -> Router {
    router.layer(middleware::from_fn_with_state(probe, watch))
}

async fn watch(State(probe): State<Probe>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    // The route and not the path, which may hold a buyer's token.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let answering = async {
        if let Some(probe) = &probe {
            probe(&format!("{method} {route}")).await;
        }
        next.run(request).await
    };
    match panics::caught(answering).await {
        Ok(mut answer) => {
            let Some(Cause(error)) = answer.extensions_mut().remove() else { return answer };
            let (request_id, status) = (number(), answer.status().as_u16());
            tracing::error!(request_id, %method, route, status, error, "a request failed");
            numbered(answer, &request_id)
        }
        Err(panic) => {
            let request_id = number();
            tracing::error!(request_id, %method, route, status = 500, error = %panic, "a request failed: its handler crashed");
            let detail = "something went wrong here; the log says what";
            numbered(
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).into_response(),
                &request_id,
            )
        }
    }
}

fn number() -> String {
    format!("{:016x}", rand::random::<u64>())
}

fn numbered(mut answer: Response, number: &str) -> Response {
    if let Ok(number) = HeaderValue::from_str(number) {
        answer.headers_mut().insert(NUMBER, number);
    }
    answer
}
