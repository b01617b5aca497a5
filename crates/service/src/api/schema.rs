//! A job's schema as Graph's clients read and write it (wire contract 3.1, 3.6).

mod check;
mod directory;
mod document;
pub(crate) mod history;
pub(crate) mod language;
mod save;
pub(crate) mod templates;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use rollcall_model::Refusal;
use rollcall_store::{SchemaOrigin, TargetCheck};
use rollcall_wire::graph::schema::{SynchronizationSchema, schema_to_config};
use rollcall_wire::rollcall::schema::WARNING_HEADER;

use crate::api::access::Caller;
use crate::api::error::ApiError;
use crate::api::find;
use crate::api::request::read_json;
use crate::state::AppState;

pub(crate) use check::state_of;
pub(crate) use directory::{DirectorySchemas, discover};
pub(crate) use save::save_settings;

pub(crate) async fn show(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path((principal, job)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let (_, job) = find::job_under(&state, &caller, &principal, &job).await?;
    let stored = document::stored(&state, &job, None).await?;
    let schema = document::shown(&state, caller.tenant, &job, &stored);
    Ok(([(header::ETAG, etag(stored.row.version))], Json(schema)).into_response())
}

fn etag(version: i64) -> String {
    format!("\"{version}\"")
}

/// The version that `If-Match` names; `None` where any will do (RFC 9110 13.1.1).
fn wanted_version(headers: &HeaderMap) -> Result<Option<i64>, ApiError> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or("?").trim();
    if text == "*" {
        return Ok(None);
    }
    let inner = text.strip_prefix("W/").unwrap_or(text).trim_matches('"');
    inner.parse().map(Some).map_err(|_| {
        ApiError::bad_request("If-Match must hold the ETag of a GET of the schema, such as \"3\".").at("If-Match")
    })
}

/// Replaces the whole schema.
pub(crate) async fn replace(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path((principal, job)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let (_, job) = find::job_under(&state, &caller, &principal, &job).await?;
    let based_on = wanted_version(&headers)?;
    let schema: SynchronizationSchema = read_json(&headers, body).await?;
    let converted = schema_to_config(&schema, &job.config).map_err(|problems| check::refused_document(&problems))?;
    let proposal = save::Proposal {
        document: Some(schema),
        origin: SchemaOrigin::Saved,
        based_on,
        ..save::Proposal::new(converted.config.clone(), "schema.put", check::Places::Document(Box::new(converted)))
    };
    let saved = save::save(&state, &caller, &job, proposal).await?;
    Ok(no_content(&saved))
}

/// The mappings, filters and attributes as shipped.
pub(crate) async fn reset(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path((principal, job)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let (_, job) = find::job_under(&state, &caller, &principal, &job).await?;
    let saved = save::restore_default(&state, &caller, &job, None).await?;
    Ok(no_content(&saved))
}

fn no_content(saved: &save::Saved) -> Response {
    let mut response = (StatusCode::NO_CONTENT, [(header::ETAG, etag(saved.version))]).into_response();
    if let Some(value) = saved.warnings.first().and_then(|text| HeaderValue::from_str(text).ok()) {
        response.headers_mut().insert(HeaderName::from_static(WARNING_HEADER), value);
    }
    response
}

/// What SDKs send who know no PUT.
pub(crate) async fn patch_refused(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path((principal, job)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    find::job_under(&state, &caller, &principal, &job).await?;
    let message = "The schema does not take PATCH: GET it, change it, and PUT the whole document.";
    let mut response =
        ApiError::new(StatusCode::METHOD_NOT_ALLOWED, Refusal::MethodNotAllowed, message).into_response();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET,PUT,DELETE"));
    Ok(response)
}

/// `passed`, `pending` or `failed`.
fn target_word(targets: &TargetCheck) -> &'static str {
    match targets {
        TargetCheck::Pending => "pending",
        TargetCheck::Passed => "passed",
        TargetCheck::Failed(_) => "failed",
    }
}
