//! Desired states made so without a service: for tests against a whole directory. Whatever lies between a desired state
//! and its outcome is the agent's own work; only link and lease are missing, so there must be no other agent.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use rollcall_model::desired::DesiredState;
use rollcall_model::ids::{Epoch, PersonId};
use rollcall_model::outcome::Outcome;
use rollcall_wire::link::{ClaimAnswer, Lane};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::Error;
use crate::config::Policy;
use crate::controller::{Connector, Domain};
use crate::fence::{Fence, LeaseClock};
use crate::files;
use crate::journal::Journal;
use crate::link::{Outgoing, ToWorker};
use crate::policy::Rules;
use crate::replication::Awaited;
use crate::system::{SystemClock, SystemRandom};
use crate::worker::{Desk, Shared, Worker};

const EPOCH: Epoch = Epoch(1);
const CHANNEL_MAX: usize = 16;

/// Time in which a lease never ends.
struct Still;

impl LeaseClock for Still {
    fn now_ms(&self) -> i64 {
        0
    }
}

/// A worker that takes its work from here. Ends when it is dropped.
pub struct Drill {
    work: mpsc::Sender<ToWorker>,
    outcomes: mpsc::Receiver<Vec<Outcome>>,
    _stop: DropGuard,
}

impl Drill {
    /// Starts. The journal is in `folder`; every claim of a matching account is granted.
    pub fn start(folder: &Path, directory: Arc<dyn Connector>) -> Result<Self, Error> {
        files::create_folder(folder)?;
        let (stop, domain) = (CancellationToken::new(), Domain::new());
        let fence = Fence::new(Arc::new(Still));
        fence.hello();
        fence.activated(EPOCH, i64::from(u32::MAX));
        let (outgoing, sent) = mpsc::channel(CHANNEL_MAX);
        let (told, outcomes) = mpsc::channel(CHANNEL_MAX);
        let (work, inbox) = mpsc::channel(CHANNEL_MAX);
        tokio::spawn(domain.clone().keep(directory, Arc::new(SystemRandom), stop.clone()));
        tokio::spawn(answer(sent, told));
        let shared = Shared {
            journal: Journal::open(folder)?,
            domain,
            fence,
            policy: Rules::new(&Policy::default()),
            replication: Awaited::default(),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            outgoing,
            stop: stop.clone(),
            desk: Desk::default(),
        };
        tokio::spawn(Worker::new(shared, inbox, watch::Sender::new(false)).run());
        Ok(Self { work, outcomes, _stop: stop.drop_guard() })
    }

    /// Makes these persons' accounts so; each person once. Their outcomes, in the order in which they ended; fewer than
    /// persons only where the worker has ended.
    pub async fn carry_out(&mut self, items: Vec<DesiredState>) -> Vec<Outcome> {
        let mut open: BTreeSet<PersonId> = items.iter().map(|desired| desired.person).collect();
        let work = ToWorker::Work { epoch: EPOCH, needs: vec![], lane: Lane::Normal, items };
        let mut all = vec![];
        if self.work.send(work).await.is_err() {
            return all;
        }
        while !open.is_empty()
            && let Some(outcomes) = self.outcomes.recv().await
        {
            let ids = outcomes.iter().map(|outcome| outcome.id).collect();
            let _ = self.work.send(ToWorker::Acknowledged(ids)).await;
            for outcome in outcomes.into_iter().filter(|outcome| open.remove(&outcome.person)) {
                all.push(outcome);
            }
        }
        all
    }
}

/// What the service would answer.
async fn answer(mut sent: mpsc::Receiver<Outgoing>, told: mpsc::Sender<Vec<Outcome>>) {
    while let Some(message) = sent.recv().await {
        match message {
            Outgoing::Outcomes(outcomes) => {
                let _ = told.send(outcomes).await;
            }
            Outgoing::Claims { claims, answer, .. } => {
                let granted = |claim: rollcall_wire::link::Claim| ClaimAnswer {
                    person: claim.person,
                    guid: claim.guid,
                    granted: true,
                };
                let _ = answer.send(claims.into_iter().map(granted).collect());
            }
            Outgoing::Reserve { wants, answer, .. } => {
                let first = |want: rollcall_wire::link::Want| rollcall_wire::link::Reservation {
                    person: want.person,
                    attribute: want.attribute,
                    value: want.free.into_iter().next(),
                };
                let _ = answer.send(wants.into_iter().map(first).collect());
            }
            // The rest is said to nobody.
            _ => {}
        }
    }
}
