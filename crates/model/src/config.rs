//! What a job is set to do: its mappings and its settings.

mod attributes;
mod mapping;
mod scope;

use serde::{Deserialize, Serialize};

use crate::source::SourceName;
use crate::time::Timestamp;
pub use attributes::{AttributeType, Mutability, Reference, SourceAttribute, standard_source_attributes};
pub use mapping::{Apply, FlowWhen, Mapping, MappingSource, TargetActions};
pub use scope::{FilterClause, FilterGroup, OnScopeExit, Scope};

/// Target names that are no AD attributes, or that are treated in a way of their own.
pub mod target {
    /// Text True or False: bit 0x2 of userAccountControl.
    pub const ACCOUNT_DISABLED: &str = "accountDisabled";
    /// The container's DN.
    pub const PARENT: &str = "parentDistinguishedName";
    /// The naming attribute.
    pub const CN: &str = "cn";
    /// No attribute at all: its expression yields `IgnoreObjectFlow` for a person who is held back.
    pub const OBJECT_FILTER: &str = "objectFilter";
    /// A reference by `externalId`.
    pub const MANAGER: &str = "manager";
    pub const SAM_ACCOUNT_NAME: &str = "sAMAccountName";
    pub const USER_PRINCIPAL_NAME: &str = "userPrincipalName";

    /// Attributes that no mapping may name and no agent writes as one: they decide what an account is and may do, hold
    /// its password, or are the directory's own.
    pub const NEVER_MAPPABLE: &[&str] = &[
        "unicodePwd",
        "userPassword",
        "dBCSPwd",
        "userAccountControl",
        "pwdLastSet",
        "objectClass",
        "objectCategory",
        "objectGUID",
        "objectSid",
        "sIDHistory",
        "distinguishedName",
        "name",
        "adminCount",
        "isCriticalSystemObject",
        "member",
        "memberOf",
        "primaryGroupID",
        "uSNChanged",
        "uSNCreated",
        "whenCreated",
        "whenChanged",
        "nTSecurityDescriptor",
    ];

    /// Whether a mapping may name it: an LDAP display name outside [`NEVER_MAPPABLE`]. An OID, or a name with options,
    /// is another spelling of an attribute (RFC 4512, 2.5), and none.
    #[must_use]
    pub fn is_mappable(name: &str) -> bool {
        is_display_name(name) && !NEVER_MAPPABLE.iter().any(|never| never.eq_ignore_ascii_case(name))
    }

    /// Whether it is written as LDAP display names are: a letter, then letters, digits and hyphens.
    #[must_use]
    pub fn is_display_name(name: &str) -> bool {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    }
}

/// What a `DELETE` operation does to the linked account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeleteAction {
    Off,
    #[default]
    Disable,
    /// Deletes it where the agent's own policy lets it, else disables it.
    Delete,
}

/// Whether a new account gets a password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum InitialPassword {
    /// One that nobody knows, in the add itself.
    #[default]
    Generated,
    /// None: the account is made disabled, and whoever sets its password enables it.
    None,
}

impl InitialPassword {
    /// For frames that an agent of protocol 1 must be able to read.
    #[must_use]
    pub fn is_generated(&self) -> bool {
        *self == Self::Generated
    }
}

/// Whether waiting operations are worked on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum JobState {
    /// Made, but not started yet; Graph shows schedule `Disabled`.
    #[default]
    NotRun,
    Active,
    Paused,
}

/// A job's settings and mappings, stored whole, versioned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own, set by name in the job's settings")]
pub struct JobConfig {
    /// DNS name of the AD domain, lower case; `None` until it is set.
    #[serde(default)]
    pub domain: Option<String>,
    /// DN of the container for new accounts where `parentDistinguishedName` is not mapped or yields nothing.
    #[serde(default)]
    pub container: Option<String>,
    /// What stands behind the `@` of a userPrincipalName; the domain's name where it is not set.
    #[serde(default)]
    pub upn_suffix: Option<String>,
    #[serde(default)]
    pub delete_action: DeleteAction,
    /// Source attributes for which null clears, beside the mapping's own switch.
    #[serde(default)]
    pub clearable_sources: Vec<SourceName>,
    /// Whether `""` is a value of its own; as shipped it counts as absent.
    #[serde(default)]
    pub empty_is_value: bool,
    /// Whether a new account must change its password at first logon.
    #[serde(default)]
    pub must_change_password: bool,
    /// Whether a new account gets a password at all.
    #[serde(default)]
    pub initial_password: InitialPassword,
    /// Whether an inactive person without an account gets a disabled one.
    #[serde(default)]
    pub create_inactive: bool,
    /// Whether an account that somebody else disabled is enabled again.
    #[serde(default)]
    pub enable_found_disabled: bool,
    /// Disables, deletes, moves of linked accounts and clears in 24 hours, after which the rest waits to be released;
    /// `None`: as many as come.
    #[serde(default = "budget_default")]
    pub budget: Option<u32>,
    /// Days for which the unique values of an account that is no more are given to nobody else.
    #[serde(default = "quarantine_default", skip_serializing_if = "is_quarantine_default")]
    pub unique_quarantine_days: u32,
    /// Whether the job's object mapping is on; off, nothing is done about anybody.
    #[serde(default = "on", skip_serializing_if = "is_on")]
    pub enabled: bool,
    /// What may be done to accounts at all.
    #[serde(default, skip_serializing_if = "TargetActions::is_all")]
    pub actions: TargetActions,
    /// Who is provisioned.
    #[serde(default, skip_serializing_if = "Scope::is_everybody")]
    pub scope: Scope,
    /// What is done to the account of somebody who leaves the scope.
    #[serde(default, skip_serializing_if = "OnScopeExit::is_disable")]
    pub on_scope_exit: OnScopeExit,
    /// The attributes that records may have. Mappings may also read others of SCIM's schemas.
    #[serde(default = "standard_source_attributes", skip_serializing_if = "attributes::is_standard")]
    pub source_attributes: Vec<SourceAttribute>,
    /// IANA name of the zone whose midnight is the job's; `None`: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    pub mappings: Vec<Mapping>,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of the setting")]
fn budget_default() -> Option<u32> {
    Some(crate::limits::BUDGET_DEFAULT)
}

const DAY_MS: i64 = 86_400_000;

fn quarantine_default() -> u32 {
    crate::limits::UNIQUE_QUARANTINE_DAYS_DEFAULT
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands in a reference")]
fn is_quarantine_default(days: &u32) -> bool {
    *days == quarantine_default()
}

fn on() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands in a reference")]
fn is_on(on: &bool) -> bool {
    *on
}

impl JobConfig {
    /// The settings as shipped.
    #[must_use]
    pub fn new(mappings: Vec<Mapping>) -> Self {
        Self {
            domain: None,
            container: None,
            upn_suffix: None,
            delete_action: DeleteAction::default(),
            clearable_sources: Vec::new(),
            empty_is_value: false,
            must_change_password: false,
            initial_password: InitialPassword::default(),
            create_inactive: false,
            enable_found_disabled: false,
            budget: budget_default(),
            unique_quarantine_days: quarantine_default(),
            enabled: true,
            actions: TargetActions::default(),
            scope: Scope::default(),
            on_scope_exit: OnScopeExit::default(),
            source_attributes: standard_source_attributes(),
            time_zone: None,
            mappings,
        }
    }

    /// The listed source attribute of that name, whatever its case.
    #[must_use]
    pub fn source_attribute(&self, name: &SourceName) -> Option<&SourceAttribute> {
        self.source_attributes.iter().find(|attribute| attribute.name == *name)
    }

    /// Until when the unique values of an account that is no more `now` are given to nobody else.
    #[must_use]
    pub fn quarantined_until(&self, now: Timestamp) -> Timestamp {
        now.plus_ms(i64::from(self.unique_quarantine_days).saturating_mul(DAY_MS))
    }

    /// The mapping that writes `target`, whatever its case.
    #[must_use]
    pub fn mapping(&self, target: &str) -> Option<&Mapping> {
        self.mappings.iter().find(|mapping| mapping.target.eq_ignore_ascii_case(target))
    }
}

#[cfg(test)]
mod tests;
