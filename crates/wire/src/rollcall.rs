//! Bodies of Rollcall's own routes, under `/rollcall/v1`.

pub mod persons;
pub mod schema;

use std::collections::BTreeMap;

mod preview;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

pub use preview::{
    PreviewAnswer, PreviewChange, PreviewError, PreviewPerson, PreviewProperty, PreviewRequest, PreviewRule,
    PreviewWarning,
};

/// Response header of bulkUpload: the upload's id.
pub const UPLOAD_ID_HEADER: &str = "rollcall-upload-id";
/// Request header of bulkUpload; `urgent` puts the whole request ahead of the others.
pub const LANE_HEADER: &str = "rollcall-lane";
/// Request header of bulkUpload: same key and body, same answer.
pub const IDEMPOTENCY_HEADER: &str = "idempotency-key";

/// Answer of `GET /rollcall/v1/uploads/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UploadStatus {
    pub id: Uuid,
    pub job: String,
    /// RFC 3339, UTC.
    pub received: String,
    /// Every operation has come to its end.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// State to number of operations.
    pub counts: BTreeMap<String, i64>,
    /// In the order of the request.
    pub operations: Vec<UploadOperation>,
}

/// One operation of an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UploadOperation {
    pub index: i32,
    pub bulk_id: Option<String>,
    pub external_id: Option<String>,
    /// `queued`, `waitingForJob`, `waitingForAgent`, `working`, `retrying`, `staged`; final: `done`, `skipped`,
    /// `failed`, `superseded`.
    pub state: String,
    pub reason: Option<String>,
    pub code: Option<String>,
    /// Rows of the provisioning log that tell what was done.
    pub log_ids: Vec<Uuid>,
    /// The operation in whose write this one's values went.
    pub merged_into: Option<OperationPlace>,
}

/// Where an operation stands: its upload and its index in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperationPlace {
    pub upload: Uuid,
    pub index: i32,
}

/// Answer of `GET /rollcall/v1/jobs/{id}/settings`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of a job, as the API names them")]
pub struct JobSettings {
    /// DNS name of the AD domain.
    pub domain: Option<String>,
    /// DN of the container for new accounts.
    pub container: Option<String>,
    /// What stands behind the `@` of a userPrincipalName; the domain where it is not set.
    pub upn_suffix: Option<String>,
    /// Expression that yields the container's DN.
    pub parent: Option<String>,
    /// `create`: cn is written when the account is made; `always`: accounts are renamed too.
    pub cn: String,
    /// `off`, `disable` or `delete`.
    pub delete: String,
    #[serde(rename = "match")]
    pub matching: Option<MatchPair>,
    pub empty_is_value: bool,
    pub must_change_password: bool,
    /// `generated`: one that nobody knows; `none`: new accounts are made disabled, without a password.
    pub initial_password: String,
    pub create_inactive: bool,
    pub enable_found_disabled: bool,
    /// Disables, deletes, moves of linked accounts and clears in 24 hours; `null`: as many as come.
    pub budget: Option<u32>,
    /// What is done to the account of somebody who leaves the scope: `nothing`, `disable` or `disableAndMove`.
    pub on_scope_exit: String,
    /// DN of the container they are moved to.
    pub scope_exit_container: Option<String>,
    /// IANA name of the zone whose midnight is the job's; `null`: UTC.
    pub time_zone: Option<String>,
    /// Days for which the unique values of an account that is no more are given to nobody else.
    pub unique_quarantine_days: u32,
    /// Raised by every change.
    pub schema_version: i64,
    /// The mappings as they stand; read only here.
    #[schema(value_type = Vec<Object>)]
    pub mappings: Vec<rollcall_model::config::Mapping>,
}

/// Which source attribute is looked for in which directory attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MatchPair {
    pub source: String,
    pub attribute: String,
}

/// Body of `PATCH /rollcall/v1/jobs/{id}/settings`. A member that is absent leaves its setting alone; `null` takes the
/// setting away where it can be taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct JobSettingsPatch {
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub domain: Option<Option<String>>,
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub container: Option<Option<String>>,
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub upn_suffix: Option<Option<String>>,
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub parent: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete: Option<String>,
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub matching: Option<MatchPair>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub empty_is_value: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub must_change_password: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_password: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_inactive: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_found_disabled: Option<bool>,
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>)]
    pub budget: Option<Option<u32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_scope_exit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope_exit_container: Option<String>,
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub time_zone: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique_quarantine_days: Option<u32>,
}

/// Tells a member that is `null` from one that is absent.
#[expect(clippy::option_option, reason = "absent, null and a value are three things in a JSON merge patch (RFC 7396)")]
fn present<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

/// Answer of `GET /rollcall/v1/jobs/{id}/status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobStatus {
    pub id: String,
    pub service_principal: Uuid,
    /// `notRun`, `active` or `paused`.
    pub state: String,
    pub domain: Option<String>,
    /// The agent that works on the domain now.
    pub active_agent: Option<Uuid>,
    pub schema_version: i64,
    /// Whether the mappings' targets fit the directory.
    pub schema_targets: schema::TargetState,
    /// Operation state to number.
    pub operations: BTreeMap<String, i64>,
    pub persons: i64,
    pub linked: i64,
    /// Persons that are due, now or later.
    pub due: i64,
    /// Persons whose last attempt failed for good.
    pub failed: i64,
    /// How much of the budget is spent, and who is held back by it.
    pub budget: JobBudget,
    /// The last walk over the job's persons after its mappings were changed; `null` where there was none.
    pub sweep: Option<persons::SweepStatus>,
    /// Rows of the provisioning log by action and result.
    pub changes: Vec<ChangeCount>,
}

/// A job's budget of disables, deletes, moves of linked accounts and clears.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobBudget {
    /// Writes in 24 hours; `null`: as many as come.
    pub limit: Option<u32>,
    /// Those of the last 24 hours, and those under way.
    pub used: i64,
    /// Persons who are held back.
    pub staged: i64,
    /// Persons who were released and are still to be worked on.
    pub released: i64,
}

/// Body of `POST /rollcall/v1/jobs/{id}/release`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ReleaseRequest {
    /// How many persons, longest held back first; all where it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
}

/// Its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Released {
    /// Persons who were let go.
    pub persons: i64,
}

/// Rows of the log of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangeCount {
    pub action: String,
    pub status: String,
    pub count: i64,
}

/// Answer of `POST /rollcall/v1/jobs/{id}/retry`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retried {
    /// Persons that are due now.
    pub persons: i64,
}

/// Answer of `GET /rollcall/v1/jobs/{id}/links/{externalId}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersonLink {
    pub external_id: String,
    pub person: Uuid,
    pub version: i64,
    /// `objectGUID` of the account; `None`: not linked.
    pub object_guid: Option<Uuid>,
    /// False from the claim of an account until the first outcome on it.
    pub confirmed: bool,
    /// Why the last attempt failed.
    pub last_code: Option<String>,
}

/// Body of `POST /rollcall/v1/agents/tokens`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnrolmentTokenRequest {
    /// DNS name of the AD domain that the agent will serve.
    pub domain: String,
}

/// Its answer: the token is shown here and never again.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnrolmentToken {
    pub token: String,
    pub domain: String,
    /// RFC 3339, UTC.
    pub expires: String,
}

/// Answer of `GET /rollcall/v1/agents`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentList {
    pub value: Vec<AgentInfo>,
}

/// An enrolled agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentInfo {
    pub agent: Uuid,
    pub name: String,
    pub domain: String,
    /// `active`, `standby`, `draining`, `inTrouble` or `offline`.
    pub state: String,
    /// Why it is in that state, in one sentence.
    pub why: String,
    /// Host name of its domain controller, as last reported.
    pub controller: Option<String>,
    /// What troubles it, as last reported.
    pub trouble: Option<String>,
    /// Of its program.
    pub version: Option<String>,
    /// The node of the service that it is connected to.
    pub node: Option<Uuid>,
    /// It is to hand its domain over and take none.
    pub draining: bool,
    /// What it is to log; `None`: what its own configuration says.
    pub log_filter: Option<String>,
    /// `wanted`: it is to make a new key; `overlap`: it has one, and the key before is valid until the new one is used.
    pub key_rotation: Option<String>,
    /// RFC 3339, UTC.
    pub enrolled: String,
    /// RFC 3339, UTC.
    pub last_seen: Option<String>,
}

/// Body of `POST /rollcall/v1/agents/{agent}/logLevel`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgentLogLevel {
    /// A level or a filter, as in the agent's configuration; null: what that says.
    pub filter: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_tells_absent_from_null_and_refuses_what_it_does_not_know() {
        let read = |text: &str| serde_json::from_str::<JobSettingsPatch>(text);
        assert_eq!(read("{}").unwrap().domain, None);
        assert_eq!(read(r#"{"domain":null}"#).unwrap().domain, Some(None));
        assert_eq!(read(r#"{"domain":"a.test"}"#).unwrap().domain, Some(Some("a.test".to_owned())));
        assert_eq!(read(r#"{"budget":null}"#).unwrap().budget, Some(None));
        assert_eq!(read(r#"{"budget":9}"#).unwrap().budget, Some(Some(9)));
        assert!(read(r#"{"colour":"red"}"#).unwrap_err().to_string().contains("colour"));
    }
}
