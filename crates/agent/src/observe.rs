//! Looking persons up: many in one search, and nothing believed but a complete answer.
//!
//! A linked account is looked for by GUID, any other by its matching attributes in order of precedence, over the whole
//! domain. An entry that belongs to nobody asked for is an error: acting on it could write to a stranger's account.

use std::collections::{BTreeSet, HashMap};

use rollcall_directory::{Error as DirectoryError, Filter, Read, Scope, Search, account_filter};
use rollcall_engine::reconcile;
use rollcall_model::desired::{DesiredState, MatchRule};
use rollcall_model::ids::ObjectGuid;
use rollcall_model::observed::{Entry, ObservedManager};
use rollcall_model::plan::LdapFailure;
use rollcall_model::{Code, Dn, fold};

use crate::controller::within;

/// What a look found for one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) account: Found,
    pub(crate) manager: ObservedManager,
}

/// An account, before the service was asked whether a matching one may be this person's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Linked(Entry),
    LinkGone,
    /// One account matches, and the person has no link.
    Unclaimed(Entry),
    Absent,
    Several(Vec<Dn>),
}

/// Whom to look for.
struct Sought<'a> {
    guid: Option<ObjectGuid>,
    matching: &'a [MatchRule],
}

/// Looks for accounts and managers of all these persons; answers in their order.
pub(crate) async fn observe(
    read: &dyn Read,
    domain: &Dn,
    persons: &[&DesiredState],
) -> Result<Vec<Seen>, DirectoryError> {
    let sought: Vec<_> = persons
        .iter()
        .map(|desired| Sought { guid: desired.link.as_ref().map(|link| link.guid), matching: &desired.matching })
        .collect();
    let attributes = persons.iter().flat_map(|desired| reconcile::attributes_needed(desired)).collect();
    let (accounts, managers) =
        tokio::try_join!(find(read, domain, &sought, attributes), managers(read, domain, persons))?;
    Ok(accounts.into_iter().zip(managers).map(|(account, manager)| Seen { account, manager }).collect())
}

/// Looks for one account, as recovery does: its entry, or `None` where there is none (or several) to be sure of.
pub(crate) async fn one(
    read: &dyn Read,
    domain: &Dn,
    guid: Option<ObjectGuid>,
    matching: &[MatchRule],
    attributes: BTreeSet<String>,
) -> Result<Option<Entry>, DirectoryError> {
    let found = find(read, domain, &[Sought { guid, matching }], attributes).await?;
    Ok(match found.into_iter().next() {
        Some(Found::Linked(entry) | Found::Unclaimed(entry)) => Some(entry),
        _ => None,
    })
}

/// Every account that has one of the matching values, whoever it may belong to.
pub(crate) async fn hits(
    read: &dyn Read,
    domain: &Dn,
    matching: &[MatchRule],
    attributes: BTreeSet<String>,
) -> Result<Vec<Entry>, DirectoryError> {
    let mut found = vec![];
    for rule in matching {
        let filter = account_filter(&rule.attribute, [rule.value.as_str()]);
        found.extend(search(read, domain, filter, &attributes).await?);
    }
    Ok(found)
}

async fn managers(
    read: &dyn Read,
    domain: &Dn,
    persons: &[&DesiredState],
) -> Result<Vec<ObservedManager>, DirectoryError> {
    let wanted: Vec<_> = persons.iter().filter_map(|desired| desired.manager.as_ref()).collect();
    let linked: Vec<_> =
        wanted.iter().map(|manager| Sought { guid: manager.guid, matching: &manager.matching }).collect();
    let mut found = find(read, domain, &linked, BTreeSet::new()).await?;
    // A link whose account is gone does not stand in the way of an account that matches.
    let gone: Vec<usize> = (0..found.len()).filter(|at| found[*at] == Found::LinkGone).collect();
    let again: Vec<_> = gone.iter().map(|at| Sought { guid: None, matching: &wanted[*at].matching }).collect();
    for (at, second) in gone.into_iter().zip(find(read, domain, &again, BTreeSet::new()).await?) {
        found[at] = second;
    }
    let mut found = found.into_iter();
    Ok(persons
        .iter()
        .map(|desired| match desired.manager.as_ref().and_then(|_| found.next()) {
            None => ObservedManager::NotAsked,
            Some(Found::Linked(entry) | Found::Unclaimed(entry)) => ObservedManager::Found(entry.dn),
            Some(_) => ObservedManager::NotFound,
        })
        .collect())
}

async fn find(
    read: &dyn Read,
    domain: &Dn,
    sought: &[Sought<'_>],
    mut attributes: BTreeSet<String>,
) -> Result<Vec<Found>, DirectoryError> {
    let mut found: Vec<Option<Found>> = vec![None; sought.len()];
    let guids: BTreeSet<ObjectGuid> = sought.iter().filter_map(|person| person.guid).collect();
    if !guids.is_empty() {
        let filter = Filter::Or(guids.iter().copied().map(Filter::Guid).collect());
        let entries = search(read, domain, filter, &attributes).await?;
        if let Some(stranger) = entries.iter().find(|entry| !guids.contains(&entry.guid)) {
            return Err(belongs_to_nobody(stranger));
        }
        let by_guid: HashMap<_, _> = entries.into_iter().map(|entry| (entry.guid, entry)).collect();
        for (person, found) in sought.iter().zip(&mut found) {
            let Some(guid) = person.guid else { continue };
            *found = Some(by_guid.get(&guid).cloned().map_or(Found::LinkGone, Found::Linked));
        }
    }
    attributes.extend(sought.iter().flat_map(|person| person.matching).map(|rule| rule.attribute.clone()));
    let rounds = sought.iter().map(|person| person.matching.len()).max().unwrap_or(0);
    for round in 0..rounds {
        // Persons of one job have the same rules in the same order; those of several jobs may not.
        let mut by_attribute: HashMap<String, Vec<(usize, &str)>> = HashMap::new();
        for (at, person) in sought.iter().enumerate().filter(|(at, _)| found[*at].is_none()) {
            let Some(rule) = person.matching.get(round) else { continue };
            by_attribute.entry(fold(&rule.attribute)).or_default().push((at, &rule.value));
        }
        for (attribute, wanted) in by_attribute {
            for (at, hits) in matching(read, domain, &attribute, &wanted, &attributes).await? {
                found[at] = match hits.len() {
                    0 => None,
                    1 => hits.into_iter().next().map(Found::Unclaimed),
                    _ => Some(Found::Several(hits.into_iter().map(|entry| entry.dn).collect())),
                };
            }
        }
    }
    Ok(found.into_iter().map(|found| found.unwrap_or(Found::Absent)).collect())
}

/// Who has one of these values of one attribute, by the number given with each value.
async fn matching(
    read: &dyn Read,
    domain: &Dn,
    attribute: &str,
    wanted: &[(usize, &str)],
    attributes: &BTreeSet<String>,
) -> Result<Vec<(usize, Vec<Entry>)>, DirectoryError> {
    let values: BTreeSet<&str> = wanted.iter().map(|(_, value)| *value).collect();
    let entries = search(read, domain, account_filter(attribute, values), attributes).await?;
    let mut hits: Vec<(usize, Vec<Entry>)> = wanted.iter().map(|(at, _)| (*at, vec![])).collect();
    let mut strangers = vec![];
    for entry in entries {
        let mut claimed = false;
        for ((_, value), (_, hits)) in wanted.iter().zip(&mut hits) {
            if entry.values(attribute).iter().any(|held| fold(held) == fold(value)) {
                hits.push(entry.clone());
                claimed = true;
            }
        }
        if !claimed {
            strangers.push(entry);
        }
    }
    let Some(stranger) = strangers.first() else { return Ok(hits) };
    // AD also matches without regard to diacritics. Who asks for an accented value, or finds one, is asked for alone:
    // then the directory's own comparison has said that the entry is the one.
    let folds_further = |text: &str| !text.is_ascii();
    let accented = |entry: &Entry| entry.values(attribute).iter().any(|value| folds_further(value));
    if !wanted.iter().any(|(_, value)| folds_further(value)) && !strangers.iter().all(accented) {
        return Err(belongs_to_nobody(stranger));
    }
    let mut unclaimed: BTreeSet<ObjectGuid> = strangers.iter().map(|entry| entry.guid).collect();
    for ((_, value), (_, hits)) in wanted.iter().zip(&mut hits) {
        *hits = search(read, domain, account_filter(attribute, [*value]), attributes).await?;
        for entry in hits.iter() {
            unclaimed.remove(&entry.guid);
        }
    }
    if let Some(stranger) = strangers.iter().find(|entry| unclaimed.contains(&entry.guid)) {
        return Err(belongs_to_nobody(stranger));
    }
    Ok(hits)
}

async fn search(
    read: &dyn Read,
    domain: &Dn,
    filter: Filter,
    attributes: &BTreeSet<String>,
) -> Result<Vec<Entry>, DirectoryError> {
    let attributes = attributes.iter().cloned().collect();
    // Each search has a time limit of its own: many small answers are no silence.
    within(read.search(&Search { base: domain.clone(), scope: Scope::Subtree, filter, attributes })).await
}

fn belongs_to_nobody(entry: &Entry) -> DirectoryError {
    let diagnostic = "the search returned an entry that belongs to no person asked for".to_owned();
    let ldap = LdapFailure { result_code: 0, diagnostic, dn: entry.dn.as_str().to_owned() };
    DirectoryError::Refused { code: Code::DirectoryInternalError, attribute: None, ldap }
}

#[cfg(test)]
mod tests;
