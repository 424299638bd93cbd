//! The log files: one a day, another when it grows too large, the old ones removed. Written by the log's own thread.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::config::LogConfig;

const DAY_MS: i64 = 24 * 3_600_000;
const MIB: u64 = 1 << 20;

/// How long and how much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Keep {
    days: i64,
    file_bytes: u64,
    total_bytes: u64,
}

/// Writes whole lines into the file of the day.
pub(super) struct Files<N> {
    folder: PathBuf,
    keep: Keep,
    /// The time, ms.
    now: N,
    open: Option<Open>,
}

struct Open {
    day: String,
    part: u32,
    file: File,
    bytes: u64,
}

impl<N: Fn() -> i64> Files<N> {
    /// Files in `folder`, which exists.
    pub(super) fn new(folder: PathBuf, config: &LogConfig, now: N) -> Self {
        let keep = Keep {
            days: i64::from(config.keep_days),
            file_bytes: u64::from(config.max_file_mb) * MIB,
            total_bytes: u64::from(config.max_total_mb) * MIB,
        };
        Self { folder, keep, now, open: None }
    }

    fn file_for(&mut self, more: u64) -> io::Result<&mut Open> {
        let day = day((self.now)());
        let fits =
            |open: &Open| open.day == day && (open.bytes == 0 || open.bytes + more <= self.keep.file_bytes);
        if !self.open.as_ref().is_some_and(fits) {
            let part = match &self.open {
                Some(open) if open.day == day => open.part + 1,
                _ => self.last_part(&day),
            };
            let file = append(&self.folder.join(name(&day, part)))?;
            let bytes = file.metadata()?.len();
            self.open = Some(Open { day, part, file, bytes });
            prune(&self.folder, self.keep, (self.now)());
        }
        self.open.as_mut().ok_or_else(|| io::Error::other("no log file is open"))
    }

    /// The part of the day that an earlier start wrote to.
    fn last_part(&self, day: &str) -> u32 {
        listed(&self.folder).iter().filter(|file| file.day == day).map(|file| file.part).max().unwrap_or(0)
    }
}

impl<N: Fn() -> i64> Write for Files<N> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let open = self.file_for(line.len() as u64)?;
        open.file.write_all(line)?;
        open.bytes += line.len() as u64;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.open.as_mut().map_or(Ok(()), |open| open.file.flush())
    }
}

/// A log file in the folder.
struct Listed {
    day: String,
    part: u32,
    path: PathBuf,
    bytes: u64,
}

/// Every log file, oldest first.
fn listed(folder: &Path) -> Vec<Listed> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let read = |entry: io::Result<std::fs::DirEntry>| {
        let entry = entry.ok()?;
        let name = entry.file_name().into_string().ok()?;
        let (day, part) = parsed(&name)?;
        Some(Listed { day, part, path: entry.path(), bytes: entry.metadata().ok()?.len() })
    };
    let mut files: Vec<Listed> = entries.filter_map(read).collect();
    files.sort_by(|a, b| (&a.day, a.part).cmp(&(&b.day, b.part)));
    files
}

fn prune(folder: &Path, keep: Keep, now: i64) {
    let oldest = day(now - (keep.days - 1) * DAY_MS);
    let files = listed(folder);
    let mut total: u64 = files.iter().map(|file| file.bytes).sum();
    // The newest one is being written.
    for file in files.iter().take(files.len().saturating_sub(1)) {
        if file.day >= oldest && total <= keep.total_bytes {
            continue;
        }
        if std::fs::remove_file(&file.path).is_ok() {
            total -= file.bytes;
        }
    }
}

/// The paths of the log files, newest first.
pub(crate) fn paths(folder: &Path) -> Vec<PathBuf> {
    listed(folder).into_iter().rev().map(|file| file.path).collect()
}

fn name(day: &str, part: u32) -> String {
    if part == 0 { format!("chotdon.{day}.jsonl") } else { format!("chotdon.{day}.{part}.jsonl") }
}

fn parsed(name: &str) -> Option<(String, u32)> {
    let middle = name.strip_prefix("chotdon.")?.strip_suffix(".jsonl")?;
    let (day, part) = match middle.split_once('.') {
        Some((day, part)) => (day, part.parse().ok()?),
        None => (middle, 0),
    };
    day.parse::<jiff::civil::Date>().ok()?;
    Some((day.to_owned(), part))
}

/// The day in UTC.
fn day(now: i64) -> String {
    Timestamp::from_millisecond(now).unwrap_or_default().strftime("%Y-%m-%d").to_string()
}

fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        listed(folder)
            .iter()
            .map(|file| file.path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect()
    }

    fn files<'c>(
        folder: &Path,
        now: &'c Cell<i64>,
        days: i64,
        file: u64,
        total: u64,
    ) -> Files<impl Fn() -> i64 + 'c> {
        let keep = Keep { days, file_bytes: file, total_bytes: total };
        Files { folder: folder.to_owned(), keep, now: || now.get(), open: None }
    }

    #[test]
    fn a_day_and_a_size_end_a_file_and_no_line_is_cut() {
        let (dir, now) = (tempfile::tempdir().unwrap(), Cell::new(0));
        let mut log = files(dir.path(), &now, 14, 25, 1_000);
        for _ in 0..3 {
            log.write_all(b"0123456789\n").unwrap();
        }
        now.set(DAY_MS);
        log.write_all(b"a line that is longer than a file may be\n").unwrap();
        drop(log);
        // A new start goes on in the same file while that has room.
        files(dir.path(), &now, 14, 100, 1_000).write_all(b"more\n").unwrap();
        assert_eq!(
            names(dir.path()),
            ["chotdon.1970-01-01.jsonl", "chotdon.1970-01-01.1.jsonl", "chotdon.1970-01-02.jsonl"]
        );
        let text = std::fs::read_to_string(dir.path().join("chotdon.1970-01-02.jsonl")).unwrap();
        assert_eq!(text.lines().count(), 2);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode =
                std::fs::metadata(dir.path().join("chotdon.1970-01-01.jsonl")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn old_files_go_by_age_and_by_the_sum_and_others_stay() {
        let (dir, now) = (tempfile::tempdir().unwrap(), Cell::new(0));
        std::fs::write(dir.path().join("notes.txt"), "mine").unwrap();
        let mut log = files(dir.path(), &now, 3, 1_000, 1_000);
        for day in 0..6 {
            now.set(day * DAY_MS);
            log.write_all(&[b'x'; 100]).unwrap();
        }
        assert_eq!(names(dir.path()).len(), 3, "{:?}", names(dir.path()));
        let mut log = files(dir.path(), &now, 30, 150, 350);
        for _ in 0..6 {
            log.write_all(&[b'x'; 100]).unwrap();
        }
        let total: u64 = listed(dir.path()).iter().map(|file| file.bytes).sum();
        assert!(total <= 450, "{total} in {:?}", names(dir.path()));
        assert!(names(dir.path()).last().unwrap().starts_with("chotdon.1970-01-06"));
        assert!(dir.path().join("notes.txt").exists());
    }
}
