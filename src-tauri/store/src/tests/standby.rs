//! The claim that stands ready, and commits that begin and end with a script.

use std::sync::Arc;

use chotdon_domain::order::Outcome;
use chotdon_domain::task::Lane;
use tokio::sync::mpsc;

use super::{Bench, NOW, bench};
use crate::{Claimed, Error, Settled, StageResult, Standing};

impl Bench {
    /// Puts up a claim for at most `limit` deliveries.
    fn stand_by(&self, limit: i64) -> mpsc::UnboundedReceiver<Vec<Claimed>> {
        let (grants, granted) = mpsc::unbounded_channel();
        let now: Arc<dyn Fn() -> i64 + Send + Sync> = Arc::new(|| NOW + 5);
        self.store.stand_by(Standing { limit, owner: "boot".into(), lease_ms: 30_000, now, grants });
        granted
    }
}

#[tokio::test]
async fn a_payment_leases_its_delivery_in_its_own_commit() {
    let bench = bench().await;
    bench.course("rust", true).await;
    let code = bench.order(&["rust"]).await;
    let mut changes = bench.store.changes();
    let mut granted = bench.stand_by(2);
    bench.pay(1, 499_000, &code).await;
    let tasks = granted.recv().await.unwrap();
    assert_eq!((tasks.len(), tasks[0].epoch, tasks[0].attempt, tasks[0].claimed_at), (1, 1, 1, NOW + 5));
    assert_eq!(bench.text("SELECT stage FROM orders").await, "processing");
    assert_eq!(bench.number("SELECT lease_until FROM task WHERE state = 'running'").await, NOW + 30_005);
    let touched = changes.recv().await.unwrap();
    assert!(touched.lanes.is_empty(), "nobody is woken for a lane that is empty: {touched:?}");
    assert!(!bench.store.stand_down(), "it was taken up");
    assert_eq!(
        bench.settle(&tasks[0], StageResult::Released, crate::Aftermath::None).await,
        Settled::Accepted
    );
    bench.sound().await;
}

#[tokio::test]
async fn what_the_standing_claim_leaves_is_told_to_the_pool() {
    let bench = bench().await;
    bench.course("rust", true).await;
    let (one, two, three) =
        (bench.order(&["rust"]).await, bench.order(&["rust"]).await, bench.order(&["rust"]).await);
    bench.pay(1, 499_000, &one).await;
    let mut changes = bench.store.changes();
    let mut granted = bench.stand_by(1);
    bench.pay(2, 499_000, &two).await;
    let begun = granted.recv().await.unwrap();
    assert_eq!(
        begun.iter().map(|task| task.order_id).collect::<Vec<_>>(),
        [Some(2)],
        "what it queued itself"
    );
    assert!(
        changes.recv().await.unwrap().lanes.contains("order"),
        "the first order's delivery is still waiting"
    );
    bench.pay(3, 499_000, &three).await;
    assert_eq!(bench.claim(Lane::Order).await.len(), 2, "it is good for one commit");
    bench.sound().await;
}

#[tokio::test]
async fn of_a_batch_the_most_urgent_deliveries_begin_and_the_others_wait() {
    let bench = bench().await;
    bench.course("rust", true).await;
    let (one, two) = (bench.order(&["rust"]).await, bench.order(&["rust"]).await);
    bench.script("UPDATE orders SET prio = 0 WHERE id = 2").await;
    let mut changes = bench.store.changes();
    let mut granted = bench.stand_by(1);
    let both = [super::incoming(1, 499_000, &one), super::incoming(2, 499_000, &two)];
    let [first, second] = both.map(|incoming| bench.store.take_in(incoming));
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first.unwrap().outcome, second.unwrap().outcome), (Outcome::Paid, Outcome::Paid));
    let begun = granted.recv().await.unwrap();
    assert_eq!(begun.iter().map(|task| (task.order_id, task.prio)).collect::<Vec<_>>(), [(Some(2), 0)]);
    assert!(changes.recv().await.unwrap().lanes.contains("order"));
    assert_eq!(bench.text("SELECT group_concat(stage, ' ') FROM orders").await, "paid processing");
    bench.sound().await;
}

#[tokio::test]
async fn a_paused_lane_and_a_withdrawn_claim_lease_nothing() {
    let bench = bench().await;
    bench.course("rust", true).await;
    let (one, two) = (bench.order(&["rust"]).await, bench.order(&["rust"]).await);
    bench.store.pause(Some(Lane::Order), None, Some("stock-taking".into()), "owner", NOW).await.unwrap();
    let mut granted = bench.stand_by(1);
    bench.pay(1, 499_000, &one).await;
    assert!(granted.recv().await.unwrap().is_empty());
    assert!(bench.claim(Lane::Order).await.is_empty(), "a pool that has not heard of the pause");
    bench.store.resume(None, "owner", NOW).await.unwrap();
    let mut granted = bench.stand_by(1);
    assert!(bench.store.stand_down(), "no commit has taken it up");
    bench.pay(2, 499_000, &two).await;
    assert_eq!(granted.recv().await, None);
    assert_eq!(bench.number("SELECT count(*) FROM task WHERE state = 'ready'").await, 2);
}

#[tokio::test]
async fn a_failed_commit_grants_nothing_and_leaves_nothing() {
    let bench = bench().await;
    bench.course("rust", true).await;
    let code = bench.order(&["rust"]).await;
    let break_it = "CREATE TRIGGER no BEFORE INSERT ON task BEGIN SELECT RAISE (ABORT, 'no'); END";
    bench.script(break_it).await;
    let mut granted = bench.stand_by(1);
    let refused = bench.store.take_in(super::incoming(1, 499_000, &code)).await.unwrap_err();
    assert!(matches!(refused, Error::Conflict(_)), "{refused:?}");
    assert!(granted.recv().await.unwrap().is_empty());
    assert_eq!(bench.number("SELECT count(*) FROM sepay_event").await, 0);
    bench.script("DROP TRIGGER no").await;
    let mut granted = bench.stand_by(1);
    bench.pay(1, 499_000, &code).await;
    assert_eq!(granted.recv().await.unwrap().len(), 1, "the next commit is whole");
    bench.sound().await;
}

#[tokio::test]
async fn a_refused_unit_that_is_alone_leaves_no_transaction_open() {
    let bench = bench().await;
    bench.course("rust", true).await;
    let code = bench.order(&["rust"]).await;
    let refused = bench.store.cancel_order("DH000000", "", "owner", NOW).await.unwrap_err();
    assert!(matches!(refused, Error::NotFound(_)), "{refused:?}");
    bench.pay(1, 499_000, &code).await;
    bench.sound().await;
}
