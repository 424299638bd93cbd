//! Templates and expressions of a recipe: text, percent-encoded text for URLs, typed values for JSON, tests.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but what RFC 3986 calls unreserved.
const IN_URL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Where a text goes, which says how values are put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A URL: percent-encoded; nothing can leave its segment.
    Url,
    /// XML: entities.
    Xml,
    /// A header, or a text of lines: control characters are refused.
    Line,
    /// A value that is encoded as a whole afterwards: a form field, a JSON text.
    Whole,
}

/// The text with its values put in.
pub(crate) fn text(place: Place, template: &str, context: &Value) -> Result<String, Error> {
    environment(place).template_from_named_str("recipe", template)?.render(context.clone())
}

/// A text that may be a single expression: its value with its type then, `None` when that is none.
pub(crate) fn value(template: &str, context: &Value) -> Result<Option<serde_json::Value>, Error> {
    let Some(expression) = single(template) else {
        return text(Place::Whole, template, context).map(|text| Some(serde_json::Value::String(text)));
    };
    let found = environment(Place::Whole).compile_expression(expression)?.eval(context.clone())?;
    if found.is_undefined() {
        return Err(nothing());
    }
    if found.is_none() {
        return Ok(None);
    }
    json(&found).map(Some)
}

/// As [`value`], as text: for headers, queries and forms.
pub(crate) fn entry(place: Place, template: &str, context: &Value) -> Result<Option<String>, Error> {
    if let Some(expression) = single(template) {
        let found = environment(place).compile_expression(expression)?.eval(context.clone())?;
        if found.is_none() {
            return Ok(None);
        }
    }
    text(place, template, context).map(Some)
}

/// Whether an expression is true. What is not there counts as false.
pub(crate) fn test(expression: &str, context: &Value) -> Result<bool, Error> {
    chainable(expression, context).map(|value| value.is_true())
}

/// What an expression gives; `None` for what is not there.
pub(crate) fn found(expression: &str, context: &Value) -> Result<Option<serde_json::Value>, Error> {
    let value = chainable(expression, context)?;
    if value.is_undefined() || value.is_none() {
        return Ok(None);
    }
    json(&value).map(Some)
}

fn chainable(expression: &str, context: &Value) -> Result<Value, Error> {
    let mut environment = environment(Place::Whole);
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.compile_expression(expression)?.eval(context.clone())
}

fn json(value: &Value) -> Result<serde_json::Value, Error> {
    serde_json::to_value(value).map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
}

/// The names that a template or (bare) an expression looks up, as `got.user_id`.
pub(crate) fn names(source: &str, bare: bool) -> Result<Vec<String>, Error> {
    let environment = environment(Place::Whole);
    let found = if bare {
        environment.compile_expression(source)?.undeclared_variables(true)
    } else {
        environment.template_from_named_str("recipe", source)?.undeclared_variables(true)
    };
    let mut names: Vec<String> = found.into_iter().collect();
    names.sort();
    Ok(names)
}

/// A template's view of JSON.
pub(crate) fn seen(value: &serde_json::Value) -> Value {
    Value::from(Serde(value))
}

/// The expression of a text that is nothing else.
pub(crate) fn single(template: &str) -> Option<&str> {
    let inner = template.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    (!inner.contains("{{") && !inner.contains("}}") && !inner.contains("{%")).then(|| inner.trim())
}

fn environment(place: Place) -> Environment<'static> {
    let mut environment = Environment::new();
    // The one way around the encoding of URLs.
    environment.remove_filter("safe");
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_auto_escape_callback(move |_| match place {
        Place::Xml => AutoEscape::Html,
        _ => AutoEscape::None,
    });
    environment.set_formatter(move |out, state, value| put(place, out, state, value));
    environment
}

fn put(place: Place, out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if value.is_undefined() || value.is_none() {
        return Err(nothing());
    }
    match place {
        Place::Url if !value.is_safe() => {
            let text = value.to_string();
            if text.is_empty() || text == "." || text == ".." {
                let detail = format!("`{text}` cannot be part of a URL");
                return Err(Error::new(ErrorKind::BadEscape, detail));
            }
            write!(out, "{}", utf8_percent_encode(&text, IN_URL)).map_err(Error::from)
        }
        Place::Line if value.to_string().chars().any(char::is_control) => {
            Err(Error::new(ErrorKind::BadEscape, "a value holds a line break or another control character"))
        }
        _ => minijinja::escape_formatter(out, state, value),
    }
}

fn nothing() -> Error {
    Error::new(ErrorKind::UndefinedError, "it puts in what is not there")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn context() -> Value {
        seen(
            &json!({ "name": "a&b\"c</x>", "id": 7, "none": null, "dots": "..", "lines": "a\r\nX: y", "path": "a/../b?c#d" }),
        )
    }

    #[test]
    fn a_url_is_encoded_so_that_nothing_leaves_its_segment() {
        let url = |template| text(Place::Url, template, &context());
        assert_eq!(url("/x/{{ path }}").unwrap(), "/x/a%2F..%2Fb%3Fc%23d");
        assert_eq!(url("/x/{{ id }}").unwrap(), "/x/7");
        assert!(url("/x/{{ dots }}/y").is_err());
        assert!(url("/x/{{ path|safe }}").is_err(), "there is no way around");
    }

    #[test]
    fn a_header_takes_no_line_break_and_xml_takes_no_tag() {
        assert!(text(Place::Line, "{{ lines }}", &context()).is_err());
        assert_eq!(text(Place::Line, "Bearer {{ id }}", &context()).unwrap(), "Bearer 7");
        assert!(!text(Place::Xml, "<a>{{ name }}</a>", &context()).unwrap().contains("</x>"));
    }

    #[test]
    fn what_is_not_there_is_an_error_in_texts_and_false_in_tests() {
        for template in ["{{ none }}", "{{ nowhere }}", "x{{ nowhere }}"] {
            assert!(text(Place::Whole, template, &context()).is_err(), "{template}");
        }
        assert!(!test("nowhere.further and id", &context()).unwrap());
        assert!(!test("none.further", &context()).unwrap());
        assert!(test("none is none and nowhere.at is undefined and id == 7", &context()).unwrap());
    }

    #[test]
    fn a_single_expression_keeps_its_type_and_none_leaves_the_entry_out() {
        assert_eq!(value("{{ id }}", &context()).unwrap(), Some(json!(7)));
        assert_eq!(value("{{ '42'|int }}", &context()).unwrap(), Some(json!(42)));
        assert_eq!(value("no {{ id }}", &context()).unwrap(), Some(json!("no 7")));
        assert_eq!(value("{{ none }}", &context()).unwrap(), None);
        assert_eq!(entry(Place::Line, "{{ none }}", &context()).unwrap(), None);
        assert_eq!(entry(Place::Line, "{{ id }}", &context()).unwrap().as_deref(), Some("7"));
    }

    #[test]
    fn names_are_found_with_their_parts() {
        assert_eq!(names("{{ a.b }} {{ c|int }}", false).unwrap(), ["a.b", "c"]);
        assert_eq!(names("a.b == c.d", true).unwrap(), ["a.b", "c.d"]);
    }
}
