//! The words of mails: built-in templates in two languages, each replaceable by a file of the owner's.
//!
//! A template (`delivered`, `new_version`, `topup`, `refund`, `surplus`, `on_its_way`) has the parts `delivered.vi.subject`, `.text` and `.html`, and the same with `en`.
//! A file of that name in the templates directory takes the place of the built-in part.

use std::fmt::Write;
use std::io;
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, Output, State, UndefinedBehavior, Value, escape_formatter};
use serde::Serialize;

use chotdon_domain::money::Vnd;

use super::message::one_line;
use crate::workers::StageError;

/// Largest template file, bytes.
const MAX_TEMPLATE: u64 = 256 * 1024;

/// Every built-in part by name.
const BUILT_IN: &[(&str, &str)] = &[
    ("delivered.vi.subject", include_str!("templates/delivered.vi.subject")),
    ("delivered.vi.text", include_str!("templates/delivered.vi.text")),
    ("delivered.vi.html", include_str!("templates/delivered.vi.html")),
    ("delivered.en.subject", include_str!("templates/delivered.en.subject")),
    ("delivered.en.text", include_str!("templates/delivered.en.text")),
    ("delivered.en.html", include_str!("templates/delivered.en.html")),
    ("new_version.vi.subject", include_str!("templates/new_version.vi.subject")),
    ("new_version.vi.text", include_str!("templates/new_version.vi.text")),
    ("new_version.vi.html", include_str!("templates/new_version.vi.html")),
    ("new_version.en.subject", include_str!("templates/new_version.en.subject")),
    ("new_version.en.text", include_str!("templates/new_version.en.text")),
    ("new_version.en.html", include_str!("templates/new_version.en.html")),
    ("topup.vi.subject", include_str!("templates/topup.vi.subject")),
    ("topup.vi.text", include_str!("templates/topup.vi.text")),
    ("topup.vi.html", include_str!("templates/topup.vi.html")),
    ("topup.en.subject", include_str!("templates/topup.en.subject")),
    ("topup.en.text", include_str!("templates/topup.en.text")),
    ("topup.en.html", include_str!("templates/topup.en.html")),
    ("refund.vi.subject", include_str!("templates/refund.vi.subject")),
    ("refund.vi.text", include_str!("templates/refund.vi.text")),
    ("refund.vi.html", include_str!("templates/refund.vi.html")),
    ("refund.en.subject", include_str!("templates/refund.en.subject")),
    ("refund.en.text", include_str!("templates/refund.en.text")),
    ("refund.en.html", include_str!("templates/refund.en.html")),
    ("surplus.vi.subject", include_str!("templates/surplus.vi.subject")),
    ("surplus.vi.text", include_str!("templates/surplus.vi.text")),
    ("surplus.vi.html", include_str!("templates/surplus.vi.html")),
    ("surplus.en.subject", include_str!("templates/surplus.en.subject")),
    ("surplus.en.text", include_str!("templates/surplus.en.text")),
    ("surplus.en.html", include_str!("templates/surplus.en.html")),
    ("on_its_way.vi.subject", include_str!("templates/on_its_way.vi.subject")),
    ("on_its_way.vi.text", include_str!("templates/on_its_way.vi.text")),
    ("on_its_way.vi.html", include_str!("templates/on_its_way.vi.html")),
    ("on_its_way.en.subject", include_str!("templates/on_its_way.en.subject")),
    ("on_its_way.en.text", include_str!("templates/on_its_way.en.text")),
    ("on_its_way.en.html", include_str!("templates/on_its_way.en.html")),
];

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

/// Where templates are looked up.
#[derive(Debug, Clone, Default)]
pub struct Templates {
    dir: Option<PathBuf>,
}

impl Templates {
    /// The built-in templates, replaced part by part by files in `dir` (which need not exist).
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: Some(dir.into()) }
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
        let lang = if lang == "en" { "en" } else { "vi" };
        let view = DeliveredView {
            lang,
            shop_name: &mail.shop_name,
            customer_name: mail.customer_name.trim(),
            order_code: &mail.order_code,
            message: message.trim(),
            files: mail.items.iter().any(|item| item.link.is_some()),
            items: mail
                .items
                .iter()
                .map(|item| ItemView {
                    title: &item.title,
                    link: item.link.as_deref().or(item.learn_url.as_deref()).unwrap_or_default(),
                    files: item.link.is_some(),
                    learn_url: item.learn_url.as_deref(),
                    expires: item.expires_at.map(vietnam_time),
                    max_downloads: item.max_downloads,
                    account: item.account.as_deref(),
                })
                .collect(),
        };
        self.compose(template, lang, &view).await
    }

    /// The mail `template` (`topup`, `refund`, `surplus`, `on_its_way`) in `lang` (`vi`, `en`; anything else is `vi`).
    ///
    /// # Errors
    /// Permanent `mail_template`, naming file and line.
    pub async fn money(&self, template: &str, lang: &str, mail: &MoneyMoved) -> Result<Parts, StageError> {
        let lang = if lang == "en" { "en" } else { "vi" };
        let view = MoneyView {
            lang,
            shop_name: &mail.shop_name,
            customer_name: mail.customer_name.trim(),
            amount: dong(mail.amount_vnd),
            wallet: dong(mail.wallet_vnd),
            at: vietnam_time(mail.at),
            order_code: &mail.order_code,
            summary: &mail.summary,
        };
        self.compose(template, lang, &view).await
    }

    /// Renders all parts of `template` in `lang` with `context`.
    ///
    /// # Errors
    /// Permanent `mail_template`, naming file and line.
    pub async fn compose(
        &self,
        template: &str,
        lang: &str,
        context: &impl Serialize,
    ) -> Result<Parts, StageError> {
        let context = Value::from(Serde(context));
        let render = async |part: &str| self.render(&format!("{template}.{lang}.{part}"), &context).await;
        let subject = one_line(&render("subject").await?);
        Ok(Parts { subject, text: render("text").await?, html: render("html").await? })
    }

    async fn render(&self, name: &str, context: &Value) -> Result<String, StageError> {
        let source = self.source(name).await?;
        render(name, &source, context).map_err(|error| {
            let name = error.name().unwrap_or(name);
            let line = error.line().map(|line| format!(":{line}")).unwrap_or_default();
            let what = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
            StageError::permanent("mail_template", format!("{name}{line}: {}{what}", error.kind()))
        })
    }

    async fn source(&self, name: &str) -> Result<String, StageError> {
        let wrong = |detail: String| StageError::permanent("mail_template", detail);
        if let Some(dir) = &self.dir {
            let path = dir.join(name);
            match tokio::fs::metadata(&path).await {
                Ok(meta) if meta.len() > MAX_TEMPLATE => {
                    return Err(wrong(format!("{} is larger than {MAX_TEMPLATE} bytes", path.display())));
                }
                Ok(_) => {
                    let text = tokio::fs::read_to_string(&path).await;
                    return text.map_err(|e| wrong(format!("{}: {e}", path.display())));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(wrong(format!("{}: {error}", path.display()))),
            }
        }
        let found = BUILT_IN.iter().find(|(built_in, _)| *built_in == name);
        found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| wrong(format!("there is no template {name}")))
    }
}

/// `499.000 ₫`, as people write it here, in one piece.
fn dong(amount: i64) -> String {
    Vnd::new(amount).map_or_else(|_| format!("{amount} ₫"), |amount| amount.to_string())
}

/// Renders one template. Names that end in `.html` escape what they insert.
pub(in crate::delivery) fn render(
    name: &str,
    source: &str,
    context: &Value,
) -> Result<String, minijinja::Error> {
    let mut engine = Environment::new();
    engine.set_syntax(
        SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()?,
    );
    // A misspelt name is an error, not a hole in a mail; `{% if name %}` may still ask.
    engine.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    engine.set_formatter(slashes_as_they_are);
    engine.template_from_named_str(name, source)?.render(context.clone())
}

/// The usual escaping without `&#x2f;`: links stay readable in a page's source, and a slash harms nothing there.
pub(crate) fn slashes_as_they_are(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), minijinja::Error> {
    let pieces = match value.as_str() {
        Some(text) if !value.is_safe() => text.split('/'),
        _ => return escape_formatter(out, state, value),
    };
    for (n, piece) in pieces.enumerate() {
        if n > 0 {
            out.write_char('/')?;
        }
        escape_formatter(out, state, &Value::from(piece))?;
    }
    Ok(())
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
