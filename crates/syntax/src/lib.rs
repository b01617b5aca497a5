//! Text to tree: mapping expressions, attribute names, and the `$filter` and `$orderby` of the log's API.
//!
//! Every parser is a recursive descent over a cursor, takes its bounds as [`Limits`], never panics, and
//! says where it stopped, what it wanted, what it found and, where it can, what to write instead.

pub mod attribute;
mod caret;
mod cursor;
pub mod expression;
pub mod moment;
pub mod odata;

use std::fmt;

pub use caret::render_caret;

/// A stretch of the parsed text, in bytes, on character borders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    pub start: usize,
    /// Exclusive.
    pub end: usize,
}

impl Span {
    /// From `start` up to, not including, `end`.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// From the start of this stretch to the end of `other`.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start, end: other.end }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.start)
    }
}

/// How long and how deep a text may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub chars_max: usize,
    /// Levels of nesting.
    pub depth_max: usize,
}

/// Why a text could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} at position {at}, found {found}{}", hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default())]
pub struct SyntaxError {
    pub at: Span,
    pub expected: String,
    pub found: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl SyntaxError {
    pub(crate) fn new(at: Span, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { at, expected: expected.into(), found: found.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The known name nearest to `wanted`, for a "did you mean"; `None` where none is near.
#[must_use]
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    // A long name is no misspelling of a short one; leave before the quadratic part.
    if wanted.chars().count() > 64 {
        return None;
    }
    known
        .into_iter()
        .map(|name| (distance(&wanted, &name.to_lowercase()), name))
        .filter(|(steps, name)| *steps <= 1 + name.len() / 4)
        .min_by_key(|(steps, _)| *steps)
        .map(|(_, name)| name)
}

/// Levenshtein distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_names() {
        let known = ["Replace", "Join", "ToLower"];
        for (wanted, expected) in
            [("Repalce", Some("Replace")), ("join", Some("Join")), ("tolower", Some("ToLower")), ("Fetch", None)]
        {
            assert_eq!(nearest(wanted, known), expected, "{wanted}");
        }
    }
}
