//! The latest log lines in memory, masked, for the app's own page.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use chotdon_domain::fold::fold;
use tokio::sync::watch;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::Mask;
use crate::ports::{Clock, SystemClock};

/// Lines that are kept.
const LINES: usize = 5_000;
/// Characters kept of one value.
const MOST: usize = 2_000;

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Grows by one a line.
    pub(crate) seq: u64,
    /// When, ms.
    pub(crate) at: i64,
    /// `error` … `trace`.
    pub(crate) level: &'static str,
    /// The part of the program, short.
    pub(crate) component: String,
    /// The sentence.
    pub(crate) message: String,
    /// Fields by name, as text.
    pub(crate) fields: Vec<(&'static str, String)>,
}

/// Which lines are asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// At least as important as this level.
    pub(crate) level: Option<&'static str>,
    /// Only this part.
    pub(crate) component: Option<String>,
    /// Every word of it in the line, accents aside.
    pub(crate) text: String,
    /// Only lines before this one.
    pub(crate) before: Option<u64>,
    /// Only lines after this one.
    pub(crate) after: Option<u64>,
    /// At most so many.
    pub(crate) limit: usize,
}

/// Levels, the most important first.
pub(crate) const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// The ring of a process.
#[derive(Debug)]
pub(crate) struct Ring {
    kept: Mutex<Kept>,
    news: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<Arc<Line>>,
    seq: u64,
}

impl Ring {
    /// The ring that every line of this process goes to.
    pub(crate) fn of_process() -> &'static Self {
        static RING: LazyLock<Ring> = LazyLock::new(Ring::new);
        &RING
    }

    fn new() -> Self {
        Self { kept: Mutex::default(), news: watch::Sender::new(0) }
    }

    /// Tells of new lines, by the newest one's number.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// The parts that have said something, by name.
    pub(crate) fn components(&self) -> Vec<String> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let names: std::collections::BTreeSet<&str> =
            kept.lines.iter().map(|line| line.component.as_str()).collect();
        names.into_iter().map(str::to_owned).collect()
    }

    /// The lines that are wanted, oldest first: those right after a line, else the newest; and whether there are more
    /// that way.
    pub(crate) fn lines(&self, wanted: &Wanted) -> (Vec<Arc<Line>>, bool) {
        let all: Vec<Arc<Line>> = {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.lines.iter().cloned().collect()
        };
        let words: Vec<String> = fold(&wanted.text).split_whitespace().map(str::to_owned).collect();
        let worst = wanted
            .level
            .and_then(|level| LEVELS.iter().position(|one| *one == level))
            .unwrap_or(LEVELS.len());
        let fits = |line: &&Arc<Line>| {
            LEVELS.iter().position(|one| *one == line.level).is_some_and(|at| at <= worst)
                && wanted.component.as_ref().is_none_or(|name| *name == line.component)
                && wanted.before.is_none_or(|seq| line.seq < seq)
                && wanted.after.is_none_or(|seq| line.seq > seq)
                && (words.is_empty() || has(line, &words))
        };
        let mut found: Vec<Arc<Line>> = if wanted.after.is_some() {
            all.iter().filter(fits).take(wanted.limit + 1).cloned().collect()
        } else {
            all.iter().rev().filter(fits).take(wanted.limit + 1).cloned().collect()
        };
        let more = found.len() > wanted.limit;
        found.truncate(wanted.limit);
        if wanted.after.is_none() {
            found.reverse();
        }
        (found, more)
    }

    fn push(&self, line: Line) {
        let seq = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.seq += 1;
            let seq = kept.seq;
            kept.lines.push_back(Arc::new(Line { seq, ..line }));
            if kept.lines.len() > LINES {
                kept.lines.pop_front();
            }
            seq
        };
        self.news.send_replace(seq);
    }
}

fn has(line: &Line, words: &[String]) -> bool {
    let fields: Vec<String> = line.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let text = fold(&format!("{} {} {}", line.message, line.component, fields.join(" ")));
    words.iter().all(|word| text.contains(word))
}

/// Puts every event into a ring.
pub(super) struct IntoRing {
    pub(super) ring: &'static Ring,
    pub(super) mask: Mask,
}

impl<S: Subscriber> Layer<S> for IntoRing {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut words = Words { mask: &self.mask, message: String::new(), fields: Vec::new() };
        event.record(&mut words);
        let meta = event.metadata();
        self.ring.push(Line {
            seq: 0,
            at: SystemClock.now_ms(),
            level: level(*meta.level()),
            component: component(meta.target()),
            message: words.message,
            fields: words.fields,
        });
    }
}

struct Words<'m> {
    mask: &'m Mask,
    message: String,
    fields: Vec<(&'static str, String)>,
}

impl Words<'_> {
    fn keep(&mut self, field: &Field, value: &str) {
        let value: String = self.mask.apply(value).chars().take(MOST).collect();
        if field.name() == "message" {
            self.message = value;
        } else {
            self.fields.push((field.name(), value));
        }
    }
}

impl Visit for Words<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.keep(field, &format!("{value:?}"));
    }
}

const fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// `chotdon_core::tell::telegram` → `tell`, `chotdon_store::writer` → `store`, `hyper::proto` → `hyper`.
fn component(target: &str) -> String {
    let mut parts = target.split("::");
    let first = parts.next().unwrap_or_default();
    match first {
        "chotdon_core" => parts.next().unwrap_or("core").to_owned(),
        other => other.strip_prefix("chotdon_").unwrap_or(other).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    fn ring() -> (&'static Ring, impl Subscriber + Send + Sync) {
        let ring: &'static Ring = Box::leak(Box::new(Ring::new()));
        let mask = Mask::default();
        mask.hide(&SecretString::from("canary-0123456789"));
        (ring, tracing_subscriber::registry().with(IntoRing { ring, mask }))
    }

    fn wanted(text: &str) -> Wanted {
        Wanted { text: text.to_owned(), limit: 10, ..Wanted::default() }
    }

    #[test]
    fn lines_are_found_by_words_without_accents_and_by_fields() {
        let (ring, subscriber) = ring();
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(order_code = "DH123456", sepay_id = 7, "Đơn hàng bị treo");
            tracing::info!("another");
        });
        let found = |text: &str| ring.lines(&wanted(text)).0.len();
        assert_eq!(
            (found("don treo"), found("order_code=dh123456"), found("sepay_id=7"), found("nothing")),
            (1, 1, 1, 0)
        );
        let errors = Wanted { level: Some("warn"), ..wanted("") };
        assert_eq!(ring.lines(&errors).0.len(), 1);
    }

    #[test]
    fn a_secret_is_in_no_message_and_no_field() {
        let (ring, subscriber) = ring();
        tracing::subscriber::with_default(subscriber, || {
            tracing::error!(field = "canary-0123456789", other = ?Some("canary-0123456789"), "said canary-0123456789");
            tracing::error!(control = "plain", "said plain");
        });
        let text = format!("{:?}", ring.lines(&wanted("")).0);
        assert!(!text.contains("canary") && text.contains("plain"), "{text}");
    }

    #[test]
    fn pages_follow_both_ways_and_memory_is_bounded() {
        let (ring, subscriber) = ring();
        tracing::subscriber::with_default(subscriber, || {
            for n in 0..LINES + 500 {
                tracing::info!(n, "line");
            }
        });
        let seqs = |wanted: &Wanted| ring.lines(wanted).0.iter().map(|line| line.seq).collect::<Vec<_>>();
        let newest = seqs(&Wanted { limit: 3, ..Wanted::default() });
        let last = (LINES + 500) as u64;
        assert_eq!(newest, [last - 2, last - 1, last]);
        assert_eq!(
            seqs(&Wanted { before: Some(newest[0]), limit: 2, ..Wanted::default() }),
            [last - 4, last - 3]
        );
        assert_eq!(seqs(&Wanted { after: Some(last - 2), limit: 9, ..Wanted::default() }), [last - 1, last]);
        assert_eq!(ring.lines(&Wanted { limit: usize::MAX - 1, ..Wanted::default() }).0.len(), LINES);
    }

    #[test]
    fn parts_have_short_names() {
        for (target, name) in [
            ("chotdon_core::tell::telegram", "tell"),
            ("chotdon_store::writer", "store"),
            ("hyper::proto", "hyper"),
            ("chotdon_core", "core"),
        ] {
            assert_eq!(component(target), name);
        }
    }
}
