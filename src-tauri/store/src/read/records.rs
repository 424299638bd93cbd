//! Reading columns that hold the name of a domain value.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

/// The value whose stored name is in `column`.
pub(super) fn named<T>(row: &SqliteRow, column: &str, parse: impl Fn(&str) -> Option<T>) -> sqlx::Result<T> {
    let name: &str = row.try_get(column)?;
    parse(name).ok_or_else(|| sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: format!("`{name}` is not a known value").into(),
    })
}
