//! Every kind of validator that a real server sends, and what an interrupted download makes of it.

use chotdon_core::delivery::{HttpSource, SourceSpec, fetch};
use chotdon_tests::nginx::Nginx;
use chotdon_tests::proxy::{Fate, Proxy};
use serde_json::json;

use crate::stage::{Stage, course, pattern};

/// How one server treats a download that is cut at 700,000 of 2,000,000 bytes.
struct Case {
    what: &'static str,
    /// For nginx's `server` block.
    server: &'static str,
    /// Whether the manifest has the file's checksum.
    with_sum: bool,
    /// What is put in the file's place between the two tries: length and seed.
    then: Option<(usize, u64)>,
    /// Status of each request for the file, in order.
    statuses: &'static [&'static str],
    /// Requests with `If-Range`.
    conditional: usize,
}

const WEAK: &str = "etag off; add_header ETag 'W/\"v1\"' always;";
const DATE_ONLY: &str = "etag off;";
const NOTHING: &str = "etag off; add_header Last-Modified '';";

const CASES: &[Case] = &[
    Case {
        what: "strong",
        server: "",
        with_sum: false,
        then: None,
        statuses: &["200", "206"],
        conditional: 1,
    },
    Case {
        what: "strong, changed in between: the stale If-Range brings all of it",
        server: "",
        with_sum: false,
        then: Some((2_000_000, 2)),
        statuses: &["200", "200"],
        conditional: 1,
    },
    Case {
        what: "strong, shorter now: what is asked for lies behind its end",
        server: "",
        with_sum: true,
        then: Some((300_000, 2)),
        statuses: &["200", "200"],
        conditional: 1,
    },
    Case {
        what: "weak",
        server: WEAK,
        with_sum: false,
        then: None,
        statuses: &["200", "200"],
        conditional: 0,
    },
    Case {
        what: "weak, and the manifest's sum",
        server: WEAK,
        with_sum: true,
        then: None,
        statuses: &["200", "206"],
        conditional: 0,
    },
    Case {
        what: "a date",
        server: DATE_ONLY,
        with_sum: false,
        then: None,
        statuses: &["200", "200"],
        conditional: 0,
    },
    Case {
        what: "none",
        server: NOTHING,
        with_sum: false,
        then: None,
        statuses: &["200", "200"],
        conditional: 0,
    },
    Case {
        what: "none, and the manifest's sum",
        server: NOTHING,
        with_sum: true,
        then: None,
        statuses: &["200", "206"],
        conditional: 0,
    },
    Case {
        what: "none, shorter now: 416 starts it again",
        server: NOTHING,
        with_sum: true,
        then: Some((300_000, 2)),
        statuses: &["200", "416", "200"],
        conditional: 0,
    },
    Case {
        what: "ranges ignored",
        server: "max_ranges 0;",
        with_sum: false,
        then: None,
        statuses: &["200", "200"],
        conditional: 1,
    },
];

#[tokio::test]
async fn every_validator_leads_to_the_right_bytes_with_no_request_too_many() {
    for case in CASES {
        let stage = Stage::new();
        let www = stage.path("www");
        let list = |manifest: &chotdon_core::delivery::Manifest| {
            let sum = case.with_sum.then(|| &manifest.files[0].sha256);
            let list = json!({ "files": [{ "path": "a.mp4", "sha256": sum }] });
            std::fs::write(www.join("course.json"), list.to_string()).unwrap();
        };
        let mut expected = course(&www, &[("a.mp4", &pattern(2_000_000, 1))]);
        list(&expected);
        let nginx = Nginx::start(&www, case.server).unwrap();
        let proxy = Proxy::start(nginx.port, [Fate::CutAfter(700_000)]).await.unwrap();
        let spec = SourceSpec::Http {
            url: proxy.url("/course.json"),
            secret: None,
            worker: None,
            share_secret: false,
        };
        let http = HttpSource::new().unwrap();
        let what = case.what;
        fetch(&stage.cx, &spec, &stage.staging(), &http, None).await.expect_err(what);
        if let Some((len, seed)) = case.then {
            expected = course(&www, &[("a.mp4", &pattern(len, seed))]);
            let later = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_900_000_000);
            let file = std::fs::File::options().write(true).open(www.join("a.mp4")).unwrap();
            file.set_modified(later).unwrap();
            list(&expected);
        }
        assert_eq!(
            fetch(&stage.cx, &spec, &stage.staging(), &http, None).await.expect(what),
            expected,
            "{what}"
        );
        let requests = nginx.requests().unwrap();
        let of_file: Vec<&String> = requests.iter().filter(|line| line.starts_with("/a.mp4")).collect();
        let statuses: Vec<&str> = of_file.iter().map(|line| line.split(' ').nth(1).unwrap()).collect();
        assert_eq!(statuses, case.statuses, "{what}: {requests:?}");
        let conditional = of_file.iter().filter(|line| !line.contains("if_range=-")).count();
        assert_eq!(conditional, case.conditional, "{what}: {requests:?}");
    }
}

/// A range of other bytes, which no validator betrays, is betrayed by the manifest's sum, and is not kept.
#[tokio::test]
async fn bytes_of_two_versions_put_together_are_found_by_their_sum() {
    let stage = Stage::new();
    let www = stage.path("www");
    course(&www, &[("a.mp4", &pattern(2_000_000, 1))]);
    let nginx = Nginx::start(&www, NOTHING).unwrap();
    let proxy = Proxy::start(nginx.port, [Fate::CutAfter(700_000)]).await.unwrap();
    let spec =
        SourceSpec::Http { url: proxy.url("/course.json"), secret: None, worker: None, share_secret: false };
    let http = HttpSource::new().unwrap();
    let old = course(&stage.path("old"), &[("a.mp4", &pattern(2_000_000, 1))]);
    std::fs::write(www.join("course.json"), serde_json::to_vec(&old).unwrap()).unwrap();
    fetch(&stage.cx, &spec, &stage.staging(), &http, None).await.unwrap_err();
    let new = course(&www, &[("a.mp4", &pattern(2_000_000, 2))]);
    std::fs::write(www.join("course.json"), serde_json::to_vec(&new).unwrap()).unwrap();
    let error = fetch(&stage.cx, &spec, &stage.staging(), &http, None).await.unwrap_err();
    assert_eq!(error.code, "checksum_mismatch");
    assert_eq!(fetch(&stage.cx, &spec, &stage.staging(), &http, None).await.unwrap(), new);
}
