//! A worker, its store and a clock that is set; the agent is the far end of a queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rollcall_model::config::{FilterClause, FilterGroup, JobConfig, Mapping, MappingSource, Scope, target};
use rollcall_model::desired::{DesiredAccount, DesiredState};
use rollcall_model::ids::ObjectGuid;
use rollcall_model::outcome::{Conclusion, Outcome};
use rollcall_model::person::{Confirmed, Link, Pending};
use rollcall_model::plan::Action;
use rollcall_model::{Clock, Code, SourceName};
use rollcall_store::conformance::World;
use rollcall_store::{Agent, Audit, LogOrder, LogQuery, LogRow, Store};
use rollcall_wire::link::{Capability, Controller, FromAgent, Lane, ToAgent};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::*;
use crate::system::SystemRandom;
use crate::work::domain::{Active, Event};
use crate::work::session::{Questions, Session, SessionId};
use crate::work::{WorkOptions, bench};

const DOMAIN: &str = "corp.test";

struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

struct Bench {
    worker: Worker,
    world: World,
    store: Arc<dyn Store>,
    clock: Arc<SetClock>,
    session: SessionId,
    frames: mpsc::Receiver<ToAgent>,
    secrets: crate::JobSecrets,
    _folder: tempfile::TempDir,
}

fn direct(to: &str, from: &str) -> Mapping {
    Mapping::new(to, MappingSource::Direct(SourceName::new(from)))
}

/// Matches by `employeeID`, maps `title`, and whatever else is given.
fn config(more: &[Mapping]) -> JobConfig {
    let matching = Mapping { matching_priority: 1, ..direct("employeeID", "externalId") };
    let mappings = [vec![matching, direct("title", "title")], more.to_vec()].concat();
    JobConfig {
        domain: Some(DOMAIN.to_owned()),
        container: Some("OU=Staff,DC=corp,DC=test".to_owned()),
        budget: None,
        ..JobConfig::new(mappings)
    }
}

/// Disabled until the day of hire, and from the day after the last one.
fn dated() -> Mapping {
    let text =
        r#"IIF(CDate([hireDate]) > Now(), "True", IIF(DateAdd("d", 1, CDate([endDate])) > Now(), "False", "True"))"#;
    Mapping::new(target::ACCOUNT_DISABLED, MappingSource::Expression(text.to_owned()))
}

impl Bench {
    async fn new(now: &str, config: &JobConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = rollcall_store::open("sqlite", folder.path()).await.unwrap();
        let world = World::new(&*store, 1).await;
        let clock = Arc::new(SetClock(AtomicI64::new(moment::parse(now).unwrap().0)));
        let secrets = crate::JobSecrets::generate(&SystemRandom);
        let options = options(&store, &clock, &world, &secrets);
        let (frames, session) = (mpsc::channel(64).1, Uuid::nil());
        let worker = Worker::new(Arc::new(options), world.tenant, DOMAIN);
        let mut bench = Self { worker, world, store, clock, session, frames, secrets, _folder: folder };
        bench.save(config).await;
        bench.restart();
        bench
    }

    /// Another process goes on with the same store.
    fn restart(&mut self) {
        let options = options(&self.store, &self.clock, &self.world, &self.secrets);
        self.worker = Worker::new(Arc::new(options), self.world.tenant, DOMAIN);
        let (sender, frames) = mpsc::channel(1_000);
        (self.session, self.frames) = (self.world.id(), frames);
        let controller = Controller {
            host: DOMAIN.to_owned(),
            invocation_id: "dc1".to_owned(),
            highest_committed_usn: 1,
            writable: true,
        };
        let now = self.clock.now();
        let session = Session {
            id: self.session,
            agent: Agent::new(self.world.agent, self.world.tenant, "a", DOMAIN, &[7; 32], now),
            frames: sender,
            capabilities: Capability::OURS.to_vec(),
            questions: Questions::default(),
            log_level: None,
            rotating: false,
            controller: Some(controller),
            trouble: None,
            heard: now,
            without_controller: None,
            noted: now,
        };
        self.worker.sessions.insert(self.session, session);
        let lease = self.world.lease.clone();
        let (agent, agent_since) = (self.world.agent, lease.epoch);
        let (session, controller) = (self.session, Some("dc1".to_owned()));
        let until = Timestamp(i64::MAX);
        self.worker.active = Some(Active { lease, session, agent, agent_since, until, controller, replicated: None });
    }

    async fn save(&self, config: &JobConfig) {
        let audit = self.audit();
        self.store.set_job_config(self.world.tenant, &self.world.job, config, &audit).await.unwrap().unwrap();
    }

    fn audit(&self) -> Audit {
        let text = || "x".to_owned();
        Audit {
            id: self.world.id(),
            at: self.clock.now(),
            actor: text(),
            action: text(),
            target: text(),
            details: "{}".to_owned(),
        }
    }

    fn pass_ms(&self, ms: i64) {
        self.clock.0.fetch_add(ms * 1_000, Ordering::SeqCst);
    }

    fn set(&self, now: &str) {
        self.clock.0.store(moment::parse(now).unwrap().0, Ordering::SeqCst);
    }

    /// Merged, and due as after an upload.
    async fn sent(&self, external_id: &str, record: Value) {
        let mut update = self.world.person(external_id);
        update.person.record = record.as_object().unwrap().clone();
        update.person.record.insert("externalId".to_owned(), json!(external_id));
        self.world.merge(&*self.store, &[update]).await;
    }

    /// Works until nothing is left, as the agent would; who was sent, and with which account.
    async fn work(&mut self) -> Vec<(String, DesiredAccount)> {
        let mut sent = Vec::new();
        loop {
            self.pass_ms(limits::DAY_LOOK_MS + limits::JOBS_AGE_MS_MAX);
            let more = self.worker.advance().await.unwrap();
            let mut any = false;
            while let Ok(frame) = self.frames.try_recv() {
                let ToAgent::Work { items, .. } = frame else { continue };
                any = true;
                for item in items {
                    sent.push((item.external_id.clone(), item.account));
                    self.done(&item).await;
                }
            }
            if !more && !any {
                sent.sort_by(|a, b| a.0.cmp(&b.0));
                return sent;
            }
        }
    }

    /// Everything that was wanted is so.
    async fn done(&mut self, item: &DesiredState) {
        let enabled = item.account != DesiredAccount::Disabled;
        let attributes = item.attributes.iter().map(|one| (one.name.to_lowercase(), one.values.clone())).collect();
        let guid = item.link.as_ref().map_or_else(|| ObjectGuid(self.world.id()), |link| link.guid);
        let change = rollcall_model::ids::ChangeId(self.world.id());
        let outcome = Outcome {
            id: change,
            epoch: self.world.lease.epoch,
            ended: self.clock.now(),
            changes: vec![bench::change(change, Action::Update)],
            link: Some(Link { guid, confirmed: true, invocation_id: Some("dc1".to_owned()), usn_changed: Some(1) }),
            confirmed: Some(Confirmed {
                attributes,
                enabled: Some(enabled),
                in_scope: Some(!item.out_of_scope),
                ..Confirmed::default()
            }),
            ..bench::outcome(item.person, item.version.0, Conclusion::Done)
        };
        let frame = FromAgent::Outcomes { epoch: outcome.epoch, outcomes: vec![outcome] };
        self.worker.handle(Event::Frame(self.session, Box::new(frame))).await.unwrap();
    }

    async fn sweep(&self) -> Sweep {
        self.store.sweeps(std::slice::from_ref(&self.world.job)).await.unwrap().remove(0)
    }

    async fn set_sweep(&self, state: SweepState) {
        assert!(self.store.set_sweep_state(self.world.tenant, &self.world.job, state, &self.audit()).await.unwrap());
    }

    async fn log(&self) -> Vec<LogRow> {
        let (tenant, order) = (self.world.tenant, LogOrder::OldestFirst);
        self.store.log(&LogQuery { tenant, filter: None, order, limit: 1_000, after: None }).await.unwrap()
    }

    async fn look(&self, external_id: &str) -> Option<String> {
        let person = self.store.person(&self.world.job, external_id).await.unwrap().unwrap();
        person.look.map(moment::seconds)
    }
}

fn options(store: &Arc<dyn Store>, clock: &Arc<SetClock>, world: &World, secrets: &crate::JobSecrets) -> WorkOptions {
    WorkOptions {
        store: Arc::clone(store),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        random: Arc::new(SystemRandom),
        node: world.node,
        secrets: secrets.clone(),
    }
}

fn names(sent: &[(String, DesiredAccount)]) -> Vec<&str> {
    sent.iter().map(|(name, _)| name.as_str()).collect()
}

/// semantics: may-write
#[tokio::test]
async fn a_change_of_the_mappings_touches_whom_it_changes() {
    let mut bench = Bench::new("2026-03-10T12:00:00Z", &config(&[])).await;
    for n in 0..6 {
        let nick = if n % 3 == 0 { json!("Al") } else { Value::Null };
        bench.sent(&format!("p{n}"), json!({ "title": "Buyer", "nickName": nick, "active": true })).await;
    }
    assert_eq!(bench.work().await.len(), 6);
    let rows = bench.log().await.len();
    bench.save(&config(&[direct("info", "nickName")])).await;
    assert_eq!(names(&bench.work().await), ["p0", "p3"]);
    let sweep = bench.sweep().await;
    assert_eq!((sweep.state, sweep.walked, sweep.touched, sweep.failed), (SweepState::Done, 6, 2, 0));
    let log = bench.log().await;
    assert_eq!(log.len(), rows + 2, "the others leave no row");
    assert!(log[rows..].iter().all(|row| row.details.cause == Some(Cause::Schema)));
    assert_eq!(names(&bench.work().await), [""; 0], "and nothing is left");
    bench.save(&JobConfig { budget: Some(5), ..config(&[direct("info", "nickName")]) }).await;
    assert_eq!(names(&bench.work().await), [""; 0]);
    assert_eq!(bench.sweep().await.schema_version, 3, "a budget is no mapping");
}

/// semantics: sweep
#[tokio::test]
async fn a_walk_is_paused_continued_and_begun_again() {
    let mut bench = Bench::new("2026-03-10T12:00:00Z", &config(&[])).await;
    for n in 0..4 {
        bench.sent(&format!("p{n}"), json!({ "title": "Buyer", "nickName": "Al" })).await;
    }
    bench.work().await;
    bench.save(&config(&[direct("info", "nickName")])).await;
    bench.set_sweep(SweepState::Paused).await;
    assert_eq!(names(&bench.work().await), [""; 0]);
    bench.restart();
    assert_eq!(names(&bench.work().await), [""; 0], "nor after a restart");
    bench.set_sweep(SweepState::Running).await;
    assert_eq!(bench.work().await.len(), 4);
    bench.save(&config(&[direct("info", "title")])).await;
    bench.set_sweep(SweepState::Cancelled).await;
    assert_eq!(names(&bench.work().await), [""; 0]);
    let begun = bench.store.begin_sweep(bench.world.tenant, &bench.world.job, Cause::Schema, &bench.audit()).await;
    assert!(begun.unwrap());
    assert_eq!(bench.work().await.len(), 4);
}

/// semantics: sweep (whom a walk passed while the agent had them under the mappings before)
#[tokio::test]
async fn who_was_with_the_agent_is_not_missed() {
    let mut bench = Bench::new("2026-03-10T12:00:00Z", &config(&[])).await;
    bench.sent("p0", json!({ "title": "Buyer", "nickName": "Al" })).await;
    while bench.worker.advance().await.unwrap() {}
    let frame = std::iter::from_fn(|| bench.frames.try_recv().ok()).find_map(|frame| match frame {
        ToAgent::Work { items, .. } => Some(items),
        _ => None,
    });
    bench.save(&config(&[direct("info", "nickName")])).await;
    assert_eq!(names(&bench.work().await), [""; 0]);
    assert_eq!(bench.sweep().await.state, SweepState::Done);
    bench.done(&frame.unwrap()[0]).await;
    assert_eq!(names(&bench.work().await), ["p0"]);
    assert_eq!(names(&bench.work().await), [""; 0]);
}

/// semantics: sweep
#[tokio::test]
async fn who_failed_is_tried_again_and_told_once() {
    let broken = Mapping::new("info", MappingSource::Expression("CDate([nickName])".to_owned()));
    let mut bench = Bench::new("2026-03-10T12:00:00Z", &config(std::slice::from_ref(&broken))).await;
    bench.sent("p0", json!({ "title": "Buyer", "nickName": "no date" })).await;
    assert_eq!(names(&bench.work().await), [""; 0]);
    let failures =
        async |bench: &Bench| bench.log().await.iter().filter(|row| row.code == Some(Code::ExpressionFailed)).count();
    assert_eq!(failures(&bench).await, 1);
    bench.save(&config(&[broken, direct("department", "title")])).await;
    assert_eq!(names(&bench.work().await), [""; 0]);
    assert_eq!((failures(&bench).await, bench.sweep().await.failed), (1, 1), "for the same reason as before");
    bench.save(&config(&[])).await;
    assert_eq!(names(&bench.work().await), ["p0"]);
}

#[tokio::test]
async fn an_explicit_reevaluation_may_write_everything_and_enables_nobody() {
    let mut bench = Bench::new("2026-03-10T12:00:00Z", &config(&[])).await;
    bench.sent("p0", json!({ "title": "Buyer", "active": true })).await;
    bench.sent("p1", json!({ "title": "Buyer", "active": true })).await;
    bench.work().await;
    let begun =
        bench.store.begin_sweep(bench.world.tenant, &bench.world.job, Cause::Reevaluation, &bench.audit()).await;
    assert!(begun.unwrap());
    let all = [("p0", DesiredAccount::EnabledIfNew), ("p1", DesiredAccount::EnabledIfNew)];
    assert_eq!(bench.work().await, all.map(|(name, account)| (name.to_owned(), account)));
    assert_eq!(bench.log().await.last().unwrap().details.cause, Some(Cause::Reevaluation));
    let person = bench.store.person(&bench.world.job, "p0").await.unwrap().unwrap();
    assert_eq!(person.person.pending, Pending::default());
    assert_eq!(names(&bench.work().await), [""; 0]);
}

/// semantics: clock, enable, disable
#[tokio::test]
async fn the_day_enables_and_disables() {
    let mut bench = Bench::new("2026-03-10T12:00:00Z", &config(&[dated()])).await;
    let record = json!({ "title": "Buyer", "active": true, "hireDate": "2026-03-20", "endDate": "2026-03-25" });
    bench.sent("p0", record).await;
    let sent = |account| vec![("p0".to_owned(), account)];
    assert_eq!(bench.work().await, sent(DesiredAccount::Disabled));
    assert_eq!(bench.look("p0").await.as_deref(), Some("2026-03-11T00:00:00Z"));
    let rows = bench.log().await.len();
    for day in 11..20 {
        bench.set(&format!("2026-03-{day}T00:00:00Z"));
        assert_eq!(bench.work().await, [], "{day}");
        bench.restart();
    }
    assert_eq!(bench.log().await.len(), rows, "no row for a day that changes nothing");
    bench.set("2026-03-20T00:00:00Z");
    assert_eq!(bench.work().await, sent(DesiredAccount::Enabled));
    assert_eq!(bench.log().await.last().unwrap().details.cause, Some(Cause::Clock));
    // Days that nobody worked on are made up for.
    bench.set("2026-03-28T09:00:00Z");
    assert_eq!(bench.work().await, sent(DesiredAccount::Disabled));
    assert_eq!(bench.look("p0").await.as_deref(), Some("2026-03-29T00:00:00Z"));
    bench.save(&config(&[])).await;
    bench.work().await;
    assert_eq!(bench.look("p0").await, None, "nothing reads the clock any more");
}

/// semantics: clock, disable. Hundreds of others who wait hold no leaver up.
#[tokio::test]
async fn who_leaves_today_overtakes_all_who_wait() {
    let mut bench = Bench::new("2026-03-10T12:00:00Z", &config(&[dated()])).await;
    let record = |last: &str| json!({ "title": "Buyer", "active": true, "hireDate": "2026-01-01", "endDate": last });
    bench.sent("leaver", record("2026-03-20")).await;
    bench.sent("joiner", json!({ "active": true, "hireDate": "2026-03-21", "endDate": "2999-01-01" })).await;
    assert_eq!(bench.work().await.len(), 2);
    bench.set("2026-03-21T00:00:00Z");
    let others = limits::SWEEP_WAITING_PERSONS_MAX + limits::WORK_BATCH_PERSONS_MAX;
    for n in 0..others {
        bench.sent(&format!("p{n}"), record("2999-01-01")).await;
    }
    let mut urgent = Vec::new();
    for _ in 0..8 {
        bench.pass_ms(limits::DAY_LOOK_MS);
        bench.worker.advance().await.unwrap();
        while let Ok(frame) = bench.frames.try_recv() {
            if let ToAgent::Work { items, lane: Lane::Urgent, .. } = frame {
                urgent.extend(items.into_iter().map(|item| (item.external_id, item.account)));
            }
        }
    }
    // Nobody answered: the others' credit is used up, and the joiner waits behind them.
    assert_eq!(urgent, [("leaver".to_owned(), DesiredAccount::Disabled)]);
}

/// semantics: scope, enable
#[tokio::test]
async fn a_changed_scope_disables_who_leaves_and_enables_who_comes_back() {
    let mut bench = Bench::new("2026-03-10T12:00:00Z", &config(&[])).await;
    bench.sent("p0", json!({ "title": "Buyer", "active": true })).await;
    bench.sent("p1", json!({ "title": "Clerk", "active": true })).await;
    assert_eq!(bench.work().await.len(), 2);
    let source = SourceName::new("title");
    let clause = FilterClause { source, operator: "EQUALS".to_owned(), values: vec!["Clerk".to_owned()] };
    let groups = vec![FilterGroup { name: "clerks".to_owned(), clauses: vec![clause] }];
    let scope = Scope { groups, ..Scope::default() };
    bench.save(&JobConfig { scope: scope.clone(), ..config(&[]) }).await;
    let sent = |account| vec![("p0".to_owned(), account)];
    assert_eq!(bench.work().await, sent(DesiredAccount::Disabled));
    let in_scope = async |bench: &Bench| {
        let person = bench.store.person(&bench.world.job, "p0").await.unwrap().unwrap();
        person.person.confirmed.unwrap().in_scope
    };
    assert_eq!(in_scope(&bench).await, Some(false));
    bench.save(&JobConfig { scope, time_zone: Some("Europe/Berlin".to_owned()), ..config(&[]) }).await;
    assert_eq!(bench.work().await, [], "once is enough");
    bench.save(&config(&[])).await;
    assert_eq!(bench.work().await, sent(DesiredAccount::Enabled));
    assert_eq!(in_scope(&bench).await, Some(true));
}

/// semantics: clock
#[tokio::test]
async fn the_next_look_is_at_the_zones_midnight_or_utcs() {
    for (zone, now, expected) in [
        (None, "2026-03-10T12:00:00Z", "2026-03-11T00:00:00Z"),
        (Some("Europe/Berlin"), "2026-03-10T12:00:00Z", "2026-03-10T23:00:00Z"),
        (Some("Europe/Berlin"), "2026-03-10T23:00:00Z", "2026-03-11T00:00:00Z"),
        (Some("America/New_York"), "2026-03-11T01:00:00Z", "2026-03-11T04:00:00Z"),
    ] {
        let config = JobConfig { time_zone: zone.map(str::to_owned), ..config(&[dated()]) };
        let mut bench = Bench::new(now, &config).await;
        let dates = json!({ "active": true, "hireDate": "2026-01-01", "endDate": "2999-01-01" });
        bench.sent("p0", dates).await;
        bench.work().await;
        assert_eq!(bench.look("p0").await.as_deref(), Some(expected), "{zone:?} {now}");
    }
}

/// The short cut for unchanged uploads knows nobody who is due; a day to come makes nobody due.
#[tokio::test]
async fn a_day_to_come_disturbs_nobodys_rest() {
    let mut bench = Bench::new("2026-03-10T12:00:00Z", &config(&[dated()])).await;
    bench.sent("p0", json!({ "active": true, "hireDate": "2026-01-01", "endDate": "2027-01-01" })).await;
    assert_eq!(bench.work().await.len(), 1);
    assert!(bench.look("p0").await.is_some());
    assert_eq!(bench.store.resting(&bench.world.job, &["p0".to_owned()]).await.unwrap().len(), 1);
}
