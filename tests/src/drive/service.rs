//! Shared drives, and the service accounts that work in them: who they are, shown by a signed assertion (RFC 7523).

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::DriveStandIn;
use super::world::{FOLDER, Item, State};

/// The longest life of an assertion, s.
const LIFE_S: i64 = 3_600;

/// A key of a service account, made for one test.
pub struct AccountKey {
    /// The account's address.
    pub email: String,
    /// The JSON file that Google gives for it.
    pub file: String,
    public: Vec<u8>,
}

impl AccountKey {
    /// A fresh RSA key of the account with this address.
    ///
    /// # Panics
    /// When the machine makes no keys.
    #[must_use]
    pub fn new(email: &str) -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("an RSA key");
        let der: Pkcs8V1Der<'_> = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).expect("the key in PKCS 8");
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode(der.as_ref())
        );
        let file = json!({
            "type": "service_account", "project_id": "shop", "private_key_id": "k1", "private_key": pem,
            "client_email": email, "token_uri": "https://oauth2.googleapis.com/token",
        });
        Self { email: email.to_owned(), file: file.to_string(), public: pair.public_key().as_ref().to_vec() }
    }
}

impl DriveStandIn {
    /// Makes a shared drive with the account of `key` as content manager; answers the drive's id.
    pub fn shared_drive(&self, key: &AccountKey) -> String {
        let mut state = self.world.state();
        state.accounts.insert(key.email.clone(), key.public.clone());
        let id = format!("0A{:017}", state.fresh());
        let root = Item {
            id: id.clone(),
            name: "Khoá học".to_owned(),
            mime: FOLDER.to_owned(),
            drive: Some(id.clone()),
            ..Item::default()
        };
        state.items.insert(id.clone(), root);
        id
    }
}

impl State {
    /// Whether an assertion is a service account's own: signed by its key, for the token endpoint, not older than it
    /// says. Google's words when it is not.
    pub(super) fn vouched(&self, assertion: &str) -> Result<(), &'static str> {
        let (text, signature) = assertion.rsplit_once('.').ok_or("Invalid JWT: it has three parts.")?;
        let (head, claims) = text.split_once('.').ok_or("Invalid JWT: it has three parts.")?;
        let part = |text: &str| -> Option<Value> {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
        };
        let (head, claims) = part(head).zip(part(claims)).ok_or("Invalid JWT: it cannot be read.")?;
        if head["alg"] != "RS256" {
            return Err("Invalid JWT: only RS256.");
        }
        let email = claims["iss"].as_str().unwrap_or_default();
        let public = self.accounts.get(email).ok_or("Invalid grant: account not found")?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| "Invalid JWT Signature.")?;
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public)
            .verify(text.as_bytes(), &signature)
            .map_err(|_| "Invalid JWT Signature.")?;
        let at = |name: &str| claims[name].as_i64();
        let life = at("exp").zip(at("iat")).map(|(ends, began)| ends - began);
        if !life.is_some_and(|life| (1..=LIFE_S).contains(&life)) {
            return Err(
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.",
            );
        }
        if !claims["aud"].as_str().is_some_and(|to| to.ends_with("/token")) {
            return Err("Invalid JWT: Failed audience check.");
        }
        let scoped = claims["scope"].as_str().is_some_and(|scope| scope.contains("/auth/drive"));
        if scoped { Ok(()) } else { Err("Invalid OAuth scope or ID token audience provided.") }
    }
}
