//! The words of mails: what each says, composed from our templates or from files of the owner's.
//!
//! A file `delivered.vi.subject` (or `.text`, `.html`, and the same with `en`) in the templates directory takes the
//! place of the part of that name; `own.rs` is how the app writes such files.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use minijinja::Value;
use minijinja::value::Serde;
use serde::Serialize;

use chotdon_domain::money::Vnd;

use super::super::files::blocking;
use super::message::one_line;
use super::render::{Mistake, Sources};
use crate::workers::StageError;

/// The words of one mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// A complete HTML document.
    pub html: String,
}

/// What a delivery mail says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// Signs the mail.
    pub shop_name: String,
    /// May be empty.
    pub customer_name: String,
    /// E.g. `DH123456`.
    pub order_code: String,
    /// At least one.
    pub items: Vec<DeliveredItem>,
}

/// One bought course in a delivery mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveredItem {
    /// Title of the course.
    pub title: String,
    /// Complete URL of the files; `None` for a course without files.
    pub link: Option<String>,
    /// Where the buyer learns online; `None` when the course is only downloaded, or the platform tells them itself.
    pub learn_url: Option<String>,
    /// When the link ends, or the place at the platform, ms; `None` = never.
    pub expires_at: Option<i64>,
    /// How often every file may be downloaded; `None` = without limit.
    pub max_downloads: Option<i64>,
    /// The account at the other system that opens it; `None` = whoever has the link.
    pub account: Option<String>,
}

/// What a mail about a customer's money says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoneyMoved {
    /// Signs the mail.
    pub shop_name: String,
    /// May be empty.
    pub customer_name: String,
    /// How much, whole đồng.
    pub amount_vnd: i64,
    /// In the wallet now, whole đồng.
    pub wallet_vnd: i64,
    /// When, ms.
    pub at: i64,
    /// Code and courses of the order that the money came from; empty for a top-up.
    pub order_code: String,
    /// Titles, joined.
    pub summary: String,
}

/// What templates see of a [`MoneyMoved`].
#[derive(Serialize)]
struct MoneyView<'a> {
    lang: &'a str,
    shop_name: &'a str,
    customer_name: &'a str,
    amount: String,
    wallet: String,
    at: String,
    order_code: &'a str,
    summary: &'a str,
}

/// What templates see of a [`Delivered`].
#[derive(Serialize)]
struct DeliveredView<'a> {
    lang: &'a str,
    shop_name: &'a str,
    customer_name: &'a str,
    order_code: &'a str,
    message: &'a str,
    /// Whether there is anything to download.
    files: bool,
    items: Vec<ItemView<'a>>,
}

#[derive(Serialize)]
struct ItemView<'a> {
    title: &'a str,
    /// Where the buyer goes: to the files, or to the platform of a course without files. May be empty.
    link: &'a str,
    /// Whether `link` leads to files.
    files: bool,
    learn_url: Option<&'a str>,
    expires: Option<String>,
    max_downloads: Option<i64>,
    account: Option<&'a str>,
}

/// Where templates are looked up. Clones are the same templates.
#[derive(Debug, Clone, Default)]
pub struct Templates {
    pub(super) dir: Option<PathBuf>,
    /// A mail is never put together while its parts are being saved.
    pub(super) gate: Arc<RwLock<()>>,
}

impl Templates {
    /// The built-in templates, replaced part by part by files in `dir` (which need not exist).
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: Some(dir.into()), gate: Arc::default() }
    }

    /// The delivery mail in `lang` (`vi`, `en`; anything else is `vi`).
    ///
    /// # Errors
    /// Permanent `mail_template`, naming file and line.
    pub async fn delivered(&self, lang: &str, mail: &Delivered) -> Result<Parts, StageError> {
        self.delivered_as("delivered", lang, mail, "").await
    }

    /// The same in the words of another template (`new_version`), with the owner's own `message`, which may be empty.
    ///
    /// # Errors
    /// Permanent `mail_template`, naming file and line.
    pub async fn delivered_as(
        &self,
        template: &str,
        lang: &str,
        mail: &Delivered,
        message: &str,
    ) -> Result<Parts, StageError> {
        let lang = known(lang);
        self.compose(template, lang, delivered_value(lang, mail, message)).await
    }

    /// The mail `template` (`topup`, `refund`, `surplus`, `on_its_way`) in `lang` (`vi`, `en`; anything else is `vi`).
    ///
    /// # Errors
    /// Permanent `mail_template`, naming file and line.
    pub async fn money(&self, template: &str, lang: &str, mail: &MoneyMoved) -> Result<Parts, StageError> {
        let lang = known(lang);
        self.compose(template, lang, money_value(lang, mail)).await
    }

    async fn compose(&self, template: &str, lang: &'static str, context: Value) -> Result<Parts, StageError> {
        let (templates, template) = (self.clone(), template.to_owned());
        blocking(move || {
            let _nothing_is_saved = templates.gate.read().unwrap_or_else(PoisonError::into_inner);
            let composed =
                templates.sources(lang).and_then(|sources| compose(&sources, &template, lang, &context));
            composed.map_err(|mistake| StageError::permanent("mail_template", mistake.to_string()))
        })
        .await
    }
}

fn known(lang: &str) -> &'static str {
    if lang == "en" { "en" } else { "vi" }
}

fn compose(sources: &Sources, template: &str, lang: &str, context: &Value) -> Result<Parts, Mistake> {
    let part = |part: &str| sources.render(&format!("{template}.{lang}.{part}"), context, false);
    Ok(Parts { subject: one_line(&part("subject")?), text: part("text")?, html: part("html")? })
}

/// What templates see of a delivery.
pub(super) fn delivered_value(lang: &str, mail: &Delivered, message: &str) -> Value {
    let items = mail.items.iter().map(|item| ItemView {
        title: &item.title,
        link: item.link.as_deref().or(item.learn_url.as_deref()).unwrap_or_default(),
        files: item.link.is_some(),
        learn_url: item.learn_url.as_deref(),
        expires: item.expires_at.map(vietnam_time),
        max_downloads: item.max_downloads,
        account: item.account.as_deref(),
    });
    Value::from(Serde(&DeliveredView {
        lang,
        shop_name: &mail.shop_name,
        customer_name: mail.customer_name.trim(),
        order_code: &mail.order_code,
        message: message.trim(),
        files: mail.items.iter().any(|item| item.link.is_some()),
        items: items.collect(),
    }))
}

/// What templates see of a movement of money.
pub(super) fn money_value(lang: &str, mail: &MoneyMoved) -> Value {
    Value::from(Serde(&MoneyView {
        lang,
        shop_name: &mail.shop_name,
        customer_name: mail.customer_name.trim(),
        amount: dong(mail.amount_vnd),
        wallet: dong(mail.wallet_vnd),
        at: vietnam_time(mail.at),
        order_code: &mail.order_code,
        summary: &mail.summary,
    }))
}

/// `499.000 ₫`, as people write it here, in one piece.
fn dong(amount: i64) -> String {
    Vnd::new(amount).map_or_else(|_| format!("{amount} ₫"), |amount| amount.to_string())
}

/// A moment as read in Vietnam: `14:30 22/12/2026`.
pub(crate) fn vietnam_time(ms: i64) -> String {
    let at = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX);
    at.to_zoned(TimeZone::fixed(Offset::constant(7))).strftime("%H:%M %d/%m/%Y").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail() -> Delivered {
        Delivered {
            shop_name: "Khoá học An".into(),
            customer_name: "Trần Thị Lan".into(),
            order_code: "DH123456".into(),
            items: vec![DeliveredItem {
                title: "Rust <cơ bản>".into(),
                link: Some("http://127.0.0.1:8686/d/abc".into()),
                learn_url: Some("https://school.example.com/course/view.php?id=42".into()),
                expires_at: Some(1_797_924_600_000),
                max_downloads: Some(5),
                account: None,
            }],
        }
    }

    #[tokio::test]
    async fn both_languages_name_buyer_course_link_and_order() {
        for lang in ["vi", "en"] {
            let parts = Templates::default().delivered(lang, &mail()).await.expect("built in");
            assert!(parts.subject.contains("DH123456") && !parts.subject.contains('\n'), "{}", parts.subject);
            for body in [&parts.text, &parts.html] {
                let learn = "https://school.example.com/course/view.php?id=42";
                for word in
                    ["Trần Thị Lan", "http://127.0.0.1:8686/d/abc", learn, "DH123456", "Khoá học An", "5"]
                {
                    assert!(body.contains(word), "{word} in {body}");
                }
            }
            assert!(parts.html.contains("Rust &lt;cơ bản&gt;"), "{}", parts.html);
            assert!(!parts.html.contains("<script") && !parts.html.contains("<img"), "{}", parts.html);
        }
    }

    #[tokio::test]
    async fn a_buyer_without_a_name_is_greeted_all_the_same() {
        let nameless = Delivered { customer_name: "  ".into(), ..mail() };
        let parts = Templates::default().delivered("vi", &nameless).await.expect("built in");
        assert!(parts.text.starts_with("Chào bạn,"), "{}", parts.text);
    }

    #[tokio::test]
    async fn a_file_of_the_owner_takes_the_place_of_one_part() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("delivered.vi.subject"), "Của {{ customer_name }}\n")
            .expect("written");
        let parts = Templates::new(dir.path()).delivered("vi", &mail()).await.expect("rendered");
        assert_eq!(parts.subject, "Của Trần Thị Lan");
        assert!(parts.text.contains("DH123456"));
    }

    #[tokio::test]
    async fn a_mistake_in_a_template_is_named_with_file_and_line() {
        let dir = tempfile::tempdir().expect("a directory");
        for (text, what) in
            [("Chào\n{{ customer_nam }}", ":2"), ("{% if %}", ":1"), ("a\nb\n{{ 1 + }}", ":3")]
        {
            std::fs::write(dir.path().join("delivered.vi.text"), text).expect("written");
            let error = Templates::new(dir.path()).delivered("vi", &mail()).await.expect_err(text);
            assert_eq!((error.code, error.class), ("mail_template", crate::workers::ErrorClass::Permanent));
            assert!(error.detail.starts_with(&format!("delivered.vi.text{what}")), "{}", error.detail);
        }
    }

    #[test]
    fn times_are_those_of_vietnam() {
        assert_eq!(vietnam_time(1_700_000_000_000), "05:13 15/11/2023");
    }
}
