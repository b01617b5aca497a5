//! The source attribute list (engine-and-agent 2.2).

use serde::{Deserialize, Serialize};

use crate::source::{ENTERPRISE_USER, SourceName};

/// An attribute that records may have, as Graph's `attributeDefinition` describes it. Its clearing switch is kept in
/// [`super::JobConfig::clearable_sources`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own, as in Graph")]
pub struct SourceAttribute {
    pub name: SourceName,
    #[serde(rename = "type", default)]
    pub kind: AttributeType,
    /// The key of a record: exactly one attribute, `externalId`.
    #[serde(default)]
    pub anchor: bool,
    /// A new account needs a value of it.
    #[serde(default)]
    pub required: bool,
    #[serde(default)]
    pub multivalued: bool,
    /// Shown to clients; values are always compared exactly.
    #[serde(default)]
    pub case_exact: bool,
    #[serde(default)]
    pub mutability: Mutability,
    /// Taken where a required attribute has no value when an account is created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_value: Option<String>,
    /// What a reference points at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Reference>,
}

impl SourceAttribute {
    /// A single-valued text that nobody has to send.
    #[must_use]
    pub fn text(name: &str) -> Self {
        Self {
            name: SourceName::new(name),
            kind: AttributeType::String,
            anchor: false,
            required: false,
            multivalued: false,
            case_exact: false,
            mutability: Mutability::ReadWrite,
            default_value: None,
            references: Vec::new(),
        }
    }
}

/// The type of an attribute's values (Graph `attributeType`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AttributeType {
    #[default]
    String,
    Integer,
    Boolean,
    DateTime,
    Binary,
    Reference,
}

/// Who may change an attribute (Graph `mutability`); shown to clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mutability {
    #[default]
    ReadWrite,
    ReadOnly,
    Immutable,
    WriteOnly,
}

/// The object and property that a reference attribute names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reference {
    pub object: String,
    pub property: String,
}

/// Texts of SCIM's core schema for users, in the order clients see them.
const CORE: &[&str] = &[
    "userName",
    "displayName",
    "name.givenName",
    "name.familyName",
    "name.middleName",
    "name.formatted",
    "name.honorificPrefix",
    "name.honorificSuffix",
    "nickName",
    "title",
    "userType",
    "preferredLanguage",
    "locale",
    "timezone",
    "profileUrl",
    "emails[type eq \"work\"].value",
    "emails[type eq \"home\"].value",
    "phoneNumbers[type eq \"work\"].value",
    "phoneNumbers[type eq \"mobile\"].value",
    "phoneNumbers[type eq \"fax\"].value",
    "addresses[type eq \"work\"].formatted",
    "addresses[type eq \"work\"].streetAddress",
    "addresses[type eq \"work\"].locality",
    "addresses[type eq \"work\"].region",
    "addresses[type eq \"work\"].postalCode",
    "addresses[type eq \"work\"].country",
];

/// Texts of the enterprise extension.
const ENTERPRISE: &[&str] = &["employeeNumber", "costCenter", "organization", "division", "department"];

/// What a new job lists.
#[must_use]
pub fn standard_source_attributes() -> Vec<SourceAttribute> {
    let mut all = vec![
        SourceAttribute { anchor: true, required: true, ..SourceAttribute::text("externalId") },
        SourceAttribute { kind: AttributeType::Boolean, ..SourceAttribute::text("active") },
    ];
    all.extend(CORE.iter().map(|name| SourceAttribute::text(name)));
    all.extend(ENTERPRISE.iter().map(|name| SourceAttribute::text(&format!("{ENTERPRISE_USER}:{name}"))));
    let manager = Reference { object: ENTERPRISE_USER.to_owned(), property: "externalId".to_owned() };
    all.push(SourceAttribute {
        kind: AttributeType::Reference,
        references: vec![manager],
        ..SourceAttribute::text(&format!("{ENTERPRISE_USER}:manager"))
    });
    all
}

/// For serialisation: the list as shipped is left out.
pub(super) fn is_standard(attributes: &[SourceAttribute]) -> bool {
    attributes == standard_source_attributes()
}
