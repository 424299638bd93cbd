//! Signatures of the Standard Webhooks specification, version 1: HMAC-SHA256 over `id.timestamp.body`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

const PREFIX: &str = "whsec_";
/// Bytes of a key, by the specification.
const KEY: std::ops::RangeInclusive<usize> = 24..=64;

/// A new secret, `whsec_` and 32 random bytes in base64.
#[must_use]
pub fn new_secret() -> SecretString {
    format!("{PREFIX}{}", STANDARD.encode(rand::random::<[u8; 32]>())).into()
}

/// `v1,…` for a message; `None` when `secret` is not `whsec_` and 24 to 64 bytes in base64. `stamp` is in seconds.
#[must_use]
pub fn signature(secret: &SecretString, id: &str, stamp: i64, body: &[u8]) -> Option<String> {
    let key = STANDARD.decode(secret.expose_secret().trim().strip_prefix(PREFIX)?).ok()?;
    if !KEY.contains(&key.len()) {
        return None;
    }
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&key).ok()?;
    mac.update(format!("{id}.{stamp}.").as_bytes());
    mac.update(body);
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_the_specification_are_met() {
        let sign =
            |secret: &str, id, stamp, body: &str| signature(&secret.into(), id, stamp, body.as_bytes());
        assert_eq!(
            sign(
                "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                1_649_367_553,
                r#"{"email":"test@example.com","username":"test_user"}"#
            )
            .as_deref(),
            Some("v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=")
        );
        let message =
            |secret| sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(
            message("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").as_deref(),
            Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
        );
        for wrong in
            ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAA", "whsec_not base64 at all!"]
        {
            assert_eq!(message(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_new_secret_signs_and_no_two_are_the_same() {
        let (one, other) = (new_secret(), new_secret());
        assert!(signature(&one, "msg_1", 1, b"{}").is_some());
        assert_ne!(signature(&one, "msg_1", 1, b"{}"), signature(&other, "msg_1", 1, b"{}"));
    }
}
