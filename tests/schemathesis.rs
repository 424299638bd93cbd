//! The public API against its own document, by schemathesis: every answer is a documented one, none is a 5xx.
//! `cargo xtask test` installs the program and names it in CHOTDON_SCHEMATHESIS.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use chotdon_core::http::storefront::openapi;
use chotdon_tests::{Setup, Storefront, TestShop, quick_or_full};

/// Every check but one: a course that does not exist is refused though its slug is well-formed.
const LEFT_OUT: &str = "positive_data_acceptance";

/// Runs it over a document; answers whether everything held, and what it printed.
#[allow(clippy::disallowed_methods)] // where the program is comes by the environment
async fn holds(front: &Storefront<'_>, document: &Path, examples: usize) -> (bool, String) {
    let program =
        std::env::var_os("CHOTDON_SCHEMATHESIS").expect("run `cargo xtask test --only schemathesis`");
    let run = tokio::process::Command::new(program)
        .arg("run")
        .arg(document)
        .args(["--url", &front.shop.public(""), "--checks", "all", "--exclude-checks", LEFT_OUT])
        // What workers send is signed, which it cannot do; `external` holds those routes against the document.
        .args(["--exclude-path-regex", "^/api/v1/(worker|webhook)/"])
        .args(["--header", &format!("Authorization: Bearer {}", front.key)])
        .args([
            "--max-examples",
            &examples.to_string(),
            "--request-timeout",
            "30",
            "--no-color",
            "--warnings",
            "off",
        ])
        .current_dir(front.shop.dir())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let ended = tokio::time::timeout(Duration::from_secs(900), run).await.expect("it ends").unwrap();
    let text = [ended.stdout, ended.stderr].concat();
    (ended.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_api_answers_as_its_document_says() {
    // How often it asks is not the question.
    let env = vec![("CHOTDON_LIMITS__ENABLED", "false".to_owned())];
    let shop = TestShop::with(Setup { env, ..Setup::default() }).await;
    let front = Storefront::with(&shop, "*").await;
    let path = shop.dir().join("openapi.json");

    let mut document = openapi();
    std::fs::write(&path, document.to_string()).unwrap();
    let (fine, said) = holds(&front, &path, quick_or_full(10, 60)).await;
    assert!(fine, "{said}");

    // The control: a document that leaves an answer out is found to be wrong.
    let courses = document["paths"]["/api/v1/courses"].take();
    document["paths"] = serde_json::json!({ "/api/v1/courses": courses });
    document
        .pointer_mut("/paths/~1api~1v1~1courses/get/responses")
        .unwrap()
        .as_object_mut()
        .unwrap()
        .remove("200");
    std::fs::write(&path, document.to_string()).unwrap();
    let (fine, said) = holds(&front, &path, 5).await;
    assert!(!fine && said.contains("Undocumented"), "{said}");
}
