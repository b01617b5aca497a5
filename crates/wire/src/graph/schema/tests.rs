use proptest::prelude::*;
use rollcall_model::SourceName;
use rollcall_model::config::{
    Apply, AttributeType, FilterClause, FilterGroup, FlowWhen, JobConfig, Mapping, MappingSource, SourceAttribute,
};
use rollcall_model::source::ENTERPRISE_USER;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;

fn document(config: &JobConfig, previous: Option<&SynchronizationSchema>) -> SynchronizationSchema {
    let described = Described {
        job: "API2AD.t.j",
        version: "2026-01-15T09:20:00Z",
        source_directory: Uuid::from_u128(1),
        target_directory: Uuid::from_u128(2),
        rule: Uuid::from_u128(3),
        target_attributes: &[],
        parameter_name: &|name, at| (name == "Join").then(|| ["separator", "source"][at.min(1)].to_owned()),
    };
    config_to_schema(config, previous, &described)
}

fn config() -> JobConfig {
    let direct = |to: &str, from: &str| Mapping::new(to, MappingSource::Direct(SourceName::new(from)));
    let join = r#"Join(" ", [name.givenName], Left([name.familyName], 3))"#;
    JobConfig::new(vec![
        Mapping { matching_priority: 1, apply: Apply::OnCreate, ..direct("employeeID", "externalId") },
        direct("mail", "emails[type eq \"work\"].value"),
        Mapping::new("displayName", MappingSource::Expression(join.to_owned())),
        Mapping::new("company", MappingSource::Constant("ACME \"North\" \\ South".to_owned())),
        Mapping { default_value: Some("x".to_owned()), ..Mapping::new("info", MappingSource::None) },
    ])
}

#[test]
fn what_clients_rely_on() {
    let shown = serde_json::to_value(document(&config(), None)).unwrap();
    for (place, expected) in [
        ("/id", json!("API2AD.t.j")),
        ("/directories/0/name", json!("API")),
        ("/directories/0/objects/0/name", json!(ENTERPRISE_USER)),
        ("/directories/0/objects/0/attributes/0/name", json!("externalId")),
        ("/directories/0/objects/0/attributes/0/anchor", json!(true)),
        ("/directories/0/objects/0/attributes/0/apiExpressions", Value::Null),
        ("/directories/1/name", json!("Active Directory")),
        ("/directories/1/objects/0/name", json!("User")),
        ("/synchronizationRules/0/name", json!("API to Active Directory")),
        ("/synchronizationRules/0/sourceDirectoryName", json!("API")),
        ("/synchronizationRules/0/objectMappings/0/flowTypes", json!("Add, Update, Delete")),
        ("/synchronizationRules/0/objectMappings/0/scope", Value::Null),
        ("/synchronizationRules/0/objectMappings/0/enabled", json!(true)),
    ] {
        assert_eq!(shown.pointer(place).unwrap_or(&Value::Null), &expected, "{place}");
    }
    let rows = "/synchronizationRules/0/objectMappings/0/attributeMappings";
    for (at, expected) in [
        (
            0,
            json!({"targetAttributeName": "employeeID", "matchingPriority": 1, "flowType": "ObjectAddOnly",
                "flowBehavior": "FlowWhenChanged", "defaultValue": "", "exportMissingReferences": false,
                "flowNullValues": false, "source":
                {"expression": "[externalId]", "name": "externalId", "type": "Attribute", "parameters": []}}),
        ),
        (
            2,
            json!({"targetAttributeName": "displayName", "matchingPriority": 0, "flowType": "Always",
                "flowBehavior": "FlowWhenChanged", "defaultValue": "", "exportMissingReferences": false,
                "flowNullValues": false, "source": {
                "expression": "Join(\" \", [name.givenName], Left([name.familyName], 3))", "name": "Join",
                "type": "Function", "parameters": [
                {"key": "separator", "value":
                    {"expression": "\" \"", "name": " ", "type": "Constant", "parameters": []}},
                {"key": "source", "value": {"expression": "[name.givenName]", "name": "name.givenName",
                    "type": "Attribute", "parameters": []}},
                {"key": "source", "value": {"expression": "Left([name.familyName], 3)", "name": "Left",
                    "type": "Function", "parameters": [
                    {"key": "argument1", "value": {"expression": "[name.familyName]", "name": "name.familyName",
                        "type": "Attribute", "parameters": []}},
                    {"key": "argument2", "value":
                        {"expression": "3", "name": "3", "type": "Constant", "parameters": []}}]}}]}}),
        ),
    ] {
        assert_eq!(shown.pointer(&format!("{rows}/{at}")), Some(&expected), "{at}");
    }
}

/// What CSV2SCIM does: append to the first list and put the whole, twice; and what it drops on the way.
#[test]
fn a_script_appends_its_columns() {
    let mut shown = serde_json::to_value(document(&config(), None)).unwrap();
    let before = schema_to_config(&serde_json::from_value(shown.clone()).unwrap(), &config()).unwrap().config;
    for _ in 0..2 {
        let added = json!({"anchor": false, "caseExact": false, "flowNullValues": false, "multivalued": false,
            "mutability": "ReadWrite", "name": "urn:acme:User:\"Hire date\"", "required": false, "type": "String",
            "apiExpressions": [], "metadata": [], "referencedObjects": []});
        shown["directories"][0]["objects"][0]["attributes"].as_array_mut().unwrap().push(added);
    }
    for dropped in ["discoverabilities", "readOnly", "version"] {
        shown["directories"][0].as_object_mut().unwrap().remove(dropped);
    }
    let put: SynchronizationSchema = serde_json::from_value(shown).unwrap();
    let after = schema_to_config(&put, &before).unwrap().config;
    assert_eq!(after.source_attributes.len(), before.source_attributes.len() + 1);
    assert_eq!(after.source_attributes.last().unwrap().name.as_str(), "urn:acme:User:\"Hire date\"");
    assert_eq!(JobConfig { source_attributes: before.source_attributes.clone(), ..after }, before);
}

/// One member of the document changed: what the configuration then says of it.
#[test]
fn leniency() {
    let shown = serde_json::to_value(document(&config(), None)).unwrap();
    let row = "/synchronizationRules/0/objectMappings/0/attributeMappings/1";
    let source = |value: Value| (format!("{row}/source"), value);
    let direct = |name: &str| MappingSource::Direct(SourceName::new(name));
    let expression = |text: &str| MappingSource::Expression(text.to_owned());
    for ((place, value), expected) in [
        (source(json!({"name": "title", "type": "Attribute"})), direct("title")),
        (source(json!({"name": "title", "expression": ""})), direct("title")),
        (source(json!({"expression": "[title]"})), direct("title")),
        (source(json!({"expression": "title", "type": "Attribute"})), direct("title")),
        (source(json!({"expression": "[title]", "name": "nickName", "type": "Attribute"})), direct("title")),
        (source(json!({"name": "x", "type": "Constant"})), MappingSource::Constant("x".to_owned())),
        (source(json!({"expression": "\"x\"", "type": "Constant"})), MappingSource::Constant("x".to_owned())),
        (source(json!({"expression": "Left([title], 2)"})), expression("Left([title], 2)")),
        (source(json!({"expression": "Left([title"})), expression("Left([title")),
        (
            source(json!({"name": "Join", "type": "Function", "parameters": [
                {"key": "separator", "value": {"name": "\"", "type": "Constant"}},
                {"key": "source", "value": null},
                {"key": "source", "value": {"name": "Now", "type": "Function"}}]})),
            expression(r#"Join("\"", , Now())"#),
        ),
        (source(Value::Null), MappingSource::None),
    ] {
        let mut put = shown.clone();
        *put.pointer_mut(&place).unwrap() = value.clone();
        let converted = schema_to_config(&serde_json::from_value(put).unwrap(), &config()).unwrap();
        assert_eq!(converted.config.mappings[1].source, expected, "{value}");
        assert_eq!(converted.mapping(1), row);
    }
    // The web client's members.
    let mut put = shown.clone();
    let odd = json!({"flowType": "Add", "mappingType": "Direct", "expression": "", "defaultValue": null,
        "targetAttributeName": "jobTitle", "source": {"name": "title", "type": "Attribute"}});
    put.pointer_mut(row.trim_end_matches("/1")).unwrap().as_array_mut().unwrap().push(odd);
    let put: SynchronizationSchema = serde_json::from_value(put).unwrap();
    let converted = schema_to_config(&put, &config()).unwrap().config;
    assert_eq!(converted.mappings.last().unwrap(), &Mapping::new("jobTitle", direct("title")));
    let back = serde_json::to_value(document(&converted, Some(&put))).unwrap();
    assert_eq!(back.pointer(&row.replace("/1", "/5")).unwrap()["mappingType"], "Direct", "kept");
}

#[test]
fn broken_documents() {
    let shown = serde_json::to_value(document(&config(), None)).unwrap();
    let own = "/synchronizationRules/0/objectMappings/0";
    for (place, value, at, says) in [
        ("/synchronizationRules", json!([]), "/synchronizationRules", "no object mapping leads from"),
        (&*format!("{own}/flowTypes"), json!("Add, Updat"), &*format!("{own}/flowTypes"), "no flow type Updat"),
        (
            "/directories/0/objects/0/attributes/1/type",
            json!("Strin"),
            "/directories/0/objects/0/attributes/1/type",
            "there is no type Strin",
        ),
        (
            "/directories/0/objects/0/attributes/1/name",
            json!(" "),
            "/directories/0/objects/0/attributes/1/name",
            "no name",
        ),
        (
            &*format!("{own}/attributeMappings/0/matchingPriority"),
            json!(-1),
            &*format!("{own}/attributeMappings/0/matchingPriority"),
            "no matching priority",
        ),
        (
            &*format!("{own}/attributeMappings/1/source"),
            json!({"type": "Function", "parameters": []}),
            &*format!("{own}/attributeMappings/1/source"),
            "neither an expression nor a name",
        ),
        (
            &*format!("{own}/scope"),
            json!({"categoryFilterGroups": [{"clauses": [{}]}]}),
            &*format!("{own}/scope/categoryFilterGroups"),
            "not known here",
        ),
    ] {
        let mut put = shown.clone();
        *put.pointer_mut(place).unwrap() = value;
        let problems = schema_to_config(&serde_json::from_value(put).unwrap(), &config()).unwrap_err();
        assert_eq!(problems[0].place, at);
        assert!(problems[0].message.contains(says) && !problems[0].hint.is_empty(), "{problems:?}");
    }
}

/// What we do not know, and what is not ours, is still there after a change of ours.
#[test]
fn unknown_parts_are_kept() {
    let mut shown = serde_json::to_value(document(&config(), None)).unwrap();
    let foreign = json!({"name": "Entra ID", "objects": [{"name": "User"}], "x": 1});
    shown["directories"].as_array_mut().unwrap().insert(0, foreign);
    shown["y"] = json!({"z": [1]});
    shown["synchronizationRules"][0]["containerFilter"] = json!({"includedContainers": ["OU=A"]});
    let other = json!({"sourceObjectName": "Group", "targetObjectName": "group", "attributeMappings": [{"odd": true}]});
    shown["synchronizationRules"][0]["objectMappings"].as_array_mut().unwrap().insert(0, other);
    let put: SynchronizationSchema = serde_json::from_value(shown).unwrap();
    let converted = schema_to_config(&put, &config()).unwrap();
    assert_eq!(converted.mapping(0), "/synchronizationRules/0/objectMappings/1/attributeMappings/0");
    let back = serde_json::to_value(document(&converted.config, Some(&put))).unwrap();
    assert_eq!((&back["directories"][0]["name"], &back["directories"][2]["x"]), (&json!("API"), &json!(1)));
    assert_eq!((&back["y"], &back["directories"][2]["name"]), (&json!({"z": [1]}), &json!("Entra ID")));
    let rule = &back["synchronizationRules"][0];
    assert_eq!(rule["containerFilter"]["includedContainers"][0], "OU=A");
    assert_eq!(rule["objectMappings"][0]["attributeMappings"][0]["odd"], true);
}

fn sources() -> impl Strategy<Value = MappingSource> {
    prop_oneof![
        "[a-z]{1,8}(\\.[a-z]{1,8})?".prop_map(|name| MappingSource::Direct(SourceName::new(&name))),
        "[ -~\\n\"\\\\]{0,12}".prop_map(MappingSource::Constant),
        "[a-z]{1,8}".prop_map(|name| MappingSource::Expression(format!("Left([{name}], 3)"))),
        Just(MappingSource::None),
    ]
}

fn mappings() -> impl Strategy<Value = Mapping> {
    let apply = prop::sample::select(vec![
        Apply::Always,
        Apply::OnCreate,
        Apply::MultiValueAddOnly,
        Apply::ValueAddOnly,
        Apply::AttributeAddOnly,
    ]);
    let default_value = prop::option::of("[a-z]{1,5}");
    ("[a-zA-Z]{1,9}", sources(), apply, 0..3_u16, default_value, any::<bool>(), any::<bool>()).prop_map(
        |(target, source, apply, matching_priority, default_value, flow_null_values, always)| Mapping {
            target,
            source,
            apply,
            matching_priority,
            default_value,
            flow_null_values,
            flow_when: if always { FlowWhen::Always } else { FlowWhen::Changed },
        },
    )
}

fn configs() -> impl Strategy<Value = JobConfig> {
    let clause = ("[a-z]{1,8}", "[A-Z ]{1,8}", prop::collection::vec("[ -~]{0,5}", 0..2)).prop_map(
        |(name, operator, values)| FilterClause {
            source: SourceName::new(&name),
            operator: operator.trim().to_owned(),
            values,
        },
    );
    let group =
        ("[a-z]{0,4}", prop::collection::vec(clause, 0..3)).prop_map(|(name, clauses)| FilterGroup { name, clauses });
    let groups = prop::collection::vec(group, 0..3);
    let rows = prop::collection::vec(mappings(), 0..6);
    (rows, groups.clone(), groups, any::<[bool; 4]>(), prop::collection::btree_set("[a-z]{1,6}", 0..4)).prop_map(
        |(rows, groups, input_groups, [enabled, create, update, clearable], names)| {
            let mut config = JobConfig::new(rows);
            (config.scope.groups, config.scope.input_groups) = (groups, input_groups);
            (config.enabled, config.actions.create, config.actions.update) = (enabled, create, update);
            config.source_attributes = names
                .iter()
                .map(|name| SourceAttribute {
                    required: enabled,
                    kind: AttributeType::Integer,
                    ..SourceAttribute::text(name)
                })
                .collect();
            if clearable {
                config.clearable_sources = names.iter().take(1).map(|name| SourceName::new(name)).collect();
            }
            config
        },
    )
}

/// JSON of any shape under the members' names.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[\\[\\]\"(),a-z]{0,12}".prop_map(Value::from),
        Just(json!(ENTERPRISE_USER)),
        Just(json!("User")),
        Just(json!("API")),
    ];
    let names = vec![
        "directories",
        "objects",
        "name",
        "attributes",
        "synchronizationRules",
        "objectMappings",
        "sourceObjectName",
        "targetObjectName",
        "attributeMappings",
        "targetAttributeName",
        "source",
        "expression",
        "parameters",
        "key",
        "value",
        "type",
        "scope",
        "groups",
        "clauses",
        "targetOperand",
        "values",
        "matchingPriority",
    ];
    leaf.prop_recursive(8, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(names.clone()), inner), 0..6)
                .prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}

proptest! {
    #[test]
    fn a_configuration_survives_the_way_to_the_client_and_back(config in configs()) {
        let put = serde_json::to_value(document(&config, None)).unwrap();
        let put: SynchronizationSchema = serde_json::from_value(put).unwrap();
        let back = schema_to_config(&put, &JobConfig::new(Vec::new())).unwrap().config;
        prop_assert_eq!(&back, &config);
        prop_assert_eq!(document(&back, Some(&put)), put);
    }

    #[test]
    fn no_shape_is_too_much(whole in anything(), row in anything(), scope in anything()) {
        let whole = serde_json::from_value::<SynchronizationSchema>(whole);
        let whole = whole.unwrap_or_default();
        let _ = schema_to_config(&whole, &config());
        let _ = document(&config(), Some(&whole));
        let mut shown = serde_json::to_value(document(&config(), None)).unwrap();
        let own = &mut shown["synchronizationRules"][0]["objectMappings"][0];
        own["attributeMappings"] = json!([row]);
        own["scope"] = scope;
        if let Ok(put) = serde_json::from_value(shown) {
            let _ = schema_to_config(&put, &config());
        }
    }
}
