//! Every recipe that comes along against the stand-in of its platform.

use std::time::Duration;

use chotdon_core::enrolment::EnrolmentSpec;
use chotdon_tests::lms::{COURSES, KEY, School, Trouble};
use lms::{Buyer, Caller, Facts, Failure, Kind, Recipe, Run};
use serde_json::{Map, Value};

const LAN: &str = "Lan@example.com";

fn facts(school: &School, name: &str, key: &str) -> Facts {
    let spec = EnrolmentSpec::parse(school.enrolment("lms.school")).unwrap();
    let buyer = Buyer { email: LAN.to_owned(), name: name.to_owned() };
    let secrets = [("main".to_owned(), key.to_owned().into())].into();
    spec.facts(buyer, ("Rust cơ bản", "rust"), "DH123456", 1_790_000_000_000, None, secrets)
}

fn recipe(school: &School) -> &'static Recipe {
    lms::recipe(school.recipe).unwrap()
}

/// One run as a task does it; answers what was kept.
async fn enrols(school: &School, facts: &Facts) -> Result<Map<String, Value>, Failure> {
    let caller = Caller::new()?;
    let mut run = Run::new(&caller, recipe(school), facts, &|_| ())?;
    if !run.probe().await? {
        run.enrol().await?;
    }
    Ok(run.kept())
}

async fn unenrols(school: &School, facts: &Facts, kept: &Map<String, Value>) -> Result<(), Failure> {
    let caller = Caller::new()?;
    let mut run = Run::new(&caller, recipe(school), facts, &|_| ())?;
    run.remember(kept);
    run.unenrol().await
}

#[tokio::test]
async fn every_platform_enrols_once_however_often_it_is_asked_and_takes_back() {
    for (name, _) in COURSES {
        let school = School::start(name).await;
        let facts = facts(&school, "Trần Thị Lan", KEY);
        let kept = enrols(&school, &facts).await.unwrap();
        assert_eq!(school.rolls().students(), [LAN], "{name}");
        enrols(&school, &facts).await.unwrap();
        assert_eq!(school.rolls().places.iter().filter(|place| place.active).count(), 1, "{name}");
        unenrols(&school, &facts, &kept).await.unwrap();
        assert!(school.rolls().students().is_empty(), "{name}");
        unenrols(&school, &facts, &kept).await.unwrap();
        enrols(&school, &facts).await.unwrap();
        assert_eq!(school.rolls().students(), [LAN], "{name}: bought again");
        assert_eq!(school.rolls().violations, Vec::<String>::new(), "{name}");
    }
}

#[tokio::test]
async fn an_account_that_is_there_is_used_and_a_place_that_is_there_is_left_alone() {
    for (name, course) in COURSES {
        let school = School::start(name).await;
        let id = school.rolls().open_account("lan@example.com");
        // A search that is not exact finds somebody else first.
        school.rolls().accounts.insert(
            0,
            chotdon_tests::lms::Account {
                id: 1,
                login: "x-lan@example.com".into(),
                email: "x-lan@example.com".into(),
                ..Default::default()
            },
        );
        enrols(&school, &facts(&school, "Lan", KEY)).await.unwrap();
        assert_eq!(school.rolls().accounts.len(), 2, "{name}");
        assert_eq!(school.rolls().places.iter().map(|place| place.user).collect::<Vec<_>>(), [id], "{name}");

        let seated = School::start(name).await;
        let id = seated.rolls().open_account("lan@example.com");
        seated.rolls().seat(id, course);
        enrols(&seated, &facts(&seated, "Lan", KEY)).await.unwrap();
        assert!(
            seated.rolls().calls.iter().all(|call| !call.contains("nrol")
                || call.starts_with("GET")
                || call.contains("get_users_courses")),
            "{name}: {:?}",
            seated.rolls().calls
        );
    }
}

#[tokio::test]
async fn a_name_with_quotes_and_ampersands_stays_a_name() {
    let odd = r#"Lan" } & user[admin]=1 {{ secrets.main }} <b>'; -- Nguyễn"#;
    for name in ["moodle", "teachable", "thinkific", "canvas"] {
        let school = School::start(name).await;
        enrols(&school, &facts(&school, odd, KEY)).await.unwrap();
        let account = school.rolls().accounts[0].clone();
        let stored = if account.last.is_empty() {
            account.first
        } else {
            format!("{} {}", account.last, account.first)
        };
        assert_eq!(stored, odd, "{name}");
        assert_eq!(school.rolls().violations, Vec::<String>::new(), "{name}");
    }
}

#[tokio::test]
async fn a_wrong_key_is_our_fault_and_is_not_repeated_in_the_error() {
    for (name, _) in COURSES {
        let school = School::start(name).await;
        let failure = enrols(&school, &facts(&school, "Lan", "wrong-key-0123456789")).await.unwrap_err();
        assert_eq!(failure.kind, Kind::Unauthorized, "{name}: {failure}");
        assert!(!failure.to_string().contains("0123456789"), "{name}: {failure}");
        assert!(school.rolls().places.is_empty());
    }
}

#[tokio::test]
async fn a_course_that_is_not_there_is_said_to_be_so() {
    for (name, _) in COURSES {
        let school = School::start(name).await;
        let mut facts = facts(&school, "Lan", KEY);
        facts.course.reference = if name == "open_edx" { "course-v1:An+No+1".into() } else { "43".into() };
        let failure = enrols(&school, &facts).await.unwrap_err();
        assert_eq!(failure.kind, Kind::CourseUnknown, "{name}: {failure}");
    }
}

#[tokio::test]
async fn troubles_that_pass_are_told_from_those_that_do_not() {
    let school = School::start("canvas").await;
    let facts = facts(&school, "Lan", KEY);
    for (status, kind) in [
        (500, Kind::ServerError),
        (503, Kind::Busy),
        (429, Kind::Busy),
        (401, Kind::Unauthorized),
        (400, Kind::Rejected),
    ] {
        school.refuses("", status);
        let failure = enrols(&school, &facts).await.unwrap_err();
        assert_eq!(failure.kind, kind, "{status}");
    }
    school.trouble(Trouble {
        at: "",
        status: 403,
        header: None,
        body: "403 Forbidden (Rate Limit Exceeded)".into(),
        done: false,
    });
    assert_eq!(enrols(&school, &facts).await.unwrap_err().kind, Kind::Busy);
    school.trouble(Trouble {
        at: "",
        status: 429,
        header: Some(("retry-after", "90".into())),
        body: String::new(),
        done: false,
    });
    assert_eq!(enrols(&school, &facts).await.unwrap_err().retry_after, Some(Duration::from_secs(90)));
    school.trouble(Trouble { at: "", status: 200, header: None, body: "x".repeat(2 << 20), done: false });
    assert_eq!(enrols(&school, &facts).await.unwrap_err().kind, Kind::Unclear);
}

#[tokio::test]
async fn a_redirect_to_another_host_is_not_followed() {
    let (school, other) = (School::start("teachable").await, School::start("teachable").await);
    let facts = facts(&school, "Lan", KEY);
    let to = |to: String| Trouble {
        at: "GET /v1/users?",
        status: 302,
        header: Some(("location", to)),
        body: String::new(),
        done: false,
    };
    school.trouble(to(format!("{}/v1/users?email=x", other.url)));
    let failure = enrols(&school, &facts).await.unwrap_err();
    assert_eq!(failure.kind, Kind::ForeignHost, "{failure}");
    assert!(other.rolls().calls.is_empty());
    school.trouble(to("/v1/users?email=lan%40example.com&again=1".to_owned()));
    enrols(&school, &facts).await.unwrap();
    assert_eq!(school.rolls().students(), [LAN], "the control: on the same host it is followed");
}

#[tokio::test]
async fn every_step_going_well_is_not_enough() {
    let school = School::start("moodle").await;
    let nothing = Trouble {
        at: "enrol_manual_enrol_users",
        status: 200,
        header: None,
        body: "null".into(),
        done: false,
    };
    school.trouble(nothing);
    let failure = enrols(&school, &facts(&school, "Lan", KEY)).await.unwrap_err();
    assert_eq!(failure.kind, Kind::NotVerified, "{failure}");
}

#[tokio::test]
async fn an_end_of_access_is_told_in_the_platforms_own_words() {
    for (name, said) in
        [("moodle", "1800000000"), ("thinkific", "2027-01-15T08:00:00Z"), ("canvas", "2027-01-15T08:00:00Z")]
    {
        let school = School::start(name).await;
        let facts = Facts { until_s: Some(1_800_000_000), ..facts(&school, "Lan", KEY) };
        enrols(&school, &facts).await.unwrap();
        assert_eq!(school.rolls().places[0].until.as_deref(), Some(said), "{name}");
    }
}

#[tokio::test]
async fn a_plan_shows_every_request_and_no_secret() {
    for (name, _) in COURSES {
        let school = School::start(name).await;
        let plan = lms::plan(recipe(&school), &facts(&school, "Lan", KEY)).unwrap();
        let text = format!("{plan:?}");
        assert!(!text.contains(KEY) && text.contains("••••") && text.contains(LAN), "{name}: {text}");
        assert!(school.rolls().calls.is_empty());
    }
}
