//! Dates as the file writes them, in the pattern letters that mapping expressions use (`dd.MM.yyyy`).

use jiff::civil::{Date, DateTime};

/// No file is about people of an earlier year: `yyyy` would take the `26` of `01.03.26`, and the year would be 26.
const YEAR_MIN: i16 = 1_000;

/// Pattern letters, the longer ones first, and what they are for `strptime`.
const LETTERS: &[(&str, &str)] = &[
    ("yyyy", "%Y"),
    ("yy", "%y"),
    ("MMMM", "%B"),
    ("MMM", "%b"),
    ("MM", "%m"),
    ("M", "%m"),
    ("dd", "%d"),
    ("d", "%d"),
    ("HH", "%H"),
    ("H", "%H"),
    ("mm", "%M"),
    ("ss", "%S"),
];

/// All pattern letters, as messages name them.
pub(crate) fn letters() -> String {
    let all: Vec<&str> = LETTERS.iter().map(|(letters, _)| *letters).collect();
    all.join(" ")
}

/// A pattern, checked.
#[derive(Clone, Debug)]
pub(crate) struct DatePattern {
    written: String,
    format: String,
    has_time: bool,
}

impl DatePattern {
    /// Letters that are no pattern letters stand in single quotes.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut format = String::new();
        let (mut rest, mut has_day, mut has_time) = (text, false, false);
        while let Some(first) = rest.chars().next() {
            if let Some(quoted) = rest.strip_prefix('\'') {
                let (literal, after) = quoted.split_once('\'').ok_or("a quote in it is not closed")?;
                format.push_str(&literal.replace('%', "%%"));
                rest = after;
            } else if let Some((letters, code)) = LETTERS.iter().find(|(letters, _)| rest.starts_with(letters)) {
                format.push_str(code);
                rest = rest.get(letters.len()..).unwrap_or_default();
                has_day |= letters.starts_with('d');
                has_time |= letters.starts_with('H');
            } else if first.is_alphabetic() {
                return Err(format!("'{first}' is no pattern letter; there are {}", letters()));
            } else {
                if first == '%' {
                    format.push('%');
                }
                format.push(first);
                rest = rest.get(first.len_utf8()..).unwrap_or_default();
            }
        }
        let has_month_and_year = ["%m", "%b", "%B"].iter().any(|code| format.contains(code))
            && ["%Y", "%y"].iter().any(|code| format.contains(code));
        if !has_day || !has_month_and_year {
            return Err("it needs a day, a month and a year, as in dd.MM.yyyy".to_owned());
        }
        Ok(Self { written: text.to_owned(), format, has_time })
    }

    /// The value in RFC 3339's form: `2026-03-01`, or with a time of day `2026-03-01T07:30:00`.
    pub(crate) fn read(&self, value: &str) -> Result<String, String> {
        let read = if self.has_time {
            DateTime::strptime(&self.format, value).ok().map(|at| (at.year(), at.to_string()))
        } else {
            Date::strptime(&self.format, value).ok().map(|day| (day.year(), day.to_string()))
        };
        match read {
            Some((YEAR_MIN.., text)) => Ok(text),
            _ => Err(format!("is no date in the form {}", self.written)),
        }
    }
}
