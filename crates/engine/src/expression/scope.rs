//! One evaluation under way: what it can see, what it has used up, and a function's view of its call.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};

use rollcall_model::limits::{EXPRESSION_BUILT_CHARS_MAX, EXPRESSION_STEPS_MAX, EXPRESSION_VALUE_CHARS_MAX};
use rollcall_syntax::Span;
use rollcall_syntax::expression::Keyword;

use super::date::format::Format;
use super::date::interval::{self, Interval};
use super::date::{Date, recognise};
use super::functions::random::Generator;
use super::pattern::{Pattern, Work};
use super::value::{Number, compare, hexadecimal, numeric};
use super::{Argument, Call, Context, Expr, Fault, REDACTED, Ready, Value};
use crate::scim;

/// Characters of a value that an error shows.
const SHOWN_CHARS_MAX: usize = 64;

/// What to do about several values.
const TAKE_ONE: &str = "take one, as with Item(..., 1), or make one of them, as with Join";

/// Bytes of a text that are worth one step.
const CHARS_PER_STEP: usize = 256;

/// One evaluation.
pub(super) struct Scope<'a> {
    pub(super) context: Context<'a>,
    built_chars_left: Cell<usize>,
    steps_left: Cell<usize>,
    read_clock: Cell<bool>,
    redacted: Cell<bool>,
    pub(super) work: Work,
    pub(super) generator: Generator,
    variables: RefCell<Vec<Value<'a>>>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(context: Context<'a>, variables: usize) -> Self {
        Self {
            context,
            built_chars_left: Cell::new(EXPRESSION_BUILT_CHARS_MAX),
            steps_left: Cell::new(EXPRESSION_STEPS_MAX),
            read_clock: Cell::new(false),
            redacted: Cell::new(false),
            work: Work::new(),
            generator: Generator::new(context.seed),
            variables: RefCell::new(vec![Value::Null; variables]),
        }
    }

    pub(super) fn has_read_clock(&self) -> bool {
        self.read_clock.get()
    }

    pub(super) fn is_redacted(&self) -> bool {
        self.redacted.get()
    }

    /// Null for an argument that is left out.
    pub(super) fn evaluate(&self, argument: &'a Argument) -> Result<Value<'a>, Fault> {
        let Some(expr) = &argument.expr else { return Ok(Value::Null) };
        self.spend(1, argument.at)?;
        match expr {
            Expr::Text(text) => Ok(Value::borrowed(text)),
            Expr::Number(number) => Ok(Value::Number(*number)),
            Expr::Decimal(decimal) => Ok(Value::Decimal(*decimal)),
            Expr::Attribute(path) => {
                let value = Value::of(&scim::find(self.context.record, path));
                self.spend(value.weight(), argument.at)?;
                Ok(value)
            }
            Expr::Keyword(Keyword::IgnoreAttributeFlow) => Ok(Value::IgnoreAttributeFlow),
            Expr::Keyword(Keyword::IgnoreObjectFlow) => Ok(Value::IgnoreObjectFlow),
            Expr::Keyword(other) => Ok(Value::borrowed(other.name())),
            Expr::Variable(slot) => {
                let variables = self.variables.borrow();
                let Some(value) = variables.get(*slot) else { return Ok(Value::Null) };
                self.spend(value.weight(), argument.at)?;
                Ok(value.clone())
            }
            Expr::Compare { operator, sides } => {
                let (left, right) = (self.one(&sides.0)?, self.one(&sides.1)?);
                Ok(Value::Flag(compare(*operator, &left, &right)))
            }
            Expr::Concat(parts) => {
                let mut text = String::new();
                for part in parts {
                    text.push_str(&self.one(part)?.text().unwrap_or_default());
                }
                self.built(text, argument.at)
            }
            Expr::Call(call) => (call.function.run)(&Arguments { call, scope: self }),
        }
    }

    /// A value where several cannot be meant; the first of them would be a guess.
    fn one(&self, argument: &'a Argument) -> Result<Value<'a>, Fault> {
        let value = self.evaluate(argument)?;
        match &value {
            Value::List(values) if values.len() > 1 => {
                let text = format!("{} has {} values where one is needed; {TAKE_ONE}", named(argument), values.len());
                Err(Fault { at: argument.at, text })
            }
            _ => Ok(value),
        }
    }

    /// Takes steps of those that are left.
    fn spend(&self, steps: usize, at: Span) -> Result<(), Fault> {
        let Some(left) = self.steps_left.get().checked_sub(steps) else {
            let text = format!("the expression took more than {EXPRESSION_STEPS_MAX} steps");
            return Err(Fault { at, text });
        };
        self.steps_left.set(left);
        Ok(())
    }

    /// Admits a text that was built, unless it or all of them together are too long.
    pub(super) fn built(&self, text: String, at: Span) -> Result<Value<'a>, Fault> {
        let left = self.built_chars_left.get();
        if text.len() > left
            || (text.len() > EXPRESSION_VALUE_CHARS_MAX && text.chars().count() > EXPRESSION_VALUE_CHARS_MAX)
        {
            let text = format!("a value grew longer than {EXPRESSION_VALUE_CHARS_MAX} characters");
            return Err(Fault { at, text });
        }
        self.built_chars_left.set(left - text.len());
        Ok(Value::Text(Cow::Owned(text)))
    }
}

/// What an error calls an argument.
fn named(argument: &Argument) -> String {
    match &argument.expr {
        Some(Expr::Attribute(path)) => format!("[{}]", scim::name_of(path)),
        Some(Expr::Call(call)) => format!("the result of {}", call.function.name),
        _ => "the value".to_owned(),
    }
}

/// A function's view of its call: arguments by position, evaluated when asked for.
pub(super) struct Arguments<'e, 'a> {
    pub(super) call: &'a Call,
    pub(super) scope: &'e Scope<'a>,
}

impl<'a> Arguments<'_, 'a> {
    pub(super) fn len(&self) -> usize {
        self.call.arguments.len()
    }

    fn argument(&self, at: usize) -> Option<&'a Argument> {
        self.call.arguments.get(at)
    }

    /// Whether something was written at this position.
    pub(super) fn is_given(&self, at: usize) -> bool {
        self.argument(at).is_some_and(|argument| argument.expr.is_some())
    }

    pub(super) fn pattern(&self, at: usize) -> Option<&'a Pattern> {
        match self.argument(at).map(|argument| &argument.ready) {
            Some(Ready::Pattern(pattern)) => Some(pattern),
            _ => None,
        }
    }

    pub(super) fn default_domain(&self) -> &'a str {
        self.scope.context.default_domain
    }

    /// The clock; the evaluation is known to have read it.
    pub(super) fn now(&self) -> Date {
        self.scope.read_clock.set(true);
        Date::of(self.scope.context.now)
    }

    /// From now on the value is not to be shown.
    pub(super) fn redact(&self) {
        self.scope.redacted.set(true);
    }

    pub(super) fn is_redacted(&self) -> bool {
        self.scope.is_redacted()
    }

    /// The value at a position; null where nothing was written.
    pub(super) fn value(&self, at: usize) -> Result<Value<'a>, Fault> {
        self.argument(at).map_or(Ok(Value::Null), |argument| self.scope.evaluate(argument))
    }

    /// The value at a position, which must not be several.
    pub(super) fn one(&self, at: usize) -> Result<Value<'a>, Fault> {
        let Some(argument) = self.argument(at) else { return Ok(Value::Null) };
        self.scope.one(argument).map_err(|fault| {
            // An error from further inside names its own function.
            let is_ours = fault.at == argument.at && fault.text.ends_with(TAKE_ONE);
            let text = if is_ours { self.named(&fault.text) } else { fault.text };
            Fault { text, ..fault }
        })
    }

    /// The value as one text; `None` for null.
    pub(super) fn text(&self, at: usize) -> Result<Option<Cow<'a, str>>, Fault> {
        match self.one(at)? {
            Value::Text(text) => {
                // Functions look at every character: a long text counts more.
                self.scope.spend(text.len() / CHARS_PER_STEP, self.call.at)?;
                Ok(Some(text))
            }
            value => Ok(value.text()),
        }
    }

    /// The value as one text, null as the empty one.
    pub(super) fn text_or_empty(&self, at: usize) -> Result<Cow<'a, str>, Fault> {
        Ok(self.text(at)?.unwrap_or_default())
    }

    /// The value as a list of texts; none for null.
    pub(super) fn texts(&self, at: usize) -> Result<Vec<Cow<'a, str>>, Fault> {
        Ok(self.value(at)?.into_texts())
    }

    /// The value as a whole number; `None` for null.
    pub(super) fn number(&self, at: usize) -> Result<Option<i64>, Fault> {
        let value = match self.one(at)? {
            Value::Null | Value::IgnoreAttributeFlow | Value::IgnoreObjectFlow => return Ok(None),
            Value::Number(number) => return Ok(Some(number)),
            value => value,
        };
        match whole(&value) {
            Some(number) => Ok(Some(number)),
            None => Err(self.fault(at, &value, "it is no whole number")),
        }
    }

    /// The value as a moment: a date, or a text that says one; `None` for null.
    pub(super) fn date(&self, at: usize) -> Result<Option<Date>, Fault> {
        let value = match self.one(at)? {
            Value::Null | Value::IgnoreAttributeFlow | Value::IgnoreObjectFlow => return Ok(None),
            Value::Date(date) => return Ok(Some(date)),
            value => value,
        };
        let text = value.text().unwrap_or_default();
        let read = recognise::recognise(&text, Some(Date::of(self.scope.context.now)));
        let Some((date, used_now)) = read else {
            return Err(self.fault(at, &value, "it is no date that can be recognised"));
        };
        if used_now {
            self.scope.read_clock.set(true);
        }
        Ok(Some(date))
    }

    /// The value as a condition.
    pub(super) fn is_true(&self, at: usize) -> Result<bool, Fault> {
        Ok(self.one(at)?.is_true())
    }

    /// The value as an interval.
    pub(super) fn interval(&self, at: usize) -> Result<Interval, Fault> {
        if let Some(Ready::Interval(interval)) = self.argument(at).map(|argument| &argument.ready) {
            return Ok(*interval);
        }
        let value = self.one(at)?;
        let name = value.text().unwrap_or_default();
        Interval::parse(&name).ok_or_else(|| self.fault(at, &value, &format!("it is no interval; {}", interval::HINT)))
    }

    /// The value as a date format.
    pub(super) fn format(&self, at: usize) -> Result<Cow<'a, Format>, Fault> {
        if let Some(Ready::Format(format)) = self.argument(at).map(|argument| &argument.ready) {
            return Ok(Cow::Borrowed(format));
        }
        let value = self.one(at)?;
        let text = value.text().unwrap_or_default();
        Format::parse(&text).map(Cow::Owned).map_err(|why| self.fault(at, &value, &why.to_string()))
    }

    /// The value at a position, with a variable in force at another.
    pub(super) fn with_variable(&self, variable: usize, bound: Value<'a>, at: usize) -> Result<Value<'a>, Fault> {
        if let Some(Expr::Variable(slot)) = self.argument(variable).and_then(|argument| argument.expr.as_ref())
            && let Some(place) = self.scope.variables.borrow_mut().get_mut(*slot)
        {
            *place = bound;
        }
        self.value(at)
    }

    pub(super) fn built(&self, text: String) -> Result<Value<'a>, Fault> {
        self.scope.built(text, self.call.at).map_err(|fault| Fault { text: self.named(&fault.text), ..fault })
    }

    /// A text as it is, or one that was built.
    pub(super) fn shared(&self, text: Cow<'a, str>) -> Result<Value<'a>, Fault> {
        match text {
            Cow::Borrowed(text) => Ok(Value::borrowed(text)),
            Cow::Owned(text) => self.built(text),
        }
    }

    /// A list that was built.
    pub(super) fn list(&self, values: Vec<Cow<'a, str>>) -> Result<Value<'a>, Fault> {
        for value in &values {
            if let Cow::Owned(text) = value {
                let left = self.scope.built_chars_left.get();
                let Some(left) = left.checked_sub(text.len()) else {
                    return Err(self.fail("the list grew too long"));
                };
                self.scope.built_chars_left.set(left);
            }
        }
        Ok(Value::List(values))
    }

    fn named(&self, text: &str) -> String {
        format!("{}: {text}", self.call.function.name)
    }

    /// An error of the call as a whole.
    pub(super) fn fail(&self, why: &str) -> Fault {
        Fault { at: self.call.at, text: self.named(why) }
    }

    /// An error that names function, argument and value.
    pub(super) fn fault(&self, at: usize, value: &Value<'_>, why: &str) -> Fault {
        let shown = if self.scope.redacted.get() {
            REDACTED.to_owned()
        } else {
            value.text().unwrap_or_default().chars().take(SHOWN_CHARS_MAX).collect()
        };
        let text = format!("{}, argument {} (\"{shown}\"): {why}", self.call.function.name, at + 1);
        Fault { at: self.argument(at).map_or(self.call.at, |argument| argument.at), text }
    }
}

/// A whole number, however it is written.
fn whole(value: &Value<'_>) -> Option<i64> {
    let text = value.text()?;
    let text = text.trim();
    if let Some(number) = hexadecimal(text) {
        return Some(number);
    }
    match numeric(text.strip_prefix('+').unwrap_or(text))? {
        Number::Whole(number) => Some(number),
        #[expect(clippy::cast_possible_truncation, reason = "it has no fraction and at most 15 digits")]
        Number::Decimal(decimal) => (decimal.fract() == 0.0 && decimal.abs() < 1e15).then_some(decimal as i64),
    }
}
