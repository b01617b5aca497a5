//! Reading a date in any form that .NET recognises in the invariant culture: ISO 8601, month/day/year, names of months,
//! times of day with AM and PM, an offset.

use super::{Civil, DAYS, Date, MONTHS, TICKS_PER_SECOND};

/// A word, a number with its length, or a sign of a date's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Number(i64, usize),
    Word(&'a str),
    Sign(char),
    Space,
}

/// The parts of a date as they are found.
#[derive(Debug, Default)]
struct Parts {
    month: Option<i64>,
    /// Numbers that are year, month or day by their place.
    numbers: Vec<(i64, usize)>,
    weekday: Option<i64>,
    time: Option<i64>,
    offset_minutes: Option<i64>,
}

/// Whether `text` is a date as soon as today's is known: a time alone, or a day without a year.
pub(crate) fn needs_today(text: &str) -> bool {
    recognise(text, Some(Date::of(rollcall_model::Timestamp(0)))).is_some()
}

/// The moment, in UTC, and whether a missing part was taken from `now`. Without an offset it is UTC; without `now`, a
/// text that lacks the year is none.
pub(crate) fn recognise(text: &str, now: Option<Date>) -> Option<(Date, bool)> {
    let tokens = tokens(text.trim())?;
    let mut parts = Parts::default();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at = match token {
            Token::Number(..) if parts.time.is_none() && is_time(&tokens[at..]) => parts.time(&tokens, at)?,
            Token::Number(number, length) => {
                parts.numbers.push((*number, *length));
                at + 1
            }
            Token::Sign(sign @ ('+' | '-')) if parts.is_offset(&tokens, at) => parts.offset(&tokens, at + 1, *sign)?,
            Token::Space | Token::Sign(',' | '/' | '.' | '-') => at + 1,
            Token::Word(word) => {
                parts.word(word, tokens.get(at + 1))?;
                at + 1
            }
            Token::Sign(_) => return None,
        };
    }
    parts.moment(now)
}

fn tokens(text: &str) -> Option<Vec<Token<'_>>> {
    if text.is_empty() || text.len() > 100 {
        return None;
    }
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let taken = |fits: fn(char) -> bool| rest.find(|c| !fits(c)).unwrap_or(rest.len());
        let (found, length) = match first {
            '0'..='9' => {
                let length = taken(|c| c.is_ascii_digit());
                (Token::Number(rest.get(..length)?.parse().ok()?, length), length)
            }
            c if c.is_ascii_alphabetic() => {
                let length = taken(|c| c.is_ascii_alphabetic());
                (Token::Word(rest.get(..length)?), length)
            }
            c if c.is_whitespace() => (Token::Space, taken(char::is_whitespace)),
            '/' | '-' | '.' | ':' | ',' | '+' => (Token::Sign(first), 1),
            _ => return None,
        };
        tokens.push(found);
        rest = rest.get(length..)?;
    }
    Some(tokens)
}

/// Whether a time of day begins here: `10:30`, or `4 PM`.
fn is_time(tokens: &[Token<'_>]) -> bool {
    let is_half = |token: Option<&Token<'_>>| matches!(token, Some(Token::Word(word)) if half(word).is_some());
    match tokens.get(1) {
        Some(Token::Sign(':')) => true,
        Some(Token::Space) => is_half(tokens.get(2)),
        next => is_half(next),
    }
}

fn half(word: &str) -> Option<i64> {
    match word.to_ascii_uppercase().as_str() {
        "AM" | "A" => Some(0),
        "PM" | "P" => Some(12),
        _ => None,
    }
}

impl Parts {
    /// Reads `h:mm[:ss[.fffffff]] [AM|PM]` and yields the place after it.
    fn time(&mut self, tokens: &[Token<'_>], at: usize) -> Option<usize> {
        let Token::Number(mut hour, _) = *tokens.get(at)? else { return None };
        let mut at = at + 1;
        let mut fields = [0, 0];
        for field in &mut fields {
            if tokens.get(at) == Some(&Token::Sign(':')) {
                let Token::Number(number, 1..=2) = *tokens.get(at + 1)? else { return None };
                *field = number;
                at += 2;
            }
        }
        let mut fraction = 0;
        if let (Some(Token::Sign('.')), Some(Token::Number(number, length))) = (tokens.get(at), tokens.get(at + 1)) {
            let digits = format!("{number:0length$}0000000");
            fraction = digits.get(..7)?.parse().ok()?;
            at += 2;
        }
        let after = if tokens.get(at) == Some(&Token::Space) { at + 1 } else { at };
        if let Some(Token::Word(word)) = tokens.get(after)
            && let Some(half) = half(word)
        {
            if !(1..=12).contains(&hour) {
                return None;
            }
            hour = hour % 12 + half;
            at = after + 1;
        }
        let [minute, second] = fields;
        // .NET takes 24:00:00 for the end of the day.
        if minute > 59 || second > 59 || hour > 24 || (hour == 24 && (minute, second, fraction) != (0, 0, 0)) {
            return None;
        }
        self.time = Some(((hour * 60 + minute) * 60 + second) * TICKS_PER_SECOND + fraction);
        Some(at)
    }

    /// A sign is an offset's behind a time, behind a whole date, and before `hh:mm`.
    fn is_offset(&self, tokens: &[Token<'_>], at: usize) -> bool {
        let is_whole = self.numbers.len() == 3 || (self.month.is_some() && self.numbers.len() == 2);
        let before_clock = tokens.get(at + 2) == Some(&Token::Sign(':'));
        self.offset_minutes.is_none()
            && matches!(tokens.get(at + 1), Some(Token::Number(_, 1 | 2 | 4)))
            && (self.time.is_some() || is_whole || (before_clock && !self.numbers.is_empty()))
    }

    fn offset(&mut self, tokens: &[Token<'_>], at: usize, sign: char) -> Option<usize> {
        let Token::Number(number, length) = *tokens.get(at)? else { return None };
        let (hours, minutes, next) = match (tokens.get(at + 1), tokens.get(at + 2)) {
            (Some(Token::Sign(':')), Some(Token::Number(minutes, 2))) => (number, *minutes, at + 3),
            _ if length == 4 => (number / 100, number % 100, at + 1),
            _ => (number, 0, at + 1),
        };
        if hours > 14 || minutes > 59 {
            return None;
        }
        self.offset_minutes = Some((hours * 60 + minutes) * if sign == '-' { -1 } else { 1 });
        Some(next)
    }

    fn word(&mut self, word: &str, next: Option<&Token<'_>>) -> Option<()> {
        let place = |names: &[&str]| {
            let fits = |name: &&&str| {
                word.eq_ignore_ascii_case(name) || name.get(..3).is_some_and(|short| word.eq_ignore_ascii_case(short))
            };
            names.iter().find(fits).and_then(|found| names.iter().position(|name| name == found))
        };
        if let Some(month) = place(&MONTHS) {
            return put(&mut self.month, i64::try_from(month).ok()? + 1);
        }
        if let Some(weekday) = place(&DAYS) {
            return put(&mut self.weekday, i64::try_from(weekday).ok()?);
        }
        match word.to_ascii_uppercase().as_str() {
            // Between date and time; at the end it would be nothing.
            "T" if matches!(next, Some(Token::Number(..))) && !self.numbers.is_empty() => Some(()),
            "Z" | "GMT" | "UTC" => put(&mut self.offset_minutes, 0),
            _ => None,
        }
    }

    /// Year, month and day by the places and lengths of the numbers; month before day as in the invariant culture.
    fn date(&mut self, now: Option<Date>) -> Option<(i64, i64, i64, bool)> {
        let is_year = |number: &(i64, usize)| number.1 >= 3;
        let full = |(number, length): (i64, usize)| match length {
            1 | 2 if number <= 49 => 2000 + number,
            1 | 2 => 1900 + number,
            _ => number,
        };
        let of_now = || now.map(Date::civil);
        match (self.month, self.numbers.as_slice()) {
            (None, []) if self.time.is_some() => of_now().map(|today| (today.year, today.month, today.day, true)),
            (None, [year, month, day]) if is_year(year) => Some((year.0, month.0, day.0, false)),
            (None, [month, day, year]) => Some((full(*year), month.0, day.0, false)),
            (None, [year, month]) if is_year(year) => Some((year.0, month.0, 1, false)),
            (None, [month, year]) if is_year(year) => Some((year.0, month.0, 1, false)),
            (None, [month, day]) => of_now().map(|today| (today.year, month.0, day.0, true)),
            (Some(month), [year, day]) if is_year(year) => Some((year.0, month, day.0, false)),
            (Some(month), [day, year]) => Some((full(*year), month, day.0, false)),
            (Some(month), [year]) if is_year(year) => Some((year.0, month, 1, false)),
            (Some(month), [day]) => of_now().map(|today| (today.year, month, day.0, true)),
            _ => None,
        }
    }

    fn moment(mut self, now: Option<Date>) -> Option<(Date, bool)> {
        let (year, month, day, used_now) = self.date(now)?;
        let midnight = Date::from_civil(Civil { year, month, day, day_ticks: 0 })?;
        if self.weekday.is_some_and(|weekday| weekday != midnight.weekday()) {
            return None;
        }
        let offset = self.offset_minutes.unwrap_or(0) * 60 * TICKS_PER_SECOND;
        Some((midnight.plus(self.time.unwrap_or(0) - offset)?, used_now))
    }
}

/// Sets what must not be set twice.
fn put(place: &mut Option<i64>, value: i64) -> Option<()> {
    place.replace(value).is_none().then_some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &str) {
        let now = super::super::recognise::recognise("2026-03-10T12:00:00Z", None).map(|(now, _)| now);
        let found = recognise(text, now)
            .map_or_else(|| "none".to_owned(), |(date, used)| format!("{date}{}", if used { " (today)" } else { "" }));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn what_dotnet_recognises() {
        check("2026-07-04", "7/4/2026 12:00:00 AM");
        check("2026-02-01+02:00", "1/31/2026 10:00:00 PM");
        check("2026-02-01-05:00", "2/1/2026 5:00:00 AM");
        check("2026-02-01Z", "2/1/2026 12:00:00 AM");
        check("2026-02-01T23:30:00-05:00", "2/2/2026 4:30:00 AM");
        check("2026-02-01T23:30:00.1234567Z", "2/1/2026 11:30:00 PM");
        check("2026-02-01T23:30:00+0530", "2/1/2026 6:00:00 PM");
        check("2025-12-31 23:59:59-05:00", "1/1/2026 4:59:59 AM");
        check("2013-01-10 4:00 PM -8", "1/11/2013 12:00:00 AM");
        check("8/25/2021 5:41:18 PM", "8/25/2021 5:41:18 PM");
        check("8/25/21", "8/25/2021 12:00:00 AM");
        check("2026/3/1 4 pm", "3/1/2026 4:00:00 PM");
        check("1 March 2026", "3/1/2026 12:00:00 AM");
        check("March 1, 2026 10:30", "3/1/2026 10:30:00 AM");
        check("1-Mar-2026", "3/1/2026 12:00:00 AM");
        check("Sun, 01 Mar 2026 08:00:00 GMT", "3/1/2026 8:00:00 AM");
        check("March 2026", "3/1/2026 12:00:00 AM");
        check("2026-03", "3/1/2026 12:00:00 AM");
        check("2026-03-01T24:00:00", "3/2/2026 12:00:00 AM");
        check("9999-12-31", "12/31/9999 12:00:00 AM");
        check("10:30", "3/10/2026 10:30:00 AM (today)");
        check("3/1", "3/1/2026 12:00:00 AM (today)");
        for broken in [
            "",
            "x",
            "2026",
            "2026-13-01",
            "2026-02-29",
            "25/12/2026",
            "20260301",
            "2026-03-01T25:00:00",
            "Mon, 01 Mar 2026",
            "2026-03-01T10:61",
            "2026-03-01 10:00 XM",
            "9999-12-31T23:59:59-05:00",
            "2026-03-01T",
            "1:2:3:4",
            "+",
            "0000-01-01",
        ] {
            check(broken, "none");
        }
    }

    proptest! {
        #[test]
        fn survives_any_text(text in any::<String>()) {
            let _ = recognise(&text, None);
        }

        #[test]
        fn survives_text_of_its_own_alphabet(text in "[0-9:/.TZ+ ,AMPmarch-]{0,40}") {
            let _ = recognise(&text, Some(Date::of(rollcall_model::Timestamp(0))));
        }
    }
}
