//! What listens where: nothing of ours off loopback, neither the server nor what it starts.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use chotdon_tests::served::Home;

/// Addresses on which the process listens.
pub(crate) fn listens(pid: u32) -> BTreeSet<SocketAddr> {
    let mut sockets = BTreeSet::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
        if let Ok(target) = fs::read_link(entry.path())
            && let Some(inode) = target.to_string_lossy().strip_prefix("socket:[")
        {
            sockets.insert(inode.trim_end_matches(']').to_owned());
        }
    }
    let mut found = BTreeSet::new();
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        let text = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap();
        for line in text.lines().skip(1) {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let (local, remote, state, inode) = (columns[1], columns[2], columns[3], columns[9]);
            let waits = if table.starts_with("tcp") { state == "0A" } else { remote.ends_with(":0000") };
            if waits && sockets.contains(inode) {
                found.insert(address(local));
            }
        }
    }
    found
}

/// `0100007F:21EE`, words of four bytes in the machine's order.
fn address(text: &str) -> SocketAddr {
    let (ip, port) = text.split_once(':').unwrap();
    let bytes = hex::decode(ip).unwrap();
    let ordered: Vec<u8> = bytes
        .chunks(4)
        .flat_map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]).to_be_bytes())
        .collect();
    let ip: IpAddr = match <[u8; 4]>::try_from(ordered.as_slice()) {
        Ok(four) => four.into(),
        Err(_) => Ipv6Addr::from(<[u8; 16]>::try_from(ordered.as_slice()).unwrap()).into(),
    };
    SocketAddr::new(ip, u16::from_str_radix(port, 16).unwrap())
}

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
