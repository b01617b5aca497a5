//! Persons, walks over all of them, and what a change of the mappings would touch.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

/// All that a job knows of one person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersonShown {
    pub external_id: String,
    pub person: Uuid,
    /// Raised by each merge.
    pub version: i64,
    /// The merged record.
    #[schema(value_type = Object)]
    pub record: Map<String, Value>,
    pub link: Option<LinkShown>,
    /// What the last outcome left in the directory; `null` before the first.
    pub confirmed: Option<ConfirmedShown>,
    /// Values that the directory refused, by attribute: what it said.
    pub refused: BTreeMap<String, String>,
    /// When they are worked on; `null`: nothing is to be done.
    pub due: Option<String>,
    /// Why they are due: `operation`, `schema`, `reevaluation` or `clock`.
    pub due_reason: Option<String>,
    /// When the day may change what is wanted of them.
    pub look: Option<String>,
    /// Tries since the last success.
    pub attempts: i32,
    /// Why the last attempt failed.
    pub last_code: Option<String>,
}

/// The account of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LinkShown {
    pub object_guid: Uuid,
    /// Whether an outcome has confirmed it.
    pub confirmed: bool,
}

/// What an outcome left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfirmedShown {
    /// By attribute, lower case. Values that the mappings keep out of the log are `[Redact]`.
    pub attributes: BTreeMap<String, Vec<String>>,
    pub container: Option<String>,
    pub enabled: Option<bool>,
    /// `externalId` of the manager.
    pub manager: Option<String>,
    pub in_scope: Option<bool>,
}

/// A walk over all of a job's persons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SweepStatus {
    /// `schema` or `reevaluation`.
    pub cause: String,
    pub schema_version: i64,
    /// `running`, `paused`, `done` or `cancelled`.
    pub state: String,
    /// Persons looked at, of `total`.
    pub walked: i64,
    /// Those of them for whom something was to be done.
    pub touched: i64,
    /// Those of them whom the mappings cannot be applied to.
    pub failed: i64,
    pub total: i64,
    pub started: String,
    pub changed: String,
}

/// Body of `POST /rollcall/v1/jobs/{id}/sweep`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SweepRequest {
    /// `start`, `pause`, `continue` or `cancel`.
    pub action: String,
}

/// Body of `POST /rollcall/v1/jobs/{id}/reevaluate`: one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ReevaluateRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
}

/// Body of `POST /rollcall/v1/jobs/{id}/schema/impact`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ImpactRequest {
    /// A synchronizationSchema to be tried; the job's present one where it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub schema: Option<Value>,
}

/// Its answer: how many persons a walk with these mappings would touch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImpactAnswer {
    /// Whether all persons were looked at; not so where there was no time for them all.
    pub complete: bool,
    pub persons: i64,
    /// Those of them for whom something would be done.
    pub touched: i64,
    /// Those of them whom the mappings cannot be applied to.
    pub failed: i64,
    /// Persons by attribute that would be written.
    pub attributes: BTreeMap<String, i64>,
    /// Persons by what would happen to their account: `createOrLink`, `delete`, `disable`, `enable`, `move`, `rename`,
    /// `clear`, `enterScope`, `leaveScope`; `retry` for those who failed before.
    pub actions: BTreeMap<String, i64>,
    /// `externalId` of some of the touched.
    pub examples: Vec<String>,
    pub errors: Vec<ImpactError>,
}

/// Persons whom the mappings cannot be applied to for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImpactError {
    pub code: String,
    /// Target or source attribute.
    pub attribute: Option<String>,
    pub persons: i64,
    /// Of the first of them.
    pub reason: String,
    /// `externalId` of some of them.
    pub examples: Vec<String>,
}
