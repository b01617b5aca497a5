//! The one way in which a job's configuration changes: checked as a whole, tested, stored with its history, or refused.

use axum::http::StatusCode;
use rollcall_engine::evaluate::{Prepared, Problem};
use rollcall_engine::{default_mapping, mapping_tests};
use rollcall_model::config::{JobConfig, Scope, TargetActions, standard_source_attributes};
use rollcall_model::mapping_test::MappingTest;
use rollcall_model::schema::Schema;
use rollcall_model::{Refusal, limits};
use rollcall_store::{Job, NewSchema, SchemaOrigin, SchemaSaved, TargetCheck};
use rollcall_wire::graph::schema::SynchronizationSchema;
use serde_json::{Value, json};

use super::check::{self, Places};
use super::directory;
use super::document::{self, Facts};
use crate::api::access::Caller;
use crate::api::error::ApiError;
use crate::moment;
use crate::state::AppState;

/// A change to be made.
pub(super) struct Proposal {
    pub(super) config: JobConfig,
    pub(super) places: Places,
    /// What was put; `None`: the document before goes on, as far as it still holds.
    pub(super) document: Option<SynchronizationSchema>,
    /// `None`: those of the version before.
    pub(super) tests: Option<Vec<MappingTest>>,
    pub(super) origin: SchemaOrigin,
    pub(super) note: Option<String>,
    pub(super) based_on: Option<i64>,
    /// As the audit names it, and what it says of it.
    pub(super) action: &'static str,
    pub(super) details: Value,
}

impl Proposal {
    pub(super) fn new(config: JobConfig, action: &'static str, places: Places) -> Self {
        Self {
            config,
            places,
            document: None,
            tests: None,
            origin: SchemaOrigin::Settings,
            note: None,
            based_on: None,
            action,
            details: json!({}),
        }
    }
}

/// What was saved.
pub(super) struct Saved {
    pub(super) version: i64,
    pub(super) targets: TargetCheck,
    /// What could not be checked; printable ASCII.
    pub(super) warnings: Vec<String>,
}

/// Checks, tests and saves. Nothing is stored of what is refused.
pub(super) async fn save(state: &AppState, caller: &Caller, job: &Job, proposal: Proposal) -> Result<Saved, ApiError> {
    if let Some(wanted) = proposal.based_on.filter(|wanted| *wanted != job.schema_version) {
        return Err(outdated(wanted, job.schema_version));
    }
    if proposal.note.as_ref().is_some_and(|note| note.chars().count() > limits::SCHEMA_NOTE_CHARS_MAX) {
        let message = format!("note is longer than {} characters.", limits::SCHEMA_NOTE_CHARS_MAX);
        return Err(ApiError::bad_request(message).at("/note"));
    }
    let config = &proposal.config;
    let prepared = check::prepared(job, config, &proposal.places)?;
    let live = directory::ask(state, caller.tenant, config.domain.as_deref()).await;
    let targets = match &live {
        None => TargetCheck::Pending,
        Some(schema) => match new_problems(job, &proposal, schema) {
            problems if problems.is_empty() => TargetCheck::Passed,
            problems => return Err(check::refused_config(&problems, config, &proposal.places)),
        },
    };
    let before = document::stored(state, job, None).await?;
    // A setting that leaves the mappings alone must not have to wait until somebody has mended them.
    if !matches!(proposal.places, Places::Settings) || config.mappings != job.config.mappings {
        run_tests(&prepared, &proposal, &before.tests)?;
    }

    let version_at = moment::seconds(state.clock.now());
    let facts = Facts { job: job.id.as_str(), version: &version_at, attributes: &[] };
    let put = proposal.document.or_else(|| before.document.as_deref().and_then(|text| serde_json::from_str(text).ok()));
    let document = put.map(|put| to_text(&document::rendered(config, Some(&put), &facts))).transpose()?;
    let tests = proposal.tests.as_ref().map(to_text).transpose()?;
    let schema = NewSchema {
        config,
        document: document.as_deref(),
        tests: tests.as_deref(),
        origin: proposal.origin,
        note: proposal.note.as_deref(),
        targets: &targets,
        // The directory was asked meanwhile: what somebody else saved in that time is not to be undone.
        based_on: proposal.based_on.or(Some(job.schema_version)),
    };
    let audit = state.audit(caller, proposal.action, job.id.as_str(), &proposal.details);
    match state.store.save_schema(caller.tenant, &job.id, &schema, &audit).await? {
        SchemaSaved::Saved(version) => {
            state.hub.changed();
            let warnings = warnings(&targets);
            Ok(Saved { version, targets, warnings })
        }
        SchemaSaved::Conflict(newest) => Err(outdated(job.schema_version, newest)),
        SchemaSaved::UnknownJob => Err(ApiError::unknown_job(job.id.as_str())),
    }
}

/// What the directory would refuse; of a change of settings only what it did not refuse before.
fn new_problems(job: &Job, proposal: &Proposal, schema: &Schema) -> Vec<Problem> {
    let mut problems = directory::problems(&proposal.config, schema);
    if matches!(proposal.places, Places::Settings) {
        let known = directory::problems(&job.config, schema);
        check::retain_new(&mut problems, &known);
    }
    problems
}

fn warnings(targets: &TargetCheck) -> Vec<String> {
    let pending = "no agent of the domain could be asked: the targets are held against the directory's schema as soon \
                   as one can, and the job's status shows what is found";
    if *targets == TargetCheck::Pending { vec![pending.to_owned()] } else { Vec::new() }
}

fn to_text<T: serde::Serialize>(value: &T) -> Result<String, ApiError> {
    serde_json::to_string(value).map_err(|error| {
        tracing::error!(%error, "a schema could not be written down");
        ApiError::internal()
    })
}

fn outdated(wanted: i64, newest: i64) -> ApiError {
    let message = format!(
        "The change was made from version {wanted}, and the schema has version {newest} by now: GET it again \
         (`rollcall schema get`), make the change there, and save that."
    );
    ApiError::new(StatusCode::PRECONDITION_FAILED, Refusal::PreconditionFailed, message)
}

/// The tests that a change brings, or those that stand beside the schema, against what it makes of them.
fn run_tests(prepared: &Prepared, proposal: &Proposal, stored: &str) -> Result<(), ApiError> {
    let before: Vec<MappingTest>;
    let tests = match &proposal.tests {
        Some(tests) if tests.len() > limits::MAPPING_TESTS_MAX => {
            let message = format!("There are more than {} tests: keep fewer.", limits::MAPPING_TESTS_MAX);
            return Err(ApiError::bad_request(message).at("/tests"));
        }
        Some(tests) => tests,
        None => {
            before = serde_json::from_str(stored).unwrap_or_default();
            &before
        }
    };
    let failures = mapping_tests::run(prepared, tests);
    if failures.is_empty() { Ok(()) } else { Err(check::refused_tests(&failures, tests)) }
}

/// A change of settings; the document follows.
pub(crate) async fn save_settings(
    state: &AppState,
    caller: &Caller,
    job: &Job,
    config: JobConfig,
    details: Value,
) -> Result<i64, ApiError> {
    let proposal = Proposal { details, ..Proposal::new(config, "job.set", Places::Settings) };
    Ok(save(state, caller, job, proposal).await?.version)
}

/// What is shipped, in place of mappings, filters and source attributes. The job's other settings stay.
pub(super) async fn restore_default(
    state: &AppState,
    caller: &Caller,
    job: &Job,
    note: Option<String>,
) -> Result<Saved, ApiError> {
    let config = default_config(&job.config);
    let facts = Facts { job: job.id.as_str(), version: "", attributes: &[] };
    let proposal = Proposal {
        document: Some(document::rendered(&config, None, &facts)),
        origin: SchemaOrigin::Default,
        note,
        ..Proposal::new(config, "schema.reset", Places::None)
    };
    save(state, caller, job, proposal).await
}

/// A job's configuration with everything that the schema says as shipped.
pub(super) fn default_config(config: &JobConfig) -> JobConfig {
    JobConfig {
        mappings: default_mapping::default_mapping(),
        clearable_sources: Vec::new(),
        source_attributes: standard_source_attributes(),
        scope: Scope::default(),
        actions: TargetActions::default(),
        enabled: true,
        ..config.clone()
    }
}
