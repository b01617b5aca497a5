//! Persons at rest.

use rollcall_model::Code;
use rollcall_model::ids::{JobId, Version};
use rollcall_model::operation::Method;
use rollcall_model::person::{Confirmed, Link, Refused};

use super::world::{START, World, data_of};
use crate::{ClaimResult, Fenced, PersonUpdate, RecordBatch, RestingPerson, Store};

/// A person as a quiet outcome leaves them.
fn quiet(world: &World, external_id: &str) -> PersonUpdate {
    let mut update = PersonUpdate { due: None, quiet: Some(3), ..world.person(external_id) };
    update.person.link = Some(Link {
        guid: world.guid(),
        confirmed: true,
        invocation_id: Some("dc1".to_owned()),
        usn_changed: Some(1 << 40),
    });
    update.person.confirmed = Some(Confirmed::default());
    update
}

fn expected(update: &PersonUpdate, key: &str) -> RestingPerson {
    RestingPerson {
        key: key.to_owned(),
        person: update.person.id,
        version: update.person.version,
        external_id: update.person.external_id.clone(),
        display_name: update.display_name.clone(),
        guid: update.person.link.as_ref().unwrap().guid,
        usn_changed: 1 << 40,
        controller: "dc1".to_owned(),
        data: update.data.unwrap(),
        quiet: 3,
    }
}

async fn record(store: &dyn Store, world: &World, persons: &[PersonUpdate]) {
    let batch = RecordBatch { persons: persons.to_vec(), ..RecordBatch::default() };
    assert_eq!(store.record(&world.lease, &batch, START).await.unwrap(), Fenced::Done(()));
}

async fn resting(store: &dyn Store, world: &World, keys: &[&str]) -> Vec<RestingPerson> {
    let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    let mut found = store.resting(&world.job, &keys).await.unwrap();
    found.sort_by_key(|resting| resting.person);
    found
}

/// A name, and what is changed.
type Unrest = (&'static str, fn(&mut PersonUpdate));

/// What alone keeps a person from being at rest.
const UNREST: [Unrest; 12] = [
    ("due", |update| update.due = Some(START)),
    ("failed", |update| update.last_code = Some(Code::DirectoryBusy)),
    ("touched", |update| update.person.pending.touched = ["title".to_owned()].into()),
    ("deleted", |update| update.person.pending.method = Method::Delete),
    ("refused", |update| {
        let refused = Refused { values: Vec::new(), schema_version: 3, reason: String::new() };
        update.person.refused.insert("title".to_owned(), refused);
    }),
    ("no link", |update| update.person.link = None),
    ("unconfirmed", |update| update.person.link.as_mut().unwrap().confirmed = false),
    ("no usn", |update| update.person.link.as_mut().unwrap().usn_changed = None),
    ("no controller", |update| update.person.link.as_mut().unwrap().invocation_id = None),
    ("told something", |update| update.quiet = None),
    ("no data", |update| update.data = None),
    ("twice", |update| update.person.link.as_mut().unwrap().guid = TWICE),
];

const TWICE: rollcall_model::ids::ObjectGuid = rollcall_model::ids::ObjectGuid(uuid::Uuid::from_u128(7));

pub(super) async fn only_who_is_at_rest_is_told(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let mut persons = vec![quiet(&world, "Ä-1"), quiet(&world, "b"), quiet(&world, "holder")];
    persons[2].person.link.as_mut().unwrap().guid = TWICE;
    for (key, change) in UNREST {
        let mut update = quiet(&world, key);
        change(&mut update);
        persons.push(update);
    }
    let merged: Vec<_> = persons.iter().map(|update| PersonUpdate { quiet: None, ..update.clone() }).collect();
    world.merge(store, &merged).await;
    let keys: Vec<&str> = ["ä-1", "b", "holder", "Ä-1", "unknown", "nul\0"]
        .into_iter()
        .chain(UNREST.iter().map(|(key, _)| *key))
        .collect();
    assert_eq!(resting(store, &world, &keys).await, [], "nobody before an outcome");
    record(store, &world, &persons).await;
    let at_rest = [expected(&persons[0], "ä-1"), expected(&persons[1], "b"), expected(&persons[2], "holder")];
    assert_eq!(resting(store, &world, &keys).await, at_rest);
    assert_eq!(store.resting(&JobId::from_text("no job"), &["b".to_owned()]).await.unwrap(), []);
    assert_eq!(resting(store, &world, &[]).await, []);
}

pub(super) async fn a_merge_ends_the_rest_until_its_outcome(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let first = quiet(&world, "a");
    world.merge(store, &[PersonUpdate { quiet: Some(3), ..first.clone() }]).await;
    assert_eq!(resting(store, &world, &["a"]).await, [], "a merge makes nobody quiet");
    // Outcomes leave alone what belongs to merges.
    record(store, &world, &[PersonUpdate { data: None, display_name: None, ..first.clone() }]).await;
    assert_eq!(resting(store, &world, &["a"]).await, [expected(&first, "a")]);
    assert_eq!(store.person(&world.job, "a").await.unwrap().as_ref(), Some(&first));
    let mut second =
        PersonUpdate { data: Some(data_of("other")), display_name: Some("nul \0".to_owned()), ..first.clone() };
    second.person.version = Version(2);
    world.merge(store, std::slice::from_ref(&second)).await;
    second.display_name = Some("nul \u{fffd}".to_owned());
    let stored = store.person(&world.job, "a").await.unwrap().unwrap();
    assert_eq!((stored.quiet, stored.data, &stored.display_name), (None, second.data, &second.display_name));
    record(store, &world, std::slice::from_ref(&first)).await;
    assert_eq!(resting(store, &world, &["a"]).await, [], "a late outcome of the version before");
    record(store, &world, std::slice::from_ref(&second)).await;
    assert_eq!(resting(store, &world, &["a"]).await, [expected(&second, "a")]);
    // Each operation brings its data along.
    let upload = world.upload(&["a", "other"]);
    world.accept(store, &upload).await;
    let waiting = store.waiting_operations(std::slice::from_ref(&world.job), 10).await.unwrap();
    let data: Vec<_> = waiting.iter().map(|operation| operation.data).collect();
    assert_eq!(data, [Some(data_of("a")), Some(data_of("other"))]);
}

/// semantics: link
pub(super) async fn a_broken_link_ends_the_rest(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let persons = [quiet(&world, "broken"), quiet(&world, "deleted"), quiet(&world, "robbed"), quiet(&world, "robber")];
    world.merge(store, &persons).await;
    let [broken, deleted, robbed, thief] = persons;
    record(store, &world, &[broken.clone(), deleted.clone(), robbed.clone()]).await;
    let keys = ["broken", "deleted", "robbed", "robber"];
    assert_eq!(resting(store, &world, &keys).await.len(), 3);
    let quiet_of = async |key: &str| store.person(&world.job, key).await.unwrap().unwrap().quiet;
    assert!(store.break_link(world.tenant, &world.job, "broken", None, START, &world.audit("break")).await.unwrap());
    assert_eq!(quiet_of("broken").await, None);
    record(store, &world, std::slice::from_ref(&broken)).await;
    assert_eq!(quiet_of("broken").await, None, "an outcome of before the break");
    // A matching account is claimed, but no outcome came yet.
    let claims = [(broken.person.id, world.guid())];
    let granted = Fenced::Done(vec![ClaimResult::Granted]);
    assert_eq!(store.claim_links(&world.lease, &claims).await.unwrap(), granted);
    let mut gone = deleted.clone();
    gone.person.link = None;
    let unlinked = vec![(gone.person.id, gone.person.version)];
    let batch = RecordBatch { persons: vec![gone], unlinked, ..RecordBatch::default() };
    assert_eq!(store.record(&world.lease, &batch, START).await.unwrap(), Fenced::Done(()));
    assert_eq!(quiet_of("deleted").await, None);
    // An outcome on an account that another person has.
    let mut thief = thief.clone();
    thief.person.link.clone_from(&robbed.person.link);
    record(store, &world, &[thief]).await;
    assert_eq!(quiet_of("robber").await, None);
    assert_eq!(resting(store, &world, &keys).await, [expected(&robbed, "robbed")]);
}
