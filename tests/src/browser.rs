//! Node.js scripts of this folder that drive a real browser.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::AsyncWriteExt;

/// Runs `tests/SCRIPT` with `wish` on its standard input; answers what it prints.
///
/// # Panics
/// When it does not end well; the text holds what it said.
pub async fn browse(script: &str, wish: &Value) -> String {
    let mut node = tokio::process::Command::new("node")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(script))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("Node.js");
    let mut stdin = node.stdin.take().expect("the input is piped");
    stdin.write_all(wish.to_string().as_bytes()).await.expect("it reads its input");
    drop(stdin);
    let output = node.wait_with_output().await.expect("Node.js ends");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "run `npm ci` in ui first? {errors}");
    String::from_utf8(output.stdout).expect("text")
}
