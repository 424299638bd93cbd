//! A whole shop: a program of the owner's fetches a course, a remote holds it, buyers get it from there.

use std::fs;

use chotdon_tests::{Setup, TestShop};
use reqwest::header;
use secrecy::SecretString;
use serde_json::json;

use crate::bench::{WebDav, foreign, pattern};

/// A shop with one course, brought by a script, held by `dav`.
async fn shop(dav: &WebDav, script: &str) -> TestShop {
    let env = vec![("CHOTDON_RCLONE__PATH", foreign("rclone").to_str().unwrap().to_owned())];
    let shop = TestShop::with(Setup { env, ..Setup::default() }).await;
    let secrets: &dyn chotdon_core::ports::SecretStore = &*shop.secrets;
    secrets.set("source.dav", SecretString::from(dav.options())).await.unwrap();
    let command = shop.dir().join("downloader");
    fs::write(&command, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&command, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let course = json!({
        "title": "Rust từ xa", "price_vnd": 499_000, "active": true,
        "source": { "kind": "program", "command": command },
        "target": { "kind": "rclone", "remote": "dav", "path": "khóa học" },
    });
    let (status, said) = shop.admin("PUT", "/admin/api/courses/rust-tu-xa", Some(course)).await;
    assert_eq!(status, 200, "{said}");
    shop
}

async fn bought(shop: &TestShop) -> String {
    let (code, total) = shop.order(&["rust-tu-xa"]).await;
    assert_eq!(shop.bank_receives(total, &code).await, "paid");
    let order = shop.settled(&code, "completed").await;
    order["items"][0]["link"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_course_on_a_remote_is_given_out_by_the_shops_own_links() {
    let disk = tempfile::tempdir().unwrap();
    let dav = WebDav::serve(disk.path(), "8M");
    let given = tempfile::tempdir().unwrap();
    let video = pattern(6_000_000, 1);
    fs::write(given.path().join("video"), &video).unwrap();
    let script = format!(
        "mkdir -p 'Chương 1'; cp {}/video 'Chương 1/Bài 1.mp4'; printf x > b.txt",
        given.path().display()
    );
    let shop = shop(&dav, &script).await;
    let link = bought(&shop).await;
    let file = format!("{link}/Chương 1/Bài 1.mp4");

    // Two at once, one of them from the middle, while the file is still coming in.
    let whole = async { shop.http.get(&file).send().await.unwrap() };
    let middle =
        async { shop.http.get(&file).header(header::RANGE, "bytes=3000000-3999999").send().await.unwrap() };
    let (whole, middle) = tokio::join!(whole, middle);
    assert_eq!(
        (whole.status(), middle.status()),
        (reqwest::StatusCode::OK, reqwest::StatusCode::PARTIAL_CONTENT)
    );
    let (whole, middle) = tokio::join!(whole.bytes(), middle.bytes());
    assert_eq!(whole.unwrap(), video);
    assert_eq!(middle.unwrap(), video[3_000_000..4_000_000]);

    // What was brought once is there without the remote.
    drop(dav);
    assert_eq!(shop.http.get(&file).send().await.unwrap().bytes().await.unwrap(), video);
    let gone = shop.http.get(format!("{link}/b.txt")).send().await.unwrap();
    assert!(gone.status().is_server_error(), "the control: {}", gone.status());
    shop.sound().await;
}

/// Other bytes under the same date: the server remembers what it listed.
fn replace(path: &std::path::Path, byte: u8) {
    let date = fs::metadata(path).unwrap().modified().unwrap();
    fs::write(path, vec![byte; 500_000]).unwrap();
    fs::File::options().write(true).open(path).unwrap().set_modified(date).unwrap();
}

#[tokio::test]
async fn wrong_bytes_of_a_remote_never_become_a_whole_file() {
    let disk = tempfile::tempdir().unwrap();
    let dav = WebDav::serve(disk.path(), "off");
    let shop = shop(&dav, "head -c 500000 /dev/zero > a.bin").await;
    let link = bought(&shop).await;
    let there = disk.path().join("khóa học/rust-tu-xa/v1/a.bin");
    replace(&there, 1);
    let got = shop.http.get(&link).send().await.unwrap();
    if got.status().is_success() {
        assert!(got.bytes().await.is_err(), "broken off before its end");
    }
    replace(&there, 0);
    let got = shop.http.get(&link).send().await.unwrap();
    assert_eq!(got.bytes().await.unwrap(), vec![0; 500_000], "nothing wrong was kept");
}

#[tokio::test]
async fn what_was_not_asked_for_the_longest_makes_room() {
    let disk = tempfile::tempdir().unwrap();
    let dav = WebDav::serve(disk.path(), "off");
    let script = "for n in 1 2 3; do head -c 600000 /dev/urandom > $n.bin; done";
    let shop = shop(&dav, script).await;
    let link = bought(&shop).await;
    let set = json!({ "cache_mb": 1 });
    chotdon_core::config::Config::save_section(shop.dir(), "rclone", &set).unwrap();
    shop.shop.reload().await.unwrap();
    for n in [1, 2, 3] {
        let got = shop.http.get(format!("{link}/{n}.bin")).send().await.unwrap();
        assert_eq!(got.bytes().await.unwrap().len(), 600_000);
    }
    let kept = fs::read_dir(shop.dir().join("rclone/downloads")).unwrap().count();
    assert_eq!(kept, 1);
}
