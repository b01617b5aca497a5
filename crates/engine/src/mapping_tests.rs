//! Runs the tests that stand beside a job's mappings.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_model::desired::{DesiredAccount, DesiredState};
use rollcall_model::ids::{ObjectGuid, PersonId};
use rollcall_model::mapping_test::{ExpectedOutcome, MappingTest, TestFailure};
use rollcall_model::operation::Method;
use rollcall_model::person::{Confirmed, Link, Person};
use rollcall_model::{Code, Timestamp, config::target, fold_taken};
use rollcall_syntax::moment;
use serde_json::Value;
use uuid::Uuid;

use crate::evaluate::{Evaluated, Evaluation, Prepared, Surroundings, evaluate};
use crate::expression::record_of;
use crate::merge::{Incoming, Merge, merge};
use crate::scim;

/// The key of a record that brings none.
const MADE_UP_KEY: &str = "1";

/// What became of a target.
#[derive(Debug, PartialEq, Eq)]
enum Got {
    Values(Vec<String>),
    Cleared,
}

/// Runs every test; whatever fails is told.
#[must_use]
pub fn run(prepared: &Prepared, tests: &[MappingTest]) -> Vec<TestFailure> {
    let mut failures = Vec::new();
    let mut names = BTreeSet::new();
    for test in tests {
        if !names.insert(test.name.as_str()) {
            failures.push(whole(test, "a name of its own", "another test has the same name"));
        }
        failures.extend(one(prepared, test));
    }
    failures
}

fn whole(test: &MappingTest, expected: &str, got: impl Into<String>) -> TestFailure {
    TestFailure { test: test.name.clone(), target: None, expected: expected.to_owned(), got: got.into() }
}

fn one(prepared: &Prepared, test: &MappingTest) -> Vec<TestFailure> {
    let now = match test.now.as_deref().map(moment::parse_us) {
        None => Timestamp(0),
        Some(Some(now)) => Timestamp(now),
        Some(None) => return vec![whole(test, "a moment in now, as in 2026-01-15T09:30:00Z", "it cannot be read")],
    };
    let person = match person(test) {
        Ok(person) => person,
        Err((code, reason)) => return outcome(test, ExpectedOutcome::Failed, Some(code), &reason),
    };
    // One and the same on every machine: a test is to fail for its mappings alone.
    let surroundings = Surroundings { now, manager_link: None, secret: &[0; 32], reserved: &BTreeMap::new() };
    let Evaluated { evaluation, read_clock } = evaluate(prepared, &person, &surroundings);
    if read_clock && test.now.is_none() {
        return vec![whole(test, "a moment in now", "its mappings read the clock and it says no moment")];
    }
    match evaluation {
        Evaluation::Skip(code, _) => outcome(test, ExpectedOutcome::Skipped, Some(code), code.as_str()),
        Evaluation::Fail(failure, _) => outcome(test, ExpectedOutcome::Failed, Some(failure.code), &failure.reason),
        Evaluation::Send(state) => match &state.failure {
            Some(failure) => outcome(test, ExpectedOutcome::Failed, Some(failure.code), &failure.reason),
            None if test.outcome == ExpectedOutcome::Provisioned => values(test, &state),
            None => outcome(test, ExpectedOutcome::Provisioned, None, "the person is provisioned"),
        },
    }
}

/// The person of a test, merged as an upload would be.
fn person(test: &MappingTest) -> Result<Person, (Code, String)> {
    let mut record = record_of(&test.record);
    if scim::member(&record, "externalId").is_none() {
        record.insert("externalId".to_owned(), Value::String(MADE_UP_KEY.to_owned()));
    }
    let key = scim::member(&record, "externalId").and_then(Value::as_str).unwrap_or_default().to_owned();
    let empty = Person::new(PersonId(Uuid::nil()), &key);
    let person = match merge(&empty, &Incoming { method: Method::Post, data: &record }) {
        Merge::Accepted { person, .. } => person,
        Merge::Rejected { failure, .. } => return Err((failure.code, failure.reason)),
    };
    if !test.existing {
        return Ok(person);
    }
    let link = Link { guid: ObjectGuid(Uuid::nil()), confirmed: true, invocation_id: None, usn_changed: None };
    let confirmed = Confirmed { enabled: Some(true), in_scope: Some(true), ..Confirmed::default() };
    Ok(Person { link: Some(link), confirmed: Some(confirmed), ..person })
}

/// Holds a person who was not provisioned, or should not have been, against the test.
fn outcome(test: &MappingTest, got: ExpectedOutcome, code: Option<Code>, reason: &str) -> Vec<TestFailure> {
    let name = |outcome| match outcome {
        ExpectedOutcome::Provisioned => "provisioned",
        ExpectedOutcome::Skipped => "skipped",
        ExpectedOutcome::Failed => "failed",
    };
    if got == test.outcome && (test.code.is_none() || test.code == code) {
        return Vec::new();
    }
    let with = |code: Option<Code>| code.map_or_else(String::new, |code| format!(" with {}", code.as_str()));
    let expected = format!("{}{}", name(test.outcome), with(test.code));
    vec![whole(test, &expected, format!("{}{}: {reason}", name(got), with(code)))]
}

fn values(test: &MappingTest, state: &DesiredState) -> Vec<TestFailure> {
    let got = targets(state, &test.taken);
    let mut failures = Vec::new();
    for (target, expected) in &test.expected {
        let got = got.get(&target.to_lowercase());
        if !fits(expected, got) {
            failures.push(TestFailure {
                test: test.name.clone(),
                target: Some(target.clone()),
                expected: match expected {
                    Value::Null => "nothing is written".to_owned(),
                    Value::Array(values) if values.is_empty() => "cleared".to_owned(),
                    other => other.to_string(),
                },
                got: match got {
                    None => "nothing is written".to_owned(),
                    Some(Got::Cleared) => "cleared".to_owned(),
                    Some(Got::Values(values)) => shown(values),
                },
            });
        }
    }
    failures
}

/// As a test would write it.
fn shown(values: &[String]) -> String {
    let mut texts: Vec<Value> = values.iter().map(|value| Value::String(value.clone())).collect();
    if texts.len() == 1 { texts.remove(0).to_string() } else { Value::Array(texts).to_string() }
}

/// By target, lower case: what a desired state makes of each.
fn targets(state: &DesiredState, taken: &[String]) -> BTreeMap<String, Got> {
    let taken: BTreeSet<String> = taken.iter().map(|value| fold_taken(value)).collect();
    let mut got = BTreeMap::new();
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            got.insert(name.to_lowercase(), Got::Values(vec![value]));
        }
    };
    let disabled = if state.account == DesiredAccount::Disabled { "True" } else { "False" };
    put(target::ACCOUNT_DISABLED, Some(disabled.to_owned()));
    let is_new = state.link.is_none();
    let container = &state.container;
    let default = container.default.clone().filter(|_| is_new);
    put(target::PARENT, container.mapped.clone().or(default));
    put(target::CN, state.cn.clone().filter(|_| is_new || state.rename.is_some()));
    put(target::MANAGER, state.manager.as_ref().map(|manager| manager.external_id.clone()));
    for unique in &state.unique {
        let free = unique.candidates.iter().find(|candidate| !taken.contains(&fold_taken(candidate)));
        put(&unique.name, free.cloned());
    }
    for attribute in &state.attributes {
        let values = attribute.values.clone();
        let value = if values.is_empty() { Got::Cleared } else { Got::Values(values) };
        got.insert(attribute.name.to_lowercase(), value);
    }
    got
}

/// Whether a target became what the test says. The order of values does not matter: to a directory they are a set.
fn fits(expected: &Value, got: Option<&Got>) -> bool {
    let wanted = match (expected, got) {
        (Value::Null, got) => return got.is_none(),
        (Value::Array(values), Some(Got::Cleared)) => return values.is_empty(),
        (_, None | Some(Got::Cleared)) => return false,
        (Value::Array(values), _) => values.as_slice(),
        (one, _) => std::slice::from_ref(one),
    };
    let Some(Got::Values(values)) = got else { return false };
    let is = |value: &Value, text: &String| match value {
        Value::String(wanted) => wanted == text,
        Value::Bool(wanted) => wanted.to_string().eq_ignore_ascii_case(text),
        other => format!("{other}") == *text,
    };
    wanted.len() == values.len()
        && wanted.iter().all(|wanted| values.iter().any(|value| is(wanted, value)))
        && values.iter().all(|value| wanted.iter().any(|wanted| is(wanted, value)))
}

#[cfg(test)]
mod tests;
