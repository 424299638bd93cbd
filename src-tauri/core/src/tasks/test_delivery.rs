//! Delivers a course to an address of the owner's choice: share → mail. No order, no money, no statistics.

use chotdon_store::{Aftermath, Claimed, MailIntent, NewLink, TestCase, prepare_key};
use gdrive::{Class, ShareOptions};
use serde_json::json;

use super::{damaged, incomplete, place, unreadable};
use crate::config::MailTransport;
use crate::delivery::mail::{Delivered, DeliveredItem, Message, Parts, test_message_id};
use crate::delivery::{Location, Manifest, drive_error};
use crate::shop::Floor;
use crate::workers::{Next, StageContext, StageError, StageOutcome};

const DAY_MS: i64 = 24 * 3_600_000;

pub(super) async fn run(
    floor: &Floor,
    task: &Claimed,
    cx: &StageContext,
) -> Result<StageOutcome, StageError> {
    let case = floor.store.test_case(task.id).await.map_err(unreadable)?;
    let case = case.ok_or_else(|| incomplete("course"))?;
    match task.stage.as_str() {
        "share" => share(floor, task, &case, cx).await,
        _ => mail(floor, &case, cx).await,
    }
}

/// Verifies that the course can be had, and gives it a link of its own for a day.
async fn share(
    floor: &Floor,
    task: &Claimed,
    case: &TestCase,
    cx: &StageContext,
) -> Result<StageOutcome, StageError> {
    let Some((manifest, location)) = &case.prepared else {
        return Ok(StageOutcome {
            aftermath: Aftermath::TestWaits { course: case.course, version: case.version },
            next: Next::WaitFor(prepare_key(case.course, case.version)),
            ..StageOutcome::done()
        });
    };
    let manifest: Manifest = serde_json::from_str(manifest).map_err(|error| damaged("manifest", &error))?;
    let location: Location = serde_json::from_str(location).map_err(|error| damaged("location", &error))?;
    place::available(floor, cx, &location, &manifest).await?;
    if let Location::Drive { folder_id, link, .. } = &location {
        let expires_at = floor.clock.now_ms() + DAY_MS;
        let sharing = let_in(floor, folder_id, &case.email, expires_at);
        floor.services.through("drive_sharing", cx, sharing).await?;
        return written_down(floor, task, case, link.clone(), expires_at, None).await;
    }
    let id = rand::random_range(1..=i64::MAX);
    let expires_at = floor.clock.now_ms() + DAY_MS;
    let url = format!("{}/d/{}", floor.base_url(), floor.link_key.token(id));
    let link = NewLink {
        id,
        item: 0,
        course: case.course,
        version: case.version,
        url: url.clone(),
        expires_at,
        max_downloads: floor.config().orders.link_max_downloads,
        access_until: None,
    };
    written_down(floor, task, case, url, expires_at, Some(link)).await
}

/// Lets the address into the course's folder for a day, or for good where the account cannot end access by itself: it
/// is the owner's own address.
async fn let_in(floor: &Floor, folder: &str, email: &str, expires_at: i64) -> Result<(), StageError> {
    let drive = floor.drive().await?;
    let mut options = ShareOptions { expires_at: Some(expires_at), notify: false, message: None };
    for _ in 0..3 {
        let refused = match drive.share(folder, email, &options).await {
            Ok(_) => return Ok(()),
            Err(refused) => refused,
        };
        match refused.class() {
            Class::CannotExpire if options.expires_at.is_some() => options.expires_at = None,
            Class::NeedsNotification if !options.notify => options.notify = true,
            _ => return Err(drive_error(refused)),
        }
    }
    Err(StageError::permanent("drive_denied", "Drive takes this share in no form"))
}

async fn written_down(
    floor: &Floor,
    task: &Claimed,
    case: &TestCase,
    url: String,
    expires_at: i64,
    link: Option<NewLink>,
) -> Result<StageOutcome, StageError> {
    let parts = words(floor, case, &url, expires_at).await?;
    let message_id = case.mail.clone().unwrap_or_else(|| test_message_id(task.id, &floor.config().mail.from));
    let mail = MailIntent { message_id, recipient: case.email.clone(), subject: parts.subject };
    Ok(StageOutcome {
        output: json!({ "link": url, "expires_at": expires_at }).to_string(),
        aftermath: Aftermath::TestShared { link, mail },
        next: Next::Advance,
    })
}

/// Sends the mail that the share stage has written down.
async fn mail(floor: &Floor, case: &TestCase, cx: &StageContext) -> Result<StageOutcome, StageError> {
    let lost =
        || StageError::permanent("internal", "the test's link was never written down; retry from share");
    let (message_id, link, expires_at) = match (&case.mail, &case.link, case.expires_at) {
        (Some(id), Some(link), Some(expires_at)) => (id.clone(), link, expires_at),
        _ => return Err(lost()),
    };
    let reference = if floor.config().mail.transport == MailTransport::None {
        "no mail, by the settings".to_owned()
    } else {
        let parts = words(floor, case, link, expires_at).await?;
        let message = Message::new(message_id.clone(), case.email.clone(), String::new(), parts);
        super::send(floor, cx, &message).await?
    };
    Ok(StageOutcome { aftermath: Aftermath::MailSent { message_id, reference }, ..StageOutcome::done() })
}

/// What a buyer would read, marked as a test.
async fn words(floor: &Floor, case: &TestCase, link: &str, expires_at: i64) -> Result<Parts, StageError> {
    let config = floor.config();
    let language = config.shop.language.as_str();
    let mark = if language == "en" { "Test" } else { "Giao thử" };
    let mail = Delivered {
        shop_name: config.shop.name.clone(),
        customer_name: String::new(),
        order_code: mark.to_owned(),
        items: vec![DeliveredItem {
            title: case.title.clone(),
            link: link.to_owned(),
            learn_url: None,
            expires_at: Some(expires_at),
            max_downloads: Some(config.orders.link_max_downloads),
            account: None,
        }],
    };
    let parts = floor.templates.delivered(language, &mail).await?;
    Ok(Parts { subject: format!("[{mark}] {}", parts.subject), ..parts })
}
