//! Two hundred people of one name get two hundred account names: none that was there before, none twice, and none that
//! a leaver had.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::lab::{Lab, Options};
use super::person::{person, value};

const NAMESAKES: usize = 200;
const REQUEST: usize = 50;
const FINAL: Duration = Duration::from_mins(3);
const ACCOUNT_NAME: &str = "sAMAccountName";

#[tokio::test]
async fn samba_and_sqlite() -> anyhow::Result<()> {
    namesakes("samba", "sqlite").await
}

#[tokio::test]
async fn practice_and_postgres() -> anyhow::Result<()> {
    namesakes("practice", "postgres").await
}

async fn namesakes(directory: &'static str, store: &'static str) -> anyhow::Result<()> {
    let mut lab = Lab::up(Options { directory, store, agents: 1 }).await?;
    number_names(&lab).await?;
    let by_hand = "john.smith3";
    let attributes = vec![
        ("objectClass", HashSet::from(["user"])),
        (ACCOUNT_NAME, HashSet::from(["John.Smith3"])),
        ("userAccountControl", HashSet::from(["514"])),
    ];
    lab.directory.ldap.add(&format!("CN=By hand,{}", lab.info.other_ou), attributes).await?.success()?;
    let everybody: Vec<Value> = (0..NAMESAKES).map(|at| john_smith(&format!("JS-{at}"))).collect();
    upload(&lab, &everybody, "done").await?;
    let names = names(&mut lab).await?;
    let numbers = (2..NAMESAKES + 2).map(|n| format!("john.smith{n}"));
    let expected: BTreeSet<String> =
        ["john.smith".to_owned()].into_iter().chain(numbers).filter(|name| name != by_hand).collect();
    let given: BTreeSet<String> = names.values().map(|(name, _)| name.clone()).collect();
    ensure!(names.len() == NAMESAKES && given == expected, "{} names: {given:?}", given.len());

    // Sent again, nothing is chosen and nothing is written.
    upload(&lab, &everybody, "skipped").await?;
    ensure!(self::names(&mut lab).await? == names, "the second upload wrote something");

    // A leaver's name is free in the directory, and given to nobody; it is not refused to the leaver.
    let (leaver, _) = names.iter().find(|(_, (name, _))| name == "john.smith").context("the first")?;
    let dn = lab.directory.object(leaver).await?.context("the first")?.dn;
    lab.directory.ldap.delete(&dn).await?.success()?;
    lab.api.act("pause").await?;
    lab.api.break_link(leaver).await?;
    lab.api.act("start").await?;
    upload(&lab, &[john_smith("JS-new")], "done").await?;
    ensure!(name_of(&mut lab, "JS-new").await? == format!("john.smith{}", NAMESAKES + 2));
    upload(&lab, &[john_smith(leaver)], "done").await?;
    ensure!(name_of(&mut lab, leaver).await? == "john.smith");
    Ok(())
}

fn john_smith(id: &str) -> Value {
    let mut record = person(id);
    record["displayName"] = json!("John Smith");
    record["name"] = json!({ "givenName": "John", "familyName": "Smith" });
    record
}

/// The account's name is the person's, numbered where it is taken.
pub(crate) async fn number_names(lab: &Lab) -> anyhow::Result<()> {
    lab.api
        .change_schema(|schema| {
            let rows = schema["synchronizationRules"][0]["objectMappings"][0]["attributeMappings"].as_array_mut();
            for row in rows.into_iter().flatten().filter(|row| row["targetAttributeName"] == ACCOUNT_NAME) {
                let expression = "SelectNumberedValue(ToLower(Join(\".\", [name.givenName], [name.familyName])), 20)";
                row["source"] = json!({ "expression": expression });
                row["flowType"] = json!("ObjectAddOnly");
            }
        })
        .await
}

/// Sends everybody, and waits until each operation has ended in this state.
async fn upload(lab: &Lab, records: &[Value], state: &str) -> anyhow::Result<()> {
    let mut uploads = Vec::new();
    for some in records.chunks(REQUEST) {
        uploads.push(lab.send(some).await?);
    }
    for upload in uploads {
        let upload = lab.api.wait_until_final(&upload, FINAL).await?;
        let other: Vec<_> = upload.operations.iter().filter(|operation| operation.state != state).collect();
        ensure!(other.is_empty(), "not {state}: {other:?}");
    }
    Ok(())
}

/// Name and `uSNChanged` of everybody's account.
async fn names(lab: &mut Lab) -> anyhow::Result<BTreeMap<String, (String, String)>> {
    let objects = lab.directory.objects().await?;
    objects
        .iter()
        .map(|object| {
            let of = |name: &str| value(object, name).map(str::to_owned).with_context(|| format!("no {name}"));
            Ok((object.person.clone(), (of(ACCOUNT_NAME)?, of("uSNChanged")?)))
        })
        .collect()
}

async fn name_of(lab: &mut Lab, person: &str) -> anyhow::Result<String> {
    let object = lab.directory.object(person).await?.with_context(|| format!("{person} has no account"))?;
    value(&object, ACCOUNT_NAME).map(str::to_owned).context("no name")
}
