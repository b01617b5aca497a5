//! Merge, due persons, retry.

use std::collections::BTreeMap;

use rollcall_model::Code;
use rollcall_model::ids::{ChangeId, Epoch, JobId, LogId, PersonId, Version};
use rollcall_model::operation::{Method, OperationState};
use rollcall_model::person::{Confirmed, Link, Pending, Refused};
use rollcall_model::plan::Action;

use super::world::{DOMAIN, START, World, finished, names};
use crate::{
    Accepted, Fenced, Lease, LogOrder, LogQuery, MergeBatch, OpenOperation, PersonUpdate, RecordBatch, Store,
    UnchangedBatch, UnchangedRow, Wanted,
};

/// A person with something in every field.
fn full(world: &World, external_id: &str) -> PersonUpdate {
    let mut update = world.person(external_id);
    let person = &mut update.person;
    person.version = Version(7);
    person.record.insert("emails".to_owned(), serde_json::json!([{"type": "work", "value": null, "n": 1.5}]));
    person.pending = Pending {
        touched: ["title".to_owned()].into(),
        was_inactive: true,
        method: Method::Delete,
        reevaluate: true,
        ..Pending::default()
    };
    person.link = Some(Link {
        guid: world.guid(),
        confirmed: true,
        invocation_id: Some("dc1".to_owned()),
        usn_changed: Some(1 << 40),
    });
    person.confirmed = Some(Confirmed {
        attributes: BTreeMap::from([("title".to_owned(), vec!["Chief".to_owned()]), ("mail".to_owned(), vec![])]),
        container: Some("OU=Staff,DC=corp,DC=test".to_owned()),
        enabled: Some(false),
        manager: Some("boss".to_owned()),
        in_scope: Some(true),
    });
    person.refused = BTreeMap::from([(
        "title".to_owned(),
        Refused { values: vec!["x".to_owned()], schema_version: 3, reason: "too long".to_owned() },
    )]);
    update.attempts = 3;
    update.urgent = true;
    update.last_code = Some(Code::DirectoryBusy);
    update
}

pub(super) async fn merged_persons_round_trip(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let persons = [full(&world, "Ä-1"), world.person("b")];
    world.merge(store, &persons).await;
    let keys = ["ä-1".to_owned(), "b".to_owned(), "unknown".to_owned()];
    let mut found = store.persons_by_key(&world.job, &keys).await.unwrap();
    found.sort_by_key(|update| update.person.id);
    assert_eq!(found, persons);
    let ids = [persons[1].person.id, PersonId(world.id())];
    assert_eq!(store.persons_by_id(&ids).await.unwrap(), persons[1..]);
    assert_eq!(store.person(&world.job, "ä-1").await.unwrap().as_ref(), Some(&persons[0]));
    assert_eq!(store.person(&world.job, "Ä-1").await.unwrap(), None, "keys come folded");
    assert_eq!(store.person(&JobId::from_text("no job"), "b").await.unwrap(), None);
    let guid = persons[0].person.link.as_ref().unwrap().guid;
    assert_eq!(store.links(&world.job, &keys).await.unwrap(), [("ä-1".to_owned(), guid)]);
}

/// semantics: several-operations
pub(super) async fn a_merge_of_an_older_version_is_refused(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let mut person = world.person("a");
    world.merge(store, std::slice::from_ref(&person)).await;
    person.person.version = Version(2);
    person.person.record.insert("title".to_owned(), "second".into());
    world.merge(store, std::slice::from_ref(&person)).await;
    let mut late = person.clone();
    late.person.record.insert("title".to_owned(), "late".into());
    let (upload, new) = (world.upload(&["n"]), world.person("n"));
    world.accept(store, &upload).await;
    let row = store.waiting_operations(std::slice::from_ref(&world.job), 1).await.unwrap()[0].row;
    let batch = MergeBatch {
        persons: vec![new, late],
        operations: vec![finished(row, OperationState::Working)],
        ..MergeBatch::default()
    };
    assert!(store.merge(&world.lease, &batch).await.is_err(), "made from a version that is no longer the newest");
    assert_eq!(store.person(&world.job, "a").await.unwrap(), Some(person));
    assert_eq!(store.person(&world.job, "n").await.unwrap(), None, "all or nothing");
    assert_eq!(store.waiting_operations(std::slice::from_ref(&world.job), 9).await.unwrap().len(), 1);
}

pub(super) async fn a_merge_leaves_the_link_alone(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let read_before = world.person("a");
    world.merge(store, std::slice::from_ref(&read_before)).await;
    let mut outcome = read_before.clone();
    outcome.person.link = full(&world, "x").person.link;
    outcome.person.confirmed = full(&world, "x").person.confirmed;
    outcome.person.refused = full(&world, "x").person.refused;
    let batch = RecordBatch { persons: vec![outcome.clone()], ..RecordBatch::default() };
    assert_eq!(store.record(&world.lease, &batch, START).await.unwrap(), Fenced::Done(()));
    let mut merged = read_before;
    merged.person.version = Version(2);
    world.merge(store, std::slice::from_ref(&merged)).await;
    let stored = store.person(&world.job, "a").await.unwrap().unwrap().person;
    assert_eq!((stored.version, &stored.link), (Version(2), &outcome.person.link));
    assert_eq!((&stored.confirmed, &stored.refused), (&outcome.person.confirmed, &outcome.person.refused));
}

pub(super) async fn a_stale_lease_changes_nothing_but_the_log(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let person = world.person("a");
    let (upload, rows) = world.working(store, std::slice::from_ref(&person)).await;
    let mut changed = person.clone();
    changed.due = None;
    let log = world.log_row(&person, Action::Create);
    let batch = RecordBatch {
        persons: vec![changed.clone()],
        operations: vec![finished(rows[0], OperationState::Done)],
        log: vec![log.clone()],
        waits: vec![(person.person.id, "boss".to_owned())],
        ..RecordBatch::default()
    };
    let stale = [
        Lease { epoch: Epoch(world.lease.epoch.0 - 1), ..world.lease.clone() },
        Lease { epoch: Epoch(world.lease.epoch.0 + 1), ..world.lease.clone() },
        Lease { domain: "other.test".to_owned(), ..world.lease.clone() },
        Lease { tenant: rollcall_model::ids::TenantId(world.id()), ..world.lease.clone() },
    ];
    for lease in &stale {
        changed.person.version = Version(2);
        let merge = MergeBatch { persons: vec![changed.clone()], ..MergeBatch::default() };
        assert_eq!(store.merge(lease, &merge).await.unwrap(), Fenced::Stale);
        assert_eq!(store.claim_links(lease, &[(person.person.id, world.guid())]).await.unwrap(), Fenced::Stale);
        assert_eq!(store.wake_waiting(lease, START).await.unwrap(), Fenced::Stale);
    }
    assert_eq!(store.record(&stale[0], &batch, START).await.unwrap(), Fenced::Stale);
    assert_eq!(store.person(&world.job, "a").await.unwrap(), Some(person));
    let status = store.upload(world.tenant, upload).await.unwrap().unwrap();
    assert_eq!(status.operations[0].state, OperationState::Working);
    let query = LogQuery { tenant: world.tenant, filter: None, order: LogOrder::default(), limit: 10, after: None };
    assert_eq!(store.log(&query).await.unwrap(), [log], "what reached the directory is logged all the same");
    assert_eq!(store.job_counts(&world.job).await.unwrap().changes.len(), 1, "and counted");
}

pub(super) async fn due_persons_come_urgent_first_then_longest_due(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let person = |name: &str, due: Option<i64>, urgent| PersonUpdate {
        due: due.map(|ms| START.plus_ms(ms)),
        urgent,
        ..world.person(name)
    };
    let persons = [
        person("later", Some(2), false),
        person("first", Some(-5), false),
        person("second", Some(0), false),
        person("urgent", Some(1), true),
        person("future", Some(9), true),
        person("idle", None, true),
    ];
    world.merge(store, &persons).await;
    let jobs = [world.job.clone()];
    let due = store.due_persons(&jobs, START.plus_ms(2), 10).await.unwrap();
    assert_eq!(names(due.iter().map(|due| &due.person)), ["urgent", "first", "second", "later"]);
    assert_eq!((due[0].due, due[0].urgent, &due[0].job), (START.plus_ms(1), true, &world.job));
    let due = store.due_persons(&jobs, START.plus_ms(2), 2).await.unwrap();
    assert_eq!(names(due.iter().map(|due| &due.person)), ["urgent", "first"]);
    assert_eq!(store.next_due(&jobs).await.unwrap(), Some(START.plus_ms(-5)));
    assert_eq!(store.next_due(&[]).await.unwrap(), None);
    assert!(store.due_persons(&[JobId::from_text("no job")], START, 9).await.unwrap().is_empty());
}

pub(super) async fn failed_and_waiting_persons_are_retried(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let person = |name: &str, due: Option<i64>, last_code| PersonUpdate {
        due: due.map(|ms| START.plus_ms(ms)),
        last_code,
        ..world.person(name)
    };
    let persons = [
        person("failed", None, Some(Code::ContainerNotFound)),
        person("waits", Some(60_000), Some(Code::DirectoryBusy)),
        person("fine", None, None),
        person("due", Some(-1), Some(Code::DirectoryBusy)),
    ];
    world.merge(store, &persons).await;
    let audits = store.audit(world.tenant, 100).await.unwrap().len();
    assert_eq!(store.job_counts(&world.job).await.unwrap().failed, 1);
    assert_eq!(store.retry(world.tenant, &world.job, START, &world.audit("job.retry")).await.unwrap(), 2);
    let due = store.due_persons(std::slice::from_ref(&world.job), START, 10).await.unwrap();
    assert_eq!(names(due.iter().map(|due| &due.person)), ["due", "failed", "waits"]);
    assert_eq!(store.retry(world.tenant, &world.job, START, &world.audit("job.retry")).await.unwrap(), 0);
    assert_eq!(store.audit(world.tenant, 100).await.unwrap().len(), audits + 2);
}

/// The way of a record, with batches of 1 and of 50: as many statements for both.
pub(super) async fn statements_do_not_grow_with_the_batch(store: &dyn Store) {
    let world = World::new(store, 1).await;
    // The first upload counts the open operations; the later ones need not.
    world.accept(store, &world.upload(&["warm"])).await;
    let warm = store.waiting_operations(std::slice::from_ref(&world.job), 9).await.unwrap();
    let done = MergeBatch { operations: vec![finished(warm[0].row, OperationState::Failed)], ..MergeBatch::default() };
    assert_eq!(store.merge(&world.lease, &done).await.unwrap(), Fenced::Done(()));
    let one = statements_of(store, &world, 1).await;
    let fifty = statements_of(store, &world, 50).await;
    assert_eq!(one, fifty);
    let sum: u64 = one.iter().map(|(_, statements)| statements).sum();
    assert!(sum <= 84, "{one:?}");
}

async fn statements_of(store: &dyn Store, world: &World, n: usize) -> Vec<(&'static str, u64)> {
    let mut counted = Vec::new();
    let mut before = store.statements();
    let mut count = |name: &'static str| {
        let now = store.statements();
        counted.push((name, now - before));
        before = now;
    };
    let names: Vec<String> = (0..n).map(|at| format!("{n}-{at}")).collect();
    let mut upload = world.upload(&names.iter().map(String::as_str).collect::<Vec<_>>());
    upload.idempotency = Some((format!("key {n}"), [0; 32]));
    upload.operations[n - 1].urgent = true;
    assert_eq!(world.accept(store, &upload).await, Accepted::New);
    count("accept");
    let jobs = [world.job.clone()];
    let waiting = store.waiting_operations(&jobs, 1_000).await.unwrap();
    assert_eq!(waiting.len(), n);
    store.bodies(&[upload.id]).await.unwrap();
    store.persons_by_key(&world.job, &names).await.unwrap();
    store.resting(&world.job, &names).await.unwrap();
    count("read");
    let persons: Vec<_> = names.iter().map(|name| world.person(name)).collect();
    let mut operations: Vec<_> = waiting.iter().map(|row| finished(row.row, OperationState::Working)).collect();
    let batch = MergeBatch { persons: persons.clone(), operations: operations.clone(), ..MergeBatch::default() };
    assert_eq!(store.merge(&world.lease, &batch).await.unwrap(), Fenced::Done(()));
    count("merge");
    store.due_persons(&jobs, START, 1_000).await.unwrap();
    let claims: Vec<_> = persons.iter().map(|update| (update.person.id, world.guid())).collect();
    assert!(matches!(store.claim_links(&world.lease, &claims).await.unwrap(), Fenced::Done(_)));
    let ids: Vec<_> = persons.iter().map(|update| update.person.id).collect();
    store.open_operations(&ids).await.unwrap();
    store.persons_by_id(&ids).await.unwrap();
    store.links(&world.job, &names).await.unwrap();
    count("claim");
    reserve_names(store, world, &ids, &names).await;
    count("unique");
    for operation in &mut operations {
        operation.state = OperationState::Done;
    }
    let batch = RecordBatch {
        persons: persons.iter().map(|update| PersonUpdate { due: None, ..update.clone() }).collect(),
        operations,
        log: persons.iter().map(|update| world.log_row(update, Action::Create)).collect(),
        waits: ids.iter().map(|id| (*id, DOMAIN.to_owned())).collect(),
        waits_ended: ids.clone(),
        linked: names.iter().map(|name| (world.job.clone(), name.clone())).collect(),
        unlinked: ids.iter().map(|id| (*id, Version(1))).collect(),
        quarantined: ids.iter().map(|id| (*id, START)).collect(),
        released: ids.clone(),
    };
    assert_eq!(store.record(&world.lease, &batch, START).await.unwrap(), Fenced::Done(()));
    count("record");
    store.upload(world.tenant, upload.id).await.unwrap();
    count("status");
    assert_eq!(
        world.accept(store, &world.upload(&names.iter().map(String::as_str).collect::<Vec<_>>())).await,
        Accepted::New
    );
    let waiting = store.waiting_operations(&jobs, 1_000).await.unwrap();
    count("accept again");
    let batch = unchanged(world, &waiting, &persons);
    assert_eq!(store.settle_unchanged(&world.lease, &batch).await.unwrap(), Fenced::Done(i64::try_from(n).unwrap()));
    count("unchanged");
    counted
}

/// Looks which names are taken, and gives each person theirs.
async fn reserve_names(store: &dyn Store, world: &World, ids: &[PersonId], names: &[String]) {
    let values: Vec<_> = names.iter().map(|name| ("mail", name.as_str())).collect();
    store.taken_values(world.tenant, DOMAIN, &values, START).await.unwrap();
    let wants = |(id, name): (&PersonId, &String)| Wanted {
        person: *id,
        attribute: "mail".to_owned(),
        candidates: vec![name.clone()],
        seen: vec!["seen".to_owned()],
    };
    let wanted: Vec<_> = ids.iter().zip(names).map(wants).collect();
    assert!(matches!(store.reserve(&world.lease, &wanted, START).await.unwrap(), Fenced::Done(_)));
}

/// The operations of these persons, as such that change nothing.
fn unchanged(world: &World, waiting: &[OpenOperation], persons: &[PersonUpdate]) -> UnchangedBatch {
    let rows = waiting
        .iter()
        .zip(persons)
        .map(|(operation, update)| UnchangedRow {
            operation: operation.row,
            person: update.person.id,
            version: update.person.version,
            external_id: update.person.external_id.clone(),
            log: LogId(world.id()),
            change: ChangeId(world.id()),
            source_name: None,
            guid: None,
            target_name: None,
        })
        .collect();
    UnchangedBatch { job: world.job.clone(), cycle: world.id(), at: START, rows }
}
