//! The values that an expression with candidates offers, in order and each only when it is asked for.

use std::borrow::Cow;

use rollcall_model::limits::UNIQUE_CANDIDATES_MAX;
use rollcall_syntax::Span;

use super::functions::unique::Numbered;
use super::scope::Scope;
use super::{Argument, Compiled, Context, Evaluated, Expr, Fault, Value};

/// Candidates that an error names.
const NAMED_MAX: usize = 5;

/// Candidates of one expression for one record. Null and empty values are left out.
pub struct Candidates<'a> {
    scope: Scope<'a>,
    rules: std::slice::Iter<'a, Argument>,
    numbered: Option<Numbered<'a>>,
    left: usize,
    /// The whole expression.
    at: Span,
}

impl<'a> Candidates<'a> {
    pub(super) fn of(compiled: &'a Compiled, context: &Context<'a>) -> Option<Self> {
        if !compiled.natures.unique {
            return None;
        }
        let rules = match &compiled.root.expr {
            Some(Expr::Call(call)) if Numbered::is_made_by(call) => std::slice::from_ref(&compiled.root),
            Some(Expr::Call(call)) => call.arguments.as_slice(),
            _ => return None,
        };
        let scope = Scope::new(*context, compiled.variables);
        Some(Self { scope, rules: rules.iter(), numbered: None, left: UNIQUE_CANDIDATES_MAX, at: compiled.root.at })
    }

    /// Whether those made so far depend on the clock.
    pub fn has_read_clock(&self) -> bool {
        self.scope.has_read_clock()
    }

    /// Whether logs may not show them.
    pub fn is_redacted(&self) -> bool {
        self.scope.is_redacted()
    }

    fn following(&mut self) -> Result<Option<Cow<'a, str>>, Fault> {
        loop {
            if let Some(next) = self.numbered.as_mut().and_then(Numbered::next_value) {
                return Ok(Some(next));
            }
            self.numbered = None;
            let Some(rule) = self.rules.next() else { return Ok(None) };
            match &rule.expr {
                Some(Expr::Call(call)) if Numbered::is_made_by(call) => {
                    self.numbered = Numbered::of(call, &self.scope)?;
                }
                _ => match self.scope.evaluate(rule)? {
                    value if value.is_null_or_empty() => {}
                    value if value.is_list_of_several() => {
                        let text = "a rule yields several values; a unique value is one".to_owned();
                        return Err(Fault { at: rule.at, text });
                    }
                    value => return Ok(value.text()),
                },
            }
        }
    }

    /// The first that `context.taken` does not know.
    pub(super) fn first_free(mut self, context: &Context<'a>) -> Result<Evaluated<'a>, Fault> {
        let (mut tried, mut count) = (Vec::new(), 0_usize);
        while let Some(candidate) = self.next().transpose()? {
            if !(context.taken)(&candidate) {
                let (read_clock, is_redacted) = (self.has_read_clock(), self.is_redacted());
                return Ok(Evaluated { value: Value::Text(candidate), read_clock, is_redacted });
            }
            count += 1;
            if tried.len() < NAMED_MAX {
                tried.push(candidate);
            }
        }
        Err(Fault { at: self.at, text: self.none_free(&tried, count) })
    }

    /// What to say when every candidate was taken.
    fn none_free(&self, tried: &[Cow<'_, str>], count: usize) -> String {
        match count {
            0 => "no rule yields a value, so there is none to be unique".to_owned(),
            _ if self.is_redacted() => format!("all {count} values that were tried are taken"),
            _ if count > tried.len() => {
                format!("every value is taken: {} and {} more", tried.join(", "), count - tried.len())
            }
            _ => format!("every value is taken: {}", tried.join(", ")),
        }
    }
}

impl<'a> Iterator for Candidates<'a> {
    type Item = Result<Cow<'a, str>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let next = self.following();
        if next.is_err() {
            self.left = 0;
        }
        next.transpose()
    }
}
