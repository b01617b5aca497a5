//! Whether the service lives, is ready, and what it counts.

use std::sync::{Mutex, PoisonError};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use rollcall_model::{Timestamp, limits};

use crate::counters;
use crate::state::AppState;

/// The process answers.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// The database answers too.
pub(crate) async fn readyz(State(state): State<AppState>) -> Response {
    match state.store.ping().await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => {
            tracing::warn!(error = %error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response()
        }
    }
}

/// When open operations were counted last.
#[derive(Debug, Default)]
pub(crate) struct Counted(Mutex<Option<Timestamp>>);

impl Counted {
    /// Whether it is time to count again; then this caller is the one who does.
    fn is_due(&self, now: Timestamp) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| now.ms_since(last) >= limits::METRICS_COUNT_AGE_MS_MAX);
        if due {
            *last = Some(now);
        }
        due
    }
}

/// Prometheus text. What the database would have to say stays as it was while it does not answer.
pub(crate) async fn metrics(State(state): State<AppState>) -> Response {
    if state.counted.is_due(state.clock.now()) {
        match state.store.open_operation_count().await {
            Ok(operations) => counters::open(operations),
            Err(error) => tracing::warn!(error = %error, "open operations are not counted"),
        }
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], state.metrics.render()).into_response()
}
