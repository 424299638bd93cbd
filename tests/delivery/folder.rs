//! A folder as source, the library as target.

use std::os::unix::fs::symlink;
use std::path::Path;

use chotdon_core::delivery::{
    HttpSource, Location, Manifest, SourceSpec, available, discard_staging, fetch, upload, verify,
};
use chotdon_core::workers::{ErrorClass, StageError};

use crate::stage::{Stage, course, pattern};

async fn fetch_folder(stage: &Stage, path: &Path) -> Result<Manifest, StageError> {
    let spec = SourceSpec::Folder { path: path.to_owned() };
    fetch(&stage.cx, &spec, &stage.staging(), &HttpSource::new().unwrap(), None).await
}

async fn put(stage: &Stage, manifest: &Manifest) -> Result<Location, StageError> {
    upload(&stage.cx, &stage.library(), "rust-101", 3, &stage.staging(), manifest).await
}

#[tokio::test]
async fn a_folder_arrives_in_the_library_byte_for_byte() {
    let stage = Stage::new();
    let video = pattern(3 << 20, 1);
    let expected = course(
        &stage.path("course"),
        &[("Chương 1/Bài 1: Giới thiệu.mp4", &video), ("đọc trước.txt", b"xin chao"), ("rỗng.txt", b"")],
    );
    std::fs::write(stage.path("course/.DS_Store"), b"junk").unwrap();

    let manifest = fetch_folder(&stage, &stage.path("course")).await.unwrap();
    assert_eq!(manifest, expected);
    assert_eq!(stage.progress(), (manifest.bytes(), manifest.bytes()));
    let location = put(&stage, &manifest).await.unwrap();
    assert_eq!(location, Location::Folder { dir: "rust-101/v3".into() });
    verify(&stage.cx, &stage.library(), &location, &manifest).await.unwrap();
    discard_staging(&stage.staging()).await.unwrap();
    discard_staging(&stage.staging()).await.unwrap();

    let at = stage.library().join("rust-101/v3");
    assert_eq!(std::fs::read(at.join("Chương 1/Bài 1: Giới thiệu.mp4")).unwrap(), video);
    assert!(!at.join(".DS_Store").exists());
    assert!(!stage.staging().exists());
}

#[tokio::test]
async fn every_stage_may_run_again() {
    let stage = Stage::new();
    course(&stage.path("course"), &[("a.bin", &pattern(100_000, 1)), ("b/c.bin", &pattern(5, 2))]);
    let first = fetch_folder(&stage, &stage.path("course")).await.unwrap();
    let again = fetch_folder(&stage, &stage.path("course")).await.unwrap();
    assert_eq!(first, again);
    let location = put(&stage, &first).await.unwrap();
    assert_eq!(put(&stage, &first).await.unwrap(), location, "after the move, nothing is staged");

    std::fs::write(stage.path("course/a.bin"), pattern(100_000, 3)).unwrap();
    let changed = fetch_folder(&stage, &stage.path("course")).await.unwrap();
    assert_ne!(changed, first);
    put(&stage, &changed).await.unwrap();
    verify(&stage.cx, &stage.library(), &location, &changed).await.unwrap();
    let left: Vec<_> = std::fs::read_dir(stage.library().join("rust-101")).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing but the version: {left:?}");
}

#[tokio::test]
async fn a_move_that_was_cut_in_half_is_finished() {
    let stage = Stage::new();
    let expected = course(&stage.path("course"), &[("a", b"aa"), ("b", b"bb"), ("c/d", b"dd")]);
    let manifest = fetch_folder(&stage, &stage.path("course")).await.unwrap();
    let incoming = stage.library().join("rust-101/.v3.incoming");
    std::fs::create_dir_all(&incoming).unwrap();
    std::fs::rename(stage.staging().join("files/a"), incoming.join("a")).unwrap();
    std::fs::write(incoming.join("stranger"), b"of another manifest").unwrap();
    let location = put(&stage, &manifest).await.unwrap();
    verify(&stage.cx, &stage.library(), &location, &expected).await.unwrap();
    assert!(!stage.library().join("rust-101/v3/stranger").exists());
}

#[tokio::test]
async fn a_byte_that_turned_at_the_target_is_found() {
    let stage = Stage::new();
    course(&stage.path("course"), &[("a", b"aaaa"), ("b", b"bbbb")]);
    let manifest = fetch_folder(&stage, &stage.path("course")).await.unwrap();
    let location = put(&stage, &manifest).await.unwrap();
    std::fs::write(stage.library().join("rust-101/v3/b"), b"bbbc").unwrap();
    let error = verify(&stage.cx, &stage.library(), &location, &manifest).await.unwrap_err();
    assert_eq!((error.code, error.class), ("checksum_mismatch", ErrorClass::Permanent));
    std::fs::remove_file(stage.library().join("rust-101/v3/b")).unwrap();
    let error = verify(&stage.cx, &stage.library(), &location, &manifest).await.unwrap_err();
    assert_eq!(error.code, "checksum_mismatch");
}

#[tokio::test]
async fn what_is_no_plain_file_is_refused_by_name() {
    let stage = Stage::new();
    let refused = async |name: &str, make: &dyn Fn(&Path)| {
        let root = stage.path(name);
        course(&root, &[("ok.txt", b"ok")]);
        fetch_folder(&stage, &root).await.expect("a plain folder is taken");
        make(&root.join("odd"));
        let error = fetch_folder(&stage, &root).await.unwrap_err();
        assert_eq!((error.code, error.class), ("source_invalid", ErrorClass::Permanent), "{name}: {error}");
        assert!(error.detail.contains("odd"), "{error}");
    };
    refused("link-out", &|odd| symlink("/etc/passwd", odd).unwrap()).await;
    refused("link-in", &|odd| symlink("ok.txt", odd).unwrap()).await;
    refused("link-dir", &|odd| symlink("/etc", odd).unwrap()).await;
    refused("fifo", &|odd| {
        assert!(std::process::Command::new("mkfifo").arg(odd).status().unwrap().success())
    })
    .await;
    refused("socket", &|odd| drop(std::os::unix::net::UnixListener::bind(odd).unwrap())).await;
    refused("name", &|odd| std::fs::write(odd.with_file_name("odd\u{1}"), b"x").unwrap()).await;
}

#[tokio::test]
async fn a_missing_or_empty_folder_needs_the_owner() {
    let stage = Stage::new();
    let error = fetch_folder(&stage, &stage.path("nowhere")).await.unwrap_err();
    assert_eq!((error.code, error.class), ("source_not_found", ErrorClass::Permanent));
    std::fs::create_dir_all(stage.path("empty/also empty")).unwrap();
    let error = fetch_folder(&stage, &stage.path("empty")).await.unwrap_err();
    assert_eq!((error.code, error.class), ("source_invalid", ErrorClass::Permanent));
    let error = fetch_folder(&stage, Path::new("relative")).await.unwrap_err();
    assert_eq!(error.code, "source_invalid");
}

#[tokio::test]
async fn a_stage_that_must_stop_stops() {
    let stage = Stage::new();
    course(&stage.path("course"), &[("a", b"aaaa")]);
    let manifest = fetch_folder(&stage, &stage.path("course")).await.unwrap();
    stage.cx.cancel.cancel();
    assert_eq!(fetch_folder(&stage, &stage.path("course")).await.unwrap_err().code, "cancelled");
    assert_eq!(put(&stage, &manifest).await.unwrap_err().code, "cancelled");
}

#[tokio::test]
async fn a_file_that_is_gone_or_cut_is_noticed_before_a_buyer_gets_the_link() {
    let stage = Stage::new();
    course(&stage.path("course"), &[("a", b"aaaa"), ("b", b"bbbb")]);
    let manifest = fetch_folder(&stage, &stage.path("course")).await.unwrap();
    let location = put(&stage, &manifest).await.unwrap();
    let look = async || available(&stage.cx, &stage.library(), &location, &manifest).await;
    look().await.unwrap();
    for damage in [Some("bbb"), None] {
        let file = stage.library().join("rust-101/v3/b");
        match damage {
            Some(text) => std::fs::write(&file, text).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        let error = look().await.unwrap_err();
        assert_eq!((error.code, error.class), ("link_broken", ErrorClass::Permanent));
    }
}
