//! Dates. They are typed: a date is compared as one and printed as `M/d/yyyy h:mm:ss tt` where a text is wanted.

use super::{Family, FunctionInfo, Nature, Type, required};
use crate::expression::date::format::{Moment, Styles, Zone};
use crate::expression::scope::Arguments;
use crate::expression::{Date, Fault, Value};

const INTERVALS: &str = "Intervals are yyyy (year), q (quarter), m (month), ww (week), d (day), h (hour), n (minute) \
                         and s (second).";

pub(super) const TABLE: &[FunctionInfo] = &[
    FunctionInfo::new("CDate", &[required("text", Type::Date)], Type::Date, |a| match a.date(0)? {
        Some(date) => Ok(Value::Date(date)),
        None => Err(a.fault(0, &Value::Null, "null is no date; guard it with Switch or IIF")),
    })
    .of(Family::Dates)
    .told(
        "A text as a date, in UTC.",
        &[
            "Any form that .NET recognises in the invariant culture: ISO 8601, month/day/year, names of months, AM and \
             PM. An offset is honoured; without one it is UTC.",
            "Null and what is no date fail the record.",
        ],
    ),
    FunctionInfo::new(
        "DateAdd",
        &[required("interval", Type::Interval), required("value", Type::Number), required("dateTime", Type::Date)],
        Type::Date,
        date_add,
    )
    .of(Family::Dates)
    .told("A date and so many intervals.", &[INTERVALS, "Years and months keep to the last day of a month."]),
    FunctionInfo::new(
        "DateDiff",
        &[required("interval", Type::Interval), required("date1", Type::Date), required("date2", Type::Date)],
        Type::Number,
        date_diff,
    )
    .of(Family::Dates)
    .told(
        "How many intervals lie from the first date to the second; negative where the second is earlier.",
        &[
            INTERVALS,
            "Days, hours, minutes and seconds are cut towards zero. Years, quarters and months are the difference of \
             the calendar's fields: from 31 December to 1 January is one year. Weeks count the Sundays that are \
             reached.",
        ],
    ),
    FunctionInfo::new("DateFromNum", &[required("value", Type::Number)], Type::Date, |a| {
        let Some(number) = a.number(0)? else { return Ok(Value::Null) };
        let date = Date::from_file_time(number);
        date.map(Value::Date)
            .ok_or_else(|| a.fault(0, &Value::Number(number), "it lies outside of the years 1601 to 9999"))
    })
    .of(Family::Dates)
    .told("A date of the directory's large-integer time, in units of 100 ns since 1601.", &[]),
    FunctionInfo::new(
        "FormatDateTime",
        &[
            required("source", Type::Text),
            super::optional("dateTimeStyles", Type::Styles),
            required("inputFormat", Type::Format),
            required("outputFormat", Type::Format),
        ],
        Type::Text,
        format_date_time,
    )
    .of(Family::Dates)
    .least(3)
    .may_skip(1)
    .told(
        "A date of one format in another.",
        &[
            "Formats are .NET's: yyyy yy, MMMM MMM MM M, dddd ddd dd d, HH H hh h, mm m, ss s, f to fffffff, F, tt t, \
             zzz zz z K, texts in quotes, a backslash before a letter that stands for itself. Names are English.",
            "The source must fit the input format exactly; else the record fails. An input with an offset is turned \
             into UTC, which can move it to another day.",
            "`dateTimeStyles` holds .NET's names between commas; left out, white space around is passed over. It may \
             also be left out altogether: three arguments are source and both formats.",
        ],
    ),
    FunctionInfo::new("IsDate", &[required("value", Type::Any)], Type::Flag, |a| {
        Ok(Value::Flag(match a.value(0)? {
            Value::Date(_) => true,
            Value::Text(text) => crate::expression::date::recognise::recognise(&text, None).is_some(),
            _ => false,
        }))
    })
    .of(Family::Dates)
    .told("True if CDate would make a date of the value.", &[]),
    FunctionInfo::new("Now", &[], Type::Date, |a| Ok(Value::Date(a.now())))
        .of(Family::Dates)
        .nature(Nature::Clock)
        .told(
            "The present moment, in UTC.",
            &["A person whose mappings read the clock is looked at again every midnight."],
        ),
    FunctionInfo::new("NumFromDate", &[required("value", Type::Date)], Type::Number, |a| {
        let Some(date) = a.date(0)? else { return Ok(Value::Null) };
        date.file_time().map(Value::Number).ok_or_else(|| a.fault(0, &Value::Date(date), "it lies before 1601"))
    })
    .of(Family::Dates)
    .told(
        "The directory's large-integer time of a date, as accountExpires holds it.",
        &["Never is the text \"9223372036854775807\"."],
    ),
];

const BEYOND: &str = "the result lies outside of the years 1 to 9999";

fn date_add<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let (interval, count) = (a.interval(0)?, a.number(1)?.unwrap_or(0));
    let Some(date) = a.date(2)? else { return Err(a.fault(2, &Value::Null, "null is no date")) };
    interval.add(date, count).map(Value::Date).ok_or_else(|| a.fault(1, &Value::Number(count), BEYOND))
}

fn date_diff<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let interval = a.interval(0)?;
    let date = |at: usize| a.date(at)?.ok_or_else(|| a.fault(at, &Value::Null, "null is no date"));
    Ok(Value::Number(interval.between(date(1)?, date(2)?)))
}

fn format_date_time<'a>(a: &Arguments<'_, 'a>) -> Result<Value<'a>, Fault> {
    let source = a.value(0)?;
    let Some(text) = a.text(0)? else { return Ok(Value::Null) };
    // A date that another function made, in a format that is not its printed one, is what is meant.
    let (input, output) = (a.format(2)?, a.format(3)?);
    let styles = a.text_or_empty(1)?;
    let styles = match Styles::parse(&styles) {
        Ok(styles) => styles,
        Err(why) => return Err(a.fault(1, &Value::Text(styles), &why)),
    };
    let moment = match (input.read(&text, styles, Date::of(a.scope.context.now)), source) {
        (Some(moment), _) => moment,
        (None, Value::Date(date)) => Moment { date, zone: Zone::Utc, used_now: false },
        (None, _) => return Err(a.fault(0, &Value::Text(text), "it does not fit the input format")),
    };
    if moment.used_now {
        a.now();
    }
    a.built(output.print(moment))
}
