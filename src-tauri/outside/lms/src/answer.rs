//! What a platform answered: read within limits, judged by the recipe's tests, and what is captured out of it.

use std::time::Duration;

use minijinja::Value;
use reqwest::header::{self, HeaderMap};
use serde_json::{Map, json};

use crate::failure::{Failure, Kind};
use crate::recipe::{Capture, FaultKind, Recipe, Step};
use crate::template;

/// The longest answer that is read, bytes.
const LONGEST: usize = 1024 * 1024;
/// How much of an answer stands in an error, characters.
const SHOWN: usize = 240;
/// The longest wait that a platform may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);

/// One answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: HeaderMap,
    /// `null` when the body is no JSON.
    json: serde_json::Value,
    text: String,
}

impl Answer {
    pub(crate) async fn read(mut response: reqwest::Response) -> Result<Self, Failure> {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let mut body = Vec::new();
        loop {
            let chunk = response.chunk().await;
            let chunk =
                chunk.map_err(|_| Failure::new(Kind::Unreachable, format!("{status}, then it broke off")))?;
            let Some(chunk) = chunk else { break };
            if body.len() + chunk.len() > LONGEST {
                let detail = format!("{status}, longer than {LONGEST} bytes");
                return Err(Failure::new(Kind::Unclear, detail));
            }
            body.extend_from_slice(&chunk);
        }
        let json = serde_json::from_slice(&body).unwrap_or_default();
        Ok(Self { status, headers, json, text: String::from_utf8_lossy(&body).into_owned() })
    }

    /// Whether the answer is good, and what it means when it is not.
    pub(crate) fn judge(
        &self,
        recipe: &Recipe,
        step: &Step,
        context: &Map<String, serde_json::Value>,
    ) -> Result<(), Failure> {
        let context = self.context(context);
        let holds = |test: &str| {
            template::test(test, &context)
                .map_err(|error| Failure::new(Kind::Recipe, format!("the test `{test}`: {error}")))
        };
        let good = match step.ok.as_ref().or(recipe.ok.as_ref()) {
            Some(test) => holds(test)?,
            None => (200..300).contains(&self.status),
        };
        if good {
            return Ok(());
        }
        let mut kind = self.usual_meaning();
        for fault in &recipe.faults {
            if holds(&fault.when)? {
                kind = meaning(fault.is);
                break;
            }
        }
        let retry_after = if kind.passes() { self.retry_after() } else { None };
        Err(Failure { kind, detail: self.shown(), retry_after })
    }

    /// What tests of an answer see.
    fn context(&self, context: &Map<String, serde_json::Value>) -> Value {
        let mut context = context.clone();
        context.insert("status".to_owned(), json!(self.status));
        context.insert("json".to_owned(), self.json.clone());
        context.insert("text".to_owned(), json!(self.text));
        template::seen(&serde_json::Value::Object(context))
    }

    fn usual_meaning(&self) -> Kind {
        match self.status {
            401 => Kind::Unauthorized,
            408 | 429 | 503 => Kind::Busy,
            500.. => Kind::ServerError,
            200..300 => Kind::Rejected,
            _ if self.retry_after().is_some() => Kind::Busy,
            _ => Kind::Rejected,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        let text = self.headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
        let wait = match text.parse::<u64>() {
            Ok(seconds) => Duration::from_secs(seconds),
            // A date is measured by the clock of who wrote it.
            Err(_) => {
                let now = date(self.headers.get(header::DATE)?.to_str().ok()?)?;
                Duration::from_secs(u64::try_from(date(text)?.saturating_sub(now)).unwrap_or(0))
            }
        };
        Some(wait.min(MAX_RETRY_AFTER))
    }

    /// Where a redirect leads.
    pub(crate) fn location(&self) -> Option<&str> {
        let redirect = matches!(self.status, 301 | 302 | 303 | 307 | 308);
        redirect.then(|| self.headers.get(header::LOCATION)?.to_str().ok()).flatten()
    }

    /// Takes a value out. `None` when there is none and that is allowed.
    pub(crate) fn capture(
        &self,
        name: &str,
        capture: &Capture,
        context: &Map<String, serde_json::Value>,
    ) -> Result<Option<serde_json::Value>, Failure> {
        let found = self.find(capture, context)?.filter(|value| !value.is_null());
        if found.is_none() && !capture.optional {
            let detail = format!("the answer has no `{name}`: {}", self.shown());
            return Err(Failure::new(Kind::Unclear, detail));
        }
        Ok(found)
    }

    fn find(
        &self,
        capture: &Capture,
        context: &Map<String, serde_json::Value>,
    ) -> Result<Option<serde_json::Value>, Failure> {
        if let Some(expression) = &capture.value {
            return template::found(expression, &self.context(context))
                .map_err(|error| Failure::new(Kind::Recipe, format!("`{expression}`: {error}")));
        }
        if let Some(name) = &capture.header {
            let value = self.headers.get(name.as_str()).and_then(|value| value.to_str().ok());
            return Ok(value.map(|value| json!(value)));
        }
        if let Some(name) = &capture.cookie {
            return Ok(self.cookie(name).map(|value| json!(value)));
        }
        let pointer = capture.pointer.as_deref().unwrap_or_default();
        let Some(list) = &capture.list else { return Ok(self.json.pointer(pointer).cloned()) };
        let context = template::seen(&serde_json::Value::Object(context.clone()));
        let mut wanted = Vec::with_capacity(capture.matching.len());
        for (at, template) in &capture.matching {
            let text = template::text(template::Place::Whole, template, &context)
                .map_err(|error| Failure::new(Kind::Recipe, format!("where {at}: {error}")))?;
            wanted.push((at, text));
        }
        let Some(elements) = self.json.pointer(list).and_then(serde_json::Value::as_array) else {
            return Ok(None);
        };
        let fits = |element: &&serde_json::Value| {
            wanted.iter().all(|(at, text)| {
                element.pointer(at).is_some_and(|value| is_any(value, text, capture.caseless))
            })
        };
        Ok(elements.iter().find(fits).and_then(|element| element.pointer(pointer)).cloned())
    }

    fn cookie(&self, name: &str) -> Option<&str> {
        let lines = self.headers.get_all(header::SET_COOKIE).iter().filter_map(|line| line.to_str().ok());
        let pairs = lines.filter_map(|line| line.split(';').next()?.split_once('='));
        pairs.filter(|(known, _)| known.trim() == name).map(|(_, value)| value.trim()).next_back()
    }

    /// Status and the beginning of the body, on one line.
    fn shown(&self) -> String {
        let text = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        let text: String = text.chars().take(SHOWN).collect();
        if text.is_empty() { self.status.to_string() } else { format!("{}, {text}", self.status) }
    }
}

fn meaning(fault: FaultKind) -> Kind {
    match fault {
        FaultKind::Unauthorized => Kind::Unauthorized,
        FaultKind::CourseUnknown => Kind::CourseUnknown,
        FaultKind::Rejected => Kind::Rejected,
        FaultKind::Busy => Kind::Busy,
        FaultKind::ServerError => Kind::ServerError,
    }
}

fn is_any(value: &serde_json::Value, wanted: &str, caseless: bool) -> bool {
    let text = match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    wanted.split('|').any(
        |one| {
            if caseless { text.to_lowercase() == one.to_lowercase() } else { text == one }
        },
    )
}

/// Seconds since 1970 of an HTTP date.
fn date(text: &str) -> Option<i64> {
    jiff::fmt::rfc2822::parse(text).ok().map(|at| at.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(headers: &[(&str, &str)], json: serde_json::Value) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(header::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        Answer { status: 200, headers: map, text: json.to_string(), json }
    }

    #[test]
    fn an_element_of_a_list_is_found_by_what_it_holds() {
        let found = answer(
            &[],
            json!({ "users": [{ "id": 1, "mail": "an@x.vn" }, { "id": 2, "mail": "Lan@X.vn" }] }),
        );
        let capture = Capture {
            list: Some("/users".into()),
            matching: [("/mail".to_owned(), "{{ mail }}".to_owned())].into(),
            pointer: Some("/id".into()),
            caseless: true,
            optional: true,
            ..Capture::default()
        };
        let by = |mail: &str, capture: &Capture| {
            found.capture("id", capture, json!({ "mail": mail }).as_object().unwrap()).unwrap()
        };
        assert_eq!(by("lan@x.vn", &capture), Some(json!(2)));
        assert_eq!(by("binh@x.vn", &capture), None);
        assert_eq!(by("lan@x.vn", &Capture { caseless: false, ..capture }), None);
    }

    #[test]
    fn the_last_cookie_of_a_name_counts_and_a_missing_value_is_an_error() {
        let found =
            answer(&[("set-cookie", "csrf=one; Path=/"), ("set-cookie", "csrf=two; HttpOnly")], json!(null));
        let cookie = |name: &str| Capture { cookie: Some(name.into()), ..Capture::default() };
        let none = Map::new();
        assert_eq!(found.capture("c", &cookie("csrf"), &none).unwrap(), Some(json!("two")));
        assert_eq!(found.capture("c", &cookie("other"), &none).unwrap_err().kind, Kind::Unclear);
    }

    #[test]
    fn a_wait_is_seconds_or_a_date_by_the_platforms_own_clock() {
        let wait =
            |headers: &[(&str, &str)]| answer(headers, json!(null)).retry_after().map(|wait| wait.as_secs());
        assert_eq!(wait(&[("retry-after", "30")]), Some(30));
        assert_eq!(wait(&[("retry-after", "999999999")]), Some(86_400));
        let at = ("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT");
        assert_eq!(wait(&[at, ("date", "Sun, 06 Nov 1994 08:49:37 GMT")]), Some(60));
        assert_eq!(wait(&[at]), None);
    }
}
