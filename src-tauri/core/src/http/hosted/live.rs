//! Tells an open page that it has changed: a question that waits for its answer. It works through every tunnel,
//! where event streams are often held back.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::Opened;
use crate::http::problem::Answer;
use crate::shop::Floor;
use crate::views::Problem;

/// How long a question waits; below the deadline of the listener and of every tunnel.
const PATIENCE: Duration = Duration::from_secs(15);

/// What a page of an order shows.
#[derive(Clone, Copy)]
enum Page {
    Order,
    TopUp,
}

pub(super) async fn order(floor: State<Floor>, opened: Opened) -> Answer<Response> {
    wait(Page::Order, floor, opened).await
}

pub(super) async fn topup(floor: State<Floor>, opened: Opened) -> Answer<Response> {
    wait(Page::TopUp, floor, opened).await
}

async fn wait(page: Page, State(floor): State<Floor>, Opened { code, asked }: Opened) -> Answer<Response> {
    let unknown = || Problem::not_found("this page");
    if !floor.may_see(&code, &asked.t) {
        return Err(unknown());
    }
    let waiting = floor.bell.listen(&code);
    let patience = floor.clock.sleep(PATIENCE);
    tokio::pin!(patience);
    let version = loop {
        // Armed before the look: a change in between is not missed.
        let woken = waiting.as_ref().map(|waiting| Box::pin(waiting.next()));
        let now = version(page, &floor, &code).await?.ok_or_else(unknown)?;
        let Some(mut woken) = woken else { break now };
        woken.as_mut().enable();
        if now != asked.v || asked.v.is_empty() {
            break now;
        }
        tokio::select! {
            () = woken => {}
            () = &mut patience => break now,
        }
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(json!({ "v": version }))).into_response())
}

/// The version of an order's page.
pub(super) async fn order_version(floor: &Floor, code: &str) -> Answer<Option<String>> {
    version(Page::Order, floor, code).await
}

/// The version of a top-up page.
pub(super) async fn topup_version(floor: &Floor, code: &str) -> Answer<Option<String>> {
    version(Page::TopUp, floor, code).await
}

async fn version(page: Page, floor: &Floor, code: &str) -> Answer<Option<String>> {
    let text = match page {
        Page::Order => floor.store.order_page_version(code).await?,
        Page::TopUp => floor.store.topup_page_version(code).await?,
    };
    Ok(text.map(|text| hex::encode(&Sha256::digest(text)[..8])))
}
