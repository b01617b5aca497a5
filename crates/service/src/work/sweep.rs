//! Persons whom no operation asks for: the walk over all persons after their job's mappings have changed, and those
//! whose day has come.
//!
//! A person is evaluated here, without the directory, and only one for whom something is to be done becomes due, behind
//! everybody whom an operation asks for. The others cost neither a dispatch nor a row of the log.

use std::collections::BTreeMap;

use rollcall_engine::evaluate::{self, Evaluated, Surroundings};
use rollcall_engine::impact::{Effect, Impact, impact};
use rollcall_model::ids::JobId;
use rollcall_model::person::Pending;
use rollcall_model::{Timestamp, limits};
use rollcall_store::{Cause, Error, Fenced, LookedAt, PersonUpdate, Slice, Sweep, SweepState};
use tracing::info;

use super::domain::Worker;
use super::is_fresh;
use crate::moment;

/// What a worker remembers of walks and looks.
#[derive(Debug, Default)]
pub(super) struct Sweeping {
    /// Walks under way.
    walks: Vec<Sweep>,
    /// The number of all jobs' changes under which they were read; a pause raises it too.
    read: Option<i64>,
    /// When it was asked whose day has come and nobody's had, or other work was waiting.
    day_asked: Option<Timestamp>,
}

/// What would come of a person without an operation.
pub(crate) struct Judged {
    pub(crate) impact: Impact,
    /// Whether they are to be worked on: something is to be written, or what failed before may be mended.
    pub(crate) is_due: bool,
}

/// Holds an evaluation against what is known of its person.
pub(crate) fn judge(update: &PersonUpdate, evaluated: &Evaluated) -> Judged {
    let impact = impact(&update.person, &evaluated.evaluation);
    let is_due = match &impact {
        Impact::Writes(_) => true,
        Impact::Nothing => update.last_code.is_some(),
        // It was told before.
        Impact::Fails(failure) => update.last_code != Some(failure.code),
    };
    Judged { impact, is_due }
}

/// What is stored of an explicit re-evaluation. What was pending stays so: it may be a cause to enable, or a DELETE.
pub(crate) fn reevaluation(update: &PersonUpdate) -> LookedAt {
    LookedAt {
        person: update.person.id,
        version: update.person.version,
        due: Some(Cause::Reevaluation),
        pending: Some(Pending { reevaluate: true, ..update.person.pending.clone() }),
        look: update.look,
        urgent: false,
    }
}

/// Whether the day takes somebody's account away: that comes before everything else, as it does for an upload.
fn is_urgent(update: &PersonUpdate, judged: &Judged, now: Timestamp) -> bool {
    let Impact::Writes(writes) = &judged.impact else { return false };
    let takes_away = |effect: &Effect| matches!(effect, Effect::Disable | Effect::Delete);
    update.look.is_some_and(|look| look <= now) && writes.effects.iter().any(takes_away)
}

impl Worker {
    /// One slice of them; whether there was any. A walk goes on where little else waits. Whose day has come is seen
    /// beside any other work, at a slower pace: there may be leavers among them.
    pub(super) async fn look_around(&mut self) -> Result<bool, Error> {
        if self.jobs.is_empty() || self.releasing.is_some() {
            return Ok(false);
        }
        let waiting = self.waiting.len() + self.ready.len() + self.credit.len();
        let has_room = waiting < limits::SWEEP_WAITING_PERSONS_MAX;
        let looked = self.look_at_the_day().await?;
        if looked && !has_room {
            self.sweeping.day_asked = Some(self.options.clock.now());
        }
        Ok(looked || (has_room && self.walk().await?))
    }

    /// When a person is to be looked at again whose evaluation read the clock.
    pub(super) fn next_look(&self, job: &JobId, evaluated: &Evaluated, now: Timestamp) -> Option<Timestamp> {
        let zone = self.jobs.get(job).and_then(|ready| ready.job.config.time_zone.as_deref());
        // Expressions count days in UTC, so that its midnight can change what they yield, too.
        evaluated.read_clock.then(|| moment::next_midnight(now, zone).min(moment::next_midnight(now, None)))
    }

    /// Evaluates whose day has come.
    async fn look_at_the_day(&mut self) -> Result<bool, Error> {
        let now = self.options.clock.now();
        let Some(lease) = self.active.as_ref().map(|active| active.lease.clone()) else { return Ok(false) };
        if self.sweeping.day_asked.is_some_and(|asked| is_fresh(asked, limits::DAY_LOOK_MS, now)) {
            return Ok(false);
        }
        let jobs: Vec<JobId> = self.jobs.keys().cloned().collect();
        let persons = self.options.store.looks_due(&jobs, now, slice_len()).await?;
        if persons.is_empty() {
            self.sweeping.day_asked = Some(now);
            return Ok(false);
        }
        let mut looked_at = Vec::with_capacity(persons.len());
        for update in &persons {
            let Some(evaluated) = self.evaluate_alone(update, now) else { continue };
            let judged = judge(update, &evaluated);
            // Who is due is looked at by the outcome, too.
            let is_due = judged.is_due && update.due.is_none();
            let cause = if evaluated.read_clock { Cause::Clock } else { Cause::Schema };
            looked_at.push(LookedAt {
                due: is_due.then_some(cause),
                look: self.next_look(&update.job, &evaluated, now),
                pending: None,
                urgent: is_urgent(update, &judged, now),
                ..reevaluation(update)
            });
        }
        self.urgent_may_be_due |= looked_at.iter().any(|one| one.urgent);
        match self.options.store.looked(&lease, &looked_at, now).await? {
            Fenced::Done(()) => Ok(true),
            Fenced::Stale => {
                self.lose_lease();
                Ok(false)
            }
        }
    }

    /// One slice of a walk that is under way.
    async fn walk(&mut self) -> Result<bool, Error> {
        let Some(lease) = self.active.as_ref().map(|active| active.lease.clone()) else { return Ok(false) };
        if self.sweeping.read != self.jobs_version() {
            let jobs: Vec<JobId> = self.jobs.keys().cloned().collect();
            self.sweeping.read = self.jobs_version();
            self.sweeping.walks = self.options.store.sweeps(&jobs).await?;
            self.sweeping.walks.retain(|sweep| sweep.state == SweepState::Running);
        }
        // With mappings that are older than the walk's, it waits until the job is read again.
        let jobs = &self.jobs;
        let is_current =
            |sweep: &&Sweep| jobs.get(&sweep.job).is_some_and(|ready| ready.job.schema_version >= sweep.schema_version);
        let Some(sweep) = self.sweeping.walks.iter().find(is_current).cloned() else { return Ok(false) };
        let now = self.options.clock.now();
        let persons = self.options.store.persons_after(&sweep.job, sweep.position, slice_len()).await?;
        let slice = self.slice(sweep, &persons, now);
        self.urgent_may_be_due |= slice.looked_at.iter().any(|one| one.urgent);
        match self.options.store.walk(&lease, &slice, now).await? {
            Fenced::Done(was_stored) => self.walked(&slice, was_stored),
            Fenced::Stale => self.lose_lease(),
        }
        Ok(self.active.is_some())
    }

    fn slice(&self, sweep: Sweep, persons: &[(i64, PersonUpdate)], now: Timestamp) -> Slice {
        let (mut touched, mut failed, mut looked_at) = (0, 0, Vec::new());
        for (_, update) in persons {
            let Some(evaluated) = self.evaluate_alone(update, now) else { continue };
            let judged = judge(update, &evaluated);
            let fails = matches!(judged.impact, Impact::Fails(_));
            let is_asked_for = sweep.cause == Cause::Reevaluation && !is_nobodys(&evaluated);
            failed += i64::from(fails);
            touched += i64::from(is_asked_for || (judged.is_due && !fails));
            let look = self.next_look(&update.job, &evaluated, now);
            let urgent = is_urgent(update, &judged, now);
            if is_asked_for {
                looked_at.push(LookedAt { look, urgent, ..reevaluation(update) });
            } else if update.due.is_none() && (judged.is_due || look != update.look) {
                let due = judged.is_due.then_some(Cause::Schema);
                looked_at.push(LookedAt { due, look, pending: None, urgent, ..reevaluation(update) });
            }
        }
        let walked = i64::try_from(persons.len()).unwrap_or(i64::MAX);
        let to = persons.last().map_or(sweep.position, |(number, _)| *number);
        Slice { sweep, to, walked, touched, failed, is_last: walked < slice_len(), looked_at }
    }

    /// Goes on from there; what somebody else changed is read anew.
    fn walked(&mut self, slice: &Slice, was_stored: bool) {
        if !was_stored {
            self.sweeping.read = None;
            return;
        }
        if slice.is_last {
            let (job, total) = (&slice.sweep.job, slice.sweep.walked + slice.walked);
            info!(%job, persons = total, touched = slice.sweep.touched + slice.touched, "all persons were looked at");
            self.sweeping.walks.retain(|sweep| sweep.job != slice.sweep.job);
        }
        for sweep in self.sweeping.walks.iter_mut().filter(|sweep| sweep.job == slice.sweep.job) {
            sweep.position = slice.to;
            sweep.walked += slice.walked;
            sweep.touched += slice.touched;
            sweep.failed += slice.failed;
        }
    }

    /// An evaluation that needs to know nobody else: whom a manager's account belongs to is the dispatch's question.
    fn evaluate_alone(&self, update: &PersonUpdate, now: Timestamp) -> Option<Evaluated> {
        let ready = self.jobs.get(&update.job)?;
        let (secret, reserved) = (self.options.secrets.of(&update.job), BTreeMap::new());
        let surroundings = Surroundings { now, manager_link: None, secret: &secret, reserved: &reserved };
        Some(evaluate::evaluate(&ready.prepared, &update.person, &surroundings))
    }
}

/// Whether nothing would come of a re-evaluation.
fn is_nobodys(evaluated: &Evaluated) -> bool {
    matches!(evaluated.evaluation, evaluate::Evaluation::Skip(..))
}

fn slice_len() -> i64 {
    i64::try_from(limits::SWEEP_SLICE_PERSONS_MAX).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
