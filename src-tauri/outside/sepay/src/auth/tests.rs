use proptest::prelude::*;

use super::*;

const SECRET: &str = "whsec_test_0123456789abcdef";
const NOW: i64 = 1_768_630_800;
const STAMP: &str = "1768630800";
const BODY: &str =
    "{\"id\":1,\"content\":\"Đơn hàng DH123456\",\"transferAmount\":1000,\"transferType\":\"in\"}";
/// Over `STAMP`, `BODY` and `SECRET`, computed with another implementation.
const SIGNATURE: &str = "sha256=a2146baf945f860e953a1f4a0f62386de0ff9a571c58635eb44cae8e831bd9cb";

fn keys() -> Keys {
    Keys::new().with_api("current-key").with_api("previous-key").with_hmac("another").with_hmac(SECRET)
}

fn check(headers: &[(&str, &str)], body: &[u8], now_s: i64) -> Result<Method, Rejected> {
    let headers = headers.iter().map(|(name, value)| (*name, value.as_bytes()));
    verify(headers, body, &keys(), now_s, DEFAULT_TOLERANCE_S).map(|authentic| authentic.method())
}

fn signed(signature: &str, timestamp: &str) -> Result<Method, Rejected> {
    check(&[("X-SePay-Signature", signature), ("X-SePay-Timestamp", timestamp)], BODY.as_bytes(), NOW)
}

fn with_key(authorization: &str) -> Result<Method, Rejected> {
    check(&[("Authorization", authorization)], b"{}", NOW)
}

#[test]
fn the_known_signature_is_made_and_accepted() {
    assert_eq!(sign(SECRET.as_bytes(), STAMP, BODY.as_bytes()), SIGNATURE);
    assert_eq!(signed(SIGNATURE, STAMP), Ok(Method::Hmac));
    assert_eq!(signed(&SIGNATURE.to_uppercase().replace("SHA256", "sha256"), STAMP), Ok(Method::Hmac));
}

#[test]
fn the_current_and_the_previous_secret_are_both_good() {
    let headers = [("x-sepay-signature", SIGNATURE.as_bytes()), ("x-sepay-timestamp", STAMP.as_bytes())];
    for secrets in [[SECRET, "another"], ["another", SECRET]] {
        let keys = secrets.into_iter().fold(Keys::new(), Keys::with_hmac);
        assert!(verify(headers, BODY, &keys, NOW, 300).is_ok());
    }
}

#[test]
fn the_body_comes_back_byte_for_byte() {
    let headers = [("x-sepay-signature", SIGNATURE.as_bytes()), ("x-sepay-timestamp", STAMP.as_bytes())];
    let authentic = verify(headers, BODY.to_owned(), &keys(), NOW, 0).unwrap();
    assert_eq!(authentic.body(), BODY);
    assert_eq!(authentic.into_body(), BODY);
}

#[test]
fn every_flipped_bit_of_body_timestamp_or_signature_is_rejected() {
    let headers = [("X-SePay-Signature", SIGNATURE), ("X-SePay-Timestamp", STAMP)];
    assert_eq!(check(&headers, BODY.as_bytes(), NOW), Ok(Method::Hmac));
    for bit in 0..BODY.len() * 8 {
        let mut body = BODY.as_bytes().to_vec();
        body[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(check(&headers, &body, NOW), Err(Rejected::WrongSignature), "bit {bit}");
    }
    for at in 0..64 {
        let mut signature = SIGNATURE.as_bytes().to_vec();
        let digit = &mut signature[7 + at];
        *digit = if *digit == b'0' { b'1' } else { b'0' };
        let signature = String::from_utf8(signature).unwrap();
        assert_eq!(signed(&signature, STAMP), Err(Rejected::WrongSignature), "digit {at}");
    }
    assert_eq!(signed(SIGNATURE, "1768630801"), Err(Rejected::WrongSignature));
    assert_eq!(signed(SIGNATURE, "01768630800"), Err(Rejected::WrongSignature));
}

#[test]
fn a_signature_is_good_for_five_minutes_either_way() {
    let at = |seconds: i64| {
        let stamp = (NOW + seconds).to_string();
        signed(&sign(SECRET.as_bytes(), &stamp, BODY.as_bytes()), &stamp)
    };
    for seconds in [0, 299, -299, 300, -300] {
        assert_eq!(at(seconds), Ok(Method::Hmac), "{seconds}");
    }
    for seconds in [301, -301, 86_400, -NOW] {
        assert_eq!(at(seconds), Err(Rejected::Stale), "{seconds}");
    }
    // A wrong signature is wrong, however old: the age of what is not SePay's says nothing.
    assert_eq!(signed(&sign(b"wrong", "0", BODY.as_bytes()), "0"), Err(Rejected::WrongSignature));
}

#[test]
fn a_timestamp_is_plain_digits() {
    for stamp in [
        "",
        "-1",
        "+1",
        "1e9",
        "Infinity",
        " 1768630800",
        "1768630800 ",
        "-9223372036854775808",
        "12345678901234567890",
        "1234567890123",
        "١٢٣",
        "1768630800.0",
        "0x10",
    ] {
        let signature = sign(SECRET.as_bytes(), stamp, BODY.as_bytes());
        assert_eq!(signed(&signature, stamp), Err(Rejected::Malformed), "{stamp:?}");
    }
    let signature = sign(SECRET.as_bytes(), "999999999999", BODY.as_bytes());
    assert_eq!(signed(&signature, "999999999999"), Err(Rejected::Stale));
}

#[test]
fn a_signature_of_another_form_is_malformed() {
    let hex = SIGNATURE.strip_prefix("sha256=").unwrap();
    for signature in [
        "",
        "sha256=",
        hex,
        &format!("sha1={hex}"),
        &SIGNATURE[..70],
        &format!("{SIGNATURE}00"),
        &format!("sha256=0x{hex}"),
        &SIGNATURE.replace('a', "g"),
        &format!("{SIGNATURE},{SIGNATURE}"),
        "sha256=ohRrr5RfhglTqh9KD2I4beD/mlccWGNetEyujoMb2cs=",
    ] {
        assert_eq!(signed(signature, STAMP), Err(Rejected::Malformed), "{signature:?}");
    }
}

#[test]
fn the_api_key_is_found_the_way_sepays_own_receiver_finds_it() {
    for authorization in [
        "Apikey current-key",
        "Apikey previous-key",
        "apikey current-key",
        "APIKEY current-key",
        "Bearer Apikey current-key",
        "Apikey wrong Apikey current-key",
        "Apikey current-key, Basic abc",
        "Apikey  current-key ",
    ] {
        assert_eq!(with_key(authorization), Ok(Method::ApiKey), "{authorization:?}");
    }
    for authorization in [
        "Apikey wrong",
        "Apikey current-key2",
        "Apikey current-ke",
        "Apikey CURRENT-KEY",
        "Apikey current-key x",
    ] {
        assert_eq!(with_key(authorization), Err(Rejected::WrongKey), "{authorization:?}");
    }
    for authorization in [
        "",
        "Apikey",
        "Apikey ",
        "Apikey   ",
        "Apikey ,current-key",
        "current-key",
        "Bearer current-key",
        "Apikey=current-key",
    ] {
        assert_eq!(with_key(authorization), Err(Rejected::Malformed), "{authorization:?}");
    }
}

#[test]
fn a_secret_is_no_api_key_and_an_api_key_no_secret() {
    assert_eq!(with_key(&format!("Apikey {SECRET}")), Err(Rejected::WrongKey));
    let signature = sign(b"current-key", STAMP, BODY.as_bytes());
    assert_eq!(signed(&signature, STAMP), Err(Rejected::WrongSignature));
}

#[test]
fn nothing_is_authentic_without_a_key_of_ours() {
    let headers = [("X-SePay-Signature", SIGNATURE.as_bytes()), ("X-SePay-Timestamp", STAMP.as_bytes())];
    let none = Keys::new().with_api("").with_hmac("");
    assert!(none.is_empty());
    assert_eq!(verify(headers, BODY, &none, NOW, 300).map(|a| a.method()), Err(Rejected::WrongSignature));
    let unsigned = sign(b"", STAMP, BODY.as_bytes());
    let headers = [("X-SePay-Signature", unsigned.as_bytes()), ("X-SePay-Timestamp", STAMP.as_bytes())];
    assert_eq!(verify(headers, BODY, &none, NOW, 300).map(|a| a.method()), Err(Rejected::WrongSignature));
    let headers = [("Authorization", b"Apikey x".as_slice())];
    assert_eq!(verify(headers, BODY, &none, NOW, 300).map(|a| a.method()), Err(Rejected::WrongKey));
    assert_eq!(check(&[], BODY.as_bytes(), NOW), Err(Rejected::Missing));
    assert_eq!(check(&[("X-SePay-Timestamp", STAMP)], BODY.as_bytes(), NOW), Err(Rejected::Missing));
}

#[test]
fn a_signature_decides_whatever_else_is_there() {
    let both = |signature| {
        let headers = [
            ("Authorization", "Apikey current-key"),
            ("X-SePay-Signature", signature),
            ("X-SePay-Timestamp", STAMP),
        ];
        check(&headers, BODY.as_bytes(), NOW)
    };
    assert_eq!(both(SIGNATURE), Ok(Method::Hmac));
    assert_eq!(both(&sign(b"wrong", STAMP, b"")), Err(Rejected::WrongSignature));
    let basic =
        [("Authorization", "Basic dGVzdA=="), ("X-SePay-Signature", SIGNATURE), ("X-SePay-Timestamp", STAMP)];
    assert_eq!(check(&basic, BODY.as_bytes(), NOW), Ok(Method::Hmac));
    assert_eq!(check(&[("X-SePay-Signature", SIGNATURE)], BODY.as_bytes(), NOW), Err(Rejected::Malformed));
}

#[test]
fn a_signature_that_nobody_can_check_does_not_lock_the_api_key_out() {
    let only_api = Keys::new().with_api("k");
    let with = |authorization: &str| {
        let headers = [
            ("Authorization", authorization),
            ("X-SePay-Signature", SIGNATURE),
            ("X-SePay-Timestamp", STAMP),
        ];
        let headers = headers.iter().map(|(name, value)| (*name, value.as_bytes()));
        verify(headers, BODY, &only_api, NOW, 300).map(|authentic| authentic.method())
    };
    assert_eq!(with("Apikey k"), Ok(Method::ApiKey));
    assert_eq!(with("Apikey x"), Err(Rejected::WrongKey));
}

#[test]
fn a_header_that_is_there_twice_is_refused() {
    for twice in ["Authorization", "X-SePay-Signature", "X-SePay-Timestamp"] {
        let mut headers = vec![
            ("Authorization", "Apikey current-key"),
            ("X-SePay-Signature", SIGNATURE),
            ("X-SePay-Timestamp", STAMP),
        ];
        assert_eq!(check(&headers, BODY.as_bytes(), NOW), Ok(Method::Hmac));
        let lower = twice.to_lowercase();
        let same = headers.iter().find(|(name, _)| *name == twice).unwrap().1;
        headers.push((&lower, same));
        assert_eq!(check(&headers, BODY.as_bytes(), NOW), Err(Rejected::Malformed), "{twice}");
    }
}

#[test]
fn keys_are_never_printed() {
    let printed = format!("{:?}", keys());
    assert_eq!(printed, "Keys { api: 2, hmac: 2 }");
}

#[test]
fn a_body_that_is_not_utf_8_can_be_authentic() {
    let body = [0xff, 0x00, 0xfe];
    let signature = sign(SECRET.as_bytes(), STAMP, &body);
    assert_eq!(
        check(&[("X-SePay-Signature", &signature), ("X-SePay-Timestamp", STAMP)], &body, NOW),
        Ok(Method::Hmac)
    );
}

proptest! {
    #[test]
    fn what_is_signed_is_authentic_and_nothing_else(
        secret in proptest::collection::vec(any::<u8>(), 1..200),
        other in proptest::collection::vec(any::<u8>(), 1..200),
        body in proptest::collection::vec(any::<u8>(), 0..300),
        stamp in 0..999_999_999_999i64,
    ) {
        // HMAC pads short keys with zeros.
        let unpadded = |key: &[u8]| key.iter().rposition(|b| *b != 0).map(|at| key[..=at].to_vec());
        prop_assume!(unpadded(&secret) != unpadded(&other));
        let stamp_text = stamp.to_string();
        let signature = sign(&secret, &stamp_text, &body);
        let headers = [("X-SePay-Signature", signature.as_bytes()), ("X-SePay-Timestamp", stamp_text.as_bytes())];
        let with = |key: &[u8]| verify(headers, &body, &Keys::new().with_hmac(key), stamp, 0).map(|a| a.method());
        prop_assert_eq!(with(&secret), Ok(Method::Hmac));
        prop_assert_eq!(with(&other), Err(Rejected::WrongSignature));
    }

    #[test]
    fn arbitrary_headers_never_panic_and_never_pass(
        headers in proptest::collection::vec(
            ("(?i)authorization|x-sepay-signature|x-sepay-timestamp|host", proptest::collection::vec(any::<u8>(), 0..90)),
            0..6,
        ),
        now in any::<i64>(),
        tolerance in any::<u64>(),
    ) {
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
        let verified = verify(headers, b"body", &keys(), now, tolerance);
        prop_assert!(verified.is_err());
    }

    #[test]
    fn any_timestamp_and_clock_compare_without_overflow(now in any::<i64>(), stamp in "[0-9]{1,12}", tolerance in any::<u64>()) {
        let signature = sign(SECRET.as_bytes(), &stamp, b"");
        let headers = [("X-SePay-Signature", signature.as_bytes()), ("X-SePay-Timestamp", stamp.as_bytes())];
        let recent = now.abs_diff(stamp.parse().unwrap()) <= tolerance;
        prop_assert_eq!(verify(headers, b"", &keys(), now, tolerance).is_ok(), recent);
    }
}
