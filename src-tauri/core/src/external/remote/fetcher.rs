//! What a worker fetches: what servers offer, and what the programs bring that its owner allows.

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde_json::Value;

use super::RemoteError;
use super::calls::Given;
use crate::config::DownloaderConfig;
use crate::delivery::{self, CourseAsked, Downloader, HttpSource, Manifest, Order, SourceSpec};
use crate::workers::{StageContext, StageError};

/// The ways by which this machine fetches.
pub(super) struct Fetcher {
    http: HttpSource,
    downloader: Downloader,
    /// A shop may have these run here and no others: its word alone starts nothing on this machine.
    programs: Vec<PathBuf>,
}

impl Fetcher {
    pub(super) fn new(programs: &[PathBuf]) -> Result<Self, RemoteError> {
        if let Some(relative) = programs.iter().find(|program| !program.is_absolute()) {
            return Err(RemoteError::Usage(format!("{} is not an absolute path", relative.display())));
        }
        let http = HttpSource::new().map_err(|error| RemoteError::Machine(error.to_string()))?;
        let downloader = Downloader::new(DownloaderConfig::default());
        Ok(Self { http, downloader, programs: programs.to_vec() })
    }

    /// Kinds of sources that the shop may give.
    pub(super) fn sources(&self) -> &'static [&'static str] {
        if self.programs.is_empty() { &["http"] } else { &["http", "program"] }
    }

    pub(super) async fn fetch(
        &self,
        cx: &StageContext,
        given: &Given,
        staging: &Path,
    ) -> Result<Manifest, StageError> {
        let (source, secret) = source(given)?;
        source.validate().map_err(|why| StageError::permanent("source_invalid", why))?;
        if let SourceSpec::Http { .. } = source {
            return delivery::fetch(cx, &source, staging, &self.http, secret).await;
        }
        let Some(order) = Order::of(&source) else {
            return Err(StageError::permanent("source_invalid", "another machine cannot reach this source"));
        };
        if !self.programs.iter().any(|program| program == order.command) {
            let detail = format!("the worker was not started with --program {}", order.command.display());
            return Err(StageError::permanent("program_not_allowed", detail));
        }
        let asked = CourseAsked { slug: &given.course.slug, version: given.course.version };
        self.downloader.fetch(cx, order, asked, staging, secret).await
    }
}

/// The source, and the value of its secret where the shop shares it.
fn source(given: &Given) -> Result<(SourceSpec, Option<SecretString>), StageError> {
    let mut source = given.source.clone();
    let secret = source.remove("secret").and_then(|value| value.as_str().map(SecretString::from));
    if let Some(secret) = &secret {
        crate::logging::hide(secret);
    }
    let spec = serde_json::from_value(Value::Object(source)).map_err(|error| {
        StageError::permanent("source_invalid", format!("this worker cannot read the source: {error}"))
    })?;
    Ok((spec, secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_word_of_its_owner_a_worker_takes_no_programs() {
        assert_eq!(Fetcher::new(&[]).ok().unwrap().sources(), ["http"]);
        assert_eq!(Fetcher::new(&["/opt/fetch".into()]).ok().unwrap().sources(), ["http", "program"]);
        assert!(Fetcher::new(&["fetch".into()]).is_err(), "which one is meant depends on where it runs");
    }
}
