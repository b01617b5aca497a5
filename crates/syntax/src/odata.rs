//! OData's `$filter` and `$orderby`, as far as clients of the provisioning log go (wire contract 4.1; OData 4.01 part 2,
//! 5.1.1). Names and operators are compared without case.

use crate::cursor::Cursor;
use crate::{Limits, Span, SyntaxError, moment};

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    And(Box<Filter>, Box<Filter>),
    Or(Box<Filter>, Box<Filter>),
    Not(Box<Filter>),
    Compare {
        operator: Comparison,
        left: Operand,
        right: Operand,
    },
    /// `contains(a, b)` and its like.
    Test {
        function: TextTest,
        text: Operand,
        part: Operand,
    },
}

/// Comparison operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
}

/// Functions that yield true or false.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextTest {
    Contains,
    StartsWith,
    EndsWith,
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    Property(Path),
    /// `tolower(...)`.
    Lower(Box<Operand>),
    Literal(Literal),
}

/// `statusInfo/status`, and where it stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    pub segments: Vec<String>,
    pub at: Span,
}

impl Path {
    /// Whether this is the path `name`, whatever its case.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        let mut wanted = name.split('/');
        self.segments.iter().all(|segment| wanted.next().is_some_and(|want| want.eq_ignore_ascii_case(segment)))
            && wanted.next().is_none()
    }
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    Text(String),
    /// A date-time or a date, in microseconds since the Unix epoch.
    Moment {
        text: String,
        us: i64,
    },
    Number(f64),
    /// A GUID without quotes, as written.
    Guid(String),
    Bool(bool),
    Null,
}

/// One key of `$orderby`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    pub path: Path,
    pub direction: Direction,
}

/// Which end comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Ascending,
    Descending,
}

const COMPARISONS: &[(&str, Comparison)] = &[
    ("eq", Comparison::Eq),
    ("ne", Comparison::Ne),
    ("gt", Comparison::Gt),
    ("ge", Comparison::Ge),
    ("lt", Comparison::Lt),
    ("le", Comparison::Le),
];

const TESTS: &[(&str, TextTest)] =
    &[("contains", TextTest::Contains), ("startswith", TextTest::StartsWith), ("endswith", TextTest::EndsWith)];

/// Reads a `$filter`.
pub fn parse_filter(text: &str, limits: Limits) -> Result<Filter, SyntaxError> {
    let mut cursor = Cursor::new(text, limits)?;
    let filter = any_of(&mut cursor)?;
    cursor.end("'and', 'or' or the end of the filter")?;
    Ok(filter)
}

/// Reads an `$orderby`: at most 8 keys.
pub fn parse_order(text: &str, limits: Limits) -> Result<Vec<Order>, SyntaxError> {
    const KEYS_MAX: usize = 8;
    let mut cursor = Cursor::new(text, limits)?;
    let mut keys = Vec::new();
    loop {
        cursor.skip_space();
        let start = cursor.at();
        let name = word(&mut cursor);
        let Some(path) = path(name, cursor.span_from(start)) else {
            return Err(cursor.error("the name of a property"));
        };
        cursor.skip_space();
        let direction = if eat_word(&mut cursor, "desc") {
            Direction::Descending
        } else {
            eat_word(&mut cursor, "asc");
            Direction::Ascending
        };
        keys.push(Order { path, direction });
        cursor.skip_space();
        if !cursor.eat(",") {
            break;
        }
        if keys.len() == KEYS_MAX {
            return Err(cursor.error(format!("at most {KEYS_MAX} keys")));
        }
    }
    cursor.end("'asc', 'desc', ',' or the end")?;
    Ok(keys)
}

fn any_of(cursor: &mut Cursor<'_>) -> Result<Filter, SyntaxError> {
    let mut left = all_of(cursor)?;
    while eat_word(cursor, "or") {
        let right = all_of(cursor)?;
        left = Filter::Or(Box::new(left), Box::new(right));
    }
    Ok(left)
}

fn all_of(cursor: &mut Cursor<'_>) -> Result<Filter, SyntaxError> {
    let mut left = term(cursor)?;
    while eat_word(cursor, "and") {
        let right = term(cursor)?;
        left = Filter::And(Box::new(left), Box::new(right));
    }
    Ok(left)
}

fn term(cursor: &mut Cursor<'_>) -> Result<Filter, SyntaxError> {
    cursor.enter()?;
    cursor.skip_space();
    let filter = if cursor.eat("(") {
        let inner = any_of(cursor)?;
        close(cursor)?;
        inner
    } else if eat_word(cursor, "not") {
        Filter::Not(Box::new(term(cursor)?))
    } else {
        condition(cursor)?
    };
    cursor.leave();
    Ok(filter)
}

fn condition(cursor: &mut Cursor<'_>) -> Result<Filter, SyntaxError> {
    for (name, function) in TESTS {
        if eat_call(cursor, name) {
            return test(cursor, *function);
        }
    }
    let left = operand(cursor)?;
    let operator = comparison(cursor)?;
    let right = operand(cursor)?;
    Ok(Filter::Compare { operator, left, right })
}

/// `contains(a, b)`, optionally followed by `eq true` or `eq false`.
fn test(cursor: &mut Cursor<'_>, function: TextTest) -> Result<Filter, SyntaxError> {
    let text = operand(cursor)?;
    cursor.skip_space();
    if !cursor.eat(",") {
        return Err(cursor.error("','"));
    }
    let part = operand(cursor)?;
    close(cursor)?;
    let filter = Filter::Test { function, text, part };
    if !eat_word(cursor, "eq") {
        return Ok(filter);
    }
    if eat_word(cursor, "true") {
        Ok(filter)
    } else if eat_word(cursor, "false") {
        Ok(Filter::Not(Box::new(filter)))
    } else {
        Err(cursor.error("true or false"))
    }
}

fn comparison(cursor: &mut Cursor<'_>) -> Result<Comparison, SyntaxError> {
    cursor.skip_space();
    for (name, operator) in COMPARISONS {
        if eat_word(cursor, name) {
            return Ok(*operator);
        }
    }
    let error = cursor.error("eq, ne, gt, ge, lt or le");
    Err(match cursor.peek() {
        Some('=' | '<' | '>' | '!') => error.hint("OData writes 'eq' for =, 'ne' for !=, 'gt' for >, 'lt' for <"),
        _ => error,
    })
}

fn operand(cursor: &mut Cursor<'_>) -> Result<Operand, SyntaxError> {
    cursor.skip_space();
    if eat_call(cursor, "tolower") {
        cursor.enter()?;
        let inner = operand(cursor)?;
        close(cursor)?;
        cursor.leave();
        return Ok(Operand::Lower(Box::new(inner)));
    }
    if cursor.peek() == Some('\'') {
        return text(cursor).map(|text| Operand::Literal(Literal::Text(text)));
    }
    let start = cursor.at();
    let name = word(cursor);
    let at = cursor.span_from(start);
    if name.is_empty() {
        let error = cursor.error("a property or a value");
        return Err(if cursor.peek() == Some('"') { error.hint("a text stands in single quotes") } else { error });
    }
    if let Some(literal) = literal(name) {
        return Ok(Operand::Literal(literal));
    }
    if cursor.peek() == Some('(') {
        return Err(SyntaxError::new(at, "a property or a value", format!("the function '{name}'"))
            .hint("contains, startswith, endswith and tolower are known"));
    }
    match path(name, at) {
        Some(path) => Ok(Operand::Property(path)),
        None => Err(SyntaxError::new(at, "a property or a value", format!("'{name}'"))
            .hint("a text stands in single quotes, a date is written 2026-01-31 or 2026-01-31T09:30:00Z")),
    }
}

/// A text in single quotes; a quote in it is written twice (OData ABNF `SQUOTE-in-string`).
fn text(cursor: &mut Cursor<'_>) -> Result<String, SyntaxError> {
    let open = cursor.at();
    cursor.bump();
    let mut text = String::new();
    loop {
        match cursor.bump() {
            Some('\'') if cursor.eat("'") => text.push('\''),
            Some('\'') => return Ok(text),
            Some(c) => text.push(c),
            None => {
                return Err(SyntaxError::new(cursor.span_from(open), "''' that closes this text", "the end")
                    .hint("a quote inside a text is written twice"));
            }
        }
    }
}

fn literal(word: &str) -> Option<Literal> {
    if word.eq_ignore_ascii_case("true") || word.eq_ignore_ascii_case("false") {
        return Some(Literal::Bool(word.eq_ignore_ascii_case("true")));
    }
    if word.eq_ignore_ascii_case("null") {
        return Some(Literal::Null);
    }
    if is_guid(word) {
        return Some(Literal::Guid(word.to_owned()));
    }
    if let Some(us) = moment::parse_us(word) {
        return Some(Literal::Moment { text: word.to_owned(), us });
    }
    let digits = word.strip_prefix('-').unwrap_or(word);
    if digits.starts_with(|c: char| c.is_ascii_digit()) && digits.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return word.parse().ok().map(Literal::Number);
    }
    None
}

/// 8-4-4-4-12 hexadecimal digits.
fn is_guid(word: &str) -> bool {
    let groups: Vec<&str> = word.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn path(word: &str, at: Span) -> Option<Path> {
    let segments: Vec<String> = word.split('/').map(str::to_owned).collect();
    let fits = |segment: &String| {
        segment.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && segment.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'))
    };
    segments.iter().all(fits).then_some(Path { segments, at })
}

fn word<'a>(cursor: &mut Cursor<'a>) -> &'a str {
    cursor.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | ':' | '+' | '-' | '/'))
}

/// Takes `wanted` if it comes next as a word of its own.
fn eat_word(cursor: &mut Cursor<'_>, wanted: &str) -> bool {
    let mut ahead = cursor.clone();
    ahead.skip_space();
    let found = word(&mut ahead).eq_ignore_ascii_case(wanted);
    if found {
        *cursor = ahead;
    }
    found
}

/// Takes `name(` if it comes next.
fn eat_call(cursor: &mut Cursor<'_>, name: &str) -> bool {
    let mut ahead = cursor.clone();
    let found = eat_word(&mut ahead, name) && {
        ahead.skip_space();
        ahead.eat("(")
    };
    if found {
        *cursor = ahead;
    }
    found
}

fn close(cursor: &mut Cursor<'_>) -> Result<(), SyntaxError> {
    cursor.skip_space();
    if cursor.eat(")") { Ok(()) } else { Err(cursor.error("')'")) }
}

#[cfg(test)]
mod tests;
