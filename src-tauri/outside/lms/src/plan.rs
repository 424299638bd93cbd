//! A recipe without its platform: what would be sent, with secrets masked and captures shown by name.

use std::collections::BTreeMap;

use minijinja::Value;
use serde_json::Map;

use crate::facts::{Facts, MASK};
use crate::failure::Failure;
use crate::recipe::{Recipe, Step};
use crate::template::{self, Place};

/// A request that would be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedRequest {
    /// `start`, `probe`, `enrol` or `unenrol`.
    pub part: &'static str,
    /// Name of the step.
    pub step: String,
    /// `GET`, `POST`, …
    pub method: &'static str,
    /// With what is captured earlier as `‹name›`.
    pub url: String,
    /// When it is sent at all.
    pub when: Option<String>,
    /// By name, secrets masked.
    pub headers: BTreeMap<String, String>,
    /// The body before it is encoded, one entry a line, secrets masked.
    pub body: Option<String>,
}

/// Every request of the recipe in order, for these facts. Secrets need not be set. Nobody is asked.
///
/// # Errors
/// [`Kind::Recipe`](crate::Kind::Recipe) for settings that are missing or wrong.
pub fn plan(recipe: &Recipe, facts: &Facts) -> Result<Vec<PlannedRequest>, Failure> {
    let base = facts.base(recipe)?;
    let mut context = facts.context(recipe)?;
    let shown = |name: &String| (name.clone(), serde_json::Value::String(format!("‹{name}›")));
    let captures = recipe.steps().flat_map(|(_, step)| step.capture.keys());
    context.insert("got".to_owned(), serde_json::Value::Object(captures.map(shown).collect()));
    let masked = recipe.secrets.keys().map(|name| (name.clone(), serde_json::Value::String(MASK.to_owned())));
    context.insert("secrets".to_owned(), serde_json::Value::Object(masked.collect()));
    let base = base.as_str().trim_end_matches('/').to_owned();
    context.insert("base_url".to_owned(), serde_json::Value::String(base));
    let context = template::seen(&serde_json::Value::Object(context));
    Ok(recipe.steps().map(|(part, step)| planned(part, step, &context)).collect())
}

fn planned(part: &'static str, step: &Step, context: &Value) -> PlannedRequest {
    let query: Vec<String> =
        entries(&step.query, context).map(|(name, value)| format!("{name}={value}")).collect();
    let mut url = filled(&step.url, context).unwrap_or_default();
    if !query.is_empty() {
        url = format!("{url}?{}", query.join("&"));
    }
    PlannedRequest {
        part,
        step: step.name.clone(),
        method: step.method.as_str(),
        url,
        when: step.when.clone(),
        headers: entries(&step.headers, context).collect(),
        body: body(step, context),
    }
}

fn body(step: &Step, context: &Value) -> Option<String> {
    if let Some(form) = &step.form {
        let lines: Vec<String> =
            entries(form, context).map(|(name, value)| format!("{name}={value}")).collect();
        return Some(lines.join("\n"));
    }
    if let Some(json) = &step.json {
        return serde_json::to_string_pretty(&fill(json, context)?).ok();
    }
    step.text.as_ref().and_then(|text| filled(&text.body, context))
}

fn entries<'a>(
    entries: &'a BTreeMap<String, String>,
    context: &'a Value,
) -> impl Iterator<Item = (String, String)> + 'a {
    entries.iter().filter_map(|(name, source)| Some((name.clone(), filled(source, context)?)))
}

/// The text, or the template itself where it does something with a value that is not known yet; `None` = left out.
fn filled(source: &str, context: &Value) -> Option<String> {
    match template::entry(Place::Whole, source, context) {
        Ok(text) => text,
        Err(_) => Some(source.to_owned()),
    }
}

fn fill(json: &serde_json::Value, context: &Value) -> Option<serde_json::Value> {
    use serde_json::Value as Json;
    match json {
        Json::String(source) => {
            template::value(source, context).unwrap_or_else(|_| Some(Json::String(source.clone())))
        }
        Json::Array(list) => Some(Json::Array(list.iter().filter_map(|item| fill(item, context)).collect())),
        Json::Object(members) => {
            let members = members.iter().filter_map(|(name, one)| Some((name.clone(), fill(one, context)?)));
            Some(Json::Object(members.collect::<Map<_, _>>()))
        }
        plain => Some(plain.clone()),
    }
}
