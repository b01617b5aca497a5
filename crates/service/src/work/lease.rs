//! Who works on the domain: taking, renewing, losing and handing over the lease, and through which controller.
//!
//! One controller is written to, named in the store. An agent that is connected to it is preferred; only where none has
//! been for [`limits::CONTROLLER_SWITCH_MS`] is another controller named. Then what the one before held may still be
//! on its way, and the agent is told to create nothing on doubt.

use std::time::Duration;

use rollcall_model::ids::{AgentId, Epoch};
use rollcall_model::{Timestamp, limits};
use rollcall_store::{ControllerBefore, Error, Fenced, Lease, LeaseHolder};
use rollcall_wire::link::{Capability, Controller, JobContext, Replication, ToAgent};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{info, warn};

use super::domain::{Active, Event, Worker, host};
use super::is_fresh;
use super::session::{Session, SessionId};

/// A hand-over under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Releasing {
    pub(super) since: Timestamp,
}

/// What an agent left when it handed the domain over.
#[derive(Clone, Debug)]
pub(super) struct Released {
    epoch: Epoch,
    /// `invocationId` of the controller that was written to.
    controller: String,
    /// Its last number.
    usn: i64,
}

impl Released {
    /// The last number of the controller before, for the holder of the next lease, who will write through `to`. There
    /// is none where somebody held the lease in between, or where a third controller may have something on its way too.
    fn number_of(&self, controller: &str, next: &LeaseHolder, to: &str, now: Timestamp) -> Option<i64> {
        let is_next = next.lease.epoch.0 == self.epoch.0 + 1 && self.controller == controller;
        let is_other_awaited = next.before.as_ref().is_some_and(|before| before.until > now && before.controller != to);
        (is_next && !is_other_awaited).then_some(self.usn)
    }
}

/// The last renewal of a lease here, by a clock that nobody sets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Renewed {
    agent: AgentId,
    epoch: Epoch,
    at: Instant,
}

impl Renewed {
    /// Whether a write of its agent may still be on its way, so that `agent` must wait whatever the wall clock says.
    /// Where somebody held the lease in between, that one has waited.
    fn keeps_out(&self, agent: AgentId, last: Option<&LeaseHolder>) -> bool {
        let wait = Duration::from_millis((limits::LEASE_MS + limits::LDAP_TIMEOUT_MS).unsigned_abs());
        agent != self.agent && last.is_some_and(|last| last.lease.epoch == self.epoch) && self.at.elapsed() < wait
    }
}

/// What there is to know of a lease when somebody is wanted for it.
#[derive(Clone, Copy, Debug)]
struct Vacancy<'a> {
    /// `invocationId` of the writing controller.
    controller: Option<&'a str>,
    /// Who held it last, and need not wait for its end.
    last: Option<AgentId>,
    /// What was written through the controller before may still be on its way to this one.
    is_replicating: bool,
}

/// What a candidate's controller is to the domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// The one that is written to, or none was named yet.
    Writing,
    /// Another one: it would have to be named first.
    Other,
}

impl Worker {
    pub(super) async fn renew(
        &mut self,
        id: SessionId,
        sequence: u64,
        controller: Option<Controller>,
        trouble: Option<String>,
    ) -> Result<(), Error> {
        let now = self.options.clock.now();
        self.note_renewal(id, now, controller, trouble).await?;
        let lease = self.active.as_ref().filter(|active| active.session == id).map(|active| active.lease.clone());
        let mut ack = ToAgent::RenewAck { sequence, epoch: Epoch(0), renewed: false };
        if let Some(lease) = lease {
            let shared = self.options.store.shared_now(now).await?;
            let renewed = self.options.store.renew_lease(&lease, shared, limits::LEASE_MS).await?;
            ack = ToAgent::RenewAck { sequence, epoch: lease.epoch, renewed };
            if renewed {
                if let Some(active) = &mut self.active {
                    active.until = now.plus_ms(limits::LEASE_MS);
                    let (agent, epoch) = (active.agent, lease.epoch);
                    self.renewed = Some(Renewed { agent, epoch, at: Instant::now() });
                }
            } else {
                self.lose_lease();
            }
        }
        self.send_to(id, ack);
        Ok(())
    }

    /// What an agent says of itself, told to the store where it is news. An agent without a controller for too long
    /// loses the lease.
    async fn note_renewal(
        &mut self,
        id: SessionId,
        now: Timestamp,
        controller: Option<Controller>,
        trouble: Option<String>,
    ) -> Result<(), Error> {
        let Some(session) = self.sessions.get_mut(&id) else { return Ok(()) };
        session.heard = now;
        let changed = session.trouble != trouble || host(session.controller.as_ref()) != host(controller.as_ref());
        if changed || !is_fresh(session.noted, limits::LINK_SILENCE_MS_MAX / 3, now) {
            session.noted = now;
            if let Some(trouble) = trouble.as_deref().filter(|_| changed) {
                warn!(agent.id = %session.agent.id, domain = %self.domain, %trouble, "an agent is in trouble");
            }
            let (agent, controller) = (session.agent.id, host(controller.as_ref()));
            let node = Some(self.options.node);
            self.options.store.note_agent(agent, node, now, controller, trouble.as_deref()).await?;
        }
        let active = self.active.as_ref().filter(|active| active.session == id);
        let can_write = match active {
            Some(active) => writes_to(controller.as_ref(), active.controller.as_deref()),
            None => controller.is_some(),
        };
        // A clock that was put back begins anew.
        let since = session.without_controller.filter(|since| *since <= now);
        let since = if can_write { None } else { since.or(Some(now)) };
        session.without_controller = since;
        session.controller = controller;
        session.trouble = trouble;
        let is_useless = since.is_some_and(|since| now.ms_since(since) > limits::LEASE_MS);
        if is_useless && active.is_some() {
            // Not renewed and not given up: whoever takes over still waits for the lease's end.
            self.lose_lease();
        }
        Ok(())
    }

    /// Whether the active agent let its lease run out, by this node's own clock; the store's answer decides.
    pub(super) fn active_is_over(&self) -> bool {
        let now = self.options.clock.now();
        self.active.as_ref().is_some_and(|active| now > active.until)
    }

    /// Takes the lease for one of the connected agents that were heard of lately, if it is free.
    pub(super) async fn take_lease(&mut self) -> Result<(), Error> {
        let now = self.options.clock.now();
        let shared = self.options.store.shared_now(now).await?;
        let last = self.options.store.lease(self.tenant, &self.domain).await?;
        let vacancy = Vacancy {
            controller: last.as_ref().and_then(|last| last.writing_controller.as_deref()),
            last: last.as_ref().map(|last| last.agent),
            is_replicating: last.iter().filter_map(|last| last.before.as_ref()).any(|before| before.until > shared),
        };
        let Some((standing, id)) = self.candidate(&vacancy, now) else {
            self.without_writing_controller = None;
            return Ok(());
        };
        self.without_writing_controller =
            (standing == Standing::Other).then(|| self.unwritten_since(last.as_ref(), now, shared));
        if self.without_writing_controller.is_some_and(|since| now.ms_since(since) < limits::CONTROLLER_SWITCH_MS) {
            return Ok(());
        }
        let Some(session) = self.sessions.get(&id) else { return Ok(()) };
        if self.renewed.is_some_and(|renewed| renewed.keeps_out(session.agent.id, last.as_ref())) {
            return Ok(());
        }
        // A lease that this very agent holds need not be waited for: either it is the same process, which ends what it
        // has begun before it takes new work, or a new one, and then the old one is dead (an agent locks its data).
        if let Some(last) = last.filter(|last| last.agent == session.agent.id) {
            self.options.store.release_lease(&last.lease, shared).await?;
        }
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
        let Some(mut holder) = holder else { return Ok(()) };
        if let Some(controller) = session.controller.clone().filter(|_| standing == Standing::Other)
            && !self.switch(&mut holder, &controller, shared).await?
        {
            return Ok(());
        }
        self.without_writing_controller = None;
        self.activate(id, holder, now, shared);
        Ok(())
    }

    /// Since when nobody has had the writing controller, as far as this node can know: on another one it was in use
    /// when the lease was renewed there.
    fn unwritten_since(&self, last: Option<&LeaseHolder>, now: Timestamp, shared: Timestamp) -> Timestamp {
        match last.filter(|last| last.node != self.options.node && last.until > shared) {
            Some(last) => now.plus_ms((last.until.ms_since(shared) - limits::LEASE_MS).min(0)),
            None => self.without_writing_controller.filter(|since| *since <= now).unwrap_or(now),
        }
    }

    /// Who should work: an agent that is not to be drained before one that is, with the writing controller before any
    /// other, the lease's last holder, and the one that was enrolled first.
    fn candidate(&self, vacancy: &Vacancy<'_>, now: Timestamp) -> Option<(Standing, SessionId)> {
        let heard_since = now.plus_ms(-limits::LEASE_MS / 2);
        let standing = |session: &Session| {
            let controller = session.controller.as_ref().filter(|controller| controller.writable)?;
            let is_writing = vacancy.controller.is_none_or(|named| named == controller.invocation_id);
            // An agent that knows nothing of replication could take what is on its way for gone.
            let is_fit = session.can(Capability::Replication) || (is_writing && !vacancy.is_replicating);
            is_fit.then_some(if is_writing { Standing::Writing } else { Standing::Other })
        };
        self.sessions
            .values()
            .filter(|session| session.heard >= heard_since)
            .filter_map(|session| {
                let standing = standing(session)?;
                let must_wait = vacancy.last != Some(session.agent.id);
                let order = (self.is_draining(session.id), standing, must_wait, session.agent.enrolled, session.id);
                Some((order, standing))
            })
            .min_by_key(|(order, _)| *order)
            .map(|((.., id), standing)| (standing, id))
    }

    /// Names another writing controller. What was written through the one before is known in full only where its last
    /// agent handed the domain over.
    async fn switch(&mut self, holder: &mut LeaseHolder, to: &Controller, shared: Timestamp) -> Result<bool, Error> {
        let Some(from) = holder.writing_controller.clone() else { return Ok(true) };
        let released = self.released.take();
        let before = ControllerBefore {
            usn: released.and_then(|released| released.number_of(&from, holder, &to.invocation_id, shared)),
            controller: from,
            until: shared.plus_ms(limits::REPLICATION_WAIT_MS_MAX),
        };
        warn!(domain = %self.domain, from = %before.controller, to = %to.invocation_id, host = %to.host,
            "another controller is written to from now on");
        match self.options.store.switch_controller(&holder.lease, &to.invocation_id, &before).await? {
            Fenced::Stale => Ok(false),
            Fenced::Done(()) => {
                holder.writing_controller = Some(to.invocation_id.clone());
                holder.before = Some(before);
                Ok(true)
            }
        }
    }

    fn activate(&mut self, id: SessionId, holder: LeaseHolder, now: Timestamp, shared: Timestamp) {
        let Some(session) = self.sessions.get(&id) else { return };
        let agent = session.agent.id;
        info!(domain = %self.domain, agent.id = %agent, epoch = holder.lease.epoch.0, "lease taken");
        let replicated = holder.before.as_ref().map(|before| now.plus_ms(before.until.ms_since(shared)));
        let replication = holder
            .before
            .map(|before| Replication {
                from: before.controller,
                usn: before.usn,
                wait_ms: before.until.ms_since(shared),
            })
            .filter(|replication| replication.wait_ms > 0 && session.can(Capability::Replication));
        let controller = holder.writing_controller.clone();
        let frame = ToAgent::Active {
            domain: self.domain.clone(),
            epoch: holder.lease.epoch,
            lease_ms: limits::LEASE_MS,
            job_context: JobContext { writing_controller: holder.writing_controller, replication },
        };
        self.lose_lease();
        self.usn_recorded = Some(0);
        let until = now.plus_ms(limits::LEASE_MS);
        self.renewed = Some(Renewed { agent, epoch: holder.lease.epoch, at: Instant::now() });
        let (lease, agent_since) = (holder.lease, holder.agent_since);
        self.active = Some(Active { lease, session: id, agent, agent_since, until, controller, replicated });
        self.send_to(id, frame);
    }

    /// Whether the active agent has the writing controller; while it has not, the domain waits and nobody fails for it.
    pub(super) fn has_writing_controller(&self) -> bool {
        self.active.as_ref().is_some_and(|active| {
            let session = self.sessions.get(&active.session);
            session.is_some_and(|session| writes_to(session.controller.as_ref(), active.controller.as_deref()))
        })
    }

    /// Forgets the lease and what was given out under it; persons stay due and are given out anew by whoever is next.
    pub(super) fn lose_lease(&mut self) {
        if let Some(active) = self.active.take() {
            info!(domain = %self.domain, agent.id = %active.agent, epoch = active.lease.epoch.0, "lease over");
            self.send_to(active.session, ToAgent::Standby { domain: self.domain.clone() });
        }
        self.releasing = None;
        self.forget_read_ahead();
        self.looked_at.clear();
        self.credit.clear();
    }

    /// Asks the active agent to hand the domain over where it is to be drained and another could take it.
    pub(super) fn hand_over(&mut self, now: Timestamp) {
        let Some(active) = &self.active else { return };
        if let Some(releasing) = self.releasing {
            if !is_fresh(releasing.since, limits::RELEASE_MS_MAX, now) {
                warn!(domain = %self.domain, agent.id = %active.agent, "an agent does not hand its domain over");
                self.lose_lease();
            }
            return;
        }
        let (id, epoch) = (active.session, active.lease.epoch);
        let can = self.sessions.get(&id).is_some_and(|session| session.can(Capability::Release));
        if !can || !self.is_draining(id) || !self.has_successor(id, now) {
            return;
        }
        info!(domain = %self.domain, agent.id = %active.agent, "the domain is handed over");
        self.releasing = Some(Releasing { since: now });
        self.send_to(id, ToAgent::Release { epoch });
    }

    fn has_successor(&self, holder: SessionId, now: Timestamp) -> bool {
        let controller = |id| self.sessions.get(&id).and_then(|session: &Session| session.controller.as_ref());
        let vacancy = Vacancy {
            controller: controller(holder).map(|controller| controller.invocation_id.as_str()),
            // Without the holder's own candidacy: it is to be drained.
            last: None,
            is_replicating: self.active.as_ref().and_then(|active| active.replicated).is_some_and(|at| at > now),
        };
        self.candidate(&vacancy, now).is_some_and(|(_, id)| id != holder)
    }

    /// The agent has said that nothing of its is under way and everything was told: the next one need not wait.
    pub(super) async fn released(&mut self, id: SessionId, epoch: Epoch, usn: Option<i64>) -> Result<(), Error> {
        let own = self.active.as_ref().filter(|active| active.session == id && active.lease.epoch == epoch);
        let Some(lease) = own.map(|active| active.lease.clone()) else { return Ok(()) };
        let controller = self.sessions.get(&id).and_then(|session| session.controller.clone());
        // The last change of the domain, as the agent read it after its last write; or else the last write's number,
        // which is higher than that of all before it, under whichever lease.
        let usn = usn.or(self.usn_recorded.filter(|recorded| *recorded > 0));
        self.released =
            controller.zip(usn).map(|(known, usn)| Released { epoch, controller: known.invocation_id, usn });
        self.give_up(&lease).await?;
        self.lose_lease();
        // A hand-over is wanted: another controller is named at once if need be.
        self.without_writing_controller = Some(Timestamp(0));
        Ok(())
    }

    /// Nothing of its agent is under way: nobody need wait for the lease's end.
    async fn give_up(&mut self, lease: &Lease) -> Result<(), Error> {
        let shared = self.options.store.shared_now(self.options.clock.now()).await?;
        self.options.store.release_lease(lease, shared).await?;
        self.renewed = None;
        Ok(())
    }

    /// Lets the agent finish what it has, then gives the lease up.
    pub(super) async fn drain(&mut self, queue: &mut mpsc::Receiver<Event>) {
        self.draining = true;
        for id in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.send_to(id, ToAgent::Drain {});
        }
        let limit = Duration::from_millis(limits::DRAIN_MS_MAX);
        let _ = tokio::time::timeout(limit, async {
            while !self.credit.is_empty() {
                let Some(event) = queue.recv().await else { break };
                let _ = self.handle(event).await;
            }
        })
        .await;
        let now = self.options.clock.now();
        if let Some(active) = self.active.take().filter(|_| self.credit.is_empty()) {
            let _ = self.give_up(&active.lease).await;
        }
        for session in self.sessions.values() {
            let controller = host(session.controller.as_ref());
            let _ = self
                .options
                .store
                .note_agent(session.agent.id, None, now, controller, session.trouble.as_deref())
                .await;
        }
        self.sessions.clear();
    }
}

/// Whether an agent's controller is the one that is written to.
fn writes_to(controller: Option<&Controller>, named: Option<&str>) -> bool {
    controller.is_some_and(|controller| named.is_none_or(|named| named == controller.invocation_id))
}

#[cfg(test)]
mod tests;
