//! A day of trade at a whole shop: after every step the sum holds to the đồng and nothing differs from SePay.

use chotdon_tests::TestShop;
use serde_json::{Value, json};

const COURSE: &str = "thiet-ke-giao-dien";

/// A shop whose sum is looked at after everything that is done.
struct Day {
    shop: TestShop,
    came_in: i64,
}

impl Day {
    async fn open() -> Self {
        let shop = TestShop::start().await;
        let came_in = shop.money().await["in_vnd"].as_i64().unwrap();
        Self { shop, came_in }
    }

    async fn receives(&mut self, amount: i64, content: &str) -> String {
        let outcome = self.shop.bank_receives(amount, content).await;
        self.came_in += amount;
        self.adds_up().await;
        outcome
    }

    async fn does(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.shop.admin("POST", &format!("/admin/api/{path}"), Some(body)).await;
        assert_eq!(status, 200, "{path}: {answer}");
        self.adds_up().await;
        answer
    }

    async fn refused(&self, path: &str, body: Value) -> String {
        let (status, answer) = self.shop.admin("POST", &format!("/admin/api/{path}"), Some(body)).await;
        assert_eq!(status, 409, "{path}: {answer}");
        self.adds_up().await;
        answer["code"].as_str().unwrap().to_owned()
    }

    async fn adds_up(&self) -> Value {
        let money = self.shop.money().await;
        let of = |name: &str| money[name].as_i64().unwrap();
        let placed = of("orders_vnd") + of("wallets_vnd") + of("unmatched_vnd") + of("set_aside_vnd");
        assert_eq!(of("in_vnd"), self.came_in, "{money}");
        assert_eq!(of("in_vnd") + of("adjusted_vnd"), placed, "{money}");
        assert_eq!((of("difference_vnd"), money["ledger_ok"].as_bool()), (0, Some(true)), "{money}");
        money
    }

    async fn customer(&self) -> Value {
        let (_, page) = self.shop.admin("GET", "/admin/api/customers?q=lan@example.com", None).await;
        page["rows"][0].clone()
    }
}

#[tokio::test]
async fn the_sum_holds_to_the_dong_through_a_day_of_trade() {
    let mut day = Day::open().await;
    let (exact, price) = day.shop.order(&[COURSE]).await;
    assert_eq!(day.receives(price, &format!("mua {exact}")).await, "paid");
    day.shop.settled(&exact, "completed").await;

    // In two parts, with something left over that goes to the wallet.
    let (parts, _) = day.shop.order(&[COURSE]).await;
    assert_eq!(day.receives(99_000, &parts).await, "partial");
    assert_eq!(day.receives(price - 90_000, &parts).await, "overpaid");
    let story = day.shop.settled(&parts, "completed").await;
    assert_eq!((&story["surplus_vnd"], &story["held_vnd"]), (&json!(9_000), &json!(price + 9_000)));
    let story = day.does(&format!("orders/{parts}/surplus"), json!({ "to": "wallet" })).await;
    assert_eq!((&story["surplus_vnd"], &story["order"]["flags"]), (&json!(0), &json!([])));
    assert_eq!(
        day.refused(&format!("orders/{parts}/surplus"), json!({ "to": "wallet" })).await,
        "no_surplus"
    );

    // A top-up, an order that it covers, and one that it does not.
    let customer = day.customer().await;
    let (id, deposit) = (&customer["id"], customer["deposit_code"].as_str().unwrap());
    assert_eq!(day.receives(price, &format!("NAP TIEN {deposit}")).await, "credited");
    assert_eq!(day.customer().await["wallet_vnd"], price + 9_000);
    let (by_wallet, _) = day.shop.order(&[COURSE]).await;
    day.does(&format!("orders/{by_wallet}/pay-from-wallet"), json!({})).await;
    day.shop.settled(&by_wallet, "completed").await;
    let (short, _) = day.shop.order(&[COURSE]).await;
    let refused = day.refused(&format!("orders/{short}/pay-from-wallet"), json!({})).await;
    assert_eq!(refused, "insufficient_funds");
    let (_, overview) = day.shop.admin("GET", "/admin/api/overview", None).await;
    let buy = json!({ "customer": { "email": "lan@example.com" }, "items": [{ "course": COURSE }], "pay_from_wallet": true });
    assert_eq!(day.refused("orders", buy.clone()).await, "insufficient_funds");
    let (_, after) = day.shop.admin("GET", "/admin/api/overview", None).await;
    assert_eq!(after["stages"], overview["stages"], "and nothing was created");

    // A gift, a slip of the finger, and its counter-entry.
    let gift = json!({ "amount_vnd": price, "reason": "Quà" });
    let detail = day.does(&format!("customers/{id}/adjust"), gift).await;
    assert_eq!(detail["customer"]["wallet_vnd"], price + 9_000);
    let (row, kind) = (&detail["ledger"][0]["id"], &detail["ledger"][0]["kind"]);
    assert_eq!((kind, &detail["ledger"][0]["can_reverse"]), (&json!("adjust"), &json!(true)));
    let slip = json!({ "amount_vnd": -9_001, "reason": "nhầm" });
    day.does(&format!("customers/{id}/adjust"), slip).await;
    let too_much = day.refused(&format!("ledger/{row}/reverse"), json!({ "reason": "x" })).await;
    assert_eq!(too_much, "insufficient_funds");
    let (_, page) =
        day.shop.admin("GET", &format!("/admin/api/ledger?account=wallet:{id}&kind=adjust"), None).await;
    let slip = &page["rows"][0]["id"];
    let back = day.does(&format!("ledger/{slip}/reverse"), json!({ "reason": "nhầm" })).await;
    assert_eq!((&back["reverses"], &back["balance_after_vnd"]), (slip, &json!(price + 9_000)));
    assert_eq!(
        day.refused(&format!("ledger/{slip}/reverse"), json!({ "reason": "x" })).await,
        "already_reversed"
    );
    // The gift pays an order in the commit that creates it.
    let (status, bought) = day.shop.admin("POST", "/admin/api/orders", Some(buy)).await;
    assert_eq!((status, &bought["held_vnd"]), (201, &json!(price)), "{bought}");
    day.shop.settled(bought["order"]["code"].as_str().unwrap(), "completed").await;
    day.adds_up().await;

    // Nobody knows what for; late; twice.
    assert_eq!(day.receives(123_456, "chuyen tien").await, "unmatched");
    let called_off = json!({ "reason": "khách đổi ý" });
    day.does(&format!("orders/{short}/cancel"), called_off).await;
    assert_eq!(day.receives(price, &short).await, "late");
    let late =
        day.does(&format!("orders/{short}/mark-paid"), json!({ "reason": "khách vẫn muốn mua" })).await;
    assert_eq!((&late["order"]["flags"], &late["surplus_vnd"]), (&json!(["marked"]), &json!(0)));
    day.shop.settled(&short, "completed").await;
    assert_eq!(day.receives(price, &exact).await, "overpaid");
    let twice = day
        .does(&format!("orders/{exact}/refund"), json!({ "reason": "trả hai lần", "amount_vnd": price }))
        .await;
    assert_eq!((&twice["order"]["stage"], &twice["refunded_vnd"]), (&json!("completed"), &json!(price)));
    assert_eq!(twice["order"]["flags"], json!([]));

    let money = day.adds_up().await;
    assert_eq!((&money["refunded_vnd"], &money["unmatched_vnd"]), (&json!(price), &json!(123_456)));
    let (_, wallet) = day.shop.admin("GET", "/admin/api/wallet", None).await;
    let today = [
        &wallet["owed_vnd"],
        &wallet["topups_today_vnd"],
        &wallet["spent_today_vnd"],
        &wallet["adjusted_today_vnd"],
    ];
    assert_eq!(today, [&json!(9_000), &json!(price), &json!(2 * price), &json!(price)], "{wallet}");
    day.shop.sound().await;
}

#[tokio::test]
async fn a_refund_takes_access_back_and_tells_the_customer() {
    let mut day = Day::open().await;
    let (code, price) = day.shop.order(&[COURSE]).await;
    day.receives(price, &code).await;
    let order = day.shop.settled(&code, "completed").await;
    let link = order["items"][0]["link"].as_str().unwrap();
    assert_eq!(day.shop.http.get(link).send().await.unwrap().status(), 200, "the control");

    let (status, _) =
        day.shop.admin("POST", &format!("/admin/api/orders/{code}/refund"), Some(json!({}))).await;
    assert_eq!(status, 400, "without a reason");
    let too_much = json!({ "reason": "x", "amount_vnd": price + 1 });
    assert_eq!(day.refused(&format!("orders/{code}/refund"), too_much).await, "insufficient_funds");
    let refunded = day.does(&format!("orders/{code}/refund"), json!({ "reason": "khách đổi ý" })).await;
    assert_eq!((&refunded["order"]["stage"], &refunded["held_vnd"]), (&json!("refunded"), &json!(0)));
    assert_eq!(refunded["items"][0]["delivery"], "revoked");
    assert_eq!(day.shop.http.get(link).send().await.unwrap().status(), 410, "access is taken back");
    assert_eq!(
        day.refused(&format!("orders/{code}/refund"), json!({ "reason": "x" })).await,
        "nothing_to_refund"
    );

    let story = day
        .shop
        .until(|| async {
            let order = day.shop.look(&code).await;
            let sent = order["mails"].as_array()?.iter().filter(|mail| mail["state"] == "sent").count();
            (sent == 2).then_some(order)
        })
        .await;
    let kinds: Vec<&str> =
        story["timeline"].as_array().unwrap().iter().map(|row| row["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"refunded") && kinds.contains(&"access_revoked"), "{kinds:?}");
    let (_, audit) = day.shop.admin("GET", "/admin/api/audit", None).await;
    assert_eq!(audit["rows"][0]["action"], "order.refund");
    day.shop.sound().await;
}

#[tokio::test]
async fn each_top_up_is_told_once_and_its_mail_cannot_touch_the_money() {
    let mut day = Day::open().await;
    day.shop.order(&[COURSE]).await;
    let customer = day.customer().await;
    let deposit = customer["deposit_code"].as_str().unwrap().to_owned();
    // A template that cannot be read: the mail fails, the money stays.
    let templates = day.shop.dir().join("templates");
    std::fs::create_dir_all(&templates).unwrap();
    std::fs::write(templates.join("topup.vi.text"), "{% if %}").unwrap();
    assert_eq!(day.receives(50_000, &deposit).await, "credited");
    let failures = day
        .shop
        .until(|| async {
            let (_, failures) = day.shop.admin("GET", "/admin/api/failures", None).await;
            (!failures["groups"].as_array()?.is_empty()).then_some(failures)
        })
        .await;
    assert_eq!(failures["groups"][0]["kind"], "mail_customer", "{failures}");
    assert_eq!(day.customer().await["wallet_vnd"], 50_000);

    std::fs::remove_file(templates.join("topup.vi.text")).unwrap();
    let (status, _) =
        day.shop.admin("POST", "/admin/api/failures/retry", Some(json!({ "filter": {} }))).await;
    assert_eq!(status, 200);
    assert_eq!(day.receives(60_000, &deposit).await, "credited");
    day.shop.until(|| async { (day.shop.mails().len() == 2).then_some(()) }).await;
    let of = |name: &String| std::fs::read_to_string(day.shop.dir().join("mailbox").join(name)).unwrap();
    let ids: std::collections::BTreeSet<String> = day
        .shop
        .mails()
        .iter()
        .map(|name| {
            of(name).lines().find(|line| line.to_lowercase().starts_with("message-id")).unwrap().to_owned()
        })
        .collect();
    assert_eq!(ids.len(), 2, "each under an id of its own: {ids:?}");
    day.adds_up().await;
    day.shop.sound().await;
}

#[tokio::test]
async fn what_was_paid_too_much_is_told_when_it_goes_to_the_wallet() {
    let mut day = Day::open().await;
    let (code, price) = day.shop.order(&[COURSE]).await;
    day.receives(price + 9_000, &code).await;
    day.shop.settled(&code, "completed").await;
    day.does(&format!("orders/{code}/surplus"), json!({ "to": "wallet" })).await;
    let story = day
        .shop
        .until(|| async {
            let order = day.shop.look(&code).await;
            let mails = order["mails"].as_array()?;
            (mails.iter().filter(|mail| mail["state"] == "sent").count() == 2).then_some(order)
        })
        .await;
    let subjects: Vec<&str> =
        story["mails"].as_array().unwrap().iter().filter_map(|mail| mail["subject"].as_str()).collect();
    assert!(subjects.iter().any(|subject| subject.contains("chuyển thừa")), "{subjects:?}");
    day.adds_up().await;
}
