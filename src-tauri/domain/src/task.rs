//! Tasks: kinds, lanes, states, stages and when to try again.

/// What a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TaskKind {
    /// Brings one version of a course from its source to its target.
    PrepareCourse,
    /// Gives one order's buyer access and tells them.
    DeliverOrder,
    /// Shows the owner a notice outside the app.
    NotifyOwner,
    /// Tells a customer about their money: a top-up that came in, a refund.
    MailCustomer,
    /// Tells a storefront what happened to an order.
    SendWebhook,
    /// Takes back, outside, the access that an order's buyer was given.
    RevokeAccess,
    /// Delivers a course to the owner's own address, as a test.
    TestDelivery,
}

impl TaskKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::PrepareCourse,
        Self::DeliverOrder,
        Self::NotifyOwner,
        Self::MailCustomer,
        Self::SendWebhook,
        Self::RevokeAccess,
        Self::TestDelivery,
    ];

    /// As stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PrepareCourse => "prepare_course",
            Self::DeliverOrder => "deliver_order",
            Self::NotifyOwner => "notify_owner",
            Self::MailCustomer => "mail_customer",
            Self::SendWebhook => "send_webhook",
            Self::RevokeAccess => "revoke_access",
            Self::TestDelivery => "test_delivery",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The lane it runs in.
    #[must_use]
    pub const fn lane(self) -> Lane {
        match self {
            Self::PrepareCourse => Lane::Course,
            Self::DeliverOrder | Self::MailCustomer | Self::RevokeAccess | Self::TestDelivery => Lane::Order,
            Self::NotifyOwner => Lane::Owner,
            Self::SendWebhook => Lane::Webhook,
        }
    }

    /// Its stages in order. Each is a checkpoint: a retry begins at the one that failed.
    #[must_use]
    pub const fn stages(self) -> &'static [&'static str] {
        match self {
            Self::PrepareCourse => &["fetch", "upload", "verify"],
            Self::DeliverOrder => &["share", "enrol", "mail"],
            Self::NotifyOwner => &["show"],
            Self::MailCustomer => &["compose", "mail"],
            Self::SendWebhook => &["send"],
            Self::RevokeAccess => &["revoke"],
            Self::TestDelivery => &["share", "mail"],
        }
    }

    /// The stage after `stage`; `None` after the last one and for a name that is not a stage.
    #[must_use]
    pub fn next_stage(self, stage: &str) -> Option<&'static str> {
        let stages = self.stages();
        let at = stages.iter().position(|name| *name == stage)?;
        stages.get(at + 1).copied()
    }
}

/// A part of the queue that can be paused and limited by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// Preparing courses: long, heavy.
    Course,
    /// Serving buyers: short, urgent.
    Order,
    /// Telling the owner.
    Owner,
    /// Telling storefronts.
    Webhook,
}

impl Lane {
    /// Every lane.
    pub const ALL: [Self; 4] = [Self::Course, Self::Order, Self::Owner, Self::Webhook];
    /// How many lanes there are.
    pub const COUNT: usize = Self::ALL.len();

    /// As stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Course => "course",
            Self::Order => "order",
            Self::Owner => "owner",
            Self::Webhook => "webhook",
        }
    }

    /// The lane of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| lane.as_str() == name)
    }
}

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TaskState {
    /// For a later time, or until another task is done.
    Scheduled,
    /// Waits for a worker.
    Ready,
    /// Leased to a worker.
    Running,
    /// Finished.
    Done,
    /// Given up; needs the owner.
    Failed,
    /// Called off.
    Cancelled,
}

impl TaskState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Scheduled, Self::Ready, Self::Running, Self::Done, Self::Failed, Self::Cancelled];

    /// As stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// Longest wait between two attempts, ms.
pub const LONGEST_BACKOFF_MS: i64 = 60 * 60 * 1000;

/// How long to wait before the next attempt, ms: exponential from `base_ms`, capped, with full jitter in its
/// upper half so that tasks which failed together do not come back together.
///
/// `attempt` counts from 1 (the one that just failed); `jitter` is a random number in `0..=1000`.
#[must_use]
pub fn backoff_ms(base_ms: i64, attempt: i64, jitter: i64) -> i64 {
    let doublings = u32::try_from(attempt.clamp(1, 20) - 1).unwrap_or(0);
    let full = base_ms.max(1).saturating_mul(1_i64 << doublings).min(LONGEST_BACKOFF_MS.max(base_ms));
    let half = full / 2;
    half.saturating_add(half.saturating_mul(jitter.clamp(0, 1000)) / 1000).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_stays_in_its_upper_half_and_is_capped() {
        assert_eq!(backoff_ms(20_000, 1, 0), 10_000);
        assert_eq!(backoff_ms(20_000, 1, 1000), 20_000);
        assert_eq!(backoff_ms(20_000, 3, 1000), 80_000);
        assert_eq!(backoff_ms(20_000, 50, 1000), LONGEST_BACKOFF_MS);
        assert!(backoff_ms(0, 1, 0) >= 1);
    }

    #[test]
    fn stages_follow_each_other() {
        assert_eq!(TaskKind::PrepareCourse.next_stage("fetch"), Some("upload"));
        assert_eq!(TaskKind::PrepareCourse.next_stage("verify"), None);
        assert_eq!(TaskKind::DeliverOrder.next_stage("nonsense"), None);
    }
}
