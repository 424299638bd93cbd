//! The pool: claims tasks, runs their stages, keeps their leases, replaces workers that fail.
//!
//! `pool` decides who works on what, `worker` is one of them, `watch` sees that they live. What a stage does
//! is in `tasks`.

mod pool;
mod stage;
mod watch;
mod worker;

pub use pool::{Next, Pool, PoolSettings, StageOutcome, Stages, WorkerSight};
pub use stage::{ErrorClass, Meter, StageContext, StageError, Until, Wait};
