//! Processes that die at named steps: whatever was begun is found and finished, once.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rollcall_model::killpoint::{KillPoint, Process};
use serde_json::{Value, json};

use super::lab::{Lab, Options, wait_until_dead};
use super::person::{ENTERPRISE, partial, person, value};
use super::unique::number_names;

/// A step that is not reached within this time after the upload fails the test.
const HIT_S_MAX: u64 = 20;
const FINAL_S_MAX: u64 = 60;
const MANAGER_S_MAX: u64 = 10;

#[tokio::test]
async fn every_point_on_practice() -> anyhow::Result<()> {
    every_point("sqlite").await
}

#[tokio::test]
async fn every_point_on_practice_and_postgres() -> anyhow::Result<()> {
    every_point("postgres").await
}

async fn every_point(store: &'static str) -> anyhow::Result<()> {
    // In this mix the second write is the first create.
    let pass = |point| if matches!(point, KillPoint::BeforeLdapWrite | KillPoint::AfterLdapWrite) { 2 } else { 1 };
    let points: Vec<_> = KillPoint::ALL.iter().map(|point| (*point, pass(*point))).collect();
    kill_at_each("practice", store, &points).await
}

#[tokio::test]
async fn six_points_on_samba() -> anyhow::Result<()> {
    six_points("sqlite").await
}

#[tokio::test]
async fn six_points_on_samba_and_postgres() -> anyhow::Result<()> {
    six_points("postgres").await
}

async fn six_points(store: &'static str) -> anyhow::Result<()> {
    let points = [
        (KillPoint::AfterLdapWrite, 2),
        (KillPoint::BeforeResultSync, 1),
        (KillPoint::BeforeOutcomeSend, 1),
        (KillPoint::AfterWorkSend, 1),
        (KillPoint::BeforeRecordCommit, 1),
        (KillPoint::AfterMergeCommit, 1),
    ];
    kill_at_each("samba", store, &points).await
}

async fn kill_at_each(directory: &'static str, store: &'static str, points: &[(KillPoint, u32)]) -> anyhow::Result<()> {
    let mut lab = Lab::up(Options { directory, store, agents: 1 }).await?;
    // Every create reserves its name.
    number_names(&lab).await?;
    // Who is there before: one to update and one to disable for each point, and accounts that nobody has linked.
    let known = |at: usize| [person(&id(at, "update")), person(&id(at, "disable"))];
    for chunk in (0..points.len()).flat_map(known).collect::<Vec<_>>().chunks(50) {
        lab.send(chunk).await?;
    }
    for at in 0..points.len() {
        lab.add_by_hand(&id(at, "claim")).await?;
    }
    lab.settle(Duration::from_secs(FINAL_S_MAX)).await.context("before the first kill")?;
    for (at, (point, pass)) in points.iter().enumerate() {
        kill_at(&mut lab, at, *point, *pass).await.with_context(|| format!("{} on {directory}", point.as_str()))?;
    }
    Ok(())
}

/// `externalId`s: at most 16 characters.
fn id(at: usize, what: &str) -> String {
    format!("k{at}-{what}")
}

/// Records that between them pass every step: a disable, an update, two creates, one the other's manager, and the
/// first link of an account that is there.
fn records(at: usize) -> Vec<Value> {
    let mut report = person(&id(at, "report"));
    report[ENTERPRISE]["manager"] = json!({ "value": id(at, "boss") });
    let mut claim = person(&id(at, "claim"));
    claim["title"] = "Claimed".into();
    vec![
        partial(&id(at, "disable"), json!({ "active": false })),
        report,
        person(&id(at, "boss")),
        partial(&id(at, "update"), json!({ "title": "Senior Clerk" })),
        claim,
    ]
}

async fn kill_at(lab: &mut Lab, at: usize, point: KillPoint, pass: u32) -> anyhow::Result<()> {
    let what = match point.process() {
        Process::Service => "service",
        Process::Agent => "agent",
    };
    lab.stop(what).await?;
    let setting = format!("{}:{pass}", point.as_str());
    lab.act_with("start", what, &[("ROLLCALL_KILL_AT", &setting)]).await?;
    let doomed = lab.pid(what)?;
    let records = records(at);
    let die = async {
        wait_until_dead(doomed, Duration::from_secs(HIT_S_MAX)).await.context("the step was not reached")?;
        lab.act("start", what).await
    };
    let send = lab.send_until_accepted(&records, Duration::from_secs(FINAL_S_MAX));
    let (upload, died) = tokio::join!(send, die);
    died?;
    let upload = lab.api.wait_until_final(&upload?, Duration::from_secs(FINAL_S_MAX)).await?;
    for operation in &upload.operations {
        // What a killed run had done is found done by the next.
        let is_redundant = operation.state == "skipped" && operation.code.as_deref() == Some("RedundantExport");
        ensure!(operation.state == "done" || is_redundant, "{operation:?}");
    }
    lab.judge().await?;
    has_manager(lab, at).await?;
    lab.judge().await
}

/// A manager who came with the same request is set once both accounts are linked, soon after the operation is final.
async fn has_manager(lab: &mut Lab, at: usize) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(MANAGER_S_MAX);
    loop {
        let boss = lab.directory.object(&id(at, "boss")).await?.context("no manager")?;
        let report = lab.directory.object(&id(at, "report")).await?.context("no report")?;
        let manager = value(&report, "manager");
        if manager == Some(&boss.dn) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "the manager is {manager:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
