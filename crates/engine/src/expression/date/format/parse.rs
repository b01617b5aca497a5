//! Reading exactly by a format.

use super::{Format, Moment, Part, Styles, Zone};
use crate::expression::date::{Civil, DAYS, Date, MONTHS, TICKS_PER_SECOND};

/// Two-digit years up to this one are of our century (.NET's default).
const TWO_DIGIT_YEAR_MAX: i64 = 49;

/// The text, and what has been read of it.
struct Reader<'a> {
    rest: &'a str,
    skips_inner: bool,
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    weekday: Option<i64>,
    hour: i64,
    is_hour12: bool,
    half: Option<i64>,
    minute: i64,
    second: i64,
    fraction: i64,
    /// In minutes, and whether it was written as `Z`.
    offset: Option<(i64, bool)>,
}

impl Format {
    /// The moment that `text` says in this format. Parts of the date that the format lacks come from `now` as .NET
    /// takes them: all of today, or this year, the first month, the first day. `None` where it does not fit.
    pub(crate) fn read(&self, text: &str, styles: Styles, now: Date) -> Option<Moment> {
        let text = if styles.white.leading { text.trim_start() } else { text };
        let mut reader = Reader {
            rest: if styles.white.trailing { text.trim_end() } else { text },
            skips_inner: styles.white.inner,
            year: None,
            month: None,
            day: None,
            weekday: None,
            hour: 0,
            is_hour12: false,
            half: None,
            minute: 0,
            second: 0,
            fraction: 0,
            offset: None,
        };
        for part in &self.parts {
            reader.part(part)?;
        }
        if reader.skips_inner {
            reader.rest = reader.rest.trim_start();
        }
        if reader.rest.is_empty() { reader.moment(styles, now) } else { None }
    }
}

impl Reader<'_> {
    fn part(&mut self, part: &Part) -> Option<()> {
        if self.skips_inner {
            self.rest = self.rest.trim_start();
        }
        match part {
            Part::Year(count) => {
                let year = if *count <= 2 { self.digits(*count, 2)? } else { self.digits(*count, *count)? };
                let century = if year <= TWO_DIGIT_YEAR_MAX { 2000 } else { 1900 };
                set(&mut self.year, if *count <= 2 { century + year } else { year })?;
            }
            Part::Month(count @ (1 | 2)) => {
                let month = self.digits(*count, 2)?;
                set(&mut self.month, month)?;
            }
            Part::Month(count) => {
                let month = self.name(&MONTHS, *count == 3)? + 1;
                set(&mut self.month, month)?;
            }
            Part::Day(count @ (1 | 2)) => {
                let day = self.digits(*count, 2)?;
                set(&mut self.day, day)?;
            }
            Part::Day(count) => self.weekday = Some(self.name(&DAYS, *count == 3)?),
            Part::Hour24(count) => self.hour = self.digits(*count, 2)?,
            Part::Hour12(count) => {
                self.hour = self.digits(*count, 2)?;
                self.is_hour12 = true;
            }
            Part::Minute(count) => self.minute = self.digits(*count, 2)?,
            Part::Second(count) => self.second = self.digits(*count, 2)?,
            Part::Fraction(count) => self.fraction(*count, *count)?,
            Part::ShortFraction(count) => self.fraction(0, *count)?,
            Part::HalfDay(count) => self.half_day(*count)?,
            Part::Offset(count) => {
                let minutes = self.offset(*count)?;
                self.offset = Some((minutes, false));
            }
            Part::Kind => {
                if let Some(rest) = self.rest.strip_prefix(['Z', 'z']) {
                    self.rest = rest;
                    self.offset = Some((0, true));
                } else if self.rest.starts_with(['+', '-']) {
                    let minutes = self.offset(3)?;
                    self.offset = Some((minutes, false));
                }
            }
            Part::Literal(c) if self.skips_inner && c.is_whitespace() => {}
            Part::Literal(c) => self.rest = self.rest.strip_prefix(*c)?,
        }
        Some(())
    }

    /// From `least` to `most` digits.
    fn digits(&mut self, least: usize, most: usize) -> Option<i64> {
        let count = self.rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        if count < least {
            return None;
        }
        let (digits, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        digits.parse().ok()
    }

    fn fraction(&mut self, least: usize, most: usize) -> Option<()> {
        let before = self.rest.len();
        let digits = if self.rest.starts_with(|c: char| c.is_ascii_digit()) { self.digits(least, most)? } else { 0 };
        let count = before - self.rest.len();
        if count < least {
            return None;
        }
        self.fraction = digits * 10_i64.pow(u32::try_from(7 - count).ok()?);
        Some(())
    }

    fn half_day(&mut self, count: usize) -> Option<()> {
        let taken = self.rest.get(..count)?;
        self.half = match taken.to_ascii_uppercase().as_str() {
            "AM" | "A" => Some(0),
            "PM" | "P" => Some(12),
            _ => return None,
        };
        self.rest = self.rest.get(count..)?;
        Some(())
    }

    /// The place of the name that comes next.
    fn name(&mut self, names: &[&str], is_short: bool) -> Option<i64> {
        let (at, length) = names.iter().enumerate().find_map(|(at, name)| {
            let name = if is_short { name.get(..3)? } else { name };
            let found = self.rest.get(..name.len())?;
            found.eq_ignore_ascii_case(name).then_some((at, name.len()))
        })?;
        self.rest = self.rest.get(length..)?;
        i64::try_from(at).ok()
    }

    /// `+2`, `+02`, `+02:00`, in minutes.
    fn offset(&mut self, count: usize) -> Option<i64> {
        let sign = match self.rest.chars().next()? {
            '+' => 1,
            '-' => -1,
            _ => return None,
        };
        self.rest = self.rest.get(1..)?;
        let hours = self.digits(if count == 1 { 1 } else { 2 }, 2)?;
        let mut minutes = 0;
        if count == 3 {
            self.rest = self.rest.strip_prefix(':').unwrap_or(self.rest);
            minutes = self.digits(2, 2)?;
        }
        (hours <= 14 && minutes <= 59).then_some(sign * (hours * 60 + minutes))
    }

    fn moment(self, styles: Styles, now: Date) -> Option<Moment> {
        let today = now.civil();
        let nothing = (self.year, self.month, self.day) == (None, None, None);
        let (year, month, day, used_now) = match (self.year, nothing, styles.no_current_date) {
            (_, true, true) => (1, 1, 1, false),
            (_, true, false) => (today.year, today.month, today.day, true),
            (None, _, _) => (today.year, self.month.unwrap_or(1), self.day.unwrap_or(1), true),
            (Some(year), _, _) => (year, self.month.unwrap_or(1), self.day.unwrap_or(1), false),
        };
        let hour = match self.half {
            None if !self.is_hour12 => self.hour,
            _ if self.is_hour12 && !(0..=12).contains(&self.hour) => return None,
            half if self.is_hour12 => self.hour % 12 + half.unwrap_or(0),
            // A full hour, which the half of the day must agree with.
            half if (self.hour < 12) == (half == Some(0)) => self.hour,
            _ => return None,
        };
        if hour > 23 || self.minute > 59 || self.second > 59 {
            return None;
        }
        let day_ticks = ((hour * 60 + self.minute) * 60 + self.second) * TICKS_PER_SECOND + self.fraction;
        let written = Date::from_civil(Civil { year, month, day, day_ticks })?;
        if self.weekday.is_some_and(|weekday| weekday != written.weekday()) {
            return None;
        }
        let (offset, is_z) = self.offset.unwrap_or((0, false));
        let zone = match self.offset {
            _ if styles.universal => Zone::Utc,
            None => Zone::Unspecified,
            Some(_) if is_z && styles.roundtrip => Zone::Utc,
            Some(_) => Zone::Local,
        };
        Some(Moment { date: written.plus(-offset * 60 * TICKS_PER_SECOND)?, zone, used_now })
    }
}

/// A part that is written twice must say the same.
fn set(place: &mut Option<i64>, value: i64) -> Option<()> {
    match place {
        Some(known) if *known != value => None,
        _ => {
            *place = Some(value);
            Some(())
        }
    }
}
