//! What expressions compute with.

use std::borrow::Cow;
use std::cmp::Ordering;

use rollcall_syntax::expression::Operator;
use serde_json::Value as Json;

use super::date::{Date, recognise};
use crate::scim::Found;

/// A value; texts are borrowed from record and expression as long as nothing changes them.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    Null,
    Flag(bool),
    Number(i64),
    Decimal(f64),
    Date(Date),
    Text(Cow<'a, str>),
    List(Vec<Cow<'a, str>>),
    /// The attribute is left out of what is written.
    IgnoreAttributeFlow,
    /// The whole object is left alone.
    IgnoreObjectFlow,
}

impl<'a> Value<'a> {
    /// What a record holds, as a value. Objects have none of their own.
    pub(crate) fn of(found: &Found<'a>) -> Self {
        match found {
            Found::Absent | Found::Null => Self::Null,
            Found::One(Json::Array(elements)) => {
                let texts: Vec<_> = elements.iter().filter_map(scalar).collect();
                if texts.is_empty() { Self::Null } else { Self::List(texts) }
            }
            Found::One(Json::Bool(flag)) => Self::Flag(*flag),
            Found::One(Json::Number(number)) => match (number.as_i64(), number.as_f64()) {
                (Some(number), _) => Self::Number(number),
                (None, Some(decimal)) if !number.is_u64() => Self::Decimal(decimal),
                _ => Self::Text(Cow::Owned(number.to_string())),
            },
            Found::One(value) => scalar(value).map_or(Self::Null, Self::Text),
            Found::Many(values) => Self::List(values.iter().filter_map(|value| scalar(value)).collect()),
        }
    }

    pub(crate) fn borrowed(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// A length or position.
    pub(crate) fn count(count: usize) -> Self {
        Self::Number(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// As one text: the first of a list, True and False for flags, dates in .NET's invariant form; `None` for null.
    pub fn text(&self) -> Option<Cow<'a, str>> {
        match self {
            Self::Null | Self::IgnoreAttributeFlow | Self::IgnoreObjectFlow => None,
            Self::Flag(flag) => Some(Cow::Borrowed(flag_text(*flag))),
            Self::Number(number) => Some(Cow::Owned(number.to_string())),
            Self::Decimal(decimal) => Some(Cow::Owned(decimal.to_string())),
            Self::Date(date) => Some(Cow::Owned(date.to_string())),
            Self::Text(text) => Some(text.clone()),
            Self::List(values) => values.first().cloned(),
        }
    }

    /// Whether there is no value; the flow keywords count as none.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null | Self::IgnoreAttributeFlow | Self::IgnoreObjectFlow)
    }

    /// Whether there is no value, or the empty text.
    pub fn is_null_or_empty(&self) -> bool {
        match self {
            Self::Null | Self::IgnoreAttributeFlow | Self::IgnoreObjectFlow => true,
            Self::Text(text) => text.is_empty(),
            Self::List(values) => values.is_empty(),
            Self::Flag(_) | Self::Number(_) | Self::Decimal(_) | Self::Date(_) => false,
        }
    }

    /// As the values of a directory attribute.
    pub fn into_values(self) -> Vec<String> {
        match self {
            Self::List(values) => values.into_iter().map(Cow::into_owned).collect(),
            Self::Text(text) => vec![text.into_owned()],
            other => other.text().map(Cow::into_owned).into_iter().collect(),
        }
    }

    pub(crate) fn is_list_of_several(&self) -> bool {
        matches!(self, Self::List(values) if values.len() > 1)
    }

    /// How many steps it costs to come by this value again: a list is built anew.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::List(values) => values.len(),
            _ => 0,
        }
    }

    /// Each value as a text; none for null.
    pub(crate) fn into_texts(self) -> Vec<Cow<'a, str>> {
        match self {
            Self::List(values) => values,
            other => other.text().into_iter().collect(),
        }
    }

    /// As a condition: true, `True` in any case, and numbers other than zero.
    pub(crate) fn is_true(&self) -> bool {
        match self {
            Self::Flag(flag) => *flag,
            Self::Number(number) => *number != 0,
            Self::Decimal(decimal) => *decimal != 0.0,
            Self::Text(text) => text.eq_ignore_ascii_case("true") || numeric(text).is_some_and(Number::is_not_zero),
            _ => false,
        }
    }
}

/// How flags are written.
pub(crate) fn flag_text(flag: bool) -> &'static str {
    if flag { "True" } else { "False" }
}

fn scalar(value: &Json) -> Option<Cow<'_, str>> {
    match value {
        Json::String(text) => Some(Cow::Borrowed(text)),
        Json::Bool(flag) => Some(Cow::Borrowed(flag_text(*flag))),
        Json::Number(number) => Some(Cow::Owned(number.to_string())),
        _ => None,
    }
}

/// Compares as dates where one side is a date and the other can be one, as numbers where both sides are numeric, else
/// as text, case and all. Null equals the empty text.
pub(crate) fn compare(operator: Operator, left: &Value<'_>, right: &Value<'_>) -> bool {
    let order = order(left, right);
    match operator {
        Operator::Equal => order.is_eq(),
        Operator::NotEqual => order.is_ne(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterOrEqual => order.is_ge(),
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
    }
}

fn order(left: &Value<'_>, right: &Value<'_>) -> Ordering {
    let dated = |date: &Date, other: &Value<'_>| match other {
        Value::Date(other) => Some(date.cmp(other)),
        Value::Text(text) => recognise::recognise(text, None).map(|(other, _)| date.cmp(&other)),
        _ => None,
    };
    let as_dates = match (left, right) {
        (Value::Date(left), right) => dated(left, right),
        (left, Value::Date(right)) => dated(right, left).map(Ordering::reverse),
        _ => None,
    };
    if let Some(order) = as_dates {
        return order;
    }
    let (left, right) = (left.text().unwrap_or_default(), right.text().unwrap_or_default());
    match (numeric(&left), numeric(&right)) {
        (Some(Number::Whole(left)), Some(Number::Whole(right))) => left.cmp(&right),
        (Some(left), Some(right)) => left.decimal().total_cmp(&right.decimal()),
        _ => left.cmp(&right),
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    Whole(i64),
    Decimal(f64),
}

impl Number {
    #[expect(clippy::cast_precision_loss, reason = "a whole number is compared with a decimal one")]
    pub(crate) fn decimal(self) -> f64 {
        match self {
            Self::Whole(number) => number as f64,
            Self::Decimal(decimal) => decimal,
        }
    }

    fn is_not_zero(self) -> bool {
        self.decimal() != 0.0
    }
}

/// `&H202`, as texts have it too.
pub(crate) fn hexadecimal(text: &str) -> Option<i64> {
    let digits = text.strip_prefix("&H").or_else(|| text.strip_prefix("&h"))?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| i64::from_str_radix(digits, 16).ok())?
}

/// Plain decimals; longer digit strings than a number holds are identifiers.
pub(crate) fn numeric(text: &str) -> Option<Number> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(Number::Whole);
    }
    let plain = digits.len() <= 17 && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    plain.then(|| text.parse().ok().map(Number::Decimal))?
}
