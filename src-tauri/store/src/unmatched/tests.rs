//! Transfers placed by hand, on a real file.

use chotdon_domain::matching::Direction;
use chotdon_domain::money::Vnd;
use chotdon_domain::order::Outcome;
use chotdon_domain::task::Lane;
use serde_json::json;

use super::{Credit, Hand};
use crate::read::Suggested;
use crate::{Claim, Error, Incoming, NewOrderRow, Result, Source, Store};

const NOW: i64 = 1_790_000_000_000;
const HOLD: i64 = 10_000;
const DAY: i64 = 86_400_000;

struct Bench {
    store: Store,
    _dir: tempfile::TempDir,
}

fn hand(now: i64) -> Hand {
    Hand { actor: "owner".into(), hold_ms: HOLD, now }
}

fn code_of<T>(result: Result<T>) -> &'static str {
    match result {
        Err(Error::Refused { code, .. }) => code,
        Err(Error::NotFound(_)) => "not_found",
        Err(other) => panic!("{other}"),
        Ok(_) => "fine",
    }
}

impl Bench {
    async fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let bench = Self { store, _dir: dir };
        bench
            .run(
                "INSERT INTO course (slug, title, price_vnd, source, target, ready, created_at, updated_at) \
                   VALUES ('a', 'A', 499000, '{}', '{}', 1, 0, 0); \
                 INSERT INTO course_version SELECT id, 1, '[]', '{}', 0, 0 FROM course",
            )
            .await;
        bench
    }

    async fn run(&self, sql: &'static str) {
        let ran = self.store.writer.run(move |tx| {
            Box::pin(async move {
                sqlx::query(sql).execute(&mut tx.conn).await?;
                Ok(())
            })
        });
        ran.await.unwrap();
    }

    fn new_order(email: &str, name: &str) -> NewOrderRow {
        NewOrderRow {
            email: email.into(),
            name: name.into(),
            courses: vec!["a".into()],
            prio: 2,
            channel: "owner",
            actor: "owner".into(),
            expires_at: NOW + DAY,
            now: NOW,
            phone: None,
            note: String::new(),
            pay_from_wallet: false,
            idempotency: None,
        }
    }

    async fn order(&self) -> String {
        self.store.create_order(Self::new_order("lan@example.com", "Trần Thị Lan")).await.unwrap().code
    }

    /// A transfer that nothing in the shop answers to; its id.
    async fn stray(&self, sepay_id: i64, amount: i64, content: &str) -> i64 {
        let incoming = Incoming {
            sepay_id,
            source: Source::Webhook,
            received_at: NOW + 60_000,
            body: json!({ "id": sepay_id, "content": content }).to_string(),
            direction: Direction::In,
            amount: Vnd::new(amount).unwrap(),
            gateway: "MBBank".into(),
            account: String::new(),
            sub_account: String::new(),
            code: String::new(),
            content: content.into(),
            description: String::new(),
            reference: "FT1".into(),
            booked_at: None,
            accumulated: None,
        };
        assert_eq!(self.store.take_in(incoming).await.unwrap().outcome, Outcome::Unmatched);
        self.number(&format!("SELECT id FROM transfer WHERE sepay_id = {sepay_id}")).await
    }

    async fn number(&self, sql: &str) -> i64 {
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_one(&self.store.reader).await.unwrap()
    }

    async fn text(&self, sql: &str) -> String {
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_one(&self.store.reader).await.unwrap()
    }

    async fn stage(&self, code: &str) -> (String, i64, i64) {
        sqlx::query_as("SELECT stage, paid_vnd, flags FROM orders WHERE code = $1")
            .bind(code)
            .fetch_one(&self.store.reader)
            .await
            .unwrap()
    }

    async fn unmatched(&self) -> i64 {
        self.number("SELECT balance_vnd FROM bucket WHERE name = 'unmatched'").await
    }

    /// Claims what is ready at `now`, as the pool does.
    async fn claimed(&self, now: i64) -> usize {
        self.store.promote(now).await.unwrap();
        let claim = Claim {
            lane: Lane::Order,
            limit: 10,
            oldest_first: false,
            owner: "boot".into(),
            now,
            until: now + 30_000,
        };
        self.store.claim(claim).await.unwrap().len()
    }

    async fn sound(&self) {
        assert_eq!(self.store.verify().await.unwrap().problems, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_match_settles_the_order_and_holds_its_delivery() {
    let bench = Bench::open().await;
    let code = bench.order().await;
    let id = bench.stray(1, 499_000, "dh 12o45 cam on").await;
    bench.store.match_transfer(id, &code.to_lowercase(), hand(NOW + 120_000)).await.unwrap();

    assert_eq!(bench.stage(&code).await, ("paid".into(), 499_000, 0));
    assert_eq!(bench.unmatched().await, 0);
    let transfer = bench.store.transfer(id).await.unwrap().unwrap();
    assert_eq!((transfer.state.as_str(), transfer.level.as_deref()), ("order", Some("manual")));
    assert_eq!(transfer.order_code.as_deref(), Some(code.as_str()));
    let placing = bench.store.placing(id, NOW + 120_000).await.unwrap();
    assert!(placing.undoable && !placing.waiting);
    assert_eq!(placing.undo_until, Some(NOW + 120_000 + HOLD));
    let told =
        bench.text("SELECT group_concat(kind, ' ') FROM (SELECT kind FROM timeline ORDER BY id)").await;
    assert_eq!(told, "created transfer matched course_ready");
    assert_eq!(
        bench.text("SELECT action || ' ' || subject FROM audit ORDER BY id DESC LIMIT 1").await,
        "transfer.match transfer:1"
    );

    assert_eq!(bench.claimed(NOW + 120_000 + HOLD - 1).await, 0, "held");
    assert_eq!(bench.claimed(NOW + 120_000 + HOLD).await, 1);
    bench.sound().await;
}

#[tokio::test]
async fn an_undone_match_leaves_the_order_as_it_was_and_can_be_made_again() {
    let bench = Bench::open().await;
    let code = bench.order().await;
    let id = bench.stray(1, 499_000, "nothing").await;
    for round in 0..3 {
        let now = NOW + 120_000 + round * 1000;
        bench.store.match_transfer(id, &code, hand(now)).await.unwrap();
        bench.store.undo_transfer(id, hand(now + 500)).await.unwrap();
        assert_eq!(bench.stage(&code).await, ("pending".into(), 0, 0));
        assert_eq!(bench.unmatched().await, 499_000);
        assert_eq!(bench.number("SELECT count(*) FROM orders WHERE paid_at IS NOT NULL").await, 0);
        assert_eq!(bench.number("SELECT coalesce(sum(paid), 0) FROM hour_stat").await, 0);
        assert_eq!(code_of(bench.store.undo_transfer(id, hand(now + 600)).await), "nothing_to_undo");
    }
    assert_eq!(bench.claimed(NOW + DAY).await, 0, "no delivery of an undone match is left");
    assert_eq!(bench.number("SELECT count(*) FROM ledger WHERE reverses IS NOT NULL").await, 3);
    bench.sound().await;
    bench.store.match_transfer(id, &code, hand(NOW + 200_000)).await.unwrap();
    assert_eq!(bench.claimed(NOW + 200_000 + HOLD).await, 1);
    bench.sound().await;
}

#[tokio::test]
async fn a_match_cannot_be_undone_once_its_delivery_has_begun() {
    let bench = Bench::open().await;
    let code = bench.order().await;
    let id = bench.stray(1, 499_000, "nothing").await;
    bench.store.match_transfer(id, &code, hand(NOW)).await.unwrap();
    bench.store.promote(NOW + HOLD).await.unwrap();
    assert!(bench.store.placing(id, NOW).await.unwrap().undoable, "ready is not begun");
    assert_eq!(bench.claimed(NOW + HOLD).await, 1);
    assert!(!bench.store.placing(id, NOW + HOLD).await.unwrap().undoable);
    assert_eq!(code_of(bench.store.undo_transfer(id, hand(NOW + HOLD + 1)).await), "already_delivered");
    assert_eq!(bench.stage(&code).await.1, 499_000, "nothing has moved");
    bench.sound().await;
}

#[tokio::test]
async fn money_on_top_of_a_delivered_order_can_be_taken_off_again() {
    let bench = Bench::open().await;
    let code = bench.order().await;
    let first = bench.stray(1, 499_000, "nothing").await;
    let second = bench.stray(2, 499_000, "nothing again").await;
    bench.store.match_transfer(first, &code, hand(NOW)).await.unwrap();
    assert_eq!(bench.claimed(NOW + HOLD).await, 1);
    bench.store.match_transfer(second, &code, hand(NOW + HOLD)).await.unwrap();
    let flags = bench.stage(&code).await.2;
    assert_eq!(flags, 2 + 8, "overpaid, paid twice");
    assert_eq!(bench.claimed(NOW + DAY).await, 0, "a second payment never delivers again");
    assert!(bench.store.placing(second, NOW).await.unwrap().undoable);
    bench.store.undo_transfer(second, hand(NOW + HOLD + 5)).await.unwrap();
    let (_, paid, flags) = bench.stage(&code).await;
    assert_eq!((paid, flags), (499_000, 0));
    assert_eq!(code_of(bench.store.undo_transfer(first, hand(NOW + HOLD + 6)).await), "already_delivered");
    bench.sound().await;
}

#[tokio::test]
async fn of_two_owners_one_places_the_transfer_and_the_other_is_told() {
    let bench = Bench::open().await;
    let (one, other) = (bench.order().await, bench.order().await);
    let id = bench.stray(1, 499_000, "nothing").await;
    let (first, second, third) = tokio::join!(
        bench.store.match_transfer(id, &one, hand(NOW)),
        bench.store.match_transfer(id, &other, hand(NOW)),
        bench.store.set_transfer_aside(id, "of my own", hand(NOW)),
    );
    let mut codes = [code_of(first), code_of(second), code_of(third)];
    codes.sort_unstable();
    assert_eq!(codes, ["already_matched", "already_matched", "fine"]);
    assert_eq!(bench.number("SELECT count(*) FROM ledger").await, 2);
    bench.sound().await;
}

#[tokio::test]
async fn a_part_that_is_matched_leaves_the_order_waiting_and_the_rest_settles_it() {
    let bench = Bench::open().await;
    let code = bench.order().await;
    let part = bench.stray(1, 100_000, "nothing").await;
    let rest = bench.stray(2, 399_000, "nothing").await;
    bench.store.match_transfer(part, &code, hand(NOW)).await.unwrap();
    assert_eq!(bench.stage(&code).await, ("pending".into(), 100_000, 1));
    assert_eq!(bench.store.placing(part, NOW).await.unwrap().undo_until, None);
    bench.store.match_transfer(rest, &code, hand(NOW + 1)).await.unwrap();
    assert_eq!(bench.stage(&code).await, ("paid".into(), 499_000, 0));
    // Without the first part the order is not covered either.
    bench.store.undo_transfer(part, hand(NOW + 2)).await.unwrap();
    assert_eq!(bench.stage(&code).await, ("pending".into(), 399_000, 1));
    assert_eq!(bench.claimed(NOW + DAY).await, 0);
    bench.sound().await;
}

#[tokio::test]
async fn money_that_came_in_time_is_not_late_because_the_owner_was() {
    let bench = Bench::open().await;
    let code = bench.order().await;
    let id = bench.stray(1, 499_000, "nothing").await;
    bench.store.expire_orders(NOW + 2 * DAY).await.unwrap();
    assert_eq!(bench.stage(&code).await.0, "expired");
    bench.store.match_transfer(id, &code, hand(NOW + 2 * DAY)).await.unwrap();
    assert_eq!(bench.stage(&code).await, ("paid".into(), 499_000, 0));
    bench.store.undo_transfer(id, hand(NOW + 2 * DAY + 1)).await.unwrap();
    assert_eq!(bench.stage(&code).await, ("expired".into(), 0, 0));

    bench.run("UPDATE orders SET expires_at = 1").await;
    bench.store.match_transfer(id, &code, hand(NOW + 2 * DAY + 2)).await.unwrap();
    assert_eq!(bench.stage(&code).await, ("expired".into(), 499_000, 4), "late is late");
    assert_eq!(bench.claimed(NOW + 9 * DAY).await, 0);
    bench.sound().await;
}

#[tokio::test]
async fn a_wallet_is_credited_and_the_credit_taken_back_while_it_is_there() {
    let bench = Bench::open().await;
    let id = bench.stray(1, 80_000, "nap tien").await;
    let to = Credit::Email { email: "Minh@Example.com".into(), name: "Phạm Minh".into() };
    bench.store.credit_transfer(id, to, hand(NOW)).await.unwrap();
    let customer = bench
        .number("SELECT id FROM customer WHERE email_key = 'minh@example.com' AND wallet_vnd = 80000")
        .await;
    bench.sound().await;
    bench.store.undo_transfer(id, hand(NOW + 1)).await.unwrap();
    assert_eq!(bench.unmatched().await, 80_000);
    assert_eq!(code_of(bench.store.credit_transfer(id, Credit::Customer(99), hand(NOW)).await), "not_found");
    bench.store.credit_transfer(id, Credit::Customer(customer), hand(NOW + 2)).await.unwrap();
    bench.store.adjust_wallet(customer, -80_000, "spent", "owner", NOW + 3).await.unwrap();
    assert_eq!(code_of(bench.store.undo_transfer(id, hand(NOW + 4)).await), "insufficient_funds");
    bench.sound().await;
}

#[tokio::test]
async fn who_gets_the_credit_after_a_mistake_is_told_by_a_mail_of_their_own() {
    let bench = Bench::open().await;
    let id = bench.stray(1, 80_000, "nap tien").await;
    let to = |email: &str| Credit::Email { email: email.into(), name: String::new() };
    let told = "SELECT id FROM task WHERE kind = 'mail_customer' AND dedupe_key = 'mail:topup:1'";
    bench.store.credit_transfer(id, to("wrong@example.com"), hand(NOW)).await.unwrap();
    let first = bench.number(told).await;
    let wrong = bench.store.mail_case(first).await.unwrap().unwrap();
    bench.run("UPDATE task SET state = 'done' WHERE kind = 'mail_customer'").await;
    bench.store.undo_transfer(id, hand(NOW + HOLD + 1)).await.unwrap();
    bench.store.credit_transfer(id, to("right@example.com"), hand(NOW + HOLD + 2)).await.unwrap();
    let right = bench.store.mail_case(bench.number(told).await).await.unwrap().unwrap();
    assert_eq!((wrong.email.as_str(), right.email.as_str()), ("wrong@example.com", "right@example.com"));
    assert_ne!(wrong.key, right.key, "the second mail has a Message-ID of its own");
}

#[tokio::test]
async fn an_order_is_made_of_a_transfer_or_nothing_is() {
    let bench = Bench::open().await;
    let id = bench.stray(1, 500_000, "khoa hoc a").await;
    let unknown = NewOrderRow { courses: vec!["b".into()], ..Bench::new_order("lan@example.com", "Lan") };
    assert_eq!(code_of(bench.store.order_from_transfer(id, unknown, hand(NOW)).await), "not_found");
    assert_eq!(bench.number("SELECT count(*) FROM customer").await, 0);
    let order = Bench::new_order("lan@example.com", "Lan");
    let code = bench.store.order_from_transfer(id, order.clone(), hand(NOW)).await.unwrap();
    assert_eq!(bench.stage(&code).await, ("paid".into(), 500_000, 2));
    assert_eq!(code_of(bench.store.order_from_transfer(id, order, hand(NOW)).await), "already_matched");
    assert_eq!(bench.number("SELECT count(*) FROM orders").await, 1);
    bench.store.undo_transfer(id, hand(NOW + 1)).await.unwrap();
    assert_eq!(bench.stage(&code).await, ("pending".into(), 0, 0));
    bench.sound().await;
}

#[tokio::test]
async fn what_is_set_aside_keeps_its_reason_and_comes_back() {
    let bench = Bench::open().await;
    let id = bench.stray(1, 70_000, "lai tiet kiem").await;
    let nothing = bench.stray(2, 0, "kiem tra").await;
    bench.store.set_transfer_aside(id, "my own money", hand(NOW)).await.unwrap();
    bench.store.set_transfer_aside(nothing, "a test", hand(NOW)).await.unwrap();
    assert_eq!(bench.number("SELECT balance_vnd FROM bucket WHERE name = 'set_aside'").await, 70_000);
    assert_eq!(bench.store.transfer(id).await.unwrap().unwrap().note.as_deref(), Some("my own money"));
    bench.sound().await;
    for id in [id, nothing] {
        bench.store.undo_transfer(id, hand(NOW + 1)).await.unwrap();
    }
    assert_eq!(bench.unmatched().await, 70_000);
    let code = bench.order().await;
    assert_eq!(code_of(bench.store.match_transfer(nothing, &code, hand(NOW)).await), "nothing_to_move");
    assert_eq!(code_of(bench.store.match_transfer(id, "DH999999", hand(NOW)).await), "not_found");
    assert_eq!(code_of(bench.store.match_transfer(77, &code, hand(NOW)).await), "not_found");
    bench.sound().await;
}

#[tokio::test]
async fn the_notice_about_unmatched_transfers_is_over_with_the_last_one() {
    let bench = Bench::open().await;
    let open = "SELECT count(*) FROM notice WHERE merge_key = 'unmatched' AND state <> 'resolved'";
    let (one, two) = (bench.stray(1, 70_000, "x").await, bench.stray(2, 80_000, "y").await);
    assert_eq!(bench.number(open).await, 1, "one notice for both");
    bench.store.set_transfer_aside(one, "mine", hand(NOW)).await.unwrap();
    assert_eq!(bench.number(open).await, 1);
    bench.store.set_transfer_aside(two, "mine", hand(NOW)).await.unwrap();
    assert_eq!(bench.number(open).await, 0);
}

#[tokio::test]
async fn a_transfer_is_decided_anew_against_the_orders_of_today() {
    let bench = Bench::open().await;
    let id = bench.stray(5, 499_000, "thanh toan DH123456").await;
    assert_eq!(bench.store.reprocess(5, hand(NOW)).await.unwrap(), (Outcome::Unmatched, None));
    let code = bench.order().await;
    bench.run("UPDATE orders SET code = 'DH123456'").await;
    let again = bench.store.reprocess(5, hand(NOW + 60_000)).await.unwrap();
    assert_eq!(again, (Outcome::Paid, Some("DH123456".into())), "once {code}");
    let transfer = bench.store.transfer(id).await.unwrap().unwrap();
    assert_eq!(transfer.level.as_deref(), Some("exact"));
    assert_eq!(code_of(bench.store.undo_transfer(id, hand(NOW)).await), "nothing_to_undo");
    assert_eq!(
        bench.store.reprocess(5, hand(NOW)).await.unwrap().1.as_deref(),
        Some("DH123456"),
        "once only"
    );
    assert_eq!(bench.claimed(NOW + 60_000).await, 1, "delivered at once");
    assert_eq!(code_of(bench.store.reprocess(6, hand(NOW)).await), "not_found");
    bench.sound().await;
}

#[tokio::test]
async fn an_order_with_a_code_like_the_typed_one_is_suggested_and_never_matched_by_itself() {
    let bench = Bench::open().await;
    bench.order().await;
    bench.run("UPDATE orders SET code = 'DH120456'").await;
    for (sepay_id, content) in
        [(1, "dh 12o456 cam on"), (2, "dh 12o45 cam on"), (3, "TRAN THI LAN chuyen tien")]
    {
        let id = bench.stray(sepay_id, 499_000, content).await;
        let suggestions = bench.store.suggestions(id).await.unwrap();
        let Suggested::Order(order) = &suggestions[0].suggested else { panic!("{content}: {suggestions:?}") };
        assert_eq!(order.code, "DH120456", "{content}");
    }
    let other = bench.stray(4, 1_000, "cam on").await;
    assert_eq!(bench.store.suggestions(other).await.unwrap(), []);
    assert_eq!(bench.stage("DH120456").await.0, "pending");
}

#[tokio::test]
async fn who_paid_before_from_the_same_account_is_suggested() {
    let bench = Bench::open().await;
    let code = bench.order().await;
    let content = "MBVCB.1.2.chuyen tien.CT tu 0071000123456 TRAN THI LAN";
    let first = bench.stray(1, 499_000, content).await;
    bench.store.match_transfer(first, &code, hand(NOW)).await.unwrap();
    let again = bench.stray(2, 33_000, "NHAN TU 0071000123456 TRACE 111111 ND xin chao").await;
    let suggestions = bench.store.suggestions(again).await.unwrap();
    assert!(
        matches!(&suggestions[0].suggested, Suggested::Customer(customer) if customer.name == "Trần Thị Lan")
    );
}
