//! Looking at courses' sources: on demand, and by itself once in a while. A source that changed is prepared anew.
//!
//! Only listings are compared, nothing is fetched here; the preparation does that.

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use chotdon_store::{CheckCase, SourceCheck};

use super::Floor;
use crate::delivery::{Manifest, Offered, SourceSpec};
use crate::tasks::source_secret;
use crate::workers::{StageContext, StageError};

/// How often it is asked which courses are due.
const ROUND: Duration = Duration::from_secs(600);
/// The longest a listing may take.
const PATIENCE: Duration = Duration::from_secs(60);
const HOUR_MS: i64 = 3_600_000;

impl Floor {
    /// What the source has; `None` for one that cannot be listed without fetching it.
    pub(crate) async fn look_at(&self, source: &SourceSpec) -> Result<Option<Vec<Offered>>, StageError> {
        let secret = source_secret(self, source).await?;
        let cx = StageContext::new(CancellationToken::new(), Arc::default(), self.clock.clone());
        // The secret's own text has no place in an error.
        let shown = secret.as_ref().map(|secret| secret.expose_secret().to_owned());
        let looked = tokio::time::timeout(PATIENCE, self.ways.look(&cx, source, secret)).await;
        let looked = looked.unwrap_or_else(|_| {
            cx.cancel.cancel();
            Err(StageError::transient("source_unreachable", "the listing takes longer than a minute"))
        });
        looked.map_err(|error| match shown {
            Some(secret) if !secret.is_empty() => {
                StageError { detail: error.detail.replace(&secret, "•••"), ..error }
            }
            _ => error,
        })
    }

    /// Looks whether a course's source still has what was prepared, and queues its next version when not. Answers
    /// what was found and the version that was queued.
    pub(crate) async fn check_source(
        &self,
        case: CheckCase,
    ) -> Result<(SourceCheck, Option<i64>), chotdon_store::Error> {
        let found = self.compare(&case).await;
        let queued = self.store.record_check(case.course, found.clone(), self.clock.now_ms()).await?;
        Ok((found, queued))
    }

    async fn compare(&self, case: &CheckCase) -> SourceCheck {
        let blank = SourceCheck {
            version: case.version,
            state: "unknown",
            print: None,
            files: None,
            code: None,
            detail: None,
        };
        let Some(manifest) = case.manifest.as_deref() else { return blank };
        let read = || -> Result<(Manifest, SourceSpec), serde_json::Error> {
            Ok((serde_json::from_str(manifest)?, serde_json::from_str(&case.source)?))
        };
        let (manifest, source) = match read() {
            Ok(read) => read,
            Err(error) => {
                return SourceCheck {
                    state: "failed",
                    code: Some("source_invalid".to_owned()),
                    detail: Some(error.to_string()),
                    ..blank
                };
            }
        };
        match self.look_at(&source).await {
            Ok(Some(offered)) => verdict(case, &manifest, &offered, blank),
            Ok(None) => blank,
            Err(error) => SourceCheck {
                state: "failed",
                code: Some(error.code.to_owned()),
                detail: Some(error.detail),
                ..blank
            },
        }
    }
}

fn verdict(case: &CheckCase, manifest: &Manifest, offered: &[Offered], blank: SourceCheck) -> SourceCheck {
    let gone = manifest.files.iter().filter(|file| !offered.iter().any(|one| one.path == file.path)).count();
    let other = offered.iter().filter(|one| differs(case, manifest, one)).count();
    let print = print(offered);
    // A stamp may change without the size: then how many files differ is not known.
    let touched = case.print.as_deref().is_some_and(|before| before != print);
    let files = i64::try_from(gone + other).unwrap_or(i64::MAX);
    match files {
        0 if !touched => SourceCheck { state: "same", print: Some(print), files: Some(0), ..blank },
        0 => SourceCheck { state: "changed", ..blank },
        _ => SourceCheck { state: "changed", files: Some(files), ..blank },
    }
}

fn differs(case: &CheckCase, manifest: &Manifest, one: &Offered) -> bool {
    let Some(file) = manifest.file(&one.path) else { return true };
    let younger = case.print.is_none()
        && one.changed_at.zip(case.asked_at).is_some_and(|(changed, asked)| changed > asked);
    younger
        || one.size.is_some_and(|size| size != file.size)
        || one.sha256.as_ref().is_some_and(|sum| *sum != file.sha256)
}

/// SHA-256 over what the source lists, hexadecimal.
fn print(offered: &[Offered]) -> String {
    let mut sorted: Vec<&Offered> = offered.iter().collect();
    sorted.sort_by(|a, b| a.path.cmp(&b.path));
    let mut hash = Sha256::new();
    for one in sorted {
        let size = one.size.map_or_else(String::new, |size| size.to_string());
        let fields = [
            one.path.as_str(),
            &size,
            one.sha256.as_deref().unwrap_or(""),
            one.stamp.as_deref().unwrap_or(""),
        ];
        for field in fields {
            hash.update(field.as_bytes());
            hash.update([0]);
        }
    }
    hex::encode(hash.finalize())
}

/// Looks at the sources of courses on sale, each once in `courses.check_every_h` hours.
pub(super) async fn watch(floor: Floor, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = floor.clock.sleep(ROUND) => {}
        }
        let every = floor.config().courses.check_every_h;
        if every == 0 {
            continue;
        }
        let cases = match floor.store.check_cases(floor.clock.now_ms() - i64::from(every) * HOUR_MS).await {
            Ok(cases) => cases,
            Err(error) => {
                tracing::error!(%error, "which sources are to be looked at is not known");
                continue;
            }
        };
        for case in cases {
            let slug = case.slug.clone();
            tokio::select! {
                () = stop.cancelled() => return,
                checked = floor.check_source(case) => match checked {
                    Ok((found, Some(version))) => {
                        tracing::info!(%slug, version, files = ?found.files, "the source has changed; a new version is prepared");
                    }
                    Ok(_) => {}
                    Err(error) => tracing::error!(%slug, %error, "what a look at the source found could not be kept"),
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::ManifestFile;

    fn case(print: Option<&str>) -> CheckCase {
        CheckCase {
            course: 1,
            slug: "rust".into(),
            source: String::new(),
            version: 2,
            manifest: None,
            asked_at: Some(1_000),
            print: print.map(str::to_owned),
            checked_at: None,
        }
    }

    fn offered(path: &str, size: u64, changed_at: i64) -> Offered {
        Offered {
            path: path.into(),
            size: Some(size),
            sha256: None,
            stamp: Some(changed_at.to_string()),
            changed_at: Some(changed_at),
        }
    }

    fn blank() -> SourceCheck {
        SourceCheck { version: 2, state: "unknown", print: None, files: None, code: None, detail: None }
    }

    fn manifest() -> Manifest {
        let file = |path: &str, size| ManifestFile { path: path.into(), size, sha256: "00".into() };
        Manifest { files: vec![file("a", 1), file("b", 2)] }
    }

    #[test]
    fn what_was_prepared_is_the_same_until_something_differs() {
        let before = [offered("a", 1, 10), offered("b", 2, 10)];
        let same = verdict(&case(None), &manifest(), &before, blank());
        assert_eq!((same.state, same.files), ("same", Some(0)));
        let print = same.print.clone();
        for (now, files) in [
            (vec![offered("a", 1, 10)], Some(1)),
            (vec![offered("a", 1, 10), offered("b", 3, 10)], Some(1)),
            (vec![offered("a", 1, 10), offered("b", 2, 10), offered("c", 1, 10)], Some(1)),
            (vec![offered("a", 1, 10), offered("b", 2, 20)], None),
        ] {
            let found = verdict(&case(print.as_deref()), &manifest(), &now, blank());
            assert_eq!((found.state, found.files), ("changed", files), "{now:?}");
            assert_eq!(found.print, None);
        }
    }

    #[test]
    fn a_file_of_the_same_size_that_is_younger_than_the_preparation_has_changed() {
        let now = [offered("a", 1, 10), offered("b", 2, 5_000)];
        let found = verdict(&case(None), &manifest(), &now, blank());
        assert_eq!((found.state, found.files), ("changed", Some(1)));
    }
}
