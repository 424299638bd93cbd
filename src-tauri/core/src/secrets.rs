//! The shop's credentials: which there are, how they rotate, and the stores that work without a keyring.
//!
//! [`Credentials`] is what the rest of the program asks; where the values lie is the port
//! [`SecretStore`](crate::ports::SecretStore): the OS keyring (desktop and server), the encrypted
//! file here, or memory (tests). Values are never logged, shown or put into an error.

mod changes;
mod credentials;
mod file;
mod marker;
mod memory;
mod moving;
mod name;
mod passphrase;

pub use changes::{ChangeError, Changes};
pub use credentials::{Credentials, Listed, OVERLAP};
pub use file::FileSecrets;
pub use memory::MemorySecrets;
pub use moving::move_all;
pub use name::{SecretName, UnknownName};
pub use passphrase::{DEMO_KEY_FILE, Passphrase};

use rand::distr::{Alphanumeric, SampleString};
use secrecy::SecretString;

/// A new random key of 43 letters and digits (256 bits): fit for HTTP headers, pages that only take letters
/// and digits, and the command line.
#[must_use]
pub fn generate() -> SecretString {
    SecretString::from(Alphanumeric.sample_string(&mut rand::rng(), 43))
}

/// A new random value of the form that this secret has.
#[must_use]
pub fn generate_for(name: &SecretName) -> SecretString {
    if name.signs_webhooks() { crate::signed::new_secret() } else { generate() }
}

/// Whether two values are equal, in a time that does not depend on where they differ.
#[must_use]
pub fn same(left: &str, right: &str) -> bool {
    use subtle::ConstantTimeEq;
    left.as_bytes().ct_eq(right.as_bytes()).into()
}
