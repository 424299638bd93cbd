//! Gives a buyer access to a folder on Google Drive, once however often the stage is run, and looks whether it is there.
//!
//! Intents and facts are rows of the store. The call itself runs on its own, so that a worker that is thrown out never
//! leaves a permission behind of which nobody knows.

use std::sync::Arc;

use chotdon_domain::access::GrantState;
use chotdon_store::{Claimant, Claimed, DeliveryCase, Grant, GrantWish};
use gdrive::{Class, Drive, Error, Permission, ShareOptions};

use super::unreadable;
use crate::delivery::drive_error;
use crate::shop::Floor;
use crate::workers::{StageContext, StageError};

/// Drive takes an end of access at most a year ahead, ms; a later one is the app's alone.
const LONGEST_ON_DRIVE_MS: i64 = 365 * 24 * 3_600_000;
/// Refusals of one share that ask for another form of it: no end, a mail by Google, a second look.
const MOST_FORMS: usize = 4;

/// Gives the buyer of `case` everything in `wishes`. What they have already is only looked at.
///
/// # Errors
/// Drive's, as [`drive_error`] says; `cancelled` when the order was taken from this worker meanwhile.
pub(super) async fn give(
    floor: &Floor,
    task: &Claimed,
    cx: &StageContext,
    case: &DeliveryCase,
    wishes: Vec<GrantWish>,
) -> Result<(), StageError> {
    let claimant = Claimant { task: task.id, epoch: task.epoch, stage: task.stage.clone() };
    let now = floor.clock.now_ms();
    let grants = floor.store.intend_access(&claimant, case.order, wishes, now).await.map_err(unreadable)?;
    for grant in grants.ok_or_else(taken)? {
        cx.check()?;
        cx.item(&grant.email);
        give_one(floor, cx, grant).await?;
    }
    Ok(())
}

fn taken() -> StageError {
    StageError::transient("cancelled", "the order was taken from this worker")
}

/// Whoever gives or takes the same access does it one after the other.
pub(super) fn turn_of(grant: &Grant) -> String {
    format!("{}:{}", grant.resource, grant.email.to_lowercase())
}

async fn give_one(floor: &Floor, cx: &StageContext, grant: Grant) -> Result<(), StageError> {
    let drive = floor.drive().await?;
    let turn = floor.turns.take(&turn_of(&grant)).await;
    let wait = grant.expires_at;
    let here = Arc::new(Here { floor: floor.clone(), drive, grant });
    if !here.grant.fresh {
        let seen = floor.services.through("drive", cx, here.look()).await?;
        if let Some(permission) = seen {
            if !here.ends_too_soon(&permission) {
                return here.keep(permission, wait).await;
            }
            // Given for an order whose access ends before this one's does.
            let gone = async { drive_answer(here.drive.unshare(&here.grant.resource, &permission.id).await) };
            floor.services.through("drive", cx, gone).await?;
        }
    }
    let permit = floor.services.enter("drive", cx).await?;
    let sharing = async {
        let here = here.clone();
        // On its own: what has begun is finished and written down, whatever becomes of this worker.
        let done = tokio::spawn(async move {
            let _turn = turn;
            let given = here.share().await?;
            if let Some(probe) = &here.floor.probe {
                probe("access.shared").await;
            }
            here.keep(given, wait).await
        });
        tokio::select! {
            done = done => {
                done.unwrap_or_else(|error| Err(StageError::transient("internal", error.to_string())))
            }
            () = cx.cancel.cancelled() => Err(taken()),
        }
    };
    let shared = floor.services.through("drive_sharing", cx, sharing).await;
    drop(permit);
    shared
}

fn drive_answer<T>(answer: Result<T, Error>) -> Result<T, StageError> {
    answer.map_err(drive_error)
}

/// One access at one moment.
struct Here {
    floor: Floor,
    drive: Drive,
    grant: Grant,
}

impl Here {
    /// The buyer's permission, when it is there.
    async fn look(&self) -> Result<Option<Permission>, StageError> {
        find(&self.drive, &self.grant).await.map_err(drive_error)
    }

    /// Whether Drive ends this permission before the grant's time.
    fn ends_too_soon(&self, permission: &Permission) -> bool {
        let wanted = self.grant.expires_at.unwrap_or(i64::MAX);
        permission.role == "reader" && permission.expires_at.is_some_and(|ends| ends < wanted)
    }

    /// Creates the permission in the form that the account and the address allow, and looks whether it is there.
    async fn share(&self) -> Result<Permission, StageError> {
        let now = self.floor.clock.now_ms();
        let ends = self.grant.expires_at.filter(|at| *at > now && at - now < LONGEST_ON_DRIVE_MS);
        let mut options = ShareOptions { expires_at: ends, notify: false, message: None };
        let mut looked = false;
        for _ in 0..MOST_FORMS {
            let refused = match self.drive.share(&self.grant.resource, &self.grant.email, &options).await {
                Ok(given) => return self.seen(&given).await,
                Err(error) => error,
            };
            match refused.class() {
                Class::CannotExpire if options.expires_at.is_some() => options.expires_at = None,
                Class::NeedsNotification if !options.notify => options.notify = true,
                // Shared, and only Google's mail about it failed: that happens.
                Class::Unclear if !looked => {
                    looked = true;
                    if let Some(given) = self.look().await? {
                        return Ok(given);
                    }
                }
                _ => return Err(drive_error(refused)),
            }
        }
        Err(StageError::permanent("drive_denied", "Drive takes this share in no form"))
    }

    /// What was given is there when Drive lists it; the answer to the call alone is not enough.
    async fn seen(&self, given: &Permission) -> Result<Permission, StageError> {
        let listed = self.drive.permissions(&self.grant.resource).await.map_err(drive_error)?;
        let seen = listed.into_iter().find(|one| one.id == given.id);
        seen.ok_or_else(|| {
            StageError::transient("drive_unclear", "Drive does not list the new permission yet")
        })
    }

    async fn keep(&self, permission: Permission, expires_at: Option<i64>) -> Result<(), StageError> {
        // A role that was not given by us is not taken back by us either: the owner's own, for one.
        let id = (permission.role == "reader").then_some(permission.id);
        let now = self.floor.clock.now_ms();
        let kept = self.floor.store.access_granted(self.grant.id, id, expires_at, now).await;
        match kept.map_err(unreadable)? {
            GrantState::Granted => Ok(()),
            _ => Err(taken()),
        }
    }
}

/// The permission that the grant's address has on its folder.
pub(super) async fn find(drive: &Drive, grant: &Grant) -> Result<Option<Permission>, Error> {
    let listed = drive.permissions(&grant.resource).await?;
    let own = |one: &Permission| one.kind == "user" && one.email.to_lowercase() == grant.email.to_lowercase();
    Ok(listed.into_iter().find(own))
}
