#![expect(clippy::disallowed_methods, reason = "tests write the files that are previewed")]

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::testing::{JOB, Reply, Run, Service};

/// A preview like the service's, of a title that changes, a create, and somebody with two accounts.
fn answer(body: &Value) -> Value {
    let rule = json!({ "target": "title", "mapping": "[title]" });
    let title = json!({ "name": "title", "old": ["Dev"], "new": ["Lead"], "rule": rule });
    let one = |id: &str, at: usize| match id {
        "E-1" => json!({ "externalId": id, "operations": [at], "outcome": "done", "dn": "CN=Ada,OU=Staff",
            "changes": [{ "action": "update", "dn": "CN=Ada,OU=Staff", "properties": [title] }],
            "warnings": [{ "code": "AttributeRefused", "attribute": "c", "text": "c was left out" }],
            "drift": [], "error": null }),
        "E-2" => json!({ "externalId": id, "operations": [at], "outcome": "failed", "dn": null, "changes": [],
            "warnings": [], "drift": [], "error": { "code": "DuplicateTargetEntries", "reason": "2 accounts\u{1b}[31m",
            "attribute": "employeeID" } }),
        _ => json!({ "externalId": id, "operations": [at], "outcome": "done", "dn": null,
            "changes": [{ "action": "create", "dn": "CN=New,OU=Staff", "properties": [
                { "name": "cn", "old": [], "new": ["New"], "rule": null }] }],
            "warnings": [], "error": null,
            "drift": [{ "name": "mail", "old": ["a@b"], "new": ["c@d"], "rule": null }] }),
    };
    let ids: Vec<&str> = match (&body["Operations"], &body["persons"]) {
        (Value::Array(all), _) => all.iter().map(|it| it["data"]["externalId"].as_str().unwrap()).collect(),
        (_, Value::Array(all)) => all.iter().map(|it| it.as_str().unwrap()).collect(),
        _ => panic!("{body}"),
    };
    let value: Vec<Value> = ids.iter().enumerate().map(|(at, id)| one(id, at)).collect();
    let failed = ids.iter().filter(|id| **id == "E-2").count();
    let counts = json!({ "update": 1, "create": ids.len() - 1 - failed, "failed": failed });
    let mut taken: Vec<Value> = body["taken"]["samaccountname"].as_array().cloned().unwrap_or_default();
    taken.push(json!(format!("n{}", taken.len())));
    let taken = json!({ "samaccountname": taken });
    json!({ "persons": ids.len(), "counts": counts, "value": value, "taken": taken, "next": null })
}

async fn preview(persons: &[&str], flags: &[&str]) -> (Run, Vec<Value>) {
    let lines: Vec<_> = persons.iter().map(|id| json!({ "externalId": id }).to_string()).collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("people.jsonl");
    std::fs::write(&file, lines.join("\n")).unwrap();
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&bodies);
    let service = Service::start(move |request| {
        (request.target == format!("/rollcall/v1/jobs/{JOB}/preview")).then(|| {
            shared.lock().unwrap().push(request.json());
            Reply::json(200, &answer(&request.json()))
        })
    })
    .await;
    let file = if persons.is_empty() { vec![] } else { vec![file.to_str().unwrap()] };
    let run = service.run(&[&["preview"], &file[..], flags].concat()).await;
    let bodies = bodies.lock().unwrap().clone();
    (run, bodies)
}

#[tokio::test]
async fn counts_come_first_then_each_change_with_its_rule() {
    let (run, bodies) = preview(&["E-1", "E-2", "E-3"], &[]).await;
    insta::assert_snapshot!(run.out);
    assert_eq!(run.exit.code(), 1, "somebody would fail");
    assert_eq!(bodies.len(), 1);
    assert_eq!((&bodies[0]["all"], &bodies[0]["taken"]), (&json!(false), &json!({})));
    let (run, bodies) = preview(&[], &["--person", "E-1", "--person", "E-3", "--json"]).await;
    assert_eq!((run.exit.code(), &bodies[0]["persons"]), (0, &json!(["E-1", "E-3"])));
    assert_eq!((&run.json()["persons"], &run.json()["value"][0]["externalId"]), (&json!(2), &json!("E-1")));
}

#[tokio::test]
async fn a_long_file_goes_in_several_requests_and_its_persons_stay_together() {
    let ids: Vec<String> = (10..610).map(|n| format!("E-{n}")).collect();
    let mut ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    ids.push("e-10");
    let (run, bodies) = preview(&ids, &["--json", "--all"]).await;
    assert_eq!(bodies.len(), 2);
    let first = bodies[0]["Operations"].as_array().unwrap();
    assert_eq!((first.len(), &first[1]["data"]["externalId"]), (500, &json!("e-10")));
    assert_eq!((&bodies[1]["taken"], &bodies[1]["all"]), (&json!({ "samaccountname": ["n0"] }), &json!(true)));
    let value = run.json()["value"].as_array().unwrap().clone();
    assert_eq!((value.len(), &value[600]["operations"]), (601, &json!([600])));
}
