//! A recipe as it is written: TOML, or the same in JSON. Unknown keys are errors.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How a platform is asked and told. Texts are templates (`{{ … }}`), tests are expressions without braces.
///
/// Both see `base_url`, `buyer.{email, name, first_name, last_name, username}`, `course.{ref, title, slug}`,
/// `order.code`, `now.{unix, iso}`, `until.{unix, iso}` (none when access does not end), `fields.NAME`, and `got.NAME`
/// for what steps captured. `secrets.NAME` may stand in headers and bodies only. Tests of answers see
/// `status`, `json` and `text` besides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Lower-case letters, digits and `_`.
    pub name: String,
    /// What people call the platform.
    pub title: String,
    /// What the owner has to do there first.
    #[serde(default)]
    pub about: String,
    /// Where the platform is, for platforms that are at one address for everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Hosts that may be called besides that of `base_url`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// What `course.ref` is at this platform and where the owner finds it.
    pub course: String,
    /// Secrets by the name that templates use, with what each is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
    /// Further settings by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, Field>,
    /// Where the buyer learns; none when the platform tells them itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learn_url: Option<String>,
    /// Captures that are kept for taking access back: ids of account and enrolment. They are `got.NAME` then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<String>,
    /// When an answer is good; status 2xx when left out. A step can say it differently.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ok: Option<String>,
    /// What answers mean that are not good, the first that fits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
    /// Done once before anything else: a login, a token.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub start: Vec<Step>,
    /// Asks whether the buyer is a student of the course. Changes nothing there.
    pub probe: Probe,
    /// Makes them one, or moves the end of their access. Runs after a probe; sees what it captured.
    pub enrol: Enrol,
    /// Takes that back. Runs after a probe; sees what it captured and what was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unenrol: Option<Unenrol>,
}

/// A further setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// What it is.
    pub about: String,
    /// Used when the owner says nothing; without one the owner has to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// See [`Recipe::probe`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// True when the buyer is a student, asked after the steps.
    pub enrolled: String,
    /// In order.
    pub steps: Vec<Step>,
}

/// See [`Recipe::enrol`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrol {
    /// True when the platform's own answer is proof enough where the probe cannot see yet, as with an invitation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<String>,
    /// In order.
    pub steps: Vec<Step>,
}

/// See [`Recipe::unenrol`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unenrol {
    /// True runs the steps even when the probe says that the buyer is no student: for invitations that it cannot see.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub always: bool,
    /// In order.
    pub steps: Vec<Step>,
}

/// One request. A header, query or form entry, or a member of a JSON object, whose text is one expression that gives
/// none is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Lower-case letters, digits and `_`; stands in errors.
    pub name: String,
    /// HTTP method.
    pub method: Method,
    /// What is put in is percent-encoded; only `base_url` is taken as it is.
    pub url: String,
    /// The step is left out when this is false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// By name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Added to the URL, encoded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub query: BTreeMap<String, String>,
    /// A body of `application/x-www-form-urlencoded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<BTreeMap<String, String>>,
    /// A JSON body; its texts are templates. One that is a single expression keeps the type: `"{{ got.id }}"` is a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    /// Any other body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Text>,
    /// When the answer is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ok: Option<String>,
    /// What is taken out of a good answer, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub capture: BTreeMap<String, Capture>,
}

/// HTTP method of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// A body that is neither form nor JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// Content type.
    #[serde(rename = "type")]
    pub kind: String,
    /// How what is put in is made harmless.
    pub escape: Escape,
    /// Template.
    pub body: String,
}

/// How values are put into a [`Text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Escape {
    /// `<`, `>`, `&` and quotes become entities.
    Xml,
    /// As they are. A value with a control character, line breaks included, is refused.
    Line,
}

/// Where a value is in an answer: `pointer` into the JSON body, or `value`, `header`, `cookie`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    /// JSON pointer, `""` for the whole; counted from the found element when `list` is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// JSON pointer of a list to look through for the first element that fits `where`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<String>,
    /// JSON pointers into an element, and the text that each has to be there. `|` between texts means any of them.
    #[serde(default, rename = "where", skip_serializing_if = "BTreeMap::is_empty")]
    pub matching: BTreeMap<String, String>,
    /// True makes `where` blind to case, as for e-mail addresses.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub caseless: bool,
    /// An expression over `json`, where a pointer does not reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// A response header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// A cookie that the answer sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookie: Option<String>,
    /// True gives none where there is no value; otherwise that is an error.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// True for sessions and tokens: masked wherever it is shown, never kept, in headers and bodies only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
}

/// What an answer that is not good means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// A test of the answer.
    pub when: String,
    /// What it means when the test is true.
    pub is: FaultKind,
}

/// Meanings of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Our key or login is wrong, or may not do this.
    Unauthorized,
    /// The platform has no such course.
    CourseUnknown,
    /// This buyer, this request: trying again does not help.
    Rejected,
    /// Too many requests, or closed for a while.
    Busy,
    /// The platform's own trouble.
    ServerError,
}

/// What is wrong with a recipe, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadRecipe(pub String);

impl Recipe {
    /// Reads TOML and checks it.
    ///
    /// # Errors
    /// [`BadRecipe`] with line and key, or with the step and what is wrong in it.
    pub fn from_toml(text: &str) -> Result<Self, BadRecipe> {
        let recipe: Self =
            toml::from_str(text).map_err(|error| BadRecipe(error.to_string().trim().to_owned()))?;
        recipe.check()?;
        Ok(recipe)
    }

    /// Reads JSON and checks it.
    ///
    /// # Errors
    /// As [`Recipe::from_toml`].
    pub fn from_json(value: Value) -> Result<Self, BadRecipe> {
        let recipe: Self =
            serde_json::from_value(value).map_err(|error| BadRecipe(format!("the recipe: {error}")))?;
        recipe.check()?;
        Ok(recipe)
    }

    /// Whether the platform is told when access ends.
    #[must_use]
    pub fn tells_end(&self) -> bool {
        serde_json::to_string(&self.enrol).is_ok_and(|steps| steps.contains("until."))
    }

    /// All steps with the part they are in.
    pub(crate) fn steps(&self) -> impl Iterator<Item = (&'static str, &Step)> {
        let unenrol = self.unenrol.iter().flat_map(|part| &part.steps);
        let start = self.start.iter().map(|step| ("start", step));
        let probe = self.probe.steps.iter().map(|step| ("probe", step));
        let enrol = self.enrol.steps.iter().map(|step| ("enrol", step));
        start.chain(probe).chain(enrol).chain(unenrol.map(|step| ("unenrol", step)))
    }

    /// Names of captures that must not be shown.
    pub(crate) fn secret_captures(&self) -> impl Iterator<Item = &str> {
        let captures = self.steps().flat_map(|(_, step)| &step.capture);
        captures.filter(|(_, capture)| capture.secret).map(|(name, _)| name.as_str())
    }
}

impl Method {
    pub(crate) fn http(self) -> reqwest::Method {
        match self {
            Self::Get => reqwest::Method::GET,
            Self::Post => reqwest::Method::POST,
            Self::Put => reqwest::Method::PUT,
            Self::Patch => reqwest::Method::PATCH,
            Self::Delete => reqwest::Method::DELETE,
        }
    }

    /// As sent.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}
