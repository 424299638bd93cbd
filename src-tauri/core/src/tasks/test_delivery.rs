//! Delivers a course to an address of the owner's choice: share → mail. No order, no money, no statistics. Nobody is
//! enrolled: of a course without files, the platform is asked whether it would know what to do.

use chotdon_store::{Aftermath, Claimed, MailIntent, NewLink, TestCase, prepare_key};
use gdrive::{Class, ShareOptions};
use lms::{Buyer, Failure, Run};
use serde::{Deserialize, Serialize};

use super::{damaged, enrol, incomplete, place, unreadable};
use crate::config::MailTransport;
use crate::delivery::mail::{Delivered, DeliveredItem, Message, Parts, test_message_id};
use crate::delivery::{Location, Manifest, drive_error};
use crate::shop::Floor;
use crate::workers::{Next, StageContext, StageError, StageOutcome};

const DAY_MS: i64 = 24 * 3_600_000;

/// What the share stage leaves.
#[derive(Serialize, Deserialize)]
struct Shared {
    /// Address of the files; none for a course without files.
    link: Option<String>,
    /// When that ends, ms.
    expires_at: Option<i64>,
    /// Where buyers learn, when the files are not all or there are none.
    #[serde(default)]
    learn_url: Option<String>,
}

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

/// Verifies that the course can be had, and gives it a link of its own for a day where it has files.
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
    if let Location::None {} = &location {
        let learn_url = ask_platform(floor, cx, case).await?;
        return written_down(floor, task, case, Shared { link: None, expires_at: None, learn_url }, None)
            .await;
    }
    if let Location::Drive { folder_id, link, .. } = &location {
        let expires_at = floor.clock.now_ms() + DAY_MS;
        let sharing = let_in(floor, folder_id, &case.email, expires_at);
        floor.services.through("drive_sharing", cx, sharing).await?;
        let shared = Shared { link: Some(link.clone()), expires_at: Some(expires_at), learn_url: None };
        return written_down(floor, task, case, shared, None).await;
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
    let shared = Shared { link: Some(url), expires_at: Some(expires_at), learn_url: None };
    written_down(floor, task, case, shared, Some(link)).await
}

/// Asks the platform whether the address is a student of the course, which shows that key and course are right, and
/// changes nothing there. Answers where buyers learn.
async fn ask_platform(
    floor: &Floor,
    cx: &StageContext,
    case: &TestCase,
) -> Result<Option<String>, StageError> {
    let text = case.enrolment.as_deref().ok_or_else(|| {
        let detail = format!("{} has no files, and names no platform any more", case.title);
        StageError::permanent("enrolment_missing", detail)
    })?;
    let spec = enrol::read(text)?;
    let recipe = spec.recipe().map_err(|why| StageError::permanent("lms_recipe_invalid", why))?;
    let now = floor.clock.now_ms();
    let secrets = spec.secrets(recipe, &floor.credentials, now).await.map_err(enrol::no_secrets)?;
    let buyer = Buyer { email: case.email.clone(), name: String::new() };
    let facts = spec.facts(buyer, (&case.title, &case.slug), "DH000000", now, spec.until(now), secrets);
    let host = facts.host(recipe).map_err(|failure| enrol::stage_error("lms", &failure))?;
    let watch = |step: &str| cx.item(&format!("{}: {step}", recipe.title));
    let service = enrol::service(&host);
    let asking = async {
        let wrong = |failure: Failure| enrol::stage_error(&service, &failure);
        let mut run = Run::new(&floor.lms, recipe, &facts, &watch).map_err(wrong)?;
        run.probe().await.map_err(wrong)?;
        // An address that is known only after an enrolment is no fault of the test's.
        Ok(run.learn_url().ok().flatten())
    };
    floor.services.through(&service, cx, enrol::stoppable(cx, asking)).await
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
    shared: Shared,
    link: Option<NewLink>,
) -> Result<StageOutcome, StageError> {
    let parts = words(floor, case, &shared).await?;
    let message_id = case.mail.clone().unwrap_or_else(|| test_message_id(task.id, &floor.config().mail.from));
    let mail = MailIntent { message_id, recipient: case.email.clone(), subject: parts.subject };
    Ok(StageOutcome {
        output: serde_json::to_string(&shared).map_err(|error| damaged("link", &error))?,
        aftermath: Aftermath::TestShared { link, mail },
        next: Next::Advance,
    })
}

/// Sends the mail that the share stage has written down.
async fn mail(floor: &Floor, case: &TestCase, cx: &StageContext) -> Result<StageOutcome, StageError> {
    let lost =
        || StageError::permanent("internal", "the test's link was never written down; retry from share");
    let (Some(message_id), Some(shared)) = (case.mail.clone(), &case.shared) else { return Err(lost()) };
    let shared: Shared = serde_json::from_str(shared).map_err(|error| damaged("link", &error))?;
    let reference = if floor.config().mail.transport == MailTransport::None {
        "no mail, by the settings".to_owned()
    } else {
        let parts = words(floor, case, &shared).await?;
        let message = Message::new(message_id.clone(), case.email.clone(), String::new(), parts);
        super::send(floor, cx, &message).await?
    };
    Ok(StageOutcome { aftermath: Aftermath::MailSent { message_id, reference }, ..StageOutcome::done() })
}

/// What a buyer would read, marked as a test.
async fn words(floor: &Floor, case: &TestCase, shared: &Shared) -> Result<Parts, StageError> {
    let config = floor.config();
    let language = config.shop.language.as_str();
    let mark = if language == "en" { "Test" } else { "Giao thử" };
    let mail = Delivered {
        shop_name: config.shop.name.clone(),
        customer_name: String::new(),
        order_code: mark.to_owned(),
        items: vec![DeliveredItem {
            title: case.title.clone(),
            link: shared.link.clone(),
            learn_url: shared.learn_url.clone(),
            expires_at: shared.expires_at,
            max_downloads: shared.link.as_ref().map(|_| config.orders.link_max_downloads),
            account: None,
        }],
    };
    let parts = floor.templates.delivered(language, &mail).await?;
    Ok(Parts { subject: format!("[{mark}] {}", parts.subject), ..parts })
}
