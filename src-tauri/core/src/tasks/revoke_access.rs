//! Takes back outside what an order's buyer was given; the access itself goes with the last grant that lives by it.

use chotdon_store::{Claimed, Grant};
use gdrive::{Class, Drive, Error};
use serde_json::Value;

use super::access::{find, turn_of};
use super::{incomplete, unreadable};
use crate::delivery::drive_error;
use crate::shop::Floor;
use crate::workers::{StageContext, StageError, StageOutcome};

pub(super) async fn run(
    floor: &Floor,
    task: &Claimed,
    cx: &StageContext,
) -> Result<StageOutcome, StageError> {
    let payload: Value = serde_json::from_str(&task.payload).unwrap_or_default();
    let order = payload.get("order").and_then(Value::as_i64).ok_or_else(|| incomplete("order"))?;
    for grant in floor.store.access_to_revoke(order).await.map_err(unreadable)? {
        cx.check()?;
        cx.item(&grant.email);
        take_back(floor, cx, &grant).await?;
    }
    Ok(StageOutcome::done())
}

async fn take_back(floor: &Floor, cx: &StageContext, grant: &Grant) -> Result<(), StageError> {
    let _turn = floor.turns.take(&turn_of(grant)).await;
    // Asked in turn: whoever gives the same access has its intent written down before.
    let kept = floor.store.access_is_shared(grant.id).await.map_err(unreadable)?;
    if !kept {
        let drive = floor.drive().await?;
        let gone = async { unshare(&drive, grant).await.map_err(drive_error) };
        floor.services.through("drive", cx, gone).await?;
    }
    floor.store.access_revoked(grant.id, kept, floor.clock.now_ms()).await.map_err(unreadable)
}

/// A permission, or a whole folder, that is gone already is fine.
async fn unshare(drive: &Drive, grant: &Grant) -> Result<(), Error> {
    let id = match &grant.permission {
        Some(id) => Some(id.clone()),
        // It was never written down, and may be there all the same.
        None => match find(drive, grant).await {
            Ok(found) => found.filter(|one| one.role == "reader").map(|one| one.id),
            Err(error) if *error.class() == Class::NotFound => None,
            Err(error) => return Err(error),
        },
    };
    match id {
        Some(id) => drive.unshare(&grant.resource, &id).await,
        None => Ok(()),
    }
}
