//! Persons, walks over all of them, and what a change of the mappings would touch.
//!
//! A record is what the source says of somebody: reading a job's settings is the least that its reader must be allowed.
//! That somebody may upload is not enough.

mod impact;

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use rollcall_engine::expression::compile;
use rollcall_model::config::{Mapping, MappingSource};
use rollcall_model::{fold, limits};
use rollcall_store::{Cause, Job, PersonUpdate, Sweep, SweepState};
use rollcall_wire::rollcall::persons::{
    ConfirmedShown, LinkShown, PersonShown, ReevaluateRequest, SweepRequest, SweepStatus,
};
use serde_json::json;

use crate::api::access::Caller;
use crate::api::error::ApiError;
use crate::api::find;
use crate::api::request::read_json;
use crate::moment;
use crate::state::AppState;
use crate::work::sweep::reevaluation;

pub(crate) use impact::impact;

/// What stands for a value that is kept out of sight.
const REDACTED: &str = "[Redact]";

/// The function that keeps a value out of the log, lower case.
const REDACTING: &str = "redact";

pub(crate) async fn show(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path((job, external_id)): Path<(String, String)>,
) -> Result<Json<PersonShown>, ApiError> {
    let job = find::job(&state, &caller, &job).await?;
    let update = person(&state, &job, &external_id).await?;
    let redacted = redacted(&state, &job).await?;
    let due_reason = update.due.map(|_| update.cause.map_or("operation", Cause::as_str).to_owned());
    let person = update.person;
    Ok(Json(PersonShown {
        external_id: person.external_id,
        person: person.id.0,
        version: person.version.0,
        record: person.record,
        link: person.link.map(|link| LinkShown { object_guid: link.guid.0, confirmed: link.confirmed }),
        confirmed: person.confirmed.map(|confirmed| ConfirmedShown {
            attributes: masked(confirmed.attributes, &redacted),
            container: confirmed.container,
            enabled: confirmed.enabled,
            manager: confirmed.manager,
            in_scope: confirmed.in_scope,
        }),
        refused: person.refused.into_iter().map(|(name, refused)| (name, refused.reason)).collect(),
        due: update.due.map(moment::exact),
        due_reason,
        look: update.look.map(moment::exact),
        attempts: update.attempts,
        last_code: update.last_code.map(|code| code.as_str().to_owned()),
    }))
}

async fn person(state: &AppState, job: &Job, external_id: &str) -> Result<PersonUpdate, ApiError> {
    let found = state.store.person(&job.id, &fold(external_id)).await?;
    found.ok_or_else(|| ApiError::not_found(format!("No person with externalId '{external_id}' is known to this job.")))
}

fn masked(mut attributes: BTreeMap<String, Vec<String>>, redacted: &BTreeSet<String>) -> BTreeMap<String, Vec<String>> {
    for (_, values) in attributes.iter_mut().filter(|(name, _)| redacted.contains(&name.to_lowercase())) {
        values.fill(REDACTED.to_owned());
    }
    attributes
}

/// Attributes, lower case, whose values a stored version of the mappings may keep out of the log. What is confirmed may
/// have been written by any of them; whether the person can be evaluated today is of no account.
async fn redacted(state: &AppState, job: &Job) -> Result<BTreeSet<String>, ApiError> {
    let versions = state.store.configs_holding(&job.id, REDACTING).await?;
    let mappings = versions.into_iter().flat_map(|config| config.mappings);
    Ok(mappings.filter(may_redact).map(|mapping| mapping.target.to_lowercase()).collect())
}

/// An expression that is no longer understood may do whatever it names.
fn may_redact(mapping: &Mapping) -> bool {
    let MappingSource::Expression(text) = &mapping.source else { return false };
    text.to_lowercase().contains(REDACTING) && compile(text).map_or(true, |compiled| compiled.may_redact())
}

pub(crate) async fn sweep(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(job): Path<String>,
) -> Result<Json<SweepStatus>, ApiError> {
    let job = find::job(&state, &caller, &job).await?;
    Ok(Json(known_sweep(&state, &job).await?))
}

async fn known_sweep(state: &AppState, job: &Job) -> Result<SweepStatus, ApiError> {
    let none = || ApiError::not_found("The job's persons were never walked over: its mappings have not changed.");
    sweep_of(state, job).await?.ok_or_else(none)
}

/// The last walk over a job's persons.
pub(crate) async fn sweep_of(state: &AppState, job: &Job) -> Result<Option<SweepStatus>, ApiError> {
    let sweeps = state.store.sweeps(std::slice::from_ref(&job.id)).await?;
    Ok(sweeps.first().map(shown))
}

fn shown(sweep: &Sweep) -> SweepStatus {
    SweepStatus {
        cause: sweep.cause.as_str().to_owned(),
        schema_version: sweep.schema_version,
        state: sweep.state.as_str().to_owned(),
        walked: sweep.walked,
        touched: sweep.touched,
        failed: sweep.failed,
        total: sweep.total,
        started: moment::exact(sweep.started),
        changed: moment::exact(sweep.changed),
    }
}

pub(crate) async fn change_sweep(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(job): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<SweepStatus>, ApiError> {
    let job = find::job(&state, &caller, &job).await?;
    let request: SweepRequest = read_json(&headers, body).await?;
    let action = request.action.as_str();
    let wanted = match action {
        "start" => None,
        "pause" => Some(SweepState::Paused),
        "continue" => Some(SweepState::Running),
        "cancel" => Some(SweepState::Cancelled),
        _ => {
            return Err(ApiError::bad_request("action must be 'start', 'pause', 'continue' or 'cancel'.").at("/action"));
        }
    };
    let audit = state.audit(&caller, &format!("job.sweep.{action}"), job.id.as_str(), &json!({}));
    let done = match wanted {
        None => state.store.begin_sweep(caller.tenant, &job.id, Cause::Schema, &audit).await?,
        Some(wanted) => state.store.set_sweep_state(caller.tenant, &job.id, wanted, &audit).await?,
    };
    if !done {
        return Err(ApiError::conflict(
            "No walk over the job's persons is under way: `rollcall job sweep start` begins one.",
        ));
    }
    state.hub.changed();
    Ok(Json(known_sweep(&state, &job).await?))
}

/// Semantics `may-write`: an explicit re-evaluation.
pub(crate) async fn reevaluate(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(job): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, ApiError> {
    let job = find::job(&state, &caller, &job).await?;
    let request: ReevaluateRequest = read_json(&headers, body).await?;
    let details = json!({ "externalId": request.external_id, "all": request.all });
    let audit = state.audit(&caller, "job.reevaluate", job.id.as_str(), &details);
    match (&request.external_id, request.all) {
        (None, true) => drop(state.store.begin_sweep(caller.tenant, &job.id, Cause::Reevaluation, &audit).await?),
        (Some(external_id), false) => {
            // A merge or an outcome may come between; once more is enough for anybody whom no script hurries.
            for tries in 1.. {
                let update = person(&state, &job, external_id).await?;
                if state.store.reevaluate(caller.tenant, &reevaluation(&update), &audit).await? {
                    break;
                }
                if tries == limits::STALE_PLAN_TRIES_MAX {
                    return Err(ApiError::conflict("The person is being worked on: try again."));
                }
            }
        }
        _ => return Err(ApiError::bad_request("Send either externalId, or all: true.")),
    }
    state.hub.changed();
    Ok(StatusCode::NO_CONTENT)
}
