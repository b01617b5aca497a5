//! Failures that may pass are tried again by themselves; the others when somebody asks.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::lab::{Lab, Options};
use super::person::person;

const FINAL: Duration = Duration::from_secs(40);

#[tokio::test]
async fn on_sqlite() -> anyhow::Result<()> {
    what_may_pass_is_tried_again_and_the_rest_when_asked("sqlite").await
}

#[tokio::test]
async fn on_postgres() -> anyhow::Result<()> {
    what_may_pass_is_tried_again_and_the_rest_when_asked("postgres").await
}

async fn what_may_pass_is_tried_again_and_the_rest_when_asked(store: &'static str) -> anyhow::Result<()> {
    let mut lab = Lab::up(Options { directory: "practice", store, agents: 1 }).await?;
    let faults = [
        ("busy", "busy 6"),
        ("before", "drop-before-commit 1"),
        ("after", "drop-after-commit 1"),
        ("slow", "delay 30"),
    ];
    for (id, fault) in faults {
        lab.directory.ask_for(fault).await?;
        let upload = lab.send(&[person(id)]).await?;
        let upload = lab.api.wait_until_final(&upload, FINAL).await.context(fault)?;
        ensure!(upload.operations.iter().all(|operation| operation.state == "done"), "{fault}: {upload:?}");
        ensure!(lab.directory.object(id).await?.is_some(), "{fault}: no account");
    }
    lab.directory.ask_for("delay 0").await?;

    // 53 without a reason that is known is not believed to pass.
    lab.directory.ask_for("unwilling 1").await?;
    let upload = lab.send(&[person("r-unwilling")]).await?;
    let upload = lab.api.wait_until_final(&upload, FINAL).await?;
    let ended: Vec<_> =
        upload.operations.iter().map(|operation| (&*operation.state, operation.code.as_deref())).collect();
    ensure!(ended == [("failed", Some("DirectoryRefused"))], "{ended:?}");
    ensure!(lab.directory.object("r-unwilling").await?.is_none(), "an account in spite of the refusal");
    lab.api.retry().await?;
    let deadline = tokio::time::Instant::now() + FINAL;
    while !lab.api.log_values().await?.iter().any(is_create) {
        ensure!(tokio::time::Instant::now() < deadline, "no create after the retry");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    lab.judge().await
}

fn is_create(row: &Value) -> bool {
    row["sourceIdentity"]["id"] == "r-unwilling"
        && row["provisioningAction"] == "create"
        && row["provisioningStatusInfo"]["status"] == "success"
}
