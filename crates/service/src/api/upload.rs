//! bulkUpload: 202 means on disk (wire contract 2; design 2).

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use rollcall_model::ids::UploadId;
use rollcall_model::killpoint::KillPoint;
use rollcall_model::{Refusal, limits};
use rollcall_store::{Accepted, Job, NewOperation, NewUpload};
use rollcall_wire::rollcall::{IDEMPOTENCY_HEADER, LANE_HEADER, UPLOAD_ID_HEADER};
use rollcall_wire::scim;
use sha2::{Digest as _, Sha256};

use crate::api::access::Caller;
use crate::api::error::ApiError;
use crate::api::find;
use crate::api::path::GraphVersion;
use crate::api::request::read_body;
use crate::state::AppState;
use crate::{body, counters, fault};

/// What a query may not hold as it is; quotes stay plain, as clients know the link.
const QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'&').add(b'+').add(b'<').add(b'>');

pub(crate) async fn bulk_upload(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    version: Option<Extension<GraphVersion>>,
    Path((principal, job)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let (_, job) = find::job_under(&state, &caller, &principal, &job).await?;
    check_media_type(&headers)?;
    let key = idempotency_key(&headers)?;
    let urgent = urgent_lane(&headers)?;
    let bytes = read_body(&headers, body).await?;
    let digest: [u8; 32] = Sha256::digest(&bytes).into();
    let operations = scim::parse(&bytes)?;
    let now = state.clock.now();
    let (rows, data): (Vec<NewOperation>, Vec<String>) = operations
        .into_iter()
        .zip(0_i32..)
        .map(|(operation, index)| {
            // Members in the order of their names: the same data is the same text.
            let data = operation.data.to_string();
            let row = NewOperation {
                index,
                method: operation.method,
                external_id: operation.external_id,
                bulk_id: operation.bulk_id,
                urgent: operation.urgent,
                data: half_digest(&data),
            };
            (row, data)
        })
        .unzip();
    let upload = NewUpload {
        id: UploadId(state.random.uuid_v7(now)),
        tenant: caller.tenant,
        job: job.id.clone(),
        received: now,
        sender: caller.principal,
        body: body::pack(&data),
        operations: rows,
        idempotency: key.map(|key| (key, digest)),
        urgent,
        audit: None,
    };
    let id = accept(&state, &upload).await?;
    Ok(accepted(&state, version.unwrap_or_default().0, &job, id))
}

/// First half of the SHA-256 of a record. Members are written in the order of their names, whatever order they came in.
pub(super) fn half_digest(data: &str) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::digest(data).into();
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    half
}

pub(super) async fn accept(state: &AppState, upload: &NewUpload) -> Result<UploadId, ApiError> {
    let keys_since = upload.received.plus_ms(-limits::IDEMPOTENCY_LIFE_S * 1_000);
    fault::reached(KillPoint::BeforeIntakeCommit);
    let accepted = state.store.accept(upload, limits::JOB_WAITING_OPERATIONS_MAX, keys_since).await?;
    fault::reached(KillPoint::AfterIntakeCommit);
    counters::upload(match accepted {
        Accepted::New => "accepted",
        Accepted::Replay(_) => "replayed",
        Accepted::KeyReused => "key_reused",
        Accepted::Full => "full",
    });
    if accepted == Accepted::New {
        counters::accepted(upload.operations.len());
        state.hub.notify();
    }
    upload_of(&accepted, upload.id)
}

/// The upload that answers a request, or why there is none.
fn upload_of(accepted: &Accepted, new: UploadId) -> Result<UploadId, ApiError> {
    match accepted {
        Accepted::New => Ok(new),
        Accepted::Replay(earlier) => Ok(*earlier),
        Accepted::KeyReused => Err(ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            Refusal::IdempotencyKeyReused,
            "This Idempotency-Key came before with another body: send a new key for a new request.",
        )
        .at("Idempotency-Key")),
        // Not a 503: clients of the cloud service know this status and the beginning of this text.
        Accepted::Full => Err(ApiError {
            retry_after_s: Some(60),
            ..ApiError::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                Refusal::InternalServerError,
                "The bucket that stores the ingested data is full. Wait until the job has worked on what it holds, then \
                 retry; a job that is paused or has no agent holds everything.",
            )
        }),
    }
}

/// 202 with the headers that clients read, and neither body nor content type: one client parses the body wherever the
/// type says JSON.
fn accepted(state: &AppState, version: GraphVersion, job: &Job, id: UploadId) -> Response {
    let filter = format!("jobid eq '{}'", job.id.as_str().replace('\'', "''"));
    let location = format!(
        "{}/{}/auditLogs/provisioning/?$filter={}",
        state.public_url(),
        version.segment(),
        utf8_percent_encode(&filter, QUERY)
    );
    let mut response = StatusCode::ACCEPTED.into_response();
    let headers = response.headers_mut();
    if let Ok(location) = HeaderValue::from_str(&location) {
        headers.insert(header::LOCATION, location);
    }
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(HeaderName::from_static(UPLOAD_ID_HEADER), id);
    }
    response
}

fn check_media_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let sent = headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?"));
    let media_type = sent.and_then(|text| text.split(';').next()).map(str::trim);
    if media_type.is_some_and(|text| text.eq_ignore_ascii_case(scim::MEDIA_TYPE)) {
        return Ok(());
    }
    let found = media_type.map_or_else(|| "is missing".to_owned(), |text| format!("is {text}"));
    Err(ApiError::invalid_data(&format!("Content-Type {found}: send {}", scim::MEDIA_TYPE)).at("Content-Type"))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get(IDEMPOTENCY_HEADER) else { return Ok(None) };
    let usable = value.to_str().ok().filter(|key| !key.is_empty() && key.len() <= limits::IDEMPOTENCY_KEY_CHARS_MAX);
    usable.map(|key| Some(key.to_owned())).ok_or_else(|| {
        let max = limits::IDEMPOTENCY_KEY_CHARS_MAX;
        ApiError::bad_request(format!("Idempotency-Key must be 1 to {max} printable ASCII characters."))
            .at("Idempotency-Key")
    })
}

fn urgent_lane(headers: &HeaderMap) -> Result<bool, ApiError> {
    match headers.get(LANE_HEADER).map(|value| value.to_str().unwrap_or("?").trim().to_lowercase()).as_deref() {
        None | Some("normal") => Ok(false),
        Some("urgent") => Ok(true),
        Some(_) => {
            Err(ApiError::bad_request("Rollcall-Lane must be 'urgent' or 'normal', or left out.").at("Rollcall-Lane"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_bucket_is_a_500_with_the_known_text() {
        let error = upload_of(&Accepted::Full, UploadId(uuid::Uuid::nil())).unwrap_err();
        assert_eq!((error.status.as_u16(), error.retry_after_s), (500, Some(60)));
        assert!(error.message.starts_with("The bucket that stores the ingested data is full"), "{}", error.message);
    }
}
