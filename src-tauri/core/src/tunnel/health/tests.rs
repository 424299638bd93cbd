//! Health checks against listeners over real sockets, with and without TLS.

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::routing::get;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::*;
use crate::ports::SystemClock;

fn prober(roots: Vec<reqwest::Certificate>) -> (Prober, Arc<Nonces>) {
    let nonces = Arc::new(Nonces::default());
    (Prober::trusting(roots, nonces.clone(), Arc::new(SystemClock)).unwrap(), nonces)
}

fn failed(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Failed { code, .. } => code,
        Verdict::Reached { .. } => "reached",
    }
}

/// A listener that answers `status` and notes the number in `nonces`, when there are any.
async fn listener(nonces: Option<Arc<Nonces>>, status: u16) -> String {
    let route = get(move |State(nonces): State<Option<Arc<Nonces>>>, RawQuery(query): RawQuery| async move {
        if let (Some(nonces), Some(query)) = (nonces, query) {
            nonces.seen(query.trim_start_matches("n="));
        }
        StatusCode::from_u16(status).unwrap()
    });
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let router = Router::new().route("/healthz", route).with_state(nonces);
    tokio::spawn(async move { axum::serve(socket, router).await });
    url
}

#[tokio::test]
async fn an_address_that_leads_to_us_is_reached() {
    let (prober, nonces) = prober(Vec::new());
    let url = listener(Some(nonces), 200).await;
    let reached = Verdict::Reached { certificate_until: None };
    assert_eq!(prober.look(&url).await, reached);
    assert_eq!(prober.glance(&format!("{url}/")).await, reached);
}

#[tokio::test]
async fn an_answer_of_someone_else_is_not_ours() {
    let (prober, nonces) = prober(Vec::new());
    let theirs = listener(None, 200).await;
    assert_eq!(failed(prober.look(&theirs).await), "tunnel_nonce_not_seen");
    // The control: a check that only asks whether somebody answers would have called it healthy.
    assert!(reqwest::get(format!("{theirs}/healthz")).await.unwrap().status().is_success());
    let changed = listener(Some(nonces), 403).await;
    assert_eq!(failed(prober.glance(&changed).await), "tunnel_nonce_not_seen");
    for status in [502, 503, 504, 530] {
        assert_eq!(failed(prober.glance(&listener(None, status).await).await), "tunnel_bad_gateway");
    }
}

#[tokio::test]
async fn nobody_there_and_no_such_name_are_told_apart() {
    let (prober, _) = prober(Vec::new());
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(failed(prober.glance(&format!("http://{free}")).await), "tunnel_refused");
    let nameless = failed(prober.glance("https://shop.invalid").await);
    // A machine without any name server cannot know that the name does not exist.
    assert!(["tunnel_dns", "tunnel_no_network"].contains(&nameless), "{nameless}");
}

#[test]
fn causes_have_codes() {
    for (words, offline, expected) in [
        (
            "error: dns error: failed to lookup address information: Name or service not known",
            false,
            "tunnel_dns",
        ),
        (
            "dns error: failed to lookup address information: Temporary failure in name resolution",
            false,
            "tunnel_no_network",
        ),
        ("tcp connect error: Network is unreachable (os error 101)", true, "tunnel_no_network"),
        (
            "invalid peer certificate: certificate expired: verification time 1",
            false,
            "tunnel_certificate_expired",
        ),
        ("invalid peer certificate: UnknownIssuer", false, "tunnel_certificate_invalid"),
        ("tcp connect error: Connection refused (os error 111)", false, "tunnel_refused"),
        ("connection closed before message completed", false, "tunnel_refused"),
    ] {
        assert_eq!(code(words, offline), expected, "{words}");
    }
}

/// A TLS listener for `name` whose certificate is good until that year, and the root to trust.
async fn secure(nonces: Arc<Nonces>, name: &str, year: i32) -> (String, reqwest::Certificate) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root_key = KeyPair::generate().unwrap();
    let root = params.self_signed(&root_key).unwrap();
    let issuer = Issuer::from_params(&params, &root_key);
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(year, 1, 1);
    let key = KeyPair::generate().unwrap();
    let leaf = params.signed_by(&key, &issuer).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", socket.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = vec![0; 4096];
            let read = stream.read(&mut head).await.unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..read]).into_owned();
            if let Some((_, nonce)) = head.split_once("?n=") {
                nonces.seen(nonce.split(' ').next().unwrap());
            }
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
                .await;
            let _ = stream.shutdown().await;
        }
    });
    (url, reqwest::Certificate::from_der(root.der()).unwrap())
}

#[tokio::test]
async fn a_certificate_is_read_and_an_expired_or_foreign_one_is_told() {
    let nonces = Arc::new(Nonces::default());
    let with = |root| Prober::trusting(vec![root], nonces.clone(), Arc::new(SystemClock)).unwrap();
    let (url, root) = secure(nonces.clone(), "localhost", 2049).await;
    let until = jiff::civil::date(2049, 1, 1).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
    let reached = Verdict::Reached { certificate_until: Some(until.as_millisecond()) };
    assert_eq!(with(root).look(&url).await, reached);

    let (expired, root) = secure(nonces.clone(), "localhost", 2025).await;
    assert_eq!(failed(with(root).glance(&expired).await), "tunnel_certificate_expired");
    let (other, root) = secure(nonces.clone(), "shop.example", 2049).await;
    assert_eq!(failed(with(root).glance(&other).await), "tunnel_certificate_invalid");
    let (unknown, _) = secure(nonces.clone(), "localhost", 2049).await;
    let (stranger, _) = prober(Vec::new());
    assert_eq!(failed(stranger.glance(&unknown).await), "tunnel_certificate_invalid");
}
