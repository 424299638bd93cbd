//! What goes wrong in a run: a worker and a handler panic with secrets in what they say, and the tunnel's program prints
//! its token.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use chotdon_tests::served::{Home, Served};
use serde_json::json;
use tempfile::TempDir;

/// Begins what the panics say.
const ON_PURPOSE: &str = "a panic on purpose with";
/// What is logged in place of a secret.
const COVER: &str = "‹hidden›";

/// Where the program reads which points panic.
pub(crate) struct Panics(TempDir);

impl Panics {
    /// None yet. Debug builds of the program look for them.
    pub(crate) fn none(home: &mut Home) -> Self {
        let dir = tempfile::tempdir().unwrap();
        home.env.push(("CHOTDON_TEST_PANICS", dir.path().join("points").display().to_string()));
        home.env.push(("RUST_BACKTRACE", "1".to_owned()));
        Self(dir)
    }

    /// From now on the next delivery and the next look at the money panic with these words.
    pub(crate) fn with(&self, secrets: &[&str]) {
        let words = format!("{ON_PURPOSE} {}", secrets.join(" and "));
        let points = ["deliver_order.mail", "GET /admin/api/money"];
        let lines: Vec<String> = points.iter().map(|point| format!("{point}\t{words}")).collect();
        std::fs::write(self.0.path().join("points"), lines.join("\n")).unwrap();
    }

    /// The handler panics once; the worker's turn has been.
    pub(crate) async fn happen(served: &Served) {
        let (status, answer) = served.admin("GET", "/admin/api/money", None).await.unwrap();
        assert_eq!((status, &answer["code"]), (500, &json!("internal")), "a debug build panics: {answer}");
        assert_eq!(served.admin("GET", "/admin/api/money", None).await.unwrap().0, 200, "once");
    }

    /// Both are in the log, once, with where they were and without what they said.
    pub(crate) fn were_logged(logs: &str, secrets: usize) {
        let lines: Vec<&str> = logs.lines().filter(|line| line.contains(ON_PURPOSE)).collect();
        assert_eq!(lines.len(), 2, "{lines:#?}");
        let covered = format!("{ON_PURPOSE} {}", vec![COVER; secrets].join(" and "));
        for (line, what) in lines.iter().zip(["a stage failed", "its handler crashed"]) {
            assert!(line.contains(what) && line.contains(&covered), "{line}");
            assert!(line.contains("trouble.rs:") && line.contains("trouble::wished"), "a backtrace: {line}");
        }
    }
}

/// A tunnel's program that says its key aloud, as one does that is started with too much logging.
const TALKATIVE: &str = "#!/usr/bin/python3\nimport sys, time\n\
    token = open(sys.argv[sys.argv.index('--token-file') + 1]).read()\n\
    print('DBG settings token=' + token, file=sys.stderr, flush=True)\n\
    print('INF Registered tunnel connection connIndex=0', file=sys.stderr, flush=True)\ntime.sleep(600)\n";

/// The shop runs that program for a while. The file with the key is gone as soon as it was read.
pub(crate) async fn tunnel(served: &Served, home: &Home, dir: &Path) {
    let program = dir.join("cloudflared");
    std::fs::write(&program, TALKATIVE).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let (_, settings) = served.admin("GET", "/admin/api/settings", None).await.unwrap();
    let mut wanted = settings["tunnel"].clone();
    wanted["kind"] = json!("cloudflared");
    // Nobody is there; the key is given to the program nevertheless.
    wanted["url"] = json!("http://127.0.0.1:9");
    wanted["program"] = json!(program);
    let (status, answer) =
        served.admin("PUT", "/admin/api/settings/tunnel", Some(wanted.clone())).await.unwrap();
    assert_eq!(status, 200, "{answer}");
    let mut look = tokio::time::interval(Duration::from_millis(100));
    let said = async {
        loop {
            look.tick().await;
            let (_, shown) = served.admin("GET", "/admin/api/tunnel", None).await.unwrap();
            let left = crate::scanner::files(&home.data().join("tunnel"));
            let key = left.iter().any(|file| file.to_string_lossy().contains("/key-"));
            if shown.to_string().contains("settings token=") && !key {
                return shown.to_string();
            }
        }
    };
    let said = tokio::time::timeout(Duration::from_secs(60), said).await.expect("it speaks within a minute");
    assert!(said.contains(&format!("settings token={COVER}")), "{said}");
    wanted["kind"] = json!("none");
    let off = served.admin("PUT", "/admin/api/settings/tunnel", Some(wanted)).await.unwrap();
    assert_eq!(off.0, 200, "{}", off.1);
}
