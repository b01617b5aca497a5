//! Scope filters: who is provisioned (engine-and-agent 4).
//!
//! A clause on an attribute without a value is false, whatever it asks, but for `IS NULL`.

use std::cell::Cell;

use rollcall_model::config::{AttributeType, FilterClause, FilterGroup, JobConfig};
use rollcall_model::plan::Failure;
use rollcall_model::{Code, Timestamp};
use rollcall_syntax::attribute::{self, AttributePath};
use rollcall_syntax::nearest;
use serde_json::{Map, Value as Json};

use crate::expression::date::{TICKS_PER_SECOND, recognise};
use crate::expression::pattern::{Exploded, PATTERN_HINT, Pattern, Work};
use crate::expression::{Date, Value};
use crate::scim;

/// Clauses of one filter; a bound, not a policy.
const CLAUSES_MAX: usize = 200;
/// What makes a text operator ignore case.
const IGNORE_CASE: &str = " (IGNORE CASE)";

/// An operator of scope filters, as clients list them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterOperator {
    /// As filters write it.
    pub id: &'static str,
    /// As people read it.
    pub name: &'static str,
    /// `Unary` or `Binary`.
    pub arity: &'static str,
    /// How several operands count: `Any` of them, or `All`.
    pub multivalued_comparison_type: &'static str,
    pub supported_attribute_types: &'static [AttributeType],
    test: Test,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    Equals,
    NotEquals,
    IsTrue,
    IsFalse,
    IsNull,
    IsNotNull,
    Matches,
    MatchesNot,
    Greater,
    GreaterOrEqual,
    Includes,
    EndsWith,
    Bits,
    NotBits,
    Before,
    After,
}

const TEXTS: &[AttributeType] = &[
    AttributeType::String,
    AttributeType::Integer,
    AttributeType::Boolean,
    AttributeType::DateTime,
    AttributeType::Reference,
];
const FLAGS: &[AttributeType] = &[AttributeType::Boolean, AttributeType::String];
const NUMBERS: &[AttributeType] = &[AttributeType::Integer, AttributeType::String];
const DATES: &[AttributeType] = &[AttributeType::DateTime, AttributeType::String];

const fn unary(id: &'static str, name: &'static str, types: &'static [AttributeType], test: Test) -> FilterOperator {
    let multivalued_comparison_type = "All";
    FilterOperator { id, name, arity: "Unary", multivalued_comparison_type, supported_attribute_types: types, test }
}

const fn binary(
    id: &'static str,
    name: &'static str,
    several: &'static str,
    types: &'static [AttributeType],
    test: Test,
) -> FilterOperator {
    FilterOperator {
        id,
        name,
        arity: "Binary",
        multivalued_comparison_type: several,
        supported_attribute_types: types,
        test,
    }
}

const OPERATORS: &[FilterOperator] = &[
    binary("EQUALS", "equals", "Any", TEXTS, Test::Equals),
    binary("NOT EQUALS", "does not equal", "All", TEXTS, Test::NotEquals),
    unary("IS TRUE", "is true", FLAGS, Test::IsTrue),
    unary("IS FALSE", "is false", FLAGS, Test::IsFalse),
    unary("IS NULL", "has no value", TEXTS, Test::IsNull),
    unary("IS NOT NULL", "has a value", TEXTS, Test::IsNotNull),
    binary("REGEX MATCH", "matches the pattern", "Any", TEXTS, Test::Matches),
    binary("NOT REGEX MATCH", "does not match the pattern", "All", TEXTS, Test::MatchesNot),
    binary("Greater_Than", "is greater than", "Any", NUMBERS, Test::Greater),
    binary("Greater_Than_OR_EQUALS", "is greater than or equals", "Any", NUMBERS, Test::GreaterOrEqual),
    binary("Includes", "contains", "Any", TEXTS, Test::Includes),
    binary("ENDS_WITH", "ends with", "Any", TEXTS, Test::EndsWith),
    binary("&", "has the bits", "Any", NUMBERS, Test::Bits),
    binary("!&", "has not the bits", "All", NUMBERS, Test::NotBits),
    binary("DATE_BEFORE", "is before", "Any", DATES, Test::Before),
    binary("DATE_AFTER", "is after", "Any", DATES, Test::After),
    binary("EQUALS (IGNORE CASE)", "equals, whatever the case", "Any", TEXTS, Test::Equals),
    binary("NOT EQUALS (IGNORE CASE)", "does not equal, whatever the case", "All", TEXTS, Test::NotEquals),
    binary("REGEX MATCH (IGNORE CASE)", "matches the pattern, whatever the case", "Any", TEXTS, Test::Matches),
    binary("NOT REGEX MATCH (IGNORE CASE)", "does not match, whatever the case", "All", TEXTS, Test::MatchesNot),
    binary("Includes (IGNORE CASE)", "contains, whatever the case", "Any", TEXTS, Test::Includes),
    binary("ENDS_WITH (IGNORE CASE)", "ends with, whatever the case", "Any", TEXTS, Test::EndsWith),
];

/// The operators there are.
#[must_use]
pub fn filter_operators() -> &'static [FilterOperator] {
    OPERATORS
}

/// Names are told apart by their letters: `GREATER_THAN`, `Greater_Than` and `greater than` are one.
fn key(name: &str) -> String {
    name.split(['_', ' ']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ").to_uppercase()
}

/// A job's filters, ready to be asked.
#[derive(Debug, Default)]
pub(crate) struct Filters {
    groups: Vec<Vec<Clause>>,
    input_groups: Vec<Vec<Clause>>,
}

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    In,
    Out,
    /// Passed over by the filter at import.
    PassedOver,
}

#[derive(Debug)]
struct Clause {
    path: AttributePath,
    test: Test,
    ignore_case: bool,
    operands: Vec<Operand>,
}

#[derive(Debug)]
enum Operand {
    Text(String),
    Pattern(Box<Pattern>),
    Number(i64),
    Moment(Date),
    /// So many ticks after now.
    FromNow(i64),
}

/// What is wrong with a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unusable {
    pub is_input: bool,
    pub group: usize,
    /// `None` where the group as a whole is meant.
    pub clause: Option<usize>,
    pub message: String,
    pub hint: String,
}

impl Filters {
    pub(crate) fn new(config: &JobConfig) -> (Self, Vec<Unusable>) {
        let mut problems = Vec::new();
        let groups = compiled(config, &config.scope.groups, false, &mut problems);
        let input_groups = compiled(config, &config.scope.input_groups, true, &mut problems);
        (Self { groups, input_groups }, problems)
    }

    /// Where a record stands; `read_clock` is set where that holds for now only.
    pub(crate) fn standing(
        &self,
        record: &Map<String, Json>,
        now: Timestamp,
        read_clock: &Cell<bool>,
    ) -> Result<Standing, Failure> {
        if self.groups.is_empty() && self.input_groups.is_empty() {
            return Ok(Standing::In);
        }
        let asked = Asked { record, now: Date::of(now), read_clock, work: Work::new() };
        let passes = |groups: &[Vec<Clause>]| asked.passes(groups).map_err(|Exploded| exploded());
        if !passes(&self.input_groups)? {
            return Ok(Standing::PassedOver);
        }
        Ok(if passes(&self.groups)? { Standing::In } else { Standing::Out })
    }
}

fn exploded() -> Failure {
    let reason = format!("the scope filter failed: {}", Exploded::WHY);
    Failure::new(Code::ExpressionFailed, None, reason)
}

fn compiled(
    config: &JobConfig,
    groups: &[FilterGroup],
    is_input: bool,
    problems: &mut Vec<Unusable>,
) -> Vec<Vec<Clause>> {
    let mut all = Vec::new();
    for (group, own) in groups.iter().enumerate() {
        let mut refuse = |clause, (message, hint): (String, String)| {
            problems.push(Unusable { is_input, group, clause, message, hint });
        };
        if own.clauses.is_empty() {
            refuse(None, ("the group has no clause".to_owned(), "write one, or remove the group".to_owned()));
        }
        if own.clauses.len() > CLAUSES_MAX {
            let message = format!("the group has more than {CLAUSES_MAX} clauses");
            refuse(None, (message, "use a regular expression for many values".to_owned()));
        }
        let mut clauses = Vec::new();
        for (at, clause) in own.clauses.iter().enumerate().take(CLAUSES_MAX) {
            match compile(config, clause) {
                Ok(clause) => clauses.push(clause),
                Err(why) => refuse(Some(at), why),
            }
        }
        all.push(clauses);
    }
    all
}

/// A clause, or what is wrong with it and what to write instead.
fn compile(config: &JobConfig, clause: &FilterClause) -> Result<Clause, (String, String)> {
    let refuse = |message: String, hint: &str| (message, hint.to_owned());
    let path = attribute::parse(clause.source.as_str()).map_err(|error| {
        let message = format!("'{}' is no source attribute: {error}", clause.source);
        refuse(message, "write it as in userType or name.givenName")
    })?;
    let listed = config.source_attribute(&clause.source);
    let is_list = path.filter.is_none() && scim::is_list(&path);
    if is_list || listed.is_some_and(|attribute| attribute.multivalued) {
        let message = format!("{} may have several values, and filters look at one", clause.source);
        return Err(refuse(message, "name one of them, as in emails[type eq \"work\"].value"));
    }
    let wanted = key(&clause.operator);
    let found = OPERATORS.iter().find(|operator| key(operator.id) == wanted);
    let Some(operator) = found else {
        let near = Some(&clause.operator).filter(|operator| operator.len() > 2);
        let near = near.and_then(|operator| nearest(operator, OPERATORS.iter().map(|operator| operator.id)));
        let all = || OPERATORS.iter().map(|operator| operator.id).collect::<Vec<_>>().join(", ");
        let hint = near.map_or_else(|| format!("write one of {}", all()), |near| format!("did you mean {near}?"));
        return Err((format!("there is no operator '{}'", clause.operator), hint));
    };
    let ignore_case = operator.id.ends_with(IGNORE_CASE);
    if operator.arity == "Unary" {
        return Ok(Clause { path, test: operator.test, ignore_case, operands: Vec::new() });
    }
    if clause.values.is_empty() {
        let message = format!("{} on {} has nothing to compare with", operator.id, clause.source);
        return Err(refuse(message, "write a value into targetOperand.values"));
    }
    let operand = |value: &String| operand(operator.test, ignore_case, value);
    let operands = clause.values.iter().map(operand).collect::<Result<_, _>>()?;
    Ok(Clause { path, test: operator.test, ignore_case, operands })
}

fn operand(test: Test, ignore_case: bool, value: &str) -> Result<Operand, (String, String)> {
    match test {
        Test::Matches | Test::MatchesNot => {
            let pattern = if ignore_case { format!("(?i){value}") } else { value.to_owned() };
            Pattern::new(&pattern)
                .map(|pattern| Operand::Pattern(Box::new(pattern)))
                .map_err(|why| (format!("the pattern '{value}' cannot be used: {why}"), PATTERN_HINT.to_owned()))
        }
        Test::Greater | Test::GreaterOrEqual | Test::Bits | Test::NotBits => {
            value.trim().parse().map(Operand::Number).map_err(|_| {
                (format!("'{value}' is no whole number"), "compare with a whole number, as in 100".to_owned())
            })
        }
        Test::Before | Test::After => moment(value.trim()).ok_or_else(|| {
            let hint = "write now, now+10d, now-2w, now+12h, or a date such as 2026-01-31";
            (format!("'{value}' is no moment"), hint.to_owned())
        }),
        _ if ignore_case => Ok(Operand::Text(value.to_lowercase())),
        _ => Ok(Operand::Text(value.to_owned())),
    }
}

/// `now`, `now+10d`, or a date.
fn moment(text: &str) -> Option<Operand> {
    let Some(offset) = text.get(..3).filter(|start| start.eq_ignore_ascii_case("now")).and_then(|_| text.get(3..))
    else {
        return recognise::recognise(text, None).map(|(date, _)| Operand::Moment(date));
    };
    let offset = offset.trim();
    if offset.is_empty() {
        return Some(Operand::FromNow(0));
    }
    let sign = match offset.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let digits = offset[1..].trim();
    let unit = digits.chars().last()?;
    let seconds = match unit {
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    let count: i64 = digits.strip_suffix(unit)?.trim_end().parse().ok().filter(|count| *count >= 0)?;
    count.checked_mul(seconds)?.checked_mul(TICKS_PER_SECOND)?.checked_mul(sign).map(Operand::FromNow)
}

struct Asked<'a> {
    record: &'a Map<String, Json>,
    now: Date,
    read_clock: &'a Cell<bool>,
    work: Work,
}

impl Asked<'_> {
    /// Whoever passes a group passes; no group holds nobody back.
    fn passes(&self, groups: &[Vec<Clause>]) -> Result<bool, Exploded> {
        for group in groups {
            if self.holds_all(group)? {
                return Ok(true);
            }
        }
        Ok(groups.is_empty())
    }

    fn holds_all(&self, clauses: &[Clause]) -> Result<bool, Exploded> {
        for clause in clauses {
            if !self.holds(clause)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn holds(&self, clause: &Clause) -> Result<bool, Exploded> {
        let value = Value::of(&scim::find(self.record, &clause.path));
        let several = matches!(&value, Value::List(values) if values.len() > 1);
        if value.is_null_or_empty() {
            return Ok(clause.test == Test::IsNull);
        }
        let text = value.text().unwrap_or_default();
        let text = if clause.ignore_case { text.to_lowercase().into() } else { text };
        let negated = match clause.test {
            Test::IsNull => return Ok(false),
            Test::IsNotNull => return Ok(true),
            // Filters look at one value.
            _ if several => return Ok(false),
            Test::IsTrue => return Ok(text.eq_ignore_ascii_case("true")),
            Test::IsFalse => return Ok(text.eq_ignore_ascii_case("false")),
            Test::NotEquals | Test::MatchesNot | Test::NotBits => true,
            _ => false,
        };
        let number = text.trim().parse::<i64>().ok();
        // What is no number has no bits to lack.
        if clause.test == Test::NotBits && number.is_none() {
            return Ok(false);
        }
        for operand in &clause.operands {
            let holds = match operand {
                Operand::Pattern(pattern) => pattern.is_match(&text, &self.work)?,
                Operand::Text(wanted) => match clause.test {
                    Test::Includes => text.contains(wanted.as_str()),
                    Test::EndsWith => text.ends_with(wanted.as_str()),
                    _ => text == wanted.as_str(),
                },
                Operand::Number(wanted) => number.is_some_and(|number| match clause.test {
                    Test::Greater => number > *wanted,
                    Test::GreaterOrEqual => number >= *wanted,
                    _ => number & *wanted == *wanted,
                }),
                Operand::Moment(moment) => falls(clause.test, &text, Some(*moment)),
                Operand::FromNow(ticks) => {
                    self.read_clock.set(true);
                    falls(clause.test, &text, self.now.plus(*ticks))
                }
            };
            if holds {
                return Ok(!negated);
            }
        }
        Ok(negated)
    }
}

/// Whether a date falls before or after a moment; what is no date does neither.
fn falls(test: Test, value: &str, moment: Option<Date>) -> bool {
    let found = recognise::recognise(value, None).map(|(date, _)| date.ticks());
    found.zip(moment.map(Date::ticks)).is_some_and(|(found, moment)| match test {
        Test::Before => found < moment,
        _ => found > moment,
    })
}

#[cfg(test)]
mod tests;
