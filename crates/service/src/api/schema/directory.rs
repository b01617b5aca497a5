//! What is known of the directories' own schemas, and the check of mappings' targets against them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use rollcall_engine::check::check_target;
use rollcall_engine::evaluate::Problem;
use rollcall_model::config::JobConfig;
use rollcall_model::ids::TenantId;
use rollcall_model::schema::Schema;
use rollcall_model::{Refusal, Timestamp, limits};
use rollcall_wire::graph::schema::{DirectoryDefinition, SOURCE_DIRECTORY, TARGET_DIRECTORY};

use super::document;
use crate::api::access::Caller;
use crate::api::error::ApiError;
use crate::api::find;
use crate::moment;
use crate::state::AppState;

/// What agents last said of their directories' schemas, by tenant and domain.
#[derive(Debug, Default)]
pub(crate) struct DirectorySchemas(Mutex<HashMap<(TenantId, String), Answered>>);

/// When an agent answered, and what.
type Answered = (Timestamp, Arc<Schema>);

impl DirectorySchemas {
    /// However old it is.
    pub(crate) fn known(&self, tenant: TenantId, domain: &str) -> Option<Arc<Schema>> {
        self.get(tenant, domain).map(|(_, schema)| schema)
    }

    fn get(&self, tenant: TenantId, domain: &str) -> Option<Answered> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&(tenant, domain.to_lowercase())).cloned()
    }

    pub(crate) fn learn(&self, tenant: TenantId, domain: &str, at: Timestamp, schema: Arc<Schema>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert((tenant, domain.to_lowercase()), (at, schema));
    }
}

/// The directory's schema, as an agent said it within the last minute or says it now; `None` where none can be asked.
pub(super) async fn ask(state: &AppState, tenant: TenantId, domain: Option<&str>) -> Option<Arc<Schema>> {
    let domain = domain?;
    let now = state.clock.now();
    if let Some((at, schema)) = state.directory_schemas.get(tenant, domain)
        && (0..limits::DIRECTORY_SCHEMA_AGE_MS_MAX).contains(&now.ms_since(at))
    {
        return Some(schema);
    }
    read_anew(state, tenant, domain).await
}

async fn read_anew(state: &AppState, tenant: TenantId, domain: &str) -> Option<Arc<Schema>> {
    let asker = state.hub.asker(tenant, domain).await.ok()?;
    let schema = asker.schema().await.inspect_err(|error| {
        tracing::warn!(domain, %error, "an agent did not say the directory's schema");
    });
    let schema = Arc::new(schema.ok()?);
    state.directory_schemas.learn(tenant, domain, state.clock.now(), Arc::clone(&schema));
    Some(schema)
}

/// What of a configuration the directory would refuse.
pub(super) fn problems(config: &JobConfig, schema: &Schema) -> Vec<Problem> {
    check_target(config, schema)
}

/// Reads the directory's schema anew and shows its attributes.
pub(crate) async fn discover(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path((principal, job, directory)): Path<(String, String, String)>,
) -> Result<Json<DirectoryDefinition>, ApiError> {
    let (_, job) = find::job_under(&state, &caller, &principal, &job).await?;
    let stored = document::stored(&state, &job, None).await?;
    let before = document::shown(&state, caller.tenant, &job, &stored);
    let is_named = |own: &DirectoryDefinition| own.id.as_deref() == Some(directory.as_str());
    let Some(named) = before.directories.iter().find(|own| is_named(own)) else {
        return Err(ApiError::not_found(format!("Directory '{directory}' does not exist in the job's schema.")));
    };
    if !named.name.eq_ignore_ascii_case(TARGET_DIRECTORY) {
        let message = format!("The directory {SOURCE_DIRECTORY} cannot be asked: its attributes are those you list.");
        return Err(ApiError::bad_request(message));
    }
    let domain = job.config.domain.as_deref();
    let read = match domain {
        Some(domain) => read_anew(&state, caller.tenant, domain).await,
        None => None,
    };
    if read.is_none() {
        return Err(ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            Refusal::NoActiveAgents,
            "No agent of the job's domain can be asked: set the job's domain, and see `rollcall agent list`.",
        ));
    }
    let after = document::shown(&state, caller.tenant, &job, &stored);
    let found = after.directories.into_iter().find(|own| is_named(own)).ok_or_else(ApiError::internal)?;
    Ok(Json(DirectoryDefinition { discovery_date_time: Some(moment::seconds(state.clock.now())), ..found }))
}
