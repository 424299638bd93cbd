//! What the shop counts about itself while it runs, in atomics: answers, webhooks, stages. `GET /metrics` reads it
//! together with what the database keeps anyway; nothing here is written anywhere.

mod histogram;
pub(crate) mod process;
pub(crate) mod text;

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::StatusCode;
use chotdon_domain::order::Outcome;
use chotdon_domain::task::TaskKind;

pub(crate) use histogram::Histogram;

use crate::shop::Rejection;
use crate::workers::ErrorClass;

/// Upper bounds of the time to answer a webhook, ms.
const ANSWER_MS: &[u64] = &[1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];
/// Upper bounds of the time that a stage takes, ms.
const STAGE_MS: &[u64] = &[
    10, 50, 100, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000, 900_000, 1_800_000, 3_600_000,
    10_800_000,
];

/// Which of the two listeners answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// The one that the tunnel reaches.
    Public,
    /// The owner's.
    Private,
}

impl Door {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Public, Self::Private];

    /// The label.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
        }
    }
}

/// The counters of a running shop. They begin at 0 with each start.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// By listener and hundreds of the status.
    answers: [[AtomicU64; 5]; 2],
    outcomes: [AtomicU64; Outcome::ALL.len()],
    refused: [AtomicU64; Rejection::ALL.len()],
    webhook_ms: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            answers: Default::default(),
            outcomes: Default::default(),
            refused: Default::default(),
            webhook_ms: Histogram::new(ANSWER_MS),
        }
    }
}

impl Metrics {
    /// A listener answered a request.
    pub(crate) fn answered(&self, door: Door, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.answers[door as usize][class].fetch_add(1, Ordering::Relaxed);
    }

    /// A webhook was booked and answered after `ms`.
    pub(crate) fn webhook(&self, outcome: Outcome, ms: i64) {
        if let Some(at) = Outcome::ALL.iter().position(|one| *one == outcome) {
            self.outcomes[at].fetch_add(1, Ordering::Relaxed);
        }
        self.webhook_ms.observe(ms);
    }

    /// A webhook was refused.
    pub(crate) fn refused(&self, why: Rejection) {
        if let Some(at) = Rejection::ALL.iter().position(|one| *one == why) {
            self.refused[at].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Listener, class of the status (`2xx`), how many.
    pub(crate) fn answers(&self) -> impl Iterator<Item = (Door, &'static str, u64)> + '_ {
        const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
        Door::ALL.into_iter().flat_map(move |door| {
            let counts = &self.answers[door as usize];
            CLASSES.into_iter().zip(counts).map(move |(class, n)| (door, class, n.load(Ordering::Relaxed)))
        })
    }

    /// What became of webhooks, by outcome.
    pub(crate) fn outcomes(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Outcome::ALL
            .iter()
            .zip(&self.outcomes)
            .map(|(outcome, n)| (outcome.as_str(), n.load(Ordering::Relaxed)))
    }

    /// Webhooks that were refused, by reason.
    pub(crate) fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Rejection::ALL.iter().zip(&self.refused).map(|(why, n)| (why.as_str(), n.load(Ordering::Relaxed)))
    }

    /// How long webhooks took to be answered.
    pub(crate) fn webhook_ms(&self) -> &Histogram {
        &self.webhook_ms
    }
}

/// How stages of tasks ended and how long they took.
#[derive(Debug)]
pub(crate) struct StageTimes {
    rows: Vec<StageRow>,
}

/// One stage of one kind of task.
#[derive(Debug)]
pub(crate) struct StageRow {
    /// The kind.
    pub(crate) kind: TaskKind,
    /// The stage's name.
    pub(crate) stage: &'static str,
    /// Those that ended well.
    pub(crate) took: Histogram,
    failed: [AtomicU64; ErrorClass::ALL.len()],
}

impl StageRow {
    /// Attempts that did not end well, by class.
    pub(crate) fn failed(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        ErrorClass::ALL.iter().zip(&self.failed).map(|(class, n)| (class.as_str(), n.load(Ordering::Relaxed)))
    }
}

impl Default for StageTimes {
    fn default() -> Self {
        let stages = |kind: TaskKind| kind.stages().iter().map(move |stage| (kind, *stage));
        let row = |(kind, stage)| StageRow {
            kind,
            stage,
            took: Histogram::new(STAGE_MS),
            failed: Default::default(),
        };
        Self { rows: TaskKind::ALL.into_iter().flat_map(stages).map(row).collect() }
    }
}

impl StageTimes {
    /// A stage ended well after `ms`.
    pub(crate) fn done(&self, kind: TaskKind, stage: &str, ms: i64) {
        if let Some(row) = self.row(kind, stage) {
            row.took.observe(ms);
        }
    }

    /// An attempt at a stage failed.
    pub(crate) fn failed(&self, kind: TaskKind, stage: &str, class: ErrorClass) {
        let at = ErrorClass::ALL.iter().position(|one| *one == class);
        if let (Some(row), Some(at)) = (self.row(kind, stage), at) {
            row.failed[at].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Every stage of every kind.
    pub(crate) fn rows(&self) -> &[StageRow] {
        &self.rows
    }

    fn row(&self, kind: TaskKind, stage: &str) -> Option<&StageRow> {
        self.rows.iter().find(|row| row.kind == kind && row.stage == stage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_of_every_kind_is_counted() {
        let times = StageTimes::default();
        for kind in TaskKind::ALL {
            for stage in kind.stages() {
                times.done(kind, stage, 3);
                times.failed(kind, stage, ErrorClass::Hung);
            }
        }
        assert!(times.rows().iter().all(|row| row.took.count() == 1));
        assert!(times.rows().iter().all(|row| row.failed().map(|(_, n)| n).sum::<u64>() == 1));
    }

    #[test]
    fn answers_are_counted_by_listener_and_class() {
        let metrics = Metrics::default();
        metrics.answered(Door::Public, StatusCode::SERVICE_UNAVAILABLE);
        metrics.answered(Door::Private, StatusCode::OK);
        let counted: Vec<_> = metrics.answers().filter(|(.., n)| *n > 0).collect();
        assert_eq!(counted, [(Door::Public, "5xx", 1), (Door::Private, "2xx", 1)]);
    }
}
