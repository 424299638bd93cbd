//! A recipe held against itself before anybody is asked: templates that cannot be read, names that nobody gives,
//! secrets where they would be seen.

use std::collections::BTreeSet;

use crate::recipe::{BadRecipe, Capture, Method, Recipe, Step};
use crate::template;

/// The most steps of a part.
const MOST_STEPS: usize = 20;
/// Headers that are the client's own business.
const OURS: &[&str] = &["host", "content-length", "transfer-encoding", "connection", "content-type"];
/// What every recipe is given.
const GIVEN: &[&str] = &[
    "base_url",
    "buyer.email",
    "buyer.name",
    "buyer.first_name",
    "buyer.last_name",
    "buyer.username",
    "course.ref",
    "course.title",
    "course.slug",
    "order.code",
    "now.unix",
    "now.iso",
    "until.unix",
    "until.iso",
];

/// Where a text stands, which says what it may name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spot {
    /// Shown, logged, or decided by: no secrets.
    Open,
    /// A header or a body.
    Sent,
    /// A test of an answer: `status`, `json` and `text` besides.
    Answer,
}

impl Recipe {
    /// Holds the recipe against itself; for one that was read with `serde` alone.
    ///
    /// # Errors
    /// [`BadRecipe`]: the first thing that is wrong.
    pub fn check(&self) -> Result<(), BadRecipe> {
        let wrong = |what: String| Err(BadRecipe(what));
        if !is_name(&self.name) {
            return wrong(format!("name: `{}` may have lower-case letters, digits and `_`", self.name));
        }
        let names = Names::of(self);
        let given = self.secrets.keys().chain(self.fields.keys()).map(String::as_str);
        for name in given.chain(names.captures.iter().copied()) {
            if !is_name(name) {
                return wrong(format!("`{name}`: names have lower-case letters, digits and `_`"));
            }
        }
        if let Some(host) = self.hosts.iter().find(|host| !is_host(host)) {
            return wrong(format!("hosts: `{host}` is no host name; leave out https:// and the path"));
        }
        let parts = [
            ("start", self.start.len(), 0),
            ("probe", self.probe.steps.len(), 1),
            ("enrol", self.enrol.steps.len(), 1),
            ("unenrol", self.unenrol.as_ref().map_or(1, |part| part.steps.len()), 1),
        ];
        for (part, steps, least) in parts {
            if !(least..=MOST_STEPS).contains(&steps) {
                return wrong(format!("{part}: it has {steps} steps; {least} to {MOST_STEPS} are possible"));
            }
        }
        for (part, step) in self.steps() {
            step.check(&names).map_err(|what| BadRecipe(format!("{part}, step `{}`: {what}", step.name)))?;
        }
        let tests = [
            ("ok", self.ok.as_deref(), Spot::Answer),
            ("probe.enrolled", Some(self.probe.enrolled.as_str()), Spot::Open),
            ("enrol.verified", self.enrol.verified.as_deref(), Spot::Open),
        ];
        for (place, test, spot) in tests {
            if let Some(test) = test {
                names.expression(test, spot).map_err(|what| BadRecipe(format!("{place}: {what}")))?;
            }
        }
        for (n, fault) in self.faults.iter().enumerate() {
            names
                .expression(&fault.when, Spot::Answer)
                .map_err(|what| BadRecipe(format!("faults, no. {}: {what}", n + 1)))?;
        }
        if let Some(url) = &self.learn_url {
            names.template(url, Spot::Open).map_err(|what| BadRecipe(format!("learn_url: {what}")))?;
        }
        for name in &self.keep {
            if !names.captures.contains(name.as_str()) {
                return wrong(format!("keep: no step captures `{name}`"));
            }
            if names.hidden.contains(name.as_str()) {
                return wrong(format!("keep: `{name}` is a secret and is not kept"));
            }
        }
        Ok(())
    }
}

impl Step {
    fn check(&self, names: &Names<'_>) -> Result<(), String> {
        if !is_name(&self.name) {
            return Err("its name may have lower-case letters, digits and `_`".to_owned());
        }
        let bodies = [self.form.is_some(), self.json.is_some(), self.text.is_some()];
        let bodies = bodies.into_iter().filter(|there| *there).count();
        if bodies > 1 {
            return Err("it has more than one of form, json and text; keep one".to_owned());
        }
        if self.method == Method::Get && bodies > 0 {
            return Err("a GET has no body; use query, or another method".to_owned());
        }
        names.template(&self.url, Spot::Open).map_err(|what| format!("url: {what}"))?;
        if !(self.url.starts_with("{{ base_url }}") || self.url.starts_with("https://")) {
            return Err("url: it must begin with {{ base_url }} or https://".to_owned());
        }
        if let Some(test) = &self.when {
            names.expression(test, Spot::Open).map_err(|what| format!("when: {what}"))?;
        }
        if let Some(test) = &self.ok {
            names.expression(test, Spot::Answer).map_err(|what| format!("ok: {what}"))?;
        }
        for (name, source) in &self.query {
            names.template(source, Spot::Open).map_err(|what| format!("query {name}: {what}"))?;
        }
        for (name, source) in &self.headers {
            let known = reqwest::header::HeaderName::try_from(name.as_str());
            let Ok(known) = known else { return Err(format!("header `{name}`: that is no header's name")) };
            if OURS.contains(&known.as_str()) {
                return Err(format!("header `{name}`: it is set by the app; take it out"));
            }
            names.template(source, Spot::Sent).map_err(|what| format!("header {name}: {what}"))?;
        }
        for (name, source) in self.form.iter().flatten() {
            names.template(source, Spot::Sent).map_err(|what| format!("form {name}: {what}"))?;
        }
        if let Some(json) = &self.json {
            texts(json, &mut |source| names.template(source, Spot::Sent))
                .map_err(|what| format!("json: {what}"))?;
        }
        if let Some(text) = &self.text {
            names.template(&text.body, Spot::Sent).map_err(|what| format!("text: {what}"))?;
        }
        for (name, capture) in &self.capture {
            capture.check(names).map_err(|what| format!("capture {name}: {what}"))?;
        }
        Ok(())
    }
}

impl Capture {
    fn check(&self, names: &Names<'_>) -> Result<(), String> {
        let places =
            [self.pointer.is_some(), self.value.is_some(), self.header.is_some(), self.cookie.is_some()];
        if places.into_iter().filter(|there| *there).count() != 1 {
            return Err("it needs one of pointer, value, header and cookie".to_owned());
        }
        let pointers = self.pointer.iter().chain(&self.list).chain(self.matching.keys());
        for pointer in pointers {
            if !pointer.is_empty() && !pointer.starts_with('/') {
                return Err(format!("`{pointer}` is no JSON pointer; write /{pointer}"));
            }
        }
        if self.list.is_some() == self.matching.is_empty() || (self.list.is_some() && self.pointer.is_none())
        {
            return Err("list, where and pointer belong together".to_owned());
        }
        if let Some(value) = &self.value {
            names.expression(value, Spot::Answer).map_err(|what| format!("value: {what}"))?;
        }
        for (at, source) in &self.matching {
            names.template(source, Spot::Open).map_err(|what| format!("where {at}: {what}"))?;
        }
        Ok(())
    }
}

/// What the texts of a recipe may name.
struct Names<'a> {
    secrets: BTreeSet<&'a str>,
    fields: BTreeSet<&'a str>,
    captures: BTreeSet<&'a str>,
    /// Captures that are secrets.
    hidden: BTreeSet<&'a str>,
}

impl<'a> Names<'a> {
    fn of(recipe: &'a Recipe) -> Self {
        Self {
            secrets: recipe.secrets.keys().map(String::as_str).collect(),
            fields: recipe.fields.keys().map(String::as_str).collect(),
            captures: recipe.steps().flat_map(|(_, step)| step.capture.keys()).map(String::as_str).collect(),
            hidden: recipe.secret_captures().collect(),
        }
    }

    fn template(&self, source: &str, spot: Spot) -> Result<(), String> {
        let names = template::names(source, false).map_err(|error| format!("`{source}`: {error}"))?;
        names.iter().try_for_each(|name| self.known(name, spot))
    }

    fn expression(&self, source: &str, spot: Spot) -> Result<(), String> {
        if source.contains("{{") {
            return Err(format!("`{source}` is a test and is written without braces"));
        }
        let names = template::names(source, true).map_err(|error| format!("`{source}`: {error}"))?;
        names.iter().try_for_each(|name| self.known(name, spot))
    }

    fn known(&self, name: &str, spot: Spot) -> Result<(), String> {
        let (root, rest) = name.split_once('.').unwrap_or((name, ""));
        let first = rest.split('.').next().unwrap_or_default();
        match root {
            "secrets" if spot != Spot::Sent => {
                Err("a secret may stand in headers and bodies only".to_owned())
            }
            "secrets" if self.secrets.contains(first) => Ok(()),
            "fields" if self.fields.contains(first) => Ok(()),
            "got" if self.hidden.contains(first) && spot != Spot::Sent => {
                Err(format!("got.{first} is a secret and may stand in headers and bodies only"))
            }
            "got" if self.captures.contains(first) => Ok(()),
            "status" | "json" | "text" if spot == Spot::Answer => Ok(()),
            "secrets" => Err(format!("`{name}`: the recipe has no such secret; add it under [secrets]")),
            "fields" => Err(format!("`{name}`: the recipe has no such field; add it under [fields]")),
            "got" => Err(format!("`{name}`: no step captures it; write got.NAME")),
            _ if GIVEN.contains(&name) => Ok(()),
            _ => Err(format!(
                "`{name}` is not known; there are {}, fields.…, secrets.… and got.…",
                GIVEN.join(", ")
            )),
        }
    }
}

/// Calls `each` with every text of the JSON.
fn texts(json: &serde_json::Value, each: &mut dyn FnMut(&str) -> Result<(), String>) -> Result<(), String> {
    match json {
        serde_json::Value::String(source) => each(source),
        serde_json::Value::Array(list) => list.iter().try_for_each(|one| texts(one, each)),
        serde_json::Value::Object(members) => members.values().try_for_each(|one| texts(one, each)),
        _ => Ok(()),
    }
}

fn is_name(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn is_host(text: &str) -> bool {
    (1..=253).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
name = "school"
title = "School"
course = "the number in the address"
secrets = { token = "API token" }
keep = ["id"]
[[faults]]
when = "json.error == 'no course'"
is = "course_unknown"
[probe]
enrolled = "got.id"
[[probe.steps]]
name = "look"
method = "GET"
url = "{{ base_url }}/students/{{ buyer.email }}"
headers = { Authorization = "Bearer {{ secrets.token }}" }
ok = "status == 200 or status == 404"
capture = { id = { pointer = "/id", optional = true } }
[[enrol.steps]]
name = "add"
method = "POST"
url = "{{ base_url }}/students"
json = { email = "{{ buyer.email }}", course = "{{ course.ref|int }}" }
"#;

    #[test]
    fn a_good_recipe_is_read_from_toml_and_from_json() {
        let recipe = Recipe::from_toml(GOOD).unwrap();
        let json = serde_json::to_value(&recipe).unwrap();
        assert_eq!(Recipe::from_json(json).unwrap(), recipe);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (from, to, says) in [
            ("name = \"school\"", "name = \"My School\"", "name"),
            ("method = \"GET\"", "method = \"FETCH\"", "FETCH"),
            ("title = \"School\"", "titel = \"School\"", "titel"),
            ("/students/{{ buyer.email }}", "/students/{{ buyer.mail }}", "buyer.mail"),
            ("/students/{{ buyer.email }}", "/students/{{ secrets.token }}", "headers and bodies"),
            ("{{ secrets.token }}", "{{ secrets.key }}", "secrets.key"),
            ("{{ buyer.email }}\", course", "{{ buyer.email \", course", "add"),
            ("keep = [\"id\"]", "keep = [\"account\"]", "account"),
            ("enrolled = \"got.id\"", "enrolled = \"{{ got.id }}\"", "without braces"),
            ("enrolled = \"got.id\"", "enrolled = \"json.id\"", "json.id"),
            ("pointer = \"/id\"", "pointer = \"id\"", "/id"),
            ("pointer = \"/id\"", "header = \"x\", pointer = \"/id\"", "one of"),
            ("{ Authorization = ", "{ Host = ", "Host"),
            ("is = \"course_unknown\"", "is = \"unknown\"", "unknown"),
            ("url = \"{{ base_url }}/students\"", "url = \"http://other.example.com/\"", "base_url"),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let error = Recipe::from_toml(&GOOD.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(says), "{from} → {to}: {error}");
        }
    }

    #[test]
    fn a_secret_capture_is_neither_kept_nor_put_into_an_address() {
        let hidden = GOOD.replace("pointer = \"/id\",", "pointer = \"/id\", secret = true,");
        assert!(Recipe::from_toml(&hidden).unwrap_err().to_string().contains("secret"));
    }
}
