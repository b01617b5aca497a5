//! Due persons to the agent.

use std::collections::{BTreeMap, HashMap, VecDeque};

use rollcall_engine::evaluate::{self, Evaluated, Evaluation, Surroundings};
use rollcall_model::desired::DesiredState;
use rollcall_model::ids::{ChangeId, Epoch, JobId, ObjectGuid, PersonId};
use rollcall_model::killpoint::KillPoint;
use rollcall_model::outcome::{Conclusion, Outcome};
use rollcall_model::plan::{Failure, Warning};
use rollcall_model::{Code, Timestamp, fold, limits};
use rollcall_store::{DuePerson, Error, Fenced};
use rollcall_wire::link::{Capability, Lane, ToAgent};

use super::credit::Given;
use super::domain::Worker;
use super::session::Session;
use super::session::SessionId;
use crate::fault;

impl Worker {
    /// Evaluates and sends what there is room for, urgent persons first; whether there was anybody.
    pub(super) async fn dispatch_due(&mut self) -> Result<bool, Error> {
        let now = self.options.clock.now();
        self.credit.forget_before(now.plus_ms(-limits::WORK_ANSWER_MS_MAX));
        if !self.has_writing_controller() || self.jobs.is_empty() || self.releasing.is_some() {
            return Ok(false);
        }
        let urgent = self.urgent_due(now).await?;
        let mut any_urgent = false;
        if !urgent.is_empty() {
            any_urgent = self.dispatch(Lane::Urgent, urgent, now).await?;
            // Whoever must wait for an older version's outcome is looked for again when that is recorded.
            self.urgent_may_be_due &= any_urgent;
        }
        let due = self.next_due(now).await?;
        if due.is_empty() || self.active.is_none() {
            return Ok(any_urgent);
        }
        self.dispatch(Lane::Normal, due, now).await?;
        Ok(true)
    }

    /// Urgent persons who are due, as far as their own credit goes. One whose older version is with the agent overtakes
    /// that; but an account that it is about to be linked to must be known first.
    async fn urgent_due(&mut self, now: Timestamp) -> Result<Vec<DuePerson>, Error> {
        let room = self.credit.room(Lane::Urgent);
        if room == 0 || !std::mem::take(&mut self.urgent_may_be_due) {
            return Ok(Vec::new());
        }
        // Those who are out may be due all the same, in either lane.
        let limit = self.credit.len() + room.min(limits::WORK_BATCH_PERSONS_MAX);
        let jobs: Vec<JobId> = self.jobs.keys().cloned().collect();
        let mut due = self.options.store.due_persons(&jobs, now, i64::try_from(limit).unwrap_or(i64::MAX)).await?;
        let session = self.active.as_ref().and_then(|active| self.sessions.get(&active.session));
        let can_overtake = session.is_some_and(|session| session.can(Capability::UrgentLane));
        due.retain(|DuePerson { person, urgent, .. }| {
            let overtakes = || can_overtake && person.link.is_some() && self.credit.is_older(person.id, person.version);
            *urgent && (!self.credit.holds(person.id) || overtakes())
        });
        due.truncate(room.min(limits::WORK_BATCH_PERSONS_MAX));
        // There may be more than were read.
        self.urgent_may_be_due = due.len() == room.min(limits::WORK_BATCH_PERSONS_MAX);
        self.ready.retain(|ready| due.iter().all(|urgent| urgent.person.id != ready.person.id));
        Ok(due)
    }

    /// The next frame's worth of due persons, from those read ahead.
    async fn next_due(&mut self, now: Timestamp) -> Result<Vec<DuePerson>, Error> {
        let room = self.credit.room(Lane::Normal);
        // Small frames cost more than they hasten; the last persons of all are sent as they are.
        if room == 0 || (room < limits::WORK_BATCH_PERSONS_MAX && self.credit.len() > limits::WORK_BATCH_PERSONS_MAX) {
            return Ok(Vec::new());
        }
        if self.ready.is_empty() {
            let limit = self.credit.len() + limits::WORK_READ_AHEAD_PERSONS_MAX;
            let jobs: Vec<JobId> = self.jobs.keys().cloned().collect();
            let due = self.options.store.due_persons(&jobs, now, i64::try_from(limit).unwrap_or(i64::MAX)).await?;
            let free = due.into_iter().filter(|person| !self.credit.holds(person.person.id));
            // Urgent ones go into their own lane, while there is room in it.
            let has_urgent_room = self.credit.room(Lane::Urgent) > 0;
            let (urgent, ready) = free.partition::<Vec<_>, _>(|person| person.urgent && has_urgent_room);
            self.urgent_may_be_due |= !urgent.is_empty();
            self.ready = ready.into();
        }
        let count = self.ready.len().min(room).min(limits::WORK_BATCH_PERSONS_MAX);
        Ok(self.ready.drain(..count).collect())
    }

    /// Evaluates these persons and sends what comes of it; whether anything came.
    async fn dispatch(&mut self, lane: Lane, due: Vec<DuePerson>, now: Timestamp) -> Result<bool, Error> {
        let Some((session, epoch)) = self.active.as_ref().map(|active| (active.session, active.lease.epoch)) else {
            return Ok(false);
        };
        let links = self.manager_links(&due).await?;
        let mut items = Vec::new();
        let mut decided = Vec::new();
        let mut left = None;
        let mut bytes = 0;
        let mut under = HashMap::with_capacity(due.len());
        let evaluate = |person: DuePerson| {
            let evaluated = self.evaluate(&person, &links);
            let schema = self.jobs.get(&person.job).map_or(0, |ready| ready.job.schema_version);
            under.insert(person.person.id, (schema, self.next_look(&person.job, &evaluated, now)));
            (person, evaluated.evaluation)
        };
        let mut due: VecDeque<_> = due.into_iter().map(evaluate).collect();
        self.offer_values(due.make_contiguous(), now).await?;
        while let Some((person, evaluation)) = due.pop_front() {
            let (result, warnings) = match evaluation {
                Evaluation::Send(mut desired) => {
                    desired.warnings.extend(person.person.pending.warnings.iter().cloned());
                    let size = serde_json::to_vec(&desired).map_or(usize::MAX, |text| text.len());
                    bytes = size.saturating_add(bytes);
                    if let Some(failure) = self.sessions.get(&session).and_then(|session| beyond(session, &desired)) {
                        (Conclusion::Failed(failure), Vec::new())
                    } else if size > WORK_ITEM_BYTES {
                        (Conclusion::Failed(too_large(size)), Vec::new())
                    } else if bytes > WORK_FRAME_BYTES {
                        // Still due: it goes into the next frame.
                        left = Some(person);
                        break;
                    } else {
                        items.push((person.job.clone(), *desired));
                        continue;
                    }
                }
                Evaluation::Skip(code, warnings) => (Conclusion::Skipped(code), warnings),
                Evaluation::Fail(failure, warnings) => (Conclusion::Failed(failure), warnings),
            };
            // While an older version is with the agent, nothing ends before it.
            if !self.credit.holds(person.person.id) {
                decided.push(self.without_agent(&person, result, warnings, now));
            }
        }
        let left: Vec<DuePerson> = left.into_iter().chain(due.into_iter().map(|(person, _)| person)).collect();
        match lane {
            Lane::Normal => left.into_iter().rev().for_each(|person| self.ready.push_front(person)),
            Lane::Urgent => self.urgent_may_be_due |= !left.is_empty(),
        }
        let any = !decided.is_empty() || !items.is_empty();
        let given = decided.iter().map(|outcome| {
            let under = under.get(&outcome.person).copied().unwrap_or_default();
            (outcome.person, Given::to_nobody(outcome.version, under, now))
        });
        if !decided.is_empty() && self.record(&decided, &given.collect()).await? == Fenced::Done(()) {
            // They may have been held back, or released.
            let _ = self.settle_budget(&decided).await?;
        }
        self.send_work((session, epoch), lane, items, &under, now).await?;
        Ok(any)
    }

    /// Sends what the jobs' budgets let through.
    async fn send_work(
        &mut self,
        (session, epoch): (SessionId, Epoch),
        lane: Lane,
        items: Vec<(JobId, DesiredState)>,
        under: &HashMap<PersonId, (i64, Option<Timestamp>)>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let Some(items) = self.admitted(items, now).await?.filter(|items| !items.is_empty()) else { return Ok(()) };
        self.cycle(now);
        fault::reached(KillPoint::BeforeWorkSend);
        let can_overtake = self.sessions.get(&session).is_some_and(|session| session.can(Capability::UrgentLane));
        // An agent that knows of no lanes is told of none.
        let sent_as = if can_overtake { lane } else { Lane::Normal };
        for item in &items {
            self.credit.give(item, under.get(&item.person).copied().unwrap_or_default(), lane, now);
        }
        // An agent that does not take it is cut off; with its next connection the credit is cleared.
        self.send_to(session, ToAgent::Work { epoch, needs: needs(&items), lane: sent_as, items });
        fault::reached(KillPoint::AfterWorkSend);
        Ok(())
    }

    /// Those whom the jobs' budgets let through; `None`: this worker has no lease any more.
    async fn admitted(
        &mut self,
        items: Vec<(JobId, DesiredState)>,
        now: Timestamp,
    ) -> Result<Option<Vec<DesiredState>>, Error> {
        let Some(lease) = self.active.as_ref().map(|active| active.lease.clone()) else { return Ok(None) };
        let (store, jobs) = (self.options.store.clone(), &self.jobs);
        let limit = |job: &JobId| jobs.get(job).and_then(|ready| ready.job.config.budget);
        match self.budget.admit(&*store, &lease, limit, items, now).await? {
            Fenced::Done(items) => Ok(Some(items)),
            Fenced::Stale => {
                self.lose_lease();
                Ok(None)
            }
        }
    }

    fn evaluate(&self, due: &DuePerson, links: &HashMap<(JobId, String), ObjectGuid>) -> Evaluated {
        let Some(ready) = self.jobs.get(&due.job) else {
            let evaluation = Evaluation::Skip(Code::InternalError, Vec::new());
            return Evaluated { evaluation, read_clock: false };
        };
        let manager = evaluate::manager_of(&ready.prepared, &due.person)
            .and_then(|id| links.get(&(due.job.clone(), fold(&id))).copied());
        let reserved = BTreeMap::new();
        let now = self.options.clock.now();
        let secret = self.options.secrets.of(&due.job);
        let surroundings = Surroundings { now, manager_link: manager, secret: &secret, reserved: &reserved };
        evaluate::evaluate(&ready.prepared, &due.person, &surroundings)
    }

    /// The accounts of these people's managers, as far as this job has linked them.
    async fn manager_links(&self, due: &[DuePerson]) -> Result<HashMap<(JobId, String), ObjectGuid>, Error> {
        let mut wanted: HashMap<JobId, Vec<String>> = HashMap::new();
        for person in due {
            let Some(ready) = self.jobs.get(&person.job) else { continue };
            if let Some(manager) = evaluate::manager_of(&ready.prepared, &person.person) {
                wanted.entry(person.job.clone()).or_default().push(fold(&manager));
            }
        }
        let mut links = HashMap::new();
        for (job, keys) in wanted {
            for (key, guid) in self.options.store.links(&job, &keys).await? {
                links.insert((job.clone(), key), guid);
            }
        }
        Ok(links)
    }

    /// An outcome that needs no agent.
    fn without_agent(&self, due: &DuePerson, result: Conclusion, warnings: Vec<Warning>, now: Timestamp) -> Outcome {
        Outcome {
            id: ChangeId(self.options.random.uuid_v7(now)),
            person: PersonId(due.person.id.0),
            version: due.person.version,
            epoch: self.active.as_ref().map(|active| active.lease.epoch).unwrap_or_default(),
            ended: now,
            result,
            changes: Vec::new(),
            // Nothing was seen: a claim that was never used must not count as a link.
            link: None,
            dn: None,
            confirmed: due.person.confirmed.clone(),
            refused: Vec::new(),
            warnings,
            drift: Vec::new(),
            waits_for_manager: None,
        }
    }
}

/// Half a frame: what surrounds the items is small, but not nothing.
const WORK_FRAME_BYTES: usize = limits::FRAME_BYTES_MAX / 2;

/// What one person may take of it: the outcome repeats the values up to three times and must fit a frame too.
const WORK_ITEM_BYTES: usize = limits::FRAME_BYTES_MAX / 8;

fn too_large(size: usize) -> Failure {
    let reason =
        format!("the person's mapped values are {size} bytes; at most {WORK_ITEM_BYTES} can be sent: map less");
    Failure::new(Code::RecordTooLarge, None, reason)
}

/// What an agent must be able to do for these items.
fn needs(items: &[DesiredState]) -> Vec<Capability> {
    let mut needs = vec![
        Capability::Create,
        Capability::Update,
        Capability::Disable,
        Capability::Enable,
        Capability::Move,
        Capability::Journal,
    ];
    for (capability, is_needed) in [
        (Capability::Manager, items.iter().any(|item| item.manager.is_some())),
        (Capability::Rename, items.iter().any(|item| item.rename.is_some())),
        (Capability::Delete, items.iter().any(|item| item.delete)),
        (Capability::NoPassword, items.iter().any(|item| !item.initial_password.is_generated())),
        (Capability::UniqueValues, items.iter().any(|item| !item.unique.is_empty())),
        (Capability::WholeSchema, items.iter().any(DesiredState::is_of_whole_schema)),
    ] {
        needs.extend(is_needed.then_some(capability));
    }
    needs
}

/// Why an older agent is not given somebody: what it does not know it could not even read.
fn beyond(session: &Session, desired: &DesiredState) -> Option<Failure> {
    let wanted = needs(std::slice::from_ref(desired));
    let (_, what) = [
        (Capability::Rename, "rename accounts"),
        (Capability::Delete, "delete accounts"),
        (Capability::NoPassword, "make accounts without a password"),
        (Capability::UniqueValues, "choose among values that must be unique"),
        (Capability::WholeSchema, "read all that this job's mappings ask for"),
    ]
    .into_iter()
    .find(|(capability, _)| wanted.contains(capability) && !session.can(*capability))?;
    let reason = format!("the active agent cannot {what}; update it");
    Some(Failure::new(Code::HybridIdentityServiceNoActiveAgents, None, reason))
}

#[cfg(test)]
mod tests;
