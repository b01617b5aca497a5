//! What the directory object of one person should look like: what the service ships to the agent.

use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::config::{Apply, InitialPassword};
use crate::ids::{ObjectGuid, PersonId, Version};
use crate::person::Link;
use crate::plan::{Failure, Warning};

/// One person's desired state. No secret is ever in it; a password is made by the agent, in its own add.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own that the plan asks by name")]
pub struct DesiredState {
    pub person: PersonId,
    pub external_id: String,
    pub version: Version,
    pub link: Option<Link>,
    /// Where to look for the account of a person without a link, in order of precedence. Never empty.
    pub matching: Vec<MatchRule>,
    pub account: DesiredAccount,
    /// The linked account is to be deleted. Where the agent's own policy forbids it, `account` says what is done instead.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delete: bool,
    /// What to do where no account exists.
    pub if_absent: IfAbsent,
    /// Whether more than the account's state may be written.
    pub extent: Extent,
    /// Why no account is made where `if_absent` says skip; `None`: the person is inactive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_absent_code: Option<Code>,
    /// An existing account is linked and otherwise left alone: the job does not update accounts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leave_existing: bool,
    /// The person has left the job's scope: what is confirmed is that, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub out_of_scope: bool,
    pub attributes: Vec<DesiredAttribute>,
    /// Attributes of a new account whose value is still to be chosen among candidates. None of them is in `attributes`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unique: Vec<UniqueAttribute>,
    /// Naming attribute of a new account; `None` only where `extent` is `AccountOnly`.
    pub cn: Option<String>,
    /// Whether an existing account may be given `cn` as its name; `None`: it is written on create only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rename: Option<MayWrite>,
    pub container: DesiredContainer,
    pub manager: Option<DesiredManager>,
    /// Whether a new account must change its password at first logon.
    pub must_change_password: bool,
    /// Whether a new account gets a password; without one it is made disabled, whatever `account` says.
    #[serde(default, skip_serializing_if = "InitialPassword::is_generated")]
    pub initial_password: InitialPassword,
    /// Whether an account found disabled though we last left it enabled is enabled again (job setting).
    pub enable_found_disabled: bool,
    /// Whether we last left the account enabled (from the confirmed outcome), to tell a hand-made disable.
    pub last_left_enabled: Option<bool>,
    /// The record is broken: once the account's state is made so, the operation ends with this failure.
    pub failure: Option<Failure>,
    /// What evaluation found; the outcome carries them on, so that the service need not remember them.
    pub warnings: Vec<Warning>,
}

/// An attribute of a new account whose value nobody else may have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UniqueAttribute {
    /// LDAP display name, or `cn`.
    pub name: String,
    /// In order of preference, none twice.
    pub candidates: Vec<String>,
    /// The log shows `[Redact]` in place of the value.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub redacted: bool,
}

impl DesiredState {
    /// Whether it says what an agent cannot read that was built before mappings could say it: flow types that only add,
    /// target actions, the job's scope, values that are hidden in the log or of which only ours may go.
    #[must_use]
    pub fn is_of_whole_schema(&self) -> bool {
        let is_of_whole_schema = |attribute: &DesiredAttribute| {
            attribute.redacted
                || !attribute.owned.is_empty()
                || !matches!(attribute.apply, Apply::Always | Apply::OnCreate)
        };
        self.if_absent_code.is_some()
            || self.leave_existing
            || self.out_of_scope
            || self.extent == Extent::AccountAndContainer
            || self.attributes.iter().any(is_of_whole_schema)
            || self.unique.iter().any(|own| own.redacted)
    }
}

/// One matching attribute and the value to look for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MatchRule {
    pub attribute: String,
    pub value: String,
}

/// The state the account should be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DesiredAccount {
    /// Disabled, by a write of its own that comes before every other and is not held up by any.
    Disabled,
    /// Enabled, with a cause: the last write on an existing account, part of the add of a new one.
    Enabled,
    /// A new account is enabled; an existing one is enabled only if this turns out to be its first link.
    EnabledIfNewOrFirstLink,
    /// A new account is enabled; an existing one is left as it is (`active` was never sent).
    EnabledIfNew,
}

/// What to do where there is no account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum IfAbsent {
    Create,
    /// End as skipped: inactive without an account, or DELETE.
    Skip,
}

/// How much of a desired state is usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Extent {
    Everything,
    /// The record is broken or asks for a disable alone: only `account` is to be made so.
    AccountOnly,
    /// `account` and `container` are to be made so: somebody left the scope of a job that moves such accounts.
    AccountAndContainer,
}

/// Whether an attribute may be written on an existing, linked account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MayWrite {
    /// It was sent, or its result differs from the last confirmed outcome, or was never confirmed.
    Yes,
    /// Compared only; a difference is drift. A first link writes it all the same if it applies always.
    FirstLinkOnly,
}

/// One attribute and its values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DesiredAttribute {
    /// LDAP display name.
    pub name: String,
    /// Empty: the attribute is to have no value (a clear, both switches on).
    pub values: Vec<String>,
    pub apply: Apply,
    pub may_write: MayWrite,
    /// cn, sAMAccountName and the matching value: refused, the create fails; any other is left out with a warning.
    pub mandatory: bool,
    /// The log shows `[Redact]` in place of the values.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub redacted: bool,
    /// What the last confirmed outcome left there, of an attribute of which only that may be taken away
    /// (`proxyAddresses`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owned: Vec<String>,
}

/// Where a new account is made, and whether an existing one is moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DesiredContainer {
    /// DN that the mapping yields; `None` where it is not mapped or yields nothing.
    pub mapped: Option<String>,
    /// DN of the job's container; used at creation only.
    pub default: Option<String>,
    /// The mapped container changed since the last confirmed outcome. A first link moves in any case.
    pub may_move: bool,
}

/// The manager to set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DesiredManager {
    /// The manager's `externalId`.
    pub external_id: String,
    /// The manager's account where this job has a link to it.
    pub guid: Option<ObjectGuid>,
    /// Where to look for an account without a link.
    pub matching: Vec<MatchRule>,
    pub may_write: MayWrite,
}
