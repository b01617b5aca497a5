//! A job's configuration as the schema that clients see.

use std::collections::BTreeSet;

use rollcall_model::config::{
    Apply, AttributeType, FilterGroup, FlowWhen, JobConfig, Mapping, Mutability, Reference, Scope, SourceAttribute,
    TargetActions,
};
use rollcall_model::source::ENTERPRISE_USER;
use uuid::Uuid;

use super::to_config::is_ours;
use super::{
    AttributeDefinition, AttributeMapping, DirectoryDefinition, Filter, FilterClause, FilterOperand, ObjectDefinition,
    ObjectMapping, Other, RULE, ReferencedObject, SOURCE_DIRECTORY, SynchronizationRule, SynchronizationSchema,
    TARGET_DIRECTORY, TARGET_OBJECT, source_tree,
};

/// What a document says beside the configuration.
pub struct Described<'a> {
    /// The job's id, which is the schema's.
    pub job: &'a str,
    /// When this version was made, RFC 3339.
    pub version: &'a str,
    pub source_directory: Uuid,
    pub target_directory: Uuid,
    pub rule: Uuid,
    /// Attributes of the target directory that are known, beside those that are mapped.
    pub target_attributes: &'a [AttributeDefinition],
    /// Names a function's parameter by position.
    pub parameter_name: &'a dyn Fn(&str, usize) -> Option<String>,
}

/// The document of a configuration. `previous` is the one it goes back to: ids, and what we know nothing of, stay.
#[must_use]
pub fn config_to_schema(
    config: &JobConfig,
    previous: Option<&SynchronizationSchema>,
    described: &Described<'_>,
) -> SynchronizationSchema {
    let mut schema = previous.cloned().unwrap_or_default();
    schema.id = Some(described.job.to_owned());
    schema.version = Some(described.version.to_owned());
    directories(&mut schema.directories, config, described);
    rule(&mut schema.synchronization_rules, config, described);
    schema
}

/// Takes the first that fits out of a list, or makes one.
fn taken<T: Default>(all: &mut Vec<T>, fits: impl Fn(&T) -> bool) -> T {
    all.iter().position(fits).map(|at| all.remove(at)).unwrap_or_default()
}

/// The source directory first, as clients expect, and its user object first in it.
fn directories(all: &mut Vec<DirectoryDefinition>, config: &JobConfig, described: &Described<'_>) {
    for (name, object_name, id, discoverabilities) in [
        (TARGET_DIRECTORY, TARGET_OBJECT, described.target_directory, "AttributeNames"),
        (SOURCE_DIRECTORY, ENTERPRISE_USER, described.source_directory, "None"),
    ] {
        let mut directory = taken(all, |own: &DirectoryDefinition| own.name.eq_ignore_ascii_case(name));
        directory.id = directory.id.filter(|id| !id.is_empty()).or_else(|| Some(id.to_string()));
        name.clone_into(&mut directory.name);
        directory.version = Some(described.version.to_owned());
        if directory.discoverabilities.is_empty() {
            discoverabilities.clone_into(&mut directory.discoverabilities);
        }
        let fits = |own: &ObjectDefinition| own.name.eq_ignore_ascii_case(object_name);
        let mut object = taken(&mut directory.objects, fits);
        object_name.clone_into(&mut object.name);
        object.attributes = if name == SOURCE_DIRECTORY {
            sources(&object.attributes, config)
        } else {
            targets(object.attributes, config, described)
        };
        directory.objects.insert(0, object);
        all.insert(0, directory);
    }
}

fn sources(previous: &[AttributeDefinition], config: &JobConfig) -> Vec<AttributeDefinition> {
    let before =
        |own: &SourceAttribute| previous.iter().find(|other| other.name.trim().to_lowercase() == own.name.folded());
    let listed = config.source_attributes.iter();
    let mut all: Vec<AttributeDefinition> =
        listed.map(|own| source(own, config.clearable_sources.contains(&own.name), before(own))).collect();
    // The switch of an attribute that nobody listed is kept with it.
    for name in config.clearable_sources.iter().filter(|name| config.source_attribute(name).is_none()) {
        all.push(source(&SourceAttribute::text(name.as_str()), true, None));
    }
    all
}

fn source(own: &SourceAttribute, clearable: bool, before: Option<&AttributeDefinition>) -> AttributeDefinition {
    let reference = |own: &Reference| ReferencedObject {
        referenced_object_name: Some(own.object.clone()),
        referenced_property: Some(own.property.clone()),
        other: Other::new(),
    };
    let mutability = match own.mutability {
        Mutability::ReadWrite => "ReadWrite",
        Mutability::ReadOnly => "ReadOnly",
        Mutability::Immutable => "Immutable",
        Mutability::WriteOnly => "WriteOnly",
    };
    AttributeDefinition {
        name: own.name.as_str().to_owned(),
        kind: type_name(own.kind).to_owned(),
        anchor: own.anchor,
        case_exact: own.case_exact,
        default_value: own.default_value.clone(),
        flow_null_values: clearable,
        multivalued: own.multivalued,
        mutability: mutability.to_owned(),
        required: own.required,
        metadata: before.map(|before| before.metadata.clone()).unwrap_or_default(),
        referenced_objects: own.references.iter().map(reference).collect(),
        other: before.map(|before| before.other.clone()).unwrap_or_default(),
    }
}

/// Graph's name of a type.
#[must_use]
pub fn type_name(kind: AttributeType) -> &'static str {
    match kind {
        AttributeType::String => "String",
        AttributeType::Integer => "Integer",
        AttributeType::Boolean => "Boolean",
        AttributeType::DateTime => "DateTime",
        AttributeType::Binary => "Binary",
        AttributeType::Reference => "Reference",
    }
}

/// What was listed before, what is known of the directory, and every mapped attribute.
fn targets(
    previous: Vec<AttributeDefinition>,
    config: &JobConfig,
    described: &Described<'_>,
) -> Vec<AttributeDefinition> {
    let mut all = previous;
    let mut seen: BTreeSet<String> = all.iter().map(|own| own.name.to_lowercase()).collect();
    let mapped = config.mappings.iter().map(|mapping| AttributeDefinition {
        name: mapping.target.clone(),
        kind: "String".to_owned(),
        mutability: "ReadWrite".to_owned(),
        ..AttributeDefinition::default()
    });
    for attribute in described.target_attributes.iter().cloned().chain(mapped) {
        if seen.insert(attribute.name.to_lowercase()) {
            all.push(attribute);
        }
    }
    all
}

fn rule(rules: &mut Vec<SynchronizationRule>, config: &JobConfig, described: &Described<'_>) {
    let place = rules.iter().position(|rule| rule.object_mappings.iter().any(is_ours));
    let fresh = || SynchronizationRule { editable: true, priority: 1, ..SynchronizationRule::default() };
    let mut rule = place.map_or_else(fresh, |at| rules.remove(at));
    rule.id = rule.id.filter(|id| !id.is_empty()).or_else(|| Some(described.rule.to_string()));
    rule.name = rule.name.or_else(|| Some(RULE.to_owned()));
    SOURCE_DIRECTORY.clone_into(&mut rule.source_directory_name);
    TARGET_DIRECTORY.clone_into(&mut rule.target_directory_name);
    let own = rule.object_mappings.iter().position(is_ours);
    let mut mapping = own.map(|at| rule.object_mappings.remove(at)).unwrap_or_default();
    object_mapping(&mut mapping, config, described);
    rule.object_mappings.insert(own.unwrap_or(0), mapping);
    rules.insert(place.unwrap_or(0), rule);
}

fn object_mapping(mapping: &mut ObjectMapping, config: &JobConfig, described: &Described<'_>) {
    ENTERPRISE_USER.clone_into(&mut mapping.source_object_name);
    TARGET_OBJECT.clone_into(&mut mapping.target_object_name);
    mapping.name = mapping.name.take().or_else(|| Some(format!("Provision API {ENTERPRISE_USER}s")));
    mapping.enabled = config.enabled;
    mapping.flow_types = Some(flow_types(config.actions));
    mapping.scope = filter(&config.scope, mapping.scope.take());
    let before = std::mem::take(&mut mapping.attribute_mappings);
    mapping.attribute_mappings = config.mappings.iter().map(|own| row(own, &before, described)).collect();
}

fn flow_types(actions: TargetActions) -> String {
    let flags = [(actions.create, "Add"), (actions.update, "Update"), (actions.delete, "Delete")];
    let names: Vec<&str> = flags.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
    if names.is_empty() { "None".to_owned() } else { names.join(", ") }
}

fn filter(scope: &Scope, before: Option<Filter>) -> Option<Filter> {
    let (groups, input) = (groups(&scope.groups), groups(&scope.input_groups));
    (!scope.is_everybody()).then(|| Filter { groups, input_filter_groups: input, ..before.unwrap_or_default() })
}

fn groups(groups: &[FilterGroup]) -> Vec<super::FilterGroup> {
    let clause = |clause: &rollcall_model::config::FilterClause| FilterClause {
        operator_name: Some(clause.operator.clone()),
        source_operand_name: Some(clause.source.as_str().to_owned()),
        target_operand: Some(FilterOperand { values: clause.values.clone() }),
    };
    let group = |group: &FilterGroup| super::FilterGroup {
        name: Some(group.name.clone()),
        clauses: group.clauses.iter().map(clause).collect(),
    };
    groups.iter().map(group).collect()
}

fn row(own: &Mapping, before: &[AttributeMapping], described: &Described<'_>) -> AttributeMapping {
    let before = before.iter().find(|row| row.target_attribute_name.trim().eq_ignore_ascii_case(&own.target));
    let flow_type = match own.apply {
        Apply::Always => "Always",
        Apply::OnCreate => "ObjectAddOnly",
        Apply::MultiValueAddOnly => "MultiValueAddOnly",
        Apply::ValueAddOnly => "ValueAddOnly",
        Apply::AttributeAddOnly => "AttributeAddOnly",
    };
    let flow_behavior = if own.flow_when == FlowWhen::Always { "FlowAlways" } else { "FlowWhenChanged" };
    AttributeMapping {
        target_attribute_name: own.target.clone(),
        matching_priority: i64::from(own.matching_priority),
        flow_type: flow_type.to_owned(),
        flow_behavior: flow_behavior.to_owned(),
        default_value: Some(own.default_value.clone().unwrap_or_default()),
        export_missing_references: before.is_some_and(|before| before.export_missing_references),
        flow_null_values: own.flow_null_values,
        source: source_tree(&own.source, described.parameter_name),
        other: before.map(|before| before.other.clone()).unwrap_or_default(),
    }
}
