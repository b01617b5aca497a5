//! A job's schema as code: saved with its tests, listed, restored.

use rollcall_model::mapping_test::MappingTest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::graph::ErrorDetail;
use crate::graph::schema::SynchronizationSchema;

/// Response header of a save: what could not be checked yet.
pub const WARNING_HEADER: &str = "rollcall-warning";

/// Body of `PUT /rollcall/v1/jobs/{id}/schema`. What is not given stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SchemaSave {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<SynchronizationSchema>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub tests: Option<Vec<MappingTest>>,
    /// Why; shown in the history.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The version that it was made from; where another is the newest by now, nothing is saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub based_on: Option<i64>,
}

/// Its answer, and that of a restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SchemaSaved {
    /// The new version.
    pub version: i64,
    /// Whether its targets fit the directory: `passed`, or `pending` while no agent can be asked.
    pub targets: String,
    /// What could not be checked.
    pub warnings: Vec<String>,
}

/// The mapping tests of a job: answer of `GET /rollcall/v1/jobs/{id}/schema/tests`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SchemaTests {
    /// Of the schema that they stand beside.
    pub version: i64,
    #[schema(value_type = Vec<Object>)]
    pub tests: Vec<MappingTest>,
}

/// Body of the PUT there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SchemaTestsSave {
    #[schema(value_type = Vec<Object>)]
    pub tests: Vec<MappingTest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub based_on: Option<i64>,
}

/// A version of a job's schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SchemaVersion {
    pub version: i64,
    /// RFC 3339, UTC.
    pub at: String,
    /// Who made it.
    pub actor: String,
    /// `default`, `saved`, `restored` or `settings`.
    pub origin: String,
    /// The version that was restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<i64>,
    pub note: Option<String>,
    pub targets: TargetState,
}

/// Whether a version's targets fit the directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetState {
    /// `passed`, `pending` or `failed`.
    pub state: String,
    /// What an agent's answer showed after it was saved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<ErrorDetail>,
}

/// Answer of `GET /rollcall/v1/jobs/{id}/schema/history`, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SchemaHistory {
    pub value: Vec<SchemaVersion>,
    /// The value of `before` that brings the next ones; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_before: Option<i64>,
}

/// Answer of `GET /rollcall/v1/jobs/{id}/schema/history/{version}`: the version whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SchemaWhole {
    #[serde(flatten)]
    pub about: SchemaVersion,
    pub schema: SynchronizationSchema,
    #[schema(value_type = Vec<Object>)]
    pub tests: Vec<MappingTest>,
}

/// Body of `POST /rollcall/v1/jobs/{id}/schema/restore`: one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SchemaRestore {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// The mappings as shipped.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub default: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
