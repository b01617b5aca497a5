//! The way of a record inside the service: the links to agents, and one worker for each domain that an agent of this
//! node serves.
//!
//! A worker is one task. Everything that changes persons of its domain happens in it, one transaction after the other,
//! under the domain's lease; so there is no locking, and another node that takes the lease over stops it dead.

mod ask;
mod backoff;
#[cfg(test)]
mod bench;
mod budget;
mod credit;
mod dispatch;
mod domain;
mod late;
mod lease;
mod merge;
mod record;
mod session;
mod standing;
pub(crate) mod sweep;
#[cfg(test)]
mod tests;
mod unchanged;
mod unique;
mod wishes;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::ws::WebSocket;
use rollcall_model::ids::{NodeId, TenantId};
use rollcall_model::{Clock, Random, Timestamp, limits};
use rollcall_store::Store;
use tokio::sync::mpsc;

pub(crate) use ask::{Asker, NoAnswer};
use domain::{Event, Worker};
pub(crate) use unique::{Offer, narrow};

/// What the workers need from outside.
pub struct WorkOptions {
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub node: NodeId,
    /// Seeds of the random values in mappings.
    pub secrets: crate::JobSecrets,
}

/// Whether something of that moment is younger than `ms` milliseconds. What comes from the future is not: the clock was
/// put back.
fn is_fresh(of: Timestamp, ms: i64, now: Timestamp) -> bool {
    (0..ms).contains(&now.ms_since(of))
}

/// The queues of the workers, by tenant and domain.
type Workers = HashMap<(TenantId, String), mpsc::Sender<Event>>;

/// The handle by which the HTTP side speaks to the workers.
#[derive(Clone)]
pub struct Hub {
    options: Arc<WorkOptions>,
    workers: Arc<Mutex<Workers>>,
}

impl Hub {
    #[must_use]
    pub fn new(options: WorkOptions) -> Self {
        Self { options: Arc::new(options), workers: Arc::default() }
    }

    /// An upload was accepted: the workers look at it now rather than at their next tick.
    pub fn notify(&self) {
        for events in self.events() {
            // A full queue means that the worker is busy and will look anyway.
            let _ = events.try_send(Event::Look);
        }
    }

    /// An administrator changed something the workers go by: a job was started, paused or set otherwise, a retry or a
    /// drain was asked for.
    pub fn changed(&self) {
        for events in self.events() {
            // Behind a full queue it is seen a little later, as what another node changed is.
            let _ = events.try_send(Event::Changed);
        }
    }

    /// Speaks with one agent until its connection ends. `host` is the request's `Host` without port: what the agent's
    /// signature is bound to.
    pub async fn serve_agent(&self, socket: WebSocket, host: String) {
        session::serve(self, socket, &host).await;
    }

    /// Drains: agents are told to reconnect elsewhere, leases are given up, nothing new is begun.
    pub async fn stop(&self) {
        let mut stopping = Vec::new();
        for events in self.events() {
            let (stopped, wait) = tokio::sync::oneshot::channel();
            if events.send(Event::Stop(stopped)).await.is_ok() {
                stopping.push(wait);
            }
        }
        for wait in stopping {
            let limit = std::time::Duration::from_millis(2 * limits::DRAIN_MS_MAX);
            let _ = tokio::time::timeout(limit, wait).await;
        }
    }

    fn events(&self) -> Vec<mpsc::Sender<Event>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The queue of a domain's worker, where there is one.
    fn known_worker(&self, tenant: TenantId, domain: &str) -> Option<mpsc::Sender<Event>> {
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        workers.get(&(tenant, domain.to_lowercase())).filter(|events| !events.is_closed()).cloned()
    }

    /// The queue of a domain's worker, which is started where there is none.
    fn worker(&self, tenant: TenantId, domain: &str) -> mpsc::Sender<Event> {
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (tenant, domain.to_owned());
        if let Some(events) = workers.get(&key).filter(|events| !events.is_closed()) {
            return events.clone();
        }
        let (events, queue) = mpsc::channel(256);
        let worker = Worker::new(self.options.clone(), tenant, domain);
        tokio::spawn(worker.run(queue));
        workers.insert(key, events.clone());
        events
    }
}
