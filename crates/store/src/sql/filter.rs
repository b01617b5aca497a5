//! Log filters as SQL. Every value is bound; the text is made of fragments of this file only.

use super::{Arg, Pool};
use crate::log::CompareOperator;
use crate::{Error, LogField, LogFilter, LogValue};

/// A filter being written, with the values bound so far.
pub(super) struct Filter {
    is_postgres: bool,
    pub(super) args: Vec<Arg>,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Text,
    Time,
    Numbers,
    Uuid,
}

fn column(field: LogField) -> (&'static str, Type) {
    match field {
        LogField::Id => ("l.uuid", Type::Uuid),
        LogField::At => ("l.at", Type::Time),
        LogField::Job => ("j.name", Type::Text),
        LogField::Cycle => ("c.uuid", Type::Uuid),
        LogField::Change => ("l.change", Type::Uuid),
        LogField::Action => ("l.action", Type::Numbers),
        LogField::Status => ("l.status", Type::Numbers),
        LogField::Code => ("l.code", Type::Numbers),
        LogField::DurationMs => ("l.duration_ms", Type::Numbers),
        LogField::ExternalId => ("l.external_id", Type::Text),
        LogField::SourceName => ("l.source_name", Type::Text),
        LogField::TargetId => ("l.guid", Type::Uuid),
        LogField::TargetName => ("l.target_name", Type::Text),
    }
}

fn operator_text(operator: CompareOperator) -> &'static str {
    match operator {
        CompareOperator::Equal | CompareOperator::NotEqual => "=",
        CompareOperator::Greater => ">",
        CompareOperator::GreaterOrEqual => ">=",
        CompareOperator::Less => "<",
        CompareOperator::LessOrEqual => "<=",
    }
}

fn constant(value: bool) -> String {
    if value { "(1 = 1)" } else { "(1 = 0)" }.to_owned()
}

impl Filter {
    /// `args`: what the text before the filter binds.
    pub(super) fn new(pool: &Pool, args: Vec<Arg>) -> Self {
        Self { is_postgres: matches!(pool, Pool::Postgres(_)), args }
    }

    /// Binds a value; its placeholder.
    pub(super) fn bind(&mut self, value: impl Into<Arg>) -> String {
        self.args.push(value.into());
        format!("${}", self.args.len())
    }

    /// A condition that is true or false for every row, never unknown: a missing value equals nothing.
    pub(super) fn render(&mut self, filter: &LogFilter) -> Result<String, Error> {
        Ok(match filter {
            LogFilter::And(left, right) => format!("({} and {})", self.render(left)?, self.render(right)?),
            LogFilter::Or(left, right) => format!("({} or {})", self.render(left)?, self.render(right)?),
            LogFilter::Not(inner) => format!("(not {})", self.render(inner)?),
            LogFilter::Compare { field, operator, value } => self.compare(*field, *operator, value)?,
            LogFilter::Contains { field, text, folded } => self.holds(*field, text, *folded, Place::Anywhere)?,
            LogFilter::StartsWith { field, text, folded } => self.holds(*field, text, *folded, Place::Start)?,
            LogFilter::EndsWith { field, text, folded } => self.holds(*field, text, *folded, Place::End)?,
            LogFilter::EqualsFolded { field, text } => self.holds(*field, text, true, Place::Whole)?,
            LogFilter::Constant(value) => constant(*value),
        })
    }

    fn compare(&mut self, field: LogField, operator: CompareOperator, value: &LogValue) -> Result<String, Error> {
        let (name, kind) = column(field);
        let sign = operator_text(operator);
        let condition = match (kind, value) {
            (Type::Text, LogValue::Text(text)) => format!("{name} {sign} {}", self.bind(text.as_str())),
            (Type::Time, LogValue::Time(time)) => format!("{name} {sign} {}", self.bind(*time)),
            (Type::Uuid, LogValue::Uuid(id)) => format!("{name} {sign} {}", self.bind(*id)),
            (Type::Numbers, LogValue::Numbers(numbers)) if numbers.is_empty() => constant(false),
            (Type::Numbers, LogValue::Numbers(numbers)) => {
                let each: Vec<String> =
                    numbers.iter().map(|number| format!("{name} {sign} {}", self.bind(*number))).collect();
                each.join(" or ")
            }
            _ => return Err(Error::Unstorable(format!("the filter compares {field:?} with a value of another type"))),
        };
        let negated = if operator == CompareOperator::NotEqual { "not " } else { "" };
        Ok(format!("(({condition}) is {negated}true)"))
    }

    fn holds(&mut self, field: LogField, text: &str, folded: bool, place: Place) -> Result<String, Error> {
        let (name, kind) = column(field);
        if kind != Type::Text {
            return Err(Error::Unstorable(format!("the filter looks for a text in {field:?}, which is none")));
        }
        let condition = if folded && self.is_postgres {
            format!("{name} ~ {}", self.bind(expression(text, place)))
        } else if folded {
            format!("{name} glob {}", self.bind(glob(text, place)))
        } else {
            let value = self.bind(text);
            match (place, self.is_postgres) {
                (Place::Anywhere, true) => format!("strpos({name}, {value}) > 0"),
                (Place::Anywhere, false) => format!("instr({name}, {value}) > 0"),
                (Place::Start, _) => format!("substr({name}, 1, length({value})) = {value}"),
                (Place::End, _) => format!(
                    "length({name}) >= length({value}) \
                     and substr({name}, length({name}) - length({value}) + 1) = {value}"
                ),
                (Place::Whole, _) => format!("{name} = {value}"),
            }
        };
        Ok(format!("(({condition}) is true)"))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Anywhere,
    Start,
    End,
    Whole,
}

impl Place {
    /// Whether anything may stand before the text.
    fn is_open_before(self) -> bool {
        matches!(self, Self::Anywhere | Self::End)
    }

    /// Whether anything may stand behind it.
    fn is_open_behind(self) -> bool {
        matches!(self, Self::Anywhere | Self::Start)
    }
}

/// The spellings of a character in either case. Folding is spelt out in the pattern because the engines' own `lower`
/// knows ASCII only in SQLite, and what the database's locale knows in PostgreSQL.
fn spellings(c: char) -> Vec<char> {
    let mut all = vec![c];
    let single = |mut mapped: Box<dyn Iterator<Item = char>>| mapped.next().filter(|_| mapped.next().is_none());
    for other in [single(Box::new(c.to_lowercase())), single(Box::new(c.to_uppercase()))].into_iter().flatten() {
        if !all.contains(&other) {
            all.push(other);
        }
    }
    all
}

/// For SQLite's GLOB: a class holds its characters as they are, but for `]` and `^`, which are none of its own.
fn glob(text: &str, place: Place) -> String {
    let mut pattern = String::new();
    if place.is_open_before() {
        pattern.push('*');
    }
    for c in text.chars() {
        let all = spellings(c);
        if all.len() > 1 || matches!(c, '*' | '?' | '[') {
            pattern.push('[');
            pattern.extend(all);
            pattern.push(']');
        } else {
            pattern.push(c);
        }
    }
    if place.is_open_behind() {
        pattern.push('*');
    }
    pattern
}

/// For PostgreSQL's regular expressions.
fn expression(text: &str, place: Place) -> String {
    // Flags at the start would be read as options; this prefix says that an expression follows.
    let mut pattern = String::from("***:");
    if !place.is_open_before() {
        pattern.push('^');
    }
    for c in text.chars() {
        let all = spellings(c);
        if all.len() > 1 {
            pattern.push('[');
            pattern.extend(all);
            pattern.push(']');
        } else {
            if c.is_ascii_punctuation() {
                pattern.push('\\');
            }
            pattern.push(c);
        }
    }
    if !place.is_open_behind() {
        pattern.push('$');
    }
    pattern
}
