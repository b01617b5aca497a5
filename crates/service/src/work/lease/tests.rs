use rollcall_model::ids::{AgentId, NodeId, TenantId};
use rollcall_store::Lease;
use rollcall_wire::link::FromAgent;
use uuid::Uuid;

use super::super::bench::{Bench, End, active};
use super::*;

const NOW: Timestamp = Timestamp(1_000_000);
/// An agent of protocol 1.
const OLD: &[Capability] = &[Capability::Create];
const NEW: &[Capability] = Capability::OURS;
/// From the last renewal to the moment from which another agent may be active.
const TAKE_OVER_MS: i64 = limits::LEASE_MS + limits::LDAP_TIMEOUT_MS;

#[test]
fn the_last_number_is_known_to_the_next_holder_only() {
    let released = Released { epoch: Epoch(7), controller: "dc2".to_owned(), usn: 4_711 };
    let check = |case: &str, epoch: i64, from: &str, before: Option<(&str, i64)>, expected: Option<i64>| {
        let lease = Lease { tenant: TenantId(Uuid::nil()), domain: "corp.test".to_owned(), epoch: Epoch(epoch) };
        let before = before.map(|(controller, ms)| ControllerBefore {
            controller: controller.to_owned(),
            usn: None,
            until: NOW.plus_ms(ms),
        });
        let next = LeaseHolder {
            lease,
            node: NodeId(Uuid::nil()),
            agent: AgentId(Uuid::nil()),
            agent_since: Epoch(1),
            writing_controller: Some(from.to_owned()),
            until: NOW,
            before,
        };
        assert_eq!(released.number_of(from, &next, "dc1", NOW), expected, "{case}");
    };
    check("the next", 8, "dc2", None, Some(4_711));
    check("somebody was in between", 9, "dc2", None, None);
    check("another controller was written to", 8, "dc3", None, None);
    check("a third may have something on its way", 8, "dc2", Some(("dc3", 1)), None);
    check("it has come by now", 8, "dc2", Some(("dc3", 0)), Some(4_711));
    check("back to the one that was waited for", 8, "dc2", Some(("dc1", 1)), Some(4_711));
}

/// Time passes while agents renew, and nodes look for somebody to work.
async fn pass(bench: &Bench, ms: i64, nodes: &mut [(&mut Worker, &[&End])]) {
    for _ in 0..ms / 1_000 {
        bench.pass_ms(1_000);
        for (node, ends) in &mut *nodes {
            for end in *ends {
                end.renews(node).await;
            }
            if node.active.is_none() {
                node.take_lease().await.unwrap();
            }
        }
    }
}

/// ADR 0012
#[tokio::test]
async fn the_controller_in_use_on_another_node_is_not_switched() {
    for in_order in [true, false] {
        let bench = Bench::new().await;
        let (first, second) = (bench.enrol().await, bench.enrol().await);
        let (mut one, mut two) = (bench.node(), bench.node());
        let a = bench.connect(&mut one, &first, "dc1", NEW).await;
        let b = bench.connect(&mut two, &second, "dc2", NEW).await;
        one.take_lease().await.unwrap();
        pass(&bench, 60_000, &mut [(&mut one, &[&a]), (&mut two, &[&b])]).await;
        assert_eq!((active(&one), active(&two)), (Some(first.id), None), "{in_order}");
        if in_order {
            let (_queue, mut events) = mpsc::channel(1);
            one.drain(&mut events).await;
        }
        let wait = if in_order { limits::CONTROLLER_SWITCH_MS } else { TAKE_OVER_MS };
        pass(&bench, wait - 1_000, &mut [(&mut two, &[&b])]).await;
        assert_eq!(active(&two), None, "{in_order}");
        assert_eq!(bench.lease().await.writing_controller.as_deref(), Some("dc1"), "{in_order}");
        pass(&bench, 2_000, &mut [(&mut two, &[&b])]).await;
        assert_eq!(active(&two), Some(second.id), "{in_order}");
        assert_eq!(bench.lease().await.writing_controller.as_deref(), Some("dc2"), "{in_order}");
    }
}

/// ADR 0003
#[tokio::test]
async fn the_last_holder_goes_on_at_once() {
    let bench = Bench::new().await;
    let (first, second) = (bench.enrol().await, bench.enrol().await);
    let mut before = bench.node();
    let _b = bench.connect(&mut before, &second, "dc1", NEW).await;
    before.take_lease().await.unwrap();
    let mut restarted = bench.node();
    let _a = bench.connect(&mut restarted, &first, "dc1", NEW).await;
    let _b = bench.connect(&mut restarted, &second, "dc1", NEW).await;
    restarted.take_lease().await.unwrap();
    assert_eq!(active(&restarted), Some(second.id));
    // One that is to be drained does not.
    let mut restarted = bench.node();
    restarted.drained_agents.insert(second.id);
    let a = bench.connect(&mut restarted, &first, "dc1", NEW).await;
    let b = bench.connect(&mut restarted, &second, "dc1", NEW).await;
    restarted.take_lease().await.unwrap();
    assert_eq!(active(&restarted), None);
    pass(&bench, TAKE_OVER_MS + 1_000, &mut [(&mut restarted, &[&a, &b])]).await;
    assert_eq!(active(&restarted), Some(first.id));
}

/// ADR 0012
#[tokio::test]
async fn who_knows_nothing_of_replication_waits_for_it() {
    let bench = Bench::new().await;
    let (holder, agent) = (bench.enrol().await, bench.enrol().await);
    let mut first = bench.node();
    let _end = bench.connect(&mut first, &holder, "dc2", NEW).await;
    first.take_lease().await.unwrap();
    let lease = bench.lease().await.lease;
    let until = bench.now().plus_ms(60_000);
    let before = ControllerBefore { controller: "dc1".to_owned(), usn: None, until };
    assert_eq!(bench.store.switch_controller(&lease, "dc2", &before).await.unwrap(), Fenced::Done(()));
    bench.store.release_lease(&lease, bench.now()).await.unwrap();
    for (ms, capabilities, takes) in [(0, OLD, false), (59_999, OLD, false), (1, OLD, true), (-60_000, NEW, true)] {
        bench.pass_ms(ms);
        let mut node = bench.node();
        let _end = bench.connect(&mut node, &agent, "dc2", capabilities).await;
        node.take_lease().await.unwrap();
        assert_eq!(active(&node), takes.then_some(agent.id), "{ms} {}", capabilities.len());
    }
}

#[tokio::test]
async fn a_holder_is_not_asked_to_hand_over_to_who_must_wait() {
    let bench = Bench::new().await;
    let (holder, other) = (bench.enrol().await, bench.enrol().await);
    let mut node = bench.node();
    let mut a = bench.connect(&mut node, &holder, "dc1", NEW).await;
    let b = bench.connect(&mut node, &other, "dc1", OLD).await;
    node.take_lease().await.unwrap();
    node.drained_agents.insert(holder.id);
    node.active.as_mut().unwrap().replicated = Some(bench.now().plus_ms(2_000));
    for (ms, asked) in [(1_000, false), (1_000, true)] {
        bench.pass_ms(ms);
        b.renews(&mut node).await;
        let _ = a.heard();
        node.hand_over(bench.now());
        assert_eq!(a.heard().iter().any(|frame| matches!(frame, ToAgent::Release { .. })), asked, "{ms}");
    }
}

#[tokio::test]
async fn a_clock_that_goes_forward_gives_nothing_away() {
    let bench = Bench::new().await;
    let (first, second) = (bench.enrol().await, bench.enrol().await);
    let mut node = bench.node();
    let _a = bench.connect(&mut node, &first, "dc1", NEW).await;
    let b = bench.connect(&mut node, &second, "dc1", NEW).await;
    node.take_lease().await.unwrap();
    bench.pass_ms(3_600_000);
    b.renews(&mut node).await;
    node.take_lease().await.unwrap();
    assert_eq!(active(&node), Some(first.id), "it may still be writing");
    let renewed = node.renewed.as_mut().unwrap();
    renewed.at = renewed.at.checked_sub(Duration::from_millis(TAKE_OVER_MS.unsigned_abs())).unwrap();
    node.take_lease().await.unwrap();
    assert_eq!(active(&node), Some(second.id));
}

#[tokio::test]
async fn a_domain_that_is_handed_over_goes_on_at_once() {
    let bench = Bench::new().await;
    let (first, second) = (bench.enrol().await, bench.enrol().await);
    let mut node = bench.node();
    let a = bench.connect(&mut node, &first, "dc1", NEW).await;
    let _b = bench.connect(&mut node, &second, "dc2", NEW).await;
    node.take_lease().await.unwrap();
    node.drained_agents.insert(first.id);
    let epoch = bench.lease().await.lease.epoch;
    a.says(&mut node, FromAgent::Released { epoch, usn: Some(4_100) }).await;
    // The draining one has the writing controller, and would be asked again if it were still there.
    node.handle(Event::Gone(a.id)).await.unwrap();
    node.take_lease().await.unwrap();
    assert_eq!(active(&node), Some(second.id));
    assert_eq!(bench.lease().await.before.unwrap().usn, Some(4_100));
}

#[tokio::test]
async fn a_clock_that_goes_back_keeps_no_useless_agent() {
    let bench = Bench::new().await;
    let agent = bench.enrol().await;
    let mut node = bench.node();
    let end = bench.connect(&mut node, &agent, "dc1", NEW).await;
    node.take_lease().await.unwrap();
    end.renews_without_controller(&mut node).await;
    bench.pass_ms(-3_600_000);
    end.renews_without_controller(&mut node).await;
    assert_eq!(active(&node), Some(agent.id));
    for _ in 0..3 {
        bench.pass_ms(limits::LEASE_MS / 2);
        end.renews_without_controller(&mut node).await;
    }
    assert_eq!(active(&node), None);
}

#[tokio::test]
async fn a_lost_lease_leaves_nothing_behind() {
    let bench = Bench::new().await;
    let agent = bench.enrol().await;
    let mut node = bench.node();
    let _end = bench.connect(&mut node, &agent, "dc1", NEW).await;
    node.take_lease().await.unwrap();
    node.looked_at.insert(7);
    node.lose_lease();
    assert!(node.looked_at.is_empty());
}
