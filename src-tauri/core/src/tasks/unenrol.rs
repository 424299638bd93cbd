//! Takes a buyer out of the courses that an order put them into: a `revoke_access` task of its own.
//!
//! A place that another order of the same buyer holds stays, and so does one that we never gave.

use chotdon_store::{Claimed, EnrolmentRecord};
use lms::{Buyer, Failure, Run};
use serde_json::Value;

use super::enrol::{no_secrets, read, service, stage_error, stoppable};
use super::{damaged, unreadable};
use crate::shop::Floor;
use crate::workers::{ErrorClass, StageContext, StageError, StageOutcome};

/// The order whose places at platforms this `revoke_access` task gives up; `None` for one of another sort.
pub(super) fn order_of(task: &Claimed) -> Option<i64> {
    serde_json::from_str::<Value>(&task.payload).ok()?.get("unenrol")?.as_i64()
}

/// Gives up the places of `order` that are to be given up, each verified at its platform and written down as soon as it
/// is. May be run again after any failure: what is done is not done again.
pub(super) async fn run(
    floor: &Floor,
    task: &Claimed,
    order: i64,
    cx: &StageContext,
) -> Result<StageOutcome, StageError> {
    let lease = (task.id, task.epoch);
    let places =
        floor.store.begin_unenrolment(lease, order, floor.clock.now_ms()).await.map_err(unreadable)?;
    let mut failed: Option<StageError> = None;
    for place in &places {
        // One platform's trouble keeps nobody in another's course.
        let service = service(&place.host);
        let left = stoppable(cx, leave(floor, place, &service, cx));
        match floor.services.through(&service, cx, left).await {
            Ok(()) => {
                floor.store.unenrolled(lease, place.id, floor.clock.now_ms()).await.map_err(unreadable)?;
            }
            Err(error) if error.code == "cancelled" => return Err(error),
            Err(error) => failed = Some(worth_more(failed, error)),
        }
    }
    failed.map_or_else(|| Ok(StageOutcome::done()), Err)
}

/// What trying again can cure goes first: what a person has to do is said when nothing else is left.
fn worth_more(known: Option<StageError>, new: StageError) -> StageError {
    match known {
        Some(known) if new.class == ErrorClass::Permanent => known,
        _ => new,
    }
}

async fn leave(
    floor: &Floor,
    place: &EnrolmentRecord,
    service: &str,
    cx: &StageContext,
) -> Result<(), StageError> {
    let spec = read(&place.spec)?;
    let recipe = spec.recipe().map_err(|why| StageError::permanent("lms_recipe_invalid", why))?;
    let now = floor.clock.now_ms();
    let secrets = spec.secrets(recipe, &floor.credentials, now).await.map_err(no_secrets)?;
    let buyer = Buyer { email: place.email.clone(), name: place.name.clone() };
    let facts = spec.facts(buyer, (&place.title, &place.slug), &place.code, now, None, secrets);
    let kept = serde_json::from_str(&place.account).map_err(|error| damaged("account", &error))?;
    let watch = |step: &str| cx.item(&format!("{}: {step}", recipe.title));
    let wrong = |failure: Failure| stage_error(service, &failure);
    let mut run = Run::new(&floor.lms, recipe, &facts, &watch).map_err(wrong)?;
    run.remember(&kept);
    run.unenrol().await.map_err(wrong)
}
