//! The page that a buyer pays an order at, and watches it until the course is there.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chotdon_domain::order::{Delivery, Flags, Stage};
use chotdon_store::read::{ItemRecord, OrderRecord};
use minijinja::{Value, context};

use super::look::{Frame, Lang, address, page, unknown, vnd};
use super::{Opened, live};
use crate::delivery::mail::vietnam_time;
use crate::http::problem::Answer;
use crate::http::storefront::how_to_pay;
use crate::shop::Floor;

pub(super) async fn show(
    State(floor): State<Floor>,
    Opened { code, asked }: Opened,
    headers: HeaderMap,
) -> Answer<Response> {
    let lang = Lang::of(&asked, &headers);
    // Without the right token an existing order looks like one that does not exist.
    if !floor.may_see(&code, &asked.t) {
        return unknown(&floor, lang);
    }
    // Read before the order: a change in between makes the page ask once too often, never too seldom.
    let Some(version) = live::order_version(&floor, &code).await? else { return unknown(&floor, lang) };
    let Some(story) = floor.store.order_story(&code).await? else { return unknown(&floor, lang) };
    let order = &story.order;
    let waiting = order.stage == Stage::Pending;
    let payment = how_to_pay(&floor, order).await?.filter(|payment| waiting && payment.amount_vnd > 0);
    let settled = matches!(order.stage, Stage::Paid | Stage::Processing | Stage::Completed | Stage::Failed);
    let surplus = order.paid_vnd - order.total_vnd;
    let late = order.flags.has(Flags::LATE) && !settled && order.stage != Stage::Refunded;
    let gone = matches!(order.stage, Stage::Expired | Stage::Cancelled);
    let left_ms = (order.expires_at - floor.clock.now_ms()).max(0);
    let look = Look::of(order, late, lang);
    let live = if matches!(order.stage, Stage::Completed | Stage::Cancelled | Stage::Refunded) {
        String::new()
    } else {
        format!("{}/live{}", order.code, address(&asked.t, "", None))
    };
    let items: Vec<Value> = story.items.iter().map(|item| item_words(item, order.stage, lang)).collect();
    let words = context! {
        v => version,
        code => order.code.as_str(),
        stage => order.stage.as_str(),
        head => look.head, mood => look.mood, mark => look.mark, step => look.step,
        underpaid => waiting && order.paid_vnd > 0,
        late => late,
        partial_lost => gone && !late && order.paid_vnd > 0,
        surplus => (settled && surplus > 0).then(|| vnd(surplus)),
        paid => vnd(order.paid_vnd),
        total => vnd(order.total_vnd),
        waiting => waiting,
        expires => waiting.then(|| vietnam_time(order.expires_at)),
        left_s => left_ms / 1000,
        qr => payment.as_ref().map(|payment| Value::from_safe_string(svg_only(&payment.qr_svg))),
        amount => payment.as_ref().map(|payment| vnd(payment.amount_vnd)),
        raw_amount => payment.as_ref().map(|payment| payment.amount_vnd.to_string()),
        png => format!("../api/v1/qr/{}.png{}", order.code, address(&asked.t, "", None)),
        payment => payment.as_ref().map(payment_words),
        items => items,
    };
    let other = address(&asked.t, lang.say("en", "vi"), None);
    let frame = Frame { template: "pay.html", lang, other, live: &live, form: false, status: StatusCode::OK };
    page(&floor, &frame, words)
}

/// Account and text of a payment, as the templates name them.
pub(super) fn payment_words(payment: &crate::views::Payment) -> Value {
    context! { bank => &payment.bank, account => &payment.account, holder => &payment.holder, memo => &payment.memo }
}

/// An SVG document as a part of a page: without the XML declaration before it.
pub(super) fn svg_only(document: &str) -> String {
    document.find("<svg").map_or_else(String::new, |at| document[at..].to_owned())
}

/// How the state of an order looks.
struct Look {
    head: &'static str,
    mood: &'static str,
    mark: &'static str,
    /// 1 to 4 on the way to the course, 0 off it.
    step: usize,
}

impl Look {
    fn of(order: &OrderRecord, late: bool, lang: Lang) -> Self {
        let look = |vi, en, mood, mark, step| Self { head: lang.say(vi, en), mood, mark, step };
        match order.stage {
            Stage::Pending if order.paid_vnd > 0 => {
                look("Còn thiếu một phần tiền", "Part of the money is still missing", "wait", "alert", 1)
            }
            Stage::Pending => look("Đang chờ thanh toán", "Waiting for your payment", "wait", "clock", 1),
            Stage::Paid | Stage::Processing => {
                look("Đã nhận tiền của bạn", "Your money has arrived", "paid", "box", 2)
            }
            Stage::Completed => look("Hoàn tất, cảm ơn bạn!", "Done. Thank you!", "done", "check", 4),
            Stage::Failed => {
                look("Đã nhận tiền, shop đang xử lý", "Paid, the shop is on it", "wait", "alert", 2)
            }
            Stage::Refunded => look("Đơn đã được hoàn tiền", "This order was refunded", "off", "back", 0),
            Stage::Expired | Stage::Cancelled if late => look(
                "Tiền đến sau khi đơn đã đóng",
                "Your money came after the order had closed",
                "wait",
                "alert",
                0,
            ),
            Stage::Expired => look("Đơn đã hết hạn", "This order has expired", "off", "clock", 0),
            Stage::Cancelled => look("Đơn đã được hủy", "This order was cancelled", "off", "cross", 0),
        }
    }
}

fn item_words(item: &ItemRecord, stage: Stage, lang: Lang) -> Value {
    let (tag, mood) = match (stage, item.delivery) {
        (Stage::Paid | Stage::Processing, Delivery::Delivered) => (lang.say("Đã sẵn sàng", "Ready"), "done"),
        (Stage::Paid | Stage::Processing, _) => (lang.say("Đang chuẩn bị", "Preparing"), "paid"),
        (Stage::Refunded, _) => (lang.say("Đã thu hồi", "Taken back"), ""),
        _ => ("", ""),
    };
    let link =
        item.link.as_ref().filter(|_| stage == Stage::Completed && item.delivery == Delivery::Delivered);
    context! { title => &item.title, price => vnd(item.price_vnd), link => link, tag => tag, mood => mood }
}
