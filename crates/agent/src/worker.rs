//! The worker: one task that holds the journal and makes all writes.
//!
//! Work comes in batches of persons. While one batch is written the next ones are looked up and planned, and the one
//! before is reported, so that the controller never waits for us. Urgent work has batches of its own, whose writes go
//! before all others. Nobody is in two batches at once ([`persons`]), and a few writes of different persons are under
//! way at a time ([`gate`]).

mod batch;
mod gate;
mod names;
mod persons;
mod queue;
mod report;
mod shared;
mod task;
mod writing;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use rollcall_model::desired::DesiredState;
use rollcall_model::ids::Epoch;
use rollcall_model::outcome::{Conclusion, Outcome};
use rollcall_model::plan::Failure;
use rollcall_model::{Code, limits};
use rollcall_wire::link::{Capability, FromAgent, Lane};
use tokio::sync::{mpsc, watch};
use tracing::{debug, info};

use crate::apply::change_id;
use crate::journal::Record;
use crate::link::{Outgoing, ToWorker};
use crate::{Error, look, recover};
use batch::Batch;
use persons::Overtaking;
use queue::Queue;
pub(crate) use shared::{Desk, Shared};

/// What runs beside the worker's own loop.
type Running = FuturesUnordered<Pin<Box<dyn Future<Output = (Piece, Result<(), Error>)> + Send>>>;

/// What has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    Batch(Lane),
    Shortening,
}

/// What is done only when nothing else is under way.
#[derive(Clone, Copy)]
enum Pause {
    Connected,
    Release(Epoch),
}

/// Batches in hand.
#[derive(Default)]
struct InHand {
    urgent: usize,
    normal: usize,
}

impl InHand {
    fn of(&mut self, lane: Lane) -> &mut usize {
        match lane {
            Lane::Urgent => &mut self.urgent,
            Lane::Normal => &mut self.normal,
        }
    }

    fn ended(&mut self, (piece, result): (Piece, Result<(), Error>)) -> Result<(), Error> {
        if let Piece::Batch(lane) = piece {
            *self.of(lane) -= 1;
        }
        result
    }
}

/// Schedules the work.
pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    inbox: mpsc::Receiver<ToWorker>,
    busy: watch::Sender<bool>,
    queue: Queue,
    pauses: VecDeque<Pause>,
    running: Running,
    in_hand: InHand,
    /// Normal batches that are looked up, planned, or wait for their turn.
    ahead: Arc<AtomicUsize>,
}

/// A normal batch that is not written yet.
struct Ahead {
    count: Arc<AtomicUsize>,
    shared: Arc<Shared>,
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::AcqRel);
        self.shared.desk.persons.nudge();
    }
}

impl Worker {
    pub(crate) fn new(shared: Shared, inbox: mpsc::Receiver<ToWorker>, busy: watch::Sender<bool>) -> Self {
        Self {
            shared: Arc::new(shared),
            inbox,
            busy,
            queue: Queue::default(),
            pauses: VecDeque::new(),
            running: Running::new(),
            in_hand: InHand::default(),
            ahead: Arc::default(),
        }
    }

    /// Works until it is stopped: the writes under way are finished, and what they led to is in the journal. An error
    /// is one of the journal: without it nothing may be written.
    pub(crate) async fn run(mut self) -> Result<(), Error> {
        let stop = self.shared.stop.clone();
        loop {
            self.start().await?;
            self.busy.send_replace(!self.is_idle());
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                message = self.inbox.recv() => match message {
                    Some(message) => self.take(message).await?,
                    None => break,
                },
                Some(ended) = self.running.next() => self.in_hand.ended(ended)?,
                () = self.shared.desk.persons.freed() => {}
            }
        }
        while let Some((_, ended)) = self.running.next().await {
            ended?;
        }
        Ok(())
    }

    fn is_idle(&self) -> bool {
        self.running.is_empty() && self.queue.is_empty() && self.pauses.is_empty()
    }

    async fn take(&mut self, message: ToWorker) -> Result<(), Error> {
        match message {
            ToWorker::Connected => self.pauses.push_back(Pause::Connected),
            ToWorker::Release(epoch) => self.pauses.push_back(Pause::Release(epoch)),
            ToWorker::Acknowledged(ids) => {
                if self.shared.journal.acknowledge(ids)? {
                    let shared = self.shared.clone();
                    self.running.push(Box::pin(async move { (Piece::Shortening, shared.journal.shorten().await) }));
                }
            }
            ToWorker::Work { epoch, needs, lane, items } => {
                if !self.shared.fence.holds(epoch) {
                    debug!(epoch = epoch.0, "work of another epoch is dropped");
                } else if needs.iter().any(|need| !Capability::OURS.contains(need)) {
                    self.refuse(epoch, items).await?;
                } else {
                    for desired in items {
                        self.queue.push(epoch, desired, lane);
                    }
                }
            }
        }
        Ok(())
    }

    /// Begins whatever may begin now.
    async fn start(&mut self) -> Result<(), Error> {
        let fence = self.shared.fence.clone();
        self.queue.keep(|epoch| fence.holds(epoch));
        while self.running.is_empty()
            && let Some(pause) = self.pauses.pop_front()
        {
            self.catch_up().await?;
            if let Pause::Release(epoch) = pause {
                self.released(epoch).await;
            }
        }
        if !self.pauses.is_empty() {
            return Ok(());
        }
        self.overtake();
        while self.in_hand.urgent < limits::BATCHES_IN_HAND_MAX && self.begin(Lane::Urgent) {}
        while self.in_hand.normal < limits::BATCHES_IN_HAND_MAX
            && self.ahead.load(Ordering::Acquire) < limits::BATCHES_AHEAD_MAX
            && self.begin(Lane::Normal)
        {}
        Ok(())
    }

    /// Takes urgent persons out of the normal work in hand, where that is not newer. What is journalled of that work and
    /// was not sent is abandoned as the urgent work begins.
    fn overtake(&mut self) {
        let urgent: Vec<_> = self.queue.urgent().map(|desired| (desired.person, desired.version)).collect();
        for (person, version) in urgent {
            if self.shared.desk.persons.overtake(person, version) == Overtaking::Outdated {
                self.queue.drop_urgent(person);
            }
        }
    }

    /// Begins the next batch of a lane, if there is one.
    fn begin(&mut self, lane: Lane) -> bool {
        let shared = self.shared.clone();
        let Some((epoch, tasks)) = self.queue.batch(lane, &shared.desk.persons) else { return false };
        let ahead = (lane == Lane::Normal).then(|| {
            self.ahead.fetch_add(1, Ordering::AcqRel);
            Ahead { count: self.ahead.clone(), shared: shared.clone() }
        });
        *self.in_hand.of(lane) += 1;
        let batch = Batch { shared, epoch, lane, tasks, ahead };
        self.running.push(Box::pin(async move { (Piece::Batch(lane), batch.run().await) }));
        true
    }

    /// Before any new work: outcomes that were not acknowledged are sent, and what is open is looked up and reported.
    async fn catch_up(&mut self) -> Result<(), Error> {
        let shared = self.shared.clone();
        // Outcomes may have been appended by a run that ended before their sync.
        let outcomes = shared.journal.state().outcomes.clone();
        if !outcomes.is_empty() {
            shared.journal.sync().await?;
            shared.send(outcomes).await;
        }
        while !shared.journal.state().open.is_empty() {
            let Some(session) = shared.session().await else { return Ok(()) };
            if recover::settle(&shared.journal, &session, &*shared.clock, &shared.stop, |_| true).await? {
                let outcomes = recover::interrupt(&shared.journal, &*shared.clock, &*shared.random, |_| true)?;
                shared.report(outcomes).await?;
            } else {
                shared.domain.lost(&session);
            }
        }
        Ok(())
    }

    /// Says that the domain is handed over: nothing is under way, and what is open was settled and told.
    async fn released(&mut self, epoch: Epoch) {
        let shared = self.shared.clone();
        if shared.fence.holds(epoch) || !shared.journal.state().open.is_empty() {
            return;
        }
        // Some writes were not read back, for want of time: this number is not below theirs.
        let usn = match shared.domain.any_session() {
            Some(session) => look::last_change(&session).await,
            None => None,
        };
        info!(epoch = epoch.0, usn, "the domain is handed over");
        let _ = shared.outgoing.send(Outgoing::Frame(Box::new(FromAgent::Released { epoch, usn }))).await;
    }

    /// Refuses work that asks for something this build cannot do, each person for itself.
    async fn refuse(&mut self, epoch: Epoch, items: Vec<DesiredState>) -> Result<(), Error> {
        let mut outcomes = vec![];
        for desired in items {
            // Of somebody in hand another report is on its way.
            let Some(_place) = self.shared.desk.persons.take(&desired, Lane::Normal) else { continue };
            let reason = "the service asks for something that this agent cannot do; update the agent";
            let now = self.shared.clock.now();
            outcomes.push(Outcome {
                id: change_id(&*self.shared.random, now),
                person: desired.person,
                version: desired.version,
                epoch,
                ended: now,
                result: Conclusion::Failed(Failure::new(Code::InternalError, None, reason)),
                changes: vec![],
                link: desired.link,
                dn: None,
                confirmed: None,
                refused: vec![],
                warnings: desired.warnings,
                drift: vec![],
                waits_for_manager: None,
            });
        }
        let records = outcomes.iter().map(|outcome| Record::Outcome { outcome: Box::new(outcome.clone()) });
        self.shared.journal.append(records)?;
        self.shared.report(outcomes).await
    }
}

#[cfg(test)]
impl Worker {
    /// Takes work in and goes on until nothing is left, as [`Self::run`] does.
    async fn work(&mut self, epoch: Epoch, items: Vec<DesiredState>) -> Result<(), Error> {
        self.take(ToWorker::Work { epoch, needs: vec![], lane: Lane::Normal, items }).await?;
        self.finish().await
    }

    async fn finish(&mut self) -> Result<(), Error> {
        loop {
            self.start().await?;
            if self.is_idle() {
                return Ok(());
            }
            tokio::select! {
                Some(ended) = self.running.next() => self.in_hand.ended(ended)?,
                () = self.shared.desk.persons.freed() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
