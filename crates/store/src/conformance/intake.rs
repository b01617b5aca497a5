//! Uploads.

use rollcall_model::ids::{JobId, TenantId, UploadId};
use rollcall_model::operation::{Method, OperationState};

use super::world::{ROOM, START, World, finished};
use crate::{Accepted, Fenced, MergeBatch, NewUpload, RecordBatch, Store};

pub(super) async fn an_upload_round_trips(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let mut upload = world.upload(&["E-1", "e-2"]);
    upload.operations[1].method = Method::Delete;
    upload.operations[1].external_id = None;
    upload.operations[1].bulk_id = None;
    assert_eq!(world.accept(store, &upload).await, Accepted::New);
    assert_eq!(store.upload(TenantId(world.id()), upload.id).await.unwrap(), None);
    assert_eq!(store.upload(world.tenant, UploadId(world.id())).await.unwrap(), None);
    let stored = store.upload(world.tenant, upload.id).await.unwrap().unwrap();
    assert_eq!((&stored.job, stored.sender, stored.received), (&world.job, world.principal, START));
    let operations: Vec<_> = stored
        .operations
        .iter()
        .map(|row| (row.index, row.external_id.as_deref(), row.bulk_id.as_deref(), row.state))
        .collect();
    let queued = OperationState::Queued;
    assert_eq!(operations, [(0, Some("E-1"), Some("bulk-0"), queued), (1, None, None, queued)]);
    assert_eq!(store.bodies(&[upload.id]).await.unwrap(), [(upload.id, upload.body.clone())]);
    let waiting = store.waiting_operations(std::slice::from_ref(&world.job), 10).await.unwrap();
    assert_eq!(
        waiting.iter().map(|row| (row.index, row.method)).collect::<Vec<_>>(),
        [(0, Method::Post), (1, Method::Delete)]
    );
    assert_eq!(waiting[0].upload, upload.id);
    let unknown = NewUpload { job: JobId::from_text("no job"), ..world.upload(&["x"]) };
    assert!(store.accept(&unknown, ROOM, START).await.is_err());
}

pub(super) async fn an_upload_is_stored_with_its_audit(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let before = store.audit(world.tenant, 100).await.unwrap().len();
    let sha256 = [7; 32];
    let mut upload = NewUpload {
        audit: Some(world.audit("job.provisionOnDemand")),
        idempotency: Some(("k".to_owned(), sha256)),
        ..world.upload(&["a"])
    };
    assert_eq!(store.accept(&upload, 0, START).await.unwrap(), Accepted::Full);
    assert_eq!(store.audit(world.tenant, 100).await.unwrap().len(), before, "nothing stored, nothing audited");
    assert_eq!(world.accept(store, &upload).await, Accepted::New);
    let first = upload.audit.replace(world.audit("job.provisionOnDemand"));
    assert!(matches!(world.accept(store, &upload).await, Accepted::Replay(_)));
    let after = store.audit(world.tenant, 100).await.unwrap();
    assert_eq!((after.len(), after.first()), (before + 1, first.as_ref()));
}

pub(super) async fn a_key_is_answered_as_before_or_refused(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let keyed =
        |key: &str, sha256: u8| NewUpload { idempotency: Some((key.to_owned(), [sha256; 32])), ..world.upload(&["a"]) };
    let first = keyed("k", 1);
    assert_eq!(world.accept(store, &first).await, Accepted::New);
    assert_eq!(world.accept(store, &keyed("k", 1)).await, Accepted::Replay(first.id));
    assert_eq!(world.accept(store, &keyed("k", 2)).await, Accepted::KeyReused);
    assert_eq!(world.accept(store, &keyed("K", 2)).await, Accepted::New, "keys are compared exactly");
    let other = NewUpload { sender: rollcall_model::ids::ServicePrincipalId(world.id()), ..keyed("k", 2) };
    assert_eq!(world.accept(store, &other).await, Accepted::New, "a key is its sender's");
    // Forgotten after its life, and remembered anew.
    let later = START.plus_ms(1);
    let reused = NewUpload { received: later, ..keyed("k", 3) };
    assert_eq!(store.accept(&reused, ROOM, later).await.unwrap(), Accepted::New);
    assert_eq!(store.accept(&keyed("k", 3), ROOM, later).await.unwrap(), Accepted::Replay(reused.id));
    let waiting = store.waiting_operations(std::slice::from_ref(&world.job), 10).await.unwrap();
    assert_eq!(waiting.len(), 4, "answers from memory store nothing");
}

pub(super) async fn a_full_bucket_takes_nothing(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let mut refused = world.upload(&["c", "d"]);
    refused.idempotency = Some(("k".to_owned(), [1; 32]));
    assert_eq!(store.accept(&world.upload(&["a", "b"]), 3, START).await.unwrap(), Accepted::New);
    assert_eq!(store.accept(&refused, 3, START).await.unwrap(), Accepted::Full);
    assert_eq!(store.upload(world.tenant, refused.id).await.unwrap(), None);
    assert_eq!(store.accept(&world.upload(&["e"]), 3, START).await.unwrap(), Accepted::New);
    assert_eq!(store.accept(&world.upload(&["f"]), 3, START).await.unwrap(), Accepted::Full);
    let waiting = store.waiting_operations(std::slice::from_ref(&world.job), 10).await.unwrap();
    let batch = MergeBatch {
        operations: waiting.iter().map(|row| finished(row.row, OperationState::Failed)).collect(),
        ..MergeBatch::default()
    };
    assert_eq!(store.merge(&world.lease, &batch).await.unwrap(), Fenced::Done(()));
    assert_eq!(store.accept(&refused, 3, START).await.unwrap(), Accepted::New, "its key was not taken either");
}

/// semantics: several-operations
pub(super) async fn urgent_operations_come_first_but_overtake_nobody(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let order = async |limit| {
        let rows = store.waiting_operations(std::slice::from_ref(&world.job), limit).await.unwrap();
        let urgent = rows.iter().take_while(|row| row.urgent).count();
        let rows: Vec<_> = rows.into_iter().map(|row| (row.external_id.unwrap(), row.index)).collect();
        (urgent, rows)
    };
    let named = |urgent: usize, names: &[(&str, i32)]| {
        (urgent, names.iter().map(|(name, at)| ((*name).to_owned(), *at)).collect::<Vec<_>>())
    };
    world.accept(store, &world.upload(&["a", "b", "c"])).await;
    let mut later = world.upload(&["d", "B", "d"]);
    later.operations[1].urgent = true;
    world.accept(store, &later).await;
    // b's older operation comes along with its urgent one, the rest stay behind.
    assert_eq!(order(10).await, named(2, &[("b", 1), ("B", 1), ("a", 0), ("c", 2), ("d", 0), ("d", 2)]));
    assert_eq!(order(3).await, named(2, &[("b", 1), ("B", 1), ("a", 0)]));
    // The same within one request, and a whole request in the urgent lane.
    let mut lane = world.upload(&["e"]);
    lane.urgent = true;
    world.accept(store, &lane).await;
    let mut within = world.upload(&["f", "f"]);
    within.operations[1].urgent = true;
    world.accept(store, &within).await;
    assert_eq!(order(5).await, named(5, &[("b", 1), ("B", 1), ("e", 0), ("f", 0), ("f", 1)]));
    assert!(store.waiting_operations(&[], 10).await.unwrap().is_empty());
    assert!(store.waiting_operations(&[JobId::from_text("no job")], 10).await.unwrap().is_empty());
}

pub(super) async fn bodies_go_when_all_operations_are_final(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let persons = [world.person("a"), world.person("b")];
    let (upload, rows) = world.working(store, &persons).await;
    for (row, remaining) in [(rows[0], 1), (rows[1], 0)] {
        let batch = RecordBatch { operations: vec![finished(row, OperationState::Done)], ..RecordBatch::default() };
        assert_eq!(store.record(&world.lease, &batch, START).await.unwrap(), Fenced::Done(()));
        assert_eq!(store.bodies(&[upload]).await.unwrap().len(), remaining);
    }
}
