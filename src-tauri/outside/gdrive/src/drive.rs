//! The client: one way to make a call, with a fresh token when one is refused, and what the account says of itself.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, header, redirect};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::{Class, Ends, Error, Tokens};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest wait for the answer to a call that carries no file.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// Largest answer that is read, bytes; a page of a list is far below.
const MAX_BODY: usize = 16 << 20;

/// A Drive account, spoken to over one pool of connections. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Drive {
    pub(crate) ends: Ends,
    /// For uploads: without a time limit, since the line may be slow.
    pub(crate) http: Client,
    tokens: Tokens,
    pub(crate) shared_drive: Option<String>,
}

/// What the account says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The account's address.
    pub email: String,
    /// The owner's name as Google shows it; may be empty.
    pub name: String,
    /// Bytes that it may hold; `None` = not limited, or not said.
    pub limit: Option<u64>,
    /// Bytes that it holds, in all of Google's services.
    pub usage: u64,
}

impl About {
    /// Bytes left; `None` = not limited.
    #[must_use]
    pub fn free(&self) -> Option<u64> {
        self.limit.map(|limit| limit.saturating_sub(self.usage))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AboutAnswer {
    #[serde(default)]
    user: User,
    #[serde(default)]
    storage_quota: Quota,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct User {
    email_address: String,
    display_name: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Quota {
    limit: Option<String>,
    usage: String,
}

impl Drive {
    /// The account that `tokens` open. Makes no call yet.
    ///
    /// # Errors
    /// When the machine's TLS cannot be set up.
    pub fn new(ends: Ends, tokens: Tokens) -> Result<Self, Error> {
        Ok(Self { ends, http: Self::http()?, tokens, shared_drive: None })
    }

    /// Works in a shared drive.
    #[must_use]
    pub fn in_shared_drive(mut self, id: &str) -> Self {
        self.shared_drive = Some(id.to_owned());
        self
    }

    /// Whether it works in a shared drive, which has limits of its own.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.shared_drive.is_some()
    }

    /// 308 is an answer here and no redirect, and nobody else's address is ever followed with our token.
    pub(crate) fn http() -> Result<Client, Error> {
        Client::builder()
            .user_agent(concat!("ChotDon/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| Error::unreachable("no HTTP client", error))
    }

    /// Who the account is, and how much room it has.
    ///
    /// # Errors
    /// As every call: see [`Class`].
    pub async fn about(&self) -> Result<About, Error> {
        let url = self.ends.api("/about", &[("fields", "user,storageQuota")])?;
        let answer: AboutAnswer = self.json("about", Method::GET, url, None).await?;
        Ok(About {
            email: answer.user.email_address,
            name: answer.user.display_name,
            limit: answer.storage_quota.limit.and_then(|text| text.parse().ok()),
            usage: answer.storage_quota.usage.parse().unwrap_or(0),
        })
    }

    /// Makes a call and reads its answer.
    pub(crate) async fn json<T: DeserializeOwned>(
        &self,
        what: &str,
        method: Method,
        url: Url,
        body: Option<&Value>,
    ) -> Result<T, Error> {
        let answer = self.call(what, method, url, body).await?;
        serde_json::from_slice(&answer).map_err(|_| Error::unreadable(what))
    }

    /// Makes a call without a file; answers the body of a success.
    pub(crate) async fn call(
        &self,
        what: &str,
        method: Method,
        url: Url,
        body: Option<&Value>,
    ) -> Result<Vec<u8>, Error> {
        let response = self
            .authorized(what, || {
                let request = self.http.request(method.clone(), url.clone()).timeout(CALL_TIMEOUT);
                match body {
                    Some(body) => request
                        .header(header::CONTENT_TYPE, "application/json; charset=UTF-8")
                        .body(body.to_string()),
                    None => request,
                }
            })
            .await?;
        success(what, response).await
    }

    /// Sends what `request` builds with a token, and once more with a fresh one when that was refused.
    pub(crate) async fn authorized(
        &self,
        what: &str,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<Response, Error> {
        let mut tries = 0;
        loop {
            let access = self.tokens.access(&self.http, &self.ends).await?;
            let request = request().bearer_auth(access.token.expose_secret());
            let response = request.send().await.map_err(|error| Error::unreachable(what, error))?;
            if response.status() != StatusCode::UNAUTHORIZED {
                return Ok(response);
            }
            self.tokens.refused(&access).await;
            tries += 1;
            if tries == 2 {
                return Ok(response);
            }
        }
    }
}

/// The body of a success, or what the answer says went wrong.
pub(crate) async fn success(what: &str, response: Response) -> Result<Vec<u8>, Error> {
    let (status, headers) = (response.status(), response.headers().clone());
    let body = read_body(what, response).await?;
    if status.is_success() { Ok(body) } else { Err(Error::answered(what, status, &headers, &body)) }
}

/// Reads a body that ought to be small.
pub(crate) async fn read_body(what: &str, mut response: Response) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Error::unreachable(what, error))? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_BODY {
            return Err(Error::new(Class::Unclear, format!("{what}: the answer has no end")));
        }
    }
    Ok(body)
}

/// An id that may stand in an address: Google's consist of letters, digits, `-` and `_`.
pub(crate) fn checked(id: &str) -> Result<&str, Error> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if id.is_empty() || !id.bytes().all(fits) {
        return Err(Error::denied("id", format!("{id:?} is no id of Drive's")));
    }
    Ok(id)
}
