//! All that a job knows of one `externalId`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::ids::{ObjectGuid, PersonId, Version};
use crate::operation::Method;
use crate::plan::Warning;

/// The unit of work: the merged source record, its version, the link, the last confirmed outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Person {
    pub id: PersonId,
    /// As last sent.
    pub external_id: String,
    /// The merged record: what a SCIM user resource's `data` would be.
    pub record: serde_json::Map<String, serde_json::Value>,
    pub version: Version,
    pub pending: Pending,
    pub link: Option<Link>,
    /// What the directory was last known to hold of what we want; `None` before the first confirmed outcome.
    pub confirmed: Option<Confirmed>,
    /// Values the directory refused, by target attribute: not sent again while they, the mapping and the job's
    /// schema version stay the same.
    pub refused: BTreeMap<String, Refused>,
}

impl Person {
    /// A person of whom nothing is known yet.
    #[must_use]
    pub fn new(id: PersonId, external_id: &str) -> Self {
        Self {
            id,
            external_id: external_id.to_owned(),
            record: serde_json::Map::new(),
            version: Version(0),
            pending: Pending::default(),
            link: None,
            confirmed: None,
            refused: BTreeMap::new(),
        }
    }
}

/// What the versions merged since the last confirmed outcome brought.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and stored by its name")]
pub struct Pending {
    /// Folded names of the source attributes that were present ([`crate::SourceName::folded`]).
    pub touched: BTreeSet<String>,
    /// `active` was false in a version merged since the account was last confirmed as enabled: a cause to enable.
    pub was_inactive: bool,
    /// The newest operation's method.
    pub method: Method,
    /// An explicit re-evaluation: every *always* mapping may be written, but nothing is enabled.
    pub reevaluate: bool,
    /// A run that did not end well wrote something: the one that finds nothing left to write ends as done.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub written: bool,
    /// A run that was not recorded in its turn moved the account: where it stands is our doing, not a move by hand.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub moved: bool,
    /// What merging had reservations about; shown with the outcome.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

/// Person <-> objectGUID.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Link {
    pub guid: ObjectGuid,
    /// False from the claim of a matching account until the first outcome on it: such an outcome is a first link.
    pub confirmed: bool,
    /// `invocationId` of the controller that `usn_changed` was read from.
    pub invocation_id: Option<String>,
    pub usn_changed: Option<i64>,
}

/// The desired values that an outcome found or put in place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Confirmed {
    /// By target attribute, lower case. An empty list: confirmed as having no value.
    pub attributes: BTreeMap<String, Vec<String>>,
    /// The mapped container; `None` where none was mapped.
    pub container: Option<String>,
    /// Whether we last left the account enabled; `None` where we never had a say.
    pub enabled: Option<bool>,
    /// `externalId` of the manager that was set.
    pub manager: Option<String>,
    /// Whether the person was in the job's scope; `None`: confirmed by an agent that does not say so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_scope: Option<bool>,
}

/// A value that the directory would not take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Refused {
    pub values: Vec<String>,
    pub schema_version: i64,
    /// What the directory said.
    pub reason: String,
}
