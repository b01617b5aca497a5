//! Outcomes.

use std::collections::BTreeMap;

use rollcall_model::Code;
use rollcall_model::ids::{LogId, Version};
use rollcall_model::operation::OperationState;
use rollcall_model::plan::{Action, Failure, Warning};

use super::world::{START, World, finished, names};
use crate::log::LogDetails;
use crate::{
    Fenced, FinishedOperation, LogOrder, LogQuery, LogRow, LogStatus, MergeBatch, PersonUpdate, RecordBatch, Store,
};

async fn record(store: &dyn Store, world: &World, batch: &RecordBatch) {
    assert_eq!(store.record(&world.lease, batch, START).await.unwrap(), Fenced::Done(()));
}

async fn all_logs(store: &dyn Store, world: &World) -> Vec<LogRow> {
    let query =
        LogQuery { tenant: world.tenant, filter: None, order: LogOrder::OldestFirst, limit: 1_000, after: None };
    store.log(&query).await.unwrap()
}

pub(super) async fn a_report_delivered_twice_is_recorded_once(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let person = world.person("a");
    let (upload, rows) = world.working(store, std::slice::from_ref(&person)).await;
    let first = world.log_row(&person, Action::Create);
    record(store, &world, &RecordBatch { log: vec![first.clone()], ..RecordBatch::default() }).await;
    // Delivered again: the service made another id for the row, but the change is the same.
    let again = LogRow { id: LogId(world.id()), ..first.clone() };
    let new = world.log_row(&person, Action::Enable);
    let done = FinishedOperation { log: Some(again.id), ..finished(rows[0], OperationState::Done) };
    let batch = RecordBatch {
        log: vec![again.clone(), new.clone(), LogRow { id: LogId(world.id()), ..new.clone() }],
        operations: vec![done],
        ..RecordBatch::default()
    };
    record(store, &world, &batch).await;
    record(store, &world, &batch).await;
    assert_eq!(all_logs(store, &world).await, [first.clone(), new.clone()]);
    let counts = store.job_counts(&world.job).await.unwrap();
    assert_eq!(counts.changes, BTreeMap::from([((1, 1), 1), ((4, 1), 1)]));
    assert_eq!(counts.operations, BTreeMap::from([(OperationState::Done, 1)]));
    let status = store.upload(world.tenant, upload).await.unwrap().unwrap();
    assert_eq!(status.operations[0].logs, [first.id, new.id], "under the ids that are stored");
}

/// semantics: several-operations
pub(super) async fn a_status_says_why(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let persons = [world.person("a"), world.person("b"), world.person("c"), world.person("d")];
    let (upload, rows) = world.working(store, &persons).await;
    let with =
        |at: usize, code, details| LogRow { code: Some(code), details, ..world.log_row(&persons[at], Action::Other) };
    let warning = |code, text: &str| Warning { code, attribute: None, text: text.to_owned() };
    let refused = Failure::new(Code::ContainerNotFound, Some("/x"), "no such container");
    let failed = with(0, Code::ContainerNotFound, LogDetails { failure: Some(refused), ..LogDetails::default() });
    let warnings = vec![warning(Code::Drift, "drifted"), warning(Code::SelfReference, "own manager")];
    let warned = with(1, Code::SelfReference, LogDetails { warnings, ..LogDetails::default() });
    let earlier = world.log_row(&persons[1], Action::Update);
    let other_version = LogRow { version: Some(Version(9)), ..world.log_row(&persons[1], Action::Update) };
    let end = |at: usize, state, code, log: Option<&LogRow>| FinishedOperation {
        code,
        log: log.map(|row| row.id),
        ..finished(rows[at], state)
    };
    let operations = vec![
        end(0, OperationState::Failed, Some(Code::ContainerNotFound), Some(&failed)),
        end(1, OperationState::Done, Some(Code::SelfReference), Some(&warned)),
        FinishedOperation { merged_into: Some(rows[1]), ..end(2, OperationState::Done, None, None) },
        end(3, OperationState::Retrying, Some(Code::DirectoryBusy), None),
    ];
    let log = vec![failed.clone(), earlier.clone(), other_version, warned.clone()];
    record(store, &world, &RecordBatch { operations, log, ..RecordBatch::default() }).await;
    let status = store.upload(world.tenant, upload).await.unwrap().unwrap().operations;
    let brief: Vec<_> = status.iter().map(|row| (row.state, row.code, row.reason.as_deref())).collect();
    assert_eq!(
        brief,
        [
            (OperationState::Failed, Some(Code::ContainerNotFound), Some("no such container")),
            (OperationState::Done, Some(Code::SelfReference), Some("own manager")),
            (OperationState::Done, None, None),
            (OperationState::Retrying, Some(Code::DirectoryBusy), None),
        ]
    );
    assert_eq!(status[0].logs, [failed.id]);
    assert_eq!(status[1].logs, [earlier.id, warned.id], "all rows of its person and version, in order");
    assert_eq!((status[1].person, status[1].version), (Some(persons[1].person.id), Some(Version(1))));
    assert_eq!((status[1].merged_into, status[2].merged_into), (None, Some((upload, 1))));
    let ids: Vec<_> = persons.iter().map(|update| update.person.id).collect();
    let open = store.open_operations(&ids).await.unwrap();
    assert_eq!(open.iter().map(|row| (row.row, row.state)).collect::<Vec<_>>(), [(rows[3], OperationState::Retrying)]);
}

pub(super) async fn final_states_stay(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let (upload, rows) = world.working(store, &[world.person("a")]).await;
    for state in [OperationState::Done, OperationState::Failed, OperationState::Working] {
        let batch = RecordBatch { operations: vec![finished(rows[0], state)], ..RecordBatch::default() };
        record(store, &world, &batch).await;
    }
    let status = store.upload(world.tenant, upload).await.unwrap().unwrap();
    assert_eq!(status.operations[0].state, OperationState::Done);
    let counts = store.job_counts(&world.job).await.unwrap();
    assert_eq!(counts.operations, BTreeMap::from([(OperationState::Done, 1)]));
}

/// semantics: several-operations
pub(super) async fn an_outcome_of_an_older_version_keeps_the_newer_record(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let first = world.person("a");
    world.merge(store, std::slice::from_ref(&first)).await;
    let mut second = first.clone();
    second.person.version = Version(2);
    second.person.record.insert("title".to_owned(), "second".into());
    second.person.pending.touched.insert("title".to_owned());
    world.merge(store, std::slice::from_ref(&second)).await;
    let mut outcome = PersonUpdate { due: None, ..first };
    outcome.person.link = Some(rollcall_model::person::Link {
        guid: world.guid(),
        confirmed: true,
        invocation_id: None,
        usn_changed: None,
    });
    outcome.person.confirmed = Some(rollcall_model::person::Confirmed::default());
    record(store, &world, &RecordBatch { persons: vec![outcome.clone()], ..RecordBatch::default() }).await;
    second.person.link = outcome.person.link;
    second.person.confirmed = outcome.person.confirmed;
    assert_eq!(store.person(&world.job, "a").await.unwrap(), Some(second), "still due, with the newer record");
}

/// semantics: manager
pub(super) async fn a_linked_manager_wakes_who_waits(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let idle = |name: &str| PersonUpdate { due: None, ..world.person(name) };
    let persons = [idle("waits"), idle("same batch"), idle("other manager"), idle("gave up"), idle("Boss")];
    world.merge(store, &persons).await;
    let wait = |at: usize, manager: &str| (persons[at].person.id, manager.to_owned());
    let earlier = RecordBatch {
        waits: vec![wait(0, "x"), wait(0, "boss"), wait(2, "somebody"), wait(3, "boss")],
        ..RecordBatch::default()
    };
    record(store, &world, &earlier).await;
    let due = async || {
        let due = store.due_persons(std::slice::from_ref(&world.job), START, 10).await.unwrap();
        due.into_iter().map(|due| due.person.external_id).collect::<Vec<_>>()
    };
    assert!(due().await.is_empty());
    // One of them is put to rest in the very batch that brings the manager's link.
    let later = PersonUpdate { due: Some(START.plus_ms(99_000)), ..persons[1].clone() };
    let batch = RecordBatch {
        persons: vec![later],
        waits: vec![wait(1, "boss")],
        waits_ended: vec![persons[3].person.id],
        linked: vec![(world.job.clone(), "boss".to_owned())],
        ..RecordBatch::default()
    };
    record(store, &world, &batch).await;
    assert_eq!(due().await, ["waits", "same batch"]);
}

/// semantics: manager
pub(super) async fn the_sweep_wakes_everyone_who_waits(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let persons: Vec<_> = ["a", "b", "c"].iter().map(|name| PersonUpdate { due: None, ..world.person(name) }).collect();
    world.merge(store, &persons).await;
    let waits = persons[..2].iter().map(|update| (update.person.id, "boss".to_owned())).collect();
    record(store, &world, &RecordBatch { waits, ..RecordBatch::default() }).await;
    assert_eq!(store.wake_waiting(&world.lease, START).await.unwrap(), Fenced::Done(2));
    let due = store.due_persons(std::slice::from_ref(&world.job), START, 10).await.unwrap();
    assert_eq!(names(due.iter().map(|due| &due.person)), ["a", "b"]);
}

pub(super) async fn counters_sum_up(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let mut persons = vec![world.person("a"), world.person("b"), world.person("c")];
    let (_, rows) = world.working(store, &persons).await;
    let claim = [(persons[0].person.id, world.guid())];
    assert!(matches!(store.claim_links(&world.lease, &claim).await.unwrap(), Fenced::Done(_)));
    persons[1].due = None;
    persons[1].last_code = Some(Code::EntryConflict);
    persons[2].last_code = Some(Code::DirectoryBusy);
    let failed = LogRow { status: LogStatus::Failure, ..world.log_row(&persons[1], Action::Create) };
    let batch = RecordBatch {
        persons: persons[1..].to_vec(),
        operations: vec![finished(rows[1], OperationState::Failed), finished(rows[2], OperationState::Retrying)],
        log: vec![world.log_row(&persons[0], Action::Create), failed],
        ..RecordBatch::default()
    };
    record(store, &world, &batch).await;
    let more = MergeBatch { log: vec![world.log_row(&persons[0], Action::Create)], ..MergeBatch::default() };
    assert_eq!(store.merge(&world.lease, &more).await.unwrap(), Fenced::Done(()));
    let counts = store.job_counts(&world.job).await.unwrap();
    let states = [(OperationState::Working, 1), (OperationState::Retrying, 1), (OperationState::Failed, 1)];
    assert_eq!(counts.operations, BTreeMap::from(states));
    assert_eq!((counts.persons, counts.linked, counts.due, counts.failed), (3, 1, 2, 1));
    assert_eq!(counts.changes, BTreeMap::from([((1, 1), 2), ((1, 3), 1)]));
}
