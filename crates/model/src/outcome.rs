//! What really happened to one person, as the agent reports it.

use serde::{Deserialize, Serialize};

use crate::ids::{ChangeId, Epoch, ObjectGuid, PersonId, Version};
use crate::person::{Confirmed, Link};
use crate::plan::{Action, Failure, PropertyChange, Warning};
use crate::time::Timestamp;

/// The report on one desired state. Delivered until it is acknowledged, recorded once: every row it leads to carries
/// a [`ChangeId`] that the store keeps unique.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// Identifies the report, and is the change id of the log row where nothing was written.
    pub id: ChangeId,
    pub person: PersonId,
    pub version: Version,
    /// The epoch the work was given out under.
    pub epoch: Epoch,
    pub ended: Timestamp,
    pub result: Conclusion,
    /// Every write that reached the directory, and the one that failed.
    pub changes: Vec<AppliedChange>,
    /// The account as it now is; `None` where there is none or it was not seen.
    pub link: Option<Link>,
    /// The account's DN as last seen.
    pub dn: Option<String>,
    /// Desired values that are now in place; replaces what was confirmed before where `result` is `Done` or `Skipped`.
    pub confirmed: Option<Confirmed>,
    /// Values the directory refused in this run.
    pub refused: Vec<RefusedValue>,
    pub warnings: Vec<Warning>,
    pub drift: Vec<PropertyChange>,
    /// The manager has no account yet: remember who waits for whom.
    pub waits_for_manager: Option<String>,
}

/// How a piece of work ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Conclusion {
    Done,
    Skipped(crate::code::Code),
    /// Whether it is tried again follows from the code's kind.
    Failed(Failure),
    /// The agent stopped half way and now reports what it finds in its journal; the person is still due.
    Interrupted,
}

/// One LDAP write and how it went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppliedChange {
    pub id: ChangeId,
    pub action: Action,
    pub at: Timestamp,
    pub duration_ms: i64,
    pub guid: Option<ObjectGuid>,
    pub dn: String,
    pub properties: Vec<PropertyChange>,
    /// `None`: it reached the directory.
    pub failure: Option<Failure>,
    /// Found by observing after a crash, not by the directory's answer.
    pub confirmed_after_crash: bool,
}

/// An attribute the directory would not take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedValue {
    pub attribute: String,
    pub values: Vec<String>,
    pub failure: Failure,
}
