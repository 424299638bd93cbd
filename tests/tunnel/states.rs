//! What the tunnel is said to be, and what is done about it.

use std::path::Path;

use axum::Router;
use axum::routing::get;
use serde_json::{Value, json};

use super::{Place, TOKEN, notices, tunnel};

/// States that come right after a flap, by the shop's clock, ms.
const RIGHT: i64 = 35_000;
const BACK: i64 = 15_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_named_tunnel_comes_up_and_the_webhook_url_is_its_own() {
    let place = Place::named(Vec::new()).await;
    let (_, up) = place.until("up").await;
    assert_eq!(up["public_url"], place.edge.url());
    assert_eq!(up["webhook_url"], format!("{}/api/v1/payment/webhook", place.edge.url()));
    assert_eq!((&up["temporary"], &up["restarts"]), (&json!(false), &json!(0)));
    let answer = place.shop.http.get(format!("{}/healthz?n=0123", place.edge.url())).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), r#"{"status":"ok"}"#, "it says no more than that");
    let (_, check) = place.shop.admin("POST", "/admin/api/checks/tunnel", None).await;
    assert_eq!((&check["state"], &check["detail"]), (&json!("pass"), &json!(place.edge.url())));
    let (_, health) = place.shop.admin("GET", "/health", None).await;
    let part = health["components"].as_array().unwrap().iter().find(|part| part["name"] == "tunnel").unwrap();
    assert_eq!(part["state"], "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_is_in_no_argument_no_environment_no_output_and_not_on_the_disk_any_more() {
    let place = Place::named(Vec::new()).await;
    let (_, up) = place.until("up").await;
    let pid = place.edge.connector().unwrap();
    let read = |what: &str| {
        String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/{what}")).unwrap()).into_owned()
    };
    let (arguments, environment) = (read("cmdline"), read("environ"));
    // The control: this is the program, and it was told where its key is.
    assert!(arguments.contains("--token-file") && environment.contains("HOME="), "{arguments}");
    let said = up["output"].to_string();
    assert!(said.contains("Registered tunnel connection") && said.contains("token=‹hidden›"), "{said}");
    for text in [&arguments, &environment, &said] {
        assert!(!text.contains(TOKEN), "{text}");
    }
    assert_eq!(holding(&place.shop.dir().join("tunnel"), TOKEN), Vec::<String>::new());
}

/// Names of the files of `dir` that hold `text`.
fn holding(dir: &Path, text: &str) -> Vec<String> {
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let holds =
        |path: &std::path::PathBuf| std::fs::read_to_string(path).is_ok_and(|held| held.contains(text));
    files.filter(holds).map(|path| path.display().to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_lives_proves_nothing_when_the_answer_is_someone_elses() {
    let place = Place::named(Vec::new()).await;
    place.until("up").await;
    let theirs = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    place.edge.leads_to(theirs.local_addr().unwrap());
    let answer = || async { axum::Json(json!({ "status": "ok" })) };
    tokio::spawn(async move { axum::serve(theirs, Router::new().route("/healthz", get(answer))).await });
    place.edge.throw_out();
    let (took, down) = place.until("down").await;
    assert_eq!(down["reason"], "tunnel_nonce_not_seen");
    assert!(took <= RIGHT, "{took} ms");
    // The control: by the program's life, by its own word and by the answer's status all is well.
    place.pace.until(&place.shop, |_| place.edge.connector().is_some()).await;
    let answer = place.shop.http.get(format!("{}/healthz", place.edge.url())).send().await.unwrap();
    assert!(answer.status().is_success());
    assert_eq!(tunnel(&place.shop).await["state"], "down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_program_is_started_again_and_a_hanging_one_is_replaced() {
    let place = Place::named(Vec::new()).await;
    place.until("up").await;
    place.edge.signal("-KILL");
    place.until("down").await;
    let (took, up) = place.until("up").await;
    assert!(took <= BACK, "{took} ms");
    assert_eq!(up["restarts"], 1);

    let hanging = place.edge.connector().unwrap();
    place.edge.signal("-STOP");
    let (took, down) = place.until("down").await;
    assert!(took <= RIGHT, "{took} ms: {down}");
    let (took, up) = place.until("up").await;
    assert!(took <= BACK, "{took} ms");
    assert_eq!(up["restarts"], 2);
    assert_ne!(place.edge.connector(), Some(hanging));
    assert!(!Path::new(&format!("/proc/{hanging}/cmdline")).exists(), "the hanging one is gone");
    let mut states: Vec<&Value> =
        up["history"].as_array().unwrap().iter().map(|moment| &moment["state"]).collect();
    // One state may have two reasons, one after the other.
    states.dedup();
    assert_eq!(states, ["starting", "up", "down", "up", "down", "up"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_called_that_and_the_right_one_is_taken_into_use_at_once() {
    let place = Place::named(Vec::new()).await;
    place.until("up").await;
    let told = ["Invalid tunnel secret", "Provided Tunnel token is not valid"];
    for (wrong, words) in ["eyJ3cm9uZyI6ImtleSJ9", "not-a-token-at-all"].into_iter().zip(told) {
        let set = json!({ "value": wrong });
        let (status, _) = place.shop.admin("PUT", "/admin/api/secrets/tunnel.token", Some(set)).await;
        assert_eq!(status, 200);
        let so = |now: &Value| now["state"] == "down" && now["output"].to_string().contains(words);
        let (took, down) = place.pace.until(&place.shop, so).await;
        assert_eq!(down["reason"], "tunnel_wrong_token", "{down}");
        assert!(took <= RIGHT, "{took} ms");
    }
    place.pace.pass(&place.shop, 120_000).await;
    let set = json!({ "value": TOKEN });
    place.shop.admin("PUT", "/admin/api/secrets/tunnel.token", Some(set)).await;
    let (took, _) = place.until("up").await;
    assert!(took <= BACK, "{took} ms");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quick_tunnel_has_a_new_address_each_time_and_the_owner_is_told() {
    let place = Place::quick(Vec::new()).await;
    let (_, first) = place.until("up").await;
    assert_eq!(first["temporary"], true);
    let url = first["public_url"].as_str().unwrap().to_owned();
    let (_, settings) = place.shop.admin("GET", "/admin/api/settings", None).await;
    assert_eq!(settings["sepay"]["webhook_url"], format!("{url}/api/v1/payment/webhook"));
    assert!(notices(&place.shop, "tunnel_moved").await.is_empty(), "the first address is no news");
    place.edge.signal("-KILL");
    place.until("down").await;
    let (_, second) = place.until("up").await;
    assert_ne!(second["public_url"], url);
    let told = async || notices(&place.shop, "tunnel_moved").await.into_iter().next();
    assert_eq!(place.shop.until(told).await["data"]["url"], second["public_url"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_program_is_called_that_and_switching_off_ends_everything() {
    let place = Place::named(Vec::new()).await;
    place.until("up").await;
    let pid = place.edge.connector().unwrap();
    let (_, settings) = place.shop.admin("GET", "/admin/api/settings", None).await;
    let with = |kind: &str, program: &str| {
        let mut tunnel = settings["tunnel"].clone();
        tunnel["kind"] = json!(kind);
        tunnel["program"] = json!(program);
        tunnel
    };
    // Variables of the environment outweigh the file: these are not set there.
    let (status, saved) =
        place.shop.admin("PUT", "/admin/api/settings/tunnel", Some(with("ssh", "/nowhere/ssh"))).await;
    assert_eq!((status, &saved["tunnel"]["kind"]), (200, &json!("cloudflared")));
    assert_eq!(tunnel(&place.shop).await["state"], "up", "nothing has changed: {pid}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_taken_into_use_as_they_are_saved() {
    let pace = super::Pace::default();
    let setup = chotdon_tests::Setup { env: Vec::new(), probe: pace.probe() };
    let shop = chotdon_tests::TestShop::on(chotdon_tests::Ground::new(), setup).await;
    assert_eq!(tunnel(&shop).await["state"], "off");
    let (status, problem) = shop.admin("POST", "/admin/api/tunnel/restart", None).await;
    assert_eq!((status, &problem["code"]), (409, &json!("tunnel_off")));
    let (_, settings) = shop.admin("GET", "/admin/api/settings", None).await;
    let mut wanted = settings["tunnel"].clone();
    wanted["kind"] = json!("command");
    wanted["program"] = json!("/nowhere/program");
    wanted["url"] = json!("http://127.0.0.1:1");
    let (status, saved) = shop.admin("PUT", "/admin/api/settings/tunnel", Some(wanted.clone())).await;
    assert_eq!((status, &saved["tunnel"]), (200, &wanted));
    let (_, down) = pace.until_state(&shop, "down").await;
    assert_eq!(down["reason"], "tunnel_program_missing");
    let (_, overview) = shop.admin("GET", "/admin/api/overview", None).await;
    assert_eq!(overview["receiving"]["state"], "unreachable");
    let (_, checklist) = shop.admin("GET", "/admin/api/checklist", None).await;
    let row = checklist["rows"].as_array().unwrap().iter().find(|row| row["id"] == "tunnel").unwrap();
    assert_eq!((&row["state"], &row["code"]), (&json!("fail"), &json!("tunnel_program_missing")));
    // A program that lives and does nothing.
    wanted["program"] = json!("/bin/cat");
    wanted["args"] = json!(["/dev/zero"]);
    shop.admin("PUT", "/admin/api/settings/tunnel", Some(wanted.clone())).await;
    let (_, down) =
        pace.until(&shop, |now| now["state"] == "down" && now["reason"] != "tunnel_program_missing").await;
    assert_eq!(down["reason"], "tunnel_refused");
    wanted["kind"] = json!("none");
    shop.admin("PUT", "/admin/api/settings/tunnel", Some(wanted)).await;
    let (_, off) = pace.until_state(&shop, "off").await;
    assert_eq!(off["public_url"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_round_trip_turns_green_when_an_authentic_webhook_comes_through() {
    let place = Place::named(Vec::new()).await;
    place.until("up").await;
    let payment = place.shop.payment(1_000, "thu");
    assert_eq!(place.shop.webhook(&payment).await.0, 200);
    assert_eq!(tunnel(&place.shop).await["round_trip_at"], Value::Null, "that one came from this machine");
    let send = |key: &'static str| {
        let body = chotdon_tests::TestShop::body(&place.shop.payment(2_000, "gui thu"));
        let request = place.shop.http.post(format!("{}/api/v1/payment/webhook", place.edge.url()));
        request.header("authorization", format!("Apikey {key}")).body(body).send()
    };
    assert_eq!(send("wrong-key-0123456789").await.unwrap().status(), 401);
    assert_eq!(tunnel(&place.shop).await["round_trip_at"], Value::Null, "anyone can send that");
    assert_eq!(send(chotdon_tests::API_KEY).await.unwrap().status(), 200);
    assert!(tunnel(&place.shop).await["round_trip_at"].is_string());
}
