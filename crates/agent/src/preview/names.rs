//! Values that must be unique: which candidates are free, and whose names would be refused as taken.

use std::collections::{BTreeSet, HashMap, HashSet};

use rollcall_directory::{Error as DirectoryError, Filter, Scope, Search};
use rollcall_engine::reconcile;
use rollcall_model::config::target;
use rollcall_model::desired::UniqueAttribute;
use rollcall_model::ids::ObjectGuid;
use rollcall_model::plan::{Failure, Verdict, WriteRequest};
use rollcall_model::{Code, Dn, fold, fold_taken};

use super::{Draft, Viewer, new_values};
use crate::apply::{conflict, dn_of};
use crate::controller::within;
use crate::taken::{none_left, taken};

/// Values asked about in one search.
const VALUES_IN_ONE_SEARCH: usize = 100;
/// What the directory keeps unique beside the name in the container.
const UNIQUE: [&str; 2] = [target::SAM_ACCOUNT_NAME, target::USER_PRINCIPAL_NAME];

/// Who holds which values, by attribute and folded value. Of `cn` the holder's place counts too.
#[derive(Default)]
struct Held(HashMap<(String, String), Vec<(ObjectGuid, Dn)>>);

impl Held {
    /// Somebody else than `own` who has the value.
    fn by_another(&self, attribute: &str, value: &str, own: Option<ObjectGuid>) -> Option<&(ObjectGuid, Dn)> {
        let holders = self.0.get(&(fold(attribute), fold(value)))?;
        holders.iter().find(|(guid, _)| Some(*guid) != own)
    }

    /// Somebody else than `own` who has the name in its container.
    fn at(&self, dn: &Dn, own: Option<ObjectGuid>) -> Option<&(ObjectGuid, Dn)> {
        let holders = self.0.get(&(fold(target::CN), fold(&dn.leaf_value()?)))?;
        holders.iter().find(|(guid, held)| Some(*guid) != own && held.same_as(dn))
    }
}

impl Viewer<'_> {
    /// Finds out which candidates of new accounts are free, and takes the first of each.
    pub(super) async fn choose(&self, drafts: &mut [Draft]) -> Result<(), DirectoryError> {
        let mut wanted: HashMap<String, BTreeSet<String>> = HashMap::new();
        for unique in drafts.iter().filter(|draft| draft.creates()).flat_map(|draft| &draft.desired.unique) {
            wanted.entry(fold(&unique.name)).or_default().extend(unique.candidates.iter().cloned());
        }
        let mut held: HashMap<String, HashSet<String>> = HashMap::new();
        for (attribute, values) in wanted {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            let taken = taken(self.read, self.domain, &attribute, &values).await?;
            held.insert(attribute, taken);
        }
        for draft in drafts.iter_mut().filter(|draft| draft.creates()) {
            for unique in std::mem::take(&mut draft.desired.unique) {
                let held = held.get(&fold(&unique.name));
                let is_free = |value: &&String| !held.is_some_and(|held| held.contains(&fold_taken(value)));
                let candidates: Vec<String> = unique.candidates.iter().filter(is_free).cloned().collect();
                match candidates.first() {
                    Some(first) => draft.take(&unique, first.clone()),
                    None => draft.plan.verdict = Verdict::Failed(none_left(&unique.name, &unique.candidates)),
                }
                draft.free.push(UniqueAttribute { candidates, ..unique });
            }
        }
        Ok(())
    }

    /// Refuses, in the plans, names that somebody else holds; a name that is ours to choose gives way first.
    pub(super) async fn check_names(&self, drafts: &mut [Draft]) -> Result<(), DirectoryError> {
        let mut wanted = vec![];
        for draft in drafts.iter() {
            for write in &draft.plan.writes {
                for name in UNIQUE {
                    wanted.extend(new_values(write, name).iter().map(|value| (name.to_owned(), value.clone())));
                }
                if matches!(write.request, WriteRequest::Add { .. } | WriteRequest::Move { .. }) {
                    let names = [dn_of(write).leaf_value(), Some(reconcile::fallback_cn(&draft.desired))];
                    wanted.extend(names.into_iter().flatten().map(|name| (target::CN.to_owned(), name)));
                }
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let held = self.held(wanted).await?;
        let given_up = given_up(drafts);
        for draft in drafts {
            for at in 0..draft.plan.writes.len() {
                if let Some(failure) = self.refused_name(draft, at, &held, &given_up) {
                    draft.fail_at(at, failure);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Why a write would find its name taken; where its cn may give way, it has done so after this.
    fn refused_name(
        &self,
        draft: &mut Draft,
        at: usize,
        held: &Held,
        given_up: &HashSet<(String, ObjectGuid)>,
    ) -> Option<Failure> {
        let own = draft.guid();
        let write = draft.plan.writes.get(at)?.clone();
        let keeps = |name: &str, holder: &&(ObjectGuid, Dn)| !given_up.contains(&(fold(name), holder.0));
        for name in UNIQUE {
            let mut values = new_values(&write, name).iter();
            let taken = values.find_map(|value| held.by_another(name, value, own).filter(|holder| keeps(name, holder)));
            if let Some((_, dn)) = taken {
                return Some(conflict(Failure::new(Code::EntryConflict, None, ""), Some((name, dn.clone()))));
            }
        }
        let is_named = match &write.request {
            WriteRequest::Add { .. } => true,
            WriteRequest::Move { cn, .. } => cn.is_some(),
            WriteRequest::Modify { .. } | WriteRequest::Delete { .. } => return None,
        };
        let taken = |dn: &Dn| held.at(dn, own).filter(|holder| keeps(target::CN, holder)).map(|(_, dn)| dn.clone());
        let mut holder = taken(&dn_of(&write))?;
        if is_named {
            let next = reconcile::with_cn(&write, &reconcile::fallback_cn(&draft.desired));
            if let Some(other) = taken(&dn_of(&next)) {
                holder = other;
            } else {
                let restricted = self.rules.apply(next, None);
                draft.plan.writes[at] = restricted.write.unwrap_or(write);
                return restricted.refusal;
            }
        }
        Some(conflict(Failure::new(Code::EntryConflict, None, ""), Some((target::CN, holder))))
    }

    /// Who holds these values.
    async fn held(&self, wanted: Vec<(String, String)>) -> Result<Held, DirectoryError> {
        let mut by_attribute: HashMap<String, BTreeSet<String>> = HashMap::new();
        for (attribute, value) in wanted {
            by_attribute.entry(fold(&attribute)).or_default().insert(value);
        }
        let mut held = Held::default();
        for (attribute, values) in by_attribute {
            // AD also finds values that differ in diacritics only: those are asked for alone.
            let (plain, accented): (Vec<String>, Vec<String>) = values.into_iter().partition(|value| value.is_ascii());
            for some in plain.chunks(VALUES_IN_ONE_SEARCH) {
                for (guid, dn, found) in self.search(&attribute, some).await? {
                    for value in found {
                        let holders = held.0.entry((attribute.clone(), fold(&value))).or_default();
                        holders.push((guid, dn.clone()));
                    }
                }
            }
            for value in accented {
                for (guid, dn, _) in self.search(&attribute, std::slice::from_ref(&value)).await? {
                    held.0.entry((attribute.clone(), fold(&value))).or_default().push((guid, dn));
                }
            }
        }
        Ok(held)
    }

    async fn search(
        &self,
        attribute: &str,
        values: &[String],
    ) -> Result<Vec<(ObjectGuid, Dn, Vec<String>)>, DirectoryError> {
        let any = values.iter().map(|value| Filter::Equal(attribute.to_owned(), value.clone())).collect();
        let search = Search {
            base: self.domain.clone(),
            scope: Scope::Subtree,
            filter: Filter::Or(any),
            attributes: vec![attribute.to_owned()],
        };
        let found = within(self.read.search(&search)).await?;
        Ok(found.into_iter().map(|entry| (entry.guid, entry.dn.clone(), entry.values(attribute).to_vec())).collect())
    }
}

/// Names that persons of the same look give up: the work makes them take turns.
fn given_up(drafts: &[Draft]) -> HashSet<(String, ObjectGuid)> {
    let mut all = HashSet::new();
    for draft in drafts {
        let Some(guid) = draft.guid() else { continue };
        for write in &draft.plan.writes {
            match &write.request {
                WriteRequest::Move { .. } => {
                    all.insert((fold(target::CN), guid));
                }
                WriteRequest::Modify { changes, .. } => {
                    let old = changes.iter().filter(|change| !change.old.is_empty());
                    all.extend(old.map(|change| (fold(&change.name), guid)));
                }
                WriteRequest::Delete { .. } => {
                    let names = UNIQUE.into_iter().chain([target::CN]);
                    all.extend(names.map(|name| (fold(name), guid)));
                }
                WriteRequest::Add { .. } => {}
            }
        }
    }
    all
}
