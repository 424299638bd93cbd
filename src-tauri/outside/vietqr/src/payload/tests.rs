use proptest::prelude::*;

use super::*;
use crate::read::{ReadError, read};

/// Payloads that other programs made: (text, BIN, account, amount, memo).
const VECTORS: &[(&str, &str, &str, Option<i64>, &str)] = &[
    (
        "00020101021138530010A0000007270123000697041601092576788590208QRIBFTTA53037045802VN6304AE9F",
        "970416",
        "257678859",
        None,
        "",
    ),
    (
        "00020101021238530010A0000007270123000697041601092576788590208QRIBFTTA53037045405100005802VN62150811Chuyen tien630453E6",
        "970416",
        "257678859",
        Some(10_000),
        "Chuyen tien",
    ),
    (
        "00020101021138580010A000000727012800069704070114190304136010180208QRIBFTTA53037045802VN63040283",
        "970407",
        "19030413601018",
        None,
        "",
    ),
    (
        "00020101021138540010A00000072701240006970422011003523509170208QRIBFTTA53037045802VN630479db",
        "970422",
        "0352350917",
        None,
        "",
    ),
    (
        "00020101021238570010A00000072701270006970436011300100000003550208QRIBFTTA530370454061000005802VN62120808DH1234566304E509",
        "970436",
        "0010000000355",
        Some(100_000),
        "DH123456",
    ),
];

const USUAL: Request<'static> =
    Request { bin: "970436", account: "0010000000355", amount: Some(100_000), memo: "DH123456" };

#[test]
fn the_crc_is_ccitt_false() {
    assert_eq!(crc(b"123456789"), 0x29B1);
    assert_eq!(crc(b""), 0xFFFF);
}

#[test]
fn known_payloads_are_read_and_written_back() {
    for (text, bin, account, amount, memo) in VECTORS {
        let payload = read(text).unwrap();
        assert_eq!(
            (&*payload.bin, &*payload.account, payload.amount, &*payload.additional.memo),
            (*bin, *account, *amount, *memo)
        );
        assert_eq!(payload.dynamic, amount.is_some());
        assert!(payload.encode().eq_ignore_ascii_case(text), "{text}");
        assert!(payload.encode()[text.len() - 4..].bytes().all(|b| !b.is_ascii_lowercase()));
    }
}

#[test]
fn a_request_becomes_the_known_payload() {
    assert_eq!(build(&USUAL).as_deref(), Ok(VECTORS[4].0));
    let open = Request { bin: "970416", account: "257678859", amount: None, memo: "" };
    assert_eq!(build(&open).as_deref(), Ok(VECTORS[0].0));
}

#[test]
fn fields_without_a_meaning_here_are_kept() {
    let text = with_crc(
        "00020101021138620010A00000072701320006970454011899MM23331M345678900208QRIBFTTA53037045802VN5907SHOP AN62190515MOMOW2W346688818003046".to_owned(),
    );
    let payload = read(&text).unwrap();
    assert_eq!(payload.additional.reference, "MOMOW2W34668881");
    assert_eq!(payload.other, [(59, "SHOP AN".to_owned()), (80, "046".to_owned())]);
    assert_eq!(payload.encode(), text);
    let card = text.replace("QRIBFTTA", "QRIBFTTC");
    let card = with_crc(card[..card.len() - 8].to_owned());
    assert_eq!(read(&card).unwrap().service, Service::Card);
    assert_eq!(read(&card).unwrap().encode(), card);
}

#[test]
fn what_cannot_be_written_is_refused() {
    for (request, error) in [
        (Request { bin: "97043", ..USUAL }, BuildError::Bin),
        (Request { bin: "97043X", ..USUAL }, BuildError::Bin),
        (Request { bin: "", ..USUAL }, BuildError::Bin),
        (Request { account: "", ..USUAL }, BuildError::Account),
        (Request { account: "12345678901234567890", ..USUAL }, BuildError::Account),
        (Request { account: "001 000", ..USUAL }, BuildError::Account),
        (Request { account: "tài khoản", ..USUAL }, BuildError::Account),
        (Request { amount: Some(0), ..USUAL }, BuildError::Amount),
        (Request { amount: Some(-1), ..USUAL }, BuildError::Amount),
        (Request { amount: Some(MAX_AMOUNT + 1), ..USUAL }, BuildError::Amount),
        (Request { memo: "DH-123456", ..USUAL }, BuildError::Memo),
        (Request { memo: "SEVQR  DH123456", ..USUAL }, BuildError::Memo),
        (Request { memo: " DH123456", ..USUAL }, BuildError::Memo),
        (Request { memo: "DH123456 ", ..USUAL }, BuildError::Memo),
        (Request { memo: " ", ..USUAL }, BuildError::Memo),
        (Request { memo: "dh123456", ..USUAL }, BuildError::Memo),
        (Request { memo: "ĐH123456", ..USUAL }, BuildError::Memo),
        (Request { memo: "DH123456DH123456DH12345678", ..USUAL }, BuildError::Memo),
    ] {
        assert_eq!(build(&request), Err(error), "{request:?}");
    }
    assert!(build(&Request { memo: "DH123456DH123456DH1234567", ..USUAL }).is_ok());
    assert!(build(&Request { memo: "SEVQR DH123456", ..USUAL }).is_ok());
    assert!(build(&Request { amount: Some(MAX_AMOUNT), ..USUAL }).is_ok());
    assert!(build(&Request { account: "96247BENTRAN", ..USUAL }).is_ok());
}

#[test]
fn every_changed_character_is_noticed() {
    let text = VECTORS[4].0;
    for at in 0..text.len() - 8 {
        let mut changed = text.as_bytes().to_vec();
        changed[at] = if changed[at] == b'7' { b'8' } else { b'7' };
        assert_eq!(read(std::str::from_utf8(&changed).unwrap()), Err(ReadError::BadCrc), "character {at}");
    }
    let wrong = "00020101021238530010A0000007270123000697041601092576788590208QRIBFTTA53037045405100005802VN62150811Chuyen tien6304BBB5";
    assert_eq!(read(wrong), Err(ReadError::BadCrc));
}

#[test]
fn what_is_no_vietqr_is_refused_by_its_reason() {
    let read = |body: &str| read(&with_crc(body.to_owned()));
    assert_eq!(crate::read(""), Err(ReadError::NoCrc));
    assert_eq!(crate::read("abc"), Err(ReadError::NoCrc));
    assert_eq!(crate::read("https://example.com"), Err(ReadError::NoCrc));
    assert_eq!(crate::read("000201ộộộộ"), Err(ReadError::NoCrc));
    let good = "00020101021138530010A0000007270123000697041601092576788590208QRIBFTTA53037045802VN";
    assert!(read(good).is_ok());
    assert_eq!(read("000201010211"), Err(ReadError::NotVietQr));
    assert_eq!(read(&good.replace("000201", "000202")), Err(ReadError::NotVietQr));
    assert_eq!(read(&good.replace("A000000727", "A000000728")), Err(ReadError::NotVietQr));
    assert_eq!(read(&good.replace("QRIBFTTA", "QRPUSHXX")), Err(ReadError::NotVietQr));
    assert_eq!(read(&good.replace("5303704", "5303840")), Err(ReadError::NotVietQr));
    assert_eq!(read(&good.replace("5802VN", "5802TH")), Err(ReadError::NotVietQr));
    assert_eq!(read(&good.replace("0006970416", "0006ABCDEF")), Err(ReadError::Invalid));
    for amount in ["5403abc", "54041.50", "5407100.000", "54021.", "5402-1", "541512345678901.000"] {
        assert_eq!(
            read(&good.replace("5802VN", &format!("{amount}5802VN"))),
            Err(ReadError::Invalid),
            "{amount}"
        );
    }
    for damaged in [
        format!("{good}99"),
        format!("{good}9905abc"),
        format!("{good}x104abcd"),
        format!("{good}5802VN"),
        format!("{good}99+1a"),
    ] {
        assert_eq!(read(&damaged), Err(ReadError::Malformed), "{damaged}");
    }
}

#[test]
fn a_fraction_of_zeros_and_a_vietnamese_memo_are_read() {
    let text = with_crc(
        "00020101021238530010A0000007270123000697041601092576788590208QRIBFTTA53037045408".to_owned()
            + "10000.00"
            + "5802VN62120808Cảm ơn b",
    );
    let payload = read(&text).unwrap();
    assert_eq!((payload.amount, payload.additional.memo.as_str()), (Some(10_000), "Cảm ơn b"));
    assert_eq!(read(&payload.encode()), Ok(payload));
}

proptest! {
    #[test]
    fn what_is_built_is_read_back(
        bin in "[0-9]{6}", account in "[A-Za-z0-9]{1,19}", memo in "[A-Z0-9]{0,25}",
        amount in proptest::option::of(1..=MAX_AMOUNT),
    ) {
        let request = Request { bin: &bin, account: &account, amount, memo: &memo };
        let text = build(&request).unwrap();
        let payload = read(&text).unwrap();
        prop_assert_eq!(&payload, &Payload::try_from(&request).unwrap());
        prop_assert_eq!(payload.encode(), text);
    }

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC*", tags in "([0-9]{4}\\PC{0,6}){0,6}") {
        let _ = read(&text);
        let _ = read(&with_crc(text));
        let _ = read(&with_crc(tags.clone()));
        let _ = read(&with_crc(format!("00020138{:02}{tags}", tags.chars().count() % 100)));
    }
}
