//! The fence: no LDAP write starts later than half a lease after the *sending* of the last renewal that was
//! acknowledged. A successor waits for the lease's end plus one LDAP time-out, so a write that starts inside the fence
//! and ends within that time-out can never meet one of the successor's.
//!
//! Every single write takes a [`Permit`]. Before the agent says hello again, the fence is revoked and all permits are
//! back: a hello is also the promise that no write of an earlier connection is under way.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rollcall_model::ids::Epoch;
use tokio::sync::watch;

/// A clock that is never set and counts suspend.
pub trait LeaseClock: Send + Sync {
    /// Milliseconds since some fixed moment.
    fn now_ms(&self) -> i64;
}

/// Renewals sent and not acknowledged that are remembered; older ones could not open the fence any more.
const RENEWALS_REMEMBERED_MAX: usize = 64;

#[derive(Debug, Default)]
struct Inner {
    /// The epoch this agent is active under.
    active: Option<Active>,
    /// When the last frame was sent that the service is known to have received.
    heard_at_ms: i64,
    /// Renewals that await their acknowledgement: sequence, moment of sending.
    sent: VecDeque<(u64, i64)>,
    writing: usize,
}

#[derive(Clone, Copy, Debug)]
struct Active {
    epoch: Epoch,
    lease_ms: i64,
    /// Sending of the renewal that last moved the lease's end.
    since_ms: i64,
}

impl Active {
    fn is_open_at(self, now_ms: i64) -> bool {
        now_ms <= self.since_ms + self.lease_ms / 2
    }
}

/// Shared by the link, which feeds it, and the worker, which asks it.
#[derive(Clone)]
pub(crate) struct Fence {
    inner: Arc<Mutex<Inner>>,
    clock: Arc<dyn LeaseClock>,
    changed: watch::Sender<()>,
}

/// Leave for one write. It is given back when dropped.
pub(crate) struct Permit {
    fence: Fence,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.fence.lock().writing -= 1;
        self.fence.changed.send_replace(());
    }
}

/// What the fence says to a write.
pub(crate) enum Gate {
    Open(Permit),
    /// The lease may be over; a renewal that is acknowledged opens it again.
    Shut,
    /// This agent is not active under that epoch, and will not be again.
    Over,
}

impl Fence {
    pub(crate) fn new(clock: Arc<dyn LeaseClock>) -> Self {
        Self { inner: Arc::default(), clock, changed: watch::Sender::new(()) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Inner, i64)) {
        let now = self.clock.now_ms();
        change(&mut self.lock(), now);
        self.changed.send_replace(());
    }

    /// Call just before a hello is sent.
    pub(crate) fn hello(&self) {
        self.change(|inner, now| {
            inner.active = None;
            inner.sent.clear();
            inner.heard_at_ms = now;
        });
    }

    /// Call just before a renewal is sent.
    pub(crate) fn renewal(&self, sequence: u64) {
        self.change(|inner, now| {
            if inner.sent.len() == RENEWALS_REMEMBERED_MAX {
                inner.sent.pop_front();
            }
            inner.sent.push_back((sequence, now));
        });
    }

    /// The service has acknowledged a renewal. Not renewed: the lease is not this agent's any more.
    pub(crate) fn acknowledged(&self, sequence: u64, renewed: Option<Epoch>) {
        self.change(|inner, _| {
            let Some(at) = inner.sent.iter().position(|(sent, _)| *sent == sequence) else { return };
            let (_, sent_at) = inner.sent[at];
            inner.sent.drain(..=at);
            inner.heard_at_ms = sent_at;
            match (&mut inner.active, renewed) {
                (Some(active), Some(epoch)) if active.epoch == epoch => active.since_ms = sent_at,
                (Some(_), None) => inner.active = None,
                _ => {}
            }
        });
    }

    /// This agent is active from now on. The lease began after the last frame the service is known to have received.
    pub(crate) fn activated(&self, epoch: Epoch, lease_ms: i64) {
        self.change(|inner, _| inner.active = Some(Active { epoch, lease_ms, since_ms: inner.heard_at_ms }));
    }

    /// Nothing may be written any more.
    pub(crate) fn revoke(&self) {
        self.change(|inner, _| inner.active = None);
    }

    /// Whether a write may start now.
    pub(crate) fn is_open(&self, epoch: Epoch) -> bool {
        let now = self.clock.now_ms();
        self.lock().active.is_some_and(|active| active.epoch == epoch && active.is_open_at(now))
    }

    /// Asks for one write under an epoch.
    pub(crate) fn ask(&self, epoch: Epoch) -> Gate {
        let now = self.clock.now_ms();
        let mut inner = self.lock();
        match inner.active {
            Some(active) if active.epoch == epoch => {
                if !active.is_open_at(now) {
                    return Gate::Shut;
                }
                inner.writing += 1;
                Gate::Open(Permit { fence: self.clone() })
            }
            _ => Gate::Over,
        }
    }

    /// Leave for one write, as soon as it may be; `None` once the epoch is over.
    pub(crate) async fn permit(&self, epoch: Epoch) -> Option<Permit> {
        let mut changed = self.changed.subscribe();
        loop {
            changed.borrow_and_update();
            match self.ask(epoch) {
                Gate::Open(permit) => return Some(permit),
                Gate::Over => return None,
                Gate::Shut => drop(changed.changed().await),
            }
        }
    }

    /// Whether this agent is active under the epoch, be the fence open or shut.
    pub(crate) fn holds(&self, epoch: Epoch) -> bool {
        self.lock().active.is_some_and(|active| active.epoch == epoch)
    }

    /// Waits until the epoch is over.
    pub(crate) async fn over(&self, epoch: Epoch) {
        let mut changed = self.changed.subscribe();
        while self.holds(epoch) {
            let _ = changed.changed().await;
        }
    }

    /// Waits until no write is under way.
    pub(crate) async fn settled(&self) {
        let mut changed = self.changed.subscribe();
        while self.lock().writing > 0 {
            let _ = tokio::time::timeout(Duration::from_secs(1), changed.changed()).await;
        }
    }
}

#[cfg(test)]
mod tests;
