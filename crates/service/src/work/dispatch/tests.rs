//! Work on its way to an agent that is there only as the far end of a queue.

mod unique;

use rollcall_model::SourceName;
use rollcall_model::config::{Apply, DeleteAction, InitialPassword, Mapping, MappingSource};
use rollcall_model::ids::ObjectGuid;
use rollcall_model::operation::Method;
use rollcall_model::person::{Confirmed, Link, Person};
use rollcall_model::plan::Action;
use rollcall_store::conformance::World;
use rollcall_store::{Accepted, Agent, Audit, Job, PersonUpdate};
use rollcall_wire::link::{Controller, FromAgent};
use serde_json::json;
use tokio::sync::mpsc;

use rollcall_engine::evaluate::Prepared;

use super::*;
use crate::body;
use crate::system::{SystemClock, SystemRandom};
use crate::work::domain::{Active, Event, ReadyJob};
use crate::work::session::Questions;
use crate::work::{WorkOptions, bench};

const DOMAIN: &str = "corp.test";

struct Bench {
    worker: Worker,
    world: World,
    session: SessionId,
    frames: mpsc::Receiver<ToAgent>,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn new(change: impl FnOnce(&mut Job)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = rollcall_store::open("sqlite", folder.path()).await.unwrap();
        let world = World::new(&*store, 1).await;
        let options = WorkOptions {
            store,
            clock: std::sync::Arc::new(SystemClock),
            random: std::sync::Arc::new(SystemRandom),
            node: world.node,
            secrets: crate::JobSecrets::generate(&SystemRandom),
        };
        let now = options.clock.now();
        let mut worker = Worker::new(std::sync::Arc::new(options), world.tenant, DOMAIN);
        let (sender, frames) = mpsc::channel(64);
        let session = world.id();
        let controller = Controller {
            host: DOMAIN.to_owned(),
            invocation_id: "dc1".to_owned(),
            highest_committed_usn: 1,
            writable: true,
        };
        worker.sessions.insert(
            session,
            Session {
                id: session,
                agent: Agent::new(world.agent, world.tenant, "a", DOMAIN, &[7; 32], now),
                frames: sender,
                // No looks: everybody is merged.
                capabilities: Capability::OURS.iter().copied().filter(|own| *own != Capability::Look).collect(),
                questions: Questions::default(),
                log_level: None,
                rotating: false,
                controller: Some(controller),
                trouble: None,
                heard: now,
                without_controller: None,
                noted: now,
            },
        );
        let lease = world.lease.clone();
        let (agent, agent_since, until) = (world.agent, lease.epoch, now.plus_ms(1_000_000));
        let controller = Some("dc1".to_owned());
        worker.active = Some(Active { lease, session, agent, agent_since, until, controller, replicated: None });
        let mut bench = Self { worker, world, session, frames, _folder: folder };
        bench.set_job(change).await;
        bench
    }

    async fn set_job(&mut self, change: impl FnOnce(&mut Job)) {
        let store = &self.worker.options.store;
        let mut job = store.jobs_of_domain(self.world.tenant, DOMAIN).await.unwrap().remove(0);
        job.config.container = Some("OU=Staff,DC=corp,DC=test".to_owned());
        let key = SourceName::new("externalId");
        let matching = Mapping {
            target: "employeeID".to_owned(),
            source: MappingSource::Direct(key),
            ..job.config.mappings[0].clone()
        };
        job.config.mappings.truncate(1);
        job.config.mappings.push(Mapping { matching_priority: 1, ..matching });
        change(&mut job);
        let changed = store.set_job_config(self.world.tenant, &job.id, &job.config, &audit(&self.world)).await;
        assert!(changed.is_ok(), "{changed:?}");
        let prepared = Prepared::new(&job.config, job.schema_version, DOMAIN).unwrap();
        self.worker.jobs.insert(job.id.clone(), ReadyJob { job, prepared });
    }

    /// Somebody who has an account that we left enabled, and nothing due.
    fn linked(&self, external_id: &str) -> PersonUpdate {
        let mut update = PersonUpdate { due: None, ..self.world.person(external_id) };
        update.person.record.insert("externalId".to_owned(), json!(external_id));
        let guid = ObjectGuid(self.world.id());
        update.person.link = Some(Link { guid, confirmed: true, invocation_id: None, usn_changed: None });
        update.person.confirmed = Some(Confirmed { enabled: Some(true), ..Confirmed::default() });
        update
    }

    async fn merge(&self, persons: &[PersonUpdate]) {
        self.world.merge(&*self.worker.options.store, persons).await;
    }

    /// Does everything that can be done; who was sent, with lane and version.
    async fn dispatch(&mut self) -> Vec<(Lane, String, i64)> {
        while self.worker.dispatch_due().await.unwrap() {}
        let mut sent = Vec::new();
        while let Ok(frame) = self.frames.try_recv() {
            if let ToAgent::Work { lane, items, .. } = frame {
                sent.extend(items.into_iter().map(|item| (lane, item.external_id, item.version.0)));
            }
        }
        sent
    }

    fn outcome(&self, person: &Person, version: i64, changes: &[Action]) -> Outcome {
        let made = |action: &Action| bench::change(ChangeId(self.world.id()), *action);
        Outcome {
            id: ChangeId(self.world.id()),
            epoch: self.world.lease.epoch,
            changes: changes.iter().map(made).collect(),
            ..bench::outcome(person.id, version, Conclusion::Done)
        }
    }

    async fn report(&mut self, outcome: Outcome) {
        let frame = FromAgent::Outcomes { epoch: outcome.epoch, outcomes: vec![outcome] };
        self.worker.handle(Event::Frame(self.session, Box::new(frame))).await.unwrap();
    }

    /// Used, staged, released.
    async fn budget(&self) -> (i64, i64, i64) {
        let state = self.worker.options.store.budget_state(&self.world.job, self.worker.options.clock.now());
        let state = state.await.unwrap();
        (state.used, state.staged, state.released)
    }
}

fn sent(lane: Lane, external_id: &str, version: i64) -> (Lane, String, i64) {
    (lane, external_id.to_owned(), version)
}

/// The person again, with the next version due.
fn next(update: &PersonUpdate, change: impl FnOnce(&mut PersonUpdate)) -> PersonUpdate {
    let mut update = PersonUpdate { due: Some(Timestamp(1)), ..update.clone() };
    update.person.version.0 += 1;
    change(&mut update);
    update
}

/// semantics: several-operations (the urgent lane leads to the agent)
#[tokio::test]
async fn what_its_sender_called_urgent_is_so_until_it_is_done() {
    let mut bench = Bench::new(|_| {}).await;
    let (a, b) = (bench.linked("a"), bench.linked("b"));
    bench.merge(&[a, b]).await;
    let upload = |keys: &[&str], urgent| {
        let data: Vec<_> = keys.iter().map(|key| json!({ "externalId": key, "title": "Buyer" }).to_string()).collect();
        rollcall_store::NewUpload { body: body::pack(&data), urgent, ..bench.world.upload(keys) }
    };
    for upload in [upload(&["a"], true), upload(&["a", "b"], false)] {
        let accepted = bench.worker.options.store.accept(&upload, 1_000, Timestamp(0)).await.unwrap();
        assert_eq!(accepted, Accepted::New);
        assert!(bench.worker.merge_waiting().await.unwrap());
    }
    assert_eq!(bench.dispatch().await, [sent(Lane::Urgent, "a", 3), sent(Lane::Normal, "b", 2)]);
}

/// semantics: several-operations (a leaver whose update is with the agent)
#[tokio::test]
async fn urgent_work_overtakes_what_is_with_the_agent() {
    let check = async |case: &str, has_lanes: bool, has_link: bool, overtakes: bool| {
        let mut bench = Bench::new(|_| {}).await;
        if !has_lanes {
            let session = bench.worker.sessions.get_mut(&bench.session).unwrap();
            session.capabilities.retain(|own| *own != Capability::UrgentLane);
        }
        let mut a = PersonUpdate { due: Some(Timestamp(1)), ..bench.linked("a") };
        a.person.link = a.person.link.filter(|_| has_link);
        bench.merge(std::slice::from_ref(&a)).await;
        assert_eq!(bench.dispatch().await, [sent(Lane::Normal, "a", 1)], "{case}");
        let leaver = next(&a, |update| {
            update.person.record.insert("active".to_owned(), json!(false));
            update.urgent = true;
        });
        bench.merge(std::slice::from_ref(&leaver)).await;
        bench.worker.urgent_may_be_due = true;
        let at_once = bench.dispatch().await;
        bench.report(bench.outcome(&a.person, 1, &[])).await;
        let afterwards = bench.dispatch().await;
        let lane = if has_lanes { Lane::Urgent } else { Lane::Normal };
        let (expected, none) = (vec![sent(lane, "a", 2)], Vec::new());
        let expected = if overtakes { (expected, none) } else { (none, expected) };
        assert_eq!((at_once, afterwards), expected, "{case}");
    };
    check("it does", true, true, true).await;
    check("not the making of its account", true, false, false).await;
    check("not with an agent that knows no lanes", false, true, false).await;
}

fn audit(world: &World) -> Audit {
    let (actor, action, target) = ("x".to_owned(), "y".to_owned(), "z".to_owned());
    Audit { id: world.id(), at: Timestamp(0), actor, action, target, details: "{}".to_owned() }
}

/// What is with the agent may tell of writes: nothing ends before it does.
#[tokio::test]
async fn nobody_ends_without_the_agent_while_it_has_an_older_version() {
    let mut bench = Bench::new(|job| job.config.delete_action = DeleteAction::Off).await;
    let a = PersonUpdate { due: Some(Timestamp(1)), ..bench.linked("a") };
    bench.merge(std::slice::from_ref(&a)).await;
    assert_eq!(bench.dispatch().await, [sent(Lane::Normal, "a", 1)]);
    let ignored = next(&a, |update| (update.person.pending.method, update.urgent) = (Method::Delete, true));
    bench.merge(std::slice::from_ref(&ignored)).await;
    let is_due = async |bench: &mut Bench| {
        bench.worker.urgent_may_be_due = true;
        assert_eq!(bench.dispatch().await, []);
        let person = bench.worker.options.store.person(&bench.world.job, "a").await.unwrap();
        person.unwrap().due.is_some()
    };
    assert!(is_due(&mut bench).await);
    bench.report(bench.outcome(&a.person, 1, &[])).await;
    assert!(!is_due(&mut bench).await);
}

/// Who does not fit into a frame of urgent work goes into the next one of the same lane.
#[tokio::test]
async fn large_urgent_work_stays_urgent() {
    let mut bench = Bench::new(|_| {}).await;
    let persons: Vec<_> = (0..6)
        .map(|n| {
            let mut update = PersonUpdate { due: Some(Timestamp(1)), urgent: true, ..bench.linked(&format!("p{n}")) };
            update.person.record.insert("title".to_owned(), "x".repeat(WORK_ITEM_BYTES * 9 / 10).into());
            update
        })
        .collect();
    bench.merge(&persons).await;
    bench.worker.urgent_may_be_due = true;
    let sent = bench.dispatch().await;
    assert_eq!((sent.len(), sent.iter().filter(|(lane, ..)| *lane == Lane::Urgent).count()), (6, 6));
}

/// Whom nobody has announced is found with the ordinary ones, and not sent as one.
#[tokio::test]
async fn urgent_persons_keep_to_their_lane_while_there_is_room() {
    let mut bench = Bench::new(|_| {}).await;
    let persons: Vec<_> = (0..limits::WORK_URGENT_PERSONS_MAX + 2)
        .map(|n| PersonUpdate { due: Some(Timestamp(1)), urgent: true, ..bench.linked(&format!("p{n}")) })
        .collect();
    bench.merge(&persons).await;
    let mut sent = bench.dispatch().await;
    if sent.is_empty() {
        // The next step.
        sent = bench.dispatch().await;
    }
    let of = |lane| sent.iter().filter(|(own, ..)| *own == lane).count();
    assert_eq!((of(Lane::Urgent), of(Lane::Normal)), (limits::WORK_URGENT_PERSONS_MAX, 2));
}

/// semantics: budget
#[tokio::test]
async fn who_ends_without_the_agent_is_held_back_no_more() {
    let mut bench = Bench::new(|job| job.config.budget = Some(0)).await;
    let leaving = |key: &str| {
        let mut update = PersonUpdate { due: Some(Timestamp(1)), ..bench.linked(key) };
        update.person.pending.method = Method::Delete;
        update
    };
    let persons = [leaving("a"), leaving("b")];
    bench.merge(&persons).await;
    assert_eq!(bench.dispatch().await, []);
    assert_eq!(bench.budget().await, (0, 2, 0));
    bench.set_job(|job| (job.config.budget, job.config.delete_action) = (Some(0), DeleteAction::Off)).await;
    let (store, now) = (bench.worker.options.store.clone(), bench.worker.options.clock.now());
    let released = store.release(bench.world.tenant, &bench.world.job, Some(1), now, &audit(&bench.world)).await;
    assert_eq!(released.unwrap(), 1);
    assert_eq!(bench.dispatch().await, []);
    assert_eq!(bench.budget().await, (0, 1, 0), "a release is for one change");
}

/// semantics: budget
#[tokio::test]
async fn a_late_report_leaves_newer_work_out_and_granted() {
    let mut bench = Bench::new(|job| job.config.budget = Some(2)).await;
    let a = PersonUpdate { due: Some(Timestamp(1)), ..bench.linked("a") };
    bench.merge(std::slice::from_ref(&a)).await;
    assert_eq!(bench.dispatch().await, [sent(Lane::Normal, "a", 1)]);
    // Its agent was cut off, and another was given the next version.
    bench.worker.credit.clear();
    let leaver = next(&a, |update| drop(update.person.record.insert("active".to_owned(), json!(false))));
    bench.merge(std::slice::from_ref(&leaver)).await;
    assert_eq!(bench.dispatch().await, [sent(Lane::Normal, "a", 2)]);
    assert_eq!(bench.budget().await, (1, 0, 0));
    bench.report(bench.outcome(&a.person, 1, &[])).await;
    assert_eq!(bench.budget().await, (1, 0, 0), "granted still");
    assert_eq!(bench.dispatch().await, [], "out still");
    bench.report(bench.outcome(&a.person, 1, &[Action::Move])).await;
    assert_eq!(bench.budget().await, (2, 0, 0), "made beside it");
    bench.report(bench.outcome(&a.person, 2, &[Action::Disable])).await;
    assert_eq!(bench.budget().await, (2, 0, 0));
    assert!(bench.worker.credit.is_empty());
}

/// semantics: link (nobody is sent with less than is known of them)
#[tokio::test]
async fn who_was_reported_on_is_not_sent_as_read_before() {
    let mut bench = Bench::new(|_| {}).await;
    let a = PersonUpdate { due: Some(Timestamp(1)), ..bench.linked("a") };
    bench.merge(std::slice::from_ref(&a)).await;
    let jobs = [bench.world.job.clone()];
    bench.worker.ready = bench.worker.options.store.due_persons(&jobs, Timestamp(2), 9).await.unwrap().into();
    assert_eq!(bench.worker.ready.len(), 1);
    // From the agent's journal, as it connects.
    bench.report(Outcome { link: a.person.link.clone(), ..bench.outcome(&a.person, 1, &[]) }).await;
    assert_eq!(bench.dispatch().await, []);
}

#[tokio::test]
async fn an_older_agent_is_not_sent_what_it_cannot_read() {
    let no_password: fn(&mut Job) = |job| job.config.initial_password = InitialPassword::None;
    let adds_only: fn(&mut Job) = |job| {
        for mapping in job.config.mappings.iter_mut().filter(|mapping| mapping.target == "title") {
            mapping.apply = Apply::ValueAddOnly;
        }
    };
    let cases = [(Capability::NoPassword, no_password), (Capability::WholeSchema, adds_only)];
    for (can, (needed, setting)) in [true, false].into_iter().flat_map(|can| cases.map(|case| (can, case))) {
        let mut bench = Bench::new(setting).await;
        let session = bench.worker.sessions.get_mut(&bench.session).unwrap();
        session.capabilities.retain(|capability| can || *capability != needed);
        let a = PersonUpdate { due: Some(Timestamp(1)), ..bench.linked("a") };
        bench.merge(std::slice::from_ref(&a)).await;
        let expected = if can { vec![sent(Lane::Normal, "a", 1)] } else { Vec::new() };
        assert_eq!(bench.dispatch().await, expected);
        let counts = bench.worker.options.store.job_counts(&bench.world.job).await.unwrap();
        assert_eq!(counts.due, 1, "sent, or tried again later");
    }
}
