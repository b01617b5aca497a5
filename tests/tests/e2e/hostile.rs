//! Values that mean something to a filter, a DN, a query or a screen are stored as they are, or refused: never
//! interpreted.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use reqwest::StatusCode;
use rollcall_tests::checker::{Object, Operation};
use serde_json::{Value, json};

use super::lab::{Lab, Options};
use super::person::{ENTERPRISE, person, value};

const FINAL: Duration = Duration::from_mins(1);

/// What becomes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It stands in the directory, character by character.
    Stored,
    /// The operation fails with this code, and there is no account.
    Failed(&'static str),
    /// Either, as the directory likes: Samba has no name with a control character in it.
    StoredOrFailed(&'static str),
}
use Fate::{Failed, Stored, StoredOrFailed};

/// `externalId`, a value for every text attribute, and what becomes of it.
fn cases() -> Vec<(&'static str, String, Fate)> {
    let case = |id: &'static str, value: &str, fate| (id, value.to_owned(), fate);
    vec![
        case("*", "*", Stored),
        case("E*)(cn=*", "*)(objectClass=*", Stored),
        case("E)(|(cn=a", "a)(|(cn=b))(&", Stored),
        case("E\\2a", "\\2a\\00\\", Stored),
        case("E,CN=x+y=z", "Doe, John+CN=Administrator,CN=Users", Stored),
        case("E\"<>;#", "#\"quoted\" <angled>; half=done\\", Stored),
        case("' or 1=1;--", "'; drop table person; -- \"$1\" ?", Stored),
        case("{0}%s$(x)`", "${jndi:ldap://x} {{7*7}} %n%s <b>bold</b>", Stored),
        case("אבג\u{202e}1", "\u{202e}gnp.exe שלום مرحبا\u{200f}", Stored),
        case("E😀👩\u{200d}👧", "👩\u{200d}👩\u{200d}👧\u{200d}👦 😀 Ω", Stored),
        case("e\u{301}-1", "e\u{301}cole", Stored),
        case("\u{e9}-1", "\u{e9}cole", Stored),
        case(
            "E-control",
            "one\ntwo\ttab\u{7}bell",
            StoredOrFailed("HybridSynchronizationActiveDirectoryInvalidParameter"),
        ),
        case("E\tline", "behind a tab", Failed("AttributeValidationFailed")),
        case("E-mb", &"m".repeat(1_000_000), Failed("RecordTooLarge")),
        case("E\u{0}nul", "behind a NUL", Failed("AttributeValidationFailed")),
        case("E-seventeen-chars", "too long an id", Failed("MatchingValueTooLong")),
    ]
}

#[tokio::test]
async fn on_samba() -> anyhow::Result<()> {
    values_stand_as_sent("samba", "sqlite").await
}

#[tokio::test]
async fn on_samba_and_postgres() -> anyhow::Result<()> {
    values_stand_as_sent("samba", "postgres").await
}

#[tokio::test]
async fn on_practice() -> anyhow::Result<()> {
    values_stand_as_sent("practice", "sqlite").await
}

async fn values_stand_as_sent(directory: &'static str, store: &'static str) -> anyhow::Result<()> {
    let mut lab = Lab::up(Options { directory, store, agents: 1 }).await?;
    let pids = (lab.pid("service")?, lab.pid("agent")?);
    let upload = lab.send(&[person("bystander")]).await?;
    lab.api.wait_until_final(&upload, FINAL).await?;
    let bystander = lab.directory.object("bystander").await?.context("no bystander")?;

    let cases = cases();
    let records: Vec<Value> = cases.iter().enumerate().map(|(at, (id, text, _))| record(at, id, text)).collect();
    let upload = lab.send(&records).await?;
    let upload = lab.api.wait_until_final(&upload, FINAL).await?;
    let objects = lab.directory.objects().await?;
    for ((id, text, fate), operation) in cases.iter().zip(&upload.operations) {
        let found: Vec<&Object> = objects.iter().filter(|object| object.person == *id).collect();
        check(id, text, *fate, operation, &found).with_context(|| format!("{id:?} on {directory}"))?;
    }
    let stored = upload.operations.iter().filter(|operation| operation.state == "done").count();
    ensure!(objects.len() == stored + 1, "{} accounts", objects.len());
    let after = lab.directory.object("bystander").await?.context("no bystander")?;
    ensure!(value(&after, "uSNChanged") == value(&bystander, "uSNChanged"), "the bystander was written");

    refused_requests(&lab).await?;
    nul_in_values(&mut lab).await.with_context(|| format!("NUL on {directory}"))?;
    ensure!((lab.pid("service")?, lab.pid("agent")?) == pids, "a process was started anew");
    ensure!(super::lab::is_alive(pids.0) && super::lab::is_alive(pids.1), "a process ended");
    lab.judge().await
}

fn record(at: usize, id: &str, text: &str) -> Value {
    let mut record = person(id);
    record["title"] = text.into();
    if text.len() > 1_000 {
        // Once is enough: a whole request has 4 MiB.
        return record;
    }
    record["userName"] = format!("{}{at}@acme.test", text.chars().take(8).collect::<String>()).into();
    record["displayName"] = text.into();
    record["name"] = json!({ "givenName": text, "familyName": text });
    // Nobody is called that; a filter would find everybody.
    record[ENTERPRISE] = json!({ "department": text, "manager": { "value": format!("*)(cn={text}") } });
    record
}

fn check(id: &str, text: &str, fate: Fate, operation: &Operation, found: &[&Object]) -> anyhow::Result<()> {
    let is_failed = operation.state == "failed";
    if let (Failed(code), _) | (StoredOrFailed(code), true) = (fate, is_failed) {
        ensure!(is_failed && operation.code.as_deref() == Some(code), "{operation:?}");
        ensure!(found.is_empty(), "{found:?}");
        return Ok(());
    }
    ensure!(operation.state == "done", "{operation:?}");
    ensure!(found.len() == 1, "{} accounts", found.len());
    for name in ["displayName", "givenName", "sn", "title", "department"] {
        ensure!(value(found[0], name) == Some(text), "{name}: {:?}, not {text:?}", value(found[0], name));
    }
    ensure!(value(found[0], "employeeID") == Some(id), "employeeID {:?}", value(found[0], "employeeID"));
    let cn = value(found[0], "cn").context("no cn")?;
    ensure!(cn.trim() == text.trim(), "cn {cn:?}, not {text:?}");
    ensure!(value(found[0], "manager").is_none(), "the manager is {:?}", value(found[0], "manager"));
    Ok(())
}

/// What is no JSON, or too deep, is refused whole; nothing of it is stored.
async fn refused_requests(lab: &Lab) -> anyhow::Result<()> {
    let body = |data: &str| {
        format!(
            r#"{{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"failOnErrors":null,
                "Operations":[{{"method":"POST","bulkId":"1","path":"/Users","data":{data}}}]}}"#
        )
    };
    let deep = format!(r#"{{"externalId":"deep","title":{}1{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    for data in [r#"{"externalId":"lone","title":"\ud800"}"#, r#"{"externalId":"\udc00x"}"#, &deep] {
        let answer = lab.api.bulk_upload(body(data), None).await?;
        ensure!(answer.status == StatusCode::BAD_REQUEST && answer.upload.is_none(), "{answer:?}");
    }
    Ok(())
}

/// A NUL cannot stand in a directory's text: the value is left out or the operation fails, and the log says so; what
/// stands there is never a part of what was sent.
async fn nul_in_values(lab: &mut Lab) -> anyhow::Result<()> {
    let mut record = person("nul");
    record["title"] = "Head\u{0}of everything".into();
    let upload = lab.send(&[record]).await?;
    let upload = lab.api.wait_until_final(&upload, FINAL).await?;
    let operation = &upload.operations[0];
    let object = lab.directory.object("nul").await?;
    let title = object.as_ref().and_then(|object| value(object, "title"));
    ensure!(title.is_none() || title == Some("Head\u{0}of everything"), "title {title:?} {operation:?}");
    ensure!(title.is_some() || operation.code.is_some(), "{operation:?}");
    Ok(())
}
