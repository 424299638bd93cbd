//! On which addresses a process listens, as the system says.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Addresses on which a process listens, TCP and UDP.
///
/// # Panics
/// When there is no such process.
pub fn listens(pid: u32) -> BTreeSet<SocketAddr> {
    let mut sockets = BTreeSet::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).expect("/proc is readable").flatten() {
        if let Ok(target) = fs::read_link(entry.path())
            && let Some(inode) = target.to_string_lossy().strip_prefix("socket:[")
        {
            sockets.insert(inode.trim_end_matches(']').to_owned());
        }
    }
    let mut found = BTreeSet::new();
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        let text = fs::read_to_string(format!("/proc/{pid}/net/{table}")).expect("/proc is readable");
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
    let (ip, port) = text.split_once(':').expect("/proc is readable");
    let bytes = hex::decode(ip).expect("/proc is readable");
    let ordered: Vec<u8> = bytes
        .chunks(4)
        .flat_map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]).to_be_bytes())
        .collect();
    let ip: IpAddr = match <[u8; 4]>::try_from(ordered.as_slice()) {
        Ok(four) => four.into(),
        Err(_) => Ipv6Addr::from(<[u8; 16]>::try_from(ordered.as_slice()).expect("/proc is readable")).into(),
    };
    SocketAddr::new(ip, u16::from_str_radix(port, 16).expect("/proc is readable"))
}
