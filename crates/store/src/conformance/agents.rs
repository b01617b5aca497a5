//! Enrolment and leases.

use rollcall_model::ids::{AgentId, Epoch, NodeId, TenantId};

use super::world::{DOMAIN, START, World};
use crate::{Agent, ControllerBefore, Draining, Fenced, Lease, MergeBatch, NewEnrolment, Store};

pub(super) async fn a_token_enrolls_one_agent(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let agent = |name: &str| Agent::new(AgentId(world.id()), world.tenant, name, "claimed.test", &[1; 32], START);
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

/// An enrolled agent.
async fn enrolled(store: &dyn Store, world: &World) -> Agent {
    let new = NewEnrolment {
        tenant: world.tenant,
        token_sha256: [7; 32],
        domain: DOMAIN.to_owned(),
        expires: START.plus_ms(1),
    };
    store.create_enrolment(&new, &world.audit("agent.token")).await.unwrap();
    let agent = Agent::new(AgentId(world.id()), world.tenant, "one", DOMAIN, &[1; 32], START);
    assert!(store.enroll(&[7; 32], &agent, &world.audit("agent.enroll")).await.unwrap().is_some());
    agent
}

pub(super) async fn what_is_wanted_of_an_agent_is_kept_and_audited(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let mut agent = enrolled(store, &world).await;
    let (tenant, id) = (world.tenant, agent.id);
    let audit = |action: &str| world.audit(action);
    assert!(store.set_agent_draining(tenant, id, Draining::Yes, &audit("agent.drain")).await.unwrap());
    assert!(store.set_agent_log_filter(tenant, id, Some("debug"), &audit("agent.logLevel")).await.unwrap());
    assert!(store.want_agent_key(tenant, id, START, &audit("agent.rotateKey")).await.unwrap());
    assert!(store.want_agent_key(tenant, id, START.plus_ms(9), &audit("agent.rotateKey")).await.unwrap());
    store.note_agent_version(id, "0.2.0").await.unwrap();
    agent.draining = Draining::Yes;
    agent.log_filter = Some("debug".to_owned());
    agent.rotate_key_wanted = Some(START);
    agent.version = Some("0.2.0".to_owned());
    assert_eq!(store.agent(id).await.unwrap(), Some(agent.clone()));
    store.note_agent(id, Some(world.node), START, None, None).await.unwrap();
    assert_eq!(store.agent(id).await.unwrap().unwrap().draining, Draining::Yes, "connecting anew ends no draining");
    assert!(store.set_agent_draining(tenant, id, Draining::No, &audit("agent.undrain")).await.unwrap());
    assert!(store.set_agent_log_filter(tenant, id, None, &audit("agent.logLevel")).await.unwrap());
    let now = store.agents(tenant).await.unwrap().remove(0);
    assert_eq!((now.draining, now.log_filter), (Draining::No, None));

    let actions: Vec<String> = store.audit(tenant, 6).await.unwrap().into_iter().map(|row| row.action).collect();
    let wanted =
        ["agent.logLevel", "agent.undrain", "agent.rotateKey", "agent.rotateKey", "agent.logLevel", "agent.drain"];
    assert_eq!(actions, wanted);
    // Another tenant's name opens nothing, and what did not happen is not audited.
    let (other, unknown) = (TenantId(world.id()), AgentId(world.id()));
    for (tenant, id) in [(other, id), (tenant, unknown)] {
        assert!(!store.set_agent_draining(tenant, id, Draining::Yes, &audit("x")).await.unwrap());
        assert!(!store.set_agent_log_filter(tenant, id, Some("trace"), &audit("x")).await.unwrap());
        assert!(!store.want_agent_key(tenant, id, START, &audit("x")).await.unwrap());
    }
    assert_eq!(store.agent(id).await.unwrap().unwrap().draining, Draining::No);
    assert!(store.audit(tenant, 100).await.unwrap().iter().all(|row| row.action != "x"));
}

pub(super) async fn a_second_key_is_valid_until_it_is_the_only_one(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let id = enrolled(store, &world).await.id;
    let audit = || world.audit("agent.key");
    let keys = async || {
        let agent = store.agent(id).await.unwrap().unwrap();
        (agent.public_key[0], agent.new_public_key.map(|key| key[0]), agent.rotate_key_wanted)
    };
    assert!(store.want_agent_key(world.tenant, id, START, &audit()).await.unwrap());
    assert_eq!(keys().await, (1, None, Some(START)));
    assert!(!store.add_agent_key(id, &[1; 32], &audit()).await.unwrap(), "the key it has is no new one");
    assert!(!store.promote_agent_key(id, &[2; 32], &audit()).await.unwrap(), "not there yet");
    assert_eq!(keys().await, (1, None, Some(START)));
    assert!(store.add_agent_key(id, &[2; 32], &audit()).await.unwrap());
    assert_eq!(keys().await, (1, Some(2), None), "both are valid, and the wish is fulfilled");
    assert!(store.add_agent_key(id, &[3; 32], &audit()).await.unwrap(), "in place of one that was never used");
    assert!(!store.promote_agent_key(id, &[2; 32], &audit()).await.unwrap(), "it is not the second one any more");
    let audits = store.audit(world.tenant, 100).await.unwrap().len();
    assert!(store.promote_agent_key(id, &[3; 32], &audit()).await.unwrap());
    assert_eq!(keys().await, (3, None, None));
    assert!(!store.promote_agent_key(id, &[3; 32], &audit()).await.unwrap(), "once");
    assert_eq!(store.audit(world.tenant, 100).await.unwrap().len(), audits + 1);
    assert!(!store.add_agent_key(AgentId(world.id()), &[4; 32], &audit()).await.unwrap());
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
    assert_eq!((held.agent_since, again.agent_since), (world.lease.epoch, world.lease.epoch), "nobody was in between");
    assert!(!store.renew_lease(&world.lease, START, 10_000).await.unwrap());
    let batch = MergeBatch::default();
    assert_eq!(store.merge(&world.lease, &batch).await.unwrap(), Fenced::Stale);
    assert_eq!(store.merge(&again.lease, &batch).await.unwrap(), Fenced::Done(()));
    assert_eq!(store.lease(world.tenant, "other.test").await.unwrap(), None);
}

pub(super) async fn another_controller_is_named_by_the_holder(store: &dyn Store) {
    let world = World::new(store, 1).await;
    let before = ControllerBefore { controller: "dc1".to_owned(), usn: Some(4_100), until: START.plus_ms(60_000) };
    let old = Lease { epoch: Epoch(world.lease.epoch.0 - 1), ..world.lease.clone() };
    assert_eq!(store.switch_controller(&old, "dc2", &before).await.unwrap(), Fenced::Stale);
    let held = async || store.lease(world.tenant, DOMAIN).await.unwrap().unwrap();
    assert_eq!((held().await.writing_controller.as_deref(), held().await.before), (Some("dc1"), None));
    for usn in [before.usn, None] {
        let before = ControllerBefore { usn, ..before.clone() };
        assert_eq!(store.switch_controller(&world.lease, "dc2", &before).await.unwrap(), Fenced::Done(()));
        let held = held().await;
        assert_eq!((held.writing_controller.as_deref(), held.before), (Some("dc2"), Some(before)));
    }
    let again = store
        .acquire_lease(world.tenant, DOMAIN, world.node, world.agent, Some("dc3"), START, 10_000, 10_000)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(again.writing_controller.as_deref(), Some("dc2"));
    assert_eq!(again.before.map(|before| before.controller).as_deref(), Some("dc1"), "the next holder waits too");
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
    assert_eq!(third.agent_since, third.lease.epoch, "another agent was in between");
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
