//! Access tokens: brought when first needed and again when one was refused, once for everybody who waits.

use std::fmt;
use std::sync::Arc;

use reqwest::{Client, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::form_urlencoded;

use crate::drive::read_body;
use crate::{Ends, Error, ServiceKey};

/// The owner's own OAuth client, of the kind "Desktop app".
#[derive(Debug, Clone)]
pub struct OAuthClient {
    /// Ends in `.apps.googleusercontent.com`.
    pub id: String,
    /// Google gives desktop clients one and does not take it for a secret; the token endpoint wants it.
    pub secret: Option<SecretString>,
}

/// Where access tokens come from. Cheap to clone; clones share the token.
#[derive(Clone)]
pub struct Tokens {
    grant: Arc<Grant>,
    current: Arc<Mutex<Current>>,
}

enum Grant {
    Consent { client: OAuthClient, refresh_token: SecretString },
    Account { key: ServiceKey, scope: String, now_s: Box<dyn Fn() -> i64 + Send + Sync> },
}

#[derive(Default)]
struct Current {
    token: Option<SecretString>,
    /// Counts the tokens, so that one refused is not thrown away twice.
    number: u64,
}

/// A token and its number.
pub(crate) struct Access {
    pub(crate) token: SecretString,
    number: u64,
}

/// What the token endpoint answers.
#[derive(Deserialize)]
pub(crate) struct TokenAnswer {
    pub(crate) access_token: SecretString,
    pub(crate) refresh_token: Option<SecretString>,
    #[serde(default)]
    pub(crate) scope: String,
}

impl Tokens {
    /// By the owner's consent.
    #[must_use]
    pub fn of_owner(client: OAuthClient, refresh_token: SecretString) -> Self {
        Self::new(Grant::Consent { client, refresh_token })
    }

    /// By a service account, which owns no files: only for shared drives that it is a member of. `now_s` tells the
    /// seconds since 1970.
    #[must_use]
    pub fn of_service(key: ServiceKey, scope: &str, now_s: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self::new(Grant::Account { key, scope: scope.to_owned(), now_s: Box::new(now_s) })
    }

    fn new(grant: Grant) -> Self {
        Self { grant: Arc::new(grant), current: Arc::default() }
    }

    /// The current token, or a new one.
    pub(crate) async fn access(&self, http: &Client, ends: &Ends) -> Result<Access, Error> {
        let mut current = self.current.lock().await;
        if let Some(token) = &current.token {
            return Ok(Access { token: token.clone(), number: current.number });
        }
        let token = self.grant.fetch(http, ends).await?;
        current.token = Some(token.clone());
        current.number += 1;
        Ok(Access { token, number: current.number })
    }

    /// Forgets a token that was refused, unless somebody has brought another one since.
    pub(crate) async fn refused(&self, access: &Access) {
        let mut current = self.current.lock().await;
        if current.number == access.number {
            current.token = None;
        }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match *self.grant {
            Grant::Consent { .. } => "of the owner",
            Grant::Account { .. } => "of a service account",
        };
        f.debug_tuple("Tokens").field(&kind).finish()
    }
}

impl Grant {
    async fn fetch(&self, http: &Client, ends: &Ends) -> Result<SecretString, Error> {
        let answer = match self {
            Self::Consent { client, refresh_token } => {
                let mut fields = vec![
                    ("grant_type", "refresh_token"),
                    ("client_id", client.id.as_str()),
                    ("refresh_token", refresh_token.expose_secret()),
                ];
                if let Some(secret) = &client.secret {
                    fields.push(("client_secret", secret.expose_secret()));
                }
                ask(http, &ends.token(), &fields).await?
            }
            Self::Account { key, scope, now_s } => {
                let assertion = key.assertion(scope, &ends.token(), now_s())?;
                let fields = [
                    ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
                    ("assertion", assertion.expose_secret()),
                ];
                ask(http, &ends.token(), &fields).await?
            }
        };
        Ok(answer.access_token)
    }
}

/// Posts a form to the token endpoint.
pub(crate) async fn ask(http: &Client, address: &str, fields: &[(&str, &str)]) -> Result<TokenAnswer, Error> {
    let body = post(http, address, fields).await?;
    serde_json::from_slice(&body).map_err(|_| Error::unreadable("a token request"))
}

/// Posts a form with secrets in its body; answers the body of a success.
pub(crate) async fn post(http: &Client, address: &str, fields: &[(&str, &str)]) -> Result<Vec<u8>, Error> {
    const WHAT: &str = "token request";
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let response = http
        .post(address)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await
        .map_err(|error| Error::unreachable(WHAT, error))?;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = read_body(WHAT, response).await?;
    if status.is_success() { Ok(body) } else { Err(Error::answered(WHAT, status, &headers, &body)) }
}
