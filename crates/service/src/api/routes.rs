//! Every route: method, path, who may call it, what it takes and gives. Router, access checks and the OpenAPI document
//! are all made from this one table.

mod persons;
mod schemas;

use axum::http::Method;
use axum::routing::{MethodFilter, post};
use axum::routing::{MethodRouter, get, on};
use rollcall_wire::{graph, logs, oauth, rollcall};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use crate::api::access::Access;
use crate::api::{
    agents, applications, discovery, health, jobs, links, logs as log_routes, on_demand, preview, settings, status,
    token, upload,
};
use crate::roles::Role;
use crate::state::AppState;

/// One route.
pub(crate) struct Route {
    pub(crate) method: Method,
    /// In axum's notation, which is OpenAPI's too. Graph's routes stand under `/v1.0` and answer under `/beta` as well.
    pub(crate) path: &'static str,
    /// Unique; `operationId` of the OpenAPI document.
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) access: Access,
    /// Media type and shape of the body.
    pub(crate) request: Option<(&'static str, Shape)>,
    /// Status of success, and the shape of its JSON.
    pub(crate) success: (u16, Option<Shape>),
    pub(crate) handler: MethodRouter<AppState>,
}

/// A JSON type, for the OpenAPI document.
#[derive(Clone)]
pub(crate) struct Shape {
    pub(crate) name: String,
    pub(crate) is_list: bool,
    /// The type itself and those it is made of, by name.
    pub(crate) schemas: fn() -> Vec<(String, RefOr<Schema>)>,
}

fn shape<T: ToSchema>() -> Shape {
    Shape {
        name: T::name().into_owned(),
        is_list: false,
        schemas: || {
            let mut all = vec![(T::name().into_owned(), T::schema())];
            T::schemas(&mut all);
            all
        },
    }
}

fn list<T: ToSchema>() -> Shape {
    Shape { is_list: true, ..shape::<T>() }
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

const UPLOAD: Access = Access::Roles(&[Role::Upload, Role::UploadOwnedBy]);
const READ_LOG: Access = Access::Roles(&[Role::ProvisioningLogReadAll, Role::AuditLogReadAll]);
const READ_JOBS: Access = Access::Roles(&[
    Role::SynchronizationReadAll,
    Role::SynchronizationReadWriteAll,
    Role::ApplicationReadWriteOwnedBy,
]);
/// Readable for whoever uploads too: the job's service principal, and why operations wait.
const READ_STATUS: Access = Access::Roles(&[
    Role::SynchronizationReadAll,
    Role::SynchronizationReadWriteAll,
    Role::ApplicationReadWriteOwnedBy,
    Role::Upload,
    Role::UploadOwnedBy,
]);
const WRITE_JOBS: Access = Access::Roles(&[Role::SynchronizationReadWriteAll, Role::ApplicationReadWriteOwnedBy]);
const READ_AGENTS: Access = Access::Roles(&[Role::SynchronizationReadAll, Role::SynchronizationReadWriteAll]);
const WRITE_AGENTS: Access = Access::Roles(&[Role::SynchronizationReadWriteAll]);
const READ_APPS: Access =
    Access::Roles(&[Role::ApplicationReadAll, Role::ApplicationReadWriteAll, Role::ApplicationReadWriteOwnedBy]);
const WRITE_APPS: Access = Access::Roles(&[Role::ApplicationReadWriteAll, Role::ApplicationReadWriteOwnedBy]);
const READ_GRANTS: Access = Access::Roles(&[
    Role::ApplicationReadAll,
    Role::ApplicationReadWriteAll,
    Role::AppRoleAssignmentReadWriteAll,
    Role::ApplicationReadWriteOwnedBy,
]);
const GRANT: Access = Access::Roles(&[Role::AppRoleAssignmentReadWriteAll]);

impl Route {
    fn get(
        path: &'static str,
        id: &'static str,
        access: Access,
        success: Option<Shape>,
        handler: MethodRouter<AppState>,
    ) -> Self {
        Self { method: Method::GET, path, id, summary: "", access, request: None, success: (200, success), handler }
    }

    fn post(
        path: &'static str,
        id: &'static str,
        access: Access,
        request: Option<Shape>,
        success: (u16, Option<Shape>),
        handler: MethodRouter<AppState>,
    ) -> Self {
        let request = request.map(|shape| (JSON, shape));
        Self { method: Method::POST, path, id, summary: "", access, request, success, handler }
    }

    fn says(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }
}

/// The table.
#[must_use]
pub(crate) fn all() -> Vec<Route> {
    [
        operations(),
        sign_in(),
        uploads(),
        graph_jobs(),
        graph_applications(),
        graph_principals(),
        rollcall_jobs(),
        schemas::all(),
        persons::all(),
        link_routes(),
        agent_routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn operations() -> Vec<Route> {
    vec![
        Route::get("/healthz", "healthz", Access::Public, None, get(health::healthz)).says("The process answers."),
        Route::get("/readyz", "readyz", Access::Public, None, get(health::readyz)).says("The database answers too."),
        Route::get("/metrics", "metrics", Access::Public, None, get(health::metrics)).says("Prometheus metrics."),
    ]
}

fn sign_in() -> Vec<Route> {
    let form = |mut route: Route| {
        route.request = Some((FORM, shape::<TokenForm>()));
        route
    };
    vec![
        form(
            Route::post(
                "/{tenant}/oauth2/v2.0/token",
                "token",
                Access::Public,
                None,
                (200, Some(shape::<oauth::TokenResponse>())),
                post(token::token_v2),
            )
            .says("An access token for client credentials."),
        ),
        form(
            Route::post(
                "/{tenant}/oauth2/token",
                "tokenV1",
                Access::Public,
                None,
                (200, Some(shape::<oauth::TokenResponseV1>())),
                post(token::token_v1),
            )
            .says("The same in the older shape."),
        ),
        Route::get(
            "/{tenant}/v2.0/.well-known/openid-configuration",
            "openid",
            Access::Public,
            None,
            get(discovery::openid),
        )
        .says("Where a tenant's endpoints are."),
        Route::get(
            "/{tenant}/.well-known/openid-configuration",
            "openidV1",
            Access::Public,
            None,
            get(discovery::openid),
        )
        .says("The same under the older path."),
        Route::get("/{tenant}/discovery/v2.0/keys", "keys", Access::Public, None, get(discovery::keys))
            .says("Public keys of a tenant's tokens."),
        Route::get("/{tenant}/discovery/keys", "keysV1", Access::Public, None, get(discovery::keys))
            .says("The same under the older path."),
        Route::get("/common/discovery/instance", "instance", Access::Public, None, get(discovery::instance))
            .says("Which hosts are one authority."),
    ]
}

/// Body of the token endpoints.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a shape for the OpenAPI document; the form is read field by field")]
struct TokenForm {
    /// `client_credentials`.
    grant_type: String,
    /// The application's `appId`; here or in HTTP Basic.
    client_id: Option<String>,
    /// Here or in HTTP Basic.
    client_secret: Option<String>,
    /// `https://graph.microsoft.com/.default`; or `resource`.
    scope: Option<String>,
    /// App id or URI of Graph, where there is no `scope`.
    resource: Option<String>,
}

/// Body of bulkUpload: a SCIM bulk request (RFC 7644 3.7) of 1 to 50 operations.
#[derive(ToSchema)]
#[expect(
    dead_code,
    non_snake_case,
    reason = "a shape for the OpenAPI document; the body is read by rollcall_wire::scim"
)]
struct BulkRequest {
    /// Holds `urn:ietf:params:scim:api:messages:2.0:BulkRequest`.
    schemas: Vec<String>,
    #[schema(min_items = 1, max_items = 50)]
    Operations: Vec<BulkOperation>,
}

/// One operation: create, update, disable and enable are all POST; the service decides.
#[derive(ToSchema)]
#[expect(
    dead_code,
    non_snake_case,
    reason = "a shape for the OpenAPI document; the body is read by rollcall_wire::scim"
)]
struct BulkOperation {
    /// `POST` or `DELETE`.
    method: String,
    bulkId: Option<String>,
    /// `/Users`.
    path: String,
    /// One SCIM user with an `externalId`.
    #[schema(value_type = Object)]
    data: (),
}

fn uploads() -> Vec<Route> {
    let mut bulk = Route::post(
        "/v1.0/servicePrincipals/{principal}/synchronization/jobs/{job}/bulkUpload",
        "bulkUpload",
        UPLOAD,
        None,
        (202, None),
        on(MethodFilter::POST, upload::bulk_upload),
    )
    .says("Accepts up to 50 operations; 202 means on disk. The header rollcall-upload-id names the upload.");
    bulk.request = Some((rollcall_wire::scim::MEDIA_TYPE, shape::<BulkRequest>()));
    let log = |path, id| {
        Route::get(path, id, READ_LOG, Some(list::<logs::ProvisioningObjectSummary>()), get(log_routes::list))
            .says("The provisioning log, newest first. Options: $filter, $top, $orderby, $skiptoken.")
    };
    vec![
        bulk,
        Route::get(
            "/rollcall/v1/uploads/{upload}",
            "uploadStatus",
            UPLOAD,
            Some(shape::<rollcall::UploadStatus>()),
            get(status::upload),
        )
        .says("What became of an upload, operation by operation."),
        log("/v1.0/auditLogs/provisioning", "provisioningLog"),
        log("/v1.0/auditLogs/directoryProvisioning", "provisioningLogOlder"),
    ]
}

fn graph_jobs() -> Vec<Route> {
    const JOBS: &str = "/v1.0/servicePrincipals/{principal}/synchronization/jobs";
    const JOB: &str = "/v1.0/servicePrincipals/{principal}/synchronization/jobs/{job}";
    const START: &str = "/v1.0/servicePrincipals/{principal}/synchronization/jobs/{job}/start";
    const PAUSE: &str = "/v1.0/servicePrincipals/{principal}/synchronization/jobs/{job}/pause";
    vec![
        Route::get(JOBS, "jobs", READ_JOBS, Some(list::<graph::SynchronizationJob>()), get(jobs::list))
            .says("The jobs of an application."),
        Route::post(
            JOBS,
            "createJob",
            WRITE_JOBS,
            Some(shape::<graph::NewJobRequest>()),
            (201, Some(shape::<graph::SynchronizationJob>())),
            post(jobs::create),
        )
        .says("A new job, not started."),
        Route::get(JOB, "job", READ_JOBS, Some(shape::<graph::SynchronizationJob>()), get(jobs::show)).says("One job."),
        Route::post(START, "startJob", WRITE_JOBS, None, (204, None), post(jobs::start))
            .says("Starts a job, or goes on with a paused one."),
        Route::post(PAUSE, "pauseJob", WRITE_JOBS, None, (204, None), post(jobs::pause))
            .says("Pauses a job: uploads are accepted and wait."),
        Route::post(
            "/v1.0/servicePrincipals/{principal}/synchronization/jobs/{job}/provisionOnDemand",
            "provisionOnDemand",
            WRITE_JOBS,
            Some(shape::<graph::ProvisionOnDemandRequest>()),
            (200, Some(shape::<graph::KeyValuePair>())),
            post(on_demand::provision),
        )
        .says(
            "Works on up to 5 stored persons at once and tells what was done; with ?preview=true nothing is written.",
        ),
    ]
}

fn graph_applications() -> Vec<Route> {
    vec![
        Route::get(
            "/v1.0/applicationTemplates",
            "templates",
            READ_APPS,
            Some(list::<graph::ApplicationTemplate>()),
            get(applications::templates),
        )
        .says("What applications are made from."),
        Route::post(
            "/v1.0/applicationTemplates/{template}/instantiate",
            "instantiate",
            WRITE_APPS,
            Some(shape::<graph::InstantiateRequest>()),
            (201, Some(shape::<graph::InstantiateResponse>())),
            post(applications::instantiate),
        )
        .says("A new application and its service principal."),
        Route::get(
            "/v1.0/applications",
            "applications",
            READ_APPS,
            Some(list::<graph::Application>()),
            get(applications::applications),
        )
        .says("Applications; $filter on id, appId, displayName."),
        Route::get(
            "/v1.0/applications/{application}",
            "application",
            READ_APPS,
            Some(shape::<graph::Application>()),
            get(applications::application),
        )
        .says("One application, by id or appId."),
        Route::post(
            "/v1.0/applications/{application}/addPassword",
            "addPassword",
            WRITE_APPS,
            Some(shape::<graph::AddPasswordRequest>()),
            (200, Some(shape::<graph::PasswordCredential>())),
            post(applications::add_password),
        )
        .says("A new client secret, shown once."),
    ]
}

fn graph_principals() -> Vec<Route> {
    vec![
        Route::get(
            "/v1.0/servicePrincipals",
            "principals",
            READ_APPS,
            Some(list::<graph::ServicePrincipal>()),
            get(applications::principals),
        )
        .says("Service principals; $filter on id, appId, displayName."),
        Route::get(
            "/v1.0/servicePrincipals/{principal}",
            "principal",
            READ_APPS,
            Some(shape::<graph::ServicePrincipal>()),
            get(applications::principal),
        )
        .says("One service principal, by id or appId; Graph's own lists the application roles."),
        Route::get(
            "/v1.0/servicePrincipals/{principal}/appRoleAssignments",
            "roleAssignments",
            READ_GRANTS,
            Some(list::<graph::AppRoleAssignment>()),
            get(applications::role_assignments),
        )
        .says("The roles a service principal holds."),
        Route::post(
            "/v1.0/servicePrincipals/{principal}/appRoleAssignments",
            "assignRole",
            GRANT,
            Some(shape::<graph::AppRoleAssignmentRequest>()),
            (201, Some(shape::<graph::AppRoleAssignment>())),
            post(applications::assign_role),
        )
        .says("Grants an application role."),
        Route::post(
            "/v1.0/servicePrincipals/{principal}/appRoleAssignedTo",
            "assignRoleByResource",
            GRANT,
            Some(shape::<graph::AppRoleAssignmentRequest>()),
            (201, Some(shape::<graph::AppRoleAssignment>())),
            post(applications::assign_role),
        )
        .says("The same, under the resource."),
    ]
}

fn rollcall_jobs() -> Vec<Route> {
    let mut patch = Route::post(
        "/rollcall/v1/jobs/{job}/settings",
        "changeSettings",
        WRITE_JOBS,
        Some(shape::<rollcall::JobSettingsPatch>()),
        (200, Some(shape::<rollcall::JobSettings>())),
        on(MethodFilter::PATCH, settings::change),
    )
    .says("Changes what is named; absent members stay.");
    patch.method = Method::PATCH;
    vec![
        Route::get(
            "/rollcall/v1/jobs/{job}/settings",
            "settings",
            READ_JOBS,
            Some(shape::<rollcall::JobSettings>()),
            get(settings::show),
        )
        .says("A job's settings."),
        patch,
        Route::get(
            "/rollcall/v1/jobs/{job}/status",
            "jobStatus",
            READ_STATUS,
            Some(shape::<rollcall::JobStatus>()),
            get(settings::job_status),
        )
        .says("Counts over a job's rows."),
        Route::post(
            "/rollcall/v1/jobs/{job}/preview",
            "preview",
            READ_JOBS,
            Some(shape::<rollcall::PreviewRequest>()),
            (200, Some(shape::<rollcall::PreviewAnswer>())),
            post(preview::preview),
        )
        .says("What would be done about operations, stored persons, or under other mappings. Nothing is written."),
        Route::post(
            "/rollcall/v1/jobs/{job}/retry",
            "retryJob",
            WRITE_JOBS,
            None,
            (200, Some(shape::<rollcall::Retried>())),
            post(settings::retry),
        )
        .says("Makes whoever failed, or waits for the next try, due now."),
        Route::post(
            "/rollcall/v1/jobs/{job}/release",
            "releaseJob",
            WRITE_JOBS,
            Some(shape::<rollcall::ReleaseRequest>()),
            (200, Some(shape::<rollcall::Released>())),
            post(settings::release),
        )
        .says("Lets go those whom the job's budget holds back, longest waiting first."),
    ]
}

fn link_routes() -> Vec<Route> {
    vec![
        Route::get(
            "/rollcall/v1/jobs/{job}/links/{externalId}",
            "link",
            READ_JOBS,
            Some(shape::<rollcall::PersonLink>()),
            get(links::show),
        )
        .says("The account a person is linked to."),
        Route::post(
            "/rollcall/v1/jobs/{job}/links/{externalId}/break",
            "breakLink",
            WRITE_JOBS,
            None,
            (204, None),
            post(links::break_link),
        )
        .says("Forgets a link; the job must be paused."),
        Route::post(
            "/rollcall/v1/jobs/{job}/links/{externalId}/rematch",
            "rematchLink",
            WRITE_JOBS,
            None,
            (204, None),
            post(links::rematch),
        )
        .says("Forgets a link and matches anew; the job must be paused."),
    ]
}

fn agent_routes() -> Vec<Route> {
    const DRAIN: &str = "/rollcall/v1/agents/{agent}/drain";
    const UNDRAIN: &str = "/rollcall/v1/agents/{agent}/undrain";
    const ROTATE: &str = "/rollcall/v1/agents/{agent}/rotateKey";
    vec![
        Route::post(
            "/rollcall/v1/agents/tokens",
            "enrolmentToken",
            WRITE_AGENTS,
            Some(shape::<rollcall::EnrolmentTokenRequest>()),
            (201, Some(shape::<rollcall::EnrolmentToken>())),
            post(agents::make_token),
        )
        .says("A one-time token that enrols one agent for a domain."),
        Route::get(
            "/rollcall/v1/agents",
            "agents",
            READ_AGENTS,
            Some(shape::<rollcall::AgentList>()),
            get(agents::list),
        )
        .says("The agents, and why each is in its state."),
        Route::post(DRAIN, "drainAgent", WRITE_AGENTS, None, (204, None), post(agents::wishes::drain))
            .says("Has an agent hand its domain over and take none."),
        Route::post(UNDRAIN, "undrainAgent", WRITE_AGENTS, None, (204, None), post(agents::wishes::undrain))
            .says("Lets a drained agent work again."),
        Route::post(
            "/rollcall/v1/agents/{agent}/logLevel",
            "agentLogLevel",
            WRITE_AGENTS,
            Some(shape::<rollcall::AgentLogLevel>()),
            (204, None),
            post(agents::wishes::log_level),
        )
        .says("What an agent logs from now on."),
        Route::post(ROTATE, "rotateAgentKey", WRITE_AGENTS, None, (204, None), post(agents::wishes::rotate_key))
            .says("Has an agent make a new key; the one before stays valid until the new one was used."),
        Route::post("/rollcall/v1/agents/enroll", "enroll", Access::Public, None, (201, None), post(agents::enroll))
            .says("Enrols an agent by its one-time token."),
        Route::get("/rollcall/v1/agents/link", "agentLink", Access::Public, None, get(agents::link))
            .says("The agent's WebSocket; it proves itself inside."),
    ]
}
