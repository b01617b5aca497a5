//! The provisioning log as Graph shows it (wire contract 4.2-4.6).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProvisioningObjectSummary {
    pub id: Uuid,
    /// RFC 3339, UTC, whole seconds.
    pub activity_date_time: String,
    pub tenant_id: Uuid,
    pub job_id: String,
    /// The same once more, under the name that the web client reads (4.6).
    pub provisioning_job_id: String,
    pub cycle_id: Uuid,
    pub change_id: Uuid,
    /// `create`, `update`, `disable`, `other`.
    pub provisioning_action: String,
    /// Beta only: the action in PascalCase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    pub duration_in_milliseconds: i64,
    pub service_principal: Named,
    pub source_system: System,
    pub target_system: System,
    pub initiated_by: Initiator,
    pub source_identity: ProvisionedIdentity,
    pub target_identity: ProvisionedIdentity,
    pub provisioning_status_info: StatusInfo,
    /// Beta only: the older shape of the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_info: Option<LegacyStatusInfo>,
    pub modified_properties: Vec<ModifiedProperty>,
    pub provisioning_steps: Vec<ProvisioningStep>,
}

/// Something with an id and a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Named {
    pub id: String,
    pub display_name: String,
}

/// The source or the target of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct System {
    pub id: String,
    pub display_name: String,
    pub details: BTreeMap<String, String>,
}

/// Who caused it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Initiator {
    pub id: String,
    pub display_name: String,
    pub initiator_type: String,
}

/// The person at one end. Unknown texts are empty, not null.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProvisionedIdentity {
    /// Source: the `externalId`. Target: the `objectGUID`.
    pub id: String,
    pub display_name: String,
    pub identity_type: String,
    pub details: BTreeMap<String, String>,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusInfo {
    /// `success`, `warning`, `failure`, `skipped`.
    pub status: String,
    /// Present and null where there is no error.
    pub error_information: Option<ErrorInformation>,
}

/// Why it did not go through, or only with a reservation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorInformation {
    pub error_code: String,
    pub error_category: String,
    pub reason: String,
    /// `reason` once more, under the name that the web client reads (4.6).
    pub error_detail: String,
    pub additional_details: Option<String>,
    pub recommended_action: Option<String>,
}

/// [`StatusInfo`] as older clients of beta read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LegacyStatusInfo {
    pub status: String,
    pub error_code: Option<String>,
    pub reason: Option<String>,
    pub additional_details: Option<String>,
    pub error_category: Option<String>,
    pub recommended_action: Option<String>,
}

/// A property of the account: from what, to what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModifiedProperty {
    pub display_name: String,
    pub old_value: String,
    pub new_value: String,
}

/// One step on the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProvisioningStep {
    pub name: String,
    pub provisioning_step_type: String,
    pub status: String,
    pub description: String,
    pub details: BTreeMap<String, String>,
}
