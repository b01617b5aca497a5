//! Numbers and bits.

use super::{Family, FunctionInfo, Type, required};
use crate::expression::scope::Arguments;
use crate::expression::value::{Number, numeric};
use crate::expression::{Fault, Value};

pub(super) const TABLE: &[FunctionInfo] = &[
    FunctionInfo::new(
        "BitAnd",
        &[required("value1", Type::Number), required("value2", Type::Number)],
        Type::Number,
        |a| Ok(Value::Number(whole(a, 0)? & whole(a, 1)?)),
    )
    .of(Family::Numbers)
    .told("The bits that both numbers have, as 64-bit integers.", &["A number may be written in hexadecimal: &H202."]),
    FunctionInfo::new(
        "BitOr",
        &[required("value1", Type::Number), required("value2", Type::Number)],
        Type::Number,
        |a| Ok(Value::Number(whole(a, 0)? | whole(a, 1)?)),
    )
    .of(Family::Numbers)
    .told("The bits that either number has, as 64-bit integers.", &[]),
    FunctionInfo::new("CNum", &[required("value", Type::Any)], Type::Decimal, c_num)
        .of(Family::Numbers)
        .told("A text as a number.", &["Null stays null; a text that is no number fails the record."]),
    FunctionInfo::new(
        "IsBitSet",
        &[required("value", Type::Number), required("bitPosition", Type::Number)],
        Type::Flag,
        |a| {
            let (value, bit) = (whole(a, 0)?, whole(a, 1)?);
            Ok(Value::Flag((0..64).contains(&bit) && value >> bit & 1 == 1))
        },
    )
    .of(Family::Numbers)
    .told("True if a bit is set; the lowest has position 0.", &[]),
    FunctionInfo::new("IsNumeric", &[required("value", Type::Any)], Type::Flag, |a| {
        let value = a.value(0)?;
        let is_single = !matches!(value, Value::List(_) | Value::Flag(_) | Value::Date(_));
        Ok(Value::Flag(is_single && value.text().is_some_and(|text| numeric(text.trim()).is_some())))
    })
    .of(Family::Numbers)
    .told("True if the value is a number or a text that is one.", &[]),
];

/// Null counts as zero.
fn whole(a: &Arguments<'_, '_>, at: usize) -> Result<i64, Fault> {
    Ok(a.number(at)?.unwrap_or(0))
}

fn c_num<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let value = a.one(0)?;
    if value.is_null() {
        return Ok(Value::Null);
    }
    let text = value.text().unwrap_or_default();
    match numeric(text.trim()) {
        Some(Number::Whole(number)) => Ok(Value::Number(number)),
        Some(Number::Decimal(decimal)) => Ok(Value::Decimal(decimal)),
        None => Err(a.fault(0, &value, "it is no number")),
    }
}
