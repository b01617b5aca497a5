//! Mapping expressions: compiled once, when a job's mappings are prepared, and evaluated per person, lazily.
//!
//! What a function does is an entry of the table in [`functions`]; nothing here knows one by name.

pub(crate) mod functions;
mod replace;
mod value;

use std::borrow::Cow;
use std::cell::Cell;

use regex::Regex;
use rollcall_model::limits::{EXPRESSION_CHARS_MAX, EXPRESSION_DEPTH_MAX, EXPRESSION_VALUE_CHARS_MAX};
use rollcall_syntax::attribute::{self, AttributePath};
use rollcall_syntax::expression::{self as tree, Keyword, Kind, Node, Operator};
use rollcall_syntax::{Limits, Span, nearest};
use serde_json::{Map, Value as Json};

use crate::scim;
use functions::{FUNCTIONS, Function};
pub(crate) use value::Value;

/// Characters that one evaluation may build in all, so that nested calls cannot multiply.
const BUILT_CHARS_MAX: usize = EXPRESSION_VALUE_CHARS_MAX * 16;
/// Bytes that one compiled pattern may take.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// Why an expression cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unusable {
    pub at: Span,
    pub message: String,
    pub hint: Option<String>,
}

/// Why an expression has no result for one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub text: String,
}

/// A compiled expression.
#[derive(Debug)]
pub(crate) struct Compiled {
    root: Expr,
    /// The source attributes it names, each once.
    pub sources: Vec<AttributePath>,
}

#[derive(Debug)]
pub(crate) enum Expr {
    Call(Call),
    Attribute(AttributePath),
    Text(String),
    Compare { operator: Operator, left: Box<Expr>, right: Box<Expr> },
    Concat(Vec<Expr>),
    Keyword(Keyword),
}

#[derive(Debug)]
pub(crate) struct Call {
    function: &'static Function,
    arguments: Vec<Option<Expr>>,
    /// The compiled regular expression of a function that takes one.
    pattern: Option<Regex>,
}

/// Parses, looks names up, checks the number of arguments and compiles patterns.
pub(crate) fn compile(text: &str) -> Result<Compiled, Unusable> {
    let limits = Limits { chars_max: EXPRESSION_CHARS_MAX, depth_max: EXPRESSION_DEPTH_MAX };
    let node = tree::parse(text, limits).map_err(|error| Unusable {
        at: error.at,
        message: format!("expected {}, found {}", error.expected, error.found),
        hint: error.hint,
    })?;
    let mut sources = Vec::new();
    let root = expr(&node, &mut sources)?;
    Ok(Compiled { root, sources })
}

fn expr(node: &Node, sources: &mut Vec<AttributePath>) -> Result<Expr, Unusable> {
    Ok(match &node.kind {
        Kind::Text(text) | Kind::Number(text) => Expr::Text(text.clone()),
        Kind::Keyword(keyword) => Expr::Keyword(*keyword),
        Kind::Concat(parts) => Expr::Concat(parts.iter().map(|part| expr(part, sources)).collect::<Result<_, _>>()?),
        Kind::Compare { operator, left, right } => Expr::Compare {
            operator: *operator,
            left: Box::new(expr(left, sources)?),
            right: Box::new(expr(right, sources)?),
        },
        Kind::Attribute(name) => {
            let path = attribute::parse(name).map_err(|error| Unusable {
                at: node.at,
                message: format!("[{name}] is no attribute's name: {error}"),
                hint: Some("write it as in [name.givenName] or [emails[type eq \"work\"].value]".to_owned()),
            })?;
            if !sources.contains(&path) {
                sources.push(path.clone());
            }
            Expr::Attribute(path)
        }
        Kind::Call { name, arguments } => Expr::Call(call(node.at, name, arguments, sources)?),
    })
}

fn call(at: Span, name: &str, nodes: &[Option<Node>], sources: &mut Vec<AttributePath>) -> Result<Call, Unusable> {
    let unusable = |message: String, hint: Option<String>| Unusable { at, message, hint };
    let Some(function) = FUNCTIONS.iter().find(|function| function.name == name) else {
        let near = nearest(name, FUNCTIONS.iter().map(|function| function.name));
        return Err(unusable(format!("there is no function {name}"), near.map(|near| format!("did you mean {near}?"))));
    };
    if !function.arity.fits(nodes.len()) {
        let message = format!("{name} takes {}, not {}", function.arity, nodes.len());
        return Err(unusable(message, Some(format!("write {}", function.signature()))));
    }
    let arguments = nodes
        .iter()
        .map(|node| node.as_ref().map(|node| expr(node, sources)).transpose())
        .collect::<Result<Vec<_>, _>>()?;
    (function.check)(&arguments)
        .map_err(|why| unusable(format!("{name}: {why}"), Some(format!("write {}", function.signature()))))?;
    let pattern = match function.pattern.and_then(|at| arguments.get(at)) {
        None | Some(None) => None,
        Some(Some(Expr::Text(pattern))) => {
            let built = regex::RegexBuilder::new(pattern).size_limit(PATTERN_BYTES_MAX).build();
            Some(built.map_err(|error| unusable(format!("{name}: the pattern cannot be used: {error}"), None))?)
        }
        Some(Some(_)) => return Err(unusable(format!("{name}: the pattern must be a text"), None)),
    };
    Ok(Call { function, arguments, pattern })
}

impl Compiled {
    /// The result for one record. `default_domain` is what `DefaultDomain()` yields.
    pub(crate) fn evaluate<'a>(
        &'a self,
        record: &'a Map<String, Json>,
        default_domain: &'a str,
    ) -> Result<Value<'a>, Fault> {
        let scope = Scope { record, default_domain, built_chars_left: Cell::new(BUILT_CHARS_MAX) };
        scope.evaluate(&self.root)
    }
}

/// What an evaluation can see.
pub(crate) struct Scope<'a> {
    record: &'a Map<String, Json>,
    default_domain: &'a str,
    built_chars_left: Cell<usize>,
}

impl<'a> Scope<'a> {
    fn evaluate(&self, expr: &'a Expr) -> Result<Value<'a>, Fault> {
        match expr {
            Expr::Text(text) => Ok(Value::Text(Cow::Borrowed(text))),
            Expr::Attribute(path) => Ok(Value::of(&scim::find(self.record, path))),
            Expr::Keyword(Keyword::IgnoreAttributeFlow | Keyword::IgnoreObjectFlow) => Ok(Value::Ignore),
            Expr::Keyword(Keyword::TextCompare) => Ok(Value::Text(Cow::Borrowed("vbTextCompare"))),
            Expr::Keyword(Keyword::BinaryCompare) => Ok(Value::Text(Cow::Borrowed("vbBinaryCompare"))),
            Expr::Compare { operator, left, right } => {
                let (left, right) = (self.evaluate(left)?, self.evaluate(right)?);
                Ok(Value::Flag(value::compare(*operator, &left, &right)))
            }
            Expr::Concat(parts) => {
                let mut text = String::new();
                for part in parts {
                    text.push_str(&self.evaluate(part)?.text().unwrap_or_default());
                }
                self.built(text)
            }
            Expr::Call(call) => (call.function.run)(&Arguments { call, scope: self }),
        }
    }

    /// Admits a text that was built, unless it or all of them together are too long.
    fn built(&self, text: String) -> Result<Value<'a>, Fault> {
        let left = self.built_chars_left.get();
        if text.len() > left
            || (text.len() > EXPRESSION_VALUE_CHARS_MAX && text.chars().count() > EXPRESSION_VALUE_CHARS_MAX)
        {
            let text = format!("a value grew longer than {EXPRESSION_VALUE_CHARS_MAX} characters");
            return Err(Fault { text });
        }
        self.built_chars_left.set(left - text.len());
        Ok(Value::Text(Cow::Owned(text)))
    }
}

/// A function's view of its call: arguments by position, evaluated when asked for.
pub(crate) struct Arguments<'e, 'a> {
    call: &'a Call,
    scope: &'e Scope<'a>,
}

impl<'a> Arguments<'_, 'a> {
    fn len(&self) -> usize {
        self.call.arguments.len()
    }

    /// Whether something was written at this position.
    fn is_given(&self, at: usize) -> bool {
        self.call.arguments.get(at).is_some_and(Option::is_some)
    }

    fn pattern(&self) -> Option<&'a Regex> {
        self.call.pattern.as_ref()
    }

    fn default_domain(&self) -> &'a str {
        self.scope.default_domain
    }

    /// The value at a position; null where nothing was written.
    fn value(&self, at: usize) -> Result<Value<'a>, Fault> {
        match self.call.arguments.get(at) {
            Some(Some(expr)) => self.scope.evaluate(expr),
            _ => Ok(Value::Null),
        }
    }

    /// The value as one text; `None` for null.
    fn text(&self, at: usize) -> Result<Option<Cow<'a, str>>, Fault> {
        let value = self.value(at)?;
        match &value {
            Value::List(values) if values.len() > 1 => Err(self.fault(at, &value, "it has several values")),
            _ => Ok(value.text()),
        }
    }

    /// The value as a whole number; `None` for null.
    fn number(&self, at: usize) -> Result<Option<i64>, Fault> {
        let value = self.value(at)?;
        let Some(text) = value.text() else { return Ok(None) };
        match text.trim().parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(self.fault(at, &value, "it is no whole number")),
        }
    }

    fn built(&self, text: String) -> Result<Value<'a>, Fault> {
        self.scope.built(text).map_err(|fault| Fault { text: format!("{}: {}", self.call.function.name, fault.text) })
    }

    /// An error that names function, argument and value.
    fn fault(&self, at: usize, value: &Value<'_>, why: &str) -> Fault {
        let shown: String = value.text().unwrap_or_default().chars().take(64).collect();
        Fault { text: format!("{}, argument {} (\"{shown}\"): {why}", self.call.function.name, at + 1) }
    }
}

#[cfg(test)]
mod tests;
