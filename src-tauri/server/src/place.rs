//! Which shop a command means: its data directory, and the store of its secrets.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::anyhow;
use chotdon_core::config::Config;
use chotdon_core::ports::{Clock, SecretStore, SystemClock};
use chotdon_core::secrets::{Credentials, FileSecrets, Passphrase};
use chotdon_server::keychain;

use crate::cli::{SecretsIn, ShopArgs};
use crate::end::End;
use crate::environment::Environment;

/// A shop on this machine.
pub(crate) struct Place {
    pub(crate) data_dir: PathBuf,
    pub(crate) environment: Environment,
    secrets: Option<SecretsIn>,
}

impl Place {
    pub(crate) fn of(args: &ShopArgs, environment: &Environment) -> Result<Self, End> {
        let data_dir = args.data_dir.clone().or_else(|| environment.data_dir());
        let data_dir =
            data_dir.ok_or_else(|| End::usage("give the shop's data directory with --data-dir"))?;
        Ok(Self { data_dir, environment: environment.clone(), secrets: args.secrets })
    }

    /// The settings, with the environment's overrides.
    pub(crate) fn config(&self, demo: bool) -> Result<Config, End> {
        Config::load(&self.data_dir, demo, self.environment.settings()).map_err(End::failed)
    }

    /// The store of the shop's secrets: the one that was asked for; else the encrypted file when there is one,
    /// else the keyring. A demo without a keyring gets an encrypted file.
    pub(crate) async fn secret_store(&self, demo: bool) -> Result<Arc<dyn SecretStore>, End> {
        match self.secrets {
            Some(SecretsIn::File) => self.file(demo).await,
            Some(SecretsIn::Keyring) => self.keyring(),
            None if FileSecrets::exists_in(&self.data_dir) => self.file(demo).await,
            None => match self.keyring() {
                Ok(store) => Ok(store),
                Err(end) if demo => {
                    eprintln!(
                        "chotdon-server: no keyring can be used; this demo keeps its secrets in an encrypted file"
                    );
                    drop(end);
                    self.file(demo).await
                }
                Err(end) if self.passphrase(false)?.is_some_and(|found| !found.is_demo_key) => {
                    eprintln!(
                        "chotdon-server: no keyring can be used; secrets are in the encrypted file, as there is a passphrase for it"
                    );
                    drop(end);
                    self.file(demo).await
                }
                Err(end) => Err(end),
            },
        }
    }

    /// The shop's credentials.
    pub(crate) async fn credentials(&self) -> Result<Credentials, End> {
        Ok(Credentials::new(self.secret_store(false).await?).shared_in(&self.data_dir))
    }

    /// The store that was asked for, whichever is in use.
    pub(crate) async fn store_in(&self, which: SecretsIn) -> Result<Arc<dyn SecretStore>, End> {
        match which {
            SecretsIn::File => self.file(false).await,
            SecretsIn::Keyring => self.keyring(),
        }
    }

    fn keyring(&self) -> Result<Arc<dyn SecretStore>, End> {
        chotdon_core::private_file::create_folder(&self.data_dir)
            .map_err(|error| End::failed(anyhow!("{}: {error}", self.data_dir.display())))?;
        match keychain::open(&self.data_dir) {
            Ok(keychain) => Ok(Arc::new(keychain)),
            Err(error) => Err(End::failed(anyhow!(
                "{error}. Start a Secret Service (gnome-keyring, KWallet) and unlock it, or keep the secrets in an encrypted \
                 file: pass --secrets file and name a file with a passphrase in CHOTDON_SECRETS_PASSPHRASE_FILE \
                 (or give the systemd credential chotdon-passphrase)"
            ))),
        }
    }

    async fn file(&self, demo: bool) -> Result<Arc<dyn SecretStore>, End> {
        let passphrase = self.passphrase(demo)?.ok_or_else(|| {
            End::failed(anyhow!(
                "the encrypted secret file needs a passphrase: name a file that holds it in CHOTDON_SECRETS_PASSPHRASE_FILE, \
                 or give the systemd credential chotdon-passphrase"
            ))
        })?;
        if passphrase.is_demo_key && demo {
            eprintln!(
                "chotdon-server: the secrets of this demo are encrypted with the key in {} beside them; that is not safe for a real shop",
                passphrase.source.display()
            );
        }
        let source = passphrase.source.display().to_string();
        let store = FileSecrets::open(&self.data_dir, passphrase.value).await;
        Ok(Arc::new(
            store.map_err(|error| End::from(error).while_doing(format!("passphrase from {source}")))?,
        ))
    }

    fn passphrase(&self, demo: bool) -> Result<Option<Passphrase>, End> {
        Ok(Passphrase::find(&self.data_dir, demo, |name| self.environment.get(name))?)
    }

    /// True when the data directory was made by `serve --demo` and its secrets are only encrypted with the demo's key.
    pub(crate) fn has_demo_key(&self) -> bool {
        self.data_dir.join(chotdon_core::secrets::DEMO_KEY_FILE).exists()
    }
}

/// The time, for commands that run without a shop.
pub(crate) fn now_ms() -> i64 {
    SystemClock.now_ms()
}
