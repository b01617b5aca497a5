//! Microseconds and statements that one record costs in each method on its way through the store.
//!
//! `cargo run --release -p rollcall-store --example speed -- [--store DIR|postgres] [--persons N] [--rounds N]`
//! A folder means SQLite in it; `postgres` a synced cluster of its own. One line a method: wall time, processor time of
//! this process (PostgreSQL's own is not in it) and statements, each of one batch and of one record.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a measuring program: it fails by panicking and reads the clock"
)]

#[path = "../tests/support/mod.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rollcall_model::Timestamp;
use rollcall_model::ids::{ChangeId, LogId, ObjectGuid};
use rollcall_model::operation::OperationState;
use rollcall_model::person::{Confirmed, Link, Pending};
use rollcall_model::plan::{Action, PropertyChange};
use rollcall_store::conformance::World;
use rollcall_store::log::LogDetails;
use rollcall_store::{
    FinishedOperation, LogRow, MergeBatch, NewUpload, OpenOperation, PersonUpdate, RecordBatch, Store, UnchangedBatch,
    UnchangedRow, open,
};

const PER_REQUEST: usize = 50;
const PER_MERGE: usize = 500;
const PER_RECORD: usize = 50;
const ROOM: i64 = 100_000_000;
/// Bytes of 50 compressed records.
const BODY_BYTES: usize = 9_000;
const REQUESTS_AT_ONCE: usize = 32;

struct Settings {
    store: String,
    persons: usize,
    rounds: usize,
    random: Vec<usize>,
}

fn settings() -> Settings {
    let mut settings = Settings { store: "postgres".to_owned(), persons: 10_000, rounds: 40, random: Vec::new() };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().unwrap();
        match word.as_str() {
            "--store" => settings.store = value,
            "--persons" => settings.persons = value.parse().unwrap(),
            "--rounds" => settings.rounds = value.parse().unwrap(),
            other => panic!("{other} is not known"),
        }
    }
    let mut number: u64 = 88_172_645_463_325_252;
    let mut next = || {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        usize::try_from(number % 1_000_000_007).unwrap()
    };
    settings.random = (0..settings.rounds * PER_MERGE).map(|_| next() % settings.persons).collect();
    settings
}

/// Processor time of this process in microseconds.
fn processor_us() -> f64 {
    // Of every thread, in nanoseconds; the process's own sum counts in ticks of 10 ms.
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let times = threads.filter_map(|thread| {
        let text = std::fs::read_to_string(thread.unwrap().path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    });
    times.sum::<f64>() / 1e3
}

/// What the calls of one method cost together.
struct Meter<'a> {
    store: &'a dyn Store,
    name: &'static str,
    wall_us: f64,
    processor_us: f64,
    statements: u64,
    batches: usize,
    records: usize,
}

impl<'a> Meter<'a> {
    fn new(store: &'a dyn Store, name: &'static str) -> Self {
        Self { store, name, wall_us: 0.0, processor_us: 0.0, statements: 0, batches: 0, records: 0 }
    }

    async fn time<T>(&mut self, records: usize, work: impl Future<Output = T>) -> T {
        let (start, processor, statements) = (Instant::now(), processor_us(), self.store.statements());
        let result = work.await;
        self.wall_us += start.elapsed().as_secs_f64() * 1e6;
        self.processor_us += processor_us() - processor;
        self.statements += self.store.statements() - statements;
        self.batches += 1;
        self.records += records;
        result
    }
}

impl Drop for Meter<'_> {
    fn drop(&mut self) {
        let (records, batches) = (self.records as f64, self.batches as f64);
        println!(
            "{:<28} {:>8.1} us/record  {:>8.1} cpu us/record  {:>9.0} us/batch  {:>5.1} statements/batch  {:>9.0} records/s",
            self.name,
            self.wall_us / records,
            self.processor_us / records,
            self.wall_us / batches,
            self.statements as f64 / batches,
            records / self.wall_us * 1e6,
        );
    }
}

fn name(at: usize) -> String {
    format!("e{at:08}")
}

const ATTRIBUTES: [&str; 16] = [
    "cn",
    "sAMAccountName",
    "userPrincipalName",
    "employeeID",
    "displayName",
    "givenName",
    "sn",
    "mail",
    "title",
    "department",
    "company",
    "division",
    "co",
    "l",
    "telephoneNumber",
    "streetAddress",
];

/// A person whose record is about 1 kB, linked and confirmed.
fn person(world: &World, at: usize) -> PersonUpdate {
    let mut update = world.person(&name(at));
    let person = &mut update.person;
    for attribute in ATTRIBUTES {
        person.record.insert(attribute.to_owned(), format!("the {attribute} of person number {at}").into());
    }
    person.record.insert(
        "emails".to_owned(),
        serde_json::json!([{"type": "work", "primary": true, "value": format!("person.{at}@example.com")}]),
    );
    person.record.insert(
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User".to_owned(),
        serde_json::json!({"department": "Sales", "division": "North", "manager": {"value": name(at / 10)}}),
    );
    person.link = Some(Link {
        guid: ObjectGuid(world.id()),
        confirmed: true,
        invocation_id: Some("6d1f2a3c-0f51-4bd5-9c6e-26c9e1dbb8b0".to_owned()),
        usn_changed: Some(i64::try_from(at).unwrap()),
    });
    person.confirmed = Some(Confirmed {
        attributes: ATTRIBUTES
            .iter()
            .map(|name| (name.to_lowercase(), vec![format!("the {name} of person number {at}")]))
            .collect(),
        enabled: Some(true),
        ..Confirmed::default()
    });
    person.pending.touched = ATTRIBUTES.iter().map(|name| name.to_lowercase()).collect();
    update.due = None;
    update
}

/// As an outcome leaves a person who is at rest.
fn quiet(mut update: PersonUpdate) -> PersonUpdate {
    (update.due, update.quiet) = (None, Some(1));
    update.person.pending = Pending::default();
    update
}

fn upload(world: &World, numbers: &[usize]) -> NewUpload {
    let names: Vec<String> = numbers.iter().map(|at| name(*at)).collect();
    let mut upload = world.upload(&names.iter().map(String::as_str).collect::<Vec<_>>());
    upload.body = (0..BODY_BYTES).map(|at| u8::try_from((at * 7919 + numbers[0]) % 251).unwrap()).collect();
    for operation in &mut upload.operations {
        operation.bulk_id = Some(world.id().to_string());
    }
    upload
}

fn finished(row: i64, state: OperationState, update: &PersonUpdate, log: Option<&LogRow>) -> FinishedOperation {
    FinishedOperation {
        row,
        state,
        code: None,
        person: Some(update.person.id),
        version: Some(update.person.version),
        merged_into: None,
        log: log.map(|row| row.id),
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let settings = settings();
    let cluster = (settings.store == "postgres").then(|| support::Cluster::start(&[]));
    let dir = tempfile::tempdir_in(if cluster.is_some() { Path::new("/tmp") } else { Path::new(&settings.store) });
    let dir = dir.unwrap();
    let url = match &cluster {
        Some(cluster) => cluster.database().await,
        None => "sqlite".to_owned(),
    };
    let store = open(&url, dir.path()).await.unwrap();
    println!("store {} ({}), {} persons", store.engine(), settings.store, settings.persons);
    let world = Arc::new(World::new(store.as_ref(), 1).await);
    fill(store.as_ref(), &world, settings.persons).await;
    intake(&store, &world, &settings).await;
    let mut waiting = Meter::new(store.as_ref(), "waiting_operations(500)");
    for _ in 0..settings.rounds {
        let jobs = std::slice::from_ref(&world.job);
        let limit = i64::try_from(PER_MERGE).unwrap();
        assert_eq!(waiting.time(PER_MERGE, store.waiting_operations(jobs, limit)).await.unwrap().len(), PER_MERGE);
    }
    drop(waiting);
    changed(store.as_ref(), &world, &settings).await;
    unchanged(store.as_ref(), &world, &settings).await;
    counts(store.as_ref(), &world).await;
    store.close().await;
}

async fn fill(store: &dyn Store, world: &World, persons: usize) {
    let mut merge = Meter::new(store, "merge(500), new");
    let mut record = Meter::new(store, "record(500), persons alone");
    let mut at = 0;
    while at < persons {
        let end = (at + PER_MERGE).min(persons);
        let new: Vec<_> = (at..end).map(|at| person(world, at)).collect();
        merge.time(end - at, world.merge(store, &new)).await;
        let persons = new.into_iter().map(quiet).collect();
        let batch = RecordBatch { persons, ..RecordBatch::default() };
        let _ = record.time(end - at, store.record(&world.lease, &batch, Timestamp(0))).await.unwrap();
        at = end;
    }
}

/// Requests one after the other, then many at a time; every operation names a random known person.
async fn intake(store: &Arc<dyn Store>, world: &Arc<World>, settings: &Settings) {
    let requests: Vec<NewUpload> = settings.random.chunks(PER_REQUEST).map(|part| upload(world, part)).collect();
    let (alone, together) = requests.split_at(requests.len() / 4);
    let mut one = Meter::new(store.as_ref(), "accept(50), one at a time");
    for request in alone {
        one.time(PER_REQUEST, store.accept(request, ROOM, Timestamp(0))).await.unwrap();
    }
    drop(one);
    let mut many = Meter::new(store.as_ref(), "accept(50), 32 at a time");
    let records = together.len() * PER_REQUEST;
    many.time(records, async {
        let queue = Arc::new(std::sync::Mutex::new(together.to_vec()));
        let senders: Vec<_> = (0..REQUESTS_AT_ONCE)
            .map(|_| {
                let (store, queue) = (Arc::clone(store), Arc::clone(&queue));
                tokio::spawn(async move {
                    loop {
                        let Some(request) = queue.lock().unwrap().pop() else { return };
                        store.accept(&request, ROOM, Timestamp(0)).await.unwrap();
                    }
                })
            })
            .collect();
        for sender in senders {
            sender.await.unwrap();
        }
    })
    .await;
    // Statements and time of a batch are of all requests together here.
    many.batches = together.len();
}

/// What is read on the way of the oldest waiting operations.
async fn taken(
    store: &dyn Store,
    world: &World,
    (waiting, bodies, by_key): (&mut Meter<'_>, &mut Meter<'_>, &mut Meter<'_>),
) -> (Vec<OpenOperation>, Vec<PersonUpdate>) {
    let jobs = std::slice::from_ref(&world.job);
    let operations = store.waiting_operations(jobs, i64::try_from(PER_MERGE).unwrap());
    let operations = waiting.time(PER_MERGE, operations).await.unwrap();
    let mut uploads: Vec<_> = operations.iter().map(|operation| operation.upload).collect();
    uploads.sort_unstable();
    uploads.dedup();
    bodies.time(operations.len(), store.bodies(&uploads)).await.unwrap();
    let mut keys: Vec<_> = operations.iter().filter_map(|operation| operation.external_id.clone()).collect();
    keys.sort_unstable();
    keys.dedup();
    let persons = by_key.time(keys.len(), store.persons_by_key(&world.job, &keys)).await.unwrap();
    (operations, persons)
}

/// Operations with the person each is about.
fn pairs<'a>(
    operations: &'a [OpenOperation],
    persons: &'a [PersonUpdate],
) -> impl Iterator<Item = (&'a OpenOperation, &'a PersonUpdate)> {
    let by_name: std::collections::HashMap<_, _> =
        persons.iter().map(|update| (update.person.external_id.as_str(), update)).collect();
    operations.iter().map(move |operation| (operation, by_name[operation.external_id.as_deref().unwrap()]))
}

/// Half of the waiting operations the long way: merged, dispatched, recorded.
async fn changed(store: &dyn Store, world: &World, settings: &Settings) {
    let mut waiting = Meter::new(store, "changed: waiting_operations");
    let mut bodies = Meter::new(store, "changed: bodies");
    let mut by_key = Meter::new(store, "changed: persons_by_key");
    let mut merge = Meter::new(store, "changed: merge(500), known");
    let mut due = Meter::new(store, "changed: due_persons(50)");
    let mut by_id = Meter::new(store, "changed: persons_by_id(50)");
    let mut open = Meter::new(store, "changed: open_operations(50)");
    let mut record = Meter::new(store, "changed: record(50)");
    let now = world.upload(&[]).received;
    let jobs = std::slice::from_ref(&world.job);
    for _ in 0..settings.rounds / 2 {
        let (operations, mut persons) = taken(store, world, (&mut waiting, &mut bodies, &mut by_key)).await;
        for update in &mut persons {
            update.person.version.0 += 1;
            update.person.pending.touched = ATTRIBUTES.iter().map(|name| name.to_lowercase()).collect();
            update.due = Some(now);
        }
        let working = pairs(&operations, &persons)
            .map(|(operation, update)| finished(operation.row, OperationState::Working, update, None))
            .collect();
        let batch = MergeBatch { persons, operations: working, ..MergeBatch::default() };
        let _ = merge.time(PER_MERGE, store.merge(&world.lease, &batch)).await.unwrap();
        loop {
            let limit = i64::try_from(PER_RECORD).unwrap();
            let persons = due.time(PER_RECORD, store.due_persons(jobs, now, limit)).await.unwrap();
            if persons.is_empty() {
                break;
            }
            let ids: Vec<_> = persons.iter().map(|due| due.person.id).collect();
            let mut updates = by_id.time(PER_RECORD, store.persons_by_id(&ids)).await.unwrap();
            let operations = open.time(PER_RECORD, store.open_operations(&ids)).await.unwrap();
            let log: Vec<_> = updates.iter().map(|update| update_row(world, update)).collect();
            updates = updates.into_iter().map(quiet).collect();
            let operations = operations
                .iter()
                .map(|operation| {
                    let at = updates.iter().position(|update| Some(update.person.id) == operation.person).unwrap();
                    finished(operation.row, OperationState::Done, &updates[at], Some(&log[at]))
                })
                .collect();
            let batch = RecordBatch { persons: updates, operations, log, ..RecordBatch::default() };
            let _ = record.time(PER_RECORD, store.record(&world.lease, &batch, now)).await.unwrap();
        }
    }
}

fn update_row(world: &World, update: &PersonUpdate) -> LogRow {
    let properties = ATTRIBUTES[..4]
        .iter()
        .map(|name| PropertyChange {
            name: (*name).to_owned(),
            old: vec![format!("what {name} was before")],
            new: vec![format!("what {name} is now")],
        })
        .collect();
    LogRow { details: LogDetails { properties, ..LogDetails::default() }, ..world.log_row(update, Action::Update) }
}

/// The other half: nothing to write.
async fn unchanged(store: &dyn Store, world: &World, settings: &Settings) {
    let mut waiting = Meter::new(store, "unchanged: waiting_operations");
    let mut bodies = Meter::new(store, "unchanged: bodies");
    let mut by_key = Meter::new(store, "unchanged: persons_by_key");
    let mut resting = Meter::new(store, "unchanged: resting");
    let mut settle = Meter::new(store, "unchanged: settle(500)");
    let now = world.upload(&[]).received;
    for _ in settings.rounds / 2..settings.rounds {
        let (operations, persons) = taken(store, world, (&mut waiting, &mut bodies, &mut by_key)).await;
        let keys: Vec<_> = persons.iter().map(|update| update.person.external_id.clone()).collect();
        let at_rest = resting.time(keys.len(), store.resting(&world.job, &keys)).await.unwrap();
        assert_eq!(at_rest.len(), keys.len());
        let rows = pairs(&operations, &persons)
            .map(|(operation, update)| UnchangedRow {
                operation: operation.row,
                person: update.person.id,
                version: update.person.version,
                external_id: update.person.external_id.clone(),
                log: LogId(world.id()),
                change: ChangeId(world.id()),
                source_name: Some("Ada Byron".to_owned()),
                guid: update.person.link.as_ref().map(|link| link.guid),
                target_name: Some("CN=Ada Byron,OU=Staff,DC=corp,DC=test".to_owned()),
            })
            .collect();
        let batch = UnchangedBatch { job: world.job.clone(), cycle: world.tenant.0, at: now, rows };
        let _ = settle.time(PER_MERGE, store.settle_unchanged(&world.lease, &batch)).await.unwrap();
    }
}

async fn counts(store: &dyn Store, world: &World) {
    let mut counts = Meter::new(store, "job_counts, a call");
    let mut jobs = Meter::new(store, "jobs_version, a call");
    let mut open = Meter::new(store, "open_operation_count, a call");
    for _ in 0..20 {
        counts.time(1, store.job_counts(&world.job)).await.unwrap();
        jobs.time(1, store.jobs_version()).await.unwrap();
        open.time(1, store.open_operation_count()).await.unwrap();
    }
}
