use std::sync::Arc;

use rollcall_model::Code;
use rollcall_model::config::{InitialPassword, JobConfig};
use rollcall_model::desired::{DesiredAccount, DesiredContainer, Extent, IfAbsent};
use rollcall_model::ids::{ChangeId, Version};
use rollcall_model::plan::{Action, Failure};
use rollcall_store::conformance::World;
use rollcall_store::{Audit, PersonUpdate};

use super::*;
use crate::work::bench;

const START: Timestamp = Timestamp(1_700_000_000_000_000);

struct Bench {
    store: Arc<dyn Store>,
    world: World,
    persons: Vec<PersonUpdate>,
    gate: Gate,
    limit: Option<u32>,
    _folder: tempfile::TempDir,
}

/// Somebody to be disabled, or to be left as they are.
fn desired(person: PersonId, account: DesiredAccount) -> DesiredState {
    DesiredState {
        person,
        external_id: "E".to_owned(),
        version: Version(1),
        link: None,
        matching: Vec::new(),
        account,
        delete: false,
        if_absent: IfAbsent::Skip,
        extent: Extent::AccountOnly,
        if_absent_code: None,
        leave_existing: false,
        out_of_scope: false,
        unique: Vec::new(),
        attributes: Vec::new(),
        cn: None,
        rename: None,
        container: DesiredContainer { mapped: None, default: None, may_move: false },
        manager: None,
        must_change_password: false,
        initial_password: InitialPassword::Generated,
        enable_found_disabled: false,
        last_left_enabled: None,
        failure: None,
        warnings: Vec::new(),
    }
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = rollcall_store::open("sqlite", folder.path()).await.unwrap();
        let world = World::new(&*store, 1).await;
        let persons: Vec<PersonUpdate> = ["a", "b", "c", "d"].map(|key| world.person(key)).into();
        world.merge(&*store, &persons).await;
        let mut bench = Self { store, world, persons, gate: Gate::default(), limit: None, _folder: folder };
        bench.set_limit(Some(2)).await;
        bench
    }

    fn audit(&self) -> Audit {
        Audit {
            id: self.world.id(),
            at: START,
            actor: "x".to_owned(),
            action: "x".to_owned(),
            target: self.world.job.as_str().to_owned(),
            details: "{}".to_owned(),
        }
    }

    async fn set_limit(&mut self, budget: Option<u32>) {
        let (tenant, job) = (self.world.tenant, &self.world.job);
        let config = self.store.job(tenant, job).await.unwrap().unwrap().config;
        let config = JobConfig { budget, ..config };
        self.store.set_job_config(tenant, job, &config, &self.audit()).await.unwrap();
        self.limit = budget;
    }

    fn id(&self, at: usize) -> PersonId {
        self.persons[at].person.id
    }

    /// Places of those who are let through.
    async fn admit(&mut self, leaving: &[usize], staying: &[usize]) -> Vec<usize> {
        let of = |at: &usize, account| (self.world.job.clone(), desired(self.id(*at), account));
        let leaving = leaving.iter().map(|at| of(at, DesiredAccount::Disabled));
        let staying = staying.iter().map(|at| of(at, DesiredAccount::EnabledIfNew));
        let candidates = leaving.chain(staying).collect();
        let limit = self.limit;
        let admitted = self.gate.admit(&*self.store, &self.world.lease, |_| limit, candidates, START).await.unwrap();
        let Fenced::Done(admitted) = admitted else { panic!("the lease is held") };
        let place = |desired: &DesiredState| (0..4).find(|at| self.id(*at) == desired.person).unwrap();
        admitted.iter().map(place).collect()
    }

    async fn settle(&mut self, at: usize, actions: &[Action], result: Conclusion) {
        let change = |action: &Action| bench::change(ChangeId(self.world.id()), *action);
        let outcome = Outcome {
            id: ChangeId(self.world.id()),
            changes: actions.iter().map(change).collect(),
            ..bench::outcome(self.id(at), 1, result)
        };
        let jobs = [self.world.job.clone()];
        let done = self.gate.settle(&*self.store, &self.world.lease, jobs.iter(), &[outcome], START).await.unwrap();
        assert_eq!(done, Fenced::Done(()));
    }

    async fn state(&self) -> (i64, i64, i64) {
        let state = self.store.budget_state(&self.world.job, START).await.unwrap();
        (state.used, state.staged, state.released)
    }

    async fn release(&self) -> i64 {
        self.store.release(self.world.tenant, &self.world.job, None, START, &self.audit()).await.unwrap()
    }
}

/// semantics: budget
#[tokio::test]
async fn what_exceeds_the_budget_waits_until_it_is_released() {
    let mut bench = Bench::new().await;
    assert_eq!(bench.admit(&[0, 1, 2], &[3]).await, [0, 1, 3]);
    assert_eq!(bench.state().await, (2, 1, 0));
    bench.settle(0, &[Action::Disable], Conclusion::Done).await;
    bench.settle(1, &[Action::Disable], Conclusion::Done).await;
    assert_eq!(bench.admit(&[2], &[]).await, [0; 0]);
    assert_eq!(bench.release().await, 1);
    assert_eq!(bench.admit(&[2], &[]).await, [2]);
    // Tried again, it stays released; at its end, it is so no more.
    let failure = Failure::new(Code::DirectoryBusy, None, "x");
    bench.settle(2, &[], Conclusion::Failed(failure)).await;
    assert_eq!(bench.admit(&[2], &[]).await, [2]);
    bench.settle(2, &[Action::Disable], Conclusion::Done).await;
    assert_eq!(bench.state().await, (2, 0, 0));
}

/// semantics: budget
#[tokio::test]
async fn what_was_not_used_is_given_back() {
    let mut bench = Bench::new().await;
    assert_eq!(bench.admit(&[0, 1, 2], &[]).await, [0, 1]);
    bench.settle(0, &[], Conclusion::Skipped(Code::InactiveWithoutAccount)).await;
    assert_eq!(bench.state().await, (1, 1, 0));
    assert_eq!(bench.admit(&[2], &[]).await, [2]);
    // Another node: what was granted is still known, and settled when the outcome comes.
    bench.gate = Gate::default();
    bench.settle(1, &[], Conclusion::Skipped(Code::RedundantExport)).await;
    assert_eq!(bench.state().await, (1, 0, 0));
}

/// semantics: budget
#[tokio::test]
async fn who_needs_none_after_all_is_let_through() {
    let mut bench = Bench::new().await;
    assert_eq!(bench.admit(&[0, 1, 2], &[]).await, [0, 1]);
    assert_eq!(bench.admit(&[], &[2]).await, [2]);
    assert_eq!(bench.state().await, (2, 0, 0));
    bench.set_limit(None).await;
    assert_eq!(bench.admit(&[0, 1, 2, 3], &[]).await, [0, 1, 2, 3], "a job without a budget");
    assert_eq!(bench.state().await, (2, 0, 0));
}

/// semantics: budget (most batches ask the store nothing)
#[tokio::test]
async fn what_costs_nothing_asks_nothing() {
    let mut bench = Bench::new().await;
    bench.admit(&[], &[0]).await;
    bench.settle(0, &[], Conclusion::Done).await;
    let before = bench.store.statements();
    bench.admit(&[], &[0, 1, 2, 3]).await;
    bench.settle(1, &[Action::Update], Conclusion::Done).await;
    assert_eq!(bench.store.statements(), before);
}

#[tokio::test]
async fn a_lost_lease_lets_nobody_through() {
    let mut bench = Bench::new().await;
    bench.world.lease.epoch = Epoch(bench.world.lease.epoch.0 + 1);
    let candidates = vec![(bench.world.job.clone(), desired(bench.id(0), DesiredAccount::Disabled))];
    let admitted = bench.gate.admit(&*bench.store, &bench.world.lease, |_| Some(9), candidates, START).await.unwrap();
    assert_eq!(admitted, Fenced::Stale);
}
