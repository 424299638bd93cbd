//! The ways to tell the owner something outside the app.

/// A way to the owner. The in-app inbox has everything whatever becomes of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Channel {
    /// A pop-up on the desktop that the app runs on.
    Desktop,
    /// A message of the owner's own Telegram bot.
    Telegram,
    /// A signed request to an address of the owner's.
    Webhook,
    /// A mail.
    Mail,
}

impl Channel {
    /// Every channel.
    pub const ALL: [Self; 4] = [Self::Desktop, Self::Telegram, Self::Webhook, Self::Mail];
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// As stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Desktop => "desktop",
            Self::Telegram => "telegram",
            Self::Webhook => "webhook",
            Self::Mail => "mail",
        }
    }

    /// The channel of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == name)
    }
}
