//! HTTP sources that misbehave on purpose: nothing they do may end in wrong bytes, endless work or a strange path.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Response, StatusCode, header};
use chotdon_core::delivery::{HttpSource, Manifest, SourceSpec, fetch};
use chotdon_core::workers::{ErrorClass, StageError};
use futures::{StreamExt, stream};
use serde_json::{Value, json};

use crate::stage::{Stage, pattern, sha256};

const TAG: &str = "\"v1\"";

/// A server whose list is fixed and whose files are answered by a script.
struct Faulty {
    url: String,
    /// `Range` of every request for a file.
    asked: Arc<Mutex<Vec<Option<String>>>>,
}

impl Faulty {
    /// `answer` gets the number of the request, from 0, and its range's first byte.
    async fn start(
        list: Value,
        answer: impl Fn(usize, Option<usize>) -> Response<Body> + Send + Sync + 'static,
    ) -> Self {
        let asked: Arc<Mutex<Vec<Option<String>>>> = Arc::default();
        let (seen, answer) = (Arc::clone(&asked), Arc::new(answer));
        let file = move |headers: HeaderMap| {
            let range = headers.get(header::RANGE).map(|value| value.to_str().unwrap().to_owned());
            let first = range.as_ref().map(|r| r["bytes=".len()..].trim_end_matches('-').parse().unwrap());
            let mut seen = seen.lock().unwrap();
            seen.push(range);
            let reply = answer(seen.len() - 1, first);
            async { reply }
        };
        let list = list.to_string();
        let router = Router::new().route("/list", axum::routing::get(move || async { list })).fallback(file);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/list", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, router).await });
        Self { url, asked }
    }

    async fn fetch(&self, stage: &Stage) -> Result<Manifest, StageError> {
        let spec =
            SourceSpec::Http { url: self.url.clone(), secret: None, worker: None, share_secret: false };
        fetch(&stage.cx, &spec, &stage.staging(), &HttpSource::new().unwrap(), None).await
    }

    fn asked(&self) -> Vec<Option<String>> {
        self.asked.lock().unwrap().clone()
    }
}

fn one_file() -> Value {
    json!([{ "path": "a.mp4" }])
}

fn whole(bytes: &[u8], etag: &str) -> Response<Body> {
    Response::builder().header(header::ETAG, etag).body(Body::from(bytes.to_owned())).unwrap()
}

/// Promises all of `bytes`, sends the first `sent` and cuts the connection.
fn cut(bytes: &[u8], sent: usize, etag: &str) -> Response<Body> {
    let first = Bytes::copy_from_slice(&bytes[..sent]);
    let end = async {
        tokio::task::yield_now().await;
        Err(std::io::Error::other("cut"))
    };
    let body = stream::iter([Ok(first)]).chain(stream::once(end));
    Response::builder()
        .header(header::ETAG, etag)
        .header(header::CONTENT_LENGTH, bytes.len())
        .body(Body::from_stream(body))
        .unwrap()
}

fn part(bytes: &[u8], first: usize, last: usize, etag: &str) -> Response<Body> {
    Response::builder()
        .status(StatusCode::PARTIAL_CONTENT)
        .header(header::ETAG, etag)
        .header(header::CONTENT_RANGE, format!("bytes {first}-{last}/{}", bytes.len()))
        .body(Body::from(bytes[first..=last].to_owned()))
        .unwrap()
}

fn status(code: u16) -> Response<Body> {
    Response::builder().status(code).body(Body::empty()).unwrap()
}

/// Runs attempts until one succeeds, at most `most`; the answer is right whatever the server did.
async fn arrives(server: &Faulty, bytes: &[u8], most: usize) -> Stage {
    let stage = Stage::new();
    let mut last = None;
    for _ in 0..most {
        match server.fetch(&stage).await {
            Ok(manifest) => {
                assert_eq!(manifest.files[0].sha256, sha256(bytes));
                assert_eq!(std::fs::read(stage.staging().join("files/a.mp4")).unwrap(), bytes);
                return stage;
            }
            Err(error) => last = Some(error),
        }
    }
    panic!("not after {most} attempts: {last:?}; {:?}", server.asked());
}

#[tokio::test]
async fn ranges_shorter_than_asked_for_are_put_together() {
    let bytes = pattern(1_000, 1);
    let data = bytes.clone();
    let server = Faulty::start(one_file(), move |_, first| match first {
        None => cut(&data, 300, TAG),
        Some(first) => part(&data, first, (first + 299).min(999), TAG),
    })
    .await;
    arrives(&server, &bytes, 2).await;
    assert_eq!(
        server.asked().iter().flatten().collect::<Vec<_>>(),
        ["bytes=300-", "bytes=600-", "bytes=900-"]
    );
}

#[tokio::test]
async fn an_answer_that_does_not_fit_starts_the_file_again() {
    let bytes = pattern(1_000, 1);
    type Answer = fn(&[u8], usize) -> Response<Body>;
    let misfits: [(&str, Answer); 8] = [
        ("an earlier first byte", |b, first| part(b, first - 10, 999, TAG)),
        ("a later first byte", |b, first| part(b, first + 10, 999, TAG)),
        ("another size", |b, first| part(&[b, b"x"].concat(), first, 1_000, TAG)),
        ("another version", |b, first| part(b, first, 999, "\"v2\"")),
        ("no Content-Range", |b, first| {
            let mut answer = part(b, first, 999, TAG);
            answer.headers_mut().remove(header::CONTENT_RANGE);
            answer
        }),
        ("more than promised", |b, first| {
            let mut answer = part(b, first, 999, TAG);
            answer
                .headers_mut()
                .insert(header::CONTENT_RANGE, format!("bytes {first}-{first}/1000").parse().unwrap());
            answer
        }),
        ("416", |_, _| status(416)),
        ("304", |_, _| status(304)),
    ];
    for (name, misfit) in misfits {
        let data = bytes.clone();
        let server = Faulty::start(one_file(), move |n, first| match first {
            None if n == 0 => cut(&data, 300, TAG),
            None => whole(&data, TAG),
            Some(first) => misfit(&data, first),
        })
        .await;
        arrives(&server, &bytes, 2).await;
        assert_eq!(server.asked(), [None, Some("bytes=300-".to_owned()), None], "{name}");
    }
}

#[tokio::test]
async fn the_file_that_changes_under_us_is_taken_from_one_version() {
    let (old, new) = (pattern(1_000, 1), pattern(1_000, 2));
    let (first_bytes, later) = (old.clone(), new.clone());
    let server = Faulty::start(one_file(), move |n, _| match n {
        0 => cut(&first_bytes, 300, TAG),
        _ => whole(&later, "\"v2\""),
    })
    .await;
    arrives(&server, &new, 2).await;
}

#[tokio::test]
async fn a_weak_validator_is_never_gone_on_with() {
    let bytes = pattern(1_000, 1);
    let data = bytes.clone();
    let server = Faulty::start(one_file(), move |n, _| match n {
        0 => cut(&data, 300, "W/\"v1\""),
        _ => whole(&data, "W/\"v1\""),
    })
    .await;
    arrives(&server, &bytes, 2).await;
    assert_eq!(server.asked(), [None, None]);
}

#[tokio::test]
async fn a_body_without_a_length_ends_where_it_ends() {
    let bytes = pattern(5_000, 1);
    let data = bytes.clone();
    let server = Faulty::start(one_file(), move |_, _| {
        let pieces: Vec<_> =
            data.chunks(700).map(|p| Ok::<_, std::io::Error>(Bytes::copy_from_slice(p))).collect();
        Response::new(Body::from_stream(stream::iter(pieces)))
    })
    .await;
    arrives(&server, &bytes, 1).await;
}

#[tokio::test]
async fn a_server_that_never_fits_is_left_after_a_few_requests() {
    let bytes = pattern(4 << 20, 1);
    type Answer = fn(&[u8], Option<usize>) -> Response<Body>;
    let cases: [(&str, &str, usize, Answer); 5] = [
        ("only 416", "source_changed", 3, |_, _| status(416)),
        ("only 304", "source_changed", 3, |_, _| status(304)),
        ("cuts a file it cannot go on with", "source_unreachable", 1, |b, _| cut(b, 3 << 20, "W/\"v1\"")),
        ("cuts a file whose ranges it ignores", "source_unreachable", 2, |b, _| cut(b, 3 << 20, TAG)),
        ("cuts early", "source_unreachable", 1, |b, _| cut(b, 500, TAG)),
    ];
    for (name, code, requests, answer) in cases {
        let data = bytes.clone();
        let server = Faulty::start(one_file(), move |_, first| answer(&data, first)).await;
        let error = server.fetch(&Stage::new()).await.unwrap_err();
        assert_eq!((error.class, error.code), (ErrorClass::Transient, code), "{name}: {error}");
        assert_eq!(server.asked().len(), requests, "{name}");
    }
}

#[tokio::test]
async fn a_body_longer_than_listed_is_not_stored_to_its_end() {
    let list = json!([{ "path": "a.mp4", "size": 10 }]);
    let server = Faulty::start(list, |_, _| {
        let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[0; 4096])));
        Response::new(Body::from_stream(endless))
    })
    .await;
    let error = server.fetch(&Stage::new()).await.unwrap_err();
    assert_eq!((error.class, error.code), (ErrorClass::Transient, "source_changed"));
}

#[tokio::test]
async fn compressed_bytes_are_not_taken_for_the_file() {
    let server = Faulty::start(one_file(), |_, _| {
        let mut answer = whole(b"x", TAG);
        answer.headers_mut().insert(header::CONTENT_ENCODING, "gzip".parse().unwrap());
        answer
    })
    .await;
    let error = server.fetch(&Stage::new()).await.unwrap_err();
    assert_eq!((error.class, error.code), (ErrorClass::Permanent, "source_invalid"));
    let server = Faulty::start(one_file(), |_, _| status(408)).await;
    let error = server.fetch(&Stage::new()).await.unwrap_err();
    assert_eq!((error.class, error.code), (ErrorClass::Transient, "source_server_error"));
}

#[tokio::test]
async fn a_hostile_list_makes_no_file() {
    let long = "a".repeat(256);
    let many: Vec<Value> = (0..10_001).map(|n| json!({ "path": n.to_string() })).collect();
    let lists = [
        json!([{ "path": "../a" }]),
        json!([{ "path": "/etc/cron.d/a" }]),
        json!([{ "path": "a/../../b" }]),
        json!([{ "path": "a\\..\\b" }]),
        json!([{ "path": "C:/a" }]),
        json!([{ "path": "a\u{0}b" }]),
        json!([{ "path": "NUL" }]),
        json!([{ "path": long }]),
        json!([{ "path": "a" }, { "path": "a" }]),
        json!([{ "path": "a" }, { "path": "a/b" }]),
        json!([{ "path": "ok" }, { "path": "" }]),
        json!([{ "path": "a", "size": -1 }]),
        json!([{ "path": "a", "sha256": "abc" }]),
        json!([{ "path": 7 }]),
        json!([{ "name": "..", "type": "directory" }]),
        json!([{ "name": "a/b", "type": "file" }]),
        json!([{ "name": "a", "type": "symlink" }]),
        json!({ "files": [] }),
        json!({ "files": {} }),
        json!({}),
        json!([]),
        json!("text"),
        json!(many),
    ];
    for list in lists {
        let stage = Stage::new();
        let server = Faulty::start(list.clone(), |_, _| whole(b"x", TAG)).await;
        let error = server.fetch(&stage).await.unwrap_err();
        let short: String = list.to_string().chars().take(80).collect();
        assert_eq!((error.class, error.code), (ErrorClass::Permanent, "source_invalid"), "{short}: {error}");
        assert!(!stage.staging().exists() && server.asked().is_empty(), "{short}");
    }
    let fine = Faulty::start(json!({ "files": [{ "path": "Bài 1.mp4" }] }), |_, _| whole(b"x", TAG)).await;
    fine.fetch(&Stage::new()).await.expect("a plain list is taken");
}

#[tokio::test]
async fn a_listing_that_goes_down_for_ever_is_left() {
    let list = json!([{ "name": "deeper", "type": "directory" }]);
    let again = list.to_string();
    let server = Faulty::start(list, move |_, _| Response::new(Body::from(again.clone()))).await;
    let error = server.fetch(&Stage::new()).await.unwrap_err();
    assert_eq!((error.class, error.code), (ErrorClass::Permanent, "source_invalid"));
    assert_eq!(server.asked().len(), 16);
}
