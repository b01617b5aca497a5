use rollcall_model::config::{JobConfig, Mapping, MappingSource, target};
use rollcall_model::ids::PersonId;
use rollcall_model::operation::Method;
use rollcall_model::person::{Confirmed, Link, Refused};
use rollcall_model::source::ENTERPRISE_USER;
use serde_json::{Value, json};

use super::*;

mod settings;
use crate::default_mapping::default_mapping;
use crate::merge::{Incoming, Merge, merge};

fn config() -> JobConfig {
    let mut config: JobConfig = serde_json::from_value(json!({"mappings": []})).unwrap();
    config.container = Some("OU=Staff,DC=corp,DC=example".to_owned());
    config.mappings = default_mapping();
    config
}

/// At the first moment of 2026, with nothing reserved.
fn evaluate(prepared: &Prepared, person: &Person, manager_link: Option<ObjectGuid>) -> Evaluation {
    surrounded(prepared, person, manager_link).evaluation
}

fn surrounded(prepared: &Prepared, person: &Person, manager_link: Option<ObjectGuid>) -> Evaluated {
    let (now, reserved) = (Timestamp(1_767_225_600_000_000), BTreeMap::new());
    super::evaluate(prepared, person, &Surroundings { now, manager_link, secret: &[7; 32], reserved: &reserved })
}

fn mapping(to: &str, source: MappingSource) -> Mapping {
    let mut mapping = default_mapping().into_iter().find(|mapping| mapping.target == "title").unwrap();
    (mapping.target, mapping.source) = (to.to_owned(), source);
    mapping
}

fn expression(text: &str) -> MappingSource {
    MappingSource::Expression(text.to_owned())
}

fn prepared(config: &JobConfig) -> Prepared {
    Prepared::new(config, 1, "corp.example").unwrap()
}

/// A person into whom these records were merged, one after the other.
fn person(records: &[Value]) -> Person {
    let first = records[0]["externalId"].as_str().unwrap();
    let mut person = Person::new(PersonId("00000000-0000-0000-0000-000000000001".parse().unwrap()), first);
    for record in records {
        person = merge_into(&person, record);
    }
    person
}

fn merge_into(person: &Person, record: &Value) -> Person {
    match merge(person, &Incoming { method: Method::Post, data: record.as_object().unwrap() }) {
        Merge::Accepted { person, .. } => person,
        Merge::Rejected { failure, .. } => panic!("{failure:?}"),
    }
}

fn link(confirmed: bool) -> Link {
    let guid = ObjectGuid("00112233-4455-6677-8899-aabbccddeeff".parse().unwrap());
    Link { guid, confirmed, invocation_id: None, usn_changed: None }
}

/// As if everything had been confirmed: linked, nothing pending.
fn settled(prepared: &Prepared, person: &Person) -> Person {
    let state = sent(evaluate(prepared, person, None));
    let mut settled = person.clone();
    settled.link = Some(link(true));
    settled.pending = rollcall_model::person::Pending::default();
    settled.confirmed = Some(Confirmed {
        attributes: state
            .attributes
            .iter()
            .filter(|attribute| attribute.apply == Apply::Always)
            .map(|attribute| (attribute.name.to_lowercase(), attribute.values.clone()))
            .collect(),
        container: state.container.mapped,
        enabled: Some(true),
        manager: state.manager.map(|manager| manager.external_id),
        in_scope: Some(true),
    });
    settled
}

fn sent(evaluation: Evaluation) -> DesiredState {
    match evaluation {
        Evaluation::Send(state) => *state,
        other => panic!("{other:?}"),
    }
}

fn values<'a>(state: &'a DesiredState, name: &str) -> Option<&'a [String]> {
    state.attributes.iter().find(|attribute| attribute.name == name).map(|attribute| attribute.values.as_slice())
}

fn value<'a>(state: &'a DesiredState, name: &str) -> Option<&'a str> {
    values(state, name).map(|values| values.first().map_or("", String::as_str))
}

fn ada() -> Value {
    json!({"externalId": "E-1", "userName": "ada.byron@src.example", "displayName": "Ada Byron", "active": true})
}

/// The records of wire contract 2.12. semantics: default-mapping
#[test]
fn the_contracts_example() {
    let ines = json!({
        "schemas": [], "externalId": "E-2001", "userName": "ines.roth@acme.test", "active": true,
        "displayName": "Inès Roth", "name": {"givenName": "Inès", "familyName": "Roth"}, "title": "Buyer",
        "addresses": [{"type": "work", "streetAddress": "Hafenstr. 4", "locality": "Kiel", "postalCode": "24103", "country": "DE"}],
        "phoneNumbers": [{"type": "work", "value": "+49 431 555 01"}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
            "employeeNumber": "E-2001", "department": "Purchasing", "organization": "ACME", "costCenter": "7710",
            "manager": {"value": "E-1000"}},
        "urn:ietf:params:scim:schemas:extension:acme:1.0:User": {"HireDate": "2026-02-01T00:00:00+01:00", "BadgeId": "b-77"}
    });
    let prepared = prepared(&config());
    let person = person(&[ines]);
    assert_eq!(manager_of(&prepared, &person).as_deref(), Some("E-1000"));
    let state = sent(evaluate(&prepared, &person, None));
    for (name, expected) in [
        ("employeeID", "E-2001"),
        ("userPrincipalName", "ines.roth@corp.example"),
        ("sAMAccountName", "ines.roth"),
        ("displayName", "Inès Roth"),
        ("givenName", "Inès"),
        ("sn", "Roth"),
        ("title", "Buyer"),
        ("telephoneNumber", "+49 431 555 01"),
        ("streetAddress", "Hafenstr. 4"),
        ("l", "Kiel"),
        ("postalCode", "24103"),
        ("co", "DE"),
        ("c", "DE"),
        ("department", "Purchasing"),
        ("company", "ACME"),
        ("employeeNumber", "E-2001"),
    ] {
        assert_eq!(value(&state, name), Some(expected), "{name}");
    }
    for absent in ["mail", "st", "division", "middleName", "manager", "cn", "accountDisabled"] {
        assert_eq!(values(&state, absent), None, "{absent}");
    }
    assert_eq!(state.cn.as_deref(), Some("Inès Roth"));
    assert_eq!(state.account, DesiredAccount::EnabledIfNewOrFirstLink);
    assert_eq!(state.matching, [MatchRule { attribute: "employeeID".to_owned(), value: "E-2001".to_owned() }]);
    let manager = state.manager.unwrap();
    assert_eq!(manager.matching, [MatchRule { attribute: "employeeID".to_owned(), value: "E-1000".to_owned() }]);
    assert!(state.warnings.is_empty() && state.container.mapped.is_none());
    // The other record, and the one that terminates.
    let olaf = self::person(&[
        json!({"externalId": "E-1000", "userName": "olaf.kern", "displayName": "Olaf Kern", "active": true}),
    ]);
    let state = sent(evaluate(&prepared, &olaf, None));
    assert_eq!(
        (value(&state, "sAMAccountName"), value(&state, "userPrincipalName")),
        (Some("olaf.kern"), Some("olaf.kern@corp.example"))
    );
    let gone = self::person(&[json!({"schemas": [], "externalId": "E-2001", "active": false})]);
    let state = sent(evaluate(&prepared, &gone, None));
    assert_eq!(
        (state.account, state.if_absent, state.extent),
        (DesiredAccount::Disabled, IfAbsent::Skip, Extent::Everything)
    );
}

/// semantics: default-mapping
#[test]
fn names_of_accounts() {
    let prepared = prepared(&config());
    for (user_name, sam, upn) in [
        ("ada@x.example", Some("ada"), Some("ada@corp.example")),
        ("a@b@x.example", Some("ab"), Some("a@corp.example")),
        ("a\"/\\[]:;|=,+*?<>@x", Some("a"), Some("a\"/\\[]:;|=,+*?<>@corp.example")),
        ("abcdefghijklmnopqrstuvwxyz", Some("abcdefghijklmnopqrst"), Some("abcdefghijklmnopqrstuvwxyz@corp.example")),
        ("abcdefghijklmnopqr...z", Some("abcdefghijklmnopqr"), Some("abcdefghijklmnopqr...z@corp.example")),
        ("ada...", Some("ada"), Some("ada...@corp.example")),
        ("@x.example", None, None),
        ("", None, None),
    ] {
        let mut record = ada();
        record["userName"] = json!(user_name);
        let state = sent(evaluate(&prepared, &person(&[record]), None));
        assert_eq!((value(&state, "sAMAccountName"), value(&state, "userPrincipalName")), (sam, upn), "{user_name}");
    }
    for (country, co, c) in [("DE", Some("DE"), Some("DE")), ("Germany", Some("Germany"), None), ("", None, None)] {
        let mut record = ada();
        record["addresses"] = json!([{"type": "work", "country": country}]);
        let state = sent(evaluate(&prepared, &person(&[record]), None));
        assert_eq!((value(&state, "co"), value(&state, "c")), (co, c), "{country}");
    }
    for (name, cn) in
        [("x".repeat(70), Some("x".repeat(64))), ("  a ".to_owned(), Some("a".to_owned())), (" ".to_owned(), None)]
    {
        let mut record = ada();
        record["displayName"] = json!(name);
        assert_eq!(sent(evaluate(&prepared, &person(&[record]), None)).cn, cn, "{name}");
    }
}

/// semantics: active, enable
#[test]
fn account_states() {
    let prepared = prepared(&config());
    let check = |records: &[Value], linked: Option<bool>, reevaluate: bool, expected: DesiredAccount| {
        let mut person = person(records);
        if let Some(enabled) = linked {
            person.link = Some(link(true));
            person.confirmed = Some(Confirmed { enabled: Some(enabled), ..Confirmed::default() });
        }
        person.pending.reevaluate = reevaluate;
        assert_eq!(sent(evaluate(&prepared, &person, None)).account, expected, "{records:?} {linked:?} {reevaluate}");
    };
    let (mut off, mut never) = (ada(), ada());
    off["active"] = json!("false");
    never.as_object_mut().unwrap().remove("active");
    check(&[ada()], None, false, DesiredAccount::EnabledIfNewOrFirstLink);
    check(std::slice::from_ref(&off), None, false, DesiredAccount::Disabled);
    check(std::slice::from_ref(&never), None, false, DesiredAccount::EnabledIfNew);
    check(&[off.clone(), ada()], Some(true), false, DesiredAccount::Enabled);
    check(&[ada()], Some(true), false, DesiredAccount::EnabledIfNewOrFirstLink);
    check(&[ada()], Some(false), false, DesiredAccount::Enabled);
    check(&[off.clone(), never], Some(true), false, DesiredAccount::Disabled);
    check(&[off.clone(), ada()], Some(false), true, DesiredAccount::EnabledIfNew);
    check(&[off], Some(true), true, DesiredAccount::Disabled);
}

/// semantics: active (a rule for new accounts says nothing of others; a default is for new ones)
#[test]
fn account_states_by_rules_for_new_accounts() {
    for (apply, default, linked, expected) in [
        (Apply::OnCreate, None, false, DesiredAccount::Disabled),
        (Apply::OnCreate, None, true, DesiredAccount::EnabledIfNewOrFirstLink),
        (Apply::Always, None, true, DesiredAccount::Disabled),
        (Apply::Always, Some("True"), false, DesiredAccount::Disabled),
        (Apply::Always, Some("True"), true, DesiredAccount::EnabledIfNewOrFirstLink),
    ] {
        let mut config = config();
        config.mappings.retain(|own| own.target != target::ACCOUNT_DISABLED);
        let source = if default.is_some() { expression("[nickName]") } else { expression("Append(\"Tr\", \"ue\")") };
        let rule = mapping(target::ACCOUNT_DISABLED, source);
        config.mappings.push(Mapping { apply, default_value: default.map(str::to_owned), ..rule });
        let mut person = person(&[ada()]);
        if linked {
            person.link = Some(link(true));
            person.confirmed = Some(Confirmed { enabled: Some(true), ..Confirmed::default() });
        }
        let account = sent(evaluate(&prepared(&config), &person, None)).account;
        assert_eq!(account, expected, "{apply:?} {default:?} {linked}");
    }
}

/// semantics: inactive-no-account
#[test]
fn inactive_without_an_account() {
    let mut record = ada();
    record["active"] = json!(false);
    let mut config = config();
    assert_eq!(sent(evaluate(&prepared(&config), &person(&[record.clone()]), None)).if_absent, IfAbsent::Skip);
    config.create_inactive = true;
    let state = sent(evaluate(&prepared(&config), &person(&[record]), None));
    assert_eq!((state.if_absent, state.account), (IfAbsent::Create, DesiredAccount::Disabled));
}

/// semantics: disable (whatever else is wrong)
#[test]
fn a_broken_record_still_disables() {
    let mut config = config();
    config.mappings.push(mapping("info", expression("Item([shoes], 1)")));
    let prepared = prepared(&config);
    let mut record = ada();
    record["active"] = json!(false);
    let state = sent(evaluate(&prepared, &person(&[record]), None));
    assert_eq!(
        (state.extent, state.account, state.if_absent),
        (Extent::AccountOnly, DesiredAccount::Disabled, IfAbsent::Skip)
    );
    let failure = state.failure.unwrap();
    assert_eq!((failure.code, failure.attribute.as_deref()), (Code::ExpressionFailed, Some("info")));
    assert!(failure.reason.contains("Item, argument 2"), "{}", failure.reason);
    let Evaluation::Fail(failure, _) = evaluate(&prepared, &person(&[ada()]), None) else { panic!("sent") };
    assert_eq!(failure.code, Code::ExpressionFailed);
}

/// semantics: match
#[test]
fn matching_values() {
    let prepared = prepared(&config());
    for (id, expected) in [
        ("1234567890123456", None),
        ("12345678901234567", Some(Code::MatchingValueTooLong)),
        ("😀😀😀😀😀😀😀😀😀", Some(Code::MatchingValueTooLong)),
    ] {
        let mut record = ada();
        record["externalId"] = json!(id);
        let found = match evaluate(&prepared, &person(&[record.clone()]), None) {
            Evaluation::Fail(failure, _) => Some(failure.code),
            _ => None,
        };
        assert_eq!(found, expected, "{id}");
        let mut linked = person(&[record]);
        linked.link = Some(link(true));
        assert!(matches!(evaluate(&prepared, &linked, None), Evaluation::Send(_)), "a link needs no matching value");
    }
    let mut config = config();
    config.mappings.retain(|mapping| mapping.matching_priority == 0);
    config.mappings.push(Mapping {
        matching_priority: 2,
        ..mapping("employeeType", MappingSource::Direct(SourceName::new("badge")))
    });
    config.mappings.retain(|mapping| mapping.target != "employeeType" || mapping.matching_priority > 0);
    let Evaluation::Fail(failure, _) = evaluate(&super::tests::prepared(&config), &person(&[ada()]), None) else {
        panic!()
    };
    assert_eq!((failure.code, failure.attribute.as_deref()), (Code::ImportSkipped, Some("employeeType")));
}

/// semantics: may-write
#[test]
fn what_an_operation_may_write() {
    let mut config = config();
    config.mappings.push(mapping("info", expression("Append([title], [nickName])")));
    let prepared = prepared(&config);
    let mut record = ada();
    (record["title"], record["nickName"]) = (json!("t"), json!("n"));
    let base = settled(&prepared, &person(&[record]));
    let check = |person: &Person, name: &str, expected: MayWrite| {
        let state = sent(evaluate(&prepared, person, None));
        let found = state.attributes.iter().find(|attribute| attribute.name == name).unwrap().may_write;
        assert_eq!(found, expected, "{name}");
    };
    let sent_title = merge_into(&base, &json!({"externalId": "E-1", "title": "t"}));
    check(&sent_title, "title", MayWrite::Yes);
    check(&sent_title, "info", MayWrite::Yes);
    check(&sent_title, "displayName", MayWrite::FirstLinkOnly);
    let sent_name = merge_into(&base, &json!({"externalId": "E-1", "displayName": "Ada B"}));
    check(&sent_name, "title", MayWrite::FirstLinkOnly);
    let mut differs = base.clone();
    differs.confirmed.as_mut().unwrap().attributes.insert("title".to_owned(), vec!["old".to_owned()]);
    check(&differs, "title", MayWrite::Yes);
    check(&differs, "displayName", MayWrite::FirstLinkOnly);
    differs.confirmed.as_mut().unwrap().attributes.remove("title");
    check(&differs, "title", MayWrite::Yes);
    let mut again = base.clone();
    again.pending.reevaluate = true;
    check(&again, "displayName", MayWrite::Yes);
    let state = sent(evaluate(&prepared, &base, None));
    assert!(values(&state, "employeeID").is_none(), "on create only, and there is an account");
}

/// semantics: null-empty
#[test]
fn clearing_needs_both_switches() {
    let check = |target_switch: bool, source_switch: bool, title: Value, expected: Option<&[&str]>| {
        let mut config = config();
        config
            .mappings
            .iter_mut()
            .filter(|row| row.target == "title")
            .for_each(|row| row.flow_null_values = target_switch);
        if source_switch {
            config.clearable_sources.push(SourceName::new("TITLE"));
        }
        let prepared = prepared(&config);
        let mut before = ada();
        before["title"] = json!("t");
        let mut record = json!({"externalId": "E-1"});
        if title != json!("absent") {
            record["title"] = title.clone();
        }
        let person = merge_into(&settled(&prepared, &person(&[before])), &record);
        let state = sent(evaluate(&prepared, &person, None));
        let expected: Option<Vec<String>> =
            expected.map(|values| values.iter().map(|&value| value.to_owned()).collect());
        assert_eq!(
            values(&state, "title").map(<[String]>::to_vec),
            expected,
            "{target_switch} {source_switch} {title}"
        );
    };
    check(true, true, json!(null), Some(&[]));
    check(true, true, json!(""), Some(&[]));
    check(true, false, json!(null), None);
    check(false, true, json!(null), None);
    check(false, false, json!(""), None);
    check(true, true, json!("absent"), Some(&["t"]));
    check(true, true, json!("new"), Some(&["new"]));
    let mut config = config();
    config.empty_is_value = true;
    let mut record = ada();
    record["title"] = json!("");
    assert_eq!(value(&sent(evaluate(&prepared(&config), &person(&[record]), None)), "title"), Some(""));
}

/// semantics: null-empty (what was never ours is not cleared unasked)
#[test]
fn an_old_null_does_not_clear_later() {
    let mut config = config();
    config.mappings.iter_mut().filter(|row| row.target == "title").for_each(|row| row.flow_null_values = true);
    config.clearable_sources.push(SourceName::new("title"));
    let prepared = prepared(&config);
    let mut record = ada();
    record["title"] = json!(null);
    let mut linked = person(&[record]);
    linked.link = Some(link(true));
    linked.pending.touched.clear();
    let state = sent(evaluate(&prepared, &linked, None));
    let title = state.attributes.iter().find(|attribute| attribute.name == "title").unwrap();
    assert_eq!((title.values.len(), title.may_write), (0, MayWrite::FirstLinkOnly));
    linked.pending.touched.insert("title".to_owned());
    let state = sent(evaluate(&prepared, &linked, None));
    assert_eq!(state.attributes.iter().find(|attribute| attribute.name == "title").unwrap().may_write, MayWrite::Yes);
}

/// semantics: create (defaults, and a refused value)
#[test]
fn defaults_and_refusals() {
    let mut config = config();
    config
        .mappings
        .iter_mut()
        .filter(|row| row.target == "title")
        .for_each(|row| row.default_value = Some("New".to_owned()));
    let prepared = prepared(&config);
    let mut person = person(&[ada()]);
    let state = sent(evaluate(&prepared, &person, None));
    let title = state.attributes.iter().find(|attribute| attribute.name == "title").unwrap();
    assert_eq!((title.values.as_slice(), title.apply), (&["New".to_owned()][..], Apply::OnCreate));
    person.link = Some(link(true));
    assert_eq!(
        value(&sent(evaluate(&prepared, &person, None)), "title"),
        None,
        "no default for an account that is there"
    );
    let refused = |value: &str, schema_version| Refused {
        values: vec![value.to_owned()],
        schema_version,
        reason: "no".to_owned(),
    };
    for (stored, kept) in [(refused("Ada Byron", 1), false), (refused("Ada", 1), true), (refused("Ada Byron", 0), true)]
    {
        person.refused.insert("displayname".to_owned(), stored);
        let state = sent(evaluate(&prepared, &person, None));
        assert_eq!(value(&state, "displayName").is_some(), kept);
        assert_eq!(state.warnings.iter().any(|warning| warning.code == Code::AttributeRefused), !kept);
    }
}

/// semantics: manager
#[test]
fn managers() {
    let prepared = prepared(&config());
    let with = |id: &str| {
        let mut record = ada();
        record[ENTERPRISE_USER] = json!({"manager": {"value": id}});
        record
    };
    let guid = link(true).guid;
    let own = person(&[with("e-1")]);
    assert_eq!(manager_of(&prepared, &own), None);
    let state = sent(evaluate(&prepared, &own, None));
    assert_eq!((state.manager, state.warnings[0].code), (None, Code::SelfReference));
    let state = sent(evaluate(&prepared, &person(&[with("E-2")]), Some(guid)));
    assert_eq!(state.manager.as_ref().unwrap().guid, Some(guid));
    let long = "x".repeat(40);
    let manager = sent(evaluate(&prepared, &person(&[with(&long)]), None)).manager.unwrap();
    assert!(manager.matching.is_empty(), "a value that cannot fit is not looked for");
    // One who can never be sent is not waited for; the store could not even keep the name.
    for nobody in ["a\0b".to_owned(), "x".repeat(257)] {
        let person = person(&[with(&nobody)]);
        assert_eq!(manager_of(&prepared, &person), None);
        let state = sent(evaluate(&prepared, &person, None));
        assert_eq!(state.manager, None);
        assert_eq!(state.warnings[0].code, Code::UnableToResolveReferenceAttributeValue);
    }
    let settled = settled(&prepared, &person(&[with("E-2")]));
    let may_write = |person: &Person| sent(evaluate(&prepared, person, None)).manager.unwrap().may_write;
    assert_eq!(may_write(&settled), MayWrite::FirstLinkOnly);
    assert_eq!(may_write(&merge_into(&settled, &with("E-2"))), MayWrite::Yes);
    let mut unresolved = settled.clone();
    unresolved.confirmed.as_mut().unwrap().manager = None;
    assert_eq!(may_write(&unresolved), MayWrite::Yes);
}

/// semantics: move
#[test]
fn containers() {
    let mut config = config();
    let text = format!(
        "Switch([{ENTERPRISE_USER}:division], \"OU=A,DC=x\", \"B\", \"OU=B,DC=x\", \"bad\", \"nonsense\", \"none\", )"
    );
    config.mappings.push(mapping(target::PARENT, expression(&text)));
    let prepared = prepared(&config);
    let with = |division: &str| {
        let mut record = ada();
        record[ENTERPRISE_USER] = json!({"division": division});
        record
    };
    let state = sent(evaluate(&prepared, &person(&[with("B")]), None));
    assert_eq!(state.container.mapped.as_deref(), Some("OU=B,DC=x"));
    let settled = settled(&prepared, &person(&[with("B")]));
    let check = |person: &Person, mapped: Option<&str>, may_move: bool| {
        let container = sent(evaluate(&prepared, person, None)).container;
        assert_eq!((container.mapped.as_deref(), container.may_move), (mapped, may_move));
    };
    check(&settled, Some("OU=B,DC=x"), false);
    check(&merge_into(&settled, &with("B")), Some("OU=B,DC=x"), false);
    check(&merge_into(&settled, &with("C")), Some("OU=A,DC=x"), true);
    check(&merge_into(&settled, &with("none")), None, false);
    let mut moved = settled.clone();
    moved.pending.moved = true;
    check(&moved, Some("OU=B,DC=x"), true);
    let mut spelled = settled.clone();
    spelled.confirmed.as_mut().unwrap().container = Some("ou=b, dc=X".to_owned());
    check(&spelled, Some("OU=B,DC=x"), false);
    spelled.confirmed.as_mut().unwrap().container = None;
    check(&spelled, Some("OU=B,DC=x"), false);
    check(&merge_into(&spelled, &with("B")), Some("OU=B,DC=x"), true);
    let Evaluation::Fail(failure, _) = evaluate(&prepared, &person(&[with("bad")]), None) else { panic!("sent") };
    assert_eq!((failure.code, failure.attribute.as_deref()), (Code::AttributeValidationFailed, Some(target::PARENT)));
    config.mappings.last_mut().unwrap().default_value = Some("OU=New,DC=x".to_owned());
    let container = sent(evaluate(&self::prepared(&config), &person(&[with("none")]), None)).container;
    assert_eq!((container.mapped, container.default.as_deref()), (None, Some("OU=New,DC=x")));
}

/// semantics: move (rename), may-write
#[test]
fn names() {
    let mut config = config();
    let on_create = settled(&prepared(&config), &person(&[ada()]));
    let mut other = ada();
    other["displayName"] = json!("Other Name");
    let state = sent(evaluate(&prepared(&config), &merge_into(&on_create, &other), None));
    assert_eq!((state.cn, state.rename), (None, None), "written on create only");
    config.mappings.iter_mut().for_each(|row| row.apply = Apply::Always);
    let prepared = prepared(&config);
    let new = sent(evaluate(&prepared, &person(&[ada()]), None));
    assert_eq!((new.cn.as_deref(), new.rename), (Some("Ada Byron"), Some(MayWrite::Yes)));
    let check = |what: &str, record: &Value, confirmed: Option<&str>, expected: (Option<&str>, Option<MayWrite>)| {
        let mut person = settled(&prepared, &person(&[ada()]));
        let names = person.confirmed.get_or_insert_default();
        names.attributes.extend(confirmed.map(|cn| ("cn".to_owned(), vec![cn.to_owned()])));
        let state = sent(evaluate(&prepared, &merge_into(&person, record), None));
        assert_eq!((state.cn.as_deref(), state.rename), expected, "{what}");
    };
    let id = json!({"externalId": ada()["externalId"]});
    let named = |name: &str| json!({"externalId": ada()["externalId"], "displayName": name});
    check("not sent", &id, Some("Ada Byron"), (Some("Ada Byron"), Some(MayWrite::FirstLinkOnly)));
    check("never confirmed", &id, None, (Some("Ada Byron"), Some(MayWrite::Yes)));
    check("confirmed otherwise", &id, Some("ada byron"), (Some("Ada Byron"), Some(MayWrite::Yes)));
    check("sent", &named("Ada Byron"), Some("Ada Byron"), (Some("Ada Byron"), Some(MayWrite::Yes)));
    check("changed", &named("Ada King"), Some("Ada Byron"), (Some("Ada King"), Some(MayWrite::Yes)));
    check("emptied", &named(""), Some("Ada Byron"), (None, None));
}

/// semantics: delete
#[test]
fn delete_operations() {
    let mut config = config();
    let mut person = person(&[ada()]);
    person.pending.method = Method::Delete;
    assert_eq!(evaluate(&prepared(&config), &person, None), Evaluation::Skip(Code::NotLinked, Vec::new()));
    person.link = Some(link(true));
    let state = sent(evaluate(&prepared(&config), &person, None));
    assert_eq!(
        (state.extent, state.account, state.if_absent),
        (Extent::AccountOnly, DesiredAccount::Disabled, IfAbsent::Skip)
    );
    assert_eq!((state.failure, state.delete), (None, false));
    config.delete_action = DeleteAction::Delete;
    let state = sent(evaluate(&prepared(&config), &person, None));
    assert_eq!((state.delete, state.extent, state.account), (true, Extent::AccountOnly, DesiredAccount::Disabled));
    // Once the account is deleted, the next DELETE has nothing to do.
    let unlinked = Person { link: None, ..person.clone() };
    assert_eq!(evaluate(&prepared(&config), &unlinked, None), Evaluation::Skip(Code::NotLinked, Vec::new()));
    config.delete_action = DeleteAction::Off;
    let left = sent(evaluate(&prepared(&config), &person, None));
    assert_eq!(left.extent, Extent::Everything, "what was sent before an ignored DELETE is still written");
    person.pending.touched.clear();
    assert_eq!(evaluate(&prepared(&config), &person, None), Evaluation::Skip(Code::DeleteIgnored, Vec::new()));
}

/// semantics: disable (a DELETE that does nothing swallows none)
#[test]
fn a_leaver_who_is_then_deleted_is_disabled() {
    let mut leaver = ada();
    leaver["active"] = json!(false);
    let mut person = person(&[leaver]);
    person.pending.method = Method::Delete;
    let mut config = config();
    for action in [DeleteAction::Disable, DeleteAction::Off, DeleteAction::Delete] {
        config.delete_action = action;
        for link in [None, Some(link(true))] {
            person.link = link;
            let state = sent(evaluate(&prepared(&config), &person, None));
            assert_eq!((state.account, state.if_absent), (DesiredAccount::Disabled, IfAbsent::Skip), "{action:?}");
            assert_eq!(state.delete, action == DeleteAction::Delete && person.link.is_some(), "{action:?}");
        }
    }
    (person.link, config.delete_action) = (None, DeleteAction::Disable);
    person.pending.touched.clear();
    assert_eq!(evaluate(&prepared(&config), &person, None), Evaluation::Skip(Code::NotLinked, Vec::new()));
}

/// semantics: null-empty, may-write (null for a whole object is null for what is in it)
#[test]
fn null_for_the_whole_counts_for_its_parts() {
    let mut config = config();
    let (name, department) = ("name.givenName", format!("{ENTERPRISE_USER}:department"));
    config.clearable_sources = vec![SourceName::new(name), SourceName::new(&department)];
    config.mappings.iter_mut().for_each(|row| row.flow_null_values = true);
    let prepared = prepared(&config);
    let settled = settled(&prepared, &person(&[ada()]));
    for (source, target) in [("name", "givenName"), (ENTERPRISE_USER, "department")] {
        let mut nulled = ada();
        nulled[source] = Value::Null;
        let state = sent(evaluate(&prepared, &merge_into(&settled, &nulled), None));
        let found = state.attributes.iter().find(|attribute| attribute.name == target).unwrap();
        assert_eq!((found.values.len(), found.may_write), (0, MayWrite::Yes), "{source}");
    }
}

/// semantics: broken-record (unknown attributes are ignored and named)
#[test]
fn unknown_attributes_are_named() {
    let prepared = prepared(&config());
    let mut record = ada();
    (record["shoeSize"], record["resourceType"], record["urn:x:y"]) =
        (json!({"left": 44}), json!("User"), json!({"a": "b"}));
    let state = sent(evaluate(&prepared, &person(&[record.clone()]), None));
    let named: Vec<_> = state.warnings.iter().map(|warning| (warning.code, warning.attribute.as_deref())).collect();
    assert_eq!(named, [(Code::UnknownAttributeIgnored, Some("/shoeSize"))]);
    let mut config = config();
    config.mappings.push(mapping("info", MappingSource::Direct(SourceName::new("shoeSize.left"))));
    let state = sent(evaluate(&super::tests::prepared(&config), &person(&[record]), None));
    assert_eq!((value(&state, "info"), state.warnings.len()), (Some("44"), 0));
}

#[test]
fn mappings_that_cannot_be_used() {
    let check = |change: fn(&mut JobConfig), expected: &str| {
        let mut config = config();
        change(&mut config);
        let problems = Prepared::new(&config, 1, "corp.example").unwrap_err();
        let text = format!(
            "{}: {} ({})",
            problems[0].target,
            problems[0].message,
            problems[0].hint.clone().unwrap_or_default()
        );
        assert!(text.contains(expected), "{text}");
    };
    check(|config| config.mappings.clear(), "no mapping is a matching attribute");
    check(|config| config.mappings.push(mapping("unicodePwd", expression("Now()"))), "unicodePwd cannot be mapped");
    check(|config| config.mappings.push(mapping("TITLE", expression("Not([a])"))), "TITLE is mapped twice");
    check(|config| config.mappings.push(mapping("info", expression("ToLowr([a])"))), "did you mean ToLower?");
    check(|config| config.mappings.push(mapping("info", expression("ToLower()"))), "takes 1 to 2 arguments, not 0");
    check(|config| config.mappings.push(mapping("info", expression("ToLower("))), "expected");
    check(|config| config.mappings.push(mapping("a b", expression("Not([a])"))), "no attribute's name");
    check(
        |config| config.mappings.push(mapping("info", MappingSource::Direct(SourceName::new("a b")))),
        "no source attribute",
    );
    check(|config| config.container = Some("Staff".to_owned()), "no distinguished name");
    check(
        |config| {
            config
                .mappings
                .iter_mut()
                .filter(|row| row.target == "manager")
                .for_each(|row| row.source = expression("Not([a])"));
        },
        "mapped directly",
    );
    check(
        |config| {
            let two = mapping("info", expression("Append([a], [b])"));
            config.mappings.push(Mapping { matching_priority: 2, ..two });
        },
        "exactly one source attribute",
    );
}

#[test]
fn hostile_values_pass_through_unchanged() {
    let prepared = prepared(&config());
    for text in ["*)(objectClass=*", "CN=x,DC=y", "a\0b", "\u{202e}rtl", "😀", "'; DROP TABLE", "\\2a", "${x}$1"] {
        let mut record = ada();
        (record["title"], record["displayName"], record["userName"]) = (json!(text), json!(text), json!(text));
        let state = sent(evaluate(&prepared, &person(&[record]), None));
        assert_eq!((value(&state, "title"), state.cn.as_deref()), (Some(text), Some(text)));
        let twice = sent(evaluate(&prepared, &person(&[json!({"externalId": "E-1", "title": text})]), None));
        assert_eq!(value(&twice, "title"), Some(text));
    }
}

/// Not a measurement, only a guard against something quadratic: debug builds are slow.
#[test]
fn evaluation_is_deterministic() {
    let prepared = prepared(&config());
    let person = person(&[ada()]);
    let first = evaluate(&prepared, &person, None);
    for _ in 0..50 {
        assert_eq!(evaluate(&prepared, &person, None), first);
    }
}
