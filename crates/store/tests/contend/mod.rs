//! Two processes on one PostgreSQL database, contending for the lease, for accounts, for names, for keys and for the
//! log.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rollcall_model::Timestamp;
use rollcall_model::ids::{
    AgentId, ChangeId, JobId, LogId, NodeId, ObjectGuid, PersonId, ServicePrincipalId, TenantId, UploadId,
};
use rollcall_model::plan::Action;
use rollcall_store::conformance::World;
use rollcall_store::{
    Accepted, ClaimResult, Fenced, Lease, LogOrder, LogQuery, LogRow, LogStatus, MergeBatch, NewUpload, PersonUpdate,
    RecordBatch, Store, Wanted, open,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::support::Cluster;

/// Tells the test binary that it is one of the contenders, and what about.
const TASK: &str = "ROLLCALL_STORE_CONTENDER";
const NAME: &str = "contend::two_processes_contend";
/// Precedes the report among the test harness's own lines.
const MARK: &str = "REPORT ";
const PERSONS: usize = 40;
const KEYS: usize = 40;
/// Leases that each process takes.
const TURNS: usize = 8;
/// Accounts that it claims in each; all of them in all.
const CLAIMS: usize = 3;
/// All that anybody may be called; half as many as there are persons.
const NAMES: usize = PERSONS / 2;
const DOMAIN: &str = "corp.test";
const COUNTER: &str = "counter";
const LEASE_MS: i64 = 120;

#[derive(Serialize, Deserialize)]
struct Task {
    url: String,
    seed: u64,
    tenant: TenantId,
    job: JobId,
    principal: ServicePrincipalId,
    persons: Vec<PersonId>,
    guids: Vec<ObjectGuid>,
}

#[derive(Default, Debug, Serialize, Deserialize)]
struct Report {
    /// Epochs of the leases that this process held.
    epochs: Vec<i64>,
    /// Raises of the counter that the store confirmed.
    raised: i64,
    /// Writes refused as stale.
    stale: i64,
    /// Accounts that it was granted.
    granted: Vec<usize>,
    /// Names that it got for persons, both by their places.
    names: Vec<(usize, usize)>,
    /// Keys under which its upload was stored.
    stored: Vec<usize>,
    /// Keys that somebody else had used.
    replayed: Vec<usize>,
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_contend() {
    if let Ok(task) = std::env::var(TASK) {
        let report = contend(&serde_json::from_str(&task).unwrap()).await;
        println!("\n{MARK}{}", serde_json::to_string(&report).unwrap());
        return;
    }
    let cluster = Cluster::shared();
    let url = cluster.database().await;
    let store = open(&url, Path::new("/nonexistent")).await.unwrap();
    let world = World::new(store.as_ref(), 1).await;
    store.release_lease(&world.lease, Timestamp(0)).await.unwrap();
    let mut persons: Vec<_> = (0..PERSONS).map(|at| world.person(&format!("p{at}"))).collect();
    persons.push(world.person(COUNTER));
    world.merge(store.as_ref(), &persons).await;
    let guids: Vec<_> = (0..PERSONS / 2).map(|_| ObjectGuid(world.id())).collect();
    let task = |seed| Task {
        url: url.clone(),
        seed,
        tenant: world.tenant,
        job: world.job.clone(),
        principal: world.principal,
        persons: persons[..PERSONS].iter().map(|update| update.person.id).collect(),
        guids: guids.clone(),
    };
    let (first, second) = (task(1), task(2));
    let (first, second) = tokio::join!(contender(&first), contender(&second));
    check_lease(store.as_ref(), &world, &first, &second).await;
    check_claims(store.as_ref(), &task(0), &first, &second).await;
    check_names(&first, &second);
    let mut stored = [first.stored, second.stored].concat();
    stored.sort_unstable();
    assert_eq!(stored, (0..KEYS).collect::<Vec<_>>(), "each key stores one upload");
    assert_eq!(first.replayed.len() + second.replayed.len(), KEYS);
}

async fn contender(task: &Task) -> Report {
    let output = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(TASK, serde_json::to_string(task).unwrap())
        .stderr(Stdio::inherit())
        .output()
        .await
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    let line = text.lines().find_map(|line| line.strip_prefix(MARK)).unwrap();
    serde_json::from_str(line).unwrap()
}

async fn check_lease(store: &dyn Store, world: &World, first: &Report, second: &Report) {
    assert!(!first.epochs.is_empty() && !second.epochs.is_empty(), "both had a turn: {first:?} {second:?}");
    assert!(first.stale + second.stale > 0, "the fence was tried: {first:?} {second:?}");
    let mut epochs = [first.epochs.as_slice(), second.epochs.as_slice()].concat();
    epochs.sort_unstable();
    let one_each: Vec<_> = (epochs[0]..).take(epochs.len()).collect();
    assert_eq!(epochs, one_each, "every epoch has one holder");

    let counter = store.person(&world.job, COUNTER).await.unwrap().unwrap().person;
    let raised = first.raised + second.raised;
    assert!(raised > 20, "there was work: {raised}");
    assert_eq!(counter.version.0, raised + 1, "no update is lost");
    let writers: Vec<i64> = serde_json::from_value(counter.record["epochs"].clone()).unwrap();
    assert_eq!(writers.len(), usize::try_from(raised).unwrap());
    assert!(writers.is_sorted(), "no older epoch wrote after a newer one: {writers:?}");

    let query =
        LogQuery { tenant: world.tenant, filter: None, order: LogOrder::OldestFirst, limit: 100_000, after: None };
    let log = store.log(&query).await.unwrap();
    let mut rows_by_change: BTreeMap<ChangeId, usize> = BTreeMap::new();
    for row in &log {
        *rows_by_change.entry(row.change).or_default() += 1;
    }
    assert!(rows_by_change.values().all(|rows| *rows == 1), "one log row a change: {rows_by_change:?}");
    assert_eq!(log.iter().filter(|row| row.version.is_some()).count(), usize::try_from(raised).unwrap());
    assert_eq!(log.iter().filter(|row| row.version.is_none()).count(), KEYS, "reported by both, stored once");
    let sum: i64 = store.job_counts(&world.job).await.unwrap().changes.values().sum();
    assert_eq!(sum, i64::try_from(log.len()).unwrap(), "counters and log agree");
}

async fn check_claims(store: &dyn Store, task: &Task, first: &Report, second: &Report) {
    let mut granted = [first.granted.as_slice(), second.granted.as_slice()].concat();
    granted.sort_unstable();
    assert_eq!(granted, (0..task.guids.len()).collect::<Vec<_>>(), "each account is granted once");
    let linked = store.persons_by_id(&task.persons).await.unwrap();
    let holders = linked.iter().filter(|update| update.person.link.is_some()).count();
    assert_eq!(holders, task.guids.len());
}

/// Whoever came first, each name has one person, and whoever asked again got the same.
fn check_names(first: &Report, second: &Report) {
    let all: BTreeSet<(usize, usize)> = first.names.iter().chain(&second.names).copied().collect();
    let persons: BTreeSet<usize> = all.iter().map(|(person, _)| *person).collect();
    let names: BTreeSet<usize> = all.iter().map(|(_, name)| *name).collect();
    assert_eq!((all.len(), persons.len(), names.len()), (NAMES, NAMES, NAMES), "{all:?}");
}

/// What each process does: keys and late reports at once, the rest whenever it holds the lease, and now and then
/// beyond the lease's end.
async fn contend(task: &Task) -> Report {
    let store = open(&task.url, Path::new("/nonexistent")).await.unwrap();
    let mut report = Report::default();
    use_keys(store.as_ref(), task, &mut report).await;
    let node = NodeId(Uuid::from_u128(task.seed.into()));
    let agent = AgentId(node.0);
    while report.epochs.len() < TURNS {
        let now = store.shared_now(Timestamp(0)).await.unwrap();
        let taken = store.acquire_lease(task.tenant, DOMAIN, node, agent, None, now, LEASE_MS, LEASE_MS / 4).await;
        let Some(holder) = taken.unwrap() else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        claim(store.as_ref(), task, &holder.lease, &mut report).await;
        reserve(store.as_ref(), task, &holder.lease, &mut report).await;
        report.epochs.push(holder.lease.epoch.0);
        for write in 1.. {
            if !raise(store.as_ref(), task, &holder.lease, &mut report).await {
                break;
            }
            // Sleeps past the end of the lease, as a process that was stopped does.
            if write % 5 == 0 {
                tokio::time::sleep(Duration::from_millis(LEASE_MS.unsigned_abs() * 2)).await;
            }
            if write > 20 {
                // Nobody else wants it any more.
                break;
            }
        }
    }
    report
}

/// Uploads under the same keys as the other process, and reports the same changes, under no lease at all.
async fn use_keys(store: &dyn Store, task: &Task, report: &mut Report) {
    let nobody = Lease { tenant: task.tenant, domain: DOMAIN.to_owned(), epoch: rollcall_model::ids::Epoch(0) };
    for at in 0..KEYS {
        let upload = NewUpload {
            id: UploadId(own_id(task, at)),
            tenant: task.tenant,
            job: task.job.clone(),
            received: Timestamp(1),
            sender: task.principal,
            body: Vec::new(),
            operations: Vec::new(),
            idempotency: Some((format!("key {at}"), [0; 32])),
            urgent: false,
            audit: None,
        };
        match store.accept(&upload, 1_000, Timestamp(0)).await.unwrap() {
            Accepted::New => report.stored.push(at),
            Accepted::Replay(_) => report.replayed.push(at),
            other => panic!("{other:?}"),
        }
        let row = log_row(task, at, at, None);
        let batch = RecordBatch { log: vec![row], ..RecordBatch::default() };
        assert_eq!(store.record(&nobody, &batch, Timestamp(1)).await.unwrap(), Fenced::Stale);
    }
}

fn own_id(task: &Task, at: usize) -> Uuid {
    Uuid::from_u128((u128::from(task.seed) << 64) + u128::try_from(at).unwrap())
}

/// Claims accounts for persons of its own half.
async fn claim(store: &dyn Store, task: &Task, lease: &Lease, report: &mut Report) {
    let own = task.persons.iter().skip(usize::try_from(task.seed - 1).unwrap()).step_by(2);
    let pairs: Vec<_> = own.copied().zip(task.guids.iter().copied()).collect();
    let from = (report.epochs.len() * CLAIMS).min(pairs.len());
    let until = (from + CLAIMS).min(pairs.len());
    match store.claim_links(lease, &pairs[from..until]).await.unwrap() {
        Fenced::Done(results) => {
            let granted = (from..until).zip(results).filter(|(_, result)| *result == ClaimResult::Granted);
            report.granted.extend(granted.map(|(at, _)| at));
        }
        Fenced::Stale => panic!("taken just now"),
    }
}

/// Wants a name for everybody, in an order of its own; what is granted under an older epoch stays.
async fn reserve(store: &dyn Store, task: &Task, lease: &Lease, report: &mut Report) {
    let names: Vec<String> = (0..NAMES).map(|at| format!("name {at}")).collect();
    let turned = task.seed.is_multiple_of(2);
    let order: Vec<usize> = if turned { (0..PERSONS).rev().collect() } else { (0..PERSONS).collect() };
    let wanted: Vec<Wanted> = order
        .iter()
        .map(|at| Wanted {
            person: task.persons[*at],
            attribute: "sAMAccountName".to_owned(),
            candidates: names.clone(),
            seen: Vec::new(),
        })
        .collect();
    match store.reserve(lease, &wanted, Timestamp(1)).await.unwrap() {
        Fenced::Done(answers) => {
            let got = order.into_iter().zip(answers).filter_map(|(person, name)| Some((person, name?)));
            report.names.extend(got);
        }
        Fenced::Stale => panic!("taken just now"),
    }
}

/// Reads, raises and writes the counter and logs it twice; whether the lease still held.
async fn raise(store: &dyn Store, task: &Task, lease: &Lease, report: &mut Report) -> bool {
    let mut counter = store.person(&task.job, COUNTER).await.unwrap().unwrap();
    let epochs = counter.person.record.entry("epochs").or_insert_with(|| serde_json::json!([]));
    epochs.as_array_mut().unwrap().push(lease.epoch.0.into());
    counter.person.version.0 += 1;
    let merge = MergeBatch { persons: vec![counter.clone()], ..MergeBatch::default() };
    // The other may have raised it since, but then the lease has passed too: never an error.
    if store.merge(lease, &merge).await.unwrap() == Fenced::Stale {
        report.stale += 1;
        return false;
    }
    report.raised += 1;
    let version = usize::try_from(counter.person.version.0).unwrap();
    let row = log_row(task, KEYS + version, KEYS + version, Some(&counter));
    let batch = RecordBatch { log: vec![row.clone(), row], ..RecordBatch::default() };
    let mut outcome = store.record(lease, &batch, Timestamp(1)).await.unwrap();
    if outcome != Fenced::Stale {
        outcome = store.record(lease, &batch, Timestamp(1)).await.unwrap();
    }
    report.stale += i64::from(outcome == Fenced::Stale);
    outcome != Fenced::Stale
}

fn log_row(task: &Task, id: usize, change: usize, person: Option<&PersonUpdate>) -> LogRow {
    LogRow {
        id: LogId(own_id(task, id)),
        tenant: task.tenant,
        job: task.job.clone(),
        change: ChangeId(Uuid::from_u128(u128::try_from(change).unwrap())),
        cycle: Uuid::from_u128(1),
        at: Timestamp(1),
        duration_ms: 1,
        action: Action::Update,
        status: LogStatus::Success,
        code: None,
        person: person.map(|update| update.person.id),
        version: person.map(|update| update.person.version),
        external_id: COUNTER.to_owned(),
        source_name: None,
        guid: None,
        target_name: None,
        details: rollcall_store::log::LogDetails::default(),
    }
}
