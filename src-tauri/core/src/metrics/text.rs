//! The text format that Prometheus reads, version 0.0.4. Knows nothing of the shop.

use std::fmt::{Display, Write};

use super::Histogram;

/// What `GET /metrics` answers as `Content-Type`.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page being written.
#[derive(Debug, Default)]
pub(crate) struct Page(String);

/// One family of samples, which the page asks for together.
pub(crate) struct Family<'p> {
    page: &'p mut String,
    name: &'static str,
}

impl Page {
    /// Samples that go up and down.
    pub(crate) fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "gauge", help)
    }

    /// Samples that only grow while the program runs; the name ends in `_total`.
    pub(crate) fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "counter", help)
    }

    /// Distributions; the name ends in its unit.
    pub(crate) fn histogram(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, "histogram", help)
    }

    fn family(&mut self, name: &'static str, kind: &str, help: &str) -> Family<'_> {
        let help = help.replace('\\', r"\\").replace('\n', r"\n");
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Family { page: &mut self.0, name }
    }

    /// The page as it is sent.
    pub(crate) fn text(self) -> String {
        self.0
    }
}

impl Family<'_> {
    /// One sample; labels as name and value.
    pub(crate) fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) -> &mut Self {
        self.line("", labels, None, value);
        self
    }

    /// The samples of a histogram of milliseconds, in seconds.
    pub(crate) fn times(&mut self, labels: &[(&str, &str)], times: &Histogram) -> &mut Self {
        let buckets = times.up_to();
        let count = buckets.last().map_or(0, |(_, n)| *n);
        for (bound, n) in buckets {
            let bound =
                bound.map_or_else(|| "+Inf".to_owned(), |ms| seconds(i64::try_from(ms).unwrap_or(i64::MAX)));
            self.line("_bucket", labels, Some(&bound), n);
        }
        self.line("_sum", labels, None, seconds(i64::try_from(times.sum_ms()).unwrap_or(i64::MAX)));
        self.line("_count", labels, None, count);
        self
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], bound: Option<&str>, value: impl Display) {
        let _ = write!(self.page, "{}{suffix}", self.name);
        let all = labels.iter().copied().chain(bound.map(|bound| ("le", bound)));
        let words: Vec<String> = all.map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        if !words.is_empty() {
            let _ = write!(self.page, "{{{}}}", words.join(","));
        }
        let _ = writeln!(self.page, " {value}");
    }
}

/// Milliseconds as seconds, exactly: `1500` → `1.5`.
pub(crate) fn seconds(ms: i64) -> String {
    let (sign, ms) = (if ms < 0 { "-" } else { "" }, ms.unsigned_abs());
    let text = format!("{sign}{}.{:03}", ms / 1_000, ms % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_in_the_form_that_prometheus_reads() {
        let mut page = Page::default();
        page.gauge("shop_open", "Whether\nit is.").sample(&[], 1);
        page.counter("shop_seen_total", "Seen.").sample(&[("why", "a \"b\" \\ c\nd")], 7);
        let times = Histogram::new(&[5, 1_000]);
        times.observe(7);
        page.histogram("shop_took_seconds", "Took.").times(&[("stage", "mail")], &times);
        assert_eq!(
            page.text(),
            "# HELP shop_open Whether\\nit is.\n# TYPE shop_open gauge\nshop_open 1\n\
             # HELP shop_seen_total Seen.\n# TYPE shop_seen_total counter\n\
             shop_seen_total{why=\"a \\\"b\\\" \\\\ c\\nd\"} 7\n\
             # HELP shop_took_seconds Took.\n# TYPE shop_took_seconds histogram\n\
             shop_took_seconds_bucket{stage=\"mail\",le=\"0.005\"} 0\n\
             shop_took_seconds_bucket{stage=\"mail\",le=\"1\"} 1\n\
             shop_took_seconds_bucket{stage=\"mail\",le=\"+Inf\"} 1\n\
             shop_took_seconds_sum{stage=\"mail\"} 0.007\nshop_took_seconds_count{stage=\"mail\"} 1\n"
        );
    }

    #[test]
    fn seconds_are_exact() {
        for (ms, text) in [(0, "0"), (1, "0.001"), (1_500, "1.5"), (-20, "-0.02"), (3_600_000, "3600")] {
            assert_eq!(seconds(ms), text);
        }
    }
}
