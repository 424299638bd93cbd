//! Every row of `fixtures/transfers.json`: memos as banks send them, odd payloads, signatures, QR codes.
//!
//! Each row says itself what is expected of it, so rows can be added without touching this file.

use chotdon_domain::code::{Charset, CodeFormat};
use chotdon_domain::matching::{Candidate, extract};
use chotdon_domain::suggest::{Unplaced, clues};
use sepay::{Keys, ParseError, sign, verify};
use serde_json::Value;

const ROWS: &str = include_str!("fixtures/transfers.json");

fn rows() -> Vec<Value> {
    serde_json::from_str(ROWS).expect("the fixture is a list")
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_default()
}

/// The format a row is about; the shop's own order codes when it does not say.
fn format_of(row: &Value) -> CodeFormat {
    let spec = &row["code_spec"];
    if spec.is_null() {
        return CodeFormat::ORDER;
    }
    let charset = match text(spec, "charset") {
        "digits" => Charset::Digits,
        "alnum" => Charset::Alnum,
        "b28" => Charset::B28,
        other => panic!("charset {other}"),
    };
    let length = |name: &str| usize::try_from(spec[name].as_u64().expect("a length")).expect("a small one");
    CodeFormat {
        prefix: text(spec, "prefix").to_owned().into(),
        charset,
        min: length("min"),
        max: length("max"),
    }
}

/// What is found in a row, from its payload when it has one.
fn found_in(row: &Value, format: &CodeFormat) -> Vec<Candidate> {
    let payload = &row["payload"];
    let from = |in_payload: &str, in_row: &str| match text(payload, in_payload) {
        "" => text(row, in_row).to_owned(),
        given => given.to_owned(),
    };
    let (content, code) = (from("content", "content"), from("code", "sepay_code_field"));
    extract(&content, text(payload, "description"), &code, std::slice::from_ref(format))
}

fn parse(body: &[u8]) -> Result<sepay::Notification, ParseError> {
    let keys = Keys::new().with_api("key");
    let headers = [("Authorization", b"Apikey key".as_slice())];
    let webhook = verify(headers, body, &keys, 0, 0).expect("the key is right");
    sepay::parse(&webhook, Some("application/json"))
}

#[test]
fn every_memo_gives_the_expected_code_at_the_expected_level() {
    let mut checked = 0;
    for row in rows().iter().filter(|row| row.get("content").is_some() || row.get("payload").is_some()) {
        let id = text(row, "id");
        let candidates = found_in(row, &format_of(row));
        let codes: Vec<&str> = candidates.iter().map(|candidate| candidate.code.as_str()).collect();
        match row["expected_code"].as_str() {
            None => assert!(codes.is_empty(), "{id}: {candidates:?}"),
            Some("AMBIGUOUS") => {
                let expected: Vec<&str> = row["expected_candidates"]
                    .as_array()
                    .expect("a list")
                    .iter()
                    .filter_map(Value::as_str)
                    .collect();
                assert_eq!(codes, expected, "{id}");
            }
            Some(code) => assert_eq!(codes, [code], "{id}"),
        }
        if let Some(strength) = row["expected_strength"].as_str() {
            assert_eq!(candidates[0].level.as_str(), strength, "{id}");
        }
        if let Some(expected) = row.get("expected_dh6") {
            let codes: Vec<String> = found_in(row, &CodeFormat::ORDER).into_iter().map(|c| c.code).collect();
            assert_eq!(codes, expected.as_str().into_iter().collect::<Vec<_>>(), "{id}");
        }
        checked += 1;
    }
    assert_eq!(checked, 60);
}

#[test]
fn no_memo_of_another_shop_looks_like_an_order_of_ours() {
    for row in rows() {
        let ours = format_of(&row) == CodeFormat::ORDER || row["kind"] == "derived";
        // One real row ends a longer code with what looks like ours; it may only be weak.
        let strong = found_in(&row, &CodeFormat::ORDER).into_iter().any(|found| found.level.is_strong());
        assert!(ours || !strong, "{}", text(&row, "id"));
    }
}

#[test]
fn every_order_code_that_a_memo_holds_is_among_the_suggested_ones() {
    let mut checked = 0;
    for row in rows().iter().filter(|row| format_of(row) == CodeFormat::ORDER) {
        let payload = &row["payload"];
        let content =
            Some(text(payload, "content")).filter(|text| !text.is_empty()).unwrap_or(text(row, "content"));
        let unplaced = Unplaced {
            content,
            description: text(payload, "description"),
            code_field: text(payload, "code"),
            amount: 0,
            received_at: 0,
            own: &[],
        };
        let clues = clues(&unplaced);
        if let Some(code) = row["expected_code"].as_str().filter(|code| CodeFormat::ORDER.fits(code)) {
            assert!(clues.codes.iter().any(|clue| clue.code == code), "{}: {content}", text(row, "id"));
            checked += 1;
        }
    }
    assert!(checked > 10, "{checked} rows");
}

#[test]
fn every_payload_is_parsed_as_expected() {
    let mut checked = 0;
    for row in rows().iter().filter(|row| row.get("payload").is_some()) {
        let id = text(row, "id");
        let payload = &row["payload"];
        let parsed = parse(payload.to_string().as_bytes());
        checked += 1;
        match row["expected_parse"].as_str().unwrap_or("ok") {
            "reject" => assert!(parsed.is_err(), "{id}: {parsed:?}"),
            expected => {
                let notification = parsed.unwrap_or_else(|error| panic!("{id}: {error}"));
                assert_eq!(Some(notification.sepay_id), payload["id"].as_i64(), "{id}");
                let amount = payload["transferAmount"].as_i64().unwrap_or(100_000);
                assert_eq!(notification.amount_vnd, amount, "{id}");
                assert_eq!(notification.accumulated, payload["accumulated"].as_i64(), "{id}");
                assert_eq!(notification.direction.as_str(), text(payload, "transferType"), "{id}");
                assert_eq!(notification.content, text(payload, "content"), "{id}");
                assert_eq!(notification.code, text(payload, "code"), "{id}");
                assert_eq!(notification.sub_account, text(payload, "subAccount"), "{id}");
                assert!(notification.booked_at.is_some(), "{id}");
                assert_eq!(expected == "store_and_review", notification.amount_vnd == 0, "{id}");
                assert_eq!(expected == "ok_but_unverified_account", notification.account.is_empty(), "{id}");
            }
        }
    }
    assert_eq!(checked, 22);
}

#[test]
fn every_signature_is_made_and_accepted_and_no_other() {
    let rows = rows();
    let vectors: Vec<&Value> = rows.iter().filter(|row| row["kind"] == "hmac-vector").collect();
    assert!(!vectors.is_empty());
    for row in vectors {
        let (secret, stamp, body) = (text(row, "secret"), text(row, "timestamp"), text(row, "raw_body"));
        let expected = text(row, "expected_header");
        assert_eq!(sign(secret.as_bytes(), stamp, body.as_bytes()), expected);
        let headers = [("X-SePay-Signature", expected.as_bytes()), ("X-SePay-Timestamp", stamp.as_bytes())];
        let now_s = stamp.parse().expect("seconds");
        let with = |secret: &str| verify(headers, body, &Keys::new().with_hmac(secret), now_s, 300).is_ok();
        assert!(with(secret));
        assert!(!with("whsec_test_0123456789abcdeg"));
    }
}

#[test]
fn every_qr_code_is_read_and_written_back() {
    let rows = rows();
    let vectors: Vec<&Value> = rows.iter().filter(|row| row["kind"] == "vietqr-vector").collect();
    assert!(vectors.len() >= 6);
    for row in vectors {
        let (id, qr, fields) = (text(row, "id"), text(row, "qr"), &row["fields"]);
        let read = vietqr::read(qr);
        if row["crc_valid"] == false {
            assert_eq!(read, Err(vietqr::ReadError::BadCrc), "{id}");
            continue;
        }
        let payload = read.unwrap_or_else(|error| panic!("{id}: {error}"));
        assert_eq!(payload.bin, text(fields, "bin"), "{id}");
        assert_eq!(payload.account, text(fields, "account"), "{id}");
        assert_eq!(payload.amount, fields["amount"].as_i64(), "{id}");
        assert_eq!(payload.additional.memo, text(fields, "memo"), "{id}");
        assert_eq!(payload.additional.bill, text(fields, "bill"), "{id}");
        assert!(payload.encode().eq_ignore_ascii_case(qr), "{id}");
        assert!(vietqr::banks::by_bin(&payload.bin).is_some(), "{id}");
    }
}
