//! Figures beside their limits, and the time.

use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Everything measured so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    missed: Vec<String>,
}

impl Report {
    /// Begins a group of figures.
    pub(crate) fn section(&mut self, name: &str) {
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load: Vec<&str> = load.split(' ').take(2).collect();
        println!("\n{name} (load {})", load.join(" "));
    }

    /// A figure without a limit.
    pub(crate) fn note(&mut self, what: &str, value: &str) {
        println!("  {what:<44} {value:>14}");
    }

    /// A figure that must be at most `limit`; both in `unit`.
    pub(crate) fn at_most(&mut self, what: &str, value: f64, limit: f64, unit: &str) {
        self.judge(what, value, "≤", limit, unit, value <= limit);
    }

    /// A figure that must be at least `limit`; both in `unit`.
    pub(crate) fn at_least(&mut self, what: &str, value: f64, limit: f64, unit: &str) {
        self.judge(what, value, "≥", limit, unit, value >= limit);
    }

    fn judge(&mut self, what: &str, value: f64, sign: &str, limit: f64, unit: &str, holds: bool) {
        let word = if holds { "holds" } else { "MISSED" };
        println!("  {what:<44} {:>14}   {sign} {} {word}", shown(value, unit), shown(limit, unit));
        if !holds {
            self.missed.push(what.to_owned());
        }
    }

    /// The end: success when every limit holds.
    pub(crate) fn close(self) -> ExitCode {
        if self.missed.is_empty() {
            println!("\nEvery limit holds.");
            return ExitCode::SUCCESS;
        }
        println!("\nMissed: {}", self.missed.join("; "));
        ExitCode::FAILURE
    }
}

fn shown(value: f64, unit: &str) -> String {
    let digits = if value >= 1_000.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        3
    };
    format!("{value:.digits$} {unit}")
}

/// Now, for measuring how long something takes.
#[allow(clippy::disallowed_methods)] // measures real time
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Now, ms since the Unix epoch.
pub(crate) fn now_ms() -> i64 {
    use chotdon_core::ports::{Clock, SystemClock};
    SystemClock.now_ms()
}

/// Times in order, of which percentiles are asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    /// Sorts what was taken.
    pub(crate) fn new(mut taken: Vec<Duration>) -> Self {
        taken.sort_unstable();
        Self(taken)
    }

    /// The time, ms, that `percent` of all do not exceed; 0 of none.
    pub(crate) fn ms(&self, percent: usize) -> f64 {
        let at = (self.0.len() * percent / 100).min(self.0.len().saturating_sub(1));
        self.0.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    }
}

/// The middle one of several figures; 0 of none.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
