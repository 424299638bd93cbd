//! A buyer's access at another system: given for one course of one order, taken back with it.

/// Where a grant stands. Intent and granted ones are alive; the outside access goes with the last living one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GrantState {
    /// About to be given; after a crash the other side is asked before it is given again.
    Intent,
    /// Given and seen there.
    Granted,
    /// To be taken back.
    Revoking,
    /// Gone.
    Revoked,
}

impl GrantState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Intent, Self::Granted, Self::Revoking, Self::Revoked];

    /// As stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Granted => "granted",
            Self::Revoking => "revoking",
            Self::Revoked => "revoked",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}
