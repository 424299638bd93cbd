//! Where an outside service stands: Drive, the mail server, a platform, a source.

/// Whether a service is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ServiceState {
    /// In use.
    Open,
    /// Left alone because it said so, or because the owner has to do something: a quota, a refused login.
    Parked,
    /// Left alone because it failed again and again.
    Broken,
}

impl ServiceState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Open, Self::Parked, Self::Broken];

    /// As stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Parked => "parked",
            Self::Broken => "broken",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}
