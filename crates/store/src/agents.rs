//! Enrolled agents, and the lease of a domain.

use async_trait::async_trait;
use rollcall_model::Timestamp;
use rollcall_model::ids::{AgentId, Epoch, NodeId, TenantId};

use crate::{Audit, Error};

/// An enrolled agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    pub id: AgentId,
    pub tenant: TenantId,
    pub name: String,
    /// DNS name of its domain, lower case.
    pub domain: String,
    /// Ed25519, 32 bytes.
    pub public_key: Vec<u8>,
    pub enrolled: Timestamp,
    pub last_seen: Option<Timestamp>,
    /// The node it is connected to, while it is.
    pub node: Option<NodeId>,
    /// Its controller's host name, and what troubles it; as last reported.
    pub controller: Option<String>,
    pub trouble: Option<String>,
}

/// A one-time token, as stored: its SHA-256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEnrolment {
    pub tenant: TenantId,
    pub token_sha256: [u8; 32],
    pub domain: String,
    pub expires: Timestamp,
}

/// Proof of being the one node and agent that work on a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub tenant: TenantId,
    pub domain: String,
    pub epoch: Epoch,
}

/// A domain's lease row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseHolder {
    pub lease: Lease,
    pub node: NodeId,
    pub agent: AgentId,
    /// `invocationId` of the writing controller.
    pub writing_controller: Option<String>,
    pub until: Timestamp,
}

/// Persistence of agents and leases. Times of leases are [`crate::Store::shared_now`]'s.
#[async_trait]
pub trait Agents: Send + Sync {
    async fn create_enrolment(&self, new: &NewEnrolment, audit: &Audit) -> Result<(), Error>;

    /// Uses a token up and stores the agent, in one transaction; its domain. `None` where the token is unknown, used
    /// or expired. `agent.domain` is replaced by the token's.
    async fn enroll(&self, token_sha256: &[u8; 32], agent: &Agent, audit: &Audit) -> Result<Option<String>, Error>;

    async fn agent(&self, id: AgentId) -> Result<Option<Agent>, Error>;

    async fn agents(&self, tenant: TenantId) -> Result<Vec<Agent>, Error>;

    /// Notes that an agent is connected to `node` (`None`: no more), and what it last said.
    async fn note_agent(
        &self,
        id: AgentId,
        node: Option<NodeId>,
        seen: Timestamp,
        controller: Option<&str>,
        trouble: Option<&str>,
    ) -> Result<(), Error>;

    /// Takes the lease where it is free: never held, given up, or over since more than `grace_ms`. The epoch is
    /// raised. `None` where somebody else holds it. The writing controller stays the one stored, if there is one.
    #[expect(clippy::too_many_arguments, reason = "one row's columns")]
    async fn acquire_lease(
        &self,
        tenant: TenantId,
        domain: &str,
        node: NodeId,
        agent: AgentId,
        controller: Option<&str>,
        now: Timestamp,
        lease_ms: i64,
        grace_ms: i64,
    ) -> Result<Option<LeaseHolder>, Error>;

    /// Moves the end to `now + lease_ms`; `false` where the lease has passed to another, or ended before `now`.
    async fn renew_lease(&self, lease: &Lease, now: Timestamp, lease_ms: i64) -> Result<bool, Error>;

    /// Gives it up at once: the agent has said that no write of its is under way.
    async fn release_lease(&self, lease: &Lease, now: Timestamp) -> Result<(), Error>;

    async fn lease(&self, tenant: TenantId, domain: &str) -> Result<Option<LeaseHolder>, Error>;
}
