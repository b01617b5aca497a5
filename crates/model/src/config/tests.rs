use serde_json::json;

use super::*;

/// What a job stored before these settings existed reads as, and that nothing is lost on the way.
#[test]
fn older_configurations_read_as_shipped() {
    let old = json!({"domain": null, "mappings": [
        {"target": "title", "source": {"direct": "title"}, "apply": "always", "matchingPriority": 0,
         "flowNullValues": false},
        {"target": "c", "source": {"constant": "DE"}, "apply": "onCreate"},
    ]});
    let config: JobConfig = serde_json::from_value(old).unwrap();
    assert_eq!(config, JobConfig { mappings: config.mappings.clone(), ..JobConfig::new(Vec::new()) });
    assert_eq!((config.mappings[1].apply, config.mappings[1].flow_when), (Apply::OnCreate, FlowWhen::Changed));
    assert!(config.actions.create && config.enabled && config.scope.is_everybody());
    assert_eq!(config.source_attributes[0].name.as_str(), "externalId");
    let text = serde_json::to_value(&config).unwrap();
    for left_out in ["enabled", "actions", "scope", "onScopeExit", "sourceAttributes", "timeZone"] {
        assert_eq!(text.get(left_out), None, "{left_out}");
    }
    assert_eq!(serde_json::from_value::<JobConfig>(text).unwrap(), config);
}

#[test]
fn every_setting_survives_being_stored() {
    let mut config = JobConfig::new(vec![Mapping::new("title", MappingSource::None)]);
    (config.enabled, config.actions.delete) = (false, false);
    config.on_scope_exit = OnScopeExit::DisableAndMove("OU=Gone,DC=corp,DC=example".to_owned());
    config.time_zone = Some("Europe/Berlin".to_owned());
    config.source_attributes.truncate(2);
    let clause = FilterClause {
        source: SourceName::new("userType"),
        operator: "EQUALS".to_owned(),
        values: vec!["Employee".to_owned()],
    };
    config.scope.groups = vec![FilterGroup { name: "staff".to_owned(), clauses: vec![clause] }];
    for apply in [Apply::MultiValueAddOnly, Apply::ValueAddOnly, Apply::AttributeAddOnly] {
        config.mappings[0].apply = apply;
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<JobConfig>(&text).unwrap(), config);
    }
}
