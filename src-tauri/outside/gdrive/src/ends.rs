//! Where Google's three services are; a stand-in is put in their place by its addresses.

use url::Url;

use crate::Error;

/// The addresses that are spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ends {
    /// Of the API, `https://www.googleapis.com/drive/v3`.
    pub api_base: String,
    /// Of uploads, `https://www.googleapis.com/upload/drive/v3`.
    pub upload_base: String,
    /// Of tokens, `https://oauth2.googleapis.com`. The owner's consent is asked for at `accounts.google.com` there,
    /// and below this address elsewhere.
    pub auth_base: String,
}

impl Ends {
    /// Google's own.
    pub const GOOGLE: (&str, &str, &str) = (
        "https://www.googleapis.com/drive/v3",
        "https://www.googleapis.com/upload/drive/v3",
        "https://oauth2.googleapis.com",
    );

    /// These addresses. One without a path is taken for the host alone, and Google's path is put behind it.
    #[must_use]
    pub fn new(api_base: &str, upload_base: &str, auth_base: &str) -> Self {
        Self {
            api_base: with_path(api_base, "/drive/v3"),
            upload_base: with_path(upload_base, "/upload/drive/v3"),
            auth_base: auth_base.trim_end_matches('/').to_owned(),
        }
    }

    pub(crate) fn token(&self) -> String {
        format!("{}/token", self.auth_base)
    }

    pub(crate) fn revoke(&self) -> String {
        format!("{}/revoke", self.auth_base)
    }

    pub(crate) fn consent(&self) -> String {
        if self.auth_base == Self::GOOGLE.2 {
            return "https://accounts.google.com/o/oauth2/v2/auth".to_owned();
        }
        format!("{}/o/oauth2/v2/auth", self.auth_base)
    }

    pub(crate) fn api(&self, path: &str, query: &[(&str, &str)]) -> Result<Url, Error> {
        address(&self.api_base, path, query)
    }

    pub(crate) fn upload(&self, path: &str, query: &[(&str, &str)]) -> Result<Url, Error> {
        address(&self.upload_base, path, query)
    }
}

impl Default for Ends {
    fn default() -> Self {
        let (api, upload, auth) = Self::GOOGLE;
        Self::new(api, upload, auth)
    }
}

fn with_path(base: &str, path: &str) -> String {
    let base = base.trim_end_matches('/');
    match Url::parse(base) {
        Ok(url) if url.path() == "/" => format!("{base}{path}"),
        _ => base.to_owned(),
    }
}

fn address(base: &str, path: &str, query: &[(&str, &str)]) -> Result<Url, Error> {
    let mut url = Url::parse(&format!("{base}{path}"))
        .map_err(|why| Error::denied("address", format!("{base} is no address: {why}")))?;
    url.query_pairs_mut().extend_pairs(query);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_host_is_given_googles_paths() {
        let ends = Ends::new("http://127.0.0.1:9/", "http://127.0.0.1:9", "http://127.0.0.1:9/");
        assert_eq!(ends.api_base, "http://127.0.0.1:9/drive/v3");
        assert_eq!(ends.upload_base, "http://127.0.0.1:9/upload/drive/v3");
        assert_eq!(ends.token(), "http://127.0.0.1:9/token");
        let ends = Ends::new("http://a/x/drive/v3/", "http://a/y", "http://a");
        assert_eq!(
            (ends.api_base.as_str(), ends.upload_base.as_str()),
            ("http://a/x/drive/v3", "http://a/y")
        );
        assert_eq!(Ends::default().consent(), "https://accounts.google.com/o/oauth2/v2/auth");
    }
}
