//! Whose request it is: the key that signed it, found by name or among all living ones, and whether its time is ours.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use sha2::{Digest, Sha256};

use chotdon_store::WorkerCall;

use super::{LONGEST, LONGEST_LIST};
use crate::http::problem::Answer;
use crate::secrets::SecretName;
use crate::shop::Floor;
use crate::signed::Envelope;
use crate::views::Problem;

/// Says which key signed; without it every living one is tried.
const WORKER: &str = "webhook-worker";

/// A request that a living worker signed.
pub(super) struct Signed {
    /// Its name.
    pub(super) worker: String,
    /// Id and time.
    pub(super) envelope: Envelope,
    /// What was signed.
    pub(super) body: Bytes,
}

impl Signed {
    /// As the store remembers it.
    pub(super) fn call(&self, now: i64) -> WorkerCall {
        WorkerCall {
            worker: self.worker.clone(),
            id: self.envelope.id().to_owned(),
            sha256: hex::encode(Sha256::digest(&self.body)),
            now,
        }
    }
}

/// Checks the signature over a body.
///
/// # Errors
/// 413, and those of [`signer`].
pub(super) async fn signed(
    floor: &Floor,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answer<Signed> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("a body has at most {LONGEST} bytes, a list of files {LONGEST_LIST}"),
        ),
        _ => Problem::bad("the body broke off"),
    })?;
    match signer(floor, headers, &body).await {
        Ok((worker, envelope)) => Ok(Signed { worker, envelope, body }),
        // Earlier workers sent their key in the body. They are told, because nothing else would explain it.
        Err(problem) if problem.code == "signature_invalid" && names_a_secret_key(&body) => {
            Err(secret_key_refused(StatusCode::UNAUTHORIZED))
        }
        Err(problem) => Err(problem),
    }
}

/// The living worker whose key signed `payload`, and the envelope.
///
/// # Errors
/// 401 `signature_invalid`, `timestamp_out_of_range`, `worker_revoked`; 503 when the keys cannot be read.
pub(super) async fn signer(floor: &Floor, headers: &HeaderMap, payload: &[u8]) -> Answer<(String, Envelope)> {
    let envelope = Envelope::read(
        one(headers, "webhook-id")?,
        one(headers, "webhook-timestamp")?,
        one(headers, "webhook-signature")?,
    )
    .map_err(invalid)?;
    let named = match headers.contains_key(WORKER) {
        true => {
            Some(std::str::from_utf8(one(headers, WORKER)?).map_err(|_| invalid("webhook-worker: a name"))?)
        }
        false => None,
    };
    let now = floor.clock.now_ms();
    let mut signer = None;
    for key in floor.store.worker_keys().await? {
        if named.is_some_and(|name| name != key.name) {
            continue;
        }
        if key.revoked_at.is_some() {
            if named.is_some() {
                return Err(revoked(&key.name));
            }
            continue;
        }
        let Ok(secret) = SecretName::worker(&key.name) else { continue };
        for value in floor.credentials.live_values(&secret, now).await? {
            // All are tried, whichever fits.
            if envelope.signed_with(&value, payload) {
                signer = Some(key.name.clone());
            }
        }
    }
    let Some(worker) = signer else {
        return Err(invalid("no living worker's key made this signature"));
    };
    if !envelope.is_fresh(now.div_euclid(1_000)) {
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "timestamp_out_of_range",
            "webhook-timestamp is more than five minutes from the shop's time; set the clock of the machine",
        ));
    }
    Ok((worker, envelope))
}

/// A header that is there exactly once.
fn one<'h>(headers: &'h HeaderMap, name: &'static str) -> Answer<&'h [u8]> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value.as_bytes()),
        (None, _) => Err(invalid(&format!("the header {name} is missing"))),
        _ => Err(invalid(&format!("the header {name} is there twice"))),
    }
}

fn invalid(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "signature_invalid", detail)
}

fn revoked(name: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "worker_revoked", format!("the worker {name} was revoked"))
}

/// The lease ran out, was given to another, or never was.
pub(super) fn lease_lost() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "lease_lost",
        "this lease does not hold any more; drop the task and claim anew",
    )
}

/// The key of a worker belongs into no body.
pub(super) fn secret_key_refused(status: StatusCode) -> Problem {
    Problem::new(
        status,
        "secret_key_refused",
        "`secret_key` in the body is not taken any more: sign the request (webhook-id, webhook-timestamp, webhook-signature) and make the key void that was sent",
    )
}

fn names_a_secret_key(body: &[u8]) -> bool {
    body.windows(12).any(|part| part == b"\"secret_key\"")
}

/// What the store refuses, as a worker is told.
pub(super) fn refusal(error: chotdon_store::Error) -> Problem {
    match &error {
        chotdon_store::Error::Refused { code: "worker_revoked", text } => {
            Problem::new(StatusCode::UNAUTHORIZED, "worker_revoked", text.clone())
        }
        _ => error.into(),
    }
}
