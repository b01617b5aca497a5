//! How PostgreSQL goes about our statements, whatever its statistics say.

use std::collections::BTreeSet;
use std::path::Path;

use rollcall_store::conformance::{self, LARGE_TABLES};
use rollcall_store::open;
use serde_json::Value;
use sqlx::{Connection, Executor, PgConnection};

use crate::support::Cluster;

/// Reads of all that a job or tenant has: (index, how the statement begins), and why that is right.
const ALLOWED: [(&str, &str); 12] = [
    // A page of the log stops at its limit.
    ("log_by_time", "select l.uuid, t.uuid as tenant_uuid"),
    // Sums count what an index holds.
    ("operation_open", "select (select count(*)"),
    ("operation_open", "select o.state, count(*)"),
    ("operation_waiting", "select (select count(*)"),
    ("operation_waiting", "select o.state, count(*)"),
    ("person_by_due", "select (select count(*)"),
    ("person_by_link", "select (select count(*)"),
    ("person_failed", "select (select count(*)"),
    ("person_job_folded_key", "select (select count(*)"),
    ("person_job_folded_key", "insert into sweep"),
    // An administrator retries all failures of a job.
    ("person_job_folded_key", "update person set due = $3 where id in (select p.id from person p join job j"),
    // All who wait for a manager are looked at again.
    ("waiting_by_manager", "update person set due = $3 where id in (select p.id from job j"),
];

/// Every statement writes its plan into the server's log. It is made once, for any values, and nobody has counted
/// anything: as while a first feed fills the tables.
const SETTINGS: [&str; 7] = [
    "fsync=off",
    "enable_seqscan=off",
    "autovacuum=off",
    "session_preload_libraries=auto_explain",
    "auto_explain.log_min_duration=0",
    "auto_explain.log_format=json",
    "plan_cache_mode=force_generic_plan",
];

/// Another tenant's rows, so that the tables are large.
const FILL: &str = "
    set session_replication_role = replica;
    insert into person (tenant, uuid, job, folded, version, lane, attempts, record, due, link_guid)
        select 0, decode(md5('p' || n), 'hex'), 0, n, 1, 1, 0, repeat('x', 900), n, decode(md5('g' || n), 'hex')
        from generate_series(1, 20000) n;
    insert into upload (id, tenant, uuid, job, sender, received)
        select 900000 + n, 0, decode(md5('u' || n), 'hex'), 0, '', n from generate_series(1, 20000) n;
    insert into operation (id, tenant, job, method, lane, state, person, folded)
        select (900000 + n) * 1024, 0, 0, 1, 1, case when n % 2 = 0 then 11 else 1 end, n, n
        from generate_series(1, 20000) n;
    insert into log (tenant, uuid, job, change, cycle, at, duration_ms, action, status, person, version, external_id)
        select 0, decode(md5('l' || n), 'hex'), 0, decode(md5('c' || n), 'hex'), 0, 4000000000000000 + n, 0, 1, 1, n, 1, n
        from generate_series(1, 20000) n;
    insert into waiting (person, tenant, job, manager) select n, 0, 0, n from generate_series(900001, 920000) n;
    insert into unique_value (tenant, domain, attribute, folded, person, state)
        select 0, 'd', 'cn', n, n, 1 from generate_series(1, 20000) n";

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_reads_a_large_table_whole() {
    let cluster = Cluster::start(&SETTINGS);
    let filled = cluster.database().await;
    open(&filled, Path::new("/nonexistent")).await.unwrap().close().await;
    let mut connection = PgConnection::connect(&filled).await.unwrap();
    connection.execute(FILL).await.unwrap();
    connection.close().await.unwrap();
    let mut failed = Vec::new();
    for (name, case) in conformance::ALL.iter().filter(|(name, _)| !name.starts_with("hostile::")) {
        let store = open(&cluster.copy_of(&filled).await, Path::new("/nonexistent")).await.unwrap();
        let ran = tokio::spawn(async move {
            case(store.as_ref()).await;
            store.close().await;
        });
        if ran.await.is_err() {
            failed.push(*name);
        }
    }
    // It counts the operations of all tenants, and finds ours among them.
    assert_eq!(failed, ["unchanged::an_unchanged_record_costs_a_log_row_and_is_final"]);
    let plans = plans(&cluster.log());
    assert!(plans.len() > 50, "{}", plans.len());
    let mut found = BTreeSet::new();
    for (statement, plan) in &plans {
        let mut reads = Vec::new();
        read_whole(&serde_json::from_str(plan).unwrap(), &mut reads);
        reads.retain(|read| !ALLOWED.iter().any(|(name, start)| read == name && statement.starts_with(start)));
        found.extend(reads.into_iter().map(|read| (read, statement)));
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// Each (statement, plan) of a server's log.
fn plans(log: &str) -> BTreeSet<(String, String)> {
    let mut plans = BTreeSet::new();
    let mut lines = log.lines().peekable();
    while let Some(line) = lines.next() {
        if !line.ends_with("plan:") {
            continue;
        }
        let mut text = String::new();
        while let Some(line) = lines.next_if(|line| line.starts_with('\t')) {
            text.push_str(line);
            text.push('\n');
        }
        let logged: Value = serde_json::from_str(&text).unwrap();
        if logged["Query Text"].as_str().unwrap().contains("generate_series") {
            continue;
        }
        let words: Vec<_> = logged["Query Text"].as_str().unwrap().split_whitespace().collect();
        plans.insert((words.join(" "), logged["Plan"].to_string()));
    }
    plans
}

/// Names of the large tables and of their indexes that this node and those under it read from end to end, or all that
/// a job or tenant has of them.
fn read_whole(node: &Value, found: &mut Vec<String>) {
    let text = |name: &str| node[name].as_str().unwrap_or_default();
    let is_whole = match text("Node Type") {
        "Seq Scan" => true,
        "Index Scan" | "Index Only Scan" | "Bitmap Index Scan" => {
            let condition = text("Index Cond");
            let all_of = ["(job = ", "(tenant = "].iter().any(|start| condition.starts_with(start));
            condition.is_empty() || (all_of && !condition.contains(" AND "))
        }
        _ => false,
    };
    let index = text("Index Name");
    let is_large = match text("Relation Name") {
        "" => LARGE_TABLES.iter().any(|table| index.starts_with(table)),
        table => LARGE_TABLES.contains(&table),
    };
    if is_whole && is_large {
        found.push(if index.is_empty() { text("Relation Name") } else { index }.to_owned());
    }
    for child in node["Plans"].as_array().into_iter().flatten() {
        read_whole(child, found);
    }
}
