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
//! ```
//!
//! [`limits::FRAME_BYTES_MAX`]: rollcall_model::limits::FRAME_BYTES_MAX

use serde::{Deserialize, Serialize};

use rollcall_model::desired::DesiredState;
use rollcall_model::ids::{AgentId, ChangeId, Epoch, ObjectGuid, PersonId};
use rollcall_model::outcome::Outcome;

/// The protocol this build speaks.
pub const PROTOCOL: u32 = 1;

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
    /// One this build does not know; tolerated.
    #[serde(other)]
    Unknown,
}

impl Capability {
    /// What an agent of this build can do.
    pub const OURS: &'static [Self] =
        &[Self::Create, Self::Update, Self::Disable, Self::Enable, Self::Move, Self::Manager, Self::Journal];
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
        items: Vec<DesiredState>,
    },
    ClaimsAnswer {
        request: u64,
        answers: Vec<ClaimAnswer>,
    },
    /// These outcomes are on disk.
    OutcomesAck {
        ids: Vec<ChangeId>,
    },
    /// The node is about to stop: finish what has begun, take no more, reconnect.
    Drain {},
}

/// What an active agent has to know beside the desired states.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobContext {
    /// The controller that the service has named as the writing one (its `invocationId`); `None`: this agent's own
    /// becomes it.
    pub writing_controller: Option<String>,
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
    Outcomes {
        epoch: Epoch,
        outcomes: Vec<Outcome>,
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

/// What the agent signs: a fixed label, the service's host name as the agent dialled it (without port), the agent's
/// id and the nonce, so that a signature made for one service is worthless at another.
#[must_use]
pub fn signed_message(service_host: &str, agent: AgentId, nonce: &str) -> Vec<u8> {
    format!("rollcall agent link v1\n{service_host}\n{agent}\n{nonce}").into_bytes()
}

#[cfg(test)]
mod tests;
