//! The functions, one entry each: name, parameters, meaning, implementation. Evaluator, checks, the API's list of
//! functions and the reference pages all read this table.

mod convert;
mod dates;
mod directory;
mod lists;
mod logic;
mod numbers;
pub(super) mod random;
mod replace;
mod text;
pub(super) mod unique;

use std::fmt;

use rollcall_syntax::Span;

use super::compile::unusable;
use super::scope::Arguments;
use super::value::hexadecimal;
use super::vectors::Example;
use super::{Argument, Expr, Fault, Unusable, Value, vectors};
pub(crate) use text::part;

type Run = for<'a> fn(&Arguments<'_, 'a>) -> Result<Value<'a>, Fault>;
type Check = fn(Span, &[Argument]) -> Result<(), Unusable>;

/// One function of the language.
#[derive(Clone, Copy)]
pub struct FunctionInfo {
    pub name: &'static str,
    pub family: Family,
    pub parameters: &'static [Parameter],
    /// What it yields.
    pub returns: Type,
    /// One line.
    pub purpose: &'static str,
    /// What is not plain from the purpose, a sentence or two each.
    pub notes: &'static [&'static str],
    /// Fewest arguments, where the parameters do not say it.
    least: Option<usize>,
    /// The argument whose very place is left out when there are the fewest.
    pub(super) skipped: Option<usize>,
    pub(super) nature: Nature,
    pub(super) check: Check,
    pub(super) run: Run,
}

/// What a function is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    Logic,
    Text,
    Numbers,
    Dates,
    Lists,
    Conversion,
    Directory,
    Random,
    Unique,
    /// Documented for other products of the family, and refused.
    Outbound,
}

/// What the result of a function depends on beside its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    Plain,
    Clock,
    Random,
    /// Logs do not show the result.
    Redacting,
    /// It yields candidates and stands outermost.
    Unique,
    /// A rule of the outermost function, or outermost itself.
    UniqueRule,
    /// It cannot be used, and why.
    Refused(&'static str),
}

/// One parameter of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    pub name: &'static str,
    pub kind: Type,
    pub required: bool,
    /// It may be given several times; repeating parameters that follow each other repeat together.
    pub repeats: bool,
}

/// What a parameter takes or a function yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Any,
    Text,
    /// A whole number, also as text.
    Number,
    Decimal,
    Flag,
    /// A date, or a text that is one.
    Date,
    List,
    /// A text of those that name an interval.
    Interval,
    /// A regular expression, known when the mapping is saved.
    Pattern,
    /// .NET's custom or standard date format.
    Format,
    /// Names of .NET's `DateTimeStyles`.
    Styles,
    /// `vbTextCompare` or `vbBinaryCompare`.
    Comparison,
    Culture,
    /// A name that stands for a value in later arguments.
    Variable,
}

impl Type {
    /// In words, as errors and pages write it.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Any => "any value",
            Self::Text => "text",
            Self::Number => "a whole number",
            Self::Decimal => "a number",
            Self::Flag => "a condition",
            Self::Date => "a date",
            Self::List => "a list",
            Self::Interval => "an interval",
            Self::Pattern => "a regular expression",
            Self::Format => "a date format",
            Self::Styles => "names of DateTimeStyles",
            Self::Comparison => "vbTextCompare or vbBinaryCompare",
            Self::Culture => "a culture such as tr-TR",
            Self::Variable => "a variable such as $item",
        }
    }

    /// As the attribute types of the API (wire contract 3.7).
    pub fn attribute_type(self) -> &'static str {
        match self {
            Self::Number => "Integer",
            Self::Flag => "Boolean",
            Self::Date => "DateTime",
            _ => "String",
        }
    }
}

/// How many arguments a function takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arity {
    pub least: usize,
    /// `None`: no bound.
    pub most: Option<usize>,
    /// How many arguments repeat together.
    pub step: usize,
}

impl Arity {
    pub(super) fn fits(self, count: usize) -> bool {
        match self.most {
            Some(most) => (self.least..=most).contains(&count),
            None => count >= self.least && (count - self.least).is_multiple_of(self.step),
        }
    }
}

impl fmt::Display for Arity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count: usize| if count == 1 { "argument" } else { "arguments" };
        match (self.least, self.most) {
            (_, Some(0)) => f.write_str("no arguments"),
            (least, Some(most)) if least == most => write!(f, "exactly {least} {}", plural(least)),
            (least, Some(most)) => write!(f, "{least} to {most} arguments"),
            (least, None) if self.step == 2 => write!(f, "an even number of arguments, at least {least}"),
            (least, None) => write!(f, "at least {least} {}", plural(least)),
        }
    }
}

impl FunctionInfo {
    const fn new(name: &'static str, parameters: &'static [Parameter], returns: Type, run: Run) -> Self {
        Self {
            name,
            family: Family::Logic,
            parameters,
            returns,
            purpose: "",
            notes: &[],
            least: None,
            skipped: None,
            nature: Nature::Plain,
            check: |_, _| Ok(()),
            run,
        }
    }

    const fn told(mut self, purpose: &'static str, notes: &'static [&'static str]) -> Self {
        self.purpose = purpose;
        self.notes = notes;
        self
    }

    const fn of(mut self, family: Family) -> Self {
        self.family = family;
        self
    }

    const fn nature(mut self, nature: Nature) -> Self {
        self.nature = nature;
        self
    }

    const fn check(mut self, check: Check) -> Self {
        self.check = check;
        self
    }

    const fn least(mut self, least: usize) -> Self {
        self.least = Some(least);
        self
    }

    const fn may_skip(mut self, at: usize) -> Self {
        self.skipped = Some(at);
        self
    }

    /// How many arguments it takes.
    pub fn arity(&self) -> Arity {
        let required = self.parameters.iter().filter(|parameter| parameter.required).count();
        let repeating = self.parameters.iter().filter(|parameter| parameter.repeats).count();
        Arity {
            least: self.least.unwrap_or(required),
            most: (repeating == 0).then_some(self.parameters.len()),
            step: repeating.max(1),
        }
    }

    /// The parameter of the argument at a position.
    pub fn parameter(&self, at: usize) -> Option<&'static Parameter> {
        let repeating = self.parameters.iter().filter(|parameter| parameter.repeats).count();
        match at.checked_sub(self.parameters.len()) {
            None => self.parameters.get(at),
            Some(_) if repeating == 0 => None,
            Some(beyond) => self.parameters.get(self.parameters.len() - repeating + beyond % repeating),
        }
    }

    /// `Switch(source, defaultValue, key1, value1, ...)`.
    pub fn signature(&self) -> String {
        let mut names: Vec<String> = self
            .parameters
            .iter()
            .map(|parameter| format!("{}{}", parameter.name, if parameter.repeats { "1" } else { "" }))
            .collect();
        if self.parameters.iter().any(|parameter| parameter.repeats) {
            names.push("...".to_owned());
        }
        format!("{}({})", self.name, names.join(", "))
    }

    /// Worked examples; each of them is tested.
    pub fn examples(&self) -> impl Iterator<Item = &'static Example> {
        vectors::of(self.name)
    }

    /// Why it cannot be used; `None` for those that can.
    pub fn refusal(&self) -> Option<&'static str> {
        match self.nature {
            Nature::Refused(why) => Some(why),
            _ => None,
        }
    }
}

impl fmt::Debug for FunctionInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The whole number that an argument is, where it is a constant.
fn constant_number(arguments: &[Argument], at: usize) -> Option<i64> {
    match arguments.get(at)?.expr.as_ref()? {
        Expr::Number(number) => Some(*number),
        Expr::Text(text) => text.trim().parse().ok().or_else(|| hexadecimal(text.trim())),
        _ => None,
    }
}

/// Refuses a constant that is not in a range.
fn in_range(
    arguments: &[Argument],
    at: usize,
    range: std::ops::RangeInclusive<i64>,
    message: &str,
    hint: &str,
) -> Result<(), Unusable> {
    match (constant_number(arguments, at), arguments.get(at)) {
        (Some(number), Some(argument)) if !range.contains(&number) => Err(unusable(argument.at, message, hint)),
        _ => Ok(()),
    }
}

const fn required(name: &'static str, kind: Type) -> Parameter {
    Parameter { name, kind, required: true, repeats: false }
}

const fn optional(name: &'static str, kind: Type) -> Parameter {
    Parameter { name, kind, required: false, repeats: false }
}

const fn repeated(name: &'static str, kind: Type) -> Parameter {
    Parameter { name, kind, required: true, repeats: true }
}

const TABLES: &[&[FunctionInfo]] = &[
    logic::TABLE,
    text::TABLE,
    replace::TABLE,
    numbers::TABLE,
    dates::TABLE,
    lists::TABLE,
    convert::TABLE,
    directory::TABLE,
    random::TABLE,
    unique::TABLE,
];

/// Every function of the language.
pub fn functions() -> impl Iterator<Item = &'static FunctionInfo> {
    TABLES.iter().copied().flatten()
}
