//! An environment in which web pages work, settled before any thread starts.
//!
//! WebKit takes its language from the locale: under `C.UTF-8`, the default of small systems, the page sees
//! the language `C`, every `Intl` call throws, and the window stays white. Changing the process's own
//! environment is unsafe in Rust, so the program starts itself again with a better one.

/// Starts the program again where that is needed; returns where it is not.
///
/// # Errors
/// When the program cannot be started again.
#[cfg(target_os = "linux")]
pub(crate) fn settle() -> anyhow::Result<()> {
    use crate::args::variable;
    use std::os::unix::process::CommandExt;

    /// Set in the second start, so that there is no third.
    const SETTLED: &str = "CHOTDON_LOCALE_SETTLED";
    const VARIABLES: [&str; 3] = ["LC_ALL", "LC_MESSAGES", "LANG"];

    if variable(SETTLED).is_some() {
        return Ok(());
    }
    let values = VARIABLES.map(|name| variable(name).and_then(|value| value.into_string().ok()));
    let no_language = is_no_language(&values);
    let software = variable("WEBKIT_DISABLE_DMABUF_RENDERER").is_none() && !has_gpu();
    if !no_language && !software {
        return Ok(());
    }
    let mut again = std::process::Command::new(std::env::current_exe()?);
    again.args(std::env::args_os().skip(1)).env(SETTLED, "1");
    if no_language {
        again.env_remove("LC_ALL").env_remove("LC_MESSAGES").env("LANG", "vi_VN.UTF-8");
    }
    if software {
        again.env("WEBKIT_DISABLE_DMABUF_RENDERER", "1");
    }
    Err(again.exec().into())
}

/// Windows and macOS take the language from the system's settings.
///
/// # Errors
/// Never.
#[cfg(not(target_os = "linux"))]
pub(crate) fn settle() -> anyhow::Result<()> {
    Ok(())
}

/// True when the first of the three that says anything says "no language in particular".
#[cfg(target_os = "linux")]
fn is_no_language(values: &[Option<String>; 3]) -> bool {
    let Some(chosen) = values.iter().flatten().find(|value| !value.is_empty()) else { return true };
    let language = chosen.split(['.', '@']).next().unwrap_or_default();
    language == "C" || language == "POSIX"
}

/// Without one, WebKit's accelerated path shows an empty window.
#[cfg(target_os = "linux")]
fn has_gpu() -> bool {
    let Ok(devices) = std::fs::read_dir("/dev/dri") else { return false };
    devices.flatten().any(|device| device.file_name().to_string_lossy().starts_with("renderD"))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::is_no_language;

    fn settles([all, messages, lang]: [&str; 3]) -> bool {
        is_no_language(&[all, messages, lang].map(|value| Some(value.to_owned())))
    }

    #[test]
    fn unset_and_c_locales_are_no_language() {
        assert!(is_no_language(&[None, None, None]));
        assert!(settles(["", "", ""]));
        assert!(settles(["", "", "C.UTF-8"]));
        assert!(settles(["", "", "POSIX"]));
        assert!(settles(["C", "", "vi_VN.UTF-8"]), "LC_ALL wins over LANG");
    }

    #[test]
    fn a_chosen_language_stays() {
        assert!(!settles(["", "", "vi_VN.UTF-8"]));
        assert!(!settles(["", "en_US.UTF-8", "C"]), "LC_MESSAGES wins over LANG");
        assert!(!settles(["", "", "ca_ES@valencia"]));
    }
}
