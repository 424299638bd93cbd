//! Mail to buyers: written from templates, sent once by SMTP or put into a folder of `.eml` files.
//!
//! The outbox (who was sent what, when) is the store's. A message is the same on every retry: same id, same
//! words; only a re-send by the owner makes a new one.

pub(crate) mod built_in;
pub(crate) mod example;
mod mailbox;
mod message;
pub(crate) mod own;
pub(super) mod render;
#[cfg(test)]
mod snapshot_tests;
pub(super) mod template;
mod transport;

pub use mailbox::{list, read};
pub use message::{Message, delivery_message_id, money_message_id, test_message_id};
pub use render::Mistake;
pub(crate) use render::slashes_as_they_are;
pub(crate) use template::vietnam_time;
pub use template::{Delivered, DeliveredItem, MoneyMoved, Parts, Templates};
pub use transport::{SmtpSettings, TlsMode, Transport};
