//! Bodies of the preview.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Body of `POST /rollcall/v1/jobs/{job}/preview`. Either `Operations` (with `schemas`, as bulkUpload takes them),
/// or `persons`, or neither: then all stored persons are gone through, a page at a time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PreviewRequest {
    /// As in bulkUpload; read there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub schemas: Option<Value>,
    /// Operations as in bulkUpload, up to `PREVIEW_PERSONS_MAX` of them; merged in memory and nowhere else.
    #[serde(rename = "Operations", alias = "operations", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub operations: Option<Value>,
    /// `externalId` of stored persons: as if each one's record were sent again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub persons: Option<Vec<String>>,
    /// `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Persons of a page; `PREVIEW_PERSONS_MAX` where it is not given, and at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// A synchronizationSchema to be tried in place of the job's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub schema: Option<Value>,
    /// Answer with unchanged persons too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// `taken` of the requests before, of one preview in several.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub taken: BTreeMap<String, Vec<String>>,
}

/// Its answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviewAnswer {
    /// Persons that were looked at.
    pub persons: usize,
    /// Writes by action (`create`, `update`, `move`, `rename`, `enable`, `disable`, `delete`), and persons that are
    /// `unchanged`, `skipped` or `failed`.
    pub counts: BTreeMap<String, u64>,
    /// Whoever is not unchanged, in the order of the request.
    pub value: Vec<PreviewPerson>,
    /// Values that must be unique and would be given out, by attribute (`dn` for names in containers).
    pub taken: BTreeMap<String, Vec<String>>,
    /// Where the next page of stored persons begins; null at the end.
    pub next: Option<String>,
}

/// What would be done about one person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviewPerson {
    pub external_id: Option<String>,
    /// Places in `Operations` of those that are about this person.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub operations: Vec<usize>,
    /// `done`, `unchanged`, `skipped` or `failed`.
    pub outcome: String,
    /// Where the account is now.
    pub dn: Option<String>,
    /// In the order they would be made. Those before a failure would be made all the same.
    pub changes: Vec<PreviewChange>,
    pub warnings: Vec<PreviewWarning>,
    /// Differences that would be left as they are.
    pub drift: Vec<PreviewProperty>,
    /// Why it would fail, or be skipped.
    pub error: Option<PreviewError>,
}

/// One write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviewChange {
    /// `create`, `update`, `move`, `rename`, `enable`, `disable` or `delete`.
    pub action: String,
    /// Where the account is after it.
    pub dn: String,
    pub properties: Vec<PreviewProperty>,
}

/// One property, from what to what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviewProperty {
    pub name: String,
    pub old: Vec<String>,
    pub new: Vec<String>,
    /// What made the new value; null where no mapping did (the job's container, the state that `active` asks for).
    pub rule: Option<PreviewRule>,
}

/// A row of the mapping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviewRule {
    /// Target attribute.
    pub target: String,
    /// The expression, or the source attribute in brackets.
    pub mapping: String,
}

/// A reservation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviewWarning {
    pub code: String,
    pub attribute: Option<String>,
    pub text: String,
}

/// Why something would not be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviewError {
    pub code: String,
    pub reason: String,
    /// A source attribute's JSON pointer, or a target attribute's name.
    pub attribute: Option<String>,
}
