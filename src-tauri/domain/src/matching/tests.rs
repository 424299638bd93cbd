//! Memos as banks really wrap them, and what they may and may not settle.

use proptest::prelude::*;

use super::*;
use crate::code::{B28, Charset, DepositCode, OrderCode, SHOP_FORMATS};
use crate::money::Vnd;

/// Real wrappers, one per way of payment; `{}` stands for the memo as the payer sent it.
const WRAPPERS: &[&str] = &[
    "{}",
    "110768814460-{}-CHUYEN TIEN-OQCH0004joDc-MOMO110768814460MOMO",
    "110770039369 0900000130 {}   Ma giao dich  Trace783586 Trace 78358",
    "104519048749-01670000103-{}",
    "ZP74EU33SEVG, {} GD 5336BIDVE2ARK48D 021225-21:40:08",
    "MBVCB.13423096331.6077BFTVG2XUCIK.{}.CT tu 9300000884 NGUYEN VAN A toi 00000600722 TRAN VAN B tai TPBANK",
    "NHAN TU 9000000368134 TRACE 235920 ND {}",
    "CT DEN:460T266056BKMFM2 SEVQR {}",
    "SEVQR {}",
    "CT DEN:840T26519XFL286U MBVCB.14412235566.766940.SEVQR {}.CT tu 9300000351 VO THI H toi 102000705963 VO THI H tai VIETINBANK",
    "{} GD 518683-052325 23:34:40",
    "IBFT {}   Ma giao dich  Trace001042 Trace 001042",
    "CUSTOMER {}   Ma giao dich  Trace968611  Trace 968611",
    "{} FT25183502456710   Ma giao dich  Trace892046 Trace 892046",
    "MBVCB.12625223638.943148.{}.CT tu 0721000600974 PHAM VAN C toi 0900000699 PHAM VAN C tai MB- Ma GD ACSP/ ih943148",
    "{}- Ma giao dich/ Trace 587293",
    "{} CKN 043147 G29DK69E - TRAN THUY R - Ngan hang TMCP Ngoai thuong Viet Nam",
    "QR - {}",
    "Qaetep9929  SEPAY6747 1  103968932085-{}-CHUYEN TIEN-OQCH0002sFyH-MOMO103968932085MOMO",
    "Thanh toán đơn hàng {} của Đặng Hữu Ước",
];

fn wrapped(wrapper: &str, memo: &str) -> String {
    wrapper.replace("{}", memo)
}

fn found(content: &str) -> Vec<(String, Level)> {
    pairs(extract(content, "", "", &SHOP_FORMATS))
}

fn pairs(candidates: Vec<Candidate>) -> Vec<(String, Level)> {
    candidates.into_iter().map(|candidate| (candidate.code, candidate.level)).collect()
}

fn one(code: &str, level: Level) -> Vec<(String, Level)> {
    vec![(code.to_owned(), level)]
}

#[test]
fn a_code_is_found_at_the_level_of_its_evidence() {
    for (content, expected) in [
        ("DH123456", one("DH123456", Level::Exact)),
        ("dh123456", one("DH123456", Level::Exact)),
        ("Đh123456", one("DH123456", Level::Exact)),
        ("(DH123456)", one("DH123456", Level::Exact)),
        ("DH123456/DH123456,DH123456", one("DH123456", Level::Exact)),
        ("DH-123456", one("DH123456", Level::Spaced)),
        ("DH 123 456", one("DH123456", Level::Spaced)),
        ("D H 1.2_3-4 5\u{a0}6", one("DH123456", Level::Spaced)),
        ("DH12  3456   Ma giao dich  Trace541044 T  race 541044", one("DH123456", Level::Spaced)),
        ("NGUYENVANADH123456 chuyen tien", one("DH123456", Level::Embedded)),
        ("DH123456CT", one("DH123456", Level::Embedded)),
        ("ĐẠĐH123456", one("DH123456", Level::Embedded)),
        ("DH102969D558171C8792402C8122", one("DH102969", Level::Embedded)),
        ("NAP K7Q2M9X", one("NAPK7Q2M9X", Level::Spaced)),
        ("napk7q2m9x", one("NAPK7Q2M9X", Level::Exact)),
        ("NAPTIEN NAPK7Q2M9X", one("NAPK7Q2M9X", Level::Exact)),
    ] {
        assert_eq!(found(content), expected, "{content}");
    }
}

#[test]
fn what_only_looks_like_a_code_is_not_one() {
    for content in [
        "",
        "NODATA",
        "DH",
        "DH12345",
        "DH1234567",
        "DH 1234567",
        "DH 0981523130",
        "DH0981523130",
        "XDH1234567Y",
        "DH12345O",
        "DH１２３４５６",
        "DH123456７",
        "DH12/3456",
        "HD123456",
        "D123456 H",
        "NAP TIEN VAO VI MOMO 0900000615",
        "NAP TIEN VAO",
        "NAPTIENVAO",
        "NAPK7Q2M9X8",
        "NAP K7Q2M90",
        "TAMMRWSYDH707D7T",
        "CT DEN:460T266056BKMFM2 SEVQR MCBAD06373C",
    ] {
        assert_eq!(found(content), [], "{content}");
    }
}

#[test]
fn the_strongest_level_with_hits_is_the_only_one() {
    assert_eq!(found("DH111111 DH-222222 XDH333333"), one("DH111111", Level::Exact));
    assert_eq!(found("DH-222222 XDH333333"), one("DH222222", Level::Spaced));
    let both = vec![("DH123456".to_owned(), Level::Exact), ("DH654321".to_owned(), Level::Exact)];
    assert_eq!(found("DH123456 DH654321 DH123456"), both);
    let kinds = vec![("NAPK7Q2M9X".to_owned(), Level::Exact), ("DH654321".to_owned(), Level::Exact)];
    assert_eq!(found("NAPK7Q2M9X.DH654321"), kinds);
}

#[test]
fn the_description_is_read_only_when_the_content_has_no_code() {
    let find = |content, description| pairs(extract(content, description, "", &SHOP_FORMATS));
    assert_eq!(find("NODATA", "BankAPINotify DH123456"), one("DH123456", Level::Exact));
    assert_eq!(find("", "  bankapinotify NAP K7Q2M9X"), one("NAPK7Q2M9X", Level::Spaced));
    assert_eq!(find("XDH111111", "BankAPINotify DH123456"), one("DH111111", Level::Embedded));
    assert_eq!(find("", "BankAPINotifyDH123456"), one("DH123456", Level::Embedded));
    assert_eq!(find("", "BankAPINotifỵ"), []);
}

#[test]
fn sepays_code_is_one_more_candidate_when_it_fits() {
    let find = |content, code| pairs(extract(content, "", code, &SHOP_FORMATS));
    assert_eq!(find("Giao dich sandbox", "DH170912"), one("DH170912", Level::CodeField));
    assert_eq!(find("Giao dich sandbox", " dh170912 "), one("DH170912", Level::CodeField));
    assert_eq!(find("DH170912", "DH170912"), one("DH170912", Level::Exact));
    assert_eq!(find("XDH170912", "DH170912"), one("DH170912", Level::Embedded));
    let two = vec![("DH170912".to_owned(), Level::Exact), ("DH111111".to_owned(), Level::CodeField)];
    assert_eq!(find("DH170912", "DH111111"), two);
    for code in ["", "DH707", "DH1709", "DH1234567", "TAMMRWSYDH707D7T"] {
        assert_eq!(find("NODATA", code), [], "{code}");
    }
}

#[test]
fn a_format_of_varying_length_takes_the_whole_word() {
    let format = CodeFormat { prefix: "PAY".into(), charset: Charset::Alnum, min: 3, max: 6 };
    let find = |content| pairs(extract(content, "", "", std::slice::from_ref(&format)));
    assert_eq!(find("PAY001"), one("PAY001", Level::Exact));
    assert_eq!(find("x PAYABC123."), one("PAYABC123", Level::Exact));
    assert_eq!(find("PAY-AB-1"), one("PAYAB1", Level::Spaced));
    assert_eq!(find("xPAYPAY1/"), one("PAYPAY1", Level::Embedded));
    assert_eq!(find("PAYABC1234"), []);
    assert_eq!(find("PAY01"), []);
}

// ---------------------------------------------------------------- settling

fn vnd(dong: i64) -> Vnd {
    Vnd::new(dong).unwrap()
}

fn order(id: i64, code: &str, open: bool) -> OpenOrder {
    OpenOrder { id, code: code.into(), total: vnd(499_000), paid: Vnd::ZERO, open }
}

fn customer(customer_id: i64, code: &str) -> Depositor {
    Depositor { customer_id, code: code.into() }
}

const IN: TransferFacts<'static> =
    TransferFacts { direction: Direction::In, amount: Vnd::ZERO, account: "0900000699", sub_account: "" };

fn paying(amount: i64) -> TransferFacts<'static> {
    TransferFacts { amount: vnd(amount), ..IN }
}

/// Decides about a memo in a shop with open orders DH111111 and DH222222, closed DH333333 and one customer.
fn settled_as(content: &str, code: &str, transfer: &TransferFacts<'_>) -> Settlement {
    let orders = [order(1, "DH111111", true), order(2, "DH222222", true), order(3, "DH333333", false)];
    let depositors = [customer(7, "NAPK7Q2M9X")];
    let accounts = ShopAccounts::new(["0900000699", "96247BENTRAN"]);
    decide(&extract(content, "", code, &SHOP_FORMATS), transfer, &accounts, &orders, &depositors)
}

#[test]
fn only_unambiguous_evidence_settles() {
    use Reason::{Ambiguous, NoCode, UnknownCode, WeakEvidence};
    use Settlement::{Order, Unmatched, Wallet};
    let to = |order_id, level| Order { order_id, level };
    for (content, code, amount, expected) in [
        ("DH111111", "", 499_000, to(1, Level::Exact)),
        ("DH111111", "", 1, to(1, Level::Exact)),
        ("DH-111111", "", 2_000_000, to(1, Level::Spaced)),
        ("DH333333", "", 499_000, to(3, Level::Exact)),
        ("XDH111111", "", 499_000, to(1, Level::Embedded)),
        ("XDH111111", "", 499_001, Unmatched(WeakEvidence)),
        ("XDH333333", "", 499_000, Unmatched(WeakEvidence)),
        ("", "DH111111", 499_000, to(1, Level::CodeField)),
        ("", "DH111111", 498_999, Unmatched(WeakEvidence)),
        ("", "DH333333", 499_000, Unmatched(WeakEvidence)),
        ("chuyen tien", "", 499_000, Unmatched(NoCode)),
        ("DH999999", "", 499_000, Unmatched(UnknownCode)),
        ("DH999999 DH111111", "", 499_000, to(1, Level::Exact)),
        ("DH111111 DH222222", "", 499_000, Unmatched(Ambiguous)),
        ("DH111111 DH333333", "", 499_000, to(1, Level::Exact)),
        ("DH111111", "DH222222", 499_000, Unmatched(Ambiguous)),
        ("DH111111", "DH333333", 499_000, to(1, Level::Exact)),
        ("DH333333", "DH111111", 499_000, Unmatched(Ambiguous)),
        ("DH999999", "DH111111", 499_000, to(1, Level::CodeField)),
        ("XDH111111 XDH333333", "", 499_000, to(1, Level::Embedded)),
        ("XDH111111 XDH222222", "", 499_000, Unmatched(Ambiguous)),
        ("NAPK7Q2M9X", "", 1, Wallet { customer_id: 7, level: Level::Exact }),
        ("nap k7q2m9x", "", 1, Wallet { customer_id: 7, level: Level::Spaced }),
        ("XNAPK7Q2M9X", "", 499_000, Unmatched(WeakEvidence)),
        ("", "NAPK7Q2M9X", 499_000, Unmatched(WeakEvidence)),
        ("NAPK7Q2M9Z", "", 499_000, Unmatched(UnknownCode)),
        ("NAPK7Q2M9X DH111111", "", 499_000, Unmatched(Ambiguous)),
        ("NAPK7Q2M9X DH333333", "", 499_000, Unmatched(Ambiguous)),
    ] {
        assert_eq!(settled_as(content, code, &paying(amount)), expected, "{content:?} {code:?} {amount}");
    }
}

#[test]
fn several_closed_orders_are_left_to_the_owner() {
    let orders = [order(1, "DH111111", false), order(2, "DH222222", false)];
    let candidates = extract("DH111111 DH222222", "", "", &SHOP_FORMATS);
    let settlement = decide(&candidates, &paying(499_000), &ShopAccounts::default(), &orders, &[]);
    assert_eq!(settlement, Settlement::Unmatched(Reason::Ambiguous));
}

#[test]
fn weak_evidence_is_measured_against_what_is_still_due() {
    let half_paid = OpenOrder { paid: vnd(200_000), ..order(1, "DH111111", true) };
    assert_eq!(half_paid.due(), vnd(299_000));
    let candidates = extract("XDH111111", "", "", &SHOP_FORMATS);
    let decide = |amount| {
        decide(&candidates, &paying(amount), &ShopAccounts::default(), std::slice::from_ref(&half_paid), &[])
    };
    assert_eq!(decide(299_000), Settlement::Order { order_id: 1, level: Level::Embedded });
    assert_eq!(decide(499_000), Settlement::Unmatched(Reason::WeakEvidence));
    let overpaid = OpenOrder { paid: vnd(600_000), ..order(1, "DH111111", true) };
    assert_eq!(overpaid.due(), Vnd::ZERO);
}

#[test]
fn money_that_is_no_income_of_the_shop_settles_nothing() {
    let of = |transfer: TransferFacts<'_>| settled_as("DH111111", "", &transfer);
    let paid = Settlement::Order { order_id: 1, level: Level::Exact };
    let transfer = paying(499_000);
    assert_eq!(of(transfer), paid);
    assert_eq!(
        of(TransferFacts { direction: Direction::Out, ..transfer }),
        Settlement::Ignored(Reason::MoneyOut)
    );
    assert_eq!(of(paying(0)), Settlement::Unmatched(Reason::ZeroAmount));
    let elsewhere = TransferFacts { account: "900000699", ..transfer };
    assert_eq!(of(elsewhere), Settlement::Unmatched(Reason::UnknownAccount));
    assert_eq!(
        of(TransferFacts { sub_account: "OTHER", ..elsewhere }),
        Settlement::Unmatched(Reason::UnknownAccount)
    );
    assert_eq!(of(TransferFacts { sub_account: "96247bentran", ..elsewhere }), paid);
    assert_eq!(of(TransferFacts { account: "", ..transfer }), paid);
    assert_eq!(of(TransferFacts { account: " 0900 000 699 ", ..transfer }), paid);
}

#[test]
fn a_shop_without_accounts_takes_every_account() {
    for none in [ShopAccounts::default(), ShopAccounts::new(["", "  "])] {
        assert!(none.takes("0123499999", ""));
    }
    assert!(!ShopAccounts::new(["1"]).takes("0123499999", ""));
}

#[test]
fn names_are_stable() {
    let names: Vec<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(
        names,
        [
            "no_code",
            "unknown_code",
            "ambiguous",
            "weak_evidence",
            "unknown_account",
            "zero_amount",
            "money_out"
        ]
    );
    let levels = [Level::Exact, Level::Spaced, Level::Embedded, Level::CodeField].map(Level::as_str);
    assert_eq!(levels, ["exact", "spaced", "embedded", "code_field"]);
    assert_eq!([Direction::In.as_str(), Direction::Out.as_str()], ["in", "out"]);
}

// ---------------------------------------------------------------- properties

fn any_code() -> impl Strategy<Value = String> {
    let order = (0..OrderCode::COUNT).prop_map(|n| OrderCode::from_number(n).unwrap().to_string());
    let deposit =
        proptest::array::uniform7(0u8..28).prop_map(|i| DepositCode::from_indices(i).unwrap().to_string());
    prop_oneof![order, deposit]
}

fn any_wrapper() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(WRAPPERS)
}

/// Random pieces of what real memos are made of, and of codes, so that near misses are frequent.
fn any_memo() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[DHNAP]{1,3}",
        "[0-9]{1,8}",
        "[ ._/,-]{1,2}",
        "[A-Za-zđĐấÂ]{1,4}",
        any_code(),
        any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// Every letter and digit of a text, in order.
fn letters_and_digits(text: &str) -> String {
    upper_ascii(text).chars().filter(|c| c.is_ascii_alphanumeric()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn every_wrapper_gives_the_code_back(code in any_code(), wrapper in any_wrapper(), lower in any::<bool>()) {
        let memo = if lower { code.to_lowercase() } else { code.clone() };
        prop_assert_eq!(found(&wrapped(wrapper, &memo)), one(&code, Level::Exact));
    }

    #[test]
    fn a_code_broken_by_spaces_is_still_found(
        code in any_code(),
        wrapper in any_wrapper(),
        gaps in proptest::collection::btree_map(1usize..8, "[ ._-]{1,3}", 1..4),
    ) {
        let mut memo = String::new();
        for (i, c) in code.chars().enumerate() {
            memo.push_str(gaps.get(&i).map_or("", String::as_str));
            memo.push(c);
        }
        prop_assert_eq!(found(&wrapped(wrapper, &memo)), one(&code, Level::Spaced));
    }

    #[test]
    fn a_code_glued_to_text_is_weak(code in any_code(), before in "[E-MO-Z]{0,5}", after in "[AEIOUY]{0,5}") {
        prop_assume!(!before.is_empty() || !after.is_empty());
        prop_assert_eq!(found(&format!("{before}{code}{after}")), one(&code, Level::Embedded));
    }

    #[test]
    fn one_digit_more_is_no_order(number in 0..OrderCode::COUNT, digit in 0..10u8, wrapper in any_wrapper()) {
        let longer = format!("{}{digit}", OrderCode::from_number(number).unwrap());
        prop_assert_eq!(found(&wrapped(wrapper, &longer)), []);
    }

    #[test]
    fn wrappers_alone_hold_no_code(wrapper in any_wrapper(), words in "[a-zA-Z ]{0,30}", phone in "0[0-9]{9}") {
        prop_assert_eq!(found(&wrapped(wrapper, &words)), []);
        prop_assert_eq!(found(&wrapped(wrapper, &phone)), []);
    }

    #[test]
    fn exact_hits_are_just_the_words_that_fit(memo in any_memo()) {
        let upper = upper_ascii(&memo);
        prop_assume!(!upper.chars().any(|c| !c.is_ascii() && c.is_numeric()));
        let mut words: Vec<&str> = upper
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| SHOP_FORMATS.iter().any(|format| format.fits(word)))
            .collect();
        words.sort_unstable();
        words.dedup();
        let mut hits = extract(&memo, "", "", &SHOP_FORMATS);
        hits.retain(|hit| hit.level == Level::Exact);
        hits.sort_by(|a, b| a.code.cmp(&b.code));
        let hits: Vec<&str> = hits.iter().map(|hit| hit.code.as_str()).collect();
        prop_assert_eq!(hits, words);
    }

    #[test]
    fn nothing_is_found_that_is_not_there(
        content in any_memo(), description in any_memo(), code in any_memo(), amount in 1i64..1_000_000,
    ) {
        let candidates = extract(&content, &description, &code, &SHOP_FORMATS);
        let texts = [&content, &description, &code].map(|text| letters_and_digits(text));
        for candidate in &candidates {
            prop_assert!(SHOP_FORMATS.iter().any(|format| format.fits(&candidate.code)));
            prop_assert!(texts.iter().any(|text| text.contains(&candidate.code)), "{candidate:?}");
            let twins = candidates.iter().filter(|other| other.code == candidate.code).count();
            prop_assert_eq!(twins, 1);
        }
        // Orders that nobody named are never settled, whatever the noise.
        let orders = [order(1, "DH000001", true), order(2, "DH999998", true)];
        let named = |id: i64| candidates.iter().any(|c| orders.iter().any(|o| o.id == id && o.code == c.code));
        match decide(&candidates, &paying(amount), &ShopAccounts::default(), &orders, &[]) {
            Settlement::Order { order_id, .. } => prop_assert!(named(order_id)),
            Settlement::Wallet { .. } | Settlement::Ignored(_) => prop_assert!(false),
            Settlement::Unmatched(_) => {}
        }
    }

    #[test]
    fn arbitrary_text_never_panics(content in any::<String>(), description in any::<String>(), code in any::<String>()) {
        extract(&content, &description, &code, &SHOP_FORMATS);
        extract("", &format!("BankAPINotify {description}"), "", &SHOP_FORMATS);
    }

    #[test]
    fn marks_and_case_do_not_matter(memo in any_memo()) {
        let plain = upper_ascii(&memo);
        prop_assert_eq!(found(&memo), found(&plain));
    }
}

#[test]
fn a_long_hostile_memo_is_read_in_linear_time() {
    // Finishing at all is the point: a quadratic scan of these takes minutes.
    for piece in ["D ", "DH ", "D", "DH1", "N A P ", " ", "DH12345 "] {
        let memo = piece.repeat(200_000 / piece.len());
        assert_eq!(found(&memo).len(), 0, "{piece}");
    }
    assert_eq!(B28.len(), 28);
}
