//! The way of a record through the store: merge, claim, record.

use std::collections::BTreeMap;

use async_trait::async_trait;
use rollcall_model::ids::{ChangeId, JobId, LogId, ObjectGuid, PersonId, TenantId, UploadId, Version};
use rollcall_model::operation::{Method, OperationState};
use rollcall_model::person::Person;
use rollcall_model::{Code, Timestamp};

use crate::{Audit, Cause, Error, Fenced, Lease, LogRow};

/// An operation that is not final yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenOperation {
    /// The store's own number: ascending in order of arrival.
    pub row: i64,
    pub upload: UploadId,
    pub index: i32,
    pub job: JobId,
    pub method: Method,
    pub external_id: Option<String>,
    /// Set once it was merged.
    pub person: Option<PersonId>,
    pub version: Option<Version>,
    pub state: OperationState,
    /// It came in the urgent lane, or came along with a later one of its person that did.
    pub urgent: bool,
    /// [`crate::NewOperation::data`]; `None` where it was stored before there was one.
    pub data: Option<[u8; 16]>,
}

/// A person and when to work on them.
#[derive(Clone, Debug, PartialEq)]
pub struct PersonUpdate {
    pub job: JobId,
    pub person: Person,
    /// When to work on them; `None`: nothing is to be done.
    pub due: Option<Timestamp>,
    /// Tries since the last success; sets the next wait.
    pub attempts: i32,
    /// `active` false or DELETE is pending, or its sender called it urgent: before all others.
    pub urgent: bool,
    /// Why the last attempt failed, `None` after a success. `job retry` looks for permanent ones.
    pub last_code: Option<Code>,
    /// [`OpenOperation::data`] of the operation that was merged last. Stored by merges only.
    pub data: Option<[u8; 16]>,
    /// Schema version of the job under which the last outcome left nothing to do and nothing to tell. Stored by
    /// outcomes; a merge empties it, and so does whatever breaks the link.
    pub quiet: Option<i64>,
    /// Of the record, for those who must not read it ([`RestingPerson`]). Stored by merges only.
    pub display_name: Option<String>,
    /// The version under which the person last lost their account: outcomes of it and of older ones link them no more.
    /// Stored by [`Work::break_link`] and with [`RecordBatch::unlinked`].
    pub unlinked: Option<Version>,
    /// When to look, without the directory, whether the day alone changes what is wanted; `None`: no mapping reads the
    /// clock. Stored by outcomes and by looks.
    pub look: Option<Timestamp>,
    /// Why they are due, where no operation asked for it: behind all others.
    pub cause: Option<Cause>,
}

/// A linked person of whom nothing is pending and nothing is wrong, with all that an operation with the same `data`
/// needs; the record is not read for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestingPerson {
    /// `externalId`, folded.
    pub key: String,
    pub person: PersonId,
    pub version: Version,
    pub external_id: String,
    pub display_name: Option<String>,
    pub guid: ObjectGuid,
    pub usn_changed: i64,
    /// `invocationId` of the controller that `usn_changed` was read from.
    pub controller: String,
    /// [`PersonUpdate::data`].
    pub data: [u8; 16],
    /// [`PersonUpdate::quiet`].
    pub quiet: i64,
}

/// A person to be worked on.
#[derive(Clone, Debug, PartialEq)]
pub struct DuePerson {
    pub job: JobId,
    pub person: Person,
    pub attempts: i32,
    pub urgent: bool,
    pub due: Timestamp,
    /// [`PersonUpdate::cause`].
    pub cause: Option<Cause>,
}

/// An operation that has come to its end, or to a state that its status shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishedOperation {
    pub row: i64,
    pub state: OperationState,
    pub code: Option<Code>,
    pub person: Option<PersonId>,
    pub version: Option<Version>,
    /// Row of the operation in whose write it went.
    pub merged_into: Option<i64>,
    /// The log row that says why: [`LogRow::id`].
    pub log: Option<LogId>,
}

/// What a merge changes, all or nothing.
#[derive(Clone, Debug, Default)]
pub struct MergeBatch {
    pub persons: Vec<PersonUpdate>,
    /// Operations now `Working` with their person and version, or `Failed` for good.
    pub operations: Vec<FinishedOperation>,
    pub log: Vec<LogRow>,
    /// From which version known persons were made. Where another is stored by now, somebody wants something that this
    /// merge does not know of, and nothing is stored, however far several operations raised the version.
    pub made_from: BTreeMap<PersonId, Version>,
}

/// What a batch of outcomes changes, all or nothing.
#[derive(Clone, Debug, Default)]
pub struct RecordBatch {
    pub persons: Vec<PersonUpdate>,
    pub operations: Vec<FinishedOperation>,
    /// A row whose change id is stored already is left out: a report delivered twice is recorded once.
    pub log: Vec<LogRow>,
    /// Who waits for which manager (folded `externalId`).
    pub waits: Vec<(PersonId, String)>,
    /// Persons that wait no more.
    pub waits_ended: Vec<PersonId>,
    /// Persons (job, folded `externalId`) whose link was created: whoever waits for them is due at once.
    pub linked: Vec<(JobId, String)>,
    /// Persons whose account we deleted under this version: outcomes of it and of older ones link them no more.
    pub unlinked: Vec<(PersonId, Version)>,
    /// Persons whose account is no more: until when their unique values are given to nobody else.
    pub quarantined: Vec<(PersonId, Timestamp)>,
    /// Persons for whom no account is made: what is reserved for them is free.
    pub released: Vec<PersonId>,
}

/// An operation that left its person as they were: record, link and confirmed values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnchangedRow {
    /// [`OpenOperation::row`].
    pub operation: i64,
    pub person: PersonId,
    /// The version that is stored.
    pub version: Version,
    pub external_id: String,
    pub log: LogId,
    pub change: ChangeId,
    pub source_name: Option<String>,
    pub guid: Option<ObjectGuid>,
    pub target_name: Option<String>,
}

/// Operations of one job that end as `skipped` with [`Code::RedundantExport`], all or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnchangedBatch {
    pub job: JobId,
    pub cycle: uuid::Uuid,
    pub at: Timestamp,
    pub rows: Vec<UnchangedRow>,
}

/// Whether an account may be a person's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimResult {
    /// It is now linked to the person, unconfirmed, or was already.
    Granted,
    /// Another person of the job has it.
    TakenByAnother,
}

/// Persistence of the work.
#[async_trait]
pub trait Work: Send + Sync {
    /// The oldest operations of these jobs that were not merged yet, urgent ones first, at most `limit`. An urgent
    /// operation never overtakes an older one of the same `externalId`.
    async fn waiting_operations(&self, jobs: &[JobId], limit: i64) -> Result<Vec<OpenOperation>, Error>;

    /// The compressed bodies of these uploads, in any order.
    async fn bodies(&self, uploads: &[UploadId]) -> Result<Vec<(UploadId, Vec<u8>)>, Error>;

    /// Persons of a job by folded `externalId`, with what surrounds them; unknown ones are missing from the answer.
    async fn persons_by_key(&self, job: &JobId, keys: &[String]) -> Result<Vec<PersonUpdate>, Error>;

    /// Those of these people (folded `externalId`) who are at rest: linked and confirmed, nothing due, pending, failed
    /// or refused, and the last outcome quiet. Their records are not read.
    async fn resting(&self, job: &JobId, keys: &[String]) -> Result<Vec<RestingPerson>, Error>;

    async fn persons_by_id(&self, ids: &[PersonId]) -> Result<Vec<PersonUpdate>, Error>;

    /// Which of these people (folded `externalId`) have a link, and to what.
    async fn links(&self, job: &JobId, keys: &[String]) -> Result<Vec<(String, ObjectGuid)>, Error>;

    /// Which of these accounts are linked to somebody of the job, and to whom.
    async fn linked_to(&self, job: &JobId, guids: &[ObjectGuid]) -> Result<Vec<(ObjectGuid, PersonId)>, Error>;

    /// Stores merged persons and their operations.
    async fn merge(&self, lease: &Lease, batch: &MergeBatch) -> Result<Fenced<()>, Error>;

    /// Persons of these jobs that are due by `now`, urgent ones first, those with a [`Cause`] last, then the longest due,
    /// at most `limit`.
    async fn due_persons(&self, jobs: &[JobId], now: Timestamp, limit: i64) -> Result<Vec<DuePerson>, Error>;

    /// When the next person of these jobs falls due, if any does.
    async fn next_due(&self, jobs: &[JobId]) -> Result<Option<Timestamp>, Error>;

    /// Links accounts to persons that have none, unconfirmed; results in the order of the claims. Within the batch the
    /// first claim of an account wins.
    async fn claim_links(
        &self,
        lease: &Lease,
        claims: &[(PersonId, ObjectGuid)],
    ) -> Result<Fenced<Vec<ClaimResult>>, Error>;

    /// Operations of these persons that are not final, oldest first.
    async fn open_operations(&self, persons: &[PersonId]) -> Result<Vec<OpenOperation>, Error>;

    /// Log rows, persons, operations, waits and counters of a batch of outcomes. Bodies whose operations are all final
    /// are dropped. Under a stale lease the log rows are stored all the same (they tell what reached the directory),
    /// everything else is not, and the answer is `Stale`.
    async fn record(&self, lease: &Lease, batch: &RecordBatch, now: Timestamp) -> Result<Fenced<()>, Error>;

    /// Ends operations that change nothing, with a log row and the counts of each, and touches no person. One that is
    /// final already stays as it is. Bodies whose operations are all final are dropped. How many it ended.
    async fn settle_unchanged(&self, lease: &Lease, batch: &UnchangedBatch) -> Result<Fenced<i64>, Error>;

    /// Makes persons that failed, or wait for their next try, due now; their number.
    async fn retry(&self, tenant: TenantId, job: &JobId, now: Timestamp, audit: &Audit) -> Result<i64, Error>;

    /// Makes everyone who waits for a manager due now (the sweep); their number.
    async fn wake_waiting(&self, lease: &Lease, now: Timestamp) -> Result<Fenced<i64>, Error>;

    /// One person of a job by folded `externalId`.
    async fn person(&self, job: &JobId, key: &str) -> Result<Option<PersonUpdate>, Error>;

    /// Forgets a person's link (and that anything was confirmed under it); due at `due` where given, which matches
    /// anew. The account's unique values are given to nobody else until `quarantined`. `false` for an unknown person or
    /// one without a link.
    async fn break_link(
        &self,
        tenant: TenantId,
        job: &JobId,
        key: &str,
        due: Option<Timestamp>,
        quarantined: Timestamp,
        audit: &Audit,
    ) -> Result<bool, Error>;
}
