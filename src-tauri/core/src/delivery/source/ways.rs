//! Everything that courses are fetched with: one for the whole shop, cheap to clone.

use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;

use super::super::manifest::Manifest;
use super::super::rclone::{RemoteSpec, Remotes};
use super::{Downloader, HttpSource, Order, SourceSpec, fetch};
use crate::workers::{StageContext, StageError};

/// Which version of which course a source is asked for.
#[derive(Debug, Clone, Copy)]
pub struct CourseAsked<'a> {
    /// The course's slug.
    pub slug: &'a str,
    /// Counted from 1.
    pub version: i64,
}

/// The ways to fetch a course.
#[derive(Debug, Clone)]
pub struct Ways {
    /// For servers.
    pub http: Arc<HttpSource>,
    /// For the owner's programs.
    pub downloader: Downloader,
    /// For everything that rclone knows.
    pub remotes: Remotes,
}

impl Ways {
    /// Copies everything the source has into `staging`, as [`fetch`] does, by whichever way the source needs.
    ///
    /// # Errors
    /// Those of [`fetch`], of a downloader, and of rclone.
    pub async fn fetch(
        &self,
        cx: &StageContext,
        spec: &SourceSpec,
        asked: CourseAsked<'_>,
        staging: &Path,
        secret: Option<SecretString>,
    ) -> Result<Manifest, StageError> {
        spec.validate().map_err(|why| StageError::permanent("source_invalid", why))?;
        cx.check()?;
        if let Some(order) = Order::of(spec) {
            return self.downloader.fetch(cx, order, asked, staging, secret).await;
        }
        match spec {
            SourceSpec::Rclone { remote, path, secret } => {
                let remote = RemoteSpec { remote, path, secret: secret.as_deref() };
                self.remotes.fetch(cx, remote, staging).await
            }
            _ => fetch(cx, spec, staging, &self.http, secret).await,
        }
    }
}
