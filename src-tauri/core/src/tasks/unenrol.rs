//! Takes a buyer out of the courses that an order put them into: part of `revoke_access`.
//!
//! A place that another order of the same buyer holds stays, and so does one that we never gave.

use chotdon_store::{Claimed, EnrolmentRecord};
use lms::{Buyer, Run};

use super::enrol::{no_secrets, read, stage_error, stoppable};
use super::{damaged, unreadable};
use crate::shop::Floor;
use crate::workers::{StageContext, StageError};

/// Gives up every place of `order` at learning platforms, each verified there and written down as soon as it is. May be
/// called again after any failure: what is done is not done again.
///
/// # Errors
/// The platform's, by the codes of `enrol`, after all places have been tried; `lms_unenrol_by_hand` when a recipe does
/// not say how.
pub(crate) async fn run(
    floor: &Floor,
    task: &Claimed,
    order: i64,
    cx: &StageContext,
) -> Result<(), StageError> {
    let lease = (task.id, task.epoch);
    let places =
        floor.store.begin_unenrolment(lease, order, floor.clock.now_ms()).await.map_err(unreadable)?;
    let mut failed = None;
    for place in &places {
        // One platform's trouble keeps nobody in another's course.
        match stoppable(cx, leave(floor, place, cx)).await {
            Ok(()) => {
                floor.store.unenrolled(lease, place.id, floor.clock.now_ms()).await.map_err(unreadable)?;
            }
            Err(error) if error.code == "cancelled" => return Err(error),
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(()), Err)
}

async fn leave(floor: &Floor, place: &EnrolmentRecord, cx: &StageContext) -> Result<(), StageError> {
    let spec = read(&place.spec)?;
    let recipe = spec.recipe().map_err(|why| StageError::permanent("lms_recipe_invalid", why))?;
    let now = floor.clock.now_ms();
    let secrets = spec.secrets(recipe, &floor.credentials, now).await.map_err(no_secrets)?;
    let buyer = Buyer { email: place.email.clone(), name: place.name.clone() };
    let facts = spec.facts(buyer, (&place.title, &place.slug), &place.code, now, None, secrets);
    let kept = serde_json::from_str(&place.account).map_err(|error| damaged("account", &error))?;
    let watch = |step: &str| cx.item(&format!("{}: {step}", recipe.title));
    let mut run = Run::new(&floor.lms, recipe, &facts, &watch).map_err(|failure| stage_error(&failure))?;
    run.remember(&kept);
    run.unenrol().await.map_err(|failure| stage_error(&failure))
}
