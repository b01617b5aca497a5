//! The parts of Microsoft Graph that clients of inbound provisioning touch (wire contract 2.7, 3.1, 3.2, 3.15).

mod on_demand;
pub mod schema;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

pub use on_demand::{KeyValuePair, OnDemandParameters, OnDemandSubject, ProvisionOnDemandRequest};

/// Every error under the Graph and Rollcall routes (wire contract 2.7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorEnvelope {
    pub error: ErrorBody,
}

/// What went wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    pub code: String,
    pub message: String,
    /// Single places at fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<ErrorDetail>,
    pub inner_error: InnerError,
}

/// One place at fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorDetail {
    pub code: String,
    pub message: String,
    /// A JSON pointer into the body (RFC 6901), or a header's or parameter's name.
    pub target: String,
    /// What to write instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The line at fault with marks under the place, for a terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawing: Option<String>,
}

/// What ties an error to a line of the service's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InnerError {
    /// UTC, without a zone suffix.
    pub date: String,
    #[serde(rename = "request-id")]
    pub request_id: String,
    #[serde(rename = "client-request-id")]
    pub client_request_id: String,
}

/// A list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Collection<T> {
    #[serde(rename = "@odata.context", default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    #[serde(rename = "@odata.nextLink", default, skip_serializing_if = "Option::is_none")]
    pub next_link: Option<String>,
    pub value: Vec<T>,
}

/// A template that applications are made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationTemplate {
    pub id: Uuid,
    pub display_name: String,
    pub home_page_url: Option<String>,
    pub supported_single_sign_on_modes: Vec<String>,
    pub supported_provisioning_types: Vec<String>,
    pub logo_url: Option<String>,
    pub categories: Vec<String>,
    pub publisher: String,
    pub description: String,
}

/// Id of the template that every client instantiates (wire contract 3.15).
pub const CUSTOM_APP_TEMPLATE: Uuid = Uuid::from_u128(0x8adf_8e6e_67b2_4cf2_a259_e3dc_5476_c621);

/// Body of `POST /applicationTemplates/{id}/instantiate`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstantiateRequest {
    pub display_name: String,
}

/// Its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstantiateResponse {
    pub application: Application,
    pub service_principal: ServicePrincipal,
}

/// An application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Application {
    pub id: Uuid,
    /// The same as `id`, under beta's older name.
    pub object_id: Uuid,
    pub app_id: Uuid,
    pub application_template_id: Option<Uuid>,
    pub display_name: String,
    pub created_date_time: String,
}

/// A service principal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServicePrincipal {
    pub id: Uuid,
    /// The same as `id`, under beta's older name.
    pub object_id: Uuid,
    pub app_id: Uuid,
    pub account_enabled: bool,
    pub display_name: String,
    pub app_display_name: String,
    pub service_principal_type: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub app_roles: Vec<AppRole>,
}

/// A role that the Graph resource offers to applications.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppRole {
    pub id: Uuid,
    pub value: String,
    pub display_name: String,
    pub description: String,
    pub allowed_member_types: Vec<String>,
    pub is_enabled: bool,
}

/// Body of `POST /servicePrincipals/{id}/appRoleAssignments`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppRoleAssignmentRequest {
    pub principal_id: Uuid,
    pub resource_id: Uuid,
    pub app_role_id: Uuid,
}

/// A role that a service principal holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppRoleAssignment {
    pub id: String,
    pub created_date_time: String,
    pub deleted_date_time: Option<String>,
    pub principal_type: String,
    pub principal_id: Uuid,
    pub principal_display_name: String,
    pub resource_id: Uuid,
    pub resource_display_name: String,
    pub app_role_id: Uuid,
}

/// Body of `POST /applications/{id}/addPassword`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AddPasswordRequest {
    pub password_credential: PasswordCredentialRequest,
}

/// What the new secret is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PasswordCredentialRequest {
    pub display_name: Option<String>,
    /// RFC 3339; now where it is missing.
    pub start_date_time: Option<String>,
    /// RFC 3339; two years from the start where it is missing.
    pub end_date_time: Option<String>,
}

/// A secret as it is shown once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasswordCredential {
    pub key_id: Uuid,
    /// The secret itself: here and never again.
    pub secret_text: String,
    pub hint: String,
    pub display_name: Option<String>,
    pub start_date_time: String,
    pub end_date_time: String,
    pub custom_key_identifier: Option<String>,
}

/// Body of `POST .../synchronization/jobs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewJobRequest {
    pub template_id: String,
}

/// A synchronization job (wire contract 3.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SynchronizationJob {
    pub id: String,
    pub template_id: String,
    pub schedule: SynchronizationSchedule,
    pub status: SynchronizationStatus,
    pub synchronization_job_settings: Vec<NamedValue>,
}

/// When a job runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SynchronizationSchedule {
    pub expiration: Option<String>,
    /// ISO 8601 duration. Ours work at once; the number is the one clients know.
    pub interval: String,
    /// `Active`, `Disabled` or `Paused`.
    pub state: String,
}

/// How a job fares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SynchronizationStatus {
    /// `NotConfigured`, `NotRun`, `Active` or `Paused`.
    pub code: String,
    pub count_successive_complete_failures: i64,
    pub escrows_pruned: bool,
    #[schema(value_type = Option<Object>)]
    pub last_execution: Option<serde_json::Value>,
    #[schema(value_type = Option<Object>)]
    pub last_successful_execution: Option<serde_json::Value>,
    #[schema(value_type = Option<Object>)]
    pub last_successful_execution_with_exports: Option<serde_json::Value>,
    #[schema(value_type = Vec<Object>)]
    pub progress: Vec<serde_json::Value>,
    #[schema(value_type = Option<Object>)]
    pub quarantine: Option<serde_json::Value>,
    pub steady_state_first_achieved_time: String,
    pub steady_state_last_achieved_time: String,
    pub synchronized_entry_count_by_type: Vec<KeyedCount>,
    pub troubleshooting_url: String,
}

/// A number under a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyedCount {
    pub key: String,
    pub value: i64,
}

/// A text under a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NamedValue {
    pub name: String,
    pub value: String,
}
