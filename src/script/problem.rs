//! A problem of a script that is found before any load, as reported by `rhaid check`.
//!
//! Plain data and its display, which matches that of script errors. Leaves finding problems to `check` and to
//! loading.

use std::fmt;

use rhai::Position;

use super::place::Place;
use super::secrets::Secrets;
use super::source::Sources;
use crate::metrics::ScriptError;
use crate::text::clean_text;

/// A problem of a script, found without generating load.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The file, as named in messages.
    pub file: String,
    /// Line, from 1; `None` when it concerns the whole file.
    pub line: Option<usize>,
    /// Column, from 1, in characters.
    pub column: Option<usize>,
    /// The first column after the faulty text, when known; on the same line.
    pub end_column: Option<usize>,
    /// Its severity.
    pub severity: Severity,
    /// A short code for its kind, stable across versions: `unknown-function`, …
    pub code: &'static str,
    /// The message, one line.
    pub message: String,
    /// A suggestion or advice.
    pub hint: Option<String>,
    /// The source line with a caret, and for load errors the call chain; lines, or empty.
    pub trace: String,
}

/// The severity of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// The script cannot load, or every iteration that reaches the code fails.
    Error,
    /// The script runs, but probably not as intended.
    Warning,
}

impl Severity {
    /// The word used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

impl Problem {
    /// An error at a place. `length` is how many characters are wrong, 0 when that is not known.
    pub(crate) fn at(
        sources: &Sources,
        file: &str,
        (position, length): (Position, usize),
        code: &'static str,
        (message, hint): (String, Option<String>),
    ) -> Problem {
        let place = Place::new(sources, file, position);
        let (line, column) = place.line_and_column();
        Problem {
            file: file.to_owned(),
            line,
            column,
            end_column: column.filter(|_| length > 0).map(|column| column + length),
            severity: Severity::Error,
            code,
            message,
            hint,
            trace: place.quoted().trim_end().to_owned(),
        }
    }

    /// What keeps a script from loading.
    pub(crate) fn from_error(error: &ScriptError) -> Problem {
        let mut parts = error.position.rsplitn(3, ':');
        let (last, middle, first) = (parts.next(), parts.next(), parts.next());
        let number = |part: Option<&str>| part.and_then(|part| part.parse::<usize>().ok());
        let (file, line, column) = match (first, number(middle), number(last)) {
            (Some(file), Some(line), Some(column)) => (file, Some(line), Some(column)),
            _ => match error.position.rsplit_once(':') {
                Some((file, line)) if line.parse::<usize>().is_ok() => (file, line.parse().ok(), None),
                _ => (error.position.as_str(), None, None),
            },
        };
        // What may be meant stands behind a dash in all messages.
        let (message, hint) = match error.message.split_once(" — ") {
            Some((message, hint)) => (message.to_owned(), Some(hint.to_owned())),
            None => (error.message.clone(), None),
        };
        Problem {
            file: file.to_owned(),
            line,
            column,
            end_column: None,
            severity: Severity::Error,
            code: "load",
            message,
            hint,
            trace: error.trace.clone(),
        }
    }

    /// What is wrong with a test as a whole, rather than with a line of its script.
    pub(crate) fn of_settings(file: &str, severity: Severity, message: String) -> Problem {
        // It quotes what the script sets, as it is.
        Problem::of_file(file, severity, "settings", clean_text(&message).into_owned())
    }

    /// What concerns a file as a whole.
    pub fn of_file(file: &str, severity: Severity, code: &'static str, message: String) -> Problem {
        Problem {
            file: file.to_owned(),
            line: None,
            column: None,
            end_column: None,
            severity,
            code,
            message,
            hint: None,
            trace: String::new(),
        }
    }

    /// Without the secrets that its text may quote.
    pub(crate) fn masked(mut self, secrets: &Secrets) -> Problem {
        self.message = secrets.masked(self.message);
        self.hint = self.hint.map(|hint| secrets.masked(hint));
        self.trace = secrets.masked(self.trace);
        self
    }

    /// The message, and what to do about it.
    pub(crate) fn message_and_hint(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{} — {hint}", self.message),
            None => self.message.clone(),
        }
    }

    /// Whether a script error says the same, wherever it points to.
    pub(crate) fn is_said_by(&self, error: &ScriptError) -> bool {
        let said = self.message_and_hint();
        // What else loading found stands below the first error, each on a line of its own.
        let line = format!(": {said}");
        error.message == said || error.trace.lines().any(|text| text.ends_with(&line))
    }

    /// `file:line:column`, as far as it is known.
    pub fn place(&self) -> String {
        match (self.line, self.column) {
            (Some(line), Some(column)) => format!("{}:{line}:{column}", self.file),
            (Some(line), None) => format!("{}:{line}", self.file),
            _ => self.file.clone(),
        }
    }
}

impl fmt::Display for Problem {
    /// As a script error is shown: place and message, then the source line with a caret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place(), self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, " — {hint}")?;
        }
        if !self.trace.is_empty() {
            write!(f, "\n{}", self.trace)?;
        }
        Ok(())
    }
}
