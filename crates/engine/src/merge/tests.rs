use proptest::prelude::*;
use rollcall_model::ids::PersonId;
use serde_json::json;

use super::*;

fn person(record: impl std::borrow::Borrow<Value>) -> Person {
    let mut person = Person::new(PersonId("00000000-0000-0000-0000-000000000001".parse().unwrap()), "E-1");
    person.record = record.borrow().as_object().unwrap().clone();
    person
}

fn merged(record: Value, data: &Value) -> Merge {
    let data = data.as_object().unwrap();
    merge(&person(record), &Incoming { method: Method::Post, data })
}

fn accepted(record: Value, data: &Value) -> (Person, Vec<Warning>) {
    match merged(record, data) {
        Merge::Accepted { person, warnings } => (person, warnings),
        Merge::Rejected { failure, .. } => panic!("{failure:?} for {data}"),
    }
}

/// semantics: merge
#[test]
fn merges_member_by_member() {
    let check = |record: Value, data: Value, expected: Value| {
        let mut data = data;
        data["externalId"] = json!("E-1");
        let (person, _) = accepted(record, &data);
        let mut expected = expected;
        expected["externalId"] = json!("E-1");
        assert_eq!(Value::Object(person.record), expected, "{data}");
        assert_eq!(person.version.0, 1);
    };
    check(json!({"title": "a"}), json!({"userName": "b"}), json!({"title": "a", "userName": "b"}));
    check(json!({"userName": "a"}), json!({"username": "b"}), json!({"userName": "b"}));
    check(
        json!({"name": {"givenName": "a", "familyName": "b"}}),
        json!({"NAME": {"givenname": "c"}}),
        json!({"name": {"givenName": "c", "familyName": "b"}}),
    );
    check(
        json!({"name": {"givenName": "a"}}),
        json!({"name": {"givenName": null}}),
        json!({"name": {"givenName": null}}),
    );
    check(json!({"title": "a"}), json!({"title": null}), json!({"title": null}));
    check(json!({"name": null}), json!({"name": {"givenName": "a"}}), json!({"name": {"givenName": "a"}}));
    check(
        json!({"emails": [{"type": "home", "value": "h"}]}),
        json!({"emails": [{"value": "w"}]}),
        json!({"emails": [{"type": "home", "value": "h"}, {"type": "work", "value": "w"}]}),
    );
    check(
        json!({"addresses": [{"type": "work", "locality": "Kiel", "region": "SH"}]}),
        json!({"addresses": [{"type": "Work", "locality": "Bonn"}]}),
        json!({"addresses": [{"type": "work", "locality": "Bonn", "region": "SH"}]}),
    );
    check(json!({"roles": ["a", "b"]}), json!({"roles": ["c"]}), json!({"roles": ["c"]}));
    check(json!({}), json!({"shoeSize": 44, "urn:x:y": {"Z": [1]}}), json!({"shoeSize": 44, "urn:x:y": {"Z": [1]}}));
    check(
        json!({"urn:x:y": {"a": "1", "b": "2"}}),
        json!({"URN:X:Y": {"A": "3"}}),
        json!({"urn:x:y": {"a": "3", "b": "2"}}),
    );
    // What carries nothing of the person, and the password, are dropped.
    check(
        json!({}),
        json!({"id": "x", "meta": {}, "schemas": ["s"], "password": "p", "PassWord": "q", "title": "t"}),
        json!({"title": "t"}),
    );
    check(
        json!({}),
        json!({"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"manager": {"value": "E-2", "$ref": "../E-2"}, "Department": "D"}}),
        json!({"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"manager": {"value": "E-2"}, "department": "D"}}),
    );
    check(
        json!({}),
        json!({"urn:ietf:params:scim:schemas:core:2.0:User": {"title": "t", "password": "p"}}),
        json!({"title": "t"}),
    );
}

/// semantics: merge (several of one type: primary, else first)
#[test]
fn several_elements_of_one_type() {
    for (elements, expected) in [
        (json!([{"value": "a"}, {"type": "WORK", "value": "b"}]), "a"),
        (json!([{"value": "a"}, {"value": "b", "primary": true}]), "b"),
        (json!([{"value": "a"}, {"value": "b", "primary": "True"}, {"value": "c", "primary": true}]), "b"),
    ] {
        let (person, warnings) = accepted(json!({}), &json!({"externalId": "E-1", "emails": elements}));
        assert_eq!(person.record["emails"][0]["value"], expected, "{elements}");
        assert_eq!(warnings.len(), 1);
        assert_eq!(warnings[0].code, Code::SeveralValuesOfOneType);
    }
}

/// semantics: may-write (what was present)
#[test]
fn touched_names_every_leaf() {
    let (person, _) = accepted(
        json!({"phoneNumbers": [{"type": "fax", "value": "1"}]}),
        &json!({
            "externalId": "E-1", "userName": "u", "active": true, "name": {"givenName": "g"},
            "emails": [{"value": "w"}], "phoneNumbers": null,
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "d", "manager": {"value": "m"}}
        }),
    );
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user";
    for name in [
        "externalid",
        "username",
        "active",
        "name.givenname",
        "emails[type eq \"work\"].value",
        "phonenumbers[type eq \"fax\"].value",
    ] {
        assert!(person.pending.touched.contains(name), "{name} in {:?}", person.pending.touched);
    }
    for name in ["department", "manager"] {
        assert!(person.pending.touched.contains(&format!("{enterprise}:{name}")), "{name}");
    }
    assert!(!person.pending.touched.contains("emails[type eq \"home\"].value"));
}

/// semantics: active
#[test]
fn active_takes_booleans_and_their_words() {
    for (sent, stored, was_inactive) in [
        (json!(true), json!(true), false),
        (json!(false), json!(false), true),
        (json!("False"), json!(false), true),
        (json!("TRUE"), json!(true), false),
    ] {
        let (person, _) = accepted(json!({}), &json!({"externalId": "E-1", "active": sent}));
        assert_eq!((&person.record["active"], person.pending.was_inactive), (&stored, was_inactive), "{sent}");
    }
    let (person, _) = accepted(json!({"active": true}), &json!({"externalId": "E-1", "active": null}));
    assert_eq!(person.record["active"], true);
    assert!(!person.pending.touched.contains("active"), "null is absent");
    let (person, _) = accepted(json!({"active": false}), &json!({"externalId": "E-1", "title": "t"}));
    assert!(!person.pending.was_inactive, "active was not in this version");
    for wrong in [json!(0), json!("yes"), json!(""), json!([]), json!({})] {
        let Merge::Rejected { failure, disable } = merged(json!({}), &json!({"externalId": "E-1", "active": wrong}))
        else {
            panic!("{wrong}")
        };
        assert_eq!((failure.code, failure.attribute.as_deref()), (Code::AttributeValidationFailed, Some("/active")));
        assert_eq!(disable, None);
    }
}

/// semantics: broken-record
#[test]
fn wrong_types_fail_with_a_pointer() {
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    for (data, pointer) in [
        (json!({"title": 5}), "/title".to_owned()),
        (json!({"UserName": ["a"]}), "/UserName".to_owned()),
        (json!({"name": "Ada"}), "/name".to_owned()),
        (json!({"name": {"givenName": 1}}), "/name/givenName".to_owned()),
        (json!({"emails": {"value": "x"}}), "/emails".to_owned()),
        (json!({"emails": ["x"]}), "/emails/0".to_owned()),
        (json!({"emails": [{"value": "x"}, {"value": true}]}), "/emails/1/value".to_owned()),
        (json!({"addresses": [{"locality": {}}]}), "/addresses/0/locality".to_owned()),
        (json!({"roles": "x"}), "/roles".to_owned()),
        (json!({ enterprise: [] }), format!("/{enterprise}")),
        (json!({ enterprise: {"department": 7} }), format!("/{enterprise}/department")),
        (json!({ enterprise: {"manager": "E-2"} }), format!("/{enterprise}/manager")),
        (json!({ enterprise: {"manager": {"value": 2}} }), format!("/{enterprise}/manager/value")),
    ] {
        let mut data = data;
        data["externalId"] = json!("E-1");
        let Merge::Rejected { failure, .. } = merged(json!({}), &data) else { panic!("{data}") };
        assert_eq!(failure.code, Code::AttributeValidationFailed, "{data}");
        assert_eq!(failure.attribute, Some(pointer), "{data}");
    }
    // An unknown attribute may have any type, even one that bears a known name in the wrong place.
    for data in
        [json!({"shoe": [1]}), json!({ enterprise: {"emails": 3} }), json!({"urn:x": "y"}), json!({"photos": [1]})]
    {
        let mut data = data;
        data["externalId"] = json!("E-1");
        accepted(json!({}), &data);
    }
}

/// semantics: broken-record (externalId)
#[test]
fn external_ids() {
    let check = |data: Value, expected: Result<&str, &str>| {
        let found = external_id(&data);
        let found = found.as_deref().map_err(|failure| failure.attribute.as_deref().unwrap());
        assert_eq!(found, expected, "{data}");
    };
    check(json!({"externalId": "E-1"}), Ok("E-1"));
    check(json!({"externalID": "E-1"}), Ok("E-1"));
    check(json!({"externalId": "x".repeat(256)}), Ok(&"x".repeat(256)));
    for wrong in [
        json!(null),
        json!(7),
        json!(""),
        json!("  "),
        json!("a\0b"),
        json!("a\nb"),
        json!(["x"]),
        json!("x".repeat(257)),
    ] {
        check(json!({ "externalId": wrong }), Err("/externalId"));
    }
    check(json!({}), Err("/externalId"));
    check(json!([]), Err(""));
    assert!(external_id(&json!({"externalId": 7})).unwrap_err().reason.contains("as a text"));
}

/// semantics: disable (sent whatever else is wrong)
#[test]
fn a_leaver_is_disabled_though_the_record_is_broken() {
    let record = json!({"title": "t", "active": true});
    for (data, disables) in [
        (json!({"externalId": "e-1", "active": false, "title": 5}), true),
        (json!({"externalId": "E-1", "active": "FALSE", "name": "x"}), true),
        (json!({"externalId": "E-1", "title": 5, rollcall_model::source::CORE_USER: {"active": false}}), true),
        (json!({"externalId": "E-1", "active": true, "title": 5}), false),
        (json!({"externalId": "E-1", "title": 5}), false),
        (json!({"externalId": "E-2", "active": false, "title": 5}), false),
        (json!({"externalId": "E-1", "active": false, "x": "y".repeat(PERSON_BYTES_MAX)}), true),
    ] {
        let Merge::Rejected { disable, .. } = merged(record.clone(), &data) else { panic!("accepted") };
        assert_eq!(disable.is_some(), disables, "{}", data["externalId"]);
        let Some(person) = disable else { continue };
        assert_eq!(person.record["active"], false);
        assert_eq!(person.record["title"], "t", "nothing else is merged");
        assert_eq!(person.version.0, 1);
        assert!(person.pending.was_inactive && person.pending.touched.iter().eq(["active"]));
    }
}

/// semantics: merge (64 KiB a person)
#[test]
fn size_and_depth_are_bounded() {
    let Merge::Rejected { failure, .. } =
        merged(json!({"a": "x".repeat(40_000)}), &json!({"externalId": "E-1", "b": "x".repeat(30_000)}))
    else {
        panic!("accepted")
    };
    assert_eq!(failure.code, Code::RecordTooLarge);
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!([deep]);
    }
    assert!(matches!(merged(json!({}), &json!({"externalId": "E-1", "x": deep})), Merge::Rejected { .. }));
}

/// semantics: delete, several-operations
#[test]
fn the_newest_method_counts() {
    let first = person(json!({"title": "t"}));
    let data = json!({"externalId": "E-1", "title": "u"});
    let data = data.as_object().unwrap();
    let Merge::Accepted { person: deleted, .. } = merge(&first, &Incoming { method: Method::Delete, data }) else {
        panic!("rejected")
    };
    assert_eq!((deleted.pending.method, deleted.version.0), (Method::Delete, 1));
    assert_eq!(deleted.record, first.record, "DELETE merges nothing");
    let Merge::Accepted { person: back, .. } = merge(&deleted, &Incoming { method: Method::Post, data }) else {
        panic!("rejected")
    };
    assert_eq!((back.pending.method, back.version.0), (Method::Post, 2));
    assert_eq!(back.record["title"], "u");
}

/// semantics: several-operations
#[test]
fn survival() {
    let check = |data: Value, record: Value, expected: Survival| {
        let found = survives(data.as_object().unwrap(), record.as_object().unwrap());
        assert_eq!(found, expected, "{data} in {record}");
    };
    check(json!({"externalId": "E-1", "schemas": []}), json!({}), Survival::Something);
    check(json!({"externalId": "E-1", "title": "a"}), json!({"title": "b"}), Survival::Nothing);
    check(json!({"title": "a", "USERNAME": "u"}), json!({"title": "b", "userName": "u"}), Survival::Something);
    check(json!({"active": "False"}), json!({"active": false}), Survival::Something);
    check(json!({"active": "False"}), json!({"active": true}), Survival::Nothing);
    check(json!({"emails": [{"value": "a"}]}), json!({"emails": [{"type": "work", "value": "b"}]}), Survival::Nothing);
    check(
        json!({"emails": [{"value": "a"}]}),
        json!({"emails": [{"type": "work", "value": "a"}]}),
        Survival::Something,
    );
    check(json!({"name": {"givenName": "a"}}), json!({"name": {"givenName": "b"}}), Survival::Nothing);
    check(json!({"title": null}), json!({"title": null}), Survival::Something);
}

/// Arbitrary JSON, with names that mean something among its members.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|number| json!(number)),
        any::<String>().prop_map(Value::String),
        Just(json!("work")),
    ];
    let name = prop_oneof![
        Just("emails".to_owned()),
        Just("type".to_owned()),
        Just("value".to_owned()),
        Just("name".to_owned()),
        Just("active".to_owned()),
        Just("manager".to_owned()),
        Just(rollcall_model::source::ENTERPRISE_USER.to_owned()),
        Just(rollcall_model::source::CORE_USER.to_owned()),
        any::<String>(),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            proptest::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn never_panics_and_merging_twice_changes_nothing(data in any_json(), before in any_json()) {
        let _ = external_id(&data);
        let Value::Object(mut data) = data else { return Ok(()) };
        data.insert("externalId".to_owned(), json!("E-1"));
        let mut first = person(json!({}));
        for data in [before.as_object().cloned().unwrap_or_default(), data.clone()] {
            if let Merge::Accepted { person, .. } = merge(&first, &Incoming { method: Method::Post, data: &data }) {
                first = person;
            }
        }
        let again = merge(&first, &Incoming { method: Method::Post, data: &data });
        if let Merge::Accepted { person, .. } = again {
            prop_assert_eq!(&person.record, &first.record);
            let _ = survives(&data, &person.record);
        }
    }
}
