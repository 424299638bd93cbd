//! The words of mails: templates, the owner's own parts, what is wrong with them, previews.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One template in one language, in the list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MailTemplateRow {
    /// `delivered`, `new_version`, `on_its_way`, `topup`, `surplus`, `refund`; `_frame` and `_items` stand in mails.
    pub name: String,
    /// `vi` or `en`.
    pub lang: String,
    /// Of `subject`, `text`, `html`.
    pub parts: Vec<String>,
    /// Parts that are the owner's own.
    pub own: Vec<String>,
    /// Whether it is a part of several mails rather than a mail.
    pub shared: bool,
    /// Whether it is in the language that the shop writes in now.
    pub in_use: bool,
    /// What is wrong with it; none = mails go out.
    pub mistakes: Vec<MailMistake>,
    /// What it can say.
    pub variables: Vec<MailVariable>,
}

/// A name that a template can say.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MailVariable {
    /// E.g. `customer_name`, `item.title`.
    pub name: String,
    /// What it says in the example.
    pub example: String,
    /// What to write to say it.
    pub insert: String,
}

/// What is wrong with a template.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MailMistake {
    /// E.g. `delivered.vi.text`.
    pub file: String,
    /// Of this file: `subject`, `text` or `html`.
    pub part: String,
    /// From 1; none where it is about the whole file.
    pub line: Option<i64>,
    /// `unknown_name`, `unknown_word`, `missing_part`, `syntax`, `too_long`, `too_large`, `empty`, `unreadable`, `other`.
    pub code: String,
    /// The word that is wrong, where there is one.
    pub name: Option<String>,
    /// The engine's own words, in English.
    pub what: String,
}

/// `GET /admin/api/mail-templates/{name}/{lang}`, and what saving answers.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MailTemplate {
    /// Name.
    pub name: String,
    /// `vi` or `en`.
    pub lang: String,
    /// Its parts in the order subject, text, HTML.
    pub parts: Vec<MailPart>,
    /// Changes with the texts; sent back when saving.
    pub version: String,
    /// What is wrong with what is in use.
    pub mistakes: Vec<MailMistake>,
    /// What it can say.
    pub variables: Vec<MailVariable>,
}

/// One part of a template.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MailPart {
    /// `subject`, `text` or `html`.
    pub part: String,
    /// The text in use. A file that cannot be read stands as the built-in text.
    pub text: String,
    /// Whether it is the owner's own.
    pub own: bool,
    /// The built-in text.
    pub built_in: String,
}

/// Parts as they are being edited. One that is left out stays as it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MailTexts {
    /// One line, at most 1,000 bytes.
    pub subject: Option<String>,
    /// At most 64 KiB.
    pub text: Option<String>,
    /// At most 64 KiB.
    pub html: Option<String>,
}

/// `PUT /admin/api/mail-templates/{name}/{lang}`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MailTemplateEdit {
    /// What to save.
    pub texts: MailTexts,
    /// The version that was edited; a template that has changed since is a conflict. Left out = whatever there is.
    pub version: Option<String>,
}

/// `POST /admin/api/mail-templates/{name}/{lang}/preview`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MailPreviewRequest {
    /// What is being edited.
    pub texts: MailTexts,
    /// Code of an order to write about; empty = the example.
    pub order: String,
}

/// What a buyer would read.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MailPreview {
    /// None where the part has a mistake; the same below.
    pub subject: Option<String>,
    /// Plain text.
    pub text: Option<String>,
    /// A complete document. Shown in a sandboxed frame without scripts.
    pub html: Option<String>,
    /// What is wrong with the parts as they are being edited.
    pub mistakes: Vec<MailMistake>,
}

/// `POST /admin/api/mail-templates/{name}/{lang}/test`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MailTestRequest {
    /// Where to.
    pub to: String,
    /// What is being edited.
    pub texts: MailTexts,
    /// Code of an order to write about; empty = the example.
    pub order: String,
}
