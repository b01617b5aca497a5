//! Frames between service and agent: JSON text messages of a WebSocket, at most [`limits::FRAME_BYTES_MAX`] long.
//!
//! Frames to the agent refuse unknown fields and name the capabilities they need; frames from it tolerate them. The
//! service speaks protocol N with agents N and N-1.
//!
//! ```text
//! agent                                service
//!   ── GET /rollcall/v1/agents/link ──►   (WebSocket upgrade)
//!   ◄────────── Challenge ─────────────
//!   ─────────── Hello ────────────────►   signature over the challenge
//!   ◄────────── Standby | Active ──────   again whenever the role changes
//!   ─────────── Renew ────────────────►   every LEASE_RENEWAL_MS, active or not: the heartbeat
//!   ◄────────── RenewAck ──────────────
//!   ─────────── Outcomes ─────────────►   first those found in the journal
//!   ◄────────── OutcomesAck ───────────   on disk: may leave the journal
//!   ◄────────── Work ──────────────────
//!   ─────────── Claims ───────────────►   matching accounts to be linked
//!   ◄────────── ClaimsAnswer ──────────
//!   ─────────── Reserve ──────────────►   values that nobody in the directory holds, for accounts to be made
//!   ◄────────── Reserved ──────────────
//!   ◄────────── Look ──────────────────   who has changed, who stands as he was
//!   ─────────── Looked ───────────────►
//!   ◄────────── Ask ───────────────────   the schema, what would be written
//!   ─────────── Answer ───────────────►
//!   ◄────────── Release ───────────────   hand the domain over
//!   ─────────── Released ─────────────►   no write is under way, everything was told
//!   ◄────────── RotateKey ─────────────
//!   ─────────── NewKey ───────────────►
//!   ◄────────── KeyAccepted ───────────
//! ```
//!
//! Protocol 2 added the frames from `Look` on, the lane of `Work` and the capabilities that stand for them; an agent of
//! protocol 1 is sent none of it.
//!
//! [`limits::FRAME_BYTES_MAX`]: rollcall_model::limits::FRAME_BYTES_MAX

use serde::{Deserialize, Serialize};

use rollcall_model::desired::{DesiredState, UniqueAttribute};
use rollcall_model::ids::{AgentId, ChangeId, Epoch, ObjectGuid, PersonId};
use rollcall_model::outcome::{Conclusion, Outcome};
use rollcall_model::plan::{Action, PropertyChange, Warning};

/// The protocol this build speaks.
pub const PROTOCOL: u32 = 2;

/// What an agent can do; a frame that needs more is not sent to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Capability {
    Create,
    Update,
    Disable,
    Enable,
    Move,
    Manager,
    Journal,
    /// Gives accounts another name.
    Rename,
    /// Deletes accounts, where its own policy lets it.
    Delete,
    /// Work of the urgent lane overtakes other work between two LDAP operations.
    UrgentLane,
    /// Answers [`ToAgent::Look`].
    Look,
    /// Obeys [`JobContext::replication`].
    Replication,
    /// Hands a domain over on [`ToAgent::Release`].
    Release,
    /// Makes accounts without a password, and reads `DesiredState::initial_password`.
    NoPassword,
    /// Answers [`Question::Preview`].
    Preview,
    /// Chooses among the candidates of `DesiredState::unique`, with [`FromAgent::Reserve`].
    UniqueValues,
    /// Reads what [`DesiredState::is_of_whole_schema`](rollcall_model::desired::DesiredState::is_of_whole_schema) asks.
    WholeSchema,
    /// One this build does not know; tolerated.
    #[serde(other)]
    Unknown,
}

impl Capability {
    /// What an agent of this build can do.
    pub const OURS: &'static [Self] = &[
        Self::Create,
        Self::Update,
        Self::Disable,
        Self::Enable,
        Self::Move,
        Self::Manager,
        Self::Journal,
        Self::Rename,
        Self::Delete,
        Self::UrgentLane,
        Self::Look,
        Self::Replication,
        Self::Release,
        Self::NoPassword,
        Self::Preview,
        Self::UniqueValues,
        Self::WholeSchema,
    ];
}

/// Body of `POST /rollcall/v1/agents/enroll`. Not `Debug`: it holds a token.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnrollRequest {
    /// The one-time token that `rollcall agent token` printed.
    pub token: String,
    /// A name for lists; the host's name as a rule.
    pub name: String,
    /// Ed25519 public key, 32 bytes, base64 (standard alphabet, padded).
    pub public_key: String,
}

/// Its answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnrollResponse {
    pub agent: AgentId,
    /// DNS name of the domain the token was made for.
    pub domain: String,
}

/// From the service to the agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum ToAgent {
    /// The first frame: random bytes (base64) to be signed, see [`signed_message`].
    Challenge {
        protocol: u32,
        nonce: String,
    },
    /// Connected, but another agent is active.
    Standby {
        domain: String,
    },
    /// This agent is the active one.
    Active {
        domain: String,
        epoch: Epoch,
        lease_ms: i64,
        job_context: JobContext,
    },
    /// The lease was renewed (or, `renewed` false, is not this agent's any more).
    RenewAck {
        sequence: u64,
        epoch: Epoch,
        renewed: bool,
    },
    /// Desired states to be made so. Nothing in it is secret.
    Work {
        epoch: Epoch,
        needs: Vec<Capability>,
        #[serde(default, skip_serializing_if = "Lane::is_normal")]
        lane: Lane,
        items: Vec<DesiredState>,
    },
    ClaimsAnswer {
        request: u64,
        answers: Vec<ClaimAnswer>,
    },
    /// Answer to [`FromAgent::Reserve`], in its order.
    Reserved {
        request: u64,
        answers: Vec<Reservation>,
    },
    /// These outcomes are on disk.
    OutcomesAck {
        ids: Vec<ChangeId>,
    },
    /// The node is about to stop: finish what has begun, take no more, reconnect.
    Drain {},
    /// Which accounts have changed since a number was read from the writing controller, and the present `uSNChanged` of
    /// some. Answered by [`FromAgent::Looked`].
    Look {
        request: u64,
        epoch: Epoch,
        /// Every account whose `uSNChanged` is greater is wanted; `None`: none but the named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<i64>,
        guids: Vec<ObjectGuid>,
    },
    /// Answered by [`FromAgent::Answer`].
    Ask {
        request: u64,
        question: Question,
    },
    /// Another agent is to take over: finish the write under way, report, then say [`FromAgent::Released`].
    Release {
        epoch: Epoch,
    },
    /// What the agent logs from now on; `None`: what its configuration says.
    LogLevel {
        filter: Option<String>,
    },
    /// Make a new key and send it as [`FromAgent::NewKey`].
    RotateKey {},
    /// The new key may be used; the one before stays valid until it was.
    KeyAccepted {
        public_key: String,
    },
}

/// Which queue of the agent work goes into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Lane {
    #[default]
    Normal,
    /// Disables, deletions and what its sender called urgent: before everything else, between two LDAP operations.
    Urgent,
}

impl Lane {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls it with")]
    fn is_normal(&self) -> bool {
        *self == Self::Normal
    }
}

/// What the service may ask of an agent beside work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Question {
    /// The directory's schema, read anew: `rollcall_model::schema::Schema`.
    Schema,
    /// What would be written to make these so, at most [`limits::PREVIEW_BATCH_PERSONS_MAX`]: a list of [`Planned`], in
    /// their order.
    ///
    /// [`limits::PREVIEW_BATCH_PERSONS_MAX`]: rollcall_model::limits::PREVIEW_BATCH_PERSONS_MAX
    Preview { states: Vec<DesiredState> },
}

/// What would be done about one person. Nothing was written to find it out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Planned {
    pub person: PersonId,
    /// The account that was found.
    pub guid: Option<ObjectGuid>,
    /// Where it is.
    pub dn: Option<String>,
    /// The account matches, and this person has no link: whether it may be theirs is for the service to say.
    #[serde(default)]
    pub is_claim: bool,
    /// In the order they would be made.
    pub writes: Vec<PlannedWrite>,
    /// How the operation would end.
    pub result: Conclusion,
    pub warnings: Vec<Warning>,
    pub drift: Vec<PropertyChange>,
    /// Candidates of values that must be unique which nobody in the directory holds. The writes are planned with the
    /// first of each.
    #[serde(default)]
    pub free: Vec<UniqueAttribute>,
}

/// A write that would be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedWrite {
    pub action: Action,
    /// Where the account is once it is made.
    pub dn: String,
    pub properties: Vec<PropertyChange>,
}

/// What an active agent has to know beside the desired states.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobContext {
    /// The controller that the service has named as the writing one (its `invocationId`); `None`: this agent's own
    /// becomes it.
    pub writing_controller: Option<String>,
    /// Set for a while after the writing controller was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication: Option<Replication>,
}

/// Until the new writing controller has what the one before held, an object that is not found may still be on its way:
/// nothing is created, and nothing counts as gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Replication {
    /// `invocationId` of the controller before.
    pub from: String,
    /// The last number that it is known to have given out (`highestCommittedUSN`), where everything written there was
    /// reported; `None`: it is not known what was written there last, and only waiting helps.
    pub usn: Option<i64>,
    /// How long to wait at most, from the receipt of this frame.
    pub wait_ms: i64,
}

/// From the agent to the service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum FromAgent {
    Hello {
        protocol: u32,
        agent: AgentId,
        /// Ed25519 signature of [`signed_message`], base64.
        signature: String,
        version: String,
        capabilities: Vec<Capability>,
        controller: Option<Controller>,
    },
    /// Renewal and heartbeat in one. `controller` is `None` while the directory cannot be reached or refuses the bind.
    Renew {
        sequence: u64,
        controller: Option<Controller>,
        #[serde(default)]
        trouble: Option<rollcall_model::plan::Failure>,
    },
    Claims {
        request: u64,
        epoch: Epoch,
        claims: Vec<Claim>,
    },
    /// Values that these persons' accounts may be made with: which are they to have? Asked again with others where the
    /// answer is none.
    Reserve {
        request: u64,
        epoch: Epoch,
        wants: Vec<Want>,
    },
    Outcomes {
        epoch: Epoch,
        outcomes: Vec<Outcome>,
    },
    /// Answer to [`ToAgent::Look`].
    Looked {
        request: u64,
        epoch: Epoch,
        /// The controller that was asked.
        invocation_id: String,
        /// Its `highestCommittedUSN` from before the search: what is not in the answer was unchanged then.
        up_to: i64,
        /// Whether all was seen that was asked for: every page came, and accounts that were deleted can be seen. If not,
        /// nothing may be concluded from an account's absence.
        complete: bool,
        /// objectGUID and present `uSNChanged`; a deleted account is there with the number of its deletion.
        seen: Vec<(ObjectGuid, i64)>,
    },
    /// Answer to [`ToAgent::Ask`].
    Answer {
        request: u64,
        answer: Result<serde_json::Value, rollcall_model::plan::Failure>,
    },
    /// No write of this epoch is under way or will be, and every outcome was sent.
    Released {
        epoch: Epoch,
        /// The highest `uSNChanged` in the domain after the last write, where it could be read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        usn: Option<i64>,
    },
    /// A new Ed25519 public key (base64) and its signature over [`key_message`] (base64).
    NewKey {
        public_key: String,
        signature: String,
    },
}

/// The domain controller an agent is connected to, from its rootDSE.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Controller {
    /// `dnsHostName`.
    pub host: String,
    /// `invocationId` of its NTDS settings, or what stands for it where that cannot be read.
    pub invocation_id: String,
    pub highest_committed_usn: i64,
    /// A controller that is not writable is refused.
    pub writable: bool,
}

/// A matching account found for a person that has no link: may it be this person's?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    pub person: PersonId,
    pub guid: ObjectGuid,
}

/// Whether it may. Granted: the link is on disk, unconfirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimAnswer {
    pub person: PersonId,
    pub guid: ObjectGuid,
    pub granted: bool,
}

/// One attribute of one account that is about to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Want {
    pub person: PersonId,
    /// LDAP display name, or `cn`.
    pub attribute: String,
    /// Candidates that nobody in the directory holds, in order of preference.
    pub free: Vec<String>,
    /// Candidates that the directory refused, or, where none is free, those that it was found to hold.
    #[serde(default)]
    pub taken: Vec<String>,
}

/// The value that is now reserved for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reservation {
    pub person: PersonId,
    pub attribute: String,
    /// `None`: all of them are others'.
    pub value: Option<String>,
}

/// What the agent signs: a fixed label, the service's host name as the agent dialled it (without port), the agent's
/// id and the nonce, so that a signature made for one service is worthless at another.
#[must_use]
pub fn signed_message(service_host: &str, agent: AgentId, nonce: &str) -> Vec<u8> {
    format!("rollcall agent link v1\n{service_host}\n{agent}\n{nonce}").into_bytes()
}

/// What a new key signs, to prove that the agent holds it: a fixed label, the agent's id and the public key (base64).
#[must_use]
pub fn key_message(agent: AgentId, public_key: &str) -> Vec<u8> {
    format!("rollcall agent key v1\n{agent}\n{public_key}").into_bytes()
}

#[cfg(test)]
mod tests;
