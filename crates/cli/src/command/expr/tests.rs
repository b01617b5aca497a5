use serde_json::{Value, json};

use crate::error::Exit;
use crate::testing::{JOB, Reply, Service, run};

/// Runs `rollcall expr test ARGS` without a service: exit, what is printed, and the same with `--json`.
async fn check(args: &[&str], exit: Exit, text: &str, expected: Value) {
    let args = [&["expr", "test"], args].concat();
    let shown = run(&args, &[]).await;
    assert_eq!((shown.exit, shown.out.as_str()), (exit, text), "{args:?}: {}", shown.err);
    let in_json = run(&[&args[..], &["--json"]].concat(), &[]).await;
    assert_eq!((in_json.exit, in_json.json()), (exit, expected), "{args:?}");
}

#[tokio::test]
async fn values() {
    let join = r#"Join(" ", [name.givenName], [emails[type eq "work"].value])"#;
    let sets = ["--set", "name.givenName=Ana", "--set", r#"emails[type eq "work"].value=a=b@x"#];
    check(&[&[join][..], &sets].concat(), Exit::Done, "Ana a=b@x\n", json!({ "value": "Ana a=b@x" })).await;
    check(&["Count([o])", "--set", "o=1", "--set", "o=2", "--set", "o=3"], Exit::Done, "3\n", json!({ "value": 3 }))
        .await;
    check(&["Split(\"a;b\", \";\")"], Exit::Done, "a\nb\n", json!({ "value": ["a", "b"] })).await;
    check(&["Not([a])"], Exit::Done, "True\n", json!({ "value": true })).await;
    check(&["Coalesce([a])"], Exit::Done, "null\n", json!({ "value": null })).await;
    check(&["Left([a], 1)"], Exit::Done, "\n", json!({ "value": "" })).await;
    check(
        &["NumFromDate(\"2012-01-01T23:00:00Z\")"],
        Exit::Done,
        "129699324000000000\n",
        json!({ "value": 129_699_324_000_000_000_i64 }),
    )
    .await;
    check(
        &["Now()", "--now", "2026-03-10T12:00:00Z"],
        Exit::Done,
        "3/10/2026 12:00:00 PM\n",
        json!({ "value": "3/10/2026 12:00:00 PM" }),
    )
    .await;
    check(
        &["DefaultDomain()", "--default-domain", "corp.test"],
        Exit::Done,
        "corp.test\n",
        json!({ "value": "corp.test" }),
    )
    .await;
    check(&["SelectUniqueValue(\"Ann\", \"Bob\")", "--taken", "ann"], Exit::Done, "Bob\n", json!({ "value": "Bob" }))
        .await;
    check(&["Redact(\"x\")"], Exit::Done, "x\n", json!({ "value": "x", "logged": "[Redact]" })).await;
    let ignored = "(the attribute is left as it is)\n";
    check(&["IgnoreFlowIfNullOrEmpty([a])"], Exit::Done, ignored, json!({ "flow": "ignored" })).await;
}

#[tokio::test]
async fn errors_are_drawn() {
    let drawn = "there is no function ToLowr\n  Append(ToLowr([a]), \"x\")\n         ^^^^^^\n  did you mean ToLower?\n";
    let error = json!({ "code": "SchemaInvalid", "message": "there is no function ToLowr",
        "span": { "start": 7, "end": 13 }, "hint": "did you mean ToLower?" });
    check(&["Append(ToLowr([a]), \"x\")"], Exit::SomeFailed, drawn, json!({ "error": error })).await;
    let drawn = "Item, argument 2 (\"3\"): index out of bounds\n  Item([a], 3)\n            ^\n";
    let error = json!({ "code": "ExpressionFailed", "message": "Item, argument 2 (\"3\"): index out of bounds",
        "span": { "start": 10, "end": 11 } });
    check(&["Item([a], 3)", "--set", "a=x"], Exit::SomeFailed, drawn, json!({ "error": error })).await;
}

#[expect(clippy::disallowed_methods, reason = "a test lays out the files it reads")]
fn write(path: &std::path::Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

#[tokio::test]
async fn files() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        write(&path, text);
        path.to_str().unwrap().to_owned()
    };
    let scim = file(
        "scim.json",
        r#"{"name": {"givenName": "Ana"}, "emails": [{"type": "work", "value": "a@x"}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Ops"}}"#,
    );
    let flat = file(
        "flat.json",
        r#"{"name.givenName": "Ana", "emails[type eq \"work\"].value": "a@x",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department": "Ops"}"#,
    );
    let all = r#"Join("/", [name.givenName], [emails[type eq "work"].value], [urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department])"#;
    for path in [&scim, &flat] {
        check(&[all, "--attributes", path], Exit::Done, "Ana/a@x/Ops\n", json!({ "value": "Ana/a@x/Ops" })).await;
        let set = [all, "--attributes", path, "--set", "name.givenName=Liga"];
        check(&set, Exit::Done, "Liga/a@x/Ops\n", json!({ "value": "Liga/a@x/Ops" })).await;
    }
    let cases = file(
        "cases.json",
        r#"[
        {"name": "one", "expression": "Count([otherPhones])", "attributes": {"otherPhones": ["1", "2"]}},
        {"name": "two", "expression": "Now()", "attributes": {}, "now": "2026-03-10T12:00:00Z"},
        {"name": "three", "expression": "SelectUniqueValue([g], [h])", "attributes": {"g": "a", "h": "b"}, "taken": ["A", "b"]},
        {"name": "four", "expression": "Append(\"x@\", DefaultDomain())", "defaultDomain": "corp.test"}]"#,
    );
    let shown = run(&["expr", "test", "--cases", &cases], &[]).await;
    assert_eq!(shown.exit, Exit::SomeFailed);
    let lines: Vec<Value> = shown.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0], json!({ "name": "one", "value": 2 }));
    assert_eq!(lines[1], json!({ "name": "two", "value": "3/10/2026 12:00:00 PM" }));
    assert_eq!(lines[2]["error"]["message"], "every value is taken: a, b");
    assert_eq!(lines[3], json!({ "name": "four", "value": "x@corp.test" }));
    let broken = file("broken.json", "{}");
    for args in [
        &["--cases", &broken][..],
        &["Now()", "--now", "noon"],
        &["Now()", "--set", "x"],
        &["Now()", "--attributes", "/nothing"],
        &["[a]", "--attributes", &cases],
    ] {
        assert_eq!(run(&[&["expr", "test"], args].concat(), &[]).await.exit, Exit::Usage, "{args:?}");
    }
}

/// What a case holds beside the known members is its author's, and a broken one stops no other.
#[tokio::test]
async fn files_of_cases_are_read_with_patience() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cases.json");
    let check = async |cases: Value, exit: Exit, expected: &[Value]| {
        write(&path, &cases.to_string());
        let shown = run(&["expr", "test", "--cases", path.to_str().unwrap()], &[]).await;
        let lines: Vec<Value> = shown.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((shown.exit, lines.as_slice()), (exit, expected), "{cases}: {}", shown.err);
    };
    let ok = json!({ "name": "ok", "expression": "ToUpper([a])", "attributes": { "a": "x" } });
    let done = json!({ "name": "ok", "value": "X" });
    let more = json!({ "name": "more", "expression": "\"y\" & [a]", "expected": ["y"], "comment": null, "line": 7,
        "attributes": null, "now": null, "defaultDomain": null, "taken": null });
    check(json!([more, ok]), Exit::Done, &[json!({ "name": "more", "value": "y" }), done.clone()]).await;
    check(json!([]), Exit::Done, &[]).await;
    let refused = json!({ "code": "SchemaInvalid", "message": "there is no function ToUper",
        "hint": "did you mean ToUpper?", "span": { "start": 0, "end": 6 } });
    let spelled = json!({ "name": "spelled", "expression": "ToUper([a])" });
    check(json!([spelled, ok]), Exit::SomeFailed, &[json!({ "name": "spelled", "error": refused }), done.clone()])
        .await;
    let late = json!({ "name": "late", "expression": "Now()", "now": "noon" });
    let refused = json!({ "code": "ExpressionFailed", "message": "now: 'noon' is no time",
        "span": { "start": 0, "end": 0 }, "hint": crate::command::expr::TIME_HINT });
    check(json!([late, ok]), Exit::SomeFailed, &[json!({ "name": "late", "error": refused }), done]).await;
    // What cannot be told apart, or has nothing to evaluate, makes the file as a whole wrong.
    for broken in [json!([{ "expression": "Now()" }]), json!([{ "name": "x" }, ok]), json!({ "cases": [ok] })] {
        check(broken, Exit::Usage, &[]).await;
    }
}

#[tokio::test]
async fn a_stored_person() {
    let service = Service::start(|request| {
        let wanted = format!("/rollcall/v1/jobs/{JOB}/persons/E 1");
        (request.target == wanted)
            .then(|| Reply::json(200, &json!({ "externalId": "E 1", "record": { "title": "Clerk" } })))
    })
    .await;
    let shown = service.run(&["expr", "test", "ToUpper([title])", "--person", "E 1"]).await;
    assert_eq!((shown.exit, shown.out.as_str()), (Exit::Done, "CLERK\n"), "{}", shown.err);
    assert_eq!(service.run(&["expr", "test", "[title]", "--person", "E 2"]).await.exit, Exit::Refused);
    assert_eq!(run(&["expr", "test", "[title]", "--person", "E 1"], &[]).await.exit, Exit::Usage);
}
