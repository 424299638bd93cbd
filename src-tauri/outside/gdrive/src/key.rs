//! The key of a service account: read from Google's JSON file, signs the assertion that an access token is given for.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use crate::Error;

/// Longest life of an assertion that Google takes, s.
const LIFE_S: i64 = 3600;

/// A service account's key.
pub struct ServiceKey {
    email: String,
    id: Option<String>,
    pair: RsaKeyPair,
}

#[derive(Deserialize)]
struct KeyFile {
    client_email: String,
    private_key: SecretString,
    private_key_id: Option<String>,
}

impl ServiceKey {
    /// Reads the JSON file that Google gives for a service account.
    ///
    /// # Errors
    /// `Reconnect` when it is no such file.
    pub fn parse(file: &SecretString) -> Result<Self, Error> {
        let wrong = |why: &str| Error::new(crate::Class::Reconnect, format!("service account key: {why}"));
        let file: KeyFile =
            serde_json::from_str(file.expose_secret()).map_err(|_| wrong("not Google's JSON file"))?;
        let text: String =
            file.private_key.expose_secret().lines().filter(|line| !line.starts_with("-----")).collect();
        let der = STANDARD.decode(text.trim()).map_err(|_| wrong("its private key is not PEM"))?;
        let pair =
            RsaKeyPair::from_pkcs8(&der).map_err(|_| wrong("its private key is no RSA key in PKCS 8"))?;
        Ok(Self { email: file.client_email, id: file.private_key_id, pair })
    }

    /// The account's address, which has to be a member of the shared drive.
    #[must_use]
    pub fn email(&self) -> &str {
        &self.email
    }

    /// A signed claim to `scope`, good for an hour from `now_s` on (RFC 7523).
    pub(crate) fn assertion(&self, scope: &str, audience: &str, now_s: i64) -> Result<SecretString, Error> {
        let mut head = json!({ "alg": "RS256", "typ": "JWT" });
        if let Some(id) = &self.id {
            head["kid"] = id.as_str().into();
        }
        let claims = json!({
            "iss": self.email, "scope": scope, "aud": audience, "iat": now_s, "exp": now_s + LIFE_S,
        });
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&head), part(&claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
            .map_err(|_| Error::new(crate::Class::Reconnect, "the service account's key signs nothing"))?;
        Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)).into())
    }
}

impl fmt::Debug for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceKey").field("email", &self.email).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;

    #[test]
    fn an_assertion_is_signed_with_the_accounts_key() {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode(der.as_ref())
        );
        let file = json!({ "type": "service_account", "client_email": "a@b.iam", "private_key_id": "k1", "private_key": pem });
        let key = ServiceKey::parse(&file.to_string().into()).unwrap();
        let assertion = key.assertion("scope", "https://t/token", 1_000).unwrap();
        let (text, signature) = assertion.expose_secret().rsplit_once('.').unwrap();
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
        public.verify(text.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
        let claims = URL_SAFE_NO_PAD.decode(text.split_once('.').unwrap().1).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(
            claims,
            json!({ "iss": "a@b.iam", "scope": "scope", "aud": "https://t/token", "iat": 1_000, "exp": 4_600 })
        );
        assert!(!format!("{key:?}").contains("PRIVATE"));
    }

    #[test]
    fn another_file_is_no_key() {
        for text in ["", "{}", r#"{"client_email":"a","private_key":"x"}"#] {
            assert!(ServiceKey::parse(&text.to_owned().into()).is_err(), "{text}");
        }
    }
}
