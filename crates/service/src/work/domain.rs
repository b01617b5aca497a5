//! One domain's worker: its sessions, its jobs, and the order in which work is done.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rollcall_engine::evaluate::Prepared;
use rollcall_model::config::JobState;
use rollcall_model::ids::{AgentId, Epoch, JobId, PersonId, TenantId};
use rollcall_model::killpoint::KillPoint;
use rollcall_model::outcome::Outcome;
use rollcall_model::{Timestamp, limits};
use rollcall_store::{ClaimResult, DuePerson, Error, Fenced, Job, Lease, OpenOperation};
use rollcall_wire::link::{Claim, ClaimAnswer, Controller, FromAgent, ToAgent};
use tokio::sync::{mpsc, oneshot};
use tracing::{error, warn};

use super::ask::Asker;
use super::budget::Gate;
use super::credit::{Credit, Given};
use super::lease::{Released, Releasing, Renewed};
use super::session::{Session, SessionId};
use super::standing::Standing;
use super::sweep::Sweeping;
use super::unchanged::Looking;
use super::{WorkOptions, is_fresh};
use crate::fault;

/// What a worker is told.
pub(super) enum Event {
    Connected(Box<Session>),
    Frame(SessionId, Box<FromAgent>),
    Gone(SessionId),
    /// Something may be to do.
    Look,
    /// Somebody wants to ask the active agent.
    WhoWorks(oneshot::Sender<Option<Asker>>),
    /// A job, or what is due, was changed by somebody: what was read ahead is old.
    Changed,
    Stop(oneshot::Sender<()>),
}

/// The lease this worker holds, and the session that works under it.
pub(super) struct Active {
    pub(super) lease: Lease,
    pub(super) session: SessionId,
    pub(super) agent: AgentId,
    /// From this epoch on nobody else wrote to the domain.
    pub(super) agent_since: Epoch,
    pub(super) until: Timestamp,
    /// `invocationId` of the writing controller.
    pub(super) controller: Option<String>,
    /// When what was written through the controller before has come, where there was one.
    pub(super) replicated: Option<Timestamp>,
}

/// A job that is ready to be worked on.
pub(super) struct ReadyJob {
    pub(super) job: Job,
    pub(super) prepared: Prepared,
}

pub(super) struct Worker {
    pub(super) options: Arc<WorkOptions>,
    pub(super) tenant: TenantId,
    pub(super) domain: String,
    pub(super) sessions: HashMap<SessionId, Session>,
    pub(super) active: Option<Active>,
    /// Persons given to the agent.
    pub(super) credit: Credit,
    pub(super) budget: Gate,
    /// Waiting operations and due persons, read ahead.
    pub(super) waiting: VecDeque<OpenOperation>,
    pub(super) ready: VecDeque<DuePerson>,
    /// A merge brought somebody urgent, or it is time to look for such.
    pub(super) urgent_may_be_due: bool,
    pub(super) standing: Standing,
    /// Operations that may have found nothing to change: the agent is being asked.
    pub(super) looking: Option<Looking>,
    /// Operations of which it could not say so.
    pub(super) looked_at: HashSet<i64>,
    /// Active jobs of this domain whose mappings can be used, and when they were read.
    pub(super) jobs: HashMap<JobId, ReadyJob>,
    jobs_read: Option<Timestamp>,
    /// The number that every change of a job raises, as of then.
    jobs_version: Option<i64>,
    /// Jobs whose mappings cannot be used, at which version.
    unusable: HashMap<JobId, i64>,
    /// One of Graph's cycles lasts from the first work to the next time there is none.
    pub(super) cycle: Option<uuid::Uuid>,
    swept: Timestamp,
    pub(super) sweeping: Sweeping,
    pub(super) draining: bool,
    /// Agents that are to hand over, as the store last said, and when it was asked.
    pub(super) drained_agents: HashSet<AgentId>,
    pub(super) wishes_read: Option<Timestamp>,
    /// When questions of other nodes were last looked for.
    pub(super) asks_read: Option<Timestamp>,
    pub(super) releasing: Option<Releasing>,
    /// Since when no connected agent has had the writing controller.
    pub(super) without_writing_controller: Option<Timestamp>,
    /// The highest `uSNChanged` of what was written under this lease; `None`: a write was made whose number is not known.
    pub(super) usn_recorded: Option<i64>,
    pub(super) renewed: Option<Renewed>,
    /// The last hand-over.
    pub(super) released: Option<Released>,
}

/// Events handled before the next step of work.
const EVENTS_AT_ONCE_MAX: usize = 64;

impl Worker {
    pub(super) fn new(options: Arc<WorkOptions>, tenant: TenantId, domain: &str) -> Self {
        let swept = options.clock.now();
        Self {
            options,
            tenant,
            domain: domain.to_owned(),
            sessions: HashMap::new(),
            active: None,
            credit: Credit::default(),
            budget: Gate::default(),
            waiting: VecDeque::new(),
            ready: VecDeque::new(),
            urgent_may_be_due: false,
            standing: Standing::default(),
            looking: None,
            looked_at: HashSet::new(),
            jobs: HashMap::new(),
            jobs_read: None,
            jobs_version: None,
            unusable: HashMap::new(),
            cycle: None,
            swept,
            sweeping: Sweeping::default(),
            draining: false,
            drained_agents: HashSet::new(),
            wishes_read: None,
            asks_read: None,
            releasing: None,
            without_writing_controller: None,
            usn_recorded: Some(0),
            renewed: None,
            released: None,
        }
    }

    /// Works until it is stopped.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Event>) {
        let mut tick = tokio::time::interval(Duration::from_millis(limits::WORK_TICK_MS));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut more = false;
        loop {
            // With work left, frames are still read between one batch and the next: a renewal must not wait for a
            // backlog, nor a disable behind one.
            let event = if more {
                match queue.try_recv() {
                    Ok(event) => Some(event),
                    Err(mpsc::error::TryRecvError::Empty) => Some(Event::Look),
                    Err(mpsc::error::TryRecvError::Disconnected) => None,
                }
            } else {
                tokio::select! {
                    event = queue.recv() => event,
                    _ = tick.tick() => {
                        // Another node may have stored what is urgent.
                        self.urgent_may_be_due = true;
                        Some(Event::Look)
                    }
                }
            };
            let result = match event {
                None => break,
                Some(Event::Stop(stopped)) => {
                    self.drain(&mut queue).await;
                    let _ = stopped.send(());
                    break;
                }
                Some(event) => self.handle(event).await,
            };
            // Everything that has come is taken in before the next step.
            let result = match result {
                Ok(()) => self.take_in(&mut queue).await,
                Err(error) => Err(error),
            };
            let result = match result {
                Ok(()) => self.advance().await,
                Err(error) => Err(error),
            };
            more = matches!(result, Ok(true));
            if let Err(error) = result {
                // Operations that were not merged must not come after those behind them.
                self.forget_read_ahead();
                error!(domain = %self.domain, error = %chain(&error), "the worker could not go on; it tries again");
                tokio::time::sleep(Duration::from_millis(limits::WORK_TICK_MS)).await;
            }
        }
    }

    /// Handles what else has come, up to a stop.
    async fn take_in(&mut self, queue: &mut mpsc::Receiver<Event>) -> Result<(), Error> {
        for _ in 0..EVENTS_AT_ONCE_MAX {
            match queue.try_recv() {
                Ok(Event::Stop(stopped)) => {
                    self.drain(queue).await;
                    let _ = stopped.send(());
                    queue.close();
                    return Ok(());
                }
                Ok(event) => self.handle(event).await?,
                Err(_) => return Ok(()),
            }
        }
        Ok(())
    }

    pub(super) async fn handle(&mut self, event: Event) -> Result<(), Error> {
        match event {
            Event::Connected(session) => self.connected(*session).await,
            Event::Gone(id) => self.gone(id).await,
            Event::Frame(id, frame) => self.frame(id, *frame).await,
            Event::Changed => {
                self.jobs_read = None;
                self.wishes_read = None;
                self.forget_read_ahead();
                Ok(())
            }
            Event::WhoWorks(answer) => {
                // Whoever asked may have given up.
                let _ = answer.send(self.asker());
                Ok(())
            }
            Event::Look | Event::Stop(_) => Ok(()),
        }
    }

    /// One step of what can be done now: take a lease, merge a batch, dispatch a batch. Whether there is more.
    pub(super) async fn advance(&mut self) -> Result<bool, Error> {
        if self.draining {
            return Ok(false);
        }
        let now = self.options.clock.now();
        self.heed_wishes(now).await?;
        if self.active.is_none() || self.active_is_over() {
            self.take_lease().await?;
        }
        self.hand_over(now);
        if self.active.is_none() {
            return Ok(false);
        }
        self.take_asks().await?;
        self.load_jobs(now).await?;
        self.sweep().await?;
        let settled = self.settle_looking().await?;
        let merged = self.merge_waiting().await?;
        let sent = self.dispatch_due().await?;
        let looked = self.look_around().await?;
        let more = self.active.is_some() && (settled || merged || sent || looked);
        if !more && self.credit.is_empty() && self.looking.is_none() {
            self.cycle = None;
        }
        Ok(more)
    }

    /// What was read ahead is read anew.
    pub(super) fn forget_read_ahead(&mut self) {
        self.waiting.clear();
        self.ready.clear();
        self.looking = None;
    }

    /// The number that every change of a job raises, as of when they were read.
    pub(super) fn jobs_version(&self) -> Option<i64> {
        self.jobs_version
    }

    async fn connected(&mut self, session: Session) -> Result<(), Error> {
        let now = self.options.clock.now();
        self.options
            .store
            .note_agent(session.agent.id, Some(self.options.node), now, host(session.controller.as_ref()), None)
            .await?;
        if self.active.as_ref().is_some_and(|active| active.agent == session.agent.id) {
            self.lose_lease();
        }
        // The same agent's earlier connection may be half open and not know it.
        self.sessions.retain(|_, other| other.agent.id != session.agent.id);
        let id = session.id;
        self.sessions.insert(id, session);
        self.send_to(id, ToAgent::Standby { domain: self.domain.clone() });
        Ok(())
    }

    async fn gone(&mut self, id: SessionId) -> Result<(), Error> {
        let Some(session) = self.sessions.remove(&id) else { return Ok(()) };
        // The lease is not given up: nobody knows whether a write of this agent is still under way.
        let again = self.sessions.values().any(|other| other.agent.id == session.agent.id);
        if !again {
            self.options
                .store
                .note_agent(session.agent.id, None, self.options.clock.now(), host(session.controller.as_ref()), None)
                .await?;
        }
        Ok(())
    }

    async fn frame(&mut self, id: SessionId, frame: FromAgent) -> Result<(), Error> {
        match frame {
            FromAgent::Renew { sequence, controller, trouble } => {
                let trouble = trouble.map(|failure| format!("{}: {}", failure.code, failure.reason));
                self.renew(id, sequence, controller, trouble).await
            }
            FromAgent::Claims { request, epoch, claims } => self.claim(id, request, epoch, &claims).await,
            FromAgent::Reserve { request, epoch, wants } => self.reserve(id, request, epoch, wants).await,
            FromAgent::Outcomes { outcomes, .. } => self.outcomes(id, outcomes).await,
            FromAgent::Released { epoch, usn } => self.released(id, epoch, usn).await,
            FromAgent::NewKey { public_key, signature } => self.new_key(id, public_key, &signature).await,
            // The connection begins with one; answers are handed over by its reader.
            FromAgent::Hello { .. } | FromAgent::Looked { .. } | FromAgent::Answer { .. } => Ok(()),
        }
    }

    async fn claim(&mut self, id: SessionId, request: u64, epoch: Epoch, claims: &[Claim]) -> Result<(), Error> {
        let lease = self.active.as_ref().filter(|active| active.session == id && active.lease.epoch == epoch);
        let Some(lease) = lease.map(|active| active.lease.clone()) else { return Ok(()) };
        let pairs: Vec<_> = claims.iter().map(|claim| (claim.person, claim.guid)).collect();
        fault::reached(KillPoint::BeforeClaimCommit);
        let answered = self.options.store.claim_links(&lease, &pairs).await?;
        fault::reached(KillPoint::AfterClaimCommit);
        let Fenced::Done(results) = answered else {
            self.lose_lease();
            return Ok(());
        };
        let answers = claims
            .iter()
            .zip(results)
            .map(|(claim, result)| ClaimAnswer {
                person: claim.person,
                guid: claim.guid,
                granted: result == ClaimResult::Granted,
            })
            .collect();
        self.send_to(id, ToAgent::ClaimsAnswer { request, answers });
        Ok(())
    }

    async fn outcomes(&mut self, id: SessionId, outcomes: Vec<Outcome>) -> Result<(), Error> {
        let ids = outcomes.iter().map(|outcome| outcome.id).collect();
        let given: HashMap<PersonId, Given> = outcomes
            .iter()
            .filter_map(|outcome| self.credit.take_back(outcome).map(|given| (outcome.person, given)))
            .collect();
        // What was read ahead of them knows nothing of what they tell: a link, say.
        self.ready.retain(|due| outcomes.iter().all(|outcome| outcome.person != due.person.id));
        let recorded = match self.record(&outcomes, &given).await {
            Ok(Fenced::Done(())) => self.settle_budget(&outcomes).await,
            other => other,
        };
        match recorded {
            // Not acknowledged, they stay in the agent's journal and come again under the lease's holder.
            Ok(Fenced::Stale) => Ok(()),
            Ok(Fenced::Done(())) => {
                self.send_to(id, ToAgent::OutcomesAck { ids });
                Ok(())
            }
            Err(error) => {
                // An agent sends its journal when it connects: so let it.
                self.sessions.remove(&id);
                self.lose_lease();
                Err(error)
            }
        }
    }

    /// Active jobs, with their mappings parsed once a version. Read again when somebody here changed one, or after a
    /// while, because it may have been somebody elsewhere.
    async fn load_jobs(&mut self, now: Timestamp) -> Result<(), Error> {
        if self.jobs_read.is_some_and(|read| is_fresh(read, limits::JOBS_AGE_MS_MAX, now)) {
            return Ok(());
        }
        let version = self.options.store.jobs_version().await?;
        self.jobs_read = Some(now);
        if self.jobs_version == Some(version) {
            return Ok(());
        }
        let jobs = self.options.store.jobs_of_domain(self.tenant, &self.domain).await?;
        let before: HashSet<JobId> = self.jobs.keys().cloned().collect();
        let mut ready = HashMap::new();
        for job in jobs.into_iter().filter(|job| job.state == JobState::Active) {
            if self.unusable.get(&job.id) == Some(&job.schema_version) {
                continue;
            }
            let known = self.jobs.remove(&job.id).filter(|known| known.job.schema_version == job.schema_version);
            let prepared = match known {
                Some(known) => known.prepared,
                None => match Prepared::new(&job.config, job.schema_version, &self.domain) {
                    Ok(prepared) => prepared,
                    Err(problems) => {
                        error!(job = %job.id, ?problems, "a stored mapping cannot be used; the job waits");
                        self.unusable.insert(job.id.clone(), job.schema_version);
                        continue;
                    }
                },
            };
            ready.insert(job.id.clone(), ReadyJob { job, prepared });
        }
        if ready.len() != before.len() || ready.keys().any(|job| !before.contains(job)) {
            self.forget_read_ahead();
        }
        self.jobs = ready;
        self.jobs_version = Some(version);
        Ok(())
    }

    /// Persons whose manager was not found are looked at again from time to time: somebody else may have made one.
    async fn sweep(&mut self) -> Result<(), Error> {
        let now = self.options.clock.now();
        if is_fresh(self.swept, limits::MANAGER_SWEEP_MS, now) {
            return Ok(());
        }
        self.swept = now;
        let Some(lease) = self.active.as_ref().map(|active| active.lease.clone()) else { return Ok(()) };
        match self.options.store.wake_waiting(&lease, now).await? {
            Fenced::Done(_) => {}
            Fenced::Stale => self.lose_lease(),
        }
        Ok(())
    }

    /// Whether the frame was taken. An agent that does not read is cut off: it connects again, or another takes over.
    pub(super) fn send_to(&mut self, id: SessionId, frame: ToAgent) -> bool {
        let Some(session) = self.sessions.get(&id) else { return false };
        if session.frames.try_send(frame).is_ok() {
            return true;
        }
        warn!(agent.id = %session.agent.id, "an agent does not take its frames and is cut off");
        self.sessions.remove(&id);
        false
    }
}

pub(super) fn host(controller: Option<&Controller>) -> Option<&str> {
    controller.map(|controller| controller.host.as_str())
}

/// An error with everything that caused it, on one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
