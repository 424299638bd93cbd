//! Creating orders, for the storefront and for the owner alike: checks what was entered and says how to pay.

use axum::http::StatusCode;

use chotdon_domain::order::Stage;
use chotdon_store::{CreatedOrder, Error, Idempotency, NewOrderRow};

use crate::http::problem::{Answer, Refused};
use crate::shop::Floor;
use crate::views::{NewOrder, Payment};

const MINUTE_MS: i64 = 60_000;
const MOST_COURSES: usize = 50;
/// Pixels of a QR drawing; it scales without loss.
const QR_SIZE: u32 = 240;

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

/// Checks the request and creates the order.
pub(crate) async fn place(floor: &Floor, order: NewOrder, origin: Origin) -> Answer<CreatedOrder> {
    let email = email(&order.customer.email)?;
    let name = limited("customer.name", order.customer.name.trim(), 200)?;
    let phone = order.customer.phone.as_deref().map(str::trim).filter(|phone| !phone.is_empty());
    let phone = phone.map(|phone| limited("customer.phone", phone, 40)).transpose()?;
    let note = limited("note", order.note.as_deref().unwrap_or_default().trim(), 500)?;
    if order.pay_from_wallet {
        return Err(Refused::bad_request("pay_from_wallet: orders cannot be paid from the wallet yet"));
    }
    let prio = match order.priority.as_deref() {
        None | Some("normal") => 2,
        Some("vip") => 0,
        Some(other) => return Err(Refused::bad_request(format!("priority: \"{other}\" is neither normal nor vip"))),
    };
    if order.items.is_empty() || order.items.len() > MOST_COURSES {
        return Err(Refused::bad_request(format!("items: between 1 and {MOST_COURSES} courses are needed")));
    }
    let courses: Vec<String> = order.items.into_iter().map(|item| item.course).collect();
    if let Some(twice) = courses.iter().enumerate().find(|(at, slug)| courses[..*at].contains(slug)) {
        return Err(Refused::bad_request(format!("items: the course \"{}\" is there twice", twice.1)));
    }
    let now = floor.clock.now_ms();
    let row = NewOrderRow {
        email,
        name,
        phone,
        courses,
        prio,
        note,
        channel: origin.channel,
        actor: origin.actor,
        expires_at: now.saturating_add(floor.config().orders.expire_after_min.saturating_mul(MINUTE_MS)),
        now,
        idempotency: origin.idempotency,
    };
    floor.store.create_order(row).await.map_err(|error| match error {
        Error::NotFound(what) => Refused::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "unknown_course",
            format!("items: {what} is not for sale; the catalogue is at /api/v1/courses"),
        ),
        Error::Conflict(why) if why.contains("Idempotency-Key") => {
            Refused::new(StatusCode::CONFLICT, "idempotency_conflict", why)
        }
        other => other.into(),
    })
}

fn email(text: &str) -> Answer<String> {
    let text = text.trim();
    let refused = || {
        Refused::new(StatusCode::BAD_REQUEST, "invalid_email", "customer.email: this is not an e-mail address")
    };
    let (local, domain) = text.rsplit_once('@').ok_or_else(refused)?;
    let plausible = !local.is_empty()
        && domain.contains('.')
        && !domain.starts_with('.')
        && !domain.ends_with('.')
        && text.len() <= 254
        && !text.contains(|c: char| c.is_whitespace() || c.is_control() || "<>,;\"()\\".contains(c));
    let parsed = text.parse::<lettre::Address>().is_ok();
    if plausible && parsed { Ok(text.to_owned()) } else { Err(refused()) }
}

fn limited(field: &str, text: &str, most: usize) -> Answer<String> {
    if text.chars().count() > most {
        return Err(Refused::bad_request(format!("{field}: at most {most} characters")));
    }
    if text.chars().any(|c| c.is_control() && c != '\n') {
        return Err(Refused::bad_request(format!("{field}: control characters are not allowed")));
    }
    Ok(text.to_owned())
}

/// What an order is paid with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Due<'a> {
    pub(crate) code: &'a str,
    pub(crate) stage: Stage,
    pub(crate) total_vnd: i64,
    pub(crate) paid_vnd: i64,
    pub(crate) bank_account: Option<i64>,
}

/// How to pay an order; `None` while the shop has no bank account.
pub(crate) async fn payment(floor: &Floor, due: Due<'_>) -> Answer<Option<Payment>> {
    let accounts = floor.store.bank_accounts().await?;
    let account = due
        .bank_account
        .and_then(|id| accounts.iter().find(|account| account.id == id))
        .or_else(|| accounts.iter().find(|account| account.preferred))
        .or_else(|| accounts.first());
    let Some(account) = account else { return Ok(None) };
    let memo = match account.memo_prefix.as_deref().map(str::trim).filter(|prefix| !prefix.is_empty()) {
        Some(prefix) => format!("{prefix} {}", due.code),
        None => due.code.to_owned(),
    };
    let number = account.virtual_account.as_deref().filter(|number| !number.is_empty()).unwrap_or(&account.account);
    let open = if due.stage == Stage::Pending { due.total_vnd.saturating_sub(due.paid_vnd).max(0) } else { 0 };
    let amount = if open > 0 { open } else { due.total_vnd };
    let request = vietqr::Request { bin: &account.bin, account: number, amount: Some(amount), memo: &memo };
    let vietqr = vietqr::build(&request).map_err(|error| {
        Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "no_bank_account", format!("no QR can be made: {error}"))
    })?;
    let qr_svg = vietqr::svg(&vietqr, QR_SIZE).unwrap_or_default();
    Ok(Some(Payment {
        bank: account.bank.clone(),
        bin: account.bin.clone(),
        account: number.to_owned(),
        holder: account.holder.clone(),
        memo,
        amount_vnd: amount,
        pay_url: floor.pay_url(due.code),
        vietqr,
        qr_svg,
    }))
}
