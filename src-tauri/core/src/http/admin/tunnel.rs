//! The way from the internet to the shop: how it is, and starting it anew. Its settings are saved with the others.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chotdon_store::AuditEntry;
use serde_json::json;

use super::Desk;
use super::state::OWNER;
use crate::http::problem::Answer;
use crate::present;
use crate::reconcile::Cause;
use crate::tunnel::Reach;
use crate::views::{Problem, Tunnel, Woke};

/// Runs of reconciliation among which the one after a sleep is looked for.
const RUNS: i64 = 20;

/// State, address, the program's last words, the last 24 hours.
#[utoipa::path(get, path = "/admin/api/tunnel", tag = "settings",
    responses((status = 200, body = Tunnel), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn tunnel(State(desk): State<Desk>) -> Answer<Json<Tunnel>> {
    now(&desk).await
}

/// Starts the tunnel's program anew, now; without a program, the address is looked at.
#[utoipa::path(post, path = "/admin/api/tunnel/restart", tag = "settings",
    responses((status = 200, body = Tunnel), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn restart(State(desk): State<Desk>) -> Answer<Json<Tunnel>> {
    if desk.shop.tunnel().state().state == Reach::Off {
        let words = "there is no public address; choose a tunnel in Settings › Connection";
        return Err(Problem::new(StatusCode::CONFLICT, "tunnel_off", words));
    }
    desk.shop.tunnel().restart();
    let entry = AuditEntry {
        actor: OWNER.to_owned(),
        action: "tunnel.restart".to_owned(),
        subject: desk.shop.config().tunnel.kind.as_str().to_owned(),
        data: json!({}),
    };
    desk.store.record_audit(entry, desk.now()).await?;
    now(&desk).await
}

async fn now(desk: &Desk) -> Answer<Json<Tunnel>> {
    let (config, url) = (desk.shop.config(), desk.webhook_url());
    Ok(Json(present::tunnel(desk.shop.tunnel(), &config, url, woke(desk).await?)))
}

/// The last sleep, and what was found at SePay after it.
pub(super) async fn woke(desk: &Desk) -> Answer<Option<Woke>> {
    Ok(match desk.shop.woke() {
        Some((at, slept_ms)) => {
            let runs = desk.store.reconcile_runs(RUNS).await?;
            let after = runs
                .iter()
                .find(|run| run.cause == Cause::Wake.as_str() && run.started_at >= at && run.state == "done");
            let added = after.map(|run| run.added);
            Some(Woke { at: present::rfc3339(at), slept_s: slept_ms / 1000, added })
        }
        None => None,
    })
}
