//! What is wrong with a lab, in sentences: what, where, and what to do about it.
//!
//! `lab.toml:12:3: port "red": ... ; write ...` for a file; the same without its head for a
//! request.

use std::fmt;

use serde::Serialize;

use super::place::Place;
use crate::printable;

/// Where in a file: both count from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position {
    /// Counts from 1.
    pub line: usize,
    /// Counts from 1, in characters.
    pub column: usize,
}

/// One fault of a lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where it is written, when it came from a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// The bridge, port or rule that is at fault, as `port "red"`; empty for the file as a whole.
    #[serde(rename = "subject", serialize_with = "serialize_place")]
    pub(super) place: Place,
    /// What is wrong.
    pub wrong: String,
    /// What to do about it: `write ...`.
    pub remedy: String,
}

impl Problem {
    pub(super) fn new(place: Place, fault: Fault) -> Self {
        Self { position: None, place, wrong: fault.wrong, remedy: fault.remedy }
    }

    pub(super) fn at(self, position: Position) -> Self {
        Self { position: Some(position), ..self }
    }

    /// The bridge, port or rule that is at fault, as `port "red"`; empty for the file as a whole.
    pub fn subject(&self) -> String {
        self.place.to_string()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = self.subject();
        if !subject.is_empty() {
            write!(f, "{subject}: ")?;
        }
        write!(f, "{}; {}", self.wrong, self.remedy)
    }
}

/// Everything found wrong with a lab; never empty.
///
/// Shown as one line a problem, at most [`SHOWN`] of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    file: Option<String>,
    problems: Vec<Problem>,
}

impl ConfigError {
    pub(super) fn of(file_name: &str, problems: Vec<Problem>) -> Self {
        Self { file: Some(printable::line(file_name).into_owned()), problems }
    }

    pub(super) fn without_file(problems: Vec<Problem>) -> Self {
        Self { file: None, problems }
    }

    /// The faults, in the order of the file.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().take(SHOWN).enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            if let Some(file) = &self.file {
                write!(f, "{file}:")?;
                if let Some(Position { line, column }) = problem.position {
                    write!(f, "{line}:{column}:")?;
                }
                write!(f, " ")?;
            }
            write!(f, "{problem}")?;
        }
        match self.problems.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "\n... and {more} more"),
        }
    }
}

impl std::error::Error for ConfigError {}

/// A fault whose place is still to be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) wrong: String,
    pub(super) remedy: String,
}

impl Fault {
    pub(super) fn new(wrong: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { wrong: wrong.into(), remedy: remedy.into() }
    }
}

/// A text of the user's between quotes: control characters escaped, and cut where a line would be
/// flooded.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}...", text.get(..end).unwrap_or_default()),
    }
}

fn serialize_place<S: serde::Serializer>(place: &Place, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(place)
}

/// Problems looked for: enough to mend, few enough that a hostile file costs little.
pub(super) const SOUGHT: usize = 100;

/// Problems shown at once: more than a screen helps nobody.
const SHOWN: usize = 50;

/// Characters of a user's text that a sentence repeats.
const QUOTED: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_with_control_characters_is_escaped_and_cut() {
        assert_eq!(quoted("a\u{1b}[2J"), r#""a\u{1b}[2J""#);
        assert_eq!(quoted(&"é".repeat(81)), format!("\"{}\"...", "é".repeat(80)));
    }

    #[test]
    fn a_flood_of_problems_is_cut() {
        let problem = Problem::new(Place::root(), Fault::new("a", "b"));
        let error = ConfigError::without_file(vec![problem; SHOWN + 2]);
        assert_eq!(error.to_string().lines().count(), SHOWN + 1);
        assert!(error.to_string().ends_with("\n... and 2 more"));
    }
}
