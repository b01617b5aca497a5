//! What Rollcall remembers: the traits, their SQLite and PostgreSQL adapters, and the conformance suite that both pass.
//!
//! Every method is one transaction, or one read, of a fixed number of statements whatever the size of its batch.
//! Missing is `Option`. Every write that an administrator causes takes an [`Audit`], stored in the same transaction.
//! A method that changes persons takes the [`Lease`] it works under, and does nothing but answer
//! [`Fenced::Stale`] where that lease has passed to another.

pub mod agents;
pub mod asks;
pub mod budget;
pub mod conformance;
pub mod identity;
pub mod intake;
pub mod jobs;
pub mod log;
pub mod schemas;
mod sql;
pub mod sweep;
pub mod unique;
pub mod work;

pub use agents::{Agent, Agents, ControllerBefore, Draining, Lease, LeaseHolder, NewEnrolment};
pub use asks::{Ask, Asks};
pub use budget::{Admission, BudgetRest, BudgetSettled, BudgetState, BudgetWanted, Budgets};
pub use identity::{
    Application, Audit, Identity, NewApplication, NewSecret, RoleGrant, SealedKey, Secret, ServicePrincipal, Tenant,
};
pub use intake::{Accepted, Intake, NewOperation, NewUpload, OperationRow, Upload};
pub use jobs::{Job, JobCounts, Jobs};
pub use log::{
    CompareOperator, LogDetails, LogField, LogFilter, LogOrder, LogQuery, LogRow, LogStatus, LogValue, Logs,
};
pub use schemas::{NewSchema, SchemaOrigin, SchemaRow, SchemaSaved, Schemas, StoredSchema, TargetCheck};
pub use sql::{SQLITE_FILE_NAME, SqlStore, open};
pub use sweep::{Cause, LookedAt, Slice, Sweep, SweepState, Sweeps};
pub use unique::{Taken, UniqueValues, Wanted};
pub use work::{
    ClaimResult, DuePerson, FinishedOperation, MergeBatch, OpenOperation, PersonUpdate, RecordBatch, RestingPerson,
    UnchangedBatch, UnchangedRow, Work,
};

use rollcall_model::Timestamp;

/// What went wrong in the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database did not answer, or refused.
    #[error("the database failed while {doing}")]
    Database {
        doing: &'static str,
        #[source]
        source: sqlx::Error,
    },
    /// The database has no room left. What was being stored is not; it may be tried again once there is room.
    #[error("the database's disk is full: {doing} failed")]
    NoSpace { doing: &'static str },
    /// A migration is unknown, changed or failed.
    #[error("the database's schema cannot be brought up to date")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// Stored data that cannot be read back.
    #[error("table {table}, column {column}, row {row}: {why}")]
    Inconsistent { table: &'static str, column: &'static str, row: String, why: String },
    /// A value that the store cannot hold, such as a text with NUL.
    #[error("{0}")]
    Unstorable(String),
    /// A database URL that names no engine we have.
    #[error("'{0}' is no database URL: use 'sqlite' or postgres://...")]
    Url(String),
}

impl Error {
    pub(crate) fn database(doing: &'static str, source: sqlx::Error) -> Self {
        if is_full(&source) { Self::NoSpace { doing } } else { Self::Database { doing, source } }
    }
}

/// Whether the database says that its disk is full: SQLite's `FULL`, and `IOERR_SHMSIZE` where the index of its
/// write-ahead log cannot grow; PostgreSQL's `disk_full`.
fn is_full(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    error.code().is_some_and(|code| ["13", "4874", "53100"].contains(&code.as_ref()))
}

/// Whether a transaction under a lease was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Fenced<T> {
    Done(T),
    /// The lease has passed to another: nothing was changed.
    Stale,
}

/// Everything together; what the service is given.
#[async_trait::async_trait]
pub trait Store:
    Identity + Jobs + Intake + Work + Logs + Agents + Asks + Budgets + Schemas + Sweeps + UniqueValues
{
    /// Answers when the database does; for `/readyz`.
    async fn ping(&self) -> Result<(), Error>;

    /// The time by the clock that all nodes share: the database's where there is one, else `local`. Leases are
    /// measured by it.
    async fn shared_now(&self, local: Timestamp) -> Result<Timestamp, Error>;

    /// `sqlite` or `postgres`, for logs and metrics.
    fn engine(&self) -> &'static str;

    /// Statements sent since the start; tests hold batches against it.
    fn statements(&self) -> u64;

    /// Ends all connections, after what has begun is done.
    async fn close(&self);
}
