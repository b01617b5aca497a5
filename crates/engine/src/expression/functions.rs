//! The functions (engine-and-agent 1.2), one entry each: name, parameters, implementation.

use std::borrow::Cow;
use std::fmt;

use super::{Arguments, Expr, Fault, Value, replace};

type Run = for<'a> fn(&Arguments<'_, 'a>) -> Result<Value<'a>, Fault>;
type Check = fn(&[Option<Expr>]) -> Result<(), &'static str>;

/// One function of the language.
pub(crate) struct Function {
    pub name: &'static str,
    /// As the manual writes them; `...` repeats.
    pub parameters: &'static str,
    pub arity: Arity,
    /// The parameter that is a regular expression, a text known when the mapping is saved.
    pub pattern: Option<usize>,
    /// What else can be checked when the mapping is saved.
    pub check: Check,
    pub run: Run,
}

/// How many arguments a function takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arity {
    Exactly(usize),
    Between(usize, usize),
    AtLeast(usize),
    /// An even number, at least so many.
    Even(usize),
}

impl Arity {
    pub(crate) fn fits(self, count: usize) -> bool {
        match self {
            Self::Exactly(wanted) => count == wanted,
            Self::Between(least, most) => (least..=most).contains(&count),
            Self::AtLeast(least) => count >= least,
            Self::Even(least) => count >= least && count.is_multiple_of(2),
        }
    }
}

impl fmt::Display for Arity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(wanted) => write!(f, "exactly {wanted} arguments"),
            Self::Between(least, most) => write!(f, "{least} to {most} arguments"),
            Self::AtLeast(least) => write!(f, "at least {least} arguments"),
            Self::Even(least) => write!(f, "an even number of arguments, at least {least}"),
        }
    }
}

impl Function {
    /// `Left(string, numChars)`.
    pub(crate) fn signature(&self) -> String {
        format!("{}({})", self.name, self.parameters)
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

const fn plain(name: &'static str, parameters: &'static str, arity: Arity, run: Run) -> Function {
    Function { name, parameters, arity, pattern: None, check: |_| Ok(()), run }
}

use Arity::{AtLeast, Between, Even, Exactly};

/// The language.
pub(crate) static FUNCTIONS: &[Function] = &[
    plain("Append", "source, suffix", Exactly(2), append),
    plain("Coalesce", "source1, source2, ...", AtLeast(1), coalesce),
    plain("Count", "attribute", Exactly(1), count),
    plain("CStr", "value", Exactly(1), |a| Ok(a.text(0)?.map_or(Value::Null, Value::Text))),
    plain("DefaultDomain", "", Exactly(0), |a| Ok(Value::borrowed(a.default_domain()))),
    plain("IgnoreFlowIfNullOrEmpty", "expression", Exactly(1), ignore_flow_if_null_or_empty),
    plain("IIF", "condition, valueIfTrue, valueIfFalse", Exactly(3), iif),
    plain("InStr", "text, find, start, compareType", Between(2, 4), in_str),
    plain("IsNull", "value", Exactly(1), |a| Ok(Value::Flag(a.value(0)?.is_null()))),
    plain("IsNullOrEmpty", "value", Exactly(1), |a| Ok(Value::Flag(a.value(0)?.is_null_or_empty()))),
    plain("IsPresent", "value", Exactly(1), |a| Ok(Value::Flag(!a.value(0)?.is_null_or_empty()))),
    plain("IsString", "value", Exactly(1), |a| Ok(Value::Flag(matches!(a.value(0)?, Value::Text(_))))),
    plain("Item", "attribute, index", Exactly(2), item),
    plain("Join", "separator, source1, source2, ...", AtLeast(2), join),
    plain("Left", "string, numChars", Exactly(2), left),
    plain("Mid", "source, start, length", Exactly(3), mid),
    plain("Not", "source", Exactly(1), |a| Ok(Value::Flag(a.text(0)?.as_deref() != Some("True")))),
    plain("RemoveDuplicates", "attribute", Exactly(1), remove_duplicates),
    Function {
        name: "Replace",
        parameters: "source, oldValue, regexPattern, regexGroupName, replacementValue, replacementAttributeName, template",
        arity: Between(5, 7),
        pattern: Some(replace::PATTERN),
        check: replace::check,
        run: replace::run,
    },
    plain("Split", "source, delimiter", Exactly(2), split),
    plain("StripSpaces", "source", Exactly(1), strip_spaces),
    plain("Switch", "source, defaultValue, key1, value1, ...", Even(4), switch),
    plain("ToLower", "source, culture", Between(1, 2), |a| cased(a, Case::Lower)),
    plain("ToUpper", "source, culture", Between(1, 2), |a| cased(a, Case::Upper)),
    plain("Trim", "source", Exactly(1), trim),
    plain("Word", "string, wordNumber, delimiters", Exactly(3), word),
];

fn append<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let mut text = a.text(0)?.unwrap_or_default().into_owned();
    text.push_str(&a.text(1)?.unwrap_or_default());
    a.built(text)
}

/// Only null falls through; the empty text is a value.
fn coalesce<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    for at in 0..a.len() {
        let value = a.value(at)?;
        if !value.is_null() {
            return Ok(value);
        }
    }
    Ok(Value::Null)
}

fn count<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let count = match a.value(0)? {
        Value::Null | Value::Ignore => 0,
        Value::List(values) => values.len(),
        Value::Flag(_) | Value::Text(_) => 1,
    };
    a.built(count.to_string())
}

fn ignore_flow_if_null_or_empty<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let value = a.value(0)?;
    Ok(if value.is_null_or_empty() { Value::Ignore } else { value })
}

/// Only the chosen branch is evaluated. A condition that is no comparison counts as true if it says True.
fn iif<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let condition = a.text(0)?;
    a.value(if condition.as_deref().is_some_and(|text| text.eq_ignore_ascii_case("true")) { 1 } else { 2 })
}

fn in_str<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let (text, find) = (a.text(0)?.unwrap_or_default(), a.text(1)?.unwrap_or_default());
    let start = a.number(2)?.unwrap_or(1);
    let Some(skipped) = start.checked_sub(1).and_then(|skipped| usize::try_from(skipped).ok()) else {
        return Err(a.fault(2, &a.value(2)?, "positions start at 1"));
    };
    let ignore_case = a.text(3)?.as_deref() == Some("vbTextCompare");
    let fold = |text: &str| -> Vec<char> {
        text.chars().map(|c| if ignore_case { one(c.to_lowercase(), c) } else { c }).collect()
    };
    let (text, find) = (fold(&text), fold(&find));
    let hit = if find.is_empty() {
        None
    } else {
        text.windows(find.len()).skip(skipped).position(|window| window == find.as_slice())
    };
    a.built(hit.map_or(0, |at| at + skipped + 1).to_string())
}

fn item<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let index = a.number(1)?.unwrap_or(0);
    let values = match a.value(0)? {
        Value::List(values) => values,
        value => value.text().into_iter().collect(),
    };
    let position = usize::try_from(index).ok().and_then(|index| index.checked_sub(1));
    match position {
        None => Err(a.fault(1, &a.value(1)?, "indexes start at 1")),
        Some(at) => match values.into_iter().nth(at) {
            Some(text) => Ok(Value::Text(text)),
            None => Err(a.fault(1, &a.value(1)?, "index out of bounds")),
        },
    }
}

/// Null and empty sources are skipped together with their separator; a list contributes each value.
fn join<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let separator = a.text(0)?.unwrap_or_default();
    let mut text = String::new();
    let mut add = |part: &str| {
        if !part.is_empty() {
            if !text.is_empty() {
                text.push_str(&separator);
            }
            text.push_str(part);
        }
    };
    for at in 1..a.len() {
        match a.value(at)? {
            Value::List(values) => values.iter().for_each(|value| add(value)),
            value => add(&value.text().unwrap_or_default()),
        }
    }
    a.built(text)
}

fn left<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let text = a.text(0)?.unwrap_or_default();
    Ok(Value::Text(match a.number(1)?.map(usize::try_from) {
        // Negative: the text as it is.
        Some(Err(_)) => text,
        Some(Ok(units)) => part(text, 0, units),
        None => Cow::Borrowed(""),
    }))
}

/// From the 1-based `start`, at most `length`. A start beyond the end gives the empty text, one before the beginning
/// the whole text, as in the ancestor dialect.
fn mid<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let text = a.text(0)?.unwrap_or_default();
    let (start, length) = (a.number(1)?.unwrap_or(1), a.number(2)?.unwrap_or(0));
    match (usize::try_from(start - i64::from(start > i64::MIN)), usize::try_from(length)) {
        (Ok(skipped), Ok(length)) => Ok(Value::Text(part(text, skipped, length))),
        _ => Ok(Value::Text(text)),
    }
}

/// A part of a text, counted in UTF-16 units as .NET and the directory count. A character is never split: one that
/// does not fit whole is left out.
pub(crate) fn part(text: Cow<'_, str>, skipped_units: usize, units_max: usize) -> Cow<'_, str> {
    let (mut begin, mut end, mut units) = (text.len(), text.len(), 0_usize);
    let last = skipped_units.saturating_add(units_max);
    for (at, c) in text.char_indices() {
        if units >= skipped_units && begin == text.len() {
            begin = at;
        }
        units += c.len_utf16();
        if units > last {
            end = at;
            break;
        }
    }
    let begin = begin.min(end);
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(begin..end).unwrap_or("")),
        Cow::Owned(text) => Cow::Owned(text.get(begin..end).unwrap_or("").to_owned()),
    }
}

fn remove_duplicates<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    Ok(match a.value(0)? {
        Value::List(values) => {
            let mut seen = std::collections::HashSet::new();
            Value::List(values.into_iter().filter(|value| seen.insert(value.clone())).collect())
        }
        value => value,
    })
}

/// Parts are not trimmed.
fn split<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let (Some(text), delimiter) = (a.text(0)?, a.text(1)?.unwrap_or_default()) else { return Ok(Value::Null) };
    if delimiter.is_empty() {
        return Ok(Value::List(vec![text]));
    }
    Ok(Value::List(text.split(delimiter.as_ref()).map(|part| Cow::Owned(part.to_owned())).collect()))
}

fn strip_spaces<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    match a.text(0)? {
        None => Ok(Value::Null),
        Some(text) if text.contains(' ') => a.built(text.replace(' ', "")),
        Some(text) => Ok(Value::Text(text)),
    }
}

/// Keys in order, compared as text, case and all; a null source equals an empty key. Only what is needed is evaluated.
fn switch<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let source = a.text(0)?.unwrap_or_default();
    for key in (2..a.len()).step_by(2) {
        if a.text(key)?.unwrap_or_default() == source {
            return a.value(key + 1);
        }
    }
    a.value(1)
}

#[derive(Clone, Copy)]
enum Case {
    Lower,
    Upper,
}

/// Character by character as .NET does it: what would become two characters stays as it is. Turkish and Azeri tell
/// the dotted i from the dotless; every other culture is taken as invariant.
fn cased<'a>(a: &Arguments<'_, 'a>, case: Case) -> Result<Value<'a>, Fault> {
    let Some(text) = a.text(0)? else { return Ok(Value::Null) };
    let culture = a.text(1)?.unwrap_or_default().to_lowercase();
    let turkic = ["tr", "az"].contains(&culture.split('-').next().unwrap_or(""));
    let change = |c: char| match (case, c) {
        (Case::Lower, 'I') if turkic => 'ı',
        (Case::Lower, 'İ') if turkic => 'i',
        (Case::Upper, 'i') if turkic => 'İ',
        (Case::Upper, 'ı') if !turkic => 'ı',
        (Case::Lower, c) => one(c.to_lowercase(), c),
        (Case::Upper, c) => one(c.to_uppercase(), c),
    };
    a.built(text.chars().map(change).collect())
}

/// The one character of a mapping, or the original where there are several.
fn one(mut mapped: impl Iterator<Item = char>, original: char) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(only), None) => only,
        _ => original,
    }
}

fn trim<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    Ok(match a.value(0)? {
        Value::List(values) => Value::List(values.into_iter().map(trimmed).collect()),
        Value::Text(text) => Value::Text(trimmed(text)),
        value => value,
    })
}

fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

/// Empty words between adjacent delimiters are skipped.
fn word<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let (text, delimiters) = (a.text(0)?.unwrap_or_default(), a.text(2)?.unwrap_or_default());
    let wanted = a.number(1)?.and_then(|number| usize::try_from(number).ok()).and_then(|number| number.checked_sub(1));
    let Some(wanted) = wanted else { return Ok(Value::borrowed("")) };
    let mut words = text.split(|c| delimiters.contains(c)).filter(|word| !word.is_empty());
    a.built(words.nth(wanted).unwrap_or("").to_owned())
}
