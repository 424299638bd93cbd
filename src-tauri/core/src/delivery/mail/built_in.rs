//! The mails that there are, their parts, and the words of ours that a file of the owner's can take the place of.
//!
//! A part is named `delivered.vi.html`. Names that begin with `_` are shared: `_frame` stands around every mail,
//! `_items` lists what was bought; a mail says `{% extends "_frame" %}` and `{% include "_items" %}`.

/// The languages of mails, the shop's own first where it is asked for.
pub(crate) const LANGUAGES: [&str; 2] = ["vi", "en"];

/// One template.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Template {
    /// E.g. `delivered`, or `_frame` for one that mails share.
    pub(crate) name: &'static str,
    /// Of `subject`, `text`, `html`.
    pub(crate) parts: &'static [&'static str],
    /// What it is given to say.
    pub(crate) sees: Sees,
}

/// What a template is given to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sees {
    /// An order and what was bought.
    Items,
    /// A movement of a customer's money.
    Money,
    /// Either: it stands in mails of both kinds.
    Both,
}

impl Template {
    /// Whether it is a part of several mails rather than a mail.
    pub(crate) fn shared(&self) -> bool {
        self.name.starts_with('_')
    }

    /// Name of the file of one part.
    pub(crate) fn file(&self, lang: &str, part: &str) -> String {
        format!("{}.{lang}.{part}", self.name)
    }
}

const MAIL: &[&str] = &["subject", "text", "html"];
const SHARED: &[&str] = &["text", "html"];

/// Every template, as a list shows them.
pub(crate) const TEMPLATES: [Template; 8] = [
    Template { name: "delivered", parts: MAIL, sees: Sees::Items },
    Template { name: "new_version", parts: MAIL, sees: Sees::Items },
    Template { name: "on_its_way", parts: MAIL, sees: Sees::Money },
    Template { name: "topup", parts: MAIL, sees: Sees::Money },
    Template { name: "surplus", parts: MAIL, sees: Sees::Money },
    Template { name: "refund", parts: MAIL, sees: Sees::Money },
    Template { name: "_frame", parts: SHARED, sees: Sees::Both },
    Template { name: "_items", parts: SHARED, sees: Sees::Items },
];

/// The template of that name.
pub(crate) fn template(name: &str) -> Option<&'static Template> {
    TEMPLATES.iter().find(|template| template.name == name)
}

/// Our words for a part.
pub(crate) fn built_in(file: &str) -> Option<&'static str> {
    BUILT_IN.iter().find(|(name, _)| *name == file).map(|(_, text)| *text)
}

/// Whether a file of that name is a part of a template.
pub(super) fn is_part(file: &str) -> bool {
    built_in(file).is_some()
}

macro_rules! parts {
    ($($file:literal)+) => { &[$(($file, include_str!(concat!("templates/", $file)))),+] };
}

const BUILT_IN: &[(&str, &str)] = parts! {
    "_frame.vi.text" "_frame.vi.html" "_frame.en.text" "_frame.en.html"
    "_items.vi.text" "_items.vi.html" "_items.en.text" "_items.en.html"
    "delivered.vi.subject" "delivered.vi.text" "delivered.vi.html"
    "delivered.en.subject" "delivered.en.text" "delivered.en.html"
    "new_version.vi.subject" "new_version.vi.text" "new_version.vi.html"
    "new_version.en.subject" "new_version.en.text" "new_version.en.html"
    "on_its_way.vi.subject" "on_its_way.vi.text" "on_its_way.vi.html"
    "on_its_way.en.subject" "on_its_way.en.text" "on_its_way.en.html"
    "topup.vi.subject" "topup.vi.text" "topup.vi.html"
    "topup.en.subject" "topup.en.text" "topup.en.html"
    "surplus.vi.subject" "surplus.vi.text" "surplus.vi.html"
    "surplus.en.subject" "surplus.en.text" "surplus.en.html"
    "refund.vi.subject" "refund.vi.text" "refund.vi.html"
    "refund.en.subject" "refund.en.text" "refund.en.html"
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_every_template_is_built_in_and_no_other() {
        let parts = TEMPLATES.iter().flat_map(|one| {
            LANGUAGES.iter().flat_map(move |lang| one.parts.iter().map(move |part| one.file(lang, part)))
        });
        let mut named: Vec<String> = parts.collect();
        let mut there: Vec<String> = BUILT_IN.iter().map(|(file, _)| (*file).to_owned()).collect();
        named.sort();
        there.sort();
        assert_eq!(named, there);
    }
}
