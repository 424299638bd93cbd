//! Signed download links: `/d/{token}`, where the token is the link's row id and a MAC over it.
//!
//! A token that was not made with the shop's key never reaches the database. Expiry, revocation and counting
//! are in the row, not here.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use rand::Rng;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Keeps these tokens apart from any other use of the key.
const DOMAIN: &[u8] = b"chotdon.link.v1";
const PAGE_DOMAIN: &[u8] = b"chotdon.page.v1";
/// Bytes of the MAC in a token: 128 bits.
const MAC_LEN: usize = 16;
const ID_LEN: usize = 8;

/// The shop's key for links, 32 bytes. Kept in the secret store as 64 hex digits.
pub struct LinkKey(SecretBox<[u8; 32]>);

impl LinkKey {
    /// A new random key.
    #[must_use]
    pub fn generate() -> Self {
        Self(SecretBox::init_with_mut(|bytes: &mut [u8; 32]| rand::rng().fill_bytes(bytes)))
    }

    /// The key as stored, or `None` when the text is not 64 hex digits.
    #[must_use]
    pub fn from_secret(text: &SecretString) -> Option<Self> {
        let mut bytes = Box::new([0; 32]);
        hex::decode_to_slice(text.expose_secret().trim(), bytes.as_mut_slice()).ok()?;
        Some(Self(SecretBox::new(bytes)))
    }

    /// The text to store.
    #[must_use]
    pub fn to_secret(&self) -> SecretString {
        hex::encode(self.0.expose_secret()).into()
    }

    /// The token of a link's row: 32 characters of `A–Z a–z 0–9 - _`, always the same for the same row.
    #[must_use]
    pub fn token(&self, link_id: i64) -> String {
        let id = link_id.to_be_bytes();
        let mut bytes = [0; ID_LEN + MAC_LEN];
        bytes[..ID_LEN].copy_from_slice(&id);
        bytes[ID_LEN..].copy_from_slice(&self.mac(id));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The token that opens the page of an order: 32 characters, always the same for the same code.
    #[must_use]
    pub fn page_token(&self, code: &str) -> String {
        let mut mac = self.keyed(PAGE_DOMAIN);
        mac.update(code.as_bytes());
        URL_SAFE_NO_PAD.encode(&mac.finalize().into_bytes()[..24])
    }

    /// The row id in a token of ours, or `None`. Takes the same time however much of the token is right.
    #[must_use]
    pub fn parse(&self, token: &str) -> Option<i64> {
        let bytes: [u8; ID_LEN + MAC_LEN] = URL_SAFE_NO_PAD.decode(token).ok()?.try_into().ok()?;
        let (id, mac) = bytes.split_at(ID_LEN);
        let id: [u8; ID_LEN] = id.try_into().ok()?;
        bool::from(self.mac(id).ct_eq(mac)).then(|| i64::from_be_bytes(id))
    }

    fn keyed(&self, domain: &[u8]) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(self.0.expose_secret())
            .expect("HMAC takes keys of any length");
        mac.update(domain);
        mac
    }

    fn mac(&self, id: [u8; ID_LEN]) -> [u8; MAC_LEN] {
        let mut mac = self.keyed(DOMAIN);
        mac.update(&id);
        let whole = mac.finalize().into_bytes();
        let mut short = [0; MAC_LEN];
        short.copy_from_slice(&whole[..MAC_LEN]);
        short
    }
}

impl std::fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_back_to_its_row() {
        let key = LinkKey::generate();
        for id in [1, 2, 1_000_000, i64::MAX] {
            let token = key.token(id);
            assert_eq!(token.len(), 32);
            assert_eq!(key.parse(&token), Some(id));
        }
        let again = LinkKey::from_secret(&key.to_secret()).expect("what was stored");
        assert_eq!(again.token(7), key.token(7));
    }

    #[test]
    fn a_token_with_any_other_character_is_refused() {
        const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let key = LinkKey::generate();
        let token = key.token(42);
        for at in 0..token.len() {
            for other in ALPHABET.chars().filter(|c| !token[at..].starts_with(*c)) {
                let mut forged = token.clone();
                forged.replace_range(at..=at, &other.to_string());
                assert_eq!(key.parse(&forged), None, "{forged}");
            }
        }
    }

    #[test]
    fn tokens_of_another_key_or_shape_are_refused() {
        let key = LinkKey::generate();
        let token = key.token(42);
        assert_eq!(LinkKey::generate().parse(&token), None);
        for wrong in [
            "",
            "x",
            &token[..31],
            &format!("{token}A"),
            &format!("{token}="),
            &token.replace(&token[..1], "é"),
        ] {
            assert_eq!(key.parse(wrong), None, "{wrong}");
        }
        assert!(LinkKey::from_secret(&"ab".into()).is_none());
    }
}
