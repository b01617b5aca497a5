//! `provisionOnDemand` (wire contract 3.12).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Body of the request. Members that we do not know are let through, as Graph does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProvisionOnDemandRequest {
    pub parameters: Vec<OnDemandParameters>,
}

/// A rule and whom it is to be applied to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct OnDemandParameters {
    /// Id of the synchronization rule; a job has one, so any is taken.
    pub rule_id: Option<String>,
    pub subjects: Vec<OnDemandSubject>,
}

/// One person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OnDemandSubject {
    /// Their `externalId`.
    pub object_id: String,
    /// `User`.
    #[serde(default)]
    pub object_type_name: Option<String>,
}

/// Graph's `stringKeyStringValuePair`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyValuePair {
    #[serde(rename = "@odata.context", skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// JSON: `result` (`Success`, `Skipped`, `Failure`) and `details`.
    pub key: String,
    /// JSON: what was done, or would be.
    pub value: String,
}
