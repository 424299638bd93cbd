use std::future::Future;
use std::sync::Mutex;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

use super::*;

const CAPS: Caps = Caps {
    connections: 100,
    per_address: 100,
    header_bytes: 8_192,
    header: Duration::from_millis(200),
    body: Duration::from_millis(200),
    idle: Duration::from_millis(600),
};
/// Nothing here takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

struct Door {
    at: SocketAddr,
    /// Lets `/wait` answer.
    go: Arc<Notify>,
    /// What it answered without a router.
    own: Arc<Mutex<Vec<u16>>>,
    stop: CancellationToken,
    life: tokio::task::JoinHandle<()>,
}

async fn open(caps: Caps) -> Door {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (go, stop) = (Arc::new(Notify::new()), CancellationToken::new());
    let wait = |State(go): State<Arc<Notify>>| async move {
        go.notified().await;
        "waited"
    };
    let take = |body: Result<Bytes, axum::extract::rejection::BytesRejection>| async move {
        body.map_or(StatusCode::REQUEST_TIMEOUT, |_| StatusCode::NO_CONTENT)
    };
    let router = Router::new()
        .route("/", get(|| async { "here" }))
        .route("/wait", get(wait))
        .route("/take", post(take))
        .route("/slowly", post(take))
        .with_state(Arc::clone(&go));
    let own: Arc<Mutex<Vec<u16>>> = Arc::default();
    let heard = Arc::clone(&own);
    let rules = Rules {
        caps: Box::new(move || caps),
        slow_body: |path| path == "/slowly",
        answered: Arc::new(move |status| heard.lock().unwrap().push(status.as_u16())),
    };
    let life = tokio::spawn(serve(listener, router, rules, stop.clone()));
    Door { at, go, own, stop, life }
}

impl Door {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.at).await.unwrap()
    }

    async fn says(&self, text: &str) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it comes")
}

/// What is answered until the other side hangs up.
async fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = soon(stream.read_to_end(&mut answer)).await;
    String::from_utf8(answer).unwrap()
}

/// Reads one answer without hanging up; `body` is how it ends.
async fn one(stream: &mut TcpStream, body: &str) -> String {
    let mut answer = String::new();
    while !answer.ends_with(body) {
        let mut piece = [0; 1024];
        let n = soon(stream.read(&mut piece)).await.unwrap();
        assert!(n > 0, "it hung up after {answer:?}");
        answer.push_str(std::str::from_utf8(&piece[..n]).unwrap());
    }
    answer
}

const ASK: &str = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn half_a_request_is_not_waited_for() {
    let door = open(CAPS).await;
    for said in ["", "GET / HT", "GET / HTTP/1.1\r\nhost: x\r\nx-a: b\r\n"] {
        assert_eq!(rest(door.says(said).await).await, "", "{said:?}");
    }
    // The control: with time, the same half is waited for.
    let patient = open(Caps { header: PATIENCE, ..CAPS }).await;
    let mut stream = patient.says("GET / HT").await;
    let mut byte = [0];
    assert!(tokio::time::timeout(Duration::from_millis(500), stream.read(&mut byte)).await.is_err());
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_has_no_more_time_than_another() {
    let door = open(CAPS).await;
    let mut stream = door.connect().await;
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    let mut sent = 0;
    let dripping = async {
        loop {
            tick.tick().await;
            if stream.write_all(b"x").await.is_err() {
                return;
            }
            sent += 1;
        }
    };
    soon(dripping).await;
    assert!(sent < 100, "{sent} bytes were taken");
}

#[tokio::test]
async fn a_connection_may_be_idle_for_longer_than_a_head_may_take_but_not_for_ever() {
    let door = open(Caps { idle: Duration::from_secs(2), ..CAPS }).await;
    let mut stream = door.connect().await;
    for _ in 0..3 {
        stream.write_all(ASK.as_bytes()).await.unwrap();
        one(&mut stream, "here").await;
        let mut byte = [0];
        let quiet = tokio::time::timeout(CAPS.header * 2, stream.read(&mut byte)).await;
        assert!(quiet.is_err(), "it is kept");
    }
    assert_eq!(rest(stream).await, "");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_told_so() {
    let door = open(CAPS).await;
    let half = |path: &str| format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf");
    let answer = rest(door.says(&half("/take")).await).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    let mut slow = door.says(&half("/slowly")).await;
    let mut byte = [0];
    assert!(tokio::time::timeout(CAPS.body * 3, slow.read(&mut byte)).await.is_err(), "it has its own time");
    slow.write_all(b"+other").await.unwrap();
    assert!(one(&mut slow, "\r\n\r\n").await.starts_with("HTTP/1.1 204"));
}

#[tokio::test]
async fn whoever_has_said_least_for_longest_makes_room() {
    let door = open(Caps { connections: 3, header: PATIENCE, ..CAPS }).await;
    let mut busy = door.says("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let oldest = door.says("GET / HT").await;
    let second = door.says("GET / HT").await;
    let mut honest = door.says(ASK).await;
    one(&mut honest, "here").await;
    assert_eq!(rest(oldest).await, "", "the oldest half request went");
    let mut another = door.says(ASK).await;
    one(&mut another, "here").await;
    assert_eq!(rest(second).await, "", "then the next");
    door.go.notify_one();
    one(&mut busy, "waited").await;
}

#[tokio::test]
async fn a_place_counts_as_free_when_the_socket_of_who_had_it_is_closed() {
    let (crowd, caps) = (Crowd::default(), Caps { connections: 1, ..CAPS });
    let at = std::net::IpAddr::from([127, 0, 0, 1]);
    let first = crowd.seat(at, &caps).unwrap();
    soon(crowd.settled()).await;
    let _second = crowd.seat(at, &caps).unwrap();
    soon(first.taken()).await;
    let early = tokio::time::timeout(Duration::from_millis(50), crowd.settled()).await;
    assert!(early.is_err(), "the first has its socket still");
    drop(first);
    soon(crowd.settled()).await;
}

#[tokio::test]
async fn when_all_are_being_answered_there_is_no_room() {
    let door = open(Caps { connections: 2, ..CAPS }).await;
    let mut busy = Vec::new();
    for _ in 0..2 {
        busy.push(door.says("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await);
        // Its place is taken once it is heard; the next connection is accepted after it.
    }
    let mut turned_away = String::new();
    while turned_away.is_empty() {
        let mut extra = door.says(ASK).await;
        let mut answer = Vec::new();
        match tokio::time::timeout(Duration::from_secs(5), extra.read_to_end(&mut answer)).await {
            Ok(Ok(0) | Err(_)) => turned_away = "closed".to_owned(),
            _ => panic!("it was answered: {}", String::from_utf8_lossy(&answer)),
        }
    }
    for mut stream in busy {
        door.go.notify_one();
        one(&mut stream, "waited").await;
    }
}

#[tokio::test]
async fn a_head_that_is_too_long_or_has_too_many_lines_is_refused() {
    let door = open(CAPS).await;
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(70_000));
    let many = format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(MAX_HEADERS + 1));
    let big = format!("GET / HTTP/1.1\r\nhost: x\r\na: {}\r\n\r\n", "b".repeat(20_000));
    for said in [long, many, big] {
        let answer = rest(door.says(&said).await).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        assert!(!answer.contains("here"), "{answer}");
    }
    assert_eq!(*door.own.lock().unwrap(), [431, 431, 431]);
}

#[tokio::test]
async fn answers_that_no_router_gave_are_told_and_only_those() {
    let door = open(CAPS).await;
    for said in ["rubbish\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\nho st: x\r\n\r\n"] {
        assert!(rest(door.says(said).await).await.starts_with("HTTP/1.1 400"), "{said:?}");
    }
    assert_eq!(*door.own.lock().unwrap(), [400, 400, 400]);
    // The controls: an answer of the router's, half a request, and a protocol that is not answered at all.
    let mut stream = door.says(ASK).await;
    one(&mut stream, "here").await;
    drop(stream);
    assert_eq!(rest(door.says("GET / HT").await).await, "");
    assert_eq!(rest(door.says("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await).await, "");
    assert_eq!(door.own.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn requests_sent_ahead_are_answered_in_their_order() {
    let door = open(CAPS).await;
    let mut stream = door.says(&ASK.repeat(50)).await;
    let mut answers = 0;
    let mut text = String::new();
    while answers < 50 {
        let mut piece = [0; 4096];
        let n = soon(stream.read(&mut piece)).await.unwrap();
        assert!(n > 0);
        text.push_str(std::str::from_utf8(&piece[..n]).unwrap());
        answers = text.matches("\r\n\r\nhere").count();
    }
    assert!(!text.to_ascii_lowercase().contains("\r\nserver:"), "nobody is told what runs here");
}

#[tokio::test]
async fn a_request_under_way_is_answered_when_the_listener_closes() {
    let door = open(CAPS).await;
    let mut stream = door.says("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    // The listener is known to have heard it when a later one is answered.
    let mut later = door.says(ASK).await;
    one(&mut later, "here").await;
    door.stop.cancel();
    door.go.notify_one();
    assert!(one(&mut stream, "waited").await.contains("connection: close"));
    soon(door.life).await.unwrap();
    assert!(TcpStream::connect(door.at).await.is_err());
}
