//! The recipe engine against a platform that is not ours: Kolibri, a Django program with sessions and CSRF tokens.
//! Its program is found in the directory that `CHOTDON_FOREIGN` names.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use chotdon_core::enrolment::EnrolmentSpec;
use chotdon_core::ports::SecretStore;
use chotdon_tests::{Ground, Setup, TestShop};
use lms::{Buyer, Caller, Facts, Kind, Run};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const PASSWORD: &str = "canary-kolibri-password";

/// A running Kolibri with one class.
struct Kolibri {
    url: String,
    class: String,
    facility: String,
    _child: Child,
    _home: tempfile::TempDir,
}

#[allow(clippy::disallowed_methods)] // where the test command has put other people's programs
fn program() -> PathBuf {
    let bin = std::env::var("CHOTDON_FOREIGN").expect("CHOTDON_FOREIGN names the directory of the programs");
    Path::new(&bin).join("kolibri")
}

fn command(home: &Path) -> Command {
    let mut command = Command::new(program());
    command
        .env("KOLIBRI_HOME", home)
        .env("KOLIBRI_LISTEN_ADDRESS", "127.0.0.1")
        .env("KOLIBRI_ZIP_CONTENT_PORT", "0")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

impl Kolibri {
    async fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let made = command(home.path())
            .args([
                "manage",
                "provisiondevice",
                "--facility",
                "An",
                "--preset",
                "formal",
                "--superusername",
                "chu",
            ])
            .args(["--superuserpassword", PASSWORD, "--language_id", "en", "--noinput"])
            .output()
            .await
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = command(home.path())
            .args(["start", "--foreground", &format!("--port={port}")])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let url = format!("http://127.0.0.1:{port}");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let client = Client::new();
        // It says much while it starts; each line is a reason to ask whether it is there.
        let up = async {
            loop {
                let asked = client.get(format!("{url}/api/public/info/")).send().await;
                if asked.is_ok_and(|answer| answer.status().is_success()) {
                    return;
                }
                let _ = tokio::time::timeout(Duration::from_millis(500), lines.next_line()).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(120), up).await.expect("Kolibri starts");
        // Nobody reads on; the pipe must not fill up.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let mut kolibri =
            Self { url, class: String::new(), facility: String::new(), _child: child, _home: home };
        kolibri.facility =
            kolibri.get("/api/public/v1/facility/").await[0]["id"].as_str().unwrap().to_owned();
        let class = json!({ "name": "Rust", "parent": kolibri.facility });
        kolibri.class =
            kolibri.post("/api/auth/classroom/", &class).await.1["id"].as_str().unwrap().to_owned();
        kolibri
    }

    /// As the administrator, by a client of the test's own.
    async fn login(&self) -> (String, String) {
        let login = json!({ "username": "chu", "password": PASSWORD, "facility": self.facility });
        let answer =
            Client::new().post(format!("{}/api/auth/session/", self.url)).json(&login).send().await.unwrap();
        let cookie = |name: &str| {
            let lines = answer.headers().get_all("set-cookie").iter().filter_map(|line| line.to_str().ok());
            let value = lines
                .filter_map(|line| line.strip_prefix(&format!("{name}=")))
                .next_back()
                .unwrap_or_default();
            value.split(';').next().unwrap_or_default().to_owned()
        };
        (
            format!("kolibri={}; kolibri_csrftoken={}", cookie("kolibri"), cookie("kolibri_csrftoken")),
            cookie("kolibri_csrftoken"),
        )
    }

    async fn get(&self, path: &str) -> Value {
        let mut asked = Client::new().get(format!("{}{path}", self.url));
        if !path.contains("public") {
            asked = asked.header("cookie", self.login().await.0);
        }
        asked.send().await.unwrap().json().await.unwrap()
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let (cookie, csrf) = self.login().await;
        let asked = Client::new()
            .post(format!("{}{path}", self.url))
            .header("cookie", cookie)
            .header("x-csrftoken", csrf);
        let answer = asked.json(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    async fn members(&self) -> Vec<Value> {
        let members = self.get(&format!("/api/auth/membership/?collection={}", self.class)).await;
        members.as_array().unwrap().clone()
    }

    fn enrolment(&self) -> Value {
        let recipe: toml::Value = toml::from_str(include_str!("recipe.toml")).unwrap();
        json!({ "kind": "custom", "recipe": recipe, "base_url": self.url, "course": self.class, "secret": "lms.kolibri",
                "fields": { "admin": "chu" } })
    }

    fn facts(&self, password: &str) -> (EnrolmentSpec, Facts) {
        let spec = EnrolmentSpec::parse(self.enrolment()).unwrap();
        let buyer = Buyer { email: "lan@example.com".into(), name: r#"Trần "Thị" & Lan"#.into() };
        let secrets = [("main".to_owned(), password.to_owned().into())].into();
        let facts = spec.facts(buyer, ("Rust", "rust"), "DH123456", 1_790_000_000_000, None, secrets);
        (spec, facts)
    }
}

#[tokio::test]
async fn a_platform_of_other_people_takes_what_a_recipe_says() {
    let kolibri = Kolibri::start().await;
    let caller = Caller::new().unwrap();
    let (spec, facts) = kolibri.facts(PASSWORD);
    let recipe = spec.recipe().unwrap();

    let mut run = Run::new(&caller, recipe, &facts, &|_| ()).unwrap();
    assert!(!run.probe().await.unwrap());
    run.enrol().await.unwrap();
    let kept = run.kept();
    assert_eq!(kolibri.members().await.len(), 1);
    let user = kolibri.get(&format!("/api/auth/facilityuser/{}/", kept["user_id"].as_str().unwrap())).await;
    assert_eq!(user["full_name"], r#"Trần "Thị" & Lan"#);

    // Asked again it is left alone; told again, which no task does, the platform would break.
    let mut again = Run::new(&caller, recipe, &facts, &|_| ()).unwrap();
    assert!(again.probe().await.unwrap());
    assert_eq!(again.enrol().await.unwrap_err().kind, Kind::ServerError, "the control");

    let mut back = Run::new(&caller, recipe, &facts, &|_| ()).unwrap();
    back.remember(&kept);
    back.unenrol().await.unwrap();
    assert_eq!(kolibri.members().await.len(), 0);

    let (_, wrong) = kolibri.facts("wrong-password-0123456789");
    let failure = Run::new(&caller, recipe, &wrong, &|_| ()).unwrap().probe().await.unwrap_err();
    assert_eq!(failure.kind, Kind::Unauthorized, "{failure}");
    let mut elsewhere = facts.clone();
    elsewhere.course.reference = "0".repeat(32);
    let failure = Run::new(&caller, recipe, &elsewhere, &|_| ()).unwrap().probe().await.unwrap_err();
    assert_eq!(failure.kind, Kind::CourseUnknown, "{failure}");

    an_order_makes_a_student(&kolibri).await;
}

/// A whole order, from the transfer to the mail.
async fn an_order_makes_a_student(kolibri: &Kolibri) {
    let ground = Ground::new();
    ground.secrets.set("lms.kolibri", PASSWORD.into()).await.unwrap();
    let shop = TestShop::on(ground, Setup::default()).await;
    let source = shop.dir().join("demo-courses/thiet-ke-giao-dien");
    let course = json!({ "title": "Rust", "price_vnd": 50_000, "source": { "kind": "folder", "path": source },
                         "target": { "kind": "folder" }, "active": true, "enrolment": kolibri.enrolment() });
    let (status, answer) = shop.admin("PUT", "/admin/api/courses/rust-kolibri", Some(course)).await;
    assert_eq!(status, 200, "{answer}");
    let (code, total) = shop.order(&["rust-kolibri"]).await;
    shop.bank_receives(total, &code).await;
    shop.settled(&code, "completed").await;
    assert_eq!(kolibri.members().await.len(), 1);
    shop.sound().await;
}
