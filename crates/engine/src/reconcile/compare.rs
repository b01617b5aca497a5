//! When are two values the same? (semantics `comparison`)

use rollcall_model::Dn;
use rollcall_model::plan::AttributeChange;

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

fn meaning(folded: &str, number: i64) -> i64 {
    if folded == "accountexpires" && number == 0 { NEVER } else { number }
}
