//! Where the passphrase of the encrypted file comes from.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::ports::SecretError;
use crate::private_file;

/// File in a demo data directory that stands in for a passphrase. A real shop never has one.
pub const DEMO_KEY_FILE: &str = "demo-secrets.key";

/// A passphrase and where it was found.
pub struct Passphrase {
    /// The passphrase itself.
    pub value: SecretString,
    /// The file it came from, for messages.
    pub source: PathBuf,
    /// True when it is only the demo's own key file.
    pub is_demo_key: bool,
}

impl Passphrase {
    /// Looks for a passphrase: the file named by `CHOTDON_SECRETS_PASSPHRASE_FILE`, then the systemd credential
    /// `chotdon-passphrase`, then the demo key in `data_dir`. With `make_demo_key` that key is made when there
    /// is nothing else. `env` answers for environment variables. `None` when there is none.
    ///
    /// # Errors
    /// [`SecretError::Unreadable`] when a named file cannot be read or is empty.
    pub fn find(
        data_dir: &Path,
        make_demo_key: bool,
        env: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Self>, SecretError> {
        if let Some(path) = env("CHOTDON_SECRETS_PASSPHRASE_FILE") {
            return Self::read(PathBuf::from(path), false).map(Some);
        }
        if let Some(folder) = env("CREDENTIALS_DIRECTORY") {
            let path = PathBuf::from(folder).join("chotdon-passphrase");
            if path.exists() {
                return Self::read(path, false).map(Some);
            }
        }
        let path = data_dir.join(DEMO_KEY_FILE);
        if make_demo_key && !path.exists() {
            private_file::create_folder(data_dir)
                .and_then(|()| private_file::replace(&path, super::generate().expose_secret().as_bytes()))
                .map_err(|error| unreadable(&path, &error.to_string()))?;
        }
        if path.exists() { Self::read(path, true).map(Some) } else { Ok(None) }
    }

    fn read(source: PathBuf, is_demo_key: bool) -> Result<Self, SecretError> {
        let text = fs::read_to_string(&source).map_err(|error| unreadable(&source, &error.to_string()))?;
        let text = Zeroizing::new(text);
        let value = SecretString::from(text.trim_end_matches(['\r', '\n']));
        if value.expose_secret().is_empty() {
            return Err(unreadable(&source, "the file is empty"));
        }
        crate::logging::hide(&value);
        Ok(Self { value, source, is_demo_key })
    }
}

fn unreadable(path: &Path, why: &str) -> SecretError {
    SecretError::Unreadable(format!("passphrase file {}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_file_wins_over_the_credential_and_the_demo_key() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("named"), "one\n").unwrap();
        fs::write(dir.path().join("chotdon-passphrase"), "two\n").unwrap();
        let both = |name: &str| match name {
            "CHOTDON_SECRETS_PASSPHRASE_FILE" => Some(dir.path().join("named").into_os_string()),
            "CREDENTIALS_DIRECTORY" => Some(dir.path().as_os_str().to_owned()),
            _ => None,
        };
        let credential = |name: &str| if name == "CREDENTIALS_DIRECTORY" { both(name) } else { None };
        let value = |found: Option<Passphrase>| found.map(|p| p.value.expose_secret().to_owned());
        assert_eq!(value(Passphrase::find(dir.path(), true, both).unwrap()).unwrap(), "one");
        assert_eq!(value(Passphrase::find(dir.path(), true, credential).unwrap()).unwrap(), "two");
        assert_eq!(value(Passphrase::find(dir.path(), false, |_| None).unwrap()), None);
        assert!(!dir.path().join(DEMO_KEY_FILE).exists());

        let made = Passphrase::find(dir.path(), true, |_| None).unwrap().unwrap();
        assert!(made.is_demo_key);
        let found = Passphrase::find(dir.path(), false, |_| None).unwrap().unwrap();
        assert_eq!(found.value.expose_secret(), made.value.expose_secret());
    }

    #[test]
    fn a_missing_or_empty_file_is_an_error_and_not_a_weak_passphrase() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("named");
        let env =
            |name: &str| (name == "CHOTDON_SECRETS_PASSPHRASE_FILE").then(|| path.clone().into_os_string());
        assert!(Passphrase::find(dir.path(), true, env).is_err());
        fs::write(&path, "\n").unwrap();
        assert!(Passphrase::find(dir.path(), true, env).is_err());
    }
}
