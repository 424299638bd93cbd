//! Reconciliation with SePay: how it stands, and a run on demand.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::Desk;
use super::state::OWNER;
use crate::http::problem::{Answer, Given};
use crate::present;
use crate::reconcile::{Trouble, time_of};
use crate::views::{Problem, Reconcile, ReconcileRun, ReconcileWish};

/// How long an answer waits for the run; a longer one goes on by itself.
const PATIENCE: Duration = Duration::from_secs(25);
const SHOWN: i64 = 20;

/// How reconciliation stands, its last runs, and SePay's accounts.
#[utoipa::path(get, path = "/admin/api/reconcile", tag = "money",
    responses((status = 200, body = Reconcile), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn reconcile(State(desk): State<Desk>) -> Answer<Json<Reconcile>> {
    let configured = desk.shop.reconciler().configured().await.map_err(problem)?;
    let standing = desk.shop.reconciler().standing();
    let runs: Vec<ReconcileRun> =
        desk.store.reconcile_runs(SHOWN).await?.iter().map(present::reconcile_run).collect();
    Ok(Json(Reconcile {
        state: standing.state.to_owned(),
        configured,
        code: standing.code.map(str::to_owned),
        last_run: runs.first().cloned(),
        runs,
        accounts: desk.store.sepay_balances().await?.iter().map(present::reconcile_account).collect(),
        difference_vnd: desk.store.sepay_difference().await?,
        next_at: standing.next_at.map(present::rfc3339),
    }))
}

/// Reconciles now and answers the run: finished, or still `running` after 25 s, when it goes on by itself.
#[utoipa::path(post, path = "/admin/api/reconcile", tag = "money", request_body = ReconcileWish,
    responses((status = 200, body = ReconcileRun), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn reconcile_now(
    State(desk): State<Desk>,
    Given(wish): Given<ReconcileWish>,
) -> Answer<Json<ReconcileRun>> {
    let wrong =
        || Problem::bad("from: a day in the past such as 2026-11-20, or a time such as 2026-11-20T08:00:00Z");
    let time = |text: &str| time_of(text, desk.now()).ok_or_else(wrong);
    let from = wish.from.as_deref().map(time).transpose()?;
    let demand = desk.shop.reconciler().demand(OWNER, from);
    let ran = tokio::select! {
        ran = demand => Some(ran.map_err(problem)?),
        () = desk.clock.sleep(PATIENCE) => None,
    };
    let run = match ran {
        Some(run) => Some(run),
        None => desk.store.reconcile_runs(1).await?.into_iter().next(),
    };
    let run = run.ok_or_else(|| Problem::not_found("the run"))?;
    Ok(Json(present::reconcile_run(&run)))
}

fn problem(trouble: Trouble) -> Problem {
    match trouble {
        Trouble::NoToken => Problem::new(
            StatusCode::CONFLICT,
            trouble.code(),
            "set the secret sepay.api_token first: SePay › Company settings › API Access",
        ),
        Trouble::Store(error) => error.into(),
        other => Problem::new(StatusCode::SERVICE_UNAVAILABLE, other.code(), other.to_string()),
    }
}
