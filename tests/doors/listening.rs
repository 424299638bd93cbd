//! What listens where: nothing of ours off loopback, neither the server nor what it starts.
#![cfg(target_os = "linux")]

use std::net::SocketAddr;

use chotdon_tests::listening::listens;
use chotdon_tests::served::Home;

#[tokio::test]
async fn the_server_listens_on_loopback_only() {
    // The control: a listener on every address is seen.
    let open = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let open6 = std::net::TcpListener::bind("[::]:0");
    let mine = listens(std::process::id());
    assert!(mine.contains(&open.local_addr().unwrap()), "{mine:?}");
    if let Ok(open6) = open6 {
        assert!(mine.contains(&open6.local_addr().unwrap()), "{mine:?}");
    }

    let home = Home::new().await.unwrap();
    let served = home.serve().await.unwrap();
    let found = listens(served.pid());
    assert!(found.iter().all(|at| at.ip().is_loopback()), "{found:?}");
    for ours in [&served.public, &served.private] {
        let at: SocketAddr = ours.trim_start_matches("http://").parse().unwrap();
        assert!(found.contains(&at), "{at} is not among {found:?}");
    }
    served.stop().await.unwrap();
}
