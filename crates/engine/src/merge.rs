//! An operation into its person: checked as a whole, then merged member by member, or not at all.

mod check;
mod record;

use rollcall_model::limits::{EXTERNAL_ID_CHARS_MAX, JSON_DEPTH_MAX, PERSON_BYTES_MAX};
use rollcall_model::operation::Method;
use rollcall_model::person::Person;
use rollcall_model::plan::{Failure, Warning};
use rollcall_model::{Code, fold};
use serde_json::{Map, Value};

use crate::scim;

/// What an operation brings.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    pub method: Method,
    /// The operation's `data`: a SCIM user resource.
    pub data: &'a Map<String, Value>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Merge {
    Accepted {
        person: Person,
        warnings: Vec<Warning>,
    },
    /// The operation ends failed and changes nothing.
    Rejected {
        failure: Failure,
        /// The person with `active` false merged and nothing else, where that much of the operation was right: a
        /// leaver is disabled whatever else is wrong.
        disable: Option<Person>,
    },
}

/// Whether an operation still has a say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survival {
    /// Later operations replaced every value of it.
    Nothing,
    Something,
}

/// The `externalId` of an operation's data. A failure's pointer is relative to the data.
pub fn external_id(data: &Value) -> Result<String, Failure> {
    const AT: Option<&str> = Some("/externalId");
    let broken = |reason: &str| Err(Failure::new(Code::AttributeValidationFailed, AT, reason));
    let Value::Object(object) = data else {
        let reason = "data is no JSON object; send one user resource";
        return Err(Failure::new(Code::AttributeValidationFailed, Some(""), reason));
    };
    match scim::member(object, "externalId") {
        None | Some(Value::Null) => broken("externalId is missing; send the person's key in the source system"),
        Some(Value::Number(_)) => broken("externalId is a number; send it as a text, with its leading zeros"),
        Some(Value::String(text)) if text.trim().is_empty() => {
            broken("externalId is empty; send the person's key in the source system")
        }
        Some(Value::String(text)) if text.chars().count() > EXTERNAL_ID_CHARS_MAX => {
            broken(&format!("externalId is longer than {EXTERNAL_ID_CHARS_MAX} characters; send a shorter key"))
        }
        Some(Value::String(text)) if text.chars().any(char::is_control) => {
            broken("externalId holds a control character; remove it in the source")
        }
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => broken("externalId is no text; send the person's key in the source system as a text"),
    }
}

/// Whether a text can be anybody's `externalId`: [`external_id`] takes it.
pub(crate) fn is_possible_key(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= EXTERNAL_ID_CHARS_MAX && !text.chars().any(char::is_control)
}

/// Merges an operation into its person (semantics `merge`, `active`, `broken-record`). Nothing is merged in part.
#[must_use]
pub fn merge(person: &Person, incoming: &Incoming<'_>) -> Merge {
    if incoming.method == Method::Delete {
        let mut next = raised(person);
        next.pending.method = Method::Delete;
        return Merge::Accepted { person: next, warnings: Vec::new() };
    }
    match accept(person, incoming.data) {
        Ok((person, warnings)) => Merge::Accepted { person, warnings },
        Err(failure) => Merge::Rejected { failure, disable: disabled(person, incoming.data) },
    }
}

/// Whether any value of an operation is still in the merged record. An operation that brought none beside its
/// `externalId` is never superseded by values.
#[must_use]
pub fn survives(data: &Map<String, Value>, record: &Map<String, Value>) -> Survival {
    let mut values = data
        .iter()
        .filter(|(name, _)| !scim::is_dropped(name) && !name.eq_ignore_ascii_case("externalId"))
        .filter(|(name, value)| !(name.eq_ignore_ascii_case("active") && value.is_null()))
        .peekable();
    if values.peek().is_none() {
        return Survival::Something;
    }
    let stands = |(name, value): (&String, &Value)| {
        scim::member(record, name).is_some_and(|now| record::stands(name, value, now))
    };
    if values.any(stands) { Survival::Something } else { Survival::Nothing }
}

fn accept(person: &Person, data: &Map<String, Value>) -> Result<(Person, Vec<Warning>), Failure> {
    let external_id = same_person(person, data)?;
    if depth_exceeds(data, JSON_DEPTH_MAX) {
        let reason = format!("the record is nested deeper than {JSON_DEPTH_MAX} levels; send a flatter one");
        return Err(Failure::new(Code::AttributeValidationFailed, Some(""), reason));
    }
    check::record(data)?;
    let mut next = raised(person);
    next.external_id = external_id;
    next.pending.method = Method::Post;
    let warnings = record::merge(&mut next.record, data, &mut next.pending.touched);
    next.record.insert("externalId".to_owned(), Value::String(next.external_id.clone()));
    if next.record.get("active") == Some(&Value::Bool(false)) && next.pending.touched.contains("active") {
        next.pending.was_inactive = true;
    }
    let bytes = bytes_of(&next.record);
    if bytes > PERSON_BYTES_MAX {
        let reason = format!("the merged record has {bytes} bytes, {PERSON_BYTES_MAX} are allowed; send less");
        return Err(Failure::new(Code::RecordTooLarge, None, reason));
    }
    Ok((next, warnings))
}

/// The data's `externalId`, which must be this person's.
fn same_person(person: &Person, data: &Map<String, Value>) -> Result<String, Failure> {
    // Borrowing the map as a value would need a copy of the record; only the one member matters here.
    let only: Map<String, Value> = scim::member(data, "externalId")
        .map(|value| [("externalId".to_owned(), value.clone())].into_iter().collect())
        .unwrap_or_default();
    let found = external_id(&Value::Object(only))?;
    if fold(&found) == fold(&person.external_id) {
        return Ok(found);
    }
    let reason = "externalId belongs to another person";
    Err(Failure::new(Code::AttributeValidationFailed, Some("/externalId"), reason))
}

/// The person with `active` false alone, if a rejected operation said so and is surely this person's.
fn disabled(person: &Person, data: &Map<String, Value>) -> Option<Person> {
    let external_id = same_person(person, data).ok()?;
    if !says_inactive(data) {
        return None;
    }
    let mut next = raised(person);
    next.external_id.clone_from(&external_id);
    next.pending.method = Method::Post;
    next.pending.was_inactive = true;
    next.pending.touched.insert("active".to_owned());
    next.record.insert("externalId".to_owned(), Value::String(external_id));
    next.record.insert("active".to_owned(), Value::Bool(false));
    Some(next)
}

/// Whether `active` is false, at the top or, as some clients send it, under the core schema's URN.
fn says_inactive(data: &Map<String, Value>) -> bool {
    let is_false = |object| scim::member(object, "active").and_then(check::flag) == Some(false);
    is_false(data) || data.iter().any(|(name, value)| scim::is_core(name) && value.as_object().is_some_and(is_false))
}

fn raised(person: &Person) -> Person {
    let mut next = person.clone();
    next.version.0 = next.version.0.saturating_add(1);
    next
}

/// Length of the record as JSON, without making the text.
fn bytes_of(record: &Map<String, Value>) -> usize {
    struct Counter(usize);
    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    match serde_json::to_writer(&mut counter, record) {
        Ok(()) => counter.0,
        Err(_) => usize::MAX,
    }
}

/// Whether the record is nested deeper than `levels`. Looks no deeper than that, so it cannot itself run deep.
fn depth_exceeds(data: &Map<String, Value>, levels: usize) -> bool {
    fn deeper(value: &Value, levels: usize) -> bool {
        match value {
            Value::Object(_) | Value::Array(_) if levels == 0 => true,
            Value::Object(object) => object.values().any(|value| deeper(value, levels - 1)),
            Value::Array(elements) => elements.iter().any(|value| deeper(value, levels - 1)),
            _ => false,
        }
    }
    data.values().any(|value| deeper(value, levels.saturating_sub(1)))
}

#[cfg(test)]
mod tests;
