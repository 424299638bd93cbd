//! The owner's own words: reading, trying out, saving and taking back their template files.
//!
//! The admin API calls it. Nothing is saved that does not render with the examples; a file that was broken by hand is
//! named with its line. A delivery never meets half of a save.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::PoisonError;

use sha2::{Digest, Sha256};

use super::super::files::{blocking, write_error};
use super::built_in::{TEMPLATES, Template, built_in, is_part};
use super::example::{Occasion, known_names};
use super::message::one_line;
use super::render::{Mistake, Sources};
use super::template::Templates;
use crate::private_file;
use crate::workers::StageError;

/// Largest template file that is read, bytes.
const LARGEST_FILE: u64 = 256 * 1024;
/// Largest part that the app saves, bytes.
pub(crate) const LARGEST_PART: usize = 64 * 1024;
/// Longest subject as a template, bytes.
pub(crate) const LONGEST_SUBJECT: usize = 1000;

/// Texts of parts by part: `subject`, `text`, `html`.
pub(crate) type Texts = BTreeMap<&'static str, String>;

/// A template in one language, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    /// The parts in use: text, and whether it is the owner's. A file that cannot be read has the built-in text.
    pub(crate) parts: Vec<HeldPart>,
    /// Changes with the texts.
    pub(crate) version: String,
    /// What is wrong with it.
    pub(crate) mistakes: Vec<Mistake>,
}

/// One part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeldPart {
    pub(crate) part: &'static str,
    pub(crate) text: String,
    pub(crate) own: bool,
    pub(crate) built_in: &'static str,
}

/// What a template says on an occasion. Parts with mistakes are missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tried {
    pub(crate) subject: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) html: Option<String>,
    pub(crate) mistakes: Vec<Mistake>,
}

/// Why nothing was saved.
#[derive(Debug)]
pub(crate) enum Refused {
    /// These mistakes, at least one.
    Wrong(Vec<Mistake>),
    /// The template has changed since the owner opened it.
    Changed,
    /// The file system.
    Disk(StageError),
}

/// Every template with the parts that are the owner's, and what is wrong with it.
pub(crate) type Report = Vec<(&'static Template, Vec<&'static str>, Vec<Mistake>)>;

impl Templates {
    /// The owner's files for one language.
    pub(super) fn sources(&self, lang: &str) -> Result<Sources, Mistake> {
        let mut sources = Sources::default();
        let Some(dir) = &self.dir else { return Ok(sources) };
        let closed =
            |error: &io::Error| Mistake::whole(&dir.display().to_string(), "unreadable", error.to_string());
        let entries = match fs::read_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(sources),
            entries => entries.map_err(|error| closed(&error))?,
        };
        for entry in entries {
            let name = entry.map_err(|error| closed(&error))?.file_name();
            let Some(file) = name.to_str().filter(|name| is_part(name)) else { continue };
            if file.split('.').nth(1) == Some(lang) {
                sources.0.insert(file.to_owned(), read(&dir.join(file), file));
            }
        }
        Ok(sources)
    }

    /// Every template with the parts that are the owner's, and what is wrong with them.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(crate) async fn report(&self, lang: &'static str, occasion: Occasion) -> Result<Report, StageError> {
        let templates = self.clone();
        blocking(move || {
            let _nothing_is_saved = templates.gate.read().unwrap_or_else(PoisonError::into_inner);
            let sources = templates.sources(lang).map_err(|mistake| unreadable(&mistake))?;
            let row = |template: &'static Template| {
                let own = |part: &&str| sources.0.contains_key(&template.file(lang, part));
                let own: Vec<&'static str> =
                    template.parts.iter().copied().filter(|part| own(part)).collect();
                // Ours alone have been tried by our tests.
                let wrong = match sources.0.is_empty() {
                    true => Vec::new(),
                    false => mistakes(&sources, template, lang, &occasion),
                };
                (template, own, wrong)
            };
            Ok(TEMPLATES.iter().map(row).collect())
        })
        .await
    }

    /// One template as it is now.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(crate) async fn held(
        &self,
        template: &'static Template,
        lang: &'static str,
        occasion: Occasion,
    ) -> Result<Held, StageError> {
        let templates = self.clone();
        blocking(move || {
            let _nothing_is_saved = templates.gate.read().unwrap_or_else(PoisonError::into_inner);
            let sources = templates.sources(lang).map_err(|mistake| unreadable(&mistake))?;
            Ok(held(&sources, template, lang, &occasion))
        })
        .await
    }

    /// What the template would say `about` something with `texts` in the place of its parts, and what is wrong with
    /// them by the `example`. Saves and sends nothing.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(crate) async fn tried(
        &self,
        template: &'static Template,
        lang: &'static str,
        texts: Texts,
        about: Occasion,
        example: Occasion,
    ) -> Result<Tried, StageError> {
        let templates = self.clone();
        blocking(move || {
            let sources = templates.sources(lang).map_err(|mistake| unreadable(&mistake))?;
            Ok(tried(&sources, template, lang, texts, &about, &example))
        })
        .await
    }

    /// Saves `texts` as the owner's parts; one that is the same as ours needs no file. `seen` is the version that the
    /// owner had before them. Answers the parts that changed.
    ///
    /// # Errors
    /// [`Refused`]; nothing is changed then.
    pub(crate) async fn save(
        &self,
        template: &'static Template,
        lang: &'static str,
        texts: Texts,
        seen: Option<String>,
        occasion: Occasion,
    ) -> Result<Vec<&'static str>, Refused> {
        let templates = self.clone();
        let saved = blocking(move || {
            let _nobody_reads = templates.gate.write().unwrap_or_else(PoisonError::into_inner);
            let before = match templates.sources(lang) {
                Ok(before) => before,
                Err(mistake) => return Ok(Err(Refused::Disk(unreadable(&mistake)))),
            };
            if seen.is_some_and(|seen| seen != version(&before, template, lang)) {
                return Ok(Err(Refused::Changed));
            }
            let texts = tidied(texts);
            let wrong = newly_wrong(&before, template, lang, &texts, &occasion);
            if !wrong.is_empty() {
                return Ok(Err(Refused::Wrong(wrong)));
            }
            let mut changed = Vec::new();
            for (part, text) in texts {
                let file = template.file(lang, part);
                if before.text(&file).is_ok_and(|now| now == text) {
                    continue;
                }
                templates.put(&file, &text)?;
                changed.push(part);
            }
            Ok(Ok(changed))
        });
        saved.await.unwrap_or_else(|error| Err(Refused::Disk(error)))
    }

    /// Takes the owner's parts away, so that ours are used again. Answers those that there were.
    ///
    /// # Errors
    /// The file system.
    pub(crate) async fn reset(
        &self,
        template: &'static Template,
        lang: &'static str,
    ) -> Result<Vec<&'static str>, StageError> {
        let templates = self.clone();
        blocking(move || {
            let _nobody_reads = templates.gate.write().unwrap_or_else(PoisonError::into_inner);
            let mut gone = Vec::new();
            for part in template.parts {
                if templates.remove(&template.file(lang, part))? {
                    gone.push(*part);
                }
            }
            Ok(gone)
        })
        .await
    }

    fn put(&self, file: &str, text: &str) -> Result<(), StageError> {
        if built_in(file) == Some(text) {
            return self.remove(file).map(drop);
        }
        let Some(dir) = &self.dir else { return Ok(()) };
        let path = dir.join(file);
        private_file::create_folder(dir)
            .and_then(|()| private_file::replace(&path, text.as_bytes()))
            .map_err(|error| write_error(&error, &path))
    }

    /// False when there was none.
    fn remove(&self, file: &str) -> Result<bool, StageError> {
        let Some(dir) = &self.dir else { return Ok(false) };
        let path = dir.join(file);
        match fs::remove_file(&path) {
            Ok(()) => super::super::files::sync_dir(dir).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(write_error(&error, &path)),
        }
    }
}

fn unreadable(mistake: &Mistake) -> StageError {
    StageError::transient("target_unwritable", mistake.to_string())
}

fn read(path: &Path, file: &str) -> Result<String, Mistake> {
    let unreadable = |error: io::Error| Mistake::whole(file, "unreadable", error.to_string());
    let meta = fs::metadata(path).map_err(unreadable)?;
    if meta.len() > LARGEST_FILE {
        return Err(Mistake::whole(file, "too_large", format!("larger than {LARGEST_FILE} bytes")));
    }
    fs::read_to_string(path).map_err(unreadable)
}

fn held(sources: &Sources, template: &'static Template, lang: &str, occasion: &Occasion) -> Held {
    let parts = template.parts.iter().map(|part| {
        let file = template.file(lang, part);
        let ours = built_in(&file).unwrap_or_default();
        let text = sources.text(&file).map_or_else(|_| ours.to_owned(), |text| text.into_owned());
        HeldPart { part, text, own: sources.0.contains_key(&file), built_in: ours }
    });
    Held {
        parts: parts.collect(),
        version: version(sources, template, lang),
        mistakes: mistakes(sources, template, lang, occasion),
    }
}

fn version(sources: &Sources, template: &Template, lang: &str) -> String {
    let mut hash = Sha256::new();
    for part in template.parts {
        let file = template.file(lang, part);
        let text = sources.text(&file).map_or_else(|mistake| mistake.to_string(), |text| text.into_owned());
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hex::encode(&hash.finalize()[..8])
}

/// Line ends of Unix, a subject on one line, a last line that ends.
fn tidied(texts: Texts) -> Texts {
    let tidy = |(part, text): (&'static str, String)| {
        let mut text = text.replace("\r\n", "\n");
        if part == "subject" {
            text = one_line(&text);
        }
        if !text.ends_with('\n') {
            text.push('\n');
        }
        (part, text)
    };
    texts.into_iter().map(tidy).collect()
}

fn tried(
    sources: &Sources,
    template: &'static Template,
    lang: &str,
    texts: Texts,
    about: &Occasion,
    example: &Occasion,
) -> Tried {
    let texts = tidied(texts);
    let after = sources.with(texts.iter().map(|(part, text)| (template.file(lang, part), text.clone())));
    // A shared part is shown where it stands.
    let shown = if template.shared() { &TEMPLATES[0] } else { template };
    let value = about.value(shown, lang);
    let render = |part| after.render(&shown.file(lang, part), &value, false).ok();
    Tried {
        subject: render("subject").map(|subject| one_line(&subject)),
        text: render("text"),
        html: render("html"),
        mistakes: newly_wrong(sources, template, lang, &texts, example),
    }
}

/// What would be wrong with `texts` in place: mistakes in them, and in other files those that there were not before.
fn newly_wrong(
    before: &Sources,
    template: &'static Template,
    lang: &str,
    texts: &Texts,
    occasion: &Occasion,
) -> Vec<Mistake> {
    let too_large = texts.iter().filter_map(|(part, text)| {
        let most = if *part == "subject" { LONGEST_SUBJECT } else { LARGEST_PART };
        let file = template.file(lang, part);
        (text.len() > most).then(|| Mistake::whole(&file, "too_large", format!("larger than {most} bytes")))
    });
    let too_large: Vec<Mistake> = too_large.collect();
    if !too_large.is_empty() {
        return too_large;
    }
    let edited: Vec<String> = texts.keys().map(|part| template.file(lang, part)).collect();
    let after = before.with(texts.iter().map(|(part, text)| (template.file(lang, part), text.clone())));
    let known = mistakes(before, template, lang, occasion);
    let mut wrong = mistakes(&after, template, lang, occasion);
    wrong.retain(|mistake| edited.contains(&mistake.file) || !known.contains(mistake));
    wrong
}

/// Everything that is wrong with a template: tried with all there can be to say and with the least, and read for names
/// that nobody gives it. A shared part is tried in every mail.
fn mistakes(sources: &Sources, template: &'static Template, lang: &str, occasion: &Occasion) -> Vec<Mistake> {
    let mails: Vec<&'static Template> = match template.shared() {
        true => TEMPLATES.iter().filter(|one| !one.shared()).collect(),
        false => vec![template],
    };
    let mut wrong = Vec::new();
    for part in template.parts {
        let file = template.file(lang, part);
        wrong.extend(sources.unknown_names(&file, &known_names(template, occasion)));
        for mail in &mails {
            for occasion in [occasion.clone(), occasion.least()] {
                match sources.render(&mail.file(lang, part), &occasion.value(mail, lang), true) {
                    Ok(words) if words.trim().is_empty() => {
                        wrong.push(Mistake::whole(&file, "empty", "it says nothing"));
                    }
                    Ok(_) => {}
                    Err(mistake) => wrong.push(mistake),
                }
            }
        }
    }
    wrong.sort();
    wrong.dedup_by(|a, b| a.file == b.file && a.line == b.line && a.code == b.code && a.name == b.name);
    wrong
}

#[cfg(test)]
#[path = "own_tests.rs"]
mod tests;
