//! Workers over one store, in the hands of a test, each a node's own; and what agents report to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rollcall_model::ids::{AgentId, ChangeId, Epoch, NodeId, PersonId, Version};
use rollcall_model::outcome::{AppliedChange, Conclusion, Outcome};
use rollcall_model::plan::Action;
use rollcall_model::{Clock, Timestamp};
use rollcall_store::conformance::World;
use rollcall_store::{Agent, Audit, LeaseHolder, NewEnrolment, Store};
use rollcall_wire::link::{Capability, Controller, FromAgent, ToAgent};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::WorkOptions;
use super::domain::{Event, Worker};
use super::session::{Questions, Session, SessionId};
use crate::system::SystemRandom;

/// A domain that no job works on.
const DOMAIN: &str = "agents.test";
const START: Timestamp = Timestamp(1_700_000_000_000_000);

/// The clock of all nodes, which stands still until it is set.
struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

pub(super) struct Bench {
    pub(super) store: Arc<dyn Store>,
    pub(super) world: World,
    clock: Arc<SetClock>,
    _folder: tempfile::TempDir,
}

/// An agent's end of a connection.
pub(super) struct End {
    pub(super) id: SessionId,
    controller: Controller,
    frames: mpsc::Receiver<ToAgent>,
}

impl Bench {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = rollcall_store::open("sqlite", folder.path()).await.unwrap();
        let world = World::new(&*store, 1).await;
        Self { store, world, clock: Arc::new(SetClock(AtomicI64::new(START.0))), _folder: folder }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Sets the clock, forward or back.
    pub(super) fn pass_ms(&self, ms: i64) {
        self.clock.0.fetch_add(ms * 1_000, Ordering::SeqCst);
    }

    pub(super) fn audit(&self) -> Audit {
        Audit {
            id: self.world.id(),
            at: self.now(),
            actor: "x".to_owned(),
            action: "x".to_owned(),
            target: "x".to_owned(),
            details: "{}".to_owned(),
        }
    }

    /// The worker of a node that has just started.
    pub(super) fn node(&self) -> Worker {
        let options = WorkOptions {
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            random: Arc::new(SystemRandom),
            node: NodeId(self.world.id()),
            secrets: crate::JobSecrets::generate(&SystemRandom),
        };
        Worker::new(Arc::new(options), self.world.tenant, DOMAIN)
    }

    /// A new agent; later ones were enrolled later.
    pub(super) async fn enrol(&self) -> Agent {
        let id = self.world.id();
        let enrolled = Timestamp(START.0 + i64::try_from(id.as_u128() % 1_000_000).unwrap());
        let agent = Agent::new(AgentId(id), self.world.tenant, "a", DOMAIN, &[1; 32], enrolled);
        let token_sha256 = [u8::try_from(id.as_u128() % 251).unwrap(); 32];
        let expires = START.plus_ms(1_000_000);
        let new = NewEnrolment { tenant: agent.tenant, token_sha256, domain: DOMAIN.to_owned(), expires };
        self.store.create_enrolment(&new, &self.audit()).await.unwrap();
        assert!(self.store.enroll(&token_sha256, &agent, &self.audit()).await.unwrap().is_some());
        agent
    }

    pub(super) async fn connect(
        &self,
        node: &mut Worker,
        agent: &Agent,
        controller: &str,
        capabilities: &[Capability],
    ) -> End {
        let id = self.world.id();
        let (out, frames) = mpsc::channel(1_000);
        let controller = Controller {
            host: controller.to_owned(),
            invocation_id: controller.to_owned(),
            highest_committed_usn: 1,
            writable: true,
        };
        let session = Session {
            id,
            agent: agent.clone(),
            frames: out,
            capabilities: capabilities.to_vec(),
            questions: Questions::default(),
            log_level: None,
            rotating: false,
            controller: Some(controller.clone()),
            trouble: None,
            heard: self.now(),
            without_controller: None,
            noted: self.now(),
        };
        node.handle(Event::Connected(Box::new(session))).await.unwrap();
        End { id, controller, frames }
    }

    /// The row of the domain's lease.
    pub(super) async fn lease(&self) -> LeaseHolder {
        self.store.lease(self.world.tenant, DOMAIN).await.unwrap().unwrap()
    }
}

impl End {
    pub(super) async fn says(&self, node: &mut Worker, frame: FromAgent) {
        node.handle(Event::Frame(self.id, Box::new(frame))).await.unwrap();
    }

    pub(super) async fn renews(&self, node: &mut Worker) {
        let controller = Some(self.controller.clone());
        self.says(node, FromAgent::Renew { sequence: 1, controller, trouble: None }).await;
    }

    pub(super) async fn renews_without_controller(&self, node: &mut Worker) {
        self.says(node, FromAgent::Renew { sequence: 1, controller: None, trouble: None }).await;
    }

    /// What was sent to it since it was looked at last.
    pub(super) fn heard(&mut self) -> Vec<ToAgent> {
        std::iter::from_fn(|| self.frames.try_recv().ok()).collect()
    }
}

/// A report of nothing but how it ended.
pub(super) fn outcome(person: PersonId, version: i64, result: Conclusion) -> Outcome {
    Outcome {
        id: ChangeId(Uuid::from_u128(500)),
        person,
        version: Version(version),
        epoch: Epoch(1),
        ended: START,
        result,
        changes: Vec::new(),
        link: None,
        dn: None,
        confirmed: None,
        refused: Vec::new(),
        warnings: Vec::new(),
        drift: Vec::new(),
        waits_for_manager: None,
    }
}

/// A write that reached the directory.
pub(super) fn change(id: ChangeId, action: Action) -> AppliedChange {
    AppliedChange {
        id,
        action,
        at: START,
        duration_ms: 3,
        guid: None,
        dn: "CN=Ada,DC=corp".to_owned(),
        properties: Vec::new(),
        failure: None,
        confirmed_after_crash: false,
    }
}

/// Whose agent works, as far as this node knows.
pub(super) fn active(node: &Worker) -> Option<AgentId> {
    node.active.as_ref().map(|active| active.agent)
}
