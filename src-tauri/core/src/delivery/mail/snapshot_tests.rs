//! Every built-in mail as buyers read it: with everything there is to say, and with as little as there can be.

use std::fmt::Write;

use super::{Delivered, DeliveredItem, MoneyMoved, Parts, Templates};

fn item(title: &str, full: bool) -> DeliveredItem {
    DeliveredItem {
        title: title.into(),
        link: Some("https://shop.example.com/d/abc".into()),
        learn_url: full.then(|| "https://school.example.com/course/view.php?id=42".into()),
        expires_at: full.then_some(1_797_924_600_000),
        max_downloads: full.then_some(5),
        account: full.then(|| "lan@example.com".into()),
    }
}

fn delivered(full: bool) -> Delivered {
    Delivered {
        shop_name: "Khoá học An".into(),
        customer_name: if full { "Trần Thị Lan".into() } else { String::new() },
        order_code: "DH123456".into(),
        items: if full {
            vec![item("Rust <cơ bản>", true), item("Thiết kế", false)]
        } else {
            vec![item("Rust <cơ bản>", false)]
        },
    }
}

fn moved(full: bool) -> MoneyMoved {
    MoneyMoved {
        shop_name: "Khoá học An".into(),
        customer_name: if full { "Trần Thị Lan".into() } else { String::new() },
        amount_vnd: 100_000,
        wallet_vnd: 350_000,
        at: 1_797_924_600_000,
        order_code: "DH123456".into(),
        summary: "Rust <cơ bản>, Thiết kế".into(),
    }
}

fn page(all: &mut String, how: &str, parts: &Parts) {
    let Parts { subject, text, html } = parts;
    writeln!(all, "== {how}: {subject}\n\n{text}\n-- HTML\n{html}").expect("a string takes it");
}

#[tokio::test]
async fn mails_read_like_this() {
    let templates = Templates::default();
    for lang in ["vi", "en"] {
        for name in ["delivered", "new_version", "topup", "refund", "surplus", "on_its_way"] {
            let mut all = String::new();
            for (how, full) in [("everything", true), ("least", false)] {
                let message = if full { "Có thêm 3 bài.\nChúc vui!" } else { "" };
                let parts = match name {
                    "delivered" | "new_version" => {
                        let message = if name == "delivered" { "" } else { message };
                        templates.delivered_as(name, lang, &delivered(full), message).await
                    }
                    _ => templates.money(name, lang, &moved(full)).await,
                };
                page(&mut all, how, &parts.expect("built in"));
            }
            insta::assert_snapshot!(format!("{name}.{lang}"), all);
        }
    }
}
