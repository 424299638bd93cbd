//! Courses put on remotes.

use std::fs;

use chotdon_core::delivery::{Location, Manifest, on_remote};
use chotdon_core::workers::{ErrorClass, StageError};

use crate::bench::{Bench, WebDav, course, pattern, place, until};

async fn upload(bench: &Bench, remote: &str, manifest: &Manifest) -> Result<Location, StageError> {
    let to = place(remote, "khóa học");
    on_remote::upload(&bench.cx, &bench.ways.remotes, to, "rust-101", 2, &bench.staging(), manifest).await
}

async fn verify(bench: &Bench, location: &Location, manifest: &Manifest) -> Result<(), StageError> {
    let Location::Rclone { remote, path, .. } = location else { panic!("{location:?}") };
    on_remote::verify(&bench.cx, &bench.ways.remotes, place(remote, path), &bench.staging(), manifest).await
}

async fn available(bench: &Bench, location: &Location, manifest: &Manifest) -> Result<(), StageError> {
    let Location::Rclone { remote, path, .. } = location else { panic!("{location:?}") };
    on_remote::available(&bench.cx, &bench.ways.remotes, place(remote, path), manifest).await
}

/// A staged course of some files.
fn stage(bench: &Bench) -> Manifest {
    course(
        &bench.staging().join("files"),
        &[
            ("Chương 1/Bài 1: 50% & hơn?.mp4", &pattern(3_000_000, 1)),
            ("Chương 1/phụ/a+b#c.txt", b"x"),
            ("mở đầu.pdf", &pattern(70_000, 2)),
        ],
    )
}

#[tokio::test]
async fn a_course_is_put_on_a_remote_under_its_final_name_only_when_it_is_complete() {
    for name in ["disk", "dav", "vault"] {
        let disk = tempfile::tempdir().unwrap();
        let dav = WebDav::serve(disk.path(), "off");
        let alias = format!("[disk]\ntype = alias\nremote = {}\n", disk.path().display());
        let vault = format!(
            "[vault]\ntype = crypt\nremote = dav:\npassword = {}\n{}",
            crate::bench::obscured("a password"),
            dav.section("dav")
        );
        let bench =
            Bench::with(&[("source.disk", &alias), ("source.dav", &dav.options()), ("source.vault", &vault)]);
        let manifest = stage(&bench);
        fs::write(bench.staging().join("files/stranger.txt"), "of an earlier try").unwrap();
        let location = upload(&bench, name, &manifest).await.unwrap();
        verify(&bench, &location, &manifest).await.unwrap();
        available(&bench, &location, &manifest).await.unwrap();
        let course = disk.path().join("khóa học/rust-101");
        if name != "vault" {
            let there: Vec<_> = fs::read_dir(&course).unwrap().flatten().map(|e| e.file_name()).collect();
            assert_eq!(there, ["v2"], "{name}: nothing else is left");
            assert_eq!(fs::read(course.join("v2/mở đầu.pdf")).unwrap(), pattern(70_000, 2), "{name}");
            assert!(!course.join("v2/stranger.txt").exists(), "{name}");
        }
        // Once more, as after a crash before the checkpoint: nothing is sent twice, the answer is the same.
        assert_eq!(upload(&bench.next(), name, &manifest).await.unwrap(), location, "{name}");
        fs::remove_dir_all(bench.staging()).unwrap();
        verify(&bench, &location, &manifest).await.expect("it is read back without what was staged");
        bench.ways.remotes.quit().await;
    }
}

#[tokio::test]
async fn a_wrong_byte_or_a_missing_file_on_the_remote_is_found() {
    let disk = tempfile::tempdir().unwrap();
    let alias = format!("type = alias\nremote = {}\n", disk.path().display());
    let bench = Bench::with(&[("source.disk", &alias)]);
    let manifest = stage(&bench);
    let location = upload(&bench, "disk", &manifest).await.unwrap();
    let file = disk.path().join("khóa học/rust-101/v2/mở đầu.pdf");
    let mut bytes = fs::read(&file).unwrap();
    bytes[12_345] ^= 1;
    fs::write(&file, bytes).unwrap();
    let error = verify(&bench, &location, &manifest).await.unwrap_err();
    assert_eq!((error.class, error.code), (ErrorClass::Permanent, "checksum_mismatch"), "{error}");
    available(&bench, &location, &manifest).await.expect("sizes are as they should be");
    // A retry from the upload puts it right.
    let again = upload(&bench, "disk", &manifest).await.unwrap();
    verify(&bench, &again, &manifest).await.unwrap();
    fs::remove_file(&file).unwrap();
    let error = available(&bench, &location, &manifest).await.unwrap_err();
    assert_eq!((error.class, error.code), (ErrorClass::Permanent, "link_broken"), "{error}");
    bench.ways.remotes.quit().await;
}

#[tokio::test]
async fn a_killed_rclone_leaves_nothing_under_the_final_name_and_the_next_try_repairs_it() {
    let disk = tempfile::tempdir().unwrap();
    let dav = WebDav::serve(disk.path(), "6M");
    let bench = Bench::with(&[("source.dav", &dav.options())]);
    let manifest = course(
        &bench.staging().join("files"),
        &[("a.mp4", &pattern(12_000_000, 1)), ("b.mp4", &pattern(4_000_000, 2))],
    );
    let killing = async {
        until(|| bench.done() > 5_000_000).await;
        bench.kill_rclone().await;
    };
    let (result, ()) = tokio::join!(upload(&bench, "dav", &manifest), killing);
    assert_eq!(result.unwrap_err().code, "rclone_stopped");
    assert!(!disk.path().join("khóa học/rust-101/v2").exists());
    let next = bench.next();
    let location = upload(&next, "dav", &manifest).await.unwrap();
    verify(&next, &location, &manifest).await.unwrap();
    let there = fs::read(disk.path().join("khóa học/rust-101/v2/a.mp4")).unwrap();
    assert_eq!(there, pattern(12_000_000, 1));
    bench.ways.remotes.quit().await;
}
