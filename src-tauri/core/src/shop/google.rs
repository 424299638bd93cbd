//! The owner's consent to their Google Drive: asked for in a browser, answered to an address of this machine.
//!
//! One question at a time; a new one ends the one before. What Google gave is kept as a secret, and parked services
//! go on by themselves then.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use gdrive::{Consent, Granted, OAuthClient};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use url::{Url, form_urlencoded};

use chotdon_store::AuditEntry;

use super::Floor;
use crate::config::Language;
use crate::delivery::drive_error;
use crate::secrets::{SecretName, same};
use crate::workers::StageError;

/// How long the owner may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long Google may take to say whose account it is.
const GLANCE: Duration = Duration::from_secs(15);

/// Where the question stands.
#[derive(Default)]
pub(crate) struct GoogleConsent(Mutex<Asked>);

#[derive(Default)]
struct Asked {
    /// Ends the question that is open.
    open: Option<CancellationToken>,
    /// Why the last one came to nothing.
    refused: Option<StageError>,
}

/// What is known of the account.
#[derive(Debug, Clone, Default)]
pub(crate) struct GoogleGlance {
    /// `off`, `waiting`, `connected`, `reconnect`, `failed`.
    pub(crate) state: &'static str,
    /// The account's address.
    pub(crate) email: Option<String>,
    /// Bytes used and allowed.
    pub(crate) used: Option<u64>,
    pub(crate) limit: Option<u64>,
    /// Code and technical words of what is wrong.
    pub(crate) trouble: Option<StageError>,
}

/// A browser that came back, and where its answer goes.
type Back = (String, oneshot::Sender<Result<(), StageError>>);

impl GoogleConsent {
    fn lock(&self) -> MutexGuard<'_, Asked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Floor {
    /// Begins to ask for consent. Answers the address that the owner's browser has to open.
    ///
    /// # Errors
    /// Permanent `drive_client_missing` without an OAuth client in the settings; transient when no address of this
    /// machine is free.
    pub(crate) async fn ask_google(&self) -> Result<String, StageError> {
        let settings = self.config().drive.clone();
        if settings.client_id.trim().is_empty() {
            return Err(StageError::permanent("drive_client_missing", "drive.client_id is not set"));
        }
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.map_err(|error| StageError::transient("internal", error.to_string()))?;
        let address =
            listener.local_addr().map_err(|error| StageError::transient("internal", error.to_string()))?;
        let now = self.clock.now_ms();
        let secret = self.credentials.get(&SecretName::google_client_secret(), now).await;
        let secret =
            secret.map_err(|error| StageError::transient("secret_store_unavailable", error.to_string()))?;
        let client = OAuthClient { id: settings.client_id.trim().to_owned(), secret };
        let redirect = format!("http://127.0.0.1:{}", address.port());
        let consent =
            Consent::begin(&settings.ends(), client, settings.scope(), &redirect).map_err(drive_error)?;
        let url = consent.url().to_owned();

        let stop = CancellationToken::new();
        {
            let mut asked = self.google_consent.lock();
            if let Some(before) = asked.open.replace(stop.clone()) {
                before.cancel();
            }
            asked.refused = None;
        }
        tokio::spawn(await_answer(self.clone(), listener, consent, stop));
        Ok(url)
    }

    /// The account as it is now; asks Google when there is one.
    pub(crate) async fn google(&self) -> GoogleGlance {
        let (open, refused) = {
            let asked = self.google_consent.lock();
            (asked.open.is_some(), asked.refused.clone())
        };
        if open {
            return GoogleGlance { state: "waiting", ..GoogleGlance::default() };
        }
        let asked = async { self.drive().await?.about().await.map_err(drive_error) };
        match tokio::time::timeout(GLANCE, asked).await {
            Ok(Ok(about)) => GoogleGlance {
                state: "connected",
                email: Some(about.email),
                used: Some(about.usage),
                limit: about.limit,
                trouble: refused,
            },
            Ok(Err(error)) if error.code == "drive_not_connected" => {
                GoogleGlance { state: "off", trouble: refused, ..GoogleGlance::default() }
            }
            Ok(Err(error)) => {
                let state = if error.code == "drive_reconnect" { "reconnect" } else { "failed" };
                GoogleGlance { state, trouble: Some(refused.unwrap_or(error)), ..GoogleGlance::default() }
            }
            Err(_) => GoogleGlance {
                state: "failed",
                trouble: Some(StageError::transient(
                    "drive_unreachable",
                    "Google does not answer within 15 seconds",
                )),
                ..GoogleGlance::default()
            },
        }
    }

    /// Forgets the account, and takes the consent back at Google where that can be reached.
    ///
    /// # Errors
    /// Transient `secret_store_unavailable`.
    pub(crate) async fn leave_google(&self, actor: &str) -> Result<(), StageError> {
        let name = SecretName::google_refresh_token();
        let failed = |error: crate::ports::SecretError| {
            StageError::transient("secret_store_unavailable", error.to_string())
        };
        let token = self.credentials.get(&name, self.clock.now_ms()).await.map_err(failed)?;
        self.credentials.delete(&name).await.map_err(failed)?;
        {
            let mut asked = self.google_consent.lock();
            if let Some(open) = asked.open.take() {
                open.cancel();
            }
            asked.refused = None;
        }
        if let Some(token) = token {
            let ends = self.config().drive.ends();
            let revoked = tokio::time::timeout(GLANCE, Granted::revoke(&ends, &token)).await;
            if !matches!(revoked, Ok(Ok(()))) {
                tracing::warn!("Google could not be told that the consent is taken back");
            }
        }
        self.told(actor, "google.disconnect").await;
        Ok(())
    }

    async fn told(&self, actor: &str, action: &str) {
        let entry = AuditEntry {
            actor: actor.to_owned(),
            action: action.to_owned(),
            subject: "google".to_owned(),
            data: json!({}),
        };
        if let Err(error) = self.store.record_audit(entry, self.clock.now_ms()).await {
            tracing::error!(%error, action, "the record could not be written");
        }
    }
}

/// Waits for the browser to come back with the answer to this question; other requests change nothing.
async fn await_answer(floor: Floor, listener: TcpListener, consent: Consent, stop: CancellationToken) {
    let (sender, mut backs) = mpsc::channel::<Back>(4);
    let vietnamese = floor.config().shop.language == Language::Vi;
    let page = Router::new().route("/", get(came_back)).with_state(Arc::new((sender, vietnamese)));
    let closing = CancellationToken::new();
    let server = axum::serve(listener, page).with_graceful_shutdown(closing.clone().cancelled_owned());
    let server = tokio::spawn(server.into_future());
    let state = state_of(consent.url());
    let answer = async {
        while let Some((query, reply)) = backs.recv().await {
            if same(&state_of(&format!("http://x/?{query}")), &state) {
                return Some((query, reply));
            }
            let _ = reply
                .send(Err(StageError::permanent("drive_denied", "the answer belongs to another question")));
        }
        None
    };
    let result = tokio::select! {
        () = stop.cancelled() => None,
        answer = tokio::time::timeout(PATIENCE, answer) => match answer {
            Ok(Some((query, reply))) => {
                let kept = keep(&floor, consent, &query).await;
                let _ = reply.send(kept.clone());
                Some(kept)
            }
            _ => Some(Err(StageError::permanent("drive_consent_timeout", "nobody answered within ten minutes"))),
        },
    };
    // The page is being sent: it is let out before the listener closes.
    closing.cancel();
    let _ = tokio::time::timeout(Duration::from_secs(5), server).await;
    let Some(result) = result else { return };
    {
        let mut asked = floor.google_consent.lock();
        asked.open = None;
        asked.refused = result.as_ref().err().cloned();
    }
    floor.told("owner", if result.is_ok() { "google.connect" } else { "google.refused" }).await;
    floor.services.reconsider().await;
}

async fn keep(floor: &Floor, consent: Consent, query: &str) -> Result<(), StageError> {
    let ends = floor.config().drive.ends();
    let granted = consent.finish(&ends, query).await.map_err(drive_error)?;
    let kept = floor.credentials.set(&SecretName::google_refresh_token(), granted.refresh_token).await;
    kept.map_err(|error| StageError::transient("secret_store_unavailable", error.to_string()))
}

fn state_of(url: &str) -> String {
    let query = Url::parse(url).ok().and_then(|url| url.query().map(str::to_owned)).unwrap_or_default();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(name, _)| name == "state").map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// The page that the owner's browser ends at. What came with the request is not repeated on it.
async fn came_back(
    State(desk): State<Arc<(mpsc::Sender<Back>, bool)>>,
    RawQuery(query): RawQuery,
) -> Response {
    let (sender, vietnamese) = &*desk;
    let (reply, answer) = oneshot::channel();
    let sent = match query {
        Some(query) if query.contains("state=") => sender.send((query, reply)).await.is_ok(),
        _ => false,
    };
    let good = sent && matches!(answer.await, Ok(Ok(())));
    let words = match (good, vietnamese) {
        (true, true) => "Đã kết nối Google Drive. Bạn đóng trang này và quay lại ChotDon.",
        (true, false) => "Google Drive is connected. Close this page and go back to ChotDon.",
        (false, true) => "Chưa kết nối được Google Drive. Quay lại ChotDon để xem lý do và thử lại.",
        (false, false) => "Google Drive is not connected. Go back to ChotDon to see why and try again.",
    };
    let status = if good { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let language = if *vietnamese { "vi" } else { "en" };
    let page = format!(
        "<!doctype html><html lang=\"{language}\"><meta charset=\"utf-8\"><title>ChotDon</title>\
         <body style=\"font:16px/1.6 system-ui,sans-serif;max-width:32rem;margin:20vh auto;padding:0 1rem\"><p>{words}</p></body></html>"
    );
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"),
    ];
    (status, headers, Html(page)).into_response()
}
