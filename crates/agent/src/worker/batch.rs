//! A batch of desired states: observed together, planned, journalled with one sync, written a few at a time, reported.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use rollcall_directory::Error as DirectoryError;
use rollcall_engine::reconcile;
use rollcall_model::desired::DesiredState;
use rollcall_model::ids::{Epoch, ObjectGuid, PersonId};
use rollcall_model::observed::{Observed, ObservedAccount, ObservedManager};
use rollcall_model::plan::{Failure, Plan, WriteRequest};
use rollcall_model::{Code, limits};
use rollcall_wire::link::{Claim, Lane};
use tokio::sync::oneshot;
use tracing::warn;

use super::gate::Rank;
use super::task::{Progress, Task};
use super::{Ahead, Shared};
use crate::apply::change_id;
use crate::controller::{Session, trouble};
use crate::journal::{Intent, Open};
use crate::link::Outgoing;
use crate::observe::{self, Found};
use crate::{Error, recover};

/// Tries of a person whose writes get no answer before somebody should look: more would hold up everybody else.
pub(super) const UNANSWERED_MAX: u32 = 4;
/// Looks at many persons that may go without an answer before each is looked for alone.
const LOST_TOGETHER_MAX: u32 = 2;
/// Passes in which a person waits for others of the batch to give up a name. In each of them somebody does, and a person
/// has three names at most; beyond that somebody does not.
const HELD_MAX: usize = 3 * limits::BATCH_PERSONS_MAX;
/// Wait before a question is sent again that got no answer.
const ASK_AGAIN_MS: u64 = 200;

/// How a pass over the batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pass {
    Complete,
    /// The directory gave no answer; go on when it is back.
    Lost,
    /// No more under this epoch.
    Over,
}

/// Persons who go the way together.
pub(super) struct Batch {
    pub(super) shared: Arc<Shared>,
    pub(super) epoch: Epoch,
    pub(super) lane: Lane,
    pub(super) tasks: Vec<Task>,
    /// Until its first writes are made.
    pub(super) ahead: Option<Ahead>,
}

impl Batch {
    /// Makes desired states so and reports. What is not begun when the epoch ends is dropped without a word: whoever
    /// is active next is given it anew.
    pub(super) async fn run(mut self) -> Result<(), Error> {
        while !self.tasks.is_empty() {
            let session = tokio::select! {
                biased;
                () = self.shared.stop.cancelled() => None,
                () = self.shared.fence.over(self.epoch) => None,
                session = self.shared.domain.session() => Some(session),
            };
            let Some(session) = session else { return self.give_up().await };
            let pass = self.pass(&session).await?;
            self.conclude(&session, pass).await?;
            match pass {
                Pass::Complete => self.shared.domain.worked(),
                Pass::Lost => self.shared.domain.lost(&session),
                Pass::Over => return self.give_up().await,
            }
        }
        Ok(())
    }

    /// Observes, plans, journals and writes, as far as it comes.
    async fn pass(&mut self, session: &Session) -> Result<Pass, Error> {
        let mut pass = self.prepare(session).await?;
        if pass == Pass::Complete {
            let rank = if self.lane == Lane::Urgent { Rank::Urgent } else { Rank::Normal };
            pass = self.write(session, rank).await?;
        }
        if pass == Pass::Complete {
            // The next batch may be looked up.
            self.ahead = None;
            pass = self.follow_up(session).await?;
        }
        if pass != Pass::Complete {
            self.unplan()?;
        }
        Ok(pass)
    }

    /// Observes, plans and journals.
    async fn prepare(&mut self, session: &Session) -> Result<Pass, Error> {
        let shared = self.shared.clone();
        // A write of an earlier pass, or of work that was overtaken, whose answer was lost.
        let persons: HashSet<PersonId> = self.wanted().map(|task| task.desired.person).collect();
        let is_own = |person| persons.contains(&person);
        if !recover::settle(&shared.journal, session, &*shared.clock, &shared.stop, is_own).await? {
            return Ok(Pass::Lost);
        }
        // A deletion among them is done: to look for the account again would be to find it gone.
        for task in self.tasks.iter_mut().filter(|task| task.progress == Progress::Due) {
            let is_done = |open: &Open| open.intent.version == task.desired.version && is_deleted(open);
            if shared.journal.open_of(task.desired.person).iter().any(is_done) {
                task.deleted();
            }
        }
        match self.observe(session).await {
            Pass::Complete => {}
            ended => return Ok(ended),
        }
        let steps: Vec<Intent> = self.wanted().flat_map(|task| task.steps.iter().cloned()).collect();
        shared.intend(steps).await?;
        Ok(Pass::Complete)
    }

    /// The tasks that nobody has overtaken.
    pub(super) fn wanted(&self) -> impl Iterator<Item = &Task> {
        self.tasks.iter().filter(|task| task.place.is_wanted())
    }

    /// Looks everybody up who is due, has matching accounts claimed, and plans.
    async fn observe(&mut self, session: &Session) -> Pass {
        let awaited = &self.shared.replication;
        let is_pending = awaited.is_pending(&*session.reader, &session.root.invocation_id).await;
        let Some(mut seen) = self.look_up(session).await else { return Pass::Lost };
        if is_pending {
            seen.retain(|(at, seen)| {
                let is_there = !matches!(seen.account, Found::Absent | Found::LinkGone);
                if !is_there {
                    let reason = "the account is not found on the new writing controller, which does not have \
                                  everything of the one before yet; it is looked for again";
                    self.tasks[*at].fail(Failure::new(Code::NotYetReplicated, None, reason));
                }
                is_there
            });
        }
        let claims: Vec<Claim> = seen
            .iter()
            .filter_map(|(at, seen)| match &seen.account {
                Found::Unclaimed(entry) => Some(Claim { person: self.tasks[*at].desired.person, guid: entry.guid }),
                _ => None,
            })
            .collect();
        let Some(granted) = self.claim(claims).await else { return Pass::Over };
        let absent: Vec<usize> =
            seen.iter().filter(|(_, seen)| seen.account == Found::Absent).map(|(at, _)| *at).collect();
        match self.choose_names(session, &absent).await {
            Pass::Complete => {}
            ended => return ended,
        }
        let shared = self.shared.clone();
        for (at, seen) in seen {
            let task = &mut self.tasks[at];
            if !task.place.is_wanted() || task.is_ended() {
                continue;
            }
            let account = match seen.account {
                Found::Linked(entry) => ObservedAccount::Linked(entry),
                Found::LinkGone => ObservedAccount::LinkGone,
                Found::Absent => ObservedAccount::Absent,
                Found::Several(names) => ObservedAccount::Several(names),
                Found::Unclaimed(entry) if granted.contains(&(task.desired.person, entry.guid)) => {
                    ObservedAccount::Matched(entry)
                }
                Found::Unclaimed(entry) => ObservedAccount::ClaimedByAnother(entry.dn),
            };
            task.manager = match &seen.manager {
                ObservedManager::Found(dn) => Some(dn.clone()),
                ObservedManager::NotAsked | ObservedManager::NotFound => None,
            };
            let now = shared.clock.now();
            let observed = Observed { account, manager: seen.manager };
            task.plan(&observed, self.epoch, &shared.policy, || change_id(&*shared.random, now));
        }
        self.take_turns();
        Pass::Complete
    }

    /// Persons who want each other's names go one after the other. Whoever waits is looked up anew in the next pass.
    fn take_turns(&mut self) {
        let shared = self.shared.clone();
        let may_wait = |task: &&mut Task| task.place.is_wanted() && task.held < HELD_MAX && task.planned().is_some();
        let mut tasks: Vec<&mut Task> = self.tasks.iter_mut().filter(may_wait).collect();
        let plans: Vec<&Plan> = tasks.iter().filter_map(|task| task.planned()).collect();
        let turns = reconcile::turns(&plans);
        for (task, turn) in tasks.iter_mut().zip(turns) {
            let now = shared.clock.now();
            task.take_turn(turn, self.epoch, &shared.policy, || change_id(&*shared.random, now));
        }
    }

    /// Accounts and managers of everybody who is due, by place in the batch. `None`: the directory gave no answer.
    async fn look_up(&mut self, session: &Session) -> Option<Vec<(usize, observe::Seen)>> {
        let tasks = &mut self.tasks;
        let is_due = |task: &Task| task.progress == Progress::Due && task.place.is_wanted();
        let due: Vec<usize> = (0..tasks.len()).filter(|at| is_due(&tasks[*at])).collect();
        let mut seen: Vec<(usize, observe::Seen)> = vec![];
        let (mut alone, due): (Vec<usize>, Vec<usize>) =
            due.into_iter().partition(|at| tasks[*at].lost_looks >= LOST_TOGETHER_MAX);
        let together: Vec<&DesiredState> = due.iter().map(|at| &tasks[*at].desired).collect();
        match look(session, &together).await {
            Ok(found) => seen.extend(due.into_iter().zip(found)),
            Err(error) if is_lost(&error) => {
                for at in due {
                    tasks[at].lost_looks += 1;
                }
                return None;
            }
            // One value may have spoilt the search of all: each for itself, and only the guilty one fails.
            Err(error) => {
                warn!(%error, persons = due.len(), "a search for many was refused; each is looked for alone");
                alone.extend(due);
            }
        }
        for at in alone {
            match look(session, &[&tasks[at].desired]).await {
                Ok(found) => seen.extend(found.into_iter().map(|found| (at, found))),
                Err(error) if is_lost(&error) => {
                    tasks[at].lost_looks += 1;
                    if tasks[at].lost_looks >= LOST_TOGETHER_MAX + UNANSWERED_MAX {
                        tasks[at].fail(trouble(&error));
                    }
                    return None;
                }
                Err(error) => tasks[at].fail(trouble(&error)),
            }
        }
        for (at, _) in &seen {
            tasks[*at].lost_looks = 0;
        }
        Some(seen)
    }

    /// Asks whether matching accounts may be these persons'; those that may. `None`: the epoch is over.
    async fn claim(&self, claims: Vec<Claim>) -> Option<HashSet<(PersonId, ObjectGuid)>> {
        if claims.is_empty() {
            return Some(HashSet::new());
        }
        let epoch = self.epoch;
        let answers = self.ask(|answer| Outgoing::Claims { epoch, claims: claims.clone(), answer }).await?;
        Some(answers.into_iter().filter(|answer| answer.granted).map(|answer| (answer.person, answer.guid)).collect())
    }

    /// Asks the service until it answers. `None`: the epoch is over.
    pub(super) async fn ask<T>(&self, question: impl Fn(oneshot::Sender<Vec<T>>) -> Outgoing) -> Option<Vec<T>> {
        let (shared, epoch) = (&*self.shared, self.epoch);
        let limit = Duration::from_millis(limits::LINK_SILENCE_MS_MAX.unsigned_abs());
        loop {
            let (answer, answered) = oneshot::channel();
            let _ = shared.outgoing.send(question(answer)).await;
            tokio::select! {
                () = shared.stop.cancelled() => return None,
                () = shared.fence.over(epoch) => return None,
                answers = tokio::time::timeout(limit, answered) => match answers {
                    Ok(Ok(answers)) => return Some(answers),
                    // The link is down, or was; while the epoch lasts, asking again does no harm.
                    Ok(Err(_)) | Err(_) => tokio::time::sleep(Duration::from_millis(ASK_AGAIN_MS)).await,
                },
            }
        }
    }

    /// Who was planned and not written is due again; so is whoever's new account was not read back.
    fn unplan(&mut self) -> Result<(), Error> {
        for task in self.tasks.iter_mut().filter(|task| task.progress == Progress::Planned) {
            self.shared.abandon(task)?;
            task.fresh = None;
            task.progress = Progress::Due;
        }
        Ok(())
    }
}

async fn look(session: &Session, persons: &[&DesiredState]) -> Result<Vec<observe::Seen>, DirectoryError> {
    if persons.is_empty() {
        return Ok(vec![]);
    }
    observe::observe(&*session.reader, &session.root.default_naming_context, persons).await
}

/// Whether an open intent is a deletion that reached the directory.
fn is_deleted(open: &Open) -> bool {
    matches!(open.intent.write.request, WriteRequest::Delete { .. })
        && open.result.as_ref().is_some_and(|result| result.failure.is_none())
}

/// Whether the directory takes no requests of ours now, whatever they are about.
pub(super) fn is_lost(error: &DirectoryError) -> bool {
    match error {
        DirectoryError::Unreachable { .. } | DirectoryError::NotSent { .. } => true,
        DirectoryError::Refused { code, .. } => matches!(code, Code::BindRefused | Code::EndpointUnavailable),
    }
}
