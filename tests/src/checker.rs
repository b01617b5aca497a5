//! Did a history keep its promises? A pure function over what was sent, what the service says, and what stands in the
//! directory.
//!
//! 1. Each accepted operation is final, and counted as the state it has.
//! 2. A person has one object at most, and one exactly where an operation made or changed it, or must have: where none
//!    failed, and none said that the person is not active.
//! 3. The last value wins, where the order is promised: when the later request was sent after the earlier one's 202.
//! 4. Each change that reached the directory is in the log exactly once, and the log holds nothing else.

mod changes;
#[cfg(test)]
mod tests;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

/// All that was observed from outside.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Requests that were answered with 202.
    pub sent: Vec<Sent>,
    /// Their status, read when all was done.
    pub uploads: Vec<Upload>,
    /// Every log row of the job, in any order.
    pub log: Vec<LogRow>,
    /// Every object that carries a matching value.
    pub objects: Vec<Object>,
    /// Persons whose accounts were made by hand.
    pub by_hand: BTreeSet<String>,
}

/// One accepted request.
#[derive(Clone, Debug)]
pub struct Sent {
    pub upload: String,
    /// Ticks of the sender's own count: when it began to send, and when it had the 202.
    pub began: u64,
    pub accepted: u64,
    /// `data` of each operation.
    pub records: Vec<Value>,
}

/// An upload's status as the service tells it.
#[derive(Clone, Debug)]
pub struct Upload {
    pub id: String,
    pub counts: BTreeMap<String, u64>,
    pub operations: Vec<Operation>,
}

/// One operation's status.
#[derive(Clone, Debug)]
pub struct Operation {
    pub external_id: Option<String>,
    pub state: String,
    pub code: Option<String>,
    pub log_ids: Vec<String>,
}

/// One row of the provisioning log.
#[derive(Clone, Debug)]
pub struct LogRow {
    pub id: String,
    pub external_id: String,
    /// objectGUID of the directory's object, lower case, with dashes; `None` where there is none.
    pub object: Option<String>,
    pub action: String,
    pub status: String,
    pub changes: Vec<Change>,
}

/// One attribute's change as the log tells it.
#[derive(Clone, Debug)]
pub struct Change {
    pub attribute: String,
    pub old: Option<String>,
    pub new: Option<String>,
}

/// One object of the directory.
#[derive(Clone, Debug)]
pub struct Object {
    /// objectGUID, lower case, with dashes.
    pub guid: String,
    pub dn: String,
    /// The matching attribute's value.
    pub person: String,
    /// Values by attribute name.
    pub attributes: BTreeMap<String, Vec<String>>,
    /// How many values of each attribute were taken and given, from the directory's own bookkeeping: Samba raises an
    /// attribute's version by one for each, so by two for a value that is replaced. Empty where it keeps none.
    pub writes: BTreeMap<String, u32>,
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Violation {
    NoStatus {
        upload: String,
    },
    Lost {
        upload: String,
        sent: usize,
        known: usize,
    },
    NotFinal {
        upload: String,
        index: usize,
        state: String,
    },
    WrongCounts {
        upload: String,
    },
    NoLogRow {
        upload: String,
        index: usize,
        id: Option<String>,
    },
    SeveralObjects {
        person: String,
        number: usize,
    },
    NoObject {
        person: String,
    },
    Overwritten {
        person: String,
        attribute: String,
        expected: BTreeSet<Option<String>>,
        found: Option<String>,
    },
    SameRowTwice {
        id: String,
    },
    /// An account of which no row says that it was made.
    NoCreate {
        person: String,
    },
    SeveralCreates {
        person: String,
        number: usize,
    },
    /// The log's changes do not lead to the value that stands there: one is missing, one too many, or one is untrue.
    BrokenChain {
        person: String,
        object: String,
        attribute: String,
        why: String,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Every broken promise; an empty list where all were kept.
#[must_use]
pub fn check(history: &History) -> Vec<Violation> {
    let mut out = operations(history);
    out.extend(objects(history));
    out.extend(values::last_wins(history));
    out.extend(changes::exactly_once(history));
    out.sort();
    out
}

/// Texts of the states that are final.
const FINAL: &[&str] = &["done", "skipped", "failed", "superseded"];

fn operations(history: &History) -> Vec<Violation> {
    let rows: BTreeSet<&str> = history.log.iter().map(|row| row.id.as_str()).collect();
    let mut out = Vec::new();
    for sent in &history.sent {
        let Some(upload) = history.uploads.iter().find(|upload| upload.id == sent.upload) else {
            out.push(Violation::NoStatus { upload: sent.upload.clone() });
            continue;
        };
        let id = || upload.id.clone();
        if upload.operations.len() != sent.records.len() {
            let (sent, known) = (sent.records.len(), upload.operations.len());
            out.push(Violation::Lost { upload: id(), sent, known });
        }
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for (index, operation) in upload.operations.iter().enumerate() {
            *counts.entry(operation.state.clone()).or_default() += 1;
            if !FINAL.contains(&operation.state.as_str()) {
                out.push(Violation::NotFinal { upload: id(), index, state: operation.state.clone() });
            }
            // Whatever became of it, the log says so.
            if operation.state != "superseded" && operation.log_ids.is_empty() {
                out.push(Violation::NoLogRow { upload: id(), index, id: None });
            }
            for row in operation.log_ids.iter().filter(|row| !rows.contains(row.as_str())) {
                out.push(Violation::NoLogRow { upload: id(), index, id: Some(row.clone()) });
            }
        }
        let told = upload.counts.iter().filter(|(_, number)| **number > 0);
        if counts != told.map(|(state, number)| (state.clone(), *number)).collect() {
            out.push(Violation::WrongCounts { upload: id() });
        }
    }
    out
}

fn objects(history: &History) -> Vec<Violation> {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for object in &history.objects {
        *found.entry(folded(&object.person)).or_default() += 1;
    }
    let several = found.iter().filter(|(_, number)| **number > 1);
    let mut out: Vec<Violation> =
        several.map(|(person, number)| Violation::SeveralObjects { person: person.clone(), number: *number }).collect();
    let persons: BTreeMap<String, Vec<Told<'_>>> = told(history);
    let gone = persons.into_iter().filter(|(person, told)| !found.contains_key(person) && must_be_there(told));
    out.extend(gone.map(|(person, _)| Violation::NoObject { person }));
    out
}

/// A record that was sent, and what became of it.
type Told<'a> = (&'a Value, &'a Operation);

/// All of them, by person.
fn told(history: &History) -> BTreeMap<String, Vec<Told<'_>>> {
    let mut out: BTreeMap<String, Vec<Told<'_>>> = BTreeMap::new();
    for sent in &history.sent {
        let Some(upload) = history.uploads.iter().find(|upload| upload.id == sent.upload) else { continue };
        for told in sent.records.iter().zip(&upload.operations) {
            if let Some(person) = told.0["externalId"].as_str() {
                out.entry(folded(person)).or_default().push(told);
            }
        }
    }
    out
}

/// Who was written to, and who was never refused nor said to have left.
fn must_be_there(told: &[Told<'_>]) -> bool {
    let stayed = |record: &Value| record.get("active").and_then(values::truth) != Some(false);
    told.iter().any(|(_, operation)| operation.state == "done")
        || told.iter().all(|(record, operation)| operation.state != "failed" && stayed(record))
}

/// Persons are compared without case.
fn folded(external_id: &str) -> String {
    external_id.to_lowercase()
}
