use rollcall_model::SourceName;
use serde_json::json;

use super::*;

/// 2026-01-15T12:00:00Z.
const NOW: Timestamp = Timestamp(1_768_478_400_000_000);

fn record() -> Map<String, Json> {
    let record = json!({"userType": "Employee", "active": true, "level": "12", "grade": 7, "title": "", "nickName": null,
        "hired": "2026-01-20", "flag": "False", "emails": [{"type": "work", "value": "a@x.example"}],
        "roles": [{"value": "a"}, {"value": "b"}], "long": "a".repeat(40)});
    record.as_object().unwrap().clone()
}

fn config(source: &str, operator: &str, values: &[&str]) -> JobConfig {
    let mut config = JobConfig::new(Vec::new());
    let values = values.iter().map(|&value| value.to_owned()).collect();
    let clause = FilterClause { source: SourceName::new(source), operator: operator.to_owned(), values };
    config.scope.groups = vec![FilterGroup { name: String::new(), clauses: vec![clause] }];
    config
}

fn check(source: &str, operator: &str, values: &[&str], expected: bool) {
    let (filters, problems) = Filters::new(&config(source, operator, values));
    assert_eq!(problems, [], "{source} {operator}");
    let clock = Cell::new(false);
    let standing = filters.standing(&record(), NOW, &clock).unwrap();
    assert_eq!(standing == Standing::In, expected, "{source} {operator} {values:?}");
    assert_eq!(clock.get(), values.iter().any(|value| value.starts_with("now")) && source != "nickName");
}

#[test]
fn every_operator_and_its_null_rule() {
    for (source, operator, values, expected) in [
        ("userType", "EQUALS", &["Employee"][..], true),
        ("userType", "EQUALS", &["employee"], false),
        ("userType", "EQUALS", &["Contractor", "Employee"], true),
        ("USERTYPE", "equals", &["Employee"], true),
        ("userType", "EQUALS (IGNORE CASE)", &["employee"], true),
        ("userType", "NOT EQUALS", &["Contractor"], true),
        ("userType", "NOT EQUALS", &["Contractor", "Employee"], false),
        ("userType", "NOT EQUALS (IGNORE CASE)", &["EMPLOYEE"], false),
        ("active", "IS TRUE", &[], true),
        ("active", "IS FALSE", &[], false),
        ("flag", "IS FALSE", &[], true),
        ("userType", "IS TRUE", &[], false),
        ("userType", "IS NULL", &[], false),
        ("userType", "IS NOT NULL", &[], true),
        ("userType", "REGEX MATCH", &["ploy"], true),
        ("userType", "REGEX MATCH", &["^ploy"], false),
        ("userType", "REGEX MATCH", &["PLOY"], false),
        ("userType", "REGEX MATCH (IGNORE CASE)", &["PLOY"], true),
        ("userType", "NOT REGEX MATCH", &["^Contr"], true),
        ("userType", "NOT REGEX MATCH", &["^Emp"], false),
        ("level", "Greater_Than", &["11"], true),
        ("level", "GREATER_THAN", &["12"], false),
        ("level", "Greater_Than_OR_EQUALS", &["12"], true),
        ("grade", "greater than", &["6"], true),
        ("userType", "Greater_Than", &["1"], false),
        ("userType", "Includes", &["loy"], true),
        ("userType", "INCLUDES", &["LOY"], false),
        ("userType", "Includes (ignore case)", &["LOY"], true),
        ("userType", "ENDS_WITH", &["yee"], true),
        ("userType", "ENDS_WITH", &["Emp"], false),
        ("grade", "&", &["5"], true),
        ("grade", "&", &["8"], false),
        ("grade", "!&", &["8"], true),
        ("grade", "!&", &["5"], false),
        ("userType", "!&", &["8"], false),
        ("hired", "DATE_BEFORE", &["now+10d"], true),
        ("hired", "DATE_BEFORE", &["now + 4d"], false),
        ("hired", "DATE_AFTER", &["now"], true),
        ("hired", "DATE_AFTER", &["now+1w"], false),
        ("hired", "DATE_BEFORE", &["now+108h"], false),
        ("hired", "DATE_BEFORE", &["now+109h"], true),
        ("hired", "DATE_AFTER", &["2026-01-19"], true),
        ("userType", "DATE_AFTER", &["2026-01-19"], false),
        ("emails[type eq \"work\"].value", "ENDS_WITH", &[".example"], true),
    ] {
        check(source, operator, values, expected);
    }
    // Null, empty and absent alike.
    for source in ["nickName", "title", "nothing"] {
        for operator in OPERATORS.iter().filter(|operator| operator.test != Test::IsNull) {
            let number = matches!(operator.test, Test::Greater | Test::GreaterOrEqual | Test::Bits | Test::NotBits);
            let date = matches!(operator.test, Test::Before | Test::After);
            check(
                source,
                operator.id,
                &[if number {
                    "1"
                } else if date {
                    "2026-01-01"
                } else {
                    "x"
                }],
                false,
            );
        }
        check(source, "IS NULL", &[], true);
    }
}

#[test]
fn groups_are_alternatives_and_the_filter_at_import_comes_first() {
    let one = |source: &str, value: &str| config(source, "EQUALS", &[value]).scope.groups.remove(0);
    let employee = || one("userType", "Employee");
    let other = || one("userType", "Contractor");
    let both = || FilterGroup { clauses: [employee().clauses, other().clauses].concat(), ..employee() };
    for (groups, input_groups, expected) in [
        (vec![], vec![], Standing::In),
        (vec![employee()], vec![], Standing::In),
        (vec![other()], vec![], Standing::Out),
        (vec![other(), employee()], vec![], Standing::In),
        (vec![both()], vec![], Standing::Out),
        (vec![], vec![other()], Standing::PassedOver),
        (vec![other()], vec![other()], Standing::PassedOver),
        (vec![other()], vec![employee()], Standing::Out),
    ] {
        let mut config = JobConfig::new(Vec::new());
        (config.scope.groups, config.scope.input_groups) = (groups, input_groups);
        let (filters, problems) = Filters::new(&config);
        assert_eq!((filters.standing(&record(), NOW, &Cell::new(false)), problems), (Ok(expected), vec![]));
    }
}

#[test]
fn broken_clauses() {
    for (source, operator, values, message, hint) in [
        ("userType", "EQUAL", &["x"][..], "no operator 'EQUAL'", "did you mean EQUALS?"),
        ("userType", "", &["x"], "no operator ''", "write one of"),
        ("userType", "IsMemberOf", &["x"], "no operator 'IsMemberOf'", "write one of"),
        ("userType", "EQUALS", &[], "nothing to compare with", "targetOperand.values"),
        ("userType", "REGEX MATCH", &["("], "cannot be used", "patterns are those of .NET"),
        ("level", "Greater_Than", &["ten"], "no whole number", "as in 100"),
        ("hired", "DATE_BEFORE", &["now+1y"], "no moment", "now+10d"),
        ("hired", "DATE_BEFORE", &["now+99999999999999999d"], "no moment", "now+10d"),
        ("emails", "EQUALS", &["x"], "several values", "emails[type eq"),
        ("a b", "EQUALS", &["x"], "no source attribute", "userType"),
    ] {
        let (_, problems) = Filters::new(&config(source, operator, values));
        assert!(problems[0].message.contains(message), "{problems:?}");
        assert!(problems[0].hint.contains(hint), "{problems:?}");
    }
    let mut empty = config("a", "IS NULL", &[]);
    empty.scope.groups[0].clauses.clear();
    assert_eq!(Filters::new(&empty).1[0].clause, None);
}

#[test]
fn a_pattern_that_explodes_is_the_records_failure() {
    let (filters, problems) = Filters::new(&config("long", "REGEX MATCH", &["(?:(?=a)a+)+$x"]));
    assert_eq!(problems, []);
    let failure = filters.standing(&record(), NOW, &Cell::new(false)).unwrap_err();
    assert!(failure.reason.contains("too many steps"), "{failure:?}");
}
