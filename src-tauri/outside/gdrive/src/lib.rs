//! Google Drive v3 as it is on the wire: consent, files with ids made beforehand, resumable uploads, permissions.
//!
//! [`Drive`] makes the calls, [`Tokens`] brings the access tokens, [`Error::class`] says what an error asks for.
//! Nothing is searched by name, nothing is repeated but a call refused for a stale token: when to try again is the
//! caller's to decide. Tokens and session addresses are in no error, and in no `Debug`.

mod consent;
mod drive;
mod ends;
mod error;
mod files;
mod key;
mod sharing;
mod tokens;
mod upload;

pub use consent::{Consent, Granted, SCOPE_FILE, SCOPE_FULL};
pub use drive::{About, Drive};
pub use ends::Ends;
pub use error::{Class, Error};
pub use files::File;
pub use key::ServiceKey;
pub use sharing::{Permission, ShareOptions};
pub use tokens::{OAuthClient, Tokens};
pub use upload::{NewUpload, Piece, Progress, SessionUri, UNIT};
