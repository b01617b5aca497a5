//! Take-over: an agent or the controller that it writes to dies under load, or the domain is handed over. Nothing is
//! lost, nothing is done twice, and nobody gets a second account.

use std::ops::Range;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rollcall_model::limits;
use rollcall_tests::checker::Object;
use serde::Deserialize;
use serde_json::{Value, json};

use super::lab::{Lab, Options, program};
use super::person::{partial, person, value};

/// New persons in a request; as many of the one before get a title.
const STEP: usize = 20;
/// With nobody to wait for.
const FINAL: Duration = Duration::from_secs(40);
/// A wish is looked for every two seconds; then what is begun is ended.
const HANDED_OVER_MAX: Duration = Duration::from_secs(9);
/// How long nobody may be created on doubt: far longer than a create takes, far shorter than replication is waited for.
const DOUBT: Duration = Duration::from_secs(5);
/// What a test may be late by: a look at the states, a start, a batch.
const SLACK: Duration = Duration::from_secs(8);

/// A lease that nobody ends is waited for, with one LDAP answer; it was renewed a short while ago at most.
fn lease_end() -> Duration {
    millis(limits::LEASE_MS + limits::LDAP_TIMEOUT_MS)
}

fn millis(number: i64) -> Duration {
    Duration::from_millis(number.unsigned_abs())
}

#[tokio::test]
async fn a_standby_takes_over_from_a_dead_agent_and_hands_the_domain_back() -> anyhow::Result<()> {
    let mut lab = Lab::up(Options { directory: "samba", store: "sqlite", agents: 2 }).await?;
    wait_for_states(&lab, ["active", "standby"], FINAL).await?;

    // (a) What it wrote and did not tell is in its journal only: it dies with outcomes unsent.
    lab.stop("agent").await?;
    lab.act_with("start", "agent", &[("ROLLCALL_KILL_AT", "before-outcome-send:3")]).await?;
    wait_for_states(&lab, ["active", "standby"], FINAL).await?;
    let doomed = lab.pid("agent")?;
    let (loaded, died) = tokio::join!(load(&lab, "a", 0..12), async {
        super::lab::wait_until_dead(doomed, FINAL).await.context("the first agent lives")?;
        let died = Instant::now();
        wait_for_states(&lab, ["offline", "active"], lease_end() + SLACK).await?;
        anyhow::Ok(died.elapsed())
    });
    loaded?;
    let took = died?;
    println!("taken over after {took:?}");
    ensure!(took + millis(limits::LEASE_RENEWAL_MS) + Duration::from_secs(1) > lease_end(), "too early: {took:?}");
    lab.settle(FINAL).await.context("under the second agent")?;
    let untold = lab.judge().await;
    ensure!(untold.is_err(), "the dead agent's journal held nothing that was not told");
    lab.act("start", "agent").await?;
    wait_for_states(&lab, ["standby", "active"], FINAL).await?;
    judged(&mut lab, 1).await.context("with the first agent's journal")?;

    // (d) Under load, at once.
    hand_over(&lab, 1, "b", ["active", "draining"]).await?;
    lab.settle(FINAL).await?;
    command(&lab, &["agent", "undrain", &agents(&lab).await?[1].id]).await?;
    wait_for_states(&lab, ["active", "standby"], FINAL).await?;
    judged(&mut lab, 1).await.context("after the hand-over")
}

#[tokio::test]
async fn what_an_agent_logs_and_its_key_are_changed_while_it_works() -> anyhow::Result<()> {
    let mut lab = Lab::up(Options { directory: "samba", store: "sqlite", agents: 2 }).await?;
    wait_for_states(&lab, ["active", "standby"], FINAL).await?;
    let first = agents(&lab).await?[0].id.clone();
    log_level(&lab, &first).await?;

    let file = lab.info.dir.join("agents/1/data/agent.key");
    let before = std::fs::read(&file)?;
    command(&lab, &["agent", "rotate-key", &first]).await?;
    wait_until("a new key is in the data folder", || Ok(std::fs::read(&file)? != before)).await?;
    let new = std::fs::read(&file)?;
    ensure!(agents(&lab).await?[0].key_rotation.as_deref() == Some("overlap"), "{:?}", agents(&lab).await?);
    lab.act("kill", "agent").await?;
    lab.act("start", "agent").await?;
    wait_for_states(&lab, ["active", "standby"], FINAL).await.context("with the new key")?;
    ensure!(agents(&lab).await?[0].key_rotation.is_none(), "{:?}", agents(&lab).await?);

    // The old one is worth nothing any more.
    lab.act("kill", "agent").await?;
    std::fs::write(&file, &before)?;
    lab.act("start", "agent").await?;
    let refused = || Ok(log_of(&lab, "service")?.contains("an agent's signature does not verify"));
    wait_until("the old key is refused", refused).await?;
    wait_for_states(&lab, ["offline", "active"], lease_end() + SLACK).await.context("with the old key")?;
    lab.act("kill", "agent").await?;
    std::fs::write(&file, &new)?;
    lab.act("start", "agent").await?;
    wait_for_states(&lab, ["standby", "active"], FINAL).await.context("with the new key again")?;
    lab.send(&[person("k1")]).await?;
    lab.settle(FINAL).await?;
    judged(&mut lab, 1).await
}

#[tokio::test]
async fn an_agent_on_another_controller_takes_over() -> anyhow::Result<()> {
    let mut lab = pair().await?;
    // (d) There and back, at once: the last number of the one before is known.
    hand_over(&lab, 0, "a", ["draining", "active"]).await?;
    lab.settle(FINAL).await.context("after a hand-over to the second controller")?;
    writes_through(&lab, 1).await?;
    command(&lab, &["agent", "undrain", &agents(&lab).await?[0].id]).await?;
    wait_for_states(&lab, ["standby", "active"], FINAL).await?;
    hand_over(&lab, 1, "b", ["active", "draining"]).await?;
    lab.settle(FINAL).await.context("after a hand-over back")?;
    writes_through(&lab, 0).await?;
    command(&lab, &["agent", "undrain", &agents(&lab).await?[1].id]).await?;
    judged(&mut lab, 2).await.context("after the hand-overs")?;

    // (b) Without a word, amid creates; then its controller dies as well, while creates still wait for what the first
    // one may not have told. What it took is on its disk, and comes with it.
    let (loaded, took) = tokio::join!(load(&lab, "c", 0..12), async {
        amid_writes(&lab, "c", 0).await?;
        lab.act("kill", "agent").await?;
        let died = Instant::now();
        wait_for_states(&lab, ["offline", "active"], lease_end() + millis(limits::CONTROLLER_SWITCH_MS)).await?;
        anyhow::Ok(died.elapsed())
    });
    loaded?;
    println!("another controller is written to after {:?}", took?);
    writes_through(&lab, 1).await?;
    lab.act("start", "agent").await?;
    wait_for_states(&lab, ["standby", "active"], FINAL).await?;
    let changes = async {
        for step in 0..6 {
            lab.send(&titles("a", step, "Head Clerk")).await?;
        }
        load(&lab, "d", 0..6).await
    };
    let (loaded, took) = tokio::join!(changes, async {
        amid(&lab, 1, |object| value(object, "title") == Some("Head Clerk")).await?;
        lab.act("kill", "directory2").await?;
        let died = Instant::now();
        wait_for_states(&lab, ["active", "inTrouble"], lease_end() + millis(limits::CONTROLLER_SWITCH_MS)).await?;
        anyhow::Ok(died.elapsed())
    });
    loaded?;
    println!("the first controller is written to again after {:?}", took?);
    writes_through(&lab, 0).await?;
    lab.act("start", "directory2").await?;
    wait_for_states(&lab, ["active", "standby"], FINAL).await?;
    lab.settle(millis(limits::REPLICATION_WAIT_MS_MAX) + FINAL).await.context("under the first controller again")?;
    judged(&mut lab, 2).await.context("after both deaths")
}

#[tokio::test]
async fn work_goes_on_while_the_writing_controller_is_dead() -> anyhow::Result<()> {
    let mut lab = pair().await?;
    // Who is on both controllers before.
    load(&lab, "z", 0..1).await?;
    lab.settle(FINAL).await?;
    judged(&mut lab, 2).await?;
    let (loaded, died) = tokio::join!(load(&lab, "a", 0..10), async {
        amid_writes(&lab, "a", 0).await?;
        lab.act("kill", "directory").await?;
        let died = Instant::now();
        wait_for_states(&lab, ["inTrouble", "active"], lease_end() + millis(limits::CONTROLLER_SWITCH_MS)).await?;
        anyhow::Ok(died)
    });
    loaded?;
    println!("another controller is written to after {:?}", died?.elapsed());
    writes_through(&lab, 1).await?;
    // Whoever is found is changed at once; whoever is not waits.
    let upload = lab.send(&titles("z", 0, "Head Clerk")).await?;
    lab.api.wait_until_final(&upload, FINAL).await.context("an update of those who are there")?;
    let upload = lab.send(&[person("late")]).await?;
    let sent = Instant::now();
    while sent.elapsed() < DOUBT {
        let states = lab.api.upload(&upload).await?.operations;
        ensure!(states.iter().all(|operation| operation.state != "done"), "created on doubt: {states:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let there = lab.controller(2).await?.objects().await?;
    ensure!(there.iter().all(|object| object.person != "late"), "created on doubt, and not told");

    lab.act("start", "directory").await?;
    wait_for_states(&lab, ["standby", "active"], FINAL).await?;
    let why = agents(&lab).await?.swap_remove(0).why;
    println!("{why}");
    ensure!(why.contains("is not the writing controller"), "{why}");
    lab.settle(millis(limits::REPLICATION_WAIT_MS_MAX) + FINAL).await.context("under the second controller")?;
    judged(&mut lab, 2).await
}

async fn pair() -> anyhow::Result<Lab> {
    let lab = Lab::up_with_controllers(Options { directory: "samba", store: "sqlite", agents: 2 }, 2).await?;
    wait_for_states(&lab, ["active", "standby"], FINAL).await?;
    Ok(lab)
}

fn id(of: &str, step: usize, at: usize) -> String {
    format!("{of}{step}-{at}")
}

fn titles(of: &str, step: usize, title: &str) -> Vec<Value> {
    (0..STEP).map(|at| partial(&id(of, step, at), json!({ "title": title }))).collect()
}

/// A steady upload, faster than the directory takes it: in each step new persons, and a title for those of the step
/// before.
async fn load(lab: &Lab, of: &str, steps: Range<usize>) -> anyhow::Result<()> {
    for step in steps {
        let mut records: Vec<Value> = (0..STEP).map(|at| person(&id(of, step, at))).collect();
        if let Some(before) = step.checked_sub(1) {
            records.extend(titles(of, before, "Senior Clerk"));
        }
        lab.send(&records).await?;
        tokio::time::sleep(Duration::from_millis(80)).await;
    }
    Ok(())
}

/// Waits until some of a load's persons are there, and some are not, on an agent's controller.
async fn amid_writes(lab: &Lab, of: &str, agent: usize) -> anyhow::Result<()> {
    amid(lab, agent, |object| object.person.starts_with(of)).await
}

/// Waits until two steps of persons are as a load makes them, on an agent's controller.
async fn amid(lab: &Lab, agent: usize, is_written: impl Fn(&Object) -> bool) -> anyhow::Result<()> {
    let mut directory = lab.controller((agent + 1).min(lab.info.ldap_urls.len())).await?;
    let deadline = Instant::now() + FINAL;
    loop {
        let written = directory.objects().await?.iter().filter(|object| is_written(object)).count();
        if written >= 2 * STEP {
            println!("{written} are written");
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{written} are written");
    }
}

/// Has an agent hand its domain over under load, and looks that it takes seconds.
async fn hand_over(lab: &Lab, from: usize, of: &str, states: [&str; 2]) -> anyhow::Result<()> {
    let agent = agents(lab).await?[from].id.clone();
    let (loaded, took) = tokio::join!(load(lab, of, 0..6), async {
        amid_writes(lab, of, from).await?;
        command(lab, &["agent", "drain", &agent]).await?;
        let asked = Instant::now();
        while agents(lab).await?[1 - from].state != "active" {
            ensure!(asked.elapsed() < HANDED_OVER_MAX, "not handed over: {:?}", agents(lab).await?);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::Ok(asked.elapsed())
    });
    loaded?;
    println!("handed over after {:?}", took?);
    wait_for_states(lab, states, FINAL).await
}

/// An agent as `rollcall agent list` shows it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    #[serde(rename = "agent")]
    id: String,
    state: String,
    why: String,
    controller: Option<String>,
    key_rotation: Option<String>,
    enrolled: String,
}

/// In the order in which they were enrolled.
async fn agents(lab: &Lab) -> anyhow::Result<Vec<Shown>> {
    let list = command(lab, &["agent", "list"]).await?["value"].take();
    let mut agents: Vec<Shown> = serde_json::from_value(list)?;
    agents.sort_by(|one, other| one.enrolled.cmp(&other.enrolled));
    Ok(agents)
}

/// `rollcall ARGS --json`, with exit status 0.
async fn command(lab: &Lab, args: &[&str]) -> anyhow::Result<Value> {
    let info = &lab.info;
    let mut command = Command::new(program("rollcall")?);
    command
        .args(args)
        .arg("--json")
        .env("ROLLCALL_URL", &info.graph)
        .env("ROLLCALL_TENANT", &info.tenant)
        .env("ROLLCALL_CLIENT_ID", &info.client)
        .env("ROLLCALL_CLIENT_SECRET", &info.secret)
        .env("ROLLCALL_CA", &info.ca)
        .env("ROLLCALL_JOB", &info.job);
    let out = tokio::task::spawn_blocking(move || command.output()).await??;
    ensure!(out.status.success(), "{args:?}: {}: {}", out.status, String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).with_context(|| format!("what {args:?} printed"))
}

async fn wait_for_states(lab: &Lab, expected: [&str; 2], wait_max: Duration) -> anyhow::Result<()> {
    let deadline = Instant::now() + wait_max;
    while lab.api.agent_states().await? != expected {
        ensure!(Instant::now() < deadline, "not {expected:?} after {wait_max:?}: {:#?}", agents(lab).await?);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// The active agent is this one, and says that it writes through its own controller.
async fn writes_through(lab: &Lab, agent: usize) -> anyhow::Result<()> {
    let shown = agents(lab).await?.swap_remove(agent);
    let name = format!("dc{}", agent + 1);
    let is_its_own = shown.controller.as_deref().is_some_and(|host| host.to_lowercase().starts_with(&name));
    ensure!(shown.state == "active" && is_its_own && shown.why.contains("writes through"), "{shown:?}");
    Ok(())
}

/// The outside checker's verdict over each of the first controllers, once reports and replication have come in.
async fn judged(lab: &mut Lab, controllers: usize) -> anyhow::Result<()> {
    let urls = lab.info.ldap_urls.clone();
    let deadline = Instant::now() + Duration::from_secs(20);
    for url in &urls[..controllers] {
        lab.info.ldap.clone_from(url);
        loop {
            match lab.judge().await {
                Ok(()) => break,
                Err(error) if Instant::now() > deadline => return Err(error.context(url.clone())),
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
        let mut titles: Vec<_> = lab.directory.objects().await?;
        titles.retain(|object| value(object, "title").is_none());
        ensure!(titles.is_empty(), "half made: {titles:#?}");
    }
    lab.info.ldap.clone_from(&urls[0]);
    Ok(())
}

/// More is logged at once, and less again.
async fn log_level(lab: &Lab, agent: &str) -> anyhow::Result<()> {
    ensure!(!log_of(lab, "agent1")?.contains("TRACE"), "it logs more than it should");
    command(lab, &["agent", "log-level", agent, "trace"]).await?;
    wait_until("the agent logs more", || Ok(log_of(lab, "agent1")?.contains("TRACE"))).await?;
    command(lab, &["agent", "log-level", agent, "default"]).await?;
    let traces = || anyhow::Ok(log_of(lab, "agent1")?.matches("TRACE").count());
    let deadline = Instant::now() + FINAL;
    loop {
        let before = traces()?;
        tokio::time::sleep(millis(2 * limits::LEASE_RENEWAL_MS)).await;
        if traces()? == before {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "the agent goes on to log more than it should");
    }
}

fn log_of(lab: &Lab, role: &str) -> anyhow::Result<String> {
    let text = std::fs::read(lab.info.dir.join(format!("log/{role}.log")))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

async fn wait_until(what: &str, is_so: impl Fn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let deadline = Instant::now() + FINAL;
    while !is_so()? {
        ensure!(Instant::now() < deadline, "not so: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
