//! Counts tests as their runners report them, and prints the table at the end.

use std::time::Duration;

/// Tests that passed and failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Tests that passed.
    pub(crate) passed: u64,
    /// Tests that failed.
    pub(crate) failed: u64,
}

impl Counts {
    /// Adds what a line of a test runner's output says: libtest's `test result: …`, vitest's
    /// `Tests  3 passed (3)`, or a TAP-like `ok - name` / `not ok - name`.
    pub(crate) fn read(&mut self, line: &str) {
        let line = strip_colours(line);
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("test result: ") {
            self.passed += number_before(rest, " passed");
            self.failed += number_before(rest, " failed");
        } else if let Some(rest) = line.strip_prefix("Tests ") {
            self.passed += number_before(rest, " passed");
            self.failed += number_before(rest, " failed");
        } else if line.starts_with("ok - ") {
            self.passed += 1;
        } else if line.starts_with("not ok - ") {
            self.failed += 1;
        }
    }
}

/// How a step ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It did what it should.
    Passed,
    /// It did not; the text says why.
    Failed(String),
    /// It was left out; the text says why.
    Skipped(String),
}

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Row {
    /// The step's name.
    pub(crate) name: &'static str,
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// The tests it ran.
    pub(crate) counts: Counts,
    /// How long it took.
    pub(crate) took: Duration,
}

/// The table, and the closing line with the sum. A check without tests of its own counts as one test.
pub(crate) fn table(rows: &[Row]) -> (String, Counts) {
    let mut text = String::new();
    let mut sum = Counts::default();
    for row in rows {
        let (word, note) = match &row.outcome {
            Outcome::Passed => ("ok", String::new()),
            Outcome::Failed(why) => ("FAILED", why.lines().next().unwrap_or_default().to_owned()),
            Outcome::Skipped(why) => ("-", why.clone()),
        };
        let mut counts = row.counts;
        if counts == Counts::default() && row.outcome == Outcome::Passed {
            counts.passed = 1;
        }
        if counts.failed == 0 && matches!(row.outcome, Outcome::Failed(_)) {
            counts.failed = 1;
        }
        sum.passed += counts.passed;
        sum.failed += counts.failed;
        text.push_str(&format!(
            "{:<14} {word:<7} {:>8.1} s {:>6} passed {:>4} failed  {note}\n",
            row.name,
            row.took.as_secs_f64(),
            counts.passed,
            counts.failed
        ));
    }
    text.push_str(&format!("\n{} passed, {} failed\n", sum.passed, sum.failed));
    (text, sum)
}

fn number_before(text: &str, word: &str) -> u64 {
    text.find(word)
        .map(|end| &text[..end])
        .and_then(|before| before.rsplit(|c: char| !c.is_ascii_digit()).next())
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0)
}

fn strip_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        if c == '\u{1b}' {
            // An escape sequence ends with a letter.
            rest.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(c);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(lines: &[&str]) -> Counts {
        let mut counts = Counts::default();
        for line in lines {
            counts.read(line);
        }
        counts
    }

    #[test]
    fn each_runner_is_counted_in_its_own_words() {
        let libtest = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out";
        assert_eq!(counts(&[libtest]), Counts { passed: 12, failed: 3 });
        let vitest = "\u{1b}[2m      Tests \u{1b}[22m \u{1b}[31m2 failed\u{1b}[39m | \u{1b}[32m40 passed\u{1b}[39m (42)";
        assert_eq!(counts(&[vitest]), Counts { passed: 40, failed: 2 });
        assert_eq!(counts(&["ok - a", "not ok - b", "ok - c"]), Counts { passed: 2, failed: 1 });
    }

    #[test]
    fn other_lines_count_nothing() {
        assert_eq!(
            counts(&["100 passed through", "running 3 tests", "Test Files  2 passed (2)", "okay - x"]),
            Counts::default()
        );
    }

    #[test]
    fn a_failed_step_without_tests_makes_the_sum_red() {
        let row = |outcome| Row { name: "x", outcome, counts: Counts::default(), took: Duration::ZERO };
        let (text, sum) = table(&[row(Outcome::Passed), row(Outcome::Failed("why\nmore".into()))]);
        assert_eq!(sum, Counts { passed: 1, failed: 1 });
        assert!(text.ends_with("1 passed, 1 failed\n"), "{text}");
        let (_, sum) = table(&[row(Outcome::Skipped("not asked for".into()))]);
        assert_eq!(sum, Counts::default());
    }
}
