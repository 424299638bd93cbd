//! A crashed program leaves no picture of its memory, and other programs of the user cannot look into it: secrets are there.
//!
//! Called first thing by the desktop app and the server. `docs/platforms.md` says what each system does of it.

/// Forbids core dumps of this process and its children, and on Linux attaching to this process.
///
/// Where the system refuses, the program goes on: it says so in the answer, for the log.
#[cfg(unix)]
pub fn forbid() -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let limited = setrlimit(Resource::Core, none).map_err(|error| format!("core file limit: {error}"));
    // A system that pipes dumps to a program ignores the limit, and obeys this. Programs that we start are
    // dumpable again, and have the limit.
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|error| format!("dumpable: {error}"))?;
    }
    limited
}

/// Windows writes no dump of a program unless its owner has set that up in Windows Error Reporting.
#[cfg(not(unix))]
pub fn forbid() -> Result<(), String> {
    Ok(())
}
