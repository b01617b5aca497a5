//! How SQLite goes about our statements.

use std::collections::BTreeMap;

use super::SqlStore;
use crate::conformance::{self, LARGE_TABLES};

/// Other names that our statements give the large tables.
const ALIASES: [&str; 10] = ["p", "q", "o", "l", "u", "w", "m", "h", "v", "older"];

/// Reads of all that a job or tenant has, and why that is right: sums count rows in an index and read no row
/// (`COVERING`), retries read the failed ones, a page of the log stops at its limit, a sweep reads all who wait,
/// the number of a new job is looked for in the tables that refer to jobs.
const ALLOWED: [&str; 7] = [
    "COVERING INDEX person_",
    "COVERING INDEX sqlite_autoindex_person_2",
    "COVERING INDEX operation_",
    "INDEX person_failed",
    "INDEX log_by_time",
    "INDEX waiting_by_manager",
    "idempotency USING PRIMARY KEY",
];

/// Runs every behaviour and looks at every statement that it sent.
#[tokio::test]
async fn no_statement_reads_a_large_table_whole() {
    let mut plans = BTreeMap::new();
    for (_, case) in conformance::ALL.iter().filter(|(name, _)| !name.starts_with("hostile::")) {
        let dir = tempfile::tempdir().unwrap();
        let store = SqlStore::sqlite(&dir.path().join("db")).await.unwrap();
        case(&store).await;
        plans.append(&mut store.db.plans.lock().unwrap());
    }
    assert!(plans.len() > 50, "{}", plans.len());
    let scans: Vec<_> = plans.iter().filter(|(_, steps)| steps.iter().any(|step| scans_large(step))).collect();
    assert!(scans.is_empty(), "{scans:#?}");
}

/// What a statement on the way of a record may not do, however many rows there are: SQLite has no statistics of ours
/// (nothing runs `analyze`), so that it plans for a million rows as for none.
fn scans_large(step: &str) -> bool {
    let (reads, rest) = match (step.strip_prefix("SCAN "), step.strip_prefix("SEARCH ")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => {
            (["(job=?)", "(tenant=?)", "(job=? AND link_guid>?)"].iter().any(|all| rest.ends_with(all)), rest)
        }
        _ => return false,
    };
    let name = rest.split(' ').next().unwrap_or_default();
    let is_large = LARGE_TABLES.contains(&name) || ALIASES.contains(&name);
    reads && is_large && !ALLOWED.iter().any(|allowed| rest.contains(allowed))
}

/// What a 202 rests on.
#[tokio::test]
async fn commits_are_synced_and_checkpoints_are_not_the_writers() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqlStore::sqlite(&dir.path().join("db")).await.unwrap();
    let mut tx = store.db.begin("asking").await.unwrap();
    let synchronous = tx.row(sql!("pragma synchronous"), args![]).await.unwrap().unwrap();
    assert_eq!(synchronous.int("synchronous").unwrap(), 2, "full");
    let checkpoint = tx.row(sql!("pragma wal_autocheckpoint"), args![]).await.unwrap().unwrap();
    assert_eq!(checkpoint.int("wal_autocheckpoint").unwrap(), 0, "off");
}

/// The write-ahead log goes into the file, and does not grow without end.
#[tokio::test(flavor = "multi_thread")]
async fn the_write_ahead_log_is_copied_and_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("db");
    let store = SqlStore::sqlite(&file).await.unwrap();
    let before = tokio::fs::metadata(&file).await.unwrap().len();
    for _ in 0..60 {
        let mut tx = store.db.begin("writing").await.unwrap();
        let sql = sql!(
            "insert into audit (tenant, uuid, at, actor, action, target, details) \
             select $1, randomblob(16), 1, '', '', '', hex(randomblob(1000000)) from tenant limit 1"
        );
        let tenant = sql!(
            "insert into tenant (id, uuid, display_name, created) values (1, zeroblob(16), '', 0) \
             on conflict do nothing"
        );
        tx.run(tenant, args![]).await.unwrap();
        assert_eq!(tx.run(sql, args![1_i64]).await.unwrap(), 1);
        tx.commit().await.unwrap();
    }
    for _ in 0..200 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let (copied, wal) = (tokio::fs::metadata(&file).await.unwrap(), dir.path().join("db-wal"));
        if copied.len() > before + 100_000_000 && tokio::fs::metadata(&wal).await.unwrap().len() < 70_000_000 {
            return;
        }
    }
    panic!("nothing was copied in ten seconds");
}
