//! What lists and pages ask the database: read only, driven by an index, paged by key.
//!
//! Every list is newest first and takes a [`Window`]. Times are milliseconds UTC, money is whole đồng.
//! Nothing here writes; the admin API and the Overview are the callers.

mod audit;
mod courses;
mod failures;
mod figures;
mod money;
mod orders;
mod overview;
mod people;
mod records;
mod search;
mod suggestions;
mod tasks;
mod transfers;
mod webhooks;

pub use audit::{AuditQuery, AuditRecord};
pub use courses::{AccountRecord, CourseRecord, CourseStory, VersionRecord};
pub use failures::FailureRecord;
pub use figures::{Figures, Moments};
pub use money::{CustomerStory, LedgerFilter, LedgerRecord, WalletRecord};
pub use orders::{ItemRecord, MailRecord, OrderFilter, OrderRecord, OrderStory, TimelineRecord};
pub use overview::{BucketRecord, DayFigures, DeliveryTimes, OverviewRecord, PulseRecord};
pub use people::{CustomerRecord, KeyRecord};
pub use suggestions::{CustomerOf, PlacedOrder, Suggested, SuggestionRecord};
pub use tasks::{AttemptRecord, LaneRecord, QueueRecord, StageRecord, TaskFilter, TaskRecord, TaskStory};
pub use transfers::{TRANSFER_STATES, TransferRecord};
pub use webhooks::{WebhookBodies, WebhookFilter, WebhookRecord};

/// The longest page of any list.
pub const LONGEST_PAGE: u32 = 200;

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Only rows with a smaller id; `None` for the first page.
    pub below: Option<i64>,
    /// How many rows at most, 1 to [`LONGEST_PAGE`]; anything else is brought into that range.
    pub limit: u32,
}

impl Default for Window {
    fn default() -> Self {
        Self { below: None, limit: 50 }
    }
}

impl Window {
    pub(crate) fn top(self) -> i64 {
        self.below.unwrap_or(i64::MAX)
    }

    /// One row more than asked for, which tells whether there is a next page.
    pub(crate) fn fetch(self) -> i64 {
        i64::from(self.limit.clamp(1, LONGEST_PAGE)) + 1
    }

    pub(crate) fn cut<T>(self, mut rows: Vec<T>, id: impl Fn(&T) -> i64) -> Slice<T> {
        let limit = self.limit.clamp(1, LONGEST_PAGE) as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more { rows.last().map(id) } else { None };
        Slice { rows, next }
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice<T> {
    /// The rows, newest first.
    pub rows: Vec<T>,
    /// What [`Window::below`] is to be for the following part; `None` at the end.
    pub next: Option<i64>,
}

#[cfg(test)]
mod tests;
