//! `Replace`: five functions in one; the set of arguments that are written selects which.

use std::borrow::Cow;

use regex::{Captures, Regex};

use super::{Arguments, Expr, Fault, Value};

const OLD: usize = 1;
/// Position of the regular expression.
pub(super) const PATTERN: usize = 2;
const GROUP: usize = 3;
const NEW: usize = 4;
const OTHER: usize = 5;
const TEMPLATE: usize = 6;

/// Which arguments are written: oldValue, pattern, group, replacement, other attribute, template.
type Given = [bool; 6];

const IN_SOURCE: Given = [true, false, false, true, false, false];
const IN_TEMPLATE: Given = [true, false, false, false, false, true];
const BY_PATTERN: Given = [false, true, false, true, false, false];
const BY_GROUP: Given = [false, true, true, true, false, false];
const FROM_OTHER: Given = [false, true, true, false, true, false];

fn given(is_given: impl Fn(usize) -> bool) -> Given {
    [OLD, PATTERN, GROUP, NEW, OTHER, TEMPLATE].map(is_given)
}

/// Refuses any other combination, and a group that the pattern does not have.
pub(super) fn check(arguments: &[Option<Expr>]) -> Result<(), &'static str> {
    let given = given(|at| arguments.get(at).is_some_and(Option::is_some));
    if ![IN_SOURCE, IN_TEMPLATE, BY_PATTERN, BY_GROUP, FROM_OTHER].contains(&given) {
        return Err(
            "these arguments do not go together; give oldValue and replacementValue, oldValue and template, or \
                    regexPattern with replacementValue, with regexGroupName and replacementValue, or with \
                    regexGroupName and replacementAttributeName",
        );
    }
    let text = |at: usize| match arguments.get(at) {
        Some(Some(Expr::Text(text))) => Some(text.as_str()),
        _ => None,
    };
    if let (Some(pattern), Some(group)) = (text(PATTERN), text(GROUP)) {
        let known = Regex::new(pattern).map(|regex| regex.capture_names().flatten().any(|name| name == group));
        if known == Ok(false) {
            return Err("the pattern has no group of that name");
        }
    }
    Ok(())
}

/// A null source stays null, but in the last form, which is made for it.
pub(super) fn run<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let given = given(|at| a.is_given(at));
    let source = a.text(0)?;
    if given == FROM_OTHER {
        return from_other(a, source);
    }
    let Some(source) = source else { return Ok(Value::Null) };
    if given == IN_SOURCE {
        let old = a.text(OLD)?.unwrap_or_default();
        if old.is_empty() || !source.contains(old.as_ref()) {
            return Ok(Value::Text(source));
        }
        return a.built(source.replace(old.as_ref(), &a.text(NEW)?.unwrap_or_default()));
    }
    if given == IN_TEMPLATE {
        let (old, template) = (a.text(OLD)?.unwrap_or_default(), a.text(TEMPLATE)?.unwrap_or_default());
        return if old.is_empty() {
            Ok(Value::Text(template))
        } else {
            a.built(template.replace(old.as_ref(), &source))
        };
    }
    let Some(pattern) = a.pattern() else { return Ok(Value::Text(source)) };
    if !pattern.is_match(&source) {
        return Ok(Value::Text(source));
    }
    let new = a.text(NEW)?.unwrap_or_default();
    if given == BY_GROUP {
        let group = a.text(GROUP)?.unwrap_or_default();
        return a.built(exchange_group(pattern, &source, &group, &new));
    }
    a.built(pattern.replace_all(&source, |captures: &Captures<'_>| expand(&new, captures)).into_owned())
}

/// The source, or, where it has no value, a group of a pattern in another attribute.
fn from_other<'a>(a: &Arguments<'_, 'a>, source: Option<Cow<'a, str>>) -> Result<Value<'a>, Fault> {
    if let Some(source) = source.filter(|source| !source.is_empty()) {
        return Ok(Value::Text(source));
    }
    let (Some(other), Some(pattern)) = (a.text(OTHER)?, a.pattern()) else { return Ok(Value::Null) };
    let group = a.text(GROUP)?.unwrap_or_default();
    match pattern.captures(&other).and_then(|captures| captures.name(&group).map(|found| found.as_str().to_owned())) {
        Some(text) => a.built(text),
        None => Ok(Value::Null),
    }
}

/// In every match, only the text of one group is exchanged.
fn exchange_group(pattern: &Regex, source: &str, group: &str, new: &str) -> String {
    let mut text = String::with_capacity(source.len());
    let mut done = 0;
    for found in pattern.captures_iter(source).filter_map(|captures| captures.name(group)) {
        text.push_str(source.get(done..found.start()).unwrap_or(""));
        text.push_str(new);
        done = found.end();
    }
    text.push_str(source.get(done..).unwrap_or(""));
    text
}

/// .NET's replacement patterns: `${name}`, `$1`, `$&`, `$$`; anything else stands for itself.
fn expand(new: &str, captures: &Captures<'_>) -> String {
    let mut text = String::new();
    let mut rest = new;
    while let Some(at) = rest.find('$') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            text.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('&') {
            text.push_str(captures.get(0).map_or("", |found| found.as_str()));
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            let found = name.parse().map_or_else(|_| captures.name(name), |number| captures.get(number));
            text.push_str(found.map_or("", |found| found.as_str()));
            rest = after;
        } else {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            match rest[..digits].parse().ok().and_then(|number: usize| captures.get(number)) {
                Some(found) => {
                    text.push_str(found.as_str());
                    rest = &rest[digits..];
                }
                None => text.push('$'),
            }
        }
    }
    text.push_str(rest);
    text
}
