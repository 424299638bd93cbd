//! A remote's configuration as its owner has it: a section of `rclone.conf`, or a JSON object of the same options.

use std::collections::BTreeMap;

use secrecy::SecretString;

/// One remote: name, kind of backend, options. Passwords are obscured, as rclone writes them.
#[derive(Debug, Clone)]
pub struct Section {
    /// Name of the remote.
    pub name: String,
    /// Name of the backend, `type`.
    pub kind: String,
    /// The other options.
    pub options: BTreeMap<String, SecretString>,
}

/// Why a configuration is not taken. Never repeats a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Neither JSON nor sections.
    #[error("it is neither a JSON object of options nor a section of rclone.conf")]
    Unreadable,
    /// No section of the wanted name.
    #[error("it has no section [{0}]")]
    NoSection(String),
    /// A section without `type`.
    #[error("the remote {0} has no type")]
    NoType(String),
    /// A name that rclone would not take.
    #[error("a remote's name has other characters than letters, digits, - and _")]
    BadName,
    /// An option that starts a program.
    #[error("the option {0} starts a program, which is not allowed")]
    StartsProgram(String),
    /// A whole configuration file under a password.
    #[error("the encrypted configuration of rclone cannot be used")]
    Encrypted,
}

/// Reads `text`: a JSON object is the remote `name` alone, otherwise every section is a remote, one of them `name`
/// (others are what a `crypt` or `union` builds on).
///
/// # Errors
/// [`ConfigError`].
pub fn sections(name: &str, text: &str) -> Result<Vec<Section>, ConfigError> {
    let text = text.trim().trim_start_matches('\u{feff}');
    if text.starts_with("RCLONE_ENCRYPT") || text.contains("\nRCLONE_ENCRYPT") {
        return Err(ConfigError::Encrypted);
    }
    let found = if text.starts_with('{') { vec![(name.to_owned(), json(text)?)] } else { ini(name, text)? };
    if !found.iter().any(|(found, _)| found == name) {
        return Err(ConfigError::NoSection(name.to_owned()));
    }
    found.into_iter().map(|(name, options)| section(name, options)).collect()
}

/// Whether rclone takes it as a remote's name, and means the same by it in `name:path`.
#[must_use]
pub fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && !name.starts_with('-')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

fn section(name: String, mut options: BTreeMap<String, String>) -> Result<Section, ConfigError> {
    if !is_name(&name) {
        return Err(ConfigError::BadName);
    }
    let kind = options.remove("type").filter(|kind| !kind.is_empty());
    let Some(kind) = kind else { return Err(ConfigError::NoType(name)) };
    if let Some(option) = options.keys().find(|option| starts_program(&kind, option)) {
        return Err(ConfigError::StartsProgram(option.clone()));
    }
    let options = options.into_iter().map(|(option, value)| (option, SecretString::from(value))).collect();
    Ok(Section { name, kind, options })
}

/// A remote is a place, not a program: what it runs would run as we do.
fn starts_program(kind: &str, option: &str) -> bool {
    option.ends_with("_command") || (kind == "sftp" && option == "ssh")
}

fn json(text: &str) -> Result<BTreeMap<String, String>, ConfigError> {
    use serde_json::Value;
    let object: serde_json::Map<String, Value> =
        serde_json::from_str(text).map_err(|_| ConfigError::Unreadable)?;
    let plain = |(option, value): (String, Value)| match value {
        Value::String(text) => Ok((option, text)),
        Value::Bool(_) | Value::Number(_) => Ok((option, value.to_string())),
        // A token is an object that rclone keeps as text.
        Value::Object(_) => Ok((option, value.to_string())),
        Value::Null | Value::Array(_) => Err(ConfigError::Unreadable),
    };
    object.into_iter().map(plain).collect()
}

type Raw = Vec<(String, BTreeMap<String, String>)>;

/// Options before the first section belong to the remote `name`.
fn ini(name: &str, text: &str) -> Result<Raw, ConfigError> {
    let mut found: Raw = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            found.push((section.trim().to_owned(), BTreeMap::new()));
            continue;
        }
        let (option, value) = line.split_once('=').ok_or(ConfigError::Unreadable)?;
        if found.is_empty() {
            found.push((name.to_owned(), BTreeMap::new()));
        }
        if let Some((_, options)) = found.last_mut() {
            options.insert(option.trim().to_owned(), value.trim().to_owned());
        }
    }
    if found.is_empty() { Err(ConfigError::Unreadable) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn json_and_sections_are_the_same_remote() {
        let json = sections(
            "nas",
            r#"{"type":"webdav","url":"https://nas/dav","pass":"obscured","vendor":"other"}"#,
        );
        let ini = sections(
            "nas",
            "# mine\n[nas]\ntype = webdav\nurl = https://nas/dav\npass = obscured\nvendor=other\n",
        );
        let bare = sections("nas", "type = webdav\nurl = https://nas/dav\npass = obscured\nvendor=other");
        for found in [json, ini, bare] {
            let found = found.unwrap();
            assert_eq!((found.len(), found[0].name.as_str(), found[0].kind.as_str()), (1, "nas", "webdav"));
            assert_eq!(found[0].options["url"].expose_secret(), "https://nas/dav");
            assert_eq!(found[0].options.len(), 3);
        }
        let two = "[vault]\ntype=crypt\nremote=nas:box\npassword=x=y==\n[nas]\ntype=webdav\nurl=http://nas";
        let two = sections("vault", two).unwrap();
        assert_eq!(two.len(), 2);
        assert_eq!(two[0].options["password"].expose_secret(), "x=y==");
    }

    #[test]
    fn what_is_no_remote_is_refused_without_repeating_it() {
        for (text, error) in [
            ("canary", ConfigError::Unreadable),
            ("{\"type\":[\"canary\"]}", ConfigError::Unreadable),
            ("{canary", ConfigError::Unreadable),
            ("", ConfigError::Unreadable),
            ("[other]\ntype=webdav", ConfigError::NoSection("nas".to_owned())),
            ("[nas]\nurl=canary", ConfigError::NoType("nas".to_owned())),
            ("[nas]\ntype=alias\n[a:b]\ntype=alias", ConfigError::BadName),
            (
                "[nas]\ntype=webdav\nbearer_token_command=canary",
                ConfigError::StartsProgram("bearer_token_command".to_owned()),
            ),
            ("[nas]\ntype=sftp\nssh=canary", ConfigError::StartsProgram("ssh".to_owned())),
            ("RCLONE_ENCRYPT_V0:\ncanary", ConfigError::Encrypted),
        ] {
            let refused = sections("nas", text).unwrap_err();
            assert_eq!(refused, error, "{text}");
            assert!(!refused.to_string().contains("canary"));
        }
    }
}
