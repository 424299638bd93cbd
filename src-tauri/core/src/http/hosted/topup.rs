//! The page at which a customer tops up their wallet: an amount of their choice, the QR for it, what came before.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chotdon_store::read::AccountRecord;
use minijinja::{Value, context};

use super::look::{Frame, Lang, address, page, unknown, vnd};
use super::pay::svg_only;
use super::{Opened, live};
use crate::delivery::mail::vietnam_time;
use crate::http::problem::Answer;
use crate::present;
use crate::shop::Floor;

/// The least and the most that a QR asks for, đồng. SePay's own pages have the same ends.
const LEAST: i64 = 1_000;
const MOST: i64 = 499_000_000;
/// Amounts to choose from, đồng.
const USUAL: [i64; 5] = [100_000, 200_000, 500_000, 1_000_000, 2_000_000];
/// Top-ups that are shown.
const SHOWN: u32 = 5;
/// Pixels a side of the QR, at least.
const QR_SIZE: u32 = 240;

pub(super) async fn show(
    State(floor): State<Floor>,
    Opened { code, asked }: Opened,
    headers: HeaderMap,
) -> Answer<Response> {
    let lang = Lang::of(&asked, &headers);
    if !floor.may_see(&code, &asked.t) {
        return unknown(&floor, lang);
    }
    let Some(version) = live::topup_version(&floor, &code).await? else { return unknown(&floor, lang) };
    let Some(buyer) = floor.store.buyer_by_deposit_code(&code).await? else { return unknown(&floor, lang) };
    let top_ups = floor.store.top_ups(buyer.id, SHOWN).await?;
    let accounts = floor.store.bank_accounts().await?;
    let amount = typed(&asked.amount);
    let (wanted, bad) = match amount {
        Ok(wanted) => (wanted, false),
        Err(OutOfRange) => (None, true),
    };
    let payment = accounts.first().filter(|_| !bad).and_then(|account| ways(account, &code, wanted));
    let chips: Vec<Value> = USUAL
        .iter()
        .map(|amount| {
            let href = address(&asked.t, &asked.lang, Some(*amount));
            context! { href => href, text => vnd(*amount), on => wanted == Some(*amount) }
        })
        .collect();
    let top_ups: Vec<Value> = top_ups
        .iter()
        .map(|one| context! { at => vietnam_time(one.at), amount => vnd(one.amount_vnd) })
        .collect();
    let live = format!("{code}/live{}", address(&asked.t, "", None));
    let words = context! {
        v => version, code => code, token => asked.t.as_str(), lang => asked.lang.as_str(),
        wallet => vnd(buyer.wallet_vnd),
        chips => chips, typed => asked.amount.as_str(), bad => bad, least => vnd(LEAST), most => vnd(MOST),
        qr => payment.as_ref().map(|(_, qr)| qr.clone()),
        payment => payment.as_ref().map(|(words, _)| words.clone()),
        amount => wanted.map(vnd),
        raw_amount => wanted.map(|amount| amount.to_string()),
        top_ups => top_ups,
    };
    let other = address(&asked.t, lang.say("en", "vi"), wanted);
    let frame =
        Frame { template: "topup.html", lang, other, live: &live, form: true, status: StatusCode::OK };
    page(&floor, &frame, words)
}

/// An amount that cannot be asked for.
struct OutOfRange;

/// The amount that a person typed, `200.000` or `200 000 ₫`; nothing typed is nothing asked.
fn typed(text: &str) -> Result<Option<i64>, OutOfRange> {
    let plain: String =
        text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '.' | ',' | '₫' | 'đ' | 'Đ')).collect();
    if plain.is_empty() {
        return Ok(None);
    }
    if !plain.bytes().all(|b| b.is_ascii_digit()) {
        return Err(OutOfRange);
    }
    plain.parse().ok().filter(|amount| (LEAST..=MOST).contains(amount)).map(Some).ok_or(OutOfRange)
}

/// Account and text, and the QR; nothing when the account cannot be in one.
fn ways(account: &AccountRecord, code: &str, amount: Option<i64>) -> Option<(Value, Value)> {
    let number = account.virtual_account.as_deref().filter(|number| !number.is_empty());
    let number = number.unwrap_or(&account.account);
    let memo = present::memo(account, code);
    let request = vietqr::Request { bin: &account.bin, account: number, amount, memo: &memo };
    let qr = vietqr::svg(&vietqr::build(&request).ok()?, QR_SIZE).ok()?;
    let words =
        context! { bank => &account.bank, account => number, holder => &account.holder, memo => memo };
    Some((words, Value::from_safe_string(svg_only(&qr))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_people_type_them() {
        for (text, amount) in [
            ("", None),
            (" ", None),
            ("200000", Some(200_000)),
            ("200.000", Some(200_000)),
            ("1,500,000 ₫", Some(1_500_000)),
        ] {
            assert_eq!(typed(text).ok(), Some(amount), "{text}");
        }
        for text in ["999", "500000000", "-5000", "1e6", "mười", "9999999999999999999999"] {
            assert!(typed(text).is_err(), "{text}");
        }
    }
}
