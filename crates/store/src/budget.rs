//! The budget of a job: how many disables, deletes, moves of linked accounts and clears may be made in 24 hours
//! (semantics `budget`).
//!
//! What a person could cost at most is granted before they are given out, and settled with what the outcome says was
//! used. Until its outcome is recorded a grant counts as used. So nothing is spent twice: a grant whose node died
//! counts on, is taken over when the person is given out again, is settled when the outcome comes after all, and
//! otherwise falls out of the window 24 hours after it was made.

use async_trait::async_trait;
use rollcall_model::Timestamp;
use rollcall_model::ids::{JobId, PersonId, TenantId};

use crate::{Audit, Error, Fenced, Lease};

/// A person and the most budgeted writes that they could cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetWanted {
    pub person: PersonId,
    pub cost: u32,
}

/// Who may be given out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    pub admitted: Vec<PersonId>,
    /// Held back: not due before `until`, and their operations are `Staged`.
    pub parked: Vec<PersonId>,
    /// When budget may be free again; set where anybody was held back.
    pub until: Option<Timestamp>,
}

/// What became of a person who was given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetSettled {
    pub person: PersonId,
    /// Budgeted writes that reached the directory.
    pub used: u32,
    pub rest: BudgetRest,
}

/// Whether the person is to be given out again for the same change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetRest {
    /// It is at its end: a release of it is used up.
    Ended,
    /// It will be tried again: a release of it stands.
    TriedAgain,
    /// Newer work of the person is out or held back: its grant and its release stand, and what was used counts beside
    /// it.
    Newer,
}

/// A job's budget as it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BudgetState {
    /// Writes of the last 24 hours, and those granted and not settled.
    pub used: i64,
    /// Persons who are held back.
    pub staged: i64,
    /// Persons who were released and whose change is not at its end yet.
    pub released: i64,
}

/// Persistence of budgets.
#[async_trait]
pub trait Budgets: Send + Sync {
    /// Grants what these persons could cost, in their order, as far as the job's budget goes as it is set now; whoever
    /// does not fit is held back. Released ones are admitted in any case, and cost nothing; so is who wants nothing,
    /// and is held back no more.
    async fn grant(
        &self,
        lease: &Lease,
        job: &JobId,
        wanted: &[BudgetWanted],
        now: Timestamp,
    ) -> Result<Fenced<Admission>, Error>;

    /// Takes outcomes into account and gives back what was granted and not used; as many of those who are held back
    /// become due. Persons without a grant are settled already, or never needed one. A second time it changes nothing,
    /// but that [`BudgetRest::Newer`] counts each time: rather twice than not at all.
    async fn settle(&self, lease: &Lease, settled: &[BudgetSettled], now: Timestamp) -> Result<Fenced<()>, Error>;

    /// Persons of a job who have a grant that is not settled, or are held back.
    async fn budget_persons(&self, job: &JobId) -> Result<Vec<PersonId>, Error>;

    async fn budget_state(&self, job: &JobId, now: Timestamp) -> Result<BudgetState, Error>;

    /// Lets those go who have waited longest, at most `count` (`None`: all); how many there were.
    async fn release(
        &self,
        tenant: TenantId,
        job: &JobId,
        count: Option<u32>,
        now: Timestamp,
        audit: &Audit,
    ) -> Result<i64, Error>;
}
