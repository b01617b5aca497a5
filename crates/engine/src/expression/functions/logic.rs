//! Conditions and choices. They evaluate only what decides.

use super::{FunctionInfo, Nature, Type, repeated, required};
use crate::expression::scope::Arguments;
use crate::expression::{Fault, REDACTED, Value};

pub(super) const TABLE: &[FunctionInfo] = &[
    FunctionInfo::new("And", &[repeated("condition", Type::Flag)], Type::Flag, and)
        .told("True if every condition is; stops at the first that is not.", &[]),
    FunctionInfo::new("CBool", &[required("expression", Type::Any)], Type::Flag, |a| Ok(Value::Flag(a.is_true(0)?)))
        .told("True for a true comparison, for True and for numbers other than zero.", &[]),
    FunctionInfo::new("Coalesce", &[repeated("source", Type::Any)], Type::Any, coalesce).told(
        "The first value that is not null.",
        &["The empty text is a value and does not fall through; null comes back where there is none."],
    ),
    FunctionInfo::new("Error", &[required("text", Type::Text)], Type::Any, |a| {
        let text = a.text_or_empty(0)?;
        Err(a.fail(if a.is_redacted() { REDACTED } else { &text }))
    })
    .told("Fails the record with this text.", &["Put it into a branch that should never be taken."]),
    FunctionInfo::new("IgnoreFlowIfNullOrEmpty", &[required("expression", Type::Any)], Type::Any, |a| {
        let value = a.value(0)?;
        Ok(if value.is_null_or_empty() { Value::IgnoreAttributeFlow } else { value })
    })
    .told("The value; where it is null or empty, the attribute keeps what it has in the directory.", &[]),
    FunctionInfo::new(
        "IIF",
        &[required("condition", Type::Flag), required("valueIfTrue", Type::Any), required("valueIfFalse", Type::Any)],
        Type::Any,
        |a| a.value(if a.is_true(0)? { 1 } else { 2 }),
    )
    .told(
        "One of two values, as the condition says.",
        &["Comparisons are =, <>, >, >=, < and <=: as numbers where both sides are, as dates where one side is one, \
             else as text, case and all. Null equals the empty text."],
    ),
    FunctionInfo::new("In", &[required("source", Type::Text), repeated("value", Type::Any)], Type::Flag, is_in)
        .told("True if the source is one of the values, case and all.", &["A list contributes each of its values."]),
    FunctionInfo::new("IsNull", &[required("value", Type::Any)], Type::Flag, |a| {
        Ok(Value::Flag(a.value(0)?.is_null()))
    })
    .told("True if the attribute is absent or null.", &[]),
    FunctionInfo::new("IsNullOrEmpty", &[required("value", Type::Any)], Type::Flag, |a| {
        Ok(Value::Flag(a.value(0)?.is_null_or_empty()))
    })
    .told("True if the value is null or the empty text; blanks are not empty.", &[]),
    FunctionInfo::new("IsPresent", &[required("value", Type::Any)], Type::Flag, |a| {
        Ok(Value::Flag(!a.value(0)?.is_null_or_empty()))
    })
    .told("True if there is a value that is not the empty text.", &[]),
    FunctionInfo::new("IsString", &[required("value", Type::Any)], Type::Flag, |a| {
        let value = a.value(0)?;
        Ok(Value::Flag(!value.is_null() && !matches!(value, Value::List(_))))
    })
    .told("True if the value can be taken as one text.", &[]),
    FunctionInfo::new("Not", &[required("source", Type::Any)], Type::Flag, not).told(
        "False for True, and True for anything else.",
        &["Null gives True: a mapping of accountDisabled by Not([active]) disables who has no `active`."],
    ),
    FunctionInfo::new("Or", &[repeated("condition", Type::Flag)], Type::Flag, or)
        .told("True if a condition is; stops at the first that is.", &[]),
    FunctionInfo::new("Redact", &[required("value", Type::Any)], Type::Any, |a| {
        a.redact();
        a.value(0)
    })
    .nature(Nature::Redacting)
    .told("The value as it is; logs show [Redact] in the place of all that it became part of.", &[]),
    FunctionInfo::new(
        "Switch",
        &[
            required("source", Type::Text),
            required("defaultValue", Type::Any),
            repeated("key", Type::Text),
            repeated("value", Type::Any),
        ],
        Type::Any,
        switch,
    )
    .told(
        "The value behind the first key that equals the source, else the default.",
        &["Keys are compared as text, case and all. A null source equals the empty key; no default is null."],
    ),
    FunctionInfo::new(
        "With",
        &[required("variable", Type::Variable), required("value", Type::Any), required("expression", Type::Any)],
        Type::Any,
        |a| {
            let bound = a.value(1)?;
            a.with_variable(0, bound, 2)
        },
    )
    .told("The expression, in which the variable stands for the value.", &["The value is worked out once."]),
    FunctionInfo::new(
        "IsMatch",
        &[required("source", Type::Text), required("regexPattern", Type::Pattern)],
        Type::Flag,
        super::text::is_match,
    )
    .told(
        "True if the pattern occurs in the source; null is taken as the empty text.",
        &["Write ^ and $ for the whole text, and (?i) in front to ignore case."],
    ),
];

fn and<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    for at in 0..a.len() {
        if !a.is_true(at)? {
            return Ok(Value::Flag(false));
        }
    }
    Ok(Value::Flag(true))
}

fn or<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    for at in 0..a.len() {
        if a.is_true(at)? {
            return Ok(Value::Flag(true));
        }
    }
    Ok(Value::Flag(false))
}

fn coalesce<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    for at in 0..a.len() {
        let value = a.value(at)?;
        if !value.is_null() || matches!(value, Value::IgnoreAttributeFlow | Value::IgnoreObjectFlow) {
            return Ok(value);
        }
    }
    Ok(Value::Null)
}

fn is_in<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let source = a.text_or_empty(0)?;
    for at in 1..a.len() {
        let value = a.value(at)?;
        if value.is_null() && source.is_empty() || value.into_texts().contains(&source) {
            return Ok(Value::Flag(true));
        }
    }
    Ok(Value::Flag(false))
}

/// The exact word, as documented; everything else, null too, is not true.
fn not<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    Ok(Value::Flag(match a.value(0)? {
        Value::Flag(flag) => !flag,
        Value::Text(text) => text != "True",
        _ => true,
    }))
}

fn switch<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let source = a.text_or_empty(0)?;
    for key in (2..a.len()).step_by(2) {
        if a.text_or_empty(key)? == source {
            return a.value(key + 1);
        }
    }
    a.value(1)
}
