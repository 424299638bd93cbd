use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

fn usual() -> Value {
    json!({
        "id": 39_000_001, "gateway": "MBBank", "transactionDate": "2026-01-17 13:20:00",
        "accountNumber": "0900000699", "subAccount": null, "code": null, "content": "DH123456",
        "transferType": "in", "description": "BankAPINotify DH123456", "transferAmount": 100_000,
        "referenceCode": "FT26017021720692", "accumulated": 5000,
    })
}

/// The usual body with one field changed, or taken out with `None`.
fn with(name: &str, value: Option<Value>) -> Result<Notification, ParseError> {
    let mut body = usual();
    let fields = body.as_object_mut().unwrap();
    match value {
        Some(value) => fields.insert(name.to_owned(), value),
        None => fields.remove(name),
    };
    read(body.to_string().as_bytes(), JSON)
}

/// The usual body with one value written as it stands.
fn with_raw(name: &str, raw: &str) -> Result<Notification, ParseError> {
    let mut body = usual();
    body[name] = json!("PLACE");
    read(body.to_string().replace("\"PLACE\"", raw).as_bytes(), JSON)
}

#[test]
fn the_usual_webhook_is_read() {
    let notification = read(usual().to_string().as_bytes(), JSON).unwrap();
    let expected = Notification {
        sepay_id: 39_000_001,
        gateway: "MBBank".into(),
        booked_at: Some(1_768_630_800_000),
        account: "0900000699".into(),
        sub_account: String::new(),
        code: String::new(),
        content: "DH123456".into(),
        description: "BankAPINotify DH123456".into(),
        direction: Direction::In,
        amount_vnd: 100_000,
        accumulated: Some(5000),
        reference: "FT26017021720692".into(),
    };
    assert_eq!(notification, expected);
    assert_eq!(read(&expected.to_body(), JSON), Ok(expected));
}

#[test]
fn only_authentic_bodies_are_parsed() {
    let keys = crate::Keys::new().with_api("k");
    let headers = [("Authorization", b"Apikey k".as_slice())];
    let authentic = crate::verify(headers, usual().to_string(), &keys, 0, 0).unwrap();
    assert_eq!(parse(&authentic, Some(JSON)).map(|n| n.sepay_id), Ok(39_000_001));
    assert_eq!(parse(&authentic, None).map(|n| n.sepay_id), Ok(39_000_001));
}

#[test]
fn an_id_is_a_positive_whole_number() {
    for (value, expected) in [
        (json!(1), Ok(1)),
        (json!("39000001"), Ok(39_000_001)),
        (json!(" 7 "), Ok(7)),
        (json!(i64::MAX), Ok(i64::MAX)),
        (json!(null), Err(ParseError::Missing("id"))),
        (json!(""), Err(ParseError::Missing("id"))),
        (json!("  "), Err(ParseError::Missing("id"))),
        (json!(0), Err(ParseError::Invalid("id"))),
        (json!(-1), Err(ParseError::Invalid("id"))),
        (json!(1.0), Err(ParseError::Invalid("id"))),
        (json!("1.0"), Err(ParseError::Invalid("id"))),
        (json!("+1"), Err(ParseError::Invalid("id"))),
        (json!("1e3"), Err(ParseError::Invalid("id"))),
        (json!("abc"), Err(ParseError::Invalid("id"))),
        (json!(u64::MAX), Err(ParseError::Invalid("id"))),
        (json!("92233720368547758070"), Err(ParseError::Invalid("id"))),
        (json!(true), Err(ParseError::Invalid("id"))),
        (json!([1]), Err(ParseError::Invalid("id"))),
        (json!({"$gt": 0}), Err(ParseError::Invalid("id"))),
    ] {
        assert_eq!(with("id", Some(value.clone())).map(|n| n.sepay_id), expected, "{value}");
    }
    assert_eq!(with("id", None), Err(ParseError::Missing("id")));
    assert_eq!(with_raw("id", "1e3"), Err(ParseError::Invalid("id")));
}

#[test]
fn an_amount_is_whole_dong_and_nothing_is_rounded() {
    let invalid = Err(ParseError::Invalid("transferAmount"));
    let missing = Err(ParseError::Missing("transferAmount"));
    for (raw, expected) in [
        ("100000", Ok(100_000)),
        ("\"100000\"", Ok(100_000)),
        ("\"100000.00\"", Ok(100_000)),
        ("100000.00", Ok(100_000)),
        ("0", Ok(0)),
        ("3000000000", Ok(3_000_000_000)),
        ("1000000000000000", Ok(1_000_000_000_000_000)),
        ("1000000000000001", invalid),
        ("99999999999999999999999", invalid),
        ("100000.5", invalid),
        ("\"100000.50\"", invalid),
        ("0.1", invalid),
        ("-1", invalid),
        ("\"-1\"", invalid),
        ("-0", invalid),
        ("1e5", invalid),
        ("\"1e5\"", invalid),
        ("1E+5", invalid),
        // A hundred with three decimals or a hundred thousand: not for us to guess.
        ("\"100.000\"", invalid),
        ("100.000", invalid),
        ("\"100,000\"", invalid),
        ("\"0x10\"", invalid),
        ("\"NaN\"", invalid),
        ("true", invalid),
        ("[]", invalid),
        ("{}", invalid),
        ("null", missing),
        ("\"\"", missing),
    ] {
        assert_eq!(with_raw("transferAmount", raw).map(|n| n.amount_vnd), expected, "{raw}");
    }
    assert_eq!(with("transferAmount", None).map(|n| n.amount_vnd), missing);
}

#[test]
fn a_direction_is_in_or_out() {
    for (value, expected) in [
        (json!("in"), Ok(Direction::In)),
        (json!("out"), Ok(Direction::Out)),
        (json!("OUT "), Ok(Direction::Out)),
        (json!(""), Err(ParseError::Missing("transferType"))),
        (json!(null), Err(ParseError::Missing("transferType"))),
        (json!("inn"), Err(ParseError::Invalid("transferType"))),
        (json!(1), Err(ParseError::Invalid("transferType"))),
        (json!(["in"]), Err(ParseError::Invalid("transferType"))),
    ] {
        assert_eq!(with("transferType", Some(value.clone())).map(|n| n.direction), expected, "{value}");
    }
    assert_eq!(with("transferType", None), Err(ParseError::Missing("transferType")));
}

#[test]
fn everything_else_may_be_missing_null_empty_or_of_another_type() {
    let optional = [
        "gateway",
        "transactionDate",
        "accountNumber",
        "subAccount",
        "code",
        "content",
        "description",
        "referenceCode",
        "accumulated",
    ];
    for name in optional {
        let odd = [
            None,
            Some(json!(null)),
            Some(json!("")),
            Some(json!({"a": [1]})),
            Some(json!([])),
            Some(json!(true)),
        ];
        for value in odd {
            let notification = with(name, value.clone()).unwrap_or_else(|e| panic!("{name} {value:?}: {e}"));
            let texts = [
                ("gateway", notification.gateway),
                ("accountNumber", notification.account),
                ("subAccount", notification.sub_account),
                ("code", notification.code),
                ("content", notification.content),
                ("description", notification.description),
                ("referenceCode", notification.reference),
            ];
            assert!(texts.iter().all(|(field, text)| *field != name || text.is_empty()), "{name}");
            assert!(name != "transactionDate" || notification.booked_at.is_none());
            assert!(name != "accumulated" || notification.accumulated.is_none());
        }
    }
    assert_eq!(with("accountNumber", Some(json!(900_000_699))).unwrap().account, "900000699");
}

#[test]
fn a_balance_may_be_negative_zero_text_or_nonsense() {
    for (value, expected) in [
        (json!(-2_512_912), Some(-2_512_912)),
        (json!(0), Some(0)),
        (json!("19077000.00"), Some(19_077_000)),
        (json!("-5"), Some(-5)),
        (json!("--5"), None),
        (json!(1.5), None),
        (json!("?"), None),
    ] {
        assert_eq!(with("accumulated", Some(value.clone())).unwrap().accumulated, expected, "{value}");
    }
}

#[test]
fn a_field_that_is_there_twice_is_refused() {
    for name in ["id", "transferAmount", "transferType", "content"] {
        let body = usual().to_string();
        let twice = body.replacen('{', &format!("{{\"{name}\":1,"), 1);
        assert_eq!(read(twice.as_bytes(), JSON), Err(ParseError::Repeated(name)));
        let escaped = body.replacen(
            '{',
            &format!("{{\"\\u{:04x}{}\":1,", u32::from(name.as_bytes()[0]), &name[1..]),
            1,
        );
        assert_eq!(read(escaped.as_bytes(), JSON), Err(ParseError::Repeated(name)));
    }
    let unknown = usual().to_string().replacen('{', "{\"x\":1,\"x\":2,", 1);
    assert!(read(unknown.as_bytes(), JSON).is_ok());
    assert_eq!(read(b"id=1&id=2&transferType=in&transferAmount=1", FORM), Err(ParseError::Repeated("id")));
}

#[test]
fn the_payment_gateways_notification_is_recognised() {
    for body in [
        json!({"timestamp": 1, "notification_type": "ORDER_PAID", "order": {"order_invoice_number": "DH123456", "order_amount": "100000.00"}, "transaction": {}}),
        json!({"order": {"order_invoice_number": "DH123456"}}),
    ] {
        assert_eq!(read(body.to_string().as_bytes(), JSON), Err(ParseError::WrongProduct));
    }
    assert!(with("notification_type", Some(json!("x"))).is_ok());
    assert_eq!(read(b"{\"order\":{}}", JSON), Err(ParseError::Missing("id")));
}

#[test]
fn what_is_no_object_is_malformed() {
    let deep = format!("{{\"id\":{}1{}}}", "[".repeat(30_000), "]".repeat(30_000));
    let deep_unknown = format!("{{\"x\":{}1{}}}", "[".repeat(30_000), "]".repeat(30_000));
    for body in [
        "",
        " ",
        "null",
        "1",
        "\"x\"",
        "[]",
        "[{}]",
        "{",
        "{}x",
        "{\"id\":1,}",
        "{\"id\" 1}",
        "<xml/>",
        &usual().to_string()[1..],
    ] {
        assert_eq!(read(body.as_bytes(), JSON), Err(ParseError::Malformed), "{:.40}", body);
    }
    // Depth costs nothing: nested values are skipped, not built.
    assert_eq!(read(deep.as_bytes(), JSON), Err(ParseError::Invalid("id")));
    assert_eq!(read(deep_unknown.as_bytes(), JSON), Err(ParseError::Missing("id")));
    let mut not_utf8 = usual().to_string().into_bytes();
    not_utf8.push(0xff);
    assert_eq!(read(&not_utf8, JSON), Err(ParseError::Malformed));
    assert_eq!(read(&vec![b' '; MAX_BODY + 1], JSON), Err(ParseError::TooLarge));
}

#[test]
fn texts_are_bounded_and_cleaned() {
    let long = with("content", Some(json!("ă".repeat(10_000)))).unwrap();
    assert_eq!(long.content.chars().count(), MAX_MEMO);
    assert_eq!(with("gateway", Some(json!("x".repeat(10_000)))).unwrap().gateway.len(), MAX_TEXT);
    assert_eq!(with("content", Some(json!("DH\u{0}1"))).unwrap().content, "DH1");
    // Half of a surrogate pair: a memo cut in the middle of an emoji.
    assert_eq!(
        with_raw("content", "\"DH123456 \\ud83d\"").unwrap().content.trim_end_matches('\u{fffd}'),
        "DH123456 "
    );
    assert_eq!(with_raw("content", "\"\\ud83d\\ude00\"").unwrap().content, "😀");
}

#[test]
fn the_form_bodies_say_the_same_as_json() {
    let expected = read(usual().to_string().as_bytes(), JSON).unwrap();
    let fields: Vec<(String, String)> = usual()
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| {
            (
                name.clone(),
                value.as_str().map_or_else(|| value.to_string().replace("null", ""), str::to_owned),
            )
        })
        .collect();
    let encoded: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", value.replace(' ', "+").replace(':', "%3A")))
        .collect();
    let encoded = encoded.join("&");
    for content_type in [FORM, "application/x-www-form-urlencoded; charset=UTF-8", "", "text/plain"] {
        assert_eq!(read(encoded.as_bytes(), content_type).as_ref(), Ok(&expected), "{content_type}");
    }
    let mut parts = String::new();
    for (name, value) in &fields {
        parts
            .push_str(&format!("--x7\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"));
    }
    let multipart = format!(
        "preamble\r\n{parts}--x7\r\nContent-Disposition: form-data; name=\"content\"; filename=\"f\"\r\n\r\nDH9\r\n--x7--\r\n"
    );
    for content_type in
        ["multipart/form-data; boundary=x7", "Multipart/Form-Data; charset=utf-8; Boundary=\"x7\""]
    {
        assert_eq!(read(multipart.as_bytes(), content_type).as_ref(), Ok(&expected), "{content_type}");
    }
    for body in ["", "x", "--x7", "--x7\r\n", "--x7\r\nA: b\r\n\r\n", "--x7\r\n\r\n--x7--"] {
        assert_eq!(
            read(body.as_bytes(), "multipart/form-data; boundary=x7"),
            Err(ParseError::Malformed),
            "{body:?}"
        );
    }
    assert_eq!(read(multipart.as_bytes(), "multipart/form-data"), Err(ParseError::Malformed));
}

#[test]
fn percent_signs_are_read_as_browsers_write_them() {
    let read = |content: &str| {
        read(format!("id=1&transferAmount=5&transferType=in&content={content}").as_bytes(), FORM)
            .map(|n| n.content)
    };
    assert_eq!(read("%C4%90%C6%A1n+DH123456"), Ok("Đơn DH123456".into()));
    assert_eq!(read("100%"), Ok("100%".into()));
    assert_eq!(read("%zz%4"), Ok("%zz%4".into()));
    assert_eq!(read("%2525"), Ok("%25".into()));
    assert_eq!(read("%ff"), Err(ParseError::Malformed));
    let many = "a=1&".repeat(1000);
    assert_eq!(super::read(many.as_bytes(), FORM), Err(ParseError::Malformed));
}

#[test]
fn json_is_recognised_whatever_the_header_says() {
    let body = format!("\u{feff}\n {}", usual());
    for content_type in ["", FORM, "text/plain", "application/json; charset=utf-8", "APPLICATION/JSON"] {
        assert!(read(body.as_bytes(), content_type).is_ok(), "{content_type}");
    }
}

#[test]
fn a_row_of_the_api_is_the_same_transaction() {
    let row = |amount_in: &str, amount_out: &str| {
        let row = json!({
            "id": "39000001", "transaction_date": "2026-01-17 13:20:00", "account_number": "0900000699",
            "sub_account": null, "amount_in": amount_in, "amount_out": amount_out, "accumulated": "5000.00",
            "code": null, "transaction_content": "DH123456", "reference_number": "FT26017021720692",
            "bank_brand_name": "MBBank", "bank_account_id": "19",
        });
        crate::transactions::parse_row(&row.to_string())
    };
    let webhook = read(usual().to_string().as_bytes(), JSON).unwrap();
    assert_eq!(row("100000.00", "0.00"), Ok(Notification { description: String::new(), ..webhook.clone() }));
    let out = row("0.00", "7.00").unwrap();
    assert_eq!((out.direction, out.amount_vnd), (Direction::Out, 7));
    assert_eq!(row("1.00", "1.00"), Err(ParseError::Invalid("amount_out")));
    assert_eq!(row("1.50", "0.00"), Err(ParseError::Invalid("amount_in")));
    assert_eq!(row("", ""), Err(ParseError::Missing("amount_in")));
    assert_eq!(crate::transactions::parse_row("[]"), Err(ParseError::Malformed));
}

/// Bodies near to real ones: known names with arbitrary values, whole or damaged.
fn near_body() -> impl Strategy<Value = Vec<u8>> {
    let scalar = prop_oneof![
        "\"\\PC{0,20}\"",
        "-?[0-9]{1,25}(\\.[0-9]{0,4})?([eE][-+]?[0-9]{1,3})?",
        "null|true|false|\\[\\]|\\{\\}",
        "\"[-+0-9.eE: ]{0,25}\"",
        "\"\\\\u[0-9a-f]{4}\"",
    ];
    let field =
        (proptest::sample::select(FIELDS), scalar).prop_map(|(name, value)| format!("\"{name}\":{value}"));
    let required = "\"id\":[0-9]{1,20},\"transferType\":\"(in|out)\",\"transferAmount\":[0-9]{1,20}";
    let body = (required, proptest::collection::vec(field, 0..6)).prop_map(|(required, fields)| {
        format!("{{{}}}", [vec![required], fields].concat().join(",")).into_bytes()
    });
    (body, any::<prop::sample::Index>(), any::<Option<u8>>()).prop_map(|(mut body, at, damage)| {
        if let Some(byte) = damage {
            let at = at.index(body.len());
            body[at] = byte;
        }
        body
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn arbitrary_bytes_never_panic(
        body in prop_oneof![proptest::collection::vec(any::<u8>(), 0..400), near_body()],
        content_type in prop_oneof![Just(JSON.to_owned()), Just(FORM.to_owned()), Just("multipart/form-data; boundary=-".to_owned()), "\\PC{0,40}"],
    ) {
        if let Ok(notification) = read(&body, &content_type) {
            prop_assert!(notification.sepay_id > 0);
            prop_assert!((0..=1_000_000_000_000_000).contains(&notification.amount_vnd));
            let again = read(&notification.to_body(), JSON).unwrap();
            prop_assert_eq!((again.sepay_id, again.amount_vnd, again.direction, again.content),
                (notification.sepay_id, notification.amount_vnd, notification.direction, notification.content));
        }
        let _ = crate::transactions::parse_row(&String::from_utf8_lossy(&body));
    }

    #[test]
    fn arbitrary_multipart_never_panics(parts in proptest::collection::vec("--x|\r\n|\r\n\r\n|Content-Disposition: form-data; name=\"id\"|--|[a-zé;=\":]{0,6}", 0..20)) {
        let _ = read(parts.concat().as_bytes(), "multipart/form-data; boundary=x");
    }

    #[test]
    fn what_a_simulator_sends_is_what_is_read(
        sepay_id in 1..i64::MAX, amount_vnd in 0..=1_000_000_000_000_000i64, booked in 0..4_000_000_000i64,
        content in "\\PC{0,80}", account in "[0-9A-Z]{0,20}", accumulated in any::<i32>(), money_in in any::<bool>(),
    ) {
        let sent = Notification {
            sepay_id, amount_vnd, content, account,
            gateway: "MBBank".into(), booked_at: Some(booked * 1000), sub_account: String::new(), code: String::new(),
            description: String::new(), direction: if money_in { Direction::In } else { Direction::Out },
            accumulated: Some(i64::from(accumulated)), reference: "FT1".into(),
        };
        prop_assert_eq!(read(&sent.to_body(), JSON), Ok(sent));
    }
}
