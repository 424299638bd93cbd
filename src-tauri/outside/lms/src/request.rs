//! A step made into a request: rendered, encoded, and held against the hosts that may be called.

use minijinja::Value;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Map;
use url::Url;

use crate::failure::{Failure, Kind};
use crate::recipe::{Escape, Method, Step};
use crate::template::{self, Place};

/// What is sent.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Vec<u8>>,
}

/// What templates see: with secrets for headers and bodies, without for addresses.
pub(crate) struct Views {
    pub(crate) open: Value,
    pub(crate) with_secrets: Value,
}

impl Request {
    pub(crate) fn new(step: &Step, views: &Views) -> Result<Self, Failure> {
        let wrong = |what: &str, error: &dyn std::fmt::Display| {
            Failure::new(Kind::Recipe, format!("step {}, {what}: {error}", step.name))
        };
        let text =
            template::text(Place::Url, &step.url, &views.open).map_err(|error| wrong("url", &error))?;
        let mut url = Url::parse(&text).map_err(|error| wrong("url", &error))?;
        for (name, source) in &step.query {
            let value = template::entry(Place::Whole, source, &views.open).map_err(|e| wrong(name, &e))?;
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, &value);
            }
        }
        let mut headers = HeaderMap::new();
        let (kind, body) = body(step, &views.with_secrets, &wrong)?;
        if let Some(kind) = kind {
            let kind = HeaderValue::from_str(&kind).map_err(|error| wrong("content type", &error))?;
            headers.insert(reqwest::header::CONTENT_TYPE, kind);
        }
        for (name, source) in &step.headers {
            let value =
                template::entry(Place::Line, source, &views.with_secrets).map_err(|e| wrong(name, &e))?;
            let Some(value) = value else { continue };
            let key = HeaderName::try_from(name.as_str()).map_err(|error| wrong(name, &error))?;
            let mut value = HeaderValue::from_str(&value).map_err(|error| wrong(name, &error))?;
            value.set_sensitive(true);
            headers.insert(key, value);
        }
        Ok(Self { method: step.method, url, headers, body })
    }
}

type Body = (Option<String>, Option<Vec<u8>>);

fn body(
    step: &Step,
    context: &Value,
    wrong: &dyn Fn(&str, &dyn std::fmt::Display) -> Failure,
) -> Result<Body, Failure> {
    if let Some(form) = &step.form {
        let mut encoded = url::form_urlencoded::Serializer::new(String::new());
        for (name, source) in form {
            let value =
                template::entry(Place::Whole, source, context).map_err(|error| wrong(name, &error))?;
            if let Some(value) = value {
                encoded.append_pair(name, &value);
            }
        }
        let kind = "application/x-www-form-urlencoded".to_owned();
        return Ok((Some(kind), Some(encoded.finish().into_bytes())));
    }
    if let Some(json) = &step.json {
        let filled = fill(json, context).map_err(|error| wrong("json", &error))?;
        let text = filled.unwrap_or_default().to_string();
        return Ok((Some("application/json".to_owned()), Some(text.into_bytes())));
    }
    if let Some(text) = &step.text {
        let place = match text.escape {
            Escape::Xml => Place::Xml,
            Escape::Line => Place::Line,
        };
        let body = template::text(place, &text.body, context).map_err(|error| wrong("text", &error))?;
        return Ok((Some(text.kind.clone()), Some(body.into_bytes())));
    }
    Ok((None, None))
}

/// The JSON with its texts rendered; `None` for a text that is an expression which gives none.
fn fill(json: &serde_json::Value, context: &Value) -> Result<Option<serde_json::Value>, minijinja::Error> {
    use serde_json::Value as Json;
    Ok(match json {
        Json::String(source) => template::value(source, context)?,
        Json::Array(list) => {
            let mut filled = Vec::with_capacity(list.len());
            for item in list {
                filled.extend(fill(item, context)?);
            }
            Some(Json::Array(filled))
        }
        Json::Object(members) => {
            let mut filled = Map::new();
            for (name, member) in members {
                if let Some(value) = fill(member, context)? {
                    filled.insert(name.clone(), value);
                }
            }
            Some(Json::Object(filled))
        }
        plain => Some(plain.clone()),
    })
}
