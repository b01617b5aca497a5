//! Persons shown, walks over them, and what a change of the mappings would touch.

use std::time::Duration;

use base64::Engine as _;
use rollcall_model::config::{DeleteAction, JobConfig, Mapping, MappingSource};
use rollcall_model::ids::{JobId, NodeId, ObjectGuid, PersonId, Version};
use rollcall_model::limits::SCHEMA_VERSIONS_KEPT_MAX;
use rollcall_model::operation::Method;
use rollcall_model::person::{Confirmed, Link, Person};
use rollcall_model::{Clock as _, Random as _, Timestamp};
use rollcall_store::{Audit, Cause, MergeBatch, NewSchema, PersonUpdate, SchemaOrigin, SchemaSaved, TargetCheck};
use serde_json::{Value, json};
use uuid::Uuid;

use super::world::{Answer, Call, World};
use crate::system::SystemRandom;

/// A job of a domain, and linked persons at rest with these titles.
pub(super) async fn with_persons(titles: &[&str]) -> World {
    with_changed(titles, |_| ()).await
}

async fn with_changed(titles: &[&str], change: impl Fn(&mut Person)) -> World {
    let world = World::new().await;
    let domain = "corp.example.test";
    let settings = json!({ "domain": domain, "container": "OU=Staff,DC=corp,DC=example,DC=test" });
    let path = format!("/rollcall/v1/jobs/{}/settings", world.job);
    world.send(Call::new("PATCH", &path).token(&world.admin).json(&settings)).await.expect(200);
    let token = world.post("/rollcall/v1/agents/tokens", &json!({ "domain": domain })).await.expect(201).json();
    let key = base64::engine::general_purpose::STANDARD.encode([7_u8; 32]);
    let body = json!({ "token": token["token"], "name": "a", "publicKey": key });
    let agent = world.send(Call::new("POST", "/rollcall/v1/agents/enroll").json(&body)).await.expect(201).json();
    let agent = agent["agent"].as_str().unwrap().parse().unwrap();
    let (tenant, node, now) = (world.tenant.parse().unwrap(), NodeId(Uuid::from_u128(1)), world.clock.now());
    let held = world.store().acquire_lease(tenant, domain, node, agent, None, now, 10_000, 0).await.unwrap().unwrap();
    let mut persons: Vec<PersonUpdate> = (0..).zip(titles).map(|(n, title)| linked(&world, n, title)).collect();
    for update in &mut persons {
        change(&mut update.person);
    }
    let batch = MergeBatch { persons, ..MergeBatch::default() };
    let _ = world.store().merge(&held.lease, &batch).await.unwrap();
    world
}

fn linked(world: &World, n: u128, title: &str) -> PersonUpdate {
    let external_id = format!("E-{n}");
    let mut person = Person::new(PersonId(Uuid::from_u128(n + 1)), &external_id);
    person.version = Version(1);
    let record = json!({ "externalId": external_id, "userName": external_id, "displayName": "Ada", "title": title });
    person.record = record.as_object().unwrap().clone();
    let guid = ObjectGuid(Uuid::from_u128(70 + n));
    person.link = Some(Link { guid, confirmed: true, invocation_id: None, usn_changed: None });
    let attributes = [("title", title), ("displayname", "Ada"), ("userprincipalname", &external_id)];
    let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), vec![value.to_owned()])).collect();
    person.confirmed = Some(Confirmed { attributes, enabled: Some(true), ..Confirmed::default() });
    PersonUpdate {
        job: JobId::from_text(&world.job),
        person,
        due: None,
        attempts: 0,
        urgent: false,
        last_code: None,
        data: None,
        quiet: None,
        display_name: None,
        unlinked: None,
        look: None,
        cause: None,
    }
}

fn ours(world: &World, rest: &str) -> String {
    format!("/rollcall/v1/jobs/{}/{rest}", world.job)
}

async fn schema(world: &World) -> Value {
    let path = format!("/v1.0/servicePrincipals/{}/synchronization/jobs/{}/schema", world.principal, world.job);
    world.get(&path).await.expect(200).json()
}

/// The schema with this expression for the title, and nothing else mapped but what is matched on.
async fn with_title(world: &World, text: &str) -> Value {
    let mut schema = schema(world).await;
    let rows = schema["synchronizationRules"][0]["objectMappings"][0]["attributeMappings"].as_array_mut().unwrap();
    rows.retain(|row| ["employeeID", "sAMAccountName", "cn"].iter().any(|name| row["targetAttributeName"] == *name));
    rows.push(json!({ "targetAttributeName": "title", "flowType": "Always", "flowBehavior": "FlowWhenChanged",
        "matchingPriority": 0, "source": { "expression": text, "type": "Function", "parameters": [] } }));
    schema
}

async fn impact(world: &World, body: &Value) -> Answer {
    world.post(&ours(world, "schema/impact"), body).await
}

#[tokio::test]
async fn impact_counts_whom_a_schema_would_touch() {
    let world = with_persons(&["buyer", "CLERK", "12", "buyer"]).await;
    let check = async |text: &str, expected: Value| {
        let body = json!({ "schema": with_title(&world, text).await });
        let found = impact(&world, &body).await.expect(200).json();
        let names = ["persons", "touched", "failed", "attributes", "actions", "examples"];
        let found: Value = names.into_iter().map(|name| (name.to_owned(), found[name].clone())).collect();
        assert_eq!(found, expected, "{text}");
    };
    check(
        "ToUpper([title])",
        json!({ "persons": 4, "touched": 2, "failed": 0, "attributes": { "title": 2 }, "actions": {},
            "examples": ["E-0", "E-3"] }),
    )
    .await;
    check(
        r#"IIF([title] = "12", CStr(CDate([title])), [title])"#,
        json!({ "persons": 4, "touched": 0, "failed": 1, "attributes": {}, "actions": {}, "examples": [] }),
    )
    .await;
    let failed = json!({ "schema": with_title(&world, "CStr(CDate([title]))").await });
    let errors = impact(&world, &failed).await.expect(200).json()["errors"].take();
    assert_eq!((&errors[0]["code"], &errors[0]["persons"]), (&json!("ExpressionFailed"), &json!(4)), "{errors}");
    assert_eq!(errors[0]["examples"], json!(["E-0", "E-1", "E-2", "E-3"]));
    let unusable = json!({ "schema": with_title(&world, "NoSuchFunction([title])").await });
    assert_eq!(impact(&world, &unusable).await.expect(400).error().0, "SchemaInvalid");
    assert_eq!(impact(&world, &json!({ "schema": 5 })).await.expect(400).error().0, "SchemaInvalid");
    let present = impact(&world, &json!({})).await.expect(200).json();
    assert_eq!((&present["complete"], &present["persons"]), (&json!(true), &json!(4)));
    // Nothing was written for any of it.
    let person = world.store().person(&JobId::from_text(&world.job), "e-0").await.unwrap().unwrap();
    assert_eq!((person.due, person.person.version), (None, Version(1)));
}

/// semantics: delete
#[tokio::test]
async fn impact_tells_whose_account_would_be_deleted() {
    let world = with_changed(&["a", "b", "c"], |person| {
        // Of the first two, and the account of the second was disabled long ago.
        if person.external_id != "E-2" {
            person.pending.method = Method::Delete;
        }
        if let Some(confirmed) = person.confirmed.as_mut().filter(|_| person.external_id == "E-1") {
            confirmed.enabled = Some(false);
        }
    })
    .await;
    let stored = world.store().schema(&JobId::from_text(&world.job), None).await.unwrap().unwrap().config;
    for (delete_action, actions) in [
        (DeleteAction::Delete, json!({ "delete": 1 })),
        (DeleteAction::Disable, json!({ "disable": 1 })),
        (DeleteAction::Off, json!({})),
    ] {
        save(&world, &JobConfig { delete_action, ..stored.clone() }).await;
        let found = impact(&world, &json!({ "schema": with_title(&world, "[title]").await })).await.expect(200).json();
        assert_eq!((&found["persons"], &found["actions"]), (&json!(3), &actions), "{delete_action:?}");
    }
}

#[tokio::test]
async fn a_person_is_shown_to_whom_the_job_may_be_shown() {
    let world = with_persons(&["Buyer"]).await;
    let path = ours(&world, "persons/e-0");
    let shown = world.get(&path).await.expect(200).json();
    assert_eq!((&shown["externalId"], &shown["version"], &shown["due"]), (&json!("E-0"), &json!(1), &Value::Null));
    assert_eq!((&shown["record"]["title"], &shown["link"]["confirmed"]), (&json!("Buyer"), &json!(true)));
    assert_eq!(shown["confirmed"]["attributes"]["title"], json!(["Buyer"]));
    world.get(&ours(&world, "persons/nobody")).await.expect(404);
    let (_, token) = world.client_with(&["SynchronizationData-User.Upload"]).await;
    world.send(Call::new("GET", &path).token(&token)).await.expect(403);
    world.send(Call::new("GET", &path)).await.expect(401);
}

/// semantics: redaction
#[tokio::test]
async fn what_a_mapping_ever_kept_out_of_the_log_is_kept_out_of_sight() {
    let world = with_persons(&["Buyer"]).await;
    let id = JobId::from_text(&world.job);
    let check = async |text: &str, expected: &str| {
        let source = MappingSource::Expression(text.to_owned());
        let mut config = world.store().job(world.tenant.parse().unwrap(), &id).await.unwrap().unwrap().config;
        config.mappings.retain(|mapping| mapping.target != "title");
        config.mappings.push(Mapping::new("title", source));
        save(&world, &config).await;
        let shown = world.get(&ours(&world, "persons/e-0")).await.expect(200).json();
        let attributes = &shown["confirmed"]["attributes"];
        assert_eq!((&attributes["title"], &attributes["displayname"]), (&json!([expected]), &json!(["Ada"])), "{text}");
    };
    check("[title]", "Buyer").await;
    check(r#"Append([title], " redacted")"#, "Buyer").await;
    // This record fails by it, and not even its branch is gone through.
    check(r#"IIF([title] = "12", Redact([title]), CStr(CDate([title])))"#, "[Redact]").await;
    check("[title]", "[Redact]").await;
    for _ in 2..SCHEMA_VERSIONS_KEPT_MAX {
        save(&world, &world.store().schema(&id, None).await.unwrap().unwrap().config).await;
    }
    check("[title]", "Buyer").await;
    // It was a function once, or another version of the service had it.
    check("RedactAll([title])", "[Redact]").await;
}

async fn save(world: &World, config: &JobConfig) {
    let schema = NewSchema {
        config,
        document: None,
        tests: None,
        origin: SchemaOrigin::Saved,
        note: None,
        targets: &TargetCheck::Passed,
        based_on: None,
    };
    let audit = Audit {
        id: SystemRandom.uuid_v4(),
        at: world.clock.now(),
        actor: "x".to_owned(),
        action: "x".to_owned(),
        target: "x".to_owned(),
        details: "{}".to_owned(),
    };
    let (tenant, job) = (world.tenant.parse().unwrap(), JobId::from_text(&world.job));
    let saved = world.store().save_schema(tenant, &job, &schema, &audit).await.unwrap();
    assert!(matches!(saved, SchemaSaved::Saved(_)));
}

/// What is asked of the workers about a person brings no value: not even of one whose record is only a name.
#[tokio::test]
async fn on_demand_of_a_minimal_record_is_an_audited_operation() {
    let world = with_persons(&["Buyer"]).await;
    let id = JobId::from_text(&world.job);
    let tenant = world.tenant.parse().unwrap();
    let path = |act: &str| format!("/v1.0/servicePrincipals/{}/synchronization/jobs/{id}/{act}", world.principal);
    world.post(&path("start"), &json!({})).await.expect(204);
    let subjects = json!({ "parameters": [{ "subjects": [{ "objectId": "e-0", "objectTypeName": "User" }] }] });
    let path = path("provisionOnDemand");
    // Nobody works on it here: the client hangs up.
    assert!(tokio::time::timeout(Duration::from_secs(1), world.post(&path, &subjects)).await.is_err());
    let waiting = world.store().waiting_operations(std::slice::from_ref(&id), 9).await.unwrap();
    let [operation] = waiting.as_slice() else { panic!("{waiting:?}") };
    let bodies = world.store().bodies(&[operation.upload]).await.unwrap();
    assert_eq!(crate::body::unpack(&bodies[0].1).unwrap(), [json!({ "externalId": "E-0" })]);
    let audit = world.store().audit(tenant, 1).await.unwrap().remove(0);
    let details = json!({ "upload": operation.upload.to_string() }).to_string();
    assert_eq!((audit.action.as_str(), audit.details), ("job.provisionOnDemand", details));
}

#[tokio::test]
async fn a_walk_is_shown_and_governed() {
    let world = with_persons(&["Buyer"]).await;
    let sweep = ours(&world, "sweep");
    let act = async |action: &str| world.post(&sweep, &json!({ "action": action })).await;
    act("pause").await.expect(409);
    assert_eq!(world.get(&sweep).await.expect(200).json()["total"], 0, "nobody was there when it was set up");
    act("jump").await.expect(400);
    for (action, state) in [
        ("start", "running"),
        ("pause", "paused"),
        ("continue", "running"),
        ("cancel", "cancelled"),
        ("start", "running"),
    ] {
        assert_eq!(act(action).await.expect(200).json()["state"], state, "{action}");
    }
    let status = world.get(&ours(&world, "status")).await.expect(200).json();
    assert_eq!((&status["sweep"]["cause"], &status["sweep"]["total"]), (&json!("schema"), &json!(1)));
    let audits = world.store().audit(world.tenant.parse().unwrap(), 20).await.unwrap();
    assert_eq!(audits[0].action, "job.sweep.start");
}

/// semantics: may-write
#[tokio::test]
async fn a_reevaluation_is_asked_for_one_or_all() {
    let world = with_persons(&["Buyer"]).await;
    let path = ours(&world, "reevaluate");
    world.post(&path, &json!({})).await.expect(400);
    world.post(&path, &json!({ "externalId": "E-0", "all": true })).await.expect(400);
    world.post(&path, &json!({ "externalId": "nobody" })).await.expect(404);
    world.post(&path, &json!({ "externalId": "e-0" })).await.expect(204);
    let person = world.store().person(&JobId::from_text(&world.job), "e-0").await.unwrap().unwrap();
    assert_eq!((person.cause, person.person.version), (Some(Cause::Reevaluation), Version(2)));
    assert!(person.person.pending.reevaluate && person.due > Some(Timestamp(0)));
    assert_eq!(world.get(&ours(&world, "persons/e-0")).await.json()["dueReason"], "reevaluation");
    world.post(&path, &json!({ "all": true })).await.expect(204);
    assert_eq!(world.get(&ours(&world, "sweep")).await.json()["cause"], "reevaluation");
}
