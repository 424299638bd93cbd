//! What a single setting can be: how it is read from TOML, from an environment variable and from JSON,
//! what is expected of it, and how it is written down.

use std::fmt;

use toml_edit::{Array, Value};

/// A type that a setting can have.
pub(super) trait Setting: Sized {
    /// For error messages: `a whole number`, `true or false`.
    fn expected() -> String;
    /// From `config.toml`; `None` when the type is another one.
    fn from_toml(value: &Value) -> Option<Self>;
    /// From an environment variable.
    fn from_text(text: &str) -> Option<Self>;
    /// As written into `config.toml`; `None` when there is nothing to write.
    fn to_toml(&self) -> Option<Value>;
    /// The number to hold against [`Check::Range`].
    fn number(&self) -> Option<i64> {
        None
    }
    /// The text to hold against the checks of texts.
    fn text(&self) -> Option<&str> {
        None
    }
    /// The texts to hold against the checks of lists.
    fn texts(&self) -> &[String] {
        &[]
    }
}

/// What a setting's value must satisfy beyond its type.
#[derive(Debug, Clone, Copy)]
pub(super) enum Check {
    /// Nothing.
    Any,
    /// From–to, both included.
    Range(i64, i64),
    /// An `http://` or `https://` address.
    Url,
    /// A time of day, `HH:MM`.
    TimeOfDay,
    /// Addresses and networks, such as `203.0.113.0/24`.
    Networks,
    /// The name of a header, or nothing.
    Header,
}

impl Check {
    /// Whether `value` satisfies it.
    pub(super) fn holds(self, value: &impl Setting) -> bool {
        match self {
            Self::Any => true,
            Self::Range(from, to) => value.number().is_some_and(|n| (from..=to).contains(&n)),
            Self::Url => value.text().is_none_or(is_web_address),
            Self::TimeOfDay => value.text().is_none_or(|text| minute_of_day(text).is_some()),
            Self::Networks => value.texts().iter().all(|entry| crate::http::limits::is_network(entry)),
            Self::Header => value.text().is_none_or(|text| text.is_empty() || is_header_name(text)),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => Ok(()),
            Self::Range(from, to) => write!(f, "{from} to {to}"),
            Self::Url => f.write_str("an http or https address"),
            Self::TimeOfDay => f.write_str("a time of day, HH:MM"),
            Self::Networks => f.write_str("a list of IP addresses and networks, [\"203.0.113.0/24\"]"),
            Self::Header => f.write_str("the name of a header"),
        }
    }
}

fn is_header_name(text: &str) -> bool {
    text.parse::<axum::http::HeaderName>().is_ok()
}

fn is_web_address(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// `"22:00"` → 1320; `None` when it is not a time of day.
pub(super) fn minute_of_day(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(hour) || !digits(minute) {
        return None;
    }
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

macro_rules! whole_number {
    ($($kind:ty),*) => {$(
        impl Setting for $kind {
            fn expected() -> String {
                "a whole number".to_owned()
            }
            fn from_toml(value: &Value) -> Option<Self> {
                Self::try_from(value.as_integer()?).ok()
            }
            fn from_text(text: &str) -> Option<Self> {
                text.trim().parse().ok()
            }
            fn to_toml(&self) -> Option<Value> {
                Some(Value::from(i64::from(*self)))
            }
            fn number(&self) -> Option<i64> {
                Some(i64::from(*self))
            }
        }
    )*};
}
whole_number!(u16, u32, i64);

impl Setting for bool {
    fn expected() -> String {
        "true or false".to_owned()
    }
    fn from_toml(value: &Value) -> Option<Self> {
        value.as_bool()
    }
    fn from_text(text: &str) -> Option<Self> {
        match text.trim() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        }
    }
    fn to_toml(&self) -> Option<Value> {
        Some(Value::from(*self))
    }
}

impl Setting for String {
    fn expected() -> String {
        "a text in quotes".to_owned()
    }
    fn from_toml(value: &Value) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }
    fn from_text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
    fn to_toml(&self) -> Option<Value> {
        Some(Value::from(self.as_str()))
    }
    fn text(&self) -> Option<&str> {
        Some(self)
    }
}

/// An empty text means "not set", so that an environment variable can take a value away.
impl Setting for Option<String> {
    fn expected() -> String {
        String::expected()
    }
    fn from_toml(value: &Value) -> Option<Self> {
        Self::from_text(value.as_str()?)
    }
    fn from_text(text: &str) -> Option<Self> {
        Some(Some(text.to_owned()).filter(|text| !text.is_empty()))
    }
    fn to_toml(&self) -> Option<Value> {
        self.as_ref().and_then(Setting::to_toml)
    }
    fn text(&self) -> Option<&str> {
        self.as_deref()
    }
}

impl Setting for Vec<String> {
    fn expected() -> String {
        "a list of texts, [\"…\"]".to_owned()
    }
    fn from_toml(value: &Value) -> Option<Self> {
        value.as_array()?.iter().map(String::from_toml).collect()
    }
    fn from_text(text: &str) -> Option<Self> {
        Some(text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect())
    }
    fn to_toml(&self) -> Option<Value> {
        Some(Value::Array(self.iter().map(String::as_str).collect::<Array>()))
    }
    fn texts(&self) -> &[String] {
        self
    }
}

/// A JSON value as TOML; `None` for what a setting can never be (a float, an object, a null).
pub(super) fn toml_of(json: &serde_json::Value) -> Option<Value> {
    match json {
        serde_json::Value::Bool(value) => Some(Value::from(*value)),
        serde_json::Value::Number(number) => number.as_i64().map(Value::from),
        serde_json::Value::String(text) => Some(Value::from(text.as_str())),
        serde_json::Value::Array(rows) => {
            rows.iter().map(toml_of).collect::<Option<Array>>().map(Value::Array)
        }
        serde_json::Value::Null | serde_json::Value::Object(_) => None,
    }
}

/// An enumeration whose variants are written as lower-case words in files, variables and JSON.
macro_rules! choice {
    ($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $vdoc:literal])+ $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[doc = $vdoc])+ #[serde(rename = $word)] $variant),+
        }

        impl $name {
            /// The word as written in the file.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl Setting for $name {
            fn expected() -> String {
                [$(concat!("\"", $word, "\"")),+].join(" or ")
            }
            fn from_toml(value: &toml_edit::Value) -> Option<Self> {
                Self::from_text(value.as_str()?)
            }
            fn from_text(text: &str) -> Option<Self> {
                match text { $($word => Some(Self::$variant),)+ _ => None }
            }
            fn to_toml(&self) -> Option<toml_edit::Value> {
                Some(toml_edit::Value::from(self.as_str()))
            }
        }
    };
}
pub(super) use choice;
