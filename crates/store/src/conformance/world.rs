//! A tenant with one application, one job and the lease of its domain.

use std::sync::atomic::{AtomicU64, Ordering};

use rollcall_model::config::{JobConfig, JobState, Mapping, MappingSource};
use rollcall_model::ids::{
    AgentId, AppId, ApplicationId, ChangeId, JobId, KeyId, LogId, NodeId, ObjectGuid, PersonId, ServicePrincipalId,
    TenantId, UploadId, Version,
};
use rollcall_model::operation::{Method, OperationState};
use rollcall_model::person::Person;
use rollcall_model::plan::Action;
use rollcall_model::{SourceName, Timestamp};
use uuid::Uuid;

use crate::log::LogDetails;
use crate::{
    Accepted, Application, Audit, Fenced, FinishedOperation, Job, Lease, LogRow, LogStatus, MergeBatch, NewOperation,
    NewUpload, PersonUpdate, RoleGrant, SealedKey, Secret, Store, Tenant,
};

/// The moment at which all cases begin.
pub(super) const START: Timestamp = Timestamp(1_700_000_000_000_000);
/// DNS name of the domain that the job works on.
pub(super) const DOMAIN: &str = "corp.test";
/// More than any case makes.
pub(super) const ROOM: i64 = 1_000_000;

/// What most cases need to begin with.
#[derive(Debug)]
pub struct World {
    ids: AtomicU64,
    pub tenant: TenantId,
    pub principal: ServicePrincipalId,
    pub job: JobId,
    pub lease: Lease,
    pub node: NodeId,
    pub agent: AgentId,
}

/// A configuration with one mapping.
pub(super) fn config() -> JobConfig {
    let title = Mapping::new("title", MappingSource::Direct(SourceName::new("title")));
    JobConfig { domain: Some("Corp.Test".to_owned()), budget: None, ..JobConfig::new(vec![title]) }
}

impl World {
    fn empty(seed: u64) -> Self {
        let ids = AtomicU64::new(seed * 1_000_000 + 1);
        Self {
            tenant: TenantId(next(&ids)),
            principal: ServicePrincipalId(next(&ids)),
            job: JobId::from_text(""),
            lease: Lease {
                tenant: TenantId(Uuid::nil()),
                domain: DOMAIN.to_owned(),
                epoch: rollcall_model::ids::Epoch(0),
            },
            node: NodeId(next(&ids)),
            agent: AgentId(next(&ids)),
            ids,
        }
    }

    /// The first start alone: whether this one made the tenant.
    pub async fn start(store: &dyn Store, seed: u64) -> bool {
        Self::empty(seed).bootstrap(store).await
    }

    /// Makes it in an empty store. `seed` keeps the ids of several worlds apart.
    pub async fn new(store: &dyn Store, seed: u64) -> Self {
        let mut world = Self::empty(seed);
        assert!(world.bootstrap(store).await);
        world.job = JobId::new(world.tenant, world.id());
        store.create_job(&world.job_of(JobState::Active), &world.audit("job.create")).await.unwrap();
        let holder = store
            .acquire_lease(world.tenant, DOMAIN, world.node, world.agent, Some("dc1"), START, 10_000, 10_000)
            .await
            .unwrap()
            .unwrap();
        world.lease = holder.lease;
        world
    }

    pub(super) async fn bootstrap(&self, store: &dyn Store) -> bool {
        let tenant = Tenant { id: self.tenant, display_name: "Example".to_owned(), created: START };
        let key =
            SealedKey { kid: "k1".to_owned(), sealed: vec![0, 255], public_pem: "PEM".to_owned(), created: START };
        let application = Application { service_principal: self.principal, ..self.application("admin") };
        let role = RoleGrant {
            id: self.id(),
            principal: self.principal,
            role: "Synchronization.ReadWrite.All".to_owned(),
            created: START,
        };
        let audit = self.audit("bootstrap");
        store.bootstrap(&tenant, &key, &application, &self.secret(), &[role], &audit).await.unwrap()
    }

    /// A new id, greater than those before it.
    pub fn id(&self) -> Uuid {
        next(&self.ids)
    }

    pub(super) fn job_of(&self, state: JobState) -> Job {
        Job {
            id: self.job.clone(),
            tenant: self.tenant,
            service_principal: self.principal,
            state,
            config: config(),
            schema_version: 1,
            created: START,
            changed: START,
        }
    }

    pub(super) fn application(&self, name: &str) -> Application {
        Application {
            id: ApplicationId(self.id()),
            app_id: AppId(self.id()),
            service_principal: ServicePrincipalId(self.id()),
            display_name: name.to_owned(),
            enabled: true,
            owner: Some(self.principal),
            created: START,
        }
    }

    pub(super) fn secret(&self) -> Secret {
        Secret {
            key_id: KeyId(self.id()),
            sha256: [7; 32],
            display_name: "first".to_owned(),
            hint: "abc".to_owned(),
            starts: START,
            ends: START.plus_ms(1_000),
        }
    }

    pub(super) fn audit(&self, action: &str) -> Audit {
        Audit {
            id: self.id(),
            at: START,
            actor: "system".to_owned(),
            action: action.to_owned(),
            target: "target".to_owned(),
            details: "{}".to_owned(),
        }
    }

    /// An upload with one operation for each `externalId`.
    pub fn upload(&self, external_ids: &[&str]) -> NewUpload {
        NewUpload {
            id: UploadId(self.id()),
            tenant: self.tenant,
            job: self.job.clone(),
            received: START,
            sender: self.principal,
            body: vec![0, 1, 2, 255],
            operations: (0..)
                .zip(external_ids)
                .map(|(index, external_id)| NewOperation {
                    index,
                    method: Method::Post,
                    external_id: Some((*external_id).to_owned()),
                    bulk_id: Some(format!("bulk-{index}")),
                    urgent: false,
                    data: data_of(external_id),
                })
                .collect(),
            idempotency: None,
            urgent: false,
            audit: None,
        }
    }

    pub(super) async fn accept(&self, store: &dyn Store, upload: &NewUpload) -> Accepted {
        store.accept(upload, ROOM, START).await.unwrap()
    }

    /// A person at version 1, due at the start.
    pub fn person(&self, external_id: &str) -> PersonUpdate {
        let mut person = Person::new(PersonId(self.id()), external_id);
        person.version = Version(1);
        person.record.insert("title".to_owned(), "Chief".into());
        PersonUpdate {
            job: self.job.clone(),
            person,
            due: Some(START),
            attempts: 0,
            urgent: false,
            last_code: None,
            data: Some(data_of(external_id)),
            quiet: None,
            display_name: Some(format!("{external_id}, shown")),
            unlinked: None,
            look: None,
            cause: None,
        }
    }

    /// Stores persons through a merge.
    pub async fn merge(&self, store: &dyn Store, persons: &[PersonUpdate]) {
        let batch = MergeBatch { persons: persons.to_vec(), ..MergeBatch::default() };
        assert_eq!(store.merge(&self.lease, &batch).await.unwrap(), Fenced::Done(()));
    }

    /// Merges persons and an upload with one operation for each; the operations' rows.
    pub(super) async fn working(&self, store: &dyn Store, persons: &[PersonUpdate]) -> (UploadId, Vec<i64>) {
        let keys: Vec<&str> = persons.iter().map(|update| update.person.external_id.as_str()).collect();
        let upload = self.upload(&keys);
        assert_eq!(self.accept(store, &upload).await, Accepted::New);
        let waiting = store.waiting_operations(std::slice::from_ref(&self.job), 1_000).await.unwrap();
        assert_eq!(waiting.len(), persons.len());
        let operations = waiting
            .iter()
            .zip(persons)
            .map(|(operation, update)| FinishedOperation {
                person: Some(update.person.id),
                version: Some(update.person.version),
                ..finished(operation.row, OperationState::Working)
            })
            .collect();
        let batch = MergeBatch { persons: persons.to_vec(), operations, ..MergeBatch::default() };
        assert_eq!(store.merge(&self.lease, &batch).await.unwrap(), Fenced::Done(()));
        (upload.id, waiting.iter().map(|operation| operation.row).collect())
    }

    /// A log row on a person.
    pub fn log_row(&self, update: &PersonUpdate, action: Action) -> LogRow {
        LogRow {
            id: LogId(self.id()),
            tenant: self.tenant,
            job: self.job.clone(),
            change: ChangeId(self.id()),
            cycle: Uuid::from_u128(5),
            at: START,
            duration_ms: 12,
            action,
            status: LogStatus::Success,
            code: None,
            person: Some(update.person.id),
            version: Some(update.person.version),
            external_id: update.person.external_id.clone(),
            source_name: Some("Ada Byron".to_owned()),
            guid: Some(ObjectGuid(self.id())),
            target_name: Some("CN=Ada Byron,OU=Staff,DC=corp,DC=test".to_owned()),
            details: LogDetails::default(),
        }
    }

    pub(super) fn guid(&self) -> ObjectGuid {
        ObjectGuid(self.id())
    }
}

/// What [`NewOperation::data`] is here: the text itself, cut or filled up.
pub(super) fn data_of(text: &str) -> [u8; 16] {
    let mut data = [0; 16];
    for (to, from) in data.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    data
}

fn next(ids: &AtomicU64) -> Uuid {
    let number = ids.fetch_add(1, Ordering::Relaxed);
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(number))
}

/// An operation in a state, and nothing else.
pub(super) fn finished(row: i64, state: OperationState) -> FinishedOperation {
    FinishedOperation { row, state, code: None, person: None, version: None, merged_into: None, log: None }
}

/// The `externalId`s of persons, in their order.
pub(super) fn names<'a>(persons: impl IntoIterator<Item = &'a Person>) -> Vec<&'a str> {
    persons.into_iter().map(|person| person.external_id.as_str()).collect()
}
