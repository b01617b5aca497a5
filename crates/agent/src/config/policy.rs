//! The `[policy]` section.

use rollcall_model::Dn;
use schemars::JsonSchema;
use serde::Deserialize;

use super::invalid;
use crate::Error;

/// What this agent may do, whatever the service asks for. Read at the start.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// DNs of the subtrees in which accounts may be written; empty: wherever the bind account may.
    pub containers: Vec<String>,
    /// LDAP names of the attributes that may be written; empty: all that are not denied.
    pub attributes_allowed: Vec<String>,
    /// LDAP names of attributes that are never written.
    pub attributes_denied: Vec<String>,
    /// What may be done to accounts. Deleting is not in the list as shipped.
    pub actions: Vec<PolicyAction>,
    /// Whether accounts with `adminCount` 1 or `isCriticalSystemObject` may be written.
    pub allow_protected: bool,
}

/// Something that may be done to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PolicyAction {
    Create,
    Update,
    Move,
    Rename,
    Disable,
    Enable,
    Delete,
}

impl PolicyAction {
    /// As it stands in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Move => "move",
            Self::Rename => "rename",
            Self::Disable => "disable",
            Self::Enable => "enable",
            Self::Delete => "delete",
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        use PolicyAction::{Create, Disable, Enable, Move, Rename, Update};
        Self {
            containers: vec![],
            attributes_allowed: vec![],
            attributes_denied: vec![],
            actions: vec![Create, Update, Move, Rename, Disable, Enable],
            allow_protected: false,
        }
    }
}

impl Policy {
    pub(super) fn check(&self) -> Result<(), Error> {
        for container in &self.containers {
            Dn::parse(container).map_err(|error| {
                invalid("policy.containers", &error.to_string(), "write DNs such as OU=Staff,DC=corp,DC=example")
            })?;
        }
        for (field, names) in [
            ("policy.attributes_allowed", &self.attributes_allowed),
            ("policy.attributes_denied", &self.attributes_denied),
        ] {
            let shaped = |name: &String| {
                name.starts_with(|c: char| c.is_ascii_alphabetic())
                    && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            };
            if let Some(name) = names.iter().find(|name| !shaped(name)) {
                return Err(invalid(field, &format!("'{name}' is no attribute"), "write LDAP names such as title"));
            }
        }
        Ok(())
    }
}
