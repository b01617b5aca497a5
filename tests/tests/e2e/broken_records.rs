//! A leaver is disabled, whatever else is wrong with the record.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::lab::{Lab, Options};
use super::person::{ENTERPRISE, is_enabled, partial, person, value};

const FINAL: Duration = Duration::from_secs(30);

/// semantics: disable
#[tokio::test]
async fn disabled_every_time_on_samba() -> anyhow::Result<()> {
    disabled_every_time("samba", "sqlite").await
}

/// semantics: disable
#[tokio::test]
async fn disabled_every_time_on_samba_and_postgres() -> anyhow::Result<()> {
    disabled_every_time("samba", "postgres").await
}

/// semantics: disable
#[tokio::test]
async fn disabled_every_time_on_practice() -> anyhow::Result<()> {
    disabled_every_time("practice", "sqlite").await
}

/// One leaver: what comes before, what comes with `active` false, and how the operation ends.
struct Case {
    id: &'static str,
    before: Option<Value>,
    with: Value,
    state: &'static str,
    code: Option<&'static str>,
}

fn cases() -> Vec<Case> {
    let division = |name: &str| json!({ ENTERPRISE: { "division": name } });
    let check = |id, before, with, state, code| Case { id, before, with, state, code };
    vec![
        check("plain", None, json!({}), "done", None),
        check("long-title", None, json!({ "title": "x".repeat(200) }), "done", Some("AttributeRefused")),
        check("missing-ou", None, division("Nowhere"), "failed", Some("ContainerNotFound")),
        check("throws", None, division("Thrown"), "failed", Some("ExpressionFailed")),
        check("after-failure", Some(division("Nowhere")), json!({}), "failed", Some("ContainerNotFound")),
        check("after-throw", Some(division("Thrown")), json!({}), "failed", Some("ExpressionFailed")),
    ]
}

async fn disabled_every_time(directory: &'static str, store: &'static str) -> anyhow::Result<()> {
    let mut lab = Lab::up(Options { directory, store, agents: 1 }).await?;
    let (users, other, base) = (&lab.info.users_ou, &lab.info.other_ou, &lab.info.base_dn);
    let division = format!("[{ENTERPRISE}:division]");
    let switch = format!(r#"Switch({division}, "{users}", "Other", "{other}", "Nowhere", "OU=Nowhere,{base}")"#);
    // There is no fifth of one value.
    lab.api.set_parent(&format!(r#"IIF({division} = "Thrown", Item({division}, 5), {switch})"#)).await?;

    let cases = cases();
    let people: Vec<Value> = cases.iter().map(|case| person(case.id)).collect();
    let created = lab.send(&people).await?;
    let created = lab.api.wait_until_final(&created, FINAL).await?;
    ensure!(created.operations.iter().all(|operation| operation.state == "done"), "{created:?}");

    let before: Vec<Value> = cases.iter().filter_map(|case| Some(partial(case.id, case.before.clone()?))).collect();
    let failed = lab.send(&before).await?;
    let failed = lab.api.wait_until_final(&failed, FINAL).await?;
    ensure!(failed.operations.iter().all(|operation| operation.state == "failed"), "{failed:?}");
    for case in &cases {
        let object = lab.directory.object(case.id).await?.context(case.id)?;
        ensure!(is_enabled(&object), "{} is disabled too early", case.id);
    }

    let leavers: Vec<Value> = cases
        .iter()
        .map(|case| {
            let mut record = partial(case.id, case.with.clone());
            record["active"] = false.into();
            record
        })
        .collect();
    let upload = lab.send(&leavers).await?;
    let upload = lab.api.wait_until_final(&upload, FINAL).await?;
    for (case, operation) in cases.iter().zip(&upload.operations) {
        ensure!(operation.state == case.state && operation.code.as_deref() == case.code, "{}: {operation:?}", case.id);
        check_disabled(&mut lab, case).await.with_context(|| format!("{} on {directory}", case.id))?;
    }
    lab.judge().await
}

/// The account is disabled and otherwise as it was, and the log tells so in a row of its own, the first of the leaver's.
async fn check_disabled(lab: &mut Lab, case: &Case) -> anyhow::Result<()> {
    let object = lab.directory.object(case.id).await?.context("no account")?;
    ensure!(!is_enabled(&object), "it is enabled");
    ensure!(value(&object, "title") == Some("Clerk"), "title {:?}", value(&object, "title"));
    ensure!(object.dn.ends_with(&lab.info.users_ou), "moved to {}", object.dn);
    let mut rows = lab.api.log_values().await?;
    rows.retain(|row| row["sourceIdentity"]["id"] == case.id && row["provisioningAction"] == "disable");
    ensure!(rows.len() == 1, "rows of the disable: {rows:#?}");
    let status = &rows[0]["provisioningStatusInfo"]["status"];
    ensure!(status == "success" || status == "warning", "{status}");
    Ok(())
}
