//! Intervals of `DateAdd` and `DateDiff`, with the meanings of the Visual Basic runtime.

use super::{Civil, Date, TICKS_PER_DAY, TICKS_PER_SECOND, days_in};

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interval {
    Year,
    Quarter,
    Month,
    Day,
    Week,
    /// Weeks that begin on Sunday.
    CalendarWeek,
    Hour,
    Minute,
    Second,
}

const NAMES: &[(&str, Interval)] = &[
    ("yyyy", Interval::Year),
    ("q", Interval::Quarter),
    ("m", Interval::Month),
    ("d", Interval::Day),
    ("y", Interval::Day),
    ("w", Interval::Week),
    ("ww", Interval::CalendarWeek),
    ("h", Interval::Hour),
    ("n", Interval::Minute),
    ("s", Interval::Second),
];

/// What can be written.
pub(crate) const HINT: &str = "write \"yyyy\" (year), \"q\" (quarter), \"m\" (month), \"ww\" (week), \"d\" (day), \
                               \"h\" (hour), \"n\" (minute) or \"s\" (second)";

impl Interval {
    /// The interval of that short name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, interval)| *interval)
    }

    /// The ticks of one; `None` for those that depend on the calendar.
    fn ticks(self) -> Option<i64> {
        match self {
            Self::Year | Self::Quarter | Self::Month => None,
            // A weekday later is a day later, as in the VB runtime; only what lies between two dates is told in weeks.
            Self::Day | Self::Week => Some(TICKS_PER_DAY),
            Self::CalendarWeek => Some(7 * TICKS_PER_DAY),
            Self::Hour => Some(3_600 * TICKS_PER_SECOND),
            Self::Minute => Some(60 * TICKS_PER_SECOND),
            Self::Second => Some(TICKS_PER_SECOND),
        }
    }

    /// `date` and `count` of these; months and years keep to the last day of the month. `None` beyond the calendar.
    pub(crate) fn add(self, date: Date, count: i64) -> Option<Date> {
        if let Some(ticks) = self.ticks() {
            return date.plus(ticks.checked_mul(count)?);
        }
        let months = match self {
            Self::Year => 12,
            Self::Quarter => 3,
            _ => 1,
        };
        let civil = date.civil();
        let month = (civil.year * 12 + civil.month - 1).checked_add(count.checked_mul(months)?)?;
        let (year, month) = (month.div_euclid(12), month.rem_euclid(12) + 1);
        Date::from_civil(Civil { year, month, day: civil.day.min(days_in(year, month)), ..civil })
    }

    /// How many of these lie from `from` to `to`; negative where `to` is earlier. Years, quarters, months and calendar
    /// weeks count the borders that are crossed, the others are cut towards zero.
    pub(crate) fn between(self, from: Date, to: Date) -> i64 {
        let (a, b) = (from.civil(), to.civil());
        match self {
            Self::Year => b.year - a.year,
            Self::Quarter => (b.year * 4 + (b.month - 1) / 3) - (a.year * 4 + (a.month - 1) / 3),
            Self::Month => (b.year * 12 + b.month) - (a.year * 12 + a.month),
            Self::CalendarWeek => {
                let week_start = |date: Date| date.ticks() - date.weekday() * TICKS_PER_DAY;
                (week_start(to) - week_start(from)) / TICKS_PER_DAY / 7
            }
            Self::Week => (to.ticks() - from.ticks()) / TICKS_PER_DAY / 7,
            Self::Day | Self::Hour | Self::Minute | Self::Second => {
                (to.ticks() - from.ticks()) / self.ticks().unwrap_or(TICKS_PER_DAY)
            }
        }
    }
}
