//! What a source has, told without fetching: for the test button, and for noticing that a course has changed.

use secrecy::SecretString;

use super::super::rclone::RemoteSpec;
use super::{SourceSpec, Ways, folder, listing, parse_url};
use crate::workers::{StageContext, StageError};

/// One file that a source offers, as far as the listing tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Relative, `/` between components.
    pub path: String,
    /// Bytes.
    pub size: Option<u64>,
    /// Lower-case hex.
    pub sha256: Option<String>,
    /// When it was last changed, in the source's own words; only to be compared.
    pub stamp: Option<String>,
    /// The same in ms, where the source's clock is ours.
    pub changed_at: Option<i64>,
}

impl Ways {
    /// Lists a source. `None` for one that cannot be listed without fetching it.
    ///
    /// # Errors
    /// As [`Ways::fetch`] before its first file.
    pub async fn look(
        &self,
        cx: &StageContext,
        spec: &SourceSpec,
        secret: Option<SecretString>,
    ) -> Result<Option<Vec<Offered>>, StageError> {
        spec.validate().map_err(|why| StageError::permanent("source_invalid", why))?;
        match spec {
            SourceSpec::Folder { path } => Ok(Some(folder::list(cx, path).await?)),
            SourceSpec::Http { url, .. } => {
                let url = parse_url(url).map_err(|why| StageError::permanent("source_invalid", why))?;
                let entries = listing::read(&self.http.session(cx, url, secret)).await?;
                let offered = entries.into_iter().map(|entry| Offered {
                    path: entry.path,
                    size: entry.size,
                    sha256: entry.sha256,
                    stamp: entry.changed,
                    changed_at: None,
                });
                Ok(Some(offered.collect()))
            }
            SourceSpec::Rclone { remote, path, secret } => {
                let remote = RemoteSpec { remote, path, secret: secret.as_deref() };
                Ok(Some(self.remotes.offered(cx, remote).await?))
            }
            SourceSpec::Program { .. } => Ok(None),
            SourceSpec::None {} => Ok(Some(Vec::new())),
        }
    }
}
