//! What the door itself answers, for the public API's document: every operation can get it.

use serde_json::{Value, json};

/// Status, name and meaning.
const ANSWERS: [(&str, &str, &str); 3] = [
    ("403", "ForeignPage", "`foreign_page`: sent by a page of another site"),
    ("421", "WrongHost", "`wrong_host`: addressed to a name that is not the shop's"),
    ("429", "RateLimited", "`rate_limited`: too many requests; ask again after `Retry-After` seconds"),
];

/// Adds the door's answers to each operation that does not say its own.
pub(crate) fn describe(document: &mut Value) {
    for (_, name, meaning) in ANSWERS {
        document["components"]["responses"][name] = json!({
            "description": meaning,
            "content": {
                "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } },
                // SePay's webhook is answered in its own words.
                "application/json": { "schema": { "$ref": "#/components/schemas/NotTaken" } },
            },
        });
    }
    let header = json!({ "description": "Seconds", "schema": { "type": "integer", "minimum": 1 } });
    document["components"]["responses"]["RateLimited"]["headers"] = json!({ "Retry-After": header });
    let Some(paths) = document["paths"].as_object_mut() else { return };
    for operation in paths.values_mut().filter_map(Value::as_object_mut).flat_map(|path| path.values_mut()) {
        let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { continue };
        for (status, name, _) in ANSWERS {
            let answer = json!({ "$ref": format!("#/components/responses/{name}") });
            responses.entry(status).or_insert(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_says_what_the_door_answers() {
        let document = crate::http::storefront::openapi();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                for (status, ..) in ANSWERS {
                    assert!(operation["responses"][status].is_object(), "{method} {path}: {status}");
                }
            }
        }
    }
}
