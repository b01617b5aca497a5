//! One domain's worker: its sessions, its lease, and the order in which work is done.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rollcall_engine::evaluate::Prepared;
use rollcall_model::config::JobState;
use rollcall_model::ids::{AgentId, Epoch, JobId, PersonId, TenantId};
use rollcall_model::killpoint::KillPoint;
use rollcall_model::outcome::Outcome;
use rollcall_model::{Timestamp, limits};
use rollcall_store::{ClaimResult, Error, Fenced, Job, Lease};
use rollcall_wire::link::{Claim, ClaimAnswer, Controller, FromAgent, JobContext, ToAgent};
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info, warn};

use super::WorkOptions;
use super::session::{Session, SessionId};
use crate::fault;

/// What a worker is told.
pub(super) enum Event {
    Connected(Box<Session>),
    Frame(SessionId, Box<FromAgent>),
    Gone(SessionId),
    Look,
    Stop(oneshot::Sender<()>),
}

/// The lease this worker holds, and the session that works under it.
pub(super) struct Active {
    pub(super) lease: Lease,
    pub(super) session: SessionId,
    pub(super) agent: AgentId,
    pub(super) until: Timestamp,
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
    /// Persons given to the agent, and when.
    pub(super) in_flight: HashMap<PersonId, Timestamp>,
    /// Active jobs of this domain whose mappings can be used.
    pub(super) jobs: HashMap<JobId, ReadyJob>,
    /// Jobs whose mappings cannot be used, at which version.
    unusable: HashMap<JobId, i64>,
    /// One of Graph's cycles lasts from the first work to the next time there is none.
    pub(super) cycle: Option<uuid::Uuid>,
    swept: Timestamp,
    draining: bool,
}

impl Worker {
    pub(super) fn new(options: Arc<WorkOptions>, tenant: TenantId, domain: &str) -> Self {
        let swept = options.clock.now();
        Self {
            options,
            tenant,
            domain: domain.to_owned(),
            sessions: HashMap::new(),
            active: None,
            in_flight: HashMap::new(),
            jobs: HashMap::new(),
            unusable: HashMap::new(),
            cycle: None,
            swept,
            draining: false,
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
                    _ = tick.tick() => Some(Event::Look),
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
            let result = match result {
                Ok(()) => self.advance().await,
                Err(error) => Err(error),
            };
            more = matches!(result, Ok(true));
            if let Err(error) = result {
                error!(domain = %self.domain, error = %chain(&error), "the worker could not go on; it tries again");
                tokio::time::sleep(Duration::from_millis(limits::WORK_TICK_MS)).await;
            }
        }
    }

    async fn handle(&mut self, event: Event) -> Result<(), Error> {
        match event {
            Event::Connected(session) => self.connected(*session).await,
            Event::Gone(id) => self.gone(id).await,
            Event::Frame(id, frame) => self.frame(id, *frame).await,
            Event::Look | Event::Stop(_) => Ok(()),
        }
    }

    /// One step of what can be done now: take a lease, merge a batch, dispatch a batch. Whether there is more.
    async fn advance(&mut self) -> Result<bool, Error> {
        if self.draining {
            return Ok(false);
        }
        if self.active.is_none() || self.active_is_over() {
            self.take_lease().await?;
        }
        if self.active.is_none() {
            return Ok(false);
        }
        self.load_jobs().await?;
        self.sweep().await?;
        let merged = self.merge_waiting().await?;
        let sent = self.dispatch_due().await?;
        let more = self.active.is_some() && (merged || sent);
        if !more && self.in_flight.is_empty() {
            self.cycle = None;
        }
        Ok(more)
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
            FromAgent::Hello { .. } => Ok(()),
            FromAgent::Renew { sequence, controller, trouble } => {
                let trouble = trouble.map(|failure| format!("{}: {}", failure.code, failure.reason));
                self.renew(id, sequence, controller, trouble).await
            }
            FromAgent::Claims { request, epoch, claims } => self.claim(id, request, epoch, &claims).await,
            FromAgent::Outcomes { outcomes, .. } => self.outcomes(id, outcomes).await,
        }
    }

    async fn renew(
        &mut self,
        id: SessionId,
        sequence: u64,
        controller: Option<Controller>,
        trouble: Option<String>,
    ) -> Result<(), Error> {
        let now = self.options.clock.now();
        let Some(session) = self.sessions.get_mut(&id) else { return Ok(()) };
        session.heard = now;
        let changed = session.trouble != trouble || host(session.controller.as_ref()) != host(controller.as_ref());
        if changed || now.ms_since(session.noted) >= limits::LINK_SILENCE_MS_MAX / 3 {
            session.noted = now;
            if let Some(trouble) = trouble.as_deref().filter(|_| changed) {
                warn!(agent.id = %session.agent.id, domain = %self.domain, %trouble, "an agent is in trouble");
            }
            self.options
                .store
                .note_agent(
                    session.agent.id,
                    Some(self.options.node),
                    now,
                    host(controller.as_ref()),
                    trouble.as_deref(),
                )
                .await?;
        }
        let since = if controller.is_none() { session.without_controller.or(Some(now)) } else { None };
        session.without_controller = since;
        session.controller = controller;
        session.trouble = trouble;
        let is_useless = since.is_some_and(|since| now.ms_since(since) > limits::LEASE_MS);
        if is_useless && self.active.as_ref().is_some_and(|active| active.session == id) {
            // Not renewed and not given up: whoever takes over still waits for the lease's end.
            self.lose_lease();
        }
        let lease = self.active.as_ref().filter(|active| active.session == id).map(|active| active.lease.clone());
        let mut ack = ToAgent::RenewAck { sequence, epoch: Epoch(0), renewed: false };
        if let Some(lease) = lease {
            let shared = self.options.store.shared_now(now).await?;
            let renewed = self.options.store.renew_lease(&lease, shared, limits::LEASE_MS).await?;
            ack = ToAgent::RenewAck { sequence, epoch: lease.epoch, renewed };
            if renewed {
                if let Some(active) = &mut self.active {
                    active.until = now.plus_ms(limits::LEASE_MS);
                }
            } else {
                self.lose_lease();
            }
        }
        self.send_to(id, ack);
        Ok(())
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
        for outcome in &outcomes {
            self.in_flight.remove(&outcome.person);
        }
        match self.record(outcomes).await {
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

    /// Whether the active agent let its lease run out, by this node's own clock; the store's answer decides.
    fn active_is_over(&self) -> bool {
        let now = self.options.clock.now();
        self.active.as_ref().is_some_and(|active| now > active.until)
    }

    /// Takes the lease for one of the connected agents that were heard of lately, if it is free.
    async fn take_lease(&mut self) -> Result<(), Error> {
        let heard_since = self.options.clock.now().plus_ms(-limits::LEASE_MS / 2);
        let holder = self.options.store.lease(self.tenant, &self.domain).await?;
        let named = holder.as_ref().and_then(|holder| holder.writing_controller.as_deref());
        let mut candidates: Vec<_> = self
            .sessions
            .values()
            .filter(|session| session.heard >= heard_since)
            .filter(|session| session.controller.as_ref().is_some_and(|controller| may_write(controller, named)))
            .map(|session| (session.agent.enrolled, session.id))
            .collect();
        candidates.sort_unstable();
        let Some((_, id)) = candidates.first().copied() else { return Ok(()) };
        let Some(session) = self.sessions.get(&id) else { return Ok(()) };
        // A lease that this very agent holds need not be waited for: either it is the same process, which ends what it
        // has begun before it takes new work, or a new one, and then the old one is dead (an agent locks its data).
        if let Some(holder) = holder.filter(|holder| holder.agent == session.agent.id) {
            self.options.store.release_lease(&holder.lease, self.options.clock.now()).await?;
        }
        let now = self.options.clock.now();
        let shared = self.options.store.shared_now(now).await?;
        let controller = session.controller.as_ref().map(|controller| controller.invocation_id.as_str());
        let holder = self
            .options
            .store
            .acquire_lease(
                self.tenant,
                &self.domain,
                self.options.node,
                session.agent.id,
                controller,
                shared,
                limits::LEASE_MS,
                limits::LDAP_TIMEOUT_MS,
            )
            .await?;
        let Some(holder) = holder else { return Ok(()) };
        info!(domain = %self.domain, agent.id = %session.agent.id, epoch = holder.lease.epoch.0, "lease taken");
        let frame = ToAgent::Active {
            domain: self.domain.clone(),
            epoch: holder.lease.epoch,
            lease_ms: limits::LEASE_MS,
            job_context: JobContext { writing_controller: holder.writing_controller },
        };
        let agent = session.agent.id;
        self.lose_lease();
        self.active = Some(Active { lease: holder.lease, session: id, agent, until: now.plus_ms(limits::LEASE_MS) });
        self.send_to(id, frame);
        Ok(())
    }

    /// Forgets the lease and what was given out under it; persons stay due and are given out anew by whoever is next.
    pub(super) fn lose_lease(&mut self) {
        if let Some(active) = self.active.take() {
            info!(domain = %self.domain, agent.id = %active.agent, epoch = active.lease.epoch.0, "lease over");
            self.send_to(active.session, ToAgent::Standby { domain: self.domain.clone() });
        }
        self.in_flight.clear();
    }

    /// Active jobs, with their mappings parsed once a version.
    async fn load_jobs(&mut self) -> Result<(), Error> {
        let jobs = self.options.store.jobs_of_domain(self.tenant, &self.domain).await?;
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
        self.jobs = ready;
        Ok(())
    }

    /// Persons whose manager was not found are looked at again from time to time: somebody else may have made one.
    async fn sweep(&mut self) -> Result<(), Error> {
        let now = self.options.clock.now();
        if now.ms_since(self.swept) < limits::MANAGER_SWEEP_MS {
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

    /// Lets the agent finish what it has, then gives the lease up.
    async fn drain(&mut self, queue: &mut mpsc::Receiver<Event>) {
        self.draining = true;
        for id in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.send_to(id, ToAgent::Drain {});
        }
        let limit = Duration::from_millis(limits::DRAIN_MS_MAX);
        let _ = tokio::time::timeout(limit, async {
            while !self.in_flight.is_empty() {
                let Some(event) = queue.recv().await else { break };
                let _ = self.handle(event).await;
            }
        })
        .await;
        let now = self.options.clock.now();
        if let Some(active) = self.active.take().filter(|_| self.in_flight.is_empty()) {
            let _ = self.options.store.release_lease(&active.lease, now).await;
        }
        for session in self.sessions.values() {
            let _ = self
                .options
                .store
                .note_agent(session.agent.id, None, now, host(session.controller.as_ref()), session.trouble.as_deref())
                .await;
        }
        self.sessions.clear();
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

/// Whether work may go through this controller: a writable one, and the one named for writing where one is named.
fn may_write(controller: &Controller, named: Option<&str>) -> bool {
    controller.writable && named.is_none_or(|named| named == controller.invocation_id)
}

fn host(controller: Option<&Controller>) -> Option<&str> {
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
