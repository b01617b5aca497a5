//! The last value wins.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_model::Code;
use serde_json::Value;

use super::{History, Operation, Violation, folded};

/// Where a value stands in a record, and the attribute that it becomes unchanged.
const PLAIN: &[(&str, &str)] = &[
    ("/title", "title"),
    ("/displayName", "displayName"),
    ("/name/givenName", "givenName"),
    ("/name/familyName", "sn"),
    ("/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/department", "department"),
];
/// Stands for the state of the account.
const ENABLED: &str = "enabled";

/// A value that was sent, when, and what became of it.
struct Wanted<'a> {
    value: Option<String>,
    began: u64,
    accepted: u64,
    index: usize,
    operation: Option<&'a Operation>,
}

/// Complains about each attribute whose value is not that of a last operation.
pub(super) fn last_wins(history: &History) -> Vec<Violation> {
    let mut wanted: BTreeMap<(String, &str), Vec<Wanted<'_>>> = BTreeMap::new();
    for sent in &history.sent {
        let upload = history.uploads.iter().find(|upload| upload.id == sent.upload);
        for (index, record) in sent.records.iter().enumerate() {
            let Some(person) = record["externalId"].as_str().map(folded) else { continue };
            let operation = upload.and_then(|upload| upload.operations.get(index));
            let mut want = |attribute: &'static str, value: Option<String>| {
                let (began, accepted) = (sent.began, sent.accepted);
                let all = wanted.entry((person.clone(), attribute)).or_default();
                all.push(Wanted { value, began, accepted, index, operation });
            };
            for (pointer, attribute) in PLAIN {
                // Null and "" leave alone as shipped.
                if let Some(text) = record.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty()) {
                    want(attribute, Some(text.to_owned()));
                }
            }
            if let Some(active) = record.get("active").and_then(truth) {
                want(ENABLED, Some(active.to_string()));
            }
        }
    }
    wanted.iter().filter_map(|((person, attribute), all)| verdict(history, person, attribute, all)).collect()
}

/// JSON booleans, and their texts in any case.
pub(super) fn truth(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| value.as_str()?.to_lowercase().parse().ok())
}

fn verdict(history: &History, person: &str, attribute: &str, all: &[Wanted<'_>]) -> Option<Violation> {
    let object = history.objects.iter().find(|object| folded(&object.person) == person)?;
    let later = |one: &Wanted<'_>, other: &Wanted<'_>| {
        let same_request = one.accepted == other.accepted && one.began == other.began;
        one.began > other.accepted || (same_request && one.index > other.index)
    };
    let last: Vec<&Wanted<'_>> = all.iter().filter(|one| !all.iter().any(|other| later(other, one))).collect();
    // Refused, failed, or left as somebody else set it: the log says why, and the old value stays.
    if last.iter().any(|one| one.operation.is_none_or(has_excuse)) {
        return None;
    }
    let expected: BTreeSet<Option<String>> = last.iter().map(|one| one.value.clone()).collect();
    let found = if attribute == ENABLED {
        let control =
            object.attributes.get("userAccountControl").and_then(|values| values.first()?.parse::<u32>().ok());
        // 0x2: disabled.
        control.map(|control| (control & 0x2 == 0).to_string())
    } else {
        object.attributes.get(attribute).and_then(|values| values.first()).cloned()
    };
    let (person, attribute) = (person.to_owned(), attribute.to_owned());
    (!expected.contains(&found)).then_some(Violation::Overwritten { person, attribute, expected, found })
}

fn has_excuse(operation: &Operation) -> bool {
    let excuses = [Code::AttributeRefused, Code::AccountFoundDisabled, Code::Drift];
    operation.state == "failed"
        || operation.code.as_deref().is_some_and(|code| excuses.iter().any(|it| it.as_str() == code))
}
