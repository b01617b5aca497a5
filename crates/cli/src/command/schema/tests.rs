use serde_json::{Value, json};

use crate::testing::{JOB, Received, Reply, Run, Service, parse, run};

/// A schema with one row that says `title`.
fn schema(title: &str) -> Value {
    let user = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let row = |target: &str, text: &str, priority: u16| {
        json!({ "targetAttributeName": target, "flowType": "ObjectAddOnly", "matchingPriority": priority,
            "source": { "expression": text } })
    };
    let rows = [
        row("employeeID", "[externalId]", 1),
        row("sAMAccountName", "[userName]", 0),
        row("cn", "[displayName]", 0),
        row("title", title, 0),
    ];
    json!({ "directories": [], "synchronizationRules": [{ "sourceDirectoryName": "API",
        "targetDirectoryName": "Active Directory",
        "objectMappings": [{ "sourceObjectName": user, "targetObjectName": "User", "attributeMappings": rows }] }] })
}

fn tests(title: &str) -> Value {
    let record = json!({ "userName": "ada", "displayName": "Ada", "active": true, "title": "Analyst" });
    json!([{ "name": "titles", "record": record, "expected": { "title": title } }])
}

fn contract(request: &Received) -> Option<Reply> {
    let ours = format!("/rollcall/v1/jobs/{JOB}");
    let rest = request.target.strip_prefix(&ours)?;
    let version = |number: i64, origin: &str, restored: Option<i64>| {
        json!({ "version": number, "at": "2026-01-15T09:30:00.000000Z", "actor": "app:b0", "origin": origin,
            "restored": restored, "note": null, "targets": { "state": "passed" } })
    };
    let whole = |title: &str| {
        let mut whole = version(2, "saved", None);
        (whole["schema"], whole["tests"]) = (schema(title), tests("ANALYST"));
        Reply::json(200, &whole)
    };
    Some(match (request.method.as_str(), rest) {
        ("GET", "/schema/history?top=1") => {
            Reply::json(200, &json!({ "value": [version(2, "saved", None)], "nextBefore": 2 }))
        }
        ("GET", "/schema/history") => Reply::json(
            200,
            &json!({ "value": [version(3, "restored", Some(1)), version(2, "saved", None)], "nextBefore": 2 }),
        ),
        ("GET", "/schema/history?before=2") => Reply::json(200, &json!({ "value": [version(1, "default", None)] })),
        ("GET", "/schema/history/2") => whole("ToUpper([title])"),
        ("GET", "/schema/history/1") => whole("[title]"),
        ("GET", "/settings") => Reply::json(200, &json!({ "domain": "corp.test", "upnSuffix": null })),
        ("GET", "/status") => Reply::json(200, &json!({ "persons": 3 })),
        ("POST", "/schema/restore") => Reply::json(200, &json!({ "version": 4, "targets": "passed", "warnings": [] })),
        ("POST", "/schema/impact") => Reply::json(
            200,
            &json!({ "persons": 3, "touched": 2, "failed": 0, "complete": true, "attributes": { "title": 2 } }),
        ),
        ("PUT", "/schema") if request.body.contains("ToUper") => {
            let detail = json!({ "code": "SchemaInvalid", "message": "mapping of title: unknown function ToUper",
                "target": "/synchronizationRules/0/objectMappings/0/attributeMappings/3/source/expression",
                "hint": "did you mean ToUpper?",
                "drawing": "unknown function ToUper\n  ToUper([title])\n  ^^^^^^\n  did you mean ToUpper?" });
            Reply::json(
                400,
                &json!({ "error": { "code": "SchemaInvalid", "message": "all at once", "details": [detail],
                "innerError": { "request-id": "r-1" } } }),
            )
        }
        ("PUT", "/schema") => Reply::json(
            200,
            &json!({ "version": 4, "targets": "pending", "warnings": ["no agent of the domain could be asked"] }),
        ),
        ("POST", "/preview") => {
            let change = json!({ "action": "update", "dn": "CN=Ada,DC=corp", "properties": [{ "name": "title",
                "old": ["Analyst"], "new": ["ANALYST"], "rule": { "target": "title", "mapping": "ToUpper([title])" } }] });
            let person = |id: &str| {
                json!({ "externalId": id, "outcome": "done", "dn": "CN=Ada,DC=corp", "changes": [change],
                "warnings": [], "drift": [], "error": null })
            };
            let is_second = request.json()["after"] == json!("7");
            let (id, next) = if is_second { ("2", Value::Null) } else { ("1", json!("7")) };
            let persons = if is_second { 1 } else { 2 };
            Reply::json(
                200,
                &json!({ "persons": persons, "counts": { "update": 1, "unchanged": persons - 1 },
                "value": [person(id)], "taken": {}, "next": next }),
            )
        }
        _ => return None,
    })
}

fn shown(run: &Run, requests: &[Received]) -> String {
    let lines: Vec<_> = requests.iter().map(|it| format!("> {} {}\n", it.method, it.target)).collect();
    format!("{}exit {}\n--- stdout\n{}--- stderr\n{}", lines.concat(), run.exit.code(), run.out, run.err)
}

/// Runs a command, as text and with `--json`.
async fn check(name: &str, args: &[&str]) {
    let service = Service::start(contract).await;
    let text = service.run(args).await;
    let requests = service.received();
    let json = service.run(&[args, &["--json"]].concat()).await;
    assert_eq!(json.exit, text.exit, "{args:?}");
    let shown = format!("{}=== --json\n{}", shown(&text, &requests), shown(&json, &[]));
    insta::assert_snapshot!(name, shown);
}

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, value: &Value) -> String {
        let path = self.0.path().join(name);
        crate::files::write(&path, value.to_string().as_bytes()).unwrap();
        path.display().to_string()
    }
}

#[tokio::test]
async fn read_and_listed() {
    check("get", &["schema", "get"]).await;
    check("get_older", &["schema", "get", "--version", "1"]).await;
    check("get_unknown", &["schema", "get", "--version", "9"]).await;
    check("history", &["schema", "history"]).await;
    check("restore", &["schema", "restore", "1", "--note", "too loud"]).await;
    check("restore_default", &["schema", "restore", "default"]).await;
    assert_eq!(parse(&["schema", "restore", "last"]).unwrap_err().exit_code(), 2);
}

#[tokio::test]
async fn written_to_a_file_and_put_back() {
    let files = Files::new();
    let path = files.write("schema.json", &json!(null));
    let service = Service::start(contract).await;
    let run = service.run(&["schema", "get", "-o", &path]).await;
    assert_eq!(run.exit.code(), 0, "{run:?}");
    let read: Value = serde_json::from_slice(&crate::files::read(path.as_ref()).unwrap()).unwrap();
    assert_eq!(read, schema("ToUpper([title])"));
    let service = Service::start(contract).await;
    let tests = files.write("tests.json", &tests("ANALYST"));
    let args = ["schema", "put", &path, "--tests", &tests, "--note", "loud", "--based-on", "2"];
    assert_eq!(service.run(&args).await.exit.code(), 0);
    let body = service.received().iter().find(|request| request.method == "PUT").unwrap().json();
    assert_eq!((&body["note"], &body["basedOn"], &body["schema"]), (&json!("loud"), &json!(2), &read));
    assert_eq!(body["tests"][0]["name"], "titles");
}

#[tokio::test]
async fn saved_and_refused() {
    let files = Files::new();
    let good = files.write("good.json", &schema("ToUpper([title])"));
    let bad = files.write("bad.json", &schema("ToUper([title])"));
    check("put", &["schema", "put", &good]).await;
    check("put_refused", &["schema", "put", &bad]).await;
    check("preview", &["schema", "preview", &good]).await;
    check("impact", &["schema", "impact", &good]).await;
}

#[tokio::test]
async fn tested() {
    let files = Files::new();
    check("test_of_the_job", &["schema", "test"]).await;
    let quiet = files.write("quiet.json", &schema("[title]"));
    check("test_of_a_file", &["schema", "test", &quiet]).await;
    // Without a service, and without its settings.
    let local = async |schema: &Value, tests: &Value| {
        let schema = files.write("schema.json", schema);
        let tests = files.write("tests.json", tests);
        run(&["schema", "test", &schema, "--tests", &tests], &[]).await
    };
    let passed = local(&schema("[title]"), &tests("Analyst")).await;
    assert_eq!((passed.exit.code(), passed.out.as_str()), (0, "1 tests, 0 failed\n"), "{passed:?}");
    let failed = local(&schema("[title]"), &tests("Buyer")).await;
    assert_eq!(failed.exit.code(), 1);
    assert_eq!(failed.out, "titles, title\n  expected  \"Buyer\"\n  got       \"Analyst\"\n1 tests, 1 failed\n");
    let broken = local(&schema("ToUper([title])"), &tests("x")).await;
    assert_eq!(broken.exit.code(), 2);
    assert!(broken.err.contains("\n  ToUper([title])\n  ^^^^^^\n"), "{}", broken.err);
    for (schema, tests) in [(json!([]), tests("x")), (schema("[title]"), json!({}))] {
        assert_eq!(local(&schema, &tests).await.exit.code(), 2);
    }
}
