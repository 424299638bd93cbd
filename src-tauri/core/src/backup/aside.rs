//! The shops that restored copies took the place of. Each is kept as it was: 30 days, and the last three however old.

use std::path::{Path, PathBuf};

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use super::name;

/// What the name of such a folder begins with; the time of the restore, in Vietnam, follows.
const PREFIX: &str = "before-restore-";
const FORM: &str = "%Y-%m-%d-%H%M%S";
/// These stay whatever their age, so that the newest always does.
const KEPT: usize = 3;
const KEPT_MS: i64 = 30 * 24 * 3_600_000;

/// The folder's name for a restore that is asked for at `now`, ms.
pub(super) fn folder_name(now: i64) -> String {
    format!("{PREFIX}{}", name(now).split('.').next().unwrap_or_default())
}

/// Removes those that are neither among the last three nor younger than 30 days at `now`, ms. Folders that we did not
/// name are not touched.
pub(super) fn forget_old(data_dir: &Path, now: i64) {
    for folder in old(data_dir, now) {
        match std::fs::remove_dir_all(&folder) {
            Ok(()) => {
                tracing::info!(folder = %folder.display(), "a shop from before a restore was removed; newer ones are kept");
            }
            Err(error) => {
                tracing::warn!(folder = %folder.display(), %error, "a shop from before a restore cannot be removed");
            }
        }
    }
}

fn old(data_dir: &Path, now: i64) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(data_dir) else { return Vec::new() };
    let mut folders: Vec<(i64, PathBuf)> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            // A link is no folder of ours, wherever it leads.
            let ours = entry.file_type().ok()?.is_dir();
            let at = made_at(entry.file_name().to_str()?)?;
            ours.then(|| (at, entry.path()))
        })
        .collect();
    folders.sort();
    folders.reverse();
    folders.into_iter().skip(KEPT).filter(|(at, _)| now - at >= KEPT_MS).map(|(_, folder)| folder).collect()
}

fn made_at(folder: &str) -> Option<i64> {
    let at = DateTime::strptime(FORM, folder.strip_prefix(PREFIX)?).ok()?;
    Some(at.to_zoned(TimeZone::fixed(Offset::constant(7))).ok()?.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 24 * 3_600_000;
    const NOW: i64 = 1_795_280_400_000;

    fn lay_out(dir: &Path, days: &[i64]) -> Vec<PathBuf> {
        let folders = days.iter().map(|day| dir.join(folder_name(NOW - day * DAY_MS)));
        let folders: Vec<_> = folders.collect();
        for folder in &folders {
            std::fs::create_dir(folder).unwrap();
            std::fs::write(folder.join("shop.db"), "old").unwrap();
        }
        folders
    }

    fn left(folders: &[PathBuf]) -> Vec<bool> {
        folders.iter().map(|folder| folder.exists()).collect()
    }

    #[test]
    fn a_name_says_when_it_was() {
        assert_eq!(folder_name(NOW), "before-restore-2026-11-22-000000");
        assert_eq!(made_at(&folder_name(NOW)), Some(NOW));
    }

    #[test]
    fn old_ones_go_and_the_last_three_stay_however_old() {
        let dir = tempfile::tempdir().unwrap();
        let folders = lay_out(dir.path(), &[400, 300, 200, 100, 90]);
        forget_old(dir.path(), NOW);
        assert_eq!(left(&folders), [false, false, true, true, true]);
        // Asked for again and again, never the newest.
        forget_old(dir.path(), NOW + 1_000 * DAY_MS);
        assert_eq!(left(&folders), [false, false, true, true, true]);
    }

    #[test]
    fn thirty_days_are_kept_whatever_their_number() {
        let dir = tempfile::tempdir().unwrap();
        let folders = lay_out(dir.path(), &[31, 30, 29, 20, 10, 5, 1]);
        forget_old(dir.path(), NOW);
        assert_eq!(left(&folders), [false, false, true, true, true, true, true]);
    }

    #[test]
    fn what_we_did_not_name_stays() {
        let dir = tempfile::tempdir().unwrap();
        lay_out(dir.path(), &[1, 2, 3]);
        let others =
            ["before-restore-mine", "before-restore-2020-01-01-000000-copy", "backups", "before-restore-"];
        let others: Vec<_> = others.iter().map(|name| dir.path().join(name)).collect();
        for other in &others {
            std::fs::create_dir(other).unwrap();
        }
        let file = dir.path().join("before-restore-2020-01-01-000000");
        std::fs::write(&file, "a file").unwrap();
        forget_old(dir.path(), NOW);
        assert!(others.iter().all(|other| other.exists()) && file.exists());
    }
}
