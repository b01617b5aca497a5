//! Printing by a format.

use std::fmt::Write as _;

use super::{Format, Moment, Part, Zone};
use crate::expression::date::{DAYS, MONTHS, TICKS_PER_SECOND};

impl Format {
    /// A moment in this format.
    pub(crate) fn print(&self, moment: Moment) -> String {
        let civil = moment.date.civil();
        let seconds = civil.day_ticks / TICKS_PER_SECOND;
        let fraction = format!("{:07}", civil.day_ticks % TICKS_PER_SECOND);
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        let name = |names: &[&'static str], at: i64| {
            usize::try_from(at).ok().and_then(|at| names.get(at).copied()).unwrap_or("")
        };
        let mut out = String::new();
        for part in &self.parts {
            let number = match part {
                Part::Year(count @ (1 | 2)) => (civil.year % 100, *count),
                Part::Year(count) => (civil.year, *count),
                Part::Month(count @ (1 | 2)) => (civil.month, *count),
                Part::Day(count @ (1 | 2)) => (civil.day, *count),
                Part::Hour24(count) => (hour, *count),
                Part::Hour12(count) => (if hour % 12 == 0 { 12 } else { hour % 12 }, *count),
                Part::Minute(count) => (minute, *count),
                Part::Second(count) => (second, *count),
                _ => (-1, 0),
            };
            match part {
                Part::Month(count) if *count > 2 => {
                    let name = name(&MONTHS, civil.month - 1);
                    out.push_str(if *count == 3 { name.get(..3).unwrap_or(name) } else { name });
                }
                Part::Day(count) if *count > 2 => {
                    let name = name(&DAYS, moment.date.weekday());
                    out.push_str(if *count == 3 { name.get(..3).unwrap_or(name) } else { name });
                }
                Part::Fraction(count) => out.push_str(fraction.get(..*count).unwrap_or("")),
                Part::ShortFraction(count) => match fraction.get(..*count).unwrap_or("").trim_end_matches('0') {
                    // The point before it goes too.
                    "" if out.ends_with('.') => drop(out.pop()),
                    digits => out.push_str(digits),
                },
                Part::HalfDay(count) => {
                    let half = if hour < 12 { "AM" } else { "PM" };
                    out.push_str(half.get(..*count).unwrap_or(half));
                }
                Part::Offset(count) => out.push_str(["+0", "+00", "+00:00"].get(count - 1).copied().unwrap_or("")),
                Part::Kind => out.push_str(match moment.zone {
                    Zone::Unspecified => "",
                    Zone::Local => "+00:00",
                    Zone::Utc => "Z",
                }),
                Part::Literal(c) => out.push(*c),
                _ => {
                    let (number, width) = number;
                    let _ = write!(out, "{number:0width$}");
                }
            }
        }
        out
    }
}
