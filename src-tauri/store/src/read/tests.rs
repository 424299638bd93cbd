//! The lists on a real database: what they hold, in which order, and by which index.

use chotdon_domain::order::{Flags, Stage};
use chotdon_domain::task::{Lane, TaskKind, TaskState};
use sqlx::{AssertSqlSafe, Connection, Execute, Row};

use super::orders::page_query;
use super::*;
use crate::{AccountEdit, CourseEdit, Error, Store};

const NOW: i64 = 1_795_300_000_000;
const EVERY_STAGE: [Stage; 8] = Stage::ALL;

async fn shop() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).await.unwrap();
    (directory, store)
}

/// Runs statements as the writer would.
async fn run(store: &Store, sql: &str) {
    let sql = sql.to_owned();
    store
        .writer
        .run(move |tx| {
            let sql = sql.clone();
            Box::pin(async move {
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut tx.conn).await?;
                Ok(())
            })
        })
        .await
        .unwrap();
}

const SMALL: &str = "
INSERT INTO customer (id, email, email_key, name, phone, deposit_code, created_at) VALUES
  (1, 'duc@example.com', 'duc@example.com', 'Nguyễn Đức Thắng', '0912345678', 'NAP2222222', 1),
  (2, 'lan@example.com', 'lan@example.com', 'Trần Thị Lan', NULL, 'NAP3333333', 2);
INSERT INTO course (id, slug, title, price_vnd, source, target, created_at, updated_at) VALUES
  (1, 'rust-101', 'Rust cơ bản', 499000, '{}', '{}', 1, 1);
INSERT INTO orders (id, code, customer_id, stage, flags, total_vnd, paid_vnd, channel, summary, created_at, expires_at, paid_at, completed_at) VALUES
  (1, 'DH000001', 1, 'completed', 0, 499000, 499000, 'owner', 'Rust cơ bản', 100, 900, 1000, 31000),
  (2, 'DH000002', 2, 'failed', 0, 499000, 499000, 'owner', 'Rust cơ bản', 200, 900, 1000, NULL),
  (3, 'DH000003', 1, 'expired', 4, 299000, 299000, 'owner', 'Rust cơ bản', 300, 900, 1000, NULL),
  (4, 'DH000004', 1, 'processing', 0, 499000, 499000, 'owner', 'Rust cơ bản', 400, 900, 5, NULL),
  (5, 'DH000005', 2, 'processing', 16, 499000, 499000, 'owner', 'Rust cơ bản', 500, 900, 1795299999000, NULL),
  (6, 'DH000006', 2, 'pending', 0, 499000, 0, 'owner', 'Rust cơ bản', 600, 900, NULL, NULL);
INSERT INTO order_item (order_id, course_id, price_vnd, delivery) VALUES (1, 1, 499000, 'delivered'), (2, 1, 499000, 'waiting');
INSERT INTO order_search (rowid, text) VALUES
  (1, 'dh000001 nguyen duc thang duc@example.com 0912345678 rust co ban'), (2, 'dh000002 tran thi lan lan@example.com rust co ban'),
  (3, 'dh000003 nguyen duc thang duc@example.com 0912345678 rust co ban'), (4, 'dh000004 nguyen duc thang duc@example.com 0912345678 rust co ban'),
  (5, 'dh000005 tran thi lan lan@example.com rust co ban'), (6, 'dh000006 tran thi lan lan@example.com rust co ban');
INSERT INTO task (id, kind, lane, state, stage, run_at, waits_on, attempt, max_attempt, dedupe_key, order_id, course_id, created_at, finished_at, err_class, err_code, err_group, err_detail) VALUES
  (1, 'prepare_course', 'course', 'failed', 'fetch', 0, NULL, 1, 8, 'prepare:1:1', NULL, 1, 10, 20, 'permanent', 'source_not_found', 'prepare_course:fetch:source_not_found', '404'),
  (2, 'deliver_order', 'order', 'scheduled', 'share', 253402300799999, 'prepare:1:1', 0, 8, 'deliver:2', 2, NULL, 11, NULL, NULL, NULL, NULL, NULL),
  (3, 'deliver_order', 'order', 'scheduled', 'share', 253402300799999, 'prepare:1:1', 0, 8, 'deliver:4', 4, NULL, 12, NULL, NULL, NULL, NULL, NULL),
  (4, 'deliver_order', 'order', 'scheduled', 'mail', 7777, NULL, 2, 8, 'deliver:5', 5, NULL, 13, NULL, 'transient', 'mail_temporary', 'deliver_order:mail:mail_temporary', '451'),
  (5, 'deliver_order', 'order', 'done', 'mail', 0, NULL, 1, 8, 'deliver:1', 1, NULL, 14, 30, NULL, NULL, NULL, NULL),
  (6, 'notify_owner', 'owner', 'ready', 'show', 42, NULL, 0, 3, NULL, NULL, NULL, 42, NULL, NULL, NULL, NULL, NULL);
INSERT INTO task_stage (task_id, stage, epoch, ended) VALUES (4, 'share', 1, 50);
INSERT INTO attempt (task_id, stage, epoch, started, ended, err_class, err_code, detail) VALUES
  (4, 'mail', 1, 1, 2, 'transient', 'mail_temporary', 'first'), (4, 'mail', 2, 3, 4, 'transient', 'mail_temporary', 'second');
INSERT INTO sepay_event (sepay_id, source, received_at, body, body_sha256, outcome) VALUES (77, 'webhook', 1000, '{}', 'x', 'paid'), (78, 'webhook', 2000, '{}', 'y', 'unmatched');
INSERT INTO transfer (id, sepay_id, direction, amount_vnd, state, order_id, received_at) VALUES (1, 77, 'in', 499000, 'order', 1, 1000);
INSERT INTO transfer (id, sepay_id, direction, amount_vnd, state, reason, received_at) VALUES (2, 78, 'in', 1000, 'unmatched', 'no_code', 2000);
INSERT INTO timeline (order_id, at, kind) VALUES (1, 100, 'created'), (1, 1000, 'booked');
UPDATE bucket SET balance_vnd = 500000 WHERE name = 'in';
UPDATE bucket SET balance_vnd = 499000 WHERE name = 'orders';
UPDATE bucket SET balance_vnd = 1000 WHERE name = 'unmatched';
INSERT INTO notice (id, class, merge_key, kind, first_at, last_at) VALUES (1, 2, 'a', 'task_failed', 1, 1), (2, 2, 'b', 'task_failed', 2, 2);
";

async fn small() -> (tempfile::TempDir, Store) {
    let (directory, store) = shop().await;
    run(&store, SMALL).await;
    (directory, store)
}

async fn codes(store: &Store, filter: OrderFilter) -> Vec<String> {
    store.orders(&filter, Window::default()).await.unwrap().rows.into_iter().map(|order| order.code).collect()
}

fn text(words: &str) -> OrderFilter {
    OrderFilter { text: Some(words.to_owned()), ..OrderFilter::default() }
}

#[tokio::test]
async fn orders_are_newest_first_and_pages_join_without_gap_or_repeat() {
    let (_directory, store) = small().await;
    let mut seen = Vec::new();
    let mut window = Window { below: None, limit: 4 };
    loop {
        let slice = store.orders(&OrderFilter::default(), window).await.unwrap();
        seen.extend(slice.rows.iter().map(|order| order.id));
        let Some(next) = slice.next else { break };
        window.below = Some(next);
    }
    assert_eq!(seen, [6, 5, 4, 3, 2, 1]);
}

#[tokio::test]
async fn what_needs_the_owner_is_failed_flagged_or_late() {
    let (_directory, store) = small().await;
    let filter = OrderFilter { attention_paid_before: Some(NOW - 900_000), ..OrderFilter::default() };
    assert_eq!(codes(&store, filter).await, ["DH000004", "DH000003", "DH000002"]);
}

#[tokio::test]
async fn orders_are_filtered_by_stage_and_flag() {
    let (_directory, store) = small().await;
    let stage = OrderFilter { stage: Some(Stage::Processing), ..OrderFilter::default() };
    assert_eq!(codes(&store, stage.clone()).await, ["DH000005", "DH000004"]);
    let flag = OrderFilter { flag: Some(Flags::LATE), ..OrderFilter::default() };
    assert_eq!(codes(&store, flag.clone()).await, ["DH000003"]);
    assert_eq!(codes(&store, OrderFilter { flag: flag.flag, ..stage }).await, [""; 0]);
}

#[tokio::test]
async fn search_finds_without_marks_by_phone_by_amount_and_puts_an_exact_code_first() {
    let (_directory, store) = small().await;
    assert_eq!(codes(&store, text("Đức")).await, ["DH000004", "DH000003", "DH000001"]);
    assert_eq!(codes(&store, text("lan rus")).await, ["DH000006", "DH000005", "DH000002"]);
    assert_eq!(codes(&store, text("0912 345 678")).await, ["DH000004", "DH000003", "DH000001"]);
    assert_eq!(codes(&store, text("299.000")).await, ["DH000003"]);
    assert_eq!(codes(&store, text("dh000002")).await, ["DH000002"]);
    assert_eq!(codes(&store, text("dh00000")).await.len(), 6);
    let stage = OrderFilter { stage: Some(Stage::Completed), ..text("duc") };
    assert_eq!(codes(&store, stage).await, ["DH000001"]);
    let attention = OrderFilter { attention_paid_before: Some(NOW), ..text("duc") };
    assert_eq!(codes(&store, attention).await, ["DH000004", "DH000003"]);
}

#[tokio::test]
async fn no_search_text_is_an_error_of_the_database() {
    let (_directory, store) = small().await;
    for words in
        ["\"", "*", "AND", "NEAR(", "a OR", "text:lan", "(((", "-", "^lan", "'; DROP", "\0", "{a b}: c", "😀"]
    {
        store.orders(&text(words), Window::default()).await.unwrap();
        store.customers(Some(words), false, Window::default()).await.unwrap();
        store.customers(Some(words), true, Window::default()).await.unwrap();
    }
}

#[tokio::test]
async fn an_order_has_its_whole_story() {
    let (_directory, store) = small().await;
    let story = store.order_story("DH000001").await.unwrap().unwrap();
    assert_eq!((story.items.len(), story.timeline.len(), story.transfers.len()), (1, 2, 1));
    assert_eq!(story.tasks.len(), 1);
    let waiting = store.order_story("DH000002").await.unwrap().unwrap();
    assert_eq!(waiting.tasks.iter().map(|task| task.id).collect::<Vec<_>>(), [2, 1]);
    let retrying = store.order_story("DH000005").await.unwrap().unwrap();
    assert_eq!(retrying.order.retry_at, Some(7777));
    assert!(store.order_story("DH999999").await.unwrap().is_none());
}

#[tokio::test]
async fn failures_are_grouped_with_the_orders_that_wait_for_them() {
    let (_directory, store) = small().await;
    let groups = store.failures().await.unwrap();
    assert_eq!(groups.len(), 1);
    let group = &groups[0];
    assert_eq!((group.count, group.orders, group.amount_vnd), (1, 2, 998_000));
    assert_eq!(group.sample_orders, r#"["DH000004","DH000002"]"#);
    assert_eq!(group.sample_courses, r#"["Rust cơ bản"]"#);
    assert_eq!(group.err_code, "source_not_found");
}

#[tokio::test]
async fn tasks_are_filtered_by_state_lane_kind_cause_and_order() {
    let (_directory, store) = small().await;
    let ids = async |filter: TaskFilter| -> Vec<i64> {
        store.tasks(&filter, Window::default()).await.unwrap().rows.iter().map(|task| task.id).collect()
    };
    assert_eq!(ids(TaskFilter::default()).await, [6, 5, 4, 3, 2, 1]);
    let states = vec![TaskState::Ready, TaskState::Failed];
    assert_eq!(ids(TaskFilter { states, ..TaskFilter::default() }).await, [6, 1]);
    assert_eq!(ids(TaskFilter { lane: Some(Lane::Course), ..TaskFilter::default() }).await, [1]);
    assert_eq!(
        ids(TaskFilter { kind: Some(TaskKind::DeliverOrder), ..TaskFilter::default() }).await,
        [5, 4, 3, 2]
    );
    let group = Some("prepare_course:fetch:source_not_found".to_owned());
    assert_eq!(ids(TaskFilter { group, ..TaskFilter::default() }).await, [1]);
    assert_eq!(ids(TaskFilter { order: Some("DH000005".into()), ..TaskFilter::default() }).await, [4]);
    let states = vec![TaskState::Scheduled];
    assert_eq!(ids(TaskFilter { states, tried: true, ..TaskFilter::default() }).await, [4]);
}

#[tokio::test]
async fn a_task_is_mended_once_it_is_done_after_a_failed_attempt() {
    let (_directory, store) = small().await;
    let mended =
        async || -> Vec<i64> { store.mended_tasks().await.unwrap().iter().map(|task| task.id).collect() };
    assert_eq!(mended().await, [0_i64; 0]);
    run(&store, "UPDATE task SET state = 'done', finished_at = 9000 WHERE id IN (4, 5)").await;
    assert_eq!(mended().await, [4], "5 never failed");
}

#[tokio::test]
async fn a_task_shows_its_stages_its_attempts_newest_first_and_who_waits() {
    let (_directory, store) = small().await;
    let story = store.task_story(4).await.unwrap().unwrap();
    assert_eq!(story.stages.len(), 1);
    assert_eq!(story.attempts[0].detail, "second");
    assert_eq!(store.task_story(1).await.unwrap().unwrap().waiting, 2);
    assert_eq!(store.tasks_by_id(&[1, 4, 99]).await.unwrap().len(), 2);
}

#[tokio::test]
async fn the_overview_adds_up() {
    let (_directory, store) = small().await;
    let overview = store.overview(NOW).await.unwrap();
    assert_eq!(overview.stages["processing"], 2);
    assert_eq!(
        (overview.money.in_vnd, overview.money.unmatched_vnd, overview.money.transfers),
        (500_000, 1000, 2)
    );
    assert_eq!(overview.queue.failed(), 1);
    assert_eq!((overview.queue.queued(), overview.queue.retrying), (3, 1));
    assert_eq!(overview.queue.oldest_wait_ms(100), 58);
    assert_eq!((overview.pulse.unmatched, overview.pulse.flagged, overview.pulse.undelivered), (1, 1, 1));
    assert_eq!(overview.pulse.last_transfer_at, Some(2000));
    assert_eq!(overview.delivery.percentile(50), Some(30_000));
    assert_eq!(overview.newest.len(), 6);
}

#[tokio::test]
async fn a_day_begins_at_midnight_in_vietnam_and_last_week_ends_at_the_same_hour() {
    let (_directory, store) = shop().await;
    // 01:30 of a day in Vietnam is 18:30 UTC of the day before.
    let now = (20_777 * 24 + 18) * 3_600_000 + 1_800_000;
    let (first, this) = super::overview::hours_of_day(now);
    assert_eq!(this - first, 1);
    let week = 7 * 24;
    let hours = [
        (first - 1, 1),
        (first, 10),
        (this, 100),
        (first - week, 1000),
        (this - week, 10_000),
        (this - week + 1, 5),
    ];
    for (hour, in_vnd) in hours {
        run(&store, &format!("INSERT INTO hour_stat (hour, in_vnd) VALUES ({hour}, {in_vnd})")).await;
    }
    let overview = store.overview(now).await.unwrap();
    assert_eq!((overview.today.in_vnd, overview.before.in_vnd), (110, 11_000));
    assert_eq!(overview.today.hours_vnd[..3], [10, 100, 0]);
}

#[tokio::test]
async fn a_course_counts_what_is_in_buyers_hands() {
    let (_directory, store) = small().await;
    assert_eq!(store.course("rust-101", NOW).await.unwrap().unwrap().sold, 1);
    run(&store, "UPDATE order_item SET delivery = 'delivered' WHERE order_id = 2").await;
    assert_eq!(store.courses(NOW).await.unwrap()[0].sold, 2);
    run(&store, "UPDATE order_item SET delivery = 'revoked'").await;
    assert_eq!(store.courses(NOW).await.unwrap()[0].sold, 0);
}

#[tokio::test]
async fn a_new_source_makes_a_new_version_that_is_not_ready() {
    let (_directory, store) = small().await;
    run(&store, "UPDATE course SET ready = 1").await;
    let edit = CourseEdit {
        slug: "rust-101".into(),
        title: "Rust".into(),
        price_vnd: 1000,
        source: "{}".into(),
        target: "{}".into(),
        enrolment: None,
        active: true,
        description: None,
        access_days: None,
    };
    store.save_course(edit.clone(), "owner", NOW).await.unwrap();
    let same = store.course("rust-101", NOW).await.unwrap().unwrap();
    assert_eq!((same.version, same.ready, same.price_vnd), (1, true, 1000));
    store
        .save_course(CourseEdit { source: "{\"kind\":\"folder\"}".into(), ..edit.clone() }, "owner", NOW)
        .await
        .unwrap();
    let other = store.course("rust-101", NOW).await.unwrap().unwrap();
    assert_eq!((other.version, other.ready), (2, false));
    assert_eq!(
        store.audit(&crate::read::AuditQuery::default(), Window::default()).await.unwrap().rows.len(),
        2
    );
    let free = store.save_course(CourseEdit { price_vnd: 0, ..edit }, "owner", NOW).await;
    assert!(matches!(free, Err(Error::Invalid(_))));
}

#[tokio::test]
async fn one_bank_account_is_preferred_and_a_shown_one_cannot_be_removed() {
    let (_directory, store) = small().await;
    let edit = |account: &str, preferred| AccountEdit {
        id: None,
        bank: "MBBank".into(),
        bin: "970422".into(),
        account: account.into(),
        holder: "AN".into(),
        virtual_account: None,
        memo_prefix: None,
        preferred,
    };
    let first = store.save_bank_account(edit("1", false), "owner", NOW).await.unwrap();
    let second = store.save_bank_account(edit("2", true), "owner", NOW).await.unwrap();
    let preferred = async || -> Vec<i64> {
        store
            .bank_accounts()
            .await
            .unwrap()
            .into_iter()
            .filter(|account| account.preferred)
            .map(|a| a.id)
            .collect()
    };
    assert_eq!(preferred().await, [second]);
    store.delete_bank_account(second, "owner", NOW).await.unwrap();
    assert_eq!(preferred().await, [first]);
    run(&store, "UPDATE orders SET bank_account_id = 1 WHERE id = 6").await;
    assert!(matches!(store.delete_bank_account(first, "owner", NOW).await, Err(Error::Conflict(_))));
    assert!(matches!(store.delete_bank_account(99, "owner", NOW).await, Err(Error::NotFound(_))));
}

#[tokio::test]
async fn seen_notices_are_those_named_or_all() {
    let (_directory, store) = small().await;
    let new = async || {
        let rows = store.notices(Window::default()).await.unwrap().rows;
        rows.into_iter().filter(|notice| notice.state == "new").count()
    };
    store.notices_seen(Some(1)).await.unwrap();
    assert_eq!(new().await, 1);
    store.notices_seen(None).await.unwrap();
    assert_eq!(new().await, 0);
    assert!(matches!(store.notices_seen(Some(9)).await, Err(Error::NotFound(_))));
}

#[tokio::test]
async fn customers_are_found_by_mail_code_and_by_their_orders() {
    let (_directory, store) = small().await;
    let forms = ["duc@ex", "NAP2222222", "nap222", "đức thắng", "Nguyen DUC", "DH000001", "0912345"];
    let phones = ["0912 345 678", "+84 912 345 678", "84912345678", "0912.345.678"];
    for words in forms.into_iter().chain(phones) {
        let found = store.customers(Some(words), false, Window::default()).await.unwrap().rows;
        assert_eq!(found.iter().map(|customer| customer.id).collect::<Vec<_>>(), [1], "{words}");
    }
    assert!(store.customers(None, true, Window::default()).await.unwrap().rows.is_empty());
    run(&store, "UPDATE customer SET wallet_vnd = 5 WHERE id = 1").await;
    for words in [None, Some("duc")] {
        let owed = store.customers(words, true, Window::default()).await.unwrap().rows;
        assert_eq!(owed.iter().map(|customer| customer.id).collect::<Vec<_>>(), [1], "{words:?}");
    }
    let first = &store.customers(None, false, Window::default()).await.unwrap().rows[1];
    assert_eq!((first.orders, first.last_order_at), (3, Some(400)));
}

#[tokio::test]
async fn a_customer_is_found_without_marks_before_the_first_order_and_after_a_change() {
    let (_directory, store) = shop().await;
    run(
        &store,
        "INSERT INTO customer (id, email, email_key, name, phone, deposit_code, created_at) VALUES \
           (1, 'a@example.com', 'a@example.com', 'Đặng Ngọc Quỳnh Hương Thuỷ', '+84 (90) 123-4567', 'NAP2222222', 1), \
           (2, 'b@example.com', 'b@example.com', 'LÊ VĂN ƠN', NULL, 'NAP3333333', 2)",
    )
    .await;
    let found = async |words: &str| -> Vec<i64> {
        store
            .customers(Some(words), false, Window::default())
            .await
            .unwrap()
            .rows
            .iter()
            .map(|one| one.id)
            .collect()
    };
    for words in ["dang quynh", "ĐẶNG", "huong thuy", "0901234567", "090 123 4567", "+84901234567"] {
        assert_eq!(found(words).await, [1], "{words}");
    }
    assert_eq!(found("le van on").await, [2]);
    run(&store, "UPDATE customer SET name = 'Phạm Thị Bưởi' WHERE id = 2").await;
    assert_eq!((found("buoi").await, found("van on").await), (vec![2], vec![]));
}

/// Plan lines that walk a whole big table without an index.
async fn walks(store: &Store, sql: &str) -> Vec<String> {
    let url = format!("sqlite://{}", store.path().display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let explain = format!("EXPLAIN QUERY PLAN {sql}");
    let plan = sqlx::query(AssertSqlSafe(explain)).fetch_all(&mut connection).await.unwrap();
    let lines: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
    let big = [
        "orders", "task", "timeline", "transfer", "customer", "attempt", "audit", "ledger", "l", "o", "t",
        "w", "c", "m",
    ];
    lines
        .into_iter()
        .filter(|line| {
            let mut words = line.split(' ');
            words.next() == Some("SCAN")
                && words.next().is_some_and(|table| big.contains(&table))
                && !line.contains("INDEX")
        })
        .collect()
}

#[tokio::test]
async fn every_list_is_driven_by_an_index() {
    let (_directory, store) = small().await;
    let mut statements = vec![
        super::failures::SQL.to_owned(),
        super::overview::PULSE.to_owned(),
        super::tasks::LANES.to_owned(),
        super::figures::GROUPS.to_owned(),
        super::figures::MOMENTS.to_owned(),
    ];
    let stages = EVERY_STAGE.into_iter().map(Some).chain([None]);
    for stage in stages {
        for flag in [None, Some(Flags::LATE)] {
            for attention_paid_before in [None, Some(NOW)] {
                for words in [None, Some("duc 499000"), Some("499000")] {
                    let text = words.map(str::to_owned);
                    let filter =
                        OrderFilter { stage, flag, attention_paid_before, text, ..OrderFilter::default() };
                    let search = words.map(super::search::read);
                    let window = Window { below: Some(9), limit: 50 };
                    statements.push(
                        page_query(&filter, search.as_ref(), None, window).build().sql().as_str().to_owned(),
                    );
                }
            }
        }
    }
    for state in TaskState::ALL.into_iter().map(Some).chain([None]) {
        for kind in TaskKind::ALL.into_iter().map(Some).chain([None]) {
            for order in [None, Some("DH000001".to_owned())] {
                let filter =
                    TaskFilter { states: state.into_iter().collect(), kind, order, ..TaskFilter::default() };
                let query =
                    super::tasks::page_query(&filter, Window::default()).build().sql().as_str().to_owned();
                statements.push(query);
            }
        }
    }
    statements.push(format!("SELECT t.id FROM {}", super::tasks::MENDED));
    statements.push(format!(
        "{} WHERE t.state = $1 AND t.id < $2 ORDER BY t.id DESC LIMIT $3",
        super::transfers::SELECT
    ));
    for outcome in [None, Some("paid".to_owned()), Some("late".to_owned())] {
        for source in [None, Some("reconcile".to_owned())] {
            for below in [None, Some(9)] {
                let filter =
                    super::WebhookFilter { outcome: outcome.clone(), source: source.clone(), text: None };
                let query = super::webhooks::page_query(&filter, Window { below, limit: 50 });
                statements.push(query.sql().as_str().to_owned());
            }
        }
    }
    statements.extend(super::suggestions::STATEMENTS.map(str::to_owned));
    for account in [None, Some("wallet:1"), Some("wallets"), Some("bank"), Some("unmatched")] {
        for kind in [None, Some("adjust"), Some("transfer")] {
            let filter = LedgerFilter { account: account.map(str::to_owned), kind: kind.map(str::to_owned) };
            let query = super::money::ledger_query(&filter, Window { below: Some(9), limit: 50 });
            statements.push(query.into_sql().as_str().to_owned());
        }
    }
    for sql in statements {
        assert_eq!(walks(&store, &sql).await, Vec::<String>::new(), "{sql}");
    }
    // The check itself can tell.
    assert_eq!(walks(&store, "SELECT * FROM orders WHERE note = 'x'").await.len(), 1);
}

#[tokio::test]
async fn lists_of_twenty_thousand_orders_hold_what_they_should() {
    let (_directory, store) = shop().await;
    store.seed_orders(20_000, NOW).await.unwrap();
    assert!(matches!(store.seed_orders(1, NOW).await, Err(Error::Conflict(_))));
    let first = store.orders(&OrderFilter::default(), Window::default()).await.unwrap();
    assert_eq!((first.rows.len(), first.next), (50, Some(19_951)));
    assert_eq!(codes(&store, text("dh0123")).await.len(), 50);
    assert_eq!(codes(&store, text("DH012345")).await, ["DH012345"]);
    assert_eq!(codes(&store, text("nguyễn đức")).await.len(), 50);
    let overview = store.overview(NOW).await.unwrap();
    assert_eq!(overview.stages.values().sum::<i64>(), 20_000);
    assert_eq!(overview.failures[0].orders, overview.failures[0].count);
}
