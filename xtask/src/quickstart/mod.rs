//! The quick start: a fresh service, agent and practice directory, and 1,000 people in them.

mod people;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Parser;
use serde::Serialize;
use serde_json::Value;

use crate::lab::state::Shown;
use crate::lab::{self, DirectoryClient, Kind, PORT_DEFAULT};
use people::Feed;

/// How many people the generated file has.
const PEOPLE: usize = 1_000;

#[derive(Parser)]
pub(crate) struct Args {
    /// Check the directory, print one JSON line, and end everything.
    #[arg(long)]
    once: bool,
}

/// The last line of `--once`.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    people: usize,
    active: usize,
    in_directory: usize,
    skipped: u64,
    failed: u64,
}

/// Runs the quick start; with `--once` it fails where the directory is not as the file says.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let dir = std::path::absolute(crate::root().join(".rollcall/quickstart"))?;
        let is_free = std::net::TcpListener::bind(("127.0.0.1", PORT_DEFAULT)).is_ok();
        let options = lab::Options {
            dir: dir.clone(),
            port: if is_free { PORT_DEFAULT } else { 0 },
            directory: Kind::Practice,
            store: "sqlite".to_owned(),
            agents: 1,
            durable: false,
            domain_controllers: 1,
        };
        lab::down(&dir)?;
        println!("Starting the service, an agent and a practice directory in {}", dir.display());
        let lab = lab::up(&options).await?;
        let result = fill(&lab.shown, args.once).await;
        if args.once || result.is_err() {
            lab::down(&dir)?;
            return result;
        }
        println!("\nEverything stays up until Ctrl-C.");
        tokio::signal::ctrl_c().await?;
        lab::down(&dir)
    })
}

async fn fill(shown: &Shown, check: bool) -> anyhow::Result<()> {
    let feed = Feed::generate(PEOPLE);
    let file = shown.dir.join("people.json");
    std::fs::write(&file, serde_json::to_string_pretty(&feed.upload())?)?;
    println!("Uploading {} people from {}", feed.people.len(), file.display());
    let start = Instant::now();
    let counts = upload(shown, &file)?;
    let took = start.elapsed();
    let found = look(shown).await?;
    let summary = Summary {
        people: feed.people.len(),
        active: feed.active().count(),
        in_directory: found.len(),
        skipped: count(&counts, "skipped"),
        failed: count(&counts, "failed"),
    };
    show(shown, &summary, took);
    if check {
        let verdict = judge(&feed, &found, &summary, &counts);
        println!("{}", serde_json::to_string(&summary)?);
        verdict?;
    }
    Ok(())
}

/// Runs the client and gives its counts by state. Its progress bar and its words are shown.
fn upload(shown: &Shown, file: &Path) -> anyhow::Result<Value> {
    let program: PathBuf = lab::programs()?.join("rollcall");
    let mut command = std::process::Command::new(program);
    command
        .args(["upload", "--json"])
        .arg(file)
        .env("ROLLCALL_URL", &shown.graph)
        .env("ROLLCALL_TENANT", &shown.tenant)
        .env("ROLLCALL_CLIENT_ID", &shown.client)
        .env("ROLLCALL_CLIENT_SECRET", &shown.secret)
        .env("ROLLCALL_CA", &shown.ca)
        .env("ROLLCALL_JOB", &shown.job)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let out = command.output().context("rollcall upload")?;
    let text = String::from_utf8_lossy(&out.stdout);
    let value: Value =
        serde_json::from_str(&text).with_context(|| format!("rollcall upload printed no JSON: {text}"))?;
    // 1 says that some failed; the counts say how many.
    if !matches!(out.status.code(), Some(0 | 1)) {
        bail!("rollcall upload ended with {}: {text}", out.status);
    }
    Ok(value["counts"].clone())
}

fn count(counts: &Value, state: &str) -> u64 {
    counts[state].as_u64().unwrap_or(0)
}

/// The employee ids of every enabled account in the directory.
async fn look(shown: &Shown) -> anyhow::Result<Vec<String>> {
    let mut directory = DirectoryClient::bind(&shown.ldap, &shown.ca, &shown.bind_dn, &shown.bind_password).await?;
    let filter = "(&(objectCategory=person)(objectClass=user)(employeeID=*))";
    let entries = directory.search(&shown.base_dn, filter, &["employeeID", "userAccountControl"]).await?;
    let mut found = Vec::new();
    for entry in entries {
        let one = |name: &str| entry.attrs.get(name).and_then(|values| values.first()).cloned();
        let control: u32 = one("userAccountControl").and_then(|text| text.parse().ok()).unwrap_or(0);
        // 0x2: disabled.
        if control & 0x2 == 0 {
            found.push(one("employeeID").with_context(|| format!("{} has no employeeID", entry.dn))?);
        }
    }
    Ok(found)
}

/// Whether the directory holds each active person once and nobody else, and every operation ended well.
fn judge(feed: &Feed, found: &[String], summary: &Summary, counts: &Value) -> anyhow::Result<()> {
    let wanted: BTreeSet<&str> = feed.active().map(|person| person.external_id.as_str()).collect();
    let there: BTreeSet<&str> = found.iter().map(String::as_str).collect();
    if there.len() != found.len() {
        bail!("{} people have several accounts", found.len() - there.len());
    }
    if wanted != there {
        let missing: Vec<_> = wanted.difference(&there).take(5).collect();
        let extra: Vec<_> = there.difference(&wanted).take(5).collect();
        bail!("the directory differs: {missing:?} are missing, {extra:?} should not be there");
    }
    let inactive = (feed.people.len() - wanted.len()) as u64;
    if summary.failed != 0 || summary.skipped != inactive {
        bail!("{} failed, {} skipped of {inactive} inactive people", summary.failed, summary.skipped);
    }
    let done = count(counts, "done");
    if done != wanted.len() as u64 {
        bail!("{done} operations are done, not {}: {counts}", wanted.len());
    }
    Ok(())
}

fn show(shown: &Shown, summary: &Summary, took: Duration) {
    println!("\n{} people in {:.1} s:", summary.people, took.as_secs_f64());
    println!("  {:>5} accounts in the directory", summary.in_directory);
    println!("  {:>5} skipped (inactive, without an account)", summary.skipped);
    println!("  {:>5} failed", summary.failed);
    println!("\nservice    {}  (CA {})", shown.graph, shown.ca.display());
    println!("directory  {}  as {}", shown.ldap, shown.bind_dn);
    println!("passwords  {}", shown.dir.join("lab.json").display());
}
