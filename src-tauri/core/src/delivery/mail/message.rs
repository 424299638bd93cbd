//! One mail and its form on the wire.

use std::time::{Duration, UNIX_EPOCH};

use lettre::message::{Mailbox, MultiPart};

use super::template::Parts;
use crate::workers::StageError;

/// One mail to one person. The same on every retry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `Message-ID` without angle brackets, e.g. `dh123456.delivery.1@shop.vn`.
    pub message_id: String,
    /// Address.
    pub to: String,
    /// Name of the person; may be empty.
    pub to_name: String,
    /// Subject, plain text.
    pub subject: String,
    /// Plain-text body.
    pub text: String,
    /// HTML body of the same content.
    pub html: String,
}

/// The `Message-ID` of an order's delivery mail. `generation` starts at 1 and grows when the owner sends again;
/// `from` is the shop's address, whose domain makes the id unique in the world.
#[must_use]
pub fn delivery_message_id(order_code: &str, generation: i64, from: &str) -> String {
    format!("{}.delivery.{generation}@{}", order_code.to_ascii_lowercase(), domain(from))
}

/// The `Message-ID` of a mail about one movement of money. `key` names the movement and its task: `topup:7.31`.
#[must_use]
pub fn money_message_id(key: &str, from: &str) -> String {
    format!("{}@{}", key.replace(':', "."), domain(from))
}

/// The `Message-ID` of a test delivery, named after its task.
#[must_use]
pub fn test_message_id(task: i64, from: &str) -> String {
    format!("test.{task}@{}", domain(from))
}

fn domain(from: &str) -> &str {
    let domain = from.rsplit_once('@').map_or("", |(_, domain)| domain.trim_end_matches('>'));
    if id_text(domain) { domain } else { "chotdon.invalid" }
}

fn id_text(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_+@".contains(&b))
}

impl Message {
    /// A message of composed `parts`.
    #[must_use]
    pub fn new(
        message_id: impl Into<String>,
        to: impl Into<String>,
        to_name: impl Into<String>,
        parts: Parts,
    ) -> Self {
        let Parts { subject, text, html } = parts;
        Self { message_id: message_id.into(), to: to.into(), to_name: to_name.into(), subject, text, html }
    }

    /// The message as sent: `multipart/alternative`, dated `now_ms`, no copies, nothing that tracks.
    ///
    /// # Errors
    /// `mail_refused` when the address cannot exist, `internal` for a malformed message id.
    pub(super) fn on_the_wire(&self, from: &Mailbox, now_ms: i64) -> Result<lettre::Message, StageError> {
        let id = self.message_id.trim_start_matches('<').trim_end_matches('>');
        if !id_text(id) || !id.contains('@') {
            return Err(StageError::permanent("internal", format!("{id:?} is no Message-ID")));
        }
        let address = self.to.trim().parse().map_err(|e| {
            StageError::permanent("mail_refused", format!("{:?} is not an e-mail address: {e}", self.to))
        })?;
        let name = one_line(&self.to_name);
        let date = UNIX_EPOCH + Duration::from_millis(u64::try_from(now_ms).unwrap_or(0));
        lettre::Message::builder()
            .message_id(Some(format!("<{id}>")))
            .date(date)
            .from(from.clone())
            .to(Mailbox::new((!name.is_empty()).then_some(name), address))
            .subject(one_line(&self.subject))
            .multipart(MultiPart::alternative_plain_html(self.text.clone(), self.html.clone()))
            .map_err(|e| StageError::permanent("internal", format!("the mail cannot be put together: {e}")))
    }
}

/// `text` as one line without control characters.
pub(super) fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        Message {
            message_id: "dh123456.delivery.1@shop.vn".into(),
            to: "lan@example.com".into(),
            to_name: "Trần Thị Lan".into(),
            subject: "Khoá học của bạn".into(),
            text: "Chào Lan".into(),
            html: "<p>Chào Lan".into(),
        }
    }

    fn wire(message: &Message) -> Result<String, StageError> {
        let from = "Khoá học An <an@shop.vn>".parse().expect("an address");
        Ok(String::from_utf8(message.on_the_wire(&from, 1_700_000_000_000)?.formatted()).expect("ASCII"))
    }

    #[test]
    fn id_and_date_are_what_they_were_given() {
        let text = wire(&message()).expect("a message");
        assert!(text.contains("Message-ID: <dh123456.delivery.1@shop.vn>\r\n"), "{text}");
        assert!(text.contains("Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"), "{text}");
        assert!(text.contains("multipart/alternative"), "{text}");
        assert!(!text.to_lowercase().contains("bcc"), "{text}");
    }

    #[test]
    fn no_field_can_add_a_header() {
        let evil = "x\r\nBcc: evil@example.com\r\n\r\nbody";
        let text =
            wire(&Message { subject: evil.into(), to_name: evil.into(), ..message() }).expect("a message");
        assert!(!text.contains("\r\nBcc"), "{text}");
        for wrong in [evil, "a@b> x", "no-domain", "", "a b@c"] {
            assert_eq!(
                wire(&Message { message_id: wrong.into(), ..message() }).map_err(|e| e.code),
                Err("internal")
            );
        }
        for wrong in
            ["lan@example.com\r\nBcc: evil@example.com", "lan@example.com, evil@example.com", "lan", ""]
        {
            assert_eq!(
                wire(&Message { to: wrong.into(), ..message() }).map_err(|e| e.code),
                Err("mail_refused")
            );
        }
    }

    #[test]
    fn the_id_grows_only_with_the_generation() {
        assert_eq!(delivery_message_id("DH123456", 1, "An <an@shop.vn>"), "dh123456.delivery.1@shop.vn");
        assert_eq!(delivery_message_id("DH123456", 2, "an@shop.vn"), "dh123456.delivery.2@shop.vn");
        assert_eq!(money_message_id("topup:7.31", "an@shop.vn"), "topup.7.31@shop.vn");
        assert_eq!(delivery_message_id("DH123456", 1, ""), "dh123456.delivery.1@chotdon.invalid");
    }
}
