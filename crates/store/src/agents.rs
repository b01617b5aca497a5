//! Enrolled agents, and the lease of a domain.

use async_trait::async_trait;
use rollcall_model::Timestamp;
use rollcall_model::ids::{AgentId, Epoch, NodeId, TenantId};

use crate::{Audit, Error, Fenced};

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
    /// Of its program, as it said when it connected last.
    pub version: Option<String>,
    pub draining: Draining,
    /// What it is to log; `None`: what its own configuration says.
    pub log_filter: Option<String>,
    /// Since when it is wanted to make a new key; `None`: it is not.
    pub rotate_key_wanted: Option<Timestamp>,
    /// A second key, as valid as the first until it has been used: then it is the only one.
    pub new_public_key: Option<Vec<u8>>,
}

impl Agent {
    /// As enrolment makes it: never seen, and with no wishes about it.
    #[must_use]
    pub fn new(
        id: AgentId,
        tenant: TenantId,
        name: &str,
        domain: &str,
        public_key: &[u8],
        enrolled: Timestamp,
    ) -> Self {
        Self {
            id,
            tenant,
            name: name.to_owned(),
            domain: domain.to_owned(),
            public_key: public_key.to_owned(),
            enrolled,
            last_seen: None,
            node: None,
            controller: None,
            trouble: None,
            version: None,
            draining: Draining::No,
            log_filter: None,
            rotate_key_wanted: None,
            new_public_key: None,
        }
    }
}

/// Whether an agent is to hand its domain over and take none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draining {
    No,
    Yes,
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
    /// First of the epochs in a row that this agent holds: nobody else wrote to the domain since.
    pub agent_since: Epoch,
    /// `invocationId` of the writing controller.
    pub writing_controller: Option<String>,
    pub until: Timestamp,
    /// Set once the writing controller was changed.
    pub before: Option<ControllerBefore>,
}

/// The writing controller before the present one: what was written there may still be on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControllerBefore {
    /// `invocationId`.
    pub controller: String,
    /// Its last number, where everything written there was reported.
    pub usn: Option<i64>,
    /// When waiting for it ends.
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

    /// Notes the version of the agent's program.
    async fn note_agent_version(&self, id: AgentId, version: &str) -> Result<(), Error>;

    /// `false` where the tenant has no such agent.
    async fn set_agent_draining(
        &self,
        tenant: TenantId,
        agent: AgentId,
        draining: Draining,
        audit: &Audit,
    ) -> Result<bool, Error>;

    /// What the agent is to log; `None`: what its own configuration says. `false` where the tenant has no such agent.
    async fn set_agent_log_filter(
        &self,
        tenant: TenantId,
        agent: AgentId,
        filter: Option<&str>,
        audit: &Audit,
    ) -> Result<bool, Error>;

    /// Wishes for a new key of the agent's; a wish that stands already keeps its time. `false` where the tenant has no
    /// such agent.
    async fn want_agent_key(
        &self,
        tenant: TenantId,
        agent: AgentId,
        now: Timestamp,
        audit: &Audit,
    ) -> Result<bool, Error>;

    /// Stores the agent's second key, in place of one that was never used, and fulfils the wish for it. `false` where
    /// there is no such agent, or the key is the one it has.
    async fn add_agent_key(&self, agent: AgentId, public_key: &[u8], audit: &Audit) -> Result<bool, Error>;

    /// The second key has been used: it becomes the only one. `false` where it is not the agent's second key (any more).
    async fn promote_agent_key(&self, agent: AgentId, public_key: &[u8], audit: &Audit) -> Result<bool, Error>;

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

    /// Names another writing controller; the one before is remembered as `before` says.
    async fn switch_controller(&self, lease: &Lease, to: &str, before: &ControllerBefore) -> Result<Fenced<()>, Error>;

    /// Gives it up at once: the agent has said that no write of its is under way.
    async fn release_lease(&self, lease: &Lease, now: Timestamp) -> Result<(), Error>;

    async fn lease(&self, tenant: TenantId, domain: &str) -> Result<Option<LeaseHolder>, Error>;
}
