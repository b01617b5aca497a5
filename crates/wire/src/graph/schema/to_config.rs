//! A schema that a client puts, as a job's configuration.

use std::collections::BTreeSet;
use std::fmt::Display;

use rollcall_model::SourceName;
use rollcall_model::config::{
    Apply, AttributeType, FilterClause, FilterGroup, FlowWhen, JobConfig, Mapping, MappingSource, Mutability,
    Reference, Scope, SourceAttribute, TargetActions,
};
use rollcall_model::source::ENTERPRISE_USER;
use rollcall_syntax::nearest;

use super::{
    AttributeDefinition, AttributeMapping, Filter, ObjectMapping, Problem, ReferencedObject, SOURCE_DIRECTORY,
    SynchronizationSchema, TARGET_DIRECTORY, TARGET_OBJECT, sources,
};

/// Attributes of one directory; a bound, not a policy.
const ATTRIBUTES_MAX: usize = 5_000;

/// A configuration, and where in the document its parts stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converted {
    pub config: JobConfig,
    /// JSON pointer of the object mapping.
    pub object_mapping: String,
    /// JSON pointer of the source object, where the document has one.
    pub source_object: Option<String>,
}

impl Converted {
    /// JSON pointer of the mapping at a position of [`JobConfig::mappings`].
    #[must_use]
    pub fn mapping(&self, at: usize) -> String {
        format!("{}/attributeMappings/{at}", self.object_mapping)
    }

    /// JSON pointer of that mapping's source text.
    #[must_use]
    pub fn expression(&self, at: usize) -> String {
        format!("{}/source/expression", self.mapping(at))
    }

    /// JSON pointer of a clause of [`Scope::groups`].
    #[must_use]
    pub fn clause(&self, group: usize, clause: usize) -> String {
        format!("{}/scope/groups/{group}/clauses/{clause}", self.object_mapping)
    }

    /// JSON pointer of a clause of [`Scope::input_groups`].
    #[must_use]
    pub fn input_clause(&self, group: usize, clause: usize) -> String {
        format!("{}/scope/inputFilterGroups/{group}/clauses/{clause}", self.object_mapping)
    }

    /// JSON pointer of the list of source attributes.
    #[must_use]
    pub fn source_attributes(&self) -> String {
        format!("{}/attributes", self.source_object.as_deref().unwrap_or("/directories/0/objects/0"))
    }
}

struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, place: impl Display, message: String, hint: impl Into<String>) {
        self.0.push(Problem { place: place.to_string(), message, hint: hint.into() });
    }

    fn unknown(&mut self, place: impl Display, what: &str, name: &str, known: &[&str]) {
        let hint = nearest(name, known.iter().copied())
            .map_or_else(|| format!("write one of {}", known.join(", ")), |near| format!("did you mean {near}?"));
        self.add(place, format!("there is no {what} {name}"), hint);
    }
}

/// What a client put, laid over a job's other settings. Expressions and operators are not looked into: that is the
/// engine's part.
pub fn schema_to_config(schema: &SynchronizationSchema, base: &JobConfig) -> Result<Converted, Vec<Problem>> {
    let mut problems = Problems(Vec::new());
    let Some((place, mapping)) = find_object_mapping(schema) else {
        let message =
            format!("no object mapping leads from {ENTERPRISE_USER} to {TARGET_OBJECT} of {TARGET_DIRECTORY}");
        problems.add("/synchronizationRules", message, "put back what a GET shows, or restore the default");
        return Err(problems.0);
    };
    let mut config = base.clone();
    let source_object = find_source_object(schema);
    if let Some((place, attributes)) = &source_object {
        source_attributes(attributes, &format!("{place}/attributes"), &mut config, &mut problems);
    }
    config.enabled = mapping.enabled;
    config.actions = actions(mapping, &place, &mut problems);
    config.scope = scope(mapping.scope.as_ref(), &format!("{place}/scope"), &mut problems);
    let rows = mapping.attribute_mappings.iter().enumerate();
    config.mappings =
        rows.map(|(at, row)| mapping_of(row, &format!("{place}/attributeMappings/{at}"), &mut problems)).collect();
    let source_object = source_object.map(|(place, _)| place);
    if problems.0.is_empty() { Ok(Converted { config, object_mapping: place, source_object }) } else { Err(problems.0) }
}

/// Ours among what a document may hold: others are somebody else's and none of our business.
pub(super) fn is_ours(mapping: &ObjectMapping) -> bool {
    mapping.source_object_name.eq_ignore_ascii_case(ENTERPRISE_USER)
        && mapping.target_object_name.eq_ignore_ascii_case(TARGET_OBJECT)
}

fn find_object_mapping(schema: &SynchronizationSchema) -> Option<(String, &ObjectMapping)> {
    for (at, rule) in schema.synchronization_rules.iter().enumerate() {
        let target = rule.target_directory_name.trim();
        if !target.is_empty() && !target.eq_ignore_ascii_case(TARGET_DIRECTORY) {
            continue;
        }
        if let Some(own) = rule.object_mappings.iter().position(is_ours) {
            let place = format!("/synchronizationRules/{at}/objectMappings/{own}");
            return Some((place, &rule.object_mappings[own]));
        }
    }
    None
}

/// `None` where the document brings no such object: the list stays as it is.
fn find_source_object(schema: &SynchronizationSchema) -> Option<(String, &[AttributeDefinition])> {
    let at = schema.directories.iter().position(|own| own.name.eq_ignore_ascii_case(SOURCE_DIRECTORY))?;
    let objects = &schema.directories[at].objects;
    let own = objects.iter().position(|object| object.name.eq_ignore_ascii_case(ENTERPRISE_USER))?;
    Some((format!("/directories/{at}/objects/{own}"), &objects[own].attributes))
}

fn source_attributes(attributes: &[AttributeDefinition], place: &str, config: &mut JobConfig, problems: &mut Problems) {
    if attributes.len() > ATTRIBUTES_MAX {
        problems.add(place, format!("there are more than {ATTRIBUTES_MAX} attributes"), "list fewer");
        return;
    }
    (config.source_attributes, config.clearable_sources) = (Vec::new(), Vec::new());
    let mut seen = BTreeSet::new();
    for (at, attribute) in attributes.iter().enumerate() {
        let name = SourceName::new(attribute.name.trim());
        if name.as_str().is_empty() {
            problems.add(format!("{place}/{at}/name"), "the attribute has no name".to_owned(), "give it one");
            continue;
        }
        // A script that appends its columns a second time is let off.
        if !seen.insert(name.folded()) {
            continue;
        }
        if attribute.flow_null_values {
            config.clearable_sources.push(name.clone());
        }
        let kind = attribute_type(&attribute.kind).unwrap_or_else(|| {
            let known = ["String", "Integer", "Boolean", "DateTime", "Binary", "Reference"];
            problems.unknown(format!("{place}/{at}/type"), "type", &attribute.kind, &known);
            AttributeType::String
        });
        config.source_attributes.push(source_attribute(attribute, name, kind));
    }
}

fn source_attribute(attribute: &AttributeDefinition, name: SourceName, kind: AttributeType) -> SourceAttribute {
    let reference = |own: &ReferencedObject| Reference {
        object: own.referenced_object_name.clone().unwrap_or_default(),
        property: own.referenced_property.clone().unwrap_or_default(),
    };
    SourceAttribute {
        name,
        kind,
        anchor: attribute.anchor,
        required: attribute.required,
        multivalued: attribute.multivalued,
        case_exact: attribute.case_exact,
        mutability: match attribute.mutability.to_lowercase().as_str() {
            "readonly" => Mutability::ReadOnly,
            "immutable" => Mutability::Immutable,
            "writeonly" => Mutability::WriteOnly,
            _ => Mutability::ReadWrite,
        },
        default_value: attribute.default_value.clone().filter(|value| !value.is_empty()),
        references: attribute.referenced_objects.iter().map(reference).collect(),
    }
}

fn attribute_type(name: &str) -> Option<AttributeType> {
    Some(match name.to_lowercase().as_str() {
        "" | "string" => AttributeType::String,
        "integer" => AttributeType::Integer,
        "boolean" => AttributeType::Boolean,
        "datetime" => AttributeType::DateTime,
        "binary" => AttributeType::Binary,
        "reference" => AttributeType::Reference,
        _ => return None,
    })
}

/// `Add, Update, Delete` as flags; all of them where nothing is said.
fn actions(mapping: &ObjectMapping, place: &str, problems: &mut Problems) -> TargetActions {
    let Some(flags) = mapping.flow_types.as_deref().map(str::trim).filter(|flags| !flags.is_empty()) else {
        return TargetActions::default();
    };
    let mut actions = TargetActions { create: false, update: false, delete: false };
    for flag in flags.split(',').map(str::trim) {
        match flag.to_lowercase().as_str() {
            "add" => actions.create = true,
            "update" => actions.update = true,
            "delete" => actions.delete = true,
            "none" => {}
            _ => {
                problems.unknown(format!("{place}/flowTypes"), "flow type", flag, &["None", "Add", "Update", "Delete"]);
            }
        }
    }
    actions
}

fn scope(filter: Option<&Filter>, place: &str, problems: &mut Problems) -> Scope {
    let Some(filter) = filter else { return Scope::default() };
    if filter.category_filter_groups.iter().any(|group| !group.clauses.is_empty()) {
        let message = "filters by category are not known here".to_owned();
        problems.add(format!("{place}/categoryFilterGroups"), message, "write the clauses into groups");
    }
    Scope { groups: groups(&filter.groups), input_groups: groups(&filter.input_filter_groups) }
}

fn groups(groups: &[super::FilterGroup]) -> Vec<FilterGroup> {
    let clause = |clause: &super::FilterClause| FilterClause {
        source: SourceName::new(clause.source_operand_name.as_deref().unwrap_or_default().trim()),
        operator: clause.operator_name.as_deref().unwrap_or_default().trim().to_owned(),
        values: clause.target_operand.as_ref().map(|operand| operand.values.clone()).unwrap_or_default(),
    };
    let group = |group: &super::FilterGroup| FilterGroup {
        name: group.name.clone().unwrap_or_default(),
        clauses: group.clauses.iter().map(clause).collect(),
    };
    groups.iter().map(group).collect()
}

fn mapping_of(row: &AttributeMapping, place: &str, problems: &mut Problems) -> Mapping {
    let source = row.source.as_ref().map_or(Ok(MappingSource::None), sources::of_wire).unwrap_or_else(|message| {
        problems.add(format!("{place}/source"), message, "write the source's expression, as in [userName]");
        MappingSource::None
    });
    let matching_priority = u16::try_from(row.matching_priority).unwrap_or_else(|_| {
        let message = format!("{} is no matching priority", row.matching_priority);
        problems.add(format!("{place}/matchingPriority"), message, "write 0, or 1 and more for a matching attribute");
        0
    });
    let when_always = row.flow_behavior.eq_ignore_ascii_case("FlowAlways");
    Mapping {
        target: row.target_attribute_name.trim().to_owned(),
        source,
        // What a client writes that knows other names is meant to apply always.
        apply: match row.flow_type.to_lowercase().as_str() {
            "objectaddonly" => Apply::OnCreate,
            "multivalueaddonly" => Apply::MultiValueAddOnly,
            "valueaddonly" => Apply::ValueAddOnly,
            "attributeaddonly" => Apply::AttributeAddOnly,
            _ => Apply::Always,
        },
        matching_priority,
        default_value: row.default_value.clone().filter(|value| !value.is_empty()),
        flow_null_values: row.flow_null_values,
        flow_when: if when_always { FlowWhen::Always } else { FlowWhen::Changed },
    }
}
