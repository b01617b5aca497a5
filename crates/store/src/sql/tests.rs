//! How SQLite goes about our statements.

use std::collections::BTreeMap;

use super::SqlStore;
use crate::conformance;

/// Tables that grow with people or with time, and those of their indexes that do.
const LARGE: [&str; 7] = ["person", "operation", "log", "upload", "upload_body", "waiting", "idempotency"];

/// Other names that our statements give these tables.
const ALIASES: [&str; 9] = ["p", "q", "o", "l", "u", "w", "m", "h", "older"];

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

fn scans_large(step: &str) -> bool {
    let Some(rest) = step.strip_prefix("SCAN ") else { return false };
    let name = rest.split(' ').next().unwrap_or_default();
    LARGE.contains(&name) || ALIASES.contains(&name)
}
