//! The writes of a batch: a few persons' at once, each person's own one after the other.

use std::sync::{Mutex, PoisonError};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use rollcall_engine::reconcile;
use rollcall_model::config::target;
use rollcall_model::ids::{ChangeId, Epoch, ObjectGuid};
use rollcall_model::outcome::AppliedChange;
use rollcall_model::plan::{Failure, Write, WriteRequest};
use rollcall_model::{Code, Dn, Timestamp, limits};

use super::Shared;
use super::batch::{Batch, Pass, UNANSWERED_MAX};
use super::gate::{Company, Rank, Ticket};
use super::task::{Fresh, Progress, Task};
use crate::Error;
use crate::apply::{Made, Writer, dn_of};
use crate::controller::Session;
use crate::journal::{Intent, Record};

/// What ends the writing of a batch before its end; the worst counts.
struct End(Mutex<Pass>);

impl End {
    fn is_reached(&self) -> bool {
        self.pass() != Pass::Complete
    }

    fn pass(&self) -> Pass {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reach(&self, pass: Pass) {
        let mut worst = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *worst = pass.max(*worst);
    }
}

impl Batch {
    /// Makes the planned writes. Whoever stands first in the batch is first in the queue.
    pub(super) async fn write(&mut self, session: &Session, rank: Rank) -> Result<Pass, Error> {
        let (shared, epoch) = (&*self.shared, self.epoch);
        let end = End(Mutex::new(Pass::Complete));
        let mut failed = Ok(());
        let mut under_way = FuturesUnordered::new();
        for task in self.tasks.iter_mut().filter(|task| task.progress == Progress::Planned) {
            if task.steps.is_empty() {
                task.written();
                continue;
            }
            let company = task.company();
            let ticket = shared.desk.gate.ticket(rank, company);
            under_way.push(Person { shared, session, epoch, end: &end, rank, company, task }.write(ticket));
        }
        while let Some(written) = under_way.next().await {
            if written.is_err() {
                // Without a journal nothing more is begun; what is under way ends.
                end.reach(Pass::Over);
                failed = failed.and(written);
            }
        }
        drop(under_way);
        failed.map(|()| end.pass())
    }
}

/// One person's writes.
struct Person<'a> {
    shared: &'a Shared,
    session: &'a Session,
    epoch: Epoch,
    end: &'a End,
    rank: Rank,
    company: Company,
    task: &'a mut Task,
}

impl Person<'_> {
    async fn write(mut self, first: Ticket) -> Result<(), Error> {
        let Shared { journal, fence, policy, random, stop, .. } = self.shared;
        let writer = Writer { session: self.session, fence, epoch: self.epoch, policy, random: &**random, stop };
        let mut ticket = Some(first);
        while let Some(intent) = self.task.steps.pop_front() {
            let again = || self.shared.desk.gate.ticket(self.rank.min(Rank::Begun), self.company);
            let mut ticket = ticket.take().unwrap_or_else(again);
            ticket.turn().await;
            if !self.shared.domain.is_current(self.session) {
                self.end.reach(Pass::Lost);
            }
            if self.end.is_reached() {
                self.task.steps.push_front(intent);
                return Ok(());
            }
            if !self.task.place.begin_write() {
                // Overtaken: whoever is next abandons what is journalled and was not sent.
                self.task.steps.clear();
                return Ok(());
            }
            let began = self.shared.clock.now();
            let noted = match writer.make(journal, &intent, &self.task.desired).await {
                Ok(made) => self.note(&intent, made, began),
                Err(error) => Err(error),
            };
            self.task.place.end_write();
            self.end.reach(noted?);
            drop(ticket);
            if !self.task.place.is_wanted() {
                self.shared.abandon(self.task)?;
                self.task.place.leave();
                return Ok(());
            }
        }
        if self.task.progress == Progress::Planned {
            self.task.written();
        }
        Ok(())
    }

    /// Takes note of how a write ended.
    fn note(&mut self, intent: &Intent, made: Made, began: Timestamp) -> Result<Pass, Error> {
        match made {
            Made::Done { write, refused } => {
                self.shared.domain.worked();
                let dn = self.task.place_of(&write);
                let guid = self.task.follow(intent.change, &write);
                self.result(intent.change, &write, guid, &dn, began, None)?;
                self.task.refused.extend(refused);
            }
            // Linked and completed as an account that is found.
            Made::Late { write, entry } => {
                let change = AppliedChange {
                    confirmed_after_crash: true,
                    ..self.applied(intent.change, &write, Some(entry.guid), &entry.dn, began)
                };
                self.shared.journal.append([Record::Result { change: Box::new(change) }])?;
                self.task.progress = Progress::Due;
                self.shared.abandon(self.task)?;
            }
            Made::Nothing { refused } => {
                self.shared.journal.append([Record::Abandoned { changes: vec![intent.change] }])?;
                self.task.refused.extend(refused);
            }
            Made::Failed { write, failure, refused } => {
                let failure = match self.task.refuse_name(&write, &failure) {
                    // Another value is chosen in the next pass.
                    Some(Ok(())) => return self.not_made(intent).map(|()| Pass::Complete),
                    Some(Err(failure)) => failure,
                    None => failure,
                };
                let guid = self.task.guid();
                let dn = self.task.place_of(&write);
                self.result(intent.change, &write, guid, &dn, began, Some(failure.clone()))?;
                self.task.refused.extend(refused);
                self.task.fail(failure);
                self.shared.abandon(self.task)?;
            }
            Made::Stale(failure) => {
                self.task.stale += 1;
                self.not_made(intent)?;
                if self.task.stale >= limits::STALE_PLAN_TRIES_MAX {
                    self.task.fail(Failure { code: Code::StalePlan, ..failure });
                }
            }
            Made::Unknown => {
                self.task.progress = Progress::Due;
                self.shared.abandon(self.task)?;
                self.unanswered("the directory ends the connection whenever this person is written");
                return Ok(Pass::Lost);
            }
            Made::Unavailable(trouble) => {
                self.shared.domain.lost_for(self.session, trouble);
                self.not_made(intent)?;
                // Others get through to it, or at least a bind does: this person may not hold everybody up for ever.
                self.unanswered("the directory is unavailable whenever this person is written");
                return Ok(Pass::Lost);
            }
            Made::Over => {
                self.not_made(intent)?;
                return Ok(Pass::Over);
            }
        }
        Ok(Pass::Complete)
    }

    /// The write was surely not made: the person is due again.
    fn not_made(&mut self, intent: &Intent) -> Result<(), Error> {
        self.task.progress = Progress::Due;
        self.task.steps.push_front(intent.clone());
        self.shared.abandon(self.task)
    }

    fn unanswered(&mut self, reason: &str) {
        self.task.unanswered += 1;
        if self.task.unanswered >= UNANSWERED_MAX {
            self.task.fail(Failure::new(Code::EndpointUnavailable, None, reason));
        }
    }

    /// Writes down an answer.
    fn result(
        &self,
        change: ChangeId,
        write: &Write,
        guid: Option<ObjectGuid>,
        dn: &Dn,
        began: Timestamp,
        failure: Option<Failure>,
    ) -> Result<(), Error> {
        let change = AppliedChange { failure, ..self.applied(change, write, guid, dn, began) };
        self.shared.journal.append([Record::Result { change: Box::new(change) }])
    }

    fn applied(
        &self,
        change: ChangeId,
        write: &Write,
        guid: Option<ObjectGuid>,
        dn: &Dn,
        began: Timestamp,
    ) -> AppliedChange {
        AppliedChange {
            id: change,
            action: write.action,
            at: began,
            duration_ms: self.shared.clock.now().ms_since(began).max(0),
            guid,
            dn: dn.as_str().to_owned(),
            properties: reconcile::properties(write),
            failure: None,
            confirmed_after_crash: false,
        }
    }
}

impl Task {
    /// Beside whom the writes may be under way. Of several on a connection that ended, who ends it shows only without
    /// company; and a name that one gives up is there for the next only once that is done.
    fn company(&self) -> Company {
        let renames = |intent: &Intent| matches!(intent.write.request, WriteRequest::Move { cn: Some(_), .. });
        if self.unanswered > 0 || self.steps.iter().any(renames) { Company::None } else { Company::Others }
    }

    /// Where the account is, or was to be, by a write. One that follows a move was planned for the name that was asked
    /// for, which may be another's.
    fn place_of(&self, write: &Write) -> Dn {
        match (&write.request, &self.seen) {
            (WriteRequest::Modify { .. } | WriteRequest::Delete { .. }, Some(seen)) => seen.dn.clone(),
            _ => dn_of(write),
        }
    }

    /// After a write: which object it was, as far as that is known.
    fn follow(&mut self, change: ChangeId, write: &Write) -> Option<ObjectGuid> {
        if let WriteRequest::Add { attributes, .. } = &write.request {
            let name = attributes.iter().find(|own| own.name.eq_ignore_ascii_case(target::SAM_ACCOUNT_NAME));
            let account_name = name.and_then(|own| own.values.first().cloned());
            self.fresh = Some(Fresh { change, dn: dn_of(write), account_name });
            return None;
        }
        let guid = self.guid();
        let dn = self.place_of(write);
        if let Some(seen) = &mut self.seen {
            seen.dn = dn;
            self.is_dirty = true;
        }
        if matches!(write.request, WriteRequest::Delete { .. }) {
            self.deleted();
        }
        guid
    }
}
