//! Synchronization jobs as Graph shows them: list, make, start, pause (wire contract 3.1, 3.2, 3.4).

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use rollcall_model::Refusal;
use rollcall_model::config::{JobState, target};
use rollcall_model::ids::JobId;
use rollcall_store::{Job, JobCounts};
use rollcall_wire::graph;
use serde_json::json;

use crate::api::access::Caller;
use crate::api::error::ApiError;
use crate::api::request::read_json;
use crate::api::{find, settings};
use crate::first_start;
use crate::state::AppState;

/// What .NET writes for a moment that never was.
const NEVER: &str = "0001-01-01T00:00:00Z";

pub(crate) async fn create(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(principal): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<graph::SynchronizationJob>), ApiError> {
    let application = find::principal(&state, &caller, &principal).await?;
    caller.must_reach(&application)?;
    let request: graph::NewJobRequest = read_json(&headers, body).await?;
    if !request.template_id.eq_ignore_ascii_case(JobId::TEMPLATE) {
        return Err(ApiError::bad_request(format!("templateId must be {}.", JobId::TEMPLATE)).at("/templateId"));
    }
    let now = state.clock.now();
    let job = Job {
        id: JobId::new(caller.tenant, state.random.uuid_v4()),
        tenant: caller.tenant,
        service_principal: application.service_principal,
        state: JobState::NotRun,
        config: first_start::new_job_config(),
        schema_version: 1,
        created: now,
        changed: now,
    };
    let audit = state.audit(
        &caller,
        "job.create",
        job.id.as_str(),
        &json!({ "servicePrincipal": application.service_principal }),
    );
    state.store.create_job(&job, &audit).await?;
    Ok((StatusCode::CREATED, Json(to_graph(&job, &JobCounts::default()))))
}

pub(crate) async fn list(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(principal): Path<String>,
) -> Result<Json<graph::Collection<graph::SynchronizationJob>>, ApiError> {
    let application = find::principal(&state, &caller, &principal).await?;
    caller.must_reach(&application)?;
    let mut value = Vec::new();
    for job in state.store.jobs_of(caller.tenant, application.service_principal).await? {
        let counts = state.store.job_counts(&job.id).await?;
        value.push(to_graph(&job, &counts));
    }
    Ok(Json(graph::Collection { context: None, next_link: None, value }))
}

pub(crate) async fn show(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path((principal, job)): Path<(String, String)>,
) -> Result<Json<graph::SynchronizationJob>, ApiError> {
    let (_, job) = find::job_under(&state, &caller, &principal, &job).await?;
    let counts = state.store.job_counts(&job.id).await?;
    Ok(Json(to_graph(&job, &counts)))
}

pub(crate) async fn start(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path((principal, job)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let (_, job) = find::job_under(&state, &caller, &principal, &job).await?;
    if let Some(missing) = missing(&job) {
        return Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            Refusal::InvalidRequest,
            format!(
                "The job cannot start: {missing} is not set. Set it with `rollcall job set` or PATCH \
                 /rollcall/v1/jobs/{}/settings.",
                job.id
            ),
        ));
    }
    settings::check_mappings(&job.config, job.schema_version)?;
    set_state(&state, &caller, &job, JobState::Active, "job.start").await
}

pub(crate) async fn pause(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path((principal, job)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let (_, job) = find::job_under(&state, &caller, &principal, &job).await?;
    if job.state == JobState::NotRun {
        return Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            Refusal::InvalidRequest,
            "The job was never started: there is nothing to pause. Uploads wait until it is started.",
        ));
    }
    set_state(&state, &caller, &job, JobState::Paused, "job.pause").await
}

async fn set_state(
    state: &AppState,
    caller: &Caller,
    job: &Job,
    wanted: JobState,
    action: &str,
) -> Result<StatusCode, ApiError> {
    if job.state != wanted {
        let audit = state.audit(caller, action, job.id.as_str(), &json!({}));
        if !state.store.set_job_state(caller.tenant, &job.id, wanted, &audit).await? {
            return Err(ApiError::unknown_job(job.id.as_str()));
        }
        state.hub.changed();
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The setting that a job cannot do without and does not have.
fn missing(job: &Job) -> Option<&'static str> {
    if job.config.domain.is_none() {
        Some("domain (the AD domain)")
    } else if job.config.container.is_none() && job.config.mapping(target::PARENT).is_none() {
        Some("container (where new accounts are made) or parent (an expression that yields it)")
    } else {
        None
    }
}

fn to_graph(job: &Job, counts: &JobCounts) -> graph::SynchronizationJob {
    let (code, schedule) = match job.state {
        JobState::NotRun if missing(job).is_some() => ("NotConfigured", "Disabled"),
        JobState::NotRun => ("NotRun", "Disabled"),
        JobState::Active => ("Active", "Active"),
        JobState::Paused => ("Paused", "Paused"),
    };
    let entries = graph::KeyedCount { key: "API to Active Directory".to_owned(), value: counts.linked };
    graph::SynchronizationJob {
        id: job.id.as_str().to_owned(),
        template_id: JobId::TEMPLATE.to_owned(),
        schedule: graph::SynchronizationSchedule {
            expiration: None,
            interval: "PT40M".to_owned(),
            state: schedule.to_owned(),
        },
        status: graph::SynchronizationStatus {
            code: code.to_owned(),
            count_successive_complete_failures: 0,
            escrows_pruned: false,
            last_execution: None,
            last_successful_execution: None,
            last_successful_execution_with_exports: None,
            progress: Vec::new(),
            quarantine: None,
            steady_state_first_achieved_time: NEVER.to_owned(),
            steady_state_last_achieved_time: NEVER.to_owned(),
            synchronized_entry_count_by_type: vec![entries],
            troubleshooting_url: String::new(),
        },
        synchronization_job_settings: Vec::new(),
    }
}
