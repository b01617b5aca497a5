//! Values that nobody else has: functions that yield candidates instead of one value.

use std::borrow::Cow;

use rollcall_model::limits::UNIQUE_CANDIDATES_MAX;

use super::{Family, FunctionInfo, Nature, Type, optional, part, repeated, required};
use crate::expression::scope::{Arguments, Scope};
use crate::expression::{Call, Fault, Value};

const NUMBERED: &str = "SelectNumberedValue";

pub(super) const TABLE: &[FunctionInfo] = &[
    FunctionInfo::new("SelectUniqueValue", &[repeated("rule", Type::Any)], Type::Text, first_rule)
        .of(Family::Unique)
        .least(2)
        .nature(Nature::Unique)
        .told(
            "The first of several values that no object of the domain has for this attribute.",
            &[
                "It must be the outermost function of a mapping that applies on create only, and not of a matching \
                 attribute.",
                "Rules are evaluated in order, each only when those before it are taken; empty ones are left out. \
                 Values are compared as the directory does: without case and diacritics.",
                "When all are taken the record fails, with the values that were tried.",
            ],
        ),
    FunctionInfo::new(
        NUMBERED,
        &[
            required("source", Type::Text),
            optional("maxLength", Type::Number),
            optional("tail", Type::Text),
            optional("first", Type::Number),
        ],
        Type::Text,
        numbered_first,
    )
    .of(Family::Unique)
    .nature(Nature::UniqueRule)
    .told(
        "The value itself or, where that is taken, the value with the first free number behind it.",
        &[
            "It is the outermost function, or a rule of an outermost SelectUniqueValue; then best the last one.",
            "The number stands before `tail`, which is for a UPN's domain, and begins at `first` (2). Where the whole \
             would be longer than `maxLength`, `source` is cut, never number or tail.",
        ],
    ),
];

fn first_rule<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    a.value(0)
}

fn numbered_first<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    Ok(Numbered::read(a)?.and_then(|mut numbered| numbered.next_value()).map_or(Value::Null, Value::Text))
}

/// A value, then the same value with numbers.
pub(in crate::expression) struct Numbered<'a> {
    source: Cow<'a, str>,
    tail: Cow<'a, str>,
    units_max: usize,
    is_begun: bool,
    number: i64,
    left: usize,
}

impl<'a> Numbered<'a> {
    pub(in crate::expression) fn is_made_by(call: &Call) -> bool {
        call.function.name == NUMBERED
    }

    /// `None` where the source has no value.
    pub(in crate::expression) fn of(call: &'a Call, scope: &Scope<'a>) -> Result<Option<Self>, Fault> {
        Self::read(&Arguments { call, scope })
    }

    fn read(a: &Arguments<'_, 'a>) -> Result<Option<Self>, Fault> {
        let (source, tail) = (a.text_or_empty(0)?, a.text_or_empty(2)?);
        let units_max = a.number(1)?.map_or(Ok(usize::MAX), usize::try_from);
        let Ok(units_max) = units_max else { return Err(a.fault(1, &a.value(1)?, "a length is not negative")) };
        let number = a.number(3)?.unwrap_or(2);
        let numbered = Self { source, tail, units_max, is_begun: false, number, left: UNIQUE_CANDIDATES_MAX };
        Ok((!numbered.source.is_empty()).then_some(numbered))
    }

    pub(in crate::expression) fn next_value(&mut self) -> Option<Cow<'a, str>> {
        self.left = self.left.checked_sub(1)?;
        let ending = if self.is_begun {
            let ending = format!("{}{}", self.number, self.tail);
            self.number = self.number.checked_add(1)?;
            ending
        } else {
            self.is_begun = true;
            self.tail.clone().into_owned()
        };
        // At least one character of the source is kept, else it would be a number alone.
        let room = self.units_max.checked_sub(ending.encode_utf16().count()).filter(|room| *room > 0)?;
        let mut value = part(self.source.clone(), 0, room).into_owned();
        if value.is_empty() {
            return None;
        }
        value.push_str(&ending);
        Some(Cow::Owned(value))
    }
}
