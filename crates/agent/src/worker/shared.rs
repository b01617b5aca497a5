//! What all pieces of work of an agent share.

use std::sync::Arc;

use rollcall_model::killpoint::KillPoint;
use rollcall_model::outcome::Outcome;
use rollcall_model::{Clock, Random};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::gate::Gate;
use super::persons::Persons;
use super::task::Task;
use crate::controller::{Domain, Session};
use crate::fence::Fence;
use crate::journal::{Intent, Journal, Record};
use crate::link::Outgoing;
use crate::policy::Rules;
use crate::replication::Awaited;
use crate::{Error, fault};

/// What the work needs, whoever does it.
pub(crate) struct Shared {
    pub(crate) journal: Journal,
    pub(crate) domain: Domain,
    pub(crate) fence: Fence,
    pub(crate) policy: Rules,
    pub(crate) replication: Awaited,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) outgoing: mpsc::Sender<Outgoing>,
    pub(crate) stop: CancellationToken,
    pub(crate) desk: Desk,
}

/// Who is in hand, and whose turn it is.
#[derive(Default)]
pub(crate) struct Desk {
    pub(super) gate: Gate,
    pub(super) persons: Persons,
}

impl Shared {
    /// The directory, as soon as it can be worked on; `None`: the agent is being stopped.
    pub(super) async fn session(&self) -> Option<Session> {
        tokio::select! {
            () = self.stop.cancelled() => None,
            session = self.domain.session() => Some(session),
        }
    }

    /// Puts intents on disk: one sync for a whole window of writes.
    pub(super) async fn intend(&self, steps: Vec<Intent>) -> Result<(), Error> {
        if steps.is_empty() {
            return Ok(());
        }
        self.journal.append(steps.into_iter().map(|intent| Record::Intent { intent: Box::new(intent) }))?;
        fault::reached(KillPoint::BeforeJournalSync);
        self.journal.sync().await?;
        fault::reached(KillPoint::AfterJournalSync);
        Ok(())
    }

    /// The steps of a task are not made, and will not be.
    pub(super) fn abandon(&self, task: &mut Task) -> Result<(), Error> {
        let changes: Vec<_> = task.steps.drain(..).map(|intent| intent.change).collect();
        if changes.is_empty() { Ok(()) } else { self.journal.append([Record::Abandoned { changes }]) }
    }

    /// Sends outcomes that are in the journal, once they are on disk.
    pub(super) async fn report(&self, outcomes: Vec<Outcome>) -> Result<(), Error> {
        if outcomes.is_empty() {
            return Ok(());
        }
        fault::reached(KillPoint::BeforeResultSync);
        self.journal.sync().await?;
        self.send(outcomes).await;
        Ok(())
    }

    pub(super) async fn send(&self, outcomes: Vec<Outcome>) {
        // Without a link they stay in the journal, and are sent when there is one.
        let _ = self.outgoing.send(Outgoing::Outcomes(outcomes)).await;
    }
}
