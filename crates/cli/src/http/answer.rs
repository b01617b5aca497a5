//! Reading answers: JSON, Graph's error envelope, `Retry-After`.

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode, Url};
use rollcall_model::{Clock, limits};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, Obstacle, Refusal};
use crate::http::retry::Kind;

/// A good answer (2xx), read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) headers: HeaderMap,
    body: Vec<u8>,
    url: Url,
}

impl Answer {
    /// Its body.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body)
            .map_err(|cause| Error::Unexpected { url: without_query(&self.url), cause: cause.to_string() })
    }

    /// Its body, `Null` where there is none.
    pub(crate) fn json_or_null(&self) -> Result<Value, Error> {
        if self.body.is_empty() { Ok(Value::Null) } else { self.json() }
    }

    /// Where it came from, for errors.
    pub(crate) fn url(&self) -> String {
        without_query(&self.url)
    }
}

/// A try that failed, and what that says about another.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) kind: Kind,
    /// What the service asked us to wait.
    pub(crate) retry_after_ms: Option<u64>,
    /// The service knows our token no more.
    pub(crate) is_token_refused: bool,
}

impl Failure {
    pub(crate) fn new(error: Error, kind: Kind) -> Self {
        Self { error, kind, retry_after_ms: None, is_token_refused: false }
    }

    /// Something that no repetition cures.
    pub(crate) fn of_caller(error: Error) -> Self {
        Self::new(error, Kind::Final)
    }

    /// The token endpoint's 401 is about the secret, not about a token; and whatever it failed with, the request
    /// itself has not been sent.
    pub(crate) fn of_token_endpoint(self) -> Self {
        let kind = if self.kind == Kind::Unknown { Kind::NotReached } else { self.kind };
        Self { is_token_refused: false, kind, ..self }
    }
}

/// Reads an answer to its end; what is not 2xx is a failure. `request` is `METHOD /path`.
pub(crate) async fn read(mut response: Response, request: &str, clock: &dyn Clock) -> Result<Answer, Failure> {
    let (status, headers, url) = (response.status(), response.headers().clone(), response.url().clone());
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= limits::CLIENT_ANSWER_BYTES_MAX => body.extend(&chunk),
            Ok(Some(_)) => {
                let cause = format!("more than {} bytes", limits::CLIENT_ANSWER_BYTES_MAX);
                return Err(Failure::of_caller(Error::Unexpected { url: without_query(&url), cause }));
            }
            Ok(None) => break,
            Err(cause) => {
                let (url, cause) = (without_query(&url), chain(&cause));
                let error = Error::Unreachable { url, cause, obstacle: Obstacle::Connection };
                return Err(Failure::new(error, Kind::Unknown));
            }
        }
    }
    if status.is_success() {
        return Ok(Answer { headers, body, url });
    }
    let kind = match status {
        StatusCode::TOO_MANY_REQUESTS => Kind::NotReached,
        StatusCode::REQUEST_TIMEOUT => Kind::Unknown,
        status if status.is_server_error() => Kind::Unknown,
        _ => Kind::Final,
    };
    Err(Failure {
        error: Error::Refused(Box::new(refusal(status, &headers, &body, request))),
        kind,
        retry_after_ms: retry_after_ms(&headers, clock),
        is_token_refused: status == StatusCode::UNAUTHORIZED,
    })
}

/// Graph's envelope, the token endpoint's, or neither.
fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8], request: &str) -> Refusal {
    let json: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let text = |pointer: &str| json.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let code = text("/error/code").or_else(|| text("/error")).unwrap_or_else(|| status.as_u16().to_string());
    let described = text("/error/message").or_else(|| text("/error_description"));
    let message = described.unwrap_or_else(|| status.canonical_reason().unwrap_or("no reason given").to_owned());
    let request_id = text("/error/innerError/request-id")
        .or_else(|| text("/trace_id"))
        .or_else(|| headers.get("request-id").and_then(|value| value.to_str().ok()).map(str::to_owned));
    let details = json.pointer("/error/details").cloned().unwrap_or_default();
    // Another service's details may have another shape: its message says enough.
    let details = serde_json::from_value(details).unwrap_or_default();
    Refusal { status: status.as_u16(), code, message, request_id, request: request.to_owned(), details }
}

/// `Retry-After` in seconds, fractions too (Graph sends them), or as an HTTP date (RFC 9110 10.2.3).
fn retry_after_ms(headers: &HeaderMap, clock: &dyn Clock) -> Option<u64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        // Out of range and not-a-number end at a bound, which is all that is asked of them.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts of floats saturate")]
        return Some((seconds.max(0.0) * 1_000.0).ceil() as u64);
    }
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    u64::try_from(at.as_millisecond() - clock.now().0 / 1_000).ok().or(Some(0))
}

/// An error with all its causes, each said once.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !texts.iter().any(|said| said.contains(&text)) {
            texts.push(text);
        }
        next = cause.source();
    }
    if texts.is_empty() { error.to_string() } else { texts.join(": ") }
}

/// An address as errors show it: filters may hold names.
pub(crate) fn without_query(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.to_string()
}
