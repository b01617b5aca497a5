//! Which values the directory holds already.

use std::collections::HashSet;

use rollcall_directory::{Error as DirectoryError, Filter, Read, Scope, Search};
use rollcall_model::config::target;
use rollcall_model::observed::Entry;
use rollcall_model::plan::Failure;
use rollcall_model::{Code, Dn, fold_taken, limits};

use crate::controller::within;

/// Values that a failure names.
const NAMED_MAX: usize = 10;

/// Those of `values`, as they are compared, that some object of the domain holds, whatever its class.
pub(crate) async fn taken(
    read: &dyn Read,
    domain: &Dn,
    attribute: &str,
    values: &[&str],
) -> Result<HashSet<String>, DirectoryError> {
    let mut taken = HashSet::new();
    for some in values.chunks(limits::UNIQUE_SEARCH_VALUES_MAX) {
        let asked: HashSet<String> = some.iter().map(|value| fold_taken(value)).collect();
        let mut is_clear = true;
        for entry in holders(read, domain, attribute, some).await? {
            let held: Vec<String> = held(&entry, attribute).iter().map(|value| fold_taken(value)).collect();
            is_clear &= held.iter().any(|value| asked.contains(value));
            taken.extend(held.into_iter().filter(|value| asked.contains(value)));
        }
        if is_clear {
            continue;
        }
        // The directory's comparison goes further than ours: then only its own answer about each tells.
        for value in some {
            if !holders(read, domain, attribute, &[value]).await?.is_empty() {
                taken.insert(fold_taken(value));
            }
        }
    }
    Ok(taken)
}

/// Why an account without a value for an attribute is not made: all of these are taken.
pub(crate) fn none_left<'a>(attribute: &str, candidates: impl IntoIterator<Item = &'a String>) -> Failure {
    let mut candidates = candidates.into_iter();
    let tried: Vec<&str> = candidates.by_ref().take(NAMED_MAX).map(String::as_str).collect();
    let (tried, more) = (tried.join(", "), candidates.count());
    let reason = match (tried.is_empty(), more) {
        (true, _) => "the mapping yields no value".to_owned(),
        (_, 0) => format!("every value is taken: {tried}"),
        _ => format!("every value is taken: {tried} and {more} more"),
    };
    Failure::new(Code::NoUniqueValueLeft, Some(attribute), reason)
}

async fn holders(read: &dyn Read, domain: &Dn, attribute: &str, values: &[&str]) -> Result<Vec<Entry>, DirectoryError> {
    let any = values.iter().map(|value| Filter::Equal(attribute.to_owned(), (*value).to_owned())).collect();
    let search = Search {
        base: domain.clone(),
        scope: Scope::Subtree,
        filter: Filter::Or(any),
        attributes: vec![attribute.to_owned()],
    };
    within(read.search(&search)).await
}

fn held(entry: &Entry, attribute: &str) -> Vec<String> {
    if attribute.eq_ignore_ascii_case(target::CN) {
        // It stands in the name, whether it was read or not.
        return entry.dn.leaf_value().into_iter().collect();
    }
    entry.values(attribute).to_vec()
}
