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
    /// Versions of a job's schema that are kept.
    SCHEMA_VERSIONS_KEPT_MAX: usize = 200, "versions";
    /// Versions in one answer that lists them.
    SCHEMA_VERSIONS_SHOWN_MAX: usize = 50, "versions";
    /// Mapping tests of one job.
    MAPPING_TESTS_MAX: usize = 500, "tests";
    /// Length of a note on a version of a schema.
    SCHEMA_NOTE_CHARS_MAX: usize = 1_000, "characters";
    /// How old what an agent said of the directory's schema may be when a job's schema is held against it.
    DIRECTORY_SCHEMA_AGE_MS_MAX: i64 = 60_000, "milliseconds";
    /// Length of a mapping expression.
    EXPRESSION_CHARS_MAX: usize = 10_000, "characters";
    /// Nesting of a mapping expression.
    EXPRESSION_DEPTH_MAX: usize = 64, "levels";
    /// Length of a value that an expression may build.
    EXPRESSION_VALUE_CHARS_MAX: usize = 65_536, "characters";
    /// All texts that one evaluation of an expression may build together.
    EXPRESSION_BUILT_CHARS_MAX: usize = 1024 * 1024, "characters";
    /// Steps of one evaluation of an expression: functions called and values read.
    EXPRESSION_STEPS_MAX: usize = 100_000, "steps";
    /// One compiled regular expression.
    PATTERN_BYTES_MAX: usize = 1024 * 1024, "bytes";
    /// Steps back that one search with look-around or back-references may take.
    PATTERN_BACKTRACKS_MAX: usize = 200_000, "steps";
    /// Such searches in one evaluation of an expression.
    PATTERN_SEARCHES_MAX: usize = 1_000, "searches";
    /// Candidates that are tried for a value that must be unique.
    UNIQUE_CANDIDATES_MAX: usize = 10_000, "values";
    /// Of these, those that one person and attribute are sent to an agent with.
    UNIQUE_CANDIDATES_SENT_MAX: usize = 256, "values";
    /// Times that the directory may refuse a value that seemed free, before the person is tried again later.
    UNIQUE_REFUSALS_MAX: usize = 5, "values";
    /// Values in one search for those that are taken.
    UNIQUE_SEARCH_VALUES_MAX: usize = 100, "values";
    /// How long a value that an agent found taken in the directory is not offered again.
    UNIQUE_SEEN_MS: i64 = 3_600_000, "milliseconds";
    /// Days for which a leaver's unique values are not given to anybody else, as shipped.
    UNIQUE_QUARANTINE_DAYS_DEFAULT: u32 = 90, "days";
    /// The most that a job may set.
    UNIQUE_QUARANTINE_DAYS_MAX: u32 = 36_500, "days";
    /// Length of what `RandomString` makes.
    RANDOM_STRING_CHARS_MAX: usize = 256, "characters";
    /// Length of an OData filter.
    FILTER_CHARS_MAX: usize = 4_096, "characters";
    /// Nesting of an OData filter.
    FILTER_DEPTH_MAX: usize = 32, "levels";
    /// Operations, or stored persons, in one preview request.
    PREVIEW_PERSONS_MAX: usize = 500, "persons";
    /// Persons in one question to an agent what would be written.
    PREVIEW_BATCH_PERSONS_MAX: usize = 100, "persons";
    /// Such questions of one preview under way at once.
    PREVIEW_QUESTIONS_MAX: usize = 3, "questions";
    /// Longest wait for the answer to one, and to any question to an agent that a request waits for.
    PREVIEW_ANSWER_MS_MAX: i64 = 30_000, "milliseconds";
    /// Questions of other nodes that wait for one domain's agent.
    ASKS_WAITING_MAX: i64 = 64, "questions";
    /// How often they, and their answers, are looked for.
    ASKS_LOOK_MS: i64 = 200, "milliseconds";
    /// Subjects of one provisionOnDemand request.
    ON_DEMAND_SUBJECTS_MAX: usize = 5, "subjects";
    /// provisionOnDemand requests of one job in ten seconds.
    ON_DEMAND_REQUESTS_MAX: usize = 5, "requests";
    /// Longest wait of such a request for its persons' outcomes.
    ON_DEMAND_MS_MAX: i64 = 30_000, "milliseconds";
    /// Rows of one page of the provisioning log.
    LOG_PAGE_ROWS_MAX: usize = 1_000, "rows";
    /// Rows of one page where `$top` is not given.
    LOG_PAGE_ROWS_DEFAULT: usize = 100, "rows";
    /// Frames between service and agent.
    FRAME_BYTES_MAX: usize = 4 * 1024 * 1024, "bytes";
    /// Persons in one work frame.
    WORK_BATCH_PERSONS_MAX: usize = 100, "persons";
    /// Persons given to an agent and not reported yet.
    WORK_OUTSTANDING_PERSONS_MAX: usize = 600, "persons";
    /// Estimated directory time of what is given to an agent, beyond which no more than two frames' persons are.
    WORK_OUTSTANDING_MS_MAX: i32 = 2_000, "milliseconds";
    /// Urgent persons given to an agent and not reported yet, beside the others.
    WORK_URGENT_PERSONS_MAX: usize = 100, "persons";
    /// Due persons read ahead of what is given out.
    WORK_READ_AHEAD_PERSONS_MAX: usize = 400, "persons";
    /// Waiting operations read ahead of what is merged.
    MERGE_READ_AHEAD_OPERATIONS_MAX: usize = 2_000, "operations";
    /// How long the settings of jobs are used before they are read again.
    JOBS_AGE_MS_MAX: i64 = 400, "milliseconds";
    /// How often a worker looks whether an agent is to be drained, to log otherwise or to make a new key.
    AGENT_WISHES_MS: i64 = 2_000, "milliseconds";
    /// Longest wait for an agent's answer whether accounts have changed, before they are read.
    LOOK_ANSWER_MS_MAX: i64 = 2_000, "milliseconds";
    /// Numbers that a controller may have given out since an account was last asked about; beyond it everything is asked anew.
    STANDING_CHANGES_MAX: i64 = 5_000, "update sequence numbers";
    /// Accounts whose `uSNChanged` is remembered.
    STANDING_ACCOUNTS_MAX: usize = 1_000_000, "accounts";
    /// How long no connected agent may have the writing controller before another one becomes it.
    CONTROLLER_SWITCH_MS: i64 = 15_000, "milliseconds";
    /// How long, after the writing controller was changed, what is not found there may still be on its way; and how
    /// long an agent that recovers on another controller looks for what it wrote before.
    REPLICATION_WAIT_MS_MAX: i64 = 60_000, "milliseconds";
    /// Longest wait for an agent to hand a domain over.
    RELEASE_MS_MAX: i64 = 15_000, "milliseconds";
    /// Operations merged in one transaction.
    MERGE_BATCH_OPERATIONS_MAX: usize = 500, "operations";
    /// Non-final operations of one job before intake answers that the bucket is full.
    JOB_WAITING_OPERATIONS_MAX: i64 = 2_000_000, "operations";
    /// Disables, deletes, moves of linked accounts and clears of one job in 24 hours, as shipped.
    BUDGET_DEFAULT: u32 = 500, "writes";
    /// How long a budgeted write counts.
    BUDGET_WINDOW_MS: i64 = 86_400_000, "milliseconds";
    /// Shortest wait of somebody whom the budget holds back.
    BUDGET_WAIT_MS_MIN: i64 = 60_000, "milliseconds";
    /// Life of an access token.
    TOKEN_LIFE_S: i64 = 3_600, "seconds";
    /// Life of an enrolment token.
    ENROLMENT_TOKEN_LIFE_S: i64 = 3_600, "seconds";
    /// How long an `Idempotency-Key` is remembered.
    IDEMPOTENCY_LIFE_S: i64 = 86_400, "seconds";
    /// Length of an `Idempotency-Key`.
    IDEMPOTENCY_KEY_CHARS_MAX: usize = 255, "characters";
    /// Writes that an agent has under way at the controller at once; of one person never more than one.
    WRITES_OUTSTANDING_MAX: usize = 4, "writes";
    /// Persons of one batch: looked up, written, read back and reported together, while other batches are at another of
    /// these steps.
    BATCH_PERSONS_MAX: usize = 50, "persons";
    /// Batches of persons that are looked up and planned while another is written.
    BATCHES_AHEAD_MAX: usize = 2, "batches";
    /// Batches that an agent has in hand in one lane, those being reported included.
    BATCHES_IN_HAND_MAX: usize = 6, "batches";
    /// Questions of the service about accounts that an agent answers at once.
    SEARCHES_OUTSTANDING_MAX: usize = 2, "searches";
    /// Accounts in one answer to what has changed; where there are more, nothing is concluded from absence.
    LOOK_SEEN_MAX: usize = 50_000, "accounts";
    /// Silence of an agent about work given to it, after which it is given out anew.
    WORK_ANSWER_MS_MAX: i64 = 60_000, "milliseconds";
    /// How often a worker looks for work that nobody announced.
    WORK_TICK_MS: u64 = 400, "milliseconds";
    /// Persons that are looked at in one go after a change of the mappings, or of the day.
    SWEEP_SLICE_PERSONS_MAX: usize = 500, "persons";
    /// Persons and operations read ahead or given to the agent, beyond which a walk waits; whose day has come does not.
    SWEEP_WAITING_PERSONS_MAX: usize = 300, "persons";
    /// How often it is asked whose day has come, where nobody's had or other work waits.
    DAY_LOOK_MS: i64 = 1_000, "milliseconds";
    /// Longest time in which the persons are counted whom a change of the mappings would touch.
    IMPACT_MS_MAX: i64 = 50_000, "milliseconds";
    /// Persons read at once for it.
    IMPACT_PAGE_PERSONS_MAX: usize = 1_000, "persons";
    /// Persons named for each kind of error in its answer.
    IMPACT_EXAMPLES_MAX: usize = 10, "persons";
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
    /// One frame of an LDAP connection that Kerberos encrypts.
    SEALED_FRAME_BYTES_MAX: usize = 1024 * 1024, "bytes";
    /// A controller's answer to one step of a Kerberos bind.
    BIND_ANSWER_BYTES_MAX: usize = 256 * 1024, "bytes";
    /// A keytab.
    KEYTAB_BYTES_MAX: usize = 1024 * 1024, "bytes";
    /// A proxy's answer to CONNECT, up to its empty line.
    PROXY_ANSWER_BYTES_MAX: usize = 16 * 1024, "bytes";
    /// Longest wait for that answer.
    PROXY_ANSWER_MS_MAX: u64 = 10_000, "milliseconds";
    /// How long a write without an answer may still be under way at the controller before a look that does not find it
    /// is believed.
    LATE_WRITE_MS: u64 = 2_000, "milliseconds";
    /// How long a part of the agent may not run before its watchdog is told nothing.
    AGENT_SILENCE_MS_MAX: u64 = 10_000, "milliseconds";
    /// How long work in hand may bring forth nothing before it counts as stuck: more than a batch takes whose every write
    /// gets no answer.
    AGENT_STUCK_MS_MAX: u64 = 600_000, "milliseconds";
    /// Silence after which a link counts as dead.
    LINK_SILENCE_MS_MAX: i64 = 15_000, "milliseconds";
    /// First wait before a transient failure is tried again.
    RETRY_FIRST_MS: i64 = 2_000, "milliseconds";
    /// Longest such wait.
    RETRY_MS_MAX: i64 = 600_000, "milliseconds";
    /// Longest wait before an account is looked for again that replication has not brought yet.
    RETRY_REPLICATED_MS_MAX: i64 = 8_000, "milliseconds";
    /// Tries of one plan that turns out stale before it counts as a transient failure.
    STALE_PLAN_TRIES_MAX: u32 = 3, "tries";
    /// Tries to find a password that the directory takes.
    PASSWORD_TRIES_MAX: u32 = 3, "tries";
    /// Length of a filter of what is logged.
    LOG_FILTER_CHARS_MAX: usize = 512, "characters";
    /// How often the service looks whether its certificate files have changed.
    CERTIFICATE_LOOK_MS: u64 = 10_000, "milliseconds";
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
    /// How long uploads are gathered for one commit of SQLite while others wait.
    GROUP_COMMIT_MS_MAX: u64 = 5, "milliseconds";
    /// Rows after which such a commit is made.
    GROUP_COMMIT_ROWS_MAX: usize = 1_000, "rows";
    /// Pages of 4 KiB in SQLite's write-ahead log that are not in its file yet, after which they are copied.
    CHECKPOINT_PAGES: i64 = 4_000, "pages";
    /// Pages in the write-ahead log after which writers wait until it begins anew.
    CHECKPOINT_PAGES_MAX: i64 = 16_000, "pages";
    /// Shortest time between two looks at the write-ahead log.
    CHECKPOINT_PAUSE_MS: u64 = 100, "milliseconds";
    /// Size of a CSV file that `rollcall upload` reads.
    CSV_FILE_BYTES_MAX: usize = 1024 * 1024 * 1024, "bytes";
    /// Columns of a CSV file.
    CSV_COLUMNS_MAX: usize = 1_000, "columns";
    /// Length of a column's name in a CSV file.
    CSV_HEADER_CHARS_MAX: usize = 256, "characters";
    /// Length of a cell of a CSV file.
    CSV_CELL_CHARS_MAX: usize = 65_536, "characters";
    /// Problems of a CSV file that are shown; the others are counted.
    CSV_PROBLEMS_SHOWN_MAX: usize = 20, "problems";
}

// Two lost renewals must not stop the writing.
const _: () = assert!(LEASE_RENEWAL_MS * 3 <= LEASE_MS / 2);
