//! Every limit of the product, in one place. `docs/guides/limits.md` is made from this list.

macro_rules! limits {
    ($($(#[doc = $doc:literal])* $name:ident: $type:ty = $value:expr, $unit:literal;)*) => {
        $($(#[doc = $doc])* pub const $name: $type = $value;)*

        /// Name, value, unit, meaning: what the guide's table shows.
        pub const ALL: &[(&str, u64, &str, &str)] = &[
            $((stringify!($name), $name as u64, $unit, concat!($($doc),*)),)*
        ];
    };
}

limits! {
    /// Operations in one bulkUpload request.
    OPERATIONS_PER_REQUEST_MAX: usize = 50, "operations";
    /// Body of any request, after decompression.
    BODY_BYTES_MAX: usize = 4 * 1024 * 1024, "bytes";
    /// What is read and thrown away of a body that is too large, so that its sender reads the answer.
    BODY_DISCARDED_BYTES_MAX: usize = 64 * 1024 * 1024, "bytes";
    /// How long that may take.
    BODY_DISCARDED_MS_MAX: u64 = 5_000, "milliseconds";
    /// How old the count of open operations in `/metrics` may be: anybody may ask for it, and counting is work.
    METRICS_COUNT_AGE_MS_MAX: i64 = 10_000, "milliseconds";
    /// Nesting of JSON that is accepted.
    JSON_DEPTH_MAX: usize = 64, "levels";
    /// Merged source record of one person.
    PERSON_BYTES_MAX: usize = 64 * 1024, "bytes";
    /// Length of an `externalId`.
    EXTERNAL_ID_CHARS_MAX: usize = 256, "characters";
    /// Length of a mapping expression.
    EXPRESSION_CHARS_MAX: usize = 10_000, "characters";
    /// Nesting of a mapping expression.
    EXPRESSION_DEPTH_MAX: usize = 64, "levels";
    /// Length of a value that an expression may build.
    EXPRESSION_VALUE_CHARS_MAX: usize = 65_536, "characters";
    /// Length of an OData filter.
    FILTER_CHARS_MAX: usize = 4_096, "characters";
    /// Nesting of an OData filter.
    FILTER_DEPTH_MAX: usize = 32, "levels";
    /// Rows of one page of the provisioning log.
    LOG_PAGE_ROWS_MAX: usize = 1_000, "rows";
    /// Rows of one page where `$top` is not given.
    LOG_PAGE_ROWS_DEFAULT: usize = 100, "rows";
    /// Frames between service and agent.
    FRAME_BYTES_MAX: usize = 4 * 1024 * 1024, "bytes";
    /// Persons in one work frame.
    WORK_BATCH_PERSONS_MAX: usize = 50, "persons";
    /// Persons given to an agent and not reported yet.
    WORK_OUTSTANDING_PERSONS_MAX: usize = 100, "persons";
    /// Operations merged in one transaction.
    MERGE_BATCH_OPERATIONS_MAX: usize = 500, "operations";
    /// Non-final operations of one job before intake answers that the bucket is full.
    JOB_WAITING_OPERATIONS_MAX: i64 = 2_000_000, "operations";
    /// Life of an access token.
    TOKEN_LIFE_S: i64 = 3_600, "seconds";
    /// Life of an enrolment token.
    ENROLMENT_TOKEN_LIFE_S: i64 = 3_600, "seconds";
    /// How long an `Idempotency-Key` is remembered.
    IDEMPOTENCY_LIFE_S: i64 = 86_400, "seconds";
    /// Length of an `Idempotency-Key`.
    IDEMPOTENCY_KEY_CHARS_MAX: usize = 255, "characters";
    /// Silence of an agent about work given to it, after which it is given out anew.
    WORK_ANSWER_MS_MAX: i64 = 60_000, "milliseconds";
    /// How often a worker looks for work that nobody announced.
    WORK_TICK_MS: u64 = 400, "milliseconds";
    /// How often persons who wait for a manager are looked at again.
    MANAGER_SWEEP_MS: i64 = 300_000, "milliseconds";
    /// Longest wait for an agent to finish what it has begun when a node stops.
    DRAIN_MS_MAX: u64 = 5_000, "milliseconds";
    /// Life of a domain's lease.
    LEASE_MS: i64 = 10_000, "milliseconds";
    /// How often the agent renews the lease.
    LEASE_RENEWAL_MS: i64 = 1_500, "milliseconds";
    /// Longest wait for one LDAP answer.
    LDAP_TIMEOUT_MS: i64 = 10_000, "milliseconds";
    /// How long a write without an answer may still be under way at the controller before a look that does not find it
    /// is believed.
    LATE_WRITE_MS: u64 = 2_000, "milliseconds";
    /// Silence after which a link counts as dead.
    LINK_SILENCE_MS_MAX: i64 = 15_000, "milliseconds";
    /// First wait before a transient failure is tried again.
    RETRY_FIRST_MS: i64 = 2_000, "milliseconds";
    /// Longest such wait.
    RETRY_MS_MAX: i64 = 600_000, "milliseconds";
    /// Tries of one plan that turns out stale before it counts as a transient failure.
    STALE_PLAN_TRIES_MAX: u32 = 3, "tries";
    /// Tries to find a password that the directory takes.
    PASSWORD_TRIES_MAX: u32 = 3, "tries";
    /// Failed token requests of one client in a minute before it is told to wait.
    TOKEN_FAILURES_PER_MINUTE_MAX: u32 = 30, "requests";
    /// Tries of one request by the command-line client.
    CLIENT_TRIES_MAX: u32 = 3, "tries";
    /// Tries of one bulkUpload request by the command-line client.
    CLIENT_UPLOAD_TRIES_MAX: u32 = 8, "tries";
    /// First wait of the command-line client before it tries again; doubled each time.
    CLIENT_RETRY_FIRST_MS: u64 = 500, "milliseconds";
    /// Longest such wait where the service names none.
    CLIENT_RETRY_MS_MAX: u64 = 30_000, "milliseconds";
    /// Longest `Retry-After` that the command-line client waits for; a longer one ends the command.
    CLIENT_RETRY_AFTER_MS_MAX: u64 = 300_000, "milliseconds";
    /// Longest wait of the command-line client for one answer.
    CLIENT_ANSWER_MS_MAX: u64 = 60_000, "milliseconds";
    /// Body of one answer that the command-line client reads.
    CLIENT_ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024, "bytes";
    /// Requests that `rollcall upload` keeps in flight at most.
    CLIENT_PARALLEL_MAX: usize = 32, "requests";
    /// First wait between two looks at the state of uploads; grows by half while nothing ends.
    CLIENT_POLL_FIRST_MS: u64 = 200, "milliseconds";
    /// Longest such wait.
    CLIENT_POLL_MS_MAX: u64 = 5_000, "milliseconds";
    /// Unfinished uploads looked at before the next wait.
    CLIENT_POLL_UNFINISHED_MAX: usize = 8, "uploads";
}

// Two lost renewals must not stop the writing.
const _: () = assert!(LEASE_RENEWAL_MS * 3 <= LEASE_MS / 2);
