//! Applications, roles, jobs, settings, links, agents, and the audit of it all.

use base64::Engine as _;
use rollcall_model::ids::{JobId, NodeId, ObjectGuid, PersonId, Version};
use rollcall_model::person::{Link, Person};
use rollcall_store::{Fenced, MergeBatch, PersonUpdate};
use serde_json::{Value, json};

use super::world::{Answer, Call, World};

async fn patch(world: &World, body: &Value) -> Answer {
    let path = format!("/rollcall/v1/jobs/{}/settings", world.job);
    world.send(Call::new("PATCH", &path).token(&world.admin).json(body)).await
}

fn action(world: &World, name: &str) -> String {
    format!("/v1.0/servicePrincipals/{}/synchronization/jobs/{}/{name}", world.principal, world.job)
}

const CONTAINER: &str = "OU=Staff,DC=corp,DC=example,DC=test";

#[tokio::test]
async fn settings_are_set_and_refused() {
    let world = World::new().await;
    let before = world.get(&format!("/rollcall/v1/jobs/{}/settings", world.job)).await.expect(200).json();
    assert_eq!(before["match"], json!({ "source": "externalId", "attribute": "employeeID" }));
    assert_eq!(
        (&before["cn"], &before["delete"], &before["parent"]),
        (&json!("create"), &json!("disable"), &Value::Null)
    );
    let division = format!(
        "Switch([urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:division], \"{CONTAINER}\", \"Other\", \"OU=Other,DC=corp,DC=example,DC=test\")"
    );
    let wanted = json!({
        "domain": "CORP.example.test", "container": CONTAINER, "upnSuffix": "@example.com", "parent": division,
        "cn": "create", "delete": "off", "match": { "source": "userName", "attribute": "sAMAccountName" },
        "createInactive": true,
    });
    let after = patch(&world, &wanted).await.expect(200).json();
    assert_eq!(after["domain"], "corp.example.test");
    assert_eq!(after["upnSuffix"], "example.com");
    assert_eq!(after["parent"], division);
    assert_eq!(after["delete"], "off");
    assert_eq!(after["match"], json!({ "source": "userName", "attribute": "sAMAccountName" }));
    assert_eq!(after["createInactive"], true);
    assert!(after["schemaVersion"].as_i64() > before["schemaVersion"].as_i64());
    assert_eq!(after, world.get(&format!("/rollcall/v1/jobs/{}/settings", world.job)).await.json());
    // Absent stays, null takes away.
    let after = patch(&world, &json!({ "parent": null, "upnSuffix": null })).await.expect(200).json();
    assert_eq!((&after["parent"], &after["upnSuffix"], &after["delete"]), (&Value::Null, &Value::Null, &json!("off")));

    for (body, place, words) in [
        (json!({ "domain": "not a name" }), "/domain", vec!["domain", "corp.example.com"]),
        (json!({ "container": "Staff" }), "/container", vec!["container", "OU="]),
        (json!({ "container": "OU=a\\" }), "/container", vec!["escape"]),
        (json!({ "cn": "never" }), "/cn", vec!["create", "always"]),
        (json!({ "delete": "all" }), "/delete", vec!["off", "disable", "delete"]),
        (json!({ "parent": "Switch([division]" }), "/parent", vec!["parentDistinguishedName", "characters"]),
        (json!({ "parent": "Nonsense([division])" }), "/parent", vec!["parentDistinguishedName", "characters"]),
        (json!({ "match": { "source": "userName", "attribute": "a b" } }), "/match/attribute", vec!["employeeID"]),
    ] {
        let answer = patch(&world, &body).await.expect(400);
        let (_, message) = answer.error();
        assert!(words.iter().all(|word| message.contains(word)), "{body}: {message}");
        assert_eq!(answer.json()["error"]["details"][0]["target"], place, "{body}");
    }
    let (_, message) = patch(&world, &json!({ "colour": "red" })).await.expect(400).error();
    assert!(message.contains("colour"), "{message}");
    let unchanged = world.get(&format!("/rollcall/v1/jobs/{}/settings", world.job)).await.json();
    assert_eq!(after, unchanged);
}

/// semantics: budget, delete, move (the job's settings)
#[tokio::test]
async fn names_deletions_and_the_budget_are_set() {
    let world = World::new().await;
    let settings = format!("/rollcall/v1/jobs/{}/settings", world.job);
    let seen = async || {
        let now = world.get(&settings).await.json();
        (now["cn"].clone(), now["delete"].clone(), now["budget"].clone())
    };
    assert_eq!(seen().await, (json!("create"), json!("disable"), json!(500)));
    patch(&world, &json!({ "cn": "always", "delete": "delete", "budget": 7 })).await.expect(200);
    assert_eq!(seen().await, (json!("always"), json!("delete"), json!(7)));
    patch(&world, &json!({ "cn": "create", "budget": null })).await.expect(200);
    assert_eq!(seen().await, (json!("create"), json!("delete"), json!(null)));
    let status = async || world.get(&format!("/rollcall/v1/jobs/{}/status", world.job)).await.json()["budget"].clone();
    assert_eq!(status().await, json!({ "limit": null, "used": 0, "staged": 0, "released": 0 }));
    let release = format!("/rollcall/v1/jobs/{}/release", world.job);
    assert_eq!(world.post(&release, &json!({})).await.expect(200).json(), json!({ "persons": 0 }));
    world.post(&release, &json!({ "count": 3 })).await.expect(200);
    world.post(&release, &json!({ "count": 0 })).await.expect(400);
    world.post(&release, &json!({ "cuont": 3 })).await.expect(400);
    let rows = world.store().audit(world.tenant.parse().unwrap(), 100).await.unwrap();
    let released: Vec<&str> =
        rows.iter().filter(|row| row.action == "job.release").map(|row| row.details.as_str()).collect();
    assert_eq!(released, [r#"{"count":3}"#, r#"{"count":null}"#]);
}

#[tokio::test]
async fn states_of_a_job() {
    let world = World::new().await;
    let show = async || {
        let job = world.get(action(&world, "").trim_end_matches('/')).await.expect(200).json();
        (job["status"]["code"].as_str().unwrap().to_owned(), job["schedule"]["state"].as_str().unwrap().to_owned())
    };
    let pair = |code: &str, state: &str| (code.to_owned(), state.to_owned());
    assert_eq!(show().await, pair("NotConfigured", "Disabled"));
    let (code, message) = world.post(&action(&world, "start"), &json!({})).await.expect(400).error();
    assert_eq!(code, "InvalidRequest");
    assert!(message.contains("domain") && message.contains("rollcall job set"), "{message}");
    patch(&world, &json!({ "domain": "corp.example.test" })).await.expect(200);
    let (_, message) = world.post(&action(&world, "start"), &json!({})).await.expect(400).error();
    assert!(message.contains("container"), "{message}");
    world.post(&action(&world, "pause"), &json!({})).await.expect(400);
    patch(&world, &json!({ "container": CONTAINER })).await.expect(200);
    assert_eq!(show().await, pair("NotRun", "Disabled"));
    for (name, code, state) in [
        ("start", "Active", "Active"),
        ("start", "Active", "Active"),
        ("pause", "Paused", "Paused"),
        ("pause", "Paused", "Paused"),
        ("start", "Active", "Active"),
    ] {
        let answer = world.send(Call::new("POST", &action(&world, name)).token(&world.admin)).await.expect(204);
        assert!(answer.text.is_empty());
        assert_eq!(show().await, pair(code, state));
    }
    let list = world.get(&format!("/beta/servicePrincipals/{}/synchronization/jobs", world.principal)).await.json();
    assert_eq!(list["value"][0]["id"], world.job.as_str());
    let jobs = format!("/v1.0/servicePrincipals/{}/synchronization/jobs", world.principal);
    assert!(world.post(&jobs, &json!({ "templateId": "API2AAD" })).await.expect(400).error().1.contains("API2AD"));
    let status = world.get(&format!("/rollcall/v1/jobs/{}/status", world.job)).await.expect(200).json();
    assert_eq!(
        (&status["state"], &status["domain"], &status["persons"]),
        (&json!("active"), &json!("corp.example.test"), &json!(0))
    );
    let retried = world.post(&format!("/rollcall/v1/jobs/{}/retry", world.job), &json!({})).await.expect(200).json();
    assert_eq!(retried, json!({ "persons": 0 }));
}

#[tokio::test]
async fn applications_are_found() {
    let world = World::new().await;
    let app = world.get(&format!("/v1.0/applications/{}", world.application)).await.json();
    let app_id = app["appId"].as_str().unwrap();
    let sp = &world.principal;
    for (filter, found) in [
        (format!("id eq '{sp}' or appId eq '{sp}'"), 1),
        (format!("id eq '{app_id}' or appId eq '{app_id}'"), 1),
        ("displayName eq 'HR to AD'".to_owned(), 1),
        ("displayName eq 'O''Brien'".to_owned(), 0),
        ("appId eq '00000003-0000-0000-c000-000000000000'".to_owned(), 1),
    ] {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("$filter", &filter)
            .append_pair("$select", "id")
            .finish();
        let list = world.get(&format!("/v1.0/servicePrincipals?{query}")).await.expect(200).json();
        assert_eq!(list["value"].as_array().unwrap().len(), found, "{filter}");
    }
    for filter in ["colour%20eq%20'red'", "displayName%20eq", "id%20eq%20'a'%20or"] {
        let error = world.get(&format!("/v1.0/servicePrincipals?$filter={filter}")).await.expect(400).error();
        assert!(error.1.contains("$filter"), "{error:?}");
    }
    let own = world.get(&format!("/v1.0/servicePrincipals(appId='{app_id}')")).await.expect(200).json();
    assert_eq!(own["id"], sp.as_str());
    let name = "API-driven%20provisioning%20to%20on-premises%20Active%20Directory";
    let templates = world.get(&format!("/v1.0/applicationTemplates?$filter=displayName%20eq%20'{name}'")).await.json();
    assert_eq!(templates["value"][0]["id"], "8adf8e6e-67b2-4cf2-a259-e3dc5476c621");
    let unknown = "/v1.0/applicationTemplates/11111111-2222-4333-8444-555555555555/instantiate";
    world.post(unknown, &json!({ "displayName": "x" })).await.expect(404);
    let made = format!("/v1.0/applicationTemplates/{}/instantiate", rollcall_wire::graph::CUSTOM_APP_TEMPLATE);
    assert!(world.post(&made, &json!({ "displayName": " " })).await.expect(400).error().1.contains("displayName"));
    assert!(world.post(&made, &json!({})).await.expect(400).error().1.contains("displayName"));
}

#[tokio::test]
async fn roles_are_granted_once() {
    let world = World::new().await;
    let graph = world.get("/v1.0/servicePrincipals(appId='00000003-0000-0000-c000-000000000000')").await.json();
    let path = format!("/v1.0/servicePrincipals/{}/appRoleAssignments", world.principal);
    let grant = json!({ "principalId": world.principal, "resourceId": graph["id"], "appRoleId": "db31e92a-b9ea-4d87-bf6a-75a37a9ca35a" });
    let first = world.post(&path, &grant).await.expect(201).json();
    assert_eq!(first, world.post(&path, &grant).await.expect(201).json());
    let by_resource = format!("/v1.0/servicePrincipals/{}/appRoleAssignedTo", graph["id"].as_str().unwrap());
    assert_eq!(first, world.post(&by_resource, &grant).await.expect(201).json());
    assert_eq!(world.get(&path).await.json()["value"], json!([first]));
    for (name, value) in [
        ("principalId", world.application.as_str()),
        ("resourceId", world.principal.as_str()),
        ("appRoleId", world.principal.as_str()),
    ] {
        let mut wrong = grant.clone();
        wrong[name] = json!(value);
        let status = world.post(&path, &wrong).await.status.as_u16();
        assert!(status == 400 || status == 404, "{name}: {status}");
    }
}

#[tokio::test]
async fn agents_enrol_with_a_token_once() {
    let world = World::new().await;
    let token =
        world.post("/rollcall/v1/agents/tokens", &json!({ "domain": "CORP.example.test" })).await.expect(201).json();
    assert_eq!(token["domain"], "corp.example.test");
    let key = base64::engine::general_purpose::STANDARD.encode([7_u8; 32]);
    let enroll = |token: Value, name: &'static str, key: String| {
        let body = json!({ "token": token, "name": name, "publicKey": key });
        world.send(Call::new("POST", "/rollcall/v1/agents/enroll").json(&body))
    };
    assert!(enroll(token["token"].clone(), "", key.clone()).await.expect(400).error().1.contains("name"));
    assert!(enroll(token["token"].clone(), "a", "AAAA".to_owned()).await.expect(400).error().1.contains("publicKey"));
    assert_eq!(enroll(json!("guess"), "a", key.clone()).await.expect(401).error().0, "InvalidEnrolmentToken");
    let enrolled = enroll(token["token"].clone(), "dc-host", key.clone()).await.expect(201).json();
    assert_eq!(enrolled["domain"], "corp.example.test");
    enroll(token["token"].clone(), "again", key.clone()).await.expect(401);
    let list = world.get("/rollcall/v1/agents").await.expect(200).json();
    assert_eq!(list["value"].as_array().unwrap().len(), 1);
    let agent = &list["value"][0];
    assert_eq!(
        (&agent["agent"], &agent["name"], &agent["state"]),
        (&enrolled["agent"], &json!("dc-host"), &json!("offline"))
    );
    assert!(agent["why"].as_str().unwrap().contains("never connected"));
    let late = world.post("/rollcall/v1/agents/tokens", &json!({ "domain": "corp.example.test" })).await.json();
    world.clock.advance_ms(rollcall_model::limits::ENROLMENT_TOKEN_LIFE_S * 1_000 + 1_000);
    enroll(late["token"].clone(), "late", key).await.expect(401);
    world.send(Call::new("GET", "/rollcall/v1/agents/link")).await.expect(400);
}

#[tokio::test]
async fn what_is_wanted_of_an_agent_is_shown_and_audited() {
    let world = World::new().await;
    let token =
        world.post("/rollcall/v1/agents/tokens", &json!({ "domain": "corp.example.test" })).await.expect(201).json();
    let key = base64::engine::general_purpose::STANDARD.encode([7_u8; 32]);
    let body = json!({ "token": token["token"], "name": "north", "publicKey": key });
    let made = world.send(Call::new("POST", "/rollcall/v1/agents/enroll").json(&body)).await.expect(201).json();
    let id = made["agent"].as_str().unwrap();
    let path = |action: &str| format!("/rollcall/v1/agents/{id}/{action}");
    let shown = async || world.get("/rollcall/v1/agents").await.expect(200).json()["value"][0].clone();
    let before = shown().await;
    let wishes = |agent: &Value| ["draining", "logFilter", "keyRotation"].map(|name| agent[name].clone());
    assert_eq!(wishes(&before), [json!(false), Value::Null, Value::Null]);

    world.post(&path("drain"), &json!({})).await.expect(204);
    world.post(&path("logLevel"), &json!({ "filter": "info,rollcall_agent=trace" })).await.expect(204);
    world.post(&path("rotateKey"), &json!({})).await.expect(204);
    let after = shown().await;
    assert_eq!(wishes(&after), [json!(true), json!("info,rollcall_agent=trace"), json!("wanted")]);
    let (tenant, agent) = (world.tenant.parse().unwrap(), id.parse().unwrap());
    let now = rollcall_model::Clock::now(&*world.clock);
    let node = NodeId(uuid::Uuid::from_u128(1));
    world.store().note_agent(agent, Some(node), now, Some("dc2"), None).await.unwrap();
    world.store().note_agent_version(agent, "0.2.0").await.unwrap();
    let connected = shown().await;
    assert_eq!((&connected["state"], &connected["version"]), (&json!("draining"), &json!("0.2.0")));
    assert_eq!((&connected["node"], &connected["controller"]), (&json!(node.0), &json!("dc2")));
    world.post(&path("undrain"), &json!({})).await.expect(204);
    world.post(&path("logLevel"), &json!({ "filter": null })).await.expect(204);
    let domain = "corp.example.test";
    // Leases are measured by the clock that all nodes share.
    let shared = world.store().shared_now(now).await.unwrap();
    world.store().acquire_lease(tenant, domain, node, agent, None, shared, 10_000, 0).await.unwrap().unwrap();
    let undrained = shown().await;
    assert_eq!(wishes(&undrained), [json!(false), Value::Null, json!("wanted")]);
    assert_eq!(undrained["state"], "active");
    assert_eq!(undrained["why"], "it holds the lease, epoch 1, and writes through dc2");

    let answer = world.post(&path("logLevel"), &json!({ "filter": "debgu" })).await.expect(400);
    assert!(answer.error().1.contains("'debgu' is no level"), "{answer:?}");
    assert_eq!(answer.json()["error"]["details"][0]["target"], "/filter");
    for unknown in [uuid::Uuid::nil().to_string(), "north".to_owned()] {
        for action in ["drain", "undrain", "rotateKey", "logLevel"] {
            let path = format!("/rollcall/v1/agents/{unknown}/{action}");
            let (_, message) = world.post(&path, &json!({ "filter": "info" })).await.expect(404).error();
            assert!(message.contains(&unknown) && message.contains("rollcall agent list"), "{message}");
        }
    }
    let rows = world.store().audit(tenant, 5).await.unwrap();
    let actions: Vec<&str> = rows.iter().map(|row| row.action.as_str()).collect();
    assert_eq!(actions, ["agent.logLevel", "agent.undrain", "agent.rotateKey", "agent.logLevel", "agent.drain"]);
    assert!(rows.iter().all(|row| row.target == id && row.actor.starts_with("app:")), "{rows:?}");
    assert!(rows[3].details.contains("rollcall_agent=trace"), "{}", rows[3].details);
}

#[tokio::test]
async fn links_of_unknown_people_and_running_jobs() {
    let world = World::new().await;
    let path = format!("/rollcall/v1/jobs/{}/links/E%2F1", world.job);
    assert!(world.get(&path).await.expect(404).error().1.contains("E/1"));
    for name in ["break", "rematch"] {
        world.post(&format!("{path}/{name}"), &json!({})).await.expect(404);
    }
    patch(&world, &json!({ "domain": "corp.example.test", "container": CONTAINER })).await.expect(200);
    world.post(&action(&world, "start"), &json!({})).await.expect(204);
    for name in ["break", "rematch"] {
        let (code, message) = world.post(&format!("{path}/{name}"), &json!({})).await.expect(409).error();
        assert_eq!(code, "Conflict");
        assert!(message.contains("pause"), "{message}");
    }
}

/// semantics: link
#[tokio::test]
async fn a_link_is_shown_broken_and_matched_anew() {
    let world = World::new().await;
    let (domain, tenant) = ("corp.example.test", world.tenant.parse().unwrap());
    let token = world.post("/rollcall/v1/agents/tokens", &json!({ "domain": domain })).await.expect(201).json();
    let key = base64::engine::general_purpose::STANDARD.encode([7_u8; 32]);
    let body = json!({ "token": token["token"], "name": "a", "publicKey": key });
    let agent = world.send(Call::new("POST", "/rollcall/v1/agents/enroll").json(&body)).await.expect(201).json();
    let (agent, node) = (agent["agent"].as_str().unwrap().parse().unwrap(), NodeId(uuid::Uuid::from_u128(1)));
    let now = rollcall_model::Clock::now(&*world.clock);
    let held = world.store().acquire_lease(tenant, domain, node, agent, None, now, 10_000, 0).await.unwrap().unwrap();
    let job = JobId::from_text(&world.job);
    let linked = |number: u128, external_id: &str| {
        let mut person = Person::new(PersonId(uuid::Uuid::from_u128(number)), external_id);
        person.version = Version(1);
        let guid = ObjectGuid(uuid::Uuid::from_u128(70 + number));
        person.link = Some(Link { guid, confirmed: true, invocation_id: None, usn_changed: None });
        PersonUpdate {
            job: job.clone(),
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
    };
    let batch = MergeBatch { persons: vec![linked(1, "E/1"), linked(2, "E/2")], ..MergeBatch::default() };
    assert_eq!(world.store().merge(&held.lease, &batch).await.unwrap(), Fenced::Done(()));

    let path = format!("/rollcall/v1/jobs/{}/links/e%2F1", world.job);
    let shown = world.get(&path).await.expect(200).json();
    assert_eq!((&shown["externalId"], &shown["version"]), (&json!("E/1"), &json!(1)));
    assert_eq!((&shown["objectGuid"], &shown["confirmed"]), (&json!(uuid::Uuid::from_u128(71)), &json!(true)));
    world.post(&format!("{path}/break"), &json!({})).await.expect(204);
    assert_eq!(world.get(&path).await.json()["objectGuid"], Value::Null);
    assert_eq!(world.store().person(&job, "e/1").await.unwrap().unwrap().due, None);
    // Twice is once; there is nothing left to match anew.
    world.post(&format!("{path}/break"), &json!({})).await.expect(204);
    world.post(&format!("{path}/rematch"), &json!({})).await.expect(409);
    world.post(&format!("/rollcall/v1/jobs/{}/links/E%2F2/rematch", world.job), &json!({})).await.expect(204);
    let person = world.store().person(&job, "e/2").await.unwrap().unwrap();
    assert_eq!((person.person.link, person.due), (None, Some(now)));
}

#[tokio::test]
async fn what_administrators_do_is_audited() {
    let world = World::new().await;
    world.client_with(&["AuditLog.Read.All"]).await;
    patch(&world, &json!({ "domain": "corp.example.test", "container": CONTAINER })).await.expect(200);
    world.post(&action(&world, "start"), &json!({})).await.expect(204);
    world.post(&action(&world, "pause"), &json!({})).await.expect(204);
    world.post(&format!("/rollcall/v1/jobs/{}/retry", world.job), &json!({})).await.expect(200);
    world.post("/rollcall/v1/agents/tokens", &json!({ "domain": "corp.example.test" })).await.expect(201);
    let rows = world.store().audit(world.tenant.parse().unwrap(), 100).await.unwrap();
    let mut actions: Vec<&str> = rows.iter().map(|row| row.action.as_str()).collect();
    actions.sort_unstable();
    assert_eq!(
        actions,
        [
            "agent.token",
            "application.addPassword",
            "application.create",
            "application.create",
            "job.create",
            "job.pause",
            "job.retry",
            "job.set",
            "job.start",
            "role.grant",
            "tenant.create",
        ]
    );
    let actor = format!("app:{}", world.client);
    assert!(rows.iter().all(|row| row.actor == if row.action == "tenant.create" { "system" } else { &actor }));
    // A refused change leaves no row.
    patch(&world, &json!({ "cn": "never" })).await.expect(400);
    assert_eq!(world.store().audit(world.tenant.parse().unwrap(), 100).await.unwrap().len(), rows.len());
    let job = world.store().job(world.tenant.parse().unwrap(), &JobId::from_text(&world.job)).await.unwrap().unwrap();
    assert_eq!(job.schema_version, 2);
}

#[tokio::test]
async fn a_second_start_keeps_what_the_first_made() {
    let world = World::new().await;
    let config = world.config();
    let options = || crate::Options {
        config: config.clone(),
        clock: std::sync::Arc::clone(&world.clock) as std::sync::Arc<dyn rollcall_model::Clock>,
        random: std::sync::Arc::new(crate::system::SystemRandom),
    };
    let again = crate::Service::open(options()).await.unwrap();
    assert_eq!(again.state().store.tenants().await.unwrap().len(), 1);
    // The same tokens are good.
    let now = rollcall_model::Clock::now(&*world.clock);
    assert!(again.state().tokens.verify(&world.admin, now).is_ok());
    // Another master key does not open the signing key, and says what to do.
    let key = crate::seal::MasterKey::generate(&crate::system::SystemRandom);
    crate::files::write(&world.folder().join("master.key"), key.to_text().as_bytes(), crate::files::Mode::Secret)
        .unwrap();
    let error = crate::Service::open(options()).await.err().unwrap().to_string();
    assert!(error.contains("master_key_file"), "{error}");
}
