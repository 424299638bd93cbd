//! Why a recipe did not get through, in classes that say what can be done.

use std::time::Duration;

/// What can be done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Our key or login is refused, or missing: nobody can be enrolled there until the owner acts.
    Unauthorized,
    /// The platform has no such course.
    CourseUnknown,
    /// The platform says no to this buyer or this request; trying again does not help.
    Rejected,
    /// Too many requests, or closed for a while.
    Busy,
    /// The platform reports trouble of its own.
    ServerError,
    /// No answer: name, network, TLS, silence. What was asked for may have been done all the same.
    Unreachable,
    /// An answer that cannot be read, too long, or without what it should hold.
    Unclear,
    /// All steps went well, and yet the buyer is not a student (or still is one).
    NotVerified,
    /// A request or a redirect would have gone to a host that the recipe does not name.
    ForeignHost,
    /// The recipe or its settings are wrong.
    Recipe,
    /// Access is to be taken back, and the recipe does not say how.
    ByHand,
}

impl Kind {
    /// Stable word for it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unauthorized => "lms_unauthorized",
            Self::CourseUnknown => "lms_course_unknown",
            Self::Rejected => "lms_rejected",
            Self::Busy => "lms_busy",
            Self::ServerError => "lms_server_error",
            Self::Unreachable => "lms_unreachable",
            Self::Unclear => "lms_answer_unclear",
            Self::NotVerified => "lms_not_verified",
            Self::ForeignHost => "lms_foreign_host",
            Self::Recipe => "lms_recipe_invalid",
            Self::ByHand => "lms_unenrol_by_hand",
        }
    }

    /// Whether trying again can help without anybody doing anything.
    #[must_use]
    pub const fn passes(self) -> bool {
        matches!(self, Self::Busy | Self::ServerError | Self::Unreachable | Self::Unclear | Self::NotVerified)
    }
}

/// A failure with its place and technical detail; never a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", kind.code())]
pub struct Failure {
    /// What can be done about it.
    pub kind: Kind,
    /// Host, step, status, the beginning of the answer.
    pub detail: String,
    /// How long the platform wants to be left alone.
    pub retry_after: Option<Duration>,
}

impl Failure {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), retry_after: None }
    }
}
