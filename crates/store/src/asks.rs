//! Questions to a domain's agent that came to a node without it.

use async_trait::async_trait;
use rollcall_model::Timestamp;
use rollcall_model::ids::TenantId;
use uuid::Uuid;

use crate::{Error, Lease};

/// A question on its way to the node that has the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    pub id: Uuid,
    pub at: Timestamp,
    /// What is asked, as bytes that the store does not look into.
    pub question: Vec<u8>,
}

/// Persistence of such questions, for as long as somebody waits for their answers.
#[async_trait]
pub trait Asks: Send + Sync {
    /// Stores a question; `false` where `waiting_max` of the domain wait already. Those of before `since` are dropped
    /// first: nobody waits for them any more.
    async fn put_ask(
        &self,
        tenant: TenantId,
        domain: &str,
        ask: &Ask,
        waiting_max: i64,
        since: Timestamp,
    ) -> Result<bool, Error>;

    /// Takes the domain's questions that nobody has taken, oldest first; none where the lease has passed to another.
    async fn take_asks(&self, lease: &Lease, since: Timestamp) -> Result<Vec<Ask>, Error>;

    /// Stores an answer, if somebody still waits for it.
    async fn answer_ask(&self, id: Uuid, answer: &[u8]) -> Result<(), Error>;

    /// The answer, if it is there.
    async fn ask_answer(&self, id: Uuid) -> Result<Option<Vec<u8>>, Error>;

    /// Nobody waits any more.
    async fn drop_ask(&self, id: Uuid) -> Result<(), Error>;
}
