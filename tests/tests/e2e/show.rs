//! One record, all the way: create with manager, change, disable, move, and the same once more.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use rollcall_tests::checker::{LogRow, Object, Upload};
use serde_json::{Value, json};

use super::lab::{Lab, Options};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const ACME: &str = "urn:ietf:params:scim:schemas:extension:acme:1.0:User";
/// How long a new account may take, from the 202 on.
const CREATE_MS_MAX: u128 = 2_000;

#[tokio::test]
async fn samba_and_sqlite() -> anyhow::Result<()> {
    show("samba", "sqlite").await
}

#[tokio::test]
async fn samba_and_postgres() -> anyhow::Result<()> {
    show("samba", "postgres").await
}

#[tokio::test]
async fn practice_and_sqlite() -> anyhow::Result<()> {
    show("practice", "sqlite").await
}

#[tokio::test]
async fn practice_and_postgres() -> anyhow::Result<()> {
    show("practice", "postgres").await
}

/// The example of wire contract 2.12.
fn example() -> [Value; 2] {
    let ines = json!({
        "schemas": [USER, ENTERPRISE, ACME],
        "externalId": "E-2001", "userName": "ines.roth@acme.test", "active": true,
        "displayName": "Inès Roth",
        "name": { "givenName": "Inès", "familyName": "Roth" },
        "title": "Buyer",
        "addresses": [{ "type": "work", "streetAddress": "Hafenstr. 4", "locality": "Kiel", "postalCode": "24103", "country": "DE" }],
        "phoneNumbers": [{ "type": "work", "value": "+49 431 555 01" }],
        ENTERPRISE: {
            "employeeNumber": "E-2001", "department": "Purchasing", "organization": "ACME", "costCenter": "7710",
            "manager": { "value": "E-1000" },
        },
        ACME: { "HireDate": "2026-02-01T00:00:00+01:00", "BadgeId": "b-77" },
    });
    let olaf = json!({
        "schemas": [USER, ENTERPRISE],
        "externalId": "E-1000", "userName": "olaf.kern", "displayName": "Olaf Kern", "active": true,
    });
    [ines, olaf]
}

/// A partial update of the first person.
fn partial(mut change: Value) -> Value {
    change["schemas"] = json!([USER, ENTERPRISE]);
    change["externalId"] = "E-2001".into();
    change
}

async fn show(directory: &'static str, store: &'static str) -> anyhow::Result<()> {
    let mut lab = Lab::up(Options { directory, store, agents: 1 }).await?;
    create(&mut lab).await.context("create")?;

    let title = partial(json!({ "title": "Senior Buyer" }));
    let after = one_write(&mut lab, &title, "update").await.context("title")?;
    ensure!(value(&after, "title") == Some("Senior Buyer"), "{after:?}");

    let after = one_write(&mut lab, &partial(json!({ "active": false })), "disable").await.context("disable")?;
    ensure!(!is_enabled(&after), "{after:?}");

    let division = partial(json!({ ENTERPRISE: { "division": "Other" } }));
    let after = one_move(&mut lab, &division).await.context("move")?;
    ensure!(after.dn.ends_with(&lab.info.other_ou), "{}", after.dn);

    no_write(&mut lab, &division).await.context("the same once more")?;
    lab.judge().await
}

/// Both accounts are there and enabled in time, the first with its manager, and the log shows the steps.
async fn create(lab: &mut Lab) -> anyhow::Result<()> {
    let upload = lab.send(&example()).await?;
    let start = Instant::now();
    let ines = loop {
        let (ines, olaf) = (lab.directory.object("E-2001").await?, lab.directory.object("E-1000").await?);
        if let (Some(ines), Some(olaf)) = (ines, olaf)
            && is_enabled(&ines)
            && is_enabled(&olaf)
            && value(&ines, "manager") == Some(&olaf.dn)
        {
            break ines;
        }
        if start.elapsed().as_millis() > 10 * CREATE_MS_MAX {
            bail!("not there: {:?}", lab.api.upload(&upload).await?);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let took = start.elapsed().as_millis();
    ensure!(took < CREATE_MS_MAX, "{took} ms from the 202 to both accounts with manager");
    ensure!(ines.dn == format!("CN=Inès Roth,{}", lab.info.users_ou), "{}", ines.dn);
    for (name, expected) in [
        ("sAMAccountName", "ines.roth"),
        ("userPrincipalName", "ines.roth@corp.example.test"),
        ("givenName", "Inès"),
        ("sn", "Roth"),
        ("title", "Buyer"),
        ("department", "Purchasing"),
        ("company", "ACME"),
        ("l", "Kiel"),
        ("postalCode", "24103"),
        ("co", "DE"),
        ("c", "DE"),
        ("telephoneNumber", "+49 431 555 01"),
    ] {
        ensure!(value(&ines, name) == Some(expected), "{name}: {:?}, not {expected}", value(&ines, name));
    }
    let upload = final_state(lab, &upload).await?;
    ensure!(upload.operations.iter().all(|operation| operation.state == "done"), "{upload:?}");
    // The manager is set by a write of its own, which is logged once the agent has reported it.
    let start = Instant::now();
    let sets_manager = |row: &LogRow| row.changes.iter().any(|change| change.attribute == "manager");
    while !lab.api.log().await?.iter().any(sets_manager) {
        ensure!(start.elapsed().as_millis() < 10 * CREATE_MS_MAX, "no row of the manager");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let rows = lab.api.log_values().await?;
    let row = rows
        .iter()
        .find(|row| row["sourceIdentity"]["id"] == "E-2001" && row["provisioningAction"] == "create")
        .context("no row of the create")?;
    let steps: Vec<&str> = row["provisioningSteps"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|step| step["provisioningStepType"].as_str())
        .collect();
    for kind in ["import", "matching", "scoping", "export"] {
        ensure!(steps.contains(&kind), "no step '{kind}' in {steps:?}");
    }
    Ok(())
}

async fn final_state(lab: &Lab, upload: &str) -> anyhow::Result<Upload> {
    lab.api.wait_until_final(upload, Duration::from_secs(20)).await
}

/// Sends a record and gives the rows it added to the log and the person's object afterwards.
async fn send(lab: &mut Lab, record: &Value) -> anyhow::Result<(Upload, Vec<LogRow>, Object)> {
    let before: Vec<String> = lab.api.log().await?.into_iter().map(|row| row.id).collect();
    let upload = lab.send(std::slice::from_ref(record)).await?;
    let upload = final_state(lab, &upload).await?;
    let new = lab.api.log().await?.into_iter().filter(|row| !before.contains(&row.id)).collect();
    let object = lab.directory.object("E-2001").await?.context("the account is gone")?;
    Ok((upload, new, object))
}

async fn usn(lab: &mut Lab) -> anyhow::Result<i64> {
    let object = lab.directory.object("E-2001").await?.context("no account")?;
    value(&object, "uSNChanged").context("no uSNChanged")?.parse().context("uSNChanged")
}

/// The record ends done with one log row that tells of one write, and the object was written.
async fn one_write(lab: &mut Lab, record: &Value, action: &str) -> anyhow::Result<Object> {
    let before = usn(lab).await?;
    let (upload, rows, object) = send(lab, record).await?;
    ensure!(upload.operations[0].state == "done", "{upload:?}");
    let writes: Vec<&LogRow> = rows.iter().filter(|row| !row.changes.is_empty()).collect();
    ensure!(writes.len() == 1 && writes[0].action == action, "not one row of '{action}': {rows:?}");
    ensure!(usn(lab).await? > before, "the object was not written");
    Ok(object)
}

/// As [`one_write`]; the cloud service calls a move an update.
async fn one_move(lab: &mut Lab, record: &Value) -> anyhow::Result<Object> {
    let guid = lab.directory.object("E-2001").await?.context("no account")?.guid;
    let object = one_write(lab, record, "update").await?;
    ensure!(object.guid == guid, "a move keeps the object");
    Ok(object)
}

/// The record ends skipped as redundant, and the directory did not see a write.
async fn no_write(lab: &mut Lab, record: &Value) -> anyhow::Result<()> {
    let before = usn(lab).await?;
    let (upload, rows, _) = send(lab, record).await?;
    let operation = &upload.operations[0];
    ensure!(operation.state == "skipped" && operation.code.as_deref() == Some("RedundantExport"), "{upload:?}");
    ensure!(rows.iter().all(|row| row.changes.is_empty()), "{rows:?}");
    ensure!(usn(lab).await? == before, "the object was written");
    Ok(())
}

fn value<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.attributes.get(name)?.first().map(String::as_str)
}

/// 0x2: disabled.
fn is_enabled(object: &Object) -> bool {
    value(object, "userAccountControl").and_then(|text| text.parse::<u32>().ok()).is_some_and(|bits| bits & 0x2 == 0)
}
