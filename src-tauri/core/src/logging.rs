//! Logs: JSON lines in the folder `logs` of the data directory, readable lines on standard error, and the latest ones in
//! memory. All pass through one mask, so that no credential reaches a log whoever writes it.

mod files;
mod mask;
mod ring;

use std::io;
use std::path::Path;

use secrecy::SecretString;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Layer};

pub(crate) use files::paths;
pub use mask::Mask;
pub(crate) use ring::{LEVELS, Line, Ring, Wanted};

use crate::config::LogConfig;
use crate::ports::{Clock, SystemClock};
use crate::private_file;
use files::Files;
use ring::IntoRing;

/// Folder of the log files in the data directory.
pub const FOLDER: &str = "logs";

/// From now on `value` appears in no log of this process, in whatever field or encoding it is written.
/// Values shorter than six characters are not masked: they would mask words.
pub fn hide(value: &SecretString) {
    Mask::of_process().hide(value);
}

/// `text` as it may be kept and shown: without any value that was hidden, in whatever spelling.
#[must_use]
pub fn masked(text: &str) -> String {
    Mask::of_process().apply(text).into_owned()
}

/// Keeps the log files written; what is still buffered is written when it is dropped.
#[must_use]
pub struct Logging {
    _guard: WorkerGuard,
}

/// Starts logging of the shop in `data_dir` for the whole process, panics included. Callers start it once.
///
/// # Errors
/// When the folder cannot be made, or when the process logs already.
pub fn start(data_dir: &Path, config: &LogConfig) -> io::Result<Logging> {
    let folder = data_dir.join(FOLDER);
    private_file::create_folder(&folder)?;
    let files = Files::new(folder, config, || SystemClock.now_ms());
    let (files, guard) = tracing_appender::non_blocking(files);
    let subscriber = subscriber(config, files, io::stderr, Mask::of_process());
    tracing::subscriber::set_global_default(subscriber).map_err(io::Error::other)?;
    crate::panics::install();
    Ok(Logging { _guard: guard })
}

fn subscriber<F, E>(
    config: &LogConfig,
    files: F,
    stderr: E,
    mask: &Mask,
) -> impl tracing::Subscriber + Send + Sync
where
    F: for<'a> MakeWriter<'a> + Send + Sync + 'static,
    E: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let json = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_writer(Masked { inner: files, mask: mask.clone() })
        .with_filter(filter(config));
    let readable = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_target(false)
        .with_writer(Masked { inner: stderr, mask: mask.clone() })
        .with_filter(filter(config));
    let kept = IntoRing { ring: Ring::of_process(), mask: mask.clone() }.with_filter(filter(config));
    tracing_subscriber::registry().with(json).with(readable).with(kept)
}

/// Ours at the wanted level; libraries only from warnings on, unless everything is wanted.
fn filter(config: &LogConfig) -> EnvFilter {
    let level = config.level.as_str();
    match level {
        "trace" => EnvFilter::new("trace,sqlx=warn,sqlx::query=debug"),
        _ => EnvFilter::new(format!(
            "warn,chotdon={level},chotdon_core={level},chotdon_store={level},chotdon_server={level},sepay={level}"
        )),
    }
}

/// A writer that masks each line before it is written. The formatters hand over one event per call.
struct Masked<W> {
    inner: W,
    mask: Mask,
}

struct MaskedLine<W> {
    inner: W,
    mask: Mask,
}

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for Masked<W> {
    type Writer = MaskedLine<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        MaskedLine { inner: self.inner.make_writer(), mask: self.mask.clone() }
    }
}

impl<W: io::Write> io::Write for MaskedLine<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(bytes);
        self.inner.write_all(self.mask.apply(&line).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Both logs of one run that writes the canary in every place a log line has.
    fn logged(mask: &Mask, canary: &str) -> String {
        let lines = Lines::default();
        let (files, stderr) = (lines.clone(), lines.clone());
        let config = LogConfig { level: crate::config::LogLevel::Trace, ..LogConfig::default() };
        let subscriber = subscriber(&config, move || files.clone(), move || stderr.clone(), mask);
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("span", field = canary);
            let _inside = span.enter();
            tracing::error!("in the message: {canary}");
            tracing::info!(field = canary, "in a field");
            tracing::debug!(field = ?Some(canary), "in a debug field");
            tracing::trace!(header = %format!("Authorization: Apikey {canary}"), "in a header");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 8, "{text}");
        text
    }

    #[test]
    fn a_registered_value_is_in_no_message_and_no_field() {
        for canary in ["canary-0123456789", "canary \"quoted\" \\ Mật khẩu"] {
            let mask = Mask::default();
            mask.hide(&SecretString::from(canary));
            let text = logged(&mask, canary);
            assert!(!text.contains("canary"), "{text}");
            assert!(text.contains("in a field") && text.contains(mask::COVER));
        }
    }

    #[test]
    fn without_registering_it_the_value_is_found() {
        let text = logged(&Mask::default(), "canary-0123456789");
        assert!(text.matches("canary-0123456789").count() >= 10, "{text}");
        assert!(!text.contains("Apikey canary"), "the pattern alone already hides keys in headers");
    }

    #[test]
    fn log_files_lie_in_the_data_directory() {
        let dir = tempfile::tempdir().unwrap();
        let logging = start(dir.path(), &LogConfig::default()).unwrap();
        tracing::warn!(order_code = "DH904117", "a line");
        drop(logging);
        let file = std::fs::read_dir(dir.path().join(FOLDER)).unwrap().next().unwrap().unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        // The program's logging is one for all: what tests beside this one do is in the file, too.
        let mut lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let line = lines.find(|line| line["order_code"] == "DH904117").expect("the line");
        assert_eq!((line["level"].as_str(), line["message"].as_str()), (Some("WARN"), Some("a line")));
    }
}
