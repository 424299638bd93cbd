//! Orders, their timeline, transfers and mails.

use chotdon_domain::order::{Delivery as DeliveryState, Flags, OrderMoney, Stage as OrderStage};
use chotdon_domain::task::TaskState;
use chotdon_store::AccessRecord;
use chotdon_store::read::{ItemRecord, MailRecord, OrderRecord, OrderStory, TimelineRecord};

use super::{json, rfc3339, task_row, transfer_row};
use crate::views::{
    AccessRow, BundleName, CustomerName, Delivery, Flag, MailRow, OrderDetail, OrderItem, OrderRow, Payment,
    Stage, TimelineRow,
};

/// One line of the order list.
pub(crate) fn order_row(order: &OrderRecord) -> OrderRow {
    OrderRow {
        code: order.code.clone(),
        customer: CustomerName {
            id: order.customer_id,
            name: order.name.clone(),
            email: order.email.clone(),
            phone: order.phone.clone(),
        },
        summary: order.summary.clone(),
        stage: stage(order.stage),
        flags: flags(order.flags),
        total_vnd: order.total_vnd,
        paid_vnd: order.paid_vnd,
        vip: order.prio < 2,
        created_at: rfc3339(order.created_at),
        paid_at: order.paid_at.map(rfc3339),
        completed_at: order.completed_at.map(rfc3339),
        retry_at: order.retry_at.map(rfc3339),
    }
}

/// The whole story of one order.
pub(crate) fn order_detail(story: &OrderStory, payment: Option<Payment>, now: i64) -> OrderDetail {
    let money = money(&story.order);
    OrderDetail {
        order: order_row(&story.order),
        note: story.order.note.clone(),
        channel: story.order.channel.clone(),
        deliver_to: story.deliver_to.clone().unwrap_or_else(|| story.order.email.clone()),
        expires_at: rfc3339(story.order.expires_at),
        items: story.items.iter().map(item).collect(),
        payment,
        timeline: story.timeline.iter().map(timeline_row).collect(),
        tasks: story.tasks.iter().map(|task| task_row(task, None)).collect(),
        transfers: story.transfers.iter().map(|transfer| transfer_row(transfer, None)).collect(),
        mails: story.mails.iter().map(mail_row).collect(),
        access: story.access.iter().map(access_row).collect(),
        held_vnd: money.paid,
        surplus_vnd: if money.take_surplus().is_ok() { money.surplus() } else { 0 },
        refunded_vnd: story.refunded_vnd,
        actions: actions(story, money, now),
    }
}

fn access_row(access: &AccessRecord) -> AccessRow {
    AccessRow {
        course: access.title.clone(),
        kind: access.kind.clone(),
        email: access.email.clone(),
        state: access.state.clone(),
        since: rfc3339(access.since),
        expires_at: access.expires_at.map(rfc3339),
    }
}

fn money(order: &OrderRecord) -> OrderMoney {
    OrderMoney {
        stage: order.stage,
        flags: order.flags,
        total: order.total_vnd,
        paid: order.paid_vnd,
        expires_at: order.expires_at,
    }
}

/// What the store will accept for this order now.
fn actions(story: &OrderStory, money: OrderMoney, now: i64) -> Vec<String> {
    use OrderStage::{Cancelled, Completed, Failed, Paid, Pending, Processing, Refunded};
    let stage = story.order.stage;
    let any = |state: TaskState| story.tasks.iter().any(|task| task.state == state);
    let delivering = story.tasks.iter().any(|task| {
        task.order_code.is_some()
            && matches!(task.state, TaskState::Scheduled | TaskState::Ready | TaskState::Running)
    });
    let mut actions = Vec::new();
    if any(TaskState::Failed) && !matches!(stage, Cancelled | Refunded) {
        actions.push("retry");
    }
    if matches!(stage, Completed | Failed | Paid | Processing) && !delivering {
        actions.push("redeliver");
    }
    let given = story.items.iter().any(|item| item.delivery != DeliveryState::Revoked);
    if matches!(stage, Completed | Processing | Paid) && !delivering && given {
        actions.push("resend");
    }
    if matches!(money.stage_at(now), Pending | Paid | Processing | Completed | Failed) {
        actions.push("change_email");
    }
    if money.stage_at(now) == Pending && story.wallet_vnd >= money.due() {
        actions.push("pay_from_wallet");
    }
    if money.mark_paid().is_ok() {
        actions.push("mark_paid");
    }
    if money.take_surplus().is_ok() {
        actions.push("surplus");
    }
    if money.refund(None).is_ok() {
        actions.push("refund");
    }
    if money.cancel().is_ok() {
        actions.push("cancel");
    }
    if story.items.iter().any(|item| item.link.is_some() && item.delivery == DeliveryState::Delivered) {
        actions.push("copy_link");
    }
    actions.into_iter().map(str::to_owned).collect()
}

fn item(item: &ItemRecord) -> OrderItem {
    OrderItem {
        course: item.slug.clone(),
        title: item.title.clone(),
        price_vnd: item.price_vnd,
        delivery: match item.delivery {
            DeliveryState::Waiting => Delivery::Waiting,
            DeliveryState::Preparing => Delivery::Preparing,
            DeliveryState::Sharing => Delivery::Sharing,
            DeliveryState::Delivered => Delivery::Delivered,
            DeliveryState::Failed => Delivery::Failed,
            DeliveryState::Revoked => Delivery::Revoked,
        },
        link: item.link.clone(),
        version: item.version,
        access_until: item.access_until.map(rfc3339),
        bundle: item.bundle.clone().map(|(slug, title)| BundleName { slug, title }),
    }
}

fn timeline_row(row: &TimelineRecord) -> TimelineRow {
    TimelineRow {
        id: row.id,
        at: rfc3339(row.at),
        kind: row.kind.clone(),
        data: json(&row.data),
        actor: row.actor.clone(),
    }
}

fn mail_row(mail: &MailRecord) -> MailRow {
    MailRow {
        id: mail.id,
        recipient: mail.recipient.clone(),
        subject: mail.subject.clone(),
        state: mail.state.clone(),
        created_at: rfc3339(mail.created_at),
        sent_at: mail.sent_at.map(rfc3339),
    }
}

pub(super) fn stage(stage: OrderStage) -> Stage {
    match stage {
        OrderStage::Pending => Stage::Pending,
        OrderStage::Paid => Stage::Paid,
        OrderStage::Processing => Stage::Processing,
        OrderStage::Completed => Stage::Completed,
        OrderStage::Failed => Stage::Failed,
        OrderStage::Expired => Stage::Expired,
        OrderStage::Cancelled => Stage::Cancelled,
        OrderStage::Refunded => Stage::Refunded,
    }
}

fn flags(flags: Flags) -> Vec<Flag> {
    let all = [
        (Flags::UNDERPAID, Flag::Underpaid),
        (Flags::OVERPAID, Flag::Overpaid),
        (Flags::LATE, Flag::Late),
        (Flags::PAID_TWICE, Flag::PaidTwice),
        (Flags::MARKED, Flag::Marked),
    ];
    all.into_iter().filter(|(bit, _)| flags.has(*bit)).map(|(_, flag)| flag).collect()
}
