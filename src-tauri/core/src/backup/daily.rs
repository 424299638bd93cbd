//! The daily copy: at its time, or as soon as the app runs again after it. Two days without one are told.

use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use chotdon_store::{BackupRun, Raise, STOPPED};

use super::{aside, folder, make, name, prune};
use crate::config::minute_of_day;
use crate::shop::Floor;

const DAY_MS: i64 = 24 * 3_600_000;
/// Vietnam keeps one offset all year.
const VIETNAM_MS: i64 = 7 * 3_600_000;
/// After a failure it is tried again after this long; it is also how late a copy is noticed to be due.
const AGAIN: Duration = Duration::from_secs(1_800);
/// Without a copy for so long, the owner is told.
const TOO_OLD_MS: i64 = 2 * DAY_MS;

/// Makes the daily copies until `stop`.
pub(crate) async fn daily(floor: Floor, stop: CancellationToken) {
    loop {
        aside::forget_old(&floor.data_dir, floor.clock.now_ms());
        let wait = match look(&floor).await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::error!(%error, "whether a backup is due cannot be seen");
                AGAIN
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = floor.clock.sleep(wait) => {}
        }
    }
}

/// Makes a copy when one is due; answers until when there is nothing to do.
async fn look(floor: &Floor) -> Result<Duration, chotdon_store::Error> {
    let (config, now) = (floor.config(), floor.clock.now_ms());
    let (_, fine) = floor.store.backup_runs().await?;
    let Some(fine) = fine else {
        // The shop is new here: from now on it is owed.
        let first = BackupRun {
            id: 0,
            cause: "first".to_owned(),
            at: now,
            took_ms: 0,
            file: None,
            bytes: None,
            code: None,
            detail: None,
        };
        floor.store.keep_backup_run(first).await?;
        return Ok(until_next(now, &config.backup.at));
    };
    if !config.backup.daily || fine.at >= last_due(now, &config.backup.at) {
        return Ok(until_next(now, &config.backup.at));
    }
    let folder = folder(&config, &floor.data_dir);
    match make(&floor.store, &floor.data_dir, &folder.join(name(now)), "timer", now).await {
        Ok(_) => {
            prune(&folder, usize::from(config.backup.keep));
            floor.health.saw_backup(now, None);
            floor.store.resolve_notice("backup", now).await?;
            Ok(until_next(now, &config.backup.at))
        }
        Err(error) => {
            floor.health.saw_backup(fine.at, Some(error.code().to_owned()));
            if now - fine.at >= TOO_OLD_MS {
                let notice = Raise {
                    class: STOPPED,
                    merge_key: Some("backup".to_owned()),
                    kind: "backup_failed",
                    data: json!({ "code": error.code(), "days": (now - fine.at) / DAY_MS }),
                    task: None,
                };
                floor.store.raise_notice(notice, now).await?;
            }
            Ok(AGAIN)
        }
    }
}

/// The last time at which a copy was due, ms.
fn last_due(now: i64, at: &str) -> i64 {
    let minute = i64::from(minute_of_day(at)) * 60_000 - VIETNAM_MS;
    (now - minute).div_euclid(DAY_MS) * DAY_MS + minute
}

fn until_next(now: i64, at: &str) -> Duration {
    let wait = last_due(now, at) + DAY_MS - now;
    Duration::from_millis(u64::try_from(wait).unwrap_or(0)).min(AGAIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_due_once_a_day_at_its_time_in_vietnam() {
        // 2026-11-21 20:00 UTC is 03:00 on the 22nd in Vietnam.
        let three: i64 = 1_795_291_200_000;
        assert_eq!(last_due(three, "03:00"), three);
        assert_eq!(last_due(three - 1, "03:00"), three - DAY_MS);
        assert_eq!(last_due(three + DAY_MS - 1, "03:00"), three);
        assert_eq!(until_next(three - 60_000, "03:00"), Duration::from_secs(60));
    }
}
