//! Makes the buyer a student wherever the order's courses say so: the stage `enrol` of `deliver_order`.
//!
//! Asks before it tells: who is a student already is left as they are, so that a stage that ran before and was not
//! written down does nothing twice. What is written down goes to the store, as intent before and as fact after.

use chotdon_store::{Aftermath, Claimed, DeliveryCase, DeliveryItem, Enrolled, EnrolmentIntent, Intended};
use lms::{Buyer, Failure, Kind, Run};
use serde_json::json;

use super::{damaged, unreadable};
use crate::enrolment::EnrolmentSpec;
use crate::shop::Floor;
use crate::workers::{Next, StageContext, StageError, StageOutcome, Until};

/// How long to wait while another task has the buyer's account at the platform in hand, ms.
const TURN_MS: i64 = 1_000;

pub(super) async fn run(
    floor: &Floor,
    task: &Claimed,
    case: &DeliveryCase,
    cx: &StageContext,
) -> Result<StageOutcome, StageError> {
    let mut places = Vec::new();
    for item in &case.items {
        let Some(text) = &item.enrolment else { continue };
        match enrol(floor, task, case, item, text, cx).await? {
            Some(place) => places.push(place),
            None => {
                let later = floor.clock.now_ms() + TURN_MS;
                return Ok(StageOutcome { next: Next::Later(later), ..StageOutcome::done() });
            }
        }
    }
    let output = json!({ "enrolled": places.len() }).to_string();
    let aftermath = Aftermath::Enrolled { order: case.order, places };
    Ok(StageOutcome { output, aftermath, next: Next::Advance })
}

/// One course; `None` while another task has the buyer's account at the platform in hand.
async fn enrol(
    floor: &Floor,
    task: &Claimed,
    case: &DeliveryCase,
    item: &DeliveryItem,
    text: &str,
    cx: &StageContext,
) -> Result<Option<Enrolled>, StageError> {
    let spec = read(text)?;
    let recipe = spec.recipe().map_err(|why| StageError::permanent("lms_recipe_invalid", why))?;
    let now = floor.clock.now_ms();
    let secrets = spec.secrets(recipe, &floor.credentials, now).await.map_err(no_secrets)?;
    let buyer = Buyer { email: case.email.clone(), name: case.name.clone() };
    // The course's own terms hold at the platform as well.
    let until = [spec.until(now), item.access_until].into_iter().flatten().min();
    let mut facts = spec.facts(buyer, (&item.title, &item.slug), &case.code, now, until, secrets);
    let host = facts.host(recipe).map_err(|failure| stage_error("lms", &failure))?;
    let intent = EnrolmentIntent {
        item: item.item,
        recipe: recipe.name.clone(),
        host: host.clone(),
        course_ref: facts.course.reference.clone(),
        email: case.email.clone(),
        spec: text.to_owned(),
        until_at: until,
    };
    let lease = (task.id, task.epoch);
    let intended = floor.store.intend_enrolment(lease, intent, now).await.map_err(unreadable)?;
    let Intended::Written { id, until_at, ends_sooner } = intended else { return Ok(None) };
    facts.until_s = until_at.map(|at| at.div_euclid(1_000));
    let watch = |step: &str| cx.item(&format!("{}: {step}", recipe.title));
    let service = service(&host);
    let wrong = |failure: Failure| stage_error(&service, &failure);
    let done = async {
        let mut run = Run::new(&floor.lms, recipe, &facts, &watch).map_err(wrong)?;
        // A student by an earlier order is left as they are, unless the platform would end that before this one ends.
        if !run.probe().await.map_err(wrong)? || (ends_sooner && recipe.tells_end()) {
            floor.store.calling_enrolment(lease, id).await.map_err(unreadable)?;
            run.enrol().await.map_err(wrong)?;
        }
        let learn_url = run.learn_url().map_err(wrong)?;
        let account = serde_json::Value::Object(run.kept()).to_string();
        Ok(Some(Enrolled { id, account, learn_url }))
    };
    floor.services.through(&service, cx, stoppable(cx, done)).await
}

/// The service that a platform is for the queue.
pub(super) fn service(host: &str) -> String {
    format!("lms:{host}")
}

/// Waits for `work` unless the stage is to stop.
pub(super) async fn stoppable<T>(
    cx: &StageContext,
    work: impl Future<Output = Result<T, StageError>>,
) -> Result<T, StageError> {
    tokio::select! {
        biased;
        () = cx.cancel.cancelled() => Err(StageError::transient("cancelled", "stopped before it was finished")),
        done = work => done,
    }
}

/// A course's enrolment, as it was written by us.
pub(super) fn read(text: &str) -> Result<EnrolmentSpec, StageError> {
    serde_json::from_str(text).map_err(|error| damaged("enrolment", &error))
}

pub(super) fn no_secrets(error: crate::ports::SecretError) -> StageError {
    StageError::transient("secret_store_unavailable", error.to_string())
}

/// The platform's word in the queue's terms. A login that is refused is no order's fault: the platform is left alone
/// until a secret or a setting changes, or the owner says so.
pub(super) fn stage_error(service: &str, failure: &Failure) -> StageError {
    let (code, detail) = (failure.kind.code(), failure.detail.clone());
    match failure.kind {
        kind if kind.passes() => StageError::transient(code, detail).after(failure.retry_after),
        Kind::Unauthorized => StageError::parks(service, code, detail, Until::Change),
        _ => StageError::permanent(code, detail),
    }
}
