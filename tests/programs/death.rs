//! When the app is killed, its programs die too. The app is played by this test program, started once more.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use chotdon_core::programs::{Child, Launch, Limits};

use crate::bench::{Bench, all_gone};

const PLAYS: &str = "CHOTDON_TEST_PLAYS_THE_APP";

fn launch(dir: &std::path::Path, script: &str) -> Launch {
    Launch {
        program: "sh".into(),
        args: ["-c".into(), script.into()].into(),
        env: Vec::new(),
        dir: dir.to_owned(),
        limits: Limits::default(),
    }
}

/// Does nothing unless the next test starts it.
#[tokio::test]
#[allow(clippy::disallowed_methods)] // how the other test tells what to do
async fn plays_the_app() {
    let Ok(pipe) = std::env::var(PLAYS) else { return };
    let bench = Bench::new();
    let script = format!(
        "exec 9> {pipe}; setsid sleep 1000 & sleep 1000 & echo up; trap '' TERM; while :; do sleep 1000; done"
    );
    let mut child = Child::start(&launch(&bench.path(""), &script), std::sync::Arc::new(bench.clock.clone()))
        .await
        .unwrap();
    let mut word = [0; 3];
    tokio::io::AsyncReadExt::read_exact(child.stdout.as_mut().unwrap(), &mut word).await.unwrap();
    println!("\nprogram is up");
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_app_takes_its_programs_with_it() {
    let bench = Bench::new();
    let pipe = bench.pipe("pipe");
    let mut app = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "death::plays_the_app", "--nocapture", "--test-threads=1"])
        .env(PLAYS, &pipe)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let gone = tokio::spawn(async move { all_gone(&pipe).await });
    let mut said = BufReader::new(app.stdout.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap() == "program is up"));
    assert!(!gone.is_finished(), "the control: it lives while the app does");
    app.kill().unwrap();
    app.wait().unwrap();
    tokio::time::timeout(Duration::from_secs(30), gone).await.expect("it died with the app").unwrap();
}

#[tokio::test]
async fn a_child_that_is_dropped_is_killed() {
    let bench = Bench::new();
    let pipe = bench.pipe("pipe");
    let script =
        format!("exec 9> {}; sleep 1000 & trap '' TERM; while :; do sleep 1000; done", pipe.display());
    let launch = launch(&bench.path(""), &script);
    let child = Child::start(&launch, std::sync::Arc::new(bench.clock.clone())).await.unwrap();
    // Opening the pipe waits for the program's end of it.
    let opened = tokio::task::spawn_blocking(move || std::fs::File::open(pipe).unwrap()).await.unwrap();
    drop(child);
    let read = tokio::task::spawn_blocking(move || std::io::read_to_string(opened).unwrap());
    tokio::time::timeout(Duration::from_secs(30), read).await.expect("nothing of it lives").unwrap();
}
