//! Two agents, each at a domain controller of its own: what is written on one is on the other, and neither the second
//! controller nor the second agent is needed for the first to work.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rollcall_tests::checker::Object;
use rollcall_tests::collect::Directory;
use serde_json::{Value, json};

use super::lab::{Lab, Options};
use super::person::{partial, person, value};

const PERSONS: usize = 20;
const FINAL: Duration = Duration::from_secs(30);
/// The controllers tell each other of changes within a second; one that was away asks every five.
const REPLICATED: Duration = Duration::from_secs(30);

#[tokio::test]
async fn each_agent_has_a_controller_and_each_controller_every_person() -> anyhow::Result<()> {
    let options = Options { directory: "samba", store: "sqlite", agents: 2 };
    let mut lab = Lab::up_with_controllers(options, 2).await?;
    ensure!(lab.info.ldap_urls.len() == 2 && lab.info.ldap_urls[0] == lab.info.ldap, "{:?}", lab.info);
    for number in 1..=2 {
        ensure!(agents_controller(&lab, number)? == lab.info.ldap_urls[number - 1], "agent {number}");
    }
    wait_for_states(&lab, ["active", "standby"]).await?;
    let people: Vec<Value> = (0..PERSONS).map(|at| person(&id(at))).collect();
    lab.send(&people).await?;
    everywhere(&mut lab, "Clerk").await.context("the first upload")?;

    // Without the second controller the first does the work; the second has it once it is back.
    lab.act("kill", "directory2").await?;
    ensure!(lab.controller(2).await.is_err(), "a killed controller answers");
    lab.send(&titles("Senior Clerk")).await?;
    lab.settle(FINAL).await.context("without the second controller")?;
    lab.act("start", "directory2").await?;
    everywhere(&mut lab, "Senior Clerk").await.context("after the second controller's death")?;

    // Without the second agent nothing is missed either.
    lab.act("kill", "agent2").await?;
    lab.send(&titles("Head Clerk")).await?;
    everywhere(&mut lab, "Head Clerk").await.context("without the second agent")?;
    lab.act("start", "agent2").await?;
    wait_for_states(&lab, ["active", "standby"]).await?;
    lab.judge().await
}

fn id(at: usize) -> String {
    format!("t{at}")
}

fn titles(title: &str) -> Vec<Value> {
    (0..PERSONS).map(|at| partial(&id(at), json!({ "title": title }))).collect()
}

/// The URL in an agent's configuration.
fn agents_controller(lab: &Lab, number: usize) -> anyhow::Result<String> {
    let path = lab.info.dir.join(format!("agents/{number}/agent.toml"));
    let config: toml::Table = toml::from_str(&std::fs::read_to_string(path)?)?;
    config["directory"]["url"].as_str().map(str::to_owned).context("no URL")
}

async fn wait_for_states(lab: &Lab, expected: [&str; 2]) -> anyhow::Result<()> {
    let deadline = Instant::now() + FINAL;
    loop {
        let states = lab.api.agent_states().await?;
        if states == expected {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "the agents are {states:?}, not {expected:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Everything sent is final, and both controllers show the same persons with this title.
async fn everywhere(lab: &mut Lab, title: &str) -> anyhow::Result<()> {
    lab.settle(FINAL).await?;
    let first = persons(&mut lab.controller(1).await?, title).await?;
    ensure!(first.len() == PERSONS, "{} of {PERSONS} are '{title}' on the first controller", first.len());
    let mut second = lab.controller(2).await?;
    let deadline = Instant::now() + REPLICATED;
    loop {
        let replicated = persons(&mut second, title).await?;
        if replicated == first {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "'{title}' is on the second controller for {replicated:?} only");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// objectGUID and name of whoever has this title, sorted.
async fn persons(directory: &mut Directory, title: &str) -> anyhow::Result<Vec<(String, String)>> {
    let has_title = |object: &Object| value(object, "title") == Some(title);
    let objects = directory.objects().await?.into_iter().filter(has_title);
    let mut persons: Vec<_> = objects.map(|object| (object.guid, object.dn)).collect();
    persons.sort();
    Ok(persons)
}
