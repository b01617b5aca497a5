//! Errors of requests: Graph's envelope (wire contract 2.7), everywhere under the Graph and Rollcall routes.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rollcall_model::{Refusal, Timestamp};
use rollcall_wire::graph::{ErrorBody, ErrorDetail, ErrorEnvelope, InnerError};
use rollcall_wire::scim::ScimError;

use crate::api::request::RequestIds;
use crate::moment;

/// One failed request. Names the field and the remedy. Its body is written where the request's ids are known
/// ([`crate::api::request::around`]).
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) code: Refusal,
    pub(crate) message: String,
    /// JSON pointer, or name of a header or parameter.
    pub(crate) target: Option<String>,
    /// Several places at fault; they stand in for `target`.
    pub(crate) details: Vec<ErrorDetail>,
    pub(crate) retry_after_s: Option<u32>,
    /// `WWW-Authenticate`.
    pub(crate) challenge: Option<Box<str>>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: Refusal, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            target: None,
            details: Vec::new(),
            retry_after_s: None,
            challenge: None,
        }
    }

    pub(crate) fn at(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Refusal::BadRequest, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, Refusal::ResourceNotFound, message)
    }

    pub(crate) fn unknown_job(job: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            Refusal::JobNotFound,
            format!("Job '{job}' does not exist under this service principal."),
        )
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, Refusal::RequestDenied, message)
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, Refusal::Conflict, message)
    }

    pub(crate) fn too_large(bytes_max: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::RequestEntityTooLarge,
            format!("The body is larger than {bytes_max} bytes: send it in several requests."),
        )
    }

    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            Refusal::InternalServerError,
            "Something unexpected happened on our side; the service's log has it under this request-id.",
        )
    }

    /// Invalid data, as clients of the cloud service know it.
    pub(crate) fn invalid_data(why: &str) -> Self {
        Self::bad_request(format!("Invalid Data Format: {why}"))
    }

    /// The body in Graph's shape.
    pub(crate) fn body(&self, ids: &RequestIds, now: Timestamp) -> ErrorEnvelope {
        let details = self.target.iter().map(|target| ErrorDetail {
            code: self.code.to_string(),
            message: self.message.clone(),
            target: target.clone(),
            hint: None,
            drawing: None,
        });
        let details = if self.details.is_empty() { details.collect() } else { self.details.clone() };
        ErrorEnvelope {
            error: ErrorBody {
                code: self.code.to_string(),
                message: self.message.clone(),
                details,
                inner_error: InnerError {
                    date: moment::unmarked(now),
                    request_id: ids.request.clone(),
                    client_request_id: ids.client.clone(),
                },
            },
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(challenge) = self.challenge.as_deref().and_then(|text| HeaderValue::from_str(text).ok()) {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<ScimError> for ApiError {
    fn from(error: ScimError) -> Self {
        let mut api = Self::invalid_data(&error.message);
        api.target = error.target;
        api
    }
}

impl From<rollcall_store::Error> for ApiError {
    fn from(error: rollcall_store::Error) -> Self {
        use rollcall_store::Error as Store;
        tracing::error!(error = %error, source = ?std::error::Error::source(&error), "the store failed");
        match error {
            Store::Unstorable(why) => Self::bad_request(why),
            Store::Database { .. } => Self {
                retry_after_s: Some(5),
                ..Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    Refusal::ServiceUnavailable,
                    "The database does not answer. Try again.",
                )
            },
            Store::NoSpace { .. } => Self {
                retry_after_s: Some(30),
                ..Self::new(
                    StatusCode::INSUFFICIENT_STORAGE,
                    Refusal::InsufficientStorage,
                    "The database's disk is full and nothing was stored. Make room there, then send the request again.",
                )
            },
            _ => Self::internal(),
        }
    }
}

impl From<crate::Error> for ApiError {
    fn from(error: crate::Error) -> Self {
        tracing::error!(error = %error, "a request failed");
        Self::internal()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_said_and_may_be_tried_again() {
        let error = ApiError::from(rollcall_store::Error::NoSpace { doing: "storing an upload" });
        assert_eq!(
            (error.status.as_u16(), error.code, error.retry_after_s),
            (507, Refusal::InsufficientStorage, Some(30))
        );
    }
}
