//! The link between a person and an account: shown, broken, matched anew.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use rollcall_model::config::JobState;
use rollcall_model::{Timestamp, fold};
use rollcall_wire::rollcall::PersonLink;
use serde_json::json;

use crate::api::access::Caller;
use crate::api::error::ApiError;
use crate::api::find;
use crate::state::AppState;

pub(crate) async fn show(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path((job, external_id)): Path<(String, String)>,
) -> Result<Json<PersonLink>, ApiError> {
    let job = find::job(&state, &caller, &job).await?;
    let found = state.store.person(&job.id, &fold(&external_id)).await?;
    let found = found.ok_or_else(|| unknown(&external_id))?;
    let link = found.person.link.as_ref();
    Ok(Json(PersonLink {
        external_id: found.person.external_id.clone(),
        person: found.person.id.0,
        version: found.person.version.0,
        object_guid: link.map(|link| link.guid.0),
        confirmed: link.is_some_and(|link| link.confirmed),
        last_code: found.last_code.map(|code| code.as_str().to_owned()),
    }))
}

fn unknown(external_id: &str) -> ApiError {
    ApiError::not_found(format!("No person with externalId '{external_id}' is known to this job."))
}

pub(crate) async fn break_link(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path((job, external_id)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    unlink(&state, &caller, &job, &external_id, None, "link.break").await
}

pub(crate) async fn rematch(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path((job, external_id)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let due = Some(state.clock.now());
    unlink(&state, &caller, &job, &external_id, due, "link.rematch").await
}

/// Like Graph's objectConnections: only while nothing works on the person, and the same answer a second time.
async fn unlink(
    state: &AppState,
    caller: &Caller,
    job: &str,
    external_id: &str,
    due: Option<Timestamp>,
    action: &str,
) -> Result<StatusCode, ApiError> {
    let job = find::job(state, caller, job).await?;
    if job.state == JobState::Active {
        return Err(ApiError::conflict("The job is running: pause it first, so that nothing works on this person."));
    }
    let key = fold(external_id);
    if state.store.person(&job.id, &key).await?.is_none() {
        return Err(unknown(external_id));
    }
    let audit = state.audit(caller, action, job.id.as_str(), &json!({ "externalId": external_id }));
    let quarantined = job.config.quarantined_until(state.clock.now());
    let broken = state.store.break_link(caller.tenant, &job.id, &key, due, quarantined, &audit).await?;
    if !broken && due.is_some() {
        return Err(ApiError::conflict(
            "The person has no link to break: `rollcall job retry` looks for their account again.",
        ));
    }
    state.hub.changed();
    Ok(StatusCode::NO_CONTENT)
}
