//! One message to the owner in the forms that the channels take.

use chotdon_store::{STOPPED, Telling};
use serde_json::{Value, json};

use super::words;
use crate::config::{Config, Language};
use crate::delivery::mail::{self, Parts};
use crate::ports::Toast;
use crate::present::rfc3339;

/// Titles that a message about several notices lists.
const LISTED: usize = 8;

/// What the owner is told.
#[derive(Debug, Clone)]
pub(super) struct Message {
    shop: String,
    toast: Toast,
    /// How often and since when, when it is not the first time.
    again: Option<String>,
    /// Id, when told before (ms, 0 = never), and the notice for machines.
    notices: Vec<(i64, i64, Value)>,
    test_at: Option<i64>,
}

impl Message {
    /// A message about these notices, the most urgent first; one alone in its own words.
    pub(super) fn of(told: &[Telling], config: &Config) -> Self {
        let vi = config.shop.language == Language::Vi;
        let mut told: Vec<&Telling> = told.iter().collect();
        told.sort_by_key(|one| (one.notice.class, one.notice.id));
        let toasts: Vec<Toast> =
            told.iter().map(|one| words::toast(&one.notice, config.shop.language)).collect();
        let mut again = None;
        let toast = match (&told[..], &toasts[..]) {
            ([one], [toast]) => {
                if one.notice.count > 1 {
                    again = Some(if vi {
                        format!("{} lần", one.notice.count)
                    } else {
                        format!("{} times", one.notice.count)
                    });
                }
                toast.clone()
            }
            _ => together(&told, &toasts, vi),
        };
        let notices = told
            .iter()
            .zip(&toasts)
            .map(|(one, toast)| (one.notice.id, one.sent_at.unwrap_or_default(), facts(one, toast)))
            .collect();
        Self { shop: config.shop.name.clone(), toast, again, notices, test_at: None }
    }

    /// A message that only proves the way.
    pub(super) fn test(config: &Config, now: i64) -> Self {
        let toast = match config.shop.language {
            Language::Vi => Toast {
                title: "Tin thử của ChotDon".to_owned(),
                body: "Kênh thông báo này hoạt động.".to_owned(),
                route: "/settings".to_owned(),
                urgent: false,
            },
            Language::En => Toast {
                title: "A test of ChotDon".to_owned(),
                body: "This channel works.".to_owned(),
                route: "/settings".to_owned(),
                urgent: false,
            },
        };
        Self { shop: config.shop.name.clone(), toast, again: None, notices: Vec::new(), test_at: Some(now) }
    }

    /// For the desktop.
    pub(super) fn toast(&self) -> Toast {
        self.toast.clone()
    }

    /// Plain text, for a chat.
    pub(super) fn plain(&self) -> String {
        let mark = if self.toast.urgent { "‼ " } else { "" };
        let shop = if self.shop.is_empty() { String::new() } else { format!("[{}] ", self.shop) };
        let again = self.again.as_ref().map(|again| format!(" ({again})")).unwrap_or_default();
        format!("{mark}{shop}{}{again}\n{}", self.toast.title, self.toast.body)
    }

    /// The same on every attempt at it.
    pub(super) fn id(&self) -> String {
        match (&self.notices[..], self.test_at) {
            ([(id, sent, _), rest @ ..], _) => format!("ntc_{id}_{}_{sent}", rest.len() + 1),
            (_, at) => format!("ntc_test_{}", at.unwrap_or_default()),
        }
    }

    /// The body for the owner's own address.
    pub(super) fn json(&self, now: i64) -> String {
        let kind = if self.test_at.is_some() { "owner.test" } else { "owner.notice" };
        let notices: Vec<&Value> = self.notices.iter().map(|(.., facts)| facts).collect();
        json!({
            "type": kind,
            "timestamp": rfc3339(now),
            "data": {
                "shop": self.shop, "title": self.toast.title, "body": self.toast.body,
                "urgent": self.toast.urgent, "notices": notices,
            },
        })
        .to_string()
    }

    /// A mail to the owner.
    pub(super) fn mail(&self, to: &str, config: &Config) -> mail::Message {
        let text = self.plain();
        let escaped =
            text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\n', "<br>");
        let parts = Parts {
            subject: text.lines().next().unwrap_or_default().to_owned(),
            text: format!("{text}\n"),
            html: format!("<p>{escaped}</p>"),
        };
        let domain = config
            .mail
            .from
            .rsplit_once('@')
            .map_or("chotdon.invalid", |(_, domain)| domain.trim_end_matches('>'));
        mail::Message::new(format!("{}@{domain}", self.id()), to, config.shop.name.clone(), parts)
    }
}

fn together(told: &[&Telling], toasts: &[Toast], vi: bool) -> Toast {
    let n = told.len();
    let title = if vi { format!("{n} việc cần xem") } else { format!("{n} things to look at") };
    let mut lines: Vec<String> =
        toasts.iter().take(LISTED).map(|toast| format!("· {}", toast.title)).collect();
    if n > LISTED {
        let more = n - LISTED;
        lines.push(if vi { format!("… và {more} việc khác") } else { format!("… and {more} more") });
    }
    let urgent = told.iter().any(|one| one.notice.class == STOPPED);
    Toast { title, body: lines.join("\n"), route: "/overview".to_owned(), urgent }
}

fn facts(one: &Telling, toast: &Toast) -> Value {
    let class = match one.notice.class {
        1 => "stopped",
        2 => "needs_owner",
        _ => "information",
    };
    json!({
        "id": one.notice.id, "class": class, "kind": one.notice.kind, "count": one.notice.count,
        "first_at": rfc3339(one.notice.first_at), "last_at": rfc3339(one.notice.last_at),
        "title": toast.title, "body": toast.body,
    })
}
