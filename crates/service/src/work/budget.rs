//! The gate of the budget (semantics `budget`): who may be given out, and what came of it.
//!
//! Most batches cost nothing and most people were never held back: for those the gate asks the store nothing. Whom it
//! has to think of (a grant that is not settled, a person held back) it reads once a lease.

use std::collections::{BTreeMap, HashMap, HashSet};

use rollcall_engine::budget;
use rollcall_model::Timestamp;
use rollcall_model::desired::DesiredState;
use rollcall_model::ids::{Epoch, JobId, PersonId, Version};
use rollcall_model::outcome::{Conclusion, Outcome};
use rollcall_store::{BudgetRest, BudgetSettled, BudgetWanted, Error, Fenced, Lease, Store};
use tracing::info;

/// What one worker remembers of budgets.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// The lease under which it was read.
    epoch: Epoch,
    /// Persons with a grant, or held back.
    known: HashMap<JobId, Known>,
}

/// Persons, and for which version the budget was last asked under this lease.
type Known = HashMap<PersonId, Option<Version>>;

impl Gate {
    /// Those who may be given out now, in their order; the others are held back until there is budget again, or they
    /// are released. `limit`: a job's budget, `None` where it has none. `Stale`: the lease has passed to another.
    pub(super) async fn admit(
        &mut self,
        store: &dyn Store,
        lease: &Lease,
        limit: impl Fn(&JobId) -> Option<u32>,
        candidates: Vec<(JobId, DesiredState)>,
        now: Timestamp,
    ) -> Result<Fenced<Vec<DesiredState>>, Error> {
        self.under(lease);
        let mut wanted: BTreeMap<JobId, Vec<BudgetWanted>> = BTreeMap::new();
        for (job, desired) in candidates.iter().filter(|(job, _)| limit(job).is_some()) {
            let (person, cost) = (desired.person, budget::cost(desired));
            if cost > 0 || self.of(store, job).await?.contains_key(&person) {
                wanted.entry(job.clone()).or_default().push(BudgetWanted { person, cost });
            }
        }
        let versions: HashMap<PersonId, Version> =
            candidates.iter().map(|(_, desired)| (desired.person, desired.version)).collect();
        let mut parked: HashSet<PersonId> = HashSet::new();
        for (job, wanted) in wanted {
            let Some(limit) = limit(&job) else { continue };
            let Fenced::Done(admission) = store.grant(lease, &job, &wanted, now).await? else {
                return Ok(Fenced::Stale);
            };
            if !admission.parked.is_empty() {
                info!(%job, persons = admission.parked.len(), limit, "held back: the budget is spent");
            }
            let asked = wanted.iter().map(|wanted| (wanted.person, versions.get(&wanted.person).copied()));
            self.of(store, &job).await?.extend(asked);
            parked.extend(admission.parked);
        }
        let admitted = candidates.into_iter().map(|(_, desired)| desired);
        Ok(Fenced::Done(admitted.filter(|desired| !parked.contains(&desired.person)).collect()))
    }

    /// Takes outcomes into account that are recorded: what was granted and not used is given back. A grant for newer
    /// work than an outcome is about stands: its own outcome will come.
    pub(super) async fn settle(
        &mut self,
        store: &dyn Store,
        lease: &Lease,
        jobs: impl Iterator<Item = &JobId>,
        outcomes: &[Outcome],
        now: Timestamp,
    ) -> Result<Fenced<()>, Error> {
        self.under(lease);
        for job in jobs {
            let _ = self.of(store, job).await?;
        }
        let asked_for = |person| self.known.values().find_map(|known| known.get(person)).copied();
        let settled: Vec<BudgetSettled> = outcomes
            .iter()
            .filter_map(|outcome| {
                let is_late = asked_for(&outcome.person)?.is_some_and(|version| outcome.version < version);
                let rest = if is_late { BudgetRest::Newer } else { rest(&outcome.result) };
                Some(BudgetSettled { person: outcome.person, used: budget::used(outcome), rest })
            })
            .filter(|settled| settled.used > 0 || settled.rest != BudgetRest::Newer)
            .collect();
        if settled.is_empty() {
            return Ok(Fenced::Done(()));
        }
        let done = store.settle(lease, &settled, now).await?;
        if done == Fenced::Done(()) {
            for ended in settled.iter().filter(|settled| settled.rest == BudgetRest::Ended) {
                for known in self.known.values_mut() {
                    known.remove(&ended.person);
                }
            }
        }
        Ok(done)
    }

    /// What was read under an earlier lease may be old: another node worked meanwhile.
    fn under(&mut self, lease: &Lease) {
        if self.epoch != lease.epoch {
            (self.epoch, self.known) = (lease.epoch, HashMap::new());
        }
    }

    async fn of(&mut self, store: &dyn Store, job: &JobId) -> Result<&mut Known, Error> {
        if !self.known.contains_key(job) {
            let persons = store.budget_persons(job).await?;
            self.known.insert(job.clone(), persons.into_iter().map(|person| (person, None)).collect());
        }
        Ok(self.known.entry(job.clone()).or_default())
    }
}

/// Whether somebody is to be given out again for the same change.
fn rest(result: &Conclusion) -> BudgetRest {
    match result {
        Conclusion::Interrupted => BudgetRest::TriedAgain,
        Conclusion::Failed(failure) if failure.code.is_transient() => BudgetRest::TriedAgain,
        Conclusion::Done | Conclusion::Skipped(_) | Conclusion::Failed(_) => BudgetRest::Ended,
    }
}

#[cfg(test)]
mod tests;
