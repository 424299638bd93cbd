//! HTTP sources served by a real nginx, some through a proxy that cuts connections.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

use chotdon_core::delivery::{HttpSource, Manifest, SourceSpec, fetch};
use chotdon_core::workers::{ErrorClass, StageError};
use chotdon_tests::nginx::Nginx;
use chotdon_tests::proxy::{Fate, Proxy};
use secrecy::SecretString;
use serde_json::json;

use crate::stage::{Stage, course, pattern};

const LISTING: &str = "autoindex on; autoindex_format json;";

async fn fetch_http(stage: &Stage, url: String, secret: Option<&str>) -> Result<Manifest, StageError> {
    let spec = SourceSpec::Http {
        url,
        secret: secret.map(|_| "source.test".to_owned()),
        worker: None,
        share_secret: false,
    };
    let secret = secret.map(SecretString::from);
    fetch(&stage.cx, &spec, &stage.staging(), &HttpSource::new().unwrap(), secret).await
}

fn staged(stage: &Stage, path: &str) -> Vec<u8> {
    std::fs::read(stage.staging().join("files").join(path)).unwrap()
}

fn kind(error: &StageError) -> (ErrorClass, &'static str) {
    (error.class, error.code)
}

/// `Range` of every request that had one, in order.
fn ranges(requests: &[String]) -> Vec<&str> {
    let range = |line: &'_ String| -> Option<usize> { line.find(" range=").map(|at| at + " range=".len()) };
    let found = requests.iter().filter_map(|line| line[range(line)?..].split(' ').next());
    found.filter(|range| *range != "-").collect()
}

fn older(path: &Path) {
    let earlier = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    File::options().write(true).open(path).unwrap().set_modified(earlier).unwrap();
}

#[tokio::test]
async fn an_nginx_listing_is_followed_into_its_folders() {
    let stage = Stage::new();
    let files: [(&str, &[u8]); 4] = [
        ("Chương 1/Bài 1: 50% & hơn?.mp4", &pattern(2_500_000, 1)),
        ("Chương 1/phụ/a+b#c.txt", b"x"),
        ("mở đầu.pdf", &pattern(70_000, 2)),
        ("rỗng.txt", b""),
    ];
    let expected = course(&stage.path("www"), &files);
    let nginx = Nginx::start(&stage.path("www"), LISTING).unwrap();
    let manifest = fetch_http(&stage, nginx.url("/"), None).await.unwrap();
    assert_eq!(manifest, expected);
    for (path, bytes) in files {
        assert_eq!(staged(&stage, path), bytes, "{path}");
    }
    assert_eq!(stage.progress(), (manifest.bytes(), manifest.bytes()));
}

#[tokio::test]
async fn a_listing_without_its_slash_is_found_by_redirect() {
    let stage = Stage::new();
    let expected = course(&stage.path("www/rust"), &[("a.txt", b"aa")]);
    let nginx = Nginx::start(&stage.path("www"), &format!("{LISTING} absolute_redirect off;")).unwrap();
    assert_eq!(fetch_http(&stage, nginx.url("/rust"), None).await.unwrap(), expected);
}

#[tokio::test]
async fn a_cut_download_goes_on_at_the_byte() {
    let stage = Stage::new();
    let video = pattern(3_000_000, 1);
    let expected = course(&stage.path("www"), &[("a.mp4", &video)]);
    let nginx = Nginx::start(&stage.path("www"), LISTING).unwrap();
    let proxy = Proxy::start(nginx.port, [Fate::CutAfter(700_000)]).await.unwrap();
    let error = fetch_http(&stage, proxy.url("/"), None).await.unwrap_err();
    assert_eq!(kind(&error), (ErrorClass::Transient, "source_unreachable"));
    assert_eq!(fetch_http(&stage, proxy.url("/"), None).await.unwrap(), expected);
    assert_eq!(staged(&stage, "a.mp4"), video);
    assert!(proxy.bytes_down() < 3_010_000, "{} bytes for 3,000,000", proxy.bytes_down());
    let requests = nginx.requests().unwrap();
    let resumed = requests.last().unwrap();
    assert!(resumed.contains(" 206 range=bytes=69") && resumed.contains("if_range=\\x22"), "{requests:?}");
}

#[tokio::test]
async fn a_connection_that_brought_much_is_replaced_within_the_attempt() {
    let stage = Stage::new();
    let expected = course(&stage.path("www"), &[("a.mp4", &pattern(9_000_000, 1))]);
    let nginx = Nginx::start(&stage.path("www"), LISTING).unwrap();
    let cuts = [Fate::CutAfter(2_000_000), Fate::CutAfter(3_000_000)];
    let proxy = Proxy::start(nginx.port, cuts).await.unwrap();
    assert_eq!(fetch_http(&stage, proxy.url("/"), None).await.unwrap(), expected);
    assert!(proxy.bytes_down() < 9_010_000, "{} bytes for 9,000,000", proxy.bytes_down());
    assert_eq!(ranges(&nginx.requests().unwrap()).len(), 2);
}

#[tokio::test]
async fn a_cancelled_download_stops_at_once_and_keeps_its_bytes() {
    let stage = Stage::new();
    let expected = course(&stage.path("www"), &[("a.mp4", &pattern(3_000_000, 1))]);
    let nginx = Nginx::start(&stage.path("www"), LISTING).unwrap();
    let proxy = Proxy::start(nginx.port, [Fate::StallAfter(2_000_000)]).await.unwrap();
    let stop = async {
        stage.has_done(1_990_000).await;
        stage.cx.cancel.cancel();
    };
    let (result, ()) = tokio::join!(fetch_http(&stage, proxy.url("/"), None), stop);
    assert_eq!(result.unwrap_err().code, "cancelled");
    let next = stage.next();
    assert_eq!(fetch_http(&next, proxy.url("/"), None).await.unwrap(), expected);
    assert!(proxy.bytes_down() < 3_010_000, "{} bytes for 3,000,000", proxy.bytes_down());
}

#[tokio::test]
async fn a_file_that_changed_between_two_tries_is_fetched_whole() {
    let stage = Stage::new();
    course(&stage.path("www"), &[("a.mp4", &pattern(3_000_000, 1))]);
    older(&stage.path("www/a.mp4"));
    let nginx = Nginx::start(&stage.path("www"), LISTING).unwrap();
    let proxy = Proxy::start(nginx.port, [Fate::CutAfter(700_000)]).await.unwrap();
    fetch_http(&stage, proxy.url("/"), None).await.unwrap_err();
    let changed = course(&stage.path("www"), &[("a.mp4", &pattern(3_000_000, 2))]);
    assert_eq!(fetch_http(&stage, proxy.url("/"), None).await.unwrap(), changed);
    let requests = nginx.requests().unwrap();
    let last = requests.last().unwrap();
    assert!(last.contains(" 200 range=bytes="), "nginx sent all of it to the stale If-Range: {requests:?}");
}

#[tokio::test]
async fn a_server_without_ranges_sends_the_file_again() {
    let stage = Stage::new();
    let expected = course(&stage.path("www"), &[("a.mp4", &pattern(2_000_000, 1))]);
    let nginx = Nginx::start(&stage.path("www"), &format!("{LISTING} max_ranges 0;")).unwrap();
    let proxy = Proxy::start(nginx.port, [Fate::CutAfter(700_000)]).await.unwrap();
    fetch_http(&stage, proxy.url("/"), None).await.unwrap_err();
    assert_eq!(fetch_http(&stage, proxy.url("/"), None).await.unwrap(), expected);
    let requests = nginx.requests().unwrap();
    assert!(requests.last().unwrap().contains(" 200 range=bytes="), "{requests:?}");
}

#[tokio::test]
async fn without_validator_only_a_checksum_allows_going_on() {
    for with_sum in [true, false] {
        let stage = Stage::new();
        let video = pattern(2_000_000, 1);
        let expected = course(&stage.path("www"), &[("a.mp4", &video)]);
        let sum = with_sum.then(|| &expected.files[0].sha256);
        let list = json!({ "files": [{ "path": "a.mp4", "sha256": sum }] });
        std::fs::write(stage.path("www/course.json"), list.to_string()).unwrap();
        let nginx = Nginx::start(&stage.path("www"), "etag off; add_header Last-Modified '';").unwrap();
        let proxy = Proxy::start(nginx.port, [Fate::CutAfter(700_000)]).await.unwrap();
        fetch_http(&stage, proxy.url("/course.json"), None).await.unwrap_err();
        assert_eq!(fetch_http(&stage, proxy.url("/course.json"), None).await.unwrap(), expected);
        assert_eq!(staged(&stage, "a.mp4"), video);
        let requests = nginx.requests().unwrap();
        assert_eq!(ranges(&requests).len(), usize::from(with_sum), "{requests:?}");
        assert!(requests.iter().all(|line| line.contains("if_range=-")), "{requests:?}");
    }
}

#[tokio::test]
async fn complete_files_are_asked_about_not_fetched_again() {
    let stage = Stage::new();
    let expected = course(&stage.path("www"), &[("a.mp4", &pattern(500_000, 1)), ("b.txt", b"bb")]);
    older(&stage.path("www/b.txt"));
    let nginx = Nginx::start(&stage.path("www"), LISTING).unwrap();
    assert_eq!(fetch_http(&stage, nginx.url("/"), None).await.unwrap(), expected);
    assert_eq!(fetch_http(&stage, nginx.url("/"), None).await.unwrap(), expected);
    let changed = course(&stage.path("www"), &[("a.mp4", &pattern(500_000, 1)), ("b.txt", b"BB")]);
    older(&stage.path("www/a.mp4"));
    assert_eq!(fetch_http(&stage, nginx.url("/"), None).await.unwrap(), changed);
    let requests = nginx.requests().unwrap();
    let of = |path: &str| -> Vec<&str> {
        requests
            .iter()
            .filter(|line| line.starts_with(path))
            .map(|line| line.split(' ').nth(1).unwrap())
            .collect()
    };
    assert_eq!(of("/b.txt"), ["200", "304", "200", "200"], "{requests:?}");
    assert_eq!(of("/a.mp4"), ["200", "304", "200", "200"], "{requests:?}");
}

#[tokio::test]
async fn a_file_whose_checksum_the_manifest_has_costs_no_second_request() {
    let stage = Stage::new();
    let expected = course(&stage.path("www"), &[("a.mp4", &pattern(500_000, 1)), ("b.txt", b"bb")]);
    std::fs::write(stage.path("www/course.json"), serde_json::to_vec(&expected).unwrap()).unwrap();
    let nginx = Nginx::start(&stage.path("www"), "").unwrap();
    for _ in 0..3 {
        assert_eq!(fetch_http(&stage, nginx.url("/course.json"), None).await.unwrap(), expected);
    }
    let requests = nginx.requests().unwrap();
    assert_eq!(requests.iter().filter(|line| !line.starts_with("/course.json")).count(), 2, "{requests:?}");
}

#[tokio::test]
async fn wrong_bytes_are_thrown_away_and_fetched_again() {
    let stage = Stage::new();
    let right = course(&stage.path("www"), &[("a.txt", b"right")]);
    std::fs::write(stage.path("www/course.json"), serde_json::to_vec(&right).unwrap()).unwrap();
    std::fs::write(stage.path("www/a.txt"), b"wrong").unwrap();
    let nginx = Nginx::start(&stage.path("www"), "").unwrap();
    let error = fetch_http(&stage, nginx.url("/course.json"), None).await.unwrap_err();
    assert_eq!(kind(&error), (ErrorClass::Transient, "checksum_mismatch"));
    assert!(!stage.staging().join("files/a.txt").exists());
    std::fs::write(stage.path("www/a.txt"), b"right").unwrap();
    assert_eq!(fetch_http(&stage, nginx.url("/course.json"), None).await.unwrap(), right);

    std::fs::write(stage.path("www/course.json"), r#"[{"path":"a.txt","size":4}]"#).unwrap();
    let error = fetch_http(&stage, nginx.url("/course.json"), None).await.unwrap_err();
    assert_eq!(kind(&error), (ErrorClass::Transient, "source_changed"), "another size than listed");
}

#[tokio::test]
async fn what_a_server_answers_decides_whether_trying_again_helps() {
    let stage = Stage::new();
    course(&stage.path("www"), &[("list.json", br#"[{"path":"gone.txt"}]"#), ("page.html", b"<html>")]);
    let server = "location /401 { return 401; } location /403 { return 403; } location /410 { return 410; }
        location /429 { add_header Retry-After 7 always; return 429; }
        location /500 { return 500; } location /503 { add_header Retry-After 'Tue, 14 Nov 2023 22:14:20 GMT' always; return 503; }
        location /418 { return 418; } location /loop { return 302 /loop; }";
    let nginx = Nginx::start(&stage.path("www"), server).unwrap();
    let (permanent, transient) = (ErrorClass::Permanent, ErrorClass::Transient);
    for (path, expected, wait) in [
        ("/nothing.json", (permanent, "source_not_found"), None),
        ("/410", (permanent, "source_not_found"), None),
        ("/list.json", (permanent, "source_not_found"), None),
        ("/401", (permanent, "source_unauthorized"), None),
        ("/403", (permanent, "source_unauthorized"), None),
        ("/429", (transient, "source_server_error"), Some(7)),
        ("/500", (transient, "source_server_error"), None),
        ("/503", (transient, "source_server_error"), Some(60)),
        ("/418", (permanent, "source_invalid"), None),
        ("/loop", (permanent, "source_invalid"), None),
        ("/page.html", (permanent, "source_invalid"), None),
    ] {
        let error = fetch_http(&stage, nginx.url(path), None).await.unwrap_err();
        assert_eq!(
            (kind(&error), error.retry_after),
            (expected, wait.map(Duration::from_secs)),
            "{path}: {error}"
        );
    }
    let port = nginx.port;
    drop(nginx);
    let error = fetch_http(&stage, format!("http://127.0.0.1:{port}/list.json"), None).await.unwrap_err();
    assert_eq!(kind(&error), (transient, "source_unreachable"));
}

#[tokio::test]
async fn the_secret_opens_its_own_host_and_shows_nowhere_else() {
    let stage = Stage::new();
    let expected = course(&stage.path("www"), &[("a.txt", b"aa")]);
    let lock = r#"if ($http_authorization != "Bearer bi-mat-123") { return 401; }"#;
    let nginx = Nginx::start(&stage.path("www"), &format!("{LISTING} {lock}")).unwrap();
    assert_eq!(fetch_http(&stage, nginx.url("/"), Some("bi-mat-123")).await.unwrap(), expected);
    for wrong in [None, Some("bi-mat-124")] {
        let error = fetch_http(&stage, nginx.url("/"), wrong).await.unwrap_err();
        assert_eq!(kind(&error), (ErrorClass::Permanent, "source_unauthorized"));
        assert!(!format!("{error:?}").contains("bi-mat"), "{error:?}");
    }
}

#[tokio::test]
async fn no_other_host_is_asked_neither_by_manifest_nor_by_redirect() {
    let stage = Stage::new();
    let other = Nginx::start(&stage.path("www"), "").unwrap();
    let away = other.url("/a.txt");
    course(
        &stage.path("www"),
        &[("url.json", json!([{ "path": "a.txt", "url": away }]).to_string().as_bytes()), ("a.txt", b"aa")],
    );
    std::fs::write(stage.path("www/redirect.json"), r#"[{"path":"a.txt","url":"/moved"}]"#).unwrap();
    std::fs::write(stage.path("www/scheme.json"), r#"[{"path":"a.txt","url":"file:///etc/passwd"}]"#)
        .unwrap();
    std::fs::write(stage.path("www/own.json"), r#"[{"path":"a.txt","url":"/here"}]"#).unwrap();
    let server =
        format!("location /moved {{ return 302 {away}; }} location = /here {{ return 307 /a.txt; }}");
    let nginx = Nginx::start(&stage.path("www"), &server).unwrap();
    for list in ["/url.json", "/redirect.json", "/scheme.json", "/moved"] {
        let error = fetch_http(&stage, nginx.url(list), Some("bi-mat-123")).await.unwrap_err();
        assert_eq!(kind(&error), (ErrorClass::Permanent, "source_invalid"), "{list}: {error}");
    }
    fetch_http(&stage, nginx.url("/own.json"), Some("bi-mat-123"))
        .await
        .expect("a redirect on the host is followed");
    assert_eq!(other.requests().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_course_larger_than_the_disk_is_refused_before_it_is_fetched() {
    let stage = Stage::new();
    course(&stage.path("www"), &[("a.bin", b"x")]);
    std::fs::write(stage.path("www/list.json"), format!(r#"[{{"path":"a.bin","size":{}}}]"#, 1_u64 << 60))
        .unwrap();
    let nginx = Nginx::start(&stage.path("www"), "").unwrap();
    let error = fetch_http(&stage, nginx.url("/list.json"), None).await.unwrap_err();
    assert_eq!(kind(&error), (ErrorClass::Transient, "disk_full"));
    assert_eq!(nginx.requests().unwrap().len(), 1);
}
