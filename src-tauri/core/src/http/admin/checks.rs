//! The setup checklist and its test buttons. Results of tests are kept in memory until the next start.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use chotdon_store::read::AccountRecord;
use futures::future::join_all;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::Desk;
use super::audit::recorded;
use super::mailbox::FOLDER;
use crate::config::{Config, MailTransport};
use crate::delivery::SourceSpec;
use crate::delivery::mail::{Message, Parts, SmtpSettings, TlsMode, Transport};
use crate::http::problem::Answer;
use crate::ports::Toast;
use crate::present;
use crate::reconcile::Trouble;
use crate::secrets::SecretName;
use crate::tell;
use crate::tunnel::{Reach, Verdict};
use crate::views::{CheckRow, Checklist, Problem, Receiving, TunnelGlance};
use crate::workers::StageError;

/// Longest wait for another machine.
const PATIENCE: Duration = Duration::from_secs(10);
/// Name under which the secret store is tried out.
const CANARY: &str = "chotdon.check";

const IDS: [&str; 9] =
    ["bank", "sepay_key", "tunnel", "webhook", "sepay_api", "mail", "secrets", "course", "notifications"];

/// Rows that show how it stands now, whatever a test found before.
const ALWAYS_KNOWN: [&str; 2] = ["tunnel", "notifications"];

/// What the test buttons found, by check.
#[derive(Debug, Default)]
pub(crate) struct CheckBook(Mutex<BTreeMap<String, CheckRow>>);

impl CheckBook {
    fn put(&self, row: &CheckRow) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(row.id.clone(), row.clone());
    }

    fn get(&self, id: &str) -> Option<CheckRow> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }
}

/// What was found, before it has a name and a time.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    state: &'static str,
    code: Option<String>,
    detail: Option<String>,
}

impl Finding {
    fn pass() -> Self {
        Self { state: "pass", code: None, detail: None }
    }

    fn warn(code: &str, detail: impl Into<String>) -> Self {
        Self { state: "warn", code: Some(code.to_owned()), detail: Some(detail.into()) }
    }

    fn fail(code: &str, detail: impl Into<String>) -> Self {
        Self { state: "fail", code: Some(code.to_owned()), detail: Some(detail.into()) }
    }

    fn row(self, id: &str, checked_at: Option<i64>) -> CheckRow {
        CheckRow {
            id: id.to_owned(),
            state: self.state.to_owned(),
            code: self.code,
            detail: self.detail,
            checked_at: checked_at.map(present::rfc3339),
        }
    }
}

impl From<StageError> for Finding {
    fn from(error: StageError) -> Self {
        Self::fail(error.code, error.detail)
    }
}

/// What has to be set up, with the state of each.
#[utoipa::path(get, path = "/admin/api/checklist", tag = "settings",
    responses((status = 200, body = Checklist), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn checklist(State(desk): State<Desk>) -> Answer<Json<Checklist>> {
    let accounts = desk.store.bank_accounts().await?;
    let pulse = desk.store.pulse(desk.now()).await?;
    Ok(Json(checklist_now(&desk, &accounts, pulse.courses, pulse.last_transfer_at).await.0))
}

/// Runs one test: `bank`, `sepay_key`, `tunnel`, `webhook`, `sepay_api`, `mail`, `secrets`, `course` or `notifications`.
#[utoipa::path(post, path = "/admin/api/checks/{id}", tag = "settings", params(("id" = String, Path, description = "The check")),
    responses((status = 200, body = CheckRow), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn run_check(State(desk): State<Desk>, Path(check): Path<String>) -> Answer<Json<CheckRow>> {
    let Some(id) = IDS.into_iter().find(|id| *id == check) else {
        return Err(Problem::bad(format!("the check must be one of {}", IDS.join(", "))));
    };
    let finding = match id {
        "bank" => bank(&desk.store.bank_accounts().await?),
        "sepay_key" => sepay_key(&desk).await,
        "tunnel" => tunnel(&desk).await,
        "webhook" => webhook(&desk).await,
        "sepay_api" => sepay_api(&desk).await,
        "mail" => mail(&desk).await.unwrap_or_else(Finding::from),
        "secrets" => secrets(&desk).await,
        "course" => course(&desk).await?,
        _ => notifications(&desk).await,
    };
    let row = finding.row(id, Some(desk.now()));
    desk.checks.put(&row);
    recorded(&desk, "check.run", id, json!({ "state": row.state, "code": row.code })).await?;
    Ok(Json(row))
}

/// The checklist from what is known without asking anyone, and what the test buttons found before. Also whether
/// the secret store can be read.
pub(super) async fn checklist_now(
    desk: &Desk,
    accounts: &[AccountRecord],
    courses: i64,
    last_transfer_at: Option<i64>,
) -> (Checklist, bool) {
    let config = desk.shop.config();
    let key = sepay_key(desk).await;
    let secrets_ok = key.code.as_deref() != Some("secret_store_unavailable");
    let seen = desk.shop.last_webhook_at().or(last_transfer_at).is_some();
    let webhook =
        if seen { Finding::pass() } else { Finding::warn("webhook_not_seen", "no webhook has come yet") };
    let api = match desk.shop.reconciler().configured().await {
        Ok(true) => Finding::pass(),
        _ => no_api_token(),
    };
    let mail = match mail_transport(desk, &config).await {
        Ok(Transport::None) => Finding::warn("mail_not_set_up", "mail.transport is none"),
        Ok(_) => Finding::pass(),
        Err(error) => error.into(),
    };
    let course =
        if courses > 0 { Finding::pass() } else { Finding::fail("no_course", "no course is on sale") };
    let told = if tell::reaches_elsewhere(&config) {
        Finding::pass()
    } else if !config.notifications.desktop {
        Finding::warn("notifications_off", "desktop notifications are switched off")
    } else {
        let trouble = desk.desktop.trouble().await;
        trouble.map_or_else(Finding::pass, |why| Finding::warn("notifications_unavailable", why))
    };
    let secrets = match (secrets_ok, desk.credentials.kind()) {
        (false, _) => Finding { state: "fail", ..key.clone() },
        (true, "memory") => Finding::warn("secrets_in_memory", "secrets are lost when the app ends"),
        (true, _) => Finding::pass(),
    };
    let rows = IDS.into_iter().zip([
        bank(accounts),
        key,
        tunnel_now(desk),
        webhook,
        api,
        mail,
        secrets,
        course,
        told,
    ]);
    let rows: Vec<CheckRow> = rows
        .map(|(id, finding)| match desk.checks.get(id) {
            // What is plainly missing now outweighs a test that once passed.
            Some(tested) if finding.state != "fail" && !ALWAYS_KNOWN.contains(&id) => tested,
            tested => CheckRow { checked_at: tested.and_then(|row| row.checked_at), ..finding.row(id, None) },
        })
        .collect();
    let done = rows.iter().filter(|row| row.state == "pass").count();
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    (Checklist { done: count(done), total: count(rows.len()), rows }, secrets_ok)
}

/// Whether money can come in now.
pub(super) async fn receiving(desk: &Desk) -> Answer<Receiving> {
    let listener = desk.shop.components().into_iter().find(|component| component.name == "public_listener");
    let listening = listener.as_ref().is_none_or(|component| component.state == "ok");
    let reach = desk.shop.tunnel().state();
    let mut since =
        listener.map_or_else(|| present::rfc3339(desk.shop.started_at()), |component| component.since);
    let state = if !listening || !desk.shop.ledger_ok() {
        "stopped"
    } else if reach.state == Reach::Down {
        since = present::rfc3339(reach.since);
        "unreachable"
    } else if sepay_key(desk).await.state == "fail" {
        "not_set_up"
    } else {
        "ok"
    };
    Ok(Receiving {
        state: state.to_owned(),
        since,
        webhook_url: desk.webhook_url(),
        last_webhook_at: desk.shop.last_webhook_at().map(present::rfc3339),
        rejected_24h: desk.shop.rejected_24h(),
        tunnel: TunnelGlance {
            kind: reach.kind.as_str().to_owned(),
            state: reach.state.as_str().to_owned(),
            reason: reach.reason.map(str::to_owned),
            since: present::rfc3339(reach.since),
        },
        woke: super::tunnel::woke(desk).await?,
    })
}

/// A client for this machine and the addresses that the owner entered.
pub(super) fn client() -> Answer<reqwest::Client> {
    reqwest::Client::builder().timeout(PATIENCE).no_proxy().build().map_err(|error| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", format!("no HTTP client: {error}"))
    })
}

/// Builds the QR that a buyer would see on each account, and reads it back.
fn bank(accounts: &[AccountRecord]) -> Finding {
    if accounts.is_empty() {
        return Finding::fail("no_bank_account", "add the account that customers pay into");
    }
    for account in accounts {
        let payment = present::payment(account, "DH000000", 1000, String::new());
        let read = vietqr::read(&payment.vietqr);
        if read.is_err() || read.is_ok_and(|read| read.account != payment.account) {
            let detail =
                format!("the QR of account {} at {} cannot be read back", account.account, account.bank);
            return Finding::fail("bank_account_invalid", detail);
        }
    }
    Finding::pass()
}

async fn sepay_key(desk: &Desk) -> Finding {
    for name in [SecretName::sepay_hmac_secret(), SecretName::sepay_api_key()] {
        match desk.credentials.get(&name, desk.now()).await {
            Err(error) => return Finding::fail("secret_store_unavailable", error.to_string()),
            Ok(Some(key)) if key.expose_secret().bytes().all(|b| b.is_ascii_graphic()) => {
                return Finding::pass();
            }
            Ok(Some(_)) => {
                return Finding::fail(
                    "sepay_key_invalid",
                    format!("{} has characters that no HTTP header takes", name.as_str()),
                );
            }
            Ok(None) => {}
        }
    }
    Finding::fail("sepay_key_missing", "set sepay.api_key or sepay.hmac_secret, the same as at SePay")
}

/// What the regular checks know of the public address.
fn tunnel_now(desk: &Desk) -> Finding {
    let now = desk.shop.tunnel().state();
    let (reason, detail) = (now.reason.unwrap_or_default(), now.detail.unwrap_or_default());
    match now.state {
        Reach::Up => Finding { detail: now.public_url, ..Finding::pass() },
        Reach::Off => Finding::warn("tunnel_off", "without a public address SePay cannot call the shop"),
        Reach::Starting => Finding::warn("tunnel_starting", "it is being looked at"),
        Reach::Degraded => Finding::warn(reason, detail),
        Reach::Down => Finding::fail(reason, detail),
    }
}

/// Sends a number through the public address and looks whether our listener sees it.
async fn tunnel(desk: &Desk) -> Finding {
    match desk.shop.tunnel().look().await {
        None => tunnel_now(desk),
        Some(Verdict::Failed { code, detail }) => Finding::fail(code, detail),
        Some(Verdict::Reached { .. }) => {
            Finding { detail: desk.shop.tunnel().public_url(), ..Finding::pass() }
        }
    }
}

/// A webhook that came proves the whole way; until then the public listener must at least answer.
async fn webhook(desk: &Desk) -> Finding {
    let url = format!("{}/healthz", desk.shop.base_url());
    let Ok(client) = client() else {
        return Finding::fail("listener_unreachable", "no HTTP client");
    };
    match client.get(&url).send().await {
        Ok(answer) if answer.status().is_success() => match desk.shop.last_webhook_at() {
            Some(_) => Finding::pass(),
            None => {
                Finding::warn("webhook_not_seen", "the address answers; no webhook has come from SePay yet")
            }
        },
        Ok(answer) => Finding::fail("listener_unreachable", format!("{url} answers {}", answer.status())),
        Err(error) => Finding::fail("listener_unreachable", format!("{url}: {}", error.without_url())),
    }
}

fn no_api_token() -> Finding {
    Finding::warn(
        Trouble::NoToken.code(),
        "without sepay.api_token nothing makes up for webhooks that were missed",
    )
}

/// Asks SePay for the accounts that the token opens, and shows them masked.
async fn sepay_api(desk: &Desk) -> Finding {
    match desk.shop.reconciler().accounts().await {
        Ok(accounts) => {
            let masked = |account: &str| {
                let shown: String = account.chars().rev().take(4).collect();
                format!("…{}", shown.chars().rev().collect::<String>())
            };
            let words: Vec<String> =
                accounts.iter().map(|one| format!("{} {}", one.bank, masked(&one.account))).collect();
            Finding { detail: Some(words.join(", ")), ..Finding::pass() }
        }
        Err(Trouble::NoToken) => no_api_token(),
        Err(trouble) => Finding::fail(trouble.code(), trouble.to_string()),
    }
}

/// The way out for mail, as the settings say now.
pub(super) async fn mail_transport(desk: &Desk, config: &Config) -> Result<Transport, StageError> {
    match config.mail.transport {
        MailTransport::None => Ok(Transport::None),
        MailTransport::Mailbox => Transport::mailbox(desk.shop.data_dir().join(FOLDER), &config.mail.from),
        MailTransport::Smtp => {
            let settings = SmtpSettings {
                host: config.mail.host.clone(),
                port: config.mail.port,
                tls: TlsMode::from_name(config.mail.tls.as_str()).unwrap_or(TlsMode::Starttls),
                user: config.mail.user.clone(),
                from: config.mail.from.clone(),
                ca_file: config.mail.ca_file.as_ref().map(Into::into),
            };
            let password = desk
                .credentials
                .get(&SecretName::smtp_password(), desk.now())
                .await
                .map_err(|error| StageError::transient("secret_store_unavailable", error.to_string()))?;
            Transport::smtp(&settings, password.as_ref())
        }
    }
}

/// Sends a mail to the shop itself.
async fn mail(desk: &Desk) -> Result<Finding, StageError> {
    let config = desk.shop.config();
    let transport = mail_transport(desk, &config).await?;
    transport.check().await?;
    let from = if config.mail.from.trim().is_empty() { "chotdon@localhost" } else { config.mail.from.trim() };
    let address = from.rsplit_once('<').map_or(from, |(_, address)| address.trim_end_matches('>'));
    let now = desk.now();
    let text = "Thư thử của ChotDon: gửi thư hoạt động.\n\nA test mail of ChotDon: mail works.\n";
    let parts = Parts {
        subject: "ChotDon".to_owned(),
        text: text.to_owned(),
        html: format!("<p>{}</p>", text.trim()),
    };
    let id = format!("check.{now}@chotdon.invalid");
    transport.send(now, &Message::new(id, address, config.shop.name.clone(), parts)).await?;
    Ok(Finding { detail: Some(address.to_owned()), ..Finding::pass() })
}

/// Writes, reads and removes a value.
async fn secrets(desk: &Desk) -> Finding {
    let value = crate::secrets::generate();
    let outcome = async {
        desk.secrets.set(CANARY, SecretString::from(value.expose_secret())).await?;
        let read = desk.secrets.get(CANARY).await?;
        desk.secrets.delete(CANARY).await?;
        Ok::<_, crate::ports::SecretError>(read)
    };
    match outcome.await {
        Err(error) => Finding::fail("secret_store_unavailable", error.to_string()),
        Ok(Some(read)) if crate::secrets::same(read.expose_secret(), value.expose_secret()) => {
            Finding { detail: Some(desk.secrets.kind().to_owned()), ..Finding::pass() }
        }
        Ok(_) => Finding::fail("secret_store_unavailable", "it does not give back what it was given"),
    }
}

/// Looks whether the source of every course on sale can be reached.
async fn course(desk: &Desk) -> Answer<Finding> {
    let courses = desk.store.courses(desk.now()).await?;
    let on_sale: Vec<_> = courses.iter().filter(|course| course.active).collect();
    if on_sale.is_empty() {
        return Ok(Finding::fail("no_course", "no course is on sale"));
    }
    let looks = on_sale.iter().map(async |course| {
        let source = serde_json::from_str::<SourceSpec>(&course.source)
            .map_err(|error| Finding::fail("source_invalid", format!("{}: {error}", course.slug)))?;
        reachable(desk, &source)
            .await
            .map_err(|(code, detail)| Finding::fail(code, format!("{}: {detail}", course.slug)))
    });
    let broken = join_all(looks).await.into_iter().find_map(Result::err);
    Ok(broken.unwrap_or_else(Finding::pass))
}

async fn reachable(desk: &Desk, source: &SourceSpec) -> Result<(), (&'static str, String)> {
    match source {
        SourceSpec::Folder { path } => match tokio::fs::read_dir(path).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(("source_not_found", format!("{} is not there", path.display())))
            }
            Err(error) => Err(("source_unreachable", format!("{}: {error}", path.display()))),
        },
        SourceSpec::Http { url, secret, .. } => {
            let mut request = client().map_err(|problem| ("source_unreachable", problem.detail))?.get(url);
            if let Some(name) = secret.as_deref().and_then(|name| SecretName::parse(name).ok())
                && let Ok(Some(token)) = desk.credentials.get(&name, desk.now()).await
            {
                request = request.bearer_auth(token.expose_secret());
            }
            let answer = request
                .send()
                .await
                .map_err(|error| ("source_unreachable", error.without_url().to_string()))?;
            match answer.status().as_u16() {
                200..=299 => Ok(()),
                401 | 403 => Err(("source_unauthorized", answer.status().to_string())),
                404 | 410 => Err(("source_not_found", answer.status().to_string())),
                _ => Err(("source_server_error", answer.status().to_string())),
            }
        }
        // Its first use tells: a listing may take minutes.
        SourceSpec::Rclone { .. } | SourceSpec::None {} => Ok(()),
        SourceSpec::Program { command, .. } => {
            crate::delivery::executable(command).await.map_err(|error| (error.code, error.detail))
        }
    }
}

async fn notifications(desk: &Desk) -> Finding {
    let toast = Toast {
        title: "ChotDon".to_owned(),
        body: "Thông báo hoạt động. Notifications work.".to_owned(),
        route: "/settings".to_owned(),
        urgent: false,
    };
    match desk.desktop.show(toast).await {
        Ok(()) => Finding::pass(),
        Err(why) => Finding::warn("notifications_unavailable", why),
    }
}
