//! What is wrong with a schema, and where.

use axum::http::StatusCode;
use rollcall_engine::evaluate::{self, Place, Prepared, check_config};
use rollcall_model::Refusal;
use rollcall_model::config::{JobConfig, MappingSource, target};
use rollcall_model::mapping_test::{MappingTest, TestFailure};
use rollcall_store::{Job, TargetCheck};
use rollcall_syntax::{Span, render_caret};
use rollcall_wire::graph::ErrorDetail;
use rollcall_wire::graph::schema::{Converted, Problem};
use rollcall_wire::rollcall::schema::TargetState;

use super::{directory, target_word};
use crate::api::error::ApiError;
use crate::state::AppState;

/// Where the parts of a configuration stood in what a client sent.
pub(crate) enum Places {
    Document(Box<Converted>),
    /// The body of a change of settings.
    Settings,
    /// Nothing was sent that has places.
    None,
}

impl Places {
    /// A JSON pointer.
    fn of(&self, problem: &evaluate::Problem) -> String {
        match self {
            Self::Document(converted) => match problem.place {
                Place::Mapping(at) if problem.at.is_some() => converted.expression(at),
                Place::Mapping(at) => converted.mapping(at),
                Place::Clause { group, clause } => clause_of(converted.clause(group, clause.unwrap_or(0)), clause),
                Place::InputClause { group, clause } => {
                    clause_of(converted.input_clause(group, clause.unwrap_or(0)), clause)
                }
                Place::SourceAttribute(at) => format!("{}/{at}", converted.source_attributes()),
                Place::Job => converted.object_mapping.clone(),
            },
            Self::Settings if problem.target.eq_ignore_ascii_case(target::PARENT) => "/parent".to_owned(),
            Self::Settings | Self::None => "/mappings".to_owned(),
        }
    }
}

/// The clause's place, or its group's.
fn clause_of(pointer: String, clause: Option<usize>) -> String {
    match clause {
        Some(_) => pointer,
        None => pointer.split("/clauses/").next().unwrap_or_default().to_owned(),
    }
}

fn refused(details: Vec<ErrorDetail>) -> ApiError {
    let message = details.iter().map(|detail| match &detail.hint {
        Some(hint) => format!("{}: {}; {hint}", detail.target, detail.message),
        None => format!("{}: {}", detail.target, detail.message),
    });
    let message = message.collect::<Vec<_>>().join(". ");
    ApiError { details, ..ApiError::new(StatusCode::BAD_REQUEST, Refusal::SchemaInvalid, message) }
}

/// A document that is no configuration.
pub(super) fn refused_document(problems: &[Problem]) -> ApiError {
    let detail = |problem: &Problem| ErrorDetail {
        code: Refusal::SchemaInvalid.to_string(),
        message: problem.message.clone(),
        target: problem.place.clone(),
        hint: Some(problem.hint.clone()),
        drawing: None,
    };
    refused(problems.iter().map(detail).collect())
}

/// A configuration that cannot be used.
pub(super) fn refused_config(problems: &[evaluate::Problem], config: &JobConfig, places: &Places) -> ApiError {
    refused(problems.iter().map(|problem| detail(problem, config, places)).collect())
}

/// A configuration that may be saved, ready to evaluate.
pub(super) fn prepared(job: &Job, config: &JobConfig, places: &Places) -> Result<Prepared, ApiError> {
    let domain = |config: &JobConfig| config.domain.clone().unwrap_or_default();
    let mut problems = check_config(config, &domain(config));
    // Whoever sets a setting is not told off for mappings that were saved before anybody minded.
    if matches!(places, Places::Settings) {
        let before = check_config(&job.config, &domain(&job.config));
        retain_new(&mut problems, &before);
    }
    if !problems.is_empty() {
        return Err(refused_config(&problems, config, places));
    }
    Prepared::new(config, job.schema_version, &domain(config))
        .map_err(|problems| refused_config(&problems, config, places))
}

/// Leaves out what was wrong before. A mapping may stand in another place by now, and is wrong as it was.
pub(super) fn retain_new(problems: &mut Vec<evaluate::Problem>, before: &[evaluate::Problem]) {
    let same = |a: &evaluate::Problem, b: &evaluate::Problem| {
        a.target == b.target && a.at == b.at && a.message == b.message && a.hint == b.hint
    };
    problems.retain(|problem| !before.iter().any(|known| same(problem, known)));
}

/// One problem, drawn where it is one of a text.
pub(super) fn detail(problem: &evaluate::Problem, config: &JobConfig, places: &Places) -> ErrorDetail {
    let is_mapping = matches!(problem.place, Place::Mapping(_)) && !problem.target.is_empty();
    let what = if is_mapping { format!("mapping of {}", problem.target) } else { String::new() };
    let at = problem.at.map_or_else(String::new, |span| format!(" at characters {} to {}", span.start, span.end));
    let message = if what.is_empty() { problem.message.clone() } else { format!("{what}{at}: {}", problem.message) };
    let text = problem.mapping.and_then(|at| config.mappings.get(at)).and_then(|mapping| match &mapping.source {
        MappingSource::Expression(text) => Some(text.as_str()),
        MappingSource::Direct(name) => Some(name.as_str()),
        MappingSource::Constant(_) | MappingSource::None => None,
    });
    let said = if what.is_empty() { problem.message.clone() } else { format!("{what}: {}", problem.message) };
    let draw = |(text, span): (&str, Span)| render_caret(text, span, &said, problem.hint.as_deref());
    ErrorDetail {
        code: Refusal::SchemaInvalid.to_string(),
        message,
        target: places.of(problem),
        hint: problem.hint.clone(),
        drawing: text.zip(problem.at).map(draw),
    }
}

/// Tests that fail.
pub(super) fn refused_tests(failures: &[TestFailure], tests: &[MappingTest]) -> ApiError {
    let detail = |failure: &TestFailure| {
        let what = failure.target.as_ref().map_or_else(String::new, |target| format!(", {target}"));
        let at = tests.iter().position(|test| test.name == failure.test).unwrap_or_default();
        ErrorDetail {
            code: Refusal::MappingTestFailed.to_string(),
            message: format!("test '{}'{what}: expected {}, got {}", failure.test, failure.expected, failure.got),
            target: format!("/tests/{at}"),
            hint: Some("correct the mapping, or save the test with what it should expect now".to_owned()),
            drawing: None,
        }
    };
    let details: Vec<ErrorDetail> = failures.iter().map(detail).collect();
    let all: Vec<&str> = details.iter().map(|detail| detail.message.as_str()).collect();
    let message = format!("The mapping tests fail and nothing was saved. {}", all.join(". "));
    ApiError { details, ..ApiError::new(StatusCode::BAD_REQUEST, Refusal::MappingTestFailed, message) }
}

/// Whether the newest version's targets fit the directory. One that was saved while nobody could be asked is held
/// against it as soon as somebody can.
pub(crate) async fn state_of(state: &AppState, job: &Job) -> Result<TargetState, ApiError> {
    let Some(stored) = state.store.schema(&job.id, None).await? else { return Ok(TargetState::default()) };
    let mut targets = stored.row.targets;
    if targets == TargetCheck::Pending
        && let Some(schema) = directory::ask(state, job.tenant, job.config.domain.as_deref()).await
    {
        let problems = directory::problems(&stored.config, &schema);
        let details: Vec<ErrorDetail> =
            problems.iter().map(|problem| detail(problem, &stored.config, &Places::None)).collect();
        let text = || serde_json::to_string(&details).unwrap_or_default();
        targets = if details.is_empty() { TargetCheck::Passed } else { TargetCheck::Failed(text()) };
        state.store.note_target_check(&job.id, stored.row.version, &targets).await?;
    }
    Ok(target_state(&targets))
}

pub(super) fn target_state(targets: &TargetCheck) -> TargetState {
    let problems = match targets {
        TargetCheck::Failed(text) => serde_json::from_str(text).unwrap_or_default(),
        TargetCheck::Pending | TargetCheck::Passed => Vec::new(),
    };
    TargetState { state: target_word(targets).to_owned(), problems }
}
