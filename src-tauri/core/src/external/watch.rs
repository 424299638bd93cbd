//! Watches over leases on other machines: ends those that ran out, removes what nobody wants any more, and says when work
//! waits for a machine that does not come.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use chotdon_store::{Held, NEEDS_OWNER, Raise};

use super::incoming::{directory, discard, root};
use crate::shop::Floor;

/// How often it looks when nothing is leased.
const ROUND: Duration = Duration::from_secs(600);
/// Work that only other machines may do waits this long for one before the owner is told, ms.
const PATIENCE_MS: i64 = 15 * 60_000;

/// Keeps watch until the shop closes.
pub(crate) async fn watch(floor: Floor, stop: CancellationToken) {
    let mut missed_at = 0;
    loop {
        let changed = floor.external.leases.notified();
        let wait = match round(&floor, &mut missed_at).await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::error!(%error, "leases on other machines could not be looked after");
                Duration::from_secs(5)
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = changed => {}
            () = floor.clock.sleep(wait) => {}
        }
    }
}

/// One look; answers how long until the next.
async fn round(floor: &Floor, missed_at: &mut i64) -> chotdon_store::Result<Duration> {
    let now = floor.clock.now_ms();
    // Looked at before the leases: a directory that appears in between belongs to a claim that is newer than this look.
    let there = directories(floor).await;
    let mut leases = floor.store.external_leases().await?;
    if leases.iter().any(|lease| lease.until < now) {
        let ended =
            floor.store.reap_external(i64::from(floor.config().queue.retry_base_s) * 1_000, now).await?;
        tracing::warn!(tasks = ?ended, "workers on other machines have not been heard of; their tasks are taken back");
        leases.retain(|lease| lease.until >= now);
    }
    floor.store.forget_passing_calls(now).await?;
    let mut wanted: HashSet<(i64, i64)> = leases.iter().map(|lease| (lease.task, lease.epoch)).collect();
    floor.external.keep_only(&wanted);
    wanted.extend(floor.store.all_brought().await?);
    for (task, epoch) in there.into_iter().filter(|lease| !wanted.contains(lease)) {
        discard(&directory(&floor.data_dir, Held { task, epoch })).await;
    }
    if now - *missed_at >= PATIENCE_MS
        && let Some((task, course)) = floor.store.waits_in_vain(now - PATIENCE_MS).await?
    {
        *missed_at = now;
        let notice = Raise {
            class: NEEDS_OWNER,
            merge_key: Some("worker_missing".to_owned()),
            kind: "worker_missing",
            data: json!({ "code": "worker_missing", "course": course }),
            task: Some(task),
        };
        floor.store.raise_notice(notice, now).await?;
    }
    let next = leases.iter().map(|lease| lease.until - now + 1).min().and_then(|ms| u64::try_from(ms).ok());
    Ok(next.map_or(ROUND, |ms| Duration::from_millis(ms).min(ROUND)))
}

/// The claims that have a directory.
async fn directories(floor: &Floor) -> Vec<(i64, i64)> {
    let mut found = Vec::new();
    let Ok(mut entries) = tokio::fs::read_dir(root(&floor.data_dir)).await else { return found };
    while let Ok(Some(entry)) = entries.next_entry().await {
        let name = entry.file_name();
        let lease = name.to_str().and_then(|name| name.split_once('-'));
        found.extend(lease.and_then(|(task, epoch)| Some((task.parse().ok()?, epoch.parse().ok()?))));
    }
    found
}
