//! Attributes with several values.

use std::borrow::Cow;
use std::collections::HashSet;

use super::{Family, FunctionInfo, Type, in_range, optional, required};
use crate::expression::scope::Arguments;
use crate::expression::{Fault, Value};

const LIST: super::Parameter = required("attribute", Type::Any);

pub(super) const TABLE: &[FunctionInfo] = &[
    FunctionInfo::new(
        "Contains",
        &[LIST, required("search", Type::Text), optional("compareType", Type::Comparison)],
        Type::Number,
        contains,
    )
    .of(Family::Lists)
    .told(
        "The position of a value in a list, counted from 1; 0 if it is not there.",
        &["Whole values, case and all, but with vbTextCompare."],
    ),
    FunctionInfo::new("Count", &[LIST], Type::Number, |a| Ok(Value::count(a.texts(0)?.len())))
        .of(Family::Lists)
        .told("How many values an attribute has; 0 if it is absent.", &[]),
    FunctionInfo::new("Item", &[LIST, required("index", Type::Number)], Type::Text, item)
        .of(Family::Lists)
        .check(|_, arguments| {
            let hint = "the first value is Item(attribute, 1)";
            in_range(arguments, 1, 1..=i64::MAX, "Item: indexes start at 1", hint)
        })
        .told(
            "One value of a list, counted from 1.",
            &["An index that is not there fails the record; see ItemOrNull."],
        ),
    FunctionInfo::new("ItemOrNull", &[LIST, required("index", Type::Number)], Type::Text, |a| {
        let values = a.texts(0)?;
        Ok(position(a)?.and_then(|at| values.into_iter().nth(at)).map_or(Value::Null, Value::Text))
    })
    .of(Family::Lists)
    .told("One value of a list, counted from 1; null if it is not there.", &[]),
    FunctionInfo::new("RemoveDuplicates", &[LIST], Type::List, remove_duplicates).of(Family::Lists).told(
        "Each value of a list once, in the order of their first occurrence.",
        &["Compared exactly, case and all."],
    ),
    FunctionInfo::new(
        "Select",
        &[required("variable", Type::Variable), LIST, required("expression", Type::Any)],
        Type::List,
        |a| {
            let mut out = Vec::new();
            for value in a.texts(1)? {
                out.extend(a.with_variable(0, Value::Text(value), 2)?.into_texts());
            }
            some_list(a, out)
        },
    )
    .of(Family::Lists)
    .told("What the expression makes of each value, for which the variable stands.", &["Null results are left out."]),
    FunctionInfo::new("Split", &[required("source", Type::Text), required("delimiter", Type::Text)], Type::List, split)
        .of(Family::Lists)
        .told("A text as a list of its parts between delimiters.", &["The parts are not trimmed; null stays null."]),
    FunctionInfo::new(
        "Where",
        &[required("variable", Type::Variable), LIST, required("condition", Type::Flag)],
        Type::List,
        |a| {
            let mut out = Vec::new();
            for value in a.texts(1)? {
                if a.with_variable(0, Value::Text(value.clone()), 2)?.is_true() {
                    out.push(value);
                }
            }
            some_list(a, out)
        },
    )
    .of(Family::Lists)
    .told("The values for which the condition holds, in which the variable stands for each.", &[]),
];

fn some_list<'a>(a: &Arguments<'_, 'a>, values: Vec<Cow<'a, str>>) -> Result<Value<'a>, Fault> {
    if values.is_empty() { Ok(Value::Null) } else { a.list(values) }
}

fn position(a: &Arguments<'_, '_>) -> Result<Option<usize>, Fault> {
    let index = a.number(1)?.unwrap_or(0);
    Ok(usize::try_from(index).ok().and_then(|index| index.checked_sub(1)))
}

fn item<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let Some(at) = position(a)? else { return Err(a.fault(1, &a.value(1)?, "indexes start at 1")) };
    match a.texts(0)?.into_iter().nth(at) {
        Some(text) => Ok(Value::Text(text)),
        None => Err(a.fault(1, &a.value(1)?, "index out of bounds")),
    }
}

fn contains<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let wanted = a.text_or_empty(1)?;
    let ignore_case = a.text(2)?.as_deref() == Some("vbTextCompare");
    let is_it = |value: &Cow<'_, str>| *value == wanted || ignore_case && value.to_lowercase() == wanted.to_lowercase();
    Ok(Value::count(a.texts(0)?.iter().position(is_it).map_or(0, |at| at + 1)))
}

fn remove_duplicates<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    Ok(match a.value(0)? {
        Value::List(values) => {
            let mut seen = HashSet::new();
            Value::List(values.into_iter().filter(|value| seen.insert(value.clone())).collect())
        }
        value => value,
    })
}

fn split<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let (Some(text), delimiter) = (a.text(0)?, a.text_or_empty(1)?) else { return Ok(Value::Null) };
    if delimiter.is_empty() {
        return Ok(Value::List(vec![text]));
    }
    let parts = match text {
        Cow::Borrowed(text) => text.split(delimiter.as_ref()).map(Cow::Borrowed).collect(),
        Cow::Owned(text) => text.split(delimiter.as_ref()).map(|part| Cow::Owned(part.to_owned())).collect(),
    };
    a.list(parts)
}
