//! Where a parser stands in its text.

use crate::{Limits, Span, SyntaxError};

/// A position in a text, with the little that all grammars here need.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    depth_max: usize,
}

impl<'a> Cursor<'a> {
    /// At the start of `text`, unless it is too long.
    pub(crate) fn new(text: &'a str, limits: Limits) -> Result<Self, SyntaxError> {
        let chars = text.chars().count();
        if chars > limits.chars_max {
            let at = Span::new(text.len(), text.len());
            return Err(SyntaxError::new(
                at,
                format!("at most {} characters", limits.chars_max),
                format!("{chars} characters"),
            ));
        }
        Ok(Self { text, at: 0, depth: 0, depth_max: limits.depth_max })
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Takes the next character.
    pub(crate) fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Takes `wanted` if it comes next.
    pub(crate) fn eat(&mut self, wanted: &str) -> bool {
        let found = self.rest().starts_with(wanted);
        if found {
            self.at += wanted.len();
        }
        found
    }

    pub(crate) fn skip_space(&mut self) {
        self.take_while(char::is_whitespace);
    }

    /// Takes characters as long as they fit.
    pub(crate) fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|c| !fits(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    pub(crate) fn span_from(&self, start: usize) -> Span {
        Span::new(start, self.at)
    }

    pub(crate) fn text_from(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or("")
    }

    /// Goes one level deeper.
    pub(crate) fn enter(&mut self) -> Result<(), SyntaxError> {
        self.depth += 1;
        if self.depth > self.depth_max {
            let expected = format!("at most {} levels of nesting", self.depth_max);
            return Err(SyntaxError::new(self.span_from(self.at), expected, "one more"));
        }
        Ok(())
    }

    pub(crate) fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// What stands here, in words.
    pub(crate) fn found(&self) -> String {
        match self.peek() {
            None => "the end".to_owned(),
            Some(c) => {
                let word: String = self.rest().chars().take_while(|c| c.is_alphanumeric()).take(24).collect();
                if word.is_empty() && c.is_control() {
                    format!("'{}'", c.escape_debug())
                } else if word.is_empty() {
                    format!("'{c}'")
                } else {
                    format!("'{word}'")
                }
            }
        }
    }

    /// An error at the next character.
    pub(crate) fn error(&self, expected: impl Into<String>) -> SyntaxError {
        let width = self.peek().map_or(0, char::len_utf8);
        SyntaxError::new(Span::new(self.at, self.at + width), expected, self.found())
    }

    /// Fails unless everything has been read.
    pub(crate) fn end(&mut self, expected: &str) -> Result<(), SyntaxError> {
        self.skip_space();
        if self.peek().is_none() { Ok(()) } else { Err(self.error(expected)) }
    }
}
