//! Child processes: started with an environment of their own, watched, bounded, and ended as a whole group.
//!
//! `child` starts and ends one, `supervise` runs one to its end, `group` holds what differs between systems.
//! Callers are the downloader source, rclone and the tunnel; what the programs mean by what they say is theirs.

mod child;
mod environment;
mod group;
mod lines;
mod supervise;

pub use child::{Child, Launch, Limits};
pub use environment::SYSTEM_PATH;
pub(crate) use lines::Lines;
pub use supervise::{Bounds, Ended, Exit, Stopped, run};
