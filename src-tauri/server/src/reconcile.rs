//! `reconcile`: asks the running shop to catch up with SePay, or does it itself when none runs.

use std::time::Duration;

use anyhow::anyhow;
use chotdon_core::ports::{Clock, SystemClock};
use chotdon_core::reconcile::{Trouble, time_of};
use chotdon_core::views::{Problem, Reconcile, ReconcileRun};
use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::cli;
use crate::end::End;
use crate::environment::Environment;
use crate::place::Place;
use crate::running::{self, Running};
use crate::secret::print_line;
use crate::shop_data::ShopData;

/// How often a run that takes long is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// What can be otherwise in a moment.
const PASSING: [&str; 5] = [
    "sepay_unreachable",
    "sepay_unavailable",
    "sepay_rate_limited",
    "unavailable",
    "secret_store_unavailable",
];

/// Prints the run as one line of JSON.
pub(crate) async fn reconcile(args: cli::Reconcile, environment: &Environment) -> Result<(), End> {
    let place = Place::of(&args.shop, environment)?;
    let from =
        match &args.from {
            Some(text) => Some(time_of(text, SystemClock.now_ms()).ok_or_else(|| {
                End::usage("--from takes a day in the past (2026-11-20) or an RFC 3339 time")
            })?),
            None => None,
        };
    let beside = match Running::find(&place.data_dir).and_then(|running| running.private) {
        Some(private) => ask(&place, &private, args.from.as_deref()).await?,
        None => None,
    };
    let run = match beside {
        Some(run) => run,
        None => {
            let data = ShopData::open(&place).await?;
            let config = place.config(place.has_demo_key())?;
            let run = data.reconcile(config, place.credentials().await?, from).await;
            data.close().await;
            run.map_err(refused)?
        }
    };
    print_line(&serde_json::to_string(&run).map_err(End::failed)?)?;
    match run.code.as_deref() {
        None => Ok(()),
        Some(code) => Err(why_not(code, run.detail.as_deref().unwrap_or(code))),
    }
}

/// The run of the shop that is served there; `None` when nobody answers, as after a crash.
async fn ask(place: &Place, private: &str, from: Option<&str>) -> Result<Option<ReconcileRun>, End> {
    let token = running::admin_token(place).await?;
    let client = running::client()?;
    let url = format!("{private}/admin/api/reconcile");
    let sent = client.post(&url).bearer_auth(token.expose_secret()).json(&json!({ "from": from })).send();
    let answer = match sent.await {
        Ok(answer) => answer,
        Err(error) if error.is_connect() => return Ok(None),
        Err(error) => return Err(End::later(error.without_url())),
    };
    if answer.status() != StatusCode::OK {
        let problem: Problem = answer.json().await.map_err(|error| End::failed(error.without_url()))?;
        return Err(why_not(&problem.code, &problem.detail));
    }
    let run: ReconcileRun = answer.json().await.map_err(|error| End::failed(error.without_url()))?;
    until_ended(&client, &url, &token, run).await.map(Some)
}

async fn until_ended(
    client: &reqwest::Client,
    url: &str,
    token: &SecretString,
    mut run: ReconcileRun,
) -> Result<ReconcileRun, End> {
    while run.state == "running" {
        SystemClock.sleep(LOOK).await;
        let answer = client.get(url).bearer_auth(token.expose_secret()).send().await;
        let answer = answer.and_then(reqwest::Response::error_for_status);
        let answer = answer.map_err(|error| End::later(error.without_url()))?;
        let stands: Reconcile = answer.json().await.map_err(|error| End::failed(error.without_url()))?;
        match stands.runs.into_iter().find(|one| one.id == run.id) {
            Some(one) => run = one,
            None => return Err(End::later(anyhow!("the run was not finished"))),
        }
    }
    Ok(run)
}

fn refused(trouble: Trouble) -> End {
    why_not(trouble.code(), &trouble.to_string())
}

fn why_not(code: &str, detail: &str) -> End {
    let cause = anyhow!("{detail} ({code})");
    if PASSING.contains(&code) { End::later(cause) } else { End::failed(cause) }
}
