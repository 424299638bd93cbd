//! The owner's consent for a desktop app (RFC 8252): a browser, an address on this machine, PKCE and a state.
//!
//! The caller listens on loopback, opens [`Consent::url`] and hands the query that came back to [`Consent::finish`].

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::{Url, form_urlencoded};

use crate::tokens::{ask, post};
use crate::{Class, Drive, Ends, Error, OAuthClient};

/// Sees what the app made or was given, and nothing else.
pub const SCOPE_FILE: &str = "https://www.googleapis.com/auth/drive.file";
/// Sees the whole Drive; Google calls it restricted.
pub const SCOPE_FULL: &str = "https://www.googleapis.com/auth/drive";

/// A question to the owner that is under way. It is good for one answer.
pub struct Consent {
    client: OAuthClient,
    scope: String,
    redirect_uri: String,
    state: SecretString,
    verifier: SecretString,
    url: String,
}

/// What the owner gave.
#[derive(Debug, Clone)]
pub struct Granted {
    /// Good until it is revoked; after 7 days while the owner's consent screen is in testing.
    pub refresh_token: SecretString,
    /// What was really granted, separated by blanks: the owner may have left something out.
    pub scope: String,
}

impl Consent {
    /// Prepares the question. `redirect_uri` is `http://127.0.0.1:PORT` with the port that the caller listens on.
    ///
    /// # Errors
    /// When `auth_base` is no address.
    pub fn begin(ends: &Ends, client: OAuthClient, scope: &str, redirect_uri: &str) -> Result<Self, Error> {
        let (state, verifier) = (random(), random());
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose_secret().as_bytes()));
        let mut url = Url::parse(&ends.consent())
            .map_err(|why| Error::denied("address", format!("the consent address: {why}")))?;
        url.query_pairs_mut().extend_pairs([
            ("client_id", client.id.as_str()),
            ("redirect_uri", redirect_uri),
            ("response_type", "code"),
            ("scope", scope),
            ("state", state.expose_secret()),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            // Only with both does Google give a refresh token each time.
            ("access_type", "offline"),
            ("prompt", "consent"),
        ]);
        Ok(Self {
            client,
            scope: scope.to_owned(),
            redirect_uri: redirect_uri.to_owned(),
            state,
            verifier,
            url: url.into(),
        })
    }

    /// What the owner's browser has to open.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Takes the query of the redirect, `state=…&code=…`, and exchanges the code.
    ///
    /// # Errors
    /// `Denied("state")` for an answer to another question, `Denied("access_denied")` when the owner said no,
    /// `Denied("scope")` when they left the access to Drive out, else as the token endpoint says.
    pub async fn finish(self, ends: &Ends, query: &str) -> Result<Granted, Error> {
        let field = |name: &str| {
            let mut pairs = form_urlencoded::parse(query.trim_start_matches('?').as_bytes());
            pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        let state = field("state").unwrap_or_default();
        if !bool::from(state.as_bytes().ct_eq(self.state.expose_secret().as_bytes())) {
            return Err(Error::denied("state", "the answer belongs to another question"));
        }
        if let Some(error) = field("error") {
            return Err(Error::denied(&error, format!("Google's consent page answered {error}")));
        }
        let code = SecretString::from(
            field("code").ok_or_else(|| Error::denied("code", "the answer holds no code"))?,
        );
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("client_id", self.client.id.as_str()),
            ("code", code.expose_secret()),
            ("code_verifier", self.verifier.expose_secret()),
            ("redirect_uri", self.redirect_uri.as_str()),
        ];
        if let Some(secret) = &self.client.secret {
            fields.push(("client_secret", secret.expose_secret()));
        }
        let answer = ask(&Drive::http()?, &ends.token(), &fields).await?;
        let given = |scope: &str| answer.scope.split(' ').any(|given| given == scope);
        if !answer.scope.is_empty() && !given(&self.scope) && !given(SCOPE_FULL) {
            return Err(Error::denied("scope", "the access to Drive was not granted"));
        }
        let refresh_token = answer.refresh_token.ok_or_else(|| {
            Error::new(Class::Reconnect, "Google gave no refresh token; ask for consent anew")
        })?;
        Ok(Granted { refresh_token, scope: answer.scope })
    }
}

impl fmt::Debug for Consent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consent").field("redirect_uri", &self.redirect_uri).finish_non_exhaustive()
    }
}

impl Granted {
    /// Takes the grant back at Google; one that is gone already is fine.
    ///
    /// # Errors
    /// As the token endpoint says.
    pub async fn revoke(ends: &Ends, refresh_token: &SecretString) -> Result<(), Error> {
        match post(&Drive::http()?, &ends.revoke(), &[("token", refresh_token.expose_secret())]).await {
            Ok(_) => Ok(()),
            Err(error) if error.reason() == "invalid_token" || *error.class() == Class::Reconnect => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn random() -> SecretString {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()).into()
}
