//! What persons of one preview take from each other: values that must be unique, names in containers, and managers who
//! have no account yet.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use rollcall_engine::reconcile;
use rollcall_model::config::target;
use rollcall_model::ids::PersonId;
use rollcall_model::outcome::Conclusion;
use rollcall_model::plan::{Action, Failure, PropertyChange};
use rollcall_model::{Code, Dn, fold, fold_taken};
use rollcall_store::Error;
use rollcall_wire::link::{Planned, PlannedWrite};

use super::{Preview, Stage, fail};
use crate::work::{Offer, narrow};

/// How a container's name is called in the lists of [`Taken`].
const NAME: &str = "dn";
const UNIQUE: [&str; 2] = [target::SAM_ACCOUNT_NAME, target::USER_PRINCIPAL_NAME];

/// Values that persons of the preview would get: by attribute, lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken(BTreeMap<String, BTreeSet<String>>);

impl Taken {
    /// As an earlier answer told them.
    pub(crate) fn new(told: &BTreeMap<String, Vec<String>>) -> Self {
        let mut taken = Self::default();
        for (attribute, values) in told {
            for value in values {
                taken.take(attribute, value);
            }
        }
        taken
    }

    pub(super) fn into_lists(self) -> BTreeMap<String, Vec<String>> {
        self.0.into_iter().map(|(attribute, values)| (attribute, values.into_iter().collect())).collect()
    }

    fn take(&mut self, attribute: &str, value: &str) {
        self.0.entry(fold(attribute)).or_default().insert(fold_taken(value));
    }

    fn holds(&self, attribute: &str, value: &str) -> bool {
        self.0.get(&fold(attribute)).is_some_and(|values| values.contains(&fold_taken(value)))
    }

    /// Gives new accounts their names, in the order of the persons: the first who asks for one has it.
    pub(super) fn settle(&mut self, stages: &mut [Stage]) {
        for stage in stages {
            let Stage::Planned(desired, planned) = stage else { continue };
            if planned.writes.first().is_none_or(|write| write.action != Action::Create) {
                continue;
            }
            let mut chosen_here: HashMap<String, String> = HashMap::new();
            for free in std::mem::take(&mut planned.free) {
                let chosen = free.candidates.iter().find(|value| !self.holds(&free.name, value));
                let Some(chosen) = chosen else {
                    let reason = "each value that the mapping offers is taken, or goes to somebody before; let it \
                                  yield more";
                    fail(planned, Failure::new(Code::NoUniqueValueLeft, Some(&free.name), reason));
                    break;
                };
                give(planned, &free.name, chosen);
                chosen_here.insert(fold(&free.name), chosen.clone());
            }
            self.settle_fixed(&reconcile::fallback_cn(desired), &chosen_here, planned);
            // As the store would hold them reserved, of whatever attribute they are.
            for (name, value) in &chosen_here {
                self.take(name, value);
            }
        }
    }

    /// Values that the mappings fix: somebody before may have them.
    fn settle_fixed(&mut self, fallback: &str, chosen: &HashMap<String, String>, planned: &mut Planned) {
        let Some(create) = planned.writes.first() else { return };
        for name in UNIQUE {
            let value = value_of(create, name).map(str::to_owned);
            let Some(value) = value else { continue };
            if !chosen.contains_key(&fold(name)) && self.holds(name, &value) {
                let reason =
                    format!("the {name} goes to somebody before in this preview; change the value or its mapping");
                fail(planned, Failure::new(Code::EntryConflict, Some(name), reason));
                return;
            }
        }
        if self.holds(NAME, &create.dn) {
            give(planned, target::CN, fallback);
        }
        let Some(create) = planned.writes.first() else { return };
        self.take(NAME, &create.dn.clone());
        for name in UNIQUE {
            if let Some(value) = value_of(create, name).map(str::to_owned) {
                self.take(name, &value);
            }
        }
    }
}

fn is_name(attribute: &str) -> bool {
    attribute.eq_ignore_ascii_case(target::CN)
}

fn value_of<'a>(write: &'a PlannedWrite, name: &str) -> Option<&'a str> {
    let change = write.properties.iter().find(|change| change.name.eq_ignore_ascii_case(name))?;
    change.new.first().map(String::as_str)
}

/// Puts another value into the plan of a new account.
fn give(planned: &mut Planned, attribute: &str, value: &str) {
    let Some(create) = planned.writes.first_mut() else { return };
    let before = create.dn.clone();
    for change in create.properties.iter_mut().filter(|change| change.name.eq_ignore_ascii_case(attribute)) {
        change.new = vec![value.to_owned()];
    }
    if !is_name(attribute) {
        return;
    }
    if let Some(container) = Dn::from_directory(&before).parent() {
        let after = container.child("CN", value).as_str().to_owned();
        for write in planned.writes.iter_mut().filter(|write| write.dn == before) {
            write.dn.clone_from(&after);
        }
    }
}

/// How many of a person's candidates for an attribute were passed over or told to the agent, where there are more.
#[derive(Debug, Default)]
pub(super) struct Offered(HashMap<(PersonId, String), usize>);

/// Whether all candidates of one attribute that the agent was told are somebody's, and there are more.
pub(super) fn wants_more(stage: &Stage, taken: &Taken, offered: &Offered) -> bool {
    let Stage::Planned(desired, planned) = stage else { return false };
    let is_open = match &planned.result {
        Conclusion::Failed(failure) => failure.code == Code::NoUniqueValueLeft,
        _ => true,
    };
    is_open
        && planned.free.iter().any(|free| {
            offered.0.contains_key(&(desired.person, fold(&free.name)))
                && free.candidates.iter().all(|value| taken.holds(&free.name, value))
        })
}

impl Preview<'_> {
    /// Leaves the candidates that the work would tell the agent, behind those that were told before: without what the
    /// store knows to be somebody's, and what went to somebody before.
    pub(super) async fn offer(&self, stages: &mut [Stage], taken: &Taken, offered: &mut Offered) -> Result<(), Error> {
        let Some(domain) = self.job.config.domain.as_deref() else { return Ok(()) };
        let (mut offers, mut all) = (vec![], vec![]);
        for stage in stages.iter_mut() {
            let Stage::Desired(desired) = stage else { continue };
            let person = desired.person;
            for unique in &mut desired.unique {
                let key = (person, fold(&unique.name));
                let told = offered.0.remove(&key).unwrap_or_default().min(unique.candidates.len());
                unique.candidates.drain(..told);
                all.push((key, told, unique.candidates.len()));
                offers.push(Offer::new(person, unique));
            }
        }
        if offers.is_empty() {
            return Ok(());
        }
        let is_given = |name: &str, value: &str| taken.holds(name, value);
        let passed = narrow(self.store, (self.tenant, domain), &mut offers, &is_given, self.now).await?;
        for ((key, told, count), passed) in all.into_iter().zip(passed) {
            if let Some(passed) = passed.filter(|passed| *passed < count) {
                offered.0.insert(key, told + passed);
            }
        }
        self.drop_taken(stages, domain, taken).await
    }

    /// Takes out of the candidates what the store knows to be somebody's, and what went to somebody before.
    async fn drop_taken(&self, stages: &mut [Stage], domain: &str, taken: &Taken) -> Result<(), Error> {
        let mut asked: Vec<(String, String)> = vec![];
        for stage in stages.iter() {
            let Stage::Desired(desired) = stage else { continue };
            for unique in &desired.unique {
                asked.extend(unique.candidates.iter().map(|value| (unique.name.clone(), value.clone())));
            }
        }
        asked.sort_unstable();
        asked.dedup();
        let values: Vec<(&str, &str)> = asked.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut known: HashMap<(String, String), HashSet<Option<PersonId>>> = HashMap::new();
        for found in self.store.taken_values(self.tenant, domain, &values, self.now).await? {
            let Some((name, value)) = asked.get(found.n) else { continue };
            known.entry((fold(name), fold_taken(value))).or_default().insert(found.person);
        }
        for stage in stages {
            let Stage::Desired(desired) = stage else { continue };
            let person = desired.person;
            for unique in &mut desired.unique {
                let name = fold(&unique.name);
                unique.candidates.retain(|value| {
                    let holders = known.get(&(name.clone(), fold_taken(value)));
                    let is_anothers = holders.is_some_and(|all| all.iter().any(|holder| *holder != Some(person)));
                    !is_anothers && !taken.holds(&name, value)
                });
            }
        }
        Ok(())
    }
}

/// Managers for whom this very preview makes an account: the work sets them once that is done.
pub(super) fn managers(stages: &mut [Stage]) {
    let mut made: HashMap<String, String> = HashMap::new();
    for stage in stages.iter() {
        if let Stage::Planned(desired, planned) = stage
            && let Some(create) = planned.writes.first().filter(|write| write.action == Action::Create)
        {
            made.insert(fold(desired.external_id.trim()), create.dn.clone());
        }
    }
    for stage in stages {
        let Stage::Planned(desired, planned) = stage else { continue };
        let waits = |code| code == Code::UnableToResolveReferenceAttributeValue;
        if !planned.warnings.iter().any(|warning| waits(warning.code))
            || matches!(planned.result, Conclusion::Failed(_))
        {
            continue;
        }
        let manager = desired.manager.as_ref().and_then(|manager| made.get(&fold(manager.external_id.trim())));
        let Some(manager) = manager else { continue };
        planned.warnings.retain(|warning| !waits(warning.code));
        let place = planned.writes.last().map(|write| write.dn.clone()).or_else(|| planned.dn.clone());
        let name = target::MANAGER.to_owned();
        planned.writes.push(PlannedWrite {
            action: Action::Update,
            dn: place.unwrap_or_default(),
            properties: vec![PropertyChange { name, old: vec![], new: vec![manager.clone()] }],
        });
        planned.result = Conclusion::Done;
    }
}
