//! What would be done, without doing it: persons are merged in memory, evaluated as the work evaluates them, and
//! planned by the domain's agent, which is asked for it and writes nothing. Nothing of a person is stored here.

mod names;
mod show;
mod subjects;

use std::collections::{BTreeMap, HashMap, HashSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use rollcall_engine::evaluate::{self, Evaluation, Prepared, Surroundings};
use rollcall_model::config::JobConfig;
use rollcall_model::desired::DesiredState;
use rollcall_model::ids::{ObjectGuid, PersonId, TenantId};
use rollcall_model::outcome::Conclusion;
use rollcall_model::person::Person;
use rollcall_model::plan::{Failure, Warning};
use rollcall_model::{Code, Timestamp, fold, limits};
use rollcall_store::{Error, Job, Store};
use rollcall_wire::link::Planned;
use rollcall_wire::rollcall::PreviewAnswer;

use crate::work::{Asker, NoAnswer};
use names::Offered;
pub(crate) use names::Taken;
pub(crate) use show::Shown;
pub(crate) use subjects::{Subject, of_operations, of_persons, page};

/// Why there is no preview.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error(transparent)]
    Store(#[from] Error),
    #[error(transparent)]
    Agent(#[from] NoAnswer),
}

/// What a preview is made with.
pub(crate) struct Preview<'a> {
    pub(crate) store: &'a dyn Store,
    pub(crate) tenant: TenantId,
    pub(crate) job: &'a Job,
    /// The job's own, or one that is tried.
    pub(crate) config: &'a JobConfig,
    pub(crate) prepared: &'a Prepared,
    pub(crate) secret: [u8; 32],
    pub(crate) asker: &'a Asker,
    pub(crate) now: Timestamp,
    /// The mappings are the job's own: who rests under them is unchanged where the account is.
    pub(crate) mappings: Mappings,
}

/// Whose mappings a preview goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mappings {
    Own,
    Tried,
}

/// A person, as far as the preview has come.
pub(super) enum Stage {
    Desired(Box<DesiredState>),
    Planned(Box<DesiredState>, Box<Planned>),
    Unchanged,
    Skipped(Code, Vec<Warning>),
    Failed(Failure, Vec<Warning>),
}

impl Preview<'_> {
    /// The answer about these persons, `all` of them or those that are not unchanged.
    pub(crate) async fn run(
        &self,
        subjects: Vec<Subject>,
        mut taken: Taken,
        shown: Shown,
    ) -> Result<PreviewAnswer, Trouble> {
        let mut offered = Offered::default();
        let mut stages = self.evaluate(&subjects, &taken, &mut offered).await?;
        self.plan(&mut stages).await?;
        let mut at = 0;
        while at < stages.len() {
            if !names::wants_more(&stages[at], &taken, &offered) {
                taken.settle(&mut stages[at..=at]);
                at += 1;
                continue;
            }
            // Whoever is in the same case is asked about at once.
            let again: Vec<usize> =
                (at..stages.len()).filter(|at| names::wants_more(&stages[*at], &taken, &offered)).collect();
            self.offer_more(&subjects, &mut stages, &again, &taken, &mut offered).await?;
        }
        self.refuse_claims(&mut stages).await?;
        names::managers(&mut stages);
        Ok(show::answer(self.config, &subjects, &stages, taken, shown))
    }

    /// Has the agent plan what is desired.
    async fn plan(&self, stages: &mut [Stage]) -> Result<(), Trouble> {
        let desired: Vec<DesiredState> = stages
            .iter()
            .filter_map(|stage| match stage {
                Stage::Desired(desired) => Some((**desired).clone()),
                _ => None,
            })
            .collect();
        let mut planned = self.ask(desired).await?;
        for stage in stages {
            if let Stage::Desired(desired) = stage
                && let Some(plan) = planned.remove(&desired.person)
            {
                *stage = Stage::Planned(std::mem::replace(desired, Box::new(blank(desired))), Box::new(plan));
            }
        }
        Ok(())
    }

    /// All candidates that these were told are somebody's: they are told the following ones. A person's candidates are
    /// made anew, for those of everybody would be too many to keep.
    async fn offer_more(
        &self,
        subjects: &[Subject],
        stages: &mut [Stage],
        again: &[usize],
        taken: &Taken,
        offered: &mut Offered,
    ) -> Result<(), Trouble> {
        let persons: Vec<&Person> = again.iter().filter_map(|at| subjects[*at].person()).collect();
        let links = self.manager_links(&persons).await?;
        for some in again.chunks(limits::BATCH_PERSONS_MAX) {
            let mut anew: Vec<Stage> =
                some.iter().filter_map(|at| subjects[*at].person()).map(|person| self.one(person, &links)).collect();
            self.offer(&mut anew, taken, offered).await?;
            self.plan(&mut anew).await?;
            for (at, stage) in some.iter().zip(anew) {
                stages[*at] = stage;
            }
        }
        Ok(())
    }

    /// Who rests and whose account is as it was is unchanged; the others are evaluated.
    async fn evaluate(&self, subjects: &[Subject], taken: &Taken, offered: &mut Offered) -> Result<Vec<Stage>, Error> {
        let resting = |subject: &Subject| subject.resting.filter(|_| self.mappings == Mappings::Own);
        let asked: Vec<ObjectGuid> = subjects.iter().filter_map(resting).map(|(guid, _)| guid).collect();
        let mut numbers: HashMap<ObjectGuid, i64> = HashMap::new();
        for some in asked.chunks(limits::PREVIEW_PERSONS_MAX) {
            numbers.extend(self.asker.numbers(some.to_vec()).await);
        }
        let stands = |subject: &Subject| resting(subject).is_some_and(|(guid, usn)| numbers.get(&guid) == Some(&usn));
        let others: Vec<&Person> =
            subjects.iter().filter(|subject| !stands(subject)).filter_map(|subject| subject.person()).collect();
        let links = self.manager_links(&others).await?;
        let stage = |subject: &Subject| match subject.person() {
            Some(_) if stands(subject) => Stage::Unchanged,
            Some(person) => self.one(person, &links),
            None => Stage::Failed(subject.failure(), vec![]),
        };
        let mut stages = Vec::with_capacity(subjects.len());
        // Few at a time: one person may have thousands of candidates, of which few are kept.
        for some in subjects.chunks(limits::BATCH_PERSONS_MAX) {
            let mut evaluated: Vec<Stage> = some.iter().map(stage).collect();
            self.offer(&mut evaluated, taken, offered).await?;
            stages.append(&mut evaluated);
        }
        Ok(stages)
    }

    fn one(&self, person: &Person, links: &HashMap<String, ObjectGuid>) -> Stage {
        let manager_link = evaluate::manager_of(self.prepared, person).and_then(|id| links.get(&fold(&id)).copied());
        let reserved = BTreeMap::new();
        let surroundings = Surroundings { now: self.now, manager_link, secret: &self.secret, reserved: &reserved };
        match evaluate::evaluate(self.prepared, person, &surroundings).evaluation {
            Evaluation::Send(mut desired) => {
                desired.warnings.extend(person.pending.warnings.iter().cloned());
                Stage::Desired(desired)
            }
            Evaluation::Skip(code, warnings) => Stage::Skipped(code, warnings),
            Evaluation::Fail(failure, warnings) => Stage::Failed(failure, warnings),
        }
    }

    async fn manager_links(&self, persons: &[&Person]) -> Result<HashMap<String, ObjectGuid>, Error> {
        let managers = persons.iter().filter_map(|person| evaluate::manager_of(self.prepared, person));
        let mut keys: Vec<String> = managers.map(|id| fold(&id)).collect();
        keys.sort_unstable();
        keys.dedup();
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        Ok(self.store.links(&self.job.id, &keys).await?.into_iter().collect())
    }

    /// Asks the agent, several questions at once.
    async fn ask(&self, states: Vec<DesiredState>) -> Result<HashMap<PersonId, Planned>, NoAnswer> {
        let answers: Vec<Vec<Planned>> = stream::iter(questions(states))
            .map(|states| self.asker.plan(states))
            .buffer_unordered(limits::PREVIEW_QUESTIONS_MAX)
            .try_collect()
            .await?;
        Ok(answers.into_iter().flatten().map(|planned| (planned.person, planned)).collect())
    }

    /// An account that matches may be another person's: then it is refused, as the work would refuse it.
    async fn refuse_claims(&self, stages: &mut [Stage]) -> Result<(), Error> {
        let claim = |stage: &Stage| match stage {
            Stage::Planned(_, planned) if planned.is_claim => planned.guid,
            _ => None,
        };
        let guids: Vec<ObjectGuid> = stages.iter().filter_map(claim).collect();
        if guids.is_empty() {
            return Ok(());
        }
        let linked: HashMap<ObjectGuid, PersonId> =
            self.store.linked_to(&self.job.id, &guids).await?.into_iter().collect();
        let mut claimed: HashSet<ObjectGuid> = HashSet::new();
        for stage in stages {
            let Some(guid) = claim(stage) else { continue };
            let Stage::Planned(desired, planned) = stage else { continue };
            let is_anothers = linked.get(&guid).is_some_and(|person| *person != desired.person);
            if is_anothers || !claimed.insert(guid) {
                let dn = planned.dn.clone().unwrap_or_default();
                let reason = format!("{dn} carries the matching value and is linked to another person of this job");
                let attribute = desired.matching.first().map(|rule| rule.attribute.as_str());
                fail(planned, Failure::new(Code::LinkedToAnotherPerson, attribute, reason));
            }
        }
        Ok(())
    }
}

/// States in questions of a size that a frame can hold.
fn questions(states: Vec<DesiredState>) -> Vec<Vec<DesiredState>> {
    let mut questions: Vec<Vec<DesiredState>> = vec![];
    let mut bytes = 0;
    for desired in states {
        bytes += serde_json::to_vec(&desired).map_or(0, |text| text.len());
        match questions.last_mut() {
            Some(last) if last.len() < limits::PREVIEW_BATCH_PERSONS_MAX && bytes < limits::FRAME_BYTES_MAX / 8 => {
                last.push(desired);
            }
            _ => {
                bytes = serde_json::to_vec(&desired).map_or(0, |text| text.len());
                questions.push(vec![desired]);
            }
        }
    }
    questions
}

/// Nothing is written, and why.
pub(super) fn fail(planned: &mut Planned, failure: Failure) {
    planned.writes.clear();
    planned.result = Conclusion::Failed(failure);
}

fn blank(of: &DesiredState) -> DesiredState {
    DesiredState { attributes: vec![], unique: vec![], ..of.clone() }
}

#[cfg(test)]
mod tests;
