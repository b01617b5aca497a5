//! `synchronizationSchema` and what goes with it (wire contract 3.6, 3.8, 3.13). Read with leniency: clients drop
//! members, add members of their own and send null for empty lists; what we do not know is kept and sent back.

mod from_config;
mod sources;
mod to_config;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

pub use from_config::{Described, config_to_schema, type_name};
pub use sources::{rendered, source_tree};
pub use to_config::{Converted, schema_to_config};

/// Name of the source directory.
pub const SOURCE_DIRECTORY: &str = "API";
/// Name of the target directory.
pub const TARGET_DIRECTORY: &str = "Active Directory";
/// Name of the target directory's object.
pub const TARGET_OBJECT: &str = "User";
/// Name of the rule between the two.
pub const RULE: &str = "API to Active Directory";

/// Members that are not ours.
pub type Other = Map<String, Value>;

/// What is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// JSON pointer into the document (RFC 6901).
    pub place: String,
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

/// A job's whole schema.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SynchronizationSchema {
    pub id: Option<String>,
    pub version: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    pub directories: Vec<DirectoryDefinition>,
    #[serde(deserialize_with = "null_as_default")]
    pub synchronization_rules: Vec<SynchronizationRule>,
    #[serde(flatten)]
    #[schema(ignore)]
    pub other: Other,
}

/// A directory and the objects in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DirectoryDefinition {
    pub id: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    #[serde(deserialize_with = "null_as_default")]
    pub read_only: bool,
    pub version: Option<String>,
    /// Flags, as in `AttributeNames, AttributeDataTypes`.
    #[serde(deserialize_with = "null_as_default")]
    pub discoverabilities: String,
    pub discovery_date_time: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    pub objects: Vec<ObjectDefinition>,
    #[serde(flatten)]
    #[schema(ignore)]
    pub other: Other,
}

/// A kind of object and its attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectDefinition {
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    #[serde(deserialize_with = "null_as_default")]
    pub attributes: Vec<AttributeDefinition>,
    #[serde(deserialize_with = "null_as_default")]
    pub metadata: Vec<KeyedText>,
    #[serde(deserialize_with = "null_as_default")]
    pub supported_apis: Vec<String>,
    #[serde(flatten)]
    #[schema(ignore)]
    pub other: Other,
}

/// An attribute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
#[expect(clippy::struct_excessive_bools, reason = "they are Graph's")]
pub struct AttributeDefinition {
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    /// `String`, `Integer`, `Reference`, `Binary`, `Boolean` or `DateTime`.
    #[serde(rename = "type", deserialize_with = "null_as_default")]
    pub kind: String,
    #[serde(deserialize_with = "null_as_default")]
    pub anchor: bool,
    #[serde(deserialize_with = "null_as_default")]
    pub case_exact: bool,
    #[serde(deserialize_with = "lenient_text")]
    pub default_value: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    pub flow_null_values: bool,
    #[serde(deserialize_with = "null_as_default")]
    pub multivalued: bool,
    /// `ReadWrite`, `ReadOnly`, `Immutable` or `WriteOnly`.
    #[serde(deserialize_with = "null_as_default")]
    pub mutability: String,
    #[serde(deserialize_with = "null_as_default")]
    pub required: bool,
    #[serde(deserialize_with = "null_as_default")]
    pub metadata: Vec<KeyedText>,
    #[serde(deserialize_with = "null_as_default")]
    pub referenced_objects: Vec<ReferencedObject>,
    #[serde(flatten)]
    #[schema(ignore)]
    pub other: Other,
}

/// What a reference points at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ReferencedObject {
    pub referenced_object_name: Option<String>,
    pub referenced_property: Option<String>,
    #[serde(flatten)]
    #[schema(ignore)]
    pub other: Other,
}

/// A text under a key, as metadata are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct KeyedText {
    pub key: Option<String>,
    pub value: Option<String>,
}

/// A rule: from one directory to another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SynchronizationRule {
    pub id: Option<String>,
    pub name: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    pub priority: i64,
    #[serde(deserialize_with = "null_as_default")]
    pub editable: bool,
    #[serde(deserialize_with = "null_as_default")]
    pub metadata: Vec<KeyedText>,
    #[serde(deserialize_with = "null_as_default")]
    pub source_directory_name: String,
    #[serde(deserialize_with = "null_as_default")]
    pub target_directory_name: String,
    #[serde(deserialize_with = "null_as_default")]
    pub object_mappings: Vec<ObjectMapping>,
    #[serde(flatten)]
    #[schema(ignore)]
    pub other: Other,
}

/// How objects of one kind become objects of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectMapping {
    pub enabled: bool,
    /// Flags `Add`, `Update`, `Delete`, or `None`, as one text.
    pub flow_types: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    pub metadata: Vec<KeyedText>,
    pub name: Option<String>,
    pub scope: Option<Filter>,
    #[serde(deserialize_with = "null_as_default")]
    pub source_object_name: String,
    #[serde(deserialize_with = "null_as_default")]
    pub target_object_name: String,
    #[serde(deserialize_with = "null_as_default")]
    pub attribute_mappings: Vec<AttributeMapping>,
    #[serde(flatten)]
    #[schema(ignore)]
    pub other: Other,
}

/// A mapping is on unless it says that it is off.
impl Default for ObjectMapping {
    fn default() -> Self {
        Self {
            enabled: true,
            flow_types: None,
            metadata: Vec::new(),
            name: None,
            scope: None,
            source_object_name: String::new(),
            target_object_name: String::new(),
            attribute_mappings: Vec::new(),
            other: Other::new(),
        }
    }
}

/// One row of the mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AttributeMapping {
    #[serde(deserialize_with = "null_as_default")]
    pub target_attribute_name: String,
    #[serde(deserialize_with = "null_as_default")]
    pub matching_priority: i64,
    /// `Always`, `ObjectAddOnly`, `MultiValueAddOnly`, `ValueAddOnly` or `AttributeAddOnly`.
    #[serde(deserialize_with = "null_as_default")]
    pub flow_type: String,
    /// `FlowWhenChanged` or `FlowAlways`.
    #[serde(deserialize_with = "null_as_default")]
    pub flow_behavior: String,
    #[serde(deserialize_with = "lenient_text")]
    pub default_value: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    pub export_missing_references: bool,
    /// Target half of the clearing switch; Graph has published no name for it.
    #[serde(deserialize_with = "null_as_default")]
    pub flow_null_values: bool,
    pub source: Option<AttributeMappingSource>,
    #[serde(flatten)]
    #[schema(ignore)]
    pub other: Other,
}

/// Where a value comes from: the text of an expression, and what it is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AttributeMappingSource {
    pub expression: Option<String>,
    pub name: Option<String>,
    /// `Attribute`, `Constant` or `Function`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    pub parameters: Vec<SourceParameter>,
    #[serde(flatten)]
    #[schema(ignore)]
    pub other: Other,
}

/// An argument of a function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SourceParameter {
    pub key: Option<String>,
    #[schema(no_recursion)]
    pub value: Option<AttributeMappingSource>,
}

/// Who is provisioned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Filter {
    #[serde(deserialize_with = "null_as_default")]
    pub groups: Vec<FilterGroup>,
    #[serde(deserialize_with = "null_as_default")]
    pub input_filter_groups: Vec<FilterGroup>,
    #[serde(deserialize_with = "null_as_default")]
    pub category_filter_groups: Vec<FilterGroup>,
    #[serde(flatten)]
    #[schema(ignore)]
    pub other: Other,
}

/// Clauses that must all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FilterGroup {
    pub name: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    pub clauses: Vec<FilterClause>,
}

/// One comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FilterClause {
    pub operator_name: Option<String>,
    pub source_operand_name: Option<String>,
    pub target_operand: Option<FilterOperand>,
}

/// What is compared with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct FilterOperand {
    #[serde(deserialize_with = "null_as_default")]
    pub values: Vec<String>,
}

/// An operator of scope filters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FilterOperatorSchema {
    pub id: String,
    pub name: String,
    /// `Unary` or `Binary`.
    pub arity: String,
    /// `All` or `Any`.
    pub multivalued_comparison_type: String,
    pub supported_attribute_types: Vec<String>,
}

/// A function of the expression language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttributeMappingFunctionSchema {
    pub id: String,
    pub name: String,
    pub parameters: Vec<AttributeMappingParameterSchema>,
}

/// A parameter of a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttributeMappingParameterSchema {
    pub name: String,
    pub required: bool,
    #[serde(rename = "type")]
    pub kind: String,
    pub allow_multiple_occurrences: bool,
}

/// Body of `parseExpression`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ParseExpressionRequest {
    #[serde(deserialize_with = "null_as_default")]
    pub expression: String,
    pub test_input_object: Option<ExpressionInputObject>,
    pub target_attribute_definition: Option<AttributeDefinition>,
}

/// The object that an expression is tried on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ExpressionInputObject {
    pub definition: Option<ObjectDefinition>,
    #[serde(deserialize_with = "null_as_default")]
    pub properties: Vec<KeyedValue>,
}

/// A value of any type under a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct KeyedValue {
    pub key: Option<String>,
    #[schema(value_type = Option<Object>)]
    pub value: Value,
}

/// Answer of `parseExpression`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ParseExpressionResponse {
    pub error: Option<PublicError>,
    pub evaluation_result: Vec<String>,
    pub evaluation_succeeded: bool,
    pub parsed_expression: Option<AttributeMappingSource>,
    pub parsing_succeeded: bool,
}

/// Why an expression could not be parsed or evaluated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PublicError {
    pub code: String,
    pub message: String,
    /// What to write instead, or where the error is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// A template that jobs are made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SynchronizationTemplate {
    pub id: String,
    pub application_id: String,
    pub default: bool,
    pub description: String,
    pub discoverable: bool,
    pub factory_tag: String,
    pub metadata: Vec<KeyedText>,
    pub schema: SynchronizationSchema,
}

/// What clients send null for counts as not sent.
fn null_as_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// A text, or what stands for one: a number or a flag.
fn lenient_text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(if flag { "True" } else { "False" }.to_owned()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    })
}

#[cfg(test)]
mod tests;
