//! Turning templates into words: the engine, its limits, and mistakes with file, line and what is wrong.
//!
//! Knows nothing of where the owner's files lie; [`Sources`] holds them by name, and what is not in it is built in.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;
use std::fmt;
use std::io;
use std::ops::Range;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value, escape_formatter};

use super::built_in::built_in;

/// Steps that one part may take: a hundred thousand times what a long mail needs would still be seconds.
const FUEL: u64 = 1_000_000;
/// Longest rendered part, bytes. Mail programs cut HTML off far below.
const LONGEST: usize = 1 << 20;

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// E.g. `delivered.vi.text`.
    pub file: String,
    /// From 1; `None` where it is about the whole file.
    pub line: Option<usize>,
    /// `unknown_name`, `unknown_word` (filter, function, block), `missing_part`, `syntax`, `too_long`, `too_large`,
    /// `empty`, `unreadable` or `other`.
    pub code: &'static str,
    /// The word that is wrong, where there is one.
    pub name: Option<String>,
    /// What the engine says, in English.
    pub what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl Mistake {
    /// A mistake that is about a whole file.
    pub(super) fn whole(file: &str, code: &'static str, what: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: None, code, name: None, what: what.into() }
    }
}

/// The owner's files by name: their text, or why there is none.
#[derive(Debug, Clone, Default)]
pub(super) struct Sources(pub(super) BTreeMap<String, Result<String, Mistake>>);

impl Sources {
    /// The text in use for a part: the owner's, or ours.
    pub(super) fn text(&self, file: &str) -> Result<Cow<'_, str>, Mistake> {
        match self.0.get(file) {
            Some(Ok(text)) => Ok(Cow::Borrowed(text)),
            Some(Err(mistake)) => Err(mistake.clone()),
            None => built_in(file)
                .map(Cow::Borrowed)
                .ok_or_else(|| Mistake::whole(file, "missing_part", format!("there is no template {file}"))),
        }
    }

    /// The same with texts in the place of others.
    pub(super) fn with(&self, texts: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut sources = self.clone();
        for (file, text) in texts {
            if built_in(&file) == Some(text.as_str()) {
                sources.0.remove(&file);
            } else {
                sources.0.insert(file, Ok(text));
            }
        }
        sources
    }

    /// Renders one part. A misspelt name is an error, not a hole in a mail; `{% if name %}` may still ask, unless
    /// `strict`.
    pub(super) fn render(&self, file: &str, context: &Value, strict: bool) -> Result<String, Mistake> {
        self.text(file)?;
        let engine = self.engine(strict).map_err(|error| self.mistake(file, &error))?;
        let mut words = Words(Vec::new());
        let rendered = engine
            .get_template(file)
            .and_then(|template| template.render_captured_to(context.clone(), &mut words).map(drop));
        rendered.map_err(|error| self.mistake(file, &error))?;
        String::from_utf8(words.0).map_err(|error| Mistake::whole(file, "other", error.to_string()))
    }

    /// Names that the part asks for and nobody gives it, in branches too that the example does not take.
    pub(super) fn unknown_names(&self, file: &str, known: &BTreeSet<String>) -> Vec<Mistake> {
        let Ok(engine) = self.engine(true) else { return Vec::new() };
        let Ok(template) = engine.get_template(file) else { return Vec::new() };
        let (asked, source) = (template.undeclared_variables(false), template.source());
        let globals = ["loop", "self", "super", "range", "dict", "namespace", "debug"];
        let unknown =
            asked.into_iter().filter(|name| !known.contains(name) && !globals.contains(&name.as_str()));
        unknown
            .map(|name| Mistake {
                file: file.to_owned(),
                line: source.lines().position(|line| mentions(line, &name)).map(|at| at + 1),
                code: "unknown_name",
                what: format!("undefined value: {name}"),
                name: Some(name),
            })
            .collect()
    }

    fn engine(&self, strict: bool) -> Result<Environment<'static>, Error> {
        let mut engine =
            bare_engine(if strict { UndefinedBehavior::Strict } else { UndefinedBehavior::SemiStrict })?;
        // `_frame` in `delivered.vi.html` is `_frame.vi.html`.
        engine.set_path_join_callback(|name, parent| match parent.split_once('.') {
            Some((_, rest)) if !name.contains('.') => Cow::Owned(format!("{name}.{rest}")),
            _ => Cow::Borrowed(name),
        });
        let sources = self.clone();
        engine.set_loader(move |name| match sources.text(name) {
            Ok(text) => Ok(Some(text.into_owned())),
            Err(mistake) if mistake.code == "missing_part" => Ok(None),
            Err(mistake) => Err(Error::new(ErrorKind::InvalidOperation, mistake.what)),
        });
        Ok(engine)
    }

    /// Where the engine stopped, and why.
    fn mistake(&self, file: &str, error: &Error) -> Mistake {
        let error = innermost(error);
        let file = error.name().unwrap_or(file).to_owned();
        if let Some(Err(mistake)) = self.0.get(&file) {
            return mistake.clone();
        }
        let code = match error.kind() {
            ErrorKind::UndefinedError => "unknown_name",
            ErrorKind::SyntaxError | ErrorKind::BadEscape => "syntax",
            ErrorKind::TemplateNotFound => "missing_part",
            ErrorKind::OutOfFuel | ErrorKind::WriteFailure => "too_long",
            ErrorKind::UnknownFilter
            | ErrorKind::UnknownTest
            | ErrorKind::UnknownFunction
            | ErrorKind::UnknownMethod
            | ErrorKind::UnknownBlock => "unknown_word",
            _ => "other",
        };
        let name = (code == "unknown_name").then(|| self.word(&file, error.range()?)).flatten();
        let mut what = error.kind().to_string();
        for more in [error.detail(), name.as_deref()].into_iter().flatten() {
            what = format!("{what}: {more}");
        }
        Mistake { line: error.line(), file, code, name, what }
    }

    /// The dotted name that ends where `range` does.
    fn word(&self, file: &str, range: Range<usize>) -> Option<String> {
        let text = self.text(file).ok()?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        let before = text.get(..range.end)?;
        let word = &before[before.trim_end_matches(plain).len()..];
        (!word.is_empty()).then(|| word.to_owned())
    }
}

/// Whether `name` stands in a tag of this line as a word of its own.
fn mentions(line: &str, name: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    line.contains('{')
        && line.match_indices(name).any(|(at, _)| {
            !line[..at].ends_with(|c| word(c) || c == '.') && !line[at + name.len()..].starts_with(word)
        })
}

fn innermost(error: &Error) -> &Error {
    let mut error = error;
    while let Some(cause) = error.source().and_then(|cause| cause.downcast_ref()) {
        error = cause;
    }
    error
}

/// Takes what is rendered, up to [`LONGEST`].
struct Words(Vec<u8>);

impl io::Write for Words {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LONGEST {
            return Err(io::Error::other("the mail is too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Renders one template that needs no others. Names that end in `.html` escape what they insert.
pub(in crate::delivery) fn render(name: &str, source: &str, context: &Value) -> Result<String, Error> {
    bare_engine(UndefinedBehavior::SemiStrict)?.template_from_named_str(name, source)?.render(context.clone())
}

fn bare_engine(undefined: UndefinedBehavior) -> Result<Environment<'static>, Error> {
    let mut engine = Environment::new();
    engine.set_syntax(
        SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()?,
    );
    engine.set_undefined_behavior(undefined);
    engine.set_formatter(slashes_as_they_are);
    engine.set_fuel(Some(FUEL));
    Ok(engine)
}

/// The usual escaping without `&#x2f;`: links stay readable in a page's source, and a slash harms nothing there.
pub(crate) fn slashes_as_they_are(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), Error> {
    let pieces = match value.as_str() {
        Some(text) if !value.is_safe() => text.split('/'),
        _ => return escape_formatter(out, state, value),
    };
    for (n, piece) in pieces.enumerate() {
        if n > 0 {
            out.write_str("/")?;
        }
        escape_formatter(out, state, &Value::from(piece))?;
    }
    Ok(())
}
