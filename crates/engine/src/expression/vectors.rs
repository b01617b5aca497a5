//! Worked examples of every function. The tests run them, and the reference pages show them.

/// An expression, what it is evaluated on, and what comes of it.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    pub expression: &'static str,
    /// Attributes by name, as one JSON object.
    pub input: &'static str,
    /// Values that others have.
    pub taken: &'static [&'static str],
    pub result: Outcome,
}

/// What comes of an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A value, in JSON.
    Is(&'static str),
    /// A value, in JSON, that logs do not show.
    Redacted(&'static str),
    /// A text of this pattern.
    Matches(&'static str),
    /// The attribute is left out.
    Ignored,
    /// An error with this in its message.
    Fails(&'static str),
}

/// The clock of the examples, and the job's suffix.
pub const NOW: &str = "2026-03-10T12:00:00Z";
/// The same in microseconds since the Unix epoch.
pub const NOW_US: i64 = 1_773_144_000_000_000;
pub const DEFAULT_DOMAIN: &str = "example.com";

/// Examples by function.
type Examples = &'static [(&'static str, &'static [Example])];

mod beyond;
mod composite;
mod conversion;
mod dates;
mod logic;
mod other;
mod replace;
mod text;

const ALL: &[Examples] = &[logic::ALL, text::ALL, replace::ALL, dates::ALL, conversion::ALL, other::ALL, beyond::ALL];

/// Those of one function.
pub fn of(function: &str) -> impl Iterator<Item = &'static Example> {
    ALL.iter().copied().flatten().filter(move |(name, _)| *name == function).flat_map(|(_, examples)| *examples)
}

/// Every function that has examples, some of them several times.
#[cfg(test)]
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().copied().flatten().map(|(name, _)| *name)
}

/// Those of several functions together.
pub fn composite() -> &'static [Example] {
    composite::ALL
}

/// On no attributes.
const fn on_nothing(expression: &'static str, result: Outcome) -> Example {
    on(expression, "{}", result)
}

const fn on(expression: &'static str, input: &'static str, result: Outcome) -> Example {
    Example { expression, input, taken: &[], result }
}
