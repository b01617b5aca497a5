//! .NET's date formats: custom patterns and the one-letter standard ones, in the invariant culture.

mod parse;
mod print;

use std::fmt;

/// A format, read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    parts: Vec<Part>,
}

/// A part of a format. Numbers are how many letters stood there.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Year(usize),
    Month(usize),
    /// `d` and `dd` are the day, `ddd` and `dddd` its name.
    Day(usize),
    Hour24(usize),
    Hour12(usize),
    Minute(usize),
    Second(usize),
    /// `f`: all digits.
    Fraction(usize),
    /// `F`: without zeros at the end.
    ShortFraction(usize),
    HalfDay(usize),
    Offset(usize),
    /// `K`: `Z`, an offset or nothing.
    Kind,
    Literal(char),
}

/// Why a text is no format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoFormat(&'static str);

impl fmt::Display for NoFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; formats are those of .NET, as in yyyy-MM-dd or M/d/yyyy h:mm:ss tt", self.0)
    }
}

/// What one letter alone stands for (invariant culture).
const STANDARD: &[(char, &str)] = &[
    ('d', "MM/dd/yyyy"),
    ('D', "dddd, dd MMMM yyyy"),
    ('f', "dddd, dd MMMM yyyy HH:mm"),
    ('F', "dddd, dd MMMM yyyy HH:mm:ss"),
    ('g', "MM/dd/yyyy HH:mm"),
    ('G', "MM/dd/yyyy HH:mm:ss"),
    ('m', "MMMM dd"),
    ('M', "MMMM dd"),
    ('o', "yyyy-MM-ddTHH:mm:ss.fffffffK"),
    ('O', "yyyy-MM-ddTHH:mm:ss.fffffffK"),
    ('r', "ddd, dd MMM yyyy HH:mm:ss 'GMT'"),
    ('R', "ddd, dd MMM yyyy HH:mm:ss 'GMT'"),
    ('s', "yyyy-MM-ddTHH:mm:ss"),
    ('t', "HH:mm"),
    ('T', "HH:mm:ss"),
    ('u', "yyyy-MM-dd HH:mm:ssZ"),
    ('U', "dddd, dd MMMM yyyy HH:mm:ss"),
    ('y', "yyyy MMMM"),
    ('Y', "yyyy MMMM"),
];

impl Format {
    /// Reads a format.
    pub(crate) fn parse(text: &str) -> Result<Self, NoFormat> {
        let mut characters = text.chars();
        if let (Some(only), None) = (characters.next(), characters.next()) {
            let standard = STANDARD.iter().find(|(letter, _)| *letter == only).map(|(_, format)| *format);
            let Some(standard) = standard else { return Err(NoFormat("it is one letter that no format has")) };
            return Self::custom(standard);
        }
        Self::custom(text)
    }

    fn custom(text: &str) -> Result<Self, NoFormat> {
        let mut parts = Vec::new();
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '\\' => parts.push(Part::Literal(rest.next().ok_or(NoFormat("it ends with a backslash"))?)),
                '\'' | '"' => loop {
                    match rest.next() {
                        Some(end) if end == c => break,
                        Some('\\') => parts.push(Part::Literal(rest.next().ok_or(NoFormat("a quote is not closed"))?)),
                        Some(inner) => parts.push(Part::Literal(inner)),
                        None => return Err(NoFormat("a quote is not closed")),
                    }
                },
                '%' if rest.peek().is_some_and(|next| *next != '%') => {}
                '%' => return Err(NoFormat("% stands before one letter")),
                c => {
                    let mut count = 1;
                    while is_letter(c) && rest.next_if_eq(&c).is_some() {
                        count += 1;
                    }
                    parts.push(part(c, count)?);
                }
            }
        }
        if parts.iter().all(|part| matches!(part, Part::Literal(_))) {
            return Err(NoFormat("it has no part of a date"));
        }
        Ok(Self { parts })
    }
}

fn is_letter(c: char) -> bool {
    "yMdHhmsfFtz".contains(c)
}

fn part(c: char, count: usize) -> Result<Part, NoFormat> {
    Ok(match c {
        'y' if count <= 5 => Part::Year(count),
        'y' => return Err(NoFormat("a year has at most five letters")),
        'M' => Part::Month(count.min(4)),
        'd' => Part::Day(count.min(4)),
        'H' => Part::Hour24(count.min(2)),
        'h' => Part::Hour12(count.min(2)),
        'm' => Part::Minute(count.min(2)),
        's' => Part::Second(count.min(2)),
        'f' | 'F' if count > 7 => return Err(NoFormat("a fraction of a second has at most seven digits")),
        'f' => Part::Fraction(count),
        'F' => Part::ShortFraction(count),
        't' => Part::HalfDay(count.min(2)),
        'z' => Part::Offset(count.min(3)),
        'K' => Part::Kind,
        'g' => return Err(NoFormat("eras are not known here")),
        c => Part::Literal(c),
    })
}

/// What .NET calls `DateTimeStyles`, as far as it matters in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Styles {
    white: White,
    /// A missing date is 0001-01-01, not today.
    no_current_date: bool,
    /// What is read without an offset is known to be UTC.
    universal: bool,
    /// `Z` is kept as such.
    roundtrip: bool,
}

/// Where white space is passed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct White {
    leading: bool,
    inner: bool,
    trailing: bool,
}

const STYLE_NAMES: [&str; 11] = [
    "None",
    "AllowLeadingWhite",
    "AllowTrailingWhite",
    "AllowInnerWhite",
    "AllowWhiteSpaces",
    "NoCurrentDateDefault",
    "AdjustToUniversal",
    "AssumeLocal",
    "AssumeUniversal",
    "RoundtripKind",
    "",
];

impl Styles {
    /// Reads names between commas; none stands for round trip with white space around.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            let white = White { leading: true, inner: false, trailing: true };
            return Ok(Self { white, no_current_date: false, universal: false, roundtrip: true });
        }
        let mut styles = Self { white: White::default(), no_current_date: false, universal: false, roundtrip: false };
        for name in text.split(',').map(str::trim) {
            match name {
                "None" | "AssumeLocal" => {}
                "AllowLeadingWhite" => styles.white.leading = true,
                "AllowTrailingWhite" => styles.white.trailing = true,
                "AllowInnerWhite" => styles.white.inner = true,
                "AllowWhiteSpaces" => styles.white = White { leading: true, inner: true, trailing: true },
                "NoCurrentDateDefault" => styles.no_current_date = true,
                "AdjustToUniversal" | "AssumeUniversal" => styles.universal = true,
                "RoundtripKind" => styles.roundtrip = true,
                other => {
                    let near = rollcall_syntax::nearest(other, STYLE_NAMES);
                    let hint = near.map_or_else(
                        || "write names such as AllowWhiteSpaces".to_owned(),
                        |near| format!("did you mean {near}?"),
                    );
                    return Err(format!("'{other}' is none; {hint}"));
                }
            }
        }
        if styles.roundtrip && styles.universal {
            return Err("RoundtripKind goes with none of AssumeUniversal and AdjustToUniversal".to_owned());
        }
        Ok(styles)
    }
}

/// A moment that was read, with what .NET remembers of how it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub date: super::Date,
    pub zone: Zone,
    /// Whether a part that was missing was taken from the clock.
    pub used_now: bool,
}

/// What is known of a moment's zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zone {
    Unspecified,
    /// An offset was written; .NET has made the process's zone of it, which is UTC.
    Local,
    Utc,
}
