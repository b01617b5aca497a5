//! A mapping is changed under 300 persons who have accounts: what was counted before is what is touched, and nobody
//! else leaves a row in the log. And a hire whose day comes, without another upload, by the service's clock alone.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rollcall_tests::collect::Api;
use serde_json::{Value, json};

use super::faults::clock::MovedClock;
use super::lab::{Lab, Options, program};
use super::person::{is_enabled, partial, person, value};

const PERSONS: usize = 300;
const TOUCHED: usize = 40;
const DAYS: u64 = 10;

#[tokio::test]
async fn samba() -> anyhow::Result<()> {
    let mut lab = Lab::up(Options { directory: "samba", store: "sqlite", agents: 1 }).await?;
    for chunk in (0..PERSONS).collect::<Vec<_>>().chunks(50) {
        let records: Vec<Value> = chunk.iter().map(|n| record(*n)).collect();
        lab.send(&records).await?;
    }
    lab.settle(Duration::from_mins(3)).await?;
    let before = rows(&lab.api).await?;

    let file = lab.info.dir.join("schema.json");
    std::fs::write(&file, rollcall(&lab, &["schema", "get"]).await?.to_string())?;
    let present = rollcall(&lab, &["schema", "impact"]).await?;
    ensure!(present["touched"] == 0, "nothing was changed: {present}");
    let mut schema: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
    map_info(&mut schema);
    std::fs::write(&file, schema.to_string())?;
    let foreseen = rollcall(&lab, &["schema", "impact", &file.display().to_string()]).await?;
    let expected = json!({ "info": TOUCHED });
    ensure!(foreseen["touched"] == TOUCHED && foreseen["attributes"] == expected, "{foreseen}");
    ensure!(foreseen["persons"] == PERSONS && foreseen["complete"] == true, "{foreseen}");

    lab.api.act("pause").await?;
    lab.api.change_schema(map_info).await?;
    let paused = rollcall(&lab, &["job", "sweep", "pause"]).await?;
    ensure!((&paused["state"], &paused["total"]) == (&json!("paused"), &json!(PERSONS)), "{paused}");
    lab.api.act("start").await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    ensure!(rows(&lab.api).await? == before, "a paused walk touches nobody");
    rollcall(&lab, &["job", "sweep", "continue"]).await?;
    let done = wait(&lab, |sweep| sweep["state"] == "done").await?;
    ensure!((&done["walked"], &done["touched"]) == (&json!(PERSONS), &json!(TOUCHED)), "{done}");

    let told = rows_until(&lab.api, before.len() + TOUCHED).await?;
    let ids = |row: &Value| row["id"].as_str().unwrap_or_default().to_owned();
    let new: Vec<&Value> = told.iter().filter(|row| !before.contains(&ids(row))).collect();
    ensure!(new.len() == TOUCHED, "{} rows for {TOUCHED} persons", new.len());
    for row in new {
        let first = &row["provisioningSteps"][0];
        ensure!(first["details"]["cause"] == "schema", "{row:#}");
        ensure!(row["modifiedProperties"][0]["displayName"] == "info", "{row:#}");
    }
    let account = lab.directory.object("S-0").await?.context("no account of S-0")?;
    ensure!(value(&account, "info") == Some("AL"), "{account:?}");
    let again = rollcall(&lab, &["schema", "impact"]).await?;
    ensure!(again["touched"] == 0, "it is done: {again}");
    day_of_hire(&mut lab).await
}

/// Somebody who is hired in some days is disabled until the service's clock has come there.
async fn day_of_hire(lab: &mut Lab) -> anyhow::Result<()> {
    let clock = MovedClock::new(lab.info.dir.join("service.clock"))?;
    lab.stop("service").await?;
    let variables = clock.variables();
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    lab.act_with("start", "service", &variables).await?;
    lab.api
        .change_schema(|schema| {
            let text = r#"IIF(CDate(Coalesce([preferredLanguage], "2000-01-01")) > Now(), "True", "False")"#;
            add(schema, "accountDisabled", text);
        })
        .await?;
    let hire =
        jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date() + jiff::Span::new().days(i64::try_from(DAYS)?);
    let mut hired = person("H-1");
    hired["preferredLanguage"] = json!(hire.to_string());
    lab.send(&[hired]).await?;
    lab.settle(Duration::from_mins(1)).await?;
    let account = lab.directory.object("H-1").await?.context("no account of H-1")?;
    ensure!(!is_enabled(&account), "enabled before the day: {account:?}");
    let shown = rollcall(lab, &["person", "show", "H-1"]).await?;
    ensure!(shown["look"].is_string() && shown["due"].is_null(), "{shown}");

    clock.set(i64::try_from(DAYS * 86_400)?)?;
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let account = lab.directory.object("H-1").await?.context("no account of H-1")?;
        if is_enabled(&account) {
            break;
        }
        ensure!(Instant::now() < deadline, "not enabled on the day: {account:?}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    // The token is of another time.
    lab.api = Api::connect(&lab.info).await?;
    let told = lab.api.log_values().await?;
    let row = told
        .iter()
        .find(|row| row["sourceIdentity"]["id"] == "H-1" && row["provisioningSteps"][0]["details"]["cause"] == "clock");
    ensure!(row.is_some(), "no row says that it was the day");
    Ok(())
}

/// Some have a nickname.
fn record(n: usize) -> Value {
    let id = format!("S-{n}");
    if n >= TOUCHED {
        return person(&id);
    }
    let mut record = partial(&id, person(&id));
    record["nickName"] = json!("Al");
    record
}

fn map_info(schema: &mut Value) {
    add(schema, "info", "ToUpper([nickName])");
}

fn add(schema: &mut Value, target: &str, text: &str) {
    let rows = schema["synchronizationRules"][0]["objectMappings"][0]["attributeMappings"].as_array_mut();
    let row = json!({ "targetAttributeName": target, "flowType": "Always", "flowBehavior": "FlowWhenChanged",
        "matchingPriority": 0, "source": { "expression": text, "type": "Function", "parameters": [] } });
    if let Some(rows) = rows {
        rows.retain(|row| row["targetAttributeName"] != target);
        rows.push(row);
    }
}

/// Ids of the log's rows.
async fn rows(api: &Api) -> anyhow::Result<BTreeSet<String>> {
    Ok(api.log_values().await?.iter().filter_map(|row| row["id"].as_str().map(str::to_owned)).collect())
}

/// The log, once it has so many rows.
async fn rows_until(api: &Api, count: usize) -> anyhow::Result<Vec<Value>> {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let rows = api.log_values().await?;
        if rows.len() >= count {
            // Were there more, they would come now.
            tokio::time::sleep(Duration::from_secs(1)).await;
            return api.log_values().await;
        }
        ensure!(Instant::now() < deadline, "{} rows of {count}", rows.len());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The walk, once it is so.
async fn wait(lab: &Lab, is_so: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let sweep = rollcall(lab, &["job", "sweep", "status"]).await?;
        if is_so(&sweep) {
            return Ok(sweep);
        }
        ensure!(Instant::now() < deadline, "{sweep}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// What the client prints.
async fn rollcall(lab: &Lab, arguments: &[&str]) -> anyhow::Result<Value> {
    let info = &lab.info;
    let mut program = Command::new(program("rollcall")?);
    program
        .args(arguments)
        .arg("--json")
        .env("ROLLCALL_URL", &info.graph)
        .env("ROLLCALL_TENANT", &info.tenant)
        .env("ROLLCALL_CLIENT_ID", &info.client)
        .env("ROLLCALL_CLIENT_SECRET", &info.secret)
        .env("ROLLCALL_CA", &info.ca)
        .env("ROLLCALL_JOB", &info.job);
    let out = tokio::task::spawn_blocking(move || program.output()).await??;
    ensure!(out.status.success(), "{arguments:?}: {} {}", out.status, String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).with_context(|| format!("what {arguments:?} printed"))
}
