//! A course that comes from one remote and goes to another by a real rclone: from a server that wants a header, into an
//! encrypted folder. Its owner's configurations hold a secret each, and rclone's own door has one.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use chotdon_tests::nginx::Nginx;
use chotdon_tests::served::{Home, Served};
use serde_json::json;
use tempfile::TempDir;

use crate::canary;
use crate::scanner::Scanner;
use crate::whole_run::{course, delivered};

const LESSON: &str = "# Bài từ kho";

/// Two remotes.
pub(crate) struct Remote {
    _www: TempDir,
    vault: TempDir,
    nginx: Nginx,
    header: String,
    /// Passwords as their owner knows them, and as rclone's configuration has them.
    passwords: [(String, String); 2],
}

impl Remote {
    /// Sets the remotes up, and has the shop know them.
    pub(crate) async fn start(home: &mut Home) -> Self {
        let (www, vault, header) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), canary());
        std::fs::write(www.path().join("bai.md"), LESSON).unwrap();
        let guard = format!(
            "location / {{ if ($http_authorization != \"Bearer {header}\") {{ return 401; }} autoindex on; }}"
        );
        let nginx = Nginx::start(www.path(), &guard).unwrap();
        let passwords = [(); 2].map(|()| {
            let password = canary();
            let kept = obscured(&password);
            (password, kept)
        });
        let from = format!(
            "[kho]\ntype = http\nurl = {}\nheaders = Authorization,Bearer {header}\n",
            nginx.url("/")
        );
        let to = format!(
            "[ket]\ntype = crypt\nremote = {}\npassword = {}\npassword2 = {}\n",
            vault.path().display(),
            passwords[0].1,
            passwords[1].1
        );
        home.env.push(("CHOTDON_RCLONE__PATH", rclone().display().to_string()));
        home.set_secret("source.kho", &from).await.unwrap();
        home.set_secret("source.ket", &to).await.unwrap();
        Self { _www: www, vault, nginx, header, passwords }
    }

    /// A buyer gets the course, and reads it.
    pub(crate) async fn used(&self, served: &Served, id: i64) {
        let target = json!({ "target": { "kind": "rclone", "remote": "ket", "path": "khoa" } });
        course(served, "remote", json!({ "kind": "rclone", "remote": "kho", "path": "" }), target).await;
        let order = delivered(served, "remote", id).await;
        let (_, order) = served.admin("GET", &format!("/admin/api/orders/{order}"), None).await.unwrap();
        let link = order["items"][0]["link"].as_str().unwrap();
        let lesson = served.http.get(link).send().await.unwrap();
        assert_eq!((lesson.status().as_u16(), lesson.text().await.unwrap().as_str()), (200, LESSON));
        let wrong = served.http.get(self.nginx.url("/bai.md")).send().await.unwrap();
        assert_eq!(wrong.status(), 401, "the control: the header was needed");
        let kept = crate::scanner::files(self.vault.path());
        assert!(!kept.is_empty(), "the control: the passwords were needed");
        assert!(kept.iter().all(|file| !std::fs::read(file).unwrap().starts_with(LESSON.as_bytes())));
    }

    /// What nobody else may have.
    pub(crate) fn planted(&self) -> Vec<(&'static str, &str)> {
        let [first, second] = &self.passwords;
        vec![
            ("source.kho", &self.header),
            ("source.ket", &first.0),
            ("source.ket, obscured", &first.1),
            ("source.ket, the second", &second.0),
            ("source.ket, the second obscured", &second.1),
        ]
    }

    /// The password of rclone's own door, which is given to it in its environment and is nowhere else.
    pub(crate) fn door(record: &[u8]) -> Scanner {
        let record = String::from_utf8_lossy(record);
        let password = record.split_once("RCLONE_RC_PASS=").expect("rclone was watched").1;
        let password = password.split('"').next().unwrap();
        assert_eq!(password.len(), 64);
        Scanner::new([("rclone's own password", password)]).with_pieces()
    }
}

fn obscured(password: &str) -> String {
    let mut child = Command::new(rclone())
        .args(["obscure", "-", "--config="])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap().trim().to_owned()
}

#[allow(clippy::disallowed_methods)] // how the tests are told where it is
fn rclone() -> PathBuf {
    let dir = std::env::var_os("CHOTDON_FOREIGN").expect("CHOTDON_FOREIGN names the directory of rclone");
    PathBuf::from(dir).join("rclone")
}
