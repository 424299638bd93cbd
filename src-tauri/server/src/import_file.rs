//! The file that `import` reads and `export` prints, checked before anything is written.

use std::collections::HashSet;

use chotdon_core::enrolment::EnrolmentSpec;
use serde::{Deserialize, Serialize};

/// Longest description of a course, characters, as in the app.
const LONGEST_DESCRIPTION: usize = 5_000;
/// Longest access, days, as in the app.
const LONGEST_ACCESS_DAYS: i64 = 3_650;

/// The whole file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ImportFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) shop: Option<Shop>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) bank_account: Vec<BankAccount>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) course: Vec<Course>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) bundle: Vec<Bundle>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) customer: Vec<Customer>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) order: Vec<Order>,
}

/// The shop itself; goes into `config.toml`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shop {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) language: Option<String>,
}

/// An account that customers pay into.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BankAccount {
    pub(crate) bank: String,
    pub(crate) account: String,
    pub(crate) holder: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) virtual_account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) memo_prefix: Option<String>,
}

/// A course. `source` and `target` are as the course's own settings have them.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Course {
    pub(crate) slug: String,
    pub(crate) title: String,
    pub(crate) price_vnd: i64,
    pub(crate) source: serde_json::Value,
    #[serde(default = "folder")]
    pub(crate) target: serde_json::Value,
    /// Left out keeps what the shop has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) enrolment: Option<serde_json::Value>,
    /// What the catalogue says of it. Left out keeps what the shop has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    /// Days of access after the first delivery, 0 = for ever. Left out keeps what the shop has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) access_days: Option<i64>,
}

/// Several courses, of the file or of the shop, at one price.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bundle {
    pub(crate) slug: String,
    pub(crate) title: String,
    pub(crate) price_vnd: i64,
    pub(crate) courses: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) description: String,
}

/// A customer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Customer {
    pub(crate) email: String,
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) phone: Option<String>,
}

/// An order of an earlier system, or of an export.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    pub(crate) code: String,
    pub(crate) email: String,
    pub(crate) courses: Vec<String>,
    /// RFC 3339, or TOML's own date-time; now when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) created_at: Option<When>,
    /// `pending` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stage: Option<String>,
}

/// A point in time, written as text or as TOML's own date-time.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum When {
    Text(String),
    Toml(toml::value::Datetime),
}

impl When {
    /// Milliseconds UTC; `None` when it is no time with an offset.
    pub(crate) fn ms(&self) -> Option<i64> {
        let text = match self {
            Self::Text(text) => text.clone(),
            Self::Toml(datetime) => datetime.to_string(),
        };
        text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
    }
}

fn folder() -> serde_json::Value {
    serde_json::json!({ "kind": "folder" })
}

impl ImportFile {
    /// Reads and checks a file. The error names what is wrong and where.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let file: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        file.check()?;
        Ok(file)
    }

    fn check(&self) -> Result<(), String> {
        for course in &self.course {
            let name = &course.slug;
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
                return Err(format!("course `{name}`: the slug may have letters, digits, `-`, `_` and `.`"));
            }
            if course.price_vnd <= 0 {
                return Err(format!("course `{name}`: price_vnd must be whole đồng above 0"));
            }
            if course.description.as_ref().is_some_and(|text| text.chars().count() > LONGEST_DESCRIPTION) {
                return Err(format!(
                    "course `{name}`: description: at most {LONGEST_DESCRIPTION} characters"
                ));
            }
            if course.access_days.is_some_and(|days| !(0..=LONGEST_ACCESS_DAYS).contains(&days)) {
                return Err(format!("course `{name}`: access_days: 0 (for ever) to {LONGEST_ACCESS_DAYS}"));
            }
            for (key, value) in [("source", &course.source), ("target", &course.target)] {
                if value.get("kind").and_then(serde_json::Value::as_str).is_none() {
                    return Err(format!(
                        "course `{name}`: {key} needs a kind, as in {{ kind = \"folder\", … }}"
                    ));
                }
            }
        }
        for bundle in &self.bundle {
            let name = &bundle.slug;
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
                return Err(format!("bundle `{name}`: the slug may have letters, digits, `-`, `_` and `.`"));
            }
            if bundle.price_vnd <= 0 {
                return Err(format!("bundle `{name}`: price_vnd must be whole đồng above 0"));
            }
            if bundle.courses.len() < 2 {
                return Err(format!("bundle `{name}`: it needs at least two courses"));
            }
        }
        for customer in &self.customer {
            check_email(&customer.email)?;
        }
        for course in &self.course {
            if let Some(enrolment) = &course.enrolment {
                EnrolmentSpec::parse(enrolment.clone())
                    .map_err(|why| format!("course `{}`: enrolment: {why}", course.slug))?;
            }
        }
        let mut codes = HashSet::with_capacity(self.order.len());
        for order in &self.order {
            check_email(&order.email).map_err(|error| format!("order {}: {error}", order.code))?;
            if order.courses.is_empty() {
                return Err(format!("order {}: it has no courses", order.code));
            }
            if order.created_at.as_ref().is_some_and(|when| when.ms().is_none()) {
                return Err(format!("order {}: created_at needs a date, a time and an offset", order.code));
            }
            if !codes.insert(order.code.as_str()) {
                return Err(format!("order {}: the code is there twice", order.code));
            }
        }
        Ok(())
    }
}

fn check_email(email: &str) -> Result<(), String> {
    let good = email
        .split_once('@')
        .is_some_and(|(user, host)| !user.is_empty() && host.contains('.') && !host.contains('@'));
    if good && email.len() <= 254 && !email.chars().any(|c| c.is_whitespace() || c.is_control()) {
        Ok(())
    } else {
        Err(format!("`{email}` is not a mail address"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = r#"
[shop]
name = "Khoá học An"
[[bank_account]]
bank = "MBBank"
account = "0900000699"
holder = "NGUYEN VAN AN"
[[course]]
slug = "rust-101"
title = "Rust cơ bản"
price_vnd = 499000
source = { kind = "folder", path = "/courses/rust" }
target = { kind = "folder" }
enrolment = { kind = "recipe", name = "moodle", base_url = "https://school.example.com", course = "42", secret = "lms.school" }
description = "Từ dòng đầu tiên"
access_days = 365
[[bundle]]
slug = "tron-bo"
title = "Trọn bộ"
price_vnd = 900000
courses = ["rust-101", "sql-201"]
[[customer]]
email = "lan@example.com"
name = "Trần Thị Lan"
[[order]]
code = "DH123456"
email = "lan@example.com"
courses = ["rust-101"]
created_at = 2026-01-02T03:04:05Z
"#;

    #[test]
    fn the_documented_file_is_read() {
        let file = ImportFile::parse(SAMPLE).unwrap();
        assert_eq!(file.course[0].source["path"], "/courses/rust");
        assert_eq!(file.course[0].description.as_deref(), Some("Từ dòng đầu tiên"));
        assert_eq!(file.course[0].access_days, Some(365));
        assert_eq!(file.order[0].created_at.as_ref().unwrap().ms(), Some(1_767_323_045_000));
        let text = SAMPLE.replace("2026-01-02T03:04:05Z", "\"2026-01-02T10:04:05+07:00\"");
        assert_eq!(
            ImportFile::parse(&text).unwrap().order[0].created_at.as_ref().unwrap().ms(),
            Some(1_767_323_045_000)
        );
    }

    #[test]
    fn a_course_without_files_needs_no_target() {
        let text = SAMPLE
            .replace(
                "source = { kind = \"folder\", path = \"/courses/rust\" }",
                "source = { kind = \"none\" }",
            )
            .replace("target = { kind = \"folder\" }\n", "");
        let course = &ImportFile::parse(&text).unwrap().course[0];
        assert_eq!((&course.source["kind"], &course.target["kind"]), (&"none".into(), &"folder".into()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |from: &str, to: &str| ImportFile::parse(&SAMPLE.replace(from, to)).unwrap_err();
        assert!(error("price_vnd = 499000", "price_vnd = 0").contains("rust-101"));
        assert!(error("price_vnd = 499000", "price_vnd = 1.5").contains("price_vnd"));
        assert!(error(", \"sql-201\"]", "]").contains("tron-bo"));
        assert!(error("access_days = 365", "access_days = -1").contains("access_days"));
        assert!(error("Từ dòng đầu tiên", &"x".repeat(5_001)).contains("description"));
        assert!(error("holder =", "owner =").contains("owner"));
        assert!(error("lan@example.com", "lan").contains("lan"));
        assert!(error("03:04:05Z", "03:04:05").contains("DH123456"));
        assert!(error("[\"rust-101\"]", "[]").contains("DH123456"));
        assert!(error("kind = \"folder\", path", "path").contains("source"));
        assert!(error("name = \"moodle\"", "name = \"mudle\"").contains("teachable"));
        assert!(error("secret = \"lms.school\"", "secret = \"abc\"").contains("rust-101"));
    }
}
