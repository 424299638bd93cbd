//! How a course makes its buyers students at a learning platform: what the owner wrote down, checked, and made into
//! what the recipe engine wants to know. Tasks carry it out (`tasks/enrol.rs`, `tasks/unenrol.rs`).

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};

use lms::{Buyer, Course, Facts, Recipe};

use crate::ports::SecretError;
use crate::secrets::{Credentials, SecretName};

/// The secret that [`EnrolmentSpec::secret`] gives, by the recipe's name for it.
const MAIN: &str = "main";
const DAY_MS: i64 = 24 * 3_600_000;

/// A course's enrolment, as configured:
/// `{"kind":"recipe","name":"moodle","base_url":"https://school.example.com","course":"42","secret":"lms.school"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentSpec {
    /// `recipe` for one that comes along, `custom` for one of the owner's.
    pub kind: EnrolmentKind,
    /// Name of the recipe; of kind `recipe` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The recipe itself; of kind `custom` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Box<Recipe>>,
    /// Address of the platform; may be left out where the recipe has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// The platform's id of the course, as text or number.
    #[serde(deserialize_with = "text_or_number")]
    pub course: String,
    /// Name of the secret that the recipe calls `main`, `lms.<name>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Names of further secrets, by the recipe's name for them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
    /// Values of the recipe's fields.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
    /// Days of access from the enrolment on; none = as long as the course's own access. A platform that knows an end is
    /// told, and the app takes the place back at the end in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
}

/// Where a recipe comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnrolmentKind {
    /// It comes along with the app.
    Recipe,
    /// The owner wrote it.
    Custom,
}

impl EnrolmentSpec {
    /// Reads and checks what somebody wrote.
    ///
    /// # Errors
    /// What is wrong, where, and what to do, as English text.
    pub fn parse(value: serde_json::Value) -> Result<Self, String> {
        let spec: Self = serde_json::from_value(value).map_err(|error| error.to_string())?;
        spec.validate()?;
        Ok(spec)
    }

    /// The recipe.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn recipe(&self) -> Result<&Recipe, String> {
        match (self.kind, &self.name, &self.recipe) {
            (EnrolmentKind::Recipe, Some(name), None) => lms::recipe(name).ok_or_else(|| {
                let known: Vec<&str> = lms::ready().iter().map(|recipe| recipe.name.as_str()).collect();
                format!("name: there is no recipe `{name}`; there are {}", known.join(", "))
            }),
            (EnrolmentKind::Custom, None, Some(recipe)) => Ok(recipe),
            (EnrolmentKind::Recipe, ..) => {
                Err("kind `recipe` needs a name, and no recipe of its own".to_owned())
            }
            (EnrolmentKind::Custom, ..) => Err("kind `custom` needs a recipe, and no name".to_owned()),
        }
    }

    fn validate(&self) -> Result<(), String> {
        let recipe = self.recipe()?;
        if self.kind == EnrolmentKind::Custom {
            recipe.check().map_err(|error| format!("recipe: {error}"))?;
        }
        if self.course.trim().is_empty() {
            return Err(format!("course: it is empty; {} wants {}", recipe.title, recipe.course));
        }
        if let Some(name) = self.fields.keys().find(|name| !recipe.fields.contains_key(*name)) {
            return Err(format!("fields: {} has no field `{name}`", recipe.title));
        }
        if let Some(name) = self.secrets.keys().find(|name| !recipe.secrets.contains_key(*name)) {
            return Err(format!("secrets: {} has no secret `{name}`", recipe.title));
        }
        if self.secret.is_some() && !recipe.secrets.contains_key(MAIN) {
            return Err(format!("secret: {} has no secret `{MAIN}`; use secrets", recipe.title));
        }
        for (name, what) in &recipe.secrets {
            let Some(reference) = self.secret_name(name) else {
                let key = if name == MAIN { "secret".to_owned() } else { format!("secrets.{name}") };
                return Err(format!("{key}: {} needs one: {what}; write its name, lms.<name>", recipe.title));
            };
            if reference.strip_prefix("lms.").is_none() || SecretName::parse(reference).is_err() {
                return Err(
                    "secret: it is a name like lms.school; the value is set with `secret set`".to_owned()
                );
            }
        }
        if self.days == Some(0) {
            return Err("days: at least 1, or leave it out".to_owned());
        }
        let nobody = Buyer { email: "a@example.com".to_owned(), name: String::new() };
        let facts = self.facts(nobody, ("", ""), "DH000000", 0, None, BTreeMap::new());
        lms::plan(recipe, &facts).map(|_| ()).map_err(|failure| failure.detail)
    }

    /// Name of the secret that the recipe calls `name`.
    fn secret_name(&self, name: &str) -> Option<&str> {
        let main = self.secret.as_ref().filter(|_| name == MAIN);
        main.or_else(|| self.secrets.get(name)).map(String::as_str)
    }

    /// When access that begins at `now` (ms) ends, ms.
    #[must_use]
    pub fn until(&self, now: i64) -> Option<i64> {
        self.days.map(|days| now.saturating_add(i64::from(days) * DAY_MS))
    }

    /// What the recipe is told. `course` is title and slug; times are ms.
    #[must_use]
    pub fn facts(
        &self,
        buyer: Buyer,
        course: (&str, &str),
        order: &str,
        now: i64,
        until_at: Option<i64>,
        secrets: BTreeMap<String, SecretString>,
    ) -> Facts {
        Facts {
            base_url: self.base_url.clone().unwrap_or_default(),
            buyer,
            course: Course {
                reference: self.course.trim().to_owned(),
                title: course.0.to_owned(),
                slug: course.1.to_owned(),
            },
            order: order.to_owned(),
            now_s: now.div_euclid(1_000),
            until_s: until_at.map(|at| at.div_euclid(1_000)),
            fields: self.fields.clone(),
            secrets,
        }
    }

    /// The values of the recipe's secrets at `now` (ms); those that are not set are left out.
    ///
    /// # Errors
    /// The secret store's.
    pub async fn secrets(
        &self,
        recipe: &Recipe,
        credentials: &Credentials,
        now: i64,
    ) -> Result<BTreeMap<String, SecretString>, SecretError> {
        let mut values = BTreeMap::new();
        for name in recipe.secrets.keys() {
            let Some(Ok(reference)) = self.secret_name(name).map(SecretName::parse) else { continue };
            if let Some(value) = credentials.get(&reference, now).await? {
                values.insert(name.clone(), value);
            }
        }
        Ok(values)
    }
}

fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::String(text) => Ok(text),
        serde_json::Value::Number(number) if number.is_i64() => Ok(number.to_string()),
        _ => Err(serde::de::Error::custom("course: the platform's id of the course, in quotes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn moodle() -> serde_json::Value {
        json!({ "kind": "recipe", "name": "moodle", "base_url": "https://school.example.com", "course": 42, "secret": "lms.school" })
    }

    #[test]
    fn the_documented_form_is_read_and_written_back_the_same() {
        let spec = EnrolmentSpec::parse(moodle()).unwrap();
        assert_eq!(spec.course, "42");
        let text = serde_json::to_value(&spec).unwrap();
        assert_eq!(EnrolmentSpec::parse(text).unwrap(), spec);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (key, value, says) in [
            ("name", json!("moodl"), "moodle, teachable"),
            ("base_url", json!("school.example.com"), "base_url"),
            ("base_url", json!("http://school.example.com"), "https"),
            ("course", json!(""), "course"),
            ("secret", json!("moodle-token-0123456789"), "lms.school"),
            ("secret", json!(null), "secret"),
            ("fields", json!({ "role": "5" }), "role"),
            ("days", json!(0), "days"),
            ("recipe", json!(null), ""),
            ("token", json!("x"), "token"),
        ] {
            let mut wrong = moodle();
            wrong[key] = value.clone();
            let read = EnrolmentSpec::parse(wrong);
            if says.is_empty() {
                assert!(read.is_ok(), "{key} {value}: {read:?}");
            } else {
                let error = read.unwrap_err();
                assert!(error.contains(says), "{key} {value}: {error}");
                assert!(
                    !error.contains("0123456789"),
                    "a secret in the wrong place is not repeated: {error}"
                );
            }
        }
    }

    #[test]
    fn a_recipe_of_the_owners_is_checked_as_those_that_come_along() {
        let recipe = serde_json::to_value(lms::recipe("canvas").unwrap()).unwrap();
        let mut spec = json!({ "kind": "custom", "recipe": recipe, "base_url": "https://c.example.com", "course": "1", "secret": "lms.c" });
        assert!(EnrolmentSpec::parse(spec.clone()).is_ok());
        spec["recipe"]["probe"]["enrolled"] = json!("got.nothing");
        assert!(EnrolmentSpec::parse(spec).unwrap_err().contains("got.nothing"));
    }
}
