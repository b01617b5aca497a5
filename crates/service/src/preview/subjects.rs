//! Who is previewed: operations merged into stored persons in memory, or stored persons as they are.

use std::collections::HashMap;

use rollcall_engine::merge::{self, Incoming, Merge};
use rollcall_model::ids::{JobId, ObjectGuid, PersonId};
use rollcall_model::operation::Method;
use rollcall_model::person::{Pending, Person};
use rollcall_model::plan::Failure;
use rollcall_model::{Code, Random, Timestamp, fold};
use rollcall_store::{Error, Job, PersonUpdate, Store};
use rollcall_wire::scim::BulkOperation;
use serde_json::Value;

/// One person, or an operation that can be nobody's.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) external_id: Option<String>,
    /// Places of the operations that are about this person.
    pub(crate) operations: Vec<usize>,
    what: Result<Box<Person>, Failure>,
    /// Account and `uSNChanged` of somebody for whom nothing is to be done as long as that stands.
    pub(super) resting: Option<(ObjectGuid, i64)>,
}

impl Subject {
    pub(super) fn person(&self) -> Option<&Person> {
        self.what.as_deref().ok()
    }

    pub(super) fn failure(&self) -> Failure {
        match &self.what {
            Ok(_) => Failure::new(Code::InternalError, None, "the preview lost its way"),
            Err(failure) => failure.clone(),
        }
    }

    fn of(external_id: Option<&str>, operation: usize, what: Result<Box<Person>, Failure>) -> Self {
        Self { external_id: external_id.map(str::to_owned), operations: vec![operation], what, resting: None }
    }
}

/// Merges operations, those of one person in their order, into what is stored of them. Nothing is stored.
pub(crate) async fn of_operations(
    store: &dyn Store,
    job: &Job,
    operations: &[(BulkOperation, [u8; 16])],
    controller: &str,
    random: &dyn Random,
    now: Timestamp,
) -> Result<Vec<Subject>, Error> {
    let mut keys: Vec<String> =
        operations.iter().filter_map(|(operation, _)| operation.external_id.as_deref().map(fold)).collect();
    keys.sort_unstable();
    keys.dedup();
    let known = by_key(store, &job.id, &keys).await?;
    Ok(merged(job, operations, &known, controller, random, now))
}

/// The same with stored persons by folded `externalId`.
pub(super) fn merged(
    job: &Job,
    operations: &[(BulkOperation, [u8; 16])],
    known: &HashMap<String, PersonUpdate>,
    controller: &str,
    random: &dyn Random,
    now: Timestamp,
) -> Vec<Subject> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut subjects: Vec<Subject> = Vec::with_capacity(operations.len());
    for (at, (operation, digest)) in operations.iter().enumerate() {
        let (id, members) = match (merge::external_id(&operation.data), &operation.data) {
            (Ok(id), Value::Object(members)) => (id, members),
            (Err(failure), _) => {
                subjects.push(Subject::of(operation.external_id.as_deref(), at, Err(failure)));
                continue;
            }
            (Ok(_), _) => continue,
        };
        let key = fold(&id);
        let stored = known.get(&key);
        let before = match places.get(&key).and_then(|place| subjects[*place].person()) {
            Some(person) => person.clone(),
            None => {
                stored.map_or_else(|| Person::new(PersonId(random.uuid_v7(now)), &id), |stored| stored.person.clone())
            }
        };
        let merged = match merge::merge(&before, &Incoming { method: operation.method, data: members }) {
            Merge::Accepted { mut person, warnings } => {
                person.pending.warnings = warnings;
                Ok(Box::new(person))
            }
            Merge::Rejected { failure, .. } => Err(failure),
        };
        match places.get(&key) {
            // A later operation that is wrong fails alone.
            Some(place) if merged.is_ok() => {
                let subject = &mut subjects[*place];
                subject.operations.push(at);
                (subject.what, subject.resting) = (merged, None);
            }
            _ => {
                let is_usable = merged.is_ok();
                let mut subject = Subject::of(Some(&id), at, merged);
                if is_usable {
                    let same = operation.method == Method::Post;
                    let stored = stored.filter(|stored| same && stored.data == Some(*digest));
                    subject.resting = stored.and_then(|stored| resting(job, stored, controller));
                    places.insert(key, subjects.len());
                }
                subjects.push(subject);
            }
        }
    }
    subjects
}

/// Stored persons by name: as if each one's record were sent again.
pub(crate) async fn of_persons(
    store: &dyn Store,
    job: &Job,
    external_ids: &[String],
    controller: &str,
) -> Result<Vec<Subject>, Error> {
    let keys: Vec<String> = external_ids.iter().map(|id| fold(id)).collect();
    let known = by_key(store, &job.id, &keys).await?;
    let one = |(id, key): (&String, &String)| {
        let Some(stored) = known.get(key) else {
            let reason = format!("no person with externalId '{id}' is known to this job");
            let what = Err(Failure::new(Code::ImportSkipped, None, reason));
            return Subject { external_id: Some(id.clone()), operations: vec![], what, resting: None };
        };
        let again = Incoming { method: stored.person.pending.method, data: &stored.person.record };
        let what = match merge::merge(&stored.person, &again) {
            Merge::Accepted { mut person, warnings } => {
                person.pending.warnings = warnings;
                Ok(Box::new(person))
            }
            Merge::Rejected { failure, .. } => Err(failure),
        };
        let external_id = Some(stored.person.external_id.clone());
        Subject { external_id, operations: vec![], what, resting: resting(job, stored, controller) }
    };
    Ok(external_ids.iter().zip(&keys).map(one).collect())
}

/// A page of stored persons, as they stand; and where the next begins.
pub(crate) async fn page(
    store: &dyn Store,
    job: &Job,
    after: i64,
    limit: usize,
    controller: &str,
) -> Result<(Vec<Subject>, Option<i64>), Error> {
    let rows = store.persons_after(&job.id, after, i64::try_from(limit).unwrap_or(i64::MAX)).await?;
    let next = rows.last().map(|(row, _)| *row).filter(|_| rows.len() == limit);
    let subjects = rows
        .into_iter()
        .map(|(_, stored)| Subject {
            external_id: Some(stored.person.external_id.clone()),
            operations: vec![],
            resting: resting(job, &stored, controller),
            what: Ok(Box::new(stored.person)),
        })
        .collect();
    Ok((subjects, next))
}

async fn by_key(store: &dyn Store, job: &JobId, keys: &[String]) -> Result<HashMap<String, PersonUpdate>, Error> {
    let persons = store.persons_by_key(job, keys).await?;
    Ok(persons.into_iter().map(|stored| (fold(&stored.person.external_id), stored)).collect())
}

/// What [`rollcall_store::RestingPerson`] is, of a person that was read whole.
fn resting(job: &Job, stored: &PersonUpdate, controller: &str) -> Option<(ObjectGuid, i64)> {
    let link = stored.person.link.as_ref().filter(|link| link.confirmed)?;
    let rests = stored.quiet == Some(job.schema_version)
        && stored.due.is_none()
        && stored.last_code.is_none()
        && stored.person.pending == Pending::default()
        && stored.person.refused.is_empty()
        && link.invocation_id.as_deref() == Some(controller);
    link.usn_changed.filter(|_| rests).map(|usn| (link.guid, usn))
}
