//! `Replace`: five functions in one; the set of arguments that are written selects which.

use std::borrow::Cow;

use rollcall_syntax::Span;

use super::{Family, FunctionInfo, Type, optional, required};
use crate::expression::pattern::Exploded;
use crate::expression::scope::Arguments;
use crate::expression::{Argument, Expr, Fault, Ready, Unusable, Value};

const OLD: usize = 1;
const PATTERN: usize = 2;
const GROUP: usize = 3;
const NEW: usize = 4;
const OTHER: usize = 5;
const TEMPLATE: usize = 6;

pub(super) const TABLE: &[FunctionInfo] = &[FunctionInfo::new(
    "Replace",
    &[
        required("source", Type::Text),
        optional("oldValue", Type::Text),
        optional("regexPattern", Type::Pattern),
        optional("regexGroupName", Type::Text),
        optional("replacementValue", Type::Text),
        optional("replacementAttributeName", Type::Text),
        optional("template", Type::Text),
    ],
    Type::Text,
    run,
)
.of(Family::Text)
.check(check)
.told(
    "Exchanges parts of a text, case and all; which arguments are written selects how.",
    &[
        "`oldValue` and `replacementValue`: every occurrence in the source.",
        "`oldValue` and `template`: every occurrence of `oldValue` in the template becomes the source.",
        "`regexPattern` and `replacementValue`: every match; `${name}`, `$1`, `$&` and `$$` in the replacement are \
         .NET's.",
        "`regexPattern`, `regexGroupName` and `replacementValue`: in every match, only the text of that group.",
        "`regexPattern`, `regexGroupName` and `replacementAttributeName`: the source where it has a value, else the \
         group of the first match in the other attribute, or null.",
        "Patterns are those of .NET: named groups, look-around, back-references, Unicode classes, `$` also before a \
         newline at the end. A pattern that needs too many steps on a value fails for that record.",
    ],
)];

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
fn check(at: Span, arguments: &[Argument]) -> Result<(), Unusable> {
    let given = given(|at| arguments.get(at).is_some_and(|argument| argument.expr.is_some()));
    if ![IN_SOURCE, IN_TEMPLATE, BY_PATTERN, BY_GROUP, FROM_OTHER].contains(&given) {
        let hint = "give oldValue and replacementValue, oldValue and template, or regexPattern with replacementValue, \
                    with regexGroupName and replacementValue, or with regexGroupName and replacementAttributeName";
        let message = "Replace: these arguments do not go together".to_owned();
        return Err(Unusable { at, message, hint: Some(hint.to_owned()) });
    }
    let (pattern, group) = (arguments.get(PATTERN), arguments.get(GROUP));
    if let (Some(Argument { ready: Ready::Pattern(pattern), .. }), Some(group)) = (pattern, group)
        && let Some(Expr::Text(name)) = &group.expr
        && pattern.group(name).is_none()
    {
        let names: Vec<&str> = pattern.names().collect();
        let hint = match rollcall_syntax::nearest(name, names.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None if names.is_empty() => "name a group in the pattern, as in (?<name>...)".to_owned(),
            None => format!("it has {}", names.join(", ")),
        };
        let message = format!("Replace: the pattern has no group {name}");
        return Err(Unusable { at: group.at, message, hint: Some(hint) });
    }
    Ok(())
}

/// A null source stays null, but in the last form, which is made for it.
fn run<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let given = given(|at| a.is_given(at));
    let source = a.text(0)?;
    if given == FROM_OTHER {
        return from_other(a, source);
    }
    let Some(source) = source else { return Ok(Value::Null) };
    if given == IN_SOURCE {
        let old = a.text_or_empty(OLD)?;
        if old.is_empty() || !source.contains(old.as_ref()) {
            return Ok(Value::Text(source));
        }
        return a.built(exchange(&source, &old, &a.text_or_empty(NEW)?, a)?);
    }
    if given == IN_TEMPLATE {
        let (old, template) = (a.text_or_empty(OLD)?, a.text_or_empty(TEMPLATE)?);
        return if old.is_empty() {
            Ok(Value::Text(template))
        } else {
            a.built(exchange(&template, &old, &source, a)?)
        };
    }
    let Some(pattern) = a.pattern(PATTERN) else { return Ok(Value::Text(source)) };
    let work = &a.scope.work;
    let exploded = |_: Exploded| a.fault(0, &Value::Text(source.clone()), Exploded::WHY);
    if !pattern.is_match(&source, work).map_err(exploded)? {
        return Ok(Value::Text(source));
    }
    let new = a.text_or_empty(NEW)?;
    let built = if given == BY_GROUP {
        let group = a.text_or_empty(GROUP)?;
        match pattern.group(&group) {
            Some(group) => pattern.replace_group(&source, group, &new, work),
            None => return Err(a.fault(GROUP, &Value::Text(group), "the pattern has no such group")),
        }
    } else {
        pattern.replace(&source, &new, work)
    };
    a.built(built.map_err(exploded)?)
}

/// Occurrences exchanged, unless that would make far more than may be built.
fn exchange(text: &str, old: &str, new: &str, a: &Arguments<'_, '_>) -> Result<String, Fault> {
    let length = text.matches(old).count().saturating_mul(new.len());
    if length > rollcall_model::limits::EXPRESSION_BUILT_CHARS_MAX {
        return Err(a.fail("the value grew too long"));
    }
    Ok(text.replace(old, new))
}

/// The source, or, where it has no value, a group of a pattern in another attribute.
fn from_other<'a>(a: &Arguments<'_, 'a>, source: Option<Cow<'a, str>>) -> Result<Value<'a>, Fault> {
    if let Some(source) = source.filter(|source| !source.is_empty()) {
        return Ok(Value::Text(source));
    }
    let (Some(other), Some(pattern)) = (a.text(OTHER)?, a.pattern(PATTERN)) else { return Ok(Value::Null) };
    let group = pattern.group(&a.text_or_empty(GROUP)?);
    let found = pattern.find(&other, &a.scope.work);
    let found = found.map_err(|_| a.fault(OTHER, &Value::Text(other.clone()), Exploded::WHY))?;
    let place = found.zip(group).and_then(|(groups, group)| groups.get(group).copied().flatten());
    match place.and_then(|(start, end)| other.get(start..end)) {
        Some(text) => a.built(text.to_owned()),
        None => Ok(Value::Null),
    }
}
