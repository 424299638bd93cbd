//! The pool: claims tasks, runs their stages, keeps their leases, replaces workers that fail.

mod stage;

pub use stage::{ErrorClass, Meter, StageContext, StageError};
