//! The schemas that jobs have had: one row a version, so that any of them can be shown and restored.

use async_trait::async_trait;
use rollcall_model::Timestamp;
use rollcall_model::config::JobConfig;
use rollcall_model::ids::{JobId, TenantId};

use crate::{Audit, Error};

/// How a version came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaOrigin {
    /// As shipped: a new job, or *restore default*.
    Default,
    Saved,
    /// From that version.
    Restored(i64),
    /// A setting was changed.
    Settings,
}

/// Whether a version's targets fit the directory's own schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetCheck {
    /// Nobody could be asked yet.
    Pending,
    Passed,
    /// What was found after it was saved, as JSON.
    Failed(String),
}

/// A version, without its documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaRow {
    pub version: i64,
    pub at: Timestamp,
    /// Who made it, as audit rows name them.
    pub actor: String,
    pub origin: SchemaOrigin,
    pub note: Option<String>,
    pub targets: TargetCheck,
}

/// A version whole.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredSchema {
    pub row: SchemaRow,
    /// What the job did, or does, by it.
    pub config: JobConfig,
    /// The document as a client sent it, JSON; `None` where it follows from `config`.
    pub document: Option<String>,
    /// The mapping tests beside it, a JSON array.
    pub tests: String,
}

/// A version to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewSchema<'a> {
    pub config: &'a JobConfig,
    pub document: Option<&'a str>,
    /// `None`: those of the version before.
    pub tests: Option<&'a str>,
    pub origin: SchemaOrigin,
    pub note: Option<&'a str>,
    pub targets: &'a TargetCheck,
    /// The version that it was made from; where another is the newest by now, nothing is stored.
    pub based_on: Option<i64>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum SchemaSaved {
    /// Under this version.
    Saved(i64),
    /// Somebody else saved this version meanwhile.
    Conflict(i64),
    UnknownJob,
}

/// Persistence of schemas.
#[async_trait]
pub trait Schemas: Send + Sync {
    /// Replaces a job's configuration, raises its version and stores what it was made from, in one transaction. Versions
    /// beyond [`rollcall_model::limits::SCHEMA_VERSIONS_KEPT_MAX`] go. Where the budget is another one, it is asked anew
    /// for everyone who is held back. Where the change can matter to somebody, a walk over all persons begins anew.
    async fn save_schema(
        &self,
        tenant: TenantId,
        job: &JobId,
        schema: &NewSchema<'_>,
        audit: &Audit,
    ) -> Result<SchemaSaved, Error>;

    /// One version, or the newest.
    async fn schema(&self, job: &JobId, version: Option<i64>) -> Result<Option<StoredSchema>, Error>;

    /// What the job did, or does, by those stored versions whose text holds `word`, letters, in whatever case; newest
    /// first.
    async fn configs_holding(&self, job: &JobId, word: &str) -> Result<Vec<JobConfig>, Error>;

    /// The versions below `before`, or all, newest first.
    async fn schema_history(&self, job: &JobId, before: Option<i64>, limit: i64) -> Result<Vec<SchemaRow>, Error>;

    /// Tells what a later look at the directory's schema found.
    async fn note_target_check(&self, job: &JobId, version: i64, targets: &TargetCheck) -> Result<(), Error>;
}
