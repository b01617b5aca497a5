//! One row of the attribute mapping, and what may be done to accounts at all.

use serde::{Deserialize, Serialize};

use crate::source::SourceName;

/// One row of the attribute mapping (engine-and-agent 2.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mapping {
    /// LDAP display name of an AD attribute, or one of [`super::target`]'s pseudo-attributes.
    pub target: String,
    pub source: MappingSource,
    #[serde(default)]
    pub apply: Apply,
    /// 0: not a matching attribute; else evaluated in ascending order, the first that finds one object wins.
    #[serde(default)]
    pub matching_priority: u16,
    /// Used when an account is created and the source yields nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_value: Option<String>,
    /// Target half of the clearing switch; the source half is [`super::JobConfig::clearable_sources`].
    #[serde(default)]
    pub flow_null_values: bool,
    /// Whether a value that did not change may be written again.
    #[serde(default, skip_serializing_if = "FlowWhen::is_changed")]
    pub flow_when: FlowWhen,
}

impl Mapping {
    /// A mapping that applies always and does nothing else of note.
    #[must_use]
    pub fn new(target: &str, source: MappingSource) -> Self {
        Self {
            target: target.to_owned(),
            source,
            apply: Apply::Always,
            matching_priority: 0,
            default_value: None,
            flow_null_values: false,
            flow_when: FlowWhen::Changed,
        }
    }
}

/// Where a mapping's value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MappingSource {
    Direct(SourceName),
    Constant(String),
    /// Text in the expression language, parsed when it is saved.
    Expression(String),
    /// Nowhere: the target is left alone, but for the default value in our own add.
    None,
}

/// When a mapping's value is written (Graph `attributeFlowType`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Apply {
    #[default]
    Always,
    /// In our own add only (Graph `ObjectAddOnly`).
    OnCreate,
    /// Values are added to what a list holds, and none is taken away.
    MultiValueAddOnly,
    /// The same under Graph's other name for it.
    ValueAddOnly,
    /// Only where the account has no value.
    AttributeAddOnly,
}

impl Apply {
    /// Whether existing accounts are written at all.
    #[must_use]
    pub fn is_kept_up(self) -> bool {
        self != Self::OnCreate
    }

    /// Whether values found in the directory stay.
    #[must_use]
    pub fn only_adds(self) -> bool {
        matches!(self, Self::MultiValueAddOnly | Self::ValueAddOnly | Self::AttributeAddOnly)
    }
}

/// Whether a value that did not change may be written again (Graph `attributeFlowBehavior`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FlowWhen {
    /// Where its source was sent, or its result is not what was last confirmed.
    #[default]
    Changed,
    /// With every operation: what somebody changed in the directory is set right again.
    Always,
}

impl FlowWhen {
    /// For serialisation: the shipped value is left out.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        *self == Self::Changed
    }
}

/// What may be done to accounts (Graph `objectFlowTypes`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TargetActions {
    /// Off: a person without an account gets none; existing accounts stay managed.
    pub create: bool,
    /// Off: existing accounts are frozen, whatever is sent.
    pub update: bool,
    /// Off: DELETE is ignored.
    pub delete: bool,
}

impl Default for TargetActions {
    fn default() -> Self {
        Self { create: true, update: true, delete: true }
    }
}

impl TargetActions {
    /// For serialisation: the shipped value is left out.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }
}
