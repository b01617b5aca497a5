//! Enrolment and leases.

use rollcall_model::ids::{AgentId, Epoch, NodeId, TenantId};

use super::world::{DOMAIN, START, World};
use crate::{Agent, Fenced, MergeBatch, NewEnrolment, Store};

pub(super) async fn a_token_enrolls_one_agent(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let agent = |name: &str| Agent {
        id: AgentId(world.id()),
        tenant: world.tenant,
        name: name.to_owned(),
        domain: "claimed.test".to_owned(),
        public_key: vec![1; 32],
        enrolled: START,
        last_seen: None,
        node: None,
        controller: None,
        trouble: None,
    };
    for (token, life_ms) in [([1; 32], 1), ([2; 32], 0)] {
        let new = NewEnrolment {
            tenant: world.tenant,
            token_sha256: token,
            domain: "Corp.Test".to_owned(),
            expires: START.plus_ms(life_ms),
        };
        store.create_enrolment(&new, &world.audit("agent.token")).await.unwrap();
    }
    let audits = store.audit(world.tenant, 100).await.unwrap().len();
    let mut first = agent("one");
    let audit = || world.audit("agent.enroll");
    assert_eq!(store.enroll(&[9; 32], &first, &audit()).await.unwrap(), None, "unknown");
    assert_eq!(store.enroll(&[2; 32], &first, &audit()).await.unwrap(), None, "expired");
    assert_eq!(store.enroll(&[1; 32], &first, &audit()).await.unwrap().as_deref(), Some(DOMAIN));
    assert_eq!(store.enroll(&[1; 32], &agent("two"), &audit()).await.unwrap(), None, "used");
    assert_eq!(store.audit(world.tenant, 100).await.unwrap().len(), audits + 1);
    DOMAIN.clone_into(&mut first.domain);
    assert_eq!(store.agents(world.tenant).await.unwrap(), [first.clone()]);
    assert!(store.agents(TenantId(world.id())).await.unwrap().is_empty());

    store.note_agent(first.id, Some(world.node), START, Some("dc1"), Some("bind refused")).await.unwrap();
    first.node = Some(world.node);
    first.last_seen = Some(START);
    first.controller = Some("dc1".to_owned());
    first.trouble = Some("bind refused".to_owned());
    assert_eq!(store.agent(first.id).await.unwrap(), Some(first.clone()));
    store.note_agent(first.id, None, START.plus_ms(1), None, None).await.unwrap();
    let noted = store.agent(first.id).await.unwrap().unwrap();
    assert_eq!((noted.node, noted.trouble, noted.controller.as_deref()), (None, None, Some("dc1")));
    assert_eq!(store.agent(AgentId(world.id())).await.unwrap(), None);
}

pub(super) async fn a_lease_has_one_holder(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let held = store.lease(world.tenant, "CORP.test").await.unwrap().unwrap();
    assert_eq!(held.lease, world.lease);
    assert_eq!((held.node, held.agent, held.until), (world.node, world.agent, START.plus_ms(10_000)));
    assert_eq!(held.writing_controller.as_deref(), Some("dc1"));
    let take = async |node, agent| {
        store.acquire_lease(world.tenant, DOMAIN, node, agent, Some("dc2"), START, 10_000, 10_000).await.unwrap()
    };
    assert_eq!(take(NodeId(world.id()), world.agent).await, None, "another node");
    assert_eq!(take(world.node, AgentId(world.id())).await, None, "another agent");
    // The holder itself, for instance after its link broke: a new epoch, so that what was under way is refused.
    let again = take(world.node, world.agent).await.unwrap();
    assert_eq!(again.lease.epoch, Epoch(world.lease.epoch.0 + 1));
    assert_eq!(again.writing_controller.as_deref(), Some("dc1"), "the stored one stays");
    assert!(!store.renew_lease(&world.lease, START, 10_000).await.unwrap());
    let batch = MergeBatch::default();
    assert_eq!(store.merge(&world.lease, &batch).await.unwrap(), Fenced::Stale);
    assert_eq!(store.merge(&again.lease, &batch).await.unwrap(), Fenced::Done(()));
    assert_eq!(store.lease(world.tenant, "other.test").await.unwrap(), None);
}

pub(super) async fn a_lease_ends_by_time_or_by_release(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let (node, agent) = (NodeId(world.id()), AgentId(world.id()));
    let take = async |ms| {
        let now = START.plus_ms(ms);
        let taken = store.acquire_lease(world.tenant, DOMAIN, node, agent, None, now, 1_000, 500).await.unwrap();
        taken.map(|holder| holder.lease)
    };
    assert!(store.renew_lease(&world.lease, START.plus_ms(9_000), 10_000).await.unwrap());
    assert_eq!(take(10_600).await, None, "renewed");
    assert!(!store.renew_lease(&world.lease, START.plus_ms(19_001), 10_000).await.unwrap(), "over before now");
    assert_eq!(take(19_500).await, None, "over, but a write may be under way");
    let second = take(19_501).await.unwrap();
    assert_eq!(second.epoch, Epoch(world.lease.epoch.0 + 1));
    assert!(!store.renew_lease(&world.lease, START, 10_000).await.unwrap());
    store.release_lease(&world.lease, START).await.unwrap();
    assert!(store.renew_lease(&second, START.plus_ms(19_600), 1_000).await.unwrap(), "only its own can be given up");
    store.release_lease(&second, START.plus_ms(19_700)).await.unwrap();
    assert!(!store.renew_lease(&second, START.plus_ms(19_700), 1_000).await.unwrap(), "given up");
    let third = store
        .acquire_lease(world.tenant, DOMAIN, world.node, world.agent, None, START.plus_ms(19_700), 1_000, 500)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(third.lease.epoch, Epoch(second.epoch.0 + 1), "at once");
}

pub(super) async fn the_store_answers(store: &dyn Store) {
    store.ping().await.unwrap();
    let local = START;
    let shared = store.shared_now(local).await.unwrap();
    match store.engine() {
        "sqlite" => assert_eq!(shared, local),
        "postgres" => assert!(shared > local, "the server's own clock"),
        other => panic!("{other}"),
    }
}
