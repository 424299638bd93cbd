//! The crate that speaks to Drive, against the stand-in.

use std::sync::Arc;

use bytes::Bytes;
use chotdon_tests::drive::{DriveStandIn, REFRESH_TOKEN, Refusal};
use gdrive::{
    Class, Consent, Drive, Ends, File, Granted, NewUpload, OAuthClient, Piece, Progress, SCOPE_FILE,
    SessionUri, ShareOptions, Tokens,
};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

const MIB: usize = 1 << 20;

fn client() -> OAuthClient {
    OAuthClient { id: "shop.apps.googleusercontent.com".to_owned(), secret: Some("GOCSPX-test".into()) }
}

fn drive(google: &DriveStandIn) -> Drive {
    let ends = Ends::new(&google.base, &google.base, &google.base);
    Drive::new(ends, Tokens::of_owner(client(), REFRESH_TOKEN.into())).unwrap()
}

fn bytes(len: usize) -> Bytes {
    (0..len).map(|n| u8::try_from(n * 7919 % 251).unwrap()).collect::<Vec<_>>().into()
}

async fn begin(drive: &Drive, id: &str, size: usize) -> SessionUri {
    let file = NewUpload {
        id,
        name: "Bài 1: Giới thiệu.mp4",
        parent: None,
        mime: "video/mp4",
        size: size as u64,
        app_properties: &[],
    };
    drive.start_upload(&file).await.unwrap()
}

/// Sends as a patient client does: goes on where Drive says, asks after a failure.
async fn send_all(
    drive: &Drive,
    session: &SessionUri,
    all: &Bytes,
    chunk: usize,
) -> Result<File, gdrive::Error> {
    let total = all.len() as u64;
    let mut next = 0;
    loop {
        let from = usize::try_from(next).unwrap();
        let bytes = all.slice(from..all.len().min(from + chunk));
        let sent = drive.send(session, Piece { first: next, total, bytes }, Arc::new(|_| ())).await;
        let progress = match sent {
            Err(error) if matches!(error.class(), Class::Busy { .. } | Class::Unreachable) => {
                drive.ask(session, total).await
            }
            sent => sent,
        };
        match progress? {
            Progress::Done(file) => return Ok(*file),
            Progress::More(at) => next = at,
        }
    }
}

#[tokio::test]
async fn a_file_arrives_whole_whatever_goes_wrong_on_the_way() {
    let google = DriveStandIn::start().await.unwrap();
    google.faults(|faults| {
        faults.fail_each = Some(3);
        faults.short_each = Some(5);
        faults.cut_each = Some(7);
    });
    let (drive, all) = (drive(&google), bytes(9 * MIB + 17));
    let id = drive.generate_ids(1).await.unwrap().remove(0);
    let session = begin(&drive, &id, all.len()).await;
    let file = send_all(&drive, &session, &all, MIB).await.unwrap();
    assert_eq!(file.id, id);
    assert_eq!(file.size, Some(all.len() as u64));
    assert_eq!(file.sha256_checksum, Some(hex::encode(Sha256::digest(&all))));
    assert_eq!(std::fs::read(google.bytes_of(&id)).unwrap(), all);
    let counts = google.counts();
    assert!(counts.faults >= 5, "{counts:?}");
    assert!(counts.bytes <= all.len() as u64 + counts.faults * MIB as u64, "{counts:?}");
}

/// The stand-in notices a client that goes by what it sent: the file never becomes whole.
#[tokio::test]
async fn a_client_that_trusts_what_it_sent_does_not_get_through() {
    let google = DriveStandIn::start().await.unwrap();
    google.faults(|faults| faults.short_each = Some(3));
    let (drive, all) = (drive(&google), bytes(5 * MIB));
    let id = drive.generate_ids(1).await.unwrap().remove(0);
    let session = begin(&drive, &id, all.len()).await;
    let mut last = None;
    for first in (0..all.len()).step_by(MIB) {
        let piece =
            Piece { first: first as u64, total: all.len() as u64, bytes: all.slice(first..first + MIB) };
        last = Some(drive.send(&session, piece, Arc::new(|_| ())).await.unwrap());
    }
    assert!(matches!(last, Some(Progress::More(kept)) if kept < 3 * MIB as u64), "{last:?}");
    assert_eq!(google.items().len(), 0);
}

#[tokio::test]
async fn an_empty_file_is_a_file() {
    let google = DriveStandIn::start().await.unwrap();
    let drive = drive(&google);
    let id = drive.generate_ids(1).await.unwrap().remove(0);
    let session = begin(&drive, &id, 0).await;
    let file = send_all(&drive, &session, &Bytes::new(), MIB).await.unwrap();
    assert_eq!((file.size, file.name.as_str()), (Some(0), "Bài 1: Giới thiệu.mp4"));
}

#[tokio::test]
async fn a_lost_session_is_said_so_and_a_second_file_with_the_id_is_refused() {
    let google = DriveStandIn::start().await.unwrap();
    google.faults(|faults| faults.lose = [2].into());
    let (drive, all) = (drive(&google), bytes(2 * MIB));
    let id = drive.generate_ids(1).await.unwrap().remove(0);
    let session = begin(&drive, &id, all.len()).await;
    let error = send_all(&drive, &session, &all, MIB).await.unwrap_err();
    assert_eq!(error.class(), &Class::SessionLost);
    assert!(!format!("{error:?} {error}").contains("canary"), "{error:?}");
    let session = begin(&drive, &id, all.len()).await;
    send_all(&drive, &session, &all, MIB).await.unwrap();
    let again =
        NewUpload { id: &id, name: "x", parent: None, mime: "video/mp4", size: 1, app_properties: &[] };
    assert_eq!(drive.start_upload(&again).await.unwrap_err().class(), &Class::AlreadyThere);
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_for_everybody_who_waits() {
    let google = DriveStandIn::start().await.unwrap();
    let drive = drive(&google);
    drive.about().await.unwrap();
    google.expire_tokens();
    let many = (0..20).map(|_| drive.about());
    for about in futures::future::join_all(many).await {
        assert_eq!(about.unwrap().email, "owner@example.com");
    }
    assert_eq!(google.counts().of("token"), 2);
    google.faults(|faults| faults.consent_ended = true);
    google.expire_tokens();
    let error = drive.about().await.unwrap_err();
    assert_eq!((error.class(), error.reason()), (&Class::Reconnect, "invalid_grant"));
    let said = format!("{drive:?} {error:?} {error}");
    assert!(!said.contains(REFRESH_TOKEN) && !said.contains("ya29") && !said.contains("GOCSPX"), "{said}");
}

#[tokio::test]
async fn a_folder_is_made_once_under_its_id() {
    let google = DriveStandIn::start().await.unwrap();
    let drive = drive(&google);
    let id = drive.generate_ids(3).await.unwrap().remove(0);
    let lost = Refusal { done_all_the_same: true, ..Refusal::once("create", 500, "backendError") };
    google.faults(|faults| faults.refusals.push(lost));
    let marks = [("course", "7")];
    let error = drive.create_folder(&id, "Rust cơ bản v1", None, &marks).await.unwrap_err();
    assert_eq!(error.class(), &Class::Busy { retry_after: None });
    let folder = drive.create_folder(&id, "Rust cơ bản v1", None, &marks).await.unwrap();
    assert!(folder.is_folder() && folder.web_view_link.is_some());
    assert_eq!(folder.app_properties["course"], "7");
    assert_eq!(google.items().len(), 1);
    google.tamper(&id, |item| item.trashed = true);
    let error = drive.create_folder(&id, "Rust cơ bản v1", None, &marks).await.unwrap_err();
    assert_eq!(error.class(), &Class::AlreadyThere, "a folder in the bin is no place for a course");
    drive.delete(&id).await.unwrap();
    drive.delete(&id).await.unwrap();
    assert_eq!(drive.file(&id).await.unwrap_err().class(), &Class::NotFound);
}

#[tokio::test]
async fn a_list_is_read_to_its_end() {
    let google = DriveStandIn::start().await.unwrap();
    let drive = drive(&google);
    let ids = drive.generate_ids(1_102).await.unwrap();
    assert_eq!(ids.len(), 1_102);
    let (folder, inside) = ids.split_first().unwrap();
    drive.create_folder(folder, "f", None, &[]).await.unwrap();
    for id in inside {
        drive.create_folder(id, "g", Some(folder), &[]).await.unwrap();
    }
    assert_eq!(drive.list(folder).await.unwrap().len(), 1_101);
    assert_eq!(google.counts().of("list"), 2);
}

#[tokio::test]
async fn sharing_gives_one_permission_an_address_and_takes_it_back() {
    let google = DriveStandIn::start().await.unwrap();
    let drive = drive(&google);
    let folder = drive.generate_ids(1).await.unwrap().remove(0);
    drive.create_folder(&folder, "f", None, &[]).await.unwrap();
    let end = 1_900_000_000_000;
    let options = ShareOptions { expires_at: Some(end), ..ShareOptions::default() };
    let first = drive.share(&folder, "lan@example.com", &options).await.unwrap();
    let again = drive.share(&folder, "lan@example.com", &options).await.unwrap();
    assert_eq!((&first.id, first.expires_at), (&again.id, Some(end)));
    let all = drive.permissions(&folder).await.unwrap();
    assert_eq!(all.iter().filter(|p| p.role == "reader").count(), 1);
    assert_eq!((google.counts().permissions, google.counts().mails), (1, 0));
    drive.unshare(&folder, &first.id).await.unwrap();
    drive.unshare(&folder, &first.id).await.unwrap();
    assert_eq!(google.readers(&folder), []);
}

#[tokio::test]
async fn what_sharing_may_not_do_is_said_by_class() {
    let google = DriveStandIn::start().await.unwrap();
    google.faults(|faults| {
        faults.cannot_expire = true;
        faults.shares_left = Some(2);
        faults.strangers.insert("moi@example.org".to_owned());
    });
    let drive = drive(&google);
    let folder = drive.generate_ids(1).await.unwrap().remove(0);
    drive.create_folder(&folder, "f", None, &[]).await.unwrap();
    let plain = ShareOptions::default();
    let until = ShareOptions { expires_at: Some(1_900_000_000_000), ..plain.clone() };
    let refused = async |email: &str, options: &ShareOptions| {
        drive.share(&folder, email, options).await.unwrap_err().class().clone()
    };
    assert_eq!(refused("a@example.com", &until).await, Class::CannotExpire);
    assert_eq!(refused("moi@example.org", &plain).await, Class::NeedsNotification);
    let told = ShareOptions { notify: true, message: Some("Khoá học".to_owned()), ..plain.clone() };
    drive.share(&folder, "moi@example.org", &told).await.unwrap();
    assert_eq!(google.counts().mails, 1);
    let unclear = Refusal { done_all_the_same: true, ..Refusal::once("share", 400, "invalidSharingRequest") };
    google.faults(|faults| faults.refusals.push(unclear));
    assert_eq!(refused("b@example.com", &plain).await, Class::Unclear);
    assert!(drive.permissions(&folder).await.unwrap().iter().any(|p| p.email == "b@example.com"));
    assert_eq!(refused("c@example.com", &plain).await, Class::SharingQuota);
}

#[tokio::test]
async fn the_owners_consent_is_taken_once_and_only_for_our_question() {
    let google = DriveStandIn::start().await.unwrap();
    let ends = Ends::new(&google.base, &google.base, &google.base);
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let ask = async || {
        let consent = Consent::begin(&ends, client(), SCOPE_FILE, "http://127.0.0.1:45678").unwrap();
        let answer = http.get(consent.url()).send().await.unwrap();
        let back = answer.headers()["location"].to_str().unwrap().to_owned();
        let query = back.strip_prefix("http://127.0.0.1:45678/?").unwrap().to_owned();
        (consent, query)
    };
    let (consent, query) = ask().await;
    let granted = consent.finish(&ends, &query).await.unwrap();
    assert_eq!(granted.refresh_token.expose_secret(), REFRESH_TOKEN);
    assert!(!format!("{granted:?}").contains(REFRESH_TOKEN));

    let (consent, _) = ask().await;
    let error = consent.finish(&ends, &query).await.unwrap_err();
    assert_eq!(error.class(), &Class::Denied("state".to_owned()));
    let (consent, query) = ask().await;
    let state = query.split('&').find(|pair| pair.starts_with("state=")).unwrap();
    let error = consent.finish(&ends, &format!("{state}&error=access_denied")).await.unwrap_err();
    assert_eq!(error.class(), &Class::Denied("access_denied".to_owned()));
    // Somebody else's code, without the verifier that belongs to it.
    let ((_, theirs), (ours, query)) = (ask().await, ask().await);
    let code = theirs.split('&').find(|pair| pair.starts_with("code=")).unwrap();
    let state = query.split('&').find(|pair| pair.starts_with("state=")).unwrap();
    let error = ours.finish(&ends, &format!("{state}&{code}")).await.unwrap_err();
    assert_eq!(error.class(), &Class::Reconnect);

    let token = SecretString::from(REFRESH_TOKEN);
    Granted::revoke(&ends, &token).await.unwrap();
    Granted::revoke(&ends, &token).await.unwrap();
    assert_eq!(drive(&google).about().await.unwrap_err().class(), &Class::Reconnect);
}
