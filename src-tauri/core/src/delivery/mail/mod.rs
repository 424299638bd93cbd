//! Mail to buyers: written from templates, sent once by SMTP or put into a folder of `.eml` files.
//!
//! The outbox (who was sent what, when) is the store's. A message is the same on every retry: same id, same
//! words; only a re-send by the owner makes a new one.

mod mailbox;
mod message;
#[cfg(test)]
mod snapshot_tests;
pub(super) mod template;
mod transport;

pub use mailbox::{list, read};
pub use message::{Message, delivery_message_id, money_message_id, test_message_id};
pub use template::{Delivered, DeliveredItem, MoneyMoved, Parts, Templates};
pub(crate) use template::{slashes_as_they_are, vietnam_time};
pub use transport::{SmtpSettings, TlsMode, Transport};
