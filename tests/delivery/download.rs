//! What a buyer's link answers over a real connection.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use chotdon_core::delivery::download::{Refusal, Shared, refuse};
use chotdon_core::delivery::{HttpSource, Location, Manifest, SourceSpec, fetch};
use reqwest::header::{self, HeaderMap, HeaderName};
use reqwest::{Client, Method, StatusCode};

use crate::stage::{Stage, course, pattern, sha256};

struct Library {
    stage: Stage,
    location: Location,
    manifest: Manifest,
}

impl Library {
    fn shared(&self) -> Shared<'_> {
        Shared {
            token: "TOKEN",
            library: Box::leak(Box::new(self.stage.library())),
            remotes: None,
            location: &self.location,
            manifest: &self.manifest,
            course_title: "Rust <cơ bản>",
            shop_name: "Khoá học An",
            expires_at: Some(1_700_000_000_000),
        }
    }
}

/// The library directory of a shop with one course, served as the public listener does.
struct Served {
    url: String,
    library: Arc<Library>,
    client: Client,
}

async fn link(State(library): State<Arc<Library>>, request: Request) -> Response {
    library.shared().respond(None, request.method(), request.headers()).await
}

async fn file(State(library): State<Arc<Library>>, Path(path): Path<String>, request: Request) -> Response {
    library.shared().respond(Some(&path), request.method(), request.headers()).await
}

async fn serve(files: &[(&str, &[u8])]) -> Served {
    let stage = Stage::new();
    let manifest = course(&stage.library().join("rust-101/v1"), files);
    std::fs::write(stage.library().join("secret.txt"), b"secret").unwrap();
    let location = Location::Folder { dir: "rust-101/v1".into() };
    let library = Arc::new(Library { stage, location, manifest });
    let router = Router::new()
        .route("/d/TOKEN", axum::routing::any(link))
        .route("/d/TOKEN/{*path}", axum::routing::any(file))
        .with_state(Arc::clone(&library));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, router).await });
    Served { url, library, client: Client::new() }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Served {
    async fn ask(&self, method: Method, path: &str, headers: &[(HeaderName, &str)]) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, body: response.bytes().await.unwrap().to_vec() }
    }

    async fn get(&self, path: &str, headers: &[(HeaderName, &str)]) -> Answer {
        self.ask(Method::GET, path, headers).await
    }
}

#[tokio::test]
async fn a_course_of_one_file_is_the_file() {
    let video = pattern(300_000, 1);
    let served = serve(&[("Chương 1/Bài 1.mp4", &video)]).await;
    let whole = served.get("/d/TOKEN", &[]).await;
    assert_eq!((whole.status, whole.body.as_slice()), (StatusCode::OK, video.as_slice()));
    let tag = format!("\"{}\"", sha256(&video));
    for (name, value) in [
        (header::ETAG, tag.as_str()),
        (header::CONTENT_LENGTH, "300000"),
        (header::ACCEPT_RANGES, "bytes"),
        (header::CONTENT_TYPE, "video/mp4"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"B_i 1.mp4\"; filename*=UTF-8''B%C3%A0i%201.mp4",
        ),
    ] {
        assert_eq!(whole.header(name), value);
    }
    let head = served.ask(Method::HEAD, "/d/TOKEN", &[]).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    assert_eq!((head.header(header::CONTENT_LENGTH), head.header(header::ETAG)), ("300000", tag.as_str()));
}

#[tokio::test]
async fn ranges_and_conditions_follow_the_standard() {
    let video = pattern(300_000, 1);
    let served = serve(&[("a.mp4", &video)]).await;
    let tag = format!("\"{}\"", sha256(&video));
    let range = async |value: &str| served.get("/d/TOKEN", &[(header::RANGE, value)]).await;

    let middle = range("bytes=100-299").await;
    assert_eq!((middle.status, middle.body.as_slice()), (StatusCode::PARTIAL_CONTENT, &video[100..300]));
    assert_eq!(middle.header(header::CONTENT_RANGE), "bytes 100-299/300000");
    let end = range("bytes=-50").await;
    assert_eq!((end.status, end.body.as_slice()), (StatusCode::PARTIAL_CONTENT, &video[299_950..]));
    let beyond = range("bytes=300000-").await;
    assert_eq!((beyond.status, beyond.body.len()), (StatusCode::RANGE_NOT_SATISFIABLE, 0));
    assert_eq!(beyond.header(header::CONTENT_RANGE), "bytes */300000");
    assert_eq!(range("bytes=0-1,5-6").await.body, video, "several ranges get the whole file");

    let same = served.get("/d/TOKEN", &[(header::RANGE, "bytes=5-"), (header::IF_RANGE, &tag)]).await;
    assert_eq!((same.status, same.body.as_slice()), (StatusCode::PARTIAL_CONTENT, &video[5..]));
    for stale in ["\"other\"", &format!("W/{tag}"), "Tue, 14 Nov 2023 22:13:20 GMT"] {
        let whole = served.get("/d/TOKEN", &[(header::RANGE, "bytes=5-"), (header::IF_RANGE, stale)]).await;
        assert_eq!((whole.status, whole.body.as_slice()), (StatusCode::OK, video.as_slice()), "{stale}");
    }
    let known = served.get("/d/TOKEN", &[(header::IF_NONE_MATCH, &format!("\"x\", {tag}"))]).await;
    assert_eq!((known.status, known.body.len()), (StatusCode::NOT_MODIFIED, 0));
}

#[tokio::test]
async fn several_files_are_a_page_without_scripts() {
    let files: [(&str, &[u8]); 3] = [
        ("Chương 1/Bài 1: 50% & <b>.mp4", &pattern(1_500_000, 1)),
        ("Chương 1/x.txt", b"x"),
        ("đọc.txt", b"doc"),
    ];
    let served = serve(&files).await;
    let page = served.get("/d/TOKEN", &[]).await;
    assert_eq!(page.header(header::CONTENT_TYPE), "text/html; charset=utf-8");
    let text = String::from_utf8(page.body.clone()).unwrap();
    for part in
        ["lang=\"vi\"", "Khoá học An", "Rust &lt;cơ bản&gt;", "Chương 1", "1,5 MB", "05:13 15/11/2023"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(text.contains("Bài 1: 50% &amp; &lt;b&gt;.mp4"), "{text}");
    assert!(!text.contains("<script") && !text.contains("<b>."), "{text}");
    assert!(page.header(header::CONTENT_SECURITY_POLICY).starts_with("default-src 'none'"));
    assert_eq!(page.header(header::CACHE_CONTROL), "private, no-store");

    let english = served.get("/d/TOKEN", &[(header::ACCEPT_LANGUAGE, "en-GB,en")]).await;
    assert!(String::from_utf8(english.body).unwrap().contains("1.5 MB"));

    let list = served.get("/d/TOKEN", &[(header::ACCEPT, "application/json")]).await;
    let list: serde_json::Value = serde_json::from_slice(&list.body).unwrap();
    for file in list["files"].as_array().unwrap() {
        let (path, url) = (file["path"].as_str().unwrap(), file["url"].as_str().unwrap());
        let bytes = files.iter().find(|(name, _)| *name == path).unwrap().1;
        assert_eq!(served.get(url, &[]).await.body, bytes, "{url}");
        assert!(text.contains(&format!("href=\"{url}\"")), "{url}");
    }
}

#[tokio::test]
async fn only_listed_files_are_answered() {
    let served = serve(&[("a.txt", b"a"), ("b/c.txt", b"c")]).await;
    assert_eq!(served.get("/d/TOKEN/b/c.txt", &[]).await.body, b"c");
    for path in [
        "..%2f..%2fsecret.txt",
        "%2e%2e/%2e%2e/secret.txt",
        "..%5csecret.txt",
        "b",
        "b/",
        "b%2f..%2fa.txt",
        "A.TXT",
        "a.txt%00",
        "%2fetc%2fpasswd",
    ] {
        let answer = served.get(&format!("/d/TOKEN/{path}"), &[]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(!answer.body.windows(6).any(|w| w == b"secret"), "{path}");
    }
}

#[tokio::test]
async fn a_file_that_is_damaged_is_not_delivered() {
    let served = serve(&[("a.txt", b"aaaa")]).await;
    assert_eq!(served.get("/d/TOKEN", &[]).await.status, StatusCode::OK);
    std::fs::write(served.library.stage.library().join("rust-101/v1/a.txt"), b"aa").unwrap();
    let broken = served.get("/d/TOKEN", &[]).await;
    assert_eq!(broken.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(String::from_utf8(broken.body).unwrap().contains("tạm thời chưa tải được"));
}

#[tokio::test]
async fn a_refusal_says_in_vietnamese_what_to_do() {
    for (refusal, status, words, code) in [
        (Refusal::Unknown, 404, "không đúng", "not_found"),
        (Refusal::Expired, 410, "đã hết hạn", "link_expired"),
        (Refusal::Revoked, 410, "đã được thu hồi", "link_revoked"),
        (Refusal::UsedUp, 410, "đã hết lượt tải", "link_used_up"),
        (Refusal::Broken, 503, "tạm thời chưa tải được", "link_broken"),
    ] {
        let body = async |answer: Response| {
            axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap().to_vec()
        };
        let page = refuse(refusal, "Khoá <học> An", &HeaderMap::new());
        assert_eq!(page.status(), status);
        let text = String::from_utf8(body(page).await).unwrap();
        assert!(
            text.contains(words) && text.contains("Khoá &lt;học&gt; An") && text.contains("trả lời thư"),
            "{text}"
        );
        let json = HeaderMap::from_iter([(header::ACCEPT, "application/json".parse().unwrap())]);
        let problem: serde_json::Value =
            serde_json::from_slice(&body(refuse(refusal, "An", &json)).await).unwrap();
        assert_eq!(
            (problem["code"].as_str(), problem["status"].as_u64()),
            (Some(code), Some(u64::from(status)))
        );
    }
}

#[tokio::test]
async fn a_download_counts_once_where_it_begins() {
    let served = serve(&[("a.mp4", &pattern(1_000, 1)), ("b.mp4", b"b")]).await;
    let shared = served.library.shared();
    let tag = format!("\"{}\"", served.library.manifest.files[0].sha256);
    let counts = |path: Option<&str>, method: Method, headers: &[(HeaderName, &str)]| {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        shared.counts(path, &method, &headers)
    };
    let file = Some("a.mp4");
    assert!(counts(file, Method::GET, &[]));
    assert!(counts(file, Method::GET, &[(header::RANGE, "bytes=0-")]));
    assert!(counts(file, Method::GET, &[(header::RANGE, "bytes=-1000")]));
    assert!(
        counts(file, Method::GET, &[(header::RANGE, "bytes=5-"), (header::IF_RANGE, "\"old\"")]),
        "all of it comes"
    );
    assert!(!counts(file, Method::GET, &[(header::RANGE, "bytes=5-")]));
    assert!(!counts(file, Method::GET, &[(header::IF_NONE_MATCH, &tag)]));
    assert!(!counts(file, Method::HEAD, &[]));
    assert!(!counts(Some("c.mp4"), Method::GET, &[]));
    assert!(!counts(None, Method::GET, &[]), "the page of files");
    assert_eq!(shared.allowance(5), 10);
}

#[tokio::test]
async fn a_delivered_course_can_be_the_source_of_another_shop() {
    let served = serve(&[("Chương 1/a.mp4", &pattern(2_000_000, 1)), ("b.txt", b"b")]).await;
    let stage = Stage::new();
    let spec = SourceSpec::Http {
        url: format!("{}/d/TOKEN", served.url),
        secret: None,
        worker: None,
        share_secret: false,
    };
    let manifest =
        fetch(&stage.cx, &spec, &stage.staging(), &HttpSource::new().unwrap(), None).await.unwrap();
    assert_eq!(manifest, served.library.manifest);
}
