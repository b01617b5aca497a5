//! Schemas: read, replaced, refused, tested, restored; the language's endpoints; what published clients do.

use std::sync::Arc;

use rollcall_model::Refusal;
use rollcall_model::config::JobConfig;
use rollcall_model::ids::{JobId, TenantId};
use rollcall_model::schema::{Attribute, Class, Schema, Syntax};
use serde_json::{Value, json};

use super::world::{Answer, Call, World};
use crate::api::access::{Caller, Reach};
use crate::api::schema::save_settings;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn path(world: &World, rest: &str) -> String {
    format!("/v1.0/servicePrincipals/{}/synchronization/jobs/{}/schema{rest}", world.principal, world.job)
}

fn ours(world: &World, rest: &str) -> String {
    format!("/rollcall/v1/jobs/{}/schema{rest}", world.job)
}

async fn schema(world: &World) -> Value {
    world.get(&path(world, "")).await.expect(200).json()
}

fn call(world: &World, method: &str, path: &str, body: &Value) -> Call {
    Call::new(method, path).token(&world.admin).json(body)
}

async fn put(world: &World, body: &Value) -> Answer {
    world.send(call(world, "PUT", &path(world, ""), body)).await
}

fn mappings(schema: &mut Value) -> &mut Vec<Value> {
    schema["synchronizationRules"][0]["objectMappings"][0]["attributeMappings"].as_array_mut().unwrap()
}

/// The mapping of a target.
fn mapping<'s>(schema: &'s mut Value, target: &str) -> &'s mut Value {
    mappings(schema).iter_mut().find(|row| row["targetAttributeName"] == target).unwrap()
}

fn expression(target: &str, text: &str) -> Value {
    json!({ "targetAttributeName": target, "flowType": "Always", "flowBehavior": "FlowWhenChanged",
        "matchingPriority": 0, "source": { "expression": text, "type": "Function", "parameters": [] } })
}

async fn set(world: &World, body: &Value) -> Answer {
    world.send(call(world, "PATCH", &format!("/rollcall/v1/jobs/{}/settings", world.job), body)).await
}

/// What an agent would have said of the directory.
fn learn(world: &World) {
    let attribute = |name: &str, syntax, single_valued, range_upper, system_only| Attribute {
        name: name.to_owned(),
        syntax,
        single_valued,
        range_upper,
        system_only,
        search_flags: 0,
        link_id: None,
        id: None,
        property_set: None,
    };
    let mut attributes: Vec<Attribute> = rollcall_engine::default_mapping::default_mapping()
        .iter()
        .map(|mapping| attribute(&mapping.target, Syntax::Text, true, None, false))
        .collect();
    attributes.push(attribute("initials", Syntax::Text, true, Some(6), false));
    attributes.push(attribute("proxyAddresses", Syntax::Text, false, None, false));
    attributes.push(attribute("countryCode", Syntax::Integer, true, None, false));
    attributes.push(attribute("lastLogon", Syntax::LargeInteger, true, None, true));
    let names = attributes.iter().map(|own| own.name.clone()).collect();
    let class = Class { name: "user".to_owned(), id: None, superior: None, auxiliary: Vec::new(), attributes: names };
    let schema = Schema {
        attributes: attributes.into_iter().map(|own| (own.name.to_lowercase(), own)).collect(),
        classes: [("user".to_owned(), class)].into(),
    };
    let tenant: TenantId = world.tenant.parse().unwrap();
    let now = rollcall_model::Clock::now(&*world.clock);
    world.service.state().directory_schemas.learn(tenant, "corp.test", now, Arc::new(schema));
}

#[tokio::test]
async fn the_schema_is_whole_and_keeps_its_ids() {
    let world = World::new().await;
    let answer = world.get(&path(&world, "")).await.expect(200);
    assert_eq!(answer.header("etag"), "\"1\"");
    let first = answer.json();
    assert_eq!(first["id"], world.job);
    assert_eq!(first["directories"][0]["name"], "API");
    assert_eq!(first["directories"][0]["objects"][0]["name"], ENTERPRISE);
    assert_eq!(first["directories"][1]["name"], "Active Directory");
    assert_eq!(first["synchronizationRules"][0]["objectMappings"][0]["targetObjectName"], "User");
    let again = world.get(&path(&world, "").replace("/v1.0/", "/beta/").replace("/schema", "/Schema/")).await;
    assert_eq!(first, again.expect(200).json());

    // What is read may be put back, and means the same.
    let before = world.get(&format!("/rollcall/v1/jobs/{}/settings", world.job)).await.json();
    let saved = put(&world, &first).await.expect(204);
    assert_eq!(saved.header("etag"), "\"2\"");
    assert!(saved.header("rollcall-warning").contains("no agent"), "{saved:?}");
    let after = world.get(&format!("/rollcall/v1/jobs/{}/settings", world.job)).await.json();
    assert_eq!(before["mappings"], after["mappings"]);
    let mut second = schema(&world).await;
    for place in ["/version", "/directories/0/version", "/directories/1/version"] {
        *second.pointer_mut(place).unwrap() = first.pointer(place).unwrap().clone();
    }
    assert_eq!(first, second);
}

#[tokio::test]
async fn a_save_may_name_the_version_it_was_made_from() {
    let world = World::new().await;
    let body = schema(&world).await;
    let matching = |tag: &str| call(&world, "PUT", &path(&world, ""), &body).header("if-match", tag);
    world.send(matching("\"1\"")).await.expect(204);
    let answer = world.send(matching("\"1\"")).await.expect(412);
    let (code, message) = answer.error();
    assert_eq!(code, "PreconditionFailed");
    assert!(message.contains("version 2") && message.contains("`rollcall schema get`"), "{message}");
    world.send(matching("W/\"2\"")).await.expect(204);
    world.send(matching("*")).await.expect(204);
    world.send(matching("three")).await.expect(400);
    let ours = json!({ "schema": body, "basedOn": 1 });
    world.send(call(&world, "PUT", &self::ours(&world, ""), &ours)).await.expect(412);
    assert_eq!(world.get(&path(&world, "")).await.header("etag"), "\"4\"");
}

/// Two clients read one version and both save: the second is refused, and what the first saved stays.
#[tokio::test]
async fn a_save_undoes_no_other() {
    let world = World::new().await;
    let mut first = schema(&world).await;
    let mut second = first.clone();
    mappings(&mut first).push(expression("description", "\"first\""));
    mappings(&mut second).push(expression("info", "\"second\""));
    let based_on = |body: &Value| call(&world, "PUT", &path(&world, ""), body).header("if-match", "\"1\"");
    world.send(based_on(&first)).await.expect(204);
    world.send(based_on(&second)).await.expect(412);
    let targets = |schema: &mut Value| {
        mappings(schema).iter().map(|row| row["targetAttributeName"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let now = targets(&mut schema(&world).await);
    assert!(now.contains(&"description".to_owned()) && !now.contains(&"info".to_owned()), "{now:?}");

    // Settings name no version: two requests that read the job before either has saved.
    let state = world.service.state();
    let (tenant, id) = (world.tenant.parse().unwrap(), JobId::from_text(&world.job));
    let job = world.store().job(tenant, &id).await.unwrap().unwrap();
    let caller = Caller {
        tenant,
        principal: world.principal.parse().unwrap(),
        app_id: world.client.parse().unwrap(),
        reach: Reach::All,
    };
    let save = async |config: JobConfig| save_settings(state, &caller, &job, config, json!({})).await;
    let zone = JobConfig { time_zone: Some("Europe/Berlin".to_owned()), ..job.config.clone() };
    assert_eq!(save(zone).await.unwrap(), 3);
    let days = JobConfig { unique_quarantine_days: 30, ..job.config.clone() };
    let refused = save(days).await.unwrap_err();
    assert_eq!((refused.status.as_u16(), refused.code), (412, Refusal::PreconditionFailed));
    let after = world.store().job(tenant, &id).await.unwrap().unwrap();
    assert_eq!((after.schema_version, after.config.time_zone.as_deref()), (3, Some("Europe/Berlin")));
    assert_eq!(after.config.unique_quarantine_days, job.config.unique_quarantine_days);
}

#[tokio::test]
async fn patch_is_refused_with_a_hint() {
    let world = World::new().await;
    let answer = world.send(call(&world, "PATCH", &path(&world, ""), &json!({}))).await.expect(405);
    assert_eq!(answer.header("allow"), "GET,PUT,DELETE");
    assert!(answer.error().1.contains("PUT the whole document"));
}

/// Breaks a schema.
type Break = Box<dyn Fn(&mut Value)>;
/// A mistake, the place that it is told at, and words of its message.
type Mistake = (Break, String, &'static [&'static str]);

const ROWS: &str = "/synchronizationRules/0/objectMappings/0/attributeMappings/";

/// Mappings that cannot be, behind `count` others.
fn broken_rows(count: usize) -> Vec<Mistake> {
    let at = |rest: &str| format!("{ROWS}{count}{rest}");
    let add = |row: Value| move |schema: &mut Value| mappings(schema).push(row.clone());
    vec![
        (Box::new(add(expression("description", "ToLowr([title])"))), at("/source/expression"), &["ToLower"]),
        (Box::new(add(expression("description", "Left([title])"))), at("/source/expression"), &["Left", "argument"]),
        (Box::new(add(expression("description", "Join(\" \", [title]"))), at("/source/expression"), &["description"]),
        (Box::new(add(expression("description", "[titel]"))), at(""), &["titel", "title"]),
        (Box::new(add(expression("title", "\"x\""))), at(""), &["mapped twice"]),
        (Box::new(add(expression("objectSid", "[title]"))), at(""), &["objectSid", "cannot be mapped", "remove the"]),
        (Box::new(add(expression("two words", "[title]"))), at(""), &["no attribute's name"]),
        (
            Box::new(add(expression("description", "Append(SelectUniqueValue([title], [userName]), \"x\")"))),
            at("/source/expression"),
            &["SelectUniqueValue"],
        ),
        (
            Box::new(add(expression("mailNickname", "SelectUniqueValue([title], [userName])"))),
            at(""),
            &["mailNickname", "on create"],
        ),
    ]
}

/// Faults of what is there.
fn broken_parts() -> Vec<Mistake> {
    vec![
        (
            Box::new(|schema| mapping(schema, "employeeID")["source"] = json!({ "expression": "\"1\"" })),
            format!("{ROWS}0"),
            &["matching attribute"],
        ),
        (
            Box::new(|schema| mapping(schema, "employeeID")["matchingPriority"] = json!(0)),
            "/synchronizationRules/0/objectMappings/0".to_owned(),
            &["no mapping is a matching attribute"],
        ),
        (
            Box::new(|schema| mapping(schema, "manager")["source"] = json!({ "expression": "[externalId]" })),
            String::new(),
            &["manager"],
        ),
        (
            Box::new(|schema| {
                schema["synchronizationRules"][0]["objectMappings"][0]["scope"] = json!({ "groups": [{ "name": "g",
                    "clauses": [{ "operatorName": "EQUAL", "sourceOperandName": "userType",
                        "targetOperand": { "values": ["Employee"] } }] }] });
            }),
            "/synchronizationRules/0/objectMappings/0/scope/groups/0/clauses/0".to_owned(),
            &["EQUALS"],
        ),
        (
            Box::new(|schema| {
                schema["synchronizationRules"][0]["objectMappings"][0]["scope"] = json!({ "groups": [{ "name": "g",
                    "clauses": [{ "operatorName": "IS NOT NULL", "sourceOperandName": "title" },
                        { "operatorName": "IS NOT NULL", "sourceOperandName": "userTyp" }] }] });
            }),
            "/synchronizationRules/0/objectMappings/0/scope/groups/0/clauses/1".to_owned(),
            &["userTyp", "did you mean userType?"],
        ),
        (
            Box::new(|schema| schema["directories"][0]["objects"][0]["attributes"][0]["type"] = json!("Txt")),
            "/directories/0/objects/0/attributes/0/type".to_owned(),
            &["Txt", "String"],
        ),
        (
            Box::new(|schema| schema["directories"][0]["objects"][0]["attributes"][0]["anchor"] = json!(false)),
            String::new(),
            &["anchor", "externalId"],
        ),
        (
            Box::new(|schema| schema["synchronizationRules"] = json!([])),
            "/synchronizationRules".to_owned(),
            &["no object mapping"],
        ),
    ]
}

/// Every kind of mistake, and the message it gets.
#[tokio::test]
async fn broken_mappings_are_refused() {
    let world = World::new().await;
    let count = mappings(&mut schema(&world).await).len();
    let cases = broken_rows(count).into_iter().chain(broken_parts());
    for (at, (broken, place, words)) in cases.enumerate() {
        let mut body = schema(&world).await;
        broken(&mut body);
        let answer = put(&world, &body).await;
        assert_eq!(answer.status.as_u16(), 400, "{at}: {answer:?}");
        let (code, message) = answer.error();
        assert_eq!(code, "SchemaInvalid", "{at}: {message}");
        let details = answer.json()["error"]["details"].as_array().unwrap().clone();
        assert!(!details.is_empty(), "{at}");
        assert!(place.is_empty() || details.iter().any(|own| own["target"] == place), "{at}: {details:#?}");
        let text = answer.text.clone();
        assert!(words.iter().all(|word| text.contains(word)), "{at}: {words:?} {message}");
    }
    let drawn = {
        let mut body = schema(&world).await;
        mappings(&mut body).push(expression("description", "ToLowr([title])"));
        put(&world, &body).await.expect(400).json()["error"]["details"][0].clone()
    };
    let drawing = drawn["drawing"].as_str().unwrap();
    assert!(drawing.contains("\n  ToLowr([title])\n  ^^^^^^"), "{drawing}");
    assert!(drawn["hint"].as_str().unwrap().contains("ToLower"), "{drawn}");
    assert_eq!(world.get(&path(&world, "")).await.header("etag"), "\"1\"", "nothing was stored");
    put(&world, &json!([])).await.expect(400);
}

#[tokio::test]
async fn targets_are_held_against_the_directory() {
    let world = World::new().await;
    set(&world, &json!({ "domain": "corp.test" })).await.expect(200);
    learn(&world);
    let cases: &[(Value, &str, &[&str])] = &[
        (expression("employeeld", "[title]"), "", &["no attribute employeeld", "employeeID"]),
        (expression("lastLogon", "[title]"), "", &["written by the directory alone"]),
        (expression("initials", "Split([title], \" \")"), "", &["has one value"]),
        (expression("initials", "\"ABCDEFG\""), "", &["holds 6 characters"]),
        (expression("countryCode", "Switch([title], \"none\", \"a\", \"1\")"), "", &["number of 32 bits"]),
    ];
    let count = mappings(&mut schema(&world).await).len();
    for (row, rest, words) in cases {
        let mut body = schema(&world).await;
        mappings(&mut body).push(row.clone());
        let answer = put(&world, &body).await.expect(400);
        let detail = answer.json()["error"]["details"][0].clone();
        let place = format!("/synchronizationRules/0/objectMappings/0/attributeMappings/{count}{rest}");
        assert_eq!(detail["target"], place, "{row}");
        assert!(words.iter().all(|word| answer.text.contains(word)), "{words:?} {answer:?}");
    }
    let mut body = schema(&world).await;
    mappings(&mut body).push(expression("proxyAddresses", "Split([title], \" \")"));
    let saved = put(&world, &body).await.expect(204);
    assert_eq!(saved.header("rollcall-warning"), "");
    let status = world.get(&format!("/rollcall/v1/jobs/{}/status", world.job)).await.expect(200).json();
    assert_eq!(status["schemaTargets"], json!({ "state": "passed" }));
    // What is known of the directory is shown.
    let attributes = schema(&world).await["directories"][1]["objects"][0]["attributes"].clone();
    let known = attributes.as_array().unwrap().iter().find(|own| own["name"] == "initials").cloned().unwrap();
    assert_eq!((&known["type"], &known["multivalued"]), (&json!("String"), &json!(false)));
}

#[tokio::test]
async fn targets_that_could_not_be_checked_are_checked_later() {
    let world = World::new().await;
    set(&world, &json!({ "domain": "corp.test" })).await.expect(200);
    let mut body = schema(&world).await;
    mappings(&mut body).push(expression("lastLogon", "[title]"));
    assert!(put(&world, &body).await.expect(204).header("rollcall-warning").contains("could be asked"));
    let status = async || world.get(&format!("/rollcall/v1/jobs/{}/status", world.job)).await.expect(200).json();
    assert_eq!(status().await["schemaTargets"], json!({ "state": "pending" }));
    learn(&world);
    let targets = status().await["schemaTargets"].clone();
    assert_eq!(targets["state"], "failed");
    assert!(targets["problems"][0]["message"].as_str().unwrap().contains("lastLogon"), "{targets}");
    let history = world.get(&ours(&world, "/history")).await.expect(200).json();
    assert_eq!(history["value"][0]["targets"], targets);
    assert_eq!(history["value"][1]["targets"]["state"], "pending", "an older version is left as it was");
}

/// A change of settings answers for what it brings, not for what the schema had before.
#[tokio::test]
async fn settings_answer_for_their_own_faults_only() {
    let world = World::new().await;
    set(&world, &json!({ "domain": "corp.test" })).await.expect(200);
    let mut body = schema(&world).await;
    mappings(&mut body).push(expression("lastLogon", "[title]"));
    put(&world, &body).await.expect(204);
    learn(&world);
    assert_eq!(set(&world, &json!({ "budget": 7 })).await.expect(200).json()["budget"], 7);
    let pair = |attribute: &str| json!({ "match": { "source": "externalId", "attribute": attribute } });
    let refused = set(&world, &pair("noSuchThing")).await.expect(400);
    let (code, message) = refused.error();
    assert_eq!(code, "SchemaInvalid");
    assert!(message.contains("noSuchThing") && !message.contains("lastLogon"), "{message}");
    set(&world, &pair("initials")).await.expect(200);
    // A schema is refused for all that it holds.
    let again = put(&world, &schema(&world).await).await.expect(400);
    assert!(again.error().1.contains("lastLogon"), "{again:?}");
}

/// No agent is there to be asked, nor needed.
#[tokio::test]
async fn a_preview_refuses_a_broken_schema_as_a_save_does() {
    let world = World::new().await;
    let preview = format!("/rollcall/v1/jobs/{}/preview", world.job);
    let mut broken = schema(&world).await;
    mappings(&mut broken).push(expression("description", "ToLowr([title])"));
    let mut unknown = schema(&world).await;
    unknown["synchronizationRules"] = json!([]);
    for (body, words) in
        [(broken, ["mapping of description", "ToLower"]), (unknown, ["/synchronizationRules", "no object mapping"])]
    {
        let answer = world.post(&preview, &json!({ "schema": body, "limit": 1 })).await.expect(400);
        let (code, message) = answer.error();
        assert_eq!(code, "SchemaInvalid", "{message}");
        assert!(words.iter().all(|word| message.contains(word)), "{words:?} {message}");
    }
}

#[tokio::test]
async fn tests_stand_beside_the_schema_and_refuse_what_breaks_them() {
    let world = World::new().await;
    set(&world, &json!({ "upnSuffix": "corp.test" })).await.expect(200);
    let test = json!({ "name": "titles are copied", "record": { "userName": "ada", "displayName": "Ada Byron",
        "active": true, "title": "Analyst" }, "expected": { "title": "Analyst", "sAMAccountName": "ada" } });
    let failing = json!({ "tests": [{ "name": "x", "record": { "title": "a" }, "expected": { "title": "b" } }] });
    let answer = world.send(call(&world, "PUT", &ours(&world, "/tests"), &failing)).await.expect(400);
    let (code, message) = answer.error();
    assert_eq!(code, "MappingTestFailed");
    assert!(message.contains("test 'x', title: expected \"b\", got \"a\""), "{message}");
    assert_eq!(answer.json()["error"]["details"][0]["target"], "/tests/0");
    let saved = world.send(call(&world, "PUT", &ours(&world, "/tests"), &json!({ "tests": [test] }))).await;
    assert_eq!(saved.expect(200).json()["version"], 3);
    let kept = world.get(&ours(&world, "/tests")).await.expect(200).json();
    assert_eq!(kept, json!({ "version": 3, "tests": [test] }));

    // A schema that breaks it is refused by every door, unless the test changes along.
    let mut body = schema(&world).await;
    mapping(&mut body, "title")["source"] = json!({ "expression": "ToUpper([title])" });
    assert_eq!(put(&world, &body).await.expect(400).error().0, "MappingTestFailed");
    let mut changed = test.clone();
    changed["expected"]["title"] = json!("ANALYST");
    let both = json!({ "schema": body, "tests": [changed], "note": "titles shout", "basedOn": 3 });
    let saved = world.send(call(&world, "PUT", &ours(&world, ""), &both)).await.expect(200).json();
    assert_eq!((&saved["version"], &saved["targets"]), (&json!(4), &json!("pending")));
    // Settings are a door too.
    let cn =
        json!({ "name": "no rename", "existing": true, "record": { "displayName": "A" }, "expected": { "cn": null } });
    world.send(call(&world, "PUT", &ours(&world, "/tests"), &json!({ "tests": [cn] }))).await.expect(200);
    assert_eq!(set(&world, &json!({ "cn": "always" })).await.expect(400).error().0, "MappingTestFailed");
    world.send(call(&world, "PUT", &ours(&world, ""), &json!({ "note": "nothing" }))).await.expect(400);
}

#[tokio::test]
async fn versions_are_listed_and_restored() {
    let world = World::new().await;
    let mut body = schema(&world).await;
    mapping(&mut body, "title")["source"] = json!({ "expression": "ToUpper([title])" });
    let saved = json!({ "schema": body, "note": "titles shout" });
    world.send(call(&world, "PUT", &ours(&world, ""), &saved)).await.expect(200);
    set(&world, &json!({ "delete": "off", "cn": "always" })).await.expect(200);
    let changed = schema(&world).await;
    assert_eq!(mapping(&mut changed.clone(), "cn")["flowType"], "Always", "settings rewrite the document");
    assert_eq!(mapping(&mut changed.clone(), "title")["source"]["expression"], "ToUpper([title])");

    world.post(&ours(&world, "/restore"), &json!({ "version": 1, "note": "too loud" })).await.expect(200);
    let mut restored = schema(&world).await;
    assert_eq!(mapping(&mut restored, "title")["source"]["expression"], "[title]");
    assert_eq!(mapping(&mut restored, "cn")["flowType"], "ObjectAddOnly");
    let settings = world.get(&format!("/rollcall/v1/jobs/{}/settings", world.job)).await.json();
    assert_eq!(settings["delete"], "off", "what the schema does not say stays");

    world.post(&ours(&world, "/restore"), &json!({ "version": 2 })).await.expect(200);
    world.send(Call::new("DELETE", &path(&world, "")).token(&world.admin)).await.expect(204);
    assert_eq!(mapping(&mut schema(&world).await, "title")["source"]["expression"], "[title]");
    world.post(&ours(&world, "/restore"), &json!({ "default": true })).await.expect(200);
    for refused in [json!({}), json!({ "version": 1, "default": true })] {
        world.post(&ours(&world, "/restore"), &refused).await.expect(400);
    }
    world.post(&ours(&world, "/restore"), &json!({ "version": 99 })).await.expect(404);

    let history = world.get(&ours(&world, "/history")).await.expect(200).json();
    let told: Vec<String> = history["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|own| format!("{} {} {} {}", own["version"], own["origin"], own["restored"], own["note"]))
        .collect();
    assert_eq!(
        told,
        [
            "7 \"default\" null null",
            "6 \"default\" null null",
            "5 \"restored\" 2 null",
            "4 \"restored\" 1 \"too loud\"",
            "3 \"settings\" null null",
            "2 \"saved\" null \"titles shout\"",
            "1 \"default\" null null"
        ]
    );
    let page = world.get(&ours(&world, "/history?top=2&before=6")).await.expect(200).json();
    assert_eq!((page["value"].as_array().unwrap().len(), &page["nextBefore"]), (2, &json!(4)));
    let second = world.get(&ours(&world, "/history/2")).await.expect(200).json();
    assert_eq!((&second["note"], &second["tests"]), (&json!("titles shout"), &json!([])));
    assert_eq!(mapping(&mut second["schema"].clone(), "title")["source"]["expression"], "ToUpper([title])");
    world.get(&ours(&world, "/history/none")).await.expect(404);
}

/// CSV2SCIM appends its columns to the first object of the first directory, blindly, and puts the whole document as its
/// SDK writes it: without members it does not know (wire contract 3.6, 5.1).
#[tokio::test]
async fn csv2scim_extends_the_schema() {
    let world = World::new().await;
    let mut body = schema(&world).await;
    let attributes = body["directories"][0]["objects"][0]["attributes"].as_array_mut().unwrap();
    for attribute in attributes.iter_mut() {
        attribute.as_object_mut().unwrap().remove("other");
    }
    for name in ["HireDate", "\"Job, Code\"", "HireDate"] {
        attributes.push(json!({ "anchor": false, "caseExact": false, "flowNullValues": false, "multivalued": false,
            "mutability": "ReadWrite", "name": format!("urn:contoso:1.0:User:{name}"), "required": false,
            "type": "String", "apiExpressions": [], "metadata": [], "referencedObjects": [] }));
    }
    for member in ["flowNullValues", "exportMissingReferences"] {
        for row in mappings(&mut body) {
            row.as_object_mut().unwrap().remove(member);
        }
    }
    put(&world, &body).await.expect(204);
    let mut after = schema(&world).await;
    let names: Vec<String> = after["directories"][0]["objects"][0]["attributes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|own| own["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names.iter().filter(|name| name.ends_with("HireDate")).count(), 1);
    assert!(names.iter().any(|name| name.contains("Job, Code")));
    mappings(&mut after).push(expression("description", "[urn:contoso:1.0:User:HireDate]"));
    put(&world, &after).await.expect(204);
}

/// The web client's rows have members of their own and none of ours (wire contract 3.6).
#[tokio::test]
async fn the_web_clients_rows_are_taken() {
    let world = World::new().await;
    let mut body = schema(&world).await;
    mappings(&mut body).push(json!({ "targetAttributeName": "description", "flowType": "Add", "mappingType": "Direct",
        "expression": "", "defaultValue": null, "source": { "type": "Attribute", "name": "nickName", "parameters": [] } }));
    body["unknownToUs"] = json!({ "kept": true });
    put(&world, &body).await.expect(204);
    let mut after = schema(&world).await;
    let row = mapping(&mut after, "description").clone();
    assert_eq!((&row["flowType"], &row["source"]["expression"]), (&json!("Always"), &json!("[nickName]")));
    assert_eq!((&row["mappingType"], &after["unknownToUs"]["kept"]), (&json!("Direct"), &json!(true)));
}

#[tokio::test]
async fn the_language_is_told() {
    let world = World::new().await;
    let functions = world.get(&path(&world, "/functions")).await.expect(200).json();
    let left = functions["value"].as_array().unwrap().iter().find(|own| own["name"] == "Left").unwrap().clone();
    assert_eq!(left["parameters"][1]["type"], "Integer");
    let operators = world.get(&path(&world, "/filterOperators")).await.expect(200).json();
    let equals = operators["value"].as_array().unwrap().iter().find(|own| own["id"] == "EQUALS").unwrap().clone();
    assert_eq!((&equals["arity"], &equals["multivaluedComparisonType"]), (&json!("Binary"), &json!("Any")));

    let parse = async |expression: &str, properties: Value| {
        let body = json!({ "expression": expression, "testInputObject": { "definition": null, "properties": properties },
            "targetAttributeDefinition": { "name": "title" } });
        world.post(&path(&world, "/parseExpression"), &body).await.expect(200).json()
    };
    let given = json!([{ "key": "name.givenName", "value": "Ada" }, { "key": "name.familyName", "value": "Byron" }]);
    let answer = parse("Join(\" \", [name.givenName], [name.familyName])", given).await;
    assert_eq!(answer["evaluationResult"], json!(["Ada Byron"]));
    assert_eq!((&answer["parsingSucceeded"], &answer["evaluationSucceeded"]), (&json!(true), &json!(true)));
    let tree = &answer["parsedExpression"];
    assert_eq!((&tree["name"], &tree["type"]), (&json!("Join"), &json!("Function")));
    assert_eq!(tree["parameters"][0]["key"], "separator");
    assert_eq!(tree["parameters"][1]["value"]["expression"], "[name.givenName]");
    let list = parse("Split(\"a,b\", \",\")", Value::Null).await;
    assert_eq!(list["evaluationResult"], json!(["a", "b"]));
    let broken = parse("Joi(", Value::Null).await;
    assert_eq!((&broken["parsingSucceeded"], &broken["evaluationSucceeded"]), (&json!(false), &json!(false)));
    assert!(broken["error"]["message"].as_str().unwrap().contains('^'), "{broken}");
    let unknown = parse("Joi([title])", Value::Null).await;
    assert!(unknown["error"]["message"].as_str().unwrap().contains("Join"), "{unknown}");
    let fails = parse("CDate([title])", json!([{ "key": "title", "value": "soon" }])).await;
    assert_eq!((&fails["parsingSucceeded"], &fails["evaluationSucceeded"]), (&json!(true), &json!(false)));
    assert_eq!(fails["error"]["code"], "ExpressionFailed");
}

#[tokio::test]
async fn templates_are_under_both_parents() {
    let world = World::new().await;
    for parent in [format!("servicePrincipals/{}", world.principal), format!("applications/{}", world.application)] {
        let base = format!("/v1.0/{parent}/synchronization/templates");
        let all = world.get(&base).await.expect(200).json();
        assert_eq!(
            (&all["value"][0]["id"], &all["value"][0]["applicationId"]),
            (&json!("API2AD"), &json!(world.application))
        );
        let one = world.get(&format!("{base}/api2ad")).await.expect(200).json();
        assert_eq!(one, all["value"][0]);
        let schema = world.get(&format!("{base}/API2AD/schema")).await.expect(200).json();
        assert_eq!(schema, one["schema"]);
        world.get(&format!("{base}/API2AAD")).await.expect(404);
    }
}

#[tokio::test]
async fn discovering_needs_an_agent() {
    let world = World::new().await;
    let body = schema(&world).await;
    let discover =
        |at: usize| path(&world, &format!("/directories/{}/discover", body["directories"][at]["id"].as_str().unwrap()));
    assert_eq!(world.post(&discover(1), &json!({})).await.expect(503).error().0, "HybridIdentityServiceNoActiveAgents");
    world.post(&discover(0), &json!({})).await.expect(400);
    world.post(&path(&world, "/directories/none/discover"), &json!({})).await.expect(404);
}

#[tokio::test]
async fn settings_of_scope_and_day() {
    let world = World::new().await;
    let wanted = json!({ "onScopeExit": "disableAndMove", "scopeExitContainer": "OU=Left,DC=corp,DC=test",
        "timeZone": "Europe/Berlin", "uniqueQuarantineDays": 30 });
    let after = set(&world, &wanted).await.expect(200).json();
    for (name, value) in wanted.as_object().unwrap() {
        assert_eq!(after[name], *value, "{name}");
    }
    let after = set(&world, &json!({ "onScopeExit": "nothing", "timeZone": null })).await.expect(200).json();
    assert_eq!((&after["scopeExitContainer"], &after["timeZone"]), (&Value::Null, &Value::Null));
    for (body, place) in [
        (json!({ "onScopeExit": "disableAndMove" }), "/scopeExitContainer"),
        (json!({ "onScopeExit": "leave" }), "/onScopeExit"),
        (json!({ "onScopeExit": "disable", "scopeExitContainer": "OU=a,DC=b" }), "/scopeExitContainer"),
        (json!({ "scopeExitContainer": "Left" }), "/scopeExitContainer"),
        (json!({ "timeZone": "Berlin" }), "/timeZone"),
    ] {
        let answer = set(&world, &body).await.expect(400);
        assert_eq!(answer.json()["error"]["details"][0]["target"], place, "{body}");
    }
}

#[test]
fn the_guide_lists_every_operator() {
    let guide = include_str!("../../../../../docs/guides/mappings.md");
    let rows: Vec<&str> = guide.lines().skip_while(|line| !line.starts_with("| operator |")).skip(2).collect();
    let listed: Vec<&str> = rows.into_iter().take_while(|line| line.starts_with('|')).collect();
    let known: Vec<String> = rollcall_engine::scope::filter_operators()
        .iter()
        .map(|operator| format!("| `{}` | {} |", operator.id, operator.name))
        .collect();
    assert_eq!(listed, known);
}
