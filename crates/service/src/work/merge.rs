//! Waiting operations into persons.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rollcall_engine::merge::{self, Incoming, Merge};
use rollcall_model::ids::{ChangeId, JobId, LogId, PersonId, UploadId, Version};
use rollcall_model::killpoint::KillPoint;
use rollcall_model::operation::{Method, OperationState};
use rollcall_model::person::Person;
use rollcall_model::plan::{Action, Failure};
use rollcall_model::{Code, Timestamp, fold, limits};
use rollcall_store::{
    Error, Fenced, FinishedOperation, LogDetails, LogRow, LogStatus, MergeBatch, OpenOperation, PersonUpdate,
};
use serde_json::Value;
use tracing::error;

use super::domain::Worker;
use super::unchanged::Looking;
use crate::{body, counters, fault};

/// The `data` members of an upload's operations, in order.
type Bodies = HashMap<UploadId, Vec<Value>>;

impl Worker {
    /// Merges one batch of waiting operations; whether there were any.
    pub(super) async fn merge_waiting(&mut self) -> Result<bool, Error> {
        let Some(lease) = self.active.as_ref().map(|active| active.lease.clone()) else { return Ok(false) };
        let operations = self.next_waiting().await?;
        if operations.is_empty() {
            return Ok(false);
        }
        if self.looks_at_any_of(&operations) {
            // One person's operations are dealt with one after the other: what could not be ended comes first.
            let behind = std::mem::take(&mut self.waiting);
            let looked = self.await_looking().await;
            self.waiting.extend(operations);
            self.waiting.extend(behind);
            return looked.map(|()| true);
        }
        let operations = self.look(operations).await?;
        if operations.is_empty() {
            return Ok(true);
        }
        let bodies = self.bodies(operations.iter().map(|operation| operation.upload)).await?;
        let mut batch = Batch::new(self.options.clock.now());
        let jobs: Vec<JobId> = self.jobs.keys().cloned().collect();
        for job in &jobs {
            let keys: Vec<String> = operations
                .iter()
                .filter(|operation| operation.job == *job)
                .filter_map(|operation| operation.external_id.as_deref().map(fold))
                .collect();
            if !keys.is_empty() {
                batch.know(job, self.options.store.persons_by_key(job, &keys).await?);
            }
        }
        for operation in &operations {
            self.merge_one(&mut batch, operation, &bodies);
        }
        fault::reached(KillPoint::BeforeMergeCommit);
        let merged = batch.finish();
        self.urgent_may_be_due |= merged.persons.iter().any(|person| person.urgent);
        // Whoever is merged is not what was read ahead.
        self.ready.retain(|due| merged.persons.iter().all(|merged| merged.person.id != due.person.id));
        if !merged.persons.is_empty() {
            // Nor is anybody whom no operation asked for: these come first.
            self.ready.retain(|due| due.cause.is_none());
        }
        let stored = self.options.store.merge(&lease, &merged).await?;
        fault::reached(KillPoint::AfterMergeCommit);
        match stored {
            Fenced::Done(()) => {
                counters::finished(&merged.operations);
                Ok(true)
            }
            Fenced::Stale => {
                self.lose_lease();
                Ok(false)
            }
        }
    }

    /// The unpacked bodies of these uploads.
    pub(super) async fn bodies(&self, uploads: impl Iterator<Item = UploadId>) -> Result<Bodies, Error> {
        let mut uploads: Vec<UploadId> = uploads.collect();
        uploads.sort_unstable();
        uploads.dedup();
        let mut bodies = Bodies::new();
        for (upload, packed) in self.options.store.bodies(&uploads).await? {
            match body::unpack(&packed) {
                Ok(data) => {
                    bodies.insert(upload, data);
                }
                Err(failure) => error!(%upload, error = %failure, "a stored body cannot be read"),
            }
        }
        Ok(bodies)
    }

    /// The next operations to merge, in the order of their arrival: an urgent one comes early, but is merged in its turn.
    async fn next_waiting(&mut self) -> Result<Vec<OpenOperation>, Error> {
        let jobs: Vec<JobId> = self.jobs.keys().cloned().collect();
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        if self.waiting.is_empty() {
            let limit = limits::MERGE_READ_AHEAD_OPERATIONS_MAX + self.looking.as_ref().map_or(0, Looking::len);
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let operations = self.options.store.waiting_operations(&jobs, limit).await?;
            let looked_at = |row| self.looking.as_ref().is_some_and(|looking| looking.holds(row));
            self.waiting = operations.into_iter().filter(|operation| !looked_at(operation.row)).collect();
        }
        let count = self.waiting.len().min(limits::MERGE_BATCH_OPERATIONS_MAX);
        let mut operations: Vec<OpenOperation> = self.waiting.drain(..count).collect();
        operations.sort_by_key(|operation| operation.row);
        Ok(operations)
    }

    fn merge_one(&mut self, batch: &mut Batch, operation: &OpenOperation, bodies: &Bodies) {
        let data = bodies.get(&operation.upload).and_then(|all| {
            usize::try_from(operation.index).ok().and_then(|index| Some((all.get(index)?, &all[..index])))
        });
        let Some((data, earlier)) = data else {
            let failure = Failure::new(Code::InternalError, None, "the stored record cannot be read; send it again");
            return self.fail(batch, operation, operation.external_id.as_deref(), failure);
        };
        let external_id = match merge::external_id(data) {
            Ok(id) => id,
            Err(failure) => return self.fail(batch, operation, operation.external_id.as_deref(), failure),
        };
        if let Some(failure) = other_user_name(&external_id, data, earlier) {
            return self.fail(batch, operation, Some(&external_id), failure);
        }
        let Value::Object(members) = data else { return };
        let now = batch.now;
        let random = &self.options.random;
        let person =
            batch.person(&operation.job, &external_id, || Person::new(PersonId(random.uuid_v7(now)), &external_id));
        match merge::merge(&person.person, &Incoming { method: operation.method, data: members }) {
            Merge::Accepted { person: merged, warnings } => {
                // What was called urgent before and is not done yet stays so.
                let was_urgent = person.urgent && person.due.is_some();
                person.person = merged;
                person.person.pending.warnings = warnings;
                person.due = Some(now);
                person.attempts = 0;
                person.urgent = was_urgent || operation.urgent || is_urgent(&person.person);
                person.data = operation.data;
                (person.quiet, person.cause) = (None, None);
                person.display_name = person.person.record.get("displayName").and_then(Value::as_str).map(shown);
                let (id, version) = (person.person.id, person.person.version);
                batch.changed(&operation.job, &external_id);
                batch.operations.push(FinishedOperation {
                    row: operation.row,
                    state: OperationState::Working,
                    code: None,
                    person: Some(id),
                    version: Some(version),
                    merged_into: None,
                    log: None,
                });
            }
            Merge::Rejected { failure, disable } => {
                if let Some(disabled) = disable {
                    person.person = disabled;
                    person.due = Some(now);
                    person.attempts = 0;
                    person.urgent = true;
                    // Only a part of the operation was merged.
                    (person.data, person.quiet, person.cause) = (None, None, None);
                    batch.changed(&operation.job, &external_id);
                }
                self.fail(batch, operation, Some(&external_id), failure);
            }
        }
    }

    /// The operation ends here, with a row in the log.
    fn fail(&mut self, batch: &mut Batch, operation: &OpenOperation, external_id: Option<&str>, failure: Failure) {
        let id = LogId(self.options.random.uuid_v7(batch.now));
        batch.operations.push(FinishedOperation {
            row: operation.row,
            state: OperationState::Failed,
            code: Some(failure.code),
            person: None,
            version: None,
            merged_into: None,
            log: Some(id),
        });
        batch.log.push(LogRow {
            id,
            tenant: self.tenant,
            job: operation.job.clone(),
            change: ChangeId(self.options.random.uuid_v7(batch.now)),
            cycle: self.cycle(batch.now),
            at: batch.now,
            duration_ms: 0,
            action: Action::Other,
            status: LogStatus::Failure,
            code: Some(failure.code),
            person: None,
            version: None,
            external_id: external_id.unwrap_or("").to_owned(),
            source_name: None,
            guid: None,
            target_name: None,
            details: LogDetails { failure: Some(failure), ..LogDetails::default() },
        });
    }

    /// The running cycle, which begins with its first work.
    pub(super) fn cycle(&mut self, now: Timestamp) -> uuid::Uuid {
        let random = &self.options.random;
        *self.cycle.get_or_insert_with(|| random.uuid_v7(now))
    }
}

/// A merge under way.
struct Batch {
    now: Timestamp,
    persons: BTreeMap<(JobId, String), PersonUpdate>,
    changed: BTreeSet<(JobId, String)>,
    /// The versions that were read.
    made_from: BTreeMap<PersonId, Version>,
    operations: Vec<FinishedOperation>,
    log: Vec<LogRow>,
}

impl Batch {
    fn new(now: Timestamp) -> Self {
        Self {
            now,
            persons: BTreeMap::new(),
            changed: BTreeSet::new(),
            made_from: BTreeMap::new(),
            operations: Vec::new(),
            log: Vec::new(),
        }
    }

    fn know(&mut self, job: &JobId, persons: Vec<PersonUpdate>) {
        for update in persons {
            self.made_from.insert(update.person.id, update.person.version);
            self.persons.insert((job.clone(), fold(&update.person.external_id)), update);
        }
    }

    fn person(&mut self, job: &JobId, external_id: &str, new: impl FnOnce() -> Person) -> &mut PersonUpdate {
        let key = (job.clone(), fold(external_id));
        self.persons.entry(key).or_insert_with(|| PersonUpdate {
            job: job.clone(),
            person: new(),
            due: None,
            attempts: 0,
            urgent: false,
            last_code: None,
            data: None,
            quiet: None,
            display_name: None,
            unlinked: None,
            look: None,
            cause: None,
        })
    }

    /// Only whom a merge changed is stored.
    fn changed(&mut self, job: &JobId, external_id: &str) {
        self.changed.insert((job.clone(), fold(external_id)));
    }

    fn finish(mut self) -> MergeBatch {
        let persons = self.changed.iter().filter_map(|key| self.persons.remove(key)).collect();
        MergeBatch { persons, operations: self.operations, log: self.log, made_from: self.made_from }
    }
}

/// Disables go before everything else.
fn is_urgent(person: &Person) -> bool {
    person.pending.method == Method::Delete || person.record.get("active") == Some(&Value::Bool(false))
}

/// Semantics `several-operations`: within one request, a later operation that gives the same externalId another
/// userName is taken for somebody else's.
fn other_user_name(external_id: &str, data: &Value, earlier: &[Value]) -> Option<Failure> {
    let own = user_name(data)?;
    let key = fold(external_id);
    let first = earlier
        .iter()
        .filter(|other| merge::external_id(other).is_ok_and(|id| fold(&id) == key))
        .find_map(user_name)?;
    (fold(own) != fold(first)).then(|| {
        let (own, first) = (shown(own), shown(first));
        Failure::new(
            Code::DuplicateSourceEntries,
            Some("/userName"),
            format!(
                "externalId '{external_id}' has userName '{first}' earlier in the same request and '{own}' here; give \
                 each person an externalId of their own, or send one operation a person"
            ),
        )
    })
}

/// As much of a name as a log row should carry.
fn shown(name: &str) -> String {
    name.chars().take(64).collect()
}

fn user_name(data: &Value) -> Option<&str> {
    data.as_object()?.iter().find(|(name, _)| name.eq_ignore_ascii_case("userName"))?.1.as_str()
}
