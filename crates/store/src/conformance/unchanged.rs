//! Operations that change nothing.

use std::collections::BTreeMap;

use rollcall_model::Code;
use rollcall_model::ids::{ChangeId, Epoch, LogId, UploadId};
use rollcall_model::operation::OperationState;
use rollcall_model::plan::Action;

use super::world::{START, World};
use crate::{
    Accepted, Fenced, Lease, LogOrder, LogQuery, LogRow, LogStatus, PersonUpdate, Store, UnchangedBatch, UnchangedRow,
};

/// Persons that are stored and at rest, and an upload about them that nobody took up yet.
async fn waiting(store: &dyn Store, world: &World, names: &[&str]) -> (Vec<PersonUpdate>, UploadId, UnchangedBatch) {
    let mut persons: Vec<_> = names.iter().map(|name| world.person(name)).collect();
    for update in &mut persons {
        update.due = None;
    }
    world.merge(store, &persons).await;
    let upload = world.upload(names);
    assert_eq!(world.accept(store, &upload).await, Accepted::New);
    let operations = store.waiting_operations(std::slice::from_ref(&world.job), 1_000).await.unwrap();
    let rows = operations
        .iter()
        .zip(&persons)
        .map(|(operation, update)| UnchangedRow {
            operation: operation.row,
            person: update.person.id,
            version: update.person.version,
            external_id: update.person.external_id.clone(),
            log: LogId(world.id()),
            change: ChangeId(world.id()),
            source_name: Some("Ada Byron".to_owned()),
            guid: Some(world.guid()),
            target_name: None,
        })
        .collect();
    (persons, upload.id, UnchangedBatch { job: world.job.clone(), cycle: world.id(), at: START, rows })
}

async fn all_logs(store: &dyn Store, world: &World) -> Vec<LogRow> {
    let query =
        LogQuery { tenant: world.tenant, filter: None, order: LogOrder::OldestFirst, limit: 1_000, after: None };
    store.log(&query).await.unwrap()
}

pub(super) async fn an_unchanged_record_costs_a_log_row_and_is_final(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let (persons, upload, batch) = waiting(store, &world, &["a", "B"]).await;
    for settled in [2, 0] {
        assert_eq!(store.settle_unchanged(&world.lease, &batch).await.unwrap(), Fenced::Done(settled), "once");
    }
    let expected: Vec<_> = batch
        .rows
        .iter()
        .zip(&persons)
        .map(|(row, update)| LogRow {
            id: row.log,
            change: row.change,
            cycle: batch.cycle,
            duration_ms: 0,
            status: LogStatus::Skipped,
            code: Some(Code::RedundantExport),
            guid: row.guid,
            target_name: None,
            ..world.log_row(update, Action::Other)
        })
        .collect();
    assert_eq!(all_logs(store, &world).await, expected);
    let status = store.upload(world.tenant, upload).await.unwrap().unwrap();
    for (operation, row) in status.operations.iter().zip(&batch.rows) {
        assert_eq!((operation.state, operation.code), (OperationState::Skipped, Some(Code::RedundantExport)));
        assert_eq!((operation.person, operation.version), (Some(row.person), Some(row.version)));
        assert_eq!(operation.logs, [row.log]);
    }
    let counts = store.job_counts(&world.job).await.unwrap();
    assert_eq!(counts.operations, BTreeMap::from([(OperationState::Skipped, 2)]));
    assert_eq!(counts.changes, BTreeMap::from([((Action::Other.number(), LogStatus::Skipped.number()), 2)]));
    assert_eq!(store.bodies(&[upload]).await.unwrap(), []);
    assert_eq!(store.open_operation_count().await.unwrap(), 0);
    for update in &persons {
        let stored = store.persons_by_id(&[update.person.id]).await.unwrap();
        assert_eq!(stored, std::slice::from_ref(update), "no person is touched");
    }
    // Tomorrow's feed finds nothing to do either: its status names its own rows.
    let (again, mut next) = (world.upload(&["a", "B"]), batch.clone());
    assert_eq!(world.accept(store, &again).await, Accepted::New);
    let operations = store.waiting_operations(std::slice::from_ref(&world.job), 1_000).await.unwrap();
    for (row, operation) in next.rows.iter_mut().zip(operations) {
        (row.operation, row.guid) = (operation.row, None);
        (row.log, row.change) = (LogId(world.id()), ChangeId(world.id()));
    }
    assert_eq!(store.settle_unchanged(&world.lease, &next).await.unwrap(), Fenced::Done(2));
    assert_eq!(all_logs(store, &world).await.iter().filter(|row| row.guid.is_none()).count(), 2);
    for (upload, rows) in [(upload, batch.rows), (again.id, next.rows)] {
        let status = store.upload(world.tenant, upload).await.unwrap().unwrap();
        let logs: Vec<_> = status.operations.into_iter().map(|operation| operation.logs).collect();
        assert_eq!(logs, rows.iter().map(|row| [row.log]).collect::<Vec<_>>());
    }
}

pub(super) async fn an_unchanged_record_needs_the_lease_and_an_open_operation(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let (_, upload, mut batch) = waiting(store, &world, &["a", "b"]).await;
    let stale = Lease { epoch: Epoch(world.lease.epoch.0 - 1), ..world.lease.clone() };
    assert_eq!(store.settle_unchanged(&stale, &batch).await.unwrap(), Fenced::Stale);
    assert_eq!(all_logs(store, &world).await, [], "nothing was stored");
    let status = store.upload(world.tenant, upload).await.unwrap().unwrap();
    assert!(status.operations.iter().all(|operation| operation.state == OperationState::Queued));
    // One ends alone; its body stays for the other.
    let second = batch.rows.pop();
    assert_eq!(store.settle_unchanged(&world.lease, &batch).await.unwrap(), Fenced::Done(1));
    assert_eq!(store.bodies(&[upload]).await.unwrap().len(), 1);
    // Under new ids, as after a crash: the final one gets no second row.
    batch.rows.extend(second);
    for row in &mut batch.rows {
        (row.log, row.change) = (LogId(world.id()), ChangeId(world.id()));
    }
    assert_eq!(store.settle_unchanged(&world.lease, &batch).await.unwrap(), Fenced::Done(1));
    assert_eq!(all_logs(store, &world).await.len(), 2);
    assert_eq!(store.job_counts(&world.job).await.unwrap().changes.values().sum::<i64>(), 2);
    assert_eq!(store.bodies(&[upload]).await.unwrap(), []);
}

/// A worker asks for a number instead of all jobs.
pub(super) async fn every_change_of_a_job_is_told(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let mut before = store.jobs_version().await.unwrap();
    let mut told = async |what: &str| {
        let now = store.jobs_version().await.unwrap();
        assert!(now > before, "{what}");
        before = now;
    };
    let config = super::world::config();
    store.set_job_config(world.tenant, &world.job, &config, &world.audit("job.config")).await.unwrap();
    told("a configuration").await;
    let paused = rollcall_model::config::JobState::Paused;
    store.set_job_state(world.tenant, &world.job, paused, &world.audit("job.pause")).await.unwrap();
    told("a state").await;
    let job = rollcall_model::ids::JobId::new(world.tenant, world.id());
    let new = crate::Job { id: job, ..world.job_of(paused) };
    store.create_job(&new, &world.audit("job.create")).await.unwrap();
    told("a new job").await;
    world.merge(store, &[world.person("a")]).await;
    assert_eq!(store.jobs_version().await.unwrap(), before, "and nothing else");
}
