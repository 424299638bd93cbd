//! A folder of `.eml` files in place of a mail server, and reading it for the demo's mailbox page.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lettre::message::Mailbox;
use mail_parser::MessageParser;
use sha2::{Digest, Sha256};

use super::super::files::{blocking, sync_dir, write_error};
use super::message::Message;
use crate::views::MailboxMessage;
use crate::workers::StageError;

/// Most messages answered by [`list`].
const MAX_LISTED: usize = 500;
/// Largest file read, bytes.
const MAX_MESSAGE: u64 = 4 << 20;

/// A folder that takes every `Message-ID` once.
#[derive(Debug, Clone)]
pub struct Folder {
    dir: PathBuf,
    from: Mailbox,
}

impl Folder {
    pub(super) fn new(dir: PathBuf, from: Mailbox) -> Self {
        Self { dir, from }
    }

    /// Writes `message` unless its id is there; answers the file's name. Names sort by time.
    pub(super) async fn put(&self, now_ms: i64, message: &Message) -> Result<String, StageError> {
        let bytes = message.on_the_wire(&self.from, now_ms)?.formatted();
        let digest = hex::encode(Sha256::digest(message.message_id.trim_matches(['<', '>'])));
        let id = format!("-{}.eml", &digest[..16]);
        let dir = self.dir.clone();
        blocking(move || {
            fs::create_dir_all(&dir).map_err(|e| write_error(&e, &dir))?;
            // Makes looking for an id and writing it one step, for other processes as well.
            let lock = fs::File::create(dir.join(".lock")).map_err(|e| write_error(&e, &dir))?;
            lock.lock().map_err(|e| write_error(&e, &dir))?;
            if let Some(there) = names(&dir)?.into_iter().find(|name| name.ends_with(&id)) {
                return Ok(there);
            }
            let name = format!("{:013}{id}", now_ms.max(0));
            let new = dir.join(format!("{name}.new"));
            let written =
                fs::File::create(&new).and_then(|mut f| f.write_all(&bytes).and_then(|()| f.sync_all()));
            written.map_err(|e| write_error(&e, &new))?;
            let path = dir.join(&name);
            fs::rename(&new, &path).map_err(|e| write_error(&e, &path))?;
            sync_dir(&dir)?;
            Ok(name)
        })
        .await
    }

    pub(super) async fn check(&self) -> Result<(), StageError> {
        let dir = self.dir.clone();
        blocking(move || {
            let probe = dir.join(".check");
            fs::create_dir_all(&dir).map_err(|e| write_error(&e, &dir))?;
            fs::write(&probe, b"").and_then(|()| fs::remove_file(&probe)).map_err(|e| write_error(&e, &probe))
        })
        .await
    }
}

/// The messages in `dir`, newest first, without their bodies; at most 500. A folder that is not there is empty.
///
/// # Errors
/// `target_unwritable` when the folder cannot be read.
pub async fn list(dir: &Path) -> Result<Vec<MailboxMessage>, StageError> {
    let dir = dir.to_owned();
    blocking(move || {
        let mut names = names(&dir)?;
        names.sort_unstable_by(|a, b| b.cmp(a));
        names.truncate(MAX_LISTED);
        let heads = names.into_iter().filter_map(|name| open(&dir, &name).ok().flatten());
        Ok(heads.map(|message| MailboxMessage { text: None, html: None, ..message }).collect())
    })
    .await
}

/// One message of `dir` with its bodies; `None` when there is none of that name. `file` is untrusted: only a
/// plain `.eml` name counts.
///
/// # Errors
/// `target_unwritable` when the file cannot be read.
pub async fn read(dir: &Path, file: &str) -> Result<Option<MailboxMessage>, StageError> {
    if !plain_name(file) {
        return Ok(None);
    }
    let (dir, file) = (dir.to_owned(), file.to_owned());
    blocking(move || open(&dir, &file)).await
}

fn plain_name(name: &str) -> bool {
    name.len() <= 128
        && !name.starts_with('.')
        && name.ends_with(".eml")
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

fn names(dir: &Path) -> Result<Vec<String>, StageError> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|e| write_error(&e, dir))?,
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter(|name| plain_name(name)).collect())
}

fn open(dir: &Path, file: &str) -> Result<Option<MailboxMessage>, StageError> {
    let path = dir.join(file);
    match fs::symlink_metadata(&path) {
        Ok(meta) if meta.is_file() && meta.len() <= MAX_MESSAGE => {}
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(write_error(&error, &path)),
        _ => return Ok(None),
    }
    let bytes = fs::read(&path).map_err(|e| write_error(&e, &path))?;
    let Some(mail) = MessageParser::default().parse(&bytes) else { return Ok(None) };
    let to = mail.to().and_then(|to| to.first()).map(|to| match (to.name(), to.address()) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        (name, address) => address.or(name).unwrap_or_default().to_owned(),
    });
    let at =
        mail.date().and_then(|date| Timestamp::from_second(date.to_timestamp()).ok()).unwrap_or_default();
    Ok(Some(MailboxMessage {
        file: file.to_owned(),
        to: to.unwrap_or_default(),
        subject: mail.subject().unwrap_or_default().to_owned(),
        at: at.to_string(),
        text: mail.body_text(0).map(|text| text.into_owned()),
        html: mail.body_html(0).map(|html| html.into_owned()),
    }))
}

#[cfg(test)]
mod tests {
    use super::super::transport::Transport;
    use super::*;

    fn message(id: &str) -> Message {
        Message {
            message_id: id.into(),
            to: "lan@example.com".into(),
            to_name: "Trần Thị Lan".into(),
            subject: "Khoá học của bạn đã sẵn sàng (đơn DH123456), bạn tải về nhé".into(),
            text: "Chào Lan,\n\nĐường dẫn: http://127.0.0.1/d/abc\n".into(),
            html: "<p>Chào <b>Lan</b></p>".into(),
        }
    }

    #[tokio::test]
    async fn what_was_put_in_is_read_back() {
        let dir = tempfile::tempdir().expect("a directory");
        let mailbox =
            Transport::mailbox(dir.path().join("mail"), "Khoá học An <an@shop.vn>").expect("a folder");
        assert!(list(&dir.path().join("mail")).await.expect("an empty list").is_empty());
        mailbox.check().await.expect("writable");
        let first = mailbox.send(1_700_000_000_000, &message("a.1@shop.vn")).await.expect("put");
        let second = mailbox.send(1_700_000_060_000, &message("b.1@shop.vn")).await.expect("put");

        let listed = list(&dir.path().join("mail")).await.expect("a list");
        assert_eq!(listed.iter().map(|m| &m.file).collect::<Vec<_>>(), [&second, &first]);
        assert_eq!(listed[0].text, None);
        let read = read(&dir.path().join("mail"), &first).await.expect("readable").expect("there");
        assert_eq!(read.to, "Trần Thị Lan <lan@example.com>");
        assert_eq!(read.subject, message("x").subject);
        assert_eq!(read.at, "2023-11-14T22:13:20Z");
        assert_eq!(read.text.as_deref().map(|t| t.replace("\r\n", "\n")), Some(message("x").text));
        assert_eq!(read.html.as_deref().map(str::trim), Some("<p>Chào <b>Lan</b></p>"));
    }

    #[tokio::test]
    async fn an_id_is_taken_once_however_often_it_is_sent() {
        let dir = tempfile::tempdir().expect("a directory");
        let mailbox = Transport::mailbox(dir.path(), "").expect("a folder");
        let others: Vec<_> = (0..20).map(|_| Transport::mailbox(dir.path(), "").expect("a folder")).collect();
        let a = message("a.1@shop.vn");
        let sends = others.iter().zip(0..).map(|(other, n)| other.send(1_700_000_000_000 + n, &a));
        let names = futures::future::try_join_all(sends).await.expect("sent");
        assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
        mailbox.send(1, &message("a.2@shop.vn")).await.expect("another id is another mail");
        assert_eq!(list(dir.path()).await.expect("a list").len(), 2);
    }

    #[tokio::test]
    async fn a_file_name_cannot_lead_out_of_the_folder() {
        let dir = tempfile::tempdir().expect("a directory");
        let inside = dir.path().join("mail");
        std::fs::create_dir(&inside).expect("made");
        std::fs::write(dir.path().join("secret.eml"), "Subject: secret\r\n\r\nx").expect("written");
        std::fs::write(inside.join("plain.eml"), "Subject: x\r\n\r\nx").expect("written");
        for name in [
            "../secret.eml",
            "/etc/passwd",
            "..%2fsecret.eml",
            ".check",
            "secret",
            "a\0.eml",
            "mail/../x.eml",
            "",
        ] {
            assert!(read(&inside, name).await.expect("no error").is_none(), "{name:?}");
        }
        assert!(read(&inside, "plain.eml").await.expect("no error").is_some());
    }
}
