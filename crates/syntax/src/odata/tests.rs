use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits { chars_max: 4_096, depth_max: 32 };

fn operand_text(operand: &Operand) -> String {
    match operand {
        Operand::Property(path) => path.segments.join("/"),
        Operand::Lower(inner) => format!("lower({})", operand_text(inner)),
        Operand::Literal(Literal::Text(text)) => format!("{text:?}"),
        Operand::Literal(Literal::Moment { us, .. }) => format!("@{us}"),
        Operand::Literal(Literal::Number(number)) => number.to_string(),
        Operand::Literal(Literal::Guid(text)) => format!("guid:{text}"),
        Operand::Literal(Literal::Bool(value)) => value.to_string(),
        Operand::Literal(Literal::Null) => "null".to_owned(),
    }
}

fn short(filter: &Filter) -> String {
    match filter {
        Filter::And(a, b) => format!("(and {} {})", short(a), short(b)),
        Filter::Or(a, b) => format!("(or {} {})", short(a), short(b)),
        Filter::Not(a) => format!("(not {})", short(a)),
        Filter::Compare { operator, left, right } => {
            format!("({operator:?} {} {})", operand_text(left), operand_text(right))
        }
        Filter::Test { function, text, part } => {
            format!("({function:?} {} {})", operand_text(text), operand_text(part))
        }
    }
}

fn check(text: &str, expected: &str) {
    let found = match parse_filter(text, LIMITS) {
        Ok(filter) => short(&filter),
        Err(error) => error.to_string(),
    };
    assert_eq!(found, expected, "{text}");
}

#[test]
fn filters_that_clients_send() {
    check("jobid eq 'API2AD.x.y'", "(Eq jobid \"API2AD.x.y\")");
    check(
        "jobid eq 'j' and statusInfo/status eq 'failure' and activityDateTime ge 2022-10-10T09:47:34Z",
        "(and (and (Eq jobid \"j\") (Eq statusInfo/status \"failure\")) (Ge activityDateTime @1665395254000000))",
    );
    check("jobid eq 'j' and cycleId ne '59ab8c82'", "(and (Eq jobid \"j\") (Ne cycleId \"59ab8c82\"))");
    check(
        "((contains(tolower(servicePrincipal/id), 'x') or contains(tolower(servicePrincipal/displayName), 'x')) and activityDateTime gt 2023-07-30 and activityDateTime lt 2023-07-31)",
        "(and (and (or (Contains lower(servicePrincipal/id) \"x\") (Contains lower(servicePrincipal/displayName) \"x\")) (Gt activityDateTime @1690675200000000)) (Lt activityDateTime @1690761600000000))",
    );
    check("id eq 59ab8c82-94d3-42f4-b547-88f69160d44e", "(Eq id guid:59ab8c82-94d3-42f4-b547-88f69160d44e)");
    check("not (a eq true) OR b EQ null", "(or (not (Eq a true)) (Eq b null))");
    check("durationInMilliseconds gt 5", "(Gt durationInMilliseconds 5)");
    check("startswith(a,'x') eq false", "(not (StartsWith a \"x\"))");
    check("a eq 'O''Hara) or (1 eq 1'", "(Eq a \"O'Hara) or (1 eq 1\")");
    check("a or b eq 1", "expected eq, ne, gt, ge, lt or le at position 2, found 'or'");
    check(
        "a = 1",
        "expected eq, ne, gt, ge, lt or le at position 2, found '='; OData writes 'eq' for =, 'ne' for !=, 'gt' for >, 'lt' for <",
    );
    check("a eq \"x\"", "expected a property or a value at position 5, found '\"'; a text stands in single quotes");
    check(
        "a eq 'x",
        "expected ''' that closes this text at position 5, found the end; a quote inside a text is written twice",
    );
    check("(a eq 1", "expected ')' at position 7, found the end");
    check("a eq 1 b", "expected 'and', 'or' or the end of the filter at position 7, found 'b'");
    check(
        "length(a) eq 1",
        "expected a property or a value at position 0, found the function 'length'; contains, startswith, endswith and tolower are known",
    );
}

#[test]
fn bounds() {
    let nest = |levels: usize| format!("{}a eq 1{}", "(".repeat(levels), ")".repeat(levels));
    assert!(parse_filter(&nest(31), LIMITS).is_ok());
    assert!(parse_filter(&nest(32), LIMITS).is_err());
    assert!(parse_filter(&"not ".repeat(1_000), LIMITS).is_err());
    assert!(parse_filter(&"tolower(".repeat(500), LIMITS).is_err());
    assert!(parse_filter(&"a".repeat(4_097), LIMITS).is_err());
}

#[test]
fn orders() {
    for (text, expected) in [
        ("activityDateTime desc", Some(vec![("activityDateTime", Direction::Descending)])),
        ("a, b/c ASC", Some(vec![("a", Direction::Ascending), ("b/c", Direction::Ascending)])),
        ("", None),
        ("a sideways", None),
        ("a,", None),
    ] {
        let found = parse_order(text, LIMITS).ok();
        let keys = found
            .as_ref()
            .map(|keys| keys.iter().map(|key| (key.path.segments.join("/"), key.direction)).collect::<Vec<_>>());
        let expected =
            expected.map(|keys| keys.into_iter().map(|(name, way)| (name.to_owned(), way)).collect::<Vec<_>>());
        assert_eq!(keys, expected, "{text}");
    }
}

#[test]
fn paths_ignore_case() {
    let path = path("JOBID/Status", Span::default()).unwrap();
    assert!(path.is("jobId/status"));
    assert!(!path.is("jobId") && !path.is("jobId/status/x"));
}

proptest! {
    #[test]
    fn survives_any_text(text in any::<String>()) {
        let _ = parse_filter(&text, LIMITS);
        let _ = parse_order(&text, LIMITS);
    }

    #[test]
    fn survives_its_own_alphabet(text in "([()', a/0-9:Z-]|and|or|not|eq|contains\\(|tolower\\(){0,60}") {
        if let Err(error) = parse_filter(&text, LIMITS) {
            prop_assert!(text.is_char_boundary(error.at.start) && error.at.end <= text.len());
        }
    }

    #[test]
    fn a_quoted_value_comes_back_as_it_was(value in any::<String>().prop_filter("long", |v| v.len() < 1_000)) {
        let text = format!("a eq '{}'", value.replace('\'', "''"));
        let filter = parse_filter(&text, LIMITS).unwrap();
        let Filter::Compare { right: Operand::Literal(Literal::Text(found)), .. } = filter else { panic!() };
        prop_assert_eq!(found, value);
    }
}
