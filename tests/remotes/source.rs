//! Courses fetched from remotes.

use chotdon_core::workers::{ErrorClass, StageError};

use crate::bench::{Bench, WebDav, course, pattern, until};

fn kind(error: &StageError) -> (ErrorClass, &'static str) {
    (error.class, error.code)
}

#[tokio::test]
async fn a_folder_behind_an_alias_is_fetched_and_left_alone_the_second_time() {
    let disk = tempfile::tempdir().unwrap();
    let files: [(&str, &[u8]); 4] = [
        ("Chương 1/Bài 1: 50% & hơn?.mp4", &pattern(2_500_000, 1)),
        ("Chương 1/phụ/a+b#c.txt", b"x"),
        ("mở đầu.pdf", &pattern(70_000, 2)),
        ("rỗng.txt", b""),
    ];
    let expected = course(&disk.path().join("rust"), &files);
    std::fs::write(disk.path().join("rust/.DS_Store"), "dropped by a desktop").unwrap();
    let secret = format!("[disk]\ntype = alias\nremote = {}\n", disk.path().display());
    let bench = Bench::with(&[("source.disk", &secret)]);
    assert_eq!(bench.fetch("disk", "rust").await.unwrap(), expected);
    for (path, bytes) in files {
        assert_eq!(std::fs::read(bench.staging().join("files").join(path)).unwrap(), bytes, "{path}");
    }
    assert_eq!(bench.next().fetch("disk", "rust").await.unwrap(), expected);

    let changed = course(&disk.path().join("rust"), &[("mở đầu.pdf", &pattern(70_000, 3))]);
    std::fs::remove_file(disk.path().join("rust/rỗng.txt")).unwrap();
    let now = bench.next().fetch("disk", "rust").await.unwrap();
    assert_eq!(now.files.len(), 3, "what is gone there is gone here");
    assert_eq!(now.file("mở đầu.pdf").unwrap(), &changed.files[0]);
    bench.ways.remotes.quit().await;
}

#[tokio::test]
async fn a_killed_rclone_is_started_again_and_goes_on_with_what_is_missing() {
    let disk = tempfile::tempdir().unwrap();
    let files: Vec<(String, Vec<u8>)> =
        (0..12).map(|n| (format!("Bài {n:02}.mp4"), pattern(2_000_000, n))).collect();
    let listed: Vec<(&str, &[u8])> =
        files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect();
    let expected = course(disk.path(), &listed);
    let dav = WebDav::serve(disk.path(), "8M");
    let bench = Bench::with(&[("source.dav", &dav.options())]);
    let killing = async {
        until(|| bench.done() > 9_000_000).await;
        bench.kill_rclone().await;
    };
    let (result, ()) = tokio::join!(bench.fetch("dav", ""), killing);
    assert_eq!(kind(&result.unwrap_err()), (ErrorClass::Transient, "rclone_stopped"));
    let complete = std::fs::read_dir(bench.staging().join("files")).unwrap().flatten();
    let complete = complete.filter(|entry| entry.file_name().to_str().unwrap().ends_with(".mp4")).count();
    assert!(complete >= 3, "{complete} files were complete");

    let next = bench.next();
    let watching = async {
        until(|| next.done() > 0).await;
        next.done()
    };
    let (manifest, first) = tokio::join!(next.fetch("dav", ""), watching);
    assert_eq!(manifest.unwrap(), expected);
    assert!(first >= complete as u64 * 2_000_000, "{first}: complete files are not fetched again");
    bench.ways.remotes.quit().await;
}

#[tokio::test]
async fn a_cancelled_fetch_stops_the_job_and_nothing_else() {
    let disk = tempfile::tempdir().unwrap();
    course(disk.path(), &[("a.mp4", &pattern(30_000_000, 1))]);
    let dav = WebDav::serve(disk.path(), "4M");
    let bench = Bench::with(&[("source.dav", &dav.options())]);
    let stop = async {
        until(|| bench.done() > 1_000_000).await;
        bench.cx.cancel.cancel();
    };
    let (result, ()) = tokio::join!(bench.fetch("dav", ""), stop);
    assert_eq!(result.unwrap_err().code, "cancelled");
    assert!(bench.ways.remotes.process().await.is_some(), "others may be using it");
    bench.ways.remotes.quit().await;
    assert!(bench.ways.remotes.process().await.is_none());
}

#[tokio::test]
async fn what_is_wrong_with_a_remote_has_a_code_of_its_own() {
    let disk = tempfile::tempdir().unwrap();
    course(&disk.path().join("rust"), &[("a.txt", b"aa")]);
    std::fs::create_dir(disk.path().join("empty")).unwrap();
    let dav = WebDav::serve(disk.path(), "off");
    let wrong = dav.options().replace("shop", "other");
    let nobody = dav.options().replace("127.0.0.1:", "127.0.0.1:1");
    let bench = Bench::with(&[
        ("source.dav", &dav.options()),
        ("source.wrong", &wrong),
        ("source.nobody", &nobody),
        ("source.text", "not a configuration"),
        ("source.runs", "[runs]\ntype=webdav\nurl=http://x\nbearer_token_command=touch /tmp/ran"),
        ("source.new", "[new]\ntype = teleport\n"),
    ]);
    let (permanent, transient) = (ErrorClass::Permanent, ErrorClass::Transient);
    for (remote, path, expected) in [
        ("unknown", "", (permanent, "rclone_remote_unknown")),
        ("text", "", (permanent, "rclone_remote_invalid")),
        ("runs", "", (permanent, "rclone_remote_invalid")),
        ("new", "", (permanent, "rclone_remote_unknown")),
        ("wrong", "rust", (permanent, "source_unauthorized")),
        ("nobody", "rust", (transient, "rclone_failed")),
        ("dav", "nothing", (permanent, "source_not_found")),
        ("dav", "empty", (permanent, "source_invalid")),
        ("dav", "../rust", (permanent, "source_invalid")),
        ("dav:x", "rust", (permanent, "source_invalid")),
    ] {
        let error = bench.next().fetch(remote, path).await.unwrap_err();
        assert_eq!(kind(&error), expected, "{remote}:{path}: {error}");
    }
    assert_eq!(bench.next().fetch("dav", "rust").await.unwrap().files.len(), 1, "and it goes on working");
    bench.ways.remotes.quit().await;
}

#[tokio::test]
async fn an_rclone_that_is_missing_or_too_old_is_told_from_one_that_fails() {
    let dir = tempfile::tempdir().unwrap();
    let fake = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let old =
        fake("old", "echo 'Failed to rc server: listen tcp: address tcp////x: unknown port' >&2; exit 1");
    let broken = fake("broken", "echo 'no space left' >&2; exit 1");
    for (program, expected) in [
        (dir.path().join("nothing").to_str().unwrap(), (ErrorClass::Permanent, "rclone_missing")),
        (&old, (ErrorClass::Permanent, "rclone_too_old")),
        (&broken, (ErrorClass::Transient, "rclone_failed")),
    ] {
        let bench = Bench::by(program, &[("source.disk", "type = alias\nremote = /tmp")]);
        let error = bench.fetch("disk", "").await.unwrap_err();
        assert_eq!(kind(&error), expected, "{program}: {error}");
    }
}
