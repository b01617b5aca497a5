//! Scope, target actions, flow types, values that nobody else may have, clock and chance, and what is refused at save.

use rollcall_model::config::{FilterClause, FilterGroup, Reference, SourceAttribute};
use rollcall_model::desired::MayWrite;

use super::*;

/// A job that provisions employees alone.
fn employees() -> JobConfig {
    let mut config = config();
    let values = vec!["Employee".to_owned()];
    let clause = FilterClause { source: SourceName::new("userType"), operator: "EQUALS".to_owned(), values };
    config.scope.groups = vec![FilterGroup { name: String::new(), clauses: vec![clause] }];
    config
}

fn typed(kind: &str) -> Value {
    json!({"externalId": "E-1", "userName": "ada", "displayName": "Ada", "userType": kind})
}

/// What becomes of a person, in a word or two.
fn short(evaluation: &Evaluation) -> String {
    match evaluation {
        Evaluation::Skip(code, _) => format!("skip {code}"),
        Evaluation::Fail(failure, _) => format!("fail {}", failure.code),
        Evaluation::Send(state) => format!("{:?} {:?}", state.extent, state.account),
    }
}

/// semantics: scope
#[test]
fn leaving_the_scope_and_coming_back() {
    let gone = "OU=Gone,DC=corp,DC=example".to_owned();
    let skipped = "skip NotEffectivelyEntitled";
    for (exit, kind, linked, confirmed, reevaluate, expected) in [
        (OnScopeExit::Disable, "Contractor", false, None, false, skipped),
        (OnScopeExit::Disable, "Contractor", true, None, false, "AccountOnly Disabled"),
        (OnScopeExit::Disable, "Contractor", true, Some(true), false, "AccountOnly Disabled"),
        (OnScopeExit::Disable, "Contractor", true, Some(false), false, skipped),
        (OnScopeExit::Disable, "Contractor", true, Some(false), true, "AccountOnly Disabled"),
        (OnScopeExit::Nothing, "Contractor", true, Some(true), false, skipped),
        (
            OnScopeExit::DisableAndMove(gone.clone()),
            "Contractor",
            true,
            Some(true),
            false,
            "AccountAndContainer Disabled",
        ),
        // Back again: nobody sent `active`, and yet there is a cause.
        (OnScopeExit::Disable, "Employee", true, Some(false), false, "Everything Enabled"),
        (OnScopeExit::Disable, "Employee", true, Some(false), true, "Everything Enabled"),
        (OnScopeExit::Disable, "Employee", true, Some(true), false, "Everything EnabledIfNew"),
        (OnScopeExit::Disable, "Employee", false, None, false, "Everything EnabledIfNew"),
    ] {
        let prepared = prepared(&JobConfig { on_scope_exit: exit.clone(), ..employees() });
        let mut person = person(&[typed(kind)]);
        person.link = linked.then(|| link(true));
        person.confirmed = confirmed.map(|in_scope| Confirmed { in_scope: Some(in_scope), ..Confirmed::default() });
        person.pending.reevaluate = reevaluate;
        let evaluation = evaluate(&prepared, &person, None);
        assert_eq!(short(&evaluation), expected, "{exit:?} {kind} {linked} {confirmed:?} {reevaluate}");
        if let Evaluation::Send(state) = evaluation {
            assert_eq!(state.out_of_scope, kind == "Contractor");
            assert_eq!(state.container.may_move, state.container.mapped.as_ref() == Some(&gone));
            let told = state.warnings.iter().any(|warning| warning.code == Code::NotEffectivelyEntitled);
            assert_eq!(told, state.out_of_scope, "the log says why");
        }
    }
}

/// semantics: target-actions
#[test]
fn what_may_be_done_at_all() {
    let off = |change: fn(&mut JobConfig)| {
        let mut config = config();
        change(&mut config);
        config
    };
    let no_create = off(|config| config.actions.create = false);
    let no_update = off(|config| config.actions.update = false);
    let no_delete = off(|config| config.actions.delete = false);
    let closed = off(|config| config.enabled = false);
    let mut input = employees();
    input.scope.input_groups = std::mem::take(&mut input.scope.groups);
    for (config, linked, delete, expected) in [
        (&no_create, false, false, "Everything EnabledIfNewOrFirstLink"),
        (&no_create, true, false, "Everything EnabledIfNewOrFirstLink"),
        (&no_update, true, false, "skip UpdateOff"),
        (&no_update, false, false, "Everything EnabledIfNewOrFirstLink"),
        (&no_delete, true, true, "skip DeleteIgnored"),
        (&closed, false, false, "skip ObjectMappingDisabled"),
        (&input, true, false, "skip FilteredAtImport"),
    ] {
        let mut person = person(&[ada()]);
        person.link = linked.then(|| link(true));
        if delete {
            (person.pending.method, person.pending.touched) = (Method::Delete, std::collections::BTreeSet::new());
        }
        let evaluation = evaluate(&prepared(config), &person, None);
        assert_eq!(short(&evaluation), expected);
        if let Evaluation::Send(state) = evaluation {
            let create = config.actions.create;
            assert_eq!(state.if_absent, if create { IfAbsent::Create } else { IfAbsent::Skip });
            assert_eq!(state.if_absent_code, (!create).then_some(Code::CreateOff));
            assert_eq!(state.leave_existing, !config.actions.update);
        }
    }
}

/// semantics: clock
#[test]
fn held_back_until_the_day() {
    let mut config = config();
    let text = r#"IIF(DateDiff("d", Now(), CDate([urn:x:User:hired])) > 10, IgnoreObjectFlow, "")"#;
    config.mappings.push(mapping("objectFilter", expression(text)));
    let prepared = prepared(&config);
    for (hired, active, linked, expected) in [
        ("2026-01-20", true, false, "skip EntrySynchronizationSkipped"),
        ("2026-01-10", true, false, "Everything EnabledIfNewOrFirstLink"),
        // A leaver is disabled whatever else.
        ("2026-01-20", false, true, "Everything Disabled"),
    ] {
        let record = json!({"externalId": "E-1", "userName": "ada", "displayName": "Ada", "active": active,
            "urn:x:User": {"hired": hired}});
        let mut person = person(&[record]);
        person.link = linked.then(|| link(true));
        let evaluated = surrounded(&prepared, &person, None);
        assert_eq!((short(&evaluated.evaluation).as_str(), evaluated.read_clock), (expected, true), "{hired}");
    }
    assert!(!surrounded(&self::prepared(&self::config()), &person(&[ada()]), None).read_clock);
}

/// semantics: enable
#[test]
fn a_rule_of_dates_enables_on_its_day() {
    let mut config = config();
    let text = r#"IIF(DateDiff("d", Now(), CDate([urn:x:User:hired])) > 0, "True", "False")"#;
    config.mappings.retain(|mapping| mapping.target != target::ACCOUNT_DISABLED);
    config.mappings.push(mapping(target::ACCOUNT_DISABLED, expression(text)));
    for (hired, reevaluate, expected) in [
        ("2026-01-20", false, DesiredAccount::Disabled),
        ("2025-12-20", false, DesiredAccount::Enabled),
        ("2025-12-20", true, DesiredAccount::EnabledIfNew),
    ] {
        let mut person = person(&[json!({"externalId": "E-1", "userName": "ada", "displayName": "Ada",
            "urn:x:User": {"hired": hired}})]);
        person.link = Some(link(true));
        person.confirmed = Some(Confirmed { enabled: Some(false), ..Confirmed::default() });
        person.pending.reevaluate = reevaluate;
        let state = sent(evaluate(&prepared(&config), &person, None));
        assert_eq!(state.account, expected, "{hired} {reevaluate}");
    }
}

/// semantics: unique
#[test]
fn values_that_nobody_else_may_have() {
    let mut config = config();
    let second = r#"Join(".", [userName], "2")"#;
    let text = format!(r#"SelectUniqueValue([userName], Join(".", [userName], "1"), ToUpper([userName]), {second})"#);
    config.mappings.retain(|mapping| mapping.target != target::SAM_ACCOUNT_NAME);
    let unique = Mapping { apply: Apply::OnCreate, ..mapping(target::SAM_ACCOUNT_NAME, expression(&text)) };
    config.mappings.push(unique);
    let prepared = prepared(&config);
    let mut ada = person(&[ada()]);
    let state = sent(evaluate(&prepared, &ada, None));
    let base = "ada.byron@src.example";
    assert_eq!(state.unique.len(), 1);
    assert_eq!(state.unique[0].name, target::SAM_ACCOUNT_NAME);
    assert_eq!(state.unique[0].candidates, [base.to_owned(), format!("{base}.1"), format!("{base}.2")]);
    assert_eq!(value(&state, target::SAM_ACCOUNT_NAME), None);
    // Decided: a plain attribute.
    let reserved = [("samaccountname".to_owned(), "ada9".to_owned())].into();
    let now = Timestamp(0);
    let surroundings = Surroundings { now, manager_link: None, secret: &[0; 32], reserved: &reserved };
    let state = sent(super::super::evaluate(&prepared, &ada, &surroundings).evaluation);
    assert_eq!((value(&state, target::SAM_ACCOUNT_NAME), state.unique.len()), (Some("ada9"), 0));
    let own = state.attributes.iter().find(|own| own.name == target::SAM_ACCOUNT_NAME).unwrap();
    assert!(own.mandatory && own.apply == Apply::OnCreate);
    // For creates only.
    ada.link = Some(link(true));
    assert!(sent(evaluate(&prepared, &ada, None)).unique.is_empty());
}

/// semantics: randomness
#[test]
fn one_person_one_mapping_one_value() {
    let mut config = config();
    config.mappings.push(mapping("info", expression("RandomString(20, 1, 0, 1, 1)")));
    config.mappings.push(mapping("comment", expression("Redact(RandomString(20, 1, 0, 1, 1))")));
    let prepared = prepared(&config);
    let first = sent(evaluate(&prepared, &person(&[ada()]), None));
    let again = sent(evaluate(&prepared, &person(&[ada()]), None));
    let mut other = person(&[ada()]);
    other.id = PersonId("00000000-0000-0000-0000-000000000002".parse().unwrap());
    let other = sent(evaluate(&prepared, &other, None));
    let info = |state: &DesiredState| value(state, "info").map(str::to_owned);
    assert_eq!(info(&first), info(&again));
    assert_ne!(info(&first), info(&other));
    assert_ne!(info(&first).as_deref(), value(&first, "comment"));
    let redacted: Vec<&str> = first.attributes.iter().filter(|own| own.redacted).map(|own| own.name.as_str()).collect();
    assert_eq!(redacted, ["comment"]);
}

/// What is offered for a unique value, with and without one that is reserved. semantics: unique
#[test]
fn candidates_faults_and_reservations() {
    let check = |text: &str, default: Option<&str>, reserved: Option<&str>, expected: &str| {
        let unique = Mapping { apply: Apply::OnCreate, ..mapping(target::SAM_ACCOUNT_NAME, expression(text)) };
        let prepared = prepared(&with(Mapping { default_value: default.map(str::to_owned), ..unique }));
        let reserved = reserved.map(|value| ("samaccountname".to_owned(), value.to_owned())).into_iter().collect();
        let now = Timestamp(0);
        let surroundings = Surroundings { now, manager_link: None, secret: &[0; 32], reserved: &reserved };
        let found = match super::super::evaluate(&prepared, &person(&[ada()]), &surroundings).evaluation {
            Evaluation::Fail(failure, _) => format!("{:?}: {}", failure.code, failure.reason),
            Evaluation::Skip(code, _) => format!("{code:?}"),
            Evaluation::Send(state) => {
                let own = state.attributes.iter().find(|own| own.name == target::SAM_ACCOUNT_NAME);
                let decided = own.map(|own| format!("{} {}", own.values.join(","), own.redacted));
                let open = state.unique.first().map(|own| format!("{:?} {}", own.candidates, own.redacted));
                decided.or(open).unwrap_or_default()
            }
        };
        assert!(found.contains(expected), "{text}: {found}");
    };
    let fails = r#"Error("none")"#;
    check(r#"SelectUniqueValue("a", "b")"#, None, None, r#"["a", "b"] false"#);
    check(r#"SelectUniqueValue("a", Redact("b"))"#, None, None, r#"["a", "b"] true"#);
    check(&format!(r#"SelectUniqueValue("a", {fails})"#), None, None, r#"["a"] false"#);
    check(&format!(r#"SelectUniqueValue({fails}, "a")"#), None, None, "ExpressionFailed: ");
    check("SelectUniqueValue([title], [title])", None, None, "no rule yields a value");
    check("SelectUniqueValue([title], [title])", Some("d"), None, r#"["d"] false"#);
    check(&format!("SelectUniqueValue({fails}, [title])"), Some("d"), None, "ExpressionFailed: ");
    // What is reserved is theirs, whatever the rules say by now.
    check(r#"SelectUniqueValue("a", "b")"#, None, Some("z"), "z false");
    check(r#"SelectUniqueValue(Redact("a"), "b")"#, None, Some("z"), "z true");
    check(&format!(r#"SelectUniqueValue({fails}, "a")"#), None, Some("z"), "z false");
    check("SelectUniqueValue([title], [title])", None, Some("z"), "z false");
    check("ToLower([userName])", None, Some("z"), "ada.byron@src.example false");
}

/// Names, containers and keys are one value. semantics: one-value
#[test]
fn several_values_where_one_is_meant() {
    let codes = || MappingSource::Direct(SourceName::new("urn:x:User:codes"));
    let key = Mapping { matching_priority: 1, ..mapping("employeeID", codes()) };
    for (mapping, name) in [
        (mapping("cn", codes()), "cn"),
        (mapping(target::PARENT, codes()), target::PARENT),
        (mapping(target::ACCOUNT_DISABLED, codes()), target::ACCOUNT_DISABLED),
        (key, "employeeID"),
    ] {
        let mut record = ada();
        record["urn:x:User"] = json!({"codes": ["a", "b"]});
        match evaluate(&prepared(&with(mapping)), &person(&[record]), None) {
            Evaluation::Fail(failure, _) => {
                let reason = format!("{name} takes one value, and the mapping yields 2; map one of them");
                assert_eq!((failure.code, failure.reason), (Code::AttributeValidationFailed, reason));
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

/// semantics: default
#[test]
fn sources_of_no_kind_and_flows_of_every_kind() {
    let mut config = config();
    let none = Mapping { default_value: Some("x".to_owned()), ..mapping("info", MappingSource::None) };
    config.mappings.push(none.clone());
    let (target, default_value) = ("comment".to_owned(), Some("y".to_owned()));
    config.mappings.push(Mapping { target, default_value, apply: Apply::OnCreate, ..none });
    let adds = mapping("otherTelephone", expression("Split(\"1,2\", \",\")"));
    config.mappings.push(Mapping { apply: Apply::ValueAddOnly, ..adds });
    let wage = mapping("employeeType", MappingSource::Constant("wage".to_owned()));
    config.mappings.retain(|mapping| mapping.target != "employeeType");
    config.mappings.push(Mapping { flow_when: FlowWhen::Always, ..wage });
    let prepared = prepared(&config);
    let person = person(&[ada()]);
    let state = sent(evaluate(&prepared, &person, None));
    let own = |state: &DesiredState, name: &str| {
        let found = state.attributes.iter().find(|own| own.name == name);
        found.map(|own| (own.values.join(","), own.apply, own.may_write))
    };
    assert_eq!(own(&state, "info"), Some(("x".to_owned(), Apply::AttributeAddOnly, MayWrite::Yes)));
    assert_eq!(own(&state, "comment"), Some(("y".to_owned(), Apply::OnCreate, MayWrite::Yes)));
    assert_eq!(own(&state, "otherTelephone"), Some(("1,2".to_owned(), Apply::ValueAddOnly, MayWrite::Yes)));
    let state = sent(evaluate(&prepared, &settled(&prepared, &person), None));
    let filled = ("x".to_owned(), Apply::AttributeAddOnly, MayWrite::Yes);
    assert_eq!(own(&state, "info"), Some(filled), "whenever it is empty");
    assert_eq!(own(&state, "comment"), None, "on create only");
    assert_eq!(own(&state, "displayName").map(|own| own.2), Some(MayWrite::FirstLinkOnly));
    assert_eq!(own(&state, "employeeType").map(|own| own.2), Some(MayWrite::Yes), "with every operation");
}

#[test]
fn what_a_new_account_needs_of_the_record() {
    for (name, default, linked, expected) in [
        ("title", None, false, Err(Code::MandatoryFieldsMissing)),
        ("title", None, true, Ok(None)),
        ("title", Some("Staff"), false, Ok(Some("Staff"))),
        ("addresses[type eq \"work\"].locality", Some("Kiel"), false, Ok(Some("Kiel"))),
        ("urn:x:User:place", Some("Kiel"), false, Ok(Some("Kiel"))),
        ("name.middleName", Some("K"), false, Ok(Some("K"))),
        ("displayName", Some("no"), false, Ok(Some("Ada Byron"))),
    ] {
        let mut config = config();
        config.mappings.push(mapping("info", MappingSource::Direct(SourceName::new(name))));
        let default_value = default.map(str::to_owned);
        config.source_attributes.push(SourceAttribute { required: true, default_value, ..SourceAttribute::text(name) });
        let mut person = person(&[ada()]);
        person.link = linked.then(|| link(true));
        match (evaluate(&prepared(&config), &person, None), expected) {
            (Evaluation::Send(state), Ok(expected)) => assert_eq!(value(&state, "info"), expected, "{name}"),
            (Evaluation::Fail(failure, _), Err(code)) => {
                assert_eq!((failure.code, failure.attribute.as_deref()), (code, Some(name)));
            }
            (other, _) => panic!("{name}: {other:?}"),
        }
    }
}

fn changed(change: impl Fn(&mut JobConfig)) -> JobConfig {
    let mut config = config();
    change(&mut config);
    config
}

/// The default with one mapping in the place of its target's.
fn with(mapping: Mapping) -> JobConfig {
    let mut config = config();
    config.mappings.retain(|own| own.target != mapping.target);
    config.mappings.push(mapping);
    config
}

fn refused(config: &JobConfig, message: &str, hint: &str) {
    let problems = check_config(config, "corp.example");
    let fits = |problem: &Problem| {
        problem.message.contains(message) && problem.hint.as_deref().unwrap_or_default().contains(hint)
    };
    assert!(problems.iter().any(fits), "{message}: {problems:?}");
}

/// The message and the hint that a broken mapping gets.
#[test]
fn mappings_that_are_refused_at_save() {
    let unique = "SelectUniqueValue([userName], [displayName])";
    let matching = |source| Mapping { matching_priority: 2, ..mapping("employeeNumber", source) };
    let on_create = |source| Mapping { apply: Apply::OnCreate, ..mapping("info", source) };
    for (config, message, hint) in [
        (with(mapping("info", expression("ToLow([title])"))), "no function ToLow", "ToLower"),
        (with(mapping("info", expression("[titel]"))), "no source attribute titel", "did you mean title?"),
        (with(mapping("objectSid", expression("[title]"))), "objectSid cannot", "sets it itself: remove the mapping"),
        (with(mapping("UserAccountControl", expression("[title]"))), "Control cannot be mapped", "map accountDisabled"),
        (with(mapping("name", expression("[title]"))), "name cannot be mapped", "map cn for"),
        (with(mapping("unicodePwd", expression("[title]"))), "unicodePwd cannot be mapped", "job's settings"),
        (with(mapping("memberOf", expression("[title]"))), "memberOf cannot be mapped", "groups are not provisioned"),
        (with(on_create(expression(&format!("ToLower({unique})")))), "SelectUniqueValue", ""),
        (with(mapping("info", expression(unique))), "chosen once", "on create only"),
        (with(matching(expression(unique))), "finds nobody", "attribute of the record"),
        (with(matching(expression("[title] & [userName]"))), "exactly one source attribute", "one attribute"),
        (with(matching(MappingSource::Constant("x".to_owned()))), "no value of the person's own", "externalId"),
        (with(matching(MappingSource::None)), "no value of the person's own", "externalId"),
        (with(matching(expression("RandomString(8, 1, 1, 1, 1) & [title]"))), "clock or chance", "record"),
        (with(mapping("info", MappingSource::None)), "neither a source nor a default", "one of the two"),
        (with(mapping("manager", expression("Switch([title], \"\", \"a\", \"b\")"))), "mapped directly", "manager"),
        (
            with(mapping("manager", MappingSource::Direct(SourceName::new("externalId")))),
            "their own manager",
            "enterprise attribute",
        ),
        (
            with(mapping("objectFilter", MappingSource::Constant("x".to_owned()))),
            "holds nobody back",
            "IgnoreObjectFlow",
        ),
        (
            with(Mapping { apply: Apply::ValueAddOnly, ..mapping("cn", expression("[title]")) }),
            "no values to add",
            "always",
        ),
    ] {
        refused(&config, message, hint);
    }
}

/// Only those in scope whose `source` is Employee.
fn filtered(source: &str) -> JobConfig {
    let mut config = employees();
    config.scope.groups[0].clauses[0].source = SourceName::new(source);
    config
}

/// Whatever a record may hold may be asked for, and a misspelling is said where it stands, also at import.
#[test]
fn clauses_name_known_source_attributes() {
    let manager = format!("{ENTERPRISE_USER}:manager.displayName");
    let check = |source: &str, listed: &[&str], is_known: bool| {
        let mut config = filtered(source);
        config.source_attributes.extend(listed.iter().map(|name| SourceAttribute::text(name)));
        config.scope.input_groups = config.scope.groups.clone();
        let problems = check_config(&config, "corp.example");
        let places: Vec<Place> = problems.iter().map(|problem| problem.place).collect();
        let (group, clause) = (0, Some(0));
        let both = [Place::Clause { group, clause }, Place::InputClause { group, clause }];
        assert_eq!(places, if is_known { &[][..] } else { &both[..] }, "{source}: {problems:?}");
    };
    for (source, listed, is_known) in [
        ("usertype", &[][..], true),
        ("active", &[], true),
        ("externalId", &[], true),
        ("resourceType", &[], true),
        ("name.familyName", &[], true),
        ("emails[type eq \"work\"].value", &[], true),
        ("urn:contoso:1.0:User:hireDate", &[], true),
        (manager.as_str(), &[], true),
        ("urn:ietf:params:scim:schemas:core:2.0:User:userType", &[], true),
        ("shoes", &["Shoes"], true),
        ("shoes.left", &["shoes"], true),
        ("userTyp", &[], false),
        ("emial[type eq \"work\"].value", &[], false),
        ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:departmnt", &[], false),
    ] {
        check(source, listed, is_known);
    }
    // What stood before this check goes on being used.
    assert!(Prepared::new(&filtered("userTyp"), 1, "corp.example").is_ok());
}

/// The same for what is no mapping of its own.
#[test]
fn settings_that_are_refused_at_save() {
    for (config, message, hint) in [
        (changed(|config| config.mappings.retain(|own| own.target != "cn")), "cn is not mapped", "Create off"),
        (
            changed(|config| config.mappings.retain(|own| own.target != "sAMAccountName")),
            "sAMAccountName is not mapped",
            "Create off",
        ),
        (
            changed(|config| config.mappings.retain(|own| own.matching_priority == 0)),
            "no mapping is a matching",
            "externalId",
        ),
        (changed(|config| config.on_scope_exit = OnScopeExit::DisableAndMove("Gone".to_owned())), "", "OU=Left"),
        (changed(|config| config.source_attributes[0].anchor = false), "the anchor is missing", "externalId"),
        (
            changed(|config| {
                for (from, to) in [("urn:x:a", "urn:x:b"), ("urn:x:b", "urn:x:a")] {
                    let reference = Reference { object: ENTERPRISE_USER.to_owned(), property: to.to_owned() };
                    let references = vec![reference];
                    config.source_attributes.push(SourceAttribute { references, ..SourceAttribute::text(from) });
                }
            }),
            "lead round in a circle",
            "refer to externalId",
        ),
        (
            changed(|config| {
                *config = employees();
                config.scope.groups[0].clauses[0].operator = "EQUAL".to_owned();
            }),
            "no operator 'EQUAL'",
            "did you mean EQUALS?",
        ),
        (filtered("userTyp"), "there is no source attribute userTyp", "did you mean userType?"),
        (filtered("shoes"), "there is no source attribute shoes", "extension's, with its URN"),
    ] {
        refused(&config, message, hint);
    }
    assert_eq!(check_config(&config(), "corp.example"), []);
    // What stood before these checks goes on being used.
    let old = with(mapping("info", expression("[shoes]")));
    assert!(Prepared::new(&old, 1, "corp.example").is_ok());
}
