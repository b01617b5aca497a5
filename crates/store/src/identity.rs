//! Tenants, applications, service principals, secrets, roles, signing keys, and the audit of who changed them.

use async_trait::async_trait;
use rollcall_model::Timestamp;
use rollcall_model::ids::{AppId, ApplicationId, KeyId, ServicePrincipalId, TenantId};

use crate::{Error, Job};

/// The owner of everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    pub id: TenantId,
    pub display_name: String,
    pub created: Timestamp,
}

/// An application and its service principal, which are always made together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    pub id: ApplicationId,
    pub app_id: AppId,
    pub service_principal: ServicePrincipalId,
    pub display_name: String,
    pub enabled: bool,
    /// Who made it: for roles that end in `.OwnedBy`.
    pub owner: Option<ServicePrincipalId>,
    pub created: Timestamp,
}

/// The service principal's own view of the same row.
pub type ServicePrincipal = Application;

/// What [`Identity::create_application`] stores; the job is made with it where one is wanted.
#[derive(Clone, Debug)]
pub struct NewApplication {
    pub tenant: TenantId,
    pub application: Application,
    pub job: Option<Job>,
}

/// A client secret as stored: never the secret, only its SHA-256 (it is 256 random bits, so no slow hash is needed).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    pub key_id: KeyId,
    pub sha256: [u8; 32],
    pub display_name: String,
    /// The first three characters, as Graph's `hint`.
    pub hint: String,
    pub starts: Timestamp,
    pub ends: Timestamp,
}

/// A secret to be stored.
#[derive(Clone, Debug)]
pub struct NewSecret {
    pub application: ApplicationId,
    pub secret: Secret,
}

/// An application role granted to a service principal, by its value (`SynchronizationData-User.Upload`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleGrant {
    pub id: uuid::Uuid,
    pub principal: ServicePrincipalId,
    pub role: String,
    pub created: Timestamp,
}

/// A private key, sealed by the service before it comes here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedKey {
    /// `kid` of the tokens it signs.
    pub kid: String,
    pub sealed: Vec<u8>,
    /// PEM of the public half.
    pub public_pem: String,
    pub created: Timestamp,
}

/// Who did what, stored in the transaction of what was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    pub id: uuid::Uuid,
    pub at: Timestamp,
    /// The caller, as `app:<appId>` or `system`.
    pub actor: String,
    /// For instance `application.create`.
    pub action: String,
    pub target: String,
    /// JSON, without secrets.
    pub details: String,
}

/// Persistence of identities.
#[async_trait]
pub trait Identity: Send + Sync {
    /// The tenants there are, oldest first; empty before the first start.
    async fn tenants(&self) -> Result<Vec<Tenant>, Error>;

    /// First start: tenant, signing key, administrating application with secret and roles, all or nothing. `false`
    /// where a tenant exists already (another node was quicker).
    async fn bootstrap(
        &self,
        tenant: &Tenant,
        key: &SealedKey,
        application: &Application,
        secret: &Secret,
        roles: &[RoleGrant],
        audit: &Audit,
    ) -> Result<bool, Error>;

    /// Signing keys, newest first.
    async fn signing_keys(&self, tenant: TenantId) -> Result<Vec<SealedKey>, Error>;

    async fn create_application(&self, new: &NewApplication, audit: &Audit) -> Result<(), Error>;

    async fn application_by_app_id(&self, tenant: TenantId, app_id: AppId) -> Result<Option<Application>, Error>;

    async fn application(&self, tenant: TenantId, id: ApplicationId) -> Result<Option<Application>, Error>;

    async fn service_principal(
        &self,
        tenant: TenantId,
        id: ServicePrincipalId,
    ) -> Result<Option<ServicePrincipal>, Error>;

    /// All of them, oldest first.
    async fn applications(&self, tenant: TenantId) -> Result<Vec<Application>, Error>;

    async fn add_secret(&self, tenant: TenantId, new: &NewSecret, audit: &Audit) -> Result<(), Error>;

    async fn secrets(&self, application: ApplicationId) -> Result<Vec<Secret>, Error>;

    /// Grants a role; a grant that exists already is returned as it is.
    async fn grant_role(&self, tenant: TenantId, grant: &RoleGrant, audit: &Audit) -> Result<RoleGrant, Error>;

    async fn roles(&self, principal: ServicePrincipalId) -> Result<Vec<RoleGrant>, Error>;

    /// An audit row of something that stores nothing else: a preview.
    async fn note_audit(&self, tenant: TenantId, audit: &Audit) -> Result<(), Error>;

    /// Newest first.
    async fn audit(&self, tenant: TenantId, limit: i64) -> Result<Vec<Audit>, Error>;
}
