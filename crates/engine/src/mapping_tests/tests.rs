use rollcall_model::SourceName;
use rollcall_model::config::{Apply, JobConfig, Mapping, MappingSource};
use serde_json::json;

use super::*;

const TODAY: &str = "2026-01-15T09:40:00Z";

fn expression(target: &str, text: &str) -> Mapping {
    Mapping::new(target, MappingSource::Expression(text.to_owned()))
}

fn direct(target: &str, source: &str) -> Mapping {
    Mapping::new(target, MappingSource::Direct(SourceName::new(source)))
}

/// A job that matches, names, enables by date, routes and clears.
fn prepared() -> Prepared {
    let mappings = vec![
        Mapping { matching_priority: 1, apply: Apply::OnCreate, ..direct("employeeID", "externalId") },
        Mapping { apply: Apply::OnCreate, ..direct("cn", "displayName") },
        Mapping { flow_null_values: true, ..direct("title", "title") },
        direct("mobile", "phoneNumbers[type eq \"mobile\"].value"),
        expression("proxyAddresses", "Split(Join(\",\", Append(\"SMTP:\", [userName]), \"smtp:a@b.test\"), \",\")"),
        expression("accountDisabled", "IIF(DateDiff(\"d\", Now(), [hireDate]) > 0, \"True\", \"False\")"),
        expression("parentDistinguishedName", "Switch([userType], \"OU=A,DC=t\", \"Other\", \"OU=B,DC=t\")"),
        direct("manager", "manager"),
    ];
    let config = JobConfig { clearable_sources: vec![SourceName::new("title")], ..JobConfig::new(mappings) };
    Prepared::new(&config, 1, "corp.test").unwrap()
}

fn run_one(test: &Value) -> Vec<String> {
    let mut test = test.clone();
    test["name"] = json!("t");
    let tests = [serde_json::from_value(test).unwrap()];
    let told = |failure: TestFailure| {
        assert_eq!(failure.test, "t");
        format!("{}: {} / {}", failure.target.unwrap_or_default(), failure.expected, failure.got)
    };
    run(&prepared(), &tests).into_iter().map(told).collect()
}

fn check(test: &Value, expected: &[&str]) {
    assert_eq!(run_one(test), expected, "{test}");
}

fn record() -> Value {
    json!({ "userName": "ada", "displayName": "Ada Byron", "active": true, "title": "Analyst", "userType": "Staff",
        "hireDate": "2026-01-10", "phoneNumbers[type eq \"mobile\"].value": "1" })
}

#[test]
fn values() {
    let with = |expected: Value| json!({ "record": record(), "now": TODAY, "expected": expected });
    check(&with(json!({})), &[]);
    check(&with(json!({ "TITLE": "Analyst", "cn": "Ada Byron", "mobile": 1, "manager": null })), &[]);
    check(&with(json!({ "title": "Buyer" })), &["title: \"Buyer\" / \"Analyst\""]);
    check(&with(json!({ "title": null })), &["title: nothing is written / \"Analyst\""]);
    check(&with(json!({ "department": "x" })), &["department: \"x\" / nothing is written"]);
    check(&with(json!({ "department": [] })), &["department: cleared / nothing is written"]);
    check(&with(json!({ "accountDisabled": false, "parentDistinguishedName": "OU=A,DC=t" })), &[]);
    check(&with(json!({ "accountDisabled": "True" })), &["accountDisabled: \"True\" / \"False\""]);
    check(&with(json!({ "proxyAddresses": ["smtp:a@b.test", "SMTP:ada"] })), &[]);
    let one = "proxyAddresses: \"SMTP:ada\" / [\"SMTP:ada\",\"smtp:a@b.test\"]";
    check(&with(json!({ "proxyAddresses": "SMTP:ada" })), &[one]);
}

#[test]
fn what_is_written_to_an_account_that_exists() {
    let mut record = record();
    record["title"] = Value::Null;
    let existing = |existing: bool, expected: Value| json!({ "record": record, "now": TODAY, "existing": existing, "expected": expected });
    check(&existing(true, json!({ "title": [], "cn": null, "employeeID": null })), &[]);
    check(&existing(false, json!({ "title": [] })), &["title: cleared / nothing is written"]);
    check(&existing(false, json!({ "title": null, "cn": "Ada Byron", "employeeID": "1" })), &[]);
}

#[test]
fn outcomes() {
    let mut broken = record();
    broken["externalId"] = json!(5);
    let test = |outcome: &str| json!({ "record": broken, "now": TODAY, "outcome": outcome });
    check(&test("failed"), &[]);
    let reason = "externalId is a number; send it as a text, with its leading zeros";
    let got = format!("failed with AttributeValidationFailed: {reason}");
    check(&test("provisioned"), &[&format!(": provisioned / {got}")]);
    let coded = json!({ "record": broken, "now": TODAY, "outcome": "failed", "code": "NotLinked" });
    check(&coded, &[&format!(": failed with NotLinked / {got}")]);
    let skipped = json!({ "record": record(), "now": TODAY, "outcome": "skipped" });
    check(&skipped, &[": skipped / provisioned: the person is provisioned"]);
    let now = ": a moment in now, as in 2026-01-15T09:30:00Z / it cannot be read";
    check(&json!({ "record": record(), "now": "then" }), &[now]);
    let clock = ": a moment in now / its mappings read the clock and it says no moment";
    check(&json!({ "record": record() }), &[clock]);
}

#[test]
fn a_name_is_told_once() {
    let test = json!({ "name": "t", "record": record(), "now": TODAY });
    let tests: Vec<MappingTest> = serde_json::from_value(json!([test, test])).unwrap();
    let failures = run(&prepared(), &tests);
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].got, "another test has the same name");
}
