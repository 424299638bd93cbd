//! What Linux tells about processes in `/proc`, and the limits it keeps for them.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use rustix::process::{Pid, Resource, Rlimit, Signal, getuid, kill_process, prlimit};

use super::super::child::Limits;
use super::super::environment::MARK;

/// How often strays are looked for: each look kills what the one before left time to appear.
const SWEEPS: usize = 10;

/// Sets the limits of a process that does not run its program yet.
pub(super) fn limit(process: Pid, limits: &Limits) -> io::Result<()> {
    set(process, Resource::Core, 0)?;
    if limits.file_bytes > 0 {
        set(process, Resource::Fsize, limits.file_bytes)?;
    }
    // The kernel counts all processes of the user, so those that are there already come on top.
    if limits.processes > 0 && !getuid().is_root() {
        set(process, Resource::Nproc, ours().saturating_add(u64::from(limits.processes)))?;
    }
    Ok(())
}

fn set(process: Pid, resource: Resource, most: u64) -> io::Result<()> {
    prlimit(Some(process), resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    Ok(())
}

/// Threads of all processes of our user.
fn ours() -> u64 {
    let user = getuid().as_raw();
    processes()
        .filter(|(_, dir)| fs::metadata(dir).is_ok_and(|meta| meta.uid() == user))
        .map(|(_, dir)| fs::read_dir(dir.join("task")).map_or(1, |tasks| tasks.count() as u64))
        .sum()
}

/// How many processes the group of `leader` has.
pub(super) fn members(leader: Pid) -> Option<usize> {
    let group = leader.as_raw_nonzero().get();
    fs::metadata("/proc/self").ok()?;
    Some(processes().filter(|(_, dir)| group_of(dir) == Some(group)).count())
}

/// Fifth field of `stat`, counted after the name, which may hold blanks and brackets.
fn group_of(dir: &std::path::Path) -> Option<i32> {
    let stat = fs::read_to_string(dir.join("stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(2)?.parse().ok()
}

/// Kills every process with this mark in its environment, until there is none.
pub(super) fn sweep(mark: &str) {
    let entry = format!("{MARK}={mark}");
    for _ in 0..SWEEPS {
        let marked: Vec<Pid> =
            processes().filter(|(_, dir)| is_marked(dir, &entry)).map(|(id, _)| id).collect();
        if marked.is_empty() {
            return;
        }
        for process in marked {
            let _ = kill_process(process, Signal::KILL);
        }
    }
}

fn is_marked(dir: &std::path::Path, entry: &str) -> bool {
    fs::read(dir.join("environ")).is_ok_and(|text| text.split(|b| *b == 0).any(|one| one == entry.as_bytes()))
}

fn processes() -> impl Iterator<Item = (Pid, PathBuf)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let id = entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw)?;
        Some((id, entry.path()))
    })
}
