//! Secrets are compared in a time that does not depend on where they differ.

use crate::{Source, none, refused, sources, without_texts};

/// What a variable that holds a secret, a signature or a token is called here.
const SECRETS: &[&str] = &[
    "expose_secret()",
    "token",
    "tokens",
    "secret",
    "password",
    "passphrase",
    "api_key",
    "signature",
    "mac",
    "hmac",
    "digest",
];

/// A comparison with one of these is of kinds, lengths and places, not of values.
const HARMLESS: &[&str] = &[
    ".len()",
    ".kind",
    "None",
    "Some(",
    "SecretName::",
    "secret_name",
    "name",
    ".is_",
    "::",
    "state",
    ".state",
    "true",
    "false",
];

/// `==` or `!=` whose one side ends, or whose other begins, with the name of a secret.
fn compared(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    let ours = |s: &&Source| {
        s.path.starts_with("src-tauri/") && s.path.ends_with(".rs") && !s.path.ends_with("tests.rs")
    };
    for source in sources.iter().filter(ours) {
        for (line, code) in source.code() {
            // The tests of a module stand at its end.
            if code.trim() == "mod tests {" {
                break;
            }
            let code = without_texts(code);
            for sign in [" == ", " != "] {
                for (at, _) in code.match_indices(sign) {
                    let before = &code[..at];
                    let left = match before.ends_with("expose_secret()") {
                        true => "expose_secret()",
                        false => before.rsplit([' ', '(', '!', '&', '*']).next().unwrap_or_default(),
                    };
                    let right = code[at + sign.len()..].trim_start_matches(['&', '*']);
                    let right = right.split([' ', ')', ',', ';', '{']).next().unwrap_or_default();
                    if [left, right].iter().any(|side| is_secret(side))
                        && ![left, right].iter().any(|side| is_harmless(side))
                    {
                        wrong.push(format!(
                            "{}:{line} compares {left}{sign}{right}; use secrets::same",
                            source.path
                        ));
                    }
                }
            }
        }
    }
    wrong
}

fn is_secret(side: &str) -> bool {
    let last = side.rsplit('.').next().unwrap_or_default();
    SECRETS.contains(&last) || side.ends_with("expose_secret()") || side.ends_with("expose_secret(")
}

fn is_harmless(side: &str) -> bool {
    // The end of a call: what it gives is compared, such as a hash.
    (side.contains(')') && !side.contains('('))
        || side.parse::<f64>().is_ok()
        || HARMLESS.iter().any(|word| side.contains(word))
        || side.starts_with('b')
}

#[test]
fn no_secret_is_compared_by_a_sign() {
    none(compared(&sources()));
    let bad = |code| compared(&[Source::new("src-tauri/core/src/a.rs", code)]);
    refused(&bad("if given == token {"));
    refused(&bad("let good = value.expose_secret() == given;"));
    refused(&bad("tokens.iter().any(|one| *one != self.password)"));
    refused(&bad("if mac == signature {"));
    assert!(bad("if same(given, token) {").is_empty());
    assert!(bad("if token.len() == 43 {").is_empty());
    assert!(bad("if secret == None {").is_empty());
}
