//! The template that jobs are made from (wire contract 3.9), under a service principal and under an application.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use rollcall_model::ids::JobId;
use rollcall_store::Application;
use rollcall_wire::graph::Collection;
use rollcall_wire::graph::schema::{SynchronizationSchema, SynchronizationTemplate};

use super::document::{self, Facts};
use crate::api::access::Caller;
use crate::api::error::ApiError;
use crate::api::find;
use crate::first_start;
use crate::state::AppState;

fn template(application: &Application) -> SynchronizationTemplate {
    SynchronizationTemplate {
        id: JobId::TEMPLATE.to_owned(),
        application_id: application.id.to_string(),
        default: true,
        description: "API-driven provisioning to on-premises Active Directory".to_owned(),
        discoverable: true,
        factory_tag: JobId::TEMPLATE.to_owned(),
        metadata: Vec::new(),
        schema: schema(),
    }
}

fn schema() -> SynchronizationSchema {
    // The template is as old as the calendar of .NET: it never changes but with the product.
    let facts = Facts { job: JobId::TEMPLATE, version: "0001-01-01T00:00:00Z", attributes: &[] };
    document::rendered(&first_start::new_job_config(), None, &facts)
}

fn named(application: &Application, id: &str) -> Result<SynchronizationTemplate, ApiError> {
    if id.eq_ignore_ascii_case(JobId::TEMPLATE) {
        return Ok(template(application));
    }
    Err(ApiError::not_found(format!("Template '{id}' does not exist; there is {}.", JobId::TEMPLATE)))
}

async fn principal(state: &AppState, caller: &Caller, text: &str) -> Result<Application, ApiError> {
    let application = find::principal(state, caller, text).await?;
    caller.must_reach(&application)?;
    Ok(application)
}

fn list(application: &Application) -> Json<Collection<SynchronizationTemplate>> {
    Json(Collection { context: None, next_link: None, value: vec![template(application)] })
}

pub(crate) async fn of_principal(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Collection<SynchronizationTemplate>>, ApiError> {
    Ok(list(&principal(&state, &caller, &id).await?))
}

pub(crate) async fn one_of_principal(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path((id, template)): Path<(String, String)>,
) -> Result<Json<SynchronizationTemplate>, ApiError> {
    named(&principal(&state, &caller, &id).await?, &template).map(Json)
}

pub(crate) async fn schema_of_principal(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path((id, template)): Path<(String, String)>,
) -> Result<Json<SynchronizationSchema>, ApiError> {
    Ok(Json(named(&principal(&state, &caller, &id).await?, &template)?.schema))
}

pub(crate) async fn of_application(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Collection<SynchronizationTemplate>>, ApiError> {
    Ok(list(&find::application(&state, &caller, &id).await?))
}

pub(crate) async fn one_of_application(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path((id, template)): Path<(String, String)>,
) -> Result<Json<SynchronizationTemplate>, ApiError> {
    named(&find::application(&state, &caller, &id).await?, &template).map(Json)
}

pub(crate) async fn schema_of_application(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path((id, template)): Path<(String, String)>,
) -> Result<Json<SynchronizationSchema>, ApiError> {
    Ok(Json(named(&find::application(&state, &caller, &id).await?, &template)?.schema))
}
