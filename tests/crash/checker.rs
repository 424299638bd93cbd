//! What must hold of a shop after everything that happened to it, read from its stopped database and its folders.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chotdon_core::store::Store;
use chotdon_core::store::read::Window;

/// A payment that the shop has acknowledged with 200.
#[derive(Debug, Clone)]
pub(crate) struct Acked {
    pub(crate) sepay_id: i64,
    pub(crate) amount: i64,
    pub(crate) order: String,
}

/// Everything that is wrong, a sentence each.
pub(crate) async fn problems(data: &Path, acked: &[Acked]) -> Vec<String> {
    let store = Store::open(data).await.expect("the database opens");
    let mut wrong = store.verify().await.expect("the check runs").problems;
    let mut transfers: BTreeMap<String, Vec<(i64, i64)>> = BTreeMap::new();
    let mut window = Window { below: None, limit: 200 };
    loop {
        let slice = store.transfers(None, None, window).await.expect("transfers can be read");
        for transfer in slice.rows {
            let order = transfer.order_code.unwrap_or_else(|| "no order".to_owned());
            transfers.entry(order).or_default().push((transfer.sepay_id, transfer.amount_vnd));
        }
        match slice.next {
            Some(below) => window.below = Some(below),
            None => break,
        }
    }
    let mails = mails(&data.join("mailbox"));
    let orders: BTreeSet<&str> = acked.iter().map(|payment| payment.order.as_str()).collect();
    for payment in acked {
        let there = transfers
            .get(&payment.order)
            .map_or(0, |all| all.iter().filter(|one| **one == (payment.sepay_id, payment.amount)).count());
        if there != 1 {
            wrong.push(format!("acknowledged payment {} is there {there} times", payment.sepay_id));
        }
    }
    for code in orders {
        let booked = transfers.get(code).map_or(0, Vec::len);
        if booked != 1 {
            wrong.push(format!("{code} was paid {booked} times"));
        }
        let sent = mails.iter().filter(|id| id.starts_with(&format!("{}.", code.to_lowercase()))).count();
        if sent != 1 {
            wrong.push(format!("{code} got {sent} mails"));
        }
        let Some(story) = store.order_story(code).await.expect("orders can be read") else {
            wrong.push(format!("{code} is gone"));
            continue;
        };
        if story.order.stage.as_str() != "completed" || story.order.paid_vnd != story.order.total_vnd {
            wrong.push(format!(
                "{code} is {} with {} of {}",
                story.order.stage.as_str(),
                story.order.paid_vnd,
                story.order.total_vnd
            ));
        }
        for kind in ["completed", "mail_sent"] {
            let times = story.timeline.iter().filter(|row| row.kind == kind).count();
            if times != 1 {
                wrong.push(format!("{code} was {kind} {times} times"));
            }
        }
    }
    for (order, all) in &transfers {
        for (id, _) in all.iter().filter(|(id, _)| !acked.iter().any(|payment| payment.sepay_id == *id)) {
            wrong.push(format!("transfer {id} to {order} was never acknowledged"));
        }
    }
    store.close().await;
    wrong
}

/// Message-IDs of the mails in a folder, without brackets.
fn mails(folder: &Path) -> Vec<String> {
    let Ok(files) = std::fs::read_dir(folder) else { return Vec::new() };
    let mails = files
        .map(|file| file.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|e| e == "eml"));
    let id = |path: std::path::PathBuf| {
        let mail = String::from_utf8_lossy(&std::fs::read(&path).expect("a mail")).into_owned();
        let line = mail
            .lines()
            .find_map(|line| line.strip_prefix("Message-ID:"))
            .unwrap_or_else(|| panic!("no Message-ID in {}: {mail:?}", path.display()))
            .to_owned();
        line.trim().trim_matches(['<', '>']).to_lowercase()
    };
    mails.map(id).collect()
}
