//! Walks over a job's persons, and looks of a day.

use std::collections::BTreeMap;

use rollcall_model::config::{InitialPassword, JobConfig, OnScopeExit};
use rollcall_model::ids::{JobId, TenantId, Version};
use rollcall_model::operation::Method;
use rollcall_model::person::Pending;

use super::world::{START, World, config, names};
use crate::{Cause, Fenced, Lease, LookedAt, MergeBatch, PersonUpdate, RecordBatch, Slice, Store, Sweep, SweepState};

/// Persons at rest, in the order of their names.
async fn at_rest(store: &dyn Store, world: &World, n: usize) -> Vec<PersonUpdate> {
    let persons: Vec<_> = (0..n).map(|at| PersonUpdate { due: None, ..world.person(&format!("p{at:03}")) }).collect();
    world.merge(store, &persons).await;
    persons
}

async fn sweep(store: &dyn Store, world: &World) -> Sweep {
    store.sweeps(&[world.job.clone(), JobId::from_text("no job")]).await.unwrap().remove(0)
}

async fn begin(store: &dyn Store, world: &World) -> Sweep {
    assert!(store.begin_sweep(world.tenant, &world.job, Cause::Schema, &world.audit("sweep")).await.unwrap());
    sweep(store, world).await
}

fn looked_at(update: &PersonUpdate, due: Option<Cause>) -> LookedAt {
    LookedAt { person: update.person.id, version: update.person.version, due, pending: None, look: None, urgent: false }
}

/// Up to two persons behind where the walk stands, the first of them to be due.
async fn slice(store: &dyn Store, sweep: Sweep) -> Slice {
    let persons = store.persons_after(&sweep.job, sweep.position, 2).await.unwrap();
    let to = persons.last().map_or(sweep.position, |(number, _)| *number);
    let looked_at = persons.iter().take(1).map(|(_, update)| looked_at(update, Some(Cause::Schema))).collect();
    let walked = i64::try_from(persons.len()).unwrap();
    Slice { sweep, to, walked, touched: walked.min(1), failed: walked - 1, is_last: walked < 2, looked_at }
}

async fn due(store: &dyn Store, world: &World) -> Vec<(String, Option<Cause>)> {
    let due = store.due_persons(std::slice::from_ref(&world.job), START.plus_ms(99), 100).await.unwrap();
    due.into_iter().map(|due| (due.person.external_id, due.cause)).collect()
}

/// What [`due`] answers for these.
fn of(cause: Option<Cause>, names: &[&str]) -> Vec<(String, Option<Cause>)> {
    names.iter().map(|name| ((*name).to_owned(), cause)).collect()
}

pub(super) async fn a_walk_is_resumed_where_it_stood(store: &dyn Store) {
    let world = World::new(store, 1).await;
    assert_eq!(store.sweeps(std::slice::from_ref(&world.job)).await.unwrap(), []);
    at_rest(store, &world, 3).await;
    let begun = begin(store, &world).await;
    let fresh = Sweep {
        job: world.job.clone(),
        cause: Cause::Schema,
        schema_version: 1,
        state: SweepState::Running,
        position: 0,
        walked: 0,
        touched: 0,
        failed: 0,
        total: 3,
        started: START,
        changed: START,
    };
    assert_eq!(begun, fresh);
    let first = slice(store, begun).await;
    let stale = Lease { epoch: rollcall_model::ids::Epoch(-1), ..world.lease.clone() };
    assert_eq!(store.walk(&stale, &first, START).await.unwrap(), Fenced::Stale);
    assert_eq!(sweep(store, &world).await, fresh);
    let later = START.plus_ms(5);
    assert_eq!(store.walk(&world.lease, &first, later).await.unwrap(), Fenced::Done(true));
    let halfway = sweep(store, &world).await;
    assert_eq!((halfway.walked, halfway.touched, halfway.failed), (2, 1, 1));
    assert_eq!((halfway.state, halfway.position, halfway.changed), (SweepState::Running, first.to, later));
    assert_eq!(due(store, &world).await, of(Some(Cause::Schema), &["p000"]));
    let last = slice(store, halfway).await;
    assert_eq!(store.walk(&world.lease, &last, START).await.unwrap(), Fenced::Done(true));
    let done = sweep(store, &world).await;
    assert_eq!((done.walked, done.touched, done.state), (3, 2, SweepState::Done));
    assert_eq!(due(store, &world).await, of(Some(Cause::Schema), &["p002", "p000"]));
    // Persons of other jobs are none of this one's.
    assert_eq!(store.persons_after(&JobId::from_text("no job"), 0, 9).await.unwrap(), []);
}

pub(super) async fn a_walk_that_was_paused_or_begun_again_drops_the_slice(store: &dyn Store) {
    let world = World::new(store, 1).await;
    at_rest(store, &world, 3).await;
    let audits = store.audit(world.tenant, 100).await.unwrap().len();
    let set =
        async |state| store.set_sweep_state(world.tenant, &world.job, state, &world.audit("sweep")).await.unwrap();
    assert!(!set(SweepState::Paused).await, "there is none");
    let read = begin(store, &world).await;
    let mut old = slice(store, read).await;
    assert!(set(SweepState::Paused).await);
    assert_eq!(store.walk(&world.lease, &old, START).await.unwrap(), Fenced::Done(false));
    assert!(set(SweepState::Running).await);
    assert_eq!(store.walk(&world.lease, &old, START).await.unwrap(), Fenced::Done(true));
    assert_eq!(store.walk(&world.lease, &old, START).await.unwrap(), Fenced::Done(false), "walked on since");
    let saved = JobConfig { on_scope_exit: OnScopeExit::Nothing, ..config() };
    assert_eq!(store.set_job_config(world.tenant, &world.job, &saved, &world.audit("x")).await.unwrap(), Some(2));
    let again = sweep(store, &world).await;
    assert_eq!((again.schema_version, again.position, again.walked, again.touched), (2, 0, 0, 0));
    old.sweep.position = 0;
    assert_eq!(store.walk(&world.lease, &old, START).await.unwrap(), Fenced::Done(false), "begun again");
    assert!(set(SweepState::Cancelled).await);
    assert!(!set(SweepState::Running).await, "it is over");
    assert_eq!(store.audit(world.tenant, 100).await.unwrap().len(), audits + 5);
    let unknown = store.begin_sweep(TenantId(world.id()), &world.job, Cause::Schema, &world.audit("x")).await.unwrap();
    assert!(!unknown, "another tenant's job");
}

/// What was asked for is not forgotten because the mappings change meanwhile.
pub(super) async fn a_save_takes_in_the_walk_that_is_under_way(store: &dyn Store) {
    use SweepState::{Cancelled, Paused, Running};
    let world = World::new(store, 1).await;
    at_rest(store, &world, 3).await;
    let set = async |state| store.set_sweep_state(world.tenant, &world.job, state, &world.audit("x")).await.unwrap();
    let check = async |at: i64, asked: Cause, state: SweepState, expected: (Cause, SweepState)| {
        set(Cancelled).await;
        assert!(store.begin_sweep(world.tenant, &world.job, asked, &world.audit("x")).await.unwrap());
        let first = slice(store, sweep(store, &world).await).await;
        assert_eq!(store.walk(&world.lease, &first, START).await.unwrap(), Fenced::Done(true));
        if state != Running {
            assert!(set(state).await);
        }
        let saved = JobConfig { container: Some(format!("OU={at}")), ..config() };
        store.set_job_config(world.tenant, &world.job, &saved, &world.audit("x")).await.unwrap().unwrap();
        let now = sweep(store, &world).await;
        assert_eq!((now.cause, now.state), expected, "{asked:?} {state:?}");
        assert_eq!((now.position, now.walked, now.schema_version), (0, 0, at + 1), "{asked:?} {state:?}");
        assert!(store.begin_sweep(world.tenant, &world.job, Cause::Schema, &world.audit("x")).await.unwrap());
        let now = sweep(store, &world).await;
        assert_eq!((now.cause, now.state), (expected.0, Running), "asked for by name: {asked:?} {state:?}");
    };
    check(1, Cause::Schema, Running, (Cause::Schema, Running)).await;
    check(2, Cause::Reevaluation, Running, (Cause::Reevaluation, Running)).await;
    check(3, Cause::Schema, Paused, (Cause::Schema, Paused)).await;
    check(4, Cause::Reevaluation, Paused, (Cause::Reevaluation, Paused)).await;
    check(5, Cause::Reevaluation, Cancelled, (Cause::Schema, Running)).await;
}

pub(super) async fn looks_make_due_whom_the_day_changes(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let persons = at_rest(store, &world, 4).await;
    let at = |ms| Some(START.plus_ms(ms));
    let with_look = |n: usize, look| PersonUpdate { look, ..persons[n].clone() };
    let recorded = vec![with_look(0, at(5)), with_look(1, at(3)), with_look(2, at(9)), with_look(3, None)];
    let batch = RecordBatch { persons: recorded.clone(), ..RecordBatch::default() };
    assert_eq!(store.record(&world.lease, &batch, START).await.unwrap(), Fenced::Done(()));
    let jobs = [world.job.clone()];
    let looks = async |ms| {
        let found = store.looks_due(&jobs, START.plus_ms(ms), 10).await.unwrap();
        names(found.iter().map(|update| &update.person)).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(looks(5).await, ["p001", "p000"]);
    assert_eq!(store.looks_due(&jobs, START.plus_ms(5), 1).await.unwrap().len(), 1);
    assert_eq!(due(store, &world).await, [], "they rest");
    let tomorrow = at(100);
    let quiet = LookedAt { look: tomorrow, ..looked_at(&persons[1], None) };
    let changed = LookedAt { look: tomorrow, ..looked_at(&persons[0], Some(Cause::Clock)) };
    let mut newer = looked_at(&persons[2], Some(Cause::Clock));
    newer.version = Version(0);
    let all = [quiet, changed, newer];
    assert_eq!(store.looked(&world.lease, &all, START).await.unwrap(), Fenced::Done(()));
    assert_eq!(due(store, &world).await, of(Some(Cause::Clock), &["p000"]));
    assert_eq!(looks(99).await, ["p002"], "of another version than was looked at");
    // An upload keeps the day.
    let mut merged = PersonUpdate { look: None, ..recorded[1].clone() };
    merged.person.version = Version(2);
    world.merge(store, &[merged]).await;
    assert_eq!(store.person(&world.job, "p001").await.unwrap().unwrap().look, tomorrow);
}

pub(super) async fn who_is_due_for_no_operation_comes_last(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let early = Some(START.plus_ms(-5));
    let mut swept = PersonUpdate { due: early, cause: Some(Cause::Schema), ..world.person("swept") };
    let hurried = PersonUpdate { urgent: true, cause: Some(Cause::Clock), ..world.person("hurried") };
    world.merge(store, &[swept.clone(), world.person("sent"), hurried]).await;
    let order = async || due(store, &world).await.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(order().await, ["hurried", "sent", "swept"]);
    assert_eq!(store.next_due(std::slice::from_ref(&world.job)).await.unwrap(), early);
    // It is tried again behind the others, too.
    let batch = RecordBatch { persons: vec![swept.clone()], ..RecordBatch::default() };
    assert_eq!(store.record(&world.lease, &batch, START).await.unwrap(), Fenced::Done(()));
    assert_eq!(order().await, ["hurried", "sent", "swept"]);
    // Until there is an upload for them.
    swept.person.version = Version(2);
    world.merge(store, &[PersonUpdate { cause: None, ..swept }]).await;
    assert_eq!(order().await, ["hurried", "swept", "sent"]);
}

/// semantics: may-write
pub(super) async fn a_reevaluation_outlives_what_is_under_way(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let mut under_way = PersonUpdate { quiet: Some(1), ..world.person("a") };
    under_way.person.pending.method = Method::Delete;
    world.merge(store, std::slice::from_ref(&under_way)).await;
    let pending = Pending { reevaluate: true, ..under_way.person.pending.clone() };
    let wanted = LookedAt { pending: Some(pending.clone()), ..looked_at(&under_way, Some(Cause::Reevaluation)) };
    let audits = store.audit(world.tenant, 100).await.unwrap().len();
    assert!(store.reevaluate(world.tenant, &wanted, &world.audit("x")).await.unwrap());
    assert!(!store.reevaluate(world.tenant, &wanted, &world.audit("x")).await.unwrap(), "they have another version");
    assert_eq!(store.audit(world.tenant, 100).await.unwrap().len(), audits + 1);
    let ended = PersonUpdate { due: None, ..under_way };
    let batch = RecordBatch { persons: vec![ended], ..RecordBatch::default() };
    assert_eq!(store.record(&world.lease, &batch, START).await.unwrap(), Fenced::Done(()));
    let stored = store.person(&world.job, "a").await.unwrap().unwrap();
    assert_eq!((stored.person.version, stored.person.pending), (Version(2), pending));
    assert_eq!((stored.due, stored.cause, stored.quiet), (Some(START), None, None), "they keep their turn");
}

/// semantics: may-write
pub(super) async fn a_reevaluation_is_not_lost_beside_a_merge(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let read = at_rest(store, &world, 1).await.remove(0);
    let pending = Pending { reevaluate: true, ..Pending::default() };
    let wanted = LookedAt { pending: Some(pending), ..looked_at(&read, Some(Cause::Reevaluation)) };
    assert!(store.reevaluate(world.tenant, &wanted, &world.audit("x")).await.unwrap());
    let asked_for = store.person(&world.job, "p000").await.unwrap().unwrap();
    // Two operations of one batch raise the version past the one that the request left.
    let merge = async |from: &PersonUpdate| {
        let mut merged = from.clone();
        merged.person.version = Version(from.person.version.0 + 2);
        let made_from = BTreeMap::from([(from.person.id, from.person.version)]);
        let new = world.person("new");
        let batch = MergeBatch { persons: vec![merged, new], made_from, ..MergeBatch::default() };
        store.merge(&world.lease, &batch).await
    };
    assert!(merge(&read).await.is_err());
    assert_eq!(store.person(&world.job, "p000").await.unwrap().unwrap(), asked_for);
    assert_eq!(store.person(&world.job, "new").await.unwrap(), None, "all or nothing");
    assert_eq!(merge(&asked_for).await.unwrap(), Fenced::Done(()));
    assert!(store.person(&world.job, "p000").await.unwrap().unwrap().person.pending.reevaluate);
}

/// semantics: clock, disable
pub(super) async fn who_must_be_disabled_today_comes_first(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let persons = at_rest(store, &world, 2).await;
    let background = PersonUpdate { cause: Some(Cause::Schema), ..world.person("p002") };
    world.merge(store, &[background.clone(), world.person("sent")]).await;
    let leaves = |update, due| LookedAt { urgent: true, ..looked_at(update, due) };
    let all = [
        looked_at(&persons[0], Some(Cause::Clock)),
        leaves(&persons[1], Some(Cause::Clock)),
        leaves(&background, None),
    ];
    assert_eq!(store.looked(&world.lease, &all, START).await.unwrap(), Fenced::Done(()));
    let due = store.due_persons(std::slice::from_ref(&world.job), START.plus_ms(99), 100).await.unwrap();
    let seen: Vec<_> = due.iter().map(|due| (due.person.external_id.as_str(), due.urgent)).collect();
    assert_eq!(seen, [("p001", true), ("p002", true), ("sent", false), ("p000", false)]);
}

pub(super) async fn statements_do_not_grow_with_the_slice(store: &dyn Store) {
    let world = World::new(store, 1).await;
    at_rest(store, &world, 52).await;
    let mut counted = Vec::new();
    for n in [1, 50] {
        let sweep = begin(store, &world).await;
        let before = store.statements();
        let persons = store.persons_after(&world.job, 0, n).await.unwrap();
        let all: Vec<_> = persons.iter().map(|(_, update)| looked_at(update, Some(Cause::Schema))).collect();
        let to = persons.last().unwrap().0;
        let slice = Slice { sweep, to, walked: n, touched: n, failed: 0, is_last: false, looked_at: all.clone() };
        assert_eq!(store.walk(&world.lease, &slice, START).await.unwrap(), Fenced::Done(true));
        assert_eq!(store.looked(&world.lease, &all, START).await.unwrap(), Fenced::Done(()));
        counted.push(store.statements() - before);
    }
    assert_eq!(counted[0], counted[1]);
    assert!(counted[0] <= 14, "{counted:?}");
}

pub(super) async fn only_changes_that_can_matter_begin_a_walk(store: &dyn Store) {
    let world = World::new(store, 1).await;
    at_rest(store, &world, 1).await;
    let save = async |config: &JobConfig| {
        store.set_job_config(world.tenant, &world.job, config, &world.audit("x")).await.unwrap().unwrap();
        store.sweeps(std::slice::from_ref(&world.job)).await.unwrap().into_iter().map(|one| one.schema_version).max()
    };
    assert_eq!(save(&JobConfig { budget: Some(9), must_change_password: true, ..config() }).await, None);
    assert_eq!(save(&JobConfig { initial_password: InitialPassword::None, ..config() }).await, None);
    assert_eq!(save(&JobConfig { time_zone: Some("Europe/Berlin".to_owned()), ..config() }).await, Some(4));
    assert_eq!(save(&JobConfig { mappings: Vec::new(), ..config() }).await, Some(5));
}
