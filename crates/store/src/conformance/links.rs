//! Links.

use rollcall_model::ids::{JobId, ObjectGuid, PersonId, TenantId, Version};
use rollcall_model::person::{Confirmed, Link};

use super::world::{START, World};
use crate::{ClaimResult, Fenced, PersonUpdate, RecordBatch, Store};

const GRANTED: ClaimResult = ClaimResult::Granted;
const TAKEN: ClaimResult = ClaimResult::TakenByAnother;

fn link(guid: ObjectGuid) -> Link {
    Link { guid, confirmed: true, invocation_id: Some("dc1".to_owned()), usn_changed: Some(5) }
}

/// semantics: link
pub(super) async fn an_account_belongs_to_one_person(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let persons = [world.person("a"), world.person("b"), world.person("c")];
    world.merge(store, &persons).await;
    let [a, b, c] = [&persons[0], &persons[1], &persons[2]].map(|update| update.person.id);
    let (one, two, three) = (world.guid(), world.guid(), world.guid());
    let claim = async |claims: &[(PersonId, ObjectGuid)]| match store.claim_links(&world.lease, claims).await.unwrap() {
        Fenced::Done(results) => results,
        Fenced::Stale => panic!("the lease is held"),
    };
    assert_eq!(claim(&[(a, one), (b, one), (a, one), (a, two)]).await, [GRANTED, TAKEN, GRANTED, TAKEN]);
    assert_eq!(claim(&[(a, one), (b, one), (b, two)]).await, [GRANTED, TAKEN, GRANTED]);
    assert_eq!(claim(&[(a, three), (PersonId(world.id()), three)]).await, [TAKEN, TAKEN], "linked already; unknown");
    assert_eq!(claim(&[(c, three)]).await, [GRANTED]);
    assert!(claim(&[]).await.is_empty());
    let mut linked = store.linked_to(&world.job, &[one, world.guid(), two]).await.unwrap();
    linked.sort_by_key(|(_, person)| *person != a);
    assert_eq!(linked, [(one, a), (two, b)]);
    assert!(store.linked_to(&JobId::from_text("API2AD.x.y"), &[one]).await.unwrap().is_empty());
    let stored = store.person(&world.job, "a").await.unwrap().unwrap().person.link.unwrap();
    assert_eq!(stored, Link { guid: one, confirmed: false, invocation_id: None, usn_changed: None });
}

/// semantics: link
pub(super) async fn an_outcome_cannot_link_the_account_of_another(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let persons = [world.person("a"), world.person("b"), world.person("c"), world.person("d")];
    world.merge(store, &persons).await;
    let (one, two) = (world.guid(), world.guid());
    assert!(matches!(store.claim_links(&world.lease, &[(persons[0].person.id, one)]).await.unwrap(), Fenced::Done(_)));
    let linked = |at: usize, guid| {
        let mut update = PersonUpdate { due: None, ..persons[at].clone() };
        update.person.link = Some(link(guid));
        update
    };
    // b reports a's account; c and d report the same new one.
    let batch = RecordBatch { persons: vec![linked(1, one), linked(2, two), linked(3, two)], ..RecordBatch::default() };
    assert_eq!(store.record(&world.lease, &batch, START).await.unwrap(), Fenced::Done(()));
    let of = async |key: &str| store.person(&world.job, key).await.unwrap().unwrap();
    assert_eq!(of("b").await.person.link, None);
    assert_eq!(of("b").await.due, None, "the rest of the outcome is stored");
    assert_eq!(of("c").await.person.link.unwrap().guid, two);
    assert_eq!(of("d").await.person.link, None);
}

/// semantics: link
pub(super) async fn a_broken_link_is_not_brought_back_by_a_late_outcome(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let person = PersonUpdate { due: None, ..world.person("A") };
    world.merge(store, std::slice::from_ref(&person)).await;
    let mut outcome = person.clone();
    outcome.person.link = Some(link(world.guid()));
    outcome.person.confirmed = Some(Confirmed::default());
    let batch = RecordBatch { persons: vec![outcome.clone()], ..RecordBatch::default() };
    assert_eq!(store.record(&world.lease, &batch, START).await.unwrap(), Fenced::Done(()));
    let audit = || world.audit("link.break");
    let audits = store.audit(world.tenant, 100).await.unwrap().len();
    let due = Some(START.plus_ms(7));
    for (tenant, job, key) in [
        (world.tenant, world.job.clone(), "unknown"),
        (world.tenant, world.job.clone(), "a\0"),
        (world.tenant, JobId::from_text("no job"), "a"),
        (TenantId(world.id()), world.job.clone(), "a"),
    ] {
        assert!(!store.break_link(tenant, &job, key, due, START, &audit()).await.unwrap(), "{key}");
    }
    assert!(store.break_link(world.tenant, &world.job, "a", due, START, &audit()).await.unwrap());
    assert!(!store.break_link(world.tenant, &world.job, "a", due, START, &audit()).await.unwrap(), "there is none");
    assert_eq!(store.audit(world.tenant, 100).await.unwrap().len(), audits + 1);
    // Under way since before the break.
    assert_eq!(store.record(&world.lease, &batch, START).await.unwrap(), Fenced::Done(()));
    let mut stored = store.person(&world.job, "a").await.unwrap().unwrap();
    assert_eq!((&stored.person.link, &stored.person.confirmed, stored.due), (&None, &None, due));
    // Whoever reads the person now knows which outcomes are of before.
    assert_eq!((stored.unlinked, stored.person.version), (Some(Version(1)), Version(2)));
    // Matched anew.
    stored.person.link = outcome.person.link;
    let batch = RecordBatch { persons: vec![stored.clone()], ..RecordBatch::default() };
    assert_eq!(store.record(&world.lease, &batch, START).await.unwrap(), Fenced::Done(()));
    assert_eq!(store.person(&world.job, "a").await.unwrap(), Some(stored));
}

/// semantics: delete, link
pub(super) async fn a_deleted_account_is_not_brought_back_by_a_late_outcome(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let mut update = world.person("a");
    update.person.version = Version(1);
    world.merge(store, std::slice::from_ref(&update)).await;
    let guid = world.guid();
    let linked = |update: &PersonUpdate, version: i64| {
        let mut update = PersonUpdate { due: None, ..update.clone() };
        (update.person.link, update.person.version) = (Some(link(guid)), Version(version));
        update.person.confirmed = Some(Confirmed::default());
        RecordBatch { persons: vec![update], ..RecordBatch::default() }
    };
    let record = async |batch: RecordBatch| {
        assert_eq!(store.record(&world.lease, &batch, START).await.unwrap(), Fenced::Done(()));
        store.person(&world.job, "a").await.unwrap().unwrap().person
    };
    assert_eq!(record(linked(&update, 1)).await.link, Some(link(guid)));
    let gone = PersonUpdate { due: None, ..update.clone() };
    let unlinked = vec![(update.person.id, Version(1))];
    let after = record(RecordBatch { persons: vec![gone], unlinked, ..RecordBatch::default() }).await;
    assert_eq!((after.link, after.confirmed), (None, None));
    assert_eq!(record(linked(&update, 1)).await.link, None, "an outcome of before");
    update.person.version = Version(2);
    world.merge(store, std::slice::from_ref(&update)).await;
    assert_eq!(record(linked(&update, 2)).await.link, Some(link(guid)), "somebody who came again");
}
