//! The budget, and those whom it holds back.

use rollcall_model::config::JobConfig;
use rollcall_model::ids::{Epoch, PersonId};
use rollcall_model::operation::OperationState;
use rollcall_model::{Code, Timestamp, limits};

use super::world::{START, World};
use crate::{
    Admission, Audit, BudgetRest, BudgetSettled, BudgetState, BudgetWanted, Fenced, Lease, PersonUpdate, Store,
};

/// Writes that the job of these cases may make.
const LIMIT: u32 = 3;

fn later(ms: i64) -> Timestamp {
    START.plus_ms(ms)
}

async fn grant(store: &dyn Store, world: &World, wanted: &[(PersonId, u32)], now: Timestamp) -> Admission {
    let wanted: Vec<_> = wanted.iter().map(|(person, cost)| BudgetWanted { person: *person, cost: *cost }).collect();
    match store.grant(&world.lease, &world.job, &wanted, now).await.unwrap() {
        Fenced::Done(admission) => admission,
        Fenced::Stale => panic!("the lease is held"),
    }
}

async fn settle(store: &dyn Store, world: &World, settled: &[(PersonId, u32)], rest: BudgetRest, now: Timestamp) {
    let settled: Vec<_> =
        settled.iter().map(|(person, used)| BudgetSettled { person: *person, used: *used, rest }).collect();
    assert_eq!(store.settle(&world.lease, &settled, now).await.unwrap(), Fenced::Done(()));
}

async fn concerned(store: &dyn Store, world: &World) -> Vec<PersonId> {
    let mut persons = store.budget_persons(&world.job).await.unwrap();
    persons.sort_unstable();
    persons
}

async fn state(store: &dyn Store, world: &World, now: Timestamp) -> (i64, i64, i64) {
    let BudgetState { used, staged, released } = store.budget_state(&world.job, now).await.unwrap();
    (used, staged, released)
}

async fn set_budget(store: &dyn Store, world: &World, budget: Option<u32>, now: Timestamp) {
    let job = store.job(world.tenant, &world.job).await.unwrap().unwrap();
    let audit = Audit { at: now, ..world.audit("job.set") };
    store.set_job_config(world.tenant, &world.job, &JobConfig { budget, ..job.config }, &audit).await.unwrap();
}

/// Five persons with an open operation each, due at the start.
async fn people(store: &dyn Store) -> (World, Vec<PersonId>) {
    let world = World::new(store, 1).await;
    set_budget(store, &world, Some(LIMIT), START).await;
    let persons: Vec<PersonUpdate> =
        ["a", "b", "c", "d", "e"].map(|key| PersonUpdate { due: Some(START), ..world.person(key) }).into();
    world.working(store, &persons).await;
    let ids = persons.iter().map(|update| update.person.id).collect();
    (world, ids)
}

/// Keys of those who are due.
async fn due(store: &dyn Store, world: &World, now: Timestamp) -> Vec<String> {
    let due = store.due_persons(std::slice::from_ref(&world.job), now, 100).await.unwrap();
    let mut keys: Vec<_> = due.into_iter().map(|due| due.person.external_id).collect();
    keys.sort();
    keys
}

async fn in_state(store: &dyn Store, world: &World, wanted: OperationState) -> i64 {
    store.job_counts(&world.job).await.unwrap().operations.get(&wanted).copied().unwrap_or_default()
}

/// semantics: budget
pub(super) async fn what_exceeds_it_is_held_back(store: &dyn Store) {
    let (world, p) = people(store).await;
    let admission = grant(store, &world, &[(p[0], 2), (p[1], 2), (p[2], 1), (p[3], 1)], START).await;
    assert_eq!((admission.admitted, admission.parked), (vec![p[0], p[2]], vec![p[1], p[3]]));
    let until = later(limits::BUDGET_WAIT_MS_MIN).max(later(limits::BUDGET_WINDOW_MS));
    assert_eq!(admission.until, Some(until));
    assert_eq!(state(store, &world, START).await, (3, 2, 0));
    assert_eq!(concerned(store, &world).await, p[..4]);
    assert_eq!(due(store, &world, START).await, ["a", "c", "e"]);
    assert_eq!(due(store, &world, until).await, ["a", "b", "c", "d", "e"]);
    assert_eq!(in_state(store, &world, OperationState::Staged).await, 2);
    assert_eq!(in_state(store, &world, OperationState::Working).await, 3);
    let open = store.open_operations(&[p[1]]).await.unwrap();
    assert_eq!(open[0].state, OperationState::Staged);
    let upload = store.upload(world.tenant, open[0].upload).await.unwrap().unwrap();
    let row = upload.operations.iter().find(|row| row.state == OperationState::Staged).unwrap();
    assert_eq!(row.code, Some(Code::BudgetSpent));
    // Who wants nothing any more goes on, though nothing is free.
    assert_eq!(grant(store, &world, &[(p[1], 0)], START).await.admitted, [p[1]]);
    assert_eq!(state(store, &world, START).await, (3, 1, 0));
    assert_eq!(in_state(store, &world, OperationState::Staged).await, 1);
    assert_eq!(concerned(store, &world).await, [p[0], p[2], p[3]]);
}

/// semantics: budget
pub(super) async fn what_is_not_used_is_given_back(store: &dyn Store) {
    let (world, p) = people(store).await;
    grant(store, &world, &[(p[0], 3), (p[1], 1), (p[2], 1)], START).await;
    assert_eq!(due(store, &world, START).await, ["a", "d", "e"]);
    settle(store, &world, &[(p[0], 2)], BudgetRest::Ended, later(10)).await;
    assert_eq!(state(store, &world, later(10)).await, (2, 2, 0));
    // Whoever has waited longest is asked again, as many as there is something left for.
    assert_eq!(due(store, &world, later(10)).await, ["a", "b", "d", "e"]);
    let admission = grant(store, &world, &[(p[1], 1)], later(10)).await;
    assert_eq!(admission.admitted, [p[1]]);
    assert_eq!(in_state(store, &world, OperationState::Staged).await, 1);
    // A report that comes twice, and one of somebody who never needed a grant.
    settle(store, &world, &[(p[0], 2), (p[4], 1)], BudgetRest::Ended, later(20)).await;
    assert_eq!(state(store, &world, later(20)).await, (3, 1, 0));
    // Not more than was granted counts: the cost was the most there could be.
    settle(store, &world, &[(p[1], 9)], BudgetRest::Ended, later(30)).await;
    assert_eq!(state(store, &world, later(30)).await, (3, 1, 0));
    // The window moves on.
    let next_day = later(limits::BUDGET_WINDOW_MS + 10);
    assert_eq!(state(store, &world, next_day).await, (1, 1, 0));
    assert_eq!(grant(store, &world, &[(p[2], 2)], next_day).await.admitted, [p[2]]);
    assert_eq!(state(store, &world, next_day).await, (3, 0, 0));
}

/// semantics: budget
pub(super) async fn a_grant_outlives_its_node(store: &dyn Store) {
    let (world, p) = people(store).await;
    grant(store, &world, &[(p[0], 2), (p[1], 1)], START).await;
    // Whoever is next is given the same persons out anew: nothing is granted twice, and nothing is free by it.
    let again = grant(store, &world, &[(p[0], 2), (p[1], 1), (p[2], 1)], later(1_000)).await;
    assert_eq!((again.admitted, again.parked), (vec![p[0], p[1]], vec![p[2]]));
    assert_eq!(state(store, &world, later(1_000)).await, (3, 1, 0));
    // Who wants less now has less.
    grant(store, &world, &[(p[0], 1)], later(2_000)).await;
    assert_eq!(state(store, &world, later(2_000)).await.0, 2);
    // Never settled, it counts for as long as a write would.
    assert_eq!(state(store, &world, later(limits::BUDGET_WINDOW_MS + 1_000)).await.0, 1);
    assert_eq!(state(store, &world, later(limits::BUDGET_WINDOW_MS + 2_000)).await.0, 0);
    // A report that comes late after all is counted when it comes.
    let late = later(limits::BUDGET_WINDOW_MS + 3_000);
    settle(store, &world, &[(p[0], 1)], BudgetRest::Ended, late).await;
    assert_eq!(state(store, &world, late).await.0, 1);
    // A node whose lease has passed to another changes nothing.
    let stale = Lease { epoch: Epoch(world.lease.epoch.0 - 1), ..world.lease.clone() };
    let wanted = [BudgetWanted { person: p[3], cost: 1 }];
    assert_eq!(store.grant(&stale, &world.job, &wanted, late).await.unwrap(), Fenced::Stale);
    let settled = [BudgetSettled { person: p[1], used: 1, rest: BudgetRest::Ended }];
    assert_eq!(store.settle(&stale, &settled, late).await.unwrap(), Fenced::Stale);
    assert_eq!(state(store, &world, late).await.0, 1);
}

/// semantics: budget
pub(super) async fn a_late_report_leaves_newer_work_alone(store: &dyn Store) {
    let (world, p) = people(store).await;
    grant(store, &world, &[(p[0], 2), (p[1], 2), (p[2], 1)], START).await;
    assert_eq!(state(store, &world, START).await, (3, 1, 0));
    settle(store, &world, &[(p[0], 0), (p[1], 1)], BudgetRest::Newer, later(1)).await;
    assert_eq!(state(store, &world, later(1)).await, (4, 1, 0), "made beside what is granted");
    assert_eq!(due(store, &world, later(1)).await, ["a", "c", "d", "e"], "nothing is free by it");
    settle(store, &world, &[(p[0], 1)], BudgetRest::Ended, later(2)).await;
    assert_eq!(state(store, &world, later(2)).await, (3, 1, 0));
}

/// semantics: budget
pub(super) async fn those_who_are_held_back_are_released(store: &dyn Store) {
    let (world, p) = people(store).await;
    grant(store, &world, &[(p[0], 3)], START).await;
    grant(store, &world, &[(p[1], 1)], later(1)).await;
    grant(store, &world, &[(p[2], 1), (p[3], 1)], later(2)).await;
    assert_eq!(state(store, &world, later(2)).await, (3, 3, 0));
    let release = async |count, ms| {
        store.release(world.tenant, &world.job, count, later(ms), &world.audit("job.release")).await.unwrap()
    };
    assert_eq!(release(Some(1), 3).await, 1);
    assert_eq!(state(store, &world, later(3)).await, (3, 2, 1));
    assert_eq!(due(store, &world, later(3)).await, ["a", "b", "e"], "the one who has waited longest");
    assert_eq!(in_state(store, &world, OperationState::Staged).await, 2);
    // Beside the budget, until its change is at its end.
    assert_eq!(grant(store, &world, &[(p[1], 1)], later(4)).await.admitted, [p[1]]);
    settle(store, &world, &[(p[1], 0)], BudgetRest::TriedAgain, later(5)).await;
    assert_eq!(grant(store, &world, &[(p[1], 1)], later(6)).await.admitted, [p[1]]);
    settle(store, &world, &[(p[1], 1)], BudgetRest::Ended, later(7)).await;
    assert_eq!(state(store, &world, later(7)).await, (3, 2, 0));
    assert_eq!(grant(store, &world, &[(p[1], 1)], later(8)).await.parked, [p[1]]);
    assert_eq!(release(None, 9).await, 3);
    assert_eq!(due(store, &world, later(9)).await, ["a", "b", "c", "d", "e"]);
    assert_eq!(in_state(store, &world, OperationState::Staged).await, 0);
    assert_eq!(release(None, 10).await, 0);
    let elsewhere = rollcall_model::ids::TenantId(world.id());
    assert_eq!(store.release(elsewhere, &world.job, None, later(11), &world.audit("x")).await.unwrap(), 0);
}

/// semantics: budget
pub(super) async fn a_changed_budget_is_asked_anew(store: &dyn Store) {
    let (world, p) = people(store).await;
    grant(store, &world, &[(p[0], 3), (p[1], 1), (p[2], 1)], START).await;
    set_budget(store, &world, Some(LIMIT), later(1)).await;
    assert_eq!(state(store, &world, later(1)).await, (3, 2, 0), "the same again");
    for (ms, budget, fits) in [(2, Some(LIMIT + 1), 1), (3, None, 2)] {
        set_budget(store, &world, budget, later(ms)).await;
        assert_eq!(state(store, &world, later(ms)).await, (3, 0, 0), "{budget:?}");
        assert_eq!(due(store, &world, later(ms)).await, ["a", "b", "c", "d", "e"], "{budget:?}");
        assert_eq!(in_state(store, &world, OperationState::Staged).await, 0, "{budget:?}");
        let admission = grant(store, &world, &[(p[1], 1), (p[2], 1)], later(ms)).await;
        assert_eq!((admission.admitted.len(), admission.parked.len()), (fits, 2 - fits), "{budget:?}");
        settle(store, &world, &[(p[1], 0), (p[2], 0)], BudgetRest::TriedAgain, later(ms)).await;
    }
}
