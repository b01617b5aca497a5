//! Values that must be unique.

use rollcall_model::ids::{Epoch, PersonId, TenantId};
use rollcall_model::person::Link;
use rollcall_model::{Timestamp, limits};

use super::world::{DOMAIN, START, World};
use crate::{Fenced, Lease, PersonUpdate, RecordBatch, Store, Taken, Wanted};

const NAME: &str = "sAMAccountName";

fn later(ms: i64) -> Timestamp {
    START.plus_ms(ms)
}

async fn people<const N: usize>(store: &dyn Store) -> (World, [PersonUpdate; N]) {
    let world = World::new(store, 1).await;
    let persons: [PersonUpdate; N] = std::array::from_fn(|at| world.person(&format!("p{at}")));
    world.merge(store, &persons).await;
    (world, persons)
}

fn wants(person: &PersonUpdate, candidates: &[&str]) -> Wanted {
    let candidates = candidates.iter().map(|&value| value.to_owned()).collect();
    Wanted { person: person.person.id, attribute: NAME.to_owned(), candidates, seen: Vec::new() }
}

/// What each gets.
async fn reserve(store: &dyn Store, world: &World, wanted: &[Wanted], now: Timestamp) -> Vec<Option<String>> {
    let Fenced::Done(answers) = store.reserve(&world.lease, wanted, now).await.unwrap() else {
        panic!("the lease is held");
    };
    assert_eq!(answers.len(), wanted.len());
    wanted.iter().zip(answers).map(|(wanted, at)| at.map(|at| wanted.candidates[at].clone())).collect()
}

/// Whose each value is; `None`: nobody's, `Some(None)`: an unknown account's.
async fn holders(store: &dyn Store, world: &World, values: &[&str], now: Timestamp) -> Vec<Option<Option<PersonId>>> {
    let asked: Vec<_> = values.iter().map(|value| (NAME, *value)).collect();
    let taken = store.taken_values(world.tenant, DOMAIN, &asked, now).await.unwrap();
    (0..values.len()).map(|at| taken.iter().find(|taken| taken.n == at).map(|taken| taken.person)).collect()
}

fn got(values: &[&str]) -> Vec<Option<String>> {
    values.iter().map(|&value| (!value.is_empty()).then(|| value.to_owned())).collect()
}

async fn record(store: &dyn Store, world: &World, batch: RecordBatch) {
    assert_eq!(store.record(&world.lease, &batch, START).await.unwrap(), Fenced::Done(()));
}

/// The outcome by which a person got an account.
fn created(world: &World, person: &PersonUpdate) -> RecordBatch {
    let mut update = PersonUpdate { due: None, ..person.clone() };
    update.person.link = Some(Link { guid: world.guid(), confirmed: true, invocation_id: None, usn_changed: None });
    let linked = vec![(world.job.clone(), person.person.external_id.clone())];
    RecordBatch { persons: vec![update], linked, ..RecordBatch::default() }
}

/// semantics: unique
pub(super) async fn two_persons_never_get_one_value(store: &dyn Store) {
    let (world, [a, b, c, d]) = people(store).await;
    let batch = [
        wants(&a, &["JSmith", "jsmith2", "jsmith3"]),
        wants(&b, &["jsmith", "jsmith2", "jsmith3"]),
        wants(&c, &["jsmíth", "ｊｓｍｉｔｈ2", "jsmith3"]),
        wants(&d, &["JSMITH", "JSMITH2", "JSMITH3"]),
    ];
    assert_eq!(reserve(store, &world, &batch, START).await, got(&["JSmith", "jsmith2", "jsmith3", ""]));
    let last = d.clone();
    let (a, b) = (a.person.id, b.person.id);
    let found = holders(store, &world, &["jsmith", "JSMÎTH2", "jsmith4"], START).await;
    assert_eq!(found, [Some(Some(a)), Some(Some(b)), None]);
    // The same once more, as after a crash: everybody keeps what they have.
    let again = [
        wants(&d, &["jsmith", "jsmith2", "jsmith3", "jsmith4"]),
        wants(&c, &["jsmith2", "jsmith3"]),
        Wanted { attribute: NAME.to_uppercase(), ..batch[1].clone() },
        batch[0].clone(),
    ];
    assert_eq!(reserve(store, &world, &again, START).await, got(&["jsmith4", "jsmith3", "jsmith2", "JSmith"]));
    let better = [wants(&last, &["free", "jsmith4"])];
    assert_eq!(reserve(store, &world, &better, START).await, got(&["jsmith4"]), "what is reserved comes first");
}

/// semantics: unique
pub(super) async fn attributes_domains_and_tenants_have_values_of_their_own(store: &dyn Store) {
    let (world, [a, b]) = people(store).await;
    assert_eq!(reserve(store, &world, &[wants(&a, &["x"])], START).await, got(&["x"]));
    let mail = Wanted { attribute: "mail".to_owned(), ..wants(&b, &["x"]) };
    assert_eq!(reserve(store, &world, &[mail], START).await, got(&["x"]));
    for (tenant, domain, taken) in
        [(world.tenant, "CORP.test", true), (world.tenant, "other.test", false), (TenantId(world.id()), DOMAIN, false)]
    {
        let found = store.taken_values(tenant, domain, &[(NAME, "y"), (NAME, "X")], START).await.unwrap();
        let expected: &[Taken] = &[Taken { n: 1, person: Some(a.person.id) }];
        assert_eq!(found, if taken { expected } else { &[] }, "{domain}");
    }
    // What is no value, and who is nobody, gets none.
    let nobody = Wanted { person: PersonId(world.id()), ..wants(&b, &["free"]) };
    let answers = reserve(store, &world, &[wants(&b, &["", " ", "\u{301}"]), nobody], START).await;
    assert_eq!(answers, got(&["", ""]));
    let same = [wants(&b, &["b\0"]), wants(&b, &["b"])];
    assert_eq!(reserve(store, &world, &same, START).await, got(&["b\0", "b"]));
    let stale = Lease { epoch: Epoch(world.lease.epoch.0 - 1), ..world.lease.clone() };
    assert_eq!(store.reserve(&stale, &[wants(&b, &["c"])], START).await.unwrap(), Fenced::Stale);
    assert_eq!(holders(store, &world, &["c", "free"], START).await, [None, None]);
}

/// semantics: unique
pub(super) async fn a_reservation_ends_with_the_account_or_the_failure(store: &dyn Store) {
    let (world, [a, b, c]) = people(store).await;
    let first = [wants(&a, &["x", "x2"]), wants(&b, &["x", "x2", "x3"])];
    assert_eq!(reserve(store, &world, &first, START).await, got(&["x", "x2"]));
    // Another is wanted: the one before is free.
    assert_eq!(reserve(store, &world, &[wants(&b, &["x3"])], START).await, got(&["x3"]));
    assert_eq!(holders(store, &world, &["x2"], START).await, [None]);
    record(store, &world, created(&world, &a)).await;
    let released = vec![a.person.id, b.person.id];
    record(store, &world, RecordBatch { released, ..RecordBatch::default() }).await;
    let found = holders(store, &world, &["x", "x3"], later(i64::MAX / 4_000)).await;
    assert_eq!(found, [Some(Some(a.person.id)), None], "an account's value stays its own");
    assert_eq!(reserve(store, &world, &[wants(&c, &["x", "x3"])], START).await, got(&["x3"]));
}

/// semantics: unique
pub(super) async fn a_leavers_value_is_given_to_nobody_for_a_while(store: &dyn Store) {
    let (world, [a, b, c]) = people(store).await;
    let first = [wants(&a, &["x"]), wants(&b, &["y"])];
    assert_eq!(reserve(store, &world, &first, START).await, got(&["x", "y"]));
    record(store, &world, created(&world, &a)).await;
    record(store, &world, created(&world, &b)).await;
    let quarantined = vec![(a.person.id, later(100))];
    record(store, &world, RecordBatch { quarantined, ..RecordBatch::default() }).await;
    let broken = store.break_link(world.tenant, &world.job, "p1", None, later(200), &world.audit("link.break")).await;
    assert!(broken.unwrap());
    let (a_id, b_id) = (Some(Some(a.person.id)), Some(Some(b.person.id)));
    for (now, expected) in [(99, [a_id, b_id]), (100, [None, b_id]), (199, [None, b_id]), (200, [None, None])] {
        assert_eq!(holders(store, &world, &["x", "y"], later(now)).await, expected, "{now}");
    }
    assert_eq!(reserve(store, &world, &[wants(&c, &["x", "z"])], later(99)).await, got(&["z"]));
    // Whoever comes back gets what was theirs; an account linked anew holds it again.
    assert_eq!(reserve(store, &world, &[wants(&a, &["x", "z"])], later(99)).await, got(&["x"]));
    record(store, &world, created(&world, &b)).await;
    assert_eq!(holders(store, &world, &["y"], later(300)).await, [b_id]);
    assert_eq!(reserve(store, &world, &[wants(&c, &["x", "y", "z"])], later(300)).await, got(&["z"]));
}

/// semantics: unique
pub(super) async fn what_the_directory_holds_is_not_offered_for_a_while(store: &dyn Store) {
    let (world, [a, b]) = people(store).await;
    assert_eq!(reserve(store, &world, &[wants(&a, &["x", "x2"])], START).await, got(&["x"]));
    // Refused by the directory after all; what is reserved for another may be there because it was just made.
    let seen = |person: &PersonUpdate, candidates: &[&str], seen: &[&str]| Wanted {
        seen: seen.iter().map(|&value| value.to_owned()).collect(),
        ..wants(person, candidates)
    };
    let batch = [seen(&b, &["x"], &[]), seen(&a, &["x2"], &["x"])];
    assert_eq!(reserve(store, &world, &batch, START).await, got(&["", "x2"]));
    let batch = [seen(&b, &["x", "x3"], &["x2", "x4"]), wants(&a, &["x5", "x2"])];
    assert_eq!(reserve(store, &world, &batch, START).await, got(&["x3", "x2"]));
    let (a_id, b_id) = (Some(Some(a.person.id)), Some(Some(b.person.id)));
    let values = ["x", "x2", "x3", "x4", "x5"];
    assert_eq!(holders(store, &world, &values, START).await, [Some(None), a_id, b_id, Some(None), None]);
    let after = later(limits::UNIQUE_SEEN_MS);
    assert_eq!(holders(store, &world, &values, after).await, [None, a_id, b_id, None, None]);
    assert_eq!(reserve(store, &world, &[wants(&b, &["x"])], after).await, got(&["x"]));
}
