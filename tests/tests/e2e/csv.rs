//! A CSV export of 1,000 people by the client's own command, and the same once more: the second time nothing is
//! written.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::lab::{Lab, Options, program};
use super::person::{is_enabled, value};

const PEOPLE: usize = 1_000;

/// As an HR system writes it: windows-1252, semicolons, dates and words of its own, a manager for most.
const MAPPING: &str = r#"
separator = ";"

[active]
true = ["A"]
false = ["T"]

[columns]
"Personnel no" = "externalId"
"Login" = "userName"
"First name" = "name.givenName"
"Last name" = "name.familyName"
"Name" = "displayName"
"Position" = "title"
"Unit" = "department"
"Manager" = "manager"
"Entry" = { to = "urn:example:2.0:User:hireDate", date = "dd.MM.yyyy" }
"Status" = "active"

[fixed]
organization = "ACME"
"#;

#[tokio::test]
async fn a_thousand_rows_and_again_without_a_write() -> anyhow::Result<()> {
    let mut lab = Lab::up(Options { directory: "samba", store: "sqlite", agents: 1 }).await?;
    std::fs::write(lab.info.dir.join("map.toml"), MAPPING)?;
    std::fs::write(lab.info.dir.join("people.csv"), export())?;

    let first = upload(&lab).await.context("first upload")?;
    ensure!(first["operations"] == PEOPLE && first["failed"] == json!([]), "{first}");
    ensure!(first["counts"] == json!({ "done": PEOPLE }), "{}", first["counts"]);
    // Who came before their manager is done with a warning, and gets the manager as soon as there is one.
    all_have_managers(&mut lab).await?;
    let before = usn_of_each(&mut lab).await?;
    ensure!(before.len() == PEOPLE, "{} accounts", before.len());
    let person = lab.directory.object("P-0042").await?.context("no P-0042")?;
    for (name, wanted) in
        [("sn", "Müller 42"), ("displayName", "Jörg Müller 42"), ("department", "Sales; North"), ("company", "ACME")]
    {
        ensure!(value(&person, name) == Some(wanted), "{name}: {:?}", value(&person, name));
    }
    let manager = lab.directory.object("P-0000").await?.context("no P-0000")?;
    ensure!(value(&person, "manager") == Some(&manager.dn) && is_enabled(&person), "{person:?}");

    let second = upload(&lab).await.context("second upload")?;
    ensure!(second["counts"] == json!({ "skipped": PEOPLE }), "{}", second["counts"]);
    for id in second["uploads"].as_array().context("no uploads")? {
        let upload = lab.api.upload(id.as_str().context("no id")?).await?;
        for operation in &upload.operations {
            ensure!(operation.code.as_deref() == Some("RedundantExport"), "{operation:?}");
        }
    }
    ensure!(usn_of_each(&mut lab).await? == before, "an account was written");
    println!("first {} s, second {} s", first["seconds"], second["seconds"]);
    Ok(())
}

/// The file's bytes, in windows-1252.
fn export() -> Vec<u8> {
    let mut text = String::from(
        "\"Personnel no\";\"Login\";\"First name\";\"Last name\";\"Name\";\"Position\";\"Unit\";\"Manager\";\"Entry\";\
         \"Status\";\"Desk\"\r\n",
    );
    for n in 0..PEOPLE {
        let manager = if n == 0 { String::new() } else { format!("P-{:04}", (n - 1) / 100 * 100) };
        let _ = write!(
            text,
            "P-{n:04};p{n}@acme.test;Jörg;Müller {n};Jörg Müller {n};Clerk;\"Sales; North\";{manager};01.02.2026;A;{n}\r\n"
        );
    }
    // Every character here has the code of Latin-1.
    text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap_or(b'?')).collect()
}

/// `rollcall upload people.csv --mapping map.toml --json`, with exit status 0.
async fn upload(lab: &Lab) -> anyhow::Result<Value> {
    let info = &lab.info;
    let mut command = Command::new(program("rollcall")?);
    command.args(["upload", "--json", "--mapping"]).arg(info.dir.join("map.toml")).arg(info.dir.join("people.csv"));
    command
        .env("ROLLCALL_URL", &info.graph)
        .env("ROLLCALL_TENANT", &info.tenant)
        .env("ROLLCALL_CLIENT_ID", &info.client)
        .env("ROLLCALL_CLIENT_SECRET", &info.secret)
        .env("ROLLCALL_CA", &info.ca)
        .env("ROLLCALL_JOB", &info.job);
    let out = tokio::task::spawn_blocking(move || command.output()).await??;
    ensure!(out.status.success(), "{}: {}", out.status, String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).context("what upload printed")
}

/// Waits until everybody but the first has their manager.
async fn all_have_managers(lab: &mut Lab) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let objects = lab.directory.objects().await?;
        let with = objects.iter().filter(|object| value(object, "manager").is_some()).count();
        if with == PEOPLE - 1 {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{with} of {} have their manager", PEOPLE - 1);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn usn_of_each(lab: &mut Lab) -> anyhow::Result<BTreeMap<String, String>> {
    let objects = lab.directory.objects().await?;
    let usn = |object| value(object, "uSNChanged").map(str::to_owned).context("no uSNChanged");
    objects.iter().map(|object| Ok((object.guid.clone(), usn(object)?))).collect()
}
