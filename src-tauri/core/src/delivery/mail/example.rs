//! Examples for templates: what a mail would be given, to try it out, to show it, and to explain its names.

use std::collections::BTreeSet;

use minijinja::Value;

use super::built_in::{Sees, Template};
use super::template::{delivered_value, money_value};
use super::{Delivered, DeliveredItem, MoneyMoved};

const DAY_MS: i64 = 24 * 3_600_000;

/// What a mail is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Occasion {
    /// Signs the mail.
    pub(crate) shop_name: String,
    /// May be empty.
    pub(crate) customer_name: String,
    /// E.g. `DH123456`.
    pub(crate) order_code: String,
    /// What was bought.
    pub(crate) items: Vec<DeliveredItem>,
    /// Titles, joined.
    pub(crate) summary: String,
    /// The owner's words in an announcement; may be empty.
    pub(crate) message: String,
    /// Whole đồng.
    pub(crate) amount_vnd: i64,
    /// Whole đồng.
    pub(crate) wallet_vnd: i64,
    /// When, ms.
    pub(crate) at: i64,
}

impl Occasion {
    /// An occasion with everything that there can be to say.
    pub(crate) fn full(lang: &str, shop_name: &str, now: i64) -> Self {
        let vi = lang != "en";
        let titles = if vi {
            ["Rust cơ bản", "Thiết kế giao diện"]
        } else {
            ["Rust basics", "Interface design"]
        };
        let item = |title: &str, elsewhere: bool| DeliveredItem {
            title: title.to_owned(),
            link: Some("https://shop.example.com/d/kT3vX9".to_owned()),
            learn_url: elsewhere.then(|| "https://hoc.example.com/course/42".to_owned()),
            expires_at: Some(now.saturating_add(30 * DAY_MS)),
            max_downloads: (!elsewhere).then_some(10),
            account: elsewhere.then(|| "lan@example.com".to_owned()),
        };
        Self {
            shop_name: if shop_name.trim().is_empty() { "Khoá học An" } else { shop_name }.to_owned(),
            customer_name: "Trần Thị Lan".to_owned(),
            order_code: "DH123456".to_owned(),
            items: vec![item(titles[0], false), item(titles[1], true)],
            summary: titles.join(", "),
            message: if vi {
                "Bản này có thêm 3 bài thực hành."
            } else {
                "This version adds 3 exercises."
            }
            .to_owned(),
            amount_vnd: 200_000,
            wallet_vnd: 350_000,
            at: now,
        }
    }

    /// The same with as little to say as there can be.
    pub(crate) fn least(&self) -> Self {
        let items = self.items.iter().take(1).map(|item| DeliveredItem {
            learn_url: None,
            expires_at: None,
            max_downloads: None,
            account: None,
            ..item.clone()
        });
        Self { customer_name: String::new(), message: String::new(), items: items.collect(), ..self.clone() }
    }

    /// What `template` is given of it. One that mails of both kinds share is given an order.
    pub(crate) fn value(&self, template: &Template, lang: &str) -> Value {
        match template.sees {
            Sees::Items | Sees::Both => {
                let mail = Delivered {
                    shop_name: self.shop_name.clone(),
                    customer_name: self.customer_name.clone(),
                    order_code: self.order_code.clone(),
                    items: self.items.clone(),
                };
                let message = if template.name == "new_version" { self.message.as_str() } else { "" };
                delivered_value(lang, &mail, message)
            }
            Sees::Money => money_value(
                lang,
                &MoneyMoved {
                    shop_name: self.shop_name.clone(),
                    customer_name: self.customer_name.clone(),
                    amount_vnd: self.amount_vnd,
                    wallet_vnd: self.wallet_vnd,
                    at: self.at,
                    order_code: self.order_code.clone(),
                    summary: self.summary.clone(),
                },
            ),
        }
    }
}

/// A name that a template can say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    /// E.g. `customer_name`, `item.title`.
    pub(crate) name: &'static str,
    /// What it says in the example.
    pub(crate) example: String,
    /// What to write to say it.
    pub(crate) insert: String,
}

/// The names worth saying in `template`, in the order in which a mail comes to them.
pub(crate) fn variables(template: &Template, lang: &str, occasion: &Occasion) -> Vec<Variable> {
    let money = |names: &[&'static str]| [&["shop_name", "customer_name"], names].concat();
    let names = match template.name {
        "delivered" | "_items" => {
            [&["shop_name", "customer_name", "order_code", "items"][..], &ITEM[..]].concat()
        }
        "new_version" => {
            [&["shop_name", "customer_name", "order_code", "message", "items"][..], &ITEM[..]].concat()
        }
        "topup" => money(&["amount", "wallet", "at"]),
        "refund" => money(&["amount", "order_code", "summary"]),
        "surplus" => money(&["amount", "wallet", "order_code", "summary"]),
        "on_its_way" => money(&["order_code", "summary"]),
        _ => money(&[]),
    };
    let value = occasion.value(template, lang);
    names.into_iter().map(|name| variable(name, &value)).collect()
}

const ITEM: [&str; 6] =
    ["item.title", "item.link", "item.expires", "item.max_downloads", "item.learn_url", "item.account"];

fn variable(name: &'static str, value: &Value) -> Variable {
    let said = |value: Value| {
        if value.is_none() || value.is_undefined() { String::new() } else { value.to_string() }
    };
    if name == "items" {
        let count = value.get_attr("items").ok().and_then(|items| items.len()).unwrap_or_default();
        let insert = "{% include \"_items\" %}".to_owned();
        return Variable { name, example: format!("× {count}"), insert };
    }
    let example = match name.strip_prefix("item.") {
        // The first course that has something to say.
        Some(field) => (0..2)
            .filter_map(|at| {
                value.get_attr("items").ok()?.get_item(&Value::from(at)).ok()?.get_attr(field).ok()
            })
            .map(said)
            .find(|said| !said.is_empty())
            .unwrap_or_default(),
        None => value.get_attr(name).map(said).unwrap_or_default(),
    };
    Variable { name, example, insert: format!("{{{{ {name} }}}}") }
}

/// Every name that `template` is given, whether it is worth saying or not.
pub(super) fn known_names(template: &Template, occasion: &Occasion) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut take = |sees| {
        let value = occasion.value(&Template { name: template.name, parts: template.parts, sees }, "vi");
        names.extend(value.try_iter().into_iter().flatten().map(|name| name.to_string()));
    };
    if template.sees != Sees::Money {
        take(Sees::Items);
    }
    if template.sees != Sees::Items {
        take(Sees::Money);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::super::built_in::{LANGUAGES, TEMPLATES};
    use super::*;

    #[test]
    fn every_name_that_is_offered_says_something_in_the_example() {
        for template in &TEMPLATES {
            for lang in LANGUAGES {
                let occasion = Occasion::full(lang, "", 1_797_924_600_000);
                let known = known_names(template, &occasion);
                for variable in variables(template, lang, &occasion) {
                    assert!(!variable.example.is_empty(), "{}: {}", template.name, variable.name);
                    let first = variable.name.split('.').next().unwrap_or_default();
                    assert!(first == "item" || known.contains(first), "{}: {first}", template.name);
                }
            }
        }
    }
}
