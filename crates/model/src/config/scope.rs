//! Who is provisioned (engine-and-agent 4).

use serde::{Deserialize, Serialize};

use crate::source::SourceName;

/// A job's scope filter. Groups are alternatives; all clauses of a group must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Scope {
    /// Who is in scope: whoever passes a group, or everybody where there is none. Leaving it has consequences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<FilterGroup>,
    /// Whose records are looked at (Graph `inputFilterGroups`): the others are passed over, without consequences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub input_groups: Vec<FilterGroup>,
}

impl Scope {
    /// Whether nobody is kept out.
    #[must_use]
    pub fn is_everybody(&self) -> bool {
        self.groups.is_empty() && self.input_groups.is_empty()
    }
}

/// Clauses that must all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FilterGroup {
    #[serde(default)]
    pub name: String,
    pub clauses: Vec<FilterClause>,
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FilterClause {
    pub source: SourceName,
    /// As written: `EQUALS`, `IS NOT NULL`, `Greater_Than`; looked up when it is saved.
    pub operator: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// What is done to the linked account of somebody who leaves the scope.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnScopeExit {
    /// It is left as it is.
    Nothing,
    #[default]
    Disable,
    /// It is disabled and moved to the container of this DN.
    DisableAndMove(String),
}

impl OnScopeExit {
    /// For serialisation: the shipped value is left out.
    #[must_use]
    pub fn is_disable(&self) -> bool {
        *self == Self::Disable
    }
}
