//! Each change of the directory is in the log exactly once.
//!
//! The log's changes of one attribute of one object are arrows from old to new value. Whatever their order, they form
//! one way that ends at the value that stands there, and only then: a row that is missing, doubled or untrue leaves a
//! value that is entered more or less often than left. Changes that cancel out, lost together, would not show; for
//! those the directory's own count of writes is compared, where it keeps one. The manager is no such way: a DN changes
//! with the account it names.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_model::Dn;

use super::{Change, History, LogRow, Object, Violation, folded};

/// What has one value, and is written by nobody but Rollcall: attributes, the account's state, the container.
const TRACKED: &[&str] =
    &["title", "displayName", "givenName", "sn", "department", "company", "division", "mail", DISABLED, PARENT];
/// Stands for a bit of userAccountControl.
const DISABLED: &str = "accountDisabled";
/// Stands for the DN without its first part.
const PARENT: &str = "parentDistinguishedName";

/// Complains about rows and chains.
pub(super) fn exactly_once(history: &History) -> Vec<Violation> {
    let mut out = Vec::new();
    let mut ids = BTreeSet::new();
    let doubled = history.log.iter().filter(|row| !ids.insert(row.id.as_str()));
    out.extend(doubled.map(|row| Violation::SameRowTwice { id: row.id.clone() }));

    let mut creates: BTreeMap<String, usize> = BTreeMap::new();
    for row in history.log.iter().filter(|row| is_written(row) && row.action == "create") {
        *creates.entry(folded(&row.external_id)).or_default() += 1;
    }
    let several = creates.iter().filter(|(_, number)| **number > 1);
    out.extend(several.map(|(person, number)| Violation::SeveralCreates { person: person.clone(), number: *number }));

    for object in &history.objects {
        // Of an account whose add was answered and which was not seen before the connection broke, the row has a name.
        let is_of = |row: &LogRow| match &row.object {
            Some(guid) => *guid == object.guid,
            None => row.action == "create" && folded(&row.external_id) == folded(&object.person),
        };
        let rows: Vec<&LogRow> = history.log.iter().filter(|row| is_written(row) && is_of(row)).collect();
        let is_ours = rows.iter().any(|row| row.action == "create");
        if !is_ours && !history.by_hand.contains(&folded(&object.person)) {
            out.push(Violation::NoCreate { person: folded(&object.person) });
        }
        for attribute in TRACKED {
            let changes = rows.iter().flat_map(|row| &row.changes);
            let changes: Vec<&Change> =
                changes.filter(|change| change.attribute.eq_ignore_ascii_case(attribute)).collect();
            if let Some(why) = broken(object, attribute, &changes, is_ours) {
                let (person, object) = (folded(&object.person), object.dn.clone());
                out.push(Violation::BrokenChain { person, object, attribute: (*attribute).to_owned(), why });
            }
        }
    }
    out
}

/// Whether the row tells of something that reached the directory.
fn is_written(row: &LogRow) -> bool {
    matches!(row.status.as_str(), "success" | "warning") && !row.changes.is_empty()
}

/// What stands there, as the log writes it; empty where nothing does.
fn current(object: &Object, attribute: &str) -> String {
    let plain = |name: &str| object.attributes.get(name).and_then(|values| values.first()).cloned();
    match attribute {
        DISABLED => plain("userAccountControl").and_then(|bits| bits.parse::<u32>().ok()).map(|bits| {
            // 0x2: disabled.
            if bits & 0x2 != 0 { "True".to_owned() } else { "False".to_owned() }
        }),
        PARENT => Dn::from_directory(&object.dn).parent().map(|parent| parent.as_str().to_owned()),
        _ => plain(attribute),
    }
    .unwrap_or_default()
}

/// Why the changes do not explain the object's value; `None` where they do.
fn broken(object: &Object, attribute: &str, changes: &[&Change], is_ours: bool) -> Option<String> {
    let current = current(object, attribute);
    let current = current.as_str();
    if changes.is_empty() {
        let unexplained = is_ours && !current.is_empty();
        return unexplained.then(|| format!("'{current}' stands there and no row tells of it"));
    }
    // How much oftener a value is entered than left.
    let mut balance: BTreeMap<&str, i64> = BTreeMap::new();
    for change in changes {
        let (old, new) = (change.old.as_deref().unwrap_or(""), change.new.as_deref().unwrap_or(""));
        if old == new {
            return Some(format!("a row tells of a change from '{old}' to itself"));
        }
        *balance.entry(old).or_default() -= 1;
        *balance.entry(new).or_default() += 1;
    }
    *balance.entry(current).or_default() -= 1;
    // The way begins where the object began: with nothing, where we made it; else anywhere, once.
    if is_ours {
        *balance.entry("").or_default() += 1;
    } else if let Some(start) = balance.iter().find(|(_, sum)| **sum == -1).map(|(value, _)| *value) {
        *balance.entry(start).or_default() += 1;
    }
    if let Some((value, sum)) = balance.iter().find(|(_, sum)| **sum != 0) {
        return Some(format!("'{value}' is entered {sum:+} times oftener than left; '{current}' stands there"));
    }
    let told: usize =
        changes.iter().map(|change| usize::from(change.old.is_some()) + usize::from(change.new.is_some())).sum();
    let writes = object.writes.get(attribute).map(|writes| *writes as usize);
    match writes {
        Some(writes) if is_ours && writes != told => {
            Some(format!("the directory counts {writes} values taken and given, the log {told}"))
        }
        _ => None,
    }
}
