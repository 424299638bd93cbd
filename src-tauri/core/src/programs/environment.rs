//! The environment of a child: nothing is inherited, so no variable of ours or of the owner's session reaches it.

/// Where programs are looked for, whatever the app was started with.
pub const SYSTEM_PATH: &str =
    "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin:/opt/homebrew/bin";

/// Marks every process of one run, so that those which left their group are found.
pub(super) const MARK: &str = "CHOTDON_RUN";

/// What every child gets besides its caller's variables, which win.
pub(super) const ALLOWED: &[(&str, &str)] =
    &[("PATH", SYSTEM_PATH), ("LANG", "C.UTF-8"), ("LC_ALL", "C.UTF-8")];
