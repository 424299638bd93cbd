//! What the operating system says about this process, and about the disk that the shop lies on.

use std::path::Path;

/// A process as Linux counts it; elsewhere nothing is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Process {
    /// Memory in use, bytes.
    pub(crate) resident_bytes: Option<u64>,
    /// Memory reserved, bytes.
    pub(crate) virtual_bytes: Option<u64>,
    /// Open files and sockets.
    pub(crate) open_files: Option<u64>,
    /// How many there may be.
    pub(crate) most_files: Option<u64>,
    /// Processor time used, ms.
    pub(crate) cpu_ms: Option<u64>,
    /// Threads.
    pub(crate) threads: Option<u64>,
}

/// This process now.
#[cfg(target_os = "linux")]
pub(crate) fn now() -> Process {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
    let page = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
    let status = read("statm");
    let mut pages = status.split(' ').map(|word| word.trim().parse::<u64>().ok().map(|n| n * page));
    let (virtual_bytes, resident_bytes) = (pages.next().flatten(), pages.next().flatten());
    let limits = read("limits");
    let most_files = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .and_then(|line| line.split_whitespace().next()?.parse().ok());
    let open_files = std::fs::read_dir("/proc/self/fd").ok().map(|files| files.count().saturating_sub(1));
    let (cpu_ms, threads) = cpu(&read("stat"), rustix::param::clock_ticks_per_second());
    Process {
        resident_bytes,
        virtual_bytes,
        most_files,
        open_files: open_files.and_then(|n| u64::try_from(n).ok()),
        cpu_ms,
        threads,
    }
}

/// This process now.
#[cfg(not(target_os = "linux"))]
pub(crate) fn now() -> Process {
    Process::default()
}

/// Processor time (ms) and threads out of `/proc/self/stat`, whose second word may hold blanks and brackets.
#[cfg(any(target_os = "linux", test))]
fn cpu(stat: &str, ticks: u64) -> (Option<u64>, Option<u64>) {
    let Some((_, rest)) = stat.rsplit_once(')') else { return (None, None) };
    let words: Vec<&str> = rest.split_whitespace().collect();
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok());
    // Of the words after the name, user time is the 12th, system time the 13th, threads the 18th.
    let used = number(11).zip(number(12)).map(|(user, system)| (user + system) * 1_000 / ticks.max(1));
    (used, number(17))
}

/// Bytes free for us, and bytes in all, on the file system of `path`.
#[cfg(unix)]
pub(crate) fn disk(path: &Path) -> Option<(u64, u64)> {
    let found = rustix::fs::statvfs(path).ok()?;
    Some((found.f_bavail.saturating_mul(found.f_frsize), found.f_blocks.saturating_mul(found.f_frsize)))
}

/// Bytes free for us, and bytes in all, on the file system of `path`.
#[cfg(not(unix))]
pub(crate) fn disk(path: &Path) -> Option<(u64, u64)> {
    Some((fs4::available_space(path).ok()?, fs4::total_space(path).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_numbers() {
        let stat = "7 (chot) (don) S 1 7 7 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 9 0 12345 1000 200";
        assert_eq!(cpu(stat, 100), (Some(2_000), Some(9)));
        assert_eq!(cpu("", 100), (None, None));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_seen() {
        let seen = now();
        assert!(seen.resident_bytes.is_some_and(|bytes| bytes > 1_000_000), "{seen:?}");
        assert!(seen.open_files.is_some_and(|n| n >= 3) && seen.most_files > seen.open_files, "{seen:?}");
        assert!(disk(Path::new("/")).is_some_and(|(free, all)| free <= all && all > 0));
    }
}
