//! `docs/settings.md`, rendered from the table of settings; a test keeps the committed page fresh.

use std::fmt::Write;

use super::{ROWS, SECTIONS};

/// The page as it is committed.
#[must_use]
pub fn settings_page() -> String {
    let mut page = String::from(
        "# Settings\n\n\
         One file, `config.toml`, in the data directory. Every key is optional. A key `section.key` can be\n\
         overridden by the environment variable `CHOTDON_SECTION__KEY`, for example\n\
         `CHOTDON_QUEUE__RETRY_MAX=3`. Passwords and keys are never here: see `chotdon-server secret`.\n\n\
         This page is rendered from the program's own table; `UPDATE_PAGES=1 cargo test -p chotdon-core settings_page`\n\
         writes it anew.\n",
    );
    for (section, about) in SECTIONS {
        let _ = write!(page, "\n## `[{section}]`\n\n{}\n\n", one_line(about));
        page.push_str("| Key | Default | Unit | Allowed | What |\n|---|---|---|---|---|\n");
        for row in ROWS.iter().filter(|row| row.section == *section) {
            let _ = writeln!(
                page,
                "| `{section}.{}` | {} | {} | {} | {} |",
                row.key,
                default_of(row),
                row.unit,
                allowed(row),
                one_line(row.about)
            );
        }
    }
    page
}

fn default_of(row: &super::Row) -> String {
    match (row.shown, (row.default)()) {
        ("", Some(value)) => format!("`{}`", value.to_string().trim()),
        ("", None) => "not set".to_owned(),
        (shown, _) => shown.to_owned(),
    }
}

fn allowed(row: &super::Row) -> String {
    let limits = row.check.to_string();
    if limits.is_empty() { (row.expected)() } else { limits }
}

fn one_line(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}
