//! The store as its callers see it, on a real file.

mod checkpoint;
mod enrolment;
mod standby;

use chotdon_domain::matching::Direction;
use chotdon_domain::money::Vnd;
use chotdon_domain::order::Outcome;
use chotdon_domain::task::Lane;
use serde_json::json;

use crate::{
    Aftermath, Claim, Claimed, Error, Failure, FailureFilterRow, Incoming, MailIntent, NewLink, NewOrderRow,
    Settled, Settlement, Source, StageResult, Store,
};

const NOW: i64 = 1_790_000_000_000;

struct Bench {
    store: Store,
    _dir: tempfile::TempDir,
}

async fn bench() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    Bench { store, _dir: dir }
}

impl Bench {
    async fn course(&self, slug: &str, ready: bool) {
        let slug = slug.to_owned();
        self.store
            .writer
            .run(move |tx| {
                let slug = slug.clone();
                Box::pin(async move {
                    sqlx::query(
                        "INSERT INTO course (slug, title, price_vnd, source, target, ready, created_at, updated_at) \
                           VALUES ($1, $1, 499000, '{}', '{}', $2, 0, 0); \
                         INSERT INTO course_version SELECT id, 1, '[]', '{}', 0, 0 FROM course WHERE slug = $1 AND $2 = 1",
                    )
                    .bind(slug)
                    .bind(ready)
                    .execute(&mut tx.conn)
                    .await?;
                    Ok(())
                })
            })
            .await
            .unwrap();
    }

    async fn order(&self, courses: &[&str]) -> String {
        self.store
            .create_order(NewOrderRow {
                email: "Lan@example.com".into(),
                name: "Trần Thị Lan".into(),
                phone: None,
                courses: courses.iter().map(|slug| (*slug).to_owned()).collect(),
                prio: 2,
                note: String::new(),
                channel: "owner",
                actor: "owner".into(),
                expires_at: NOW + 86_400_000,
                now: NOW,
                pay_from_wallet: false,
                idempotency: None,
            })
            .await
            .unwrap()
            .code
    }

    async fn pay(&self, id: i64, amount: i64, content: &str) -> crate::Answer {
        self.store.take_in(incoming(id, amount, content)).await.unwrap()
    }

    async fn claim(&self, lane: Lane) -> Vec<Claimed> {
        self.store
            .claim(Claim {
                lane,
                limit: 10,
                oldest_first: false,
                owner: "boot".into(),
                now: NOW,
                until: NOW + 30_000,
            })
            .await
            .unwrap()
    }

    async fn settle(&self, task: &Claimed, result: StageResult, aftermath: Aftermath) -> Settled {
        let settlement = Settlement {
            task: task.id,
            epoch: task.epoch,
            stage: task.stage.clone(),
            result,
            aftermath,
            now: NOW + 1,
        };
        self.store.settle(settlement).await.unwrap()
    }

    async fn script(&self, sql: &'static str) {
        let run = self.store.writer.run(move |tx| {
            Box::pin(async move {
                sqlx::query(sql).execute(&mut tx.conn).await?;
                Ok(())
            })
        });
        run.await.unwrap();
    }

    async fn number(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.store.reader).await.unwrap()
    }

    async fn text(&self, sql: &'static str) -> String {
        sqlx::query_scalar(sql).fetch_one(&self.store.reader).await.unwrap()
    }

    async fn sound(&self) {
        assert_eq!(self.store.verify().await.unwrap().problems, Vec::<String>::new());
    }
}

pub(crate) fn incoming(id: i64, amount: i64, content: &str) -> Incoming {
    Incoming {
        sepay_id: id,
        source: Source::Webhook,
        received_at: NOW,
        body: json!({ "id": id, "content": content, "amount": amount }).to_string(),
        direction: Direction::In,
        amount: Vnd::new(amount).unwrap(),
        gateway: "MBBank".into(),
        account: "0900000699".into(),
        sub_account: String::new(),
        code: String::new(),
        content: content.into(),
        description: String::new(),
        reference: "FT1".into(),
        booked_at: None,
        accumulated: None,
    }
}

fn share(order: i64) -> Aftermath {
    Aftermath::Shared {
        order,
        links: vec![NewLink {
            id: 77,
            item: 1,
            course: 1,
            version: 1,
            url: "http://x/d/t".into(),
            expires_at: NOW + 1000,
            max_downloads: 3,
            access_until: None,
        }],
        given: Vec::new(),
        mail: MailIntent {
            message_id: "m1".into(),
            recipient: "lan@example.com".into(),
            subject: "s".into(),
        },
    }
}

fn failure(code: &str) -> Failure {
    Failure { class: "permanent", code: code.into(), detail: "HTTP 404".into(), started: NOW }
}

#[tokio::test]
async fn a_transfer_settles_its_order_and_queues_the_delivery() {
    let bench = bench().await;
    bench.course("rust", true).await;
    let code = bench.order(&["rust"]).await;
    let answer = bench.pay(1, 499_000, &format!("thanh toan {code}")).await;
    assert_eq!((answer.outcome, answer.order.as_deref()), (Outcome::Paid, Some(code.as_str())));

    let task = bench.claim(Lane::Order).await.remove(0);
    assert_eq!((task.stage.as_str(), task.attempt, task.epoch), ("share", 1, 1));
    assert_eq!(bench.text("SELECT stage FROM orders").await, "processing");
    let next = StageResult::Checkpoint { next: "mail".into(), output: "{}".into() };
    assert_eq!(bench.settle(&task, next, share(1)).await, Settled::Accepted);
    let delivered =
        Aftermath::Delivered { order: 1, message_id: "m1".into(), reference: "250 queued".into() };
    assert_eq!(
        bench.settle(&task, StageResult::Done { output: "{}".into() }, delivered).await,
        Settled::Accepted
    );
    assert_eq!(bench.text("SELECT stage FROM orders").await, "completed");
    assert_eq!(bench.text("SELECT delivery FROM order_item").await, "delivered");
    bench.sound().await;
}

#[tokio::test]
async fn one_event_counts_once_however_often_it_comes() {
    let bench = bench().await;
    bench.course("rust", true).await;
    let code = bench.order(&["rust"]).await;
    let answers =
        futures::future::join_all((0..300).map(|_| bench.store.take_in(incoming(9, 499_000, &code)))).await;
    let paid = answers.iter().filter(|answer| answer.as_ref().unwrap().outcome == Outcome::Paid).count();
    assert_eq!(paid, 1);
    assert_eq!(bench.number("SELECT repeats FROM sepay_event").await, 299);
    assert_eq!(bench.number("SELECT paid_vnd FROM orders").await, 499_000);
    bench.sound().await;
}

#[tokio::test]
async fn the_same_id_with_another_body_changes_nothing_and_is_told() {
    let bench = bench().await;
    bench.pay(5, 10_000, "x").await;
    let again = bench.pay(5, 99_000, "x").await;
    assert!(again.different_body && again.outcome == Outcome::Duplicate);
    assert_eq!(bench.number("SELECT balance_vnd FROM bucket WHERE name = 'in'").await, 10_000);
    assert_eq!(bench.number("SELECT count(*) FROM notice WHERE kind = 'different_body'").await, 1);
    bench.sound().await;
}

#[tokio::test]
async fn money_without_a_home_is_kept_as_unmatched() {
    let bench = bench().await;
    assert_eq!(bench.pay(1, 38, "NODATA").await.outcome, Outcome::Unmatched);
    assert_eq!(bench.text("SELECT reason FROM transfer").await, "no_code");
    assert_eq!(bench.number("SELECT balance_vnd FROM bucket WHERE name = 'unmatched'").await, 38);
    bench.sound().await;
}

#[tokio::test]
async fn a_hundred_buyers_share_one_preparation() {
    let bench = bench().await;
    bench.course("rust", false).await;
    for id in 1..=100 {
        let code = bench.order(&["rust"]).await;
        bench.pay(id, 499_000, &code).await;
    }
    assert_eq!(bench.number("SELECT count(*) FROM task WHERE kind = 'prepare_course'").await, 1);
    assert!(bench.claim(Lane::Order).await.is_empty(), "no delivery starts before the course is there");
    let mut prepare = bench.claim(Lane::Course).await.remove(0);
    for next in ["upload", "verify"] {
        let checkpoint = StageResult::Checkpoint { next: next.into(), output: "{}".into() };
        assert_eq!(bench.settle(&prepare, checkpoint, Aftermath::None).await, Settled::Accepted);
        prepare.stage = next.into();
    }
    let prepared =
        Aftermath::Prepared { course: 1, version: 1, manifest: "[]".into(), location: "{}".into(), bytes: 0 };
    bench.settle(&prepare, StageResult::Done { output: "{}".into() }, prepared).await;
    assert_eq!(bench.number("SELECT count(*) FROM task WHERE lane = 'order' AND state = 'ready'").await, 100);
    bench.sound().await;
}

#[tokio::test]
async fn a_stale_worker_changes_nothing() {
    let bench = bench().await;
    bench.course("rust", true).await;
    let code = bench.order(&["rust"]).await;
    bench.pay(1, 499_000, &code).await;
    let old = bench.claim(Lane::Order).await.remove(0);
    assert_eq!(bench.store.reclaim("another boot", NOW).await.unwrap(), 1);
    let new = bench.claim(Lane::Order).await.remove(0);
    assert!(new.epoch > old.epoch);
    let late = StageResult::Checkpoint { next: "mail".into(), output: "{}".into() };
    assert_eq!(bench.settle(&old, late.clone(), share(1)).await, Settled::Stale);
    assert_eq!(bench.number("SELECT count(*) FROM link").await, 0);
    assert_eq!(bench.settle(&new, late, share(1)).await, Settled::Accepted);
}

#[tokio::test]
async fn two_results_for_one_lease_in_one_commit_are_one_result() {
    let bench = bench().await;
    bench.course("rust", true).await;
    let code = bench.order(&["rust"]).await;
    bench.pay(1, 499_000, &code).await;
    let task = bench.claim(Lane::Order).await.remove(0);
    let both = futures::future::join_all((0..8).map(|_| {
        bench.settle(&task, StageResult::Failed { error: failure("mail_refused") }, Aftermath::GivenUp)
    }))
    .await;
    assert_eq!(both.iter().filter(|settled| **settled == Settled::Accepted).count(), 1);
    assert_eq!(bench.number("SELECT count(*) FROM attempt").await, 1);
}

#[tokio::test]
async fn a_failure_takes_its_orders_with_it_and_a_retry_brings_them_back() {
    let bench = bench().await;
    bench.course("rust", false).await;
    let code = bench.order(&["rust"]).await;
    bench.pay(1, 499_000, &code).await;
    let prepare = bench.claim(Lane::Course).await.remove(0);
    assert_eq!(bench.text("SELECT stage FROM orders").await, "processing");
    bench
        .settle(&prepare, StageResult::Failed { error: failure("source_not_found") }, Aftermath::GivenUp)
        .await;
    assert_eq!(bench.text("SELECT stage FROM orders").await, "failed");
    assert_eq!(
        bench.text("SELECT err_group FROM task WHERE state = 'failed'").await,
        "prepare_course:fetch:source_not_found"
    );
    assert_eq!(bench.claim(Lane::Owner).await.len(), 1);

    let all = FailureFilterRow::default();
    assert_eq!(bench.store.retry_failed(&all, true, "owner", NOW).await.unwrap().matched, 1);
    assert_eq!(bench.text("SELECT stage FROM orders").await, "failed", "a dry run changes nothing");
    assert_eq!(bench.store.retry_failed(&all, false, "owner", NOW).await.unwrap().retried, 1);
    assert_eq!(bench.text("SELECT stage FROM orders").await, "processing");
    let again = bench.claim(Lane::Course).await.remove(0);
    assert_eq!((again.attempt, again.stage.as_str()), (1, "fetch"));
    assert!(again.epoch > prepare.epoch);
    bench.sound().await;
}

#[tokio::test]
async fn retry_from_an_earlier_stage_forgets_the_checkpoints_after_it() {
    let bench = bench().await;
    bench.course("rust", false).await;
    let code = bench.order(&["rust"]).await;
    bench.pay(1, 499_000, &code).await;
    let mut task = bench.claim(Lane::Course).await.remove(0);
    let checkpoint = StageResult::Checkpoint { next: "upload".into(), output: "{}".into() };
    bench.settle(&task, checkpoint, Aftermath::None).await;
    task.stage = "upload".into();
    bench.settle(&task, StageResult::Failed { error: failure("disk_full") }, Aftermath::GivenUp).await;
    bench.store.retry_task(task.id, None, "owner", NOW).await.unwrap();
    assert_eq!(bench.text("SELECT stage FROM task WHERE kind = 'prepare_course'").await, "upload");
    let running = bench.claim(Lane::Course).await.remove(0);
    bench.settle(&running, StageResult::Failed { error: failure("disk_full") }, Aftermath::GivenUp).await;
    bench.store.retry_task(task.id, Some("fetch"), "owner", NOW).await.unwrap();
    assert_eq!(bench.number("SELECT count(*) FROM task_stage").await, 0);
    let nonsense = bench.store.retry_task(task.id, Some("teleport"), "owner", NOW).await;
    assert!(matches!(nonsense, Err(Error::Conflict(_) | Error::Invalid(_))), "{nonsense:?}");
}

#[tokio::test]
async fn the_most_urgent_goes_first_and_the_oldest_still_gets_its_turn() {
    let bench = bench().await;
    bench.course("rust", true).await;
    for id in 1..=3 {
        let code = bench.order(&["rust"]).await;
        bench.pay(id, 499_000, &code).await;
    }
    bench.store.set_priority(3, true, "owner", NOW).await.unwrap();
    let mut claim = Claim {
        lane: Lane::Order,
        limit: 1,
        oldest_first: false,
        owner: "b".into(),
        now: NOW,
        until: NOW + 1,
    };
    assert_eq!(bench.store.claim(claim.clone()).await.unwrap()[0].id, 3);
    claim.oldest_first = true;
    assert_eq!(bench.store.claim(claim).await.unwrap()[0].id, 1);
}

#[tokio::test]
async fn a_refused_unit_leaves_its_neighbours_alone() {
    let bench = bench().await;
    bench.course("rust", true).await;
    let code = bench.order(&["rust"]).await;
    let (nothing, paid) = tokio::join!(
        bench.store.cancel_order("DH000000", "x", "owner", NOW),
        bench.store.take_in(incoming(1, 499_000, &code))
    );
    assert!(matches!(nothing, Err(Error::NotFound(_))) || code == "DH000000");
    assert_eq!(paid.unwrap().outcome, Outcome::Paid);
}

#[tokio::test]
async fn the_ledger_cannot_be_rewritten_and_a_forced_change_is_found() {
    let bench = bench().await;
    bench.pay(1, 10_000, "x").await;
    let forced = bench
        .store
        .writer
        .run(|tx| {
            Box::pin(async move {
                sqlx::query("UPDATE ledger SET amount_vnd = 1").execute(&mut tx.conn).await?;
                Ok(())
            })
        })
        .await;
    assert!(forced.is_err());
    bench
        .store
        .writer
        .run(|tx| {
            Box::pin(async move {
                sqlx::query("DROP TRIGGER ledger_no_update; UPDATE ledger SET amount_vnd = 1")
                    .execute(&mut tx.conn)
                    .await?;
                Ok(())
            })
        })
        .await
        .unwrap();
    assert!(
        bench.store.verify().await.unwrap().problems.iter().any(|problem| problem.contains("was changed"))
    );
}

#[tokio::test]
async fn an_idempotent_call_answers_alike_and_refuses_another_request() {
    let bench = bench().await;
    bench.course("rust", true).await;
    let mut row = NewOrderRow {
        email: "a@b.vn".into(),
        name: String::new(),
        phone: None,
        courses: vec!["rust".into()],
        prio: 2,
        note: String::new(),
        channel: "storefront",
        actor: "storefront:web".into(),
        expires_at: NOW + 1,
        now: NOW,
        pay_from_wallet: false,
        idempotency: Some(crate::Idempotency {
            scope: "web".into(),
            key: "k".into(),
            request_hash: "h".into(),
        }),
    };
    let first = bench.store.create_order(row.clone()).await.unwrap();
    let second = bench.store.create_order(row.clone()).await.unwrap();
    assert_eq!((first.code.clone(), true), (second.code, second.replayed));
    row.idempotency.as_mut().unwrap().request_hash = "other".into();
    assert!(matches!(bench.store.create_order(row).await, Err(Error::Conflict(_))));
}

#[tokio::test]
async fn unpaid_orders_expire_and_late_money_is_flagged() {
    let bench = bench().await;
    bench.course("rust", true).await;
    let code = bench.order(&["rust"]).await;
    assert_eq!(bench.store.expire_orders(NOW).await.unwrap(), (0, Some(NOW + 86_400_000)));
    assert_eq!(bench.store.expire_orders(NOW + 86_400_000).await.unwrap(), (1, None));
    assert_eq!(bench.pay(1, 499_000, &code).await.outcome, Outcome::Late);
    assert_eq!(bench.number("SELECT count(*) FROM task").await, 0);
    bench.sound().await;
}

#[tokio::test]
async fn a_refund_takes_the_delivery_out_of_a_workers_hands() {
    let bench = bench().await;
    bench.course("rust", true).await;
    let code = bench.order(&["rust"]).await;
    bench.pay(1, 499_000, &code).await;
    let running = bench.claim(Lane::Order).await.remove(0);
    let stopped = bench.store.refund(&code, None, "r", "owner", NOW).await.unwrap();
    assert_eq!(stopped, [running.id]);
    let late = StageResult::Checkpoint { next: "mail".into(), output: "{}".into() };
    assert_eq!(bench.settle(&running, late, share(1)).await, Settled::Stale);
    assert_eq!(bench.number("SELECT count(*) FROM link").await, 0, "and nobody gets access");
    assert_eq!(bench.text("SELECT stage FROM orders").await, "refunded");
    bench.sound().await;
}

#[tokio::test]
async fn a_part_given_back_leaves_the_delivery_alone() {
    let bench = bench().await;
    bench.course("rust", true).await;
    let code = bench.order(&["rust"]).await;
    bench.pay(1, 509_000, &code).await;
    assert_eq!(bench.store.refund(&code, Some(10_000), "r", "owner", NOW).await.unwrap(), Vec::<i64>::new());
    let running = bench.claim(Lane::Order).await.remove(0);
    let late = StageResult::Checkpoint { next: "mail".into(), output: "{}".into() };
    assert_eq!(bench.settle(&running, late, share(1)).await, Settled::Accepted);
    assert_eq!(bench.number("SELECT flags FROM orders").await, 0, "what was over is gone");
    bench.sound().await;
}

#[tokio::test]
async fn an_order_that_the_wallet_does_not_cover_is_not_created() {
    let bench = bench().await;
    bench.course("rust", true).await;
    bench.order(&["rust"]).await;
    let mut row = NewOrderRow {
        email: "lan@example.com".into(),
        name: String::new(),
        phone: None,
        courses: vec!["rust".into()],
        prio: 2,
        note: String::new(),
        channel: "storefront",
        actor: "storefront:web".into(),
        expires_at: NOW + 1,
        now: NOW,
        pay_from_wallet: true,
        idempotency: Some(crate::Idempotency {
            scope: "web".into(),
            key: "k".into(),
            request_hash: "h".into(),
        }),
    };
    bench.store.adjust_wallet(1, 498_999, "r", "owner", NOW).await.unwrap();
    let refused = bench.store.create_order(row.clone()).await;
    assert!(matches!(refused, Err(Error::Refused { code: "insufficient_funds", .. })), "{refused:?}");
    assert_eq!(bench.number("SELECT count(*) FROM orders").await, 1);
    bench.store.adjust_wallet(1, 1, "r", "owner", NOW).await.unwrap();
    row.expires_at = NOW + 1_000;
    // The key is free: the refused call left nothing. A call that is repeated pays once.
    let made = bench.store.create_order(row.clone()).await.unwrap();
    let again = bench.store.create_order(row).await.unwrap();
    assert_eq!((again.code, again.replayed), (made.code, true));
    assert_eq!(bench.number("SELECT wallet_vnd FROM customer").await, 0);
    assert_eq!(bench.number("SELECT count(*) FROM task WHERE kind = 'deliver_order'").await, 1);
    bench.sound().await;
}

#[tokio::test]
async fn a_database_that_is_open_does_not_become_one_file_and_one_that_was_closed_does() {
    let Bench { store, _dir: dir } = bench().await;
    let file = dir.path().join("shop.db");
    assert!(matches!(Store::into_one_file(&file).await, Err(Error::Unavailable(_))));
    assert!(file.with_extension("db-wal").exists());
    store.close().await;
    Store::into_one_file(&file).await.unwrap();
    assert!(!file.with_extension("db-wal").exists());
}
