//! Where things are in this checkout, and stamps that say a step need not be done again.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

use anyhow::{Context, Result};

/// A checkout of this repository.
#[derive(Debug)]
pub(crate) struct Project {
    /// The directory that holds the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Cargo's target directory.
    pub(crate) target: PathBuf,
}

impl Project {
    /// The checkout this program was built from.
    pub(crate) fn find() -> Result<Self> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest
            .ancestors()
            .nth(2)
            .context("the xtask package lies two directories below the root")?
            .to_owned();
        let target =
            env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
        Ok(Self { root, target })
    }

    /// What `cargo xtask` itself leaves behind: stamps, logs, downloaded tools.
    pub(crate) fn state(&self) -> Result<PathBuf> {
        let dir = self.target.join("xtask");
        fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
        Ok(dir)
    }

    /// The directory of the UI's sources.
    pub(crate) fn ui(&self) -> PathBuf {
        self.root.join("ui")
    }

    /// A built program: `profile` is the name of its directory under `target`.
    pub(crate) fn program(&self, profile: &str, name: &str) -> PathBuf {
        self.target.join(profile).join(format!("{name}{}", env::consts::EXE_SUFFIX))
    }

    /// `cargo`, started at the root, with the same toolchain as this program.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // Set for this program by `cargo run`; they would make others rebuild.
        for name in ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_PKG_NAME", "OUT_DIR"] {
            cargo.env_remove(name);
        }
        cargo.current_dir(&self.root);
        cargo
    }

    /// Does `work` unless it was done before with the same `fingerprint` and `product` still exists.
    /// True when it was done now.
    pub(crate) fn once(
        &self,
        name: &str,
        fingerprint: u64,
        product: &Path,
        work: impl FnOnce() -> Result<()>,
    ) -> Result<bool> {
        let stamp = self.state()?.join(format!("{name}.stamp"));
        let now = format!("{fingerprint:016x}");
        if product.exists() && fs::read_to_string(&stamp).is_ok_and(|before| before == now) {
            return Ok(false);
        }
        work()?;
        fs::write(&stamp, now).with_context(|| format!("writing {}", stamp.display()))?;
        Ok(true)
    }
}

/// A number that changes when any of these files or directories does. Names in `skip` are left out.
pub(crate) fn fingerprint(paths: &[PathBuf], skip: &[&str]) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    for path in paths {
        add(path, skip, &mut hasher).with_context(|| format!("reading {}", path.display()))?;
    }
    Ok(hasher.finish())
}

fn add(path: &Path, skip: &[&str], hasher: &mut DefaultHasher) -> io::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    if !path.is_dir() {
        path.hash(hasher);
        fs::read(path)?.hash(hasher);
        return Ok(());
    }
    let mut entries =
        fs::read_dir(path)?.map(|entry| entry.map(|e| e.path())).collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    for entry in entries {
        if !entry.file_name().is_some_and(|name| skip.iter().any(|s| name == *s)) {
            add(&entry, skip, hasher)?;
        }
    }
    Ok(())
}
