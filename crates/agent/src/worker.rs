//! The worker: one task that holds the journal and makes all writes, one batch after the other.

mod batch;
mod task;

use std::sync::Arc;

use rollcall_model::desired::DesiredState;
use rollcall_model::ids::Epoch;
use rollcall_model::killpoint::KillPoint;
use rollcall_model::outcome::{Conclusion, Outcome};
use rollcall_model::plan::Failure;
use rollcall_model::{Clock, Code, Random};
use rollcall_wire::link::Capability;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::apply::change_id;
use crate::controller::{Domain, Session};
use crate::fence::Fence;
use crate::journal::{Journal, Record};
use crate::link::{Outgoing, ToWorker};
use crate::{Error, fault, recover};

/// What the worker needs.
pub(crate) struct Worker {
    pub(crate) journal: Journal,
    pub(crate) domain: Domain,
    pub(crate) fence: Fence,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) inbox: mpsc::Receiver<ToWorker>,
    pub(crate) outgoing: mpsc::Sender<Outgoing>,
    pub(crate) busy: watch::Sender<bool>,
    pub(crate) stop: CancellationToken,
}

impl Worker {
    /// Works until it is stopped: the write under way is finished, and what it led to is in the journal. An error is
    /// one of the journal: without it nothing may be written.
    pub(crate) async fn run(mut self) -> Result<(), Error> {
        loop {
            let message = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(()),
                message = self.inbox.recv() => message,
            };
            let Some(message) = message else { return Ok(()) };
            self.busy.send_replace(true);
            self.take(message).await?;
            self.busy.send_replace(!self.inbox.is_empty());
        }
    }

    async fn take(&mut self, message: ToWorker) -> Result<(), Error> {
        match message {
            ToWorker::Connected => self.catch_up().await,
            ToWorker::Acknowledged(ids) => self.journal.acknowledge(ids),
            ToWorker::Work { epoch, needs, items } => {
                if !self.fence.holds(epoch) {
                    debug!(epoch = epoch.0, "work of another epoch is dropped");
                    return Ok(());
                }
                match needs.iter().find(|need| !Capability::OURS.contains(need)) {
                    Some(_) => self.refuse(epoch, items).await,
                    None => self.work(epoch, items).await,
                }
            }
        }
    }

    /// Before any new work: outcomes that were not acknowledged are sent, and what is open is looked up and reported.
    async fn catch_up(&mut self) -> Result<(), Error> {
        // Outcomes may have been appended by a run that ended before their sync.
        if !self.journal.state().outcomes.is_empty() {
            self.journal.sync().await?;
            self.send(self.journal.state().outcomes.clone()).await;
        }
        while !self.journal.state().open.is_empty() {
            let Some(session) = self.session().await else { return Ok(()) };
            if recover::settle(&mut self.journal, &session, &*self.clock).await? {
                let outcomes = recover::interrupt(&mut self.journal, &*self.clock, &*self.random)?;
                self.report(outcomes).await?;
            } else {
                self.domain.lost(&session);
            }
        }
        Ok(())
    }

    /// The directory, as soon as it can be worked on; `None`: the agent is being stopped.
    async fn session(&self) -> Option<Session> {
        tokio::select! {
            () = self.stop.cancelled() => None,
            session = self.domain.session() => Some(session),
        }
    }

    /// Refuses work that asks for something this build cannot do, each person for itself.
    async fn refuse(&mut self, epoch: Epoch, items: Vec<DesiredState>) -> Result<(), Error> {
        let mut outcomes = vec![];
        for desired in items {
            let reason = "the service asks for something that this agent cannot do; update the agent";
            let now = self.clock.now();
            outcomes.push(Outcome {
                id: change_id(&*self.random, now),
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
        self.journal.append(outcomes.iter().map(|outcome| Record::Outcome { outcome: Box::new(outcome.clone()) }))?;
        self.report(outcomes).await
    }

    /// Sends outcomes that are in the journal, once they are on disk.
    async fn report(&mut self, outcomes: Vec<Outcome>) -> Result<(), Error> {
        if outcomes.is_empty() {
            return Ok(());
        }
        fault::reached(KillPoint::BeforeResultSync);
        self.journal.sync().await?;
        self.send(outcomes).await;
        Ok(())
    }

    async fn send(&self, outcomes: Vec<Outcome>) {
        // Without a link they stay in the journal, and are sent when there is one.
        let _ = self.outgoing.send(Outgoing::Outcomes(outcomes)).await;
    }
}

#[cfg(test)]
mod tests;
