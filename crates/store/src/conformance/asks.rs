//! Questions between nodes.

use super::world::{START, World};
use crate::{Ask, Lease, Store};

pub(super) async fn a_question_is_taken_once_and_answered(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let ask = |at| Ask { id: world.id(), at, question: vec![0, 159, 146, 150] };
    let (first, second, third) = (ask(START), ask(START), ask(START.plus_ms(5)));
    let domain = world.lease.domain.to_uppercase();
    let put = async |ask: &Ask, max| store.put_ask(world.tenant, &domain, ask, max, START).await.unwrap();
    assert!(put(&first, 2).await && put(&second, 2).await);
    assert!(!put(&third, 2).await, "too many wait");
    assert_eq!(store.ask_answer(first.id).await.unwrap(), None);

    let other = Lease { epoch: rollcall_model::ids::Epoch(world.lease.epoch.0 + 1), ..world.lease.clone() };
    assert!(store.take_asks(&other, START).await.unwrap().is_empty(), "another holds the lease");
    assert!(store.take_asks(&world.lease, START.plus_ms(1)).await.unwrap().is_empty(), "nobody waits any more");
    let mut taken = store.take_asks(&world.lease, START).await.unwrap();
    taken.sort_by_key(|ask| ask.id);
    assert_eq!(taken, [first.clone(), second.clone()]);
    assert!(store.take_asks(&world.lease, START).await.unwrap().is_empty(), "taken once");

    store.answer_ask(first.id, &[1, 2]).await.unwrap();
    assert_eq!(store.ask_answer(first.id).await.unwrap(), Some(vec![1, 2]));
    store.drop_ask(first.id).await.unwrap();
    assert_eq!(store.ask_answer(first.id).await.unwrap(), None);
    store.answer_ask(first.id, &[3]).await.unwrap();
    assert_eq!(store.ask_answer(first.id).await.unwrap(), None, "nobody waits");
    store.answer_ask(second.id, &[4]).await.unwrap();
    assert!(store.put_ask(world.tenant, &domain, &third, 2, START.plus_ms(1)).await.unwrap());
    assert_eq!(store.ask_answer(second.id).await.unwrap(), None, "the old ones are gone");
}
