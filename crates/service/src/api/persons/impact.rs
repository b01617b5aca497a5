//! How many persons a change of the mappings would touch: every stored one is evaluated, without the directory.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use rollcall_engine::evaluate::{self, Prepared, Surroundings};
use rollcall_engine::impact::{Impact, Writes};
use rollcall_model::config::JobConfig;
use rollcall_model::plan::Failure;
use rollcall_model::{Refusal, Timestamp, limits};
use rollcall_store::{Job, PersonUpdate};
use rollcall_wire::graph::schema::{SynchronizationSchema, schema_to_config};
use rollcall_wire::rollcall::persons::{ImpactAnswer, ImpactError, ImpactRequest};

use crate::api::access::Caller;
use crate::api::error::ApiError;
use crate::api::find;
use crate::api::request::read_json;
use crate::api::settings::check_mappings;
use crate::state::AppState;
use crate::work::sweep::judge;

pub(crate) async fn impact(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(job): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ImpactAnswer>, ApiError> {
    let job = find::job(&state, &caller, &job).await?;
    let request: ImpactRequest = read_json(&headers, body).await?;
    let candidate = candidate(&request, &job)?;
    let (config, version) = match &candidate {
        // What the directory refused under the present version is tried again under the next.
        Some(config) => (config, job.schema_version + 1),
        None => (&job.config, job.schema_version),
    };
    check_mappings(config, version)?;
    let domain = config.domain.as_deref().unwrap_or_default();
    let prepared = Prepared::new(config, version, domain).map_err(|_| ApiError::internal())?;
    let (prepared, secret) = (Arc::new(prepared), state.secrets.of(&job.id));
    let mut answer = ImpactAnswer::default();
    let (began, mut after) = (state.clock.now(), 0);
    let page = i64::try_from(limits::IMPACT_PAGE_PERSONS_MAX).unwrap_or(i64::MAX);
    loop {
        let persons = state.store.persons_after(&job.id, after, page).await?;
        let is_last = persons.len() < limits::IMPACT_PAGE_PERSONS_MAX;
        after = persons.last().map_or(after, |(number, _)| *number);
        let prepared = Arc::clone(&prepared);
        // Away from the threads that answer others.
        let counted = tokio::task::spawn_blocking(move || {
            count(&mut answer, &prepared, &secret, began, &persons);
            answer
        });
        answer = counted.await.map_err(|_| ApiError::internal())?;
        answer.complete = is_last;
        if is_last || state.clock.now().ms_since(began) > limits::IMPACT_MS_MAX {
            return Ok(Json(answer));
        }
    }
}

fn candidate(request: &ImpactRequest, job: &Job) -> Result<Option<JobConfig>, ApiError> {
    let Some(document) = &request.schema else { return Ok(None) };
    let invalid =
        |message: String| ApiError::new(StatusCode::BAD_REQUEST, Refusal::SchemaInvalid, message).at("/schema");
    let schema: SynchronizationSchema = serde_json::from_value(document.clone())
        .map_err(|error| invalid(format!("The schema cannot be read: {error}.")))?;
    let converted = schema_to_config(&schema, &job.config).map_err(|problems| {
        let said: Vec<String> = problems
            .iter()
            .map(|problem| format!("{}: {}; {}", problem.place, problem.message, problem.hint))
            .collect();
        invalid(said.join(". "))
    })?;
    Ok(Some(converted.config))
}

fn count(
    answer: &mut ImpactAnswer,
    prepared: &Prepared,
    secret: &[u8; 32],
    now: Timestamp,
    persons: &[(i64, PersonUpdate)],
) {
    let reserved = BTreeMap::new();
    let surroundings = Surroundings { now, manager_link: None, secret, reserved: &reserved };
    for (_, update) in persons {
        let judged = judge(update, &evaluate::evaluate(prepared, &update.person, &surroundings));
        let external_id = &update.person.external_id;
        answer.persons += 1;
        match judged.impact {
            Impact::Fails(failure) => fails(answer, &failure, external_id),
            Impact::Nothing if !judged.is_due => {}
            Impact::Nothing => touched(answer, &Writes::default(), external_id),
            Impact::Writes(writes) => touched(answer, &writes, external_id),
        }
    }
}

fn touched(answer: &mut ImpactAnswer, writes: &Writes, external_id: &str) {
    answer.touched += 1;
    name(&mut answer.examples, external_id);
    for attribute in &writes.attributes {
        *answer.attributes.entry(attribute.clone()).or_default() += 1;
    }
    let effects = writes.effects.iter().map(|effect| effect.as_str());
    let retry = (*writes == Writes::default()).then_some("retry");
    for action in effects.chain(retry) {
        *answer.actions.entry(action.to_owned()).or_default() += 1;
    }
}

fn fails(answer: &mut ImpactAnswer, failure: &Failure, external_id: &str) {
    answer.failed += 1;
    let code = failure.code.as_str();
    let known = answer.errors.iter_mut().find(|error| error.code == code && error.attribute == failure.attribute);
    if let Some(error) = known {
        error.persons += 1;
        name(&mut error.examples, external_id);
        return;
    }
    answer.errors.push(ImpactError {
        code: code.to_owned(),
        attribute: failure.attribute.clone(),
        persons: 1,
        reason: failure.reason.clone(),
        examples: vec![external_id.to_owned()],
    });
}

fn name(examples: &mut Vec<String>, external_id: &str) {
    if examples.len() < limits::IMPACT_EXAMPLES_MAX {
        examples.push(external_id.to_owned());
    }
}
