//! Operations that change nothing, ended without an outcome and without reading record or account: the operation's data
//! is that of the one merged last, the last outcome left nothing to tell under the job's present mappings, and the
//! account's `uSNChanged` still is what was recorded then.
//!
//! The agent is asked about the accounts of one batch while the next is being merged.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use rollcall_model::ids::{ChangeId, JobId, LogId, ObjectGuid};
use rollcall_model::killpoint::KillPoint;
use rollcall_model::operation::Method;
use rollcall_model::{Timestamp, fold, limits};
use rollcall_store::{Error, Fenced, OpenOperation, RestingPerson, UnchangedBatch, UnchangedRow};
use rollcall_wire::link::{Capability, Controller, FromAgent, ToAgent};
use tokio::sync::oneshot;

use super::domain::Worker;
use super::is_fresh;
use super::standing::Looked;
use crate::{counters, fault};

/// An operation that may have found nothing to change.
pub(super) struct Candidate {
    operation: OpenOperation,
    person: RestingPerson,
}

/// A question about the accounts of a batch, under way.
pub(super) struct Looking {
    candidates: Vec<Candidate>,
    answer: oneshot::Receiver<FromAgent>,
    asked: Timestamp,
}

impl Looking {
    pub(super) fn len(&self) -> usize {
        self.candidates.len()
    }

    pub(super) fn holds(&self, row: i64) -> bool {
        self.candidates.iter().any(|candidate| candidate.operation.row == row)
    }
}

impl Worker {
    /// Takes out of these operations those that may have found nothing to change, and asks the agent about their
    /// accounts. An earlier question is ended first.
    pub(super) async fn look(&mut self, operations: Vec<OpenOperation>) -> Result<Vec<OpenOperation>, Error> {
        let Some(controller) = self.controller_to_ask() else { return Ok(operations) };
        let (candidates, others) = self.candidates(operations, &controller.invocation_id).await?;
        if candidates.is_empty() {
            return Ok(others);
        }
        self.await_looking().await?;
        let asked = self.active.as_ref().map(|active| (active.session, active.lease.epoch)).and_then(|(id, epoch)| {
            let wanted: Vec<ObjectGuid> = candidates.iter().map(|candidate| candidate.person.guid).collect();
            let highest = controller.highest_committed_usn;
            let (since, guids) = self.standing.question(&controller.invocation_id, highest, &wanted);
            let (request, answer) = self.sessions.get(&id)?.questions.ask();
            Some((id, ToAgent::Look { request, epoch, since, guids }, answer))
        });
        if let Some((id, frame, answer)) = asked
            && self.send_to(id, frame)
        {
            self.looking = Some(Looking { candidates, answer, asked: self.options.clock.now() });
        } else {
            self.read_them_instead(candidates);
        }
        Ok(others)
    }

    /// Another than the writing one may not have heard yet of what was changed there.
    fn controller_to_ask(&self) -> Option<Controller> {
        let session = self.active.as_ref().and_then(|active| self.sessions.get(&active.session))?;
        let may_ask = session.can(Capability::Look) && self.releasing.is_none() && self.has_writing_controller();
        session.controller.clone().filter(|_| may_ask)
    }

    /// Operations whose person rests and was merged last from the same data; each its person's only one in the batch,
    /// and not asked about before.
    async fn candidates(
        &mut self,
        operations: Vec<OpenOperation>,
        controller: &str,
    ) -> Result<(Vec<Candidate>, Vec<OpenOperation>), Error> {
        let mut wanted: BTreeMap<JobId, Vec<String>> = BTreeMap::new();
        for operation in &operations {
            if let Some(key) = operation.external_id.as_deref().map(fold) {
                wanted.entry(operation.job.clone()).or_default().push(key);
            }
        }
        let mut resting: HashMap<(JobId, String), RestingPerson> = HashMap::new();
        let mut several: HashSet<(JobId, String)> = HashSet::new();
        for (job, mut keys) in wanted {
            keys.sort_unstable();
            several
                .extend(keys.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| (job.clone(), pair[0].clone())));
            keys.dedup();
            for person in self.options.store.resting(&job, &keys).await? {
                resting.insert((job.clone(), person.key.clone()), person);
            }
        }
        let (mut candidates, mut others) = (Vec::new(), Vec::new());
        for operation in operations {
            let key = (operation.job.clone(), operation.external_id.as_deref().map(fold).unwrap_or_default());
            let was_looked_at = self.looked_at.remove(&operation.row);
            let schema = self.jobs.get(&operation.job).map(|ready| ready.job.schema_version);
            let found = resting.remove(&key).filter(|person| {
                !several.contains(&key) && !was_looked_at && is_the_same(&operation, person, controller, schema)
            });
            match found {
                Some(person) => candidates.push(Candidate { operation, person }),
                None => others.push(operation),
            }
        }
        Ok((candidates, others))
    }

    /// Whether one of these operations is about somebody whose account is being asked about.
    pub(super) fn looks_at_any_of(&self, operations: &[OpenOperation]) -> bool {
        let Some(looking) = &self.looking else { return false };
        let key = |operation: &OpenOperation| {
            (operation.job.clone(), operation.external_id.as_deref().map(fold).unwrap_or_default())
        };
        let keys: HashSet<_> = looking.candidates.iter().map(|candidate| key(&candidate.operation)).collect();
        operations.iter().any(|operation| keys.contains(&key(operation)))
    }

    /// Takes the answer of the question under way if it is there, or if it was waited for long enough.
    pub(super) async fn settle_looking(&mut self) -> Result<bool, Error> {
        let Some(mut looking) = self.looking.take() else { return Ok(false) };
        let overdue = !is_fresh(looking.asked, limits::LOOK_ANSWER_MS_MAX, self.options.clock.now());
        match looking.answer.try_recv() {
            Ok(frame) => self.settle(looking.candidates, Some(frame)).await.map(|()| true),
            Err(oneshot::error::TryRecvError::Empty) if !overdue => {
                self.looking = Some(looking);
                Ok(false)
            }
            Err(_) => self.settle(looking.candidates, None).await.map(|()| true),
        }
    }

    /// Waits for that answer, for as long as one may take.
    pub(super) async fn await_looking(&mut self) -> Result<(), Error> {
        let Some(looking) = self.looking.take() else { return Ok(()) };
        let limit = Duration::from_millis(limits::LOOK_ANSWER_MS_MAX.unsigned_abs());
        let frame = tokio::time::timeout(limit, looking.answer).await.ok().and_then(Result::ok);
        self.settle(looking.candidates, frame).await
    }

    /// Ends the operations whose accounts stand; the others are merged.
    async fn settle(&mut self, candidates: Vec<Candidate>, answer: Option<FromAgent>) -> Result<(), Error> {
        let epoch = self.active.as_ref().map(|active| active.lease.epoch);
        let looked = answer.and_then(|frame| match frame {
            FromAgent::Looked { epoch: of, invocation_id, up_to, complete, seen, .. } if Some(of) == epoch => {
                Some(Looked { controller: invocation_id, up_to, complete, seen })
            }
            _ => None,
        });
        let Some(looked) = looked else {
            self.read_them_instead(candidates);
            return Ok(());
        };
        self.standing.learn(&looked);
        let (stand, others): (Vec<_>, Vec<_>) = candidates
            .into_iter()
            .partition(|candidate| self.standing.stands(candidate.person.guid, candidate.person.usn_changed));
        self.read_them_instead(others);
        let Some(lease) = self.active.as_ref().map(|active| active.lease.clone()) else { return Ok(()) };
        if stand.is_empty() {
            return Ok(());
        }
        let at = self.options.clock.now();
        let (random, cycle) = (self.options.random.clone(), self.cycle(at));
        let mut of_job: BTreeMap<JobId, Vec<UnchangedRow>> = BTreeMap::new();
        for candidate in stand {
            let person = candidate.person;
            let row = UnchangedRow {
                operation: candidate.operation.row,
                person: person.person,
                version: person.version,
                external_id: person.external_id,
                log: LogId(random.uuid_v7(at)),
                change: ChangeId(random.uuid_v7(at)),
                source_name: person.display_name,
                guid: Some(person.guid),
                target_name: None,
            };
            of_job.entry(candidate.operation.job).or_default().push(row);
        }
        for (job, rows) in of_job {
            fault::reached(KillPoint::BeforeRecordCommit);
            let stored = self.options.store.settle_unchanged(&lease, &UnchangedBatch { job, cycle, at, rows }).await?;
            fault::reached(KillPoint::AfterRecordCommit);
            match stored {
                Fenced::Done(ended) => counters::unchanged(ended),
                Fenced::Stale => {
                    self.lose_lease();
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Whose account has changed, or of whose nothing could be learned, is merged and looked at like anybody.
    fn read_them_instead(&mut self, candidates: Vec<Candidate>) {
        for candidate in candidates.into_iter().rev() {
            self.looked_at.insert(candidate.operation.row);
            self.waiting.push_front(candidate.operation);
        }
    }
}

/// Whether merging the operation again could change nothing, as far as the store knows.
fn is_the_same(operation: &OpenOperation, person: &RestingPerson, controller: &str, schema: Option<i64>) -> bool {
    operation.method == Method::Post
        && operation.data == Some(person.data)
        && Some(person.quiet) == schema
        && person.controller == controller
}

#[cfg(test)]
mod tests {
    use rollcall_model::ids::{PersonId, UploadId, Version};
    use rollcall_model::operation::OperationState;
    use uuid::Uuid;

    use super::super::bench::Bench;
    use super::*;

    #[test]
    fn only_the_data_merged_last_is_the_same() {
        let check = |case: &str, change: fn(&mut OpenOperation, &mut RestingPerson), expected: bool| {
            let mut operation = OpenOperation {
                row: 5,
                upload: UploadId(Uuid::from_u128(6)),
                index: 0,
                job: JobId::from_text("API2AD.t.j"),
                method: Method::Post,
                external_id: Some("E-1".to_owned()),
                person: None,
                version: None,
                state: OperationState::Queued,
                urgent: false,
                data: Some([7; 16]),
            };
            let mut person = RestingPerson {
                key: "e-1".to_owned(),
                person: PersonId(Uuid::from_u128(1)),
                version: Version(3),
                external_id: "E-1".to_owned(),
                display_name: None,
                guid: ObjectGuid(Uuid::from_u128(2)),
                usn_changed: 9,
                controller: "dc1".to_owned(),
                data: [7; 16],
                quiet: 4,
            };
            change(&mut operation, &mut person);
            assert_eq!(is_the_same(&operation, &person, "dc1", Some(4)), expected, "{case}");
        };
        check("the same again", |_, _| {}, true);
        check("other data", |operation, _| operation.data = Some([8; 16]), false);
        check("data of an older build", |operation, _| operation.data = None, false);
        check("a DELETE", |operation, _| operation.method = Method::Delete, false);
        check("quiet under other mappings", |_, person| person.quiet = 3, false);
        check("a number of another controller", |_, person| person.controller = "dc2".to_owned(), false);
    }

    /// ADR 0011
    #[tokio::test]
    async fn only_the_writing_controller_is_asked() {
        let bench = Bench::new().await;
        let (first, second) = (bench.enrol().await, bench.enrol().await);
        let mut node = bench.node();
        let a = bench.connect(&mut node, &first, "dc1", Capability::OURS).await;
        node.take_lease().await.unwrap();
        let asked = |node: &Worker| node.controller_to_ask().map(|controller| controller.invocation_id);
        assert_eq!(asked(&node).as_deref(), Some("dc1"));
        let elsewhere = bench.connect(&mut node, &second, "dc2", Capability::OURS).await;
        let other = node.sessions[&elsewhere.id].controller.clone();
        node.sessions.get_mut(&a.id).unwrap().controller = other;
        assert_eq!(asked(&node), None, "the agent has gone over to another one");
    }
}
