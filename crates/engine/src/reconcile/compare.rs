//! When are two values the same, and what has to go and to come? (semantics `comparison`)

use rollcall_model::config::Apply;
use rollcall_model::desired::DesiredAttribute;
use rollcall_model::plan::AttributeChange;
use rollcall_model::{Dn, fold};

use super::addresses::{self, Leaving, PROXY_ADDRESSES};

/// Attributes of syntax Integer or LargeInteger that a mapping may write (MS-ADTS 3.1.1.2.2.2), lower case.
const INTEGERS: &[&str] = &[
    "accountexpires",
    "codepage",
    "countrycode",
    "gidnumber",
    "localeid",
    "maxstorage",
    "msds-supportedencryptiontypes",
    "uidnumber",
];

/// Attributes of syntax Object(DS-DN), lower case.
const NAMES: &[&str] = &["assistant", "managedby", "manager", "owner", "secretary", "seealso"];

/// `accountExpires` has two ways to say never (MS-ADA1 2.1).
const NEVER: i64 = i64::MAX;

/// What has to change of an attribute that has the values `found`; `None` where it is as it should be.
pub(super) fn of(own: &DesiredAttribute, found: &[String]) -> Option<AttributeChange> {
    let is_addresses = own.name.eq_ignore_ascii_case(PROXY_ADDRESSES);
    match own.apply {
        Apply::AttributeAddOnly if !found.is_empty() => None,
        Apply::MultiValueAddOnly | Apply::ValueAddOnly if is_addresses => {
            change(&own.name, found, &addresses::after(found, &own.values, &[], Leaving::Nothing))
        }
        Apply::MultiValueAddOnly | Apply::ValueAddOnly => added(own, found),
        _ if is_addresses => {
            change(&own.name, found, &addresses::after(found, &own.values, &own.owned, Leaving::WhatWeWrote))
        }
        _ => change(&own.name, found, &distinct(own)),
    }
}

/// The values to send where there are none yet, none twice: a directory takes spellings that differ in case for one
/// value, and refuses the second.
pub(super) fn distinct(own: &DesiredAttribute) -> Vec<String> {
    if own.name.eq_ignore_ascii_case(PROXY_ADDRESSES) {
        return addresses::normal(&own.values);
    }
    let folded = own.name.to_lowercase();
    let mut all: Vec<String> = Vec::with_capacity(own.values.len());
    for value in &own.values {
        if !all.iter().any(|held| alike(&folded, held, value)) {
            all.push(value.clone());
        }
    }
    all
}

/// What is missing, and nothing goes.
fn added(own: &DesiredAttribute, found: &[String]) -> Option<AttributeChange> {
    let folded = own.name.to_lowercase();
    let is_there = |value: &String| found.iter().any(|held| alike(&folded, held, value));
    let new: Vec<String> = distinct(own).into_iter().filter(|value| !is_there(value)).collect();
    (!new.is_empty()).then(|| AttributeChange { name: own.name.clone(), old: Vec::new(), new })
}

/// What has to go and to come so that `found` becomes `wanted`; `None` where they are the same set. Values that stay
/// are in neither list, and each is in the spelling it has or gets.
pub(super) fn change(name: &str, found: &[String], wanted: &[String]) -> Option<AttributeChange> {
    let folded = name.to_lowercase();
    let missing = |from: &[String], value: &String| !from.iter().any(|other| same(&folded, value, other));
    let old: Vec<String> = found.iter().filter(|value| missing(wanted, value)).cloned().collect();
    let mut new: Vec<String> = Vec::new();
    for value in wanted {
        if missing(found, value) && missing(&new, value) {
            new.push(value.clone());
        }
    }
    (!old.is_empty() || !new.is_empty()).then(|| AttributeChange { name: name.to_owned(), old, new })
}

/// Whether two values of one attribute are the same.
pub(super) fn same(folded: &str, a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    if NAMES.contains(&folded) {
        return Dn::from_directory(a).same_as(&Dn::from_directory(b));
    }
    if INTEGERS.contains(&folded) {
        let number = |text: &str| text.trim().parse::<i64>().ok().map(|number| meaning(folded, number));
        return number(a).is_some_and(|a| Some(a) == number(b));
    }
    false
}

/// Whether a directory takes both for one value of a list. It folds case; to us another case is another value.
fn alike(folded: &str, a: &str, b: &str) -> bool {
    same(folded, a, b) || fold(a) == fold(b)
}

fn meaning(folded: &str, number: i64) -> i64 {
    if folded == "accountexpires" && number == 0 { NEVER } else { number }
}
