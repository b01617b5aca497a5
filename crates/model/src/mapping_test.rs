//! A test that stands beside a job's mappings: a record, and what should come of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::code::Code;

/// One test. It runs whenever mappings or tests are saved, and refuses them where it fails.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MappingTest {
    pub name: String,
    /// A SCIM user resource, or values by source attribute: `"name.givenName": "Ada"`. An `externalId` is made up where
    /// it has none.
    pub record: Map<String, Value>,
    /// RFC 3339; needed where a mapping reads the clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
    /// Whether the person has an account already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub existing: bool,
    /// Values that others have, for mappings that choose one nobody has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken: Vec<String>,
    #[serde(default, skip_serializing_if = "ExpectedOutcome::is_provisioned")]
    pub outcome: ExpectedOutcome,
    /// The code of a person who is skipped or fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// By target attribute: a value, a list of them, `[]` for one that is cleared, or null for one that is left alone.
    /// Targets that are not named may become what they will.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expected: BTreeMap<String, Value>,
}

/// What should be done about the person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ExpectedOutcome {
    /// The account is made so, or was so.
    #[default]
    Provisioned,
    /// Nothing is to be done: the person is out of scope, for instance.
    Skipped,
    /// Nothing can be done: the record is broken.
    Failed,
}

impl ExpectedOutcome {
    /// For serialisation: what most tests expect is left out.
    #[must_use]
    pub fn is_provisioned(&self) -> bool {
        *self == Self::Provisioned
    }
}

/// What a failing test expected, and what it got instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TestFailure {
    pub test: String,
    /// `None` where the person as a whole is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    pub expected: String,
    pub got: String,
}
