//! Uploads and their operations.

use async_trait::async_trait;
use rollcall_model::ids::{JobId, LogId, PersonId, ServicePrincipalId, TenantId, UploadId, Version};
use rollcall_model::operation::{Method, OperationState};
use rollcall_model::{Code, Timestamp};

use crate::{Audit, Error};

/// An accepted request, before it is stored.
#[derive(Clone, Debug)]
pub struct NewUpload {
    pub id: UploadId,
    pub tenant: TenantId,
    pub job: JobId,
    pub received: Timestamp,
    /// Who sent it, for the right to read its status.
    pub sender: ServicePrincipalId,
    /// The `Operations` array as JSON without any `password` member, compressed by the service.
    pub body: Vec<u8>,
    pub operations: Vec<NewOperation>,
    /// `Idempotency-Key` and the SHA-256 of the request's body.
    pub idempotency: Option<(String, [u8; 32])>,
    /// `Rollcall-Lane: urgent`.
    pub urgent: bool,
    /// Written with it, where somebody's act made it.
    pub audit: Option<Audit>,
}

/// One element of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOperation {
    pub index: i32,
    pub method: Method,
    /// As sent; `None` where it is missing or unusable.
    pub external_id: Option<String>,
    pub bulk_id: Option<String>,
    /// `active` is false, or DELETE: ahead of the others.
    pub urgent: bool,
    /// First half of the SHA-256 of its canonical `data`: two operations with the same one bring the same.
    pub data: [u8; 16],
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// On disk.
    New,
    /// The same key and body came before: the upload it made.
    Replay(UploadId),
    /// The key came before with another body. Nothing was stored.
    KeyReused,
    /// The job has too many operations waiting. Nothing was stored.
    Full,
}

/// An upload as its status shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    pub id: UploadId,
    pub tenant: TenantId,
    pub job: JobId,
    pub sender: ServicePrincipalId,
    pub received: Timestamp,
    /// In the order of the request.
    pub operations: Vec<OperationRow>,
}

/// One operation as its upload's status shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationRow {
    pub index: i32,
    pub bulk_id: Option<String>,
    pub external_id: Option<String>,
    /// As stored: `Queued` where nothing took it up; the service derives what it waits for.
    pub state: OperationState,
    pub code: Option<Code>,
    /// From the log row that decided it.
    pub reason: Option<String>,
    /// Every log row of its person at the version it ended with; of those that say that nothing was to be done, its own.
    pub logs: Vec<LogId>,
    /// The operation (upload, index) in whose write this one's values went.
    pub merged_into: Option<(UploadId, i32)>,
    pub person: Option<PersonId>,
    pub version: Option<Version>,
}

/// Persistence of uploads.
#[async_trait]
pub trait Intake: Send + Sync {
    /// Stores the upload and its operations in one transaction. `waiting_max`: non-final operations of the job above
    /// which it answers `Full`. Keys older than `keys_since` count as forgotten.
    async fn accept(&self, upload: &NewUpload, waiting_max: i64, keys_since: Timestamp) -> Result<Accepted, Error>;

    async fn upload(&self, tenant: TenantId, id: UploadId) -> Result<Option<Upload>, Error>;
}
