//! Texts: parts, joins, case, padding. Positions and lengths count UTF-16 units, as .NET and the directory do.

mod case;

use std::borrow::Cow;

use super::{Family, FunctionInfo, Type, optional, repeated, required};
use crate::expression::pattern::Exploded;
use crate::expression::scope::Arguments;
use crate::expression::{Fault, Value};

const SOURCE: super::Parameter = required("source", Type::Text);

pub(super) const TABLE: &[FunctionInfo] = &[
    FunctionInfo::new("Append", &[SOURCE, required("suffix", Type::Text)], Type::Text, append)
        .of(Family::Text)
        .told("The source with a suffix behind it.", &["Null counts as the empty text."]),
    FunctionInfo::new(
        "InStr",
        &[
            required("text", Type::Text),
            required("find", Type::Text),
            optional("start", Type::Number),
            optional("compareType", Type::Comparison),
        ],
        Type::Number,
        |a| in_str(a, false),
    )
    .of(Family::Text)
    .told("The position of the first occurrence from `start` on, counted from 1; 0 if there is none.", &[]),
    FunctionInfo::new(
        "InStrRev",
        &[
            required("text", Type::Text),
            required("find", Type::Text),
            optional("start", Type::Number),
            optional("compareType", Type::Comparison),
        ],
        Type::Number,
        |a| in_str(a, true),
    )
    .of(Family::Text)
    .told("The position of the last occurrence that ends at `start` or before, counted from 1; 0 if there is none.", &[]),
    FunctionInfo::new(
        "Join",
        &[required("separator", Type::Text), repeated("source", Type::Any)],
        Type::Text,
        join,
    )
    .of(Family::Text)
    .told(
        "The sources with the separator between them.",
        &["Null and empty sources are left out together with their separator; a list contributes each value."],
    ),
    FunctionInfo::new("Left", &[required("string", Type::Text), required("numChars", Type::Number)], Type::Text, left)
        .of(Family::Text)
        .told(
            "The first characters of a text.",
            &["0 and a null text give the empty text; a negative number gives the text as it is."],
        ),
    FunctionInfo::new("Len", &[required("string", Type::Text)], Type::Number, |a| {
        Ok(Value::count(units(&a.text_or_empty(0)?)))
    })
    .of(Family::Text)
    .told("How long a text is; 0 for null.", &[]),
    FunctionInfo::new("LTrim", &[required("source", Type::Any)], Type::Any, |a| trim(a, str::trim_start))
        .of(Family::Text)
        .told("The text without blanks before it.", &["Of a list, each value."]),
    FunctionInfo::new(
        "Mid",
        &[SOURCE, required("start", Type::Number), required("length", Type::Number)],
        Type::Text,
        mid,
    )
    .of(Family::Text)
    .told(
        "The characters from `start` on, counted from 1, at most `length` of them.",
        &[
            "A start behind the end gives the empty text; a start below 1 and a negative length give the text as it \
             is.",
        ],
    ),
    FunctionInfo::new(
        "PadLeft",
        &[SOURCE, required("length", Type::Number), required("padCharacter", Type::Text)],
        Type::Text,
        |a| pad(a, true),
    )
    .of(Family::Text)
    .told("The text, filled up in front to a length.", &["A longer text stays as it is; null stays null."]),
    FunctionInfo::new(
        "PadRight",
        &[SOURCE, required("length", Type::Number), required("padCharacter", Type::Text)],
        Type::Text,
        |a| pad(a, false),
    )
    .of(Family::Text)
    .told("The text, filled up behind to a length.", &["A longer text stays as it is; null stays null."]),
    FunctionInfo::new("PCase", &[SOURCE, optional("wordSeparators", Type::Text)], Type::Text, case::proper)
        .of(Family::Text)
        .told(
            "All lower case but for the first letter of each word.",
            &[
                "Without separators a word ends at blanks, control characters, punctuation (the apostrophe too) and \
                 symbols; with them, only there.",
            ],
        ),
    FunctionInfo::new(
        "ReplaceChars",
        &[SOURCE, required("replacePattern", Type::Text)],
        Type::Text,
        replace_chars,
    )
    .of(Family::Text)
    .told(
        "Single characters exchanged, by a list such as \"å:a,ä:a,-,'\".",
        &["`x:y` exchanges x for y, which may be longer; x alone takes it away; \\, \\: and \\\\ stand for themselves."],
    ),
    FunctionInfo::new("Right", &[required("string", Type::Text), required("numChars", Type::Number)], Type::Text, right)
        .of(Family::Text)
        .told(
            "The last characters of a text.",
            &["0 and a null text give the empty text; a negative number gives the text as it is."],
        ),
    FunctionInfo::new("RTrim", &[required("source", Type::Any)], Type::Any, |a| trim(a, str::trim_end))
        .of(Family::Text)
        .told("The text without blanks behind it.", &["Of a list, each value."]),
    FunctionInfo::new("StripSpaces", &[SOURCE], Type::Text, strip_spaces)
        .of(Family::Text)
        .told("The text without any blank (U+0020).", &["Other white space stays."]),
    FunctionInfo::new("ToLower", &[SOURCE, optional("culture", Type::Culture)], Type::Text, case::lower)
        .of(Family::Text)
        .told("In lower case.", &[case::NOTE]),
    FunctionInfo::new("ToUpper", &[SOURCE, optional("culture", Type::Culture)], Type::Text, case::upper)
        .of(Family::Text)
        .told("In upper case.", &[case::NOTE]),
    FunctionInfo::new("Trim", &[required("source", Type::Any)], Type::Any, |a| trim(a, str::trim))
        .of(Family::Text)
        .told("The text without white space around it.", &["Of a list, each value."]),
    FunctionInfo::new(
        "Word",
        &[required("string", Type::Text), required("wordNumber", Type::Number), required("delimiters", Type::Text)],
        Type::Text,
        word,
    )
    .of(Family::Text)
    .told(
        "One word of a text, counted from 1.",
        &["Each character of `delimiters` ends a word; empty words are skipped. Too few words give the empty text."],
    ),
];

/// The length of a text as the directory counts.
pub(super) fn units(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().map(char::len_utf16).sum() }
}

fn append<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let mut text = a.text_or_empty(0)?.into_owned();
    text.push_str(&a.text_or_empty(1)?);
    a.built(text)
}

/// Comparisons of one search at most, in units.
const SEARCH_UNITS_MAX: usize = 1 << 28;

/// Positions are counted in characters of the plane that .NET counts in; case is folded one to one so that they stay.
fn in_str<'a>(a: &Arguments<'_, 'a>, from_the_end: bool) -> Result<Value<'a>, Fault> {
    let (text, find) = (a.text_or_empty(0)?, a.text_or_empty(1)?);
    let start = a.number(2)?;
    let skipped = start.map(|start| start.checked_sub(1).and_then(|skipped| usize::try_from(skipped).ok()));
    if skipped == Some(None) {
        return Err(a.fault(2, &a.value(2)?, "positions start at 1"));
    }
    let ignore_case = a.text(3)?.as_deref() == Some("vbTextCompare");
    let fold = |text: &str| -> Vec<u16> {
        let folded = text.chars().map(|c| if ignore_case { case::lower_one(c) } else { c });
        folded.collect::<String>().encode_utf16().collect()
    };
    let (text, find) = (fold(&text), fold(&find));
    if find.is_empty() {
        return Ok(Value::Number(0));
    }
    if text.len().saturating_mul(find.len()) > SEARCH_UNITS_MAX {
        return Err(a.fail("both texts are too long for a search"));
    }
    let fits = |window: &[u16]| window == find.as_slice();
    let hit = match skipped.flatten() {
        Some(last) if from_the_end => {
            let end = last.saturating_add(1).min(text.len());
            text.get(..end).unwrap_or(&[]).windows(find.len()).rposition(fits)
        }
        None if from_the_end => text.windows(find.len()).rposition(fits),
        skipped => {
            let skipped = skipped.unwrap_or(0);
            text.windows(find.len()).skip(skipped).position(fits).map(|at| at + skipped)
        }
    };
    Ok(Value::count(hit.map_or(0, |at| at + 1)))
}

fn join<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let separator = a.text_or_empty(0)?;
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
            Value::Text(part) => add(&part),
            value => add(&value.text().unwrap_or_default()),
        }
    }
    a.built(text)
}

fn left<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let text = a.text_or_empty(0)?;
    Ok(Value::Text(match a.number(1)?.map(usize::try_from) {
        Some(Err(_)) => text,
        Some(Ok(units)) => part(text, 0, units),
        None => Cow::Borrowed(""),
    }))
}

fn right<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let text = a.text_or_empty(0)?;
    Ok(Value::Text(match a.number(1)?.map(usize::try_from) {
        Some(Err(_)) => text,
        Some(Ok(wanted)) => {
            let skipped = units(&text).saturating_sub(wanted);
            part(text, skipped, usize::MAX)
        }
        None => Cow::Borrowed(""),
    }))
}

fn mid<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let text = a.text_or_empty(0)?;
    let (start, length) = (a.number(1)?.unwrap_or(1), a.number(2)?.unwrap_or(0));
    match (usize::try_from(start.saturating_sub(1)), usize::try_from(length)) {
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
        Cow::Owned(text) if begin == 0 && end == text.len() => Cow::Owned(text),
        Cow::Owned(text) => Cow::Owned(text.get(begin..end).unwrap_or("").to_owned()),
    }
}

fn pad<'a>(a: &Arguments<'_, 'a>, in_front: bool) -> Result<Value<'a>, Fault> {
    let Some(text) = a.text(0)? else { return Ok(Value::Null) };
    let wanted = usize::try_from(a.number(1)?.unwrap_or(0)).unwrap_or(0);
    let with = a.text_or_empty(2)?;
    let mut characters = with.chars();
    let (Some(with), None) = (characters.next(), characters.next()) else {
        return Err(a.fault(2, &a.value(2)?, "it must be one character"));
    };
    let missing = wanted.saturating_sub(units(&text)) / with.len_utf16();
    if missing == 0 {
        return Ok(Value::Text(text));
    }
    if missing > rollcall_model::limits::EXPRESSION_VALUE_CHARS_MAX {
        return Err(a.fault(1, &a.value(1)?, "that is too long"));
    }
    let filling = with.to_string().repeat(missing);
    a.built(if in_front { filling + &text } else { text.into_owned() + &filling })
}

/// The list is read as `from:to` between commas, with a backslash before what is meant for itself.
fn replace_chars<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let (Some(text), list) = (a.text(0)?, a.text_or_empty(1)?) else { return Ok(Value::Null) };
    let mut pairs: Vec<(String, String)> = vec![Default::default()];
    let (mut in_target, mut escaped) = (false, false);
    for c in list.chars() {
        match c {
            '\\' if !escaped => {
                escaped = true;
                continue;
            }
            ',' if !escaped => {
                pairs.push(Default::default());
                in_target = false;
            }
            ':' if !escaped && !in_target => in_target = true,
            c => {
                if let Some((from, to)) = pairs.last_mut() {
                    if in_target { to.push(c) } else { from.push(c) }
                }
            }
        }
        escaped = false;
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let mut buffer = [0; 4];
        let c = &*c.encode_utf8(&mut buffer);
        out.push_str(pairs.iter().find(|(from, _)| from == c).map_or(c, |(_, to)| to));
    }
    a.built(out)
}

fn strip_spaces<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    match a.text(0)? {
        None => Ok(Value::Null),
        Some(text) if text.contains(' ') => a.built(text.replace(' ', "")),
        Some(text) => Ok(Value::Text(text)),
    }
}

fn trim<'a>(a: &Arguments<'_, 'a>, trim: fn(&str) -> &str) -> Result<Value<'a>, Fault> {
    let trimmed = |text: Cow<'a, str>| match text {
        Cow::Borrowed(text) => Cow::Borrowed(trim(text)),
        Cow::Owned(text) => Cow::Owned(trim(&text).to_owned()),
    };
    Ok(match a.value(0)? {
        Value::List(values) => Value::List(values.into_iter().map(trimmed).collect()),
        Value::Text(text) => Value::Text(trimmed(text)),
        value => value,
    })
}

/// Empty words between adjacent delimiters are skipped.
fn word<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let (text, delimiters) = (a.text_or_empty(0)?, a.text_or_empty(2)?);
    let wanted = a.number(1)?.and_then(|number| usize::try_from(number).ok()).and_then(|number| number.checked_sub(1));
    let Some(wanted) = wanted else { return Ok(Value::borrowed("")) };
    match text {
        Cow::Borrowed(text) => {
            let mut words = text.split(|c| delimiters.contains(c)).filter(|word| !word.is_empty());
            Ok(Value::borrowed(words.nth(wanted).unwrap_or("")))
        }
        Cow::Owned(text) => {
            let mut words = text.split(|c| delimiters.contains(c)).filter(|word| !word.is_empty());
            a.built(words.nth(wanted).unwrap_or("").to_owned())
        }
    }
}

/// `IsMatch`, which stands among the conditions.
pub(super) fn is_match<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let text = a.text_or_empty(0)?;
    let Some(pattern) = a.pattern(1) else { return Ok(Value::Flag(false)) };
    let found = pattern.is_match(&text, &a.scope.work);
    found.map(Value::Flag).map_err(|Exploded| a.fault(0, &Value::Text(text), Exploded::WHY))
}
