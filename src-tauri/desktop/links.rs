//! Links `chotdon://order/DH123456`, `chotdon://task/42`, `chotdon://unmatched/7`: they show a page and do nothing else.
//!
//! Anybody can write such a link, so it is held against a form and never decoded. The system hands it over as an
//! argument, to the first start or to a second one that passes it on.

/// Longer than any link of ours.
const LONGEST: usize = 64;

/// The first argument that is a link of ours, as a route of the UI. Anything else is nothing.
pub(crate) fn route<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let link = arguments.into_iter().find(|argument| is_link(argument))?;
    let route = page(link);
    if route.is_none() {
        tracing::warn!(length = link.len(), "a link that names no page was opened");
    }
    route
}

/// Whether an argument is a link, right or wrong, rather than an option.
pub(crate) fn is_link(argument: &str) -> bool {
    argument.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("chotdon:"))
}

fn page(link: &str) -> Option<String> {
    if link.len() > LONGEST {
        return None;
    }
    let (kind, id) = link.strip_prefix("chotdon://")?.split_once('/')?;
    let number = !id.is_empty() && id.len() <= 18 && id.bytes().all(|b| b.is_ascii_digit());
    let code =
        (3..=24).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    match kind {
        "order" if code => Some(format!("/orders/{id}")),
        "task" if number => Some(format!("/queue/{id}")),
        "unmatched" if number => Some(format!("/unmatched/{id}?state=all")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::route;

    fn of(link: &str) -> Option<String> {
        route(["chotdon", "--hidden", link])
    }

    #[test]
    fn a_link_names_a_page() {
        assert_eq!(of("chotdon://order/DH123456").as_deref(), Some("/orders/DH123456"));
        assert_eq!(of("chotdon://task/42").as_deref(), Some("/queue/42"));
        assert_eq!(of("chotdon://unmatched/7").as_deref(), Some("/unmatched/7?state=all"));
    }

    #[test]
    fn a_hostile_link_is_nothing() {
        let long = format!("chotdon://order/{}", "A".repeat(10_000));
        for link in [
            long.as_str(),
            "chotdon:",
            "chotdon://",
            "chotdon://order",
            "chotdon://order/",
            "chotdon://order/dh123456",
            "chotdon://order/DH123456/",
            "chotdon://order/DH123456/../../settings",
            "chotdon://order/DH123456?filter=x",
            "chotdon://order/DH123456#/settings",
            "chotdon://order/%44H123456",
            "chotdon://order/DH 123456",
            "chotdon://order/ĐH123456",
            "chotdon://order/DH12\u{202e}3456",
            "chotdon://order/DH123456\n",
            "chotdon://order@evil/DH123456",
            "chotdon://order:80/DH123456",
            "chotdon://settings/x",
            "chotdon://queue/pause",
            "chotdon://task/-1",
            "chotdon://task/1e3",
            "chotdon://task/999999999999999999999",
            "chotdon://task/1;rm",
            "chotdon:order/DH123456",
            "chotdon:///order/DH123456",
            "CHOTDON://order/DH123456",
            "javascript:alert(1)",
            "https://example.com/",
            "",
        ] {
            assert_eq!(of(link), None, "{link}");
        }
        assert_eq!(route(["chotdon"]), None);
        // Only the first is looked at: a second one cannot stand in for it.
        assert_eq!(route(["chotdon://x/y", "chotdon://task/1"]), None);
    }
}
