//! How the shop's parts are, looked at every few seconds without asking the database: the truth of the Health page.
//! What is wrong must be seen twice before it counts.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use chotdon_domain::service::ServiceState;

use super::{Floor, Rejection};
use crate::metrics::process::disk;
use crate::present::rfc3339;
use crate::reconcile::Reconciler;
use crate::tunnel::Reach;
use crate::views::HealthCard;
use crate::workers::Pool;

const EVERY: Duration = Duration::from_secs(5);
const HOUR_MS: i64 = 3_600_000;
const HOURS: i64 = 24;
/// Below this there is no room to work, bytes.
const NO_ROOM: u64 = 500_000_000;
/// Below this it gets tight, bytes.
const LITTLE_ROOM: u64 = 2_000_000_000;
/// A clock that is off by more breaks signatures, ms.
const CLOCK_OFF_MS: i64 = 60_000;
/// Without a copy for so long, it counts as failed, ms.
const BACKUP_OLD_MS: i64 = 48 * HOUR_MS;
/// Webhooks with a wrong key in the last hour that are no accident.
const WRONG_KEYS: i64 = 5;

/// From good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Grade {
    /// Not set up.
    Off,
    /// Well.
    Ok,
    /// Works, but look at it.
    Warn,
    /// Does not work.
    Fail,
}

impl Grade {
    /// The word of the view.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// What one look at a part found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Look {
    id: &'static str,
    grade: Grade,
    code: Option<String>,
    detail: Option<String>,
    fix: Option<&'static str>,
}

impl Look {
    fn fine(id: &'static str) -> Self {
        Self { id, grade: Grade::Ok, code: None, detail: None, fix: None }
    }

    fn off(id: &'static str, code: &str, fix: &'static str) -> Self {
        Self { grade: Grade::Off, code: Some(code.to_owned()), fix: Some(fix), ..Self::fine(id) }
    }

    fn wrong(id: &'static str, grade: Grade, code: &str, detail: Option<String>, fix: &'static str) -> Self {
        Self { id, grade, code: Some(code.to_owned()), detail, fix: Some(fix) }
    }
}

#[derive(Debug, Clone)]
struct Card {
    look: Look,
    since: i64,
    /// A worse look that has to be seen once more.
    doubt: Option<Look>,
    /// The worst of each hour (ms / 3600000).
    hours: VecDeque<(i64, Grade)>,
}

/// The Health page of a running shop.
#[derive(Debug, Default)]
pub(crate) struct HealthBook {
    cards: Mutex<BTreeMap<&'static str, Card>>,
    backup: Mutex<Option<(i64, Option<String>)>>,
}

impl HealthBook {
    /// When the last copy was made or became owed, ms, and why the last attempt failed.
    pub(crate) fn saw_backup(&self, fine_at: i64, code: Option<String>) {
        *self.backup.lock().unwrap_or_else(PoisonError::into_inner) = Some((fine_at, code));
    }

    /// Takes a look into the book; a worse one only when it is seen twice.
    fn note(&self, look: Look, now: i64) {
        let mut cards = self.cards.lock().unwrap_or_else(PoisonError::into_inner);
        let card = cards.entry(look.id).or_insert_with(|| Card {
            look: Look { grade: look.grade.min(Grade::Warn), ..look.clone() },
            since: now,
            doubt: None,
            hours: VecDeque::new(),
        });
        let worse = look.grade == Grade::Fail && card.look.grade != Grade::Fail;
        let seen_before = card.doubt.as_ref().is_some_and(|doubt| doubt.grade == look.grade);
        if worse && !seen_before {
            card.doubt = Some(look);
        } else {
            card.doubt = None;
            if card.look.grade != look.grade {
                card.since = now;
            }
            card.look = look;
        }
        let (hour, grade) = (now.div_euclid(HOUR_MS), card.look.grade);
        match card.hours.back_mut() {
            Some((last, worst)) if *last == hour => *worst = grade.max(*worst),
            _ => card.hours.push_back((hour, grade)),
        }
        while card.hours.front().is_some_and(|(first, _)| *first <= hour - HOURS) {
            card.hours.pop_front();
        }
    }

    /// Every card, in the order of the page.
    pub(crate) fn cards(&self, now: i64) -> Vec<HealthCard> {
        let cards = self.cards.lock().unwrap_or_else(PoisonError::into_inner);
        let this = now.div_euclid(HOUR_MS);
        let view = |card: &Card| HealthCard {
            id: card.look.id.to_owned(),
            state: card.look.grade.as_str().to_owned(),
            since: rfc3339(card.since),
            code: card.look.code.clone(),
            detail: card.look.detail.clone(),
            fix: card.look.fix.map(str::to_owned),
            hours: (this - HOURS + 1..=this)
                .map(|hour| {
                    let found = card.hours.iter().find(|(at, _)| *at == hour);
                    found.map_or("none", |(_, grade)| grade.as_str()).to_owned()
                })
                .collect(),
        };
        ORDER.iter().filter_map(|id| cards.get(id)).map(view).collect()
    }
}

const ORDER: [&str; 10] = [
    "tunnel",
    "webhook",
    "sepay_api",
    "workers",
    "delivery",
    "channels",
    "database",
    "disk",
    "backup",
    "clock",
];

/// Looks at everything until `stop`.
pub(super) async fn watch(floor: Floor, pool: Pool, reconciler: Reconciler, stop: CancellationToken) {
    if let Ok((last, fine)) = floor.store.backup_runs().await {
        let code = last.and_then(|run| run.code);
        floor.health.saw_backup(fine.map_or(floor.clock.now_ms(), |run| run.at), code);
    }
    loop {
        let now = floor.clock.now_ms();
        for look in looks(&floor, &pool, &reconciler, now) {
            floor.health.note(look, now);
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = floor.clock.sleep(EVERY) => {}
        }
    }
}

fn looks(floor: &Floor, pool: &Pool, reconciler: &Reconciler, now: i64) -> Vec<Look> {
    vec![
        tunnel(floor),
        webhook(floor, now),
        sepay_api(reconciler),
        workers(pool),
        services("delivery", floor, false),
        services("channels", floor, true),
        database(floor),
        room(floor),
        backup(floor, now),
        clock(reconciler),
    ]
}

fn tunnel(floor: &Floor) -> Look {
    const FIX: &str = "/settings?section=connection";
    let state = floor.tunnel.state();
    let code = state.reason.unwrap_or("tunnel_timeout");
    match state.state {
        Reach::Off => Look::off("tunnel", "tunnel_off", FIX),
        Reach::Starting | Reach::Up => Look { detail: state.public_url, ..Look::fine("tunnel") },
        Reach::Degraded => Look::wrong("tunnel", Grade::Warn, code, state.detail, FIX),
        Reach::Down => Look::wrong("tunnel", Grade::Fail, code, state.detail, FIX),
    }
}

fn webhook(floor: &Floor, now: i64) -> Look {
    let refused = floor.intake.refused_since(now - HOUR_MS);
    let wrong: i64 =
        refused.iter().filter(|(why, ..)| *why == Rejection::Unauthorized).map(|(_, n, _)| n).sum();
    if wrong >= WRONG_KEYS && floor.intake.last_at().is_none_or(|at| now - at > HOUR_MS) {
        return Look::wrong(
            "webhook",
            Grade::Fail,
            "webhook_keys_wrong",
            Some(wrong.to_string()),
            "/settings?section=sepay",
        );
    }
    match floor.intake.last_at() {
        Some(_) => Look::fine("webhook"),
        None => Look::off("webhook", "webhook_not_seen", "/settings?section=sepay"),
    }
}

fn sepay_api(reconciler: &Reconciler) -> Look {
    let standing = reconciler.standing();
    match standing.state {
        "off" => Look::off("sepay_api", "sepay_token_missing", "/settings?section=sepay"),
        "failed" => Look::wrong(
            "sepay_api",
            Grade::Fail,
            standing.code.unwrap_or("sepay_unreachable"),
            None,
            "reconcile",
        ),
        _ => Look::fine("sepay_api"),
    }
}

fn workers(pool: &Pool) -> Look {
    let paused: Vec<&str> =
        pool.lanes().iter().filter(|lane| lane.paused_at.is_some()).map(|lane| lane.lane.as_str()).collect();
    if !paused.is_empty() {
        return Look::wrong("workers", Grade::Warn, "lanes_paused", Some(paused.join(", ")), "resume");
    }
    Look::fine("workers")
}

/// The outside services that deliveries use, or those that the owner is told by.
fn services(id: &'static str, floor: &Floor, channels: bool) -> Look {
    const CHANNELS: [&str; 3] = ["telegram", "alert_webhook", "owner_mail"];
    let glances = floor.services.glance();
    let mut alone = glances
        .iter()
        .filter(|glance| CHANNELS.contains(&glance.record.name.as_str()) == channels)
        .filter(|glance| glance.record.state != ServiceState::Open);
    let Some(first) = alone.next() else { return Look::fine(id) };
    let record = &first.record;
    let grade = if record.until.is_none() { Grade::Fail } else { Grade::Warn };
    let names: Vec<&str> = std::iter::once(first).chain(alone).map(|one| one.record.name.as_str()).collect();
    let code = record.code.clone().unwrap_or_else(|| "service_waiting".to_owned());
    let fix = if channels { "/settings?section=channels" } else { "/queue" };
    Look::wrong(id, grade, &code, Some(names.join(", ")), fix)
}

fn database(floor: &Floor) -> Look {
    if floor.store.halted() {
        return Look::wrong("database", Grade::Fail, "store_stopped", None, "/logs");
    }
    match floor.store.ledger_stopped() {
        Some(cause) => Look::wrong("database", Grade::Fail, "ledger_stopped", Some(cause), "/logs"),
        None => Look::fine("database"),
    }
}

fn room(floor: &Floor) -> Look {
    let Some((free, all)) = disk(&floor.data_dir) else { return Look::fine("disk") };
    let words = Some(match free {
        10_000_000_000.. => format!("{} GB", free / 1_000_000_000),
        _ => format!("{} MB", free / 1_000_000),
    });
    if free < NO_ROOM {
        Look::wrong("disk", Grade::Fail, "disk_full", words, "/settings?section=backup")
    } else if free < LITTLE_ROOM || free < all / 20 {
        Look::wrong("disk", Grade::Warn, "disk_low", words, "/settings?section=backup")
    } else {
        Look { detail: words, ..Look::fine("disk") }
    }
}

fn backup(floor: &Floor, now: i64) -> Look {
    let seen = floor.health.backup.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let Some((fine_at, code)) = seen else { return Look::fine("backup") };
    let old = now - fine_at > BACKUP_OLD_MS;
    match code {
        _ if !floor.config().backup.daily => Look::off("backup", "backup_off", "/settings?section=backup"),
        Some(code) if old => Look::wrong("backup", Grade::Fail, &code, None, "backup"),
        Some(code) => Look::wrong("backup", Grade::Warn, &code, None, "backup"),
        None if old => Look::wrong("backup", Grade::Fail, "backup_old", None, "backup"),
        None => Look::fine("backup"),
    }
}

fn clock(reconciler: &Reconciler) -> Look {
    let Some(off) = reconciler.clock_off() else { return Look::fine("clock") };
    let words = Some(format!("{} s", off / 1_000));
    if off.abs() > CLOCK_OFF_MS {
        return Look::wrong("clock", Grade::Fail, "clock_off", words, "/logs");
    }
    Look { detail: words, ..Look::fine("clock") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad(grade: Grade) -> Look {
        Look::wrong("disk", grade, "disk_full", None, "/logs")
    }

    #[test]
    fn red_takes_two_looks_and_green_one() {
        let book = HealthBook::default();
        let state = |now| book.cards(now).remove(0).state;
        book.note(Look::fine("disk"), 0);
        book.note(bad(Grade::Fail), 5_000);
        assert_eq!(state(5_000), "ok", "seen once");
        book.note(Look::fine("disk"), 10_000);
        book.note(bad(Grade::Fail), 15_000);
        assert_eq!(state(15_000), "ok", "once again");
        book.note(bad(Grade::Fail), 20_000);
        assert_eq!(
            (state(20_000), book.cards(20_000)[0].since.clone()),
            ("fail".to_owned(), rfc3339(20_000))
        );
        book.note(bad(Grade::Fail), 25_000);
        assert_eq!(book.cards(25_000)[0].since, rfc3339(20_000), "since when does not move");
        book.note(Look::fine("disk"), 30_000);
        assert_eq!(state(30_000), "ok");
    }

    #[test]
    fn the_strip_has_the_worst_of_each_hour() {
        let book = HealthBook::default();
        let now = 100 * HOUR_MS;
        book.note(bad(Grade::Warn), now - 3 * HOUR_MS);
        book.note(Look::fine("disk"), now - 3 * HOUR_MS + 5_000);
        book.note(Look::fine("disk"), now);
        let hours = book.cards(now).remove(0).hours;
        assert_eq!(hours.len(), 24);
        assert_eq!((hours[20].as_str(), hours[21].as_str(), hours[23].as_str()), ("warn", "none", "ok"));
    }
}
