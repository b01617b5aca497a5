//! The conformance suite on PostgreSQL, and processes that contend.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and own their files"
)]

mod contend;
mod plans;
mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use rollcall_model::Timestamp;
use rollcall_model::ids::{AgentId, NodeId};
use rollcall_store::conformance::{self, World};
use rollcall_store::{Store, open};
use sqlx::{Connection, Executor, PgConnection};
use support::Cluster;

async fn fresh(cluster: &Cluster) -> Arc<dyn Store> {
    open(&cluster.database().await, Path::new("/nonexistent")).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    let cluster = Cluster::shared();
    let mut failed = Vec::new();
    for (name, case) in conformance::ALL {
        let store = fresh(&cluster).await;
        let ran = tokio::spawn(async move {
            case(store.as_ref()).await;
            store.close().await;
        });
        if ran.await.is_err() {
            failed.push(*name);
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_start_together_make_one_tenant() {
    let cluster = Cluster::shared();
    let url = cluster.database().await;
    let starts = (0..4).map(|_| {
        let url = url.clone();
        tokio::spawn(async move { open(&url, Path::new("/nonexistent")).await.unwrap() })
    });
    let mut stores = Vec::new();
    for start in starts.collect::<Vec<_>>() {
        stores.push(start.await.unwrap());
    }
    let mut made = 0;
    let first_starts: Vec<_> = (1..)
        .zip(&stores)
        .map(|(seed, store)| {
            let store = Arc::clone(store);
            tokio::spawn(async move { World::start(store.as_ref(), seed).await })
        })
        .collect();
    for start in first_starts {
        made += u32::from(start.await.unwrap());
    }
    assert_eq!(made, 1);
    assert_eq!(stores[0].tenants().await.unwrap().len(), 1);
}

/// Waits until so many of the database's sessions wait for a lock.
async fn wait_for_blocked(url: &str, sessions: i64) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let blocked =
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    for _ in 0..200 {
        let count: i64 = sqlx::query_scalar(blocked).fetch_one(&mut connection).await.unwrap();
        if count >= sessions {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let seen = "select coalesce(string_agg(concat_ws(' ', pid, now() - query_start, now() - backend_start, state, wait_event_type, wait_event, query), E'\\n'), '') \
         from pg_stat_activity where datname = current_database()";
    let seen: String = sqlx::query_scalar(seen).fetch_one(&mut connection).await.unwrap();
    panic!("{sessions} sessions should wait for a lock, but:\n{seen}");
}

/// A merge that is half done when its lease runs out: the successor waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_lease_passes_between_transactions_only() {
    let cluster = Cluster::shared();
    let url = cluster.database().await;
    let store = open(&url, Path::new("/nonexistent")).await.unwrap();
    let world = Arc::new(World::new(store.as_ref(), 1).await);
    let mut person = world.person("a");
    world.merge(store.as_ref(), std::slice::from_ref(&person)).await;
    // Holds the merge up behind its look at the lease.
    let mut connection = PgConnection::connect(&url).await.unwrap();
    connection.execute("begin; select id from person for update").await.unwrap();
    let merge = tokio::spawn({
        let (store, world) = (Arc::clone(&store), Arc::clone(&world));
        person.person.version.0 = 2;
        async move { world.merge(store.as_ref(), &[person]).await }
    });
    wait_for_blocked(&url, 1).await;
    let successor = tokio::spawn({
        let (store, world) = (Arc::clone(&store), Arc::clone(&world));
        let (node, agent) = (NodeId(world.id()), AgentId(world.id()));
        let late = Timestamp(i64::MAX / 2);
        async move { store.acquire_lease(world.tenant, "corp.test", node, agent, None, late, 1, 1).await.unwrap() }
    });
    // Fails in time where the lease passes in the middle of the merge.
    wait_for_blocked(&url, 2).await;
    assert!(!merge.is_finished() && !successor.is_finished());
    connection.execute("rollback").await.unwrap();
    merge.await.unwrap();
    assert!(successor.await.unwrap().is_some());
}

#[test]
fn any_text_survives() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cluster = Cluster::shared();
    let store = runtime.block_on(fresh(&cluster));
    let world = runtime.block_on(World::new(store.as_ref(), 1));
    let at = std::cell::Cell::new(0);
    let text = any::<String>().prop_map(|text| text.replace('\0', ""));
    proptest!(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() }, |(text in text)| {
        at.set(at.get() + 1);
        runtime.block_on(conformance::round_trip(store.as_ref(), &world, at.get(), &text));
    });
}
