//! The conformance suite on SQLite, and what only a file can show.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use rollcall_store::conformance::{self, World};
use rollcall_store::{Store, open};

async fn fresh(dir: &Path) -> Arc<dyn Store> {
    open("sqlite", dir).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    let mut failed = Vec::new();
    for (name, case) in conformance::ALL {
        let dir = tempfile::tempdir().unwrap();
        let store = fresh(dir.path()).await;
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

#[tokio::test]
async fn other_urls_are_refused_without_their_password() {
    for url in ["mysql://u:secret@h/d", "", "Postgres://u:secret@h", "file:secret"] {
        let error = open(url, Path::new("/nonexistent")).await.err().unwrap();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[test]
fn any_text_survives() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let store = runtime.block_on(fresh(dir.path()));
    let world = runtime.block_on(World::new(store.as_ref(), 1));
    let at = std::cell::Cell::new(0);
    let text = any::<String>().prop_map(|text| text.replace('\0', ""));
    proptest!(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() }, |(text in text)| {
        at.set(at.get() + 1);
        runtime.block_on(conformance::round_trip(store.as_ref(), &world, at.get(), &text));
    });
}
