//! A server that is killed leaves no picture of its memory, and others of the same user cannot look into it.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chotdon_tests::served::{Home, Served};

/// Somebody who is not root: that user may look into a program of theirs unless it forbids it.
const NOBODY: &str = "65534";

/// Signals that ask for a core, by the numbers that they have on every Linux.
const ABRT: i32 = 6;
/// Not SEGV: the language runtime looks at that one first and takes one that was only sent for no fault.
const FPE: i32 = 8;

/// True when the tests run as root, who is told apart from nobody.
fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Hands a directory and what is in it to nobody.
fn give(path: &Path) {
    assert!(
        Command::new("chown")
            .args(["-R", &format!("{NOBODY}:{NOBODY}")])
            .arg(path)
            .status()
            .unwrap()
            .success()
    );
}

/// What every program is run by: cores allowed, and as nobody where the tests run as root.
fn under(program: &str) -> Vec<String> {
    let change = if is_root() {
        format!("exec setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups ")
    } else {
        "exec ".to_owned()
    };
    vec![
        "/bin/sh".to_owned(),
        "-c".to_owned(),
        format!("cd {program}; ulimit -c unlimited; {change} \"$0\" \"$@\""),
    ]
}

/// Whether a process of the same user may read `what` of process `pid`.
fn may_read(pid: u32, what: &str) -> bool {
    let mut reader = if is_root() {
        let mut reader = Command::new("setpriv");
        reader.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "head"]);
        reader
    } else {
        Command::new("head")
    };
    let read =
        reader.args(["-c", "1", &format!("/proc/{pid}/{what}")]).stdout(Stdio::null()).stderr(Stdio::null());
    read.status().unwrap().success()
}

fn cores(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("core")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_leaves_no_core_and_shows_nobody_its_memory() {
    let mut home = Home::new().await.unwrap();
    let place = home.path().to_owned();
    std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o711)).unwrap();
    // The program may lie where nobody may go.
    let program = place.join("chotdon-server");
    std::fs::copy(chotdon_tests::served::program().unwrap(), &program).unwrap();
    home.program = Some(program.clone());
    home.under = under(&place.display().to_string());
    if is_root() {
        give(&place);
    }
    let served = home.serve().await.unwrap();
    let pid = served.pid();
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(line.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"], "{line}");
    for what in ["environ", "mem", "maps", "auxv"] {
        assert!(!may_read(pid, what), "/proc/PID/{what}");
    }
    killed(served, ABRT, &place).await;
    killed(home.serve().await.unwrap(), FPE, &place).await;

    // The control: another program of that user is looked into, and leaves a core where the machine writes any.
    let words = under(&place.display().to_string());
    let mut other = Command::new(&words[0])
        .args(&words[1..])
        .args(["/bin/sleep", "600"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .spawn()
        .unwrap();
    while !may_read(other.id(), "environ") {
        assert!(other.try_wait().unwrap().is_none(), "it runs");
        std::thread::yield_now();
    }
    assert!(Command::new("kill").args(["-ABRT", &other.id().to_string()]).status().unwrap().success());
    let status = other.wait().unwrap();
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    if pattern.trim().starts_with("core") {
        assert!(status.core_dumped(), "{status:?}");
        assert_eq!(cores(&place).len(), 1);
    }
}

async fn killed(served: Served, signal: i32, place: &Path) {
    let status = served.end_by(signal).await.unwrap();
    assert_eq!((status.signal(), status.core_dumped()), (Some(signal), false));
    assert_eq!(cores(place), Vec::<PathBuf>::new());
}
