//! Names of source attributes, as mappings, expressions and diagnostics write them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// SCIM's core schema for users (RFC 7643 8.1).
pub const CORE_USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// SCIM's enterprise extension (RFC 7643 4.3).
pub const ENTERPRISE_USER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// The form in which names and `externalId`s are compared: lower case, character by character.
#[must_use]
pub fn fold(text: &str) -> String {
    text.to_lowercase()
}

/// The full name of a source attribute: `userName`, `name.givenName`, `emails[type eq "work"].value`,
/// `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department`. Equality ignores case (RFC 7643 2.1).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceName(String);

impl SourceName {
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The comparable form; what sets of names hold.
    #[must_use]
    pub fn folded(&self) -> String {
        fold(&self.0)
    }
}

impl PartialEq for SourceName {
    fn eq(&self, other: &Self) -> bool {
        self.folded() == other.folded()
    }
}
impl Eq for SourceName {}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
