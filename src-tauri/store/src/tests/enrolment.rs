//! Places at platforms: who holds one, who gave it, and when it is given up.

use chotdon_domain::task::Lane;

use super::{Bench, NOW, bench};
use crate::{Aftermath, Claimed, Enrolled, EnrolmentIntent, Error, Intended, StageResult, enrolment};

/// Two paid orders of one buyer for one course, each with its running delivery.
async fn two_orders() -> (Bench, Claimed, Claimed) {
    let bench = bench().await;
    bench.course("rust", true).await;
    for id in [1, 2] {
        let code = bench.order(&["rust"]).await;
        bench.pay(id, 499_000, &code).await;
    }
    let mut tasks = bench.claim(Lane::Order).await.into_iter();
    let (first, second) = (tasks.next().unwrap(), tasks.next().unwrap());
    (bench, first, second)
}

impl Bench {
    async fn intends(&self, task: &Claimed) -> Result<Intended, Error> {
        let item = self.item(task).await;
        let intent = EnrolmentIntent {
            item,
            recipe: "moodle".into(),
            host: "school.example.com".into(),
            course_ref: "42".into(),
            email: "Lan@example.com".into(),
            spec: "{}".into(),
            until_at: None,
        };
        self.store.intend_enrolment((task.id, task.epoch), intent, NOW).await
    }

    async fn item(&self, task: &Claimed) -> i64 {
        sqlx::query_scalar("SELECT id FROM order_item WHERE order_id = $1")
            .bind(task.order_id)
            .fetch_one(&self.store.reader)
            .await
            .unwrap()
    }

    /// The whole way of one enrolment; `asks` when the platform had to be asked for it.
    async fn enrols(&self, task: &Claimed, asks: bool) -> i64 {
        let Intended::Written { id, .. } = self.intends(task).await.unwrap() else {
            panic!("the place is free")
        };
        if asks {
            self.store.calling_enrolment((task.id, task.epoch), id).await.unwrap();
        }
        let place = Enrolled { id, account: r#"{"user_id":7}"#.into(), learn_url: Some("https://x".into()) };
        let aftermath = Aftermath::Enrolled { order: task.order_id.unwrap(), places: vec![place] };
        let result = StageResult::Checkpoint { next: "mail".into(), output: "{}".into() };
        self.settle(task, result, aftermath).await;
        id
    }

    /// The order's places are given up; answers those that the platform has to be told of.
    async fn gives_up(&self, task: &Claimed) -> Vec<i64> {
        let order = task.order_id.unwrap();
        let mark = self
            .store
            .writer
            .run(move |tx| Box::pin(async move { enrolment::revoke_for(tx, order, None, NOW).await }));
        mark.await.unwrap();
        let places = self.store.begin_unenrolment((task.id, task.epoch), order, NOW).await.unwrap();
        places.into_iter().map(|place| place.id).collect()
    }

    async fn state(&self, task: &Claimed) -> String {
        self.store.enrolments(task.order_id.unwrap()).await.unwrap()[0].state.clone()
    }
}

#[tokio::test]
async fn a_place_is_given_up_with_the_last_order_that_holds_it() {
    let (bench, first, second) = two_orders().await;
    bench.enrols(&first, true).await;
    // Found enrolled already: by the first order, so the place is ours all the same.
    let last = bench.enrols(&second, false).await;
    assert_eq!(bench.gives_up(&first).await, Vec::<i64>::new());
    assert_eq!(bench.state(&first).await, "revoked");
    assert_eq!(bench.gives_up(&second).await, [last]);
    bench.store.unenrolled((second.id, second.epoch), last, NOW).await.unwrap();
    assert_eq!(bench.state(&second).await, "revoked");
    assert_eq!(bench.number("SELECT count(*) FROM timeline WHERE kind = 'unenrolled'").await, 1);
}

#[tokio::test]
async fn a_place_that_was_there_before_us_stays() {
    let (bench, first, _) = two_orders().await;
    bench.enrols(&first, false).await;
    assert_eq!(bench.gives_up(&first).await, Vec::<i64>::new());
    assert_eq!(bench.number("SELECT count(*) FROM timeline WHERE kind = 'enrolment_left'").await, 1);
}

#[tokio::test]
async fn a_call_whose_answer_was_lost_counts_as_given() {
    let (bench, first, _) = two_orders().await;
    let Intended::Written { id, .. } = bench.intends(&first).await.unwrap() else { panic!("free") };
    bench.store.calling_enrolment((first.id, first.epoch), id).await.unwrap();
    assert_eq!(bench.gives_up(&first).await, [id]);
}

#[tokio::test]
async fn an_address_that_another_task_works_on_has_to_wait() {
    let (bench, first, second) = two_orders().await;
    let id = bench.enrols(&first, true).await;
    assert_eq!(bench.gives_up(&first).await, [id]);
    assert_eq!(bench.intends(&second).await.unwrap(), Intended::Busy);
    bench.store.unenrolled((first.id, first.epoch), id, NOW).await.unwrap();
    assert!(matches!(bench.intends(&second).await.unwrap(), Intended::Written { .. }), "the control");
}

#[tokio::test]
async fn a_stale_worker_writes_no_enrolment() {
    let (bench, first, _) = two_orders().await;
    bench.script("UPDATE task SET lease_epoch = lease_epoch + 1").await;
    assert!(matches!(bench.intends(&first).await, Err(Error::Conflict(_))));
    assert_eq!(bench.number("SELECT count(*) FROM enrolment").await, 0);
}

#[tokio::test]
async fn only_the_address_that_moved_is_given_up() {
    let (bench, first, _) = two_orders().await;
    bench.enrols(&first, true).await;
    let order = first.order_id.unwrap();
    let marked = |email: &'static str| {
        bench
            .store
            .writer
            .run(move |tx| Box::pin(async move { enrolment::revoke_for(tx, order, Some(email), NOW).await }))
    };
    assert_eq!(marked("binh@example.com").await.unwrap(), 0);
    assert_eq!(marked("lan@EXAMPLE.com").await.unwrap(), 1);
}

/// Gives the order's place an end.
async fn ends_at(bench: &Bench, task: &Claimed, at: i64) {
    let order = task.order_id.unwrap();
    let sql = format!(
        "UPDATE enrolment SET until_at = {at} WHERE order_item_id IN (SELECT id FROM order_item WHERE order_id = {order})"
    );
    let sql: &'static str = Box::leak(sql.into_boxed_str());
    bench.script(sql).await;
}

#[tokio::test]
async fn a_place_is_there_a_moment_before_its_end_and_to_be_given_up_at_it() {
    let (bench, first, second) = two_orders().await;
    let id = bench.enrols(&first, true).await;
    bench.enrols(&second, false).await;
    let end = NOW + 30 * 24 * 3_600_000;
    ends_at(&bench, &first, end).await;
    ends_at(&bench, &second, end + 5).await;
    assert_eq!(bench.store.expire_access(end - 1).await.unwrap(), (0, Some(end)));
    assert_eq!(bench.state(&first).await, "enrolled");
    assert_eq!(bench.store.expire_access(end).await.unwrap(), (1, Some(end + 5)));
    assert_eq!(
        (bench.state(&first).await, bench.state(&second).await),
        ("revoking".into(), "enrolled".into())
    );
    let tasks =
        format!("SELECT count(*) FROM task WHERE kind = 'revoke_access' AND dedupe_key = 'unenrol:1:{id}'");
    assert_eq!(bench.number(Box::leak(tasks.into_boxed_str())).await, 1);
    assert_eq!(bench.store.expire_access(end + 5).await.unwrap(), (1, None));
    assert_eq!(bench.store.expire_access(end + 6).await.unwrap(), (0, None), "once");
    assert_eq!(bench.number("SELECT count(*) FROM timeline WHERE kind = 'access_expired'").await, 2);
}

#[tokio::test]
async fn a_place_that_ends_too_soon_for_a_later_order_is_noticed() {
    let (bench, first, second) = two_orders().await;
    bench.enrols(&first, true).await;
    let sooner = |intended: Intended| match intended {
        Intended::Written { ends_sooner, .. } => ends_sooner,
        Intended::Busy => panic!("the place is free"),
    };
    assert!(!sooner(bench.intends(&second).await.unwrap()), "neither ends");
    ends_at(&bench, &first, NOW + 5).await;
    assert!(sooner(bench.intends(&second).await.unwrap()), "the first ends, the second never");
    ends_at(&bench, &second, NOW + 5).await;
    assert!(!sooner(bench.intends(&second).await.unwrap()), "both at once");
    ends_at(&bench, &second, NOW + 6).await;
    assert!(sooner(bench.intends(&second).await.unwrap()));
    bench.script("UPDATE enrolment SET given = 0").await;
    assert!(!sooner(bench.intends(&second).await.unwrap()), "an end that we never told");
}

#[tokio::test]
async fn a_place_that_is_given_again_has_a_new_end() {
    let (bench, first, _) = two_orders().await;
    bench.enrols(&first, true).await;
    ends_at(&bench, &first, NOW + 1).await;
    bench.store.expire_access(NOW + 1).await.unwrap();
    let again = bench.intends(&first).await.unwrap();
    assert!(matches!(again, Intended::Written { until_at: None, .. }), "not the end that is over: {again:?}");
}
