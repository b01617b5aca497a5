//! What `/metrics` counts of operations, each name in one place. A process counts what it did itself; the sum over the
//! processes of one database is the whole.

use rollcall_model::Timestamp;
use rollcall_store::FinishedOperation;

/// One bulkUpload request: `accepted`, or why not (`replayed`, `key_reused`, `full`).
pub(crate) fn upload(result: &'static str) {
    metrics::counter!("rollcall_uploads_total", "result" => result).increment(1);
}

/// Operations of an accepted upload.
pub(crate) fn accepted(operations: usize) {
    metrics::counter!("rollcall_operations_accepted_total").increment(u64::try_from(operations).unwrap_or(0));
}

/// Operations whose outcome is stored; those without a final state do not count.
pub(crate) fn finished(operations: &[FinishedOperation]) {
    for operation in operations.iter().filter(|operation| operation.state.is_final()) {
        metrics::counter!("rollcall_operations_finished_total", "state" => operation.state.as_str()).increment(1);
    }
}

/// Operations that ended because there was nothing to change.
pub(crate) fn unchanged(operations: i64) {
    let state = rollcall_model::operation::OperationState::Skipped.as_str();
    metrics::counter!("rollcall_operations_finished_total", "state" => state)
        .increment(u64::try_from(operations).unwrap_or(0));
}

/// Operations without a final state, in the whole database.
pub(crate) fn open(operations: i64) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; far below 2^53")]
    metrics::gauge!("rollcall_operations_open").set(operations as f64);
}

/// When the certificate in use ends, in seconds since 1970.
pub(crate) fn certificate_ends(at: Timestamp) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; far below 2^53")]
    metrics::gauge!("rollcall_certificate_expires_seconds").set((at.0 / 1_000_000) as f64);
}

/// One look at changed certificate files: `loaded` or `refused`.
pub(crate) fn certificate_reload(result: &'static str) {
    metrics::counter!("rollcall_certificate_reloads_total", "result" => result).increment(1);
}
