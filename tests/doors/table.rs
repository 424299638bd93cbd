//! The table of `docs/threats.md`, read as it stands there.

/// What a row says about one situation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    /// The request passes this question.
    In,
    /// It is answered with this status.
    Status(u16),
}

/// The columns that are situations, by their headings.
pub(crate) const SITUATIONS: [&str; 6] =
    ["Program", "Own page", "Address bar", "Link", "Picture", "Other page"];
/// Those that are keys.
pub(crate) const KEYS: [&str; 3] = ["No key", "Wrong key", "Right key"];

/// A row.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) listener: String,
    /// As written; empty for everything that no other row has.
    pub(crate) routes: Vec<String>,
    /// As written; empty where the OpenAPI document says them.
    pub(crate) methods: Vec<String>,
    pub(crate) situations: [Says; SITUATIONS.len()],
    pub(crate) keys: [Says; KEYS.len()],
    pub(crate) other_method: Says,
}

impl Row {
    /// Whether a path, a template or a real one, belongs here.
    pub(crate) fn covers(&self, path: &str) -> bool {
        self.routes.iter().any(|route| fits(route, path))
    }
}

fn fits(route: &str, path: &str) -> bool {
    if let Some(start) = route.strip_suffix('*') {
        return path.starts_with(start);
    }
    let (route, path): (Vec<_>, Vec<_>) = (route.split('/').collect(), path.split('/').collect());
    route.len() == path.len()
        && route.iter().zip(&path).all(|(known, part)| known.contains('{') || known == part)
}

/// Reads the table out of a page.
pub(crate) fn read(page: &str) -> Vec<Row> {
    let heading = "| Listener | Routes | Methods |";
    let table = page.lines().skip_while(|line| !line.starts_with(heading));
    let mut lines = table.take_while(|line| line.starts_with('|'));
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let names = cells(lines.next().expect("docs/threats.md has the table"));
    let column =
        |name: &str| names.iter().position(|known| known == name).unwrap_or_else(|| panic!("no {name}"));
    let rows = lines.skip(1).map(|line| {
        let cells = cells(line);
        assert_eq!(cells.len(), names.len(), "{line}");
        let says = |name: &str| match cells[column(name)].as_str() {
            "in" => Says::In,
            status => Says::Status(status.parse().unwrap_or_else(|_| panic!("{name}: {status:?}"))),
        };
        let words = |name: &str| -> Vec<String> {
            let words = cells[column(name)].split_whitespace().map(|word| word.trim_matches('`').to_owned());
            words.filter(|word| !word.contains("everything") && !word.contains("else")).collect()
        };
        Row {
            listener: cells[column("Listener")].clone(),
            routes: words("Routes"),
            methods: words("Methods"),
            situations: SITUATIONS.map(says),
            keys: KEYS.map(says),
            other_method: says("Other method"),
        }
    });
    rows.collect()
}

#[test]
fn the_page_has_the_table_with_both_doors() {
    let rows = read(PAGE);
    assert!(
        rows.iter().any(|row| row.listener == "public") && rows.iter().any(|row| row.listener == "private")
    );
    assert!(rows.iter().filter(|row| row.routes.is_empty()).count() == 1, "one row for everything else");
    assert!(
        fits("/d/{token}", "/d/x") && !fits("/d/{token}", "/d/x/y") && fits("/admin/api/*", "/admin/api/a/b")
    );
}

/// The page itself.
pub(crate) const PAGE: &str = include_str!("../../docs/threats.md");
