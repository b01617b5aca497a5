//! A mapping as code on a real domain: broken ones are refused by the directory's own schema; one with containers by
//! division, unique names, enablement by date and cleared titles is previewed and applied to a thousand persons, and
//! the two lists are equal.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::lab::{Lab, Options, program};
use super::person::{ENTERPRISE, USER, is_enabled, partial, value};
use super::preview::{Told, done, foreseen, ids};

const ACME: &str = "urn:ietf:params:scim:schemas:extension:acme:1.0:User";
const PERSONS: usize = 1_000;

#[tokio::test]
async fn samba() -> anyhow::Result<()> {
    let mut lab = Lab::up(Options { directory: "samba", store: "sqlite", agents: 1 }).await?;
    let file = lab.info.dir.join("schema.json");
    rollcall(&lab, 0, &["schema", "get", "-o", text(&file)?]).await?;
    let schema: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
    refused_by_the_directory(&lab, &schema).await.context("targets")?;
    saved_with_its_tests(&lab, &schema, &file).await.context("save")?;

    let people = written(&lab, "people.json", &(0..PERSONS).map(person).collect::<Vec<_>>())?;
    applied_as_foreseen(&lab, &people, PERSONS).await.context("a thousand persons")?;
    as_mapped(&mut lab).await.context("what the mapping says")?;

    let cleared: Vec<Value> = (0..PERSONS).step_by(5).map(|at| partial(&id(at), json!({ "title": null }))).collect();
    let file = written(&lab, "cleared.json", &cleared)?;
    applied_as_foreseen(&lab, &file, cleared.len()).await.context("cleared titles")?;
    let object = lab.directory.object(&id(5)).await?.context("no account")?;
    ensure!(value(&object, "title").is_none(), "{object:?}");
    let object = lab.directory.object(&id(6)).await?.context("no account")?;
    ensure!(value(&object, "title") == Some("Clerk"), "{object:?}");
    Ok(())
}

fn id(at: usize) -> String {
    format!("P-{at:04}")
}

/// One in a hundred is called as nine others are, one in four is of another division, one in ten has still to come.
fn person(at: usize) -> Value {
    let family = if at.is_multiple_of(100) { "Smith".to_owned() } else { format!("Person{at:04}") };
    let hired = if at % 10 == 3 { "2199-01-01" } else { "2020-01-01" };
    let division = if at.is_multiple_of(4) { "Other" } else { "Sales" };
    json!({
        "schemas": [USER, ENTERPRISE, ACME],
        "externalId": id(at), "userName": format!("p{at:04}@acme.test"), "active": true,
        "displayName": format!("John {family} {at}"),
        "name": { "givenName": "John", "familyName": family },
        "title": "Clerk",
        ENTERPRISE: { "division": division },
        ACME: { "hireDate": hired },
    })
}

fn rows(schema: &mut Value) -> anyhow::Result<&mut Vec<Value>> {
    let rows = schema.pointer_mut("/synchronizationRules/0/objectMappings/0/attributeMappings");
    rows.and_then(Value::as_array_mut).context("no mappings")
}

fn row(target: &str, flow: &str, expression: &str) -> Value {
    json!({ "targetAttributeName": target, "flowType": flow, "flowBehavior": "FlowWhenChanged", "matchingPriority": 0,
        "source": { "expression": expression, "type": "Function", "parameters": [] } })
}

/// Each mistake that only the directory's own schema shows, with its place and reason. Nothing is saved.
async fn refused_by_the_directory(lab: &Lab, schema: &Value) -> anyhow::Result<()> {
    let last = rows(&mut schema.clone())?.len();
    let place = format!("/synchronizationRules/0/objectMappings/0/attributeMappings/{last}");
    for (target, expression, words) in [
        ("favouriteColour", "[title]", ["no attribute favouriteColour", "extend the directory's schema"]),
        ("instanceType", "[title]", ["by the directory alone", "remove the mapping"]),
        ("initials", "Split([title], \" \")", ["has one value", "Item"]),
        ("initials", "\"ABCDEFG\"", ["holds 6 characters", "has 7"]),
        ("countryCode", "Switch([title], \"none\", \"a\", \"1\")", ["number of 32 bits", "'none'"]),
    ] {
        let mut broken = schema.clone();
        rows(&mut broken)?.push(row(target, "Always", expression));
        let file = written(lab, "broken.json", &broken)?;
        let told = run(lab, 3, &["schema", "put", text(&file)?, "--json"]).await.context(expression)?.1;
        ensure!(told.contains(&place), "{target}: {told}");
        ensure!(words.iter().all(|word| told.contains(word)), "{target}: {words:?} {told}");
    }
    let history = rollcall(lab, 0, &["schema", "history"]).await?;
    ensure!(history["value"][0]["origin"] != "saved", "{history}");
    Ok(())
}

async fn saved_with_its_tests(lab: &Lab, schema: &Value, file: &Path) -> anyhow::Result<()> {
    let (users, other) = (&lab.info.users_ou, &lab.info.other_ou);
    let mut schema = schema.clone();
    let all = rows(&mut schema)?;
    all.retain(|row| {
        let replaced = ["sAMAccountName", "accountDisabled", "parentDistinguishedName"];
        !replaced.iter().any(|target| row["targetAttributeName"] == *target)
    });
    for row in all.iter_mut().filter(|row| row["targetAttributeName"] == "title") {
        row["flowNullValues"] = json!(true);
    }
    let name = "Join(\".\", ToLower([name.givenName]), ToLower([name.familyName]))";
    let names: Vec<String> =
        std::iter::once(name.to_owned()).chain((2..20).map(|at| format!("Append({name}, \"{at}\")"))).collect();
    let unique = format!("SelectUniqueValue({})", names.join(", "));
    let hired = format!("IIF(DateDiff(\"d\", Now(), CDate([{ACME}:hireDate])) > 0, \"True\", \"False\")");
    let parent = format!("Switch([{ENTERPRISE}:division], \"{users}\", \"Other\", \"{other}\")");
    all.push(row("sAMAccountName", "ObjectAddOnly", &unique));
    all.push(row("accountDisabled", "Always", &hired));
    all.push(row("parentDistinguishedName", "Always", &parent));
    let attributes = schema.pointer_mut("/directories/0/objects/0/attributes").and_then(Value::as_array_mut);
    for attribute in attributes.context("no source attributes")?.iter_mut().filter(|own| own["name"] == "title") {
        attribute["flowNullValues"] = json!(true);
    }
    std::fs::write(file, schema.to_string())?;
    let now = "2026-06-01T00:00:00Z";
    let mut waiting = person(3);
    waiting["title"] = Value::Null;
    let tests = json!([
        { "name": "routed", "now": now, "record": person(4), "taken": ["john.person0004"], "expected": {
            "parentDistinguishedName": other, "sAMAccountName": "john.person00042", "accountDisabled": false } },
        { "name": "not yet", "now": now, "record": waiting, "existing": true, "expected": {
            "accountDisabled": true, "title": [], "sAMAccountName": null } },
    ]);
    let tests = written(lab, "tests.json", &tests)?;
    let local = rollcall(lab, 0, &["schema", "test", text(file)?, "--tests", text(&tests)?]).await?;
    ensure!(local == json!({ "tests": 2, "failed": 0, "failures": [] }), "{local}");
    let saved = rollcall(lab, 0, &["schema", "put", text(file)?, "--tests", text(&tests)?, "--note", "ours"]).await?;
    ensure!(saved["targets"] == "passed", "{saved}");
    Ok(())
}

/// Previewed, then uploaded: the two lists are equal, and there is nothing left to do.
async fn applied_as_foreseen(lab: &Lab, file: &Path, persons: usize) -> anyhow::Result<()> {
    let before: BTreeSet<String> = ids(&lab.api.log_values().await?);
    let first = rollcall(lab, 0, &["preview", text(file)?]).await?;
    ensure!(ids(&lab.api.log_values().await?) == before, "the preview is in the provisioning log");
    // In the order of the file, as the preview went through it.
    let sent = rollcall(lab, 0, &["upload", text(file)?, "--parallel", "1"]).await?;
    ensure!(sent["counts"] == json!({ "done": persons }), "{sent}");
    let log = lab.api.log_values().await?;
    let new: Vec<&Value> = log.iter().filter(|row| row["id"].as_str().is_some_and(|id| !before.contains(id))).collect();
    let (foreseen, done) = (foreseen(&first), done(&new));
    let some =
        |own: &BTreeSet<Told>, other: &BTreeSet<Told>| own.difference(other).take(10).cloned().collect::<Vec<_>>();
    ensure!(
        foreseen == done && foreseen.len() >= persons,
        "foreseen and not done: {:#?}\ndone and not foreseen: {:#?}",
        some(&foreseen, &done),
        some(&done, &foreseen)
    );
    let again = rollcall(lab, 0, &["preview", text(file)?]).await?;
    ensure!(again["counts"] == json!({ "unchanged": persons }), "{}", again["counts"]);
    Ok(())
}

/// Containers by division, names that nobody else has, and who is enabled.
async fn as_mapped(lab: &mut Lab) -> anyhow::Result<()> {
    let mut names = BTreeSet::new();
    for at in (0..PERSONS).step_by(100).chain([1, 3, 4, 13]) {
        let object = lab.directory.object(&id(at)).await?.with_context(|| format!("{} is not there", id(at)))?;
        let wanted = if at.is_multiple_of(4) { &lab.info.other_ou } else { &lab.info.users_ou };
        ensure!(object.dn.ends_with(wanted.as_str()), "{}", object.dn);
        ensure!(is_enabled(&object) == (at % 10 != 3), "{}", object.dn);
        let name = value(&object, "sAMAccountName").context("no name")?.to_owned();
        ensure!(names.insert(name.clone()), "{name} twice");
    }
    let smiths = names.iter().filter(|name| name.starts_with("john.smith")).count();
    ensure!(smiths == PERSONS / 100 && names.contains("john.smith"), "{names:?}");
    Ok(())
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path that is no text")
}

fn written<T: serde::Serialize>(lab: &Lab, name: &str, content: &T) -> anyhow::Result<PathBuf> {
    let file = lab.info.dir.join(name);
    std::fs::write(&file, serde_json::to_vec(content)?)?;
    Ok(file)
}

/// `rollcall ARGS --json`, and the JSON it printed.
async fn rollcall(lab: &Lab, code: i32, args: &[&str]) -> anyhow::Result<Value> {
    let (out, _) = run(lab, code, &[args, &["--json"]].concat()).await?;
    serde_json::from_str(&out).with_context(|| format!("what {args:?} printed: {out}"))
}

/// Both streams of `rollcall ARGS`, which must end with this code.
async fn run(lab: &Lab, code: i32, args: &[&str]) -> anyhow::Result<(String, String)> {
    let info = &lab.info;
    let mut program = Command::new(program("rollcall")?);
    program
        .args(args)
        .env("ROLLCALL_URL", &info.graph)
        .env("ROLLCALL_TENANT", &info.tenant)
        .env("ROLLCALL_CLIENT_ID", &info.client)
        .env("ROLLCALL_CLIENT_SECRET", &info.secret)
        .env("ROLLCALL_CA", &info.ca)
        .env("ROLLCALL_JOB", &info.job);
    let out = tokio::task::spawn_blocking(move || program.output()).await??;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&out.stdout), text(&out.stderr));
    ensure!(out.status.code() == Some(code), "{args:?}: {} {stdout:.2000} {stderr:.2000}", out.status);
    Ok((stdout, stderr))
}
