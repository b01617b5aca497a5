//! What expressions compute with.

use std::borrow::Cow;

use rollcall_syntax::expression::Operator;
use serde_json::Value as Json;

use crate::scim::Found;

/// A value; texts are borrowed from record and expression as long as nothing changes them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Flag(bool),
    Text(Cow<'a, str>),
    List(Vec<Cow<'a, str>>),
    /// The attribute is to be left out.
    Ignore,
}

impl<'a> Value<'a> {
    /// What a record holds, as a value. Objects have none of their own.
    pub(crate) fn of(found: &Found<'a>) -> Self {
        match found {
            Found::Absent | Found::Null => Self::Null,
            Found::One(Json::Bool(flag)) => Self::Flag(*flag),
            Found::One(Json::Array(elements)) => {
                let texts: Vec<_> = elements.iter().filter_map(scalar).collect();
                if texts.is_empty() { Self::Null } else { Self::List(texts) }
            }
            Found::One(value) => scalar(value).map_or(Self::Null, Self::Text),
            Found::Many(values) => Self::List(values.iter().filter_map(|value| scalar(value)).collect()),
        }
    }

    pub(crate) fn borrowed(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// As one text: the first of a list, True and False for flags; `None` for null.
    pub(crate) fn text(&self) -> Option<Cow<'a, str>> {
        match self {
            Self::Null | Self::Ignore => None,
            Self::Flag(flag) => Some(Cow::Borrowed(if *flag { "True" } else { "False" })),
            Self::Text(text) => Some(text.clone()),
            Self::List(values) => values.first().cloned(),
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null | Self::Ignore)
    }

    pub(crate) fn is_null_or_empty(&self) -> bool {
        match self {
            Self::Null | Self::Ignore => true,
            Self::Text(text) => text.is_empty(),
            Self::List(values) => values.is_empty(),
            Self::Flag(_) => false,
        }
    }

    /// As the values of a directory attribute.
    pub(crate) fn into_values(self) -> Vec<String> {
        match self {
            Self::Null | Self::Ignore => Vec::new(),
            Self::Flag(flag) => vec![if flag { "True" } else { "False" }.to_owned()],
            Self::Text(text) => vec![text.into_owned()],
            Self::List(values) => values.into_iter().map(Cow::into_owned).collect(),
        }
    }
}

fn scalar(value: &Json) -> Option<Cow<'_, str>> {
    match value {
        Json::String(text) => Some(Cow::Borrowed(text)),
        Json::Bool(flag) => Some(Cow::Borrowed(if *flag { "True" } else { "False" })),
        Json::Number(number) => Some(Cow::Owned(number.to_string())),
        _ => None,
    }
}

/// Compares as numbers where both sides are numeric, else as text, case and all. Null equals the empty text.
pub(crate) fn compare(operator: Operator, left: &Value<'_>, right: &Value<'_>) -> bool {
    let (left, right) = (left.text().unwrap_or_default(), right.text().unwrap_or_default());
    let order = match (numeric(&left), numeric(&right)) {
        (Some(left), Some(right)) => left.total_cmp(&right),
        _ => left.cmp(&right),
    };
    match operator {
        Operator::Equal => order.is_eq(),
        Operator::NotEqual => order.is_ne(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterOrEqual => order.is_ge(),
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
    }
}

/// Plain decimals of at most 15 digits, which a float holds exactly; longer digit strings are identifiers.
fn numeric(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.len() <= 15
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    plain.then(|| text.parse().ok())?
}
