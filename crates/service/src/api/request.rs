//! What surrounds every request: ids, the log line, the body of errors, and reading of bodies.

use std::time::Duration;

use axum::Json;
use axum::body::{Body, BodyDataStream};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use flate2::read::MultiGzDecoder;
use futures_util::StreamExt as _;
use rollcall_model::{Refusal, limits};
use serde::de::DeserializeOwned;
use tracing::Instrument as _;

use crate::api::error::ApiError;
use crate::state::AppState;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
pub(crate) const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");
const CLIENT_ID_CHARS_MAX: usize = 128;
/// Longest text of the framework's that is shown.
const REJECTION_BYTES_MAX: usize = 2_048;

/// The ids of a request, ours and the client's; the same where the client gave none.
#[derive(Clone, Debug)]
pub(crate) struct RequestIds {
    pub(crate) request: String,
    pub(crate) client: String,
}

/// Gives each request its ids, writes one line of log for it, and writes the bodies of errors.
pub(crate) async fn around(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let started = state.clock.now();
    let id = state.random.uuid_v7(started).to_string();
    let client = request
        .headers()
        .get(CLIENT_REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|text| !text.is_empty() && text.len() <= CLIENT_ID_CHARS_MAX)
        .map_or_else(|| id.clone(), str::to_owned);
    let ids = RequestIds { request: id, client };
    request.extensions_mut().insert(ids.clone());
    let span =
        tracing::info_span!("request", id = %ids.request, method = %request.method(), path = request.uri().path());
    let mut response = in_our_shape(next.run(request).instrument(span.clone()).await).await;
    let now = state.clock.now();
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        let body = Json(error.body(&ids, now)).into_response();
        let (parts, body) = body.into_parts();
        response.headers_mut().extend(parts.headers);
        *response.body_mut() = body;
    }
    let headers = response.headers_mut();
    for (name, text) in [(REQUEST_ID, &ids.request), (CLIENT_REQUEST_ID, &ids.client)] {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    }
    let status = response.status();
    metrics::counter!("rollcall_http_requests_total", "status" => status.as_u16().to_string()).increment(1);
    span.in_scope(|| tracing::info!(status = status.as_u16(), ms = now.ms_since(started), "answered"));
    response
}

/// What the framework itself refuses (a parameter twice, no WebSocket upgrade) comes as plain text: it gets our shape.
async fn in_our_shape(response: Response) -> Response {
    let is_plain =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if !response.status().is_client_error() || !is_plain || response.extensions().get::<ApiError>().is_some() {
        return response;
    }
    let status = response.status();
    let text = axum::body::to_bytes(response.into_body(), REJECTION_BYTES_MAX).await.unwrap_or_default();
    ApiError::new(status, Refusal::BadRequest, String::from_utf8_lossy(&text)).into_response()
}

/// A panic in a handler: logged by the panic hook, answered as an error of ours.
pub(crate) fn panicked(_: Box<dyn std::any::Any + Send + 'static>) -> Response {
    ApiError::internal().into_response()
}

/// Reads a body of at most [`limits::BODY_BYTES_MAX`], unpacking gzip.
pub(crate) async fn read_body(headers: &HeaderMap, body: Body) -> Result<Vec<u8>, ApiError> {
    let max = limits::BODY_BYTES_MAX;
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > max as u64) {
        // Who waits for leave to send has sent nothing yet (RFC 9110 10.1.1).
        if !headers.contains_key(header::EXPECT) {
            discard(body.into_data_stream()).await;
        }
        return Err(ApiError::too_large(max));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(announced.unwrap_or(0)).unwrap_or(0));
    let mut stream = body.into_data_stream();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| ApiError::bad_request("The body ended before it was complete."))?;
        if bytes.len() + chunk.len() > max {
            discard(stream).await;
            return Err(ApiError::too_large(max));
        }
        bytes.extend_from_slice(&chunk);
    }
    match headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?").trim().to_lowercase()) {
        None => Ok(bytes),
        Some(encoding) if encoding == "identity" => Ok(bytes),
        Some(encoding) if encoding == "gzip" || encoding == "x-gzip" => unpack(&bytes, max),
        Some(encoding) => Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            Refusal::BadRequest,
            format!("Content-Encoding '{encoding}' is not supported: send gzip or none."),
        )
        .at("Content-Encoding")),
    }
}

/// Reads on for a while: a connection closed on somebody who still sends is reset, and the answer is lost
/// (RFC 9112 9.6).
async fn discard(mut stream: BodyDataStream) {
    let reading = async {
        let mut bytes = 0;
        while let Some(Ok(chunk)) = stream.next().await {
            bytes += chunk.len();
            if bytes > limits::BODY_DISCARDED_BYTES_MAX {
                break;
            }
        }
    };
    let longest = Duration::from_millis(limits::BODY_DISCARDED_MS_MAX);
    // Ending in time or not, there is nothing more to do.
    let _ = tokio::time::timeout(longest, reading).await;
}

fn unpack(bytes: &[u8], max: usize) -> Result<Vec<u8>, ApiError> {
    use std::io::Read as _;
    let mut out = Vec::new();
    let read = MultiGzDecoder::new(bytes).take(max as u64 + 1).read_to_end(&mut out);
    read.map_err(|_| {
        ApiError::bad_request("The body is no gzip, though Content-Encoding says so.").at("Content-Encoding")
    })?;
    if out.len() > max { Err(ApiError::too_large(max)) } else { Ok(out) }
}

/// Reads a JSON body into its type; errors name line, column and member. An empty body is an empty object.
pub(crate) async fn read_json<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, ApiError> {
    let bytes = read_body(headers, body).await?;
    let text = if bytes.is_empty() { b"{}".as_slice() } else { &bytes };
    serde_json::from_slice(text).map_err(|error| ApiError::bad_request(format!("The body cannot be read: {error}")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Sends six parts of a MiB; how the request is answered, and how many parts were taken.
    async fn taken(headers: &[(HeaderName, &str)]) -> (StatusCode, usize) {
        let taken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&taken);
        let parts = futures_util::stream::iter(0..6).map(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            Ok::<_, std::io::Error>(vec![b' '; 1 << 20])
        });
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        let error = read_body(&headers, Body::from_stream(parts)).await.unwrap_err();
        (error.status, taken.load(Ordering::SeqCst))
    }

    /// A sender that is cut off never sees the answer.
    #[tokio::test]
    async fn too_large_a_body_is_read_to_its_end_unless_it_waits_for_leave() {
        let length = (header::CONTENT_LENGTH, "6291456");
        for (headers, expected) in
            [(vec![], 6), (vec![length.clone()], 6), (vec![length, (header::EXPECT, "100-continue")], 0)]
        {
            assert_eq!(taken(&headers).await, (StatusCode::PAYLOAD_TOO_LARGE, expected), "{headers:?}");
        }
    }
}
