//! `POST /rollcall/v1/jobs/{job}/preview`: what would be done. It tells what accounts hold now, so reading a job's
//! settings is the least that its caller must be allowed; that somebody may upload is not enough, and not needed.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use rollcall_engine::evaluate::Prepared;
use rollcall_model::config::JobConfig;
use rollcall_model::{Refusal, limits};
use rollcall_store::Job;
use rollcall_wire::graph::schema::{SynchronizationSchema, schema_to_config};
use rollcall_wire::rollcall::{PreviewAnswer, PreviewRequest};
use rollcall_wire::scim;
use serde_json::json;

use crate::api::access::Caller;
use crate::api::error::ApiError;
use crate::api::find;
use crate::api::request::read_body;
use crate::api::upload::half_digest;
use crate::preview::{self, Mappings, Preview, Shown, Subject, Taken, Trouble};
use crate::state::AppState;
use crate::work::{Asker, NoAnswer};

pub(crate) async fn preview(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(job): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<PreviewAnswer>, ApiError> {
    let job = find::job(&state, &caller, &job).await?;
    let bytes = read_body(&headers, body).await?;
    let text = if bytes.is_empty() { b"{}".as_slice() } else { &bytes };
    let request: PreviewRequest = serde_json::from_slice(text)
        .map_err(|error| ApiError::bad_request(format!("The body cannot be read: {error}")))?;
    let mode = Mode::of(&request)?;
    let rules = Rules::new(&job, tried(&request, &job)?)?;
    let asker = asker(&state, &caller, &job).await?;
    let (subjects, next) = subjects(&state, &job, &asker, &request, &bytes, mode).await?;
    let audit = state.audit(
        &caller,
        "job.preview",
        job.id.as_str(),
        &json!({ "persons": subjects.len(), "schema": request.schema.is_some() }),
    );
    state.store.note_audit(caller.tenant, &audit).await?;
    let shown = if request.all { Shown::Everybody } else { Shown::Changed };
    let taken = Taken::new(&request.taken);
    let answer = run(&state, &caller, &job, &rules, &asker, subjects, taken, shown).await?;
    Ok(Json(PreviewAnswer { next: next.map(|row| row.to_string()), ..answer }))
}

/// Whom a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Operations,
    Persons,
    Page,
}

impl Mode {
    fn of(request: &PreviewRequest) -> Result<Self, ApiError> {
        let is_page = request.after.is_some() || request.limit.is_some();
        match (&request.operations, &request.persons) {
            (Some(_), None) if !is_page => Ok(Self::Operations),
            (None, Some(persons)) if !is_page => {
                let max = limits::PREVIEW_PERSONS_MAX;
                if persons.is_empty() || persons.len() > max {
                    return Err(
                        ApiError::bad_request(format!("persons must hold 1 to {max} externalIds.")).at("/persons")
                    );
                }
                Ok(Self::Persons)
            }
            (None, None) => Ok(Self::Page),
            _ => Err(ApiError::bad_request(
                "Send either Operations, or persons, or neither of them with after and limit: all stored persons.",
            )),
        }
    }
}

async fn subjects(
    state: &AppState,
    job: &Job,
    asker: &Asker,
    request: &PreviewRequest,
    bytes: &[u8],
    mode: Mode,
) -> Result<(Vec<Subject>, Option<i64>), ApiError> {
    let (store, controller) = (&*state.store, asker.controller.as_str());
    match mode {
        Mode::Operations => {
            let operations: Vec<_> = scim::parse_up_to(bytes, limits::PREVIEW_PERSONS_MAX)?
                .into_iter()
                .map(|operation| {
                    let digest = half_digest(&operation.data.to_string());
                    (operation, digest)
                })
                .collect();
            let now = state.clock.now();
            Ok((preview::of_operations(store, job, &operations, controller, &*state.random, now).await?, None))
        }
        Mode::Persons => {
            let persons = request.persons.as_deref().unwrap_or_default();
            Ok((preview::of_persons(store, job, persons, controller).await?, None))
        }
        Mode::Page => {
            let max = limits::PREVIEW_PERSONS_MAX;
            let limit = request.limit.unwrap_or(max);
            if limit == 0 || limit > max {
                return Err(ApiError::bad_request(format!("limit must be 1 to {max}.")).at("/limit"));
            }
            let after = request.after.as_deref().map_or(Ok(0), str::parse);
            let after = after.map_err(|_| ApiError::bad_request("after must be `next` of an answer.").at("/after"))?;
            Ok(preview::page(store, job, after, limit, controller).await?)
        }
    }
}

/// The configuration that a schema in the request makes of the job's.
fn tried(request: &PreviewRequest, job: &Job) -> Result<Option<JobConfig>, ApiError> {
    let Some(document) = &request.schema else { return Ok(None) };
    let invalid =
        |message: String| ApiError::new(StatusCode::BAD_REQUEST, Refusal::SchemaInvalid, message).at("/schema");
    let schema: SynchronizationSchema = serde_json::from_value(document.clone())
        .map_err(|error| invalid(format!("The schema cannot be read: {error}.")))?;
    let converted = schema_to_config(&schema, &job.config).map_err(|problems| {
        let said: Vec<String> =
            problems.iter().map(|problem| format!("{}: {} {}", problem.place, problem.message, problem.hint)).collect();
        invalid(said.join(" "))
    })?;
    Ok(Some(converted.config))
}

/// What a preview goes by. Made before an agent is looked for: a schema is as broken without one.
pub(super) struct Rules {
    config: JobConfig,
    prepared: Prepared,
    mappings: Mappings,
}

impl Rules {
    /// The job's own, unless others are tried.
    pub(super) fn new(job: &Job, tried: Option<JobConfig>) -> Result<Self, ApiError> {
        // What the directory refused under the job's own mappings it may take under others.
        let (mappings, version, config) = match tried {
            Some(config) => (Mappings::Tried, job.schema_version + 1, config),
            None => (Mappings::Own, job.schema_version, job.config.clone()),
        };
        let domain = job.config.domain.as_deref().unwrap_or_default();
        let prepared = Prepared::new(&config, version, domain).map_err(|problems| {
            let said = problems.iter().map(|problem| match &problem.hint {
                Some(hint) => format!("mapping of {}: {}; {hint}", problem.target, problem.message),
                None => format!("mapping of {}: {}", problem.target, problem.message),
            });
            ApiError::new(StatusCode::BAD_REQUEST, Refusal::SchemaInvalid, said.collect::<Vec<_>>().join(". "))
        })?;
        Ok(Self { config, prepared, mappings })
    }
}

/// The agent that is to be asked.
pub(super) async fn asker(state: &AppState, caller: &Caller, job: &Job) -> Result<Asker, ApiError> {
    let Some(domain) = job.config.domain.as_deref() else {
        return Err(ApiError::conflict("The job has no domain: `rollcall job set --domain` names one."));
    };
    match state.hub.asker(caller.tenant, domain).await {
        Ok(asker) => Ok(asker),
        Err(NoAnswer::NoAgent) => {
            Err(unavailable(format!("No agent of {domain} is at work: `rollcall agent list` says why. Try again.")))
        }
        Err(other) => Err(other.into()),
    }
}

#[expect(clippy::too_many_arguments, reason = "what a request holds, each of another kind")]
pub(super) async fn run(
    state: &AppState,
    caller: &Caller,
    job: &Job,
    rules: &Rules,
    asker: &Asker,
    subjects: Vec<Subject>,
    taken: Taken,
    shown: Shown,
) -> Result<PreviewAnswer, ApiError> {
    let preview = Preview {
        store: &*state.store,
        tenant: caller.tenant,
        job,
        config: &rules.config,
        prepared: &rules.prepared,
        secret: state.secrets.of(&job.id),
        asker,
        now: state.clock.now(),
        mappings: rules.mappings,
    };
    Ok(preview.run(subjects, taken, shown).await?)
}

fn unavailable(message: String) -> ApiError {
    ApiError {
        retry_after_s: Some(5),
        ..ApiError::new(StatusCode::SERVICE_UNAVAILABLE, Refusal::NoActiveAgents, message)
    }
}

impl From<Trouble> for ApiError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Store(error) => error.into(),
            Trouble::Agent(answer) => answer.into(),
        }
    }
}

impl From<NoAnswer> for ApiError {
    fn from(answer: NoAnswer) -> Self {
        match answer {
            NoAnswer::NoAgent | NoAnswer::Refused(_) => {
                unavailable(format!("The directory cannot be asked: {answer}."))
            }
            NoAnswer::TooOld => Self::conflict("The active agent knows no preview: update it."),
            NoAnswer::Silent => Self::new(
                StatusCode::GATEWAY_TIMEOUT,
                Refusal::AgentSilent,
                "The agent gave no answer in time. Try again, with fewer persons.",
            ),
        }
    }
}
