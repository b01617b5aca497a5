//! Persons whom no operation asks for: walks over all of a job's persons, and persons to be looked at on a day.

use async_trait::async_trait;
use rollcall_model::Timestamp;
use rollcall_model::ids::{JobId, PersonId, TenantId, Version};
use rollcall_model::person::Pending;
use serde::{Deserialize, Serialize};

use crate::{Audit, Error, Fenced, Lease, PersonUpdate};

/// Why a person is due where no operation asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Cause {
    /// The job's mappings or its scope were changed.
    Schema,
    /// An administrator asked for it.
    Reevaluation,
    /// A mapping or the scope reads the clock, and the day has changed.
    Clock,
}

impl Cause {
    pub const ALL: &'static [Self] = &[Self::Schema, Self::Reevaluation, Self::Clock];

    /// What the store holds.
    #[must_use]
    pub fn number(self) -> i16 {
        match self {
            Self::Schema => 1,
            Self::Reevaluation => 2,
            Self::Clock => 3,
        }
    }

    #[must_use]
    pub fn from_number(number: i16) -> Option<Self> {
        Self::ALL.iter().copied().find(|cause| cause.number() == number)
    }

    /// As the API has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::Reevaluation => "reevaluation",
            Self::Clock => "clock",
        }
    }
}

/// How far a walk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SweepState {
    Running,
    Paused,
    Done,
    Cancelled,
}

impl SweepState {
    pub const ALL: &'static [Self] = &[Self::Running, Self::Paused, Self::Done, Self::Cancelled];

    /// What the store holds.
    #[must_use]
    pub fn number(self) -> i16 {
        match self {
            Self::Running => 1,
            Self::Paused => 2,
            Self::Done => 3,
            Self::Cancelled => 4,
        }
    }

    #[must_use]
    pub fn from_number(number: i16) -> Option<Self> {
        Self::ALL.iter().copied().find(|state| state.number() == number)
    }

    /// As the API has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The last walk over a job's persons: one a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    pub job: JobId,
    /// [`Cause::Schema`] or [`Cause::Reevaluation`].
    pub cause: Cause,
    /// Of the job, when it began.
    pub schema_version: i64,
    pub state: SweepState,
    /// The store's own number of the last person looked at.
    pub position: i64,
    /// Persons looked at.
    pub walked: i64,
    /// Those of them for whom something is to be done.
    pub touched: i64,
    /// Those of them whom the mappings cannot be applied to.
    pub failed: i64,
    /// The job's persons when it began.
    pub total: i64,
    pub started: Timestamp,
    pub changed: Timestamp,
}

/// What a look at a person without an operation came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookedAt {
    pub person: PersonId,
    /// That was looked at: a newer one is due anyway.
    pub version: Version,
    /// Whether, and why, something is to be done now.
    pub due: Option<Cause>,
    /// What is pending from now on, which raises the version: the outcome of what is under way does not end it. `None`:
    /// what was pending, and whoever is due already stays so as they are.
    pub pending: Option<Pending>,
    /// [`PersonUpdate::look`].
    pub look: Option<Timestamp>,
    /// Whether they come before everybody else, as in [`PersonUpdate::urgent`]; whoever is due already, too.
    pub urgent: bool,
}

/// One slice of a walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// The walk as it was read; a slice of one that was paused, cancelled, restarted or walked on since is dropped.
    pub sweep: Sweep,
    /// The last person of the slice.
    pub to: i64,
    pub walked: i64,
    pub touched: i64,
    pub failed: i64,
    /// No person is behind it.
    pub is_last: bool,
    /// Those of whom something is to be stored.
    pub looked_at: Vec<LookedAt>,
}

/// Persistence of walks and looks.
#[async_trait]
pub trait Sweeps: Send + Sync {
    /// The last walk of each of these jobs, if there was one.
    async fn sweeps(&self, jobs: &[JobId]) -> Result<Vec<Sweep>, Error>;

    /// Begins a walk with the job's present mappings, from the first person, instead of whatever walk there is. `false`
    /// for an unknown job.
    async fn begin_sweep(&self, tenant: TenantId, job: &JobId, cause: Cause, audit: &Audit) -> Result<bool, Error>;

    /// Pauses, continues or cancels the walk of a job; `false` where none is under way (running or paused).
    async fn set_sweep_state(
        &self,
        tenant: TenantId,
        job: &JobId,
        state: SweepState,
        audit: &Audit,
    ) -> Result<bool, Error>;

    /// The job's persons behind that number, in its order, with their numbers.
    async fn persons_after(&self, job: &JobId, after: i64, limit: i64) -> Result<Vec<(i64, PersonUpdate)>, Error>;

    /// Persons of these jobs who are to be looked at by `now`, longest due first.
    async fn looks_due(&self, jobs: &[JobId], now: Timestamp, limit: i64) -> Result<Vec<PersonUpdate>, Error>;

    /// Stores a slice and the walk's progress, all or nothing. Whether it did: see [`Slice::sweep`].
    async fn walk(&self, lease: &Lease, slice: &Slice, now: Timestamp) -> Result<Fenced<bool>, Error>;

    /// Stores what looks of a day came to.
    async fn looked(&self, lease: &Lease, looked_at: &[LookedAt], now: Timestamp) -> Result<Fenced<()>, Error>;

    /// Makes one person due who was looked at for an administrator; `false` where they have another version by now.
    async fn reevaluate(&self, tenant: TenantId, looked_at: &LookedAt, audit: &Audit) -> Result<bool, Error>;
}
