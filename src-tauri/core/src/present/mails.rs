//! Mail templates.

use crate::delivery::mail::Mistake;
use crate::delivery::mail::built_in::Template;
use crate::delivery::mail::example::Variable;
use crate::delivery::mail::own::Held;
use crate::views::{MailMistake, MailPart, MailTemplate, MailVariable};

/// One template with its words.
pub(crate) fn mail_template(
    template: &Template,
    lang: &str,
    held: Held,
    variables: Vec<Variable>,
) -> MailTemplate {
    let parts = held.parts.into_iter().map(|part| MailPart {
        part: part.part.to_owned(),
        text: part.text,
        own: part.own,
        built_in: part.built_in.to_owned(),
    });
    MailTemplate {
        name: template.name.to_owned(),
        lang: lang.to_owned(),
        parts: parts.collect(),
        version: held.version,
        mistakes: held.mistakes.iter().map(mail_mistake).collect(),
        variables: mail_variables(variables),
    }
}

/// What a template can say.
pub(crate) fn mail_variables(variables: Vec<Variable>) -> Vec<MailVariable> {
    let view =
        |one: Variable| MailVariable { name: one.name.to_owned(), example: one.example, insert: one.insert };
    variables.into_iter().map(view).collect()
}

/// What is wrong with a template.
pub(crate) fn mail_mistake(mistake: &Mistake) -> MailMistake {
    MailMistake {
        file: mistake.file.clone(),
        part: mistake.file.rsplit('.').next().unwrap_or_default().to_owned(),
        line: mistake.line.and_then(|line| i64::try_from(line).ok()),
        code: mistake.code.to_owned(),
        name: mistake.name.clone(),
        what: mistake.what.clone(),
    }
}
