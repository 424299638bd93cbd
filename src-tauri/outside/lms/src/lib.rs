//! Learning platforms by recipe: a recipe is data, the ordered HTTP steps that ask whether somebody is a student of
//! a course, make them one, and take that back. [`Recipe`] reads and checks one, [`Run`] carries it out, [`plan`]
//! shows what would be sent. Moodle, Teachable, Thinkific, Canvas and Open edX come along ([`ready`]).
//!
//! Knows nothing of a shop and keeps nothing; the caller says who, where and with which secrets.

mod answer;
mod check;
mod facts;
mod failure;
mod plan;
mod ready;
mod recipe;
mod request;
mod run;
mod template;

pub use facts::{Buyer, Course, Facts};
pub use failure::{Failure, Kind};
pub use plan::{PlannedRequest, plan};
pub use ready::{ready, recipe};
pub use recipe::{
    BadRecipe, Capture, Enrol, Escape, Fault, FaultKind, Field, Method, Probe, Recipe, Step, Text, Unenrol,
};
pub use run::{Caller, Run};
