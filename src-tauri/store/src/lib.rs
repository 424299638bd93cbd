//! Every line of SQL of a shop: one SQLite file, one writer with group commit, a pool of readers.
//!
//! Callers speak in orders, transfers and tasks; nothing outside this crate names sqlx. All times are
//! milliseconds UTC given by the caller, who owns the clock.

mod access;
mod address;
mod aftermath;
mod audit;
mod backup;
pub mod bench;
pub mod bring_over;
mod bundles;
mod cases;
mod catalogue;
mod checkpoint;
mod customer_mail;
mod effects;
mod enqueue;
mod enrolment;
mod error;
mod expiry;
mod external;
mod guard;
mod intake;
mod ledger;
mod notices;
mod open;
mod order_money;
mod orders;
mod outgoing;
mod posting;
mod queue;
mod queue_actions;
pub mod read;
mod reconcile;
mod rejected;
mod secret_ages;
mod seed;
mod services;
mod standby;
mod storefront;
mod telling;
mod test_deliveries;
mod tuning;
mod unmatched;
mod verify;
mod versions;
mod wallet;
mod worker_keys;
mod writer;

pub use access::{AccessRecord, Grant, GrantWish};
pub use address::AddressChange;
pub use aftermath::{Aftermath, GivenLink, MailIntent, NewLink};
pub use audit::{AuditBreak, AuditFindings, AuditHead};
pub use backup::{Along, BackupRun, Contents, CopyCounts};
pub use bundles::{BundleEdit, BundleRecord};
pub use cases::{DeliveryCase, DeliveryItem, LinkRecord, PrepareCase};
pub use catalogue::{AccountEdit, AuditEntry, CourseEdit, CustomerEdit};
pub use customer_mail::{MailCase, Told};
pub use effects::{Claimant, Effect};
pub use enqueue::jittered_backoff_ms;
pub use enrolment::{Enrolled, EnrolmentIntent, EnrolmentRecord, Intended};
pub use error::Error;
pub use external::{
    CallOutcome, ExternalFailure, ExternalLease, ExternalTask, ExternalWish, Giving, Held, WorkerCall,
    WorkerResult,
};
pub use intake::{Answer, Incoming, Source};
pub use notices::{INFORMATION, NEEDS_OWNER, NoticeRecord, Raise, STOPPED};
pub use open::{MINIMUM_SQLITE, Store};
pub use order_money::SurplusTo;
pub use orders::{CreatedOrder, Idempotency, NewOrderRow, new_deposit_code};
pub use outgoing::{EndpointRecord, OUTGOING_EVENTS, OutgoingGlance, OutgoingRecord};
pub use queue::{Claim, Claimed, Failure, Outlook, Settled, Settlement, StageResult, prepare_key};
pub use queue_actions::{FailureFilterRow, LanePause, RetryCounts};
pub use reconcile::{BalanceRecord, Cursor, Listed, RunEnd, RunRecord};
pub use rejected::RejectedHour;
pub use secret_ages::{KeyChange, SecretAge};
pub use services::{ServiceRecord, service_key, service_of};
pub use standby::Standing;
pub use storefront::{Buyer, NewBuyer, TopUp};
pub use telling::Telling;
pub use test_deliveries::TestCase;
pub use tuning::Tuning;
pub use unmatched::{Credit, Hand, Placing};
pub use verify::Findings;
pub use versions::{Announcement, CheckCase, LONGEST_MESSAGE, SourceCheck};
pub use worker_keys::WorkerKeyRecord;
pub use writer::Touched;

/// What every call of the store answers.
pub type Result<T> = std::result::Result<T, Error>;

#[cfg(test)]
mod migration_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod verify_tests;
