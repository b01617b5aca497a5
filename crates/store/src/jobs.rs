//! Synchronization jobs: configuration and state.

use std::collections::BTreeMap;

use async_trait::async_trait;
use rollcall_model::Timestamp;
use rollcall_model::config::{JobConfig, JobState};
use rollcall_model::ids::{JobId, ServicePrincipalId, TenantId};
use rollcall_model::operation::OperationState;

use crate::{Audit, Error};

/// A job and all that it is set to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    pub id: JobId,
    pub tenant: TenantId,
    pub service_principal: ServicePrincipalId,
    pub state: JobState,
    pub config: JobConfig,
    /// Raised by every change of `config`.
    pub schema_version: i64,
    pub created: Timestamp,
    pub changed: Timestamp,
}

/// Sums over a job's rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobCounts {
    pub operations: BTreeMap<OperationState, i64>,
    pub persons: i64,
    pub linked: i64,
    /// Persons that are due, now or later.
    pub due: i64,
    /// Persons whose last attempt failed for good.
    pub failed: i64,
    /// Log rows by (action number, status number): appended per batch, summed here.
    pub changes: BTreeMap<(i16, i16), i64>,
}

/// Persistence of jobs.
#[async_trait]
pub trait Jobs: Send + Sync {
    async fn create_job(&self, job: &Job, audit: &Audit) -> Result<(), Error>;

    async fn job(&self, tenant: TenantId, id: &JobId) -> Result<Option<Job>, Error>;

    /// All jobs of a tenant, oldest first.
    async fn jobs(&self, tenant: TenantId) -> Result<Vec<Job>, Error>;

    async fn jobs_of(&self, tenant: TenantId, principal: ServicePrincipalId) -> Result<Vec<Job>, Error>;

    /// Jobs whose configuration names this domain (lower case), whatever their state.
    async fn jobs_of_domain(&self, tenant: TenantId, domain: &str) -> Result<Vec<Job>, Error>;

    /// [`crate::Schemas::save_schema`] of a configuration alone; `None` for an unknown job, else the new version.
    async fn set_job_config(
        &self,
        tenant: TenantId,
        id: &JobId,
        config: &JobConfig,
        audit: &Audit,
    ) -> Result<Option<i64>, Error>;

    /// `false` for an unknown job.
    async fn set_job_state(&self, tenant: TenantId, id: &JobId, state: JobState, audit: &Audit) -> Result<bool, Error>;

    /// A number that every change of any job raises, on whatever node. Read it before the jobs: as long as it stays the
    /// same, they are as they were.
    async fn jobs_version(&self) -> Result<i64, Error>;

    async fn job_counts(&self, id: &JobId) -> Result<JobCounts, Error>;

    /// Operations without a final state, of all tenants. Reads an index of those alone.
    async fn open_operation_count(&self) -> Result<i64, Error>;
}
