//! Mapping expressions: compiled once, when a job's mappings are prepared, and evaluated per person, lazily.
//!
//! What a function does is an entry of the table in [`functions`]; nothing here knows one by name. Evaluation is pure:
//! clock, seed, default domain and the question whether a value is taken are members of [`Context`].

pub(crate) mod candidates;
mod compile;
pub(crate) mod date;
mod functions;
pub(crate) mod pattern;
pub(crate) mod record;
mod scope;
mod tree;
mod value;
pub mod vectors;

use rollcall_model::Timestamp;
use rollcall_syntax::Span;
use rollcall_syntax::attribute::AttributePath;
use rollcall_syntax::expression::{Keyword, Operator};
use serde_json::{Map, Value as Json};

pub use candidates::Candidates;
pub use compile::compile;
pub use date::Date;
pub(crate) use functions::part;
pub use functions::{Arity, Family, FunctionInfo, Parameter, Type, functions};
pub use record::record_of;
use scope::Scope;
pub use tree::{NodeKind, TreeNode, tree};
pub use value::Value;

/// Why an expression cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// The part of the text that is wrong.
    pub at: Span,
    /// What was expected and what was found.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

/// Why an expression has no result for one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The call or the argument that failed.
    pub at: Span,
    /// Names function, argument and value, but no value that is redacted.
    pub text: String,
}

/// What an evaluation can see.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The person's merged source record.
    pub record: &'a Map<String, Json>,
    pub now: Timestamp,
    /// What `DefaultDomain()` yields.
    pub default_domain: &'a str,
    /// Of job, person and mapping: the same seed gives the same random values.
    pub seed: [u8; 32],
    /// Whether a value of the target attribute is taken.
    pub taken: &'a dyn Fn(&str) -> bool,
}

/// What an expression yields for one record.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated<'a> {
    pub value: Value<'a>,
    /// Whether the result depends on `now`.
    pub read_clock: bool,
    /// Whether logs show [`REDACTED`] in the value's place.
    pub is_redacted: bool,
}

/// What logs show of a redacted value.
pub const REDACTED: &str = "[Redact]";

/// A compiled expression.
#[derive(Debug)]
pub struct Compiled {
    root: Argument,
    /// The source attributes it names, each once.
    pub sources: Vec<AttributePath>,
    natures: Natures,
    /// How many variables are in force at once.
    variables: usize,
}

/// What kinds of functions an expression calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each kind is asked for on its own")]
struct Natures {
    clock: bool,
    random: bool,
    unique: bool,
    redacting: bool,
}

#[derive(Debug)]
enum Expr {
    Call(Box<Call>),
    Attribute(AttributePath),
    Text(String),
    Number(i64),
    Decimal(f64),
    Compare {
        operator: Operator,
        sides: Box<(Argument, Argument)>,
    },
    Concat(Vec<Argument>),
    Keyword(Keyword),
    /// By its place among those in force.
    Variable(usize),
}

#[derive(Debug)]
struct Call {
    function: &'static FunctionInfo,
    arguments: Vec<Argument>,
    at: Span,
}

/// A part of an expression, where it stands, and what was made of it when the mapping was saved.
#[derive(Debug)]
struct Argument {
    /// `None` for an argument that is left out.
    expr: Option<Expr>,
    at: Span,
    ready: Ready,
}

/// What a constant argument means, worked out once.
#[derive(Debug)]
enum Ready {
    Nothing,
    Pattern(Box<pattern::Pattern>),
    Format(date::format::Format),
    Interval(date::interval::Interval),
}

impl Compiled {
    /// The result for one record. An expression with candidates yields the first that is not taken.
    pub fn evaluate<'a>(&'a self, context: &Context<'a>) -> Result<Evaluated<'a>, Fault> {
        if let Some(candidates) = self.candidates(context) {
            return candidates.first_free(context);
        }
        let scope = Scope::new(*context, self.variables);
        let value = scope.evaluate(&self.root)?;
        Ok(Evaluated { value, read_clock: scope.has_read_clock(), is_redacted: scope.is_redacted() })
    }

    /// The values to be tried in order, each made when it is asked for; `None` for an expression that has one result.
    pub fn candidates<'a>(&'a self, context: &Context<'a>) -> Option<Candidates<'a>> {
        Candidates::of(self, context)
    }

    /// Whether it yields the first of several candidates that nobody has.
    pub fn is_unique(&self) -> bool {
        self.natures.unique
    }

    /// Whether logs may not show what some record makes of it.
    pub fn may_redact(&self) -> bool {
        self.natures.redacting
    }

    /// Whether its result can depend on the clock.
    pub fn may_read_clock(&self) -> bool {
        self.natures.clock
    }

    /// Whether its result can depend on the seed.
    pub fn is_random(&self) -> bool {
        self.natures.random
    }
}

#[cfg(test)]
mod tests;
