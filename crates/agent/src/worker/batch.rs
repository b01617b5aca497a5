//! A batch of desired states: observed together, planned, journalled with one sync, written one by one, reported.

use std::time::Duration;

use rollcall_directory::{Error as DirectoryError, Filter, Scope, Search};
use rollcall_engine::reconcile;
use rollcall_model::desired::{DesiredAccount, DesiredState};
use rollcall_model::ids::{ChangeId, Epoch, ObjectGuid, PersonId};
use rollcall_model::killpoint::KillPoint;
use rollcall_model::observed::{Observed, ObservedAccount, ObservedManager};
use rollcall_model::outcome::AppliedChange;
use rollcall_model::person::Link;
use rollcall_model::plan::{Failure, Write, WriteRequest};
use rollcall_model::{Code, limits};
use rollcall_wire::link::Claim;
use tokio::sync::oneshot;
use tracing::warn;

use super::Worker;
use super::task::{Progress, Seen, Task};
use crate::apply::{Made, Writer, change_id, dn_of};
use crate::controller::{Session, trouble, within};
use crate::journal::{Intent, Record};
use crate::link::Outgoing;
use crate::observe::{self, Found};
use crate::{Error, fault, recover};

/// Tries of a person whose writes get no answer before somebody should look: more would hold up everybody else.
const UNANSWERED_MAX: u32 = 4;
/// Looks at many persons that may miss the time limit before each is looked for alone.
const SLOW_TOGETHER_MAX: u32 = 2;
/// Wait before claims are sent again that got no answer.
const CLAIM_AGAIN_MS: u64 = 200;

/// How a pass over the batch ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    Complete,
    /// The directory gave no answer; go on when it is back.
    Lost,
    /// No more under this epoch.
    Over,
}

impl Worker {
    /// Makes desired states so and reports. What is not begun when the epoch ends is dropped without a word: whoever
    /// is active next is given it anew.
    pub(super) async fn work(&mut self, epoch: Epoch, items: Vec<DesiredState>) -> Result<(), Error> {
        let mut tasks = tasks(items);
        while !tasks.is_empty() {
            let session = tokio::select! {
                biased;
                () = self.stop.cancelled() => None,
                () = self.fence.over(epoch) => None,
                session = self.domain.session() => Some(session),
            };
            let Some(session) = session else { return self.give_up().await };
            let pass = self.pass(&session, epoch, &mut tasks).await?;
            self.conclude(&session, epoch, &mut tasks, pass).await?;
            match pass {
                Pass::Complete => self.domain.worked(),
                Pass::Lost => self.domain.lost(&session),
                Pass::Over => return self.give_up().await,
            }
        }
        Ok(())
    }

    /// Observes, plans, journals and writes, as far as it comes.
    async fn pass(&mut self, session: &Session, epoch: Epoch, tasks: &mut [Task]) -> Result<Pass, Error> {
        // A write of an earlier pass whose answer was lost.
        if !recover::settle(&mut self.journal, session, &*self.clock).await? {
            return Ok(Pass::Lost);
        }
        match self.observe(session, epoch, tasks).await {
            Pass::Complete => {}
            ended => return Ok(ended),
        }
        let steps: Vec<Intent> = tasks.iter().flat_map(|task| task.steps.iter().cloned()).collect();
        self.intend(steps).await?;
        let mut pass = self.write(session, epoch, tasks).await?;
        if pass == Pass::Complete && self.plan_managers(epoch, tasks) {
            let steps: Vec<Intent> = tasks.iter().flat_map(|task| task.steps.iter().cloned()).collect();
            self.intend(steps).await?;
            pass = self.write(session, epoch, tasks).await?;
        }
        Ok(pass)
    }

    /// Puts intents on disk: one sync for a whole window of writes.
    async fn intend(&mut self, steps: Vec<Intent>) -> Result<(), Error> {
        if steps.is_empty() {
            return Ok(());
        }
        self.journal.append(steps.into_iter().map(|intent| Record::Intent { intent: Box::new(intent) }))?;
        fault::reached(KillPoint::BeforeJournalSync);
        self.journal.sync().await?;
        fault::reached(KillPoint::AfterJournalSync);
        Ok(())
    }

    /// Looks everybody up who is due, has matching accounts claimed, and plans.
    async fn observe(&mut self, session: &Session, epoch: Epoch, tasks: &mut [Task]) -> Pass {
        let due: Vec<usize> = (0..tasks.len()).filter(|at| tasks[*at].progress == Progress::Due).collect();
        let mut seen: Vec<(usize, observe::Seen)> = vec![];
        let (mut alone, due): (Vec<usize>, Vec<usize>) =
            due.into_iter().partition(|at| tasks[*at].slow_looks >= SLOW_TOGETHER_MAX);
        let together: Vec<&DesiredState> = due.iter().map(|at| &tasks[*at].desired).collect();
        match self.look(session, &together).await {
            Ok(found) => seen.extend(due.into_iter().zip(found)),
            Err(error) if is_lost(&error) => {
                let slow = u32::from(error.code() == Code::TimeOut);
                for at in due {
                    tasks[at].slow_looks += slow;
                }
                return Pass::Lost;
            }
            // One value may have spoilt the search of all: each for itself, and only the guilty one fails.
            Err(error) => {
                warn!(%error, persons = due.len(), "a search for many was refused; each is looked for alone");
                alone.extend(due);
            }
        }
        for at in alone {
            match self.look(session, &[&tasks[at].desired]).await {
                Ok(found) => seen.extend(found.into_iter().map(|found| (at, found))),
                Err(error) if is_lost(&error) => {
                    tasks[at].slow_looks += u32::from(error.code() == Code::TimeOut);
                    if tasks[at].slow_looks >= SLOW_TOGETHER_MAX + UNANSWERED_MAX {
                        tasks[at].fail(trouble(&error));
                    }
                    return Pass::Lost;
                }
                Err(error) => tasks[at].fail(trouble(&error)),
            }
        }
        let claims: Vec<Claim> = seen
            .iter()
            .filter_map(|(at, seen)| match &seen.account {
                Found::Unclaimed(entry) => Some(Claim { person: tasks[*at].desired.person, guid: entry.guid }),
                _ => None,
            })
            .collect();
        let Some(granted) = self.claim(epoch, claims).await else { return Pass::Over };
        for (at, seen) in seen {
            let account = match seen.account {
                Found::Linked(entry) => ObservedAccount::Linked(entry),
                Found::LinkGone => ObservedAccount::LinkGone,
                Found::Absent => ObservedAccount::Absent,
                Found::Several(names) => ObservedAccount::Several(names),
                Found::Unclaimed(entry) if granted.contains(&(tasks[at].desired.person, entry.guid)) => {
                    ObservedAccount::Matched(entry)
                }
                Found::Unclaimed(entry) => ObservedAccount::ClaimedByAnother(entry.dn),
            };
            tasks[at].manager = match &seen.manager {
                ObservedManager::Found(dn) => Some(dn.clone()),
                ObservedManager::NotAsked | ObservedManager::NotFound => None,
            };
            let (random, now) = (&*self.random, self.clock.now());
            let observed = Observed { account, manager: seen.manager };
            tasks[at].plan(&observed, epoch, || change_id(random, now));
        }
        Pass::Complete
    }

    async fn look(&self, session: &Session, persons: &[&DesiredState]) -> Result<Vec<observe::Seen>, DirectoryError> {
        if persons.is_empty() {
            return Ok(vec![]);
        }
        observe::observe(&*session.directory, &session.root.default_naming_context, persons).await
    }

    /// Asks whether matching accounts may be these persons'; those that may. `None`: the epoch is over.
    async fn claim(&mut self, epoch: Epoch, claims: Vec<Claim>) -> Option<Vec<(PersonId, ObjectGuid)>> {
        if claims.is_empty() {
            return Some(vec![]);
        }
        let limit = Duration::from_millis(limits::LINK_SILENCE_MS_MAX.unsigned_abs());
        let answers = loop {
            let (answer, answered) = oneshot::channel();
            let _ = self.outgoing.send(Outgoing::Claims { epoch, claims: claims.clone(), answer }).await;
            tokio::select! {
                () = self.stop.cancelled() => return None,
                () = self.fence.over(epoch) => return None,
                answers = tokio::time::timeout(limit, answered) => match answers {
                    Ok(Ok(answers)) => break answers,
                    // The link is down, or was; while the epoch lasts, asking again does no harm.
                    Ok(Err(_)) | Err(_) => tokio::time::sleep(Duration::from_millis(CLAIM_AGAIN_MS)).await,
                },
            }
        };
        Some(answers.into_iter().filter(|answer| answer.granted).map(|answer| (answer.person, answer.guid)).collect())
    }

    /// Makes the planned writes, person after person.
    async fn write(&mut self, session: &Session, epoch: Epoch, tasks: &mut [Task]) -> Result<Pass, Error> {
        let (fence, random, stop) = (self.fence.clone(), self.random.clone(), self.stop.clone());
        let writer = Writer { session, fence: &fence, epoch, random: &*random, stop: &stop };
        for at in 0..tasks.len() {
            while let Some(intent) = tasks[at].steps.pop_front() {
                let began = self.clock.now();
                let made = writer.make(&mut self.journal, &intent, &tasks[at].desired).await?;
                match self.made(&mut tasks[at], &intent, made, began, session).await? {
                    Pass::Complete => {}
                    ended => {
                        self.unplan(tasks)?;
                        return Ok(ended);
                    }
                }
            }
            if tasks[at].progress == Progress::Planned && !tasks[at].manager_is_due {
                tasks[at].progress = Progress::Ended(None);
            }
        }
        Ok(Pass::Complete)
    }

    /// Takes note of how a write ended.
    async fn made(
        &mut self,
        task: &mut Task,
        intent: &Intent,
        made: Made,
        began: rollcall_model::Timestamp,
        session: &Session,
    ) -> Result<Pass, Error> {
        match made {
            Made::Done { write, refused } => {
                self.domain.worked();
                let (guid, dn) = (self.follow(task, &write, session).await, dn_of(&write));
                self.result(intent.change, &write, guid, &dn, began, None)?;
                task.refused.extend(refused);
                if guid.is_none() {
                    return self.look_again(task);
                }
            }
            // Linked and completed as an account that is found.
            Made::Late { write, entry } => {
                let change = AppliedChange {
                    confirmed_after_crash: true,
                    ..self.applied(intent.change, &write, Some(entry.guid), &entry.dn, began)
                };
                self.journal.append([Record::Result { change: Box::new(change) }])?;
                task.progress = Progress::Due;
                self.abandon(task)?;
            }
            Made::Nothing { refused } => {
                self.journal.append([Record::Abandoned { changes: vec![intent.change] }])?;
                task.refused.extend(refused);
            }
            Made::Failed { write, failure, refused } => {
                self.result(intent.change, &write, task.guid(), &dn_of(&write), began, Some(failure.clone()))?;
                task.refused.extend(refused);
                task.fail(failure);
                self.abandon(task)?;
            }
            Made::Stale(failure) => {
                task.stale += 1;
                task.progress = Progress::Due;
                task.steps.push_front(intent.clone());
                self.abandon(task)?;
                if task.stale >= limits::STALE_PLAN_TRIES_MAX {
                    task.fail(Failure { code: Code::StalePlan, ..failure });
                }
            }
            Made::Unknown => {
                task.unanswered += 1;
                task.progress = Progress::Due;
                self.abandon(task)?;
                if task.unanswered >= UNANSWERED_MAX {
                    let reason = "the directory ends the connection whenever this person is written";
                    task.fail(Failure::new(Code::EndpointUnavailable, None, reason));
                }
                return Ok(Pass::Lost);
            }
            Made::Unavailable(trouble) => {
                self.domain.lost_for(session, trouble);
                task.unanswered += 1;
                task.progress = Progress::Due;
                task.steps.push_front(intent.clone());
                self.abandon(task)?;
                // Others get through to it, or at least a bind does: this person may not hold everybody up for ever.
                if task.unanswered >= UNANSWERED_MAX {
                    let reason = "the directory is unavailable whenever this person is written";
                    task.fail(Failure::new(Code::EndpointUnavailable, None, reason));
                }
                return Ok(Pass::Lost);
            }
            Made::Over => {
                task.progress = Progress::Due;
                task.steps.push_front(intent.clone());
                self.abandon(task)?;
                return Ok(Pass::Over);
            }
        }
        Ok(Pass::Complete)
    }

    /// A made account that could not be read back is found by its matching value with the next connection, and then
    /// linked and completed.
    fn look_again(&mut self, task: &mut Task) -> Result<Pass, Error> {
        task.unanswered += 1;
        task.progress = Progress::Due;
        self.abandon(task)?;
        if task.unanswered >= UNANSWERED_MAX {
            let reason = "the new account cannot be read back";
            task.fail(Failure::new(Code::EndpointUnavailable, None, reason));
        }
        Ok(Pass::Lost)
    }

    /// After a write: which object it was, and where it now is. A new account is read back.
    async fn follow(&self, task: &mut Task, write: &Write, session: &Session) -> Option<ObjectGuid> {
        if matches!(write.request, WriteRequest::Add { .. }) {
            let search = Search {
                base: dn_of(write),
                scope: Scope::Base,
                filter: Filter::Present("objectClass".to_owned()),
                attributes: vec!["objectClass".to_owned()],
            };
            let entry = within(session.directory.search(&search)).await.ok().and_then(|found| found.into_iter().next());
            task.seen = entry.as_ref().map(Seen::of);
            if let Some(entry) = entry {
                task.desired.link =
                    Some(Link { guid: entry.guid, confirmed: false, invocation_id: None, usn_changed: None });
                task.manager_is_due = task.manager.is_some();
            }
        } else if let Some(seen) = &mut task.seen {
            seen.dn = dn_of(write);
        }
        task.seen.as_ref().map(|seen| seen.guid)
    }

    /// Writes down an answer.
    fn result(
        &mut self,
        change: ChangeId,
        write: &Write,
        guid: Option<ObjectGuid>,
        dn: &rollcall_model::Dn,
        began: rollcall_model::Timestamp,
        failure: Option<Failure>,
    ) -> Result<(), Error> {
        let change = AppliedChange { failure, ..self.applied(change, write, guid, dn, began) };
        self.journal.append([Record::Result { change: Box::new(change) }])
    }

    fn applied(
        &self,
        change: ChangeId,
        write: &Write,
        guid: Option<ObjectGuid>,
        dn: &rollcall_model::Dn,
        began: rollcall_model::Timestamp,
    ) -> AppliedChange {
        AppliedChange {
            id: change,
            action: write.action,
            at: began,
            duration_ms: self.clock.now().ms_since(began).max(0),
            guid,
            dn: dn.as_str().to_owned(),
            properties: reconcile::properties(write),
            failure: None,
            confirmed_after_crash: false,
        }
    }

    /// The second write of new accounts: their manager. `false` where there is none to set.
    fn plan_managers(&mut self, epoch: Epoch, tasks: &mut [Task]) -> bool {
        let mut any = false;
        for task in tasks.iter_mut().filter(|task| task.manager_is_due) {
            task.manager_is_due = false;
            let write = task.seen.as_ref().zip(task.manager.as_ref()).and_then(|(seen, manager)| {
                reconcile::manager_after_create(&task.desired, seen.guid, &seen.dn, manager)
            });
            match write {
                Some(write) => {
                    let change = change_id(&*self.random, self.clock.now());
                    let intent = task.intent(write, epoch, change);
                    task.steps.push_back(intent);
                    any = true;
                }
                None => task.progress = Progress::Ended(None),
            }
        }
        any
    }

    /// The steps of a task are not made, and will not be.
    fn abandon(&mut self, task: &mut Task) -> Result<(), Error> {
        let changes: Vec<ChangeId> = task.steps.drain(..).map(|intent| intent.change).collect();
        if changes.is_empty() { Ok(()) } else { self.journal.append([Record::Abandoned { changes }]) }
    }

    /// Who was planned and not written is due again.
    fn unplan(&mut self, tasks: &mut [Task]) -> Result<(), Error> {
        for task in tasks.iter_mut().filter(|task| task.progress == Progress::Planned) {
            self.abandon(task)?;
            task.manager_is_due = false;
            task.progress = Progress::Due;
        }
        Ok(())
    }

    /// Reports on tasks that have ended, and takes them out.
    async fn conclude(
        &mut self,
        session: &Session,
        epoch: Epoch,
        tasks: &mut Vec<Task>,
        pass: Pass,
    ) -> Result<(), Error> {
        let open = |person: PersonId, worker: &Self| {
            worker.journal.state().open.iter().any(|open| open.intent.person == person && open.result.is_none())
        };
        let (mut ended, rest): (Vec<Task>, Vec<Task>) =
            // A write without an answer is looked up before its person is reported.
            std::mem::take(tasks).into_iter().partition(|task| task.is_ended() && !open(task.desired.person, self));
        *tasks = rest;
        if pass == Pass::Complete {
            self.read_back(session, &mut ended).await;
        }
        let mut outcomes = vec![];
        for task in ended {
            let person = task.desired.person;
            let own = self.journal.state().open.iter().filter(|open| open.intent.person == person);
            let mut changes: Vec<AppliedChange> = own.filter_map(|open| open.result.clone()).collect();
            // An account that could not be read back at first.
            for change in changes.iter_mut().filter(|change| change.failure.is_none()) {
                change.guid = change.guid.or(task.seen.as_ref().map(|seen| seen.guid));
            }
            let now = self.clock.now();
            let id = change_id(&*self.random, now);
            outcomes.push(task.outcome(id, epoch, now, changes, &session.root.invocation_id));
        }
        self.journal.append(outcomes.iter().map(|outcome| Record::Outcome { outcome: Box::new(outcome.clone()) }))?;
        self.report(outcomes).await
    }

    /// `uSNChanged` and DN of the accounts that were written, in one search.
    async fn read_back(&self, session: &Session, ended: &mut [Task]) {
        let written = |person: PersonId| {
            let own = self.journal.state().open.iter().filter(|open| open.intent.person == person);
            own.filter_map(|open| open.result.as_ref()).any(|result| result.failure.is_none())
        };
        let guids: Vec<ObjectGuid> = ended
            .iter()
            .filter(|task| written(task.desired.person))
            .filter_map(|task| task.seen.as_ref().map(|seen| seen.guid))
            .collect();
        if guids.is_empty() {
            return;
        }
        let search = Search {
            base: session.root.default_naming_context.clone(),
            scope: Scope::Subtree,
            filter: Filter::Or(guids.into_iter().map(Filter::Guid).collect()),
            attributes: vec!["objectClass".to_owned()],
        };
        // Without an answer the outcome is reported all the same; the next look then reads the account.
        let Ok(entries) = within(session.directory.search(&search)).await else { return };
        for seen in ended.iter_mut().filter_map(|task| task.seen.as_mut()) {
            if let Some(entry) = entries.iter().find(|entry| entry.guid == seen.guid) {
                *seen = Seen::of(entry);
            }
        }
    }

    /// The epoch is over, or the agent is being stopped. What reached the directory is reported; a write whose answer
    /// is unknown is looked up with the next connection.
    async fn give_up(&mut self) -> Result<(), Error> {
        let outcomes = recover::interrupt(&mut self.journal, &*self.clock, &*self.random)?;
        self.report(outcomes).await
    }
}

/// Disables first: nothing else may hold them up. Of two states of one person the newer counts.
fn tasks(items: Vec<DesiredState>) -> Vec<Task> {
    let mut newest: Vec<DesiredState> = vec![];
    for item in items {
        match newest.iter_mut().find(|known| known.person == item.person) {
            Some(known) if known.version < item.version => *known = item,
            Some(_) => {}
            None => newest.push(item),
        }
    }
    newest.sort_by_key(|desired| desired.account != DesiredAccount::Disabled);
    newest.into_iter().map(Task::new).collect()
}

/// Whether the directory takes no requests of ours now, whatever they are about.
fn is_lost(error: &DirectoryError) -> bool {
    match error {
        DirectoryError::Unreachable { .. } | DirectoryError::NotSent { .. } => true,
        DirectoryError::Refused { code, .. } => matches!(code, Code::BindRefused | Code::EndpointUnavailable),
    }
}
