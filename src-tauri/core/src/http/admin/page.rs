//! Paging parameters and other words of a query string, with refusals that name the parameter.

use chotdon_store::read::{LONGEST_PAGE, Slice, Window};

use crate::http::problem::Answer;
use crate::views::{Page, Problem};

/// The window that `?after=` and `?limit=` ask for.
pub(super) fn window(after: Option<&str>, limit: Option<&str>) -> Answer<Window> {
    let below = match after.filter(|after| !after.is_empty()) {
        None => None,
        Some(cursor) => Some(cursor.parse::<i64>().ok().filter(|id| *id > 0).ok_or_else(|| {
            Problem::bad("`after` is not a cursor; pass the `next` of the page before, or leave it out")
        })?),
    };
    let limit = match limit.filter(|limit| !limit.is_empty()) {
        None => Window::default().limit,
        Some(limit) => limit
            .parse::<u32>()
            .ok()
            .filter(|limit| (1..=LONGEST_PAGE).contains(limit))
            .ok_or_else(|| Problem::bad(format!("`limit` must be a number from 1 to {LONGEST_PAGE}")))?,
    };
    Ok(Window { below, limit })
}

/// A parameter whose value is one of a list of words. Empty counts as left out.
pub(super) fn word<T>(
    name: &str,
    given: Option<&str>,
    known: impl IntoIterator<Item = &'static str>,
    parse: impl Fn(&str) -> Option<T>,
) -> Answer<Option<T>> {
    let Some(given) = given.filter(|given| !given.is_empty()) else {
        return Ok(None);
    };
    parse(given).map(Some).ok_or_else(|| {
        let known: Vec<_> = known.into_iter().collect();
        Problem::bad(format!("`{name}` must be one of {}", known.join(", ")))
    })
}

/// An id in a path.
pub(super) fn id(text: &str) -> Answer<i64> {
    text.parse()
        .map_err(|_| Problem::not_found(format_args!("id `{}`", text.chars().take(40).collect::<String>())))
}

/// A page of views with its cursor.
pub(super) fn page<R, V>(slice: &Slice<R>, view: impl Fn(&R) -> V) -> Page<V> {
    Page { rows: slice.rows.iter().map(view).collect(), next: slice.next.map(|id| id.to_string()) }
}
