//! An agent that sleeps past its lease and wakes in the middle of its writes.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use rollcall_tests::checker::Object;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::lab::{Lab, Options};
use super::person::{partial, person, value};

const PERSONS: usize = 50;
/// The lease, one LDAP time-out, and the second agent's work.
const TAKEOVER_S_MAX: u64 = 60;

/// Lets a stopped process go on, however the test ends: the lab could not end it otherwise.
struct Stopped(Pid);

impl Stopped {
    fn stop(pid: Pid) -> anyhow::Result<Self> {
        kill_process(pid, Signal::STOP)?;
        Ok(Self(pid))
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::CONT);
    }
}

#[tokio::test]
async fn on_sqlite() -> anyhow::Result<()> {
    a_newer_state_stands_when_the_first_agent_wakes("sqlite").await
}

#[tokio::test]
async fn on_postgres() -> anyhow::Result<()> {
    a_newer_state_stands_when_the_first_agent_wakes("postgres").await
}

async fn a_newer_state_stands_when_the_first_agent_wakes(store: &'static str) -> anyhow::Result<()> {
    let mut lab = Lab::up(Options { directory: "samba", store, agents: 2 }).await?;
    let first = lab.pid("agent")?;
    ensure!(lab.api.agent_states().await? == ["active", "standby"], "{:?}", lab.api.agent_states().await?);
    let people: Vec<Value> = (0..PERSONS).map(|at| person(&id(at))).collect();
    lab.send(&people).await?;
    lab.settle(Duration::from_secs(30)).await?;

    let stopped = stop_amid_writes(&mut lab, first).await?;
    lab.send(&titles("Newest")).await?;
    // Nobody tells the service: the lease runs out.
    lab.settle(Duration::from_secs(TAKEOVER_S_MAX)).await.context("the second agent")?;
    ensure!(lab.api.agent_states().await?[1] == "active", "{:?}", lab.api.agent_states().await?);
    let before = objects(&mut lab).await?;
    ensure!(before.iter().all(|object| value(object, "title") == Some("Newest")), "{before:#?}");

    drop(stopped);
    let deadline = Instant::now() + Duration::from_secs(30);
    while lab.api.agent_states().await? != ["standby", "active"] {
        ensure!(Instant::now() < deadline, "the first agent does not return: {:?}", lab.api.agent_states().await?);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // It now tells of what it had written before; then every change is in the log.
    loop {
        match lab.judge().await {
            Ok(()) => break,
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    let after = objects(&mut lab).await?;
    for (before, after) in before.iter().zip(&after) {
        ensure!(value(before, "uSNChanged") == value(after, "uSNChanged"), "written again: {before:?} {after:?}");
    }
    Ok(())
}

fn id(at: usize) -> String {
    format!("s{at}")
}

fn titles(title: &str) -> Vec<Value> {
    (0..PERSONS).map(|at| partial(&id(at), json!({ "title": title }))).collect()
}

async fn objects(lab: &mut Lab) -> anyhow::Result<Vec<Object>> {
    let mut objects = lab.directory.objects().await?;
    objects.sort_by(|one, other| one.person.cmp(&other.person));
    Ok(objects)
}

/// Stops the agent when some titles are written and some are not.
async fn stop_amid_writes(lab: &mut Lab, agent: Pid) -> anyhow::Result<Stopped> {
    for round in 0..10 {
        let title = format!("Title {round}");
        lab.send(&titles(&title)).await?;
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let written = written(lab, &title).await?;
            if written == 0 {
                ensure!(Instant::now() < deadline, "no title is written");
                continue;
            }
            let stopped = Stopped::stop(agent)?;
            let settled = self::written(lab, &title).await?;
            println!("stopped with {settled} of {PERSONS} titles written");
            if settled + 3 < PERSONS {
                return Ok(stopped);
            }
            // It was too fast; once more.
            drop(stopped);
            lab.settle(Duration::from_secs(20)).await?;
            break;
        }
    }
    bail!("the agent could not be stopped amid its writes")
}

async fn written(lab: &mut Lab, title: &str) -> anyhow::Result<usize> {
    Ok(lab.directory.objects().await?.iter().filter(|object| value(object, "title") == Some(title)).count())
}
