//! The schema as code, under `/rollcall/v1/jobs`: saved with its tests, listed, restored.

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use rollcall_model::limits;
use rollcall_model::mapping_test::MappingTest;
use rollcall_store::{Job, SchemaOrigin, SchemaRow, StoredSchema};
use rollcall_wire::graph::schema::schema_to_config;
use rollcall_wire::rollcall::schema::{
    SchemaHistory, SchemaRestore, SchemaSave, SchemaSaved, SchemaTests, SchemaTestsSave, SchemaVersion, SchemaWhole,
};
use serde::Deserialize;
use serde_json::json;

use super::check::{self, Places};
use super::save::{self, Proposal, Saved, save};
use super::{document, target_word};
use crate::api::access::Caller;
use crate::api::error::ApiError;
use crate::api::find;
use crate::api::request::read_json;
use crate::moment;
use crate::state::AppState;

fn answer(saved: Saved) -> Json<SchemaSaved> {
    let targets = target_word(&saved.targets).to_owned();
    Json(SchemaSaved { version: saved.version, targets, warnings: saved.warnings })
}

/// Saves schema and tests in one.
pub(crate) async fn put(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(job): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<SchemaSaved>, ApiError> {
    let job = find::job(&state, &caller, &job).await?;
    let body: SchemaSave = read_json(&headers, body).await?;
    if body.schema.is_none() && body.tests.is_none() {
        return Err(ApiError::bad_request("Give schema, tests, or both.").at("/schema"));
    }
    let base = match body.schema {
        None => Proposal::new(job.config.clone(), "schema.put", Places::None),
        Some(schema) => {
            let converted =
                schema_to_config(&schema, &job.config).map_err(|problems| check::refused_document(&problems))?;
            let config = converted.config.clone();
            let proposal = Proposal::new(config, "schema.put", Places::Document(Box::new(converted)));
            Proposal { document: Some(schema), ..proposal }
        }
    };
    let proposal = Proposal {
        tests: body.tests,
        origin: SchemaOrigin::Saved,
        details: json!({ "note": body.note }),
        note: body.note,
        based_on: body.based_on,
        ..base
    };
    save(&state, &caller, &job, proposal).await.map(answer)
}

pub(crate) async fn tests(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(job): Path<String>,
) -> Result<Json<SchemaTests>, ApiError> {
    let job = find::job(&state, &caller, &job).await?;
    let stored = document::stored(&state, &job, None).await?;
    Ok(Json(SchemaTests { version: stored.row.version, tests: tests_of(&stored) }))
}

fn tests_of(stored: &StoredSchema) -> Vec<MappingTest> {
    serde_json::from_str(&stored.tests).unwrap_or_default()
}

pub(crate) async fn put_tests(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(job): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<SchemaSaved>, ApiError> {
    let job = find::job(&state, &caller, &job).await?;
    let body: SchemaTestsSave = read_json(&headers, body).await?;
    let base = Proposal::new(job.config.clone(), "schema.tests.put", Places::None);
    let details = json!({ "tests": body.tests.len() });
    let (tests, origin) = (Some(body.tests), SchemaOrigin::Saved);
    let proposal = Proposal { tests, origin, details, based_on: body.based_on, ..base };
    save(&state, &caller, &job, proposal).await.map(answer)
}

/// Which part of the history is wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    before: Option<i64>,
    top: Option<usize>,
}

pub(crate) async fn list(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(job): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<SchemaHistory>, ApiError> {
    let job = find::job(&state, &caller, &job).await?;
    let top = page.top.unwrap_or(limits::SCHEMA_VERSIONS_SHOWN_MAX).clamp(1, limits::SCHEMA_VERSIONS_SHOWN_MAX);
    // One more tells whether there are others.
    let limit = i64::try_from(top + 1).unwrap_or(i64::MAX);
    let mut rows = state.store.schema_history(&job.id, page.before, limit).await?;
    let more = rows.len() > top;
    rows.truncate(top);
    let next_before = rows.last().filter(|_| more).map(|row| row.version);
    Ok(Json(SchemaHistory { value: rows.iter().map(version).collect(), next_before }))
}

fn version(row: &SchemaRow) -> SchemaVersion {
    let (origin, restored) = match row.origin {
        SchemaOrigin::Default => ("default", None),
        SchemaOrigin::Saved => ("saved", None),
        SchemaOrigin::Restored(version) => ("restored", Some(version)),
        SchemaOrigin::Settings => ("settings", None),
    };
    SchemaVersion {
        version: row.version,
        at: moment::exact(row.at),
        actor: row.actor.clone(),
        origin: origin.to_owned(),
        restored,
        note: row.note.clone(),
        targets: check::target_state(&row.targets),
    }
}

pub(crate) async fn one(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path((job, number)): Path<(String, String)>,
) -> Result<Json<SchemaWhole>, ApiError> {
    let job = find::job(&state, &caller, &job).await?;
    let number = number.parse().map_err(|_| ApiError::not_found(format!("'{number}' is no version's number.")))?;
    let stored = document::stored(&state, &job, Some(number)).await?;
    let schema = document::shown(&state, caller.tenant, &job, &stored);
    Ok(Json(SchemaWhole { about: version(&stored.row), schema, tests: tests_of(&stored) }))
}

/// Saves an older version, or what is shipped, as the newest; it goes through the same checks.
pub(crate) async fn restore(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(job): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<SchemaSaved>, ApiError> {
    let job = find::job(&state, &caller, &job).await?;
    let body: SchemaRestore = read_json(&headers, body).await?;
    match (body.version, body.default) {
        (Some(number), false) => restore_version(&state, &caller, &job, number, body.note).await,
        (None, true) => save::restore_default(&state, &caller, &job, body.note).await,
        _ => Err(ApiError::bad_request("Give version, or default: true.").at("/version")),
    }
    .map(answer)
}

async fn restore_version(
    state: &AppState,
    caller: &Caller,
    job: &Job,
    number: i64,
    note: Option<String>,
) -> Result<Saved, ApiError> {
    let stored = document::stored(state, job, Some(number)).await?;
    // The settings beside the schema are not part of it and stay as they are.
    let schema = document::shown(state, caller.tenant, job, &stored);
    let converted = schema_to_config(&schema, &job.config).map_err(|problems| check::refused_document(&problems))?;
    let tests = Some(tests_of(&stored));
    let proposal = Proposal {
        document: Some(schema),
        tests,
        origin: SchemaOrigin::Restored(number),
        details: json!({ "version": number }),
        note,
        ..Proposal::new(converted.config.clone(), "schema.restore", Places::Document(Box::new(converted)))
    };
    save(state, caller, job, proposal).await
}
