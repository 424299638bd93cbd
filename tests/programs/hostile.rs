//! A hostile downloader harms nothing and is reported: each trick is a row with the code that the owner reads.

use std::fs;
use std::time::Duration;

use chotdon_core::workers::{ErrorClass, StageError};

use crate::bench::{Bench, all_gone, strays, until};

/// Name, script, code. `$OUTSIDE` is a directory that is not the program's.
const TRICKS: &[(&str, &str, &str)] = &[
    ("a link to a file", "printf x > a; ln -s /etc/passwd b", "downloader_unsafe"),
    ("a link to a folder", "printf x > a; ln -s / b", "downloader_unsafe"),
    ("a link that leads nowhere", "ln -s nowhere a", "downloader_unsafe"),
    ("a link among its own", "mkdir d; printf x > d/a; ln -s d e", "downloader_unsafe"),
    ("a hard link", "printf x > a; ln a b", "downloader_unsafe"),
    ("a hard link to what is ours", "ln \"$OUTSIDE/canary\" a", "downloader_unsafe"),
    ("a pipe", "mkfifo a", "downloader_unsafe"),
    (
        "a socket",
        "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"a\")'",
        "downloader_unsafe",
    ),
    ("a name that climbs on Windows", r"printf x > 'a\..\evil'", "downloader_unsafe"),
    ("a name of dots", "mkdir '... '; printf x > '... /a'", "downloader_empty"),
    ("a name with a line break", "printf x > 'a\nb'", "downloader_unsafe"),
    ("a name written backwards", "printf x > \"$(printf 'a\\342\\200\\256fdp.exe')\"", "downloader_unsafe"),
    ("a name that is no text", "printf x > \"$(printf 'a\\377')\"", "downloader_unsafe"),
    ("a name of a device", "printf x > nul.txt", "downloader_unsafe"),
    ("two names of one file, by case", "printf x > a; printf y > A", "downloader_unsafe"),
    (
        "two names of one file, by accent",
        "printf x > \"$(printf 'e\\314\\201')\"; printf y > \"$(printf '\\303\\251')\"",
        "downloader_unsafe",
    ),
    (
        "nested without end",
        "exec python3 -c 'import os\nopen(\"a\", \"w\")\nfor n in range(3000): os.mkdir(\"d\"); os.chdir(\"d\")'",
        "downloader_unsafe",
    ),
    ("a closed folder", "mkdir d; printf x > d/.a; chmod 0 d", "downloader_"),
    ("another directory in its place", "cd ..; rm -r files; ln -s \"$OUTSIDE\" files", "downloader_empty"),
    (
        "files without end",
        "exec python3 -c 'import itertools\nfor n in itertools.count(): open(str(n), \"w\")'",
        "downloader_too_much",
    ),
    (
        "folders without end",
        "exec python3 -c 'import itertools, os\nfor n in itertools.count(): os.mkdir(str(n))'",
        "downloader_too_much",
    ),
    (
        "a million files before the count",
        "python3 -c 'for n in range(20000): open(str(n), \"w\")'",
        "downloader_too_much",
    ),
    ("a file without end", "exec dd if=/dev/zero of=a bs=1048576", "downloader_too_much"),
    ("a file that only looks large", "exec truncate -s 1T a", "downloader_"),
    (
        "many files that are large together",
        "for n in 1 2 3; do truncate -s 600M $n; done",
        "downloader_too_much",
    ),
    ("output without end", "exec yes '{\"done\":1}'", "downloader_too_much"),
    ("one line without end", "exec tr '\\0' x < /dev/zero", "downloader_too_much"),
    ("messages without end", "exec yes >&2", "downloader_too_much"),
    ("files announced without end", "exec yes '{\"file\":{\"path\":\"a\"}}'", "downloader_too_much"),
    (
        "processes without end",
        "i=0; while [ $i -lt 300 ]; do sleep 1000 & i=$((i+1)); done; wait",
        "downloader_too_much",
    ),
    (
        "a failure with its secret in it",
        "read -r asked; echo \"$asked\" >&2; echo \"{\\\"error\\\":\\\"$(printf %s \"$asked\" | tr -d '\"')\\\"}\"; exit 1",
        "downloader_failed",
    ),
    (
        "its secret as a name",
        "read -r asked; asked=${asked##*secret\\\":\\\"}; ln -s x \"${asked%%\\\"*}\"",
        "downloader_unsafe",
    ),
];

const SECRET: &str = "canary-of-the-downloader-0123456789";

fn reported(error: &StageError, code: &str) -> bool {
    error.class == ErrorClass::Permanent && error.code.starts_with(code)
}

/// What is wrong with how a trick ended; nothing when it harmed nothing and was reported.
async fn harm(script: &str, code: &str) -> Vec<String> {
    let mut bench = Bench::new();
    bench.bounds.max_gb = 1;
    bench.bounds.max_output_mb = 4;
    bench.bounds.max_files = 1_000;
    let outside = bench.path("outside");
    fs::create_dir(&outside).unwrap();
    let canary = outside.join("canary");
    fs::write(&canary, "sings").unwrap();
    bench.env.insert("OUTSIDE".to_owned(), outside.to_str().unwrap().to_owned());
    let mut wrong = Vec::new();
    let mut holds = |good: bool, what: String| {
        if !good {
            wrong.push(what);
        }
    };
    match bench.fetch(&bench.script(script), Some(SECRET)).await {
        Ok(manifest) => holds(false, format!("it was taken: {manifest:?}")),
        Err(error) => {
            holds(reported(&error, code), format!("reported as {error}"));
            holds(!error.detail.contains("canary-of"), format!("its secret is told: {error}"));
        }
    }
    holds(fs::read_to_string(&canary).unwrap() == "sings", "what is ours was changed".to_owned());
    let taken = fs::read_dir(bench.staging().join("files")).map_or(0, Iterator::count);
    holds(taken == 0, "something of a refused course was taken".to_owned());
    let left = fs::read_dir(bench.staging().join("program")).unwrap().flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    holds(left == ["keep"], format!("not cleared away: {left:?}"));
    let strays = strays(&bench.staging());
    holds(strays.is_empty(), format!("still running: {strays:?}"));
    wrong
}

#[tokio::test]
async fn a_hostile_downloader_harms_nothing_and_is_reported() {
    let mut wrong = Vec::new();
    for (trick, script, code) in TRICKS {
        wrong.extend(harm(script, code).await.into_iter().map(|what| format!("{trick}: {what}")));
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// The control: what is like a trick and is none.
#[tokio::test]
async fn what_only_looks_like_a_trick_is_taken() {
    for script in [
        "printf x > 'a..b'; printf y > 'con sole.txt'",
        "mkdir -p a/b/c/d/e; printf x > a/b/c/d/e/f",
        "ln -s /etc/passwd .own; printf x > a",
        "python3 -c 'for n in range(10000): open(str(n), \"w\")'",
        "truncate -s 500M a",
        "i=0; while [ $i -lt 20 ]; do sleep 1000 & i=$((i+1)); done; printf x > a",
    ] {
        let mut bench = Bench::new();
        bench.bounds.max_gb = 1;
        bench.fetch(&bench.script(script), None).await.expect(script);
        assert_eq!(strays(&bench.staging()), Vec::<String>::new(), "{script}");
    }
}

#[tokio::test]
async fn a_program_that_ignores_every_wish_to_end_is_killed_with_all_its_children() {
    let mut bench = Bench::new();
    bench.bounds.grace_s = 10;
    let pipe = bench.pipe("pipe");
    let spec = bench.script(&format!(
        "trap '' TERM INT HUP; exec 9> {}; (sleep 1000) & setsid sleep 1000 & echo ready >&9; echo '{{\"item\":\"ready\"}}'
         while :; do sleep 1000; done",
        pipe.display()
    ));
    let ready = bench.cx.clone();
    let stop = async {
        until(|| bench.meter.item.lock().unwrap().is_some()).await;
        ready.cancel.cancel();
        // It is asked first, and the time it has is the clock's.
        until(|| {
            bench.clock.moves(Duration::from_secs(1));
            strays(&bench.staging()).is_empty()
        })
        .await;
    };
    let (result, words, ()) = tokio::join!(bench.fetch(&spec, None), all_gone(&pipe), stop);
    assert_eq!(result.unwrap_err().code, "cancelled");
    assert_eq!(words, "ready\n");
}

#[tokio::test]
async fn a_program_is_asked_to_end_before_it_is_killed() {
    let bench = Bench::new();
    let spec = bench.script(
        "trap 'echo bye > \"$CHOTDON_KEEP/bye\"; exit 0' TERM; echo '{\"item\":\"ready\"}'; while :; do sleep 1000 & wait; done",
    );
    let stop = async {
        until(|| bench.meter.item.lock().unwrap().is_some()).await;
        bench.cx.cancel.cancel();
    };
    let (result, ()) = tokio::join!(bench.fetch(&spec, None), stop);
    assert_eq!(result.unwrap_err().code, "cancelled");
    assert_eq!(fs::read_to_string(bench.staging().join("program/keep/bye")).unwrap(), "bye\n");
}

#[tokio::test]
async fn a_program_is_ended_when_its_time_is_over() {
    let bench = Bench::new();
    let spec = bench.script("echo waiting >&2; echo '{\"item\":\"ready\"}'; exec sleep 100000");
    let moving = async {
        until(|| bench.meter.item.lock().unwrap().is_some()).await;
        bench.clock.moves(Duration::from_secs(6 * 3600));
    };
    let (result, ()) = tokio::join!(bench.fetch(&spec, None), moving);
    let error = result.unwrap_err();
    assert_eq!((error.class, error.code), (ErrorClass::Transient, "downloader_timeout"), "{error}");
    assert!(error.detail.contains("waiting"), "{error}");
}
