//! Who is enrolled, where, in what: what the caller says.

use std::collections::BTreeMap;

use minijinja::Value;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, json};
use url::Url;

use crate::failure::{Failure, Kind};
use crate::recipe::Recipe;

/// Shorter values are not masked: they would blot out half of every text.
const SHORTEST_SECRET: usize = 4;
/// What stands for a secret where it is shown.
pub(crate) const MASK: &str = "••••";

/// Who learns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buyer {
    /// Their address.
    pub email: String,
    /// As people call them in Vietnam, the given name last. May be empty.
    pub name: String,
}

/// What they learn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// The platform's id of it.
    pub reference: String,
    /// The shop's title.
    pub title: String,
    /// The shop's slug.
    pub slug: String,
}

/// Everything a recipe may put into its requests.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Address of the platform; the recipe's own when empty.
    pub base_url: String,
    /// Who.
    pub buyer: Buyer,
    /// What.
    pub course: Course,
    /// The order's code.
    pub order: String,
    /// Now, seconds since 1970.
    pub now_s: i64,
    /// When access ends, seconds since 1970; `None` = never.
    pub until_s: Option<i64>,
    /// Values of [`Recipe::fields`]; defaults are filled in.
    pub fields: BTreeMap<String, String>,
    /// Values of [`Recipe::secrets`].
    pub secrets: BTreeMap<String, SecretString>,
}

impl Facts {
    /// The platform's address without a slash at its end.
    ///
    /// # Errors
    /// [`Kind::Recipe`] when there is none, or none that may be called.
    pub(crate) fn base(&self, recipe: &Recipe) -> Result<Url, Failure> {
        let text = match self.base_url.trim() {
            "" => recipe.base_url.as_deref().unwrap_or_default(),
            text => text,
        };
        let wrong = |why: &str| {
            Failure::new(Kind::Recipe, format!("base_url: {why}, as in https://school.example.com"))
        };
        let url =
            Url::parse(text.trim_end_matches('/')).map_err(|_| wrong("it must be a complete address"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(wrong("it must begin with https://"));
        }
        if !url.username().is_empty()
            || url.password().is_some()
            || url.query().is_some()
            || url.fragment().is_some()
        {
            return Err(wrong("it must be host and path only"));
        }
        if url.scheme() == "http" && !is_near(&url) {
            return Err(wrong("http is for this machine and the local network; it must be https"));
        }
        Ok(url)
    }

    /// The host that is called, with its port where that is not the scheme's own.
    ///
    /// # Errors
    /// [`Kind::Recipe`] when there is no address, or none that may be called.
    pub fn host(&self, recipe: &Recipe) -> Result<String, Failure> {
        Ok(crate::run::host(&self.base(recipe)?))
    }

    /// What templates see, secrets left out.
    pub(crate) fn context(&self, recipe: &Recipe) -> Result<Map<String, serde_json::Value>, Failure> {
        let (first, last) = split_name(&self.buyer);
        let fields: Map<_, _> = recipe
            .fields
            .iter()
            .map(|(name, field)| {
                let given = self.fields.get(name).or(field.default.as_ref());
                (name.clone(), given.map_or(serde_json::Value::Null, |value| json!(value)))
            })
            .collect();
        if let Some((name, _)) = fields.iter().find(|(_, value)| value.is_null()) {
            let detail = format!("the recipe {} needs the field `{name}`", recipe.name);
            return Err(Failure::new(Kind::Recipe, detail));
        }
        let time = |at: Option<i64>| {
            let at = at.and_then(|at| jiff::Timestamp::from_second(at).ok());
            at.map_or(
                json!({ "unix": null, "iso": null }),
                |at| json!({ "unix": at.as_second(), "iso": at.to_string() }),
            )
        };
        let context = json!({
            "buyer": { "email": self.buyer.email, "name": full_name(&self.buyer), "first_name": first, "last_name": last,
                       "username": username(&self.buyer.email) },
            "course": { "ref": self.course.reference, "title": self.course.title, "slug": self.course.slug },
            "order": { "code": self.order },
            "now": time(Some(self.now_s)),
            "until": time(self.until_s),
            "fields": fields,
        });
        match context {
            serde_json::Value::Object(context) => Ok(context),
            _ => Ok(Map::new()),
        }
    }

    /// The secrets as templates see them, all that the recipe names.
    pub(crate) fn secrets(&self, recipe: &Recipe) -> Result<Value, Failure> {
        let mut values = Map::new();
        for name in recipe.secrets.keys() {
            let value = self.secrets.get(name).ok_or_else(|| {
                Failure::new(
                    Kind::Unauthorized,
                    format!("the secret `{name}` of the recipe {} is not set", recipe.name),
                )
            })?;
            values.insert(name.clone(), json!(value.expose_secret()));
        }
        Ok(crate::template::seen(&serde_json::Value::Object(values)))
    }

    pub(crate) fn mask(&self) -> Mask {
        Mask(self.secrets.values().map(|secret| secret.expose_secret().to_owned()).collect())
    }
}

/// Texts that must not be shown.
#[derive(Clone, Default)]
pub(crate) struct Mask(Vec<String>);

impl Mask {
    pub(crate) fn add(&mut self, text: &str) {
        if !self.0.iter().any(|known| known == text) {
            self.0.push(text.to_owned());
        }
    }

    pub(crate) fn apply(&self, text: &str) -> String {
        let long = self.0.iter().filter(|secret| secret.len() >= SHORTEST_SECRET);
        long.fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), MASK))
    }
}

/// This machine or the local network, by its name or number.
fn is_near(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => {
            name == "localhost"
                || name.ends_with(".localhost")
                || name.ends_with(".local")
                || !name.contains('.')
        }
        Some(url::Host::Ipv4(ip)) => ip.is_loopback() || ip.is_private(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unique_local(),
        None => false,
    }
}

fn full_name(buyer: &Buyer) -> String {
    let name = buyer.name.split_whitespace().collect::<Vec<_>>().join(" ");
    if name.is_empty() { buyer.email.split('@').next().unwrap_or_default().to_owned() } else { name }
}

/// Given name and the rest. Platforms want both, so a single name gets a dash beside it.
fn split_name(buyer: &Buyer) -> (String, String) {
    let name = full_name(buyer);
    match name.rsplit_once(' ') {
        Some((family, given)) => (given.to_owned(), family.to_owned()),
        None => (name, "-".to_owned()),
    }
}

/// The address as a login name: lower case, and `_` for what login names do not have.
fn username(email: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || "@._-".contains(c) { c } else { '_' };
    email.to_lowercase().chars().map(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buyer(email: &str, name: &str) -> Buyer {
        Buyer { email: email.into(), name: name.into() }
    }

    #[test]
    fn the_given_name_is_the_last_word() {
        let split = |name| split_name(&buyer("lan@example.com", name));
        assert_eq!(split("Trần  Thị Lan"), ("Lan".into(), "Trần Thị".into()));
        assert_eq!(split("Lan"), ("Lan".into(), "-".into()));
        assert_eq!(split("  "), ("lan".into(), "-".into()));
    }

    #[test]
    fn a_login_name_has_only_what_login_names_have() {
        assert_eq!(username("Lan+Rust@Example.com"), "lan_rust@example.com");
    }

    #[test]
    fn http_is_for_the_local_network() {
        let near = |url: &str| is_near(&Url::parse(url).unwrap());
        for url in [
            "http://127.0.0.1:8080",
            "http://localhost",
            "http://nas.local",
            "http://192.168.1.9",
            "http://[::1]/",
        ] {
            assert!(near(url), "{url}");
        }
        for url in ["http://school.example.com", "http://8.8.8.8", "http://169.254.169.254/"] {
            assert!(!near(url), "{url}");
        }
    }
}
