//! The changes that lead from the observed entry to the desired state.

use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::config::InitialPassword;
use crate::dn::Dn;
use crate::ids::ObjectGuid;

/// What to do about one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// In the order they must be made; each is one LDAP request and one row of the log.
    pub writes: Vec<Write>,
    /// How the operation ends once every write has succeeded.
    pub verdict: Verdict,
    pub warnings: Vec<Warning>,
    /// Differences that were compared and are not ours to write.
    pub drift: Vec<PropertyChange>,
}

/// How an operation ends if all writes of its plan succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Done; with no writes it is skipped as `RedundantExport`.
    Fulfilled,
    Skipped(Code),
    Failed(Failure),
}

/// One LDAP write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Write {
    pub action: Action,
    pub request: WriteRequest,
    /// Attributes whose values nobody is to read: the log shows `[Redact]` in their place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redacted: Vec<String>,
}

/// What a write means to the reader of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    Create,
    Update,
    Disable,
    Enable,
    Move,
    Rename,
    Delete,
    /// No write: a decision to make none, or a failure before any.
    Other,
}

impl Action {
    pub const ALL: &'static [Self] =
        &[Self::Create, Self::Update, Self::Disable, Self::Enable, Self::Move, Self::Rename, Self::Delete, Self::Other];

    /// What the store holds.
    #[must_use]
    pub fn number(self) -> i16 {
        match self {
            Self::Create => 1,
            Self::Update => 2,
            Self::Disable => 3,
            Self::Enable => 4,
            Self::Move => 5,
            Self::Other => 6,
            Self::Rename => 7,
            Self::Delete => 8,
        }
    }

    #[must_use]
    pub fn from_number(number: i16) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.number() == number)
    }

    /// Graph's `provisioningAction`, which knows neither enable nor move nor rename (wire contract 4.2).
    #[must_use]
    pub fn graph_name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update | Self::Enable | Self::Move | Self::Rename => "update",
            Self::Disable => "disable",
            Self::Delete => "delete",
            Self::Other => "other",
        }
    }
}

/// The request itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum WriteRequest {
    /// One add with everything in it; the agent puts the password and the account control in as it sends it.
    #[serde(rename_all = "camelCase")]
    Add {
        container: Dn,
        cn: String,
        attributes: Vec<AddAttribute>,
        enabled: bool,
        must_change_password: bool,
        #[serde(default, skip_serializing_if = "InitialPassword::is_generated")]
        initial_password: InitialPassword,
    },
    /// Addressed by GUID.
    #[serde(rename_all = "camelCase")]
    Modify { guid: ObjectGuid, dn: Dn, changes: Vec<AttributeChange> },
    /// To another container, to another name, or both at once. Addressed by GUID.
    #[serde(rename_all = "camelCase")]
    Move {
        guid: ObjectGuid,
        dn: Dn,
        /// Where it is from then on; where it already is, if only the name changes.
        container: Dn,
        /// The new name; `None`: it keeps the one it has.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cn: Option<String>,
    },
    /// The object alone, never a tree. Addressed by GUID.
    #[serde(rename_all = "camelCase")]
    Delete { guid: ObjectGuid, dn: Dn },
}

/// An attribute of an add.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddAttribute {
    pub name: String,
    pub values: Vec<String>,
    pub mandatory: bool,
}

/// An attribute of a modify: sent as *delete the observed values, add the new ones*, so that a stale plan fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AttributeChange {
    pub name: String,
    /// Observed values that go; those that stay are in neither list.
    pub old: Vec<String>,
    pub new: Vec<String>,
}

/// A property as the log shows it: from what, to what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PropertyChange {
    pub name: String,
    pub old: Vec<String>,
    pub new: Vec<String>,
}

/// Something that went through with a reservation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Warning {
    pub code: Code,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribute: Option<String>,
    pub text: String,
}

/// Something that did not go through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    pub code: Code,
    /// A sentence that names the field and the remedy.
    pub reason: String,
    /// A source attribute's JSON pointer (RFC 6901), or a target attribute's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribute: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ldap: Option<LdapFailure>,
}

impl Failure {
    /// A failure on our side of the wire.
    #[must_use]
    pub fn new(code: Code, attribute: Option<&str>, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into(), attribute: attribute.map(str::to_owned), ldap: None }
    }
}

/// What the directory said, word for word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LdapFailure {
    /// Result code (RFC 4511 4.1.9).
    pub result_code: u32,
    pub diagnostic: String,
    pub dn: String,
}
