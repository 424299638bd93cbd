//! Reconciliation as the store keeps it, on a real file.

use chotdon_domain::matching::Direction;
use chotdon_domain::money::Vnd;

use crate::{Incoming, Listed, RunEnd, Source, Store};

const NOW: i64 = 1_790_000_000_000;
const HOUR: i64 = 3_600_000;

struct Bench {
    store: Store,
    _dir: tempfile::TempDir,
}

async fn bench() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    Bench { store, _dir: dir }
}

fn incoming(id: i64, amount: i64, source: Source) -> Incoming {
    Incoming {
        sepay_id: id,
        source,
        received_at: NOW - 2 * HOUR,
        body: format!("{source:?} {id} {amount}"),
        direction: Direction::In,
        amount: Vnd::new(amount).unwrap(),
        gateway: "MBBank".into(),
        account: "0900".into(),
        sub_account: String::new(),
        code: String::new(),
        content: "chuyen tien".into(),
        description: String::new(),
        reference: format!("FT{id}"),
        booked_at: Some(NOW - 2 * HOUR),
        accumulated: None,
    }
}

fn listed(id: i64, amount: i64, balance: i64) -> Listed {
    Listed {
        sepay_id: id,
        account: "0900".into(),
        bank: "MBBank".into(),
        in_vnd: amount,
        out_vnd: 0,
        balance_vnd: Some(balance),
        reference: format!("FT{id}"),
        booked_at: Some(NOW - 2 * HOUR + id * 1000),
    }
}

impl Bench {
    async fn run(&self, rows: Vec<Listed>, end: RunEnd) {
        let run = self.store.reconcile_begin("timer", None, 0, NOW).await.unwrap();
        self.store.reconcile_listed(rows, NOW).await.unwrap();
        self.store.reconcile_end(run, end, NOW).await.unwrap();
    }

    async fn done(&self, rows: Vec<Listed>) {
        let up_to = rows.iter().map(|row| row.sepay_id).max();
        self.run(rows, RunEnd { up_to, deep: true, ..RunEnd::default() }).await;
    }

    /// What is told and not over, the payments aside that nobody asked for.
    async fn open(&self) -> Vec<(String, i64, String)> {
        sqlx::query_as("SELECT kind, count, data FROM notice WHERE state <> 'resolved' AND kind <> 'unmatched' ORDER BY id")
            .fetch_all(&self.store.reader)
            .await
            .unwrap()
    }

    async fn difference(&self) -> i64 {
        self.store.sepay_difference().await.unwrap()
    }
}

#[tokio::test]
async fn the_list_and_a_webhook_of_one_transaction_are_no_alarm_and_count_once() {
    let bench = bench().await;
    for (first, second) in [(Source::Webhook, Source::Reconcile), (Source::Reconcile, Source::Webhook)] {
        let id = if first == Source::Webhook { 1 } else { 2 };
        assert!(!bench.store.take_in(incoming(id, 500, first)).await.unwrap().different_body);
        let again = bench.store.take_in(incoming(id, 500, second)).await.unwrap();
        assert!(again.outcome.as_str() == "duplicate" && !again.different_body);
    }
    assert_eq!(bench.store.buckets().await.unwrap().in_vnd, 1_000);
    // Between the two ways the money is what counts.
    assert!(bench.store.take_in(incoming(1, 501, Source::Reconcile)).await.unwrap().different_body);
    // Between webhooks it is every byte.
    let mut other = incoming(1, 500, Source::Webhook);
    other.body.push(' ');
    assert!(bench.store.take_in(other).await.unwrap().different_body);
    assert_eq!(bench.store.buckets().await.unwrap().in_vnd, 1_000);
}

#[tokio::test]
async fn the_cursor_moves_with_a_complete_run_only() {
    let bench = bench().await;
    let failed = RunEnd {
        up_to: Some(9),
        deep: true,
        failed: Some(("sepay_unreachable", String::new())),
        ..RunEnd::default()
    };
    bench.run(vec![], RunEnd { up_to: None, ..failed.clone() }).await;
    let cursor = bench.store.reconcile_cursor().await.unwrap();
    assert_eq!((cursor.last_id, cursor.deep_at), (0, None));
    bench.store.take_in(incoming(7, 500, Source::Reconcile)).await.unwrap();
    bench.done(vec![listed(7, 500, 500)]).await;
    let cursor = bench.store.reconcile_cursor().await.unwrap();
    assert_eq!((cursor.last_id, cursor.deep_at), (7, Some(NOW)));
    assert_eq!(bench.difference().await, 0);
}

#[tokio::test]
async fn money_that_only_one_side_has_is_the_difference_until_it_is_gone() {
    let bench = bench().await;
    for id in [1, 2, 3] {
        bench.store.take_in(incoming(id, 500, Source::Webhook)).await.unwrap();
    }
    // SePay says 700 where the webhook said 500, and does not list 2.
    bench.done(vec![listed(1, 700, 700), listed(3, 500, 1_200)]).await;
    assert_eq!(bench.difference().await, 200 - 500);
    let open = bench.open().await;
    assert_eq!((open[0].0.as_str(), open[0].1), ("sepay_difference", 1));
    // The same again is not told again.
    bench.done(vec![listed(1, 700, 700), listed(3, 500, 1_200)]).await;
    assert_eq!(bench.open().await, open);
    // The late row turns up, the wrong one is put right.
    bench.done(vec![listed(1, 500, 500), listed(2, 500, 1_000), listed(3, 500, 1_500)]).await;
    assert_eq!(bench.difference().await, 0);
    assert!(bench.open().await.is_empty());
}

#[tokio::test]
async fn a_balance_that_grew_by_more_than_is_listed_is_told_when_it_stays() {
    let bench = bench().await;
    for id in [1, 2] {
        bench.store.take_in(incoming(id, 500, Source::Webhook)).await.unwrap();
    }
    let rows = vec![listed(1, 500, 10_000), listed(2, 500, 10_900)];
    bench.done(rows.clone()).await;
    assert!(bench.open().await.is_empty());
    bench.done(rows).await;
    assert_eq!(bench.open().await[0].0, "sepay_balance_gap");
    let balances = bench.store.sepay_balances().await.unwrap();
    assert_eq!((balances[0].balance_vnd, balances[0].gap_vnd), (Some(10_900), Some(400)));
    // A bank that never reports money out is not asked to explain it.
    bench.store.take_in(incoming(3, 500, Source::Webhook)).await.unwrap();
    for _ in 0..3 {
        bench.done(vec![listed(3, 500, 9_000)]).await;
    }
    assert_eq!(bench.open().await.len(), 1, "only the gap that was told before");
    assert_eq!(bench.store.sepay_balances().await.unwrap()[0].gap_vnd, Some(9_000 - 10_000 - 1_000));
}

#[tokio::test]
async fn one_payment_under_two_ids_is_told_once() {
    let bench = bench().await;
    for id in [1, 2] {
        bench.store.take_in(incoming(id, 500, Source::Webhook)).await.unwrap();
    }
    let twin = Listed { sepay_id: 2, ..listed(1, 500, 500) };
    for _ in 0..2 {
        bench.done(vec![listed(1, 500, 500), twin.clone()]).await;
    }
    let open = bench.open().await;
    assert_eq!(open.iter().filter(|notice| notice.0 == "soft_duplicate").count(), 1);
    assert!(open[0].2.contains("\"other_id\":2") && open[0].1 == 1, "{open:?}");
    // Without a reference nothing is suspected.
    let quiet = |id| Listed { sepay_id: id, reference: String::new(), ..listed(9, 70, 0) };
    bench.done(vec![quiet(11), quiet(12)]).await;
    assert_eq!(bench.open().await.iter().filter(|notice| notice.0 == "soft_duplicate").count(), 1);
}

#[tokio::test]
async fn three_failures_in_a_row_are_told_and_a_success_ends_it() {
    let bench = bench().await;
    let failed = || RunEnd {
        failed: Some(("sepay_token_wrong", "SePay does not accept the API token".to_owned())),
        ..RunEnd::default()
    };
    for told in [0, 0, 1, 1] {
        bench.run(vec![], failed()).await;
        assert_eq!(bench.open().await.len(), told);
    }
    bench.done(vec![]).await;
    assert!(bench.open().await.is_empty());
    let runs = bench.store.reconcile_runs(20).await.unwrap();
    assert_eq!((runs[0].state.as_str(), runs[1].code.as_deref()), ("done", Some("sepay_token_wrong")));
}

#[tokio::test]
async fn a_run_that_the_app_died_under_is_stopped_and_what_was_made_up_is_told() {
    let bench = bench().await;
    bench.store.reconcile_begin("start", Some("owner"), 0, NOW).await.unwrap();
    let run = bench.store.reconcile_begin("wake", None, 3 * HOUR, NOW).await.unwrap();
    let end = RunEnd { added: 4, added_vnd: 2_000, listed: 5, ..RunEnd::default() };
    bench.store.reconcile_end(run, end, NOW).await.unwrap();
    let runs = bench.store.reconcile_runs(20).await.unwrap();
    assert_eq!(runs.iter().map(|run| run.state.as_str()).collect::<Vec<_>>(), ["done", "stopped"]);
    let (kind, _, data) = bench.open().await.remove(0);
    assert_eq!(kind, "caught_up");
    assert!(data.contains("\"count\":4") && data.contains("\"minutes\":180"), "{data}");
}
