//! What `/metrics` counts of operations, each name in one place. A process counts what it did itself; the sum over the
//! processes of one database is the whole.

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

/// Operations without a final state, in the whole database.
pub(crate) fn open(operations: i64) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; far below 2^53")]
    metrics::gauge!("rollcall_operations_open").set(operations as f64);
}
