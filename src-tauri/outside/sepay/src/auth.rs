//! Who sent a webhook: SePay's API key or its HMAC-SHA256 signature, checked on the raw bytes.
//!
//! Every failure is answered alike (401) and counted by its reason; nothing of the request is parsed before.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

/// SePay's advice for the age of a signature, in seconds, in either direction.
pub const DEFAULT_TOLERANCE_S: u64 = 300;

const AUTHORIZATION: &str = "authorization";
const SIGNATURE: &str = "x-sepay-signature";
const TIMESTAMP: &str = "x-sepay-timestamp";
const SCHEME: &[u8] = b"apikey ";

/// The keys that are valid now: the current ones and, during a rotation, the previous ones.
///
/// Empty keys are left out, so that a key that was never set lets nobody in.
#[derive(Clone, Default)]
pub struct Keys {
    api: Vec<Zeroizing<Vec<u8>>>,
    hmac: Vec<Zeroizing<Vec<u8>>>,
}

impl Keys {
    /// No key at all: nothing is authentic.
    pub fn new() -> Keys {
        Keys::default()
    }

    /// Adds a key for `Authorization: Apikey`.
    #[must_use]
    pub fn with_api(mut self, key: impl Into<Vec<u8>>) -> Keys {
        push(&mut self.api, key.into());
        self
    }

    /// Adds a secret for `X-SePay-Signature`.
    #[must_use]
    pub fn with_hmac(mut self, secret: impl Into<Vec<u8>>) -> Keys {
        push(&mut self.hmac, secret.into());
        self
    }

    /// Whether no webhook can be authentic.
    pub fn is_empty(&self) -> bool {
        self.api.is_empty() && self.hmac.is_empty()
    }
}

fn push(keys: &mut Vec<Zeroizing<Vec<u8>>>, key: Vec<u8>) {
    let key = Zeroizing::new(key);
    if !key.is_empty() {
        keys.push(key);
    }
}

/// Says how many keys there are, never what they are.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("api", &self.api.len()).field("hmac", &self.hmac.len()).finish()
    }
}

/// How a webhook proved where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// `Authorization: Apikey KEY`.
    ApiKey,
    /// `X-SePay-Signature` over timestamp and body.
    Hmac,
}

impl Method {
    /// The name in logs and counters: `api_key` or `hmac`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Method::ApiKey => "api_key",
            Method::Hmac => "hmac",
        }
    }
}

/// A body that SePay sent. Made only by [`verify`].
#[derive(Debug, Clone)]
pub struct Authentic<B> {
    body: B,
    method: Method,
}

impl<B> Authentic<B> {
    /// The raw body, byte for byte.
    pub fn body(&self) -> &B {
        &self.body
    }

    /// Takes the raw body out, to keep it.
    pub fn into_body(self) -> B {
        self.body
    }

    /// How it proved where it comes from.
    pub fn method(&self) -> Method {
        self.method
    }
}

/// Why a webhook was not let in. The sender sees the same 401 for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Rejected {
    /// It carries neither an API key nor a signature.
    #[error("no key and no signature")]
    Missing,
    /// The API key is none of ours.
    #[error("wrong API key")]
    WrongKey,
    /// The signature is none of our secrets' over this timestamp and body.
    #[error("wrong signature")]
    WrongSignature,
    /// The signature is right but too old or from the future: a hint to ask SePay's API, never money.
    #[error("the signature is right, its timestamp is not recent")]
    Stale,
    /// A header is there twice or is not what it should look like.
    #[error("malformed authentication headers")]
    Malformed,
}

impl Rejected {
    /// Every reason.
    pub const ALL: [Rejected; 5] = [
        Rejected::Missing,
        Rejected::WrongKey,
        Rejected::WrongSignature,
        Rejected::Stale,
        Rejected::Malformed,
    ];

    /// The name in counters: `missing`, `wrong_key`, `wrong_signature`, `stale`, `malformed`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Rejected::Missing => "missing",
            Rejected::WrongKey => "wrong_key",
            Rejected::WrongSignature => "wrong_signature",
            Rejected::Stale => "stale",
            Rejected::Malformed => "malformed",
        }
    }
}

/// Checks that SePay sent `body`.
///
/// `headers` are all headers of the request, names in any case. A signature decides when there is one and we hold
/// a secret to check it with, whatever else the request carries; otherwise the API key does. `now_s` is seconds since the Unix epoch, `tolerance_s`
/// how far the timestamp may lie to either side of it ([`DEFAULT_TOLERANCE_S`]).
///
/// # Errors
/// [`Rejected`], after the signature has been compared with every secret, and before the age is looked at.
pub fn verify<'h, B: AsRef<[u8]>>(
    headers: impl IntoIterator<Item = (&'h str, &'h [u8])>,
    body: B,
    keys: &Keys,
    now_s: i64,
    tolerance_s: u64,
) -> Result<Authentic<B>, Rejected> {
    let proof = Proof::read(headers)?;
    let method = match (proof.signature, proof.authorization) {
        (Some(signature), authorization) if authorization.is_none() || !keys.hmac.is_empty() => {
            let timestamp = proof.timestamp.ok_or(Rejected::Malformed)?;
            check_signature(signature, timestamp, body.as_ref(), keys, now_s, tolerance_s)?;
            Method::Hmac
        }
        (_, Some(authorization)) => {
            check_api_key(authorization, keys)?;
            Method::ApiKey
        }
        (_, None) => return Err(Rejected::Missing),
    };
    Ok(Authentic { body, method })
}

/// What SePay puts into `X-SePay-Signature`: `sha256=` and 64 lower-case hex digits over `timestamp.body`.
///
/// `timestamp` is the text of `X-SePay-Timestamp`: seconds since the Unix epoch.
pub fn sign(secret: &[u8], timestamp: &str, body: &[u8]) -> String {
    format!("sha256={}", hex::encode(mac(secret, timestamp.as_bytes(), body)))
}

/// The three headers that matter, each at most once.
#[derive(Default)]
struct Proof<'h> {
    authorization: Option<&'h [u8]>,
    signature: Option<&'h [u8]>,
    timestamp: Option<&'h [u8]>,
}

impl<'h> Proof<'h> {
    fn read(headers: impl IntoIterator<Item = (&'h str, &'h [u8])>) -> Result<Proof<'h>, Rejected> {
        let mut proof = Proof::default();
        for (name, value) in headers {
            let place = if name.eq_ignore_ascii_case(AUTHORIZATION) {
                &mut proof.authorization
            } else if name.eq_ignore_ascii_case(SIGNATURE) {
                &mut proof.signature
            } else if name.eq_ignore_ascii_case(TIMESTAMP) {
                &mut proof.timestamp
            } else {
                continue;
            };
            if place.replace(value).is_some() {
                return Err(Rejected::Malformed);
            }
        }
        Ok(proof)
    }
}

fn check_signature(
    signature: &[u8],
    timestamp: &[u8],
    body: &[u8],
    keys: &Keys,
    now_s: i64,
    tolerance_s: u64,
) -> Result<(), Rejected> {
    let given = read_signature(signature).ok_or(Rejected::Malformed)?;
    let signed_at = read_timestamp(timestamp).ok_or(Rejected::Malformed)?;
    let mut right = Choice::from(0);
    for secret in &keys.hmac {
        right |= mac(secret, timestamp, body).as_slice().ct_eq(&given);
    }
    if !bool::from(right) {
        return Err(Rejected::WrongSignature);
    }
    if now_s.abs_diff(signed_at) > tolerance_s {
        return Err(Rejected::Stale);
    }
    Ok(())
}

fn check_api_key(authorization: &[u8], keys: &Keys) -> Result<(), Rejected> {
    let given = read_api_key(authorization).ok_or(Rejected::Malformed)?;
    // Digests, so that the comparison does not tell the length of a key either.
    let given = Sha256::digest(given);
    let mut right = Choice::from(0);
    for key in &keys.api {
        right |= Sha256::digest(key.as_slice()).as_slice().ct_eq(given.as_slice());
    }
    if bool::from(right) { Ok(()) } else { Err(Rejected::WrongKey) }
}

/// SePay's own receiver takes the text after the last `Apikey ` up to a comma, and its examples show
/// `Bearer Apikey KEY`; so does this one.
fn read_api_key(authorization: &[u8]) -> Option<&[u8]> {
    let start = authorization.windows(SCHEME.len()).rposition(|word| word.eq_ignore_ascii_case(SCHEME))?;
    let key = &authorization[start + SCHEME.len()..];
    let key = key.split(|b| *b == b',').next().unwrap_or_default().trim_ascii();
    (!key.is_empty()).then_some(key)
}

fn read_signature(signature: &[u8]) -> Option<[u8; 32]> {
    let digits = signature.trim_ascii().strip_prefix(b"sha256=")?;
    let mut given = [0; 32];
    hex::decode_to_slice(digits, &mut given).ok()?;
    Some(given)
}

/// 1 to 12 digits and nothing else: no sign, no exponent, no space.
fn read_timestamp(timestamp: &[u8]) -> Option<i64> {
    let plain = (1..=12).contains(&timestamp.len()) && timestamp.iter().all(u8::is_ascii_digit);
    if plain { std::str::from_utf8(timestamp).ok()?.parse().ok() } else { None }
}

fn mac(secret: &[u8], timestamp: &[u8], body: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(timestamp);
    mac.update(b".");
    mac.update(body);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests;
