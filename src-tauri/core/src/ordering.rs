//! Creating orders, for the storefront and for the owner alike: checks what was entered, then asks the store.

use axum::http::StatusCode;

use chotdon_store::{CreatedOrder, Error, Idempotency, NewOrderRow, Store};

use crate::config::Config;
use crate::http::problem::Answer;
use crate::views::{NewCustomer, NewOrder, Problem};

const MINUTE_MS: i64 = 60_000;
const MOST_COURSES: usize = 50;

/// Who creates an order, and by which way.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// `storefront` or `owner`.
    pub(crate) channel: &'static str,
    /// For the audit log.
    pub(crate) actor: String,
    /// What makes a repeated call the same call.
    pub(crate) idempotency: Option<Idempotency>,
}

/// An address of the field `field`, tidied and checked.
pub(crate) fn checked_address(field: &str, given: &str) -> Answer<String> {
    let email = given.trim();
    if is_address(email) {
        return Ok(email.to_owned());
    }
    let detail = format!("{field}: this is not an e-mail address");
    Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_email", detail))
}

/// Checks the request and creates the order.
pub(crate) async fn place(
    store: &Store,
    config: &Config,
    now: i64,
    order: NewOrder,
    origin: Origin,
) -> Answer<CreatedOrder> {
    let row = row(config, now, order, origin)?;
    store.create_order(row).await.map_err(|error| match error {
        Error::NotFound(what) => unknown_course(&what),
        Error::Conflict(why) if why.contains("Idempotency-Key") => {
            Problem::new(StatusCode::CONFLICT, "idempotency_conflict", why)
        }
        other => other.into(),
    })
}

/// The refusal of a course that is not there.
pub(crate) fn unknown_course(what: &str) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "unknown_course",
        format!("items: {what} is not for sale; the catalogue is at /api/v1/courses"),
    )
}

/// The order that a request asks for, checked.
pub(crate) fn row(config: &Config, now: i64, order: NewOrder, origin: Origin) -> Answer<NewOrderRow> {
    let (email, name, phone) = checked_buyer(&order.customer, "customer.")?;
    let note = limited("note", order.note.as_deref().unwrap_or_default().trim(), 500)?;
    let prio = match order.priority.as_deref() {
        None | Some("normal") => 2,
        Some("vip") => 0,
        Some(other) => return Err(Problem::bad(format!("priority: \"{other}\" is neither normal nor vip"))),
    };
    if order.items.is_empty() || order.items.len() > MOST_COURSES {
        return Err(Problem::bad(format!("items: between 1 and {MOST_COURSES} courses are needed")));
    }
    let courses: Vec<String> = order.items.into_iter().map(|item| item.course).collect();
    if let Some(twice) = courses.iter().enumerate().find(|(at, slug)| courses[..*at].contains(slug)) {
        return Err(Problem::bad(format!("items: the course \"{}\" is there twice", twice.1)));
    }
    Ok(NewOrderRow {
        email,
        name,
        phone,
        courses,
        prio,
        note,
        channel: origin.channel,
        actor: origin.actor,
        expires_at: now.saturating_add(config.orders.expire_after_min.saturating_mul(MINUTE_MS)),
        now,
        pay_from_wallet: order.pay_from_wallet,
        idempotency: origin.idempotency,
    })
}

/// Address, name and phone of a buyer, tidied and checked. `under` is what refusals put before a field's name.
pub(crate) fn checked_buyer(buyer: &NewCustomer, under: &str) -> Answer<(String, String, Option<String>)> {
    let email = checked_address(&format!("{under}email"), &buyer.email)?;
    let name = limited(&format!("{under}name"), buyer.name.trim(), 200)?;
    let phone = buyer.phone.as_deref().map(str::trim).filter(|phone| !phone.is_empty());
    let phone = phone.map(|phone| limited(&format!("{under}phone"), phone, 40)).transpose()?;
    Ok((email, name, phone))
}

/// Good enough to catch slips; the mail server has the last word.
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    !local.is_empty()
        && text.len() <= 254
        && !text
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || matches!(c, ',' | ';' | '<' | '>' | '"'))
        && !local.contains('@')
        && domain.contains('.')
        && domain
            .split('.')
            .all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'))
        && text.parse::<lettre::Address>().is_ok()
}

/// `text` when it is at most `most` characters and has no control characters but line breaks.
pub(crate) fn limited(field: &str, text: &str, most: usize) -> Answer<String> {
    if text.chars().count() > most {
        return Err(Problem::bad(format!("{field}: at most {most} characters")));
    }
    if text.chars().any(|c| c.is_control() && c != '\n') {
        return Err(Problem::bad(format!("{field}: control characters are not allowed")));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::is_address;

    #[test]
    fn slips_in_addresses_are_caught() {
        for good in ["lan@example.com", "a.b+c@mail.example.vn", "đức@example.com"] {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "",
            "lan",
            "@example.com",
            "lan@",
            "lan@example",
            "lan @example.com",
            "a@b@c.vn",
            "a@.vn",
            "a@b..vn",
            "Lan <lan@example.com>",
        ] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
