//! Whole sets, brought over once and twice.

use super::*;

const NOW: i64 = 1_790_000_000_000;

fn set() -> Set {
    let course = |slug: &str, price_vnd| CourseRow {
        slug: slug.to_owned(),
        title: format!("Khoá {slug}"),
        price_vnd,
        source: r#"{"kind":"folder","path":"/c"}"#.to_owned(),
        target: r#"{"kind":"folder"}"#.to_owned(),
        enrolment: None,
        description: None,
        access_days: None,
    };
    let order = |code: &str, email: &str, courses: &[&str], stage| OrderRow {
        code: code.to_owned(),
        email: email.to_owned(),
        courses: courses.iter().map(|slug| (*slug).to_owned()).collect(),
        stage,
        created_at: NOW - 1000,
        expires_at: NOW + 1000,
    };
    Set {
        accounts: vec![AccountRow {
            bank: "MBBank".to_owned(),
            bin: "970422".to_owned(),
            account: "0900000699".to_owned(),
            holder: "NGUYEN VAN AN".to_owned(),
            virtual_account: None,
            memo_prefix: None,
        }],
        courses: vec![course("rust", 499_000), course("svelte", 299_000)],
        customers: vec![CustomerRow {
            email: "Lan@example.com".to_owned(),
            name: "Trần Thị Lan".to_owned(),
            phone: None,
        }],
        orders: vec![
            order("DH000001", "lan@example.com", &["rust", "svelte"], "pending"),
            order("DH000002", "duc@example.com", &["rust"], "completed"),
            order("DH000003", "duc@example.com", &["svelte"], "paid"),
        ],
    }
}

async fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    (dir, store)
}

async fn number(store: &Store, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&store.reader).await.unwrap()
}

#[tokio::test]
async fn a_set_comes_over_whole_and_a_second_time_changes_nothing() {
    let (_dir, store) = store().await;
    let counts = store.bring_over(set(), "cli", NOW).await.unwrap();
    assert_eq!(counts, Counts { bank_accounts: 1, courses: 2, bundles: 0, customers: 2, orders: 3 });
    assert_eq!(number(&store, "SELECT total_vnd FROM orders WHERE code = 'DH000001'").await, 798_000);
    assert_eq!(number(&store, "SELECT count(*) FROM order_item").await, 4);
    assert_eq!(number(&store, "SELECT count(*) FROM order_item WHERE delivery = 'delivered'").await, 1);
    assert_eq!(number(&store, "SELECT count(*) FROM order_search WHERE order_search MATCH 'tran'").await, 1);
    assert_eq!(number(&store, "SELECT preferred FROM bank_account").await, 1);
    let deliveries = "SELECT count(*) FROM task WHERE kind = 'deliver_order'";
    let preparations = "SELECT count(*) FROM task WHERE kind = 'prepare_course'";
    assert_eq!((number(&store, deliveries).await, number(&store, preparations).await), (1, 1));
    assert_eq!(store.verify().await.unwrap().problems, Vec::<String>::new());

    let rows = "SELECT (SELECT count(*) FROM audit) + (SELECT count(*) FROM timeline) + (SELECT sum(updated_at) FROM course)";
    let before = number(&store, rows).await;
    assert_eq!(store.bring_over(set(), "cli", NOW + 5).await.unwrap(), Counts::default());
    assert_eq!(number(&store, rows).await, before);
}

#[tokio::test]
async fn a_changed_course_becomes_a_new_version_and_orders_keep_their_price() {
    let (_dir, store) = store().await;
    store.bring_over(set(), "cli", NOW).await.unwrap();
    let mut changed = set();
    changed.courses[0].source = r#"{"kind":"folder","path":"/d"}"#.to_owned();
    changed.courses[1].price_vnd = 1;
    let counts = store.bring_over(changed, "cli", NOW).await.unwrap();
    assert_eq!(counts, Counts { courses: 2, ..Counts::default() });
    assert_eq!(number(&store, "SELECT version FROM course WHERE slug = 'rust'").await, 2);
    assert_eq!(number(&store, "SELECT version FROM course WHERE slug = 'svelte'").await, 1);
    assert_eq!(number(&store, "SELECT total_vnd FROM orders WHERE code = 'DH000001'").await, 798_000);
}

#[tokio::test]
async fn an_order_of_an_unknown_course_brings_nothing_over() {
    let (_dir, store) = store().await;
    let mut wrong = set();
    wrong.orders[2].courses.push("nowhere".to_owned());
    let error = store.bring_over(wrong, "cli", NOW).await.unwrap_err();
    assert!(matches!(&error, Error::NotFound(what) if what.contains("DH000003")), "{error}");
    assert_eq!(
        number(&store, "SELECT (SELECT count(*) FROM course) + (SELECT count(*) FROM orders)").await,
        0
    );
}

#[tokio::test]
async fn what_a_file_does_not_say_of_a_course_stays() {
    let (_dir, store) = store().await;
    let mut said = set();
    said.courses[0].description = Some("12 bài".to_owned());
    said.courses[0].access_days = Some(365);
    store.bring_over(said.clone(), "cli", NOW).await.unwrap();
    assert_eq!(store.bring_over(set(), "cli", NOW).await.unwrap(), Counts::default());
    assert_eq!(store.bring_over(said.clone(), "cli", NOW).await.unwrap(), Counts::default());
    let taken = store.take_along().await.unwrap().courses;
    assert_eq!((taken[0].description.as_deref(), taken[0].access_days), (Some("12 bài"), Some(365)));
    assert_eq!((taken[1].description.as_deref(), taken[1].access_days), (Some(""), Some(0)));
    said.courses[0].access_days = Some(0);
    assert_eq!(
        store.bring_over(said, "cli", NOW).await.unwrap(),
        Counts { courses: 1, ..Counts::default() },
        "the control"
    );
    assert_eq!(number(&store, "SELECT version FROM course WHERE slug = 'rust'").await, 1);
}

#[tokio::test]
async fn a_course_without_files_comes_over_only_with_a_platform() {
    let (_dir, store) = store().await;
    let mut bare = set();
    bare.courses[1].source = r#"{"kind":"none"}"#.to_owned();
    let error = store.bring_over(bare.clone(), "cli", NOW).await.unwrap_err();
    assert!(matches!(error, Error::Refused { code: "enrolment_missing", .. }), "{error}");
    assert!(error.to_string().contains("svelte"), "{error}");
    assert_eq!(number(&store, "SELECT count(*) FROM course").await, 0);
    bare.courses[1].enrolment = Some(r#"{"kind":"recipe"}"#.to_owned());
    assert_eq!(store.bring_over(bare.clone(), "cli", NOW).await.unwrap().courses, 2);
    // Left out, the enrolment stays.
    bare.courses[1].enrolment = None;
    assert_eq!(store.bring_over(bare, "cli", NOW).await.unwrap(), Counts::default());
}

#[tokio::test]
async fn what_is_taken_along_can_be_brought_over_elsewhere() {
    let (_dir, one) = store().await;
    one.bring_over(set(), "cli", NOW).await.unwrap();
    let (_dir, two) = store().await;
    let counts = two.bring_over(one.take_along().await.unwrap(), "cli", NOW).await.unwrap();
    assert_eq!(counts, Counts { bank_accounts: 1, courses: 2, bundles: 0, customers: 2, orders: 3 });
    assert_eq!(two.bring_over(set(), "cli", NOW).await.unwrap(), Counts::default());
}

#[tokio::test]
async fn a_backup_is_a_whole_shop_for_its_owner_only() {
    let (dir, store) = store().await;
    store.bring_over(set(), "cli", NOW).await.unwrap();
    let elsewhere = dir.path().join("copy");
    std::fs::create_dir(&elsewhere).unwrap();
    let file = elsewhere.join("shop.db");
    store.back_up(&file, &[], "test", NOW).await.unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert!(matches!(store.back_up(&file, &[], "test", NOW).await, Err(Error::Conflict(_))));
    let copy = Store::open(&elsewhere).await.unwrap();
    assert_eq!(number(&copy, "SELECT count(*) FROM orders").await, 3);
    assert_eq!(copy.verify().await.unwrap().problems, Vec::<String>::new());
}
