//! Applications, service principals and jobs by what a URL says, within the caller's tenant and reach.

use rollcall_model::ids::{AppId, ApplicationId, JobId, ServicePrincipalId, TenantId};
use rollcall_store::{Application, Job};

use crate::api::access::Caller;
use crate::api::error::ApiError;
use crate::state::AppState;

/// A service principal by object id, or by `appId=...`.
pub(crate) async fn principal(state: &AppState, caller: &Caller, text: &str) -> Result<Application, ApiError> {
    let found = match text.strip_prefix("appId=") {
        Some(app_id) => match app_id.parse::<AppId>() {
            Ok(app_id) => state.store.application_by_app_id(caller.tenant, app_id).await?,
            Err(_) => None,
        },
        None => match text.parse::<ServicePrincipalId>() {
            Ok(id) => state.store.service_principal(caller.tenant, id).await?,
            Err(_) => None,
        },
    };
    match found {
        Some(application) => Ok(application),
        None => Err(foreign(state, caller.tenant, text).await?),
    }
}

/// Why a service principal was not found: somebody else's is 403, nobody's 404.
async fn foreign(state: &AppState, own: TenantId, text: &str) -> Result<ApiError, ApiError> {
    let message = format!(
        "The service principal identifier {text} specified in the request URL does not belong to the tenant authenticated."
    );
    if let Ok(id) = text.parse::<ServicePrincipalId>() {
        for tenant in state.store.tenants().await? {
            if tenant.id != own && state.store.service_principal(tenant.id, id).await?.is_some() {
                return Ok(ApiError::forbidden(message));
            }
        }
    }
    Ok(ApiError::not_found(message))
}

/// An application by object id, or by `appId=...`.
pub(crate) async fn application(state: &AppState, caller: &Caller, text: &str) -> Result<Application, ApiError> {
    let found = match text.strip_prefix("appId=") {
        Some(app_id) => match app_id.parse::<AppId>() {
            Ok(app_id) => state.store.application_by_app_id(caller.tenant, app_id).await?,
            Err(_) => None,
        },
        None => match text.parse::<ApplicationId>() {
            Ok(id) => state.store.application(caller.tenant, id).await?,
            Err(_) => None,
        },
    };
    let application = found.ok_or_else(|| ApiError::not_found(format!("Application '{text}' does not exist.")))?;
    caller.must_reach(&application)?;
    Ok(application)
}

/// A job under its service principal, both within the caller's reach.
pub(crate) async fn job_under(
    state: &AppState,
    caller: &Caller,
    principal_text: &str,
    job: &str,
) -> Result<(Application, Job), ApiError> {
    let application = principal(state, caller, principal_text).await?;
    caller.must_reach(&application)?;
    let found = state.store.job(caller.tenant, &JobId::from_text(job)).await?;
    let job = found
        .filter(|found| found.service_principal == application.service_principal)
        .ok_or_else(|| ApiError::unknown_job(job))?;
    Ok((application, job))
}

/// A job by its id alone.
pub(crate) async fn job(state: &AppState, caller: &Caller, text: &str) -> Result<Job, ApiError> {
    let found = state.store.job(caller.tenant, &JobId::from_text(text)).await?;
    let job = found.ok_or_else(|| ApiError::unknown_job(text))?;
    let application = state.store.service_principal(caller.tenant, job.service_principal).await?;
    caller.must_reach(&application.ok_or_else(|| ApiError::unknown_job(text))?)?;
    Ok(job)
}
