//! Outcomes into log rows, persons and final states.

use std::collections::{HashMap, HashSet};

use rollcall_engine::merge::{self, Survival};
use rollcall_model::config::target;
use rollcall_model::ids::{JobId, LogId, PersonId, TenantId, UploadId};
use rollcall_model::killpoint::KillPoint;
use rollcall_model::operation::{Method, OperationState};
use rollcall_model::outcome::{AppliedChange, Conclusion, Outcome};
use rollcall_model::person::{Link, Pending, Person, Refused};
use rollcall_model::plan::{Action, Failure};
use rollcall_model::{Code, Dn, Random, Timestamp, fold, limits};
use rollcall_store::{
    Error, Fenced, FinishedOperation, Lease, LogDetails, LogRow, LogStatus, OpenOperation, PersonUpdate, RecordBatch,
};
use serde_json::Value;
use tracing::error;

use super::backoff;
use super::credit::Given;
use super::domain::Worker;
use crate::{counters, fault};

impl Worker {
    /// Stores what happened. Under no lease, or a lost one, the log rows are stored all the same. `given`: what is known
    /// of those who were given to the agent.
    pub(super) async fn record(
        &mut self,
        outcomes: &[Outcome],
        given: &HashMap<PersonId, Given>,
    ) -> Result<Fenced<()>, Error> {
        let now = self.options.clock.now();
        let outcomes = &*self.without_others_changes(outcomes).await?;
        let ids: Vec<PersonId> = outcomes.iter().map(|outcome| outcome.person).collect();
        let persons = self.options.store.persons_by_id(&ids).await?;
        let open = self.options.store.open_operations(&ids).await?;
        let bodies = self.bodies(crowded(&open).into_iter()).await?;
        let cycle = self.cycle(now);
        let mut recorder = Recorder {
            tenant: self.tenant,
            now,
            cycle,
            random: &*self.options.random,
            schema_versions: self.jobs.iter().map(|(id, ready)| (id.clone(), ready.job.schema_version)).collect(),
            quarantine_ends: self
                .jobs
                .iter()
                .map(|(id, ready)| (id.clone(), ready.job.config.quarantined_until(now)))
                .collect(),
            evaluated_under: given.iter().map(|(person, given)| (*person, given.schema_version)).collect(),
            looks: given.iter().filter_map(|(person, given)| Some((*person, given.look?))).collect(),
            persons: persons.into_iter().map(|update| (update.person.id, update)).collect(),
            open,
            bodies,
            touched: Vec::new(),
            batch: RecordBatch::default(),
        };
        for outcome in outcomes {
            recorder.add(outcome);
        }
        let mut batch = recorder.finish();
        self.wake_whose_manager_came(&mut batch, given, now).await?;
        // A newer version may have waited for the outcome of the one before.
        self.urgent_may_be_due |= batch.persons.iter().any(|update| update.urgent && update.due.is_some());
        self.note_numbers(outcomes);
        let lease = self.active.as_ref().map_or_else(
            || Lease { tenant: self.tenant, domain: self.domain.clone(), epoch: rollcall_model::ids::Epoch(-1) },
            |active| active.lease.clone(),
        );
        fault::reached(KillPoint::BeforeRecordCommit);
        let stored = self.options.store.record(&lease, &batch, now).await?;
        fault::reached(KillPoint::AfterRecordCommit);
        if stored == Fenced::Stale {
            self.lose_lease();
        } else {
            counters::finished(&batch.operations);
        }
        Ok(stored)
    }
}

impl Worker {
    /// What was granted to these persons and not used is given back.
    pub(super) async fn settle_budget(&mut self, outcomes: &[Outcome]) -> Result<Fenced<()>, Error> {
        let Some(lease) = self.active.as_ref().map(|active| active.lease.clone()) else { return Ok(Fenced::Done(())) };
        let (store, now) = (self.options.store.clone(), self.options.clock.now());
        let settled = self.budget.settle(&*store, &lease, self.jobs.keys(), outcomes, now).await?;
        if settled == Fenced::Stale {
            self.lose_lease();
        }
        Ok(settled)
    }

    /// A manager may have been linked while somebody was on the way who is to wait for him: that link has woken
    /// everybody who waited then, so this one is looked at again at once.
    async fn wake_whose_manager_came(
        &self,
        batch: &mut RecordBatch,
        given: &HashMap<PersonId, Given>,
        now: Timestamp,
    ) -> Result<(), Error> {
        // Of an outcome that comes again after a restart it is not known what its person was given with.
        let was_unknown = |person: &PersonId| given.get(person).is_none_or(|given| given.manager_was_unknown);
        let mut wanted: HashMap<JobId, Vec<String>> = HashMap::new();
        for (person, manager) in batch.waits.iter().filter(|(person, _)| was_unknown(person)) {
            if let Some(update) = batch.persons.iter().find(|update| update.person.id == *person) {
                wanted.entry(update.job.clone()).or_default().push(manager.clone());
            }
        }
        for (job, managers) in wanted {
            let linked: HashSet<String> =
                self.options.store.links(&job, &managers).await?.into_iter().map(|(key, _)| key).collect();
            let came: HashSet<PersonId> = batch
                .waits
                .iter()
                .filter(|(person, manager)| was_unknown(person) && linked.contains(manager))
                .map(|(person, _)| *person)
                .collect();
            for update in batch.persons.iter_mut().filter(|update| update.job == job) {
                if came.contains(&update.person.id) {
                    update.due.get_or_insert(now);
                }
            }
        }
        Ok(())
    }

    /// Up to which number of its controller was written under this lease, for whoever takes over with another one.
    fn note_numbers(&mut self, outcomes: &[Outcome]) {
        let epoch = self.active.as_ref().map(|active| active.lease.epoch);
        let wrote = |outcome: &&Outcome| outcome.changes.iter().any(|change| change.failure.is_none());
        for outcome in outcomes.iter().filter(|outcome| Some(outcome.epoch) == epoch).filter(wrote) {
            let written = outcome.link.as_ref().and_then(|link| link.usn_changed);
            self.usn_recorded = self.usn_recorded.zip(written).map(|(highest, written)| highest.max(written));
        }
    }
}

/// Uploads with operations of persons who have several open ones: only there must bodies be read, to tell which of
/// their values were left to write.
fn crowded(open: &[OpenOperation]) -> HashSet<UploadId> {
    let mut seen: HashMap<PersonId, u32> = HashMap::new();
    for person in open.iter().filter_map(|operation| operation.person) {
        *seen.entry(person).or_default() += 1;
    }
    open.iter()
        .filter(|operation| operation.person.is_some_and(|person| seen.get(&person).is_some_and(|count| *count > 1)))
        .map(|operation| operation.upload)
        .collect()
}

/// Builds one record batch. Pure: time and randomness are arguments.
pub(super) struct Recorder<'a> {
    pub(super) tenant: TenantId,
    pub(super) now: Timestamp,
    pub(super) cycle: uuid::Uuid,
    pub(super) random: &'a dyn Random,
    pub(super) schema_versions: HashMap<JobId, i64>,
    /// Until when the unique values of an account that is no more now are given to nobody else.
    pub(super) quarantine_ends: HashMap<JobId, Timestamp>,
    /// Under which version those who were given out were evaluated.
    pub(super) evaluated_under: HashMap<PersonId, i64>,
    /// When those of them are to be looked at again whose evaluation read the clock.
    pub(super) looks: HashMap<PersonId, Timestamp>,
    pub(super) persons: HashMap<PersonId, PersonUpdate>,
    pub(super) open: Vec<OpenOperation>,
    pub(super) bodies: HashMap<UploadId, Vec<Value>>,
    pub(super) touched: Vec<PersonId>,
    pub(super) batch: RecordBatch,
}

impl Recorder<'_> {
    pub(super) fn add(&mut self, outcome: &Outcome) {
        let Some(mut update) = self.persons.remove(&outcome.person) else {
            error!(person = %outcome.person, "an outcome of an unknown person was dropped");
            return;
        };
        let open: Vec<OpenOperation> = self
            .open
            .iter()
            .filter(|operation| operation.person == Some(outcome.person))
            .filter(|operation| operation.version.is_some_and(|version| version <= outcome.version))
            .cloned()
            .collect();
        let finished;
        let outcome = if update.person.pending.written && is_nothing_left(outcome, &update.person) {
            finished = Outcome { result: Conclusion::Done, ..outcome.clone() };
            &finished
        } else {
            outcome
        };
        let primary = self.log(outcome, &update, !open.is_empty());
        self.finish_operations(outcome, &update.person, &open, primary);
        self.update_person(outcome, &mut update);
        self.touched.push(outcome.person);
        self.persons.insert(outcome.person, update);
    }

    pub(super) fn finish(mut self) -> RecordBatch {
        self.touched.sort_unstable();
        self.touched.dedup();
        self.batch.persons = self.touched.iter().filter_map(|id| self.persons.remove(id)).collect();
        self.batch
    }

    /// A row for each change, and one for the outcome itself where it says more than they do; the row that decides.
    fn log(&mut self, outcome: &Outcome, update: &PersonUpdate, asked_for: bool) -> Option<LogId> {
        let waiting = outcome.waits_for_manager.is_some();
        let told = outcome.changes.iter().any(|change| change.failure.is_some());
        let own_row = match &outcome.result {
            Conclusion::Interrupted => false,
            Conclusion::Failed(_) => !told,
            // Looked at for a reason of our own and nothing to say: no row.
            Conclusion::Done | Conclusion::Skipped(_) => {
                (outcome.changes.is_empty() && asked_for) || (waiting && (asked_for || !outcome.changes.is_empty()))
            }
        };
        // The reservations stand on the outcome's own row, or else on that of the last change.
        let warned = outcome.changes.iter().rposition(|change| change.failure.is_none()).filter(|_| !own_row);
        let mut decisive = None;
        for (at, change) in outcome.changes.iter().enumerate() {
            if let Some(failure) = &change.failure {
                let mut row = self.change_row(outcome, update, change);
                set_failure(&mut row, failure);
                decisive = Some(row.id);
                self.batch.log.push(row);
                continue;
            }
            // A move and the modify that goes with it are one update to whoever reads the log.
            let joins = change.action == Action::Update && at > 0 && is_move(&outcome.changes[at - 1]);
            let mut row = match self.batch.log.pop_if(|_| joins) {
                Some(moved) => join(moved, change),
                None => self.change_row(outcome, update, change),
            };
            if Some(at) == warned {
                set_warnings(&mut row, outcome);
            }
            decisive = Some(row.id);
            self.batch.log.push(row);
        }
        if own_row {
            let mut row = self.row(outcome, update);
            match &outcome.result {
                Conclusion::Failed(failure) => set_failure(&mut row, failure),
                Conclusion::Skipped(code) => {
                    row.status = LogStatus::Skipped;
                    row.code = Some(*code);
                }
                Conclusion::Done | Conclusion::Interrupted => {}
            }
            if row.status != LogStatus::Failure {
                set_warnings(&mut row, outcome);
            }
            decisive = Some(row.id);
            self.batch.log.push(row);
        }
        decisive
    }

    fn change_row(&self, outcome: &Outcome, update: &PersonUpdate, change: &AppliedChange) -> LogRow {
        let mut row = self.row(outcome, update);
        row.change = change.id;
        row.at = change.at;
        row.duration_ms = change.duration_ms;
        row.action = change.action;
        row.guid = change.guid.or(row.guid);
        row.target_name = Some(change.dn.clone());
        row.details.properties.clone_from(&change.properties);
        row.details.confirmed_after_crash = change.confirmed_after_crash;
        row
    }

    fn row(&self, outcome: &Outcome, update: &PersonUpdate) -> LogRow {
        let person = &update.person;
        LogRow {
            id: LogId(self.random.uuid_v7(self.now)),
            tenant: self.tenant,
            job: update.job.clone(),
            change: outcome.id,
            cycle: self.cycle,
            at: outcome.ended,
            duration_ms: 0,
            action: Action::Other,
            status: LogStatus::Success,
            code: None,
            person: Some(person.id),
            version: Some(outcome.version),
            external_id: person.external_id.clone(),
            source_name: person.record.get("displayName").and_then(Value::as_str).map(str::to_owned),
            guid: outcome.link.as_ref().or(person.link.as_ref()).map(|link| link.guid),
            target_name: outcome.dn.clone(),
            details: LogDetails { cause: update.cause, ..LogDetails::default() },
        }
    }

    /// When to look at a person again without the directory. Of an outcome of other mappings than the job has now, or of
    /// unknown ones, that is at once: a walk may have passed the person while it was under way.
    fn next_look(&self, person: PersonId, job: &JobId) -> Option<Timestamp> {
        let is_current =
            self.evaluated_under.get(&person).is_some_and(|own| self.schema_versions.get(job) == Some(own));
        if is_current { self.looks.get(&person).copied() } else { Some(self.now) }
    }

    /// Every open operation that went into the version this outcome is about.
    fn finish_operations(&mut self, outcome: &Outcome, person: &Person, open: &[OpenOperation], log: Option<LogId>) {
        let Some((state, code)) = state_of(outcome) else { return };
        let Some(last) = open.iter().map(|operation| operation.row).max() else { return };
        for operation in open {
            let into = (operation.row != last).then_some(last);
            // A record that was merged further since says nothing about what this version wrote.
            let told = outcome.version == person.version && state.is_final();
            let superseded = into.is_some() && told && !self.survives(operation, &person.record);
            let (state, code) =
                if superseded { (OperationState::Superseded, Some(Code::Superseded)) } else { (state, code) };
            self.batch.operations.push(FinishedOperation {
                row: operation.row,
                state,
                code,
                person: operation.person,
                version: Some(outcome.version),
                merged_into: into,
                log,
            });
        }
    }

    fn survives(&self, operation: &OpenOperation, record: &serde_json::Map<String, Value>) -> bool {
        if operation.method == Method::Delete {
            return false;
        }
        let index = usize::try_from(operation.index).unwrap_or(usize::MAX);
        let data = self.bodies.get(&operation.upload).and_then(|all| all.get(index)?.as_object());
        data.is_none_or(|data| merge::survives(data, record) == Survival::Something)
    }

    fn update_person(&mut self, outcome: &Outcome, update: &mut PersonUpdate) {
        let job = update.job.clone();
        let key = fold(&update.person.external_id);
        let fulfilled = matches!(outcome.result, Conclusion::Done | Conclusion::Skipped(_));
        if unlink_deleted(&mut update.person, outcome) {
            self.batch.unlinked.push((outcome.person, outcome.version));
            let until = self.quarantine_ends.get(&job).copied().unwrap_or(self.now);
            self.batch.quarantined.push((outcome.person, until));
            update.unlinked = Some(outcome.version);
        }
        let is_known = update.person.link.is_some() || outcome.version != update.person.version;
        if update.due.is_none() && is_known {
            // Reported before, or broken off since: nothing is waiting for it, and what it saw is old.
            if note_moves(&mut update.person, outcome) {
                update.due = Some(self.now);
            }
            return;
        }
        // What was under way when the person lost their account names that account.
        let is_after = update.unlinked.is_none_or(|unlinked| outcome.version > unlinked);
        if is_after && set_link(&mut update.person, outcome, fulfilled) {
            self.batch.linked.push((job.clone(), key));
        }
        // As of today only where nobody knows any more: corrected since, the mappings may bring another value.
        let schema = self.evaluated_under.get(&outcome.person).or_else(|| self.schema_versions.get(&job));
        let schema = schema.copied().unwrap_or_default();
        note_refused(&mut update.person, outcome, schema);
        if outcome.version != update.person.version {
            // Something newer was merged meanwhile, which made the person due. What this run left the account as may
            // be older than what was recorded since, so it says nothing: the next look does.
            note_moves(&mut update.person, outcome);
            return;
        }
        if update.due.is_none() {
            return;
        }
        if update.person.link.is_none() && is_at_an_end(&outcome.result) {
            self.batch.released.push(outcome.person);
        }
        update.look = self.next_look(outcome.person, &job);
        match &outcome.result {
            Conclusion::Done | Conclusion::Skipped(_) => {
                // Planned before we were told that it was we who had moved the account.
                let misplaced = update.person.pending.moved && drifts(outcome, target::PARENT);
                fulfil(&mut update.person, outcome);
                update.quiet = self.evaluated_under.get(&outcome.person).copied().filter(|_| is_quiet(outcome));
                update.due = misplaced.then_some(self.now);
                update.person.pending.moved = misplaced;
                update.attempts = 0;
                update.urgent = false;
                update.cause = None;
                update.last_code = None;
                match outcome.waits_for_manager.as_deref().filter(|manager| can_be_somebody(manager)) {
                    Some(manager) => self.batch.waits.push((outcome.person, fold(manager))),
                    None => self.batch.waits_ended.push(outcome.person),
                }
            }
            Conclusion::Failed(failure) => {
                note_account(&mut update.person, outcome);
                note_writes(&mut update.person, outcome);
                let wait = backoff::wait_ms(failure.code, update.attempts, self.random);
                update.due = failure.code.is_transient().then(|| self.now.plus_ms(wait));
                if update.due.is_none() {
                    self.batch.waits_ended.push(outcome.person);
                }
                update.attempts = update.attempts.saturating_add(1);
                update.last_code = Some(failure.code);
            }
            Conclusion::Interrupted => {
                note_account(&mut update.person, outcome);
                note_writes(&mut update.person, outcome);
                update.due = Some(self.now);
            }
        }
    }
}

/// Whether nothing more is done until something new comes.
fn is_at_an_end(result: &Conclusion) -> bool {
    match result {
        Conclusion::Done | Conclusion::Skipped(_) => true,
        Conclusion::Failed(failure) => !failure.code.is_transient(),
        Conclusion::Interrupted => false,
    }
}

/// The state and code that an operation ends in, or is shown in until the next try; `None`: no change.
fn state_of(outcome: &Outcome) -> Option<(OperationState, Option<Code>)> {
    match &outcome.result {
        Conclusion::Done => Some((OperationState::Done, outcome.warnings.first().map(|warning| warning.code))),
        Conclusion::Skipped(code) => Some((OperationState::Skipped, Some(*code))),
        Conclusion::Failed(failure) if failure.code.is_transient() => {
            Some((OperationState::Retrying, Some(failure.code)))
        }
        Conclusion::Failed(failure) => Some((OperationState::Failed, Some(failure.code))),
        Conclusion::Interrupted => None,
    }
}

fn is_move(change: &AppliedChange) -> bool {
    matches!(change.action, Action::Move | Action::Rename) && change.failure.is_none()
}

/// The row of a move, grown by the modify that followed it. It keeps the move's change id, which is reported with the
/// same modify or not at all.
fn join(mut row: LogRow, modify: &AppliedChange) -> LogRow {
    row.action = Action::Update;
    row.duration_ms += modify.duration_ms;
    row.target_name = Some(modify.dn.clone());
    row.details.properties.extend(modify.properties.iter().cloned());
    row.details.confirmed_after_crash |= modify.confirmed_after_crash;
    row
}

fn set_failure(row: &mut LogRow, failure: &Failure) {
    row.status = LogStatus::Failure;
    row.code = Some(failure.code);
    row.details.failure = Some(failure.clone());
}

fn set_warnings(row: &mut LogRow, outcome: &Outcome) {
    row.details.warnings.clone_from(&outcome.warnings);
    row.details.drift.clone_from(&outcome.drift);
    if let Some(warning) = outcome.warnings.first() {
        if row.status == LogStatus::Success {
            row.status = LogStatus::Warning;
        }
        row.code = row.code.or(Some(warning.code));
    }
}

/// Takes the link over; whether the person has one now and had none before, or an unconfirmed one.
fn set_link(person: &mut Person, outcome: &Outcome, fulfilled: bool) -> bool {
    let Some(seen) = &outcome.link else { return false };
    let before = person.link.as_ref().is_some_and(|link| link.confirmed);
    if person.link.as_ref().is_some_and(|link| link.guid != seen.guid) {
        // A link is only ever changed by breaking it.
        error!(person = %person.id, linked = ?person.link, seen = ?seen.guid, "an outcome names another account");
        return false;
    }
    person.link = Some(Link { confirmed: before || fulfilled, ..seen.clone() });
    !before
}

/// Whether the outcome left nothing to do and nothing to tell. A link is what tells whether that is still so.
fn is_quiet(outcome: &Outcome) -> bool {
    outcome.warnings.is_empty() && outcome.drift.is_empty() && outcome.refused.is_empty() && outcome.link.is_some()
}

/// Whether a manager's `externalId` is one that a record could bring.
fn can_be_somebody(external_id: &str) -> bool {
    external_id.chars().count() <= limits::EXTERNAL_ID_CHARS_MAX && !external_id.chars().any(char::is_control)
}

/// What the directory now holds is confirmed from here on; what this run did not speak of stays as it was.
fn fulfil(person: &mut Person, outcome: &Outcome) {
    let waits = outcome.waits_for_manager.is_some();
    if let Some(seen) = &outcome.confirmed {
        person.refused.retain(|name, _| !seen.attributes.contains_key(name));
        let confirmed = person.confirmed.get_or_insert_default();
        confirmed.attributes.extend(seen.attributes.clone());
        if seen.container.is_some() {
            confirmed.container.clone_from(&seen.container);
        }
        confirmed.enabled = seen.enabled.or(confirmed.enabled);
        confirmed.in_scope = seen.in_scope.or(confirmed.in_scope);
        if seen.manager.is_some() {
            confirmed.attributes.remove("manager");
            confirmed.manager.clone_from(&seen.manager);
        }
        if waits || seen.attributes.get("manager").is_some_and(Vec::is_empty) {
            confirmed.manager = None;
        }
    }
    let left_enabled = outcome.confirmed.as_ref().and_then(|confirmed| confirmed.enabled) == Some(true);
    person.pending = Pending {
        method: person.pending.method,
        was_inactive: person.pending.was_inactive && !left_enabled,
        ..Pending::default()
    };
}

/// A refused value is not sent again until it, the mapping or the schema version changes.
fn note_refused(person: &mut Person, outcome: &Outcome, schema_version: i64) {
    for refused in &outcome.refused {
        let entry = Refused { values: refused.values.clone(), schema_version, reason: refused.failure.reason.clone() };
        person.refused.insert(refused.attribute.to_lowercase(), entry);
    }
}

/// Whether a look finds everything done that an earlier run, which did not end well, was to do. A deleted account leaves
/// nothing to look at.
fn is_nothing_left(outcome: &Outcome, person: &Person) -> bool {
    let deleted = person.pending.method == Method::Delete && person.link.is_none();
    let gone = [Code::NotLinked, Code::InactiveWithoutAccount].map(Conclusion::Skipped);
    outcome.result == NOTHING_LEFT || (deleted && gone.contains(&outcome.result))
}

/// Forgets an account that we deleted: nothing brings it back but the next operation, which matches or creates anew.
fn unlink_deleted(person: &mut Person, outcome: &Outcome) -> bool {
    let Some(linked) = person.link.as_ref().map(|link| link.guid) else { return false };
    let is_it = |change: &AppliedChange| {
        change.action == Action::Delete && change.failure.is_none() && change.guid == Some(linked)
    };
    if !outcome.changes.iter().any(is_it) {
        return false;
    }
    (person.link, person.confirmed) = (None, None);
    person.refused.clear();
    true
}

/// The look that finds everything in place.
const NOTHING_LEFT: Conclusion = Conclusion::Skipped(Code::RedundantExport);

fn note_writes(person: &mut Person, outcome: &Outcome) {
    person.pending.written |= outcome.changes.iter().any(|change| change.failure.is_none());
}

/// Values that one account has at a time.
const UNIQUE: &[&str] = &[target::CN, target::SAM_ACCOUNT_NAME, target::USER_PRINCIPAL_NAME];

/// Where not everything was fulfilled: a move that did reach the directory is ours, and what would undo it must not be
/// taken for somebody's move by hand. Whether there was one that is not known yet.
fn note_moves(person: &mut Person, outcome: &Outcome) -> bool {
    let Some(confirmed) = &mut person.confirmed else { return false };
    let mut moved = false;
    let made = outcome.changes.iter().filter(|change| change.failure.is_none());
    for property in made.filter(|change| change.action != Action::Create).flat_map(|change| &change.properties) {
        if property.name == target::PARENT {
            let known = confirmed.container.as_deref().map(Dn::from_directory);
            let new = property.new.first().map(|new| Dn::from_directory(new));
            moved |= !known.zip(new).is_some_and(|(known, new)| known.same_as(&new));
        } else if UNIQUE.iter().any(|unique| property.name.eq_ignore_ascii_case(unique)) {
            // It may have stepped aside for somebody (semantics `swap`), and must not be left there.
            confirmed.attributes.remove(&property.name.to_lowercase());
        }
    }
    person.pending.moved |= moved;
    moved
}

/// Whether the outcome left something of this name as it was found.
fn drifts(outcome: &Outcome, name: &str) -> bool {
    outcome.drift.iter().any(|drift| drift.name == name)
}

/// Where not everything was fulfilled: a disable or enable that did reach the directory is remembered as ours.
fn note_account(person: &mut Person, outcome: &Outcome) {
    note_moves(person, outcome);
    let Some(confirmed) = &mut person.confirmed else { return };
    for change in outcome.changes.iter().filter(|change| change.failure.is_none()) {
        match change.action {
            Action::Disable => confirmed.enabled = Some(false),
            Action::Enable => confirmed.enabled = Some(true),
            _ => {}
        }
    }
}
