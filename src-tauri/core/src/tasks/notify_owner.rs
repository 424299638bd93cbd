//! Tells the owner of a notice outside the app; see `tell`.

use chotdon_store::Claimed;

use crate::shop::Floor;
use crate::tell;
use crate::workers::{StageContext, StageError, StageOutcome};

pub(super) async fn run(
    floor: &Floor,
    task: &Claimed,
    cx: &StageContext,
) -> Result<StageOutcome, StageError> {
    tell::run(floor, task, cx).await
}
