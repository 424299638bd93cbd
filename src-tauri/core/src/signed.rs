//! Signatures of the Standard Webhooks specification, version 1: HMAC-SHA256 over `id.timestamp.payload`.
//!
//! Made for what we tell storefronts, made and checked for workers on other machines. Knows no clock and no key store.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// By how much a timestamp may differ from the clock, seconds.
pub const TOLERANCE_S: i64 = 300;

const PREFIX: &str = "whsec_";
/// Bytes of a key, by the specification.
const KEY: std::ops::RangeInclusive<usize> = 24..=64;
/// Longest `webhook-id`, bytes.
const LONGEST_ID: usize = 128;
/// Signatures that one message may carry; two are usual while a key is rotated.
const MOST_SIGNATURES: usize = 16;
/// Digits of a timestamp; enough for the next thousands of years.
const MOST_DIGITS: usize = 12;

/// A new secret, `whsec_` and 32 random bytes in base64.
#[must_use]
pub fn new_secret() -> SecretString {
    format!("{PREFIX}{}", STANDARD.encode(rand::random::<[u8; 32]>())).into()
}

/// `v1,…` for a message; `None` when `secret` is not `whsec_` and 24 to 64 bytes in base64. `stamp` is in seconds.
#[must_use]
pub fn signature(secret: &SecretString, id: &str, stamp: i64, body: &[u8]) -> Option<String> {
    let made = sum(secret, id, &stamp.to_string(), body)?;
    Some(format!("v1,{}", STANDARD.encode(made)))
}

/// What the three headers of a message say, well-formed and not believed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    id: String,
    /// As it was sent: the signature is over these very digits.
    stamp: String,
    at_s: i64,
    signatures: Vec<[u8; 32]>,
}

impl Envelope {
    /// Reads `webhook-id`, `webhook-timestamp` and `webhook-signature`. Signatures of other versions are passed over.
    ///
    /// # Errors
    /// What is wrong, in English, for whoever sends it.
    pub fn read(id: &[u8], stamp: &[u8], signatures: &[u8]) -> Result<Self, &'static str> {
        let text = |bytes| std::str::from_utf8(bytes).ok();
        // A dot in the id would let it trade characters with the timestamp.
        let id = text(id)
            .filter(|id| (1..=LONGEST_ID).contains(&id.len()))
            .filter(|id| id.bytes().all(|b| b.is_ascii_graphic() && b != b'.'))
            .ok_or("webhook-id: 1 to 128 visible ASCII characters without a dot")?;
        let stamp = text(stamp)
            .filter(|stamp| {
                (1..=MOST_DIGITS).contains(&stamp.len()) && stamp.bytes().all(|b| b.is_ascii_digit())
            })
            .ok_or("webhook-timestamp: seconds since 1970 in digits")?;
        let given = text(signatures).ok_or("webhook-signature: v1,BASE64")?;
        if given.split(' ').count() > MOST_SIGNATURES {
            return Err("webhook-signature: at most 16 signatures");
        }
        let signatures: Vec<[u8; 32]> = given.split(' ').filter_map(read_signature).collect();
        if signatures.is_empty() {
            return Err("webhook-signature: v1, and 32 bytes in base64");
        }
        let at_s = stamp.parse().map_err(|_| "webhook-timestamp: seconds since 1970 in digits")?;
        Ok(Self { id: id.to_owned(), stamp: stamp.to_owned(), at_s, signatures })
    }

    /// The message's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether one of the signatures was made with `secret` over `payload`. Takes as long whichever is right.
    #[must_use]
    pub fn signed_with(&self, secret: &SecretString, payload: &[u8]) -> bool {
        let Some(made) = sum(secret, &self.id, &self.stamp, payload) else { return false };
        let same = self
            .signatures
            .iter()
            .fold(subtle::Choice::from(0), |any, one| any | one.as_slice().ct_eq(made.as_slice()));
        same.into()
    }

    /// Whether the timestamp is within [`TOLERANCE_S`] of `now_s`.
    #[must_use]
    pub fn is_fresh(&self, now_s: i64) -> bool {
        now_s.abs_diff(self.at_s) <= TOLERANCE_S.unsigned_abs()
    }
}

fn read_signature(text: &str) -> Option<[u8; 32]> {
    STANDARD.decode(text.strip_prefix("v1,")?).ok()?.try_into().ok()
}

fn sum(secret: &SecretString, id: &str, stamp: &str, payload: &[u8]) -> Option<[u8; 32]> {
    let key = STANDARD.decode(secret.expose_secret().trim().strip_prefix(PREFIX)?).ok()?;
    if !KEY.contains(&key.len()) {
        return None;
    }
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&key).ok()?;
    mac.update(format!("{id}.{stamp}.").as_bytes());
    mac.update(payload);
    Some(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY_1: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const KEY_2: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const FINALIZE: &str = r#"{"type":"task.finalize","data":{"task_id":123,"folder_name":"Khóa học 1"}}"#;

    /// Secret, id, time, body, signature.
    const VECTORS: &[(&str, &str, i64, &str, &str)] = &[
        (
            KEY_1,
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            1_649_367_553,
            r#"{"email":"test@example.com","username":"test_user"}"#,
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        ),
        (
            KEY_2,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
        (KEY_1, "msg_fin_0001", 1_700_000_000, FINALIZE, "v1,P81HN3Qd/2glXl6UESncqho+afzLwdihjHXFcZbDy9w="),
        (KEY_2, "msg_fin_0001", 1_700_000_000, FINALIZE, "v1,Q899WNDbLPPssu9WHybGzWFIGppF72eBvpRWaPSinvk="),
    ];

    fn envelope(id: &str, stamp: i64, signatures: &str) -> Envelope {
        Envelope::read(id.as_bytes(), stamp.to_string().as_bytes(), signatures.as_bytes()).unwrap()
    }

    #[test]
    fn the_vectors_of_the_specification_are_met_both_ways() {
        for (secret, id, stamp, body, expected) in VECTORS {
            let secret = SecretString::from(*secret);
            assert_eq!(signature(&secret, id, *stamp, body.as_bytes()).as_deref(), Some(*expected));
            assert!(envelope(id, *stamp, expected).signed_with(&secret, body.as_bytes()));
        }
        for wrong in
            ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAA", "whsec_not base64 at all!"]
        {
            assert_eq!(signature(&wrong.into(), "msg_1", 1, b""), None, "{wrong}");
        }
    }

    #[test]
    fn two_keys_may_have_signed_and_unknown_versions_are_passed_over() {
        let both = format!("v1a,AAAA {} {}", VECTORS[2].4, VECTORS[3].4);
        let message = envelope("msg_fin_0001", 1_700_000_000, &both);
        assert!(message.signed_with(&KEY_1.into(), FINALIZE.as_bytes()));
        assert!(message.signed_with(&KEY_2.into(), FINALIZE.as_bytes()));
        let other = new_secret();
        assert!(!message.signed_with(&other, FINALIZE.as_bytes()), "the control");
    }

    #[test]
    fn any_flipped_bit_breaks_the_signature() {
        let message = envelope("msg_fin_0001", 1_700_000_000, VECTORS[2].4);
        let key = SecretString::from(KEY_1);
        assert!(message.signed_with(&key, FINALIZE.as_bytes()), "the control");
        for at in 0..FINALIZE.len() {
            for bit in 0..8 {
                let mut body = FINALIZE.as_bytes().to_vec();
                body[at] ^= 1 << bit;
                assert!(!message.signed_with(&key, &body), "bit {bit} of byte {at}");
            }
        }
        assert!(
            !envelope("msg_fin_0002", 1_700_000_000, VECTORS[2].4).signed_with(&key, FINALIZE.as_bytes())
        );
        assert!(
            !envelope("msg_fin_0001", 1_700_000_001, VECTORS[2].4).signed_with(&key, FINALIZE.as_bytes())
        );
        assert!(!message.signed_with(&"".into(), FINALIZE.as_bytes()), "an empty key signs nothing");
    }

    #[test]
    fn a_body_that_is_no_text_can_be_signed() {
        let (key, body) = (SecretString::from(KEY_1), [0xff, 0x00, 0xfe]);
        let made = signature(&key, "msg_1", 1_700_000_000, &body).unwrap();
        assert!(envelope("msg_1", 1_700_000_000, &made).signed_with(&key, &body));
    }

    #[test]
    fn headers_in_another_form_are_refused() {
        let fine = VECTORS[2].4;
        let read = |id: &str, stamp: &str, given: &str| {
            Envelope::read(id.as_bytes(), stamp.as_bytes(), given.as_bytes())
        };
        assert!(read("msg_1", "1700000000", fine).is_ok(), "the control");
        for id in ["", "a.b", "a b", "a\n", "ü", "x".repeat(129).as_str()] {
            assert!(read(id, "1700000000", fine).is_err(), "{id:?}");
        }
        for stamp in [
            "",
            "-9223372036854775808",
            "+1",
            "1e9",
            "Infinity",
            " 1",
            "1 ",
            "12345678901234567890",
            "1700000000.0",
            "١",
        ] {
            assert!(read("msg_1", stamp, fine).is_err(), "{stamp:?}");
        }
        let hex = hex::encode([7_u8; 32]);
        let (short, long) = (&fine[..fine.len() - 2], format!("{fine}AA"));
        let many = vec![fine; 1_000].join(" ");
        for given in [
            "",
            "v1,",
            "v1",
            "v2,AAAA",
            short,
            &long,
            &format!("v1,{hex}"),
            &fine[3..],
            &many,
            "v1,P81HN3Qd/2glXl6UESncqho+afzLwdihjHXFcZbDy9w",
        ] {
            assert!(read("msg_1", "1700000000", given).is_err(), "{given:?}");
        }
        assert!(Envelope::read(b"\xff", b"1700000000", fine.as_bytes()).is_err());
    }

    #[test]
    fn five_minutes_either_way_are_fresh() {
        let message = envelope("msg_1", 1_700_000_000, VECTORS[2].4);
        for (off, fresh) in [(0, true), (299, true), (300, true), (301, false)] {
            assert_eq!(message.is_fresh(1_700_000_000 + off), fresh, "+{off}");
            assert_eq!(message.is_fresh(1_700_000_000 - off), fresh, "-{off}");
        }
    }

    #[test]
    fn a_new_secret_signs_and_no_two_are_the_same() {
        let (one, other) = (new_secret(), new_secret());
        assert!(signature(&one, "msg_1", 1, b"{}").is_some());
        assert_ne!(signature(&one, "msg_1", 1, b"{}"), signature(&other, "msg_1", 1, b"{}"));
    }
}
