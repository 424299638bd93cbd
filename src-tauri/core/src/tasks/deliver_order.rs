//! Gives a buyer access and tells them: share → enrol → mail. Orders whose courses name no platform skip `enrol`.

use chotdon_store::{
    Aftermath, Claimed, DeliveryCase, DeliveryItem, GivenLink, GrantWish, MailIntent, NewLink, prepare_key,
};
use serde_json::json;

use super::{access, damaged, enrol, incomplete, place, unreadable};
use crate::config::{Config, MailTransport};
use crate::delivery::mail::{Delivered, DeliveredItem, Message, Parts, delivery_message_id};
use crate::delivery::{Location, Manifest};
use crate::shop::Floor;
use crate::workers::{Next, StageContext, StageError, StageOutcome};

const DAY_MS: i64 = 24 * 3_600_000;

pub(super) async fn run(
    floor: &Floor,
    task: &Claimed,
    cx: &StageContext,
) -> Result<StageOutcome, StageError> {
    let order = task.order_id.ok_or_else(|| incomplete("order"))?;
    let case = floor.store.delivery_case(order, task.id).await.map_err(unreadable)?;
    match task.stage.as_str() {
        "share" => share(floor, task, &case, cx).await,
        "enrol" => enrol::run(floor, task, &case, cx).await,
        _ => mail(floor, &case, cx).await,
    }
}

/// Verifies that every course of the order can be had, and gives the buyer each: a link of the app's own, or access
/// where the course lies.
async fn share(
    floor: &Floor,
    task: &Claimed,
    case: &DeliveryCase,
    cx: &StageContext,
) -> Result<StageOutcome, StageError> {
    if let Some(missing) = case.items.iter().find(|item| item.prepared.is_none()) {
        return Ok(waits_for(case.order, missing));
    }
    let config = floor.config();
    let now = floor.clock.now_ms();
    let expires_at = now + config.orders.link_days * DAY_MS;
    let (mut links, mut given, mut wishes) = (Vec::with_capacity(case.items.len()), Vec::new(), Vec::new());
    for item in &case.items {
        let Some((manifest, location)) = &item.prepared else { return Ok(waits_for(case.order, item)) };
        let manifest: Manifest =
            serde_json::from_str(manifest).map_err(|error| damaged("manifest", &error))?;
        let location: Location =
            serde_json::from_str(location).map_err(|error| damaged("location", &error))?;
        place::available(floor, cx, &location, &manifest).await?;
        let access_until = access_until(item, now);
        if access_until.is_some_and(|end| end <= now) {
            return Err(StageError::permanent(
                "access_expired",
                format!("the access to {} is over", item.title),
            ));
        }
        if let Location::None {} = location {
            if item.enrolment.is_none() {
                return Err(StageError::permanent("enrolment_missing", nothing_to_give(item)));
            }
            given.push(GivenLink { item: item.item, version: item.version, url: None, access_until });
            continue;
        }
        if let Location::Drive { folder_id, link, .. } = location {
            let url = Some(link.clone());
            given.push(GivenLink { item: item.item, version: item.version, url, access_until });
            wishes.push(GrantWish {
                item: item.item,
                course: item.course,
                version: item.version,
                resource: folder_id,
                email: case.email.clone(),
                link,
                expires_at: access_until.or_else(|| granted_until(&config, now)),
            });
            continue;
        }
        // A link that the buyer has goes on working when the same version is delivered again.
        let known = item.link.as_deref().filter(|_| item.delivered == Some(item.version));
        let known = known.and_then(|url| floor.link_key.parse(url.rsplit('/').next()?));
        let id = known.unwrap_or_else(|| rand::random_range(1..=i64::MAX));
        links.push(NewLink {
            id,
            item: item.item,
            course: item.course,
            version: item.version,
            url: format!("{}/d/{}", floor.base_url(), floor.link_key.token(id)),
            expires_at: access_until.map_or(expires_at, |end| end.min(expires_at)),
            max_downloads: config.orders.link_max_downloads,
            access_until,
        });
    }
    let with_access;
    let case = if wishes.is_empty() {
        case
    } else {
        access::give(floor, task, cx, case, wishes).await?;
        with_access = floor.store.delivery_case(case.order, task.id).await.map_err(unreadable)?;
        &with_access
    };
    let parts = words(floor, &config, case, said(case, &links, &given)).await?;
    let message_id = case
        .mail
        .clone()
        .unwrap_or_else(|| delivery_message_id(&case.code, case.mails + 1, &config.mail.from));
    let mail = MailIntent { message_id, recipient: case.email.clone(), subject: parts.subject };
    let enrols = case.items.iter().any(|item| item.enrolment.is_some());
    let aftermath = Aftermath::Shared { order: case.order, links, given, mail };
    Ok(StageOutcome {
        output: json!({ "expires_at": expires_at }).to_string(),
        aftermath,
        next: if enrols { Next::Advance } else { Next::Jump("mail") },
    })
}

fn nothing_to_give(item: &DeliveryItem) -> String {
    format!(
        "version {} of {} has no files, and the course names no platform any more",
        item.version, item.title
    )
}

/// When the buyer's access ends by the course's terms, ms: fixed by the first delivery.
fn access_until(item: &DeliveryItem, now: i64) -> Option<i64> {
    item.access_until.or_else(|| (item.access_days > 0).then(|| now + item.access_days * DAY_MS))
}

fn waits_for(order: i64, item: &DeliveryItem) -> StageOutcome {
    StageOutcome {
        aftermath: Aftermath::WaitsForCourse { order, course: item.course, version: item.version },
        next: Next::WaitFor(prepare_key(item.course, item.version)),
        ..StageOutcome::done()
    }
}

/// Sends the mail that the share stage has written down. A crash after the server took it and before we wrote
/// that down sends it again under the same Message-ID: a server cannot be asked what it accepted.
async fn mail(floor: &Floor, case: &DeliveryCase, cx: &StageContext) -> Result<StageOutcome, StageError> {
    let config = floor.config();
    let message_id = case.mail.clone().ok_or_else(|| {
        StageError::permanent("internal", "the mail was never written down; retry from share".to_owned())
    })?;
    let reference = if config.mail.transport == MailTransport::None {
        "no mail, by the settings".to_owned()
    } else {
        let links: Vec<NewLink> =
            case.items.iter().filter_map(|item| known_link(&config, floor, item)).collect();
        let given: Vec<GivenLink> = case.items.iter().filter_map(known_elsewhere).collect();
        let parts = words(floor, &config, case, said(case, &links, &given)).await?;
        let message = Message::new(message_id.clone(), case.email.clone(), case.name.clone(), parts);
        super::send(floor, cx, &message).await?
    };
    let aftermath = Aftermath::Delivered { order: case.order, message_id, reference };
    Ok(StageOutcome { output: "{}".to_owned(), aftermath, next: Next::Advance })
}

fn known_link(config: &Config, floor: &Floor, item: &DeliveryItem) -> Option<NewLink> {
    let url = item.link.clone()?;
    let id = floor.link_key.parse(url.rsplit('/').next()?)?;
    let now = floor.clock.now_ms();
    let access_until = access_until(item, now);
    let expires_at = now + config.orders.link_days * DAY_MS;
    let expires_at = access_until.map_or(expires_at, |end| end.min(expires_at));
    let max_downloads = config.orders.link_max_downloads;
    Some(NewLink {
        id,
        item: item.item,
        course: item.course,
        version: item.version,
        url,
        expires_at,
        max_downloads,
        access_until,
    })
}

/// When access elsewhere that is given now ends by the settings, ms; `None` = never.
fn granted_until(config: &Config, now: i64) -> Option<i64> {
    let days = i64::from(config.drive.access_days);
    (days > 0).then(|| now + days * DAY_MS)
}

/// What was given of a course that the app serves no link for.
fn known_elsewhere(item: &DeliveryItem) -> Option<GivenLink> {
    let (_, location) = item.prepared.as_ref()?;
    match serde_json::from_str(location).ok()? {
        Location::Drive { .. } => Some(GivenLink {
            item: item.item,
            version: item.version,
            url: Some(item.link.clone()?),
            access_until: item.access_until,
        }),
        Location::None {} => Some(GivenLink {
            item: item.item,
            version: item.version,
            url: None,
            access_until: item.access_until,
        }),
        Location::Folder { .. } | Location::Rclone { .. } => None,
    }
}

/// What the mail says of each course.
fn said(case: &DeliveryCase, links: &[NewLink], given: &[GivenLink]) -> Vec<DeliveredItem> {
    let of = |item: &DeliveryItem| {
        let ends = |link: &GivenLink| if link.url.is_some() { item.granted_until } else { item.place_until };
        let elsewhere = given.iter().find(|link| link.item == item.item).map(|link| DeliveredItem {
            title: item.title.clone(),
            link: link.url.clone(),
            learn_url: item.learn_url.clone(),
            expires_at: ends(link).or(item.access_until),
            max_downloads: None,
            account: link.url.is_some().then(|| case.email.clone()),
        });
        elsewhere.or_else(|| {
            let link = links.iter().find(|link| link.item == item.item)?;
            Some(DeliveredItem {
                title: item.title.clone(),
                link: Some(link.url.clone()),
                learn_url: item.learn_url.clone(),
                expires_at: Some(link.expires_at),
                max_downloads: Some(link.max_downloads),
                account: None,
            })
        })
    };
    case.items.iter().filter_map(of).collect()
}

async fn words(
    floor: &Floor,
    config: &Config,
    case: &DeliveryCase,
    items: Vec<DeliveredItem>,
) -> Result<Parts, StageError> {
    let delivered = Delivered {
        shop_name: config.shop.name.clone(),
        customer_name: case.name.clone(),
        order_code: case.code.clone(),
        items,
    };
    let template = case.template.as_deref().unwrap_or("delivered");
    floor.templates.delivered_as(template, config.shop.language.as_str(), &delivered, &case.message).await
}
