//! Due persons to the agent.

use std::collections::HashMap;

use rollcall_engine::evaluate::{self, Evaluation};
use rollcall_model::desired::DesiredState;
use rollcall_model::ids::{ChangeId, JobId, ObjectGuid, PersonId};
use rollcall_model::killpoint::KillPoint;
use rollcall_model::outcome::{Conclusion, Outcome};
use rollcall_model::plan::{Failure, Warning};
use rollcall_model::{Code, Timestamp, fold, limits};
use rollcall_store::{DuePerson, Error};
use rollcall_wire::link::{Capability, ToAgent};

use super::domain::Worker;
use crate::fault;

impl Worker {
    /// Evaluates and sends one batch of due persons; whether there were any.
    pub(super) async fn dispatch_due(&mut self) -> Result<bool, Error> {
        let now = self.options.clock.now();
        let overdue = now.plus_ms(-limits::WORK_ANSWER_MS_MAX);
        self.in_flight.retain(|_, given| *given > overdue);
        let Some((session, epoch)) = self.active.as_ref().map(|active| (active.session, active.lease.epoch)) else {
            return Ok(false);
        };
        // While the directory refuses the bind or cannot be reached, the domain waits and nobody fails for it.
        if self.sessions.get(&session).is_none_or(|session| session.controller.is_none()) {
            return Ok(false);
        }
        let room = limits::WORK_OUTSTANDING_PERSONS_MAX.saturating_sub(self.in_flight.len());
        if room == 0 || self.jobs.is_empty() {
            return Ok(false);
        }
        let wanted = room.min(limits::WORK_BATCH_PERSONS_MAX);
        let jobs: Vec<JobId> = self.jobs.keys().cloned().collect();
        let limit = i64::try_from(self.in_flight.len() + wanted).unwrap_or(i64::MAX);
        let mut due = self.options.store.due_persons(&jobs, now, limit).await?;
        due.retain(|person| !self.in_flight.contains_key(&person.person.id));
        due.truncate(wanted);
        if due.is_empty() {
            return Ok(false);
        }
        let links = self.manager_links(&due).await?;
        let mut items = Vec::new();
        let mut decided = Vec::new();
        let mut bytes = 0;
        for person in due {
            match self.evaluate(&person, &links) {
                Evaluation::Send(mut desired) => {
                    desired.warnings.extend(person.person.pending.warnings.iter().cloned());
                    let size = serde_json::to_vec(&desired).map_or(usize::MAX, |text| text.len());
                    bytes = size.saturating_add(bytes);
                    if size > WORK_ITEM_BYTES {
                        let result = Conclusion::Failed(too_large(size));
                        decided.push(self.without_agent(&person, result, Vec::new(), now));
                    } else if bytes > WORK_FRAME_BYTES {
                        // Still due: it goes into the next frame.
                        break;
                    } else {
                        items.push(*desired);
                    }
                }
                Evaluation::Skip(code, warnings) => {
                    decided.push(self.without_agent(&person, Conclusion::Skipped(code), warnings, now));
                }
                Evaluation::Fail(failure, warnings) => {
                    decided.push(self.without_agent(&person, Conclusion::Failed(failure), warnings, now));
                }
            }
        }
        if !decided.is_empty() {
            let _ = self.record(decided).await?;
        }
        if !items.is_empty() && self.active.is_some() {
            self.cycle(now);
            let given: Vec<PersonId> = items.iter().map(|item| item.person).collect();
            fault::reached(KillPoint::BeforeWorkSend);
            let needs = needs(&items);
            if self.send_to(session, ToAgent::Work { epoch, needs, items }) {
                self.in_flight.extend(given.into_iter().map(|person| (person, now)));
            }
            fault::reached(KillPoint::AfterWorkSend);
        }
        Ok(true)
    }

    fn evaluate(&self, due: &DuePerson, links: &HashMap<(JobId, String), ObjectGuid>) -> Evaluation {
        let Some(ready) = self.jobs.get(&due.job) else {
            return Evaluation::Skip(Code::InternalError, Vec::new());
        };
        let manager = evaluate::manager_of(&ready.prepared, &due.person)
            .and_then(|id| links.get(&(due.job.clone(), fold(&id))).copied());
        evaluate::evaluate(&ready.prepared, &due.person, manager)
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
    if items.iter().any(|item| item.manager.is_some()) {
        needs.push(Capability::Manager);
    }
    needs
}
