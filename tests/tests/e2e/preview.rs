//! A file is previewed, then uploaded: the preview writes nothing, what it told is what the log then tells, and a
//! second preview has nothing more to tell.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::lab::{Lab, Options, program};
use super::person::{ENTERPRISE, partial, person};

/// A change as a line: person, property, old, new.
pub(super) type Told = (String, String, String, String);

#[tokio::test]
async fn samba() -> anyhow::Result<()> {
    let mut lab = Lab::up(Options { directory: "samba", store: "sqlite", agents: 1 }).await?;
    let (users, other, base) = (&lab.info.users_ou, &lab.info.other_ou, &lab.info.base_dn);
    let parent = format!(
        "Switch([{ENTERPRISE}:division], \"{users}\", \"Other\", \"{other}\", \"Nowhere\", \"OU=Nowhere,{base}\", \
         \"Closed\", \"CN=Users,{base}\")"
    );
    lab.api.set_parent(&parent).await?;
    let upload = lab.send(&["U-1", "U-2", "M-1", "X-1", "S-1"].map(person)).await?;
    lab.api.wait_until_final(&upload, Duration::from_mins(1)).await?;
    for name in ["D-1", "D-1b"] {
        let attributes = vec![
            ("objectClass", HashSet::from(["user"])),
            ("sAMAccountName", HashSet::from([name])),
            ("employeeID", HashSet::from(["D-1"])),
            ("userAccountControl", HashSet::from(["514"])),
        ];
        lab.directory.ldap.add(&format!("CN={name},{users}"), attributes).await?.success()?;
    }
    let file = lab.info.dir.join("people.json");
    let records = records();
    std::fs::write(&file, serde_json::to_vec(&records)?)?;

    let before = usns(&mut lab).await?;
    let rows_before: BTreeSet<String> = ids(&lab.api.log_values().await?);
    let first = rollcall(&lab, "preview", &file).await?;
    ensure!(usns(&mut lab).await? == before, "the preview wrote to the directory");
    ensure!(ids(&lab.api.log_values().await?) == rows_before, "the preview is in the provisioning log");
    let counts = json!({ "create": 2, "update": 4, "move": 1, "disable": 1, "unchanged": 1, "failed": 4 });
    ensure!(first["counts"] == counts, "{}: {first:#}", first["counts"]);

    let sent = rollcall(&lab, "upload", &file).await?;
    ensure!(sent["counts"] == json!({ "done": 6, "skipped": 1, "failed": 4 }), "{sent}");
    // Whoever came before their manager gets them once there is an account.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let rows: Vec<Value> = lab.api.log_values().await?;
    let new: Vec<&Value> =
        rows.iter().filter(|row| row["id"].as_str().is_some_and(|id| !rows_before.contains(id))).collect();
    let (foreseen, done) = (foreseen(&first), done(&new));
    ensure!(
        foreseen == done,
        "foreseen and not done: {:#?}\ndone and not foreseen: {:#?}",
        foreseen.difference(&done),
        done.difference(&foreseen)
    );
    ensure!(failures(&first) == failed(&new), "{:?} {:?}", failures(&first), failed(&new));

    let again = rollcall(&lab, "preview", &file).await?;
    ensure!(again["counts"] == json!({ "unchanged": 7, "failed": 4 }), "{again:#}");
    on_demand(&lab).await
}

/// New ones, one of whom is the other's manager; an update; a move; a leaver; nobody to touch; and what must fail.
fn records() -> Vec<Value> {
    let with = |id: &str, change: Value| {
        let mut record = person(id);
        for (name, value) in change.as_object().into_iter().flatten() {
            record[name] = value.clone();
        }
        record
    };
    let division = |id: &str, name: &str| with(id, json!({ ENTERPRISE: { "division": name } }));
    vec![
        with("C-1", json!({ ENTERPRISE: { "manager": { "value": "C-2" } } })),
        person("C-2"),
        partial("U-1", json!({ "title": "Lead" })),
        division("M-1", "Other"),
        partial("X-1", json!({ "active": false })),
        person("S-1"),
        with("U-2", json!({ "title": "Chief" })),
        division("N-1", "Nowhere"),
        division("R-1", "Closed"),
        person("D-1"),
        partial("B-1", json!({ "active": "maybe", "userName": "b-1@acme.test" })),
    ]
}

async fn usns(lab: &mut Lab) -> anyhow::Result<BTreeMap<String, Option<Vec<String>>>> {
    let objects = lab.directory.objects().await?;
    Ok(objects.iter().map(|object| (object.dn.clone(), object.attributes.get("uSNChanged").cloned())).collect())
}

pub(super) fn ids(rows: &[Value]) -> BTreeSet<String> {
    rows.iter().filter_map(|row| row["id"].as_str().map(str::to_owned)).collect()
}

fn told(person: &Value, name: &Value, old: String, new: String) -> Told {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(person), text(name), old, new)
}

pub(super) fn foreseen(preview: &Value) -> BTreeSet<Told> {
    let list = |value: &Value| {
        let values = value.as_array().into_iter().flatten();
        values.filter_map(Value::as_str).collect::<Vec<_>>().join(";")
    };
    let mut all = BTreeSet::new();
    for person in preview["value"].as_array().into_iter().flatten() {
        for change in person["changes"].as_array().into_iter().flatten() {
            for one in change["properties"].as_array().into_iter().flatten() {
                all.insert(told(&person["externalId"], &one["name"], list(&one["old"]), list(&one["new"])));
            }
        }
    }
    all
}

pub(super) fn done(rows: &[&Value]) -> BTreeSet<Told> {
    let mut all = BTreeSet::new();
    for row in rows.iter().filter(|row| row["provisioningStatusInfo"]["status"] != "failure") {
        for change in row["modifiedProperties"].as_array().into_iter().flatten() {
            let text = |name: &str| change[name].as_str().unwrap_or_default().to_owned();
            all.insert(told(&row["sourceIdentity"]["id"], &change["displayName"], text("oldValue"), text("newValue")));
        }
    }
    all
}

fn failures(preview: &Value) -> BTreeSet<(String, String)> {
    let persons = preview["value"].as_array().into_iter().flatten().filter(|person| person["outcome"] == "failed");
    persons.map(|person| (text(&person["externalId"]), text(&person["error"]["code"]))).collect()
}

fn failed(rows: &[&Value]) -> BTreeSet<(String, String)> {
    let rows = rows.iter().filter(|row| row["provisioningStatusInfo"]["status"] == "failure");
    let code = |row: &Value| text(&row["provisioningStatusInfo"]["errorInformation"]["errorCode"]);
    rows.map(|row| (text(&row["sourceIdentity"]["id"]), code(row))).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// `provisionOnDemand`, without and with writing.
async fn on_demand(lab: &Lab) -> anyhow::Result<()> {
    let subject = json!({ "objectId": "S-1", "objectTypeName": "User" });
    let body = json!({ "parameters": [{ "ruleId": "any", "subjects": [subject] }] });
    for query in ["?preview=true", ""] {
        let answer = lab.api.provision_on_demand(query, &body).await?;
        let key: Value = serde_json::from_str(answer["key"].as_str().context("no key")?)?;
        let value: Value = serde_json::from_str(answer["value"].as_str().context("no value")?)?;
        ensure!(key["result"] == "Skipped" && key["details"]["errorCode"] == "RedundantExport", "{query}: {key}");
        ensure!(value["sourceIdentity"]["id"] == "S-1" && value["statusInfo"]["status"] == "Skipped", "{value}");
    }
    Ok(())
}

/// `rollcall COMMAND FILE --json`; that some persons fail is expected.
async fn rollcall(lab: &Lab, command: &str, file: &Path) -> anyhow::Result<Value> {
    let info = &lab.info;
    let mut program = Command::new(program("rollcall")?);
    program
        .args([command, "--json"])
        .arg(file)
        .env("ROLLCALL_URL", &info.graph)
        .env("ROLLCALL_TENANT", &info.tenant)
        .env("ROLLCALL_CLIENT_ID", &info.client)
        .env("ROLLCALL_CLIENT_SECRET", &info.secret)
        .env("ROLLCALL_CA", &info.ca)
        .env("ROLLCALL_JOB", &info.job);
    let out = tokio::task::spawn_blocking(move || program.output()).await??;
    ensure!(out.status.code() == Some(1), "{command}: {} {}", out.status, String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).with_context(|| format!("what {command} printed"))
}
