//! What the app was started with.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;

/// Control room for a shop that is paid by bank transfer through SePay.
#[derive(Debug, Clone, Parser)]
#[command(name = "chotdon", version)]
pub(crate) struct Args {
    /// Open a sample shop with its own data, a payment simulator and a mailbox folder
    #[arg(long)]
    pub(crate) demo: bool,
    /// Start in the tray, without a window
    #[arg(long)]
    pub(crate) hidden: bool,
    /// Show a page: chotdon://order/DH123456, chotdon://task/42, chotdon://unmatched/7
    #[arg(value_name = "LINK", hide = true)]
    link: Option<String>,
    /// Keep the shop's data here instead of the system's usual place
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl Args {
    /// Where the shop's data lies: as given, or `ChotDon` (`ChotDon-demo`) where programs keep their data.
    ///
    /// # Errors
    /// When nothing was given and the environment names no home.
    pub(crate) fn data_dir(&self) -> anyhow::Result<PathBuf> {
        if let Some(given) = &self.data_dir {
            return Ok(std::path::absolute(given)?);
        }
        let base = data_home().ok_or_else(|| anyhow::anyhow!("no home directory; give --data-dir"))?;
        Ok(base.join(if self.demo { "ChotDon-demo" } else { "ChotDon" }))
    }
}

impl Args {
    /// The page that it was started for.
    pub(crate) fn route(&self) -> Option<String> {
        crate::links::route(self.link.as_deref())
    }
}

fn data_home() -> Option<PathBuf> {
    if cfg!(target_os = "windows") {
        folder("APPDATA")
    } else if cfg!(target_os = "macos") {
        folder("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        folder("XDG_DATA_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/share")))
    }
}

/// Where programs keep their settings.
pub(crate) fn config_home() -> Option<PathBuf> {
    if cfg!(any(target_os = "windows", target_os = "macos")) {
        data_home()
    } else {
        folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")))
    }
}

fn folder(name: &str) -> Option<PathBuf> {
    variable(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// One variable of the environment.
#[allow(clippy::disallowed_methods)] // the desktop's one place that reads the environment
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}
