//! Suggestions from memos as people and banks spoil them.

use proptest::prelude::*;

use super::*;
use crate::code::{CodeFormat, DepositCode, OrderCode, SHOP_FORMATS};
use crate::matching::{
    Depositor, Direction, OpenOrder, Settlement, ShopAccounts, TransferFacts, decide, extract,
};
use crate::money::Vnd;

const NOW: i64 = 1_790_000_000_000;

fn transfer(content: &str, amount: i64) -> Unplaced<'_> {
    Unplaced { content, description: "", code_field: "", amount, received_at: NOW, own: &[] }
}

fn likeness(content: &str, code: &str) -> Option<Likeness> {
    let clues = clues(&transfer(content, 0));
    clues.codes.into_iter().find(|clue| clue.code == code).map(|clue| clue.likeness)
}

fn found(content: &str, code: &str) -> String {
    let clues = clues(&transfer(content, 0));
    clues.codes.into_iter().find(|clue| clue.code == code).map(|clue| clue.found).unwrap_or_default()
}

fn order(id: i64, code: &str, total: i64, name: &str) -> OrderCase {
    OrderCase {
        id,
        code: code.to_owned(),
        stage: Stage::Pending,
        total,
        paid: 0,
        created_at: NOW - 4 * MINUTE_MS,
        customer_id: id * 10,
        customer_name: name.to_owned(),
    }
}

fn ranked(content: &str, amount: i64, orders: &[OrderCase]) -> Vec<Suggestion> {
    let transfer = transfer(content, amount);
    let found = Found { orders: orders.to_vec(), ..Found::default() };
    rank(&transfer, &clues(&transfer), &found)
}

#[test]
fn what_people_type_for_a_code_leads_to_it() {
    for (content, code, expected) in [
        ("dh 12o456 cam on", "DH120456", Likeness::LooksAlike),
        ("DH12O456", "DH120456", Likeness::LooksAlike),
        ("DHl20456", "DH120456", Likeness::LooksAlike),
        ("DHOSIIOS", "DH051105", Likeness::LooksAlike),
        ("dh 12o45 cam on", "DH120456", Likeness::OneSlip),
        ("dh 12o45 cam on", "DH120045", Likeness::OneSlip),
        ("DH12045", "DH120456", Likeness::OneSlip),
        ("DH1204567", "DH120456", Likeness::OneSlip),
        ("DH120465", "DH120456", Likeness::OneSlip),
        ("DH120457 thanh toan", "DH120456", Likeness::OneSlip),
        ("HD120456", "DH120456", Likeness::OneSlip),
        ("D120456", "DH120456", Likeness::OneSlip),
        ("H 120456", "DH120456", Likeness::OneSlip),
        ("DN120456", "DH120456", Likeness::OneSlip),
        ("DHH120456", "DH120456", Likeness::OneSlip),
        ("DH1204560912345678", "DH120456", Likeness::OneSlip),
        ("thanh toan 120456", "DH120456", Likeness::Bare),
        ("DH120456", "DH120456", Likeness::Whole),
        ("DH12  0456", "DH120456", Likeness::Whole),
        ("đh 120456", "DH120456", Likeness::Whole),
        ("NGUYENVANADH120456", "DH120456", Likeness::Glued),
        ("NAPK7Q2M9K", "NAPK7Q2M9X", Likeness::OneSlip),
        ("NAP K7O2M9X", "NAPK7Q2M9X", Likeness::LooksAlike),
        ("nap k7q2m9", "NAPK7Q2M9X", Likeness::OneSlip),
    ] {
        assert_eq!(likeness(content, code), Some(expected), "{content} for {code}");
    }
}

#[test]
fn words_that_are_no_code_lead_to_none() {
    for content in [
        "",
        "DH",
        "cam on shop",
        "NAP TIEN VAO VI",
        "dh o i l",
        "SEVQR",
        "CT DEN:0123",
        "ngay 22 11 2026",
        "DH12",
        "50000",
        "Trace 78358",
        "DHxxxxxx",
        "\u{301}\u{301}",
        "DH\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}",
    ] {
        let clues = clues(&transfer(content, 0));
        assert_eq!(clues.codes, [], "{content}");
    }
}

#[test]
fn the_words_are_quoted_as_they_stand_there() {
    assert_eq!(found("xin chao dh 12o45 cam on", "DH120456"), "dh 12o45");
    assert_eq!(found("Đơn ĐH120456 nhé", "DH120456"), "ĐH120456");
    assert_eq!(found("MBVCB.123.DH12 0456.CT tu", "DH120456"), "DH12 0456");
    assert_eq!(found("mua hang 120456 .", "DH120456"), "120456");
}

#[test]
fn a_near_code_with_the_open_amount_comes_first() {
    let orders = [
        order(1, "DH120459", 499_000, "Lê Văn Bình"),
        order(2, "DH120456", 499_000, "Trần Thị Lan"),
        order(3, "DH999999", 499_000, "Phạm Minh Đức"),
        order(4, "DH888888", 200_000, ""),
    ];
    let ranked = ranked("TRAN THI LAN dh 12o456 cam on", 499_000, &orders);
    assert_eq!(ranked[0].meant, Meant::Order(2));
    let found = |wanted: &Evidence| ranked[0].evidence.contains(wanted);
    assert!(found(&Evidence::NearCode { found: "dh 12o456".into(), meant: "DH120456".into() }));
    assert!(found(&Evidence::Amount(499_000)));
    assert!(found(&Evidence::PayerName { meant: "Trần Thị Lan".into() }));
    assert!(found(&Evidence::Time(4 * MINUTE_MS)));
    assert!(ranked.windows(2).all(|pair| pair[0].score >= pair[1].score));
    assert!(ranked.iter().all(|one| one.meant != Meant::Order(4)), "nothing speaks for it");
}

#[test]
fn an_order_that_has_its_money_comes_after_one_that_waits() {
    let paid = OrderCase { stage: Stage::Completed, paid: 499_000, ..order(1, "DH120456", 499_000, "") };
    let waiting = order(2, "DH120457", 499_000, "");
    let ranked = ranked("DH120458", 499_000, &[paid.clone(), waiting]);
    assert_eq!(ranked[0].meant, Meant::Order(2));
    let alone = super::rank(
        &transfer("DH120456", 499_000),
        &clues(&transfer("DH120456", 499_000)),
        &Found { orders: vec![paid], ..Found::default() },
    );
    assert!(alone[0].evidence.contains(&Evidence::AlreadyPaid), "its own code still names it");
}

#[test]
fn an_expired_order_is_suggested_as_late() {
    let late = OrderCase { stage: Stage::Expired, ..order(1, "DH120456", 499_000, "Trần Thị Lan") };
    let ranked = ranked("tran thi lan chuyen khoan", 499_000, &[late]);
    assert!(
        ranked[0].evidence.contains(&Evidence::Late)
            && ranked[0].evidence.contains(&Evidence::Amount(499_000))
    );
    assert_eq!(ranked[0].evidence.last(), Some(&Evidence::Late), "what speaks against it comes last");
}

#[test]
fn the_holder_of_the_shops_account_is_not_taken_for_the_payer() {
    let own = ["NGUYEN VAN AN".to_owned(), "0900000699".to_owned()];
    let content =
        "MBVCB.123.456.chuyen tien.CT tu 0071000123456 TRAN THI LAN toi 0900000699 NGUYEN VAN AN tai MB";
    let paid = Unplaced { own: &own, ..transfer(content, 499_000) };
    let clues = clues(&paid);
    assert_eq!(clues.names, ["tran thi lan"]);
    assert_eq!(clues.payers, ["0071000123456", "TRAN THI LAN"]);
    let found = Found {
        orders: vec![order(1, "DH000001", 1, "Nguyễn Văn An"), order(2, "DH000002", 1, "Trần Thị Lan")],
        ..Found::default()
    };
    let ranked = rank(&paid, &clues, &found);
    assert_eq!(ranked.iter().map(|one| one.meant).collect::<Vec<_>>(), [Meant::Order(2)]);
}

#[test]
fn a_known_payer_is_suggested_with_their_wallet_when_no_order_is() {
    let customer = CustomerCase { id: 7, name: "Trần Thị Lan".into(), deposit_code: "NAPK7Q2M9X".into() };
    let paid = transfer("NHAN TU 0071000123456 TRACE 123456 ND chuyen tien", 50_000);
    let clues = clues(&paid);
    let before = PaidBefore { customer_id: 7, found: "0071000123456".into() };
    let found = Found { customers: vec![customer], paid_before: vec![before], ..Found::default() };
    let ranked = rank(&paid, &clues, &found);
    assert_eq!(ranked[0].meant, Meant::Wallet(7));
    assert_eq!(ranked[0].evidence, [Evidence::SameCustomer { found: "0071000123456".into() }]);
}

#[test]
fn telephone_numbers_are_read_in_both_forms() {
    let clues = clues(&transfer("123456789012-0912345678-DH1 84987654321 0111111111", 0));
    assert_eq!(clues.phones, ["0912345678", "0987654321"]);
}

#[test]
fn never_more_than_five_are_suggested() {
    let orders: Vec<OrderCase> =
        (0..50).map(|n| order(n, &format!("DH{n:06}"), 499_000, "Trần Thị Lan")).collect();
    assert_eq!(ranked("TRAN THI LAN", 499_000, &orders).len(), MOST);
}

/// What banks make of a memo, by the names of their apps.
const WRAPPERS: &[(&str, &str)] = &[
    ("plain", "{}"),
    ("momo", "131234567890-{}-CHUYEN TIEN-OQCHa1B2c3D4-MOMO131234567890MOMO"),
    ("momo with a phone", "131234567890-0912345678-{}"),
    (
        "vietcombank",
        "MBVCB.9604208212.518683.{}.CT tu 0071000123456 TRAN THI LAN toi 0900000699 NGUYEN VAN AN tai MB",
    ),
    ("vpbank", "NHAN TU 0123456789 TRACE 783586 ND {}"),
    ("vietinbank", "CT DEN:533120451234 SEVQR {}"),
    ("vietinbank within", "SEVQR {}"),
    ("acb", "{} GD 533120-112226-07:34:12"),
    ("acb american", "{} GD 4146 112226-073412"),
    ("mbbank ibft", "IBFT {}"),
    ("mbbank customer", "CUSTOMER {}   Ma giao dich  Trace783586 Trace 783586"),
    ("mbbank acsp", "{}- Ma GD ACSP/ ih943148"),
    ("mbbank trace", "{}- Ma giao dich/ Trace 587293"),
    ("sacombank", "{} CKN 783586 VN0014171FT26106RWYQC - TRAN THI LAN - VCB"),
    ("tpbank", "QR - {}"),
    ("sepay terminal", "Q1a2B3c4D5  SEPAY12 1  {}"),
    ("zalopay", "ZP1A2B3C4D5E, chuyen tien {}"),
];

/// What happens to the memo itself on the way.
#[derive(Debug, Clone, Copy)]
enum Damage {
    None,
    Lower,
    Spaced(usize),
    Dashed(usize),
    Words,
    Alike,
    Lost(usize),
    Doubled(usize),
    Swapped(usize),
    Glued,
}

fn damaged(code: &str, damage: Damage) -> String {
    let insert = |at: usize, with: &str| format!("{}{with}{}", &code[..at], &code[at..]);
    match damage {
        Damage::None => code.to_owned(),
        Damage::Lower => code.to_lowercase(),
        Damage::Spaced(at) => insert(at, "  "),
        Damage::Dashed(at) => insert(at, "-"),
        Damage::Words => format!("Tran Thi Lan thanh toan {code} cam on shop"),
        Damage::Alike => code.replace('0', "O").replace('1', "I").replace('5', "S"),
        Damage::Lost(at) => format!("{}{}", &code[..at], &code[at + 1..]),
        Damage::Doubled(at) => insert(at, &code[at..=at]),
        Damage::Swapped(at) => {
            let mut chars: Vec<char> = code.chars().collect();
            chars.swap(at, at + 1);
            chars.into_iter().collect()
        }
        Damage::Glued => format!("TRANTHILAN{code}"),
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        Just(Damage::None),
        Just(Damage::Lower),
        (3usize..8).prop_map(Damage::Spaced),
        (2usize..8).prop_map(Damage::Dashed),
        Just(Damage::Words),
        Just(Damage::Alike),
        (2usize..8).prop_map(Damage::Lost),
        (2usize..8).prop_map(Damage::Doubled),
        (2usize..7).prop_map(Damage::Swapped),
        Just(Damage::Glued),
    ]
}

fn settled(content: &str, amount: i64, orders: &[OrderCase]) -> Settlement {
    let amount = Vnd::new(amount).unwrap();
    let facts = TransferFacts { direction: Direction::In, amount, account: "0900000699", sub_account: "" };
    let open: Vec<OpenOrder> = orders
        .iter()
        .map(|order| OpenOrder {
            id: order.id,
            code: order.code.clone(),
            total: Vnd::new(order.total).unwrap(),
            paid: Vnd::ZERO,
            open: true,
        })
        .collect();
    decide(&extract(content, "", "", &SHOP_FORMATS), &facts, &ShopAccounts::default(), &open, &[])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// Others have other amounts: the same amount is the owner's to tell apart.
    #[test]
    fn a_wrapped_code_settles_its_order_or_suggests_it_and_never_settles_another(
        number in 0..OrderCode::COUNT,
        others in proptest::collection::vec(0..OrderCode::COUNT, 0..20),
        (name, wrapper) in proptest::sample::select(WRAPPERS),
        damage in damage(),
    ) {
        let code = OrderCode::from_number(number).unwrap().to_string();
        let mut orders = vec![order(1, &code, 499_000, "Trần Thị Lan")];
        for (at, other) in others.iter().enumerate() {
            let other = OrderCode::from_number(*other).unwrap().to_string();
            if orders.iter().all(|known| known.code != other) {
                orders.push(order(at as i64 + 2, &other, 300_000, "Lê Văn Bình"));
            }
        }
        let content = wrapper.replace("{}", &damaged(&code, damage));
        let settlement = settled(&content, 499_000, &orders);
        match settlement {
            Settlement::Order { order_id, .. } => {
                // A slip of the payer can make the code of somebody else: nothing in the memo tells.
                let slip = matches!(damage, Damage::Swapped(_) | Damage::Doubled(_) | Damage::Lost(_));
                let meant = orders.iter().find(|order| order.id == order_id).unwrap();
                prop_assert!(order_id == 1 || (slip && content.contains(&meant.code)), "{name}: {content}");
            }
            Settlement::Unmatched(_) => {
                let wrapped = transfer(&content, 499_000);
                let clues = clues(&wrapped);
                prop_assert!(clues.codes.iter().any(|clue| clue.code == code), "{name}: {content} for {code}");
                let found = Found { orders, ..Found::default() };
                let ranked = rank(&wrapped, &clues, &found);
                prop_assert_eq!(ranked[0].meant, Meant::Order(1), "{}: {}", name, content);
            }
            other => prop_assert!(false, "{name}: {content}: {other:?}"),
        }
    }

    #[test]
    fn a_wrapped_deposit_code_credits_its_owner_or_suggests_them(
        indices in proptest::array::uniform7(0u8..28),
        (name, wrapper) in proptest::sample::select(WRAPPERS),
        lost in proptest::option::of(3usize..10),
    ) {
        let code = DepositCode::from_indices(indices).unwrap().to_string();
        let memo = lost.map_or_else(|| code.clone(), |at| damaged(&code, Damage::Lost(at)));
        let content = wrapper.replace("{}", &memo);
        let facts = TransferFacts {
            direction: Direction::In,
            amount: Vnd::new(50_000).unwrap(),
            account: "",
            sub_account: "",
        };
        let candidates = extract(&content, "", "", &SHOP_FORMATS);
        let depositors = [Depositor { customer_id: 1, code: code.clone() }];
        match decide(&candidates, &facts, &ShopAccounts::default(), &[], &depositors) {
            Settlement::Wallet { customer_id, .. } => prop_assert_eq!(customer_id, 1),
            _ => {
                let clues = clues(&transfer(&content, 50_000));
                prop_assert!(clues.codes.iter().any(|clue| clue.code == code), "{name}: {content} for {code}");
            }
        }
    }

    #[test]
    fn any_text_is_read_without_panic_and_every_clue_is_a_code(text in "\\PC{0,200}|([DHNAPdhđ0-9OoIl ._-]|\\PC){0,120}") {
        let clues = clues(&transfer(&text, 1));
        for clue in &clues.codes {
            prop_assert!(CodeFormat::ORDER.fits(&clue.code) || CodeFormat::DEPOSIT.fits(&clue.code), "{clue:?}");
            prop_assert!(!clue.found.is_empty());
        }
    }
}
