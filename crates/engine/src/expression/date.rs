//! A moment of the expression language: .NET's `DateTime` in UTC, counted in ticks of 100 ns since 0001-01-01.
//!
//! There is no zone and no clock here; offsets are taken away where a text is read.

pub(crate) mod format;
pub(crate) mod interval;
pub(crate) mod recognise;

use std::fmt;

use rollcall_model::Timestamp;

pub(crate) const TICKS_PER_SECOND: i64 = 10_000_000;
pub(crate) const TICKS_PER_DAY: i64 = 86_400 * TICKS_PER_SECOND;
/// The Unix epoch, in ticks.
const UNIX_EPOCH: i64 = 621_355_968_000_000_000;
/// 1601-01-01, where the directory's large-integer times begin, in ticks.
const FILE_EPOCH: i64 = 504_911_232_000_000_000;
/// The last tick of the year 9999.
const LAST: i64 = 3_155_378_975_999_999_999;

pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(crate) const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// A moment between the years 1 and 9999. Printed as `M/d/yyyy h:mm:ss tt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(i64);

/// A moment in its fields. `day_ticks` are the ticks since midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    pub year: i64,
    pub month: i64,
    pub day: i64,
    pub day_ticks: i64,
}

impl Date {
    /// `None` outside of the years 1 to 9999.
    pub(crate) fn from_ticks(ticks: i64) -> Option<Self> {
        (0..=LAST).contains(&ticks).then_some(Self(ticks))
    }

    pub(crate) fn ticks(self) -> i64 {
        self.0
    }

    /// A moment of the service's clock.
    pub(crate) fn of(now: Timestamp) -> Self {
        Self(now.0.saturating_mul(10).saturating_add(UNIX_EPOCH).clamp(0, LAST))
    }

    /// The directory's large-integer time: ticks since 1601 (MS-DTYP 2.3.3).
    pub(crate) fn from_file_time(ticks: i64) -> Option<Self> {
        if ticks < 0 { None } else { Self::from_ticks(ticks.checked_add(FILE_EPOCH)?) }
    }

    /// `None` before 1601.
    pub(crate) fn file_time(self) -> Option<i64> {
        (self.0 >= FILE_EPOCH).then(|| self.0 - FILE_EPOCH)
    }

    pub(crate) fn from_civil(civil: Civil) -> Option<Self> {
        let Civil { year, month, day, day_ticks } = civil;
        if !(1..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) {
            return None;
        }
        // Days from civil (Howard Hinnant's algorithm), with years that begin in March.
        let (y, m) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
        let (era, of_era) = (y.div_euclid(400), y.rem_euclid(400));
        let of_year = (153 * m + 2) / 5 + day - 1;
        let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 306;
        Self::from_ticks(days * TICKS_PER_DAY + day_ticks)
    }

    pub(crate) fn civil(self) -> Civil {
        let days = self.0 / TICKS_PER_DAY + 306;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let m = (5 * of_year + 2) / 153;
        let month = if m < 10 { m + 3 } else { m - 9 };
        Civil {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day: of_year - (153 * m + 2) / 5 + 1,
            day_ticks: self.0 % TICKS_PER_DAY,
        }
    }

    /// 0 for Sunday.
    pub(crate) fn weekday(self) -> i64 {
        (self.0 / TICKS_PER_DAY + 1) % 7
    }

    /// This moment and so many ticks.
    pub(crate) fn plus(self, ticks: i64) -> Option<Self> {
        Self::from_ticks(self.0.checked_add(ticks)?)
    }
}

pub(crate) fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, month, day, day_ticks } = self.civil();
        let seconds = day_ticks / TICKS_PER_SECOND;
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        let half = if hour < 12 { "AM" } else { "PM" };
        let hour = if hour % 12 == 0 { 12 } else { hour % 12 };
        write!(f, "{month}/{day}/{year:04} {hour}:{minute:02}:{second:02} {half}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_back() {
        for (year, month, day, weekday) in
            [(1, 1, 1, 1), (1600, 2, 29, 2), (1970, 1, 1, 4), (2000, 3, 1, 3), (2026, 11, 23, 1), (9999, 12, 31, 5)]
        {
            let civil = Civil { year, month, day, day_ticks: 7 };
            let date = Date::from_civil(civil).expect("a date");
            assert_eq!((date.civil(), date.weekday()), (civil, weekday));
        }
        assert_eq!(Date::of(Timestamp(0)).ticks(), UNIX_EPOCH);
        assert_eq!(
            Date::from_civil(Civil { year: 1601, month: 1, day: 1, day_ticks: 0 }).map(|it| it.0),
            Some(FILE_EPOCH)
        );
        for (year, month, day) in [(0, 1, 1), (10_000, 1, 1), (2026, 2, 29), (2026, 13, 1), (2026, 4, 31)] {
            assert_eq!(Date::from_civil(Civil { year, month, day, day_ticks: 0 }), None);
        }
    }
}
