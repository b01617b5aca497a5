//! `provisionOnDemand` (wire contract 3.12): the record of a stored person goes the ordinary way once more, in the
//! urgent lane, and the answer tells what came of it. With `?preview=true` it tells what would, and writes nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{OriginalUri, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use rollcall_model::config::JobState;
use rollcall_model::ids::{JobId, LogId, UploadId};
use rollcall_model::operation::OperationState;
use rollcall_model::{Refusal, Timestamp, fold, limits};
use rollcall_store::{
    Application, CompareOperator, Job, LogField, LogFilter, LogOrder, LogQuery, LogValue, NewOperation, NewUpload,
    OperationRow, Upload,
};
use rollcall_wire::graph::{KeyValuePair, ProvisionOnDemandRequest};
use rollcall_wire::logs::ProvisioningObjectSummary;
use rollcall_wire::rollcall::{PreviewAnswer, PreviewPerson};
use serde_json::{Value, json};

use crate::api::access::Caller;
use crate::api::error::ApiError;
use crate::api::path::GraphVersion;
use crate::api::request::read_json;
use crate::api::upload::{accept, half_digest};
use crate::api::{find, logs, preview};
use crate::preview::{Shown, Taken, of_persons};
use crate::state::AppState;
use crate::{body, moment};

/// How often the outcome is looked for.
const LOOK_MS: u64 = 50;
const WINDOW_MS: i64 = 10_000;

/// When each job's last requests came.
#[derive(Debug, Default)]
pub(crate) struct OnDemand(Mutex<HashMap<JobId, VecDeque<Timestamp>>>);

impl OnDemand {
    /// Counts a request; `false`: there were too many.
    fn admits(&self, job: &JobId, now: Timestamp) -> bool {
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.retain(|_, times| {
            times.retain(|at| (0..WINDOW_MS).contains(&now.ms_since(*at)));
            !times.is_empty()
        });
        let times = jobs.entry(job.clone()).or_default();
        let admits = times.len() < limits::ON_DEMAND_REQUESTS_MAX;
        if admits {
            times.push_back(now);
        }
        admits
    }
}

pub(crate) async fn provision(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    version: Option<Extension<GraphVersion>>,
    Path((principal, job)): Path<(String, String)>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<KeyValuePair>, ApiError> {
    let (application, job) = find::job_under(&state, &caller, &principal, &job).await?;
    let request: ProvisionOnDemandRequest = read_json(&headers, body).await?;
    let persons = subjects(&request)?;
    if !state.on_demand.admits(&job.id, state.clock.now()) {
        let message = format!("More than {} requests in 10 seconds: wait.", limits::ON_DEMAND_REQUESTS_MAX);
        return Err(ApiError {
            retry_after_s: Some(10),
            ..ApiError::new(StatusCode::TOO_MANY_REQUESTS, Refusal::TooManyRequests, message)
        });
    }
    let only_preview = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
        .any(|(name, value)| name.eq_ignore_ascii_case("preview") && value.eq_ignore_ascii_case("true"));
    let told = if only_preview {
        would(&state, &caller, &job, &persons).await?
    } else {
        done(&state, &caller, &application, &job, &persons).await?
    };
    let base = format!("{}/{}", state.public_url(), version.unwrap_or_default().0.segment());
    Ok(Json(pair(&base, told)))
}

/// `externalId`s of the persons, 1 to 5 of them.
fn subjects(request: &ProvisionOnDemandRequest) -> Result<Vec<String>, ApiError> {
    let ids: Vec<String> = request
        .parameters
        .iter()
        .flat_map(|parameter| &parameter.subjects)
        .map(|subject| subject.object_id.trim().to_owned())
        .collect();
    let max = limits::ON_DEMAND_SUBJECTS_MAX;
    if ids.is_empty() || ids.len() > max || ids.iter().any(String::is_empty) {
        let message =
            format!("parameters must hold 1 to {max} subjects, each with the externalId of a person as objectId.");
        return Err(ApiError::bad_request(message).at("/parameters"));
    }
    Ok(ids)
}

/// What is told about one person: how it ended, and everything about it.
struct Told {
    result: &'static str,
    code: Option<String>,
    reason: Option<String>,
    value: Value,
}

/// Two JSON texts, as Graph answers. Of several persons, `value` is an array, and `key` is about the first that failed,
/// or else the first.
fn pair(base: &str, mut told: Vec<Told>) -> KeyValuePair {
    let worst = told.iter().position(|one| one.result == "Failure").unwrap_or(0);
    let key = told.get(worst).map_or(
        Value::Null,
        |one| json!({ "result": one.result, "details": { "errorCode": one.code, "errorMessage": one.reason } }),
    );
    let value = if told.len() == 1 {
        told.remove(0).value
    } else {
        Value::Array(told.into_iter().map(|one| one.value).collect())
    };
    KeyValuePair {
        context: Some(format!("{base}/$metadata#microsoft.graph.stringKeyStringValuePair")),
        key: key.to_string(),
        value: value.to_string(),
    }
}

async fn would(state: &AppState, caller: &Caller, job: &Job, persons: &[String]) -> Result<Vec<Told>, ApiError> {
    let rules = preview::Rules::new(job, None)?;
    let asker = preview::asker(state, caller, job).await?;
    let subjects = of_persons(&*state.store, job, persons, &asker.controller).await?;
    let audit = state.audit(caller, "job.preview", job.id.as_str(), &json!({ "persons": persons.len() }));
    state.store.note_audit(caller.tenant, &audit).await?;
    let shown = Shown::Everybody;
    let answer: PreviewAnswer =
        preview::run(state, caller, job, &rules, &asker, subjects, Taken::default(), shown).await?;
    let now = moment::seconds(state.clock.now());
    Ok(answer.value.iter().map(|person| previewed(person, &now)).collect())
}

fn previewed(person: &PreviewPerson, now: &str) -> Told {
    let (result, status) = match person.outcome.as_str() {
        "failed" => ("Failure", "Failure"),
        "done" => ("Success", "Success"),
        _ => ("Skipped", "Skipped"),
    };
    let code = person.error.as_ref().map(|error| error.code.clone());
    let code = code.or_else(|| (person.outcome == "unchanged").then(|| "RedundantExport".to_owned()));
    let reason = person.error.as_ref().map(|error| error.reason.clone());
    let properties = person.changes.iter().flat_map(|change| &change.properties);
    let modified: Vec<Value> =
        properties.map(|change| property(&change.name, &change.old.join(";"), &change.new.join(";"))).collect();
    let steps: Vec<Value> = person
        .changes
        .iter()
        .map(|change| {
            json!({ "name": "Preview", "type": "Export", "status": status, "timestamp": now, "details": {},
                    "description": format!("Would {} {}", change.action, change.dn) })
        })
        .collect();
    let value = json!({
        "action": person.changes.first().map_or_else(|| "Other".to_owned(), |change| pascal(&change.action)),
        "changeId": null, "startTime": now, "endTime": now, "reportableIdentifier": person.external_id,
        "modifiedProperties": modified, "provisioningSteps": steps,
        "statusInfo": status_info(status, code.as_deref(), reason.as_deref()),
        "sourceIdentity": { "id": person.external_id, "type": "User", "displayName": null, "details": null },
        "sourceSystem": { "id": null, "name": "API", "details": null },
        "targetIdentity": { "id": null, "type": "User", "displayName": person.dn, "details": null },
        "targetSystem": { "id": null, "name": "Active Directory", "details": null },
    });
    Told { result, code, reason, value }
}

/// Has the persons looked at in the urgent lane and waits for what comes of it.
async fn done(
    state: &AppState,
    caller: &Caller,
    application: &Application,
    job: &Job,
    persons: &[String],
) -> Result<Vec<Told>, ApiError> {
    if job.state != JobState::Active {
        return Err(ApiError::conflict("The job does not run: start it, or ask with ?preview=true."));
    }
    let (upload, found) = upload(state, caller, job, persons).await?;
    let id = accept(state, &upload).await?;
    let ended = wait(state, caller, id).await?;
    let mut told = Vec::with_capacity(found.len());
    for operation in &ended.operations {
        let rows = rows(state, caller, operation).await?;
        let rows: Vec<ProvisioningObjectSummary> =
            rows.iter().map(|row| logs::render::row(row, Some(application), GraphVersion::Beta)).collect();
        told.push(outcome(operation, &rows));
    }
    Ok(told)
}

async fn upload(
    state: &AppState,
    caller: &Caller,
    job: &Job,
    persons: &[String],
) -> Result<(NewUpload, Vec<String>), ApiError> {
    let keys: Vec<String> = persons.iter().map(|id| fold(id)).collect();
    let stored = state.store.persons_by_key(&job.id, &keys).await?;
    let (mut rows, mut data, mut found) = (vec![], vec![], vec![]);
    for ((id, key), index) in persons.iter().zip(&keys).zip(0_i32..) {
        let Some(one) = stored.iter().find(|one| fold(&one.person.external_id) == *key) else {
            return Err(ApiError::not_found(format!("No person with externalId '{id}' is known to this job.")));
        };
        // It brings no values: those of an upload that waits to be merged are newer than what is stored. Nor does it
        // take a leaver back.
        let text = json!({ "externalId": one.person.external_id }).to_string();
        rows.push(NewOperation {
            index,
            method: one.person.pending.method,
            external_id: Some(one.person.external_id.clone()),
            bulk_id: None,
            urgent: true,
            data: half_digest(&text),
        });
        data.push(text);
        found.push(one.person.external_id.clone());
    }
    let now = state.clock.now();
    let id = UploadId(state.random.uuid_v7(now));
    let audit = state.audit(caller, "job.provisionOnDemand", job.id.as_str(), &json!({ "upload": id.to_string() }));
    let upload = NewUpload {
        id,
        tenant: caller.tenant,
        job: job.id.clone(),
        received: now,
        sender: caller.principal,
        body: body::pack(&data),
        operations: rows,
        idempotency: None,
        urgent: true,
        audit: Some(audit),
    };
    Ok((upload, found))
}

/// Until every operation has ended.
async fn wait(state: &AppState, caller: &Caller, id: UploadId) -> Result<Upload, ApiError> {
    let limit = Duration::from_millis(limits::ON_DEMAND_MS_MAX.unsigned_abs());
    let ended = tokio::time::timeout(limit, async {
        loop {
            match state.store.upload(caller.tenant, id).await {
                Ok(Some(upload)) if upload.operations.iter().all(|one| one.state.is_final()) => return Ok(upload),
                Ok(_) => tokio::time::sleep(Duration::from_millis(LOOK_MS)).await,
                Err(error) => return Err(ApiError::from(error)),
            }
        }
    });
    ended.await.unwrap_or_else(|_| {
        let message = format!("It has not ended yet and goes on: GET /rollcall/v1/uploads/{id} tells how.");
        Err(ApiError::new(StatusCode::GATEWAY_TIMEOUT, Refusal::NotEndedYet, message))
    })
}

async fn rows(
    state: &AppState,
    caller: &Caller,
    operation: &OperationRow,
) -> Result<Vec<rollcall_store::LogRow>, ApiError> {
    let one = |id: &LogId| LogFilter::Compare {
        field: LogField::Id,
        operator: CompareOperator::Equal,
        value: LogValue::Uuid(id.0),
    };
    let filter = operation.logs.iter().map(one).reduce(|all, one| LogFilter::Or(Box::new(all), Box::new(one)));
    let Some(filter) = filter else { return Ok(vec![]) };
    let limit = i64::try_from(limits::LOG_PAGE_ROWS_MAX).unwrap_or(i64::MAX);
    let query =
        LogQuery { tenant: caller.tenant, filter: Some(filter), order: LogOrder::OldestFirst, limit, after: None };
    Ok(state.store.log(&query).await?)
}

/// What the rows of one person's log tell, in the shape of this request's answer.
fn outcome(operation: &OperationRow, rows: &[ProvisioningObjectSummary]) -> Told {
    let result = match operation.state {
        OperationState::Done => "Success",
        OperationState::Failed => "Failure",
        _ => "Skipped",
    };
    let code = operation.code.map(|code| code.as_str().to_owned());
    let reason = operation.reason.clone();
    let modified: Vec<Value> = rows
        .iter()
        .flat_map(|row| &row.modified_properties)
        .map(|change| property(&change.display_name, &change.old_value, &change.new_value))
        .collect();
    let steps: Vec<Value> = rows
        .iter()
        .flat_map(|row| row.provisioning_steps.iter().map(move |step| (row, step)))
        .map(|(row, step)| {
            json!({ "name": step.name, "type": pascal(&step.provisioning_step_type), "status": pascal(&step.status),
                    "description": step.description, "timestamp": row.activity_date_time, "details": step.details })
        })
        .collect();
    let last = rows.last();
    let system = |system: Option<&rollcall_wire::logs::System>| {
        system.map(|one| json!({ "id": one.id, "name": one.display_name, "details": one.details }))
    };
    let identity = |who: Option<&rollcall_wire::logs::ProvisionedIdentity>| {
        who.map(|one| json!({ "id": one.id, "type": "User", "displayName": one.display_name, "details": one.details }))
    };
    let value = json!({
        "action": last.map_or_else(|| "Other".to_owned(), |row| pascal(&row.provisioning_action)),
        "changeId": last.map(|row| row.change_id),
        "startTime": rows.first().map(|row| row.activity_date_time.clone()),
        "endTime": last.map(|row| row.activity_date_time.clone()),
        "reportableIdentifier": operation.external_id,
        "modifiedProperties": modified,
        "provisioningSteps": steps,
        "statusInfo": status_info(result, code.as_deref(), reason.as_deref()),
        "sourceIdentity": identity(last.map(|row| &row.source_identity)),
        "sourceSystem": system(last.map(|row| &row.source_system)),
        "targetIdentity": identity(last.map(|row| &row.target_identity)),
        "targetSystem": system(last.map(|row| &row.target_system)),
    });
    Told { result, code, reason, value }
}

fn property(name: &str, old: &str, new: &str) -> Value {
    let text = |value: &str| if value.is_empty() { Value::Null } else { Value::String(value.to_owned()) };
    json!({ "displayName": name, "oldValue": text(old), "newValue": text(new) })
}

fn status_info(status: &str, code: Option<&str>, reason: Option<&str>) -> Value {
    json!({ "status": status, "errorCode": code, "reason": reason, "additionalDetails": null, "errorCategory": null,
            "recommendedAction": null })
}

fn pascal(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_requests_in_ten_seconds() {
        let counted = OnDemand::default();
        let (job, other) = (JobId::from_text("a"), JobId::from_text("b"));
        let at = |ms: i64| Timestamp(1_000_000_000).plus_ms(ms);
        for ms in 0..5 {
            assert!(counted.admits(&job, at(ms)));
        }
        assert!(!counted.admits(&job, at(9_999)));
        assert!(counted.admits(&other, at(9_999)));
        assert!(counted.admits(&job, at(10_000)), "the first is forgotten");
        assert!(!counted.admits(&job, at(10_000)));
    }

    #[test]
    fn one_to_five_subjects() {
        let of = |ids: &[&str]| {
            let all: Vec<Value> = ids.iter().map(|id| json!({ "objectId": id, "objectTypeName": "User" })).collect();
            let body = json!({ "parameters": [{ "ruleId": "x", "subjects": all, "more": 1 }] });
            subjects(&serde_json::from_value(body).unwrap()).ok()
        };
        assert_eq!(of(&["a", " b "]), Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!((of(&[]), of(&["a", " "]), of(&["a"; 6])), (None, None, None));
        assert_eq!(of(&["a"; 5]).map(|all| all.len()), Some(5));
    }
}
