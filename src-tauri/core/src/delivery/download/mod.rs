//! What a buyer's link `/d/{token}` answers: the file, a page of files, or a page that says why not.
//!
//! Resolving the token, its expiry and the counting are the caller's; here nothing but answers is made.

mod file;
mod page;

use std::path::Path;

use axum::http::{HeaderMap, Method};
use axum::response::Response;

pub use page::{Refusal, refuse};

use super::manifest::{Manifest, ManifestFile};
use super::rclone::Remotes;
use super::target::Location;

/// What a valid link gives access to.
#[derive(Debug, Clone, Copy)]
pub struct Shared<'a> {
    /// The link's token, for the URLs of a page.
    pub token: &'a str,
    /// The library directory of the shop.
    pub library: &'a Path,
    /// For versions that lie on a remote.
    pub remotes: Option<&'a Remotes>,
    /// Where the version lies, as stored.
    pub location: &'a Location,
    /// Its files, as stored.
    pub manifest: &'a Manifest,
    /// For the page.
    pub course_title: &'a str,
    /// For the page.
    pub shop_name: &'a str,
    /// When the link ends, ms; `None` = never.
    pub expires_at: Option<i64>,
}

impl<'a> Shared<'a> {
    /// The answer to `GET` or `HEAD` of `/d/{token}` (`path` none) or `/d/{token}/{path}` (decoded once).
    ///
    /// A course of one file answers its bytes at once; of several, a page without scripts, or JSON for a client
    /// that accepts `application/json`. Files support single ranges, `If-Range` and `If-None-Match`.
    pub async fn respond(&self, path: Option<&str>, method: &Method, headers: &HeaderMap) -> Response {
        match (self.file(path), path) {
            (Some(file), _) => file::respond(self, file, method, headers).await,
            (None, Some(_)) => refuse(Refusal::Unknown, self.shop_name, headers),
            (None, None) => page::listing(self, headers),
        }
    }

    /// Whether [`respond`](Self::respond) to the same request would be a download to count: a `GET` that is
    /// answered with bytes from the first on. Ranges further in and pages do not count.
    #[must_use]
    pub fn counts(&self, path: Option<&str>, method: &Method, headers: &HeaderMap) -> bool {
        method == Method::GET && self.file(path).is_some_and(|file| file::from_the_start(file, headers))
    }

    /// How many counted downloads a link with `max_downloads` (of each file) has in all.
    #[must_use]
    pub fn allowance(&self, max_downloads: i64) -> i64 {
        let files = i64::try_from(self.manifest.files.len()).unwrap_or(i64::MAX);
        max_downloads.saturating_mul(files.max(1))
    }

    fn file(&self, path: Option<&str>) -> Option<&'a ManifestFile> {
        match (path, self.manifest.files.as_slice()) {
            (Some(path), _) => self.manifest.file(path),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
    }
}
