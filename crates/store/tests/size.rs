//! Bytes that a row costs in SQLite, with its share of the indexes.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use rollcall_model::Code;
use rollcall_model::ids::{ChangeId, LogId, ObjectGuid};
use rollcall_model::operation::OperationState;
use rollcall_model::plan::{Action, PropertyChange};
use rollcall_store::conformance::World;
use rollcall_store::log::LogDetails;
use rollcall_store::{FinishedOperation, LogRow, LogStatus, MergeBatch, PersonUpdate, RecordBatch, Store, open};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Row};

const ROWS: usize = 1_000;
const PER_BATCH: usize = 50;

/// Bytes per row of a table and its indexes.
async fn bytes_per_row(dir: &std::path::Path, table: &str) -> i64 {
    let options = SqliteConnectOptions::new().filename(dir.join("rollcall.db"));
    let mut connection: SqliteConnection = options.connect().await.unwrap();
    let sizes = sqlx::query(
        "select name, sum(pgsize) as bytes from dbstat where name in \
         (select name from sqlite_schema where tbl_name = $1) group by name",
    )
    .bind(table)
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let rows = i64::try_from(ROWS).unwrap();
    let each: Vec<(String, i64)> =
        sizes.iter().map(|row| (row.get("name"), row.get::<i64, _>("bytes") / rows)).collect();
    let sum = sizes.iter().map(|row| row.get::<i64, _>("bytes")).sum::<i64>() / rows;
    println!("{table}: {sum} bytes a row, of which {each:?}");
    sum
}

fn change(at: usize, name: &str, old: &[&str]) -> PropertyChange {
    PropertyChange {
        name: name.to_owned(),
        old: old.iter().map(|text| (*text).to_owned()).collect(),
        new: vec![format!("{name} of person number {at}")],
    }
}

/// A random-looking version 4 id: the worst case for an index, where the product makes ids that ascend.
fn scattered(at: usize, salt: u128) -> uuid::Uuid {
    let number = (u128::try_from(at).unwrap() + salt).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    uuid::Uuid::from_u128(number)
}

fn row(world: &World, at: usize, update: &PersonUpdate, action: Action, properties: &[&str]) -> LogRow {
    let properties: Vec<_> = properties
        .iter()
        .map(|name| change(at, name, if action == Action::Update { &["what was there before"] } else { &[] }))
        .collect();
    LogRow {
        id: LogId(world.id()),
        change: ChangeId(world.id()),
        guid: Some(ObjectGuid(scattered(at, 7))),
        source_name: Some(format!("Ada Byron {at}")),
        target_name: Some(format!("CN=Ada Byron {at},OU=Staff,DC=corp,DC=test")),
        status: if action == Action::Other { LogStatus::Skipped } else { LogStatus::Success },
        code: (action == Action::Other).then_some(Code::RedundantExport),
        details: LogDetails { properties, ..LogDetails::default() },
        ..world.log_row(update, action)
    }
}

/// Stores so many operations, each with one log row of the kind, ends them, and measures.
async fn measure(action: Action, properties: &[&str]) -> (i64, i64) {
    let dir = tempfile::tempdir().unwrap();
    let store = open("sqlite", dir.path()).await.unwrap();
    let world = World::new(store.as_ref(), 1).await;
    for batch in 0..ROWS / PER_BATCH {
        let names: Vec<String> = (0..PER_BATCH).map(|at| format!("e{:07}", batch * PER_BATCH + at)).collect();
        store_batch(store.as_ref(), &world, batch, &names, action, properties).await;
    }
    store.close().await;
    (bytes_per_row(dir.path(), "operation").await, bytes_per_row(dir.path(), "log").await)
}

async fn store_batch(
    store: &dyn Store,
    world: &World,
    batch: usize,
    names: &[String],
    action: Action,
    properties: &[&str],
) {
    let mut upload = world.upload(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for operation in &mut upload.operations {
        operation.bulk_id = Some(scattered(0, 3).to_string());
    }
    store.accept(&upload, 1_000_000, upload.received).await.unwrap();
    let persons: Vec<_> = names.iter().map(|name| world.person(name)).collect();
    let waiting = store.waiting_operations(std::slice::from_ref(&world.job), 100).await.unwrap();
    let mut operations: Vec<_> = waiting
        .iter()
        .zip(&persons)
        .map(|(operation, update)| FinishedOperation {
            row: operation.row,
            state: OperationState::Working,
            code: None,
            person: Some(update.person.id),
            version: Some(update.person.version),
            merged_into: None,
            log: None,
        })
        .collect();
    let merge = MergeBatch { persons: persons.clone(), operations: operations.clone(), ..MergeBatch::default() };
    let _ = store.merge(&world.lease, &merge).await.unwrap();
    let log: Vec<_> = (0..)
        .zip(&persons)
        .map(|(at, update)| row(world, batch * PER_BATCH + at, update, action, properties))
        .collect();
    for (operation, row) in operations.iter_mut().zip(&log) {
        operation.state = OperationState::Done;
        operation.code = row.code;
        operation.log = Some(row.id);
    }
    let record = RecordBatch { operations, log, ..RecordBatch::default() };
    let _ = store.record(&world.lease, &record, upload.received).await.unwrap();
}

const CREATED: [&str; 16] = [
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

#[tokio::test]
async fn rows_are_as_small_as_designed() {
    let (operation, unchanged) = measure(Action::Other, &[]).await;
    let (_, update) = measure(Action::Update, &CREATED[8..12]).await;
    let (_, create) = measure(Action::Create, &CREATED).await;
    assert!(operation <= 150, "an operation: {operation} bytes");
    assert!(unchanged <= 300, "an unchanged person's log row: {unchanged} bytes");
    assert!(update <= 1_000, "an update's log row: {update} bytes");
    assert!(create <= 2_000, "a create's log row: {create} bytes");
}
