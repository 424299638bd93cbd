//! What all hosted pages share: templates in two languages, the frame, security headers, the page that is not there.

use std::sync::OnceLock;

use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value, context};

use chotdon_domain::money::Vnd;

use super::Asked;
use crate::delivery::mail::slashes_as_they_are;
use crate::http::problem::Answer;
use crate::shop::Floor;
use crate::views::Problem;

const CSS: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

const TEMPLATES: [(&str, &str); 5] = [
    ("parts.html", include_str!("parts.html")),
    ("frame.html", include_str!("frame.html")),
    ("pay.html", include_str!("pay.html")),
    ("topup.html", include_str!("topup.html")),
    ("unknown.html", include_str!("unknown.html")),
];

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lang {
    Vi,
    En,
}

impl Lang {
    /// The language of the address, else the first of the browser's that there is, else Vietnamese.
    pub(super) fn of(asked: &Asked, headers: &HeaderMap) -> Self {
        match asked.lang.as_str() {
            "vi" => return Self::Vi,
            "en" => return Self::En,
            _ => {}
        }
        let wanted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let mut ranges: Vec<(u16, &str)> = wanted.unwrap_or_default().split(',').filter_map(range).collect();
        ranges.sort_by_key(|(q, _)| std::cmp::Reverse(*q));
        let known = ranges.iter().find_map(|(_, name)| match name.split('-').next() {
            Some(name) if name.eq_ignore_ascii_case("vi") => Some(Self::Vi),
            Some(name) if name.eq_ignore_ascii_case("en") => Some(Self::En),
            _ => None,
        });
        known.unwrap_or(Self::Vi)
    }

    /// The words of this language.
    pub(super) fn say<'a>(self, vi: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::Vi => vi,
            Self::En => en,
        }
    }
}

/// `en-GB;q=0.8` as thousandths and a name; nothing when it is refused or not readable.
fn range(text: &str) -> Option<(u16, &str)> {
    let (name, rest) = text.split_once(';').unwrap_or((text, ""));
    let q = match rest.trim().strip_prefix("q=") {
        None => 1000,
        Some("1" | "1.0" | "1.00" | "1.000") => 1000,
        Some(q) => format!("{:0<3}", q.strip_prefix("0.").unwrap_or("0")).get(..3)?.parse().ok()?,
    };
    (q > 0).then_some((q, name.trim()))
}

/// The templates with `t(vi, en)` for a language. They are part of the program, so they hold.
fn templates(lang: Lang) -> &'static Environment<'static> {
    static BOTH: OnceLock<[Environment<'static>; 2]> = OnceLock::new();
    let both = BOTH.get_or_init(|| [Lang::Vi, Lang::En].map(environment));
    &both[usize::from(lang == Lang::En)]
}

fn environment(lang: Lang) -> Environment<'static> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the usual delimiters"));
    environment.set_formatter(slashes_as_they_are);
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.add_function("t", move |vi: String, en: String| lang.say(&vi, &en).to_owned());
    for (name, text) in TEMPLATES {
        environment.add_template(name, text).expect("a test renders every template");
    }
    environment
}

/// How a page stands in its frame.
pub(super) struct Frame<'a> {
    pub(super) template: &'static str,
    pub(super) lang: Lang,
    /// The same page in the other language.
    pub(super) other: String,
    /// Where the page asks for news; empty when it does not change any more.
    pub(super) live: &'a str,
    /// Whether the page has a form of its own.
    pub(super) form: bool,
    pub(super) status: StatusCode,
}

/// Renders a page into its frame, with the headers that keep it to itself.
pub(super) fn page(floor: &Floor, frame: &Frame<'_>, words: Value) -> Answer<Response> {
    let nonce = hex::encode(rand::random::<[u8; 16]>());
    let scripted = frame.status == StatusCode::OK;
    let outer = context! {
        nonce => nonce.as_str(),
        css => Value::from_safe_string(CSS.to_owned()),
        script => scripted.then(|| Value::from_safe_string(SCRIPT.to_owned())),
        shop => floor.config().shop.name.clone(),
        en => frame.lang == Lang::En,
        other => frame.other.as_str(),
        live => frame.live,
        ..words
    };
    let html = templates(frame.lang).get_template(frame.template).and_then(|template| template.render(outer));
    let html = html.map_err(|error| {
        tracing::error!(%error, template = frame.template, "a page could not be drawn");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "this page could not be drawn")
    })?;
    let form = if frame.form { "'self'" } else { "'none'" };
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self' data:; \
         connect-src 'self'; form-action {form}; base-uri 'none'; frame-ancestors 'none'"
    );
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (HeaderName::from_static("x-robots-tag"), "noindex, nofollow".to_owned()),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin".to_owned()),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin".to_owned()),
        (header::VARY, "accept-language".to_owned()),
    ];
    Ok((frame.status, headers, Html(html)).into_response())
}

/// The page for whoever has no right token, or asks for what does not exist: the same for both.
pub(super) fn unknown(floor: &Floor, lang: Lang) -> Answer<Response> {
    let other = format!("?lang={}", lang.say("en", "vi"));
    let status = StatusCode::NOT_FOUND;
    let frame = Frame { template: "unknown.html", lang, other, live: "", form: false, status };
    page(floor, &frame, context! {})
}

/// The address of this page with another language or amount; relative, so that it holds behind every proxy.
pub(super) fn address(token: &str, lang: &str, amount: Option<i64>) -> String {
    let mut query = url::form_urlencoded::Serializer::for_suffix(String::from("?"), 1);
    query.append_pair("t", token);
    if !lang.is_empty() {
        query.append_pair("lang", lang);
    }
    if let Some(amount) = amount {
        query.append_pair("amount", &amount.to_string());
    }
    query.finish()
}

/// `499.000 ₫`.
pub(super) fn vnd(amount: i64) -> String {
    Vnd::new(amount).map_or_else(|_| String::new(), |amount| amount.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_decides_the_language_then_the_browser_then_vietnamese() {
        let of = |lang: &str, browser: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, browser.parse().unwrap());
            Lang::of(&Asked { lang: lang.to_owned(), ..Asked::default() }, &headers)
        };
        assert_eq!(of("", "en-GB,en;q=0.9,vi;q=0.8"), Lang::En);
        assert_eq!(of("", "de-DE, vi;q=0.7, en;q=0.3"), Lang::Vi);
        assert_eq!(of("", "en;q=0, fr"), Lang::Vi);
        assert_eq!(of("vi", "en"), Lang::Vi);
        assert_eq!(of("en", "vi"), Lang::En);
        assert_eq!(of("<script>", ""), Lang::Vi);
    }

    #[test]
    fn an_address_keeps_what_was_chosen() {
        assert_eq!(address("a-b_c", "en", Some(50_000)), "?t=a-b_c&lang=en&amount=50000");
        assert_eq!(address("&x=1", "", None), "?t=%26x%3D1");
    }
}
